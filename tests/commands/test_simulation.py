"""Does a migration come to exactly what its simulation showed, and leave alone what is closed?"""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from handlers.messages import Reply, Tone, flat
from storage.unit_of_work import Records
from tests.harness.house import Talk


def moments(reply: Reply) -> dict[tuple[str, str], tuple[str, str]]:
    """Due moments before and after, by ticket and promise, from a simulation's file."""
    assert reply.file is not None
    found = csv.DictReader(io.StringIO(reply.file[1]))
    return {
        (each["ticket"], each["promise"]): (each["before"], each["after"])
        for each in found
        if each["moment"] == "due"
    }


def dues(talk: Talk, *refs: str) -> dict[tuple[str, str], str]:
    """The due moments that lists show."""
    with talk.database.reading() as session:
        clocks = Records(session).clocks
        return {
            (ref, row.promise): row.due_at.isoformat() if row.due_at else ""
            for ref in refs
            for row in clocks.of(ref)
        }


def some(talk: Talk) -> None:
    """Three open questions, one of them answered, one waiting; a fourth is closed."""
    for _ in range(4):
        talk.say("staff", "request new question why? anyway:yes")
    talk.wait(hours=1)
    talk.say("agent", "request take REQ-1")
    talk.say("agent", "request wait REQ-2 requester which?")
    talk.say("agent", "request take REQ-4")
    talk.say("agent", "request fulfil REQ-4")
    talk.say("staff", "request confirm REQ-4")


@pytest.mark.parametrize(
    "change", ["closed:2026-11-25", "calendar:24x7", "calendar:extended closed:2026-11-24"]
)
def test_a_migration_comes_to_what_its_simulation_showed(talk: Talk, change: str) -> None:
    some(talk)
    talk.wait(hours=2)
    before, closed = dues(talk, "REQ-1", "REQ-2", "REQ-3"), talk.evidence("REQ-4")
    preview = talk.say("manager", f"sla simulate standard {change}")
    moved = moments(preview)
    assert moved
    assert all(before[each] == was for each, (was, _) in moved.items())
    assert dues(talk, "REQ-1", "REQ-2", "REQ-3") == before, "looking changes nothing"
    done = talk.say("manager", preview.buttons[0].line + " because:“as agreed”")
    assert done.title.startswith("3 open tickets migrated")
    after = dues(talk, "REQ-1", "REQ-2", "REQ-3")
    assert after == {each: moved[each][1] if each in moved else was for each, was in before.items()}
    assert talk.evidence("REQ-4") == closed
    assert "request.migrated" in talk.actions("REQ-1")
    assert talk.told("@staff")[-1].endswith("has new promises")
    assert talk.say("manager", f"sla simulate standard {change}").title.startswith("No open ticket")
    with talk.database.reading() as session:
        clocks = Records(session).clocks
        assert clocks.tallies() == clocks.recount()


def test_what_changed_meanwhile_is_shown_before_anything_is_migrated(quick_talk: Talk) -> None:
    some(quick_talk)
    line = quick_talk.say("manager", "sla simulate standard closed:2026-11-25").buttons[0].line
    quick_talk.say("agent", "request wait REQ-3 supplier ordered")
    before = dues(quick_talk, "REQ-1", "REQ-2", "REQ-3")
    again = quick_talk.say("manager", line + " because:b")
    assert again.tone is Tone.WAITING
    assert again.title == "Something has changed since you looked, so nothing was migrated."
    assert dues(quick_talk, "REQ-1", "REQ-2", "REQ-3") == before
    assert quick_talk.say("manager", again.buttons[0].line + " because:b").tone is Tone.GOOD
    assert quick_talk.say("owner", line + " because:b").title == "Nothing was migrated."


def test_a_new_version_that_is_long_past_gives_the_minimum_notice(quick_talk: Talk) -> None:
    some(quick_talk)
    quick_talk.wait(hours=2)
    standard = quick_talk.policy.agreements["standard"]
    strict = tuple(replace(each, within=dict.fromkeys(each.within, 60)) for each in standard.targets)
    agreements = {**quick_talk.policy.agreements, "standard": replace(standard, targets=strict)}
    quick_talk.policy = replace(quick_talk.policy, agreements=agreements, version="strict")
    preview = quick_talk.say("manager", "sla simulate standard")
    assert preview.table is not None
    assert any("(minimum notice)" in flat(row[3]) for row in preview.table.rows)
    quick_talk.wait(minutes=2)  # what is counted from the migration does not make it another one
    done = quick_talk.say("manager", preview.buttons[0].line + " because:b")
    assert done.tone is Tone.GOOD, done
    why = quick_talk.say("agent", "sla why REQ-3")
    assert any("minimum notice" in flat(row[3]) for part in why.more if part.table for row in part.table.rows)


def test_bad_questions_are_met_with_what_is_known(quick_talk: Talk) -> None:
    nothing = "No open ticket lives by Standard agreement: there is nothing to move."
    assert quick_talk.say("manager", "sla simulate standard").title == nothing
    invented = quick_talk.say("manager", "sla migrate standard seal:0 because:b")
    assert (invented.title, invented.tone) == ("Nothing was migrated.", Tone.PLAIN)
    assert quick_talk.say("manager", "sla simulate pigeons").form is not None
    some(quick_talk)
    same = quick_talk.say("manager", "sla simulate standard")
    assert same.title.endswith("all live by Standard agreement as it is in force already."), same
    unknown = quick_talk.say("manager", "sla simulate standard version:zzz")
    assert "is no version of it" in unknown.title + str(unknown.form)
    assert quick_talk.say("staff", "sla simulate standard").tone is Tone.BAD
    assert quick_talk.say("agent", "sla migrate standard seal:0 because:b").tone is Tone.BAD


def test_a_day_that_cannot_be_closed_is_refused_with_the_reason(quick_talk: Talk) -> None:
    some(quick_talk)
    around_the_clock = quick_talk.say("manager", "sla simulate standard calendar:24x7 closed:2026-11-25")
    assert around_the_clock.title == (
        "Closing 2026-11-25 as well changes nothing: Round the clock never closes."
    )
    holiday = quick_talk.say("manager", "sla simulate standard closed:2026-12-25")
    assert holiday.title.endswith("Office hours is closed then already.")
