"""How an incident that nobody answers climbs: whom to page now, which levels are passed over and why, what comes next.

A climb is told facts from the evidence (it was triggered, a step was paged, somebody acknowledged it, there was
a sign of work, it is over) and asked for a reading. Nothing is kept between readings and nothing is counted in
a job: whoever asks late, or twice, gets the same answer from the same facts. Facts are taken in the order of
`seq`, the order in which they were written down, whatever a clock that was set back says about their instants.

- Every `Triggered` begins a climb at level 1, due at once: declared, reopened, an acknowledgement that lapsed,
  held work that nobody took over at the end of a turn.
- A level's wait counts round the clock from the instant at which it was really paged, so that whoever was woken
  late still has all of it. Who is in a level is looked up when it is paged, never before.
- A level with nobody in it is passed over at once, and said. Somebody named twice in a level is paged once.
- After the last round comes the fallback person, always, also when everybody else was missing or when they
  stood in a level before. It is the last step: nothing is due after it.
- An acknowledgement stops the climb. It lapses `ack_lapses` seconds after itself or the last sign of work;
  a sign of work at that instant, or later but before the lapse was written down, keeps it. Handing over to a
  named person is an `Acknowledged` by that person; handing over to nobody is a `Triggered`.
- After the desk was away, one step is paged, never one after the other for moments that are gone: levels whose
  whole turn went by meanwhile are passed over, and said, down to the level whose turn it is now. When all turns
  went by, the last level that has somebody is paged, and the fallback only after it; a climb that has paged
  nobody yet begins at level 1 however late it is. So whoever can repair it hears of it before whoever can only
  ask them to.
- Nobody is paged before their time, and nobody for an incident that is acknowledged or over.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import product
from typing import Any

from config.policy import Escalation, SeverityRule
from handlers.rules.business_time import utc
from handlers.rules.sla_clock import Fact

# Facts --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Triggered(Fact):
    """Nobody holds it from here on; begins a climb of its own, at level 1. `why` says how that came.

    It was declared or reopened, its acknowledgement lapsed, it was handed back, or its severity now asks for
    somebody to be woken.
    """


@dataclass(frozen=True)
class Paged(Fact):
    """A step of the climb was paged: that of `Reading.page`, with its round and level."""

    round: int = field(kw_only=True)
    level: int = field(kw_only=True)


@dataclass(frozen=True)
class Acknowledged(Fact):
    """Somebody holds it: they acknowledged it, took it over, or it was handed to them. Ignored when it is over."""

    by: str = field(kw_only=True)


@dataclass(frozen=True)
class Active(Fact):
    """A sign of work by a human: an update, a note, a change of severity or role. Keeps an acknowledgement alive."""


@dataclass(frozen=True)
class Escalated(Fact):
    """Somebody asked for the next level at once: the wait is over, and an acknowledgement holds no longer.

    Begins a climb of its own when the fallback was paged already. Ignored when it is over.
    """


@dataclass(frozen=True)
class Ended(Fact):
    """It was resolved, merged or closed: nobody is paged for it until it is triggered again."""


# Readings -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Roster:
    """Who can be reached at the time of asking, by the policy of today.

    `on_call` gives the person who holds a rota (by key) at an instant, None for nobody. `teams` holds members
    by team key. `known` says whether a person can be paged at all, `rooms` which rooms there are.
    """

    on_call: Callable[[str, datetime], str | None]
    teams: Mapping[str, Sequence[str]]
    known: Callable[[str], bool]
    rooms: Container[str]


class State(StrEnum):
    """How an incident stands towards those who could be woken for it."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    OVER = "over"


@dataclass(frozen=True)
class Step:
    """Somebody to page. `notify` holds keys of people, and rooms as `#room`, each once, as the policy orders them.

    Levels and rounds count from 1; the fallback is the level after the last. `at` is the instant in UTC at which
    its turn came: the reading's own instant less `at` is how late it is. `missing` says, in plain words, who
    was named in the level and is not there.
    """

    level: int
    round: int
    notify: tuple[str, ...]
    at: datetime
    fallback: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passed:
    """A level that is passed over between the last page and the one that is due now, and why in plain words."""

    level: int
    round: int
    why: str


@dataclass(frozen=True)
class Reading:
    """What a climb says at an instant; all instants are UTC.

    `climb` counts the climbs so far (from 1; 0 when it was never triggered), so that (climb, round, level) names
    a step once and for all. `since` is from when on it stands as it does. `holder` is who acknowledged it.
    `paged` holds what was paged in this climb.

    `page` is whom to page now, and `passed` which levels are passed over for it; write the page down as `Paged`
    in the transaction that sends it. `lapsed` is the instant at which the acknowledgement lapsed, where that is
    not yet written down: write a `Triggered` before the page. `next_at` is when to ask again, once that has
    been done: the end of a wait, or the lapse of the acknowledgement; None when nothing more will happen by itself.
    """

    at: datetime
    state: State
    climb: int
    since: datetime | None = None
    holder: str | None = None
    paged: tuple[Paged, ...] = ()
    page: Step | None = None
    passed: tuple[Passed, ...] = ()
    lapsed: datetime | None = None
    next_at: datetime | None = None


