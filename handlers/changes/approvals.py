"""Voting: a word that holds for what was voted on, by people who neither asked for it nor make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from config.policy import ChangeStage
from handlers.changes.content import difference_table, edited_since
from handlers.changes.deciding import vote_buttons
from handlers.changes.electorate import MEANS, barred, current_stage, seats_of, terms_of
from handlers.changes.shared import ChangeRef, done, find, planners, record
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, WrongState
from handlers.messages import Reply, Table, Tone, Words
from handlers.parsing import Manner, Text, WholeNumber
from handlers.rules.approval import Seat
from handlers.rules.votes import Says
from handlers.rules.workflow import ChangeState, require_move
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.changes import Change, ChangeVote

_DONE = {Says.APPROVE: "agree to", Says.OBJECT: "object to", Says.ABSTAIN: "abstain from"}


_Seen = Annotated[int | None, WholeNumber(1, 10_000), Manner.BY_NAME, Manner.UNASKED, "The edition you saw"]


@dataclass(frozen=True)
class Approve:
    """For example: change approve CHG-7"""

    change: ChangeRef
    because: Annotated[Text | None, "If you want to say why"] = None
    seen: _Seen = None


@dataclass(frozen=True)
class Object:
    """For example: change object CHG-7 the back-out takes longer than the window"""

    change: ChangeRef
    because: Annotated[Text, "Why; those whose change it is read this"]
    seen: _Seen = None


@dataclass(frozen=True)
class Abstain(Object):
    """For example: change abstain CHG-7 I do not know this service"""


@dataclass(frozen=True)
class Approvers:
    """For example: change approvers CHG-7"""

    change: ChangeRef


# Voting -------------------------------------------------------------------------------------------


@command("change approve", params=Approve, evidences=("CM SP 2.2",))
def approve(asked: Approve, desk: Desk) -> Outcome:
    """Say yes to a change that waits for your vote, as it was shown to you."""
    return _vote(desk, asked.change, Says.APPROVE, asked.because, asked.seen)


@command("change object", params=Object, evidences=("CM SP 2.2",))
def object_(asked: Object, desk: Desk) -> Outcome:
    """Say no to a change that waits for your vote, with a reason."""
    return _vote(desk, asked.change, Says.OBJECT, asked.because, asked.seen)


@command("change abstain", params=Abstain, evidences=("CM SP 2.2",))
def abstain(asked: Abstain, desk: Desk) -> Outcome:
    """Leave the decision on a change to the others, with a reason."""
    return _vote(desk, asked.change, Says.ABSTAIN, asked.because, asked.seen)


def _vote(desk: Desk, ref: str, says: Says, because: str | None, seen: int | None) -> Outcome:
    change = find(desk, ref, for_change=True)
    require_move(ref, change.state, "vote on")
    stage = current_stage(desk, change)
    assert stage is not None, "a change that awaits approval has a stage"
    seat = _seat(desk, change, stage)
    if change.decide_by is not None and desk.now >= change.decide_by:
        raise WrongState(
            f"The time to decide on {ref} is over.",
            f"What was said beforehand holds: {MEANS[stage.on_deadline]}.",
            subject=ref,
        )
    earlier = next(
        (
            each
            for each in desk.records.changes.votes(change.number, change.ballot)
            if (each.stage, each.person) == (change.stage, desk.asker.key)
        ),
        None,
    )
    if earlier is not None:
        raise WrongState(
            f"You {_DONE[Says(earlier.says)]} {ref} already.",
            "One vote each; others are still asked.",
            subject=ref,
        )
    if seen is not None and seen != change.ballot:
        return Outcome(reply=_edited_meanwhile(desk, change, seen))
    desk.records.changes.add(
        ChangeVote(
            change=change.number,
            ballot=change.ballot,
            stage=change.stage,
            person=desk.asker.key,
            says=str(says),
            seal=change.seal,
            on_behalf_of=seat.for_,
            at=desk.now,
        )
    )
    before = move(change, desk)
    told = {
        "ballot": change.ballot,
        "stage": change.stage,
        "vote": str(says),
        "seal": change.seal,
        "for": seat.for_,
    }
    voted = record(change, "voted", before, told, {"because": because})
    notices = []
    if says is Says.OBJECT:
        title = f"{desk.asker.name} objects to {ref}"
        notices = [
            *tell(desk, change, planners(change), title, text=because or ""),
            *in_thread(change, title),
        ]
    title = f"Noted: you {_DONE[says]} {ref}."
    return done(desk, change, title, [voted], notices=notices, follow=[f"change settle {ref}"])


def _seat(desk: Desk, change: Change, stage: ChangeStage) -> Seat:
    """The asker's seat, by who they are and what they may do now. Raises NotAllowed, and says who has one."""
    seated = seats_of(desk, change, stage)
    found = next((seat for seat in seated if seat.person == desk.asker.key), None)
    if found is not None and not desk.command.sender.guest:
        return found
    names = [desk.directory.name(seat.person) for seat in seated if seat.person != desk.asker.key]
    who = f"{' or '.join(names)} can decide." if names else "Nobody is left to decide; ask an administrator."
    why = barred(desk, change).get(desk.asker.key)
    if why is not None:
        raise NotAllowed(f"You have no vote on {change.ref}: who {why} does not decide on it.", who)
    raise NotAllowed(f"{change.ref} does not wait for you.", who)


