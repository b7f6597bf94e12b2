"""Looking: one request in full, lists with paging, and how a request stands for its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from config.policy import Role
from handlers.declare import Standing, command, decisions, subject, suggestions
from handlers.desk import Desk
from handlers.listing import PAGE, listing, skipped
from handlers.messages import Option, Reply, Table, Words
from handlers.parsing import Choice, RequestRef, Text, WholeNumber
from handlers.requests.shared import (
    PREFIX,
    card,
    find,
    offering_of,
    own_buttons,
    promise_words,
    room_of,
    seats_of,
)
from handlers.rules.workflow import UNFINISHED, RequestState
from handlers.timeline import timeline
from storage.models.requests import Request

_WHOSE = {
    "mine": "your requests",
    "team": "your team's open requests",
    "open": "open requests",
    "all": "requests",
}


@dataclass(frozen=True)
class Show:
    """For example: request show REQ-7"""

    request: RequestRef


@dataclass(frozen=True)
class List:
    """For example: request list mine"""

    scope: Annotated[str, Choice(("mine", "team", "open", "all")), "Whose requests"] = "mine"
    about: Annotated[Text | None, "Words to look for"] = None
    page: Annotated[int, WholeNumber(1, 10_000)] = 1


@subject(PREFIX)
def look(ref: str, desk: Desk) -> Standing:
    """How a request stands now."""
    request = find(desk, ref)
    return Standing(
        request.ref, request.state, request.version, lambda: card(desk, request), room_of(desk, request)
    )


@suggestions(PREFIX)
def suggest(desk: Desk) -> Sequence[Option]:
    """The open requests that the asker is likely to mean: what they hold or asked for, and their teams' work."""
    records = desk.records.requests
    found: dict[int, Request] = {}
    for part in (
        records.listed(states=UNFINISHED, assignee=desk.asker.key, at_most=25)[0],
        records.listed(requester=desk.asker.key, at_most=25)[0],
        records.listed(states=UNFINISHED, teams=sorted(desk.asker.teams), at_most=25)[0]
        if desk.asker.teams
        else (),
    ):
        found.update({each.number: each for each in part})
    return [Option(label=f"{each.ref} {each.summary}"[:100], value=each.ref) for each in found.values()]


@decisions(PREFIX)
def waiting_for(desk: Desk) -> Sequence[str]:
    """The requests that wait for the asker's approval, the oldest first."""
    found, _ = desk.records.requests.listed(states=(RequestState.AWAITING_APPROVAL,), at_most=1000)
    return [
        each.ref
        for each in reversed(found)
        if desk.asker.key in {seat.person for seat in seats_of(desk, each)}
    ]


@command("request show", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See a request in full: how it stands, what was promised, what happened."""
    request = find(desk, asked.request)
    tasks = desk.records.requests.tasks(request.number)
    drawn = card(desk, request, tasks)
    questions = {each.key: each.label for each in offering_of(desk, request).fields}
    answers = tuple((questions.get(key, key), (str(text),)) for key, text in request.answers.items())
    asked_for = Reply(
        title="What was asked for",
        table=Table(columns=("Question", "Answer"), rows=tuple(((label,), text) for label, text in answers)),
    )
    source = (f"From the message {request.source}",) if request.source else ()
    return drawn.model_copy(
        update={
            "text": source,
            "buttons": own_buttons(desk, request, tasks),
            "private": True,
            "more": (*((asked_for,) if answers else ()), timeline(desk, request.ref, _SAID)),
        }
    )


_SAID = ("comment", "because", "how")


@command("request list", params=List)
def list_requests(asked: List, desk: Desk) -> Reply:
    """See requests: yours, your team's, all that are open, or everything you may see."""
    asker = desk.asker
    wide = bool({Role.AGENT, Role.MANAGER, Role.OWNER} & asker.roles)
    requester = asker.key if asked.scope == "mine" or (not wide and not asker.teams) else None
    teams = sorted(asker.teams) if asked.scope == "team" or (requester is None and not wide) else None
    found, total = desk.records.requests.listed(
        states=() if asked.scope in ("all", "mine") else UNFINISHED,
        requester=requester,
        teams=teams,
        text=asked.about,
        skip=skipped(asked.page),
        at_most=PAGE,
    )
    return listing(
        asked,
        "request list",
        _WHOSE[asked.scope],
        ("Request", "What", "State", "Held by", "Promised"),
        tuple(_row(desk, each) for each in found),
        total,
        "No such requests. Type `request new` to ask for something.",
    )


def _row(desk: Desk, request: Request) -> tuple[Words, ...]:
    clocks = [row for row in desk.records.clocks.of(request.ref) if row.open and row.due_at is not None]
    soonest = min(clocks, key=lambda row: row.due_at or desk.now, default=None)
    return (
        (request.ref,),
        (request.summary,),
        (RequestState(request.state).shown,),
        (desk.directory.who_is(request.assignee),) if request.assignee else ("nobody yet",),
        promise_words(desk, soonest) if soonest else ("—",),
    )