def read(
    escalation: Escalation, rule: SeverityRule, facts: Iterable[Fact], roster: Roster, now: datetime
) -> Reading:
    """What an incident's escalation (the copy it began with) and its severity's rule of now say about the facts.

    With `rule.page` off nobody is ever paged, while acknowledgements lapse as always. Facts of other kinds are
    ignored, so is a `Paged` outside a climb. Raises BadInstant for a `now` without a zone.
    """
    now = utc(now)
    story = _Story()
    for fact in sorted(facts, key=lambda each: each.seq):
        story.tell(fact, _last(escalation))
    lapsed = story.lapses(rule)
    if lapsed is not None and now < lapsed:
        return story.reading(now, next_at=lapsed)
    if lapsed is not None:
        story.trigger(lapsed)
    if story.state is State.OVER or not rule.page:
        return story.reading(now, lapsed=lapsed)
    due = story.due(escalation)
    if due is None or now < due:
        return story.reading(now, next_at=due, lapsed=lapsed)
    page, passed = _choose(escalation, story, roster, due, now)
    again = None if page.fallback else now + _wait(escalation, page.level)
    return story.reading(now, page=page, passed=passed, next_at=again, lapsed=lapsed)


@dataclass
class _Story:
    """What the facts so far come to; `signed` is the last sign of work, `hurried` when the wait was cut short."""

    state: State = State.OVER
    climb: int = 0
    since: datetime | None = None
    holder: str | None = None
    paged: tuple[Paged, ...] = ()
    signed: datetime | None = None
    hurried: datetime | None = None

    def trigger(self, at: datetime) -> None:
        self.state, self.climb, self.since = State.TRIGGERED, self.climb + 1, at
        self.holder, self.paged, self.hurried = None, (), None

    def tell(self, fact: Fact, last: tuple[int, int]) -> None:
        """Take one more fact; `last` is the round and level of the fallback."""
        if isinstance(fact, Triggered):
            self.trigger(fact.at)
        elif self.state is State.OVER:
            return
        elif isinstance(fact, Ended):
            self.state, self.since, self.holder = State.OVER, fact.at, None
        elif isinstance(fact, Acknowledged):
            self.state, self.since, self.holder, self.signed = State.ACKNOWLEDGED, fact.at, fact.by, fact.at
        elif isinstance(fact, Escalated):
            self._hurry(fact.at, last)
        elif isinstance(fact, Paged) and self.state is State.TRIGGERED:
            self.paged, self.hurried = (*self.paged, fact), None
        elif isinstance(fact, Active):
            self.signed = fact.at

    def _hurry(self, at: datetime, last: tuple[int, int]) -> None:
        if self.paged and (self.paged[-1].round, self.paged[-1].level) == last:
            self.trigger(at)
        else:
            self.since = at if self.state is State.ACKNOWLEDGED else self.since
            self.state, self.holder, self.hurried = State.TRIGGERED, None, at

    def lapses(self, rule: SeverityRule) -> datetime | None:
        """When the acknowledgement lapses, unless there is none or another sign of work."""
        if self.state is not State.ACKNOWLEDGED or self.signed is None:
            return None
        return self.signed + timedelta(seconds=rule.ack_lapses)

    def due(self, escalation: Escalation) -> datetime | None:
        """When the next step's turn comes; None after the fallback."""
        if not self.paged:
            return self.since
        last = self.paged[-1]
        if (last.round, last.level) == _last(escalation):
            return None
        return self.hurried or last.at + _wait(escalation, last.level)

    def reading(self, now: datetime, **found: Any) -> Reading:
        return Reading(now, self.state, self.climb, self.since, self.holder, self.paged, **found)


def _last(escalation: Escalation) -> tuple[int, int]:
    """The round and level of the fallback: the level after the last, in the last round."""
    return escalation.rounds, len(escalation.levels) + 1


def _wait(escalation: Escalation, level: int) -> timedelta:
    return timedelta(seconds=escalation.levels[level - 1].wait)


def _choose(
    escalation: Escalation, story: _Story, roster: Roster, turn: datetime, now: datetime
) -> tuple[Step, tuple[Passed, ...]]:
    """The step to page now, and the levels passed over for it; `turn` is when the next level's turn came."""
    rounds, end = _last(escalation)
    before = (story.paged[-1].round, story.paged[-1].level) if story.paged else (0, 0)
    found, passed = None, []
    for round_, level in product(range(1, rounds + 1), range(1, end)):
        if (round_, level) <= before:
            continue
        names, missing = _people(escalation.levels[level - 1].notify, roster, now)
        if not names:
            passed.append(Passed(level, round_, "; ".join(missing)))
            continue
        found = Step(level, round_, names, turn, missing=missing), tuple(passed)
        turn += _wait(escalation, level)
        if now < turn or not story.paged:
            break
        passed.append(Passed(level, round_, "its turn went by while the desk was not awake"))
    return found or (Step(end, rounds, (escalation.fallback,), turn, fallback=True), tuple(passed))


def _people(notify: Sequence[str], roster: Roster, now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whom a level means at an instant, each once; and in plain words who of those it names is not there."""
    found: dict[str, None] = {}
    missing: dict[str, None] = {}
    for name in notify:
        if name.startswith("#"):
            here, gone = ([name], []) if name[1:] in roster.rooms else ([], [f"there is no room {name}"])
        else:
            people, otherwise = _named(name, roster, now)
            here = [person for person in people if roster.known(person)]
            gone = [f"{person} is not known any more" for person in people if person not in here]
            gone = gone if people else [otherwise]
        found.update(dict.fromkeys(here))
        missing.update(dict.fromkeys(gone))
    return tuple(found), tuple(missing)


def _named(name: str, roster: Roster, now: datetime) -> tuple[Sequence[str], str]:
    """The people behind a name, and what to say when there are none."""
    if name.startswith("rota:"):
        holder = roster.on_call(name.removeprefix("rota:"), now)
        return [holder] if holder else [], f"nobody is on call in {name}"
    if name.startswith("@"):
        return roster.teams.get(name[1:], ()), f"{name} has nobody"
    return [name], ""
