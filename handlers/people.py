"""People: who the desk takes you for, and how two accounts become one person."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from config.policy import Role
from handlers import erasure
from handlers.declare import Change, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, WrongState
from handlers.messages import Button, Card, Moment, Reply, Tone, facts
from handlers.parsing import AnyRef, PersonRef, Word
from storage.models.changes import Change as ServiceChange
from storage.models.incidents import Incident
from storage.models.people import LinkCode
from storage.models.problems import Action
from storage.models.requests import Request

_CODE_LIVES = timedelta(minutes=10)
_LINK_LIVES = timedelta(minutes=10)
_THEIRS = {
    Request: ("request", ("requester", "assignee")),
    Incident: ("incident", ("reporter", "assignee")),
    Action: ("corrective_action", ("owner",)),
    ServiceChange: ("change", ("requester", "implementer")),
}
"""What a ticket's evidence is called by, and what it calls those whose ticket it is."""


@dataclass(frozen=True)
class WhoAmI:
    """For example: desk whoami"""


@dataclass(frozen=True)
class Link:
    """For example: desk link"""

    code: Annotated[Word | None, "The code that the desk gave you on the other platform"] = None


@dataclass(frozen=True)
class WebLink:
    """For example: desk web PLN-1"""

    about: Annotated[AnyRef | None, "What to open there; the overview, when left out"] = None


@dataclass(frozen=True)
class Erase:
    """For example: privacy erase @staff"""

    person: PersonRef


@command("desk whoami", params=WhoAmI)
def whoami(asked: WhoAmI, desk: Desk) -> Reply:
    """See who the desk takes you for, and what you may do."""
    asker = desk.asker
    teams = ", ".join(desk.policy.teams[key].name for key in sorted(asker.teams))
    accounts = ", ".join(way.platform for way in desk.directory.reach(asker.key))
    return Reply(
        title=f"You are {asker.name}",
        facts=facts(
            ("Known as", f"@{asker.key}"),
            ("Roles", ", ".join(sorted(asker.roles))),
            ("Teams", teams or "none"),
            ("Manager", desk.who(asker.manager)),
            ("Your zone", asker.zone),
            ("Reached on", accounts or "nowhere yet"),
        ),
        buttons=(Button(label="Link another account", line="desk link"),),
    )


@command("desk link", params=Link, evidences=("SD SP 2.3",), strangers=True)
def link(asked: Link, desk: Desk) -> Outcome:
    """Join your accounts on two platforms: ask for a code on one, type it on the other within ten minutes.

    The proof comes from both sides: only you see the code, and only you can type it there.
    """
    sender = desk.command.sender
    if asked.code is None:
        code = secrets.token_hex(8)
        desk.records.people.put_code(
            LinkCode(
                code=code, person=desk.asker.key, platform=sender.platform, expires_at=desk.now + _CODE_LIVES
            )
        )
        offered = Change("person.link_offered", desk.asker.key, None, {"platform": sender.platform})
        return Outcome(
            reply=Reply(
                title="Now go to your other account",
                text=(f"Type there, within ten minutes: desk link {code}",),
                tone=Tone.WAITING,
            ),
            changes=[offered],
        )
    found = desk.records.people.take_code(asked.code.lower(), desk.now)
    if found is None:
        raise WrongState(
            "That code is unknown or has expired.", "Type `desk link` on the other account for a new one."
        )
    if found.person == desk.asker.key:
        raise WrongState("That is this same account.", "Type the code on the other one.")
    if desk.asker.key in desk.policy.people:
        raise NotAllowed(
            f"This account belongs to {desk.asker.name}, whom the policy names.",
            "Type `desk link` here, and the code that it gives on the other account.",
        )
    desk.records.people.move_accounts(desk.asker.key, found.person)
    records = desk.records
    records.problems.hand_over(desk.asker.key, found.person)
    records.continuity.hand_over(desk.asker.key, found.person)
    changes = records.changes.hand_over(desk.asker.key, found.person)
    handed_over: list[Request | Incident | Action | ServiceChange] = [
        *records.requests.hand_over(desk.asker.key, found.person),
        *records.incidents.hand_over(desk.asker.key, found.person),
        *records.actions.hand_over(desk.asker.key, found.person),
        *changes,
    ]
    joined = Change(
        "person.linked",
        found.person,
        {"person": desk.asker.key},
        {"person": found.person, "platform": sender.platform},
    )
    return Outcome(
        reply=Reply(
            title="Done: your accounts belong together now.",
            text=("Here too you are ", desk.directory.who_is(found.person), "."),
            tone=Tone.GOOD,
        ),
        changes=[joined, *(_handed_over(each, desk.asker.key) for each in handed_over)],
        follow=[f"change settle {each.ref}" for each in changes],  # two votes may have become one
    )


def _handed_over(ticket: Request | Incident | Action | ServiceChange, before: str) -> Change:
    noun, roles = _THEIRS[type(ticket)]
    state = {"state": ticket.state}
    now = {role: person for role in roles if (person := getattr(ticket, role))}
    return Change(f"{noun}.handed_over", ticket.ref, {"person": before, **state}, {**now, **state})


@command("desk web", params=WebLink)
def web(asked: WebLink, desk: Desk) -> Reply:
    """Get a link that signs you in to the pages: once, within ten minutes, and for nobody else."""
    until = desk.now + _LINK_LIVES
    # The link is not kept anywhere: it says itself for whom it is and until when, under the desk's own seal.
    sender = desk.command.sender.model_dump(mode="json", exclude_defaults=True)
    body = {
        "sender": sender,
        "until": until.isoformat(),
        "once": secrets.token_urlsafe(16),
        "to": asked.about,
    }
    named = urlsafe_b64encode(json.dumps(body, separators=(",", ":")).encode()).decode().rstrip("=")
    address = desk.feed(f"enter/{named}")
    if address is None:
        return Reply(
            title="There are no pages here", text=("They need the desk's own web server.",), tone=Tone.WAITING
        )
    return Reply(
        title=f"Your link to {asked.about or 'the pages'}",
        text=(
            address,
            "\nIt works once, until ",
            Moment(moment=until),
            ". Whoever has it is you: pass it on to nobody.",
        ),
        tone=Tone.WAITING,
    )


@command("privacy erase", params=Erase, role=Role.ADMIN, evidences=erasure.PRACTICES)
def erase(asked: Erase, desk: Desk) -> Outcome:
    """Erase what a person wrote; the ledger still verifies, because it only holds commitments to words."""
    done = erasure.erase(desk.records, erasure.all_keys(desk.records, asked.person), desk.now)
    return Outcome(
        reply=Reply(
            title=f"Erased: {done.words} texts, what stood on {len(done.tickets)} tickets, {done.copies} copies.",
            text=(
                "Cards are drawn anew. What else a chat platform has must be deleted there.",
                " Older backups keep it; from one that is put back it is erased again.",
                " The name in people.yaml is yours to remove.",
            ),
            tone=Tone.GOOD,
        ),
        changes=[Change(erasure.ERASED, asked.person, None, done.after())],
        cards=[Card(subject=ref, room=desk.look(ref).room) for ref in _with_cards(desk, done.tickets)],
    )


def _with_cards(desk: Desk, refs: Iterable[str]) -> Iterator[str]:
    """The tickets on whose cards these stand; an action stands on that of its subject."""
    for ref in refs:
        action = desk.records.actions.get(int(ref[4:])) if ref.startswith("ACT-") else None
        yield action.subject if action else ref
