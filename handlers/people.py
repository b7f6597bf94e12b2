"""People: who the desk takes you for, and how two accounts become one person."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from config.policy import Role
from handlers.declare import Change, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, WrongState
from handlers.messages import Button, Card, Reply, Tone, facts
from handlers.parsing import PersonRef, Word
from storage.models.people import LinkCode
from storage.models.requests import Request

_CODE_LIVES = timedelta(minutes=10)


@dataclass(frozen=True)
class WhoAmI:
    """For example: desk whoami"""


@dataclass(frozen=True)
class Link:
    """For example: desk link"""

    code: Annotated[Word | None, "The code that the desk gave you on the other platform"] = None


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
    handed_over = desk.records.requests.hand_over(desk.asker.key, found.person)
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
    )


def _handed_over(request: Request, before: str) -> Change:
    state = {"state": request.state}
    now = {"requester": request.requester} | ({"assignee": request.assignee} if request.assignee else {})
    return Change("request.handed_over", request.ref, {"person": before, **state}, {**now, **state})


@command("privacy erase", params=Erase, role=Role.ADMIN, evidences=("WMC SP 1.4",))
def erase(asked: Erase, desk: Desk) -> Outcome:
    """Erase what a person wrote; the ledger still verifies, because it only holds commitments to words."""
    people = _all_keys(desk, asked.person)
    copies = desk.records.copies.erase(people, desk.records.copies.tickets_of(people), desk.now)
    words = sum(desk.records.ledger.erase(key) for key in people)
    requests = [f"REQ-{number}" for key in people for number in desk.records.requests.erase_words(key)]
    for key in people:
        desk.records.people.forget(key)
    erased = Change(
        "person.erased", asked.person, None, {"words": words, "requests": len(requests), "copies": copies}
    )
    return Outcome(
        reply=Reply(
            title=f"Erased: {words} texts, the answers of {len(requests)} requests, {copies} copies.",
            text=(
                "Cards are drawn anew. What else a chat platform has must be deleted there, and older backups too.",
                " The name in people.yaml is yours to remove.",
            ),
            tone=Tone.GOOD,
        ),
        changes=[erased],
        cards=[Card(subject=ref, room=desk.look(ref).room) for ref in requests],
    )


def _all_keys(desk: Desk, person: str) -> list[str]:
    """A person's key and those under which the desk knew them before their accounts were joined."""
    keys = [person]
    for key in keys:
        keys += [
            str(record.before["person"])
            for record in desk.records.ledger.trail(key)
            if record.action == "person.linked" and record.before
        ]
    return keys
