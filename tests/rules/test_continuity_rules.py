"""What follows from harm, what can be promised, in which order steps come, and what is ready."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.plans import step_faults
from config.policy import Criticality, Harm, PlanStep, Readiness, ReadinessItem, ReadinessKind
from handlers.rules.impact import Promise, bearable, broken, criticality, shrinks
from handlers.rules.readiness import Look, gaps
from handlers.rules.run_sheet import followers, length, planned, state_of_waiting

N, M, S, U = Harm
HOUR = 3600


@pytest.mark.parametrize(
    ("harm", "longest"),
    [
        ({1: N, 2: M, 3: S}, 3),
        ({1: N, 2: U, 3: U}, 1),
        ({1: U, 2: U}, None),
        ({3: U, 1: M, 2: S}, 2),
        ({}, None),
    ],
)
def test_the_longest_band_that_can_be_borne(harm, longest):
    assert bearable(harm) == longest


@given(harm=st.dictionaries(st.integers(1, 50), st.sampled_from(Harm), max_size=8))
def test_nothing_up_to_what_can_be_borne_is_unbearable(harm):
    found = bearable(harm)
    assert all(harm[band] is not U for band in harm if found is not None and band <= found)
    beyond = [band for band in harm if found is None or band > found]
    assert not beyond or harm[min(beyond)] is U


@pytest.mark.parametrize(
    ("harm", "wrong"),
    [({1: N, 2: N}, None), ({1: S, 2: M}, (1, 2)), ({1: M, 2: S, 4: N}, (2, 4)), ({}, None)],
)
def test_harm_does_not_shrink(harm, wrong):
    assert shrinks(harm) == wrong


@pytest.mark.parametrize(
    ("rto", "word"),
    [
        (0, "critical"),
        (4 * HOUR, "critical"),
        (4 * HOUR + 1, "high"),
        (24 * HOUR, "high"),
        (99 * HOUR, "low"),
    ],
)
def test_a_word_for_a_recovery_time(rto, word):
    assert criticality(rto, {Criticality.CRITICAL: 4 * HOUR, Criticality.HIGH: 24 * HOUR}) == word


# Promises -----------------------------------------------------------------------------------------

ESTATE = {"mail": ("accounts", "network"), "accounts": ("network",), "network": (), "vpn": ("network",)}


def found(promises: Mapping[str, tuple[int, int | None]]) -> list[tuple[str, str]]:
    """What is broken, as what and path."""
    given_ = {key: Promise(*each) for key, each in promises.items()}
    return [(each.what, " ".join(each.path)) for each in broken(given_, ESTATE)]


def test_a_service_cannot_be_back_before_what_it_rests_on():
    assert found({"mail": (4, None), "network": (8, None)}) == [("RTO", "mail network")]
    assert found({"mail": (8, None), "network": (8, None)}) == []
    assert found({"mail": (8, None), "network": (4, None)}) == []


def test_nor_lose_less_data():
    assert found({"vpn": (8, 1), "network": (8, 2)}) == [("RPO", "vpn network")]
    assert found({"vpn": (8, None), "network": (8, 2)}) == []
    assert found({"vpn": (8, 1), "network": (8, None)}) == []


def test_the_path_leads_through_what_has_promised_nothing():
    assert [
        (each.what, " ".join(each.path))
        for each in broken({"a": Promise(1, None), "c": Promise(2, None)}, {"a": ("b",), "b": ("c",)})
    ] == [("RTO", "a b c")]


def test_both_are_told_and_a_circle_ends():
    assert found({"mail": (1, 1), "accounts": (2, 2)}) == [("RTO", "mail accounts"), ("RPO", "mail accounts")]
    assert [each.path for each in broken({"a": Promise(1, None)}, {"a": ("b",), "b": ("a",)})] == []


@given(
    promises=st.dictionaries(
        st.sampled_from("abcdef"), st.builds(Promise, st.integers(0, 5), st.none() | st.integers(0, 5))
    ),
    edges=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=12),
)
def test_every_broken_promise_has_a_path_of_real_steps_and_none_is_left_out(promises, edges):
    rests_on: dict[str, list[str]] = {}
    for above, below in edges:
        rests_on.setdefault(above, []).append(below)
    seen = broken(promises, rests_on)
    for each in seen:
        assert all(below in rests_on[above] for above, below in zip(each.path, each.path[1:], strict=False))
        assert each.promised < each.beneath
    reach = {key: _below(key, rests_on) for key in promises}
    owed = {
        ("RTO", above, below)
        for above in promises
        for below in reach[above] & promises.keys()
        if promises[above].rto < promises[below].rto
    }
    assert owed == {("RTO", each.path[0], each.path[-1]) for each in seen if each.what == "RTO"}


def _below(key: str, rests_on: Mapping[str, list[str]]) -> set[str]:
    reached: set[str] = set()
    queue = [key]
    while queue:
        for each in rests_on.get(queue.pop(), ()):
            if each not in reached:
                reached.add(each)
                queue.append(each)
    return reached - {key}


# Steps --------------------------------------------------------------------------------------------


def step(key: str, *after: str, lasts: int = 600) -> PlanStep:
    """A step of ten minutes."""
    return PlanStep(key=key, title=key, owner=("ann",), after=after, lasts=lasts)


def test_a_step_is_planned_for_when_the_last_one_before_it_ends():
    steps = [step("d", "b", "c"), step("a"), step("b", "a", lasts=1800), step("c", "a")]
    minutes = {key: (start.seconds // 60, end.seconds // 60) for key, (start, end) in planned(steps).items()}
    assert minutes == {"a": (0, 10), "b": (10, 40), "c": (10, 20), "d": (40, 50)}
    assert length(steps) == timedelta(minutes=50)
    assert followers(steps) == {"d": [], "a": ["b", "c"], "b": ["d"], "c": ["d"]}
    assert length([]) == timedelta()


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([step("a"), step("b", "a")], []),
        ([step("a"), step("a")], ["'a' stands here twice; give each step a key of its own"]),
        ([step("swap"), step("b", "swop")], ["'swop' is no step of this plan; did you mean 'swap'?"]),
        ([step("a", "a")], ["goes round in a circle: a waits for a; take one of them out"]),
        (
            [step("a", "c"), step("b", "a"), step("c", "b")],
            ["goes round in a circle: a waits for c waits for b waits for a; take one of them out"],
        ),
    ],
)  # fmt: skip
def test_steps_that_cannot_be_are_told(steps, told):
    assert [fault.message for fault in step_faults(steps)] == told


@pytest.mark.parametrize(
    ("state", "waits", "then"),
    [
        ("pending", 1, "pending"),
        ("pending", 0, "ready"),
        ("ready", 1, "pending"),
        ("doing", 2, "doing"),
        ("done", 1, "done"),
    ],
)
def test_what_somebody_has_taken_up_is_not_taken_away(state, waits, then):
    assert state_of_waiting(state, waits) == then


# Readiness ----------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("look", "why"),
    [
        (None, "nobody has looked yet"),
        (Look(True, NOW, 2), None),
        (Look(True, NOW, 1), "1 of at least 2"),
        (Look(False, NOW, 2), "lacking"),
        (Look(True, NOW - 10 * DAY, 2), None),
        (Look(True, NOW - 10 * DAY - timedelta(seconds=1), 2), "last looked at more than 10d ago"),
    ],
)
def test_what_is_not_known_to_be_in_place_is_a_gap(look, why):
    item = ReadinessItem("disks", "Disks", ReadinessKind.CONSUMABLE, "ann", every=10 * 86400, at_least=2)
    seen = [gap.why for gap in gaps(Readiness("mail", (item,)), {"disks": look} if look else {}, NOW)]
    assert seen == ([] if why is None else [why])
