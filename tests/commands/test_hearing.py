"""Is it on record when a platform was not heard, once, and is the owner told when it was long?"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from handlers.hearing import TOLD_FROM
from tests.harness.house import MONDAY, Talk


def hear(talk: Talk, at: datetime) -> None:
    """A new session begins."""
    talk.say("desk", f"desk unheard discord {at.isoformat()}")


def gaps(talk: Talk) -> list[tuple[str, str]]:
    """From when until when nothing was heard, as the ledger has it."""
    found = [each.after or {} for each in talk.evidence("desk") if each.action == "platform.unheard"]
    return [(each["since"], each["until"]) for each in found]


@pytest.mark.parametrize(
    ("gap", "is_told"),
    [(timedelta(seconds=5), False), (TOLD_FROM - timedelta(seconds=1), False), (TOLD_FROM, True)],
)
def test_a_gap_is_on_record_and_a_long_one_is_told(talk: Talk, gap: timedelta, is_told: bool):
    hear(talk, MONDAY)
    assert gaps(talk) == [], "nobody listened before"
    hear(talk, MONDAY + gap)
    assert gaps(talk) == [(MONDAY.isoformat(), (MONDAY + gap).isoformat())]
    told = [
        title for title in talk.told(talk.policy.organisation.owner_room) if "could not be heard" in title
    ]
    assert told == (["Discord could not be heard for 1m"] if is_told else [])


def test_the_same_session_is_noted_once_and_each_gap_by_itself(quick_talk: Talk):
    hour = timedelta(hours=1)
    for at in (MONDAY, MONDAY + hour, MONDAY + hour, MONDAY + 3 * hour):
        hear(quick_talk, at)
    stamps = [(MONDAY + number * hour).isoformat() for number in (0, 1, 1, 3)]
    assert gaps(quick_talk) == [(stamps[0], stamps[1]), (stamps[2], stamps[3])]


def test_a_clock_that_was_put_back_makes_no_gap(quick_talk: Talk):
    hear(quick_talk, MONDAY)
    hear(quick_talk, MONDAY - timedelta(hours=1))
    assert gaps(quick_talk) == []
    hear(quick_talk, MONDAY + timedelta(minutes=1))
    assert gaps(quick_talk) == [(MONDAY.isoformat(), (MONDAY + timedelta(minutes=1)).isoformat())]
