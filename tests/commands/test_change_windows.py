"""Is a change given a time that can be, with everything in its way told, and does a freeze hold?"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest

from config.policy import Freeze
from handlers.declare import Declared
from handlers.messages import Place, Reply, Tone, flat
from tests.commands.changes import (
    LOW,
    approved,
    facts,
    in_parallel,
    propose,
    rows,
    scheduled,
    started,
    state,
)
from tests.harness.house import MONDAY, Talk

# Windows ------------------------------------------------------------------------------------------


NEAREST = "That is past. The nearest window of that length begins 23 Nov 2026 09:00."
BACKWARDS = (
    "That ends before it starts, which is 24 Nov 2026 20:00. "
    "Write how long it takes, as 2h, or a later end, as 24 Nov 2026 21:00."
)
SKIPPED = (
    "Sun 28 Mar 2027 has no 02:30 in Europe/Berlin: the clocks go forward over it. The nearest time is 03:00."
)
LENGTH = "How long does it take, or when does it end? Write for example 2h or 23:00."
UNCLEAR = "“soon” is not a day. Write for example tomorrow, fri, 1 dec or 2026-12-01."


@pytest.mark.parametrize(
    ("when", "field", "said"),
    [
        ("start:“mon 8:00” end:2h", None, None),  # the Monday to come
        ("start:“2026-11-23 08:00” end:2h", "start", NEAREST),
        ("start:“2026-10-25 02:30” end:1h", "start", NEAREST),
        ("start:“tue 20:00” end:“2026-11-24 19:00”", "end", BACKWARDS),
        ("start:“2027-03-28 02:30” end:2h", "start", SKIPPED),
        ("start:“2027-03-27 22:00” end:“2027-03-28 02:30”", "end", SKIPPED),
        ("start:“tue 20:00” end:31d", "end", "That is longer than 30 days. Make several changes of it."),
        ("start:“tue 20:00”", "end", LENGTH),
        ("end:2h", "start", "When does it begin? Write for example sat 22:00."),
        ("start:soon end:2h", "start", UNCLEAR),
    ],
)
def test_a_window_that_cannot_be_is_refused_with_the_reason(
    quick_talk: Talk, when: str, field: str, said: str
) -> None:
    asked = quick_talk.say("oncall", f"change propose a larger store service:mail {when}")
    assert ({each.key: each.error for each in asked.form.fields if each.error} if asked.form else {}) == (
        {field: said} if field else {}
    )
    assert quick_talk.say("oncall", "change list all").title.startswith("0" if field else "1")


def test_an_unknown_service_is_told_with_the_nearest_one(quick_talk: Talk) -> None:
    asked = quick_talk.say("oncall", "change propose a larger store service:mial,vpn")
    assert asked.title == "There is no service called “mial”. Did you mean mail?"


def test_every_conflict_is_listed_and_accepted_only_as_it_was_shown(talk: Talk) -> None:
    scheduled(talk, who="backup", service="accounts")
    ref = approved(talk, service="mail")
    asked = talk.say("oncall", f"change schedule {ref}")
    assert asked.title == f"{ref} has 1 conflict: CHG-1"
    assert [row[:3] for row in rows(asked)] == [["another change", "CHG-1: a larger store", "Accounts"]]
    assert flat(asked.text).startswith(
        "If it may be accepted, say so and why. The next free window begins 2026-11-24 22:00"
    )
    take, anyway = asked.buttons
    why = talk.say("oncall", anyway.line)
    assert why.form is not None
    assert {each.key: each.error for each in why.form.fields if each.error} == {
        "because": "Why may what is in the way be accepted?"
    }
    done = talk.say("oncall", f"{anyway.line} because:“we sit side by side”")
    assert (done.tone, facts(done)["In its way, and accepted"]) == (Tone.GOOD, "CHG-1")
    assert take.line.startswith(f"change schedule {ref} start:")


def test_what_has_come_into_the_way_since_is_shown_anew(talk: Talk) -> None:
    first = scheduled(talk, who="backup", service="accounts")
    ref = approved(talk, service="mail")
    shown = talk.say("oncall", f"change schedule {ref}").buttons[-1].line
    other = approved(talk, who="backup", service="network", more="implementer:@agent")
    accepting = talk.say("backup", f"change schedule {other}").buttons[-1].line
    assert talk.say("backup", f"{accepting} because:yes").tone is Tone.GOOD
    again = talk.say("oncall", f"{shown} because:“as agreed”")
    assert flat(again.text).startswith("What is in the way is no longer what you were shown.")
    assert sorted({row[1].split(":")[0] for row in rows(again)}) == [first, other]
    assert state(talk, ref) == "approved"


def test_the_next_free_window_is_one_click_away_and_asks_for_votes_anew(talk: Talk) -> None:
    scheduled(talk, who="backup", service="accounts")
    ref = approved(talk, service="mail")
    take = talk.say("oncall", f"change schedule {ref}").buttons[0]
    assert take.label == "Take the next free window"
    moved = talk.say("oncall", take.line)
    assert (moved.title, state(talk, ref)) == (
        f"{ref} was edited: window from, window to",
        "awaiting approval",
    )
    talk.say("approver", f"change approve {ref}")
    assert talk.say("oncall", f"change schedule {ref}").title == f"{ref} is scheduled"


def test_whoever_makes_it_is_busy_or_away(talk: Talk) -> None:
    scheduled(talk, service="laptops")
    tuesday = MONDAY.date() + timedelta(days=1)
    away = replace(talk.policy.people["oncall"], away=((tuesday, tuesday),))
    talk.policy = replace(talk.policy, version="away", people={**talk.policy.people, "oncall": away})
    ref = approved(talk, service="mail")
    asked = talk.say("oncall", f"change schedule {ref}")
    assert sorted(row[:2] for row in rows(asked)) == [
        ["away", "Oli Oncall"],
        ["makes another change", "CHG-1: a larger store"],
    ]


def test_a_window_in_which_nobody_is_on_call_is_told(talk: Talk) -> None:
    rota = replace(
        talk.policy.rotas["platform"],
        gaps=True,
        layers=(
            replace(
                talk.policy.rotas["platform"].layers[0], starts=datetime.fromisoformat("2026-11-24 21:00")
            ),
        ),
    )
    talk.policy = replace(talk.policy, version="gap", rotas={**talk.policy.rotas, "platform": rota})
    ref = approved(talk, service="mail")
    asked = talk.say("oncall", f"change schedule {ref}")
    assert rows(asked) == [["nobody on call", "—", "Mail", "2026-11-24 19:00 UTC", "2026-11-24 20:00 UTC"]]


def test_everything_in_the_way_is_listed_at_once_and_looked_at_again_at_the_start(talk: Talk) -> None:
    tuesday = MONDAY.date() + timedelta(days=1)
    oncall = replace(talk.policy.people["oncall"], away=((tuesday, tuesday),))
    rota = talk.policy.rotas["platform"]
    layer = replace(rota.layers[0], starts=datetime.fromisoformat("2026-11-24 21:00"))
    talk.policy = replace(
        talk.policy,
        version="all at once",
        people={**talk.policy.people, "oncall": oncall},
        rotas={**talk.policy.rotas, "platform": replace(rota, gaps=True, layers=(layer,))},
    )
    ref = approved(talk)
    scheduled(talk, who="backup", service="accounts")
    mine = approved(talk, service="laptops")
    anyway = talk.say("oncall", f"change schedule {mine}").buttons[-1].line
    talk.say("oncall", f"{anyway} because:“somebody drives me”")
    talk.tend()
    talk.say("owner", "continuity approve PLN-1")
    assert talk.say("backup", "drill schedule PLN-1 tabletop start:“tue 20:00” lasts:2h").tone is Tone.GOOD
    every = [
        ["another change", "CHG-2: a larger store"],
        ["away", "Oli Oncall"],
        ["drill", "DRL-1: The mail store is lost"],
        ["makes another change", "CHG-3: a larger store"],
        ["nobody on call", "—"],
    ]
    asked = talk.say("oncall", f"change schedule {ref}")
    assert sorted(row[:2] for row in rows(asked)) == every
    assert talk.say("oncall", f"{asked.buttons[-1].line} because:“it must be”").tone is Tone.GOOD
    talk.say("manager", "change freeze the fair end:3d")
    talk.wait(hours=35)
    refused = talk.say("oncall", f"change start {ref}")
    assert sorted(row[:2] for row in rows(refused)) == sorted([*every, ["freeze", "FRZ-1: the fair"]])


def test_a_change_is_started_only_while_its_window_is_open(talk: Talk) -> None:
    ref = scheduled(talk)
    early = talk.say("oncall", f"change start {ref}")
    assert early.title == f"{ref} cannot be started now: its window is not open yet."
    talk.wait(hours=34, minutes=50)
    assert talk.told("@oncall")[-1] == f"The window of {ref} opens: a larger store"
    talk.wait(minutes=10)
    assert talk.say("oncall", f"change start {ref}").tone is Tone.GOOD
    assert talk.say("oncall", f"change start {ref}").title == f"You cannot start {ref}: it is in progress."


def test_a_window_that_is_past_is_told_with_the_nearest_one_whenever_it_is_noticed(talk: Talk) -> None:
    ref = propose(talk, when="start:“10:00” end:2h")
    talk.say("oncall", f"change assess {ref} {LOW}")
    other = approved(talk, who="agent", service="laptops", when="start:“10:00” end:2h")
    talk.wait(hours=3, minutes=10)
    for who, line in (("oncall", f"change submit {ref}"), ("agent", f"change schedule {other}")):
        form = talk.say(who, line).form
        assert form is not None
        assert [each.error for each in form.fields if each.error] == [
            "That is past. The nearest window of that length begins 23 Nov 2026 12:10."
        ]


def test_a_window_that_has_begun_may_still_be_used(talk: Talk) -> None:
    talk.say("oncall", "change propose a record standard:dns-record start:now")
    talk.wait(minutes=2)
    assert talk.say("oncall", "change schedule CHG-1").tone is Tone.GOOD
    assert talk.say("oncall", "change start CHG-1").tone is Tone.GOOD


def test_no_vote_is_asked_for_a_window_in_a_freeze_and_what_else_is_in_the_way_is_shown(talk: Talk) -> None:
    other = scheduled(talk, who="agent", service="accounts")
    talk.say("manager", "change freeze the fair start:“wed 12:00” end:2d")
    ref = approved(talk, when="start:“mon 20:00” end:2h")
    refused = talk.say("oncall", f"change schedule {ref} start:“thu 8:00” end:2h")
    assert (refused.title, state(talk, ref)) == (f"{ref} cannot be scheduled then: the fair", "approved")
    moved = talk.say("oncall", f"change schedule {ref} start:“tue 21:00” end:2h")
    assert (state(talk, ref), moved.more[0].title) == (
        "awaiting approval",
        f"In its way then: 1 conflict: {other}",
    )


def test_two_who_give_changes_the_same_time_at_once_see_each_other(talk: Talk) -> None:
    first = approved(talk)
    second = approved(talk, who="agent", service="accounts", more="implementer:@agent")
    commands = [
        talk.command(*said)
        for said in (("oncall", f"change schedule {first}"), ("agent", f"change schedule {second}"))
    ]
    said = in_parallel(*(partial(talk.dispatcher.run, each) for each in commands))
    assert sorted(each.tone for each in said) == [Tone.GOOD, Tone.WAITING], said
    again = talk.say(
        "oncall" if said[0].tone is Tone.GOOD else "agent", commands[said[1].tone is Tone.GOOD].line
    )
    assert again.title.endswith("is scheduled for then already.")


def test_a_change_that_nobody_begins_gives_its_time_back(talk: Talk) -> None:
    ref = scheduled(talk)
    talk.wait(hours=38)
    assert (state(talk, ref), talk.told("@oncall")[-1]) == ("approved", f"{ref} was not begun in its window")
    anew = talk.say("oncall", f"change schedule {ref}")
    assert anew.form is not None
    assert (
        talk.say("oncall", f"change schedule {ref} start:“wed 20:00”").title
        == f"{ref} was edited: window from, window to"
    )


def test_a_change_that_takes_longer_is_asked_after_and_holds_its_services(talk: Talk) -> None:
    ref = started(talk)
    talk.wait(hours=4, minutes=30)
    assert talk.told("@oncall").count(f"{ref} should be done: a larger store") == 3
    other = approved(talk, who="agent", service="mail", when="start:“in 10m” end:3h")
    asked = talk.say("agent", f"change schedule {other}")
    assert asked.title == f"{other} has 1 conflict: {ref}"
    ended = talk.say("oncall", f"change complete {ref} with-issues slow disks")
    overrun = next(each for each in talk.evidence(ref) if each.action == "change.implemented").after or {}
    assert (overrun["overrun"], ended.tone) == (9000, Tone.GOOD)
    assert talk.say("agent", f"change schedule {other}").tone is Tone.GOOD


# Freezes ------------------------------------------------------------------------------------------


def test_a_freeze_of_the_organisation_refuses_the_time_and_offers_the_next_one(talk: Talk) -> None:
    ref = approved(talk, service="accounts", when="start:“2026-11-30 19:00” end:2h")
    refused = talk.say("oncall", f"change schedule {ref}")
    assert refused.title == f"{ref} cannot be scheduled then: Closing of the month"
    assert (
        flat(refused.text)
        == "Nothing is changed in a freeze. The next free window begins 2026-11-30 19:00 UTC."
    )
    assert [each.label for each in refused.buttons] == ["Take the next free window"]
    assert approved(talk, service="laptops", when="start:“2026-11-30 19:00” end:2h") == "CHG-2"
    assert talk.say("oncall", "change schedule CHG-2").tone is Tone.GOOD, "no laptop rests on accounts"


def test_what_rests_on_a_frozen_service_is_frozen_with_it(talk: Talk) -> None:
    ref = scheduled(talk, service="mail")
    frozen = talk.say("manager", "change freeze the fair service:network start:“tue 12:00” end:“wed 8:00”")
    assert rows(frozen.more[0])[0][:3] == [ref, "a larger store", "Oli Oncall"]
    assert talk.told("@oncall")[-1] == f"FRZ-1 holds up {ref}: a larger store"
    talk.wait(hours=35)
    refused = talk.say("oncall", f"change start {ref}")
    assert refused.title == f"{ref} cannot be started then: the fair"
    assert flat(refused.text).endswith("The next free window begins 2026-11-25 07:00 UTC.")
    assert state(talk, ref) == "scheduled"
    assert talk.say("manager", "change unfreeze FRZ-1").title == "FRZ-1 is lifted"
    assert talk.say("oncall", f"change start {ref}").tone is Tone.GOOD


def test_no_way_in_starts_a_change_in_a_freeze(talk: Talk) -> None:
    ref = scheduled(talk)
    standard = talk.say(
        "agent", "change propose move a mailbox standard:mailbox-move start:“tue 20:00” implementer:@backup"
    ).subject
    line = talk.say("agent", f"change schedule {standard}").buttons[-1].line
    talk.say("agent", f"{line} because:“they do not touch”")
    talk.say("manager", "change freeze the fair end:3d")
    talk.wait(hours=35)
    for who, each in (("oncall", ref), ("backup", standard)):
        for place in ("console", "slack", "desk"):
            command = talk.command(who, f"change start {each} anyway:whatever because:“I must”")
            said = talk.dispatcher.run(command.model_copy(update={"place": Place(platform=place)}))
            assert "cannot be started then: the fair" in said.title
    assert "change.started" not in talk.actions(ref)


def test_a_start_waits_for_a_freeze_that_is_being_declared(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = scheduled(talk)
    talk.wait(hours=35)
    written, answered = Event(), Event()
    write = talk.dispatcher._write

    def slowly(declared: Declared, *arguments: Any) -> None:
        write(declared, *arguments)
        if declared.name == "change freeze":
            written.set()
            answered.wait(1)  # whoever looks now must not decide before this is committed

    def start() -> Reply:
        written.wait(10)
        reply = talk.dispatcher.run(talk.command("oncall", f"change start {ref}"))
        answered.set()
        return reply

    monkeypatch.setattr(talk.dispatcher, "_write", slowly)
    freeze = partial(talk.dispatcher.run, talk.command("manager", "change freeze the fair end:2h"))
    declared, refused = in_parallel(freeze, start)
    assert declared.tone is Tone.GOOD
    assert refused.title == f"{ref} cannot be started then: the fair"
    assert "change.started" not in talk.actions(ref)


def test_a_freeze_is_declared_and_lifted_by_those_who_answer_for_services(talk: Talk) -> None:
    refused = talk.say("agent", "change freeze the fair end:2h")
    assert (refused.title, flat(refused.text)) == (
        "You cannot declare a freeze.",
        "Olga Owner or Mika Manager can; ask them.",
    )
    talk.say("manager", "change freeze the fair end:2h")
    assert talk.say("agent", "change unfreeze FRZ-1").title == "You cannot lift a freeze."
    assert (
        talk.say("manager", "change unfreeze the year's end").title
        == "The freeze “Year's end” is the organisation's own."
    )
    assert talk.say("manager", "change unfreeze FRZ-9").title == "There is no FRZ-9."
    assert talk.say("manager", "change unfreeze nothing").title == "“nothing” is no freeze that was declared."
    talk.wait(hours=3)
    assert talk.say("manager", "change unfreeze FRZ-1").title == "FRZ-1 holds no more."


def test_a_freeze_repeats_at_its_wall_time_through_summer_and_winter(talk: Talk) -> None:
    weekly = Freeze(
        key="fridays",
        name="Friday night",
        zone="Europe/Berlin",
        start=datetime.fromisoformat("2026-01-02 18:00"),
        lasts=6 * 3600,
        repeats="FREQ=WEEKLY",
    )
    talk.policy = replace(talk.policy, version="fridays", freezes={"fridays": weekly})
    seen = rows(talk.say("owner", "change calendar 2027-03-20 days:20"))
    assert [row[0] for row in seen] == ["2027-03-26 17:00 UTC", "2027-04-02 16:00 UTC"]
