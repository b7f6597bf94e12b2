"""An incident that nobody answers climbs: one level after the other, never early, to the fallback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from config.policy import Escalation, EscalationLevel, SeverityRule
from handlers.rules.business_time import BadInstant
from handlers.rules.escalation import (
    Acknowledged,
    Active,
    Ended,
    Escalated,
    Paged,
    Passed,
    Roster,
    State,
    Triggered,
    read,
)
from handlers.rules.sla_clock import Fact

ZERO = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    return ZERO + minutes * MINUTE


def levels(*pairs, rounds=1, fallback="olga"):
    """Levels as (names, minutes to wait)."""
    return Escalation(
        "some",
        "Some",
        tuple(EscalationLevel(tuple(names.split()), minutes * 60) for names, minutes in pairs),
        fallback,
        rounds,
    )


def roster(rotas=None, teams=None, gone=(), rooms=("room",)):
    held = {"first": "oli", "second": "bo"} if rotas is None else rotas
    return Roster(
        lambda key, _: held.get(key),
        {"crew": ("cyd", "dee")} if teams is None else teams,
        lambda person: person not in gone,
        rooms,
    )


THREE = levels(("rota:first", 5), ("rota:second cyd", 10), ("@crew #room", 15))
TWICE = levels(("rota:first", 5), ("rota:second cyd", 10), ("@crew #room", 15), rounds=2)
CALM = SeverityRule(ack_lapses=1800)
SILENT = SeverityRule(page=False, ack_lapses=1800)


def story(*facts):
    """Facts from (minute, kind, …) in the order in which they were written."""
    kinds: dict[str, Callable[..., Fact]] = {
        "triggered": Triggered,
        "paged": lambda when, seq, round_, level: Paged(when, seq, round=round_, level=level),
        "acknowledged": lambda when, seq, by="oli": Acknowledged(when, seq, by=by),
        "active": Active,
        "escalated": Escalated,
        "ended": Ended,
    }
    return [kinds[kind](at(minute), seq, *rest) for seq, (minute, kind, *rest) in enumerate(facts)]


def begun(*facts):
    return story((0, "triggered"), (0, "paged", 1, 1), *facts)


HELD = begun((3, "acknowledged"))


def shown(reading):
    """Whom to page now as `round.level people`, for a table."""
    page = reading.page
    return page and f"{page.round}.{page.level} {' '.join(page.notify)}"


def minutes(when):
    return None if when is None else (when - ZERO) / MINUTE


def climb(escalation, people, severity=CALM, facts=()):
    """Every page of a climb that nobody answers, asked exactly when each is due, as (minute, whom)."""
    facts, now, found = list(facts) or story((0, "triggered")), ZERO, []
    while True:
        reading = read(escalation, severity, facts, people, now)
        if reading.page:
            found.append((minutes(now), shown(reading)))
            facts.append(Paged(now, len(facts), round=reading.page.round, level=reading.page.level))
        if reading.next_at is None:
            return found
        now = reading.next_at


# Levels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("escalation", "people", "pages"),
    [
        (THREE, roster(), [(0, "1.1 oli"), (5, "1.2 bo cyd"), (15, "1.3 cyd dee #room"), (30, "1.4 olga")]),
        (
            TWICE,
            roster(),
            [
                (0, "1.1 oli"),
                (5, "1.2 bo cyd"),
                (15, "1.3 cyd dee #room"),
                (30, "2.1 oli"),
                (35, "2.2 bo cyd"),
                (45, "2.3 cyd dee #room"),
                (60, "2.4 olga"),
            ],
        ),
        # a level with nobody is passed over at once, the first and the last too
        (THREE, roster({"second": "bo"}), [(0, "1.2 bo cyd"), (10, "1.3 cyd dee #room"), (25, "1.4 olga")]),
        (THREE, roster(gone=("cyd", "dee"), rooms=()), [(0, "1.1 oli"), (5, "1.2 bo"), (15, "1.4 olga")]),
        (THREE, roster({}, gone=("cyd",)), [(0, "1.3 dee #room"), (15, "1.4 olga")]),
        # all of them: the fallback at once, whoever that is
        (TWICE, roster({}, {}, ("cyd",), ()), [(0, "2.4 olga")]),
        (THREE, roster({}, {}, ("cyd", "olga"), ()), [(0, "1.4 olga")]),
        # a fallback that stood in a level before is reached all the same
        (
            levels(("olga", 5), ("oli olga", 5)),
            roster(),
            [(0, "1.1 olga"), (5, "1.2 oli olga"), (10, "1.3 olga")],
        ),
        # somebody named twice in a level is paged once
        (
            levels(("rota:first oli cyd @crew cyd rota:first", 5)),
            roster(),
            [(0, "1.1 oli cyd dee"), (5, "1.2 olga")],
        ),
        (
            levels(("rota:first rota:second", 5)),
            roster({"first": "bo", "second": "bo"}),
            [(0, "1.1 bo"), (5, "1.2 olga")],
        ),
    ],
)
def test_levels_are_paged_one_after_the_other_down_to_the_fallback(escalation, people, pages):
    assert climb(escalation, people) == pages


def test_levels_that_are_passed_over_are_said_with_the_reason():
    people = roster({}, {"crew": ()}, gone=("cyd",), rooms=())
    reading = read(THREE, CALM, story((0, "triggered")), people, ZERO)
    assert reading.passed == (
        Passed(1, 1, "nobody is on call in rota:first"),
        Passed(2, 1, "nobody is on call in rota:second; cyd is not known any more"),
        Passed(3, 1, "@crew has nobody; there is no room #room"),
    )
    assert reading.page is not None
    assert reading.page.fallback


def test_who_is_missing_in_a_level_that_has_somebody_is_said_too():
    reading = read(THREE, CALM, begun(), roster({"first": "oli"}), at(5))
    assert reading.page is not None
    assert (reading.page.notify, reading.page.missing) == (("cyd",), ("nobody is on call in rota:second",))


def test_somebody_on_call_whom_nobody_knows_any_more_is_missing():
    reading = read(THREE, CALM, story((0, "triggered")), roster({"first": "ghost"}, gone=("ghost",)), ZERO)
    assert reading.passed == (Passed(1, 1, "ghost is not known any more"),)


def test_who_is_on_call_is_looked_up_for_the_instant_of_the_page():
    asked = []

    def on_call(key, when):
        asked.append((key, when))
        return "oli"

    people = Roster(on_call, {}, lambda person: True, ())
    read(THREE, CALM, begun(), people, at(4))
    assert asked == []
    read(THREE, CALM, begun(), people, at(7))
    assert asked == [("second", at(7))]


@pytest.mark.parametrize(
    ("minute", "page", "next_at"),
    [(0, None, 5), (4.99, None, 5), (5, "1.2 bo cyd", 15), (6, "1.2 bo cyd", 16)],
)
def test_nobody_is_paged_before_their_time(minute, page, next_at):
    reading = read(THREE, CALM, begun(), roster(), at(minute))
    assert (shown(reading), minutes(reading.next_at)) == (page, next_at)


def test_a_wait_counts_from_the_page_itself_however_late_it_was():
    late = begun((8, "paged", 1, 2))
    assert shown(read(THREE, CALM, late, roster(), at(17))) is None
    assert shown(read(THREE, CALM, late, roster(), at(18))) == "1.3 cyd dee #room"


def test_a_page_says_when_its_turn_came():
    reading = read(THREE, CALM, begun(), roster(), at(7))
    assert reading.page is not None
    assert reading.page.at == at(5)


# After the desk was away ------------------------------------------------------------------------------

AWAY = "its turn went by while the desk was not awake"


@pytest.mark.parametrize(
    ("minute", "page", "passed", "turn"),
    [
        (14, "1.2 bo cyd", [], 5),
        (15, "1.3 cyd dee #room", ["1.2"], 15),
        (29, "1.3 cyd dee #room", ["1.2"], 15),
        (30, "2.1 oli", ["1.2", "1.3"], 30),
        (44, "2.2 bo cyd", ["1.2", "1.3", "2.1"], 35),
        # the last level, though its turn is over too; the fallback comes after it
        (24 * 60, "2.3 cyd dee #room", ["1.2", "1.3", "2.1", "2.2"], 45),
    ],
)
def test_a_desk_that_was_away_pages_the_one_level_whose_turn_it_is(minute, page, passed, turn):
    reading = read(TWICE, CALM, begun(), roster(), at(minute))
    assert shown(reading) == page
    assert [f"{each.round}.{each.level}" for each in reading.passed] == passed
    assert {each.why for each in reading.passed} <= {AWAY}
    assert reading.page is not None
    assert reading.page.at == at(turn)
    assert reading.next_at == at(minute) + THREE.levels[reading.page.level - 1].wait * timedelta(seconds=1)


def test_levels_without_anybody_take_no_turn_while_the_desk_is_away():
    reading = read(TWICE, CALM, begun(), roster({}), at(24 * 60))
    assert shown(reading) == "2.3 cyd dee #room"
    assert [(each.round, each.level, each.why == AWAY) for each in reading.passed] == [
        (1, 2, True),
        (1, 3, True),
        (2, 1, False),
        (2, 2, True),
    ]


def test_what_follows_the_last_level_that_has_somebody_is_not_said_to_be_passed_over_yet():
    reading = read(THREE, CALM, begun(), roster(gone=("cyd", "dee"), rooms=()), at(24 * 60))
    assert (shown(reading), reading.passed) == ("1.2 bo", ())


def test_the_fallback_follows_once_the_last_level_was_paged():
    facts = begun((24 * 60, "paged", 2, 3))
    assert shown(read(TWICE, CALM, facts, roster(), at(24 * 60 + 14))) is None
    assert shown(read(TWICE, CALM, facts, roster(), at(48 * 60))) == "2.4 olga"


def test_a_climb_that_paged_nobody_yet_begins_at_its_first_level_however_late():
    reading = read(TWICE, CALM, story((0, "triggered")), roster(), at(24 * 60))
    assert (shown(reading), reading.passed) == ("1.1 oli", ())


# Acknowledgements --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "minute", "state", "page", "next_at"),
    [
        # it stops the climb, also at the very instant of a step
        (HELD, 4, State.ACKNOWLEDGED, None, 33),
        (HELD, 5, State.ACKNOWLEDGED, None, 33),
        (begun((5, "acknowledged")), 5, State.ACKNOWLEDGED, None, 35),
        # it lapses by severity, at that instant, and the climb begins again
        (HELD, 32.99, State.ACKNOWLEDGED, None, 33),
        (HELD, 33, State.TRIGGERED, "1.1 oli", 38),
        (HELD, 900, State.TRIGGERED, "1.1 oli", 905),
        # a sign of work puts it off, in the same instant too, and later unless the lapse was written down
        (begun((3, "acknowledged"), (20, "active")), 33, State.ACKNOWLEDGED, None, 50),
        (begun((3, "acknowledged"), (33, "active")), 33, State.ACKNOWLEDGED, None, 63),
        (begun((3, "acknowledged"), (34, "active")), 34, State.ACKNOWLEDGED, None, 64),
        (begun((3, "acknowledged"), (33, "triggered"), (34, "active")), 34, State.TRIGGERED, "1.1 oli", 39),
        # a sign of work from before it, or of one that nobody holds, puts nothing off
        (begun((1, "active"), (3, "acknowledged")), 32, State.ACKNOWLEDGED, None, 33),
        (begun((1, "active")), 5, State.TRIGGERED, "1.2 bo cyd", 15),
        # what was paged after the lapse goes on climbing
        (begun((3, "acknowledged"), (33, "triggered"), (33, "paged", 1, 1)), 37, State.TRIGGERED, None, 38),
        (
            begun((3, "acknowledged"), (33, "triggered"), (33, "paged", 1, 1)),
            38,
            State.TRIGGERED,
            "1.2 bo cyd",
            48,
        ),
        # handed to a named person it is held on, from then
        (begun((3, "acknowledged"), (30, "acknowledged", "bo")), 33, State.ACKNOWLEDGED, None, 60),
        # handed to nobody it climbs again
        (begun((3, "acknowledged"), (30, "triggered")), 30, State.TRIGGERED, "1.1 oli", 35),
        # over is over, until it is reopened
        (begun((3, "ended")), 500, State.OVER, None, None),
        (begun((3, "acknowledged"), (4, "ended")), 500, State.OVER, None, None),
        (begun((3, "ended"), (4, "acknowledged")), 500, State.OVER, None, None),
        (begun((3, "ended"), (4, "escalated"), (5, "active")), 500, State.OVER, None, None),
        (begun((3, "ended"), (4, "triggered")), 4, State.TRIGGERED, "1.1 oli", 9),
        # nothing happened at all
        ([], 5, State.OVER, None, None),
    ],
)
def test_an_acknowledgement_stops_the_climb_until_it_lapses(facts, minute, state, page, next_at):
    reading = read(THREE, CALM, facts, roster(), at(minute))
    assert (reading.state, shown(reading), minutes(reading.next_at)) == (state, page, next_at)


def test_a_lapse_is_told_until_it_is_written_down():
    lapsed = read(THREE, CALM, HELD, roster(), at(40))
    assert (lapsed.lapsed, lapsed.climb, lapsed.holder) == (at(33), 2, None)
    written = [*HELD, Triggered(at(40), 9, "lapsed")]
    again = read(THREE, CALM, written, roster(), at(40))
    assert (again.lapsed, again.climb, shown(again)) == (None, 2, shown(lapsed))


def test_a_reading_tells_who_holds_it_since_when_and_what_was_paged():
    reading = read(THREE, CALM, HELD, roster(), at(4))
    assert (reading.holder, reading.since, reading.climb) == ("oli", at(3), 1)
    assert [(each.round, each.level) for each in reading.paged] == [(1, 1)]
    over = read(THREE, CALM, [*HELD, Ended(at(5), 9)], roster(), at(6))
    assert (over.holder, over.since) == (None, at(5))


# The next level by hand ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "minute", "page", "next_at"),
    [
        (begun((2, "escalated")), 2, "1.2 bo cyd", 12),
        (begun((2, "escalated"), (2, "paged", 1, 2)), 3, None, 12),
        # whoever holds it passes it up
        (begun((3, "acknowledged"), (20, "escalated")), 20, "1.2 bo cyd", 30),
        (
            begun((3, "acknowledged"), (20, "escalated"), (20, "paged", 1, 2), (21, "acknowledged")),
            22,
            None,
            51,
        ),
        # after the fallback it begins anew, so that somebody always hears of it
        (begun((5, "paged", 1, 4), (9, "escalated")), 9, "1.1 oli", 14),
        (begun((5, "paged", 1, 4), (7, "acknowledged"), (9, "escalated")), 9, "1.1 oli", 14),
        # before anybody was paged nothing is passed over
        (story((0, "triggered"), (0, "escalated")), 0, "1.1 oli", 5),
    ],
)
def test_somebody_may_ask_for_the_next_level_at_once(facts, minute, page, next_at):
    reading = read(THREE, CALM, facts, roster(), at(minute))
    assert (shown(reading), minutes(reading.next_at)) == (page, next_at)


def test_what_is_passed_up_by_its_holder_stands_so_since_then():
    facts = story((0, "triggered"), (3, "acknowledged"), (20, "escalated"))
    reading = read(THREE, CALM, facts, roster(), at(21))
    assert (shown(reading), reading.since, reading.page and reading.page.at) == ("1.1 oli", at(20), at(20))


# The rest -----------------------------------------------------------------------------------------------


def test_a_severity_that_wakes_nobody_pages_nobody_and_still_lapses():
    assert climb(THREE, roster(), SILENT) == []
    assert read(THREE, SILENT, HELD, roster(), at(4)).next_at == at(33)
    lapsed = read(THREE, SILENT, HELD, roster(), at(33))
    assert (lapsed.state, lapsed.lapsed, lapsed.page, lapsed.next_at) == (State.TRIGGERED, at(33), None, None)


def test_facts_are_taken_in_the_order_in_which_they_were_written_whatever_the_clock_said():
    clock_went_back = [
        Triggered(at(0), 1),
        Paged(at(0), 2, round=1, level=1),
        Acknowledged(at(-58), 3, by="oli"),
    ]
    reading = read(THREE, CALM, reversed(clock_went_back), roster(), at(-55))
    assert (reading.state, reading.page) == (State.ACKNOWLEDGED, None)


def test_other_facts_are_passed_by():
    assert read(THREE, CALM, [*begun(), Fact(at(1), 9)], roster(), at(4)) == read(
        THREE, CALM, begun(), roster(), at(4)
    )


def test_a_page_that_was_written_outside_a_climb_counts_for_nothing():
    held = begun((3, "acknowledged"), (4, "paged", 1, 2), (20, "escalated"))
    assert shown(read(THREE, CALM, held, roster(), at(20))) == "1.2 bo cyd"


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(BadInstant):
        read(THREE, CALM, begun(), roster(), datetime(2026, 1, 1))  # noqa: DTZ001 - the fault that is meant


# Against a simple model ------------------------------------------------------------------------------------


@dataclass
class Bookkeeper:
    """The same rules as a desk that counts along: what is still to come is struck off a list as it happens."""

    escalation: Escalation
    over: bool = True
    held: bool = False
    sign: datetime = ZERO
    due: datetime = ZERO
    woken: bool = False
    coming: list[tuple[int, int]] = field(default_factory=list)

    def trigger(self, now):
        self.over, self.held, self.woken, self.due = False, False, False, now
        last = len(self.escalation.levels)
        self.coming = [(r, n) for r in range(1, self.escalation.rounds + 1) for n in range(1, last + 1)]
        self.coming.append((self.escalation.rounds, last + 1))

    def acknowledge(self, now):
        if not self.over:
            self.held, self.sign = True, now

    def work(self, now):
        self.sign = now

    def escalate(self, now):
        if self.over:
            return
        if not self.coming:
            self.trigger(now)
        elif self.held or self.woken:
            self.due = now
        self.held = False

    def end(self, now):
        self.over = True

    def lapses(self, severity):
        return self.sign + timedelta(seconds=severity.ack_lapses)

    def tick(self, now, severity, who):
        """(round, level, people, when its turn came) to page now, or None; `who` gives a level's people."""
        lapsed = not self.over and self.held and now >= self.lapses(severity)
        if lapsed:
            self.trigger(self.lapses(severity))
        if lapsed and not severity.page:
            self.due = now  # it was written down so
        if self.over or self.held or not severity.page or not self.coming or now < self.due:
            return None
        *others, fallback = self.coming
        manned = [step for step in others if who(step[1])]
        chosen, turn = (manned or [fallback])[0], self.due
        for step, later in pairwise(manned):
            ends = turn + self.wait(step)
            if not self.woken or now < ends:
                break
            chosen, turn = later, ends
        self.coming = self.coming[self.coming.index(chosen) + 1 :]
        self.woken = True
        people = who(chosen[1]) if chosen != fallback else [self.escalation.fallback]
        if chosen != fallback:
            self.due = now + self.wait(chosen)
        return (*chosen, tuple(people), turn)

    def wait(self, step):
        return timedelta(seconds=self.escalation.levels[step[1] - 1].wait)

    def next_at(self, severity):
        if self.over:
            return None
        if self.held:
            return self.lapses(severity)
        return self.due if self.coming and severity.page else None


