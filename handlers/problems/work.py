"""Working on a problem: opening it, its cause, what belongs to it, resolving it, and whether that had an effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, WrongState
from handlers.messages import Button, Card, FieldInput, Kind, Notice, Reply, Style, Tone, ToRoom, counted
from handlers.parsing import Choice, Free, Line, Manner, Reference, ServiceKey, Text
from handlers.problems.shared import (
    GATHERED,
    OPENS,
    PREFIX,
    ProblemRef,
    belonging,
    change,
    done,
    find,
    gathered,
    room_of,
    work_on,
)
from handlers.rules.workflow import ActionState, ProblemState
from handlers.telling import show_button
from handlers.tickets import move, number_of
from storage.models.problems import Problem

CAUSES = (
    "change",
    "configuration",
    "defect",
    "capacity",
    "equipment",
    "supplier",
    "procedure",
    "security",
    "outside",
    "unknown",
)
"""Kinds of root cause: something that was changed, set up wrongly, built wrongly, too small, worn out, bought,
done otherwise than meant, attacked, beyond the organisation; or looked for in vain."""

EFFECT_AFTER = timedelta(weeks=4)
"""How long after it was resolved the team is asked whether that had an effect; and every week from then on."""

_ASKED_AGAIN = timedelta(weeks=1)


@dataclass(frozen=True)
class Open:
    """For example: problem open Printers on the third floor print blank pages service:network"""

    title: Annotated[Line, Manner.FROM_MESSAGE, "What goes wrong, in a sentence"]
    service: Annotated[ServiceKey, Manner.BY_NAME, "Which service it is about"]
    incidents: Annotated[
        str | None,
        Free(500, takes_rest=False, input=FieldInput.LINE),
        Manner.BY_NAME,
        "What it caused, such as INC-7, INC-8",
    ] = None


@dataclass(frozen=True)
class Cause:
    """For example: problem cause PRB-1 equipment the drums wore out support:“new drums print cleanly”"""

    problem: ProblemRef
    category: Annotated[str, Choice(CAUSES), "What kind of cause is at the root"]
    what_happened: Annotated[str, Free(2000), "What happened, step by step, and why"]
    support: Annotated[str, Free(2000), Manner.BY_NAME, "How it is known: what shows it"]
    factors: Annotated[str | None, Free(2000), Manner.BY_NAME, "What contributed to it"] = None


@dataclass(frozen=True)
class Link:
    """For example: problem link PRB-1 REQ-7"""

    problem: ProblemRef
    tickets: Annotated[Text, "Incidents and requests it caused, changes that remove it"]


@dataclass(frozen=True)
class Unlink:
    """For example: problem unlink PRB-1 REQ-7"""

    problem: ProblemRef
    tickets: Annotated[Text, "What does not belong to it after all"]


@dataclass(frozen=True)
class Resolve:
    """For example: problem resolve PRB-1 the drums were replaced on every printer"""

    problem: ProblemRef
    how: Annotated[Text, "How the cause was removed"]


@dataclass(frozen=True)
class Close:
    """For example: problem close PRB-1 gone no blank page in four weeks"""

    problem: ProblemRef
    effect: Annotated[str, Choice(("gone", "fewer", "milder")), "What became of the incidents it caused"]
    shown_by: Annotated[Text, "What shows it"]


@dataclass(frozen=True)
class Reopen:
    """For example: problem reopen PRB-1 blank pages again since Monday"""

    problem: ProblemRef
    because: Annotated[Text, "What shows that it is not solved"]


@dataclass(frozen=True)
class AskEffect:
    """For example: problem ask-effect PRB-1"""

    problem: ProblemRef


@dataclass(frozen=True)
class ActionAgreed:
    """For example: problem action-agreed PRB-1 ACT-1"""

    problem: ProblemRef
    action: Annotated[str, Reference("ACT")]


@dataclass(frozen=True)
class ActionCompleted(ActionAgreed):
    """For example: problem action-completed PRB-1 ACT-1"""


@command("problem open", params=Open, evidences=("IRP SP 3.1", "CAR SP 1.1"))
def open_problem(asked: Open, desk: Desk) -> Outcome:
    """Open a problem: something that causes incidents, or will, and whose cause is to be found."""
    here = desk.here if desk.here and desk.here[:3] in GATHERED else ""
    rooms = gathered(desk, asked.incidents or here) if asked.incidents or here else {}
    service = desk.policy.services[asked.service]
    if service.team not in desk.asker.teams and not OPENS & desk.asker.roles:
        team = desk.policy.teams[service.team].name
        raise NotAllowed("Problems are opened by those who work on tickets.", f"{team} can; ask them.")
    problem = Problem(
        number=desk.records.counters.next(PREFIX),
        title=asked.title,
        service=service.key,
        team=service.team,
        state=str(ProblemState.OPEN),
        opened_by=desk.asker.key,
        opened_at=desk.now,
        changed_at=desk.now,
    )
    desk.records.problems.add(problem)
    for ref in rooms:
        desk.records.problems.link(problem.number, ref, desk.now)
    told = {"service": service.key, "team": service.team, "links": list(rooms)}
    opened = change(problem, "opened", None, told, {"title": problem.title})
    title = f"{problem.ref} is open: {problem.title}"
    return done(desk, problem, title, [opened], in_thread=False, cards=_cards(rooms))


def _cards(rooms: dict[str, str]) -> list[Card]:
    return [Card(subject=ref, room=room) for ref, room in rooms.items()]


@command("problem cause", params=Cause, evidences=("IRP SP 3.1", "CAR SP 1.2"))
def say_cause(asked: Cause, desk: Desk) -> Outcome:
    """Say what is at the root of a problem, and how that is known. A better insight is said again."""
    problem = work_on(desk, asked.problem, "say the cause of")
    before = dict(move(problem, desk, ProblemState.ANALYSED))
    if problem.cause:
        before["category"] = problem.cause["category"]
    said = {
        "what_happened": asked.what_happened,
        "factors": asked.factors or "",
        "support": asked.support,
    }
    problem.cause, problem.cause_by = {"category": asked.category, **said}, desk.asker.key
    found = change(problem, "cause_identified", before, {"category": asked.category}, said)
    title = f"The cause of {problem.ref} is known: {asked.category}"
    return done(desk, problem, title, [found], text=asked.what_happened)


@command("problem link", params=Link, evidences=("IRP SP 3.1", "CAR SP 1.1"))
def link(asked: Link, desk: Desk) -> Outcome:
    """Say that incidents or requests come from this problem, or that a change removes it."""
    problem = work_on(desk, asked.problem, "link")
    rooms = gathered(desk, asked.tickets)
    new = [ref for ref in rooms if desk.records.problems.link(problem.number, ref, desk.now)]
    if not new:
        raise WrongState(f"{', '.join(rooms)} belongs to {problem.ref} already.", subject=problem.ref)
    before = move(problem, desk)
    linked = change(problem, "linked", before, {"links": new})
    title = f"{', '.join(new)} belongs to {problem.ref} now"
    return done(desk, problem, title, [linked], tells=False, cards=_cards(rooms))


@command("problem unlink", params=Unlink, evidences=("IRP SP 3.1",))
def unlink(asked: Unlink, desk: Desk) -> Outcome:
    """Say that tickets do not belong to this problem after all."""
    problem = work_on(desk, asked.problem, "link")
    rooms = gathered(desk, asked.tickets)
    gone = [ref for ref in rooms if _unlinked(desk, problem, ref)]
    if not gone:
        raise WrongState(f"{', '.join(rooms)} does not belong to {problem.ref}.", subject=problem.ref)
    before = move(problem, desk)
    unlinked = change(problem, "unlinked", before, {"links": gone})
    title = f"{', '.join(gone)} does not belong to {problem.ref} any more"
    return done(desk, problem, title, [unlinked], tells=False, cards=_cards(rooms))


def _unlinked(desk: Desk, problem: Problem, ref: str) -> bool:
    """Undo a link, on whichever of the two tickets it was said; False when there was none."""
    here = desk.records.problems.unlink(problem.number, ref)
    kind, _, number = ref.partition("-")
    there = kind == "INC" and desk.records.incidents.drop_link(int(number), problem.ref)
    return here or there


@command("problem resolve", params=Resolve, evidences=("IRP SP 3.3", "CAR SP 2.1"))
def resolve(asked: Resolve, desk: Desk) -> Outcome:
    """Say that the cause is removed; some weeks later the team is asked whether that had an effect."""
    problem = work_on(desk, asked.problem, "resolve")
    before = move(problem, desk, ProblemState.RESOLVED)
    problem.resolved_at = desk.now
    resolved = change(problem, "resolved", before, None, {"how": asked.how})
    due = _ask_later(problem, desk, EFFECT_AFTER)
    return done(desk, problem, f"{problem.ref} is resolved", [resolved], text=asked.how, due=[due])


def _ask_later(problem: Problem, desk: Desk, after: timedelta) -> Due:
    line = f"problem ask-effect {problem.ref}"
    return Due(key=f"{problem.ref}/effect", subject=problem.ref, at=desk.now + after, line=line)


@command("problem ask-effect", params=AskEffect, evidences=("IRP SP 3.3", "CAR SP 2.2"), desk_only=True)
def ask_effect(asked: AskEffect, desk: Desk) -> Outcome:
    """Ask the team whether removing the cause had the effect that was hoped for."""
    problem = find(desk, asked.problem)
    if problem.state != ProblemState.RESOLVED or problem.resolved_at is None:
        return Outcome(reply=Reply(title=f"{problem.ref} is not resolved any more."))
    weeks = (desk.now - problem.resolved_at) // timedelta(weeks=1)
    came = _repeats(desk, problem)
    reply = Reply(
        title=f"{problem.ref} was resolved {counted(weeks, 'week')} ago: has it helped?",
        text=(problem.title, f". Linked since then: {', '.join(came) or 'nothing'}."),
        tone=Tone.WAITING,
        buttons=(
            Button(label="It has helped", line=f"problem close {problem.ref}", style=Style.PRIMARY),
            Button(label="It is back", line=f"problem reopen {problem.ref}"),
            show_button(problem.ref),
        ),
        subject=problem.ref,
        private=False,
    )
    notice = Notice(
        to=ToRoom(room=room_of(desk, problem)),
        reply=reply,
        key=f"{problem.ref}/v{problem.version}/effect/{weeks}",
        kind=Kind.REMINDER,
        subject=problem.ref,
        while_in=(ProblemState.RESOLVED,),
    )
    return Outcome(
        reply=Reply(title=f"{problem.ref}: asked"),
        changes=[change(problem, "effect_asked", None, {"weeks": weeks, "repeats": len(came)})],
        notices=[notice],
        due=[_ask_later(problem, desk, _ASKED_AGAIN)],
    )


def _repeats(desk: Desk, problem: Problem) -> list[str]:
    """What it caused although it was resolved, as far as somebody said so."""
    since = problem.resolved_at or desk.now
    return [ref for ref, at in belonging(desk, problem).items() if at > since and not ref.startswith("CHG-")]


@command("problem close", params=Close, evidences=("IRP SP 3.3", "CAR SP 2.2", "CAR SP 2.3"))
def close(asked: Close, desk: Desk) -> Outcome:
    """Say what effect it had to remove the cause, and what shows that; then the problem is done with."""
    problem = work_on(desk, asked.problem, "close")
    actions = desk.records.actions.of(problem.ref)
    if owed := [f"{each.ref} ({each.what})" for each in actions if each.state == ActionState.OPEN]:
        raise WrongState(
            f"{problem.ref} has open actions.", f"First: {', '.join(owed)}.", subject=problem.ref
        )
    came = _repeats(desk, problem)
    if asked.effect == "gone" and came:
        raise BadValue(
            f"It is not gone: {', '.join(came)} was linked since {problem.ref} was resolved.",
            "Say fewer or milder, or reopen it.",
        )
    before = move(problem, desk, ProblemState.CLOSED)
    told = {"effect": asked.effect, "repeats": len(came)}
    checked = change(problem, "effect_checked", before, told, {"shown_by": asked.shown_by})
    closed = change(problem, "closed", before)
    follow = [f"action effect-checked {problem.ref} {asked.effect}"] if actions else []
    title = f"{problem.ref} is closed; its incidents are {asked.effect}"
    return done(
        desk,
        problem,
        title,
        [checked, closed],
        text=asked.shown_by,
        undue=[f"{problem.ref}/effect"],
        follow=follow,
    )


@command("problem reopen", params=Reopen, evidences=("IRP SP 3.1",))
def reopen(asked: Reopen, desk: Desk) -> Outcome:
    """Say that it is not solved: its cause is looked for anew."""
    problem = work_on(desk, asked.problem, "reopen")
    before = move(problem, desk, ProblemState.OPEN)
    problem.resolved_at = None
    reopened = change(problem, "reopened", before, None, {"because": asked.because})
    title = f"{problem.ref} is open again"
    undue = [f"{problem.ref}/effect"]
    return done(desk, problem, title, [reopened], text=asked.because, undue=undue)


@command("problem action-agreed", params=ActionAgreed, evidences=("IRP SP 3.3",), desk_only=True)
def action_agreed(asked: ActionAgreed, desk: Desk) -> Outcome:
    """Note on the problem that somebody owes an action for it."""
    return _of_action(desk, asked, "action_approved")


@command(
    "problem action-completed", params=ActionCompleted, evidences=("IRP SP 3.3", "CAR SP 2.1"), desk_only=True
)
def action_completed(asked: ActionCompleted, desk: Desk) -> Outcome:
    """Note on the problem that an action for it is done."""
    return _of_action(desk, asked, "action_completed")


def _of_action(desk: Desk, asked: ActionAgreed, verb: str) -> Outcome:
    problem = find(desk, asked.problem, for_change=True)
    action = desk.records.actions.get(number_of(asked.action))
    if action is None or action.subject != problem.ref:
        raise BadValue(f"{asked.action} is no action of {problem.ref}.")
    before = move(problem, desk)
    desk.records.problems.follow(problem.number, action.owner)
    told = {"action": action.ref, "owner": action.owner, "due": action.due}
    desk.records.problems.save()
    return Outcome(reply=Reply(title=f"{problem.ref}: noted"), changes=[change(problem, verb, before, told)])
