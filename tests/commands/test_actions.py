"""Does an action stay with its owner until it is done, and does nobody forget it on the way?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.policy import Person
from handlers.messages import Reply, Tone, flat
from tests.harness.house import Talk

DRUMS = "action add PRB-1 replace the drums owner:@oncall due:2026-12-01"


def facts(reply: Reply) -> dict[str, str]:
    """A reply's facts as plain text."""
    return {fact.label: flat(fact.value) for fact in reply.facts}


@pytest.fixture
def owing(talk: Talk) -> Talk:
    """A desk with a problem, on both stores."""
    talk.say("agent", "problem open Printers give blank pages service:help")
    return talk


@pytest.fixture
def quick(quick_talk: Talk) -> Talk:
    """The same on SQLite alone."""
    quick_talk.say("agent", "problem open Printers give blank pages service:help")
    return quick_talk


def test_an_action_is_agreed_on_done_and_told_to_its_problem(owing: Talk) -> None:
    added = owing.say("agent", DRUMS)
    assert (added.title, added.tone) == ("ACT-1 is noted: replace the drums", Tone.GOOD)
    assert facts(added) == {
        "State": "open, due in 8 days",
        "Owner": "Oli Oncall",
        "By": "Tue 1 Dec 2026",
        "About": "PRB-1",
        "Asked for by": "Alex Agent",
    }
    done = owing.say("oncall", "action done ACT-1 they print cleanly")
    assert done.title == "ACT-1 is done: replace the drums"
    assert [(each.action, each.practices) for each in owing.evidence("ACT-1")] == [
        ("corrective_action.opened", ("WMC SP 2.2",)),
        ("corrective_action.closed", ("WMC SP 2.3",)),
    ]
    told = [each for each in owing.evidence("PRB-1") if each.action != "problem.opened"]
    assert [(each.action, each.practices[0], (each.after or {})["owner"]) for each in told] == [
        ("problem.action_approved", "IRP SP 3.3", "oncall"),
        ("problem.action_completed", "IRP SP 3.3", "oncall"),
    ]


def test_the_owner_is_told_once_and_who_asked_hears_that_it_is_done(owing: Talk) -> None:
    owing.say("agent", DRUMS)
    assert owing.told("@oncall", "ACT-1") == ["ACT-1 is yours: replace the drums"]
    assert owing.told("service-desk", "PRB-1") == ["ACT-1: replace the drums"]
    owing.say("oncall", "action done ACT-1 they print cleanly")
    assert owing.told("@agent", "ACT-1") == ["ACT-1 is done: replace the drums"]
    assert owing.told("@oncall", "ACT-1") == ["ACT-1 is yours: replace the drums"]


def test_nobody_is_told_what_they_took_on_themselves(owing: Talk) -> None:
    owing.say("agent", "action add PRB-1 clean the trays due:fri")
    owing.say("agent", "action done ACT-1 they shine")
    assert owing.told("@agent") == []


def test_the_problem_shows_what_is_owed(owing: Talk) -> None:
    owing.say("agent", DRUMS)
    shown = owing.say("agent", "PRB-1")
    assert facts(shown)["To be done"] == "ACT-1 replace the drums (by Tue 1 Dec 2026)"
    owing.say("oncall", "action done ACT-1 they print cleanly")
    assert "To be done" not in facts(owing.say("agent", "PRB-1"))
    cards = [row for row in owing._outbox() if row.kind == "card" and row.subject == "PRB-1" and row.open]
    assert cards, "the card is drawn anew"


# Asking for what is missing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("action add PRB-1 replace the drums owner:@oncall", "A few details, please."),
        (
            "action add PRB-1 replace the drums owner:@oncall due:2026-11-20",
            "Fri 20 Nov 2026 is past. Choose a day to come.",
        ),
    ],
)
def test_without_a_day_to_come_the_form_asks_for_one_and_keeps_the_rest(
    quick: Talk, line: str, sentence: str
) -> None:
    asked = quick.say("agent", line)
    assert (asked.title, asked.tone) == (sentence, Tone.WAITING)
    assert asked.form is not None
    values = {each.key: each.value for each in asked.form.fields}
    assert (values["subject"], values["what"], values["owner"]) == ("PRB-1", "replace the drums", "@oncall")
    added = quick.say("agent", asked.form.line, **{**values, "due": "2026-12-01"})
    assert facts(added)["Owner"] == "Oli Oncall"
    assert added.subject == "ACT-1", "no number was spent on the first try"


def test_inside_the_thread_the_problem_need_not_be_named(quick: Talk) -> None:
    added = quick.say("agent", "action add clean the trays due:2026-12-01", thread="PRB-1")
    assert (facts(added)["About"], added.title) == ("PRB-1", "ACT-1 is noted: clean the trays")


