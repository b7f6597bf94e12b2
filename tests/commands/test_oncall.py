"""Is the right person on call, does everybody know, and does a turn change hands only as both sides want?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from config.policy import Contact, Opening, Policy, Rota, Way, Weekday
from handlers.messages import DESK, Command, Place, Reply, Sender, Tone, flat
from handlers.oncall.shared import Present, present
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, Talk

PLATFORM = "rota:platform"


def desk_says(talk: Talk, line: str) -> Reply:
    """What the desk answers itself."""
    key = f"desk/{line}/{talk.clock.now().isoformat()}/{random.random()}"
    return talk.dispatcher.obey(Command(line=line, sender=DESK, place=Place(platform="desk"), key=key))


def begin(talk: Talk) -> Talk:
    """The desk after its start or a change of policy: it has looked at every rota."""
    talk.clock.move(timedelta(seconds=1))
    talk.tend()
    talk.ring()
    return talk


def table(reply: Reply) -> list[list[str]]:
    """The rows of a reply's table as plain text."""
    assert reply.table is not None
    return [[flat(cell) for cell in row] for row in reply.table.rows]


def on_call(talk: Talk, rota: str = "platform", at: str = "") -> str:
    """Whom the desk names when somebody asks who is on call."""
    asked = f'oncall who {rota} at:"{at}"' if at else f"oncall who {rota}"
    return table(talk.say("staff", asked))[0][1]


def errors(reply: Reply) -> dict[str, str]:
    """What a form says is wrong, by field."""
    assert reply.form is not None, reply
    return {each.key: each.error for each in reply.form.fields if each.error}


def says(talk: Talk, person: str, line: str) -> Reply:
    """A line that is carried out."""
    reply = talk.say(person, line)
    assert reply.tone is not Tone.BAD, (line, reply)
    assert reply.form is None, (line, reply)
    return reply


# Who, and when ------------------------------------------------------------------------------------------


def test_everybody_sees_who_is_on_call_until_when_and_who_comes_next(quick_talk: Talk) -> None:
    assert table(quick_talk.say("staff", "oncall who")) == [
        ["Platform on call", "Oli Oncall", "2026-11-30 08:00 UTC", "Bo Backup from 2026-11-30 08:00 UTC"],
        ["Service desk", "Alex Agent", "2026-11-23 16:30 UTC", "Bo Backup from 2026-11-24 08:00 UTC"],
    ]


def test_of_a_rota_one_can_ask_for_another_moment(quick_talk: Talk) -> None:
    assert on_call(quick_talk, at="2026-12-01 03:00") == "Bo Backup"
    assert on_call(quick_talk, at="2026-11-30 08:59") == "Oli Oncall"
    assert on_call(quick_talk, at="2026-11-30 09:00") == "Bo Backup", "turns are half open"
    assert on_call(quick_talk, "service-desk", "2026-11-28 12:00") == "nobody, as planned"


def test_of_a_service_one_sees_every_level_that_would_be_woken(quick_talk: Talk) -> None:
    shown = table(quick_talk.say("staff", "oncall who mail"))
    assert [row[:2] for row in shown] == [
        ["1", "Oli Oncall"],
        ["2", "Oli Oncall"],
        ["2", "Bo Backup"],
        ["3", "Platform: Oli Oncall, Bo Backup"],
        ["3", "the room On call"],
        ["at last", "Olga Owner"],
    ]
    assert table(quick_talk.say("staff", "oncall who laptops"))[0][1] == "Alex Agent", (
        "the others' escalation"
    )


def test_what_is_neither_rota_nor_service_is_said_with_what_there_is(quick_talk: Talk) -> None:
    told = errors(quick_talk.say("staff", "oncall who nix"))["about"]
    assert "platform" in told
    assert "vpn" in told


def test_a_rota_is_shown_turn_by_turn_on_either_side_of_a_clock_change(quick_talk: Talk) -> None:
    shown = table(quick_talk.say("staff", "oncall rota platform 2027-03-22 15"))
    assert [row[:3] for row in shown[1:3]] == [
        # Nine in the morning in Berlin, before and after the clocks go forward.
        ["Bo Backup", "2027-03-22 08:00 UTC", "2027-03-29 07:00 UTC"],
        ["Oli Oncall", "2027-03-29 07:00 UTC", "2027-04-05 07:00 UTC"],
    ]


def test_a_long_rota_comes_in_pages(quick_talk: Talk) -> None:
    first = quick_talk.say("staff", "oncall rota service-desk days:60")
    later = next(each.line for each in first.buttons if each.label == "Later")
    again = quick_talk.say("staff", later)
    assert len(table(first)) == 30
    assert table(first)[-1][2] == table(again)[1][1], "the next page goes on where this one ends"


# Overrides ----------------------------------------------------------------------------------------------


