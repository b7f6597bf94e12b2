"""Forecast: the chance that a promise is broken, from how long the same kind of work took before.

How long work takes is estimated by Kaplan and Meier (1958): the share of past promises that were still open after so
much business time, where those that are open now, or were cancelled, count for as long as they were seen. The chance
of a breach is what that share falls to at the due moment, against what it is now. Nothing is fitted or assumed, so the
sentence beside each chance says all there is to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

ENOUGH = 10
"""From fewer past promises that were still open after the same time, nothing is concluded."""


@dataclass(frozen=True)
class Past:
    """A promise that ran for `spent` business seconds of the `allowed` ones.

    `done` says that it was kept then, late or not; otherwise it was only seen for so long: it was cancelled, or is
    open still. `groups` are what it is like, from the narrowest to the widest.
    """

    groups: tuple[Hashable, ...]
    spent: int
    allowed: int
    done: bool

    @property
    def broken(self) -> bool:
        """Whether it took longer than it was allowed to."""
        return self.spent > self.allowed


class Durations:
    """How long the promises of one group took."""

    def __init__(self, past: Iterable[Past]) -> None:
        self._past = tuple(past)

    @cached_property
    def _seen(self) -> Sequence[int]:
        return sorted(each.spent for each in self._past)

    @cached_property
    def _survival(self) -> Any:
        from scipy import stats  # late: it takes half a second that only a forecast needs

        done = [each.spent for each in self._past if each.done]
        seen = [each.spent for each in self._past if not each.done]
        return stats.ecdf(stats.CensoredData(uncensored=done, right=seen)).sf

    def still_open(self, after: int) -> int:
        """How many of them were still open after so many business seconds."""
        return sum(1 for each in self._seen if each >= after)

    def chance(self, spent: int, allowed: int) -> float:
        """The chance that one which is open after `spent` takes longer than `allowed`."""
        if not any(each.done for each in self._past):
            return 0.0
        now, then = (float(each) for each in self._survival.evaluate([spent, allowed]))
        return min(1.0, then / now) if now > 0 else 1.0


@dataclass(frozen=True)
class Chance:
    """The chance of a breach from 0 to 1, the group it was concluded from, and how many of that were open as long."""

    chance: float
    group: Hashable
    like: int


class Forecast:
    """What the past says about promises that are open."""

    def __init__(self, past: Sequence[Past]) -> None:
        found: Mapping[Hashable, list[Past]] = defaultdict(list)
        for each in past:
            for group in each.groups:
                found[group].append(each)
        self._durations = {group: Durations(members) for group, members in found.items()}

    def of(self, groups: Sequence[Hashable], spent: int, allowed: int) -> Chance | None:
        """The chance for a promise, from the narrowest group with enough to go by; None where there is none."""
        for group in groups:
            durations = self._durations.get(group)
            if durations is not None and (like := durations.still_open(spent)) >= ENOUGH:
                return Chance(durations.chance(spent, allowed), group, like)
        return None


# How good it is -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Calibration:
    """How far forecasts were from what came (Brier score, 0 is perfect), beside always saying the usual share.

    `bins` are (what was said on average, what came, how many) for forecasts that said about the same.
    """

    number: int
    brier: float
    naive: float
    bins: tuple[tuple[float, float, int], ...] = ()


TRIED_AT_LEAST = 30
"""From fewer trials the method's accuracy is not told."""


def calibrate(past: Sequence[Past]) -> Calibration | None:
    """Forecast the last third of what has ended from the first two, each promise as it stood half way to its moment.

    The naive answer is the share of the earlier ones, open half way too, that were broken. None where the past is
    too short to tell.
    """
    cut = len(past) * 2 // 3
    known, tried = past[:cut], [each for each in past[cut:] if _open_half_way(each) and each.done]
    halfway = [each for each in known if _open_half_way(each) and each.done]
    if len(tried) < TRIED_AT_LEAST or not halfway:
        return None
    usual = sum(each.broken for each in halfway) / len(halfway)
    forecast = Forecast(known)
    said = []
    for each in tried:
        chance = forecast.of(each.groups, each.allowed // 2, each.allowed)
        said.append(usual if chance is None else chance.chance)
    came = [float(each.broken) for each in tried]
    return Calibration(len(tried), _brier(said, came), _brier([usual] * len(came), came), _bins(said, came))


def _open_half_way(past: Past) -> bool:
    return past.spent >= past.allowed // 2


def _brier(said: Sequence[float], came: Sequence[float]) -> float:
    return sum((each - other) ** 2 for each, other in zip(said, came, strict=True)) / len(came)


def _bins(said: Sequence[float], came: Sequence[float]) -> tuple[tuple[float, float, int], ...]:
    found: Mapping[int, list[tuple[float, float]]] = defaultdict(list)
    for pair in zip(said, came, strict=True):
        found[min(4, int(pair[0] * 5))].append(pair)
    return tuple(
        (
            sum(s for s, _ in found[at]) / len(found[at]),
            sum(c for _, c in found[at]) / len(found[at]),
            len(found[at]),
        )
        for at in sorted(found)
    )
