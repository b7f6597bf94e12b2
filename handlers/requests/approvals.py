"""Deciding: stages of approval, with delegates for the absent, deadlines, and a default that is stated beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from config.policy import OnDeadline, Stage
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, WrongState
from handlers.messages import Button, Kind, Moment, Notice, Part, Reply, Style, ToPerson, facts
from handlers.parsing import RequestRef, Text, WholeNumber
from handlers.requests.shared import change, current_stage, done, find, offering_of, seats_of
from handlers.rules.approval import Seat, Verdict, stage_at, verdict
from handlers.rules.business_time import hours_of
from handlers.rules.workflow import RequestState, require_move
from handlers.telling import show_button, tell
from handlers.tickets import move
from storage.models.requests import Request, RequestVote

_REJECTED = "it is rejected"
_MEANS = {
    OnDeadline.REJECT: _REJECTED,
    OnDeadline.APPROVE: "it counts as approved",
    OnDeadline.OWNER: "the owner of the service decides",
}


@dataclass(frozen=True)
class Asked:
    """What asking the approvers of a stage takes: a private word to each, and the deadline."""

    notices: Sequence[Notice]
    due: Sequence[Due]


@dataclass(frozen=True)
class Approve:
    """For example: request approve REQ-7"""

    request: RequestRef
    because: Annotated[Text | None, "If you want to say why"] = None


@dataclass(frozen=True)
class Reject:
    """For example: request reject REQ-7 the budget is spent"""

    request: RequestRef
    because: Annotated[Text, "Why not; the requester reads this"]


@dataclass(frozen=True)
class Undecided:
    """For example: request undecided REQ-7 1"""

    request: RequestRef
    stage: Annotated[int, WholeNumber(1, 20)]


@command("request approve", params=Approve, evidences=("SD SP 3.1",))
def approve(asked: Approve, desk: Desk) -> Outcome:
    """Say yes to a request that waits for your approval."""
    return _vote(desk, asked.request, True, asked.because)


@command("request reject", params=Reject, evidences=("SD SP 3.1",))
def reject(asked: Reject, desk: Desk) -> Outcome:
    """Say no to a request that waits for your approval, with a reason."""
    return _vote(desk, asked.request, False, asked.because)


@command("request undecided", params=Undecided, evidences=("SD SP 3.1",), desk_only=True)
def undecided(asked: Undecided, desk: Desk) -> Outcome:
    """Apply what the catalogue says for a stage that was not decided in time."""
    request = find(desk, asked.request, for_change=True)
    stage = current_stage(desk, request)
    if stage is None or request.stage != asked.stage:
        return Outcome(reply=Reply(title=f"{request.ref} was decided meanwhile."))
    if request.at_owner:
        return _settle(
            desk, request, False, f"the owner of the service did not decide in time, so {_REJECTED}"
        )
    if stage.on_deadline is OnDeadline.OWNER:
        return _pass_on(desk, request)
    approved = stage.on_deadline is OnDeadline.APPROVE
    return _settle(desk, request, approved, "not decided in time, so " + _MEANS[stage.on_deadline])


def _pass_on(desk: Desk, request: Request) -> Outcome:
    """From now on it is the owner's of the service, or their delegate's, alone: what they said already decides."""
    votes = {vote.person: vote.says == "yes" for vote in _votes(desk, request)}
    request.at_owner = True
    seated = seats_of(desk, request)
    if not seated:
        why = f"not decided in time, and the owner of the service asked for it themselves, so {_REJECTED}"
        return _settle(desk, request, False, why)
    for seat in seated:
        if seat.person in votes:
            why = f"not decided in time, so what {desk.directory.name(seat.person)} said decides"
            return _settle(desk, request, votes[seat.person], why)
    before = move(request, desk)
    asking = ask_stage(desk, request)
    passed_on = change(request, "passed_to_owner", before, {"stage": request.stage})
    said = tell(
        desk,
        request,
        [request.requester],
        f"{request.ref}: nobody decided in time; the owner of the service is asked now.",
    )
    title = f"{request.ref} goes to the owner of the service"
    return done(desk, request, title, [passed_on], notices=[*asking.notices, *said], due=asking.due)


def _votes(desk: Desk, request: Request) -> list[RequestVote]:
    return [vote for vote in desk.records.requests.votes(request.number) if vote.stage == request.stage]


def _vote(desk: Desk, ref: str, approves: bool, because: str | None) -> Outcome:
    request = find(desk, ref, for_change=True)
    require_move(ref, request.state, "approve" if approves else "reject")
    stage, seat = _seat_of(desk, request)
    votes = _votes(desk, request)
    if any(vote.person == desk.asker.key for vote in votes):
        raise WrongState(
            f"You have already decided on {ref}.", "One voice each; others are still asked.", subject=ref
        )
    vote = RequestVote(
        request=request.number,
        stage=request.stage,
        person=desk.asker.key,
        says="yes" if approves else "no",
        on_behalf_of=seat.for_,
        at=desk.now,
    )
    desk.records.requests.add(vote)
    # Where it was passed on to the owner, nobody else's word counts any more.
    cast = {each.person: each.says == "yes" for each in ([] if request.at_owner else votes)}
    cast[vote.person] = approves
    outcome = verdict(1 if request.at_owner else stage.need, seats_of(desk, request), cast)
    told = {"stage": request.stage, "vote": vote.says, "for": seat.for_}
    if outcome is Verdict.UNDECIDED:
        before = move(request, desk)
        voted = change(request, "voted", before, told, {"because": because or ""})
        missing = stage.need - sum(cast.values())
        title = f"Noted. {ref} still needs {missing} more." if approves else f"Your no to {ref} is noted."
        text = "" if approves else f"It can still pass: {missing} more would have to agree."
        return done(desk, request, title, [voted], text=text)
    return _settle(desk, request, outcome is Verdict.APPROVED, because or "", told)


def _seat_of(desk: Desk, request: Request) -> tuple[Stage, Seat]:
    stage = current_stage(desk, request)
    seated = seats_of(desk, request)
    seat = next((each for each in seated if each.person == desk.asker.key), None)
    if stage is None or seat is None:
        if request.requester == desk.asker.key:
            raise NotAllowed(
                f"Nobody approves their own request; {request.ref} is yours.", _who_can(desk, seated)
            )
        raise NotAllowed(f"{request.ref} does not wait for you.", _who_can(desk, seated))
    return stage, seat


def _who_can(desk: Desk, seated: Sequence[Seat]) -> str:
    names = [desk.directory.name(seat.person) for seat in seated]
    return (
        f"{' or '.join(names)} can decide."
        if names
        else "Nobody is left to decide; ask the desk's administrator."
    )


def _settle(
    desk: Desk, request: Request, approved: bool, because: str, told: dict[str, object] | None = None
) -> Outcome:
    """A stage is decided: on to the next one, to work, or to an end."""
    ref, passed = request.ref, request.stage
    told = {"stage": passed, **(told or {})}
    undue = [f"{ref}/approval/{passed}"]
    if not approved:
        before = move(request, desk, RequestState.REJECTED)
        rejected = change(request, "rejected", before, told, {"because": because})
        notices = tell(desk, request, [request.requester], f"{ref} was rejected", text=because)
        return done(desk, request, f"{ref} is rejected", [rejected], notices=notices, undue=undue)
    request.at_owner = False
    if stage_at(offering_of(desk, request).approval, passed + 1):
        before = move(request, desk)
        request.stage = passed + 1
        agreed = change(request, "stage_approved", before, told, {"because": because})
        asking = ask_stage(desk, request)
        title = f"{ref} goes to the next stage of approval"
        return done(desk, request, title, [agreed], notices=asking.notices, due=asking.due, undue=undue)
    before = move(request, desk, RequestState.OPEN)
    agreed = change(request, "approved", before, told, {"because": because})
    notices = tell(desk, request, [request.requester], f"{ref} is approved", text="It goes to the team now.")
    return done(desk, request, f"{ref} is approved", [agreed], notices=notices, undue=undue)


def ask_stage(desk: Desk, request: Request) -> Asked:
    """Ask the approvers of the stage a request is in, privately, with the deadline and what happens then."""
    stage = current_stage(desk, request)
    if stage is None:
        return Asked((), ())
    deadline, seated = _deadline(desk, stage), seats_of(desk, request)
    consequence: tuple[Part, ...] = (
        "If nobody decides by ",
        Moment(moment=deadline, relative=True),
        f", {_REJECTED if request.at_owner else _MEANS[stage.on_deadline]}.",
    )
    notices = [
        Notice(
            to=ToPerson(person=seat.person),
            reply=Reply(
                title=f"{request.ref} needs your decision: {request.summary}",
                text=consequence,
                facts=facts(
                    ("Asked for by", desk.who(request.requester)),
                    (
                        "Needed",
                        f"{stage.need} of {len(seated)}" if stage.need > 1 and not request.at_owner else None,
                    ),
                    ("Standing in for", desk.who(seat.for_)),
                ),
                buttons=(
                    Button(label="Approve", line=f"request approve {request.ref}", style=Style.PRIMARY),
                    Button(label="Reject", line=f"request reject {request.ref}", style=Style.DANGER),
                    show_button(request.ref),
                ),
                subject=request.ref,
            ),
            key=f"{request.ref}/approval/{request.stage}/{'owner' if request.at_owner else 'asked'}/{seat.person}",
            kind=Kind.MESSAGE,
            subject=request.ref,
            while_in=(RequestState.AWAITING_APPROVAL,),
        )
        for seat in seated
    ]
    line = f"request undecided {request.ref} {request.stage}"
    due = Due(key=f"{request.ref}/approval/{request.stage}", subject=request.ref, at=deadline, line=line)
    return Asked(notices, [due])


def _deadline(desk: Desk, stage: Stage) -> datetime:
    within = timedelta(seconds=stage.within)
    calendar = desk.policy.calendars.get(stage.calendar or "")
    return hours_of(calendar).after(desk.now, within) if calendar else desk.now + within