def test_an_override_puts_somebody_on_call_instead_and_everybody_concerned_hears_of_it(talk: Talk) -> None:
    begin(talk)
    says(talk, "oncall", 'oncall override platform @backup start:"wed 18:00" end:4h a school play')
    assert on_call(talk, at="2026-11-25 17:59") == "Oli Oncall"
    assert on_call(talk, at="2026-11-25 18:00") == "Bo Backup"
    assert on_call(talk, at="2026-11-25 22:00") == "Oli Oncall"
    assert talk.told("@backup") == ["Platform on call: Bo Backup is on call instead"]
    assert talk.told("on-call") == ["Platform on call: Bo Backup is on call instead"]
    assert talk.told("@oncall") == [], "nobody is told what they did themselves"
    assert talk.actions("OVR-1") == ["oncall.overridden"]
    assert talk.evidence("OVR-1")[0].practices == ("SD SP 2.1",)
    assert [row[3] for row in table(talk.say("staff", "oncall rota platform 2026-11-25 1"))] == [
        "turn",
        "override",
        "turn",
    ]


def test_an_override_is_announced_when_it_begins_and_when_it_ends(talk: Talk) -> None:
    begin(talk)
    says(talk, "manager", 'oncall override platform @backup start:"wed 18:00" end:4h')
    talk.wait(days=3)
    assert [each for each in talk.told("on-call") if each.endswith("now")] == [
        "Platform on call: Bo Backup is on call now",
        "Platform on call: Oli Oncall is on call now",
    ]
    changes = [each for each in talk.evidence(PLATFORM) if each.action == "oncall.turn_changed"]
    assert [(each.at, each.after["person"]) for each in changes if each.after] == [
        (datetime(2026, 11, 25, 17, tzinfo=UTC), "backup"),
        (datetime(2026, 11, 25, 21, tzinfo=UTC), "oncall"),
    ]


def test_an_override_from_now_on_is_announced_at_once(quick_talk: Talk) -> None:
    begin(quick_talk)
    says(quick_talk, "backup", "oncall override platform me now 2h")
    assert quick_talk.told("on-call")[-1] == "Platform on call: Bo Backup is on call now"
    assert quick_talk.told("@backup") == ["Platform on call: you are on call now"]


def test_what_has_been_is_not_changed(quick_talk: Talk) -> None:
    begin(quick_talk)
    quick_talk.wait(days=1)
    says(quick_talk, "oncall", 'oncall override platform @backup start:"yesterday 10:00" end:"today 20:00"')
    assert on_call(quick_talk, at="2026-11-23 12:00") == "Oli Oncall"
    assert on_call(quick_talk) == "Bo Backup"


@pytest.mark.parametrize(
    ("start", "end", "until"),
    [
        ("wed 18:00", "4h", "25 21:00"),
        ("wed 18:00", "22:00", "25 21:00"),
        ("wed 18:00", "thu 9:00", "26 08:00"),
        ("sat 18:00", "thu 9:00", "03 08:00"),
        ("20:00", "tomorrow 6:00", "24 05:00"),
        ("2026-11-25 18:00", "2026-11-26", "25 23:00"),
    ],
)
def test_an_end_is_read_as_people_mean_it(quick_talk: Talk, start: str, end: str, until: str) -> None:
    made = says(quick_talk, "oncall", f'oncall override platform @backup start:"{start}" end:"{end}"')
    when = next(flat(each.value) for each in made.facts if each.label == "When")
    assert when.endswith(f"{until} UTC")


def test_the_later_of_two_overrides_holds(quick_talk: Talk) -> None:
    says(quick_talk, "manager", 'oncall override platform @backup start:"wed 18:00" end:4h')
    says(quick_talk, "manager", 'oncall override platform @owner start:"wed 19:00" end:1h')
    hours = [on_call(quick_talk, at=f"2026-11-25 {hour}:30") for hour in (18, 19, 20)]
    assert hours == ["Bo Backup", "Olga Owner", "Bo Backup"]


def test_an_override_can_be_taken_back_and_the_turns_hold_again(talk: Talk) -> None:
    begin(talk)
    says(talk, "manager", "oncall override platform @backup now 4h")
    talk.wait(hours=1)
    says(talk, "backup", "oncall withdraw OVR-1")
    assert on_call(talk) == "Oli Oncall"
    assert on_call(talk, at="2026-11-23 09:30") == "Bo Backup", "what was so stays so"
    assert talk.told("on-call")[-1] == "Platform on call: Oli Oncall is on call now"
    again = talk.say("backup", "oncall withdraw OVR-1")
    assert again.title == "OVR-1 is over already."
    assert talk.actions("OVR-1") == ["oncall.overridden", "oncall.override_withdrawn"]


def test_who_is_on_call_already_is_put_there_once(quick_talk: Talk) -> None:
    begin(quick_talk)
    line = 'oncall override platform @backup start:"wed 18:00" end:4h'
    says(quick_talk, "manager", line)
    again = quick_talk.say("manager", line)
    assert (again.title, flat(again.text)) == ("Bo Backup is on call then already.", "Nothing was changed.")
    whose_turn = quick_talk.say("manager", 'oncall override platform @oncall start:"tue 18:00" end:4h')
    assert whose_turn.title == "Oli Oncall is on call then already."
    longer = quick_talk.say("manager", 'oncall override platform @backup start:"wed 18:00" end:5h')
    assert longer.tone is Tone.GOOD