def _edited_meanwhile(desk: Desk, change: Change, seen: int) -> Reply:
    """What somebody is told whose button belongs to an earlier edition: the difference, and new buttons."""
    edits = edited_since(desk, change, min(seen, change.ballot))
    return Reply(
        title=f"{change.ref} was edited since you were asked, so this vote was not counted.",
        text=("Look at what is different, and vote again.",),
        tone=Tone.WAITING,
        buttons=vote_buttons(change),
        more=(difference_table(desk, edits),),
        subject=change.ref,
    )


# Looking ------------------------------------------------------------------------------------------


@command("change approvers", params=Approvers)
def approvers(asked: Approvers, desk: Desk) -> Reply:
    """See who decides on a change, who has said what, by when, and who has no vote and why."""
    change = find(desk, asked.change)
    terms = terms_of(desk, change)
    rows: list[tuple[Words, ...]] = []
    cast = desk.records.changes.votes(change.number, change.ballot)
    for number, stage in enumerate(terms.stages, 1):
        voted = {each.person: each for each in cast if each.stage == number}
        for seat in seats_of(desk, change, stage):
            vote = voted.pop(seat.person, None)
            says = _said(desk, vote) if vote else (_silent(change, number),)
            rows.append(((f"{number}: {stage.need} must agree",), _who(desk, seat), says))
        rows += [
            ((f"{number}",), (desk.directory.who_is(key),), _said(desk, each)) for key, each in voted.items()
        ]
    without = [
        (("no vote",), (desk.directory.who_is(key),), (why,)) for key, why in barred(desk, change).items()
    ]
    table = Table(columns=("Stage", "Who", "Says"), rows=(*rows, *without))
    by = desk.at(change.decide_by, relative=True)
    text: Words = ("By ", by, ".") if by else ()
    if not terms.stages:
        text = (
            ("Nobody is asked before it is submitted.",)
            if change.rules_version is None
            else ("It needs nobody's approval.",)
        )
    return Reply(title=f"Who decides on {change.ref}", text=text, table=table, subject=change.ref)


def _silent(change: Change, stage: int) -> str:
    if change.state != ChangeState.AWAITING_APPROVAL or stage < change.stage:
        return "—"
    return "is asked" if stage == change.stage else "not asked yet"


def _who(desk: Desk, seat: Seat) -> Words:
    who = desk.directory.who_is(seat.person)
    return (who, f" for {desk.directory.name(seat.for_)}") if seat.for_ else (who,)


def _said(desk: Desk, vote: ChangeVote) -> Words:
    return (f"{vote.says}s ", desk.at(vote.at) or "")