def test_an_action_follows_from_a_ticket_that_exists_and_is_none_itself(quick: Talk) -> None:
    assert quick.say("agent", "action add PRB-9 x due:fri").title == "There is no PRB-9."
    quick.say("agent", DRUMS)
    refused = quick.say("agent", "action add ACT-1 x due:fri")
    assert refused.title == "An action follows from a problem, an incident, a change or a drill."


def test_a_ticket_that_wants_to_hear_nothing_of_actions_may_have_them(quick: Talk) -> None:
    quick.say("staff", "request new question why?")
    quick.say("agent", "action add REQ-1 write it down for others due:fri")
    assert quick.say("agent", "action done ACT-1 it is on the page").tone is Tone.GOOD
    assert quick.actions("REQ-1") == ["request.received"]


# Reminders ---------------------------------------------------------------------------------------------


def reminders(talk: Talk, to: str) -> list[str]:
    """What an audience was reminded of, in order."""
    return [title for title in talk.told(to, "ACT-1") if "due" in title or "overdue" in title]


def test_the_owner_is_reminded_and_then_asked_every_week_and_more_people_hear_of_it(owing: Talk) -> None:
    owing.say("agent", DRUMS)
    owing.wait(days=24)
    assert reminders(owing, "@oncall") == [
        "ACT-1 is due in 3 days: replace the drums",
        "ACT-1 is due today: replace the drums",
        "ACT-1 is 7 days overdue: replace the drums",
        "ACT-1 is 14 days overdue: replace the drums",
    ]
    assert reminders(owing, "@owner") == [
        "ACT-1 is 7 days overdue: replace the drums",
        "ACT-1 is 14 days overdue: replace the drums",
    ]
    assert reminders(owing, "service-desk") == ["ACT-1 is 14 days overdue: replace the drums"]
    chased = [each for each in owing.evidence("ACT-1") if each.action == "corrective_action.chased"]
    assert [(each.after or {})["days"] for each in chased] == [-3, 0, 7, 14]
    assert {each.practices for each in chased} == {("WMC SP 2.3",)}
    assert facts(owing.say("oncall", "ACT-1"))["State"] == "open, 16 days overdue"


def test_what_is_done_is_not_asked_for_any_more(owing: Talk) -> None:
    owing.say("agent", DRUMS)
    owing.wait(days=5)
    owing.say("oncall", "action done ACT-1 they print cleanly")
    owing.wait(days=60)
    assert reminders(owing, "@oncall") == ["ACT-1 is due in 3 days: replace the drums"]
    rows = [row for row in owing._outbox() if row.kind == "reminder"]
    assert {tuple(row.while_in or ()) for row in rows} == {("open",)}, (
        "nor is what was written and not yet sent"
    )


def test_what_was_missed_while_the_desk_was_away_is_told_once_as_it_is_now(owing: Talk) -> None:
    owing.say("agent", DRUMS)
    owing.clock.set(owing.clock.now().replace(month=12, day=24))
    owing.ring()
    assert reminders(owing, "@oncall") == ["ACT-1 is 23 days overdue: replace the drums"]
    owing.wait(days=5)
    assert reminders(owing, "@oncall")[1:] == ["ACT-1 is 28 days overdue: replace the drums"]


def test_without_a_manager_the_team_hears_of_it_a_week_earlier(quick: Talk) -> None:
    alone = Person(key="oncall", name="Oli Oncall")
    quick.policy = replace(quick.policy, people={**quick.policy.people, "oncall": alone})
    quick.say("agent", DRUMS)
    quick.wait(days=16)
    assert reminders(quick, "service-desk") == ["ACT-1 is 7 days overdue: replace the drums"]


def test_the_morning_is_that_of_the_owner(quick: Talk) -> None:
    quick.say("agent", "action add PRB-1 look again owner:@backup due:2026-11-24")
    quick.wait(hours=24, minutes=59)
    assert reminders(quick, "@backup") == [], "in Lisbon it is not yet nine"
    quick.wait(minutes=1)
    assert reminders(quick, "@backup") == ["ACT-1 is due today: look again"]


# Moving ------------------------------------------------------------------------------------------------


def test_a_new_day_moves_the_reminders_and_is_told_with_its_reason(owing: Talk) -> None:
    owing.say("agent", DRUMS)
    moved = owing.say("oncall", "action move ACT-1 the parts are late due:2026-12-08")
    assert moved.title == "ACT-1 is Oli Oncall's, by Tue 8 Dec 2026"
    assert owing.told("@agent", "ACT-1") == ["ACT-1 is Oli Oncall's, by Tue 8 Dec 2026"]
    record = owing.evidence("ACT-1")[-1]
    assert (record.before or {})["due"] == "2026-12-01"
    assert (record.after or {})["times"] == 1
    owing.wait(days=16)
    assert reminders(owing, "@oncall") == [
        "ACT-1 is due in 3 days: replace the drums",
        "ACT-1 is due today: replace the drums",
    ]
    assert facts(owing.say("oncall", "ACT-1"))["Moved"] == "1 time"


