"""What every part of the request capability needs: finding one, who may work on it, telling people, the card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from config.policy import Offering, Promise, Role, Stage
from handlers import definitions
from handlers.access import Person, is_away, people_in
from handlers.declare import Change, Due, Outcome
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound
from handlers.messages import (
    Button,
    Card,
    Fact,
    Notice,
    Part,
    Reply,
    Style,
    Tone,
    Words,
    facts,
)
from handlers.rules.approval import Seat, seats, stage_at
from handlers.rules.promises import moves_clocks
from handlers.rules.workflow import FINAL, UNFINISHED, WORKABLE, RequestState, require_move
from handlers.telling import wording
from handlers.tickets import happened, number_of
from storage.models.requests import Request, RequestTask

PREFIX = "REQ"

change = partial(happened, "request")
"""Something that happened to a request."""


def find(desk: Desk, ref: str, *, for_change: bool = False) -> Request:
    """A request that the asker may see; raises NotFound or NotAllowed."""
    request = desk.records.requests.get(number_of(ref), for_change)
    if request is None:
        raise NotFound(f"There is no {ref}.", "Type `request list` to see yours.")
    if not may_see(desk, request):
        raise NotAllowed(f"{ref} is between its requester and {team_name(desk, request)}.", "Ask them.")
    return request


def may_see(desk: Desk, request: Request) -> bool:
    """The requester, those who work on it, those who decide on it, and managers."""
    asker = desk.asker
    return (
        asker.key == request.requester
        or is_worker(asker, request)
        or bool({Role.MANAGER, Role.OWNER, Role.ADMIN} & asker.roles)
        or asker.key in {seat.person for seat in seats_of(desk, request)}
        or any(vote.person == asker.key for vote in desk.records.requests.votes(request.number))
    )


def is_worker(person: Person, request: Request) -> bool:
    """Whether somebody works on this request: its team, or any agent."""
    return request.team in person.teams or Role.AGENT in person.roles


def work_on(desk: Desk, ref: str, move: str) -> Request:
    """A request the asker may work on and that is open to the move; locked until the command ends."""
    request = find(desk, ref, for_change=True)
    if not is_worker(desk.asker, request):
        raise NotAllowed(f"You cannot {move} {ref}.", f"{team_name(desk, request)} can; ask them.")
    require_move(ref, request.state, move)
    return request


def own(desk: Desk, ref: str, move: str, *, or_worker: bool = False) -> Request:
    """A request of the asker's own that is open to the move; locked until the command ends."""
    request = find(desk, ref, for_change=True)
    if request.requester != desk.asker.key and not (or_worker and is_worker(desk.asker, request)):
        raise NotAllowed(
            f"You cannot {move} {ref}.", f"{desk.directory.name(request.requester)}, who asked for it, can."
        )
    require_move(ref, request.state, move)
    return request


def team_name(desk: Desk, request: Request) -> str:
    """The name of the team that fulfils it."""
    team = desk.policy.teams.get(request.team)
    return team.name if team else request.team


def room_of(desk: Desk, request: Request) -> str:
    """The room where its team works."""
    team = desk.policy.teams.get(request.team)
    return team.room if team else desk.policy.organisation.requests_room


def offering_of(desk: Desk, request: Request) -> Offering:
    """The offering as it was when this was asked for."""
    return definitions.offering(desk, request.offering, request.offering_version)


def current_stage(desk: Desk, request: Request) -> Stage | None:
    """The stage of approval it waits in, or None."""
    if request.state != RequestState.AWAITING_APPROVAL:
        return None
    return stage_at(offering_of(desk, request).approval, request.stage)


def seats_of(desk: Desk, request: Request) -> tuple[Seat, ...]:
    """Who may decide the stage it waits in, as things are today."""
    stage = current_stage(desk, request)
    if stage is None:
        return ()
    manager = desk.directory.person(request.requester).manager
    named = [manager if name == "manager" else name for name in stage.of]
    service = desk.policy.services.get(request.service)
    people = desk.policy.people
    return seats(
        people_in([name for name in named if name], desk.policy),
        request.requester,
        service.owner if service else "",
        lambda person: people[person].delegate if person in people else None,
        lambda person: is_away(person, desk.policy, desk.today),
        request.at_owner,
    )


def asked_still(desk: Desk, request: Request) -> list[Seat]:
    """Those of the stage it waits in who have not said anything yet."""
    seated = seats_of(desk, request)
    votes = desk.records.requests.votes(request.number) if seated else ()
    said = {vote.person for vote in votes if vote.stage == request.stage}
    return [seat for seat in seated if seat.person not in said]


def done(
    desk: Desk,
    request: Request,
    title: str,
    changes: Sequence[Change],
    *,
    text: Iterable[Part] | str = (),
    notices: Sequence[Notice] = (),
    due: Sequence[Due] = (),
    undue: Sequence[str] = (),
    follow: Sequence[str] = (),
    redraw: bool = True,
) -> Outcome:
    """The outcome of a move: saved, its card redrawn everywhere, its clocks read again."""
    desk.records.requests.save()

    def reply() -> Reply:
        tasks = desk.records.requests.tasks(request.number)
        said = {"title": title, "text": wording(text), "tone": Tone.GOOD, "private": True}
        mine = own_buttons(desk, request, tasks)
        return card(desk, request, tasks).model_copy(update={**said, "buttons": mine})

    return Outcome(
        reply=reply,
        changes=changes,
        notices=notices,
        cards=(Card(subject=request.ref, room=room_of(desk, request)),) if redraw else (),
        due=due,
        undue=undue,
        follow=(*_clocks_to_read(desk, request, changes), *follow),
    )


