"""The digest: on its schedule, managers are told how things stand, and say that they have seen it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated

from config.policy import Digest, Promise, Role
from handlers.access import people_in, who_may
from handlers.declare import Change, Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound, WrongState
from handlers.messages import Button, Fact, Notice, Reply, Style, Table, Tone, ToPerson, Words, counted, facts
from handlers.parsing import Named, Word, quoted
from handlers.rules.digests import next_digest
from handlers.rules.forecast import calibrate
from handlers.rules.moments import instant_at
from handlers.service_levels.agreements import standing_of
from handlers.service_levels.clocks import day_of, read_clocks
from handlers.service_levels.forecasting import accuracy, likely_breaches, looked_at, past_of
from handlers.service_levels.scope import SEES, period_of, scope_of
from handlers.service_levels.status import attainments, clocks_now, read_figures, trend
from storage.models.service_levels import ClockRow

_AHEAD = timedelta(days=7)
_LIKELY = 5
_OVERDUE = 10

DigestKey = Annotated[str, Named("digests", "digest")]


@dataclass(frozen=True)
class Show:
    """For example: sla digest week"""

    digest: Annotated[DigestKey, "Which one, as digests.yaml calls it"]


@dataclass(frozen=True)
class Plan:
    """For example: sla plan"""


@dataclass(frozen=True)
class Send:
    """For example: sla send week"""

    digest: Word


@dataclass(frozen=True)
class Seen:
    """For example: sla seen week 2026-11-23"""

    digest: Annotated[DigestKey, "Which one, as digests.yaml calls it"]
    day: Annotated[Word, "The day on which it was posted"]


@command("sla plan", params=Plan, evidences=("WMC SP 1.6",), desk_only=True, tends=True)
def plan(asked: Plan, desk: Desk) -> Outcome:
    """Set the next moment of every digest. One whose moment is past stays, to be posted late."""
    due = []
    for each in desk.policy.digests.values():
        standing = desk.records.dues.at(f"digest/{each.key}")
        if standing is None or standing > desk.now:
            due.append(_due(each, desk))
    return Outcome(reply=Reply(title=f"{counted(len(due), 'digest')} planned"), due=due)


def _due(digest: Digest, desk: Desk) -> Due:
    moment = next_digest(digest, desk.now)
    return Due(f"digest/{digest.key}", f"digest/{digest.key}", moment, f"sla send {digest.key}")


@command("sla send", params=Send, evidences=("MA SP 2.4", "WMC SP 1.6"), desk_only=True)
def send(asked: Send, desk: Desk) -> Outcome:
    """Post a digest to those who get it, and set its next moment; late means once, as things stand by then."""
    digest = desk.policy.digests.get(asked.digest)
    if digest is None:
        return Outcome(reply=Reply(title=f"There is no digest {asked.digest} any more."))
    people = [each for each in people_in(digest.to, desk.policy) if each in desk.policy.people]
    reply, day = drawn(desk, digest), day_of(desk, desk.now)
    return Outcome(
        reply=Reply(title=f"{digest.name}: posted to {counted(len(people), 'person')}"),
        changes=[Change("sla.digest_posted", f"digest/{digest.key}", None, {"day": day, "to": people})],
        notices=[
            Notice(
                to=ToPerson(person=person),
                reply=reply,
                key=f"digest/{digest.key}/{desk.now.isoformat()}/{person}",
            )
            for person in people
        ],
        due=[_due(digest, desk)],
    )


@command("sla digest", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See a digest as it would be posted now."""
    _require(desk)
    return drawn(desk, desk.policy.digests[asked.digest])


@command("sla seen", params=Seen, evidences=("GP 2.10", "WMC SP 1.6"))
def seen(asked: Seen, desk: Desk) -> Outcome:
    """Put on record that you have seen a digest: higher management reviews how the work stands."""
    _require(desk)
    history = desk.records.ledger.trail(f"digest/{asked.digest}")
    posted = [
        each
        for each in history
        if each.action == "sla.digest_posted" and (each.after or {})["day"] == asked.day
    ]
    if not posted:
        raise NotFound(
            f"No digest of that name was posted on {asked.day[:20]}.", "Use the button below the digest."
        )
    mine = [each for each in history if each.action == "sla.digest_seen" and each.actor == desk.asker.key]
    if any((each.after or {})["day"] == asked.day for each in mine):
        raise WrongState("You have seen this digest already.", "It is on record.")
    return Outcome(
        reply=Reply(title="Thank you: it is on record that you have seen this digest.", tone=Tone.GOOD),
        changes=[
            Change(
                "sla.digest_seen",
                f"digest/{asked.digest}",
                None,
                {"day": asked.day, "posted": posted[-1].seq},
            )
        ],
    )


def _require(desk: Desk) -> None:
    if not SEES & desk.asker.roles:
        raise NotAllowed(
            "Digests are for managers and owners.", f"{who_may(Role.MANAGER, desk.policy)} can tell you."
        )


