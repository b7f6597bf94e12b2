"""How long recovery took and how much data was lost, service by service, read from the evidence of a drill.

- **RTO actual** of a service: from the disruption as it was declared to the instant at which its recovery criterion
  was confirmed. Neither the first step nor the last has any part in it.
- Time in which a drill was paused lies between and is not counted, since nobody worked on it; it is always told
  beside the figure, together with the time by the clock on the wall. A real disruption is never paused.
- **RPO actual** of a service: the disruption less the newest data marker that was found after recovery.
- What is entered later about the same service, or about the disruption, stands in place of what was entered before,
  from whenever it is read on: the last entry in the order of `seq` counts, and every one of them stays on file.
- Exactly in time is in time.

Nothing is kept between readings and nothing is added up in a job: whoever asks again gets the same from the same facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from handlers.rules.business_time import utc
from handlers.rules.ledger import Record
from handlers.rules.sla_clock import Fact

Span = tuple[datetime, datetime]

# Facts --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Aim:
    """What the owner of a service has signed, in seconds; None where nothing is signed. `analysis` is its reference."""

    rto: int | None = None
    rpo: int | None = None
    analysis: str | None = None


@dataclass(frozen=True)
class Disrupted(Fact):
    """The disruption was declared for an instant, or declared anew for another one."""

    disruption: datetime = field(kw_only=True)


@dataclass(frozen=True)
class Aimed(Fact):
    """What is to be recovered, and within what, by the key of the service."""

    aims: Mapping[str, Aim] = field(kw_only=True)


@dataclass(frozen=True)
class Recovered(Fact):
    """A service's recovery criterion was met at an instant; `data` is its newest recovered data marker."""

    service: str = field(kw_only=True)
    recovered: datetime = field(kw_only=True)
    data: datetime | None = field(kw_only=True, default=None)


@dataclass(frozen=True)
class Paused(Fact):
    """Nobody works on it from here on."""


@dataclass(frozen=True)
class Resumed(Fact):
    """It goes on."""


@dataclass(frozen=True)
class Ended(Fact):
    """It is over; `aborted` says that it was broken off."""

    aborted: bool = field(kw_only=True, default=False)


# Reading ------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What came of a target."""

    MET = "met"
    MISSED = "missed"
    RUNNING = "running"
    NOT_RECOVERED = "not recovered"
    NOT_MEASURED = "not measured"
    NO_TARGET = "no signed target"


@dataclass(frozen=True)
class Measured:
    """What was measured of one service. Every length is time that really elapsed, in UTC.

    `by_the_clock` is `rto` with the time in which the drill was `paused`. `entries` are the rows of the evidence that
    were entered about its recovery, the last of which counts.
    """

    service: str
    aim: Aim
    recovered: datetime | None
    data: datetime | None
    rto: timedelta | None
    paused: timedelta
    by_the_clock: timedelta | None
    rpo: timedelta | None
    rto_verdict: Verdict
    rpo_verdict: Verdict
    entries: tuple[int, ...] = ()

    @property
    def within(self) -> bool | None:
        """Whether every signed target was met; None while that cannot be said."""
        verdicts = {self.rto_verdict, self.rpo_verdict} - {Verdict.NO_TARGET}
        if verdicts & {Verdict.MISSED, Verdict.NOT_RECOVERED}:
            return False
        return True if verdicts == {Verdict.MET} else None


@dataclass(frozen=True)
class Reading:
    """How a drill stands: when it was disrupted, what each service took, and when nobody worked on it."""

    disruption: datetime | None
    services: tuple[Measured, ...]
    paused: tuple[Span, ...]
    ended: datetime | None
    aborted: bool

    @property
    def within(self) -> bool | None:
        """Whether all of it was within the signed targets; None while that cannot be said."""
        found = [each.within for each in self.services]
        return False if False in found else True if found and None not in found else None


class Impossible(ValueError):
    """Two instants that cannot both be right; the sentence says which."""


def require_possible(disruption: datetime, recovered: datetime, data: datetime | None) -> None:
    """Raise Impossible for a recovery before the disruption, or data that is newer than the disruption."""
    if recovered < disruption:
        raise Impossible("The recovery would lie before the disruption.")
    if data is not None and data > disruption:
        raise Impossible(
            "The data marker would be later than the disruption: data from after it cannot have been lost with it."
        )


