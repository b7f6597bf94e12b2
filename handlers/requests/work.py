"""Doing: taking a request, waiting, ticking tasks, fulfilling, and the requester's last word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, WrongState
from handlers.messages import Button, Reply, Style
from handlers.parsing import Choice, PersonRef, PriorityWord, RequestRef, Text, WholeNumber, Word
from handlers.requests.shared import (
    change,
    done,
    find,
    is_worker,
    offering_of,
    own,
    room_of,
    team_name,
    work_on,
)
from handlers.rules.workflow import RequestState, require_move
from handlers.telling import below, tell
from handlers.tickets import move, number_of
from storage.models.requests import Request


@dataclass(frozen=True)
class Take:
    """For example: request take REQ-7"""

    request: RequestRef


@dataclass(frozen=True)
class Assign:
    """For example: request assign REQ-7 @agent"""

    request: RequestRef
    person: Annotated[PersonRef, "Who holds it from now on"]


@dataclass(frozen=True)
class Prioritise:
    """For example: request priority REQ-7 P1 the board meets today"""

    request: RequestRef
    priority: PriorityWord
    because: Annotated[Text, "Why; the requester reads this"]


@dataclass(frozen=True)
class Comment:
    """For example: request comment REQ-7 the box has arrived"""

    request: RequestRef
    text: Annotated[Text, "What to say"]


@dataclass(frozen=True)
class Wait:
    """For example: request wait REQ-7 requester which size do you need?"""

    request: RequestRef
    on: Annotated[str, Choice(("requester", "supplier")), "Whom you wait for"]
    because: Annotated[Text, "What is needed; the requester reads this"]


@dataclass(frozen=True)
class Resume:
    """For example: request resume REQ-7"""

    request: RequestRef


@dataclass(frozen=True)
class Tick:
    """For example: request done REQ-7 order"""

    request: RequestRef
    task: Annotated[Word, "The task's key, as the request shows it"]


@dataclass(frozen=True)
class Fulfil:
    """For example: request fulfil REQ-7 it lies at the front desk"""

    request: RequestRef
    how: Annotated[Text | None, "What the requester should know"] = None


@dataclass(frozen=True)
class Confirm:
    """For example: request confirm REQ-7"""

    request: RequestRef


@dataclass(frozen=True)
class Reopen:
    """For example: request reopen REQ-7 it does not start"""

    request: RequestRef
    because: Annotated[Text, "What is not right yet"]


@dataclass(frozen=True)
class Cancel:
    """For example: request cancel REQ-7 no longer needed"""

    request: RequestRef
    because: Annotated[Text | None, "If you want to say why"] = None


@dataclass(frozen=True)
class Rate:
    """For example: request rate REQ-7 5 quick and friendly"""

    request: RequestRef
    stars: Annotated[int, WholeNumber(1, 5), "From 1 (poor) to 5 (very good)"]
    because: Annotated[Text | None, "If you want to say more"] = None


@dataclass(frozen=True)
class Autoclose:
    """For example: request autoclose REQ-7"""

    request: RequestRef


@command("request take", params=Take, evidences=("SD SP 3.1",))
def take(asked: Take, desk: Desk) -> Outcome:
    """Hold a request yourself; the requester is told."""
    request = work_on(desk, asked.request, "take")
    if request.assignee == desk.asker.key:
        raise WrongState(f"You hold {request.ref} already.", subject=request.ref)
    if request.assignee is not None:
        raise WrongState(
            f"{desk.directory.name(request.assignee)} holds {request.ref}.",
            f"To move it, type: request assign {request.ref} me",
            subject=request.ref,
        )
    return _hold(desk, request, desk.asker.key, "taken", f"{request.ref} is yours")


@command("request assign", params=Assign, evidences=("SD SP 3.1",))
def assign(asked: Assign, desk: Desk) -> Outcome:
    """Give a request to somebody who works on such requests."""
    request = work_on(desk, asked.request, "assign")
    if not is_worker(desk.directory.person(asked.person), request):
        name = desk.directory.name(asked.person)
        raise NotAllowed(
            f"{name} does not work on {request.ref}.", f"Choose someone from {team_name(desk, request)}."
        )
    if request.assignee == asked.person:
        name = desk.directory.name(asked.person)
        raise WrongState(f"{name} holds {request.ref} already.", subject=request.ref)
    name = desk.directory.name(asked.person)
    return _hold(desk, request, asked.person, "assigned", f"{name} holds {request.ref} now")


def _hold(desk: Desk, request: Request, person: str, action: str, title: str) -> Outcome:
    before = {**move(request, desk), "assignee": request.assignee}
    request.assignee = person
    if request.state == RequestState.OPEN:
        request.state = RequestState.IN_PROGRESS
    held = change(request, action, before, {"assignee": person})
    name = desk.directory.name(person)
    notices = [
        *(tell(desk, request, [request.requester], f"{name} has {request.ref} now", text=request.summary)),
        *(tell(desk, request, [request.assignee], f"{request.ref} is yours now: {request.summary}")),
    ]
    return done(desk, request, title, [held], notices=notices)


@command("request priority", params=Prioritise, evidences=("SD SP 3.1",))
def prioritise(asked: Prioritise, desk: Desk) -> Outcome:
    """Change how soon it is needed; the promises are made anew from the original start."""
    request = work_on(desk, asked.request, "prioritise")
    if request.priority == asked.priority:
        raise WrongState(f"{request.ref} is {asked.priority} already.", subject=request.ref)
    before = {**move(request, desk), "priority": request.priority}
    request.priority = asked.priority
    raised = change(request, "prioritised", before, {"priority": asked.priority}, {"because": asked.because})
    title = f"{request.ref} is {asked.priority} now (was {before['priority']})"
    notices = tell(desk, request, [request.requester], title, text=asked.because)
    return done(desk, request, title, [raised], notices=notices)


@command("request comment", params=Comment, evidences=("SD SP 3.1",))
def comment(asked: Comment, desk: Desk) -> Outcome:
    """Say something about a request; the other side hears it. An answer ends a wait for the requester."""
    request = find(desk, asked.request, for_change=True)
    require_move(request.ref, request.state, "comment on")
    answers = request.requester == desk.asker.key and request.state == RequestState.WAITING_ON_REQUESTER
    before = move(request, desk, _after_waiting(request) if answers else None)
    said = change(request, "answered" if answers else "commented", before, None, {"comment": asked.text})
    title = f"{desk.asker.name} on {request.ref}"
    notices = [
        *tell(desk, request, [request.requester], title, text=asked.text, buttons=(_reply_button(request),)),
        *tell(desk, request, [request.assignee], title, text=asked.text),
        below(request, room_of(desk, request), title, text=asked.text),
    ]
    heading = f"Thank you; {request.ref} goes on." if answers else f"Your word on {request.ref} is with them."
    return done(desk, request, heading, [said], notices=notices)


def _reply_button(request: Request) -> Button:
    return Button(label="Answer", line=f"request comment {request.ref}", style=Style.PRIMARY)


def _after_waiting(request: Request) -> RequestState:
    return RequestState.IN_PROGRESS if request.assignee else RequestState.OPEN


@command("request wait", params=Wait, evidences=("SD SP 3.1",))
def wait(asked: Wait, desk: Desk) -> Outcome:
    """Say that you cannot go on until the requester or a supplier has done something."""
    request = work_on(desk, asked.request, "wait with")
    state = RequestState(f"waiting-on-{asked.on}")
    if request.state == state:
        raise WrongState(f"{request.ref} is {state.shown} already.", subject=request.ref)
    before = move(request, desk, state)
    waiting = change(request, "waiting", before, {"on": asked.on}, {"because": asked.because})
    on_you = asked.on == "requester"
    title = f"{request.ref} waits for {'you' if on_you else 'a supplier'}"
    buttons = (_reply_button(request),) if on_you else ()
    notices = tell(
        desk, request, [request.requester], title, text=asked.because, buttons=buttons, while_in=[state]
    )
    return done(desk, request, f"{request.ref} is {state.shown}", [waiting], notices=notices)


@command("request resume", params=Resume, evidences=("SD SP 3.1",))
def resume(asked: Resume, desk: Desk) -> Outcome:
    """Go on after waiting."""
    request = work_on(desk, asked.request, "resume")
    before = move(request, desk, _after_waiting(request))
    resumed = change(request, "resumed", before)
    notices = tell(desk, request, [request.requester], f"{request.ref} goes on")
    return done(desk, request, f"{request.ref} goes on", [resumed], notices=notices)


@command("request done", params=Tick, evidences=("SD SP 3.1",))
def tick(asked: Tick, desk: Desk) -> Outcome:
    """Tick off a task of a request; its team may, or an agent."""
    request = find_for_task(desk, asked.request, asked.task)
    require_move(request.ref, request.state, "tick a task of")
    tasks = desk.records.requests.tasks(request.number)
    task = next(each for each in tasks if each.key == asked.task.lower())
    if task.done_at is not None:
        by = desk.directory.name(task.done_by)
        raise WrongState(f"“{task.title}” is done already, by {by}.", subject=request.ref)
    before = move(request, desk)
    task.done_by, task.done_at = desk.asker.key, desk.now
    ticked = change(request, "task_done", before, {"task": task.key})
    left = [each.title for each in tasks if each.done_at is None]
    text = f"Still to do: {', '.join(left)}." if left else "Every task is done; it can be fulfilled."
    notices = (
        []
        if left
        else tell(
            desk, request, [request.assignee], f"Every task of {request.ref} is done", text="Fulfil it."
        )
    )
    return done(desk, request, f"Done: {task.title}", [ticked], text=text, notices=notices)


def find_for_task(desk: Desk, ref: str, task_key: str) -> Request:
    """A request, locked, when the asker may tick that task of it."""
    request = desk.records.requests.get(number_of(ref), for_change=True)
    tasks = desk.records.requests.tasks(request.number) if request else ()
    task = next((each for each in tasks if each.key == task_key.lower()), None)
    if request is None or task is None:
        request = find(desk, ref)
        known = ", ".join(each.key for each in tasks) or "none"
        raise WrongState(f"{ref} has no task “{task_key[:48]}”.", f"Its tasks: {known}.", subject=ref)
    if task.team not in desk.asker.teams and not is_worker(desk.asker, request):
        team = desk.policy.teams.get(task.team)
        raise NotAllowed("That task is not yours.", f"{team.name if team else task.team} can tick it.")
    return request


@command("request fulfil", params=Fulfil, evidences=("SD SP 3.1",))
def fulfil(asked: Fulfil, desk: Desk) -> Outcome:
    """Say that what was asked for is done; the requester is asked whether it is right."""
    request = work_on(desk, asked.request, "fulfil")
    left = [each for each in desk.records.requests.tasks(request.number) if each.done_at is None]
    if left:
        keys = ", ".join(f"{each.title} (request done {request.ref} {each.key})" for each in left)
        raise WrongState(f"{request.ref} has tasks left.", f"First: {keys}.", subject=request.ref)
    before = move(request, desk, RequestState.FULFILLED)
    request.assignee = request.assignee or desk.asker.key
    request.fulfilled_at = desk.now
    fulfilled = change(request, "fulfilled", before, {"assignee": request.assignee}, {"how": asked.how or ""})
    closes_at = desk.now + timedelta(seconds=offering_of(desk, request).closes_after)
    closes = desk.at(closes_at, relative=True)
    buttons = (
        Button(label="It is right", line=f"request confirm {request.ref}", style=Style.PRIMARY),
        Button(label="Not yet right", line=f"request reopen {request.ref}"),
    )
    notices = tell(
        desk,
        request,
        [request.requester],
        f"{request.ref} is fulfilled: {request.summary}",
        text=(
            f"{asked.how} " if asked.how else "",
            "It closes by itself ",
            closes or "",
            " unless you say no.",
        ),
        buttons=buttons,
        while_in=[RequestState.FULFILLED],
    )
    due = [
        Due(
            key=f"{request.ref}/autoclose",
            subject=request.ref,
            at=closes_at,
            line=f"request autoclose {request.ref}",
        )
    ]
    return done(desk, request, f"{request.ref} is fulfilled", [fulfilled], notices=notices, due=due)


@command("request confirm", params=Confirm, evidences=("SD SP 3.1",))
def confirm(asked: Confirm, desk: Desk) -> Outcome:
    """Say that you got what you asked for."""
    request = own(desk, asked.request, "confirm")
    before = move(request, desk, RequestState.CLOSED)
    confirmed = change(request, "confirmed", before)
    outcome = done(
        desk,
        request,
        f"{request.ref} is closed. Thank you!",
        [confirmed],
        notices=tell(desk, request, [request.assignee], f"{request.ref} was confirmed by {desk.asker.name}"),
        undue=[f"{request.ref}/autoclose"],
    )
    asks = request.rating is None
    stars = tuple(
        Button(label=f"{'★' * number} {number} of 5", line=f"request rate {request.ref} {number}")
        for number in (5, 3, 1)
    )
    closed = Reply(
        title=f"{request.ref} is closed. Thank you!",
        text=(f"How was it? Type `request rate {request.ref} 4`, or click.",) if asks else (),
        buttons=stars if asks else (),
        subject=request.ref,
    )
    return Outcome(
        reply=closed,
        changes=outcome.changes,
        notices=outcome.notices,
        cards=outcome.cards,
        undue=outcome.undue,
        follow=outcome.follow,
    )


@command("request reopen", params=Reopen, evidences=("SD SP 3.1",))
def reopen(asked: Reopen, desk: Desk) -> Outcome:
    """Say that it is not right yet; its clock goes on."""
    request = own(desk, asked.request, "reopen", or_worker=True)
    before = move(request, desk, _after_waiting(request))
    request.fulfilled_at = None
    reopened = change(request, "reopened", before, None, {"because": asked.because})
    title = f"{request.ref} was reopened"
    notices = [
        *tell(desk, request, [request.assignee], title, text=asked.because),
        below(request, room_of(desk, request), title, text=asked.because),
        *tell(desk, request, [request.requester], title, text=asked.because),
    ]
    undue = [f"{request.ref}/autoclose"]
    return done(desk, request, f"{request.ref} is open again", [reopened], notices=notices, undue=undue)


@command("request cancel", params=Cancel, evidences=("SD SP 3.1",))
def cancel(asked: Cancel, desk: Desk) -> Outcome:
    """Take a request back."""
    request = own(desk, asked.request, "cancel", or_worker=True)
    before = move(request, desk, RequestState.CANCELLED)
    cancelled = change(request, "cancelled", before, None, {"because": asked.because or ""})
    title = f"{request.ref} was cancelled by {desk.asker.name}"
    notices = [
        *tell(desk, request, [request.requester], title, text=asked.because or ""),
        *tell(desk, request, [request.assignee], title, text=asked.because or ""),
    ]
    undue = [f"{request.ref}/approval"]
    return done(desk, request, f"{request.ref} is cancelled", [cancelled], notices=notices, undue=undue)


@command("request rate", params=Rate, evidences=("SD SP 1.1",))
def rate(asked: Rate, desk: Desk) -> Outcome:
    """Say how satisfied you are, from 1 to 5."""
    request = own(desk, asked.request, "rate")
    if request.rating is not None:
        raise WrongState(f"You rated {request.ref} with {request.rating} already.", subject=request.ref)
    before = move(request, desk)
    request.rating = asked.stars
    rated = change(request, "rated", before, {"rating": asked.stars}, {"because": asked.because or ""})
    notices = tell(
        desk,
        request,
        [request.assignee],
        f"{request.ref} was rated {asked.stars} of 5",
        text=asked.because or "",
    )
    return done(desk, request, "Thank you for your rating.", [rated], notices=notices, redraw=False)


@command("request autoclose", params=Autoclose, evidences=("SD SP 3.1",), desk_only=True)
def autoclose(asked: Autoclose, desk: Desk) -> Outcome:
    """Close what was fulfilled and not disputed in time."""
    request = find(desk, asked.request, for_change=True)
    if request.state != RequestState.FULFILLED:
        return Outcome(reply=Reply(title=f"{request.ref} is not fulfilled any more."))
    before = move(request, desk, RequestState.CLOSED)
    closed = change(request, "closed", before)
    return done(desk, request, f"{request.ref} is closed", [closed])
