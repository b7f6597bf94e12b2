"""Looking: one incident in full with its timeline, lists with paging, and how an incident stands for its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from handlers.declare import Standing, command, subject, suggestions
from handlers.desk import Desk
from handlers.incidents.card import card, own_buttons, own_facts, promise_words
from handlers.incidents.shared import PREFIX, find, is_worker, rules_of
from handlers.listing import PAGE, listing, skipped
from handlers.messages import Option, Reply, Table, Tone, Words
from handlers.parsing import Choice, IncidentRef, Text, WholeNumber
from handlers.rules.workflow import LIVE, IncidentState
from handlers.timeline import timeline
from storage.models.incidents import Incident

_WHOSE = {
    "open": "open incidents",
    "mine": "incidents that are yours",
    "team": "your team's open incidents",
    "all": "incidents",
}
_SAID = ("because", "update", "workaround", "how", "cause", "lessons", "note", "detail")


@dataclass(frozen=True)
class Show:
    """For example: incident show INC-7"""

    incident: IncidentRef


@dataclass(frozen=True)
class List:
    """For example: incident list open mail"""

    scope: Annotated[str, Choice(("open", "mine", "team", "all")), "Which incidents"] = "open"
    about: Annotated[Text | None, "Words to look for"] = None
    page: Annotated[int, WholeNumber(1, 10_000)] = 1


@subject(PREFIX)
def look(ref: str, desk: Desk) -> Standing:
    """How an incident stands now."""
    incident = find(desk, ref)
    return Standing(
        incident.ref, incident.state, incident.version, lambda: card(desk, incident), incident.room
    )


@suggestions(PREFIX)
def suggest(desk: Desk) -> Sequence[Option]:
    """The incidents that the asker is likely to mean: their own, then whatever is open."""
    mine, _ = desk.records.incidents.listed(person=desk.asker.key, at_most=15)
    live, _ = desk.records.incidents.listed(states=LIVE, at_most=25)
    found = {each.number: each for each in (*mine, *live)}
    return [Option(label=f"{each.ref} {each.title}"[:100], value=each.ref) for each in found.values()]


@command("incident show", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See an incident in full: how it stands, what was promised, what happened."""
    incident = find(desk, asked.incident)
    said = [f"{incident.detail}\n"] if incident.detail else []
    source = [f"From the message {incident.source}"] if incident.source else []
    drawn, works = card(desk, incident), is_worker(desk, desk.asker, incident)
    return drawn.model_copy(
        update={
            "text": (*said, *source),
            "facts": own_facts(drawn, works),
            "buttons": own_buttons(desk, incident, drawn.buttons, works),
            "private": True,
            "tone": Tone.PLAIN,  # the bad tone is for what went wrong with what one asked
            "more": (timeline(desk, incident.ref, _SAID), *_actions(desk, incident)),
        }
    )


def _actions(desk: Desk, incident: Incident) -> tuple[Reply, ...]:
    """What is to be done about it, by whom, by when."""
    rows = tuple(
        ((each.ref,), (each.what,), (desk.directory.who_is(each.owner),), (each.due,), (each.state,))
        for each in desk.records.actions.of(incident.ref)
    )
    if not rows:
        return ()
    return (
        Reply(title="Actions", table=Table(columns=("Action", "What", "Owner", "By", "State"), rows=rows)),
    )


@command("incident list", params=List)
def list_incidents(asked: List, desk: Desk) -> Reply:
    """See incidents: those that are open, yours, your team's, or all."""
    rules_of(desk)
    found, total = desk.records.incidents.listed(
        states=LIVE if asked.scope in ("open", "team") else (),
        person=desk.asker.key if asked.scope == "mine" else None,
        teams=sorted(desk.asker.teams) if asked.scope == "team" else None,
        text=asked.about,
        skip=skipped(asked.page),
        at_most=PAGE,
    )
    return listing(
        asked,
        "incident list",
        _WHOSE[asked.scope],
        ("Incident", "What", "Severity", "State", "Held by", "Promised"),
        tuple(_row(desk, each) for each in found),
        total,
        "No such incidents. Is something broken? Type `incident declare`.",
    )


def _row(desk: Desk, incident: Incident) -> tuple[Words, ...]:
    clocks = [row for row in desk.records.clocks.of(incident.ref) if row.open and row.due_at is not None]
    soonest = min(clocks, key=lambda row: row.due_at or desk.now, default=None)
    promised: Words = (f"{soonest.promise} ", *promise_words(desk, soonest)) if soonest else ("—",)
    held: Words = (desk.directory.who_is(incident.assignee),) if incident.assignee else ("nobody yet",)
    state = IncidentState(incident.state).shown
    title = f"PRACTICE · {incident.title}" if incident.practice else incident.title
    return ((incident.ref,), (title,), (incident.severity,), (state,), held, promised)