def test_taking_back_one_override_tells_what_holds_under_it(quick_talk: Talk) -> None:
    begin(quick_talk)
    says(quick_talk, "manager", 'oncall override platform @backup start:"wed 18:00" end:4h')
    says(quick_talk, "manager", 'oncall override platform @owner start:"wed 19:00" end:1h')
    taken_back = quick_talk.say("manager", "oncall withdraw OVR-2")
    assert ("On call then", "Bo Backup") in [(each.label, flat(each.value)) for each in taken_back.facts]
    last = quick_talk.say("manager", "oncall withdraw OVR-1")
    assert ("On call then", "Oli Oncall") in [(each.label, flat(each.value)) for each in last.facts]


def test_an_override_that_was_taken_back_before_it_began_never_was(quick_talk: Talk) -> None:
    begin(quick_talk)
    says(quick_talk, "manager", 'oncall override platform @backup start:"wed 18:00" end:4h')
    says(quick_talk, "manager", "oncall withdraw OVR-1")
    quick_talk.wait(days=3)
    assert on_call(quick_talk, at="2026-11-25 19:00") == "Oli Oncall"
    assert "Platform on call: Bo Backup is on call now" not in quick_talk.told("on-call")


@pytest.mark.parametrize(
    ("line", "field", "told"),
    [
        ("platform @backup now soon", "end", "neither a length, as 4h, nor a moment"),
        ("platform @backup now 100000h", "end", "longer than a year"),
        ('platform @backup start:"fri 9:00" end:"2026-11-24"', "end", "over before it begins"),
        ('platform @backup start:"yesterday" end:"1h"', "end", "over before it begins"),
        ("platform @backup now 400d", "end", "longer than a year"),
        ("platform @nobody now 4h", "person", "I do not know anyone called"),
        ("platfrom @backup now 4h", "rota", "Did you mean platform?"),
        ("platform @backup whenever 4h", "start", "is not"),
    ],
)
def test_an_override_that_cannot_be_is_asked_for_anew(
    quick_talk: Talk, line: str, field: str, told: str
) -> None:
    reply = quick_talk.say("oncall", f"oncall override {line}")
    assert told in errors(reply)[field]
    assert quick_talk.evidence("OVR-1") == []


def test_who_is_not_named_by_the_policy_cannot_be_put_on_call(quick_talk: Talk) -> None:
    stranger = Sender(platform="slack", workspace="T1", user="U9", name="Sandy")
    hello = Command(line="desk whoami", sender=stranger, place=Place(platform="slack"), key="hello")
    assert quick_talk.dispatcher.run(hello).title == "You are Sandy"
    reply = quick_talk.say("oncall", "oncall override platform @slack:T1:U9 now 4h")
    assert errors(reply) == {"person": "Sandy cannot be woken: people.yaml does not name them."}


@pytest.mark.parametrize("person", ["staff", "agent", "approver"])
def test_who_has_nothing_to_do_with_a_rota_does_not_change_it(quick_talk: Talk, person: str) -> None:
    refused = quick_talk.say(person, "oncall override platform @backup now 4h")
    assert refused.title == "You cannot change the rota Platform on call."
    assert flat(refused.text) == "Ask Oli Oncall, Bo Backup or a manager."
    assert on_call(quick_talk) == "Oli Oncall"


# Swaps --------------------------------------------------------------------------------------------------


def test_a_turn_changes_hands_only_when_the_other_side_accepts(talk: Talk) -> None:
    begin(talk)
    says(talk, "oncall", 'oncall swap platform @backup turn:"7 dec 12:00"')
    assert on_call(talk, at="2026-12-08 12:00") == "Oli Oncall"
    assert talk.told("@backup") == ["SWP-1 · Platform on call: Oli Oncall asks you to take a turn"]
    says(talk, "backup", "oncall accept SWP-1")
    assert on_call(talk, at="2026-12-07 09:00") == "Bo Backup"
    assert on_call(talk, at="2026-12-14 08:59") == "Bo Backup", "the whole turn, however it was named"
    taken = "SWP-1 · Platform on call: Bo Backup takes a turn for Oli Oncall"
    assert talk.told("@oncall") == [taken]
    assert talk.told("on-call") == [taken]
    assert [(each.action, each.actor) for each in talk.evidence("SWP-1")] == [
        ("oncall.swap_offered", "oncall"),
        ("oncall.swap_accepted", "backup"),
    ]
    shown = table(talk.say("staff", "oncall rota platform 2026-12-08 1"))
    assert [row[3] for row in shown] == ["swap"]


def test_a_swap_can_be_for_a_turn_in_return(talk: Talk) -> None:
    says(talk, "oncall", 'oncall swap platform @backup "7 dec 12:00" back:"14 dec 12:00"')
    says(talk, "backup", "oncall accept SWP-1")
    weeks = [on_call(talk, at=f"{day} 12:00") for day in ("2026-12-07", "2026-12-14", "2026-12-21")]
    assert weeks == ["Bo Backup", "Oli Oncall", "Oli Oncall"]


def test_without_a_moment_it_is_the_turn_that_runs_or_comes_next(quick_talk: Talk) -> None:
    offered = says(quick_talk, "backup", "oncall swap platform @oncall")
    assert [flat(each.value) for each in offered.facts if each.label == "Takes it"] == [
        "Oli Oncall, 2026-11-30 08:00 UTC – 2026-12-07 08:00 UTC"
    ]


