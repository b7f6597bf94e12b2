"""What every part of the problem capability needs: finding one, who may work on it, telling its followers, the card."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Annotated

from config.policy import Role
from handlers.access import Person
from handlers.declare import Change, Due, Outcome
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, NotFound
from handlers.messages import (
    Button,
    Card,
    Fact,
    Reply,
    Style,
    Tone,
    counted,
    facts,
)
from handlers.parsing import Reference, reference
from handlers.rules.moments import show_day
from handlers.rules.workflow import UNSOLVED, ActionState, ProblemState, require_move
from handlers.telling import below, tell
from handlers.tickets import happened, number_of
from storage.models.problems import Action, Problem

PREFIX = "PRB"

change = partial(happened, "problem")
"""Something that happened to a problem."""

GATHERED = {"INC": "Incidents", "REQ": "Requests", "CHG": "Changes"}
"""What belongs to a problem, by prefix, as its card calls it."""

OPENS = frozenset({Role.AGENT, Role.RESPONDER, Role.OWNER, Role.MANAGER})
"""Who may open a problem of any service, beside the service's own team."""

_WORKS = frozenset({Role.AGENT, Role.RESPONDER})
_SHORT = 300  # characters of a text that a card shows

ProblemRef = Annotated[str, Reference(PREFIX)]


def find(desk: Desk, ref: str, *, for_change: bool = False) -> Problem:
    """A problem that the asker may see; raises NotFound or NotAllowed."""
    problem = desk.records.problems.get(number_of(ref), for_change)
    if problem is None:
        raise NotFound(f"There is no {ref}.", "Type `problem list` to see them.")
    asker = desk.asker
    if not (
        is_worker(asker, problem)
        or OPENS & asker.roles
        or asker.key in desk.records.problems.followers(problem.number)
    ):
        raise NotAllowed(f"{ref} is for those who work on it.", f"Ask {team_name(desk, problem)}.")
    return problem


def is_worker(person: Person, problem: Problem) -> bool:
    """Whether somebody works on this problem: its team, or any agent or responder."""
    return problem.team in person.teams or bool(_WORKS & person.roles)


def work_on(desk: Desk, ref: str, step: str) -> Problem:
    """A problem the asker may work on and that is open to the move; locked until the command ends."""
    problem = find(desk, ref, for_change=True)
    if not is_worker(desk.asker, problem):
        raise NotAllowed(f"You cannot {step} {ref}.", f"{team_name(desk, problem)} can; ask them.")
    require_move(ref, problem.state, step)
    return problem


def team_name(desk: Desk, problem: Problem) -> str:
    """The name of the team that runs its service."""
    team = desk.policy.teams.get(problem.team)
    return team.name if team else problem.team


def room_of(desk: Desk, problem: Problem) -> str:
    """The room where that team works."""
    team = desk.policy.teams.get(problem.team)
    return team.room if team else desk.policy.organisation.owner_room


def gathered(desk: Desk, text: str) -> dict[str, str]:
    """The tickets that a text names, each with its room; raises NotFound or NotAllowed for one the asker cannot see."""
    found: dict[str, str] = {}
    for word in re.split(r"[,;\s]+", text.strip()):
        ref = reference(word)
        if ref is None or ref[:3] not in GATHERED:
            raise BadValue(
                f"“{word[:40]}” is no incident, request or change.", "Write references like INC-7, INC-8."
            )
        found[ref] = desk.look(ref).room
    return found


def belonging(desk: Desk, problem: Problem) -> Mapping[str, datetime]:
    """The tickets that belong to a problem, with when that was said, on whichever of the two it was said."""
    found = {each.ref: each.at for each in desk.records.problems.links(problem.number)}
    for number in desk.records.incidents.linked_to(problem.ref):
        links = desk.records.incidents.links(number)
        found.setdefault(f"INC-{number}", next(each.at for each in links if each.ref == problem.ref))
    return found


