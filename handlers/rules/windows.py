"""When services may be changed: freezes, other changes, drills, and people who are not there.

A change disturbs its own services, those that rest on them, and those that they rest on. Instants are UTC and spans
half open. A freeze is said in wall time: a time that its zone's clocks skip is read with the offset before the skip,
one that they repeat as the first occurrence (RFC 5545, 3.3.5). Only the occurrences around a window are worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from whenever import Instant, PlainDateTime

from config.policy import Freeze, Service
from config.recurrence import Recurrence, read_rule

AHEAD = timedelta(days=90)
"""So far ahead a free window is looked for."""

LONGEST = timedelta(days=30)
"""No window is longer: what takes longer is several changes."""

_DAY = timedelta(days=1)

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Frozen:
    """A span in which services are not changed. `services` are those it names (none: all), as it was declared."""

    ref: str
    name: str
    start: datetime
    end: datetime
    services: tuple[str, ...] = ()
    dependants: bool = True


@dataclass(frozen=True)
class Booking:
    """What takes place at a time: a change, or a drill. `person` makes it."""

    ref: str
    title: str
    services: tuple[str, ...]
    person: str
    start: datetime
    end: datetime
    drill: bool = False


class Kind(StrEnum):
    """What can stand in a window's way."""

    FREEZE = "freeze"
    CHANGE = "change"
    DRILL = "drill"
    ON_CALL = "on-call"
    BUSY = "busy"
    AWAY = "away"


@dataclass(frozen=True)
class Conflict:
    """Something that stands in a window's way, from when to when.

    `with_` is a reference, or a key of the policy (a freeze, a service without anybody on call, a person); `services`
    are those in question.
    """

    kind: Kind
    with_: str
    name: str
    start: datetime
    end: datetime
    services: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What stays the same while it is the same conflict, whenever it takes place."""
        return f"{self.kind}:{self.with_}"


class Estate:
    """The services with what rests on what, and the policy's freezes; made once for each version of the policy.

    It may be shared by threads: what it has worked out is only ever added.
    """

    def __init__(self, services: Mapping[str, Service], freezes: Mapping[str, Freeze]) -> None:
        below = {key: each.depends_on for key, each in services.items()}
        above: dict[str, list[str]] = {key: [] for key in services}
        for key, names in below.items():
            for name in names:
                above.setdefault(name, []).append(key)
        self._below = {key: _reach(key, below) for key in services}
        self._above = {key: _reach(key, above) for key in services}
        self._freezes = [_Repeated(each) for each in freezes.values()]
        self._of_all = [each for each in self._freezes if not each.freeze.services]
        self._of_service: dict[str, list[_Repeated]] = {}
        for each in self._freezes:
            for key in self.reached(each.freeze.services, each.freeze.dependants):
                self._of_service.setdefault(key, []).append(each)

    def reached(self, services: Iterable[str], dependants: bool = True) -> frozenset[str]:
        """These services, and those that rest on them."""
        named = frozenset(services)
        return named.union(*(self._above.get(key, frozenset()) for key in named)) if dependants else named

    def beneath(self, services: Iterable[str]) -> frozenset[str]:
        """These services, and those that they rest on: where the cause of their trouble may lie."""
        named = frozenset(services)
        return named.union(*(self._below.get(key, frozenset()) for key in named))

    def kin(self, services: Iterable[str]) -> frozenset[str]:
        """The services that a change of these can disturb, or be disturbed by: above and below, themselves included."""
        named = frozenset(services)
        return self.reached(named) | self.beneath(named)

    def frozen(self, services: Iterable[str], start: datetime, end: datetime) -> Iterator[Frozen]:
        """The spans of the policy's freezes that touch `[start, end)` and one of these services."""
        concerned = dict.fromkeys(self._of_all)
        for key in services:
            concerned.update(dict.fromkeys(self._of_service.get(key, ())))
        for each in concerned:
            yield from each.around(start, end)

    def all_frozen(self, start: datetime, end: datetime) -> Iterator[Frozen]:
        """The spans of all freezes of the policy that touch `[start, end)`."""
        for each in self._freezes:
            yield from each.around(start, end)

    def touches(self, frozen: Frozen, services: Iterable[str]) -> bool:
        """Whether a freeze holds for one of these services."""
        return not frozen.services or not self.reached(frozen.services, frozen.dependants).isdisjoint(
            services
        )


def _reach(key: str, leads_to: Mapping[str, Iterable[str]]) -> frozenset[str]:
    found = {key}
    queue = [key]
    while queue:
        for name in leads_to.get(queue.pop(), ()):
            if name not in found:
                found.add(name)
                queue.append(name)
    return frozenset(found)


# Freezes ------------------------------------------------------------------------------------------