def test_a_declined_swap_changes_nothing_and_the_reason_is_told(talk: Talk) -> None:
    begin(talk)
    says(talk, "oncall", "oncall swap platform @backup")
    says(talk, "backup", "oncall decline SWP-1 I am away")
    assert on_call(talk) == "Oli Oncall"
    assert talk.told("@oncall") == ["SWP-1: Bo Backup declines"]
    late = talk.say("backup", "oncall accept SWP-1")
    assert late.title == "SWP-1 was declined already."
    assert talk.actions("SWP-1") == ["oncall.swap_offered", "oncall.swap_declined"]


def test_an_offer_that_nobody_answers_expires_and_the_turn_stays(talk: Talk) -> None:
    begin(talk)
    says(talk, "oncall", 'oncall swap platform @backup turn:"7 dec 12:00"')
    talk.wait(days=2)
    assert talk.told("@oncall", "SWP-1") == ["SWP-1: Bo Backup has not answered"]
    assert talk.say("backup", "oncall accept SWP-1").title == "SWP-1 was expired already."
    assert talk.actions("SWP-1") == ["oncall.swap_offered", "oncall.swap_expired"]


def test_an_offer_does_not_outlive_its_turn(quick_talk: Talk) -> None:
    quick_talk.wait(days=6, hours=12)
    says(quick_talk, "oncall", "oncall swap platform @backup")
    quick_talk.clock.move(timedelta(hours=12))
    assert quick_talk.say("backup", "oncall accept SWP-1").title == "SWP-1 has expired."


def test_only_who_was_asked_answers_and_only_who_offered_takes_back(quick_talk: Talk) -> None:
    says(quick_talk, "oncall", "oncall swap platform @backup")
    for person in ("oncall", "manager", "owner"):
        refused = quick_talk.say(person, "oncall accept SWP-1")
        assert (refused.title, flat(refused.text)) == (
            "SWP-1 was not offered to you.",
            "Bo Backup can answer it.",
        )
    assert quick_talk.say("backup", "oncall withdraw SWP-1").title == "SWP-1 is not yours."
    says(quick_talk, "oncall", "oncall withdraw SWP-1")
    assert quick_talk.told("@backup")[-1] == "SWP-1 was taken back by Oli Oncall"
    assert quick_talk.say("backup", "oncall accept SWP-1").title == "SWP-1 was withdrawn already."


def test_who_has_no_turn_has_none_to_offer(quick_talk: Talk) -> None:
    refused = quick_talk.say("agent", "oncall swap platform @backup")
    assert refused.title == "You have no turn in the rota Platform on call."
    asked = quick_talk.say("oncall", 'oncall swap platform @backup turn:"2026-12-01 12:00"')
    assert errors(asked) == {"turn": "At that moment you will not be on call."}
    asked = quick_talk.say("oncall", 'oncall swap platform @backup back:"2026-12-08 12:00"')
    assert errors(asked) == {"back": "At that moment Bo Backup will not be on call."}
    assert errors(quick_talk.say("oncall", "oncall swap platform me")) == {
        "person": "That is you; name somebody else."
    }


def test_a_turn_is_offered_to_one_person_at_a_time(quick_talk: Talk) -> None:
    says(quick_talk, "oncall", "oncall swap platform @backup")
    again = quick_talk.say("oncall", "oncall swap platform @owner")
    assert again.title == "You have offered that turn to Bo Backup already."
    assert again.subject == "SWP-1"


def test_a_turn_that_was_given_away_meanwhile_cannot_be_accepted(talk: Talk) -> None:
    begin(talk)
    says(talk, "oncall", "oncall swap platform @backup")
    says(talk, "manager", 'oncall override platform @owner start:"wed 18:00" end:1h')
    refused = talk.say("backup", "oncall accept SWP-1")
    assert refused.title == "That turn is not Oli Oncall's any more."
    assert on_call(talk) == "Oli Oncall"
    assert talk.actions("SWP-1") == ["oncall.swap_offered"], "nothing of it happened"


def test_what_both_sides_accepted_one_side_does_not_take_back(quick_talk: Talk) -> None:
    says(quick_talk, "oncall", "oncall swap platform @backup")
    says(quick_talk, "backup", "oncall accept SWP-1")
    refused = quick_talk.say("oncall", "oncall withdraw OVR-1")
    assert refused.title == "OVR-1 comes from SWP-1, which both sides accepted."
    assert on_call(quick_talk) == "Bo Backup"


def test_an_offer_waits_among_ones_decisions_with_its_buttons(quick_talk: Talk) -> None:
    says(quick_talk, "oncall", "oncall swap platform @backup")
    home = quick_talk.say("backup", "desk home")
    assert [part.title for part in home.more if part.title.startswith("Waiting")] == [
        "Waiting for your decision (1)"
    ]
    shown = quick_talk.say("backup", "SWP-1")
    assert [each.line for each in shown.buttons] == ["oncall accept SWP-1", "oncall decline SWP-1"]
    assert [each.label for each in quick_talk.say("oncall", "SWP-1").buttons] == ["Take it back"]
    assert quick_talk.say("staff", "SWP-1").buttons == ()


# Changing hands -----------------------------------------------------------------------------------------


def row_and_due(talk: Talk, rota: str = "platform") -> tuple[str | None, datetime | None, Present]:
    """Who was last said to hold a rota, when the desk looks again, and how it is."""
    with talk.database.reading() as session:
        records = Records(session)
        row = records.oncall.turn(rota)
        at = records.dues.at(f"oncall/turn/{rota}")
        return row.person if row else None, at, present(talk.policy, records, rota, talk.clock.now())


