"""Looking back: what was learned, what follows from it, and which incidents a change has caused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

from config.policy import ChangeKind
from handlers.changes.shared import ChangeRef, done, find, planners, record
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import WrongState
from handlers.messages import Button, Card, Kind, Reply, Style, Words
from handlers.parsing import Day, Free, IncidentRef, Manner, PersonRef, Text, quoted
from handlers.rules.workflow import ChangeState, require_move
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.changes import Change

AGAIN = timedelta(days=1)
"""So often somebody who owes a review is reminded once it is overdue."""

_FOLLOW_UP = timedelta(days=14)  # when no day is said for what follows


@dataclass(frozen=True)
class Review:
    """For example: change review CHG-7 the test took longer than planned action:“plan an hour more” owner:@oncall"""

    change: ChangeRef
    lessons: Annotated[Text, "What was learned"]
    action: Annotated[str | None, Free(at_most=300), Manner.BY_NAME, "What is to be done about it"] = None
    owner: Annotated[PersonRef | None, Manner.BY_NAME, "Who does that; you, when left out"] = None
    due: Annotated[Day | None, Manner.BY_NAME, "By which day; in two weeks, when left out"] = None


@dataclass(frozen=True)
class Cause:
    """For example: change cause CHG-7 INC-3"""

    change: ChangeRef
    incident: Annotated[IncidentRef, "The incident that it caused"]


@dataclass(frozen=True)
class Owed:
    """For example: change owed CHG-7"""

    change: ChangeRef


@command("change review", params=Review, evidences=("CM SP 3.1", "SST SP 2.2"))
def review(asked: Review, desk: Desk) -> Outcome:
    """Look back upon a change: what was learned, and what is to be done about it."""
    change = find(desk, asked.change, for_change=True)
    require_move(change.ref, change.state, "review")
    before = move(change, desk, ChangeState.CLOSED)
    change.reviewed_at = desk.now
    desk.records.changes.put_text(change.number, "lessons", desk.asker.key, asked.lessons, desk.now)
    late = change.review_by is not None and change.review_by < desk.now
    told = {"result": change.result, "late": late, "caused": list(desk.records.changes.links(change.number))}
    reviewed = record(change, "reviewed", before, told, {"lessons": asked.lessons})
    looked_at = record(change, "deployment.impact_reviewed", None, {"result": change.result})
    title = f"{change.ref} was reviewed"
    follow = []
    if asked.action:
        day = asked.due or desk.today + _FOLLOW_UP
        owner = asked.owner or desk.asker.key
        follow = [f"action add {change.ref} what:{quoted(asked.action)} owner:@{owner} due:{day.isoformat()}"]
    return done(
        desk,
        change,
        title,
        [reviewed, looked_at],
        text=asked.lessons,
        notices=[
            *tell(desk, change, planners(change), title, text=asked.lessons),
            *in_thread(change, title, text=asked.lessons),
        ],
        undue=[f"{change.ref}/review"],
        follow=follow,
    )


@command("change cause", params=Cause, evidences=("CM SP 2.2",))
def cause(asked: Cause, desk: Desk) -> Outcome:
    """Say that a change has caused an incident."""
    change = find(desk, asked.change, for_change=True)
    require_move(change.ref, change.state, "link")
    standing = desk.look(asked.incident)
    if not desk.records.changes.put_link(change.number, asked.incident, desk.asker.key, desk.now):
        raise WrongState(f"{change.ref} is known to have caused {asked.incident}.", subject=change.ref)
    before = move(change, desk)
    linked = record(change, "incident_caused", before, {"incident": asked.incident})
    title = f"{change.ref} has caused {asked.incident}"
    outcome = done(
        desk,
        change,
        title,
        [linked],
        notices=[*tell(desk, change, planners(change), title), *in_thread(change, title)],
    )
    return replace(outcome, cards=(*outcome.cards, Card(subject=asked.incident, room=standing.room)))


@command("change owed", params=Owed, evidences=("CM SP 3.1",), desk_only=True)
def owed(asked: Owed, desk: Desk) -> Outcome:
    """Remind those who owe a review, and their managers too once an emergency's is overdue."""
    change = find(desk, asked.change)
    if change.review_by is None or change.reviewed_at is not None:
        return Outcome(reply=Reply(title=f"{change.ref} owes no review."))
    overdue = change.review_by <= desk.now
    people = list(planners(change))
    if overdue and change.kind == ChangeKind.EMERGENCY:
        people += filter(None, (desk.directory.person(each).manager for each in planners(change)))
    title = f"The review of {change.ref} is {'overdue' if overdue else 'due'}: {change.title}"
    again = desk.now + AGAIN if overdue else change.review_by
    notices = tell(
        desk,
        change,
        people,
        title,
        text=_by(desk, change),
        buttons=(Button(label="Review", line=f"change review {change.ref}", style=Style.PRIMARY),),
        while_in=(ChangeState.COMPLETED, ChangeState.IN_PROGRESS, ChangeState.SCHEDULED),
        kind=Kind.REMINDER,
        tag=f"owed/{desk.now.isoformat()}",
    )
    due = [Due(f"{change.ref}/review", change.ref, again, f"change owed {change.ref}")]
    return Outcome(reply=Reply(title=title), notices=notices, due=due)


def _by(desk: Desk, change: Change) -> Words:
    tail = (
        " Until it is done, who asked for it breaks no further glass."
        if change.kind == ChangeKind.EMERGENCY
        else ""
    )
    return ("By ", desk.at(change.review_by, relative=True) or "", f".{tail}")
