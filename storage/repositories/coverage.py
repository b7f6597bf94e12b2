"""How much evidence is on file for each practice: tallies that follow the ledger, so that nothing is counted twice.

Whoever appends to the ledger pays nothing: the tallies reach up to a record, `fold` moves them on from time to
time, and what lies behind that record is counted when somebody asks. A record belongs to the services that its
subject had named last, up to that record; every record counts once for the desk as a whole (service `""`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, column, delete, or_, select, table, text
from sqlmodel import Session

from storage.repositories.flow import Facts
from storage.repositories.ledger import Ledger
from storage.statements import Prepared

FOLDED = "evidence-folded"
"""The fact that says up to which record the tallies reach, and in which zone their days are."""

AT_ONCE = 5000
"""How many records are folded in one transaction."""

WHOLE_DESK = ""
_SAMPLES = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Without types, as in the ledger: only texts and whole numbers are needed, and there may be many rows.
_evidence = table("evidence", *map(column, ("seq", "at", "subject", "after", "practices")))
_tally = table("evidence_tally", *map(column, ("service", "span", "practices", "number", "newest", "sample")))
_ADD = Prepared(
    text(
        "INSERT INTO evidence_tally (service, span, practices, number, newest, sample)"
        " VALUES (:service, :span, :practices, :number, :newest, :sample)"
        " ON CONFLICT (service, span, practices) DO UPDATE SET number = evidence_tally.number + :number,"
        " newest = CASE WHEN evidence_tally.newest > :newest THEN evidence_tally.newest ELSE :newest END,"
        " sample = :sample"
    )
)
_NAMED = Prepared(
    select(_evidence.c.after)
    .where(
        _evidence.c.subject == bindparam("wanted"),
        _evidence.c.seq <= bindparam("upto"),
        or_(_evidence.c.after.like('%"service":"%'), _evidence.c.after.like('%"services":[%')),
    )
    .order_by(_evidence.c.seq.desc())
    .limit(1)
)

Key = tuple[str, str, str]
"""Service, span, practices as the ledger writes them."""


@dataclass(frozen=True)
class OnFile:
    """What is on file for one practice: how many records, the newest instant, and the `seq` of some, newest first."""

    count: int
    newest: datetime
    samples: tuple[int, ...]

    def joined(self, other: OnFile) -> OnFile:
        """Both together."""
        samples = sorted({*self.samples, *other.samples}, reverse=True)[:_SAMPLES]
        return OnFile(self.count + other.count, max(self.newest, other.newest), tuple(samples))


@dataclass(frozen=True)
class Tally:
    """How many records, the instant (microseconds) and the `seq` of the last of them."""

    number: int
    newest: int
    sample: int


class Coverage:
    """The evidence on file. `zone` is the organisation's: in it lie the days that periods are made of."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_file(self, first: date, end: date, zone: str, service: str = WHOLE_DESK) -> Mapping[str, OnFile]:
        """What is on file for each practice, from a day to before another, of one service or of all."""
        while True:
            mark = self._mark(zone)
            kept = self._kept(_spans(first, end), service) if mark else {}
            behind = self._counted(self._rows(mark), zone)
            # On PostgreSQL somebody may have folded between the two questions.
            if self._mark(zone) == mark:
                break
        found: dict[str, OnFile] = {}
        for codes, tally in kept:
            _join(found, codes, tally)
        for (whose, span, codes), tally in behind.items():
            if (
                whose == service
                and len(span) == len("2026-11-23")
                and first <= date.fromisoformat(span) < end
            ):
                _join(found, codes, tally)
        return found

    def fold(self, zone: str, at_most: int = AT_ONCE) -> int:
        """Move the tallies on by some records, in a transaction of its own; returns how many.

        After a change of the organisation's zone they begin anew.
        """
        Ledger(self._session).hold()  # one at a time, and nothing is appended meanwhile
        mark = self._mark(zone)
        if not mark:
            self._session.execute(delete(_tally))
        rows = self._rows(mark, at_most)
        counted = self._counted(rows, zone)
        if counted:
            _ADD.run_each(
                self._session,
                [
                    {"service": service, "span": span, "practices": codes, **vars(tally)}
                    for (service, span, codes), tally in sorted(counted.items())
                ],
            )
        if rows:
            Facts(self._session).put(FOLDED, {"seq": rows[-1][0], "zone": zone})
        return len(rows)

    def tallies(self) -> Mapping[Key, Tally]:
        """The tallies as they are kept."""
        rows = self._session.execute(select(_tally)).all()
        return {
            (row.service, row.span, row.practices): Tally(row.number, row.newest, row.sample) for row in rows
        }

    def recount(self, zone: str) -> Mapping[Key, Tally]:
        """The tallies as they follow from every record: what the kept ones must equal, counted the long way."""
        return self._counted(self._rows(0), zone)

    def subjects(self, seqs: Collection[int]) -> Mapping[int, str]:
        """What these records are about."""
        asked = select(_evidence.c.seq, _evidence.c.subject).where(_evidence.c.seq.in_(list(seqs)))
        return {int(row.seq): str(row.subject) for row in self._session.execute(asked)} if seqs else {}

    def _mark(self, zone: str) -> int:
        kept: Any = Facts(self._session).get(FOLDED)
        return int(kept["seq"]) if kept and kept["zone"] == zone else 0

    def _rows(self, after: int, at_most: int | None = None) -> Sequence[Any]:
        asked = select(_evidence).where(_evidence.c.seq > after).order_by(_evidence.c.seq).limit(at_most)
        return self._session.execute(asked).all()

    def _kept(self, spans: Sequence[tuple[str, str]], service: str) -> Iterable[tuple[str, Tally]]:
        months = [_tally.c.span.between(begin, last) for begin, last in spans]
        asked = select(_tally.c.practices, _tally.c.number, _tally.c.newest, _tally.c.sample, _tally.c.span)
        widths = {(begin, last): len(begin) for begin, last in spans}
        for row in self._session.execute(asked.where(_tally.c.service == service, or_(*months))):
            # A day sorts behind its own month, so a range of one may hold some of the other.
            if any(
                begin <= row.span <= last and len(row.span) == width
                for (begin, last), width in widths.items()
            ):
                yield row.practices, Tally(row.number, row.newest, row.sample)

    def _counted(self, rows: Iterable[Any], zone: str) -> dict[Key, Tally]:
        found: dict[Key, Tally] = {}
        named: dict[str, tuple[str, ...]] = {}
        place = ZoneInfo(zone)
        for seq, at, subject, after, codes in rows:
            if after and (own := _services(after)):
                named[subject] = own
            elif subject not in named:
                told = _NAMED.value(self._session, wanted=subject, upto=seq)
                named[subject] = _services(told) if told else ()
            if codes == "[]":
                continue
            day = (_EPOCH + at * _MICROSECOND).astimezone(place).date().isoformat()
            for service in (WHOLE_DESK, *named[subject]):
                for span in (day[:7], day):
                    known = found.get((service, span, codes))
                    number = known.number + 1 if known else 1
                    newest = max(at, known.newest) if known else at
                    found[service, span, codes] = Tally(number, newest, seq)
        return found