def test_when_a_turn_ends_the_room_and_the_next_person_hear_of_it(talk: Talk) -> None:
    begin(talk)
    talk.wait(days=7)
    assert talk.told("on-call") == ["Platform on call: Bo Backup is on call now"]
    assert talk.told("@backup").count("Platform on call: you are on call now") == 1
    assert talk.told("@oncall", PLATFORM) == [], "who leaves nothing open is not asked about it"
    changed = talk.evidence(PLATFORM)[-1]
    assert (changed.action, changed.at, changed.practices) == (
        "oncall.turn_changed",
        MONDAY + timedelta(days=7),
        ("SD SP 3.2",),
    )


def test_a_planned_gap_is_told_in_the_room_with_who_comes_next(quick_talk: Talk) -> None:
    begin(quick_talk)
    quick_talk.wait(hours=9)
    assert quick_talk.told("service-desk") == ["Service desk: nobody is on call now"]
    with quick_talk.database.reading() as session:
        said = [row.payload for row in Records(session).outbox.listed(["pending"]) if row.payload]
    told = next(each for each in said if each["title"] == "Service desk: nobody is on call now")
    assert "Bo Backup" in str(told["text"])
    assert "2026-11-24T08:00:00Z" in str(told["text"])


def test_after_weeks_away_the_desk_says_once_how_it_is_now(talk: Talk) -> None:
    begin(talk)
    talk.clock.move(timedelta(days=21, hours=3))
    while talk.ring():
        pass
    assert talk.told("on-call") == ["Platform on call: Bo Backup is on call now"]
    assert [each.action for each in talk.evidence(PLATFORM)].count("oncall.turn_changed") == 1


def test_the_desk_notices_a_change_on_either_side_of_a_clock_change(quick_talk: Talk) -> None:
    quick_talk.clock.set(datetime(2027, 3, 20, tzinfo=UTC))
    begin(quick_talk)
    quick_talk.wait(days=12)
    changes = [each.at for each in quick_talk.evidence(PLATFORM) if each.action == "oncall.turn_changed"]
    assert changes == [datetime(2027, 3, 22, 8, tzinfo=UTC), datetime(2027, 3, 29, 7, tzinfo=UTC)]


def test_a_changed_rota_is_taken_up_told_and_put_on_file(talk: Talk) -> None:
    begin(talk)
    says(talk, "staff", "request new question who is there?")
    rota = talk.policy.rotas["platform"]
    layer = replace(rota.layers[0], people=("backup", "oncall"))
    rotas = {**talk.policy.rotas, "platform": replace(rota, layers=(layer,))}
    talk.policy = replace(talk.policy, rotas=rotas, version="turned round")
    begin(talk)
    assert talk.told("on-call") == ["Platform on call: Bo Backup is on call now"]
    scheduled = next(each for each in talk.evidence(PLATFORM) if each.action == "oncall.scheduled")
    assert scheduled.practices == ("SD SP 2.1",)
    assert (scheduled.after or {})["layers"] == [["backup", "oncall"]]
    begin(talk)
    assert len(talk.told("on-call")) == 1, "looked at again, there is nothing new"


def test_a_rota_that_is_gone_is_forgotten(quick_talk: Talk) -> None:
    begin(quick_talk)
    only = {"service-desk": quick_talk.policy.rotas["service-desk"]}
    quick_talk.policy = replace(quick_talk.policy, rotas=only, escalations={}, version="smaller")
    desk_says(quick_talk, "oncall turn platform")  # as it may fall due before the policy is taken up
    begin(quick_talk)
    with quick_talk.database.reading() as session:
        records = Records(session)
        assert records.oncall.turn("platform") is None
        assert records.dues.at("oncall/turn/platform") is None


def test_a_desk_to_which_nobody_spoke_puts_nothing_on_file(quick_talk: Talk) -> None:
    begin(begin(quick_talk))
    with quick_talk.database.reading() as session:
        assert Records(session).ledger.head().size == 0


@pytest.mark.parametrize("seed", range(6))
def test_whatever_people_do_the_desk_says_who_holds_a_rota_and_looks_again_in_time(
    quick_talk: Talk, seed: int
) -> None:
    chance = random.Random(seed)
    begin(quick_talk)
    people = ("oncall", "backup", "owner")
    for number in range(40):
        hours = chance.randrange(-5, 300)
        match chance.randrange(6):
            case 0 | 1:
                start = f"in {hours}h" if hours > 0 else "now"
                line = f'platform @{chance.choice(people)} start:"{start}" end:{chance.randrange(1, 90)}h'
                quick_talk.say("manager", f"oncall override {line}")
            case 2:
                quick_talk.say("manager", f"oncall withdraw OVR-{chance.randrange(1, 10)}")
            case 3:
                quick_talk.say(chance.choice(people), f"oncall swap platform @{chance.choice(people)}")
            case 4:
                number = chance.randrange(1, 6)
                quick_talk.say(chance.choice(people), f"oncall accept SWP-{number}")
            case _:
                quick_talk.wait(hours=chance.randrange(1, 80))
        quick_talk.ring()
        said, looks_again, truly = row_and_due(quick_talk)
        assert said == truly.person, number
        assert looks_again == truly.changes_at


