"""Do managers see agreements, availability, load, ratings and their digest, and nobody else?"""

from __future__ import annotations

from dataclasses import replace

from handlers.messages import Chart, Reply, Tone, flat
from storage.unit_of_work import Records
from tests.harness.house import Talk


def rows(reply: Reply) -> list[list[str]]:
    """The cells of a reply's table, as text."""
    assert reply.table is not None
    return [[flat(cell) for cell in row] for row in reply.table.rows]


def told(reply: Reply) -> dict[str, str]:
    """The facts of a reply, as text."""
    return {each.label: flat(each.value) for each in reply.facts}


# Agreements ---------------------------------------------------------------------------------------


def test_an_agreement_shows_its_promises_and_what_was_said_with_the_customer(talk: Talk) -> None:
    shown = talk.say("staff", "sla agreement priority")
    assert told(shown)["Customer"] == "Everyone who works away from the offices"
    assert ["respond", "P1 15m, P2 30m", "Round the clock", "99 %"] in rows(shown)
    assert not shown.buttons
    assert talk.say("staff", "sla accept priority by:me on:2026-11-20").tone is Tone.BAD
    talk.say("manager", "sla accept priority by:“Ms Gray” on:2026-11-20")
    talk.say("owner", "sla review priority by:“Ms Gray” on:2026-11-23 found:fine next:2027-05-20")
    facts = told(talk.say("manager", "sla agreement priority"))
    assert facts["Accepted"] == "2026-11-20, Ms Gray"
    assert facts["Reviewed"] == "2026-11-23, Ms Gray"
    assert facts["Next review"] == "2027-05-20"
    assert "In this version" not in facts
    priority = talk.policy.agreements["priority"]
    agreements = {**talk.policy.agreements, "priority": replace(priority, minimum_notice=60)}
    talk.policy = replace(talk.policy, agreements=agreements, version="another")
    later = talk.say("manager", "sla agreement priority")
    assert told(later)["In this version"] == "no: it was changed since"
    assert [row[0] for row in rows(talk.say("staff", "sla agreement"))] == [
        each.name for each in talk.policy.agreements.values()
    ]


def test_what_was_said_tomorrow_is_not_on_record(quick_talk: Talk) -> None:
    for line in (
        "sla accept standard by:Gray on:2026-11-24",
        "sla review standard by:Gray on:2026-11-20 next:2026-11-20 found:f",
    ):
        assert quick_talk.say("manager", line).tone is not Tone.GOOD
    assert quick_talk.evidence("agreement/standard") == []


# Availability, load, satisfaction -----------------------------------------------------------------


def test_availability_says_nothing_of_the_time_before_the_desk_heard_of_anything(quick_talk: Talk) -> None:
    empty = quick_talk.say("manager", "service availability mail within:year")
    assert (empty.table, empty.chart) == (None, None)
    assert "heard of nothing" in empty.title
    quick_talk.say("staff", "request new question why?")
    quick_talk.wait(hours=2)
    found = rows(quick_talk.say("manager", "service availability mail within:year"))
    assert [row[:5] for row in found] == [["Mail", "Nov 2026", "2h", "0s", "100 % ✓"]]
    quick_talk.wait(days=30)
    assert "heard of nothing" in quick_talk.say("manager", "service availability mail within:2026-10").title


def test_availability_counts_grave_incidents_in_agreed_time(talk: Talk) -> None:
    talk.say("staff", "incident declare no mail service:mail impact:high urgency:high")
    talk.say("staff", "incident declare slow mail service:mail impact:low urgency:low anyway:yes")
    talk.say(
        "staff", "incident declare a practice service:mail impact:high urgency:high practice:yes anyway:yes"
    )
    talk.wait(hours=2)
    talk.say("oncall", "incident resolve INC-1 a new disk")
    talk.wait(hours=1)
    found = talk.say("manager", "service availability mail within:month")
    assert found.tone is Tone.BAD
    assert isinstance(found.chart, Chart)
    row = rows(found)[0]
    assert row[:2] == ["Mail", "Nov 2026"]
    assert row[3] == "2h"
    assert row[4].endswith("✗ below target")
    assert row[6].endswith("too much")
    assert "No service time is agreed" in talk.say("manager", "service availability laptops").title
    assert talk.say("staff", "service availability mail").tone is Tone.BAD
    assert "has not begun yet" in talk.say("manager", "service availability mail within:2031").title


