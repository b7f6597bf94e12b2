"""Is glass broken only by those who may, with a second pair of eyes, and paid back?"""

from __future__ import annotations

import pytest

from handlers.messages import Tone
from tests.commands.changes import (
    emergency,
    facts,
    rows,
    state,
)
from tests.harness.house import Talk


def test_an_emergency_needs_a_second_pair_of_eyes_and_goes_through_a_freeze(talk: Talk) -> None:
    talk.say("manager", "change freeze the fair end:3d")
    asked = emergency(talk)
    assert asked.title == "CHG-1 waits for approval"
    assert talk.told("@manager", "CHG-1") == ["CHG-1 needs your vote: restart the store"]
    assert talk.say("oncall", "change approve CHG-1").tone is Tone.BAD
    assert (
        talk.say("oncall", "change start CHG-1").title == "You cannot start CHG-1: it is awaiting approval."
    )
    talk.say("manager", "change approve CHG-1")
    assert talk.told("@oncall")[-1] == "The glass is broken for CHG-1"
    assert talk.say("oncall", "change start CHG-1").tone is Tone.GOOD
    begun = next(each for each in talk.evidence("CHG-1") if each.action == "change.started")
    assert (begun.after or {})["in_the_way"] == ["freeze:FRZ-1"]


def test_whoever_leads_the_incident_needs_no_second(talk: Talk) -> None:
    talk.say("staff", "incident declare mail is down service:mail impact:high urgency:high")
    talk.say("oncall", "incident lead INC-1")
    assert emergency(talk, "oncall", "incident:INC-1").title == "The glass is broken for CHG-1; start it"
    assert emergency(talk, "backup", "incident:INC-1").title == "CHG-2 waits for approval"
    broken = next(each for each in talk.evidence("CHG-1") if each.action == "change.glass_broken")
    assert (broken.after or {})["by"] == "lead of the incident"
    talk.say("oncall", "incident resolve INC-1 restarted")
    assert emergency(talk, "oncall", "incident:INC-1").title == "CHG-3 waits for approval", "it is over"


@pytest.mark.parametrize("what", ["service:laptops", "service:mail practice:yes"])
def test_no_glass_is_broken_alone_for_an_incident_of_something_else_or_of_practice(
    talk: Talk, what: str
) -> None:
    talk.say("staff", f"incident declare it is down {what} impact:high urgency:high")
    talk.say("oncall", "incident lead INC-1")
    assert emergency(talk, "oncall", "incident:INC-1").title == "CHG-1 waits for approval"


def test_an_emergency_has_no_time_of_its_own(talk: Talk) -> None:
    emergency(talk)
    for state_ in ("awaiting approval", "scheduled"):
        assert state(talk, "CHG-1") == state_
        refused = [
            talk.say("oncall", f"change {each} CHG-1 start:“tue 20:00” end:2h")
            for each in ("edit", "schedule")
        ]
        assert {each.tone for each in refused} == {Tone.WAITING}
        assert refused[0].title == "CHG-1 is an emergency: it has no window of its own."
        talk.say("manager", "change approve CHG-1")
    assert state(talk, "CHG-1") == "scheduled"
    talk.say("oncall", "change edit CHG-1 plan:“all of it anew”")
    assert state(talk, "CHG-1") == "awaiting approval", "who agreed to the one does not agree to the other"


def test_the_lead_of_the_incident_may_be_the_second(talk: Talk) -> None:
    talk.say("staff", "incident declare mail is down service:mail impact:high urgency:high")
    talk.say("oncall", "incident lead INC-1 @agent")
    emergency(talk, "oncall", "incident:INC-1")
    assert "CHG-1 needs your vote: restart the store" in talk.told("@agent")
    talk.say("agent", "change approve CHG-1")
    assert state(talk, "CHG-1") == "scheduled"


def test_an_emergency_that_nobody_agrees_to_is_none(talk: Talk) -> None:
    emergency(talk)
    talk.wait(hours=1)
    assert state(talk, "CHG-1") == "rejected"
    assert emergency(talk).title == "CHG-2 waits for approval", "nothing is owed for it"


def test_glass_that_was_not_used_is_whole_again(talk: Talk) -> None:
    emergency(talk)
    talk.say("manager", "change approve CHG-1")
    talk.wait(hours=5)
    assert state(talk, "CHG-1") == "cancelled"
    talk.wait(days=10)
    assert emergency(talk).tone is Tone.GOOD


def test_the_review_of_an_emergency_is_owed_and_no_further_glass_is_broken_before(talk: Talk) -> None:
    emergency(talk)
    talk.say("manager", "change approve CHG-1")
    talk.say("oncall", "change start CHG-1")
    talk.say("oncall", "change complete CHG-1 successful it runs")
    talk.wait(days=2)
    assert emergency(talk).tone is Tone.GOOD, "not overdue yet"
    talk.say("oncall", "change cancel CHG-2")
    talk.wait(days=2)
    assert talk.told("@oncall").count("The review of CHG-1 is overdue: restart the store") == 2
    assert "The review of CHG-1 is overdue: restart the store" in talk.told("@owner"), "their manager"
    refused = emergency(talk)
    assert refused.title == "You owe the review of CHG-1, due since Thu 26 Nov 2026."
    assert [each.line for each in refused.buttons] == ["change review CHG-1"]
    assert emergency(talk, "backup").tone is Tone.GOOD, "somebody else owes nothing"
    figures = talk.say("manager", "change figures")
    assert facts(figures)["Emergencies whose review is owed"] == "1, 1 of them overdue"
    assert facts(figures)["The oldest of these"] == "CHG-1, 4d old"
    assert rows(talk.say("manager", "change list unpaid")) == [
        [
            "CHG-1",
            "restart the store",
            "completed",
            "Oli Oncall",
            "Oli Oncall",
            "4d",
            "2026-11-26 08:00 UTC (overdue)",
        ]
    ]
    talk.say("oncall", "change review CHG-1 watch the memory")
    assert emergency(talk).tone is Tone.GOOD