# Handing over -------------------------------------------------------------------------------------------


def test_notes_go_to_whoever_comes_next_and_to_the_room(talk: Talk) -> None:
    begin(talk)
    handed = says(talk, "oncall", "oncall handoff db-2 fills up, look at it before noon")
    assert handed.title == "Platform on call: Oli Oncall hands over to Bo Backup"
    assert "You stay on call until" in flat(handed.text)
    assert talk.told("@backup") == [handed.title]
    assert talk.told("on-call") == [handed.title]
    noted = talk.evidence(PLATFORM)[-1]
    assert (noted.action, noted.practices, noted.after) == (
        "oncall.handed_over",
        ("SD SP 3.2",),
        {"person": "backup", "incidents": []},
    )


def test_after_the_turn_notes_go_to_whoever_is_on_call_now(quick_talk: Talk) -> None:
    begin(quick_talk)
    quick_talk.wait(days=7, hours=1)
    handed = says(quick_talk, "oncall", "oncall handoff all is well")
    assert handed.title.endswith("hands over to Bo Backup")
    named = says(quick_talk, "oncall", "oncall handoff rota:platform to:@owner ask Olga")
    assert named.title.endswith("hands over to Olga Owner")


def test_who_holds_no_rota_has_none_to_hand_over(quick_talk: Talk) -> None:
    begin(quick_talk)
    assert quick_talk.say("staff", "oncall handoff hello").title == "You are not on call, nor were you last."
    refused = quick_talk.say("staff", "oncall handoff hello rota:platform")
    assert flat(refused.text) == "Oli Oncall is."
    assert quick_talk.say("oncall", "oncall handoff").form is not None, "without notes it asks for them"


def test_who_holds_two_rotas_says_which(quick_talk: Talk) -> None:
    begin(quick_talk)
    says(quick_talk, "manager", "oncall override service-desk @oncall now 4h")
    asked = quick_talk.say("oncall", "oncall handoff all is well")
    assert errors(asked) == {"rota": "It could be more than one rota; say which."}
    says(quick_talk, "oncall", "oncall handoff all is well rota:service-desk to:@agent")


def incident(talk: Talk, number: int = 1) -> tuple[str, str | None]:
    """Where an incident stands, and who holds it."""
    with talk.database.reading() as session:
        row = Records(session).incidents.get(number)
        assert row is not None
        return row.state, row.assignee


def with_an_incident(talk: Talk, service: str = "mail") -> Talk:
    """Shortly before the platform's turn ends, Oli holds an incident."""
    begin(talk)
    talk.clock.set(MONDAY + timedelta(days=7, minutes=-10))
    while talk.ring():
        pass
    says(talk, "staff", f"incident declare it is slow service:{service} impact:medium urgency:high")
    says(talk, "oncall", "incident ack INC-1")
    return talk


def buttons_told(talk: Talk, person: str, title: str) -> dict[str, str]:
    """The buttons of the message with this title to a person, as lines by label."""
    with talk.database.reading() as session:
        rows = Records(session).outbox.listed(["pending"], 10_000)
    mine = [each.payload for each in rows if each.lane == f"console:@:{person}" and each.payload]
    told = next(each for each in mine if each["title"] == title)
    return {each["label"]: each["line"] for each in told["buttons"]}


IS_OVER = "Platform on call: your turn is over, and you hold INC-1"


def test_what_is_held_and_not_handed_over_wakes_whoever_is_on_call_now(talk: Talk) -> None:
    with_an_incident(talk)
    talk.wait(minutes=10)
    assert IS_OVER in talk.told("@oncall")
    assert talk.told("on-call")[-1] == "Platform on call: Bo Backup is on call now"
    changed = next(each for each in talk.evidence(PLATFORM) if each.action == "oncall.turn_changed")
    assert changed.after == {"person": "backup", "held": ["INC-1"]}
    talk.wait(minutes=14)
    assert incident(talk) == ("acknowledged", "oncall"), "there is time to hand it over"
    talk.wait(minutes=1)
    assert incident(talk) == ("triggered", None)
    talk.wait(minutes=1)
    with talk.database.reading() as session:
        paged = [(each.person, each.paged_at) for each in Records(session).outbox.pages("INC-1")]
    assert paged[-1] == ("backup", MONDAY + timedelta(days=7, minutes=15))
    assert [each.action for each in talk.evidence(PLATFORM)][-1] == "oncall.released"
    assert "incident.handed_back" in talk.actions("INC-1")


def test_what_is_handed_over_goes_to_who_was_named_with_the_notes(talk: Talk) -> None:
    with_an_incident(talk)
    talk.wait(minutes=10)
    line = buttons_told(talk, "oncall", IS_OVER)["Hand over"]
    asked = talk.say("oncall", line)
    assert errors(asked) == {}
    assert asked.form is not None, "the notes are asked for"
    given = {each.key: each.value for each in asked.form.fields if each.value}
    handed = talk.say("oncall", asked.form.line, **{**given, "notes": "a queue is stuck"})
    assert handed.title == "Platform on call: Oli Oncall hands over to Bo Backup"
    assert incident(talk) == ("acknowledged", "backup")
    talk.wait(minutes=20)
    assert incident(talk) == ("acknowledged", "backup"), "it does not go back any more"
    noted = next(each for each in talk.evidence(PLATFORM) if each.action == "oncall.handed_over")
    assert noted.after == {"person": "backup", "incidents": ["INC-1"]}


