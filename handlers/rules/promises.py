"""From a ticket's evidence to the clocks of its agreement: which facts each promise is told.

The ledger is the only history. A record says what state a ticket is in after it (`after.state`), its priority,
agreement and tasks; from that each promise learns when it started, paused, got another target and stopped.
A stop that was undone by a reopening counts as a pause, because the original promise goes on.

What differs from one kind of ticket to the next is said in its `Course`, by the words of its own evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from config.policy import Agreement, Calendar, Priority, Promise
from handlers.rules.ledger import Record
from handlers.rules.sla_clock import (
    Cancelled,
    Fact,
    Paused,
    Reading,
    Resumed,
    Retargeted,
    Started,
    Stopped,
    Terms,
    read,
    terms_of,
)
from handlers.rules.workflow import (
    LIVE,
    OVER,
    UNFINISHED,
    AnalysisState,
    ChangeState,
    DrillState,
    PlanState,
)

ROUND_THE_CLOCK = Calendar(key="always", name="round the clock", zone="UTC", always=True)
"""What a promise counts in that somebody made for a moment of their own choice."""

_DECIDING = "awaiting-approval"
_NEVER = 10 * 366 * 86400

Definitions = Callable[[str, str], tuple[Agreement, Mapping[str, Calendar]]]
"""(agreement key, version) → the agreement and its calendars as they were then."""


@dataclass(frozen=True)
class Series:
    """A promise that is made again and again; each one has a clock of its own, the newest bears the plain name.

    It is due at the moment that the record names under `moment`; where it names none, `by_agreement` lets the
    agreement say. `begins`, `kept` and `dropped` are what happens to a ticket. `why` tells how one was kept.
    """

    promise: Promise
    moment: str
    by_agreement: bool = False
    begins: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    why: str = "kept"
    early: int = 0


@dataclass(frozen=True)
class Course:
    """How the evidence of one kind of ticket moves its clocks, and who has to do with a promise on it.

    `asker` is what its evidence calls the person whose ticket it is, whose own word answers nothing unless
    `asker_answers`. `answers` is what a human does that keeps the promise to respond. In the states `done`
    what was promised is done; in the states `ended` nothing is owed any more.

    A promise is owed by the first of `owed_by` whom the evidence names (else by who holds the ticket), it is
    open in the states `open_in`, and kept by the command `keeps` (a button's label and the command). When it is
    broken the desk says `broken`.

    Without an agreement (`by_agreement`) there are only its `series`, and nobody is reminded here.
    """

    asker: str
    open_in: Mapping[Promise | None, tuple[str, ...]]
    answers: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    asker_answers: bool = False
    series: tuple[Series, ...] = ()
    owed_by: Mapping[Promise, tuple[str, ...]] = field(default_factory=dict)
    keeps: Mapping[Promise, tuple[str, str]] = field(default_factory=dict)
    broken: Mapping[Promise, str] = field(default_factory=dict)
    by_agreement: bool = True

    def states_of(self, promise: Promise) -> tuple[str, ...]:
        """The states of the ticket in which somebody still cares about this promise."""
        return self.open_in.get(promise, self.open_in[None])

    def who_owes(self, promise: Promise) -> tuple[str, ...]:
        """What the evidence calls those who owe it, the first of them first."""
        return self.owed_by.get(promise, ("assignee",))


ANSWERS = frozenset({"taken", "commented", "waiting", "task_done", "fulfilled", "rejected"})
"""What a human other than the requester does that answers a request."""

COURSES: Mapping[str, Course] = {
    "request": Course(
        asker="requester",
        answers=ANSWERS,
        done=frozenset({"fulfilled", "closed"}),
        ended=frozenset({"rejected", "cancelled"}),
        open_in={None: UNFINISHED},
    ),
    "incident": Course(
        asker="reporter",
        asker_answers=True,  # an engineer who declares what they see and takes it has answered, too
        answers=frozenset({"acknowledged", "assigned", "status_posted", "workaround_recorded", "resolved"}),
        done=frozenset(OVER),
        ended=frozenset({"merged"}),
        open_in={None: LIVE, Promise.REVIEW: OVER},
        series=(
            Series(
                Promise.UPDATE,
                moment="next_at",
                by_agreement=True,
                begins=frozenset({"categorized", "status_posted", "reopened"}),
                kept=frozenset({"status_posted", "resolved"}),
                why="the word came",
            ),
            Series(
                Promise.REVIEW,
                moment="review_by",
                by_agreement=False,
                begins=frozenset({"resolved"}),
                kept=frozenset({"reviewed"}),
                dropped=frozenset({"reopened"}),
                why="reviewed",
            ),
        ),
        owed_by={
            Promise.UPDATE: ("communications", "lead", "assignee"),
            Promise.REVIEW: ("lead", "assignee"),
        },
        keeps={
            Promise.RESPOND: ("Acknowledge", "incident ack"),
            Promise.UPDATE: ("Update", "incident update"),
            Promise.RESOLVE: ("Resolve", "incident resolve"),
            Promise.REVIEW: ("Review", "incident review"),
        },
        broken={Promise.UPDATE: "incident silence"},
    ),
    "change": Course(
        asker="requester",
        open_in={None: (ChangeState.AWAITING_APPROVAL,), Promise.REVIEW: (ChangeState.COMPLETED,)},
        series=(
            Series(
                Promise.APPROVE,
                moment="decide_by",
                kept=frozenset({"approved", "rejected", "stage_approved", "glass_broken"}),
                why="decided",
                early=1,  # what is decided when the time is over was decided by nobody
            ),
            Series(
                Promise.REVIEW,
                moment="review_by",
                kept=frozenset({"reviewed"}),
                why="reviewed",
            ),
        ),
        by_agreement=False,
    ),
    "drill": Course(
        asker="lead",
        open_in={None: (DrillState.SCHEDULED,)},
        series=(
            Series(
                Promise.DRILL,
                moment="end",
                kept=frozenset({"started"}),
                dropped=frozenset({"cancelled"}),
                why="it was held",
            ),
        ),
        by_agreement=False,
    ),
    "continuity_plan": Course(
        asker="owner",
        open_in={None: (PlanState.DRAFT, PlanState.SIGNED)},
        series=(
            Series(
                Promise.REVIEW,
                moment="review_by",
                begins=frozenset({"approved"}),
                kept=frozenset({"approved"}),
                dropped=frozenset({"withdrawn"}),
                why="signed anew",
            ),
        ),
        by_agreement=False,
    ),
    "impact_analysis": Course(
        asker="author",
        open_in={None: (AnalysisState.SIGNED,)},
        series=(
            Series(
                Promise.REVIEW,
                moment="review_by",
                kept=frozenset({"replaced"}),
                why="analysed anew",
            ),
            Series(
                Promise.DRILL,
                moment="drill_by",
                begins=frozenset({"drilled"}),
                kept=frozenset({"drilled"}),
                dropped=frozenset({"replaced"}),
                why="the service was drilled",
            ),
        ),
        by_agreement=False,
    ),
}
"""By the first word of what happens to a ticket, as in `request.taken`."""


def course_of(action: str) -> Course | None:
    """The course of the kind of ticket to which this happens; None where it moves no clock."""
    return COURSES.get(action.partition(".")[0])


def moves_clocks(
    action: str, before: Mapping[str, object] | None, after: Mapping[str, object] | None, unanswered: bool
) -> bool:
    """Whether something that happened to a ticket can move one of its clocks; `unanswered`: respond still runs.

    Most of what happens, such as a further comment, does not, and then a long history need not be read.
    """
    course = course_of(action)
    if course is None:
        return False
    was, now = before or {}, after or {}
    if any(was.get(key) != now[key] for key in ("state", "priority", "agreement_version") if key in now):
        return True
    verb = action.partition(".")[2]
    renewed = any(verb in each.begins | each.kept | each.dropped for each in course.series)
    return renewed or verb == "task_done" or (unanswered and verb in course.answers)


@dataclass(frozen=True)
class Clock:
    """One promise on one ticket, read: its name (`resolve`, `fulfil-step order`), its target's goal, the reading."""

    name: str
    promise: Promise
    goal: float
    reading: Reading

    @property
    def is_earlier(self) -> bool:
        """Whether the same was promised anew since: `update 1`, once there is a further update."""
        return self.promise is not Promise.FULFIL_STEP and self.name != str(self.promise)


@dataclass
class _Facts:
    """What one promise has been told so far; `own`: somebody named its moment, so no change of target moves it."""

    promise: Promise
    terms: Terms
    goal: float
    told: list[Fact] = field(default_factory=list)
    own: bool = False
    paused: bool = False
    stopped: bool = False
    over: bool = False

    def tell(self, fact: Fact) -> None:
        if not self.over:
            self.told.append(fact)
            self.over = isinstance(fact, Cancelled)


def clocks_of(history: Sequence[Record], definitions: Definitions, now: datetime) -> list[Clock]:
    """The clocks of a ticket as its evidence shows them at an instant, in the order in which they started."""
    facts = _Reader(definitions)
    for record in history:
        course = course_of(record.action)
        if course is not None and record.at <= now:
            facts.take(record, course)
    return [
        Clock(name, each.promise, each.goal, read(each.told, each.terms, now))
        for name, each in facts.promises.items()
        if each.told
    ]


class _Reader:
    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self.promises: dict[str, _Facts] = {}
        self._now_is: dict[str, object] = {}
        self._open = False
        self._state = ""

    def take(self, record: Record, course: Course) -> None:
        """Tell each promise what a record means for it."""
        after = dict(record.after or {})
        was = dict(self._now_is)
        self._now_is.update(after)
        if not course.by_agreement:
            self._follow_moments(record, course, was)
            return
        if not (self._now_is.get("agreement") and self._now_is.get("priority")):
            return
        if not self._open:
            self._begin(record)
        elif any(
            was.get(key) != self._now_is.get(key) for key in ("priority", "agreement", "agreement_version")
        ):
            self._retarget(record, course)
        self._follow_state(record, course, str(self._now_is.get("state", "")))
        self._follow_actions(record, course, after)

    @property
    def _agreement(self) -> tuple[Agreement, Mapping[str, Calendar]]:
        return self._definitions(str(self._now_is["agreement"]), str(self._now_is["agreement_version"]))

    def _terms(self, promise: Promise) -> Terms | None:
        agreement, calendars = self._agreement
        return terms_of(agreement, promise, Priority(str(self._now_is["priority"])), calendars)

    def _goal(self, promise: Promise) -> float:
        return next((each.goal for each in self._agreement[0].targets if each.promise == promise), 100.0)

    def _begin(self, record: Record) -> None:
        self._open = True
        for promise in (Promise.RESPOND, Promise.RESOLVE):
            self._start(str(promise), promise, record, f"{record.subject} was received")

    def _start(self, name: str, promise: Promise, record: Record, why: str) -> None:
        terms = self._terms(promise)
        if terms is None or name in self.promises:
            return
        self.promises[name] = facts = _Facts(promise, terms, self._goal(promise))
        facts.tell(Started(record.at, record.seq, why))

    def _retarget(self, record: Record, course: Course) -> None:
        priority = self._now_is["priority"]
        for facts in self.promises.values():
            terms = self._terms(facts.promise)
            if facts.own:
                continue
            if terms is None:
                facts.tell(Cancelled(record.at, record.seq, f"{priority} promises nothing of the kind"))
            elif not facts.stopped:
                facts.tell(Retargeted(record.at, record.seq, f"priority {priority}", terms=terms))
        for promise in (Promise.RESPOND, Promise.RESOLVE):
            terms = self._terms(promise)
            if terms and str(promise) not in self.promises and self.promises:
                first = next(iter(self.promises.values())).told[0]
                unbounded = Terms(_NEVER, terms.calendar, (), terms.minimum_notice)
                self.promises[str(promise)] = late = _Facts(promise, unbounded, self._goal(promise))
                late.tell(Started(first.at, first.seq, first.why))
                late.tell(Retargeted(record.at, record.seq, f"priority {priority}", terms=terms))
        for series in course.series:
            if series.by_agreement and str(series.promise) not in self.promises:
                self._renew(series, record, {})

    def _follow_state(self, record: Record, course: Course, new: str) -> None:
        old, self._state = self._state, new
        if old == new:
            return
        shown = new.replace("-", " ")
        if new == _DECIDING:
            self._start(str(Promise.APPROVE), Promise.APPROVE, record, "approval was asked for")
        elif old == _DECIDING and new not in course.ended - course.answers:  # withdrawn, it was not decided
            self._stop(Promise.APPROVE, record, f"the answer was: {shown}")
        if new in course.ended:
            self._end(record, course, new)
            return
        if new != _DECIDING:
            for task in self._tasks():
                self._start(f"{Promise.FULFIL_STEP} {task}", Promise.FULFIL_STEP, record, "work could begin")
        if new in course.done and old not in course.done:
            self._stop(Promise.RESPOND, record, shown)
            self._stop(Promise.RESOLVE, record, shown)
        elif old in course.done and new not in course.done:
            self._undo_stop(record)
        self._follow_pauses(record, new)

    def _end(self, record: Record, course: Course, state: str) -> None:
        """Nothing is owed any more; an end that is itself an answer (a person's no) may keep the promise of one."""
        answered = state in course.answers and self._is_an_answer(record, course)
        for facts in self.promises.values():
            if not facts.stopped and not (facts.promise is Promise.RESPOND and answered):
                facts.tell(Cancelled(record.at, record.seq, state))

    def _tasks(self) -> Iterator[str]:
        tasks = self._now_is.get("tasks")
        if isinstance(tasks, list | tuple):
            yield from (str(task) for task in tasks)

    def _follow_pauses(self, record: Record, state: str) -> None:
        pauses = state in self._agreement[0].pauses_in
        for facts in self.promises.values():
            if facts.promise is Promise.APPROVE or facts.stopped or facts.paused == pauses:
                continue
            facts.paused = pauses
            why = state.replace("-", " ")
            facts.tell(Paused(record.at, record.seq, why) if pauses else Resumed(record.at, record.seq, why))

    def _follow_actions(self, record: Record, course: Course, after: Mapping[str, object]) -> None:
        verb = record.action.partition(".")[2]
        if verb in course.answers and self._is_an_answer(record, course):
            self._stop(Promise.RESPOND, record, f"{verb.replace('_', ' ')} by a person")
        if verb == "task_done":
            self._stop_named(f"{Promise.FULFIL_STEP} {after.get('task')}", record, "done")
        for series in course.series:
            if verb in series.kept:
                self._stop(series.promise, record, series.why)
            if verb in series.dropped:
                self._cancel(series.promise, record, verb)
            if verb in series.begins:
                self._renew(series, record, after)

    def _is_an_answer(self, record: Record, course: Course) -> bool:
        """Whether somebody did it who can answer: not the desk, and as a rule not who asked."""
        asker = None if course.asker_answers else self._now_is.get(course.asker)
        return record.actor not in ("desk", asker)

    # Promises that are made again and again

    def _follow_moments(self, record: Record, course: Course, was: Mapping[str, object]) -> None:
        """Make, keep and drop the promises whose moments the records themselves name."""
        verb, now = record.action.partition(".")[2], self._now_is
        for series in course.series:
            if verb in series.kept:
                self._stop(series.promise, record, series.why)
            if verb in series.dropped:
                self._cancel(series.promise, record, verb)
            if was.get(series.moment) == now.get(series.moment) and verb not in series.begins:
                continue
            if now.get(series.moment) is None:
                self._cancel(series.promise, record, verb.replace("_", " "))
            else:
                self._renew(series, record, now)

    def _renew(self, series: Series, record: Record, after: Mapping[str, object]) -> None:
        """Make the promise anew; the one before keeps its clock under a number."""
        name = str(series.promise)
        earlier = self.promises.pop(name, None)
        if earlier is not None:
            if not earlier.stopped:
                earlier.tell(Cancelled(record.at, record.seq, "promised anew"))
            number = sum(1 for each in self.promises if each.startswith(f"{name} ")) + 1
            self.promises[f"{name} {number}"] = earlier
        terms = self._terms(series.promise) if series.by_agreement else None
        moment = after.get(series.moment)
        if moment is not None:
            left = (datetime.fromisoformat(str(moment)) - record.at).total_seconds()
            within = max(0, int(left) - series.early)
            terms = Terms(within, ROUND_THE_CLOCK, *((terms.warn_at,) if terms else ()))
        if terms is not None:
            own = moment is not None
            goal = self._goal(series.promise) if "agreement" in self._now_is else 100.0
            self.promises[name] = facts = _Facts(series.promise, terms, goal, own=own)
            facts.tell(Started(record.at, record.seq, record.action.partition(".")[2].replace("_", " ")))

    def _cancel(self, promise: Promise, record: Record, why: str) -> None:
        facts = self.promises.get(str(promise))
        if facts and not facts.stopped:
            facts.tell(Cancelled(record.at, record.seq, why))

    def _stop(self, promise: Promise, record: Record, why: str) -> None:
        self._stop_named(str(promise), record, why)

    def _stop_named(self, name: str, record: Record, why: str) -> None:
        facts = self.promises.get(name)
        if facts and not facts.stopped:
            facts.stopped = True
            facts.tell(Stopped(record.at, record.seq, why))

    def _undo_stop(self, record: Record) -> None:
        facts = self.promises.get(str(Promise.RESOLVE))
        if facts and facts.stopped and isinstance(facts.told[-1], Stopped):
            stop = facts.told.pop()
            facts.tell(Paused(stop.at, stop.seq, f"{stop.why}, until it was reopened"))
            facts.tell(Resumed(record.at, record.seq, "reopened"))
            facts.stopped, facts.paused = False, False
