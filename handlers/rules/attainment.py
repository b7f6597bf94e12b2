"""Attainment: how many of the promises that were settled were kept, with and without what was left out.

A promise is settled on the day on which it was kept, or broken; it stays with that day. An excluded one was broken,
and two people agreed to leave it out: both figures are always shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

KEPT, BROKEN, EXCLUDED = "kept", "broken", "excluded"


@dataclass(frozen=True)
class Attainment:
    """So many promises of one target kept, broken, and broken but left out; `goal` in per cent."""

    goal: float = 100.0
    kept: int = 0
    broken: int = 0
    excluded: int = 0

    @property
    def settled(self) -> int:
        """How many count when nothing is left out."""
        return self.kept + self.broken + self.excluded

    @property
    def share(self) -> float | None:
        """The share that was kept, in per cent, without what was left out; None without an occasion."""
        return _share(self.kept, self.kept + self.broken)

    @property
    def share_of_all(self) -> float | None:
        """The same with what was left out counted as the breach that it was."""
        return _share(self.kept, self.settled)

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached, without what was left out; None without an occasion."""
        return None if self.share is None else self.share >= self.goal

    def __add__(self, other: Attainment) -> Attainment:
        return Attainment(
            max(self.goal, other.goal)
            if self.settled and other.settled
            else (self if self.settled else other).goal,
            self.kept + other.kept,
            self.broken + other.broken,
            self.excluded + other.excluded,
        )


def _share(kept: int, settled: int) -> float | None:
    return 100 * kept / settled if settled else None


def attained(goal: float, came_to: Iterable[tuple[str, int]]) -> Attainment:
    """The attainment that follows from (outcome, number) pairs."""
    found = dict.fromkeys((KEPT, BROKEN, EXCLUDED), 0)
    for outcome, number in came_to:
        found[outcome] += number
    return Attainment(goal, found[KEPT], found[BROKEN], found[EXCLUDED])


def tenths(share: float) -> float:
    """A share in whole tenths of a per cent, never rounded up to a goal that was missed."""
    return int(share * 10) / 10


def shown(share: float | None) -> str:
    """A share in words, as figures and charts tell it: `99.9 %`, and `100 %` only for all."""
    return "no occasion yet" if share is None else f"{tenths(share):g} %"


@dataclass(frozen=True)
class Step:
    """A part of a trend: its name, from its first day (included) to its last (not included)."""

    name: str
    first: date
    end: date


STEPS_AT_MOST = 20
"""No chart has more categories."""


def steps(first: date, end: date) -> Sequence[Step]:
    """The days, weeks, months or quarters between two days: the finest of these that make no more than 20 steps.

    The first and the last may be cut short. More than 20 quarters: only the last 20.
    """
    days = [first + timedelta(days=each) for each in range((end - first).days)]
    cuts = [(list(dict.fromkeys(map(begins, days))), name) for begins, name in _FINER]
    starts, name = next((each for each in cuts if len(each[0]) <= STEPS_AT_MOST), cuts[-1])
    ends = [*starts[1:], end]
    found = [Step(name(start), max(start, first), stop) for start, stop in zip(starts, ends, strict=True)]
    return found[-STEPS_AT_MOST:]


def _day(day: date) -> str:
    return f"{day:%d %b}"


def _quarter(day: date) -> date:
    return day.replace(month=3 * ((day.month - 1) // 3) + 1, day=1)


_FINER: Sequence[tuple[Callable[[date], date], Callable[[date], str]]] = (
    (lambda day: day, _day),
    (lambda day: day - timedelta(days=day.weekday()), lambda day: f"week {day.isocalendar().week}"),
    (lambda day: day.replace(day=1), lambda day: f"{day:%b %Y}"),
    (_quarter, lambda day: f"{day.year} Q{(day.month + 2) // 3}"),
)
"""From a day to the first day of its step, and what that is called; the finest first."""