def test_who_wants_to_finish_what_they_hold_keeps_it(quick_talk: Talk) -> None:
    with_an_incident(quick_talk)
    quick_talk.wait(minutes=10)
    says(quick_talk, "oncall", buttons_told(quick_talk, "oncall", IS_OVER)["I finish it"])
    quick_talk.wait(minutes=20)
    assert incident(quick_talk) == ("acknowledged", "oncall")


def test_who_is_on_call_again_keeps_what_they_hold(quick_talk: Talk) -> None:
    with_an_incident(quick_talk)
    quick_talk.wait(minutes=10)
    says(quick_talk, "backup", "oncall override platform @oncall now 4h")
    quick_talk.wait(minutes=20)
    assert incident(quick_talk) == ("acknowledged", "oncall")


def test_a_role_is_handed_over_as_well(quick_talk: Talk) -> None:
    with_an_incident(quick_talk)
    says(quick_talk, "oncall", "incident lead INC-1")
    says(quick_talk, "backup", "incident take INC-1")
    says(quick_talk, "oncall", "oncall handoff Bo knows all")
    with quick_talk.database.reading() as session:
        parts = {each.part: each.person for each in Records(session).incidents.parts(1)}
    assert parts["lead"] == "backup"


def test_who_is_on_call_for_it_in_another_way_keeps_it(quick_talk: Talk) -> None:
    # Incidents of VPN wake the service desk's rota, then the platform's.
    begin(quick_talk)
    says(quick_talk, "manager", "oncall override platform @agent now 9d")
    quick_talk.clock.set(MONDAY + timedelta(hours=8, minutes=20))
    says(quick_talk, "staff", "incident declare it is slow service:vpn impact:medium urgency:high")
    says(quick_talk, "agent", "incident ack INC-1")
    quick_talk.wait(minutes=40)
    assert quick_talk.told("service-desk")[-1] == "Service desk: nobody is on call now"
    assert incident(quick_talk) == ("acknowledged", "agent")


def test_many_incidents_are_handed_over_together(quick_talk: Talk) -> None:
    begin(quick_talk)
    for number in range(1, 9):
        says(
            quick_talk,
            "staff",
            f"incident declare mail {number} service:mail impact:low urgency:low anyway:yes",
        )
        says(quick_talk, "oncall", f"incident ack INC-{number}")
    says(quick_talk, "oncall", "oncall handoff it is all one thing")
    quick_talk.ring()
    assert [incident(quick_talk, number)[1] for number in range(1, 9)] == ["backup"] * 8


def test_what_is_open_is_told_to_whoever_begins(quick_talk: Talk) -> None:
    with_an_incident(quick_talk)
    quick_talk.wait(minutes=10)
    shown = buttons_told(quick_talk, "backup", "Platform on call: you are on call now")
    assert shown["Show INC-1"] == "INC-1"


# Gaps ---------------------------------------------------------------------------------------------------


def changed(talk: Talk, people: Mapping[str, Any] | None = None, **rotas: Rota) -> None:
    """Another policy: what is new about some people, and other rotas."""
    policy: Policy = talk.policy
    known = {**policy.people}
    for key, news in (people or {}).items():
        known[key] = replace(known[key], **news)
    talk.policy = replace(policy, people=known, rotas={**policy.rotas, **rotas}, version=f"test {rotas}")


def test_with_everybody_there_nothing_is_missing(quick_talk: Talk) -> None:
    reply = quick_talk.say("staff", "oncall gaps")
    assert (reply.title, reply.tone, table(reply)) == ("0 gaps within 30 days", Tone.GOOD, [])


def test_a_gap_is_found_with_who_could_fill_it_and_a_button_that_does(talk: Talk) -> None:
    rota = talk.policy.rotas["platform"]
    days = tuple(each for each in Weekday if each is not Weekday.SUN)
    hours = (Opening(days, "00:00", "24:00"),)
    changed(talk, platform=replace(rota, layers=(replace(rota.layers[0], hours=hours),)))
    found = talk.say("oncall", "oncall gaps 10")
    assert table(found) == [
        [
            "Platform on call",
            "2026-11-28 23:00 UTC",
            "2026-11-29 23:00 UTC",
            "nobody is on call",
            "Oli Oncall, Bo Backup",
        ]
    ]
    filled = talk.say("oncall", found.buttons[0].line)
    assert filled.form is not None, "who it shall be is for people to say"
    given = {each.key: each.value for each in filled.form.fields if each.value}
    command = talk.command("oncall", filled.form.line, **given)
    answers = {**command.answers, "person": "backup"}
    assert talk.dispatcher.run(command.model_copy(update={"answers": answers})).tone is Tone.GOOD
    assert talk.say("oncall", "oncall gaps 10").tone is Tone.GOOD


