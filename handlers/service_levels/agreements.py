"""Agreements: what they promise, in which versions, who of the customer accepted them and when they were reviewed.

What was said with a customer is evidence and nothing else: it is read from the ledger, where it cannot be changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from config.policy import Agreement, Role, Target
from handlers import definitions
from handlers.access import who_may
from handlers.declare import Change, Outcome, command
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed
from handlers.messages import Button, Reply, Table, Tone, Words, facts
from handlers.parsing import Day, Line, Manner, Named, Text
from handlers.rules.ledger import Record
from handlers.rules.moments import show_duration
from handlers.service_levels.scope import SEES

YEAR = timedelta(days=365)
"""An agreement is looked at again a year after the last time, where nobody said another day."""

AgreementKey = Annotated[str, Named("agreements", "agreement")]


@dataclass(frozen=True)
class Show:
    """For example: sla agreement standard"""

    agreement: Annotated[AgreementKey | None, "Which one; all of them when left out"] = None


@dataclass(frozen=True)
class Accept:
    """For example: sla accept standard by:“Ms Gray, head of sales” on:2026-11-20"""

    agreement: AgreementKey
    by: Annotated[Line, "Who accepted it for the customer"]
    on: Annotated[Day, "The day on which it was accepted"]


@dataclass(frozen=True)
class Review:
    """For example: sla review standard by:“Ms Gray” on:2026-11-20 next:2027-05-20 found:“P2 may take an hour longer”"""

    agreement: AgreementKey
    by: Annotated[Line, "With whom of the customer"]
    on: Annotated[Day, "The day of the review"]
    found: Annotated[Text, "What was found, and what follows"]
    next: Annotated[Day | None, Manner.BY_NAME, "When it is reviewed again; a year later when left out"] = (
        None
    )


@dataclass(frozen=True)
class Standing:
    """How an agreement stands with its customer: when it was accepted in which version, reviewed, and is due again."""

    accepted: Record | None
    reviewed: Record | None

    @property
    def due_on(self) -> date | None:
        """The day of the next review; None where nobody has accepted or reviewed it yet."""
        if self.reviewed is not None:
            return date.fromisoformat(str((self.reviewed.after or {})["next"]))
        return None if self.accepted is None else _day(self.accepted) + YEAR


def _day(record: Record) -> date:
    return date.fromisoformat(str((record.after or {})["on"]))


def standing_of(desk: Desk, key: str) -> Standing:
    """How an agreement stands, by the evidence."""
    history = desk.records.ledger.trail(f"agreement/{key}")
    last = {record.action: record for record in history}
    return Standing(last.get("sla.agreement_accepted"), last.get("sla.agreement_reviewed"))


# Looking ------------------------------------------------------------------------------------------


@command("sla agreement", params=Show)
def agreement(asked: Show, desk: Desk) -> Reply:
    """See what an agreement promises, its versions, and when its customer accepted and reviewed it."""
    if asked.agreement is None:
        return _all(desk)
    found = desk.policy.agreements[asked.agreement]
    standing = standing_of(desk, found.key)
    in_force, _ = definitions.in_force(desk.policy)["agreement", found.key]
    accepted = (standing.accepted.after or {}).get("version") if standing.accepted else None
    buttons = (
        Button(label="Accepted", line=f"sla accept {found.key}"),
        Button(label="Reviewed", line=f"sla review {found.key}"),
        Button(label="What if it changed?", line=f"sla simulate {found.key}"),
    )
    return Reply(
        title=f"{found.name}, version {in_force}",
        facts=facts(
            ("Customer", found.customer or "everybody here"),
            ("Clocks stop while", ", ".join(each.replace("-", " ") for each in found.pauses_in) or "never"),
            ("Least notice", f"{_length(found.minimum_notice)} after a change"),
            ("Accepted", _accepted(desk, standing.accepted)),
            ("In this version", "no: it was changed since" if accepted and accepted != in_force else None),
            ("Reviewed", _accepted(desk, standing.reviewed)),
            ("Next review", _due(desk, standing)),
        ),
        table=Table(
            columns=("Promise", "Within, by priority", "Counted in", "Goal"),
            rows=tuple(_target(desk, each) for each in found.targets),
        ),
        more=(_versions(desk, found, in_force),),
        buttons=buttons if SEES & desk.asker.roles else (),
    )


def _all(desk: Desk) -> Reply:
    rows: list[tuple[Words, ...]] = []
    for key, each in desk.policy.agreements.items():
        standing = standing_of(desk, key)
        accepted = _day(standing.accepted).isoformat() if standing.accepted else "not yet"
        rows.append(((each.name,), (each.customer or "—",), (accepted,), (_due(desk, standing) or "—",)))
    return Reply(
        title="Agreements",
        table=Table(columns=("Agreement", "Customer", "Accepted", "Next review"), rows=tuple(rows)),
        buttons=tuple(
            Button(label=each.name[:75], line=f"sla agreement {key}")
            for key, each in [*desk.policy.agreements.items()][:5]
        ),
    )


def _target(desk: Desk, target: Target) -> tuple[Words, ...]:
    within = ", ".join(
        f"{priority} {_length(seconds)}" for priority, seconds in sorted(target.within.items())
    )
    calendar = desk.policy.calendars[target.calendar].name
    return (str(target.promise),), (within,), (calendar,), (f"{target.goal:g} %",)


def _versions(desk: Desk, found: Agreement, in_force: str) -> Reply:
    kept = desk.records.definitions.versions("agreement", found.key)
    rows = tuple(
        (
            (version,),
            (desk.at(since) or "",),
            ("in force" if version == in_force else "earlier tickets keep it",),
        )
        for version, since in reversed(kept[-20:])
    )
    return Reply(
        title="Versions",
        table=Table(
            columns=("Version", "First used", "Now"),
            rows=rows,
            empty="No ticket has been opened under it yet.",
        ),
    )


def _accepted(desk: Desk, record: Record | None) -> str | None:
    if record is None:
        return None
    said = desk.records.ledger.words_of([record.seq]).get(record.seq, {})
    return f"{_day(record).isoformat()}, {said.get('by', 'a name that was erased')}"


def _due(desk: Desk, standing: Standing) -> str | None:
    if standing.due_on is None:
        return None
    return standing.due_on.isoformat() + (" (overdue)" if standing.due_on < desk.today else "")


def _length(seconds: int) -> str:
    return show_duration(timedelta(seconds=seconds), days=False)


# Agreeing with customers --------------------------------------------------------------------------


@command("sla accept", params=Accept, evidences=("SD SP 1.2",))
def accept(asked: Accept, desk: Desk) -> Outcome:
    """Put on record that a customer accepted an agreement as it is in force, by whom and on which day."""
    version = _to_record(desk, asked.agreement, asked.on)
    told = {"version": version, "on": asked.on.isoformat()}
    return _recorded(desk, asked.agreement, "accepted", told, {"by": asked.by})


@command("sla review", params=Review, evidences=("SD SP 1.1", "SD SP 1.2"))
def review(asked: Review, desk: Desk) -> Outcome:
    """Put on record that an agreement was reviewed with its customer, what was found, and when it is next."""
    version = _to_record(desk, asked.agreement, asked.on)
    following = asked.next or asked.on + YEAR
    if following <= asked.on:
        raise BadValue("The next review comes after this one.", "Write a later day.", "next")
    told = {"version": version, "on": asked.on.isoformat(), "next": following.isoformat()}
    return _recorded(desk, asked.agreement, "reviewed", told, {"by": asked.by, "found": asked.found})


def _to_record(desk: Desk, key: str, on: date) -> str:
    """The version in force, kept from now on. Raises NotAllowed and BadValue."""
    if not SEES & desk.asker.roles:
        raise NotAllowed(
            "Managers and owners agree with customers.", f"{who_may(Role.MANAGER, desk.policy)} can."
        )
    if on > desk.today:
        raise BadValue("That day has not come yet.", "Write the day on which it was said.", "on")
    return definitions.keep(desk, "agreement", key)


def _recorded(desk: Desk, key: str, what: str, told: dict[str, str], words: dict[str, str]) -> Outcome:
    name = desk.policy.agreements[key].name
    return Outcome(
        reply=Reply(
            title=f"{name} was {what} on {told['on']}.",
            tone=Tone.GOOD,
            facts=facts(("By", words["by"]), ("Version", told["version"]), ("Next review", told.get("next"))),
            buttons=(Button(label="Show it", line=f"sla agreement {key}"),),
        ),
        changes=[Change(f"sla.agreement_{what}", f"agreement/{key}", None, told, words)],
    )
