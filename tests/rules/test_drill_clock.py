"""Is recovery measured from the evidence as it should be, whatever was entered when?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.rules.drill_clock import (
    Aim,
    Aimed,
    Disrupted,
    Ended,
    Impossible,
    Measured,
    Paused,
    Reading,
    Recovered,
    Resumed,
    Verdict,
    facts_of,
    measure,
    overlap,
    require_possible,
)
from handlers.rules.ledger import Record
from handlers.rules.sla_clock import Fact

NINE = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
HOUR, QUARTER = 3600, 900


def at(minutes: float) -> datetime:
    """So many minutes after nine."""
    return NINE + timedelta(minutes=minutes)


def begun(aim: Aim | None = None, disruption: float = 0) -> list[Fact]:
    """A drill of mail that began at nine."""
    aims = {"mail": aim or Aim(4 * HOUR, QUARTER, "BIA-1")}
    return [Aimed(at(0), 1, aims=aims), Disrupted(at(0), 1, disruption=at(disruption))]


def recovered(seq: int, entered: float, when: float | None = None, data: float | None = None) -> Recovered:
    """An entry that mail is recovered."""
    return Recovered(
        at(entered),
        seq,
        service="mail",
        recovered=at(entered if when is None else when),
        data=None if data is None else at(data),
    )


def mail(facts: Sequence[Fact], now: float) -> Measured:
    """What was measured of mail."""
    (found,) = measure(facts, at(now)).services
    return found


RUNS, MET, MISSED = Verdict.RUNNING, Verdict.MET, Verdict.MISSED
NEVER, UNKNOWN = Verdict.NOT_RECOVERED, Verdict.NOT_MEASURED
LATE, LOST = 240 + 1 / 60, 15 + 1 / 60
"""A second more than was promised, in minutes."""

TABLE: Sequence[tuple[str, Sequence[Fact], float, float | None, Verdict, float | None, Verdict]] = [
    ("nothing yet", [], 30, None, RUNS, None, RUNS),
    ("too long already", [], 241, None, MISSED, None, RUNS),
    ("exactly in time so far", [], 240, None, RUNS, None, RUNS),
    ("recovered", [recovered(5, 100, data=-10)], 300, 100, MET, 10, MET),
    ("exactly in time", [recovered(5, 240, data=-15)], 300, 240, MET, 15, MET),
    ("a second too late", [recovered(5, LATE, data=-LOST)], 300, LATE, MISSED, LOST, MISSED),
    ("no data entered", [recovered(5, 100)], 300, 100, MET, None, RUNS),
    ("entered later than it was", [recovered(5, 300, when=200)], 300, 200, MET, None, RUNS),
    ("corrected", [recovered(5, 100, data=-5), recovered(9, 110, 90, -20)], 300, 90, MET, 20, MISSED),
    ("corrected back", [recovered(5, 100), recovered(9, 110, 250), recovered(11, 120, 100)], 300, 100, MET, None, RUNS),
    ("paused before it", [Paused(at(60), 3), Resumed(at(120), 4), recovered(5, 290)], 300, 230, MET, None, RUNS),
    ("paused after it", [recovered(5, 100), Paused(at(110), 6), Resumed(at(400), 7)], 500, 100, MET, None, RUNS),
    ("recovered in a pause", [Paused(at(60), 3), recovered(5, 100)], 300, 60, MET, None, RUNS),
    ("paused still", [Paused(at(60), 3)], 500, None, RUNS, None, RUNS),
    ("twice at once", [Paused(at(60), 3), Paused(at(70), 4), Resumed(at(80), 5), recovered(6, 100)], 300, 80, MET,
     None, RUNS),
    ("over, never recovered", [Ended(at(100), 9)], 300, None, NEVER, None, UNKNOWN),
    ("over too late, never recovered", [Ended(at(250), 9)], 300, None, MISSED, None, UNKNOWN),
    ("entered after the end", [Ended(at(150), 9), recovered(10, 300, when=140, data=0)], 500, 140, MET, 0, MET),
    ("earlier", [recovered(5, 100, data=-10), Disrupted(at(110), 6, disruption=at(-5))], 300, 105, MET, 5, MET),
]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "now", "rto", "rto_verdict", "rpo", "rpo_verdict"),
    [pytest.param(*row[1:], id=row[0]) for row in TABLE],
)
def test_what_was_entered_comes_to_this(more, now, rto, rto_verdict, rpo, rpo_verdict):
    found = mail([*begun(), *more], now)
    assert found.rto == (None if rto is None else timedelta(minutes=rto))
    assert found.rpo == (None if rpo is None else timedelta(minutes=rpo))
    assert (found.rto_verdict, found.rpo_verdict) == (rto_verdict, rpo_verdict)


def test_neither_the_first_nor_the_last_step_has_a_part_in_it():
    found = mail([*begun(disruption=-30), recovered(5, 60), Ended(at(600), 9)], 700)
    assert found.rto == timedelta(minutes=90)


def test_a_pause_is_told_beside_the_figure():
    found = mail([*begun(), Paused(at(60), 3), Resumed(at(90), 4), recovered(5, 225)], 300)
    assert (found.rto, found.paused, found.by_the_clock) == tuple(
        timedelta(minutes=each) for each in (195, 30, 225)
    )


def test_what_nobody_signed_has_no_verdict_and_does_not_count():
    found = mail([*begun(Aim()), recovered(5, 100, data=-10)], 300)
    assert found.rto == timedelta(minutes=100)
    assert found.rto_verdict is found.rpo_verdict is Verdict.NO_TARGET
    assert found.within is None


def test_every_entry_stays_to_be_seen():
    assert mail([*begun(), recovered(5, 100), recovered(9, 110, when=90)], 300).entries == (5, 9)


@pytest.mark.parametrize(
    ("verdicts", "within"),
    [
        ((Verdict.MET, Verdict.MET), True),
        ((Verdict.MET, Verdict.NO_TARGET), True),
        ((Verdict.NO_TARGET, Verdict.NO_TARGET), None),
        ((Verdict.MET, Verdict.NOT_MEASURED), None),
        ((Verdict.MET, Verdict.RUNNING), None),
        ((Verdict.MET, Verdict.MISSED), False),
        ((Verdict.NOT_RECOVERED, Verdict.NOT_MEASURED), False),
        ((Verdict.NOT_RECOVERED, Verdict.NO_TARGET), False),
    ],
)
def test_a_drill_is_within_its_targets_only_when_every_signed_one_was_met(verdicts, within):
    none = timedelta()
    one = Measured("mail", Aim(), None, None, none, none, none, none, *verdicts)
    good = Measured("vpn", Aim(), None, None, none, none, none, none, Verdict.MET, Verdict.MET)
    assert one.within is within
    assert Reading(NINE, (one, good), (), None, aborted=False).within is within
    assert Reading(NINE, (), (), None, aborted=False).within is None


@pytest.mark.parametrize(
    ("when", "data", "possible"),
    [(0, 0, True), (0, None, True), (-1, None, False), (10, 1, False), (10, -999, True)],
)
def test_what_cannot_be_is_refused(when, data, possible):
    def enter() -> None:
        require_possible(at(0), at(when), None if data is None else at(data))

    if possible:
        enter()
    else:
        with pytest.raises(Impossible):
            enter()


def test_facts_that_contradict_each_other_are_refused():
    with pytest.raises(Impossible):
        mail([*begun(), recovered(5, 100), Disrupted(at(110), 6, disruption=at(105))], 300)


# Whatever happens ---------------------------------------------------------------------------------

MINUTES = st.integers(0, 600)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Fact], int, int, list[tuple[int, int]]]:
    """Facts, the disruption, the recovery and the pauses, all in whole minutes."""
    disruption = draw(st.integers(-60, 60))
    recovery = draw(st.integers(disruption, 600))
    edges = sorted(draw(st.lists(MINUTES, max_size=8, unique=True)))
    pauses = list(zip(edges[::2], edges[1::2], strict=False))
    facts = begun(disruption=disruption)
    seq = 1
    for start, end in pauses:
        facts += [Paused(at(start), seq := seq + 1), Resumed(at(end), seq := seq + 1)]
    earlier = draw(st.lists(st.integers(disruption, 600), max_size=3))
    for entered in [*earlier, recovery]:
        facts.append(recovered(seq := seq + 1, entered, data=disruption - draw(st.integers(0, 90))))
    return facts, disruption, recovery, pauses


@given(story=stories(), now=st.integers(601, 900))
def test_the_recovery_time_is_every_minute_in_which_somebody_worked_on_it(story, now):
    facts, disruption, recovery, pauses = story
    found = mail(facts, now)
    worked = [
        minute
        for minute in range(disruption, recovery)
        if not any(start <= minute < end for start, end in pauses)
    ]
    assert found.rto == timedelta(minutes=len(worked))
    assert found.by_the_clock == found.rto + found.paused == timedelta(minutes=recovery - disruption)


@given(story=stories(), now=st.integers(601, 900), later=st.integers(1, 10_000), random=st.randoms())
def test_the_answer_depends_neither_on_who_asks_when_nor_on_the_order_of_reading(story, now, later, random):
    facts = list(story[0])
    found = mail(facts, now)
    random.shuffle(facts)
    assert mail(facts, now + later) == found


@given(story=stories(), now=st.integers(601, 900))
def test_no_length_is_ever_negative(story, now):
    found = mail(story[0], now)
    lengths = (found.rto, found.rpo, found.paused, found.by_the_clock)
    assert all(each is not None and each >= timedelta() for each in lengths)


@given(spans=st.lists(MINUTES, max_size=8, unique=True), start=MINUTES, length=st.integers(0, 300))
def test_an_overlap_is_counted_minute_by_minute(spans, start, length):
    edges = sorted(spans)
    pauses = list(zip(edges[::2], edges[1::2], strict=False))
    counted = sum(any(a <= minute < b for a, b in pauses) for minute in range(start, start + length))
    found = overlap([(at(a), at(b)) for a, b in pauses], at(start), at(start + length))
    assert found == timedelta(minutes=counted)


# From the evidence --------------------------------------------------------------------------------


def told(seq: int, action: str, minutes: float, **after: Any) -> Record:
    """A record of a drill."""
    return Record(
        at=at(minutes), actor="oncall", surface="console", action=action, subject="DRL-1", before=None, after=after,
        practices=("SCON SP 3.2",), policy="v", reference="r", seq=seq, previous="", hash="", commitments={},
    )  # fmt: skip


def test_the_evidence_is_read_as_facts():
    aims = {"mail": {"rto": 4 * HOUR, "rpo": QUARTER, "analysis": "BIA-1"}}
    records = [
        told(1, "drill.scheduled", -60),
        told(2, "drill.started", 0, aims=aims),
        told(3, "drill.disrupted", 0, disruption=at(0).isoformat()),
        told(4, "drill.step_done", 10, step="decide"),
        told(5, "drill.paused", 60),
        told(6, "drill.resumed", 90),
        told(7, "drill.recovered", 225, service="mail", recovered=at(225).isoformat(), data=at(-5).isoformat()),
        told(
            8, "drill.recovery_corrected", 230, service="mail", recovered=at(225).isoformat(), data=at(-10).isoformat()
        ),
        told(9, "drill.completed", 240),
    ]  # fmt: skip
    reading = measure(facts_of(records), at(9999))
    (found,) = reading.services
    assert (found.rto, found.rpo) == (timedelta(minutes=195), timedelta(minutes=10))
    assert found.within is reading.within is True
    assert found.entries == (7, 8)
    assert (reading.ended, reading.aborted, reading.paused) == (at(240), False, ((at(60), at(90)),))


def test_a_plan_that_is_invoked_is_measured_in_the_same_way():
    records = [
        told(
            1, "continuity_plan.invoked", 10, aims={"mail": {"rto": HOUR, "rpo": None, "analysis": "BIA-1"}}
        ),
        told(2, "drill.disrupted", 10, disruption=at(0).isoformat()),
        told(3, "drill.recovered", 70, service="mail", recovered=at(70).isoformat(), data=None),
        told(4, "drill.aborted", 80),
    ]
    reading = measure(facts_of(records), at(90))
    assert (reading.services[0].rto_verdict, reading.aborted) == (Verdict.MISSED, True)
