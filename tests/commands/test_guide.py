"""Does the guide tell everyone what they can do, what is theirs, and how the desk is?"""

from __future__ import annotations

import pytest

from handlers.messages import Reply, flat
from tests.commands.test_requests import LAPTOP, approve_laptop
from tests.harness.house import Talk


def table(reply: Reply) -> list[list[str]]:
    """A reply's table as plain text."""
    return [[flat(cell) for cell in row] for row in (reply.table.rows if reply.table else ())]


def named(reply: Reply) -> set[str]:
    """The first two words of what a help table offers."""
    return {" ".join(row[0].split()[:2]) for row in table(reply)}


def facts(reply: Reply) -> dict[str, str]:
    """A reply's facts as plain text."""
    return {fact.label: flat(fact.value) for fact in reply.facts}


def test_help_offers_everyone_what_they_may_do_and_nothing_else(quick_talk: Talk) -> None:
    for person, allowed, refused in (
        ("staff", "request new", "evidence verify"),
        ("manager", "evidence verify", "privacy erase"),
        ("owner", "privacy erase", "sla ring"),
    ):
        offered = named(quick_talk.say(person, "desk help"))
        assert allowed in offered
        assert refused not in offered
        assert offered <= set(quick_talk.dispatcher.commands.by_name)


@pytest.mark.parametrize("noun", ["request", "desk", "service", "sla", "evidence", "privacy"])
@pytest.mark.parametrize("line", ["{}", "desk help {}", "help {}", "/help {}"])
def test_a_noun_explains_itself(quick_talk: Talk, noun: str, line: str) -> None:
    said = quick_talk.say("owner", line.format(noun))
    assert named(said)
    assert all(name.startswith(f"{noun} ") for name in named(said)), said.title


@pytest.mark.parametrize(
    ("line", "title"),
    [("help", "What I can do for you"), ("whoami", "You are Sam Staff"), ("home", "Hello, Sam Staff")],
)
def test_the_desks_own_verbs_stand_alone(quick_talk: Talk, line: str, title: str) -> None:
    assert quick_talk.say("staff", line).title == title


def test_help_for_one_command_shows_its_details_and_an_example(quick_talk: Talk) -> None:
    said = quick_talk.say("staff", "desk help request rate")
    assert said.title == "request rate REQUEST STARS [BECAUSE]"
    assert facts(said) == {
        "For example": "request rate REQ-7 5 quick and friendly", "For": "everyone", "Evidence for": "SD SP 1.1",
    }  # fmt: skip
    assert ["stars", "From 1 (poor) to 5 (very good)"] in table(said)
    assert ["because", "If you want to say more (may be left out)"] in table(said)
    assert facts(quick_talk.say("staff", "desk help evidence verify"))["For"] == "managers"


@pytest.mark.parametrize(
    ("about", "offered"),
    [
        ("request tke", "desk help request take"),
        ("take", "desk help request take"),
        ("reqest", "desk help request"),
    ],
)
def test_help_for_what_is_nearly_a_command_offers_it(quick_talk: Talk, about: str, offered: str) -> None:
    said = quick_talk.say("staff", f"desk help {about}")
    assert offered in [button.line for button in said.buttons], said


def test_help_does_not_explain_what_only_the_desk_says(quick_talk: Talk) -> None:
    assert quick_talk.say("owner", "desk help sla ring").title.startswith("I do not know")


def test_every_button_of_help_can_be_clicked(quick_talk: Talk) -> None:
    for line in ("desk help", "desk help request", "desk help desk", "desk help sla"):
        for button in quick_talk.say("owner", line).buttons:
            said = quick_talk.say("owner", button.line)
            assert "wrong on our side" not in said.title
            assert not said.title.startswith("I do not know"), button.line


