"""Which clocks does an incident's evidence give: one word after the other, a review, and nothing for what is merged?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.policy import Agreement, Calendar, Priority, Promise, Target
from handlers.rules.ledger import Record
from handlers.rules.promises import COURSES, Clock, clocks_of, moves_clocks
from handlers.rules.sla_clock import State

ZERO = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ALWAYS = Calendar(key="24x7", name="Round the clock", zone="UTC", always=True)
TERMS = Agreement(
    key="incident",
    name="Incidents",
    targets=(
        Target(Promise.RESPOND, "24x7", {Priority.P1: 900, Priority.P3: 14400}),
        Target(Promise.UPDATE, "24x7", {Priority.P1: 1800, Priority.P3: 14400}, warn_at=(75,)),
        Target(Promise.RESOLVE, "24x7", {Priority.P1: 14400, Priority.P3: 172800}),
        Target(Promise.APPROVE, "24x7", {Priority.P1: 3600}),
    ),
)


def at(minutes: float) -> datetime:
    return ZERO + timedelta(minutes=minutes)


def told(*story: tuple[float, str, dict[str, Any]], actor: str = "oncall") -> list[Record]:
    """Records from (minute, what happened, what was so after it)."""
    return [
        Record(
            at=at(minute), actor="desk" if verb == "noted" else actor, surface="console",
            action=verb if "." in verb else f"incident.{verb}", subject="INC-1", after=after, seq=seq,
            previous="", hash="", commitments={},
        )
        for seq, (minute, verb, after) in enumerate(story, 1)
    ]  # fmt: skip


DECLARED = (
    (0, "reported", {"state": "triggered", "reporter": "staff"}),
    (0, "declared", {"state": "triggered", "agreement": "incident", "agreement_version": "1"}),
    (0, "categorized", {"state": "triggered", "severity": "SEV1", "priority": "P1"}),
)


def clocks(records: Iterable[Record], minute: float) -> dict[str, Clock]:
    """The clocks at a minute, by name."""
    found = clocks_of([*records], lambda key, version: (TERMS, {"24x7": ALWAYS}), at(minute))
    return {clock.name: clock for clock in found}


def states(records: Iterable[Record], minute: float) -> dict[str, State]:
    return {name: clock.reading.state for name, clock in clocks(records, minute).items()}


def test_what_is_categorized_has_three_promises():
    found = clocks(told(*DECLARED), 1)
    assert {name: clock.reading.due_at for name, clock in found.items()} == {
        "respond": at(15), "update": at(30), "resolve": at(240),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("actor", "end", "kept"),
    [
        ("oncall", "rejected", {"respond", "approve"}),
        ("desk", "rejected", {"approve"}),  # by the deadline, as everybody was told
        ("staff", "cancelled", set()),  # nobody decided anything
    ],
)
def test_what_ended_owes_nobody_an_answer(actor: str, end: str, kept: set[str]):
    asked = {"requester": "staff", "agreement": "incident", "agreement_version": "1", "priority": "P1"}
    story = (
        (0, "request.received", {"state": "awaiting-approval", **asked}),
        (5, f"request.{end}", {"state": end}),
    )
    assert states(told(*story, actor=actor), 99) == {
        name: State.MET if name in kept else State.CANCELLED for name in ("respond", "resolve", "approve")
    }


def test_nothing_is_promised_before_it_is_known_how_bad_it_is():
    assert clocks(told(*DECLARED[:2]), 1) == {}


def test_each_word_keeps_its_promise_and_makes_the_next():
    story = told(
        *DECLARED,
        (20, "status_posted", {"state": "triggered", "changed": True}),
        (55, "status_posted", {"state": "triggered", "changed": False}),
    )
    assert states(story, 60) == {
        "respond": State.MET_LATE, "resolve": State.RUNNING, "update 1": State.MET,
        "update 2": State.MET_LATE, "update": State.RUNNING,
    }  # fmt: skip
    assert clocks(story, 60)["update"].reading.due_at == at(85)
    assert clocks(story, 60)["update 2"].reading.breached_at == at(50)


def test_the_desks_own_notes_keep_nothing():
    story = told(*DECLARED, (10, "noted", {"state": "triggered"}))
    assert states(story, 31)["update"] is State.BREACHED
    assert states(story, 31)["respond"] is State.BREACHED


def test_the_author_may_name_the_moment_and_then_no_severity_moves_it():
    story = told(
        *DECLARED,
        (10, "status_posted", {"state": "triggered", "next_at": at(100).isoformat()}),
        (20, "triaged", {"state": "triggered", "severity": "SEV3", "priority": "P3"}),
    )
    found = clocks(story, 30)
    assert found["update"].reading.due_at == at(100)
    assert [each.at for each in found["update"].reading.warnings] == [at(10 + 67.5)]
    assert found["resolve"].reading.due_at == at(2880)


def test_a_change_of_severity_moves_the_word_that_the_agreement_promised():
    story = told(*DECLARED, (20, "triaged", {"state": "triggered", "severity": "SEV3", "priority": "P3"}))
    assert clocks(story, 30)["update"].reading.due_at == at(240)


def test_what_is_resolved_owes_no_word_and_what_is_reopened_does_again():
    resolved = (25, "resolved", {"state": "resolved"})
    assert states(told(*DECLARED, resolved), 60) == dict.fromkeys(
        ("respond", "resolve", "update"), State.MET
    ) | {"respond": State.MET_LATE}
    story = told(*DECLARED, resolved, (100, "reopened", {"state": "triggered"}))
    found = clocks(story, 101)
    assert found["update"].reading.due_at == at(130)
    assert found["update 1"].reading.state is State.MET
    assert found["resolve"].reading.due_at == at(240 + 75), "the time in between does not count"


def test_a_review_is_promised_for_its_moment_and_void_when_it_is_open_again():
    resolved = (25, "resolved", {"state": "resolved", "review_by": at(7225).isoformat()})
    found = clocks(told(*DECLARED, resolved), 30)
    assert (found["review"].reading.due_at, found["review"].goal) == (at(7225), 100.0)
    kept = told(
        *DECLARED, resolved, (40, "closed", {"state": "closed"}), (90, "reviewed", {"state": "closed"})
    )
    assert states(kept, 100)["review"] is State.MET
    again = told(*DECLARED, resolved, (60, "reopened", {"state": "triggered"}))
    assert states(again, 100)["review"] is State.CANCELLED


def test_what_is_merged_owes_nothing():
    story = told(*DECLARED, (5, "merged", {"state": "merged"}))
    assert set(states(story, 6000).values()) == {State.CANCELLED}


@pytest.mark.parametrize(
    ("action", "before", "after", "unanswered", "moves"),
    [
        ("incident.status_posted", {"state": "triggered"}, {"state": "triggered"}, False, True),
        ("incident.role_given", {"state": "triggered"}, {"state": "triggered"}, True, False),
        ("incident.acknowledged", {"state": "triggered"}, {"state": "acknowledged"}, False, True),
        ("incident.workaround_recorded", {"state": "triggered"}, {"state": "triggered"}, True, True),
        ("incident.workaround_recorded", {"state": "triggered"}, {"state": "triggered"}, False, False),
        ("incident.reviewed", {"state": "closed"}, {"state": "closed"}, False, True),
        ("request.commented", {"state": "open"}, {"state": "open"}, False, False),
        ("request.task_done", {"state": "open"}, {"state": "open"}, False, True),
        ("person.met", None, {"state": "new"}, True, False),
    ],
)
def test_only_what_can_move_a_clock_has_them_read(action, before, after, unanswered, moves):
    assert moves_clocks(action, before, after, unanswered) is moves


VERBS = ("status_posted", "noted", "acknowledged", "resolved", "reopened", "triaged", "workaround_recorded")
STATES = {"acknowledged": "acknowledged", "resolved": "resolved", "reopened": "triggered"}


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from(VERBS)), max_size=12), st.integers(0, 600))
def test_there_is_one_promise_of_a_word_for_each_word_and_never_two_at_once(steps, asked):
    story, minute, state, said = list(DECLARED), 0, "triggered", 0
    for wait, verb in steps:
        minute += wait
        state = STATES.get(verb, state)
        story.append((minute, verb, {"state": state}))
        said += verb in ("status_posted", "reopened") and minute <= asked
    found = {
        name: each for name, each in clocks(told(*story), asked).items() if each.promise is Promise.UPDATE
    }
    assert len(found) == said + 1
    running = [name for name, each in found.items() if each.reading.stopped_at is None]
    assert running in ([], ["update"])
    starts = [each.reading.started_at for each in found.values() if each.reading.started_at]
    assert starts == sorted(starts)


def test_every_course_names_who_owes_and_where():
    for course in COURSES.values():
        for promise in Promise:
            assert course.states_of(promise)
            assert course.who_owes(promise)


def test_what_is_signed_twice_in_a_day_is_promised_anew_for_the_same_day():
    signed = {"state": "signed", "review_by": at(600).isoformat()}
    story = [(0, "continuity_plan.approved", signed), (30, "continuity_plan.approved", signed)]
    found = clocks(told(*story), 60)
    assert [(name, str(each.reading.state)) for name, each in found.items()] == [
        ("review 1", "met"),
        ("review", "running"),
    ]


# Changes, whose records name the moments themselves ------------------------------------------------

ASKED = (0, "change.submitted", {"decide_by": at(60).isoformat(), "review_by": None})


@pytest.mark.parametrize(
    ("then", "minute", "found"),
    [
        ((), 30, {"approve": State.RUNNING}),
        ((), 60, {"approve": State.BREACHED}),
        (((59, "change.approved", {"decide_by": None}),), 90, {"approve": State.MET}),
        (((60, "change.rejected", {"decide_by": None}),), 90, {"approve": State.MET_LATE}),
        (((10, "change.cancelled", {"decide_by": None}),), 90, {"approve": State.CANCELLED}),
        (
            ((10, "change.edited", {"decide_by": at(80).isoformat()}),),
            70,
            {"approve 1": State.CANCELLED, "approve": State.RUNNING},
        ),
        (
            (
                (10, "change.stage_approved", {"decide_by": at(90).isoformat()}),
                (20, "change.approved", {"decide_by": None}),
                (30, "change.implemented", {"review_by": at(130).isoformat()}),
                (40, "change.reviewed", {"review_by": at(130).isoformat()}),
            ),
            50,
            {"approve 1": State.MET, "approve": State.MET, "review": State.MET},
        ),
    ],
)
def test_a_change_is_decided_before_its_deadline_and_reviewed_by_its_day(then, minute, found):
    assert states(told(ASKED, *then), minute) == found