def test_a_new_owner_is_told_and_the_old_one_too(owing: Talk) -> None:
    owing.say("agent", DRUMS)
    owing.say("agent", "action move ACT-1 Oli is away owner:@backup")
    assert owing.told("@backup", "ACT-1") == ["ACT-1 is yours: replace the drums"]
    assert owing.told("@oncall", "ACT-1")[1:] == ["ACT-1 is Bo Backup's, by Tue 1 Dec 2026"]
    owing.wait(days=9)
    assert len(reminders(owing, "@oncall")) == 0
    assert len(reminders(owing, "@backup")) == 2


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        ("", "Say another day, or another owner."),
        ("due:2026-12-01 owner:@oncall", "Say another day, or another owner."),
        ("due:2026-11-01", "Sun 1 Nov 2026 is past. Choose a day to come."),
    ],
)
def test_a_move_that_moves_nothing_is_asked_about(quick: Talk, rest: str, sentence: str) -> None:
    quick.say("agent", DRUMS)
    asked = quick.say("oncall", f"action move ACT-1 because {rest}")
    assert asked.title == sentence
    assert quick.actions("ACT-1") == ["corrective_action.opened"]


def test_what_is_done_is_neither_done_again_nor_moved(quick: Talk) -> None:
    quick.say("agent", DRUMS)
    quick.say("oncall", "action done ACT-1 they print cleanly")
    assert quick.say("oncall", "action done ACT-1 again").title == "You cannot finish ACT-1: it is done."
    refused = quick.say("oncall", "action move ACT-1 later due:2026-12-24")
    assert (refused.title, refused.subject) == ("You cannot move ACT-1: it is done.", "ACT-1")


# Seeing ------------------------------------------------------------------------------------------------


def test_an_owner_who_sees_nothing_else_sees_and_finishes_their_action(quick: Talk) -> None:
    quick.say("agent", "action add PRB-1 tell your colleagues owner:@staff due:2026-12-01")
    assert quick.say("staff", "ACT-1").title == "ACT-1 · tell your colleagues"
    assert quick.say("staff", "action list").title == "1 of your open actions"
    assert quick.say("staff", "action done ACT-1 all know").tone is Tone.GOOD
    assert quick.say("approver", "ACT-1").tone is Tone.GOOD, "the approver leads a team that works on tickets"
    refused = quick.say("staff", "action add PRB-1 more due:2026-12-01")
    assert refused.title == "Actions are agreed on by those who work on tickets."


def test_others_see_and_move_nothing_of_it(quick: Talk) -> None:
    quick.say("agent", DRUMS)
    assert quick.say("staff", "ACT-1").title == "ACT-1 is for those who see PRB-1."
    assert quick.say("staff", "action done ACT-1 x").title == "ACT-1 is for those who see PRB-1."
    assert quick.say("staff", "action list all").title == "0 of actions"


@pytest.mark.parametrize(
    ("who", "line", "title"),
    [
        ("agent", "action list", "11 of your open actions, page 1 of 2"),
        ("agent", "action list page:2", "11 of your open actions, page 2 of 2"),
        ("oncall", "action list mine", "1 of your open actions"),
        ("oncall", "action list team", "1 of your team's open actions"),
        ("backup", "action list team", "12 of your team's open actions, page 1 of 2"),
        ("manager", "action list open", "12 of open actions, page 1 of 2"),
        ("manager", "action list all", "13 of actions, page 1 of 2"),
        ("manager", "action list overdue", "1 of overdue actions"),
        ("manager", "action list open number 7", "1 of open actions about “number 7”"),
        ("manager", "action list all prb-1", "13 of actions about “prb-1”, page 1 of 2"),
    ],
)
def test_lists_page_and_search(quick: Talk, who: str, line: str, title: str) -> None:
    for number in range(11):
        quick.say("agent", f"action add PRB-1 number {number} due:2026-12-{10 + number}")
    quick.say("agent", DRUMS.replace("2026-12-01", "2026-11-23"))
    quick.say("agent", "action add PRB-1 at once due:2026-11-23")
    quick.say("agent", "action done ACT-13 done")
    quick.clock.set(quick.clock.now().replace(day=24))
    listed = quick.say(who, line)
    assert listed.title == title
    if title.startswith("11 of your open actions, page 1"):
        assert listed.table is not None
        assert [flat(row[4]) for row in listed.table.rows][:2] == [
            "Thu 10 Dec 2026 (due in 16 days)",
            "Fri 11 Dec 2026 (due in 17 days)",
        ]