NAMES = ["rota:first", "rota:second", "@crew", "@none", "#room", "#gone", "ann", "bob", "olga"]
PEOPLE = ["ann", "bob", "cyd", "dee"]
steps = st.builds(
    EscalationLevel,
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple),
    st.sampled_from([60, 300, 600]),
)
policies = st.builds(
    Escalation,
    st.just("some"),
    st.just("Some"),
    st.lists(steps, min_size=1, max_size=4).map(tuple),
    st.sampled_from(["olga", "ann"]),
    st.integers(1, 3),
)
severities = st.builds(
    SeverityRule, page=st.sampled_from([True, True, True, False]), ack_lapses=st.sampled_from([600, 1800])
)


class Night(RuleBasedStateMachine):
    """A desk that writes down what its readings say, and the bookkeeper beside it."""

    @initialize(escalation=policies, severity=severities)
    def begin(self, escalation, severity):
        self.escalation, self.severity, self.now = escalation, severity, ZERO
        self.rotas = {"first": "ann", "second": None}
        self.gone = set()
        self.numbers, self.facts, self.pages = count(1), [], []
        self.model = Bookkeeper(escalation)
        self.write(Triggered)
        self.model.trigger(self.now)
        self.wake()

    def write(self, kind, **more):
        self.facts.append(kind(self.now, next(self.numbers), **more))

    def people(self):
        return Roster(
            lambda key, _: self.rotas[key],
            {"crew": ("cyd", "dee"), "none": ()},
            lambda person: person not in self.gone,
            {"room"},
        )

    def who(self, level):
        """The people of a level, in the model's own words."""
        meant: dict[str, list[str | None]] = {
            "rota:first": [self.rotas["first"]],
            "rota:second": [self.rotas["second"]],
            "@crew": ["cyd", "dee"],
            "@none": [],
            "#gone": [],
        }
        names = [
            each for name in self.escalation.levels[level - 1].notify for each in meant.get(name, [name])
        ]
        return list(dict.fromkeys(name for name in names if name and name not in self.gone))

    def read(self):
        return read(self.escalation, self.severity, self.facts, self.people(), self.now)

    def wake(self):
        """One tick of the desk: read, write down, page; the model says the same."""
        reading = self.read()
        expected = self.model.tick(self.now, self.severity, self.who)
        page = reading.page
        assert (page and (page.round, page.level, page.notify, page.at)) == expected
        assert reading.next_at == self.model.next_at(self.severity)
        assert reading.next_at is None or reading.next_at > self.now
        if reading.lapsed:
            self.write(Triggered, why="lapsed")
        if page:
            assert page.at <= self.now
            assert page.fallback == (page.level > len(self.escalation.levels))
            self.write(Paged, round=page.round, level=page.level)
            self.pages.append((reading.climb, page.round, page.level))

    @rule(halves=st.integers(0, 80))
    def time_passes(self, halves):
        """Up to forty minutes, the desk awake at every due moment."""
        until = self.now + halves * MINUTE / 2
        while (due := self.model.next_at(self.severity)) is not None and due <= until:
            self.now = max(self.now, due)
            self.wake()
        self.now = until
        self.wake()

    @rule(halves=st.sampled_from([1, 9, 10, 11, 20, 40, 60, 119, 120, 2880]))
    def the_desk_is_away(self, halves):
        self.now += halves * MINUTE / 2

    @rule(by=st.sampled_from(PEOPLE))
    def somebody_acknowledges_or_is_handed_it(self, by):
        self.write(Acknowledged, by=by)
        self.model.acknowledge(self.now)
        self.wake()

    @rule()
    def somebody_works(self):
        self.write(Active)
        self.model.work(self.now)
        self.wake()

    @rule()
    def somebody_escalates(self):
        self.write(Escalated)
        self.model.escalate(self.now)
        self.wake()

    @precondition(lambda self: self.model.held or self.model.over)
    @rule()
    def it_is_handed_back_or_reopened(self):
        self.write(Triggered)
        self.model.trigger(self.now)
        self.wake()

    @rule()
    def it_is_over(self):
        self.write(Ended)
        self.model.end(self.now)
        self.wake()

    @rule(key=st.sampled_from(["first", "second"]), person=st.sampled_from([*PEOPLE, None]))
    def another_is_on_call(self, key, person):
        self.rotas[key] = person

    @rule(person=st.sampled_from(PEOPLE))
    def somebody_comes_or_goes(self, person):
        self.gone ^= {person}

    @rule(severity=severities)
    def it_gets_another_severity(self, severity):
        self.severity = severity

    @invariant()
    def each_level_is_paged_once_in_a_round_of_a_climb(self):
        assert len(set(self.pages)) == len(self.pages)
        assert self.pages == sorted(self.pages)

    @invariant()
    def nobody_is_paged_for_what_is_held_or_over(self):
        held = False
        for fact in self.facts:
            if isinstance(fact, Acknowledged | Ended):
                held = True
            elif isinstance(fact, Triggered | Escalated):
                held = False
            assert not (held and isinstance(fact, Paged))

    @invariant()
    def asking_again_changes_nothing(self):
        assert self.read() == self.read()

    def teardown(self):
        """Left alone, it reaches the fallback: once, last, and then there is silence."""
        if not getattr(self, "facts", None):
            return
        self.wake()
        if self.model.over or self.model.held or not self.severity.page:
            return
        while (due := self.model.next_at(self.severity)) is not None:
            self.now = due
            self.wake()
        climb = self.pages[-1][0]
        reached = [
            level for this, _, level in self.pages if this == climb and level > len(self.escalation.levels)
        ]
        assert reached == [len(self.escalation.levels) + 1]
        assert self.pages[-1][2] == reached[0]
        assert self.read().next_at is None


TestNight = Night.TestCase
TestNight.settings = settings(
    max_examples=600, stateful_step_count=12, suppress_health_check=list(HealthCheck)
)