def test_who_is_away_gets_a_delegate_offered(quick_talk: Talk) -> None:
    changed(quick_talk, {"backup": {"away": ((date(2026, 12, 2), date(2026, 12, 3)),)}})
    found = quick_talk.say("oncall", "oncall gaps")
    # From midnight to midnight where Bo is, in Lisbon.
    assert [
        "Platform on call",
        "2026-12-02 00:00 UTC",
        "2026-12-04 00:00 UTC",
        "Bo Backup is away",
        "Oli Oncall",
    ] in (table(found))
    line = next(each.line for each in found.buttons if "platform" in each.line)
    assert "person:oncall" in line
    says(quick_talk, "oncall", line)
    assert not [row for row in table(quick_talk.say("oncall", "oncall gaps")) if row[0] == "Platform on call"]


def test_who_has_left_and_who_cannot_be_woken_is_told_once(quick_talk: Talk) -> None:
    people = {key: each for key, each in quick_talk.policy.people.items() if key != "oncall"}
    quick_talk.policy = replace(quick_talk.policy, people=people, version="one left")
    changed(quick_talk, {"backup": {"contacts": (Contact(Way.MAIL),), "email": None}})
    told = [row[3] for row in table(quick_talk.say("agent", "oncall gaps")) if row[0] == "Platform on call"]
    assert told == ["oncall is not in people.yaml any more", "Bo Backup has no contact that works"]


@pytest.mark.parametrize(
    ("contacts", "email", "works"),
    [
        ((), None, True),  # by chat, where the desk has met them
        ((Contact(Way.CHAT),), None, True),
        ((Contact(Way.MAIL),), "bo@example.org", True),
        ((Contact(Way.MAIL),), None, False),
        ((Contact(Way.MAIL, "bo@example.org"),), None, True),
        ((Contact(Way.SMS),), "bo@example.org", False),
        ((Contact(Way.NTFY, "bo"),), "bo@example.org", False),  # which nobody has set up
        ((Contact(Way.SMS, "+4930123456"), Contact(Way.MAIL)), None, True),
    ],
)
def test_a_contact_works_when_it_leads_somewhere(
    quick_talk: Talk, contacts: tuple[Contact, ...], email: str | None, works: bool
) -> None:
    changed(quick_talk, {"backup": {"contacts": contacts, "email": email}})
    quick_talk.dispatcher.platforms = ("console", "mail", "sms")
    assert (quick_talk.say("oncall", "oncall gaps").tone is Tone.GOOD) is works


# Being paged as a test ----------------------------------------------------------------------------------


def test_a_test_page_is_a_real_page_that_one_confirms(talk: Talk) -> None:
    asked = says(talk, "oncall", "oncall test")
    assert asked.subject == "TST-1"
    assert [row[0] for row in table(asked)] == ["console"]
    assert talk.told("@oncall") == ["TST-1: this is a test page for Oli Oncall"]
    with talk.database.reading() as session:
        (row,) = Records(session).outbox.of("TST-1")
    assert row.kind == "page"
    assert [each["line"] for each in row.payload["buttons"]] == [
        "oncall confirm TST-1",
        "oncall arrived TST-1",
    ]
    talk.clock.move(timedelta(seconds=30))
    confirmed = says(talk, "oncall", "oncall confirm TST-1")
    assert confirmed.title == "TST-1: Oli Oncall can be woken"
    assert talk.say("oncall", "oncall confirm TST-1").title == "You have confirmed TST-1 already."
    checked = talk.evidence("TST-1")[-1]
    assert (checked.action, checked.practices, checked.after) == (
        "readiness.checked",
        ("SD SP 2.2",),
        {"person": "oncall", "surface": "console", "seconds": 30},
    )


def test_a_manager_tests_others_and_hears_of_it_and_nobody_else_does(talk: Talk) -> None:
    refused = talk.say("staff", "oncall test @oncall")
    assert refused.title == "You can only page yourself as a test."
    says(talk, "manager", "oncall test @oncall")
    assert talk.say("manager", "oncall confirm TST-1").title == "TST-1 is not for you."
    assert talk.say("staff", "oncall arrived TST-1").title == "TST-1 is between Oli Oncall and the desk."
    says(talk, "oncall", "oncall confirm TST-1")
    assert talk.told("@manager") == ["TST-1: Oli Oncall can be woken"]
    assert says(talk, "manager", "oncall arrived TST-1").title == "TST-1: Oli Oncall can be woken"


def test_there_is_nothing_to_see_where_there_is_nothing(quick_talk: Talk) -> None:
    for line in ("oncall show SWP-9", "oncall accept SWP-9", "oncall withdraw OVR-9", "oncall arrived TST-9"):
        assert quick_talk.say("oncall", line).title == f"There is no {line.split()[-1]}."
    assert (
        quick_talk.say("oncall", "oncall withdraw REQ-9").title == "REQ-9 is neither an override nor a swap."
    )


def test_an_organisation_without_rotas_is_told_how_it_is(quick_talk: Talk) -> None:
    quick_talk.policy = replace(
        quick_talk.policy, rotas={}, escalations={}, incidents=None, version="none at all"
    )
    begin(quick_talk)
    assert quick_talk.say("staff", "oncall who").table.empty.startswith(  # type: ignore[union-attr]
        "This organisation has no rota yet"
    )
    assert quick_talk.say("staff", "oncall gaps").tone is Tone.GOOD
    assert "no escalation" in quick_talk.say("staff", "oncall who vpn").table.empty  # type: ignore[union-attr]