def _services(after: str) -> tuple[str, ...]:
    """The services that a record names, by key."""
    if '"service' not in after:
        return ()
    told = json.loads(after)
    one, many = told.get("service"), told.get("services")
    if isinstance(many, list):
        return tuple(sorted({each for each in many if isinstance(each, str)}))
    return (one,) if isinstance(one, str) and one else ()


def _spans(first: date, end: date) -> list[tuple[str, str]]:
    """A stretch of days as whole months and the days before and after them: ranges of spans, both ends included."""
    last = end - timedelta(days=1)
    month = first if first.day == 1 else (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    beyond = end.replace(day=1)  # the month that the end lies in is not whole
    if month >= beyond:
        return [(first.isoformat(), last.isoformat())]
    spans = [(f"{month:%Y-%m}", f"{beyond - timedelta(days=1):%Y-%m}")]
    if first < month:
        spans.append((first.isoformat(), (month - timedelta(days=1)).isoformat()))
    if beyond < end:
        spans.append((beyond.isoformat(), last.isoformat()))
    return spans


def _join(found: dict[str, OnFile], codes: str, tally: Tally) -> None:
    for code in json.loads(codes):
        one = OnFile(tally.number, _EPOCH + tally.newest * _MICROSECOND, (tally.sample,))
        found[code] = found[code].joined(one) if code in found else one
