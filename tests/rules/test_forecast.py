"""Is the chance of a breach what the past says, and better than always saying the usual share?"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.rules.forecast import ENOUGH, Durations, Forecast, Past, calibrate


def took(*seconds: int, allowed: int = 100, done: bool = True) -> list[Past]:
    """Promises of one group that took so long."""
    return [Past(("all",), each, allowed, done) for each in seconds]


@pytest.mark.parametrize(
    ("spent", "allowed", "chance"),
    [(0, 100, 0.5), (0, 55, 0.7), (50, 100, 5 / 7), (85, 100, 1.0), (0, 1000, 0.0), (500, 600, 1.0)],
)
def test_without_anything_open_the_chance_is_a_share_of_the_past(
    spent: int, allowed: int, chance: float
) -> None:
    past = took(10, 20, 40, 60, 80, 110, 120, 130, 140, 150)
    assert Durations(past).chance(spent, allowed) == pytest.approx(chance)


def test_what_was_only_seen_for_a_while_counts_for_that_while() -> None:
    """The example of the method's own paper in small: 1 of 4 at 10, then 1 of 2 at 30, for one was lost at 20."""
    past = [*took(10, 30, 40), *took(20, done=False)]
    assert Durations(past).chance(0, 10) == pytest.approx(3 / 4)
    assert Durations(past).chance(0, 30) == pytest.approx(3 / 4 * 1 / 2)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 1000), st.booleans()), min_size=1, max_size=40),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 1000),
)
def test_a_chance_is_one_and_falls_with_time_that_is_left(
    past: list[tuple[int, bool]], spent: int, allowed: int, more: int
) -> None:
    durations = Durations([Past(("all",), each, 100, done) for each, done in past])
    early, late = durations.chance(spent, spent + allowed), durations.chance(spent, spent + allowed + more)
    assert 0 <= late <= early <= 1


def test_too_few_of_the_like_are_left_to_a_wider_group() -> None:
    narrow = [Past((("laptop", "P3"), "all"), 200, 100, True) for _ in range(ENOUGH - 1)]
    wide = [Past((("mouse", "P3"), "all"), 50, 100, True) for _ in range(3 * ENOUGH)]
    forecast = Forecast([*narrow, *wide])
    found = forecast.of((("laptop", "P3"), "all"), 0, 100)
    assert found is not None
    assert (found.group, found.like) == ("all", 4 * ENOUGH - 1)
    assert found.chance == pytest.approx((ENOUGH - 1) / (4 * ENOUGH - 1))
    assert forecast.of(("nobody knows",), 0, 100) is None
    assert forecast.of(("all",), 500, 600) is None


def history(random: Random, number: int) -> list[Past]:
    """A generated year: offerings that take long and short, each with its own promise."""
    usual = {"laptop": 40_000.0, "account": 6_000.0, "licence": 22_000.0, "question": 3_000.0}
    found = []
    for _ in range(number):
        topic, priority = random.choice(list(usual)), random.choice(("P2", "P3"))
        spent = int(random.lognormvariate(0, 0.6) * usual[topic] * (0.7 if priority == "P2" else 1))
        allowed = 20_000 if priority == "P2" else 30_000
        groups = (("resolve", topic, priority), ("resolve", priority), ("resolve",))
        found.append(Past(groups, spent, allowed, random.random() > 0.03))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_it_beats_the_usual_share_on_a_generated_history(seed: int) -> None:
    found = calibrate(history(Random(seed), 4000))
    assert found is not None
    assert found.number > 100
    assert found.brier < 0.95 * found.naive, found
    for said, came, number in found.bins:
        if number >= 50:
            assert abs(said - came) < 0.15, found.bins


def test_a_short_past_says_nothing_about_accuracy() -> None:
    assert calibrate(took(10, 20, 30)) is None
    assert calibrate([]) is None