def test_home_shows_what_is_yours_what_you_hold_and_what_waits_for_you(talk: Talk) -> None:
    talk.say("staff", "request new laptop", **LAPTOP)
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-2")
    home = talk.say("staff", "desk home")
    assert (home.title, [section.title for section in home.more]) == (
        "Hello, Sam Staff", ["Your open requests (2)", "On call now"],
    )  # fmt: skip
    assert [row[0] for row in table(home.more[0])] == ["REQ-2", "REQ-1"]
    assert [section.title for section in talk.say("manager", "desk home").more] == [
        "Your open requests (0)", "Waiting for your decision (1)", "On call now",
    ]  # fmt: skip
    assert [section.title for section in talk.say("agent", "desk home").more] == [
        "Your open requests (0)", "In your hands (1)", "On call now",
    ]  # fmt: skip
    assert flat(talk.say("agent", "desk home").more[0].table.empty) == "You have asked for nothing."  # type: ignore[union-attr]


def test_home_counts_what_is_fulfilled_until_it_is_confirmed(quick_talk: Talk) -> None:
    quick_talk.say("staff", "request new question why?")
    quick_talk.say("agent", "request fulfil REQ-1")
    assert quick_talk.say("staff", "desk home").more[0].title == "Your open requests (1)"
    quick_talk.say("staff", "request confirm REQ-1")
    assert quick_talk.say("staff", "desk home").more[0].title == "Your open requests (0)"


def test_home_is_quiet_about_what_others_wait_for(quick_talk: Talk) -> None:
    quick_talk.say("manager", "request new vpn-access abroad:no")
    titles = [section.title for section in quick_talk.say("owner", "desk home").more]
    assert "Waiting for your decision (1)" in titles
    titles = [section.title for section in quick_talk.say("staff", "desk home").more]
    assert titles == ["Your open requests (0)", "On call now"]


def test_home_shows_what_one_promised_to_do_until_it_is_done(quick_talk: Talk) -> None:
    quick_talk.say("agent", "problem open Printers give blank pages service:help")
    quick_talk.say("agent", "action add PRB-1 replace the drums owner:@oncall due:2026-12-01")
    (owed,) = [each for each in quick_talk.say("oncall", "desk home").more if "promised" in each.title]
    assert (owed.title, table(owed)) == (
        "What you promised to do (1)",
        [["ACT-1", "replace the drums", "2026-12-01"]],
    )
    quick_talk.say("oncall", "action done ACT-1 they are new")
    assert not [each for each in quick_talk.say("oncall", "desk home").more if "promised" in each.title]


def test_home_shows_who_is_on_call_now_overrides_included(quick_talk: Talk) -> None:
    def on_call() -> list[list[str]]:
        return table(quick_talk.say("staff", "desk home").more[-1])

    assert on_call() == [["Platform on call", "Oli Oncall"], ["Service desk", "Alex Agent"]]
    quick_talk.say("manager", "oncall override platform @backup now 2h")
    assert on_call()[0] == ["Platform on call", "Bo Backup"]
    quick_talk.wait(hours=9)
    assert on_call() == [["Platform on call", "Oli Oncall"], ["Service desk", "nobody"]]


def test_a_decision_is_shown_however_much_else_waits(quick_talk: Talk) -> None:
    """More requests wait for others than one look takes in; the one that waits for me is the oldest."""
    quick_talk.say("staff", "request new laptop", **LAPTOP)
    for _ in range(55):
        quick_talk.say("manager", "request new vpn-access abroad:no anyway:yes")
    assert "Waiting for your decision (1)" in [
        section.title for section in quick_talk.say("manager", "desk home").more
    ]


def test_status_tells_how_the_desk_itself_is(talk: Talk) -> None:
    quiet = facts(talk.say("staff", "desk status"))
    assert quiet == {
        "Open requests": "0", "Open incidents": "0", "Messages waiting": "none", "Moments overdue": "0",
        "Evidence": "0 records", "Policy": f"version {talk.policy.version}",
    }  # fmt: skip
    approve_laptop(talk)
    busy = facts(talk.say("staff", "desk status"))
    assert busy["Open requests"] == "1"
    assert busy["Messages waiting"].endswith(" pending")
    assert int(busy["Evidence"].split()[0]) > 3
    talk.clock.set(talk.clock.now().replace(month=12))
    assert int(facts(talk.say("staff", "desk status"))["Moments overdue"]) > 0