def done(
    desk: Desk,
    problem: Problem,
    title: str,
    changes: Sequence[Change],
    *,
    text: str = "",
    tells: bool = True,
    in_thread: bool = True,
    cards: Sequence[Card] = (),
    due: Sequence[Due] = (),
    undue: Sequence[str] = (),
    follow: Sequence[str] = (),
) -> Outcome:
    """The outcome of a move: saved, its card redrawn, followers and those who read its thread told.

    People who need its workaround are shown it exactly while it is not solved. Whoever works on it follows it.
    """
    problem.known = problem.state in UNSOLVED and bool(problem.symptom and problem.workaround)
    desk.records.problems.save()
    told = (
        tell(desk, problem, desk.records.problems.followers(problem.number), title, text=text)
        if tells
        else []
    )
    if is_person(desk):
        desk.records.problems.follow(problem.number, desk.asker.key)

    def reply() -> Reply:
        said = {"title": title, "text": (text,) if text else (), "tone": Tone.GOOD, "private": True}
        return card(desk, problem).model_copy(update=said)

    return Outcome(
        reply=reply,
        changes=changes,
        notices=[*told, *([below(problem, room_of(desk, problem), title, text=text)] if in_thread else ())],
        cards=[Card(subject=problem.ref, room=room_of(desk, problem)), *cards],
        due=due,
        undue=undue,
        follow=follow,
    )


def is_person(desk: Desk) -> bool:
    """Whether a person says this, and not the desk to itself."""
    return desk.asker.key != "desk"


# The card -----------------------------------------------------------------------------------------


def card(desk: Desk, problem: Problem) -> Reply:
    """A problem as its team sees it: what it is about, what is known, what is owed, what can be done next."""
    actions = desk.records.actions.of(problem.ref)
    state = ProblemState(problem.state)
    return Reply(
        title=f"{problem.ref} · {problem.title}",
        tone=Tone.PLAIN if state in UNSOLVED else Tone.GOOD,
        facts=_facts(desk, problem, actions),
        buttons=tuple(_buttons(problem)),
        subject=problem.ref,
        version=problem.version,
        as_of=desk.now,
        private=False,
    )


def _facts(desk: Desk, problem: Problem, actions: Sequence[Action]) -> tuple[Fact, ...]:
    service = desk.policy.services.get(problem.service)
    belongs = belonging(desk, problem)
    by_kind = [
        (name, ", ".join(ref for ref in belongs if ref.startswith(f"{prefix}-")))
        for prefix, name in GATHERED.items()
    ]
    owed = [each for each in actions if each.state == ActionState.OPEN]
    return facts(
        ("State", problem.state + (", known error" if problem.known else "")),
        ("Service", service.name if service else problem.service),
        ("Opened by", desk.who(problem.opened_by)),
        *by_kind,
        ("Cause", cause_words(problem)),
        ("Symptom", _short(problem.symptom)),
        ("Workaround", _short(problem.workaround)),
        ("Helped", counted(problem.helped, "time") if problem.helped else None),
        (
            "To be done",
            "; ".join(
                f"{each.ref} {each.what} (by {show_day(date.fromisoformat(each.due))})" for each in owed
            ),
        ),
    )


def cause_words(problem: Problem) -> str | None:
    """The cause in one line: its kind, and what happened."""
    if not problem.cause:
        return None
    happened = problem.cause.get("what_happened", "(erased)")
    return _short(f"{problem.cause['category']}: {happened}")


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= _SHORT else f"{text[: _SHORT - 1].rstrip()}…"


def _buttons(problem: Problem) -> Iterator[Button]:
    ref, state = problem.ref, ProblemState(problem.state)
    if state in UNSOLVED:
        if state is ProblemState.OPEN:
            yield Button(label="Say its cause", line=f"problem cause {ref}", style=Style.PRIMARY)
        else:
            yield Button(label="Resolve", line=f"problem resolve {ref}", style=Style.PRIMARY)
        if not problem.known:
            yield Button(label="Known error", line=f"problem known-error {ref}")
        yield Button(label="Add an action", line=f"action add {ref}")
    if state is ProblemState.RESOLVED:
        yield Button(label="It has helped", line=f"problem close {ref}", style=Style.PRIMARY)
    if state not in UNSOLVED:
        yield Button(label="It is back", line=f"problem reopen {ref}")
    yield Button(label="Link", line=f"problem link {ref}")
