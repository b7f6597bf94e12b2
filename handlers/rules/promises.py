"""From a ticket's evidence to the clocks of its agreement: which facts each promise is told.

The ledger is the only history. A record says what state a ticket is in after it (`after.state`), its priority,
agreement and tasks; from that each promise learns when it started, paused, got another target and stopped.
A stop that was undone by a reopening counts as a pause, because the original promise goes on.
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

ANSWERS = frozenset({"taken", "commented", "waiting", "task_done", "fulfilled", "rejected"})
"""What a human other than the requester does that answers: the respond promise is kept by it."""

_DECIDING = "awaiting-approval"
_STOPS = frozenset({"fulfilled", "closed"})
_ENDS = frozenset({"rejected", "cancelled"})
_NEVER = 10 * 366 * 86400

Definitions = Callable[[str, str], tuple[Agreement, Mapping[str, Calendar]]]
"""(agreement key, version) → the agreement and its calendars as they were then."""


def moves_clocks(
    action: str, before: Mapping[str, object] | None, after: Mapping[str, object] | None, unanswered: bool
) -> bool:
    """Whether something that happened to a ticket can move one of its clocks; `unanswered`: respond still runs.

    Most of what happens, such as a further comment, does not, and then a long history need not be read.
    """
    was, now = before or {}, after or {}
    if any(was.get(key) != now[key] for key in ("state", "priority", "agreement_version") if key in now):
        return True
    verb = action.partition(".")[2]
    return verb == "task_done" or (unanswered and verb in ANSWERS)


@dataclass(frozen=True)
class Clock:
    """One promise on one ticket, read: its name (`resolve`, `fulfil-step order`), its target's goal, the reading."""

    name: str
    promise: Promise
    goal: float
    reading: Reading


@dataclass
class _Facts:
    """What one promise has been told so far."""

    promise: Promise
    terms: Terms
    goal: float
    told: list[Fact] = field(default_factory=list)
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
        if record.at <= now and not record.action.startswith(("sla.", "notice.")):
            facts.take(record)
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

    def take(self, record: Record) -> None:
        """Tell each promise what a record means for it."""
        after = dict(record.after or {})
        was = dict(self._now_is)
        self._now_is.update(after)
        if "agreement" in after and not was:
            self._open(record)
        elif any(
            was.get(key) != self._now_is.get(key) for key in ("priority", "agreement", "agreement_version")
        ):
            self._retarget(record)
        if not self._now_is.get("agreement"):
            return
        self._follow_state(record, str(was.get("state", "")), str(self._now_is.get("state", "")))
        self._follow_actions(record, after)

    @property
    def _agreement(self) -> tuple[Agreement, Mapping[str, Calendar]]:
        return self._definitions(str(self._now_is["agreement"]), str(self._now_is["agreement_version"]))

    def _terms(self, promise: Promise) -> Terms | None:
        agreement, calendars = self._agreement
        return terms_of(agreement, promise, Priority(str(self._now_is["priority"])), calendars)

    def _goal(self, promise: Promise) -> float:
        return next((each.goal for each in self._agreement[0].targets if each.promise == promise), 100.0)

    def _open(self, record: Record) -> None:
        for promise in (Promise.RESPOND, Promise.RESOLVE):
            self._start(str(promise), promise, record, f"{record.subject} was received")

    def _start(self, name: str, promise: Promise, record: Record, why: str) -> None:
        terms = self._terms(promise)
        if terms is None or name in self.promises:
            return
        self.promises[name] = facts = _Facts(promise, terms, self._goal(promise))
        facts.tell(Started(record.at, record.seq, why))

    def _retarget(self, record: Record) -> None:
        priority = self._now_is["priority"]
        for facts in self.promises.values():
            terms = self._terms(facts.promise)
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

    def _follow_state(self, record: Record, old: str, new: str) -> None:
        if old == new:
            return
        shown = new.replace("-", " ")
        if new == _DECIDING:
            self._start(str(Promise.APPROVE), Promise.APPROVE, record, "approval was asked for")
        elif old == _DECIDING:
            self._stop(Promise.APPROVE, record, f"the answer was: {shown}")
        if new in _ENDS:
            self._end(record, new)
            return
        if new != _DECIDING:
            for task in self._tasks():
                self._start(f"{Promise.FULFIL_STEP} {task}", Promise.FULFIL_STEP, record, "work could begin")
        if new in _STOPS and old not in _STOPS:
            self._stop(Promise.RESPOND, record, shown)
            self._stop(Promise.RESOLVE, record, shown)
        elif old in _STOPS and new not in _STOPS:
            self._undo_stop(record)
        self._follow_pauses(record, new)

    def _end(self, record: Record, state: str) -> None:
        """Nothing is owed any more; only a rejection is an answer, and may keep the promise of one."""
        for facts in self.promises.values():
            if not facts.stopped and not (facts.promise is Promise.RESPOND and state == "rejected"):
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

    def _follow_actions(self, record: Record, after: Mapping[str, object]) -> None:
        verb = record.action.partition(".")[2]
        if verb in ANSWERS and record.actor not in ("desk", self._now_is.get("requester")):
            self._stop(Promise.RESPOND, record, f"{verb.replace('_', ' ')} by a person")
        if verb == "task_done":
            self._stop_named(f"{Promise.FULFIL_STEP} {after.get('task')}", record, "done")

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