# What it says -------------------------------------------------------------------------------------


def drawn(desk: Desk, digest: Digest) -> Reply:
    """A digest as things stand now: promises, what will likely break, what is overdue, whether messages arrive."""
    scope, span = scope_of(desk, digest.of), period_of(desk, digest.within)
    before = span.before()
    figures = read_figures(desk, scope, span)
    first = span.first.isoformat()
    _, broken = desk.records.clocks.broken(span.since, span.until, desk.now, scope.whose, at_most=1)
    table = attainments(desk, [e for e in figures if e.day >= first], [e for e in figures if e.day < first])
    sections = (_forecast(desk, digest), _overdue(desk), _delivery(desk))
    line = f"sla status{scope.given} within:{quoted(digest.within)}"
    return Reply(
        title=f"{digest.name}: promises for {scope.name}, {span.name}",
        facts=facts(("Broken", str(broken)), ("Clocks now", clocks_now(desk, scope))),
        table=table,
        chart=trend(figures, before, span),
        more=tuple(each for each in sections if each is not None),
        buttons=(
            Button(label="Seen", line=f"sla seen {digest.key} {day_of(desk, desk.now)}", style=Style.PRIMARY),
            Button(label="More", line=line),
            Button(label="Breaches", line=line.replace("status", "breaches", 1)),
        ),
    )


def _forecast(desk: Desk, digest: Digest) -> Reply | None:
    scope, until = scope_of(desk, digest.of), desk.now + _AHEAD
    open_, _ = looked_at(desk, scope, until)
    past = past_of(desk, open_)
    likely = [
        each for each in likely_breaches(desk, open_, past) if each.chance and each.chance.chance >= 0.5
    ]
    if not likely:
        return None
    rows: tuple[tuple[Words, ...], ...] = tuple(
        (
            (each.row.subject,),
            (each.row.promise,),
            (desk.at(each.row.due_at, relative=True) or "",),
            (f"{each.chance.chance:.0%}" if each.chance else "",),
        )
        for each in likely[:_LIKELY]
    )
    return Reply(
        title=f"{counted(len(likely), 'promise')} will likely be broken within a week",
        facts=facts(("Accuracy so far", accuracy(calibrate(past)))),
        table=Table(columns=("Ticket", "Promise", "Due", "Chance of a breach"), rows=rows),
    )


def _overdue(desk: Desk) -> Reply:
    late = desk.records.clocks.overdue([Promise.REVIEW, Promise.DRILL], desk.now)
    owed: list[tuple[datetime, ClockRow | str]] = [
        (row.due_at, row) for row in late if row.due_at is not None
    ]
    found = sorted([*owed, *_agreements(desk)], key=_since)
    rows = tuple(_row(desk, since, what) for since, what in found[:_OVERDUE])
    return Reply(
        title=f"{counted(len(found), 'thing')} overdue",
        table=Table(
            columns=("Since", "What", "Whose"),
            rows=rows,
            empty="No review, no drill and no emergency is owed.",
        ),
        text=(f"The first {_OVERDUE} of {len(found)}.",) if len(found) > _OVERDUE else (),
    )


def _since(each: tuple[datetime, ClockRow | str]) -> datetime:
    return each[0]


def _row(desk: Desk, since: datetime, what: ClockRow | str) -> tuple[Words, ...]:
    """Since when something is overdue, what it is, and who owes it by the evidence of its own ticket."""
    day = (day_of(desk, since),)
    if isinstance(what, str):
        return day, (what,), ("—",)
    ticket = read_clocks(desk, what.subject)
    named = (ticket.text(name) for name in (*ticket.course.who_owes(Promise(what.kind)), ticket.course.asker))
    whose = next(filter(None, named), None)
    of = what.subject if ticket.noun == what.kind else f"of {what.subject}"
    service = desk.policy.services.get(what.service)
    about = f", {service.name}" if service else ""
    return day, (f"{what.kind} {of}{about}",), (desk.who(whose) or whose or "—",)


def _agreements(desk: Desk) -> Iterator[tuple[datetime, str]]:
    """Agreements that should have been looked at with their customers, since when."""
    for key, agreement in desk.policy.agreements.items():
        due = standing_of(desk, key).due_on
        if due is not None and due < desk.today:
            since = instant_at(due, time(), desk.policy.organisation.zone)
            yield since, f"review of {agreement.name} with its customer"


def _delivery(desk: Desk) -> Reply:
    """Whether messages arrive: what still waits, what is tried again, what was given up."""
    counts = desk.records.outbox.counts()
    given_up = counts.get("given up", 0)
    told: Sequence[Fact] = facts(
        *(
            (state.capitalize(), str(counts[state]))
            for state in ("sent", "pending", "retry", "given up")
            if state in counts
        )
    )
    return Reply(
        title="Every message arrives"
        if not given_up
        else f"{counted(given_up, 'message')} could not be delivered",
        tone=Tone.BAD if given_up else Tone.PLAIN,
        facts=tuple(told),
    )
