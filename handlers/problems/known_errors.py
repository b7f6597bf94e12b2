"""What helps until a problem is solved: workarounds, and known errors that people see before they ask for help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NotFound, WrongState
from handlers.messages import Card, Reply, Tone
from handlers.parsing import Free, Manner
from handlers.problems.shared import ProblemRef, change, done, room_of, work_on
from handlers.rules.workflow import ProblemState
from handlers.tickets import move, number_of


@dataclass(frozen=True)
class Workaround:
    """For example: problem workaround PRB-1 print from the tray on the left"""

    problem: ProblemRef
    workaround: Annotated[str, Free(2000), "What people can do meanwhile"]


@dataclass(frozen=True)
class KnownError:
    """For example: problem known-error PRB-1 the printer gives blank pages"""

    problem: ProblemRef
    symptom: Annotated[str, Free(500), "What people notice, in their own words"]
    workaround: Annotated[
        str | None, Free(2000), Manner.BY_NAME, "What they can do; what was recorded, when left out"
    ] = None


@dataclass(frozen=True)
class Helped:
    """For example: problem helped PRB-1"""

    problem: ProblemRef


@command("problem workaround", params=Workaround, evidences=("IRP SP 3.2",))
def record_workaround(asked: Workaround, desk: Desk) -> Outcome:
    """Record what people can do until the cause is removed."""
    problem = work_on(desk, asked.problem, "record a workaround for")
    before = move(problem, desk)
    problem.workaround, problem.workaround_by = asked.workaround, desk.asker.key
    recorded = change(problem, "workaround_recorded", before, None, {"workaround": asked.workaround})
    title = f"{problem.ref} has a workaround"
    return done(desk, problem, title, [recorded], text=asked.workaround)


@command("problem known-error", params=KnownError, evidences=("IRP SP 3.2",))
def record_known_error(asked: KnownError, desk: Desk) -> Outcome:
    """Make it a known error: who describes its symptom is shown the workaround before asking for help."""
    problem = work_on(desk, asked.problem, "record a known error for")
    if not (asked.workaround or problem.workaround):
        raise desk.ask({"workaround": "Say what people can do; without that it does not help them to know."})
    before = move(problem, desk)
    problem.symptom, problem.symptom_by = asked.symptom, desk.asker.key
    if asked.workaround:
        problem.workaround, problem.workaround_by = asked.workaround, desk.asker.key
    words = {"symptom": asked.symptom, "workaround": asked.workaround or ""}
    recorded = change(problem, "known_error.recorded", before, {"service": problem.service}, words)
    title = f"{problem.ref} is a known error: {problem.title}"
    return done(desk, problem, title, [recorded], text=problem.workaround or "")


@command("problem helped", params=Helped, evidences=("IRP SP 3.2",))
def helped(asked: Helped, desk: Desk) -> Outcome:
    """Say that the workaround of a known error was all you needed."""
    problem = desk.records.problems.get(number_of(asked.problem), for_change=True)
    if problem is None:
        raise NotFound(f"There is no {asked.problem}.", "Check the reference.")
    if not problem.known:
        over = problem.state in (ProblemState.RESOLVED, ProblemState.CLOSED)
        raise WrongState(
            f"{problem.ref} is not a known error any more."
            if over
            else f"{problem.ref} is no known error yet.",
            "Ask for help; the cause is gone." if over else "Nothing that helps is on file for it.",
        )
    before = {**move(problem, desk), "helped": problem.helped}
    problem.helped += 1
    desk.records.problems.save()
    return Outcome(
        reply=Reply(
            title="Good that it helped.",
            text=(f"Nothing was filed. {problem.ref} goes on until its cause is removed.",),
            tone=Tone.GOOD,
        ),
        changes=[change(problem, "known_error.helped", before, {"helped": problem.helped})],
        cards=[Card(subject=problem.ref, room=room_of(desk, problem))],
    )