def test_capacity_warns_of_who_has_too_much_in_hand(quick_talk: Talk) -> None:
    assert rows(quick_talk.say("manager", "service capacity")) == []
    desk = replace(quick_talk.policy.teams["service-desk"], load=2)
    quick_talk.policy = replace(
        quick_talk.policy, teams={**quick_talk.policy.teams, "service-desk": desk}, version="another"
    )
    for number in (1, 2, 3):
        quick_talk.say("staff", "request new question why? anyway:yes")
        if number < 3:
            quick_talk.say("agent", f"request take REQ-{number}")
    found = quick_talk.say("manager", "service capacity service-desk within:week")
    assert found.tone is Tone.WAITING
    assert told(found) == {"Too much": "Alex Agent: 2 open in Service desk (2)"}
    assert rows(found) == [["Service desk", "3", "0", "3", "1", "2"]]
    assert quick_talk.say("staff", "service capacity").tone is Tone.BAD
    assert quick_talk.say("agent", "service capacity service-desk").tone is Tone.WAITING


def test_ratings_are_told_by_service(quick_talk: Talk) -> None:
    assert rows(quick_talk.say("manager", "service satisfaction")) == []
    for number, stars in ((1, 5), (2, 2)):
        quick_talk.say("staff", "request new question why? anyway:yes")
        quick_talk.say("agent", f"request take REQ-{number}")
        quick_talk.say("agent", f"request fulfil REQ-{number}")
        quick_talk.say("staff", f"request confirm REQ-{number}")
        quick_talk.say("staff", f"request rate REQ-{number} {stars}")
    found = quick_talk.say("manager", "service satisfaction within:month")
    assert rows(found) == [["Help", "2", "3.5", "1", "1", "—"]]
    assert isinstance(found.chart, Chart)


# The digest ---------------------------------------------------------------------------------------


def test_the_digest_comes_on_its_day_and_seeing_it_is_on_record(talk: Talk) -> None:
    talk.tend()
    talk.say("staff", "request new question why?")
    talk.wait(days=7)  # Monday 09:00 again, half an hour after it was due
    assert talk.told("@manager")[-1] == "The week: promises for everything, last week"
    with talk.database.reading() as session:
        rows_ = [
            each
            for each in Records(session).outbox.listed(["pending"], 1000)
            if each.lane == "console:@:manager"
        ]
        assert Records(session).dues.at("digest/week") is not None
    digest = Reply.model_validate(rows_[-1].payload)
    assert [each.title for each in digest.more][-2:] == ["0 things overdue", "Every message arrives"]
    assert told(digest)["Broken"] == "1"
    seen = digest.buttons[0]
    assert seen.label == "Seen"
    assert talk.say("manager", seen.line).tone is Tone.GOOD
    assert talk.say("manager", seen.line).title == "You have seen this digest already."
    assert talk.say("staff", seen.line).tone is Tone.BAD
    last = talk.evidence("digest/week")[-1]
    assert (last.action, last.actor) == ("sla.digest_seen", "manager")
    assert "GP 2.10" in last.practices
    assert "No digest of that name" in talk.say("manager", "sla seen week 2026-01-01").title


def test_a_digest_tells_what_is_overdue(quick_talk: Talk) -> None:
    quick_talk.say("manager", "sla accept standard by:Gray on:2025-11-20")
    said = "change emergency restart the store service:mail because:“it loses mails” plan:restart"
    quick_talk.say("oncall", said)
    quick_talk.say("manager", "change approve CHG-1")
    quick_talk.say("oncall", "change start CHG-1")
    quick_talk.say("staff", "incident declare all is down service:network impact:high urgency:high")
    quick_talk.say("oncall", "incident ack INC-1")
    quick_talk.say("oncall", "incident resolve INC-1 it was the fan")
    quick_talk.wait(days=12)
    digest = quick_talk.say("manager", "sla digest week")
    found = next(each for each in digest.more if each.title.endswith("overdue"))
    assert [row[1:] for row in rows(found)] == [
        ["review of Standard agreement with its customer", "—"],
        ["review of CHG-1, Mail", "Oli Oncall"],
        ["review of INC-1, Network", "Oli Oncall"],
    ]
    assert quick_talk.say("staff", "sla digest week").tone is Tone.BAD