def measure(facts: Iterable[Fact], now: datetime) -> Reading:
    """What the facts of one drill come to at `now`. Raises Impossible for facts that contradict each other."""
    told = sorted(facts, key=lambda each: each.seq)
    disruption: datetime | None = None
    aims: dict[str, Aim] = {}
    recovered: dict[str, list[Recovered]] = {}
    ended: Ended | None = None
    for fact in told:
        match fact:
            case Disrupted():
                disruption = utc(fact.disruption)
            case Aimed():
                aims = dict(fact.aims)
            case Recovered():
                recovered.setdefault(fact.service, []).append(fact)
            case Ended():
                ended = ended or fact
    until = ended.at if ended else utc(now)
    pauses = _pauses(told, until)
    return Reading(
        disruption=disruption,
        services=tuple(
            _measured(key, aim, disruption, recovered.get(key, []), pauses, until, over=ended is not None)
            for key, aim in aims.items()
        ),
        paused=pauses,
        ended=ended.at if ended else None,
        aborted=ended is not None and ended.aborted,
    )


def _pauses(facts: Sequence[Fact], until: datetime) -> tuple[Span, ...]:
    """The spans in which nobody worked on it; one that nobody ended lasts until the end."""
    spans: list[Span] = []
    since: datetime | None = None
    for fact in facts:
        if isinstance(fact, Paused) and since is None:
            since = fact.at
        elif isinstance(fact, Resumed) and since is not None:
            spans.append((since, max(since, fact.at)))
            since = None
    if since is not None and since < until:
        spans.append((since, until))
    return tuple(spans)


def overlap(spans: Iterable[Span], start: datetime, end: datetime) -> timedelta:
    """How much of `[start, end)` lies in these spans, which do not overlap each other."""
    parts = (min(end, last) - max(start, first) for first, last in spans)
    return sum((part for part in parts if part > timedelta()), timedelta())


def _measured(
    service: str,
    aim: Aim,
    disruption: datetime | None,
    entries: Sequence[Recovered],
    pauses: Sequence[Span],
    until: datetime,
    *,
    over: bool,
) -> Measured:
    last = entries[-1] if entries else None
    by_the_clock = rto = rpo = None
    paused = timedelta()
    if disruption is not None:
        end = utc(last.recovered) if last else max(until, disruption)
        if last:
            require_possible(disruption, end, last.data)
            rpo = disruption - utc(last.data) if last.data else None
        paused = overlap(pauses, disruption, end)
        by_the_clock, rto = end - disruption, end - disruption - paused
    return Measured(
        service=service,
        aim=aim,
        recovered=utc(last.recovered) if last else None,
        data=utc(last.data) if last and last.data else None,
        rto=rto if last else None,
        paused=paused,
        by_the_clock=by_the_clock if last else None,
        rpo=rpo,
        rto_verdict=_rto_verdict(aim.rto, rto, recovered=last is not None, over=over),
        rpo_verdict=_rpo_verdict(aim.rpo, rpo, over=over),
        entries=tuple(each.seq for each in entries),
    )


def _rto_verdict(aim: int | None, taken: timedelta | None, *, recovered: bool, over: bool) -> Verdict:
    if aim is None:
        return Verdict.NO_TARGET
    if taken is None:
        return Verdict.NOT_MEASURED if over else Verdict.RUNNING
    if taken > timedelta(seconds=aim):
        return Verdict.MISSED  # also while it is not recovered: it can only become later
    if recovered:
        return Verdict.MET
    return Verdict.NOT_RECOVERED if over else Verdict.RUNNING


def _rpo_verdict(aim: int | None, lost: timedelta | None, *, over: bool) -> Verdict:
    if aim is None:
        return Verdict.NO_TARGET
    if lost is None:
        return Verdict.NOT_MEASURED if over else Verdict.RUNNING
    return Verdict.MET if lost <= timedelta(seconds=aim) else Verdict.MISSED


# From the evidence --------------------------------------------------------------------------------


def facts_of(records: Iterable[Record]) -> list[Fact]:
    """What the evidence of a drill says about its clock."""
    found: list[Fact] = []
    for record in records:
        after: Mapping[str, Any] = record.after or {}
        at, seq = record.at, record.seq
        match record.action:
            case "drill.started" | "continuity_plan.invoked":
                aims = {key: Aim(**aim) for key, aim in after["aims"].items()}
                found.append(Aimed(at, seq, aims=aims))
            case "drill.disrupted" | "drill.disruption_corrected":
                found.append(Disrupted(at, seq, disruption=_instant(after["disruption"])))
            case "drill.recovered" | "drill.recovery_corrected":
                data = _instant(after["data"]) if after.get("data") else None
                found.append(
                    Recovered(
                        at, seq, service=after["service"], recovered=_instant(after["recovered"]), data=data
                    )
                )
            case "drill.paused":
                found.append(Paused(at, seq))
            case "drill.resumed":
                found.append(Resumed(at, seq))
            case "drill.completed" | "drill.aborted":
                found.append(Ended(at, seq, aborted=record.action == "drill.aborted"))
    return found


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