class _Repeated:
    """A freeze of the policy, with the spans of the months that were asked for."""

    def __init__(self, freeze: Freeze) -> None:
        self.freeze = freeze
        self._rule: Recurrence | None = None
        self._months: dict[tuple[int, int], Sequence[Frozen]] = {}

    def around(self, start: datetime, end: datetime) -> Iterator[Frozen]:
        """Its spans that touch `[start, end)`."""
        freeze = self.freeze
        if freeze.repeats is None:
            once = self._once()
            if once.start < end and once.end > start:
                yield once
            return
        earliest = (
            start - timedelta(seconds=freeze.lasts or 0) - 2 * _DAY
        )  # a zone is less than a day from UTC
        month = (earliest.year, earliest.month)
        latest = end + _DAY
        while month <= (latest.year, latest.month):
            for each in self._begun_in(month):
                if each.start < end and each.end > start:
                    yield each
            month = month[0] + month[1] // 12, month[1] % 12 + 1

    def _once(self) -> Frozen:
        freeze = self.freeze
        if freeze.ends is not None:
            return self._span(instant(freeze.start, freeze.zone), instant(freeze.ends, freeze.zone))
        return self._from(freeze.start)

    def _begun_in(self, month: tuple[int, int]) -> Sequence[Frozen]:
        """Those whose first wall time lies in a month."""
        found = self._months.get(month)
        if found is None:
            freeze = self.freeze
            if self._rule is None:
                self._rule = read_rule(freeze.repeats or "", freeze.start, freeze.zone)
            first = datetime(*month, 1)  # noqa: DTZ001 - wall time
            last = datetime(month[0] + month[1] // 12, month[1] % 12 + 1, 1) - timedelta(microseconds=1)  # noqa: DTZ001
            found = tuple(self._from(wall) for wall in self._rule.between(first, last))
            self._months[month] = found
        return found

    def _from(self, wall: datetime) -> Frozen:
        """The span of one occurrence: whole days on the calendar, then the rest as it elapses (RFC 5545, 3.3.6)."""
        days, rest = divmod(self.freeze.lasts or 0, 86400)
        ends = instant(wall + timedelta(days=days), self.freeze.zone) + timedelta(seconds=rest)
        return self._span(instant(wall, self.freeze.zone), ends)

    def _span(self, start: datetime, end: datetime) -> Frozen:
        freeze = self.freeze
        return Frozen(freeze.key, freeze.name, start, end, freeze.services, freeze.dependants)


def instant(wall: datetime, zone: str) -> datetime:
    """The instant of a wall time of iCalendar in a zone, in UTC (RFC 5545, 3.3.5)."""
    return PlainDateTime(wall).assume_tz(zone, disambiguation="compatible").to_instant().to_stdlib()


# What stands in the way ---------------------------------------------------------------------------


def conflicts(
    estate: Estate,
    wanted: Booking,
    bookings: Iterable[Booking],
    declared: Iterable[Frozen] = (),
    uncovered: Callable[[str, datetime, datetime], Iterable[Span]] = lambda *_: (),
    away: Iterable[Span] = (),
) -> list[Conflict]:
    """Everything that stands in the way of `wanted` during its span, the earliest first.

    `bookings` are what else takes place, `declared` the freezes that somebody declared beside the policy's own;
    `uncovered(service, start, end)` gives the spans in which nobody is on call for a service; `away` those in which
    the person is away. What only touches the span may be handed in with the rest.
    """
    start, end = wanted.start, wanted.end
    kin = estate.kin(wanted.services)
    frozen = [
        *estate.frozen(wanted.services, start, end),
        *(each for each in declared if estate.touches(each, wanted.services)),
    ]
    found = [
        Conflict(Kind.FREEZE, each.ref, each.name, each.start, each.end, each.services) for each in frozen
    ]
    for each in bookings:
        if each.ref == wanted.ref:
            continue
        if common := tuple(key for key in each.services if key in kin):
            kind = Kind.DRILL if each.drill else Kind.CHANGE
            found.append(Conflict(kind, each.ref, each.title, each.start, each.end, common))
        if each.person == wanted.person:
            found.append(Conflict(Kind.BUSY, each.ref, each.title, each.start, each.end))
    for key in wanted.services:
        found += [Conflict(Kind.ON_CALL, key, "", *span, (key,)) for span in uncovered(key, start, end)]
    found += [Conflict(Kind.AWAY, wanted.person, "", *span) for span in away]
    touching = [each for each in found if each.start < end and each.end > start]
    return sorted(touching, key=lambda each: (each.start, each.kind, each.with_, each.end))


def next_free(
    in_the_way: Iterable[Conflict], length: timedelta, earliest: datetime, ahead: timedelta = AHEAD
) -> datetime | None:
    """The first instant from `earliest` on at which a window of this length has nothing in its way.

    `in_the_way` is whatever touches the time from `earliest` to `ahead` after it and `length` more. None when no such
    window begins within that time.
    """
    at = earliest
    for each in sorted(in_the_way, key=lambda each: each.start):
        if each.start >= at + length:
            break
        at = max(at, each.end)
    return at if at <= earliest + ahead else None


def in_common(spans: Sequence[Collection[Span]]) -> list[Span]:
    """The spans that lie in every one of several lists of spans; each list is in order and does not overlap."""
    if not spans:
        return []
    found = list(spans[0])
    for others in spans[1:]:
        found = [
            (max(start, begins), min(end, ends))
            for start, end in found
            for begins, ends in others
            if max(start, begins) < min(end, ends)
        ]
    return found


def wall_of(at: datetime, zone: str) -> datetime:
    """What a zone's clocks show at an instant."""
    return Instant(at).to_tz(zone).to_plain().to_stdlib()