def _clocks_to_read(desk: Desk, request: Request, changes: Sequence[Change]) -> tuple[str, ...]:
    rows = desk.records.clocks.of(request.ref)
    unanswered = any(row.open and row.promise == Promise.RESPOND for row in rows)
    moved = any(moves_clocks(each.action, each.before, each.after, unanswered) for each in changes)
    return (f"sla refresh {request.ref}",) if moved else ()


def card(desk: Desk, request: Request, tasks: Sequence[RequestTask] | None = None) -> Reply:
    """A request as its team sees it: how it stands, what was promised, what can be done next."""
    tasks = desk.records.requests.tasks(request.number) if tasks is None else tasks
    return Reply(
        title=f"{request.ref} · {request.summary}",
        tone=_tone(request),
        facts=_facts(desk, request, tasks),
        # Those who decide are asked in private; in the team's room nobody could press these.
        buttons=tuple(each for each in buttons(desk, request, tasks) if not each.line.startswith(_DECISIONS)),
        subject=request.ref,
        version=request.version,
        as_of=desk.now,
        private=False,
    )


def _tone(request: Request) -> Tone:
    state = RequestState(request.state)
    if state in (RequestState.FULFILLED, RequestState.CLOSED):
        return Tone.GOOD
    return Tone.PLAIN if state in WORKABLE[:2] or state in FINAL else Tone.WAITING


def _facts(desk: Desk, request: Request, tasks: Sequence[RequestTask]) -> tuple[Fact, ...]:
    clocks = [
        (_promise_label(row.promise), promise_words(desk, row)) for row in desk.records.clocks.of(request.ref)
    ]
    waiting = [desk.who(seat.person) for seat in asked_still(desk, request)]
    return facts(
        ("State", RequestState(request.state).shown),
        ("Priority", request.priority),
        ("Asked for by", desk.who(request.requester)),
        ("Held by", desk.who(request.assignee) or ("nobody yet" if request.state in UNFINISHED else None)),
        ("Waits for", _listed(waiting)),
        *clocks,
        ("Tasks", ", ".join(f"✓ {task.title}" if task.done_at else task.title for task in tasks)),
    )


def _listed(people: Sequence[Part | None]) -> Words:
    parts: list[Part] = []
    for person in people:
        if person is not None:
            parts.extend([", "] if parts else [])
            parts.append(person)
    return tuple(parts)


def _promise_label(promise: str) -> str:
    return {"respond": "Answer by", "resolve": "Done by", "approve": "Decision by"}.get(
        promise, promise.replace("fulfil-step", "Step").replace("-", " ").capitalize() + " by"
    )


def promise_words(desk: Desk, row: Any) -> Words:
    """How one promise stands: its moment, and its state unless it simply runs."""
    state = row.state_at(desk.now)
    if row.due_at is None:
        return (state,)
    moment = desk.at(row.due_at, relative=state in ("running", "due soon"))
    return (moment or "",) if state == "running" else (moment or "", f" ({state})")


_OWN = ("request comment", "request confirm", "request reopen", "request cancel", "sla why")
_DECISIONS = ("request approve", "request reject")
_DECIDING = (*_DECISIONS, "sla why")


def own_buttons(desk: Desk, request: Request, tasks: Sequence[RequestTask]) -> tuple[Button, ...]:
    """The buttons that make sense to the asker: those of the card for who works on it, else what is theirs to do."""
    drawn = tuple(buttons(desk, request, tasks))
    asked = desk.asker.key in {seat.person for seat in asked_still(desk, request)}
    if is_worker(desk.asker, request):
        return drawn if asked else tuple(each for each in drawn if not each.line.startswith(_DECISIONS))
    mine = (_OWN if request.requester == desk.asker.key else ()) + (_DECIDING if asked else ())
    shown = tuple(each for each in drawn if each.line.startswith(mine))
    if request.requester == desk.asker.key and request.state in UNFINISHED:
        cancel = Button(
            label="Cancel", line=f"request cancel {request.ref}", confirm="Take this request back?"
        )
        return (*shown, cancel)
    return shown


def buttons(desk: Desk, request: Request, tasks: Sequence[RequestTask]) -> Iterable[Button]:
    """What can be done next; each is a line that could have been typed."""
    ref, state = request.ref, RequestState(request.state)
    if state is RequestState.AWAITING_APPROVAL:
        yield Button(label="Approve", line=f"request approve {ref}", style=Style.PRIMARY)
        yield Button(label="Reject", line=f"request reject {ref}", style=Style.DANGER)
    if state in WORKABLE:
        yield from _working(request, tasks)
    if state is RequestState.FULFILLED:
        yield Button(label="Confirm", line=f"request confirm {ref}", style=Style.PRIMARY)
    if state in (RequestState.FULFILLED, RequestState.CLOSED):
        yield Button(label="Reopen", line=f"request reopen {ref}")
    if state in UNFINISHED or state is RequestState.FULFILLED:
        yield Button(label="Comment", line=f"request comment {ref}")
    yield Button(label="Why these times?", line=f"sla why {ref}")


def _working(request: Request, tasks: Sequence[RequestTask]) -> Iterable[Button]:
    ref, state = request.ref, RequestState(request.state)
    if request.assignee is None:
        yield Button(label="Take", line=f"request take {ref}", style=Style.PRIMARY)
    for task in tasks:
        if task.done_at is None:
            yield Button(label=f"Done: {task.title}"[:75], line=f"request done {ref} {task.key}")
    if request.assignee is not None and all(task.done_at for task in tasks):
        yield Button(label="Fulfil", line=f"request fulfil {ref}", style=Style.PRIMARY)
    if state in (RequestState.WAITING_ON_REQUESTER, RequestState.WAITING_ON_SUPPLIER):
        yield Button(label="Resume", line=f"request resume {ref}")
    else:
        yield Button(label="Wait", line=f"request wait {ref}")
