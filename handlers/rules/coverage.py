"""From what is on file to a matrix of process areas, goals and practices: evidence on file, never a rating.

Nothing is averaged: a goal stands as its weakest practice does (SCAMPI MDD V1.3, on goal satisfaction). What nobody
had an occasion for is told apart from what was not done: where a process area left any evidence at all, its other
practices had their occasion. Practices that no command gives evidence for are told apart, too: their evidence lies
elsewhere, and this desk cannot speak for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from config.policy import EvidenceRules
from config.vocabulary import Framework, Link, Practice, ProcessArea


class FileState(StrEnum):
    """How a practice stands on file, the weakest first."""

    NOT_DONE = "not done"
    STALE = "stale"
    ELSEWHERE = "not gathered here"
    NO_OCCASION = "no occasion yet"
    ON_FILE = "on file"


_STRENGTH = {state: place for place, state in enumerate(FileState)}


@dataclass(frozen=True)
class Found:
    """What was found for one practice: how many records in the period, the newest of all, `seq` of samples."""

    count: int = 0
    newest: datetime | None = None
    samples: tuple[int, ...] = ()


@dataclass(frozen=True)
class PracticeFile:
    """A practice and what is on file for it."""

    code: str
    title: str
    state: FileState
    found: Found


@dataclass(frozen=True)
class GoalFile:
    """A goal: no stronger than its weakest practice, which is named unless all are on file."""

    code: str
    title: str
    practices: tuple[PracticeFile, ...]

    @property
    def state(self) -> FileState:
        """The state of its weakest practice."""
        return min((each.state for each in self.practices), key=_STRENGTH.__getitem__)

    @property
    def weakest(self) -> PracticeFile | None:
        """The practice that bounds it; None when all are on file."""
        bound = min(self.practices, key=lambda each: _STRENGTH[each.state])
        return None if bound.state is FileState.ON_FILE else bound


@dataclass(frozen=True)
class AreaFile:
    """A process area. One that the organisation left out has the reason, and no goals."""

    code: str
    name: str
    goals: tuple[GoalFile, ...]
    left_out: str | None = None

    @property
    def practices(self) -> tuple[PracticeFile, ...]:
        """The practices of all its goals."""
        return tuple(practice for goal in self.goals for practice in goal.practices)

    @property
    def on_file(self) -> int:
        """How many practices have fresh evidence on file."""
        return sum(each.state is FileState.ON_FILE for each in self.practices)

    @property
    def newest(self) -> datetime | None:
        """The newest evidence of all."""
        return max((each.found.newest for each in self.practices if each.found.newest), default=None)


@dataclass(frozen=True)
class CoverageReport:
    """Evidence on file: of a service (its name) or of the whole desk, in a period as it is called."""

    service: str | None
    period: str
    now: datetime
    areas: tuple[AreaFile, ...]

    @property
    def practices(self) -> Mapping[str, PracticeFile]:
        """Every practice in scope, by code."""
        return {each.code: each for area in self.areas for each in area.practices}


def coverage_report(
    areas: Mapping[str, ProcessArea],
    found: Mapping[str, Found],
    gathered: Collection[str],
    rules: EvidenceRules,
    service: str | None,
    period: str,
    now: datetime,
) -> CoverageReport:
    """The matrix. `found` says what is on file by practice, `gathered` which practices any command speaks for."""
    return CoverageReport(
        service, period, now, tuple(_area(each, found, gathered, rules, now) for each in areas.values())
    )


def _area(
    area: ProcessArea,
    found: Mapping[str, Found],
    gathered: Collection[str],
    rules: EvidenceRules,
    now: datetime,
) -> AreaFile:
    if area.code in rules.left_out:
        return AreaFile(area.code, area.name, (), rules.left_out[area.code])
    worked = any(
        found[practice.code].newest
        for goal in area.goals
        for practice in goal.practices
        if practice.code in found
    )
    fresh = timedelta(seconds=rules.fresh_in.get(area.code, rules.fresh))

    def of(practice: Practice) -> PracticeFile:
        known = found.get(practice.code, Found())
        return PracticeFile(practice.code, practice.title, state_of(known, practice.code in gathered), known)

    def state_of(known: Found, is_gathered: bool) -> FileState:
        if known.newest is None:
            if not is_gathered:
                return FileState.ELSEWHERE
            return FileState.NOT_DONE if worked else FileState.NO_OCCASION
        if known.newest <= now - fresh:
            return FileState.STALE
        return FileState.ON_FILE if known.count else FileState.NO_OCCASION

    return AreaFile(
        area.code,
        area.name,
        tuple(GoalFile(goal.code, goal.title, tuple(map(of, goal.practices))) for goal in area.goals),
    )


def gaps(report: CoverageReport) -> Sequence[PracticeFile]:
    """What was not done, then what is stale, the oldest first."""
    open_ones = [
        each for each in report.practices.values() if each.state in (FileState.NOT_DONE, FileState.STALE)
    ]
    return sorted(
        open_ones, key=lambda each: (_STRENGTH[each.state], each.found.newest or report.now, each.code)
    )


@dataclass(frozen=True)
class Mapped:
    """A target of another framework, with the practices that lead there; it stands as the weakest of them."""

    target: str
    relation: str
    practices: tuple[PracticeFile, ...]

    @property
    def state(self) -> FileState:
        """The state of the weakest practice that leads there."""
        return min((each.state for each in self.practices), key=_STRENGTH.__getitem__)


def mapped(
    report: CoverageReport, links: Mapping[str, Mapping[Framework, tuple[Link, ...]]], framework: Framework
) -> Sequence[Mapped]:
    """The same evidence by the parts of another framework, in the order of their names. Links are by practice.

    What this desk does not gather is left out, so that a part of a framework is judged by what the desk knows of it.
    """
    found: dict[str, dict[str, PracticeFile]] = {}
    primary: set[str] = set()
    for code, practice in report.practices.items():
        if practice.state is FileState.ELSEWHERE:
            continue
        for link in links.get(code, {}).get(framework, ()):
            found.setdefault(link.target, {})[code] = practice
            if link.relation == "primary":
                primary.add(link.target)
    return [
        Mapped(target, "primary" if target in primary else "supporting", tuple(practices.values()))
        for target, practices in sorted(found.items())
    ]
