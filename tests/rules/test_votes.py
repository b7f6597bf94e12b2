"""Who has a vote on a change, what is it bound to, and when is a stage decided?"""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.rules.approval import Seat, Verdict
from handlers.rules.votes import Says, Vote, barred, differences, seal, seats, tally

CONTENT = {
    "plan": "swap the disk",
    "services": ["mail"],
    "start": "2026-12-01T20:00:00+00:00",
    "backout": "swap back",
}
DELEGATES = {"req": "dep", "imp": "imd", "ann": "bob", "cat": "req"}
PEOPLE = ("req", "dep", "imp", "imd", "ann", "bob", "cat")


def test_the_same_content_has_the_same_seal_whatever_the_order():
    assert seal(CONTENT) == seal(dict(reversed(CONTENT.items())))
    assert len(seal(CONTENT)) == 64


@given(st.sampled_from(sorted(CONTENT)), st.text(max_size=30))
def test_any_edit_has_another_seal_and_is_told(part, text):
    edited = {**CONTENT, part: text}
    told = differences(CONTENT, edited)
    assert [(each.part, each.was, each.now) for each in told] == [(part, CONTENT[part], text)]
    assert seal(edited) != seal(CONTENT)


def test_what_was_added_or_taken_away_is_a_difference_too():
    told = differences({"plan": "a", "test": "t"}, {"plan": "a", "backout": "b"})
    assert [(each.part, each.was, each.now) for each in told] == [("backout", None, "b"), ("test", "t", None)]


def test_who_asks_who_makes_it_and_who_stands_in_for_these_has_no_vote():
    assert barred("req", "imp", DELEGATES.get) == {
        "req": "asked for it",
        "imp": "makes it",
        "dep": "stands in for req",
        "imd": "stands in for imp",
    }
    assert barred("req", "req", DELEGATES.get) == {"req": "asked for it", "dep": "stands in for req"}


@pytest.mark.parametrize(
    ("named", "away", "expected"),
    [
        (["ann", "cat"], [], [Seat("ann"), Seat("cat")]),
        (["ann", "req", "dep", "imp", "imd"], [], [Seat("ann")]),
        (["ann", "cat"], ["ann"], [Seat("bob", for_="ann"), Seat("cat")]),
        (["ann", "bob"], ["ann"], [Seat("bob")]),  # one person, one seat
        (["ann"], ["ann", "bob"], [Seat("ann")]),  # nobody stands in, so the seat stays
        (["cat"], ["cat"], [Seat("cat")]),  # the delegate asked for the change
        ([], [], []),
    ],
)
def test_seats_fall_to_delegates_who_have_a_vote(named, away, expected):
    without = barred("req", "imp", DELEGATES.get)
    assert list(seats(named, without, DELEGATES.get, away.__contains__)) == expected


@given(st.lists(st.sampled_from(PEOPLE)), st.sets(st.sampled_from(PEOPLE)))
def test_nobody_is_asked_twice_and_nobody_without_a_vote(named, away):
    without = barred("req", "imp", DELEGATES.get)
    asked = [seat.person for seat in seats(named, without, DELEGATES.get, away.__contains__)]
    assert len(asked) == len(set(asked))
    assert not set(asked) & set(without)


@pytest.mark.parametrize(
    ("need", "seated", "votes", "verdict", "missing"),
    [
        (1, "abc", "", Verdict.UNDECIDED, 1),
        (1, "abc", "a+", Verdict.APPROVED, 0),
        (2, "abc", "a+", Verdict.UNDECIDED, 1),
        (2, "abc", "a+ b-", Verdict.UNDECIDED, 1),
        (2, "abc", "a+ b- c+", Verdict.APPROVED, 0),
        (2, "abc", "a+ b- c-", Verdict.REJECTED, 1),
        (2, "abc", "a- b-", Verdict.REJECTED, 2),
        (2, "abc", "a0 b0", Verdict.REJECTED, 2),  # too few are left to agree
        (1, "abc", "a0 b-", Verdict.UNDECIDED, 1),
        (2, "abc", "x+ y+", Verdict.UNDECIDED, 2),  # barred, whoever let them
        (2, "abc", "d+ e+", Verdict.APPROVED, 0),  # had a vote when they cast it
        (2, "a", "a+", Verdict.REJECTED, 1),  # a quorum is not lowered
    ],
)
def test_a_stage_is_decided_as_soon_as_it_can_be(need, seated, votes, verdict, missing):
    signs = {"+": Says.APPROVE, "-": Says.OBJECT, "0": Says.ABSTAIN}
    cast = [Vote(each[0], signs[each[1]]) for each in votes.split()]
    found = tally(need, seated, cast, without={"x", "y"})
    assert (found.verdict, found.missing) == (verdict, missing)


@given(st.integers(1, 4), st.permutations([*product("abcd", [Says.APPROVE, Says.OBJECT, Says.ABSTAIN])]))
def test_the_order_of_votes_decides_nothing_and_a_verdict_never_turns(need, order):
    cast: dict[str, Vote] = {}
    verdicts = []
    for person, says in order:
        cast.setdefault(person, Vote(person, says))
        verdicts.append(tally(need, "abcd", [*cast.values()], ()).verdict)
    decided = [each for each in verdicts if each is not Verdict.UNDECIDED]
    assert len(set(decided)) == 1
    last = tally(need, "abcd", [*cast.values()], ())
    backwards = tally(need, "abcd", [*reversed(cast.values())], ())
    assert backwards.verdict is last.verdict
    assert (last.verdict is Verdict.APPROVED) == (sum(v.says is Says.APPROVE for v in cast.values()) >= need)
