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
- After the desk was down, at most one step is paged: levels whose whole turn went by meanwhile are passed over,
  and said, down to the level whose turn it is now (or the last one that has somebody). Waiting people are never paged one after
  the other for moments that are gone. The first level of a climb is never passed over for being late, nor is
  the fallback paged while no level was: whoever can repair it hears of it before whoever can only ask them.
- Nobody is paged before their time, and nobody for an incident that is acknowledged or over.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from config.policy import Escalation, SeverityRule
from handlers.rules.sla_clock import Fact

# Facts --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Triggered(Fact):
    """Nobody holds it from here on: it was declared or reopened, its acknowledgement lapsed, or it was handed back.

    Begins a climb of its own, at level 1. `why` says which of these it was.
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
    """Somebody asked for the next level at once: the wait is over, and an acknowledgement holds no longer."""


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
    a step once and for all. `since` is when the climb began, or when it was acknowledged or over. `holder` is
    who acknowledged it. `paged` holds what was paged in this climb.

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
    raise NotImplementedError
