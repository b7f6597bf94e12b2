"""Does a problem go from its incidents to the effect of its removal, and does what is known help people before?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from config.policy import Role
from handlers.messages import Reply, Tone, flat
from storage.repositories.problems import KNOWN
from storage.statements import Prepared
from storage.unit_of_work import Records
from tests.commands.test_people import chat, code_of, dump, verified
from tests.harness.house import Talk

CAUSE = {"category": "equipment", "what_happened": "the drums wore out", "support": "new drums print cleanly"}


def open_problem(talk: Talk) -> str:
    """A problem of the service `help`, with the question that led to it; returns its reference."""
    talk.say("staff", "request new question the printer gives blank pages")
    opened = talk.say("agent", "problem open Printers give blank pages service:help incidents:REQ-1")
    return opened.subject or ""


def known(talk: Talk) -> str:
    """A known error; returns its reference."""
    ref = open_problem(talk)
    talk.say(
        "agent", f"problem known-error {ref} the printer gives blank pages workaround:“use the left tray”"
    )
    return ref


def resolved(talk: Talk) -> str:
    """A problem whose cause was removed; returns its reference."""
    ref = open_problem(talk)
    talk.say("agent", f"problem cause {ref}", **CAUSE)
    talk.say("agent", f"problem resolve {ref} every drum is new")
    return ref


def facts(reply: Reply) -> dict[str, str]:
    """A reply's facts as plain text."""
    return {fact.label: flat(fact.value) for fact in reply.facts}


# From opening to closing -------------------------------------------------------------------------------


def test_a_problem_is_opened_analysed_resolved_and_closed_once_its_effect_was_seen(talk: Talk) -> None:
    ref = open_problem(talk)
    shown = talk.say("agent", ref)
    assert facts(shown) == {
        "State": "open",
        "Service": "Help",
        "Opened by": "Alex Agent",
        "Requests": "REQ-1",
    }
    talk.say("agent", f"problem cause {ref}", **CAUSE, factors="dust")
    talk.say("agent", f"problem resolve {ref} every drum is new")
    closed = talk.say("agent", f"problem close {ref} gone no blank page in four weeks")
    assert (closed.title, closed.tone) == (f"{ref} is closed; its incidents are gone", Tone.GOOD)
    story = talk.evidence(ref)
    assert [(each.action, each.practices) for each in story] == [
        ("problem.opened", ("IRP SP 3.1", "CAR SP 1.1")),
        ("problem.cause_identified", ("IRP SP 3.1", "CAR SP 1.2")),
        ("problem.resolved", ("IRP SP 3.3", "CAR SP 2.1")),
        ("problem.effect_checked", ("IRP SP 3.3", "CAR SP 2.2", "CAR SP 2.3")),
        ("problem.closed", ("IRP SP 3.3", "CAR SP 2.2", "CAR SP 2.3")),
    ]
    assert story[3].after == {"state": "closed", "effect": "gone", "repeats": 0}
    assert story[1].after == {"state": "analysed", "category": "equipment"}, "words stay out of what is kept"


def test_the_cause_is_asked_for_by_a_form_and_shown_in_full(talk: Talk) -> None:
    ref = open_problem(talk)
    form = talk.say("agent", f"problem cause {ref}").form
    assert form is not None
    assert [each.key for each in form.fields if each.required] == [
        "problem", "category", "what_happened", "support",
    ]  # fmt: skip
    talk.say("agent", form.line, problem=ref, **CAUSE, factors="dust")
    (section,) = [each for each in talk.say("agent", ref).more if each.title == "Its cause"]
    assert section.table is not None
    assert [flat(row[1]) for row in section.table.rows] == [
        "equipment", "the drums wore out", "dust", "new drums print cleanly",
    ]  # fmt: skip


def test_without_a_service_the_form_asks_for_it_and_keeps_the_title(talk: Talk) -> None:
    asked = talk.say("agent", "problem open Printers give blank pages")
    assert asked.form is not None
    assert {each.key: each.value for each in asked.form.fields}["title"] == "Printers give blank pages"


@pytest.mark.parametrize(
    ("line", "said", "then"),
    [
        ("problem resolve PRB-1 x", "You cannot resolve PRB-1: it is open.", "Say its cause first"),
        ("problem close PRB-1 gone x", "You cannot close PRB-1: it is open.", "Say its cause first"),
        ("problem reopen PRB-1 x", "You cannot reopen PRB-1: it is open.", "Say its cause first"),
    ],
)
def test_what_comes_too_early_is_refused_with_the_way_on(
    quick_talk: Talk, line: str, said: str, then: str
) -> None:
    open_problem(quick_talk)
    refused = quick_talk.say("agent", line)
    assert (refused.title, refused.subject) == (said, "PRB-1")
    assert flat(refused.text).startswith(then)
    assert quick_talk.actions("PRB-1") == ["problem.opened"]


@pytest.mark.parametrize("verb", ["cause", "workaround", "known-error", "resolve"])
def test_what_is_resolved_stays_so_until_somebody_says_that_it_is_back(quick_talk: Talk, verb: str) -> None:
    ref = resolved(quick_talk)
    rest = {"cause": "equipment drums support:new", "known-error": "blank workaround:left"}.get(verb, "words")
    refused = quick_talk.say("agent", f"problem {verb} {ref} {rest}")
    assert refused.title.endswith(f"{ref}: it is resolved.")
    assert flat(refused.text) == "If it has come back, reopen it."


def test_what_is_back_is_open_again_and_its_cause_is_looked_for_anew(talk: Talk) -> None:
    ref = resolved(talk)
    talk.say("agent", f"problem reopen {ref} blank pages since Monday")
    assert talk.say("agent", f"problem resolve {ref} x").title == f"You cannot resolve {ref}: it is open."
    again = {**CAUSE, "category": "supplier"}
    talk.say("agent", f"problem cause {ref}", **again)
    assert talk.evidence(ref)[-1].before == {"state": "open", "category": "equipment"}
    talk.wait(days=60)
    assert "problem.effect_asked" not in talk.actions(ref), "nobody asks whether it helped while it is open"


def test_the_team_is_asked_whether_it_helped_until_somebody_answers(talk: Talk) -> None:
    ref = resolved(talk)
    talk.wait(days=27)
    assert not any("has it helped" in title for title in talk.told("service-desk"))
    talk.wait(days=9)
    assert [title for title in talk.told("service-desk") if "has it helped" in title] == [
        f"{ref} was resolved 4 weeks ago: has it helped?",
        f"{ref} was resolved 5 weeks ago: has it helped?",
    ]
    talk.say("agent", f"problem close {ref} milder one page in four weeks")
    before = talk.told("service-desk")
    talk.wait(days=30)
    assert talk.told("service-desk") == before


def test_what_came_back_is_not_gone(talk: Talk) -> None:
    ref = resolved(talk)
    talk.wait(hours=1)
    talk.say("staff", "request new question blank pages again anyway:yes")
    talk.say("agent", f"problem link {ref} REQ-2")
    refused = talk.say("agent", f"problem close {ref} gone it seems so")
    assert refused.title == f"It is not gone: REQ-2 was linked since {ref} was resolved."
    talk.say("agent", f"problem close {ref} fewer only one in a month")
    assert (talk.evidence(ref)[-2].after or {})["repeats"] == 1


def test_a_problem_with_open_actions_is_not_closed(talk: Talk) -> None:
    ref = resolved(talk)
    talk.say("agent", f"action add {ref} buy spare drums due:2026-12-01")
    refused = talk.say("agent", f"problem close {ref} gone none since")
    assert (refused.title, flat(refused.text)) == (
        f"{ref} has open actions.",
        "First: ACT-1 (buy spare drums).",
    )
    talk.say("agent", "action done ACT-1 six are on the shelf")
    assert talk.say("agent", f"problem close {ref} gone none since").tone is Tone.GOOD
    assert talk.actions("ACT-1")[-1] == "corrective_action.effect_checked"


# What belongs to it ------------------------------------------------------------------------------------


def test_links_are_checked_and_undone(talk: Talk) -> None:
    ref = open_problem(talk)
    for number in (2, 3):
        talk.say("staff", f"request new question number {number}? anyway:yes")
    talk.say("agent", f"problem link {ref} req-2, REQ-3")
    assert facts(talk.say("agent", ref))["Requests"] == "REQ-1, REQ-2, REQ-3"
    assert talk.say("agent", f"problem link {ref} REQ-9").title == "There is no REQ-9."
    assert talk.say("agent", f"problem link {ref} {ref}").title == (
        f"“{ref}” is no incident, request or change."
    )
    assert talk.say("agent", f"problem link {ref} CHG-1").title == "There is no CHG-1."
    assert talk.say("agent", f"problem link {ref} REQ-2").title == f"REQ-2 belongs to {ref} already."
    talk.say("agent", f"problem unlink {ref} REQ-2")
    assert facts(talk.say("agent", ref))["Requests"] == "REQ-1, REQ-3"
    assert [(each.after or {}).get("links") for each in talk.evidence(ref)] == [
        ["REQ-1"], ["REQ-2", "REQ-3"], ["REQ-2"],
    ]  # fmt: skip


def test_a_ticket_that_the_asker_cannot_see_is_not_linked(quick_talk: Talk) -> None:
    ref = open_problem(quick_talk)
    access = quick_talk.policy.access
    grants = {**access.grants, Role.AGENT: ("@service-desk",)}
    quick_talk.policy = replace(quick_talk.policy, access=replace(access, grants=grants))
    refused = quick_talk.say("oncall", f"problem link {ref} REQ-1")
    assert refused.title == "REQ-1 is between its requester and Service desk."
    assert quick_talk.actions(ref) == ["problem.opened"]


def test_the_problems_of_a_ticket_are_found_from_it(talk: Talk) -> None:
    ref = open_problem(talk)
    with talk.database.reading() as session:
        assert [each.ref for each in Records(session).problems.of("REQ-1")] == [ref]
        assert Records(session).problems.of("REQ-2") == []


def test_an_incident_belongs_to_it_on_whichever_of_the_two_that_was_said(talk: Talk) -> None:
    ref = open_problem(talk)
    for words in ("blank pages in the hall", "the scanner hums"):
        talk.say("agent", f"incident declare {words} service:help impact:low urgency:low")
    talk.say("agent", f"incident link INC-1 {ref}")
    talk.say("agent", f"problem link {ref} INC-2")
    assert facts(talk.say("agent", ref))["Incidents"] == "INC-2, INC-1"
    for incident in ("INC-1", "INC-2"):
        assert facts(talk.say("agent", incident))["Belongs to"] == ref
    talk.say("agent", f"problem unlink {ref} INC-1 INC-2")
    assert "Incidents" not in facts(talk.say("agent", ref))
    assert "Belongs to" not in facts(talk.say("agent", "INC-1"))


def test_in_the_thread_of_a_problem_another_ticket_is_not_taken_for_it(talk: Talk) -> None:
    ref = open_problem(talk)
    talk.say("staff", "request new question why? anyway:yes")
    assert talk.say("agent", "problem link REQ-2", thread=ref).title == f"REQ-2 belongs to {ref} now"


def test_in_the_thread_of_a_ticket_its_problem_is_opened_with_it(talk: Talk) -> None:
    talk.say("staff", "request new question the printer gives blank pages")
    opened = talk.say("agent", "problem open Blank pages service:help", thread="REQ-1")
    assert facts(opened)["Requests"] == "REQ-1"


# Who hears and sees ------------------------------------------------------------------------------------


def test_those_who_worked_on_it_hear_what_becomes_of_it_and_never_of_what_they_did(talk: Talk) -> None:
    ref = open_problem(talk)
    talk.say("oncall", f"problem workaround {ref} use the left tray")
    talk.say("agent", f"problem cause {ref}", **CAUSE)
    talk.say("backup", f"problem resolve {ref} every drum is new")
    about = [f"The cause of {ref} is known: equipment", f"{ref} is resolved"]
    assert talk.told("@oncall", ref) == about
    assert talk.told("@agent", ref) == [f"{ref} has a workaround", f"{ref} is resolved"]
    assert talk.told("@backup", ref) == []
    assert talk.told("service-desk", ref) == [f"{ref} has a workaround", *about]


def test_the_card_hangs_in_the_room_of_the_services_team(talk: Talk) -> None:
    talk.say("agent", "problem open Mails come late service:mail")
    cards = [row for row in talk._outbox() if row.kind == "card" and row.subject == "PRB-1"]
    assert [row.lane for row in cards] == ["console:on-call"]


def test_staff_see_neither_problems_nor_their_list(quick_talk: Talk) -> None:
    ref = open_problem(quick_talk)
    assert quick_talk.say("staff", ref).title == f"{ref} is for those who work on it."
    assert quick_talk.say("staff", "problem list all").title == "0 of problems"
    refused = quick_talk.say("staff", "problem open Everything is slow service:help")
    assert refused.title == "Problems are opened by those who work on tickets."


@pytest.mark.parametrize(
    ("who", "line", "title"),
    [
        ("agent", "problem list", "12 of the problems you follow, page 1 of 2"),
        ("backup", "problem list mine", "0 of the problems you follow"),
        ("oncall", "problem list team", "0 of your team's open problems"),
        ("agent", "problem list team page:2", "12 of your team's open problems, page 2 of 2"),
        ("manager", "problem list open", "12 of open problems, page 1 of 2"),
        ("agent", "problem list known", "1 of known errors"),
        ("agent", "problem list open number 11", "1 of open problems about “number 11”"),
        ("agent", "problem list open LEFT tray", "1 of open problems about “LEFT tray”"),
    ],
)
def test_lists_page_and_search(quick_talk: Talk, who: str, line: str, title: str) -> None:
    for number in range(12):
        quick_talk.say("agent", f"problem open Problem number {number} service:help")
    quick_talk.say("agent", "problem known-error PRB-3 blank pages workaround:“the left tray”")
    listed = quick_talk.say(who, line)
    assert listed.title == title
    if "page 1" in title:
        following = next(each.line for each in listed.buttons if each.label == "Next")
        assert len(quick_talk.say(who, following).table.rows) == 2  # type: ignore[union-attr]


# Known errors ------------------------------------------------------------------------------------------


def test_a_known_error_needs_something_that_people_can_do(talk: Talk) -> None:
    ref = open_problem(talk)
    asked = talk.say("agent", f"problem known-error {ref} blank pages")
    assert asked.title.startswith("Say what people can do")
    assert asked.form is not None
    assert {each.key: each.value for each in asked.form.fields}["symptom"] == "blank pages"
    talk.say("agent", f"problem workaround {ref} use the left tray")
    recorded = talk.say("agent", f"problem known-error {ref} blank pages")
    assert facts(recorded)["State"] == "open, known error"
    assert (talk.evidence(ref)[-1].action, talk.evidence(ref)[-1].practices) == (
        "known_error.recorded",
        ("IRP SP 3.2",),
    )


def test_who_asks_for_help_is_shown_the_workaround_and_nothing_is_filed_when_it_helps(talk: Talk) -> None:
    ref = known(talk)
    held = talk.say("manager", "request new question why does my printer print blank pages?")
    assert (held.title, held.subject) == ("Before it is filed: this may be known", ref)
    section, _ = held.more
    assert section.title == f"{ref}: Printers give blank pages"
    assert facts(section)["What helps"] == "use the left tray"
    (solved,) = section.buttons
    assert solved.label == "This solved it"
    assert talk.say("manager", solved.line).title == "Good that it helped."
    assert talk.say("manager", "request list").title == "0 of your requests"
    assert talk.evidence(ref)[-1].after == {"state": "open", "helped": 1}
    assert facts(talk.say("agent", ref))["Helped"] == "1 time"


def test_who_is_not_helped_files_it_with_one_click(talk: Talk) -> None:
    known(talk)
    held = talk.say("manager", "request new question why does my printer print blank pages?")
    filed = talk.say("manager", held.more[-1].buttons[0].line)
    assert filed.title == "REQ-2 is filed: Question: why does my printer print blank pages?"
    assert talk.actions("REQ-2") == ["request.received"]


def test_a_known_error_and_an_open_request_are_shown_together(talk: Talk) -> None:
    known(talk)
    held = talk.say("staff", "request new question why does my printer print blank pages?")
    assert [each.title for each in held.more] == [
        "PRB-1: Printers give blank pages",
        "Open already: REQ-1 (open)",
        "Is it something else?",
    ]
    assert talk.say("staff", f"{held.more[-1].buttons[0].line}").subject == "REQ-2"


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("why does my printer print blank pages?", True),
        ("PRINTING: BLANK PAGE", True),
        ("printer?", True),
        ("my mailbox is full", False),
        ("the mailbox does not work, please help", False),
        ("blank look from the colleague at the window when asked for the way to the canteen", False),
        ("why?", False),
    ],
)
def test_a_known_error_is_shown_to_those_whose_words_it_shares(
    quick_talk: Talk, question: str, found: bool
) -> None:
    known(quick_talk)
    said = quick_talk.say("manager", f"request new question {question}")
    assert said.title.startswith("Before it is filed" if found else "REQ-2 is filed")


def test_of_a_service_what_it_rests_on_counts_and_others_do_not(quick_talk: Talk) -> None:
    for service in ("network", "laptops"):
        quick_talk.say("agent", f"problem open Sharing of calendars fails service:{service}")
    for number in (1, 2):
        quick_talk.say("agent", f"problem known-error PRB-{number} calendars are not shared workaround:wait")
    answers = {"address": "shared-calendars", "owned_by": "owner", "outside": "no"}
    held = quick_talk.say("staff", "request new mailbox", **answers)
    assert [each.title for each in held.more][:-1] == ["PRB-1: Sharing of calendars fails"]


def test_once_it_is_resolved_nobody_is_sent_round_it_any_more(talk: Talk) -> None:
    ref = known(talk)
    talk.say("agent", f"problem cause {ref}", **CAUSE)
    talk.say("agent", f"problem resolve {ref} every drum is new")
    filed = talk.say("manager", "request new question why does my printer print blank pages?")
    assert filed.title.startswith("REQ-2 is filed")
    late = talk.say("manager", f"problem helped {ref}")
    assert late.title == f"{ref} is not a known error any more."
    talk.say("agent", f"problem reopen {ref} it is back")
    held = talk.say("staff", "request new question blank pages from the printer")
    assert held.title == "Before it is filed: this may be known"


def test_the_likeliest_three_are_shown_first(quick_talk: Talk) -> None:
    for number in range(1, 6):
        quick_talk.say("agent", f"problem open Blank pages number {number} service:help")
        quick_talk.say("agent", f"problem known-error PRB-{number} blank pages workaround:turn")
    quick_talk.say("staff", "problem helped PRB-2")
    quick_talk.say("agent", "problem known-error PRB-4 blank pages from the printer on the third floor")
    held = quick_talk.say("manager", "request new question blank pages from the printer on the third floor")
    assert [each.title[:5] for each in held.more][:-1] == ["PRB-4", "PRB-2", "PRB-5"]


@pytest.mark.parametrize(("line", "statements"), [("vpn-access abroad:no", 0), ("question why print?", 1)])
def test_filing_asks_the_store_for_known_errors_at_most_once(
    quick_talk: Talk, line: str, statements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    rows = Prepared.rows

    def noted(self: Prepared, session: Any, **given: Any) -> Any:
        asked.append(str(self._statement))
        return rows(self, session, **given)

    monkeypatch.setattr(Prepared, "rows", noted)
    quick_talk.say("staff", f"request new {line}")
    assert len([each for each in asked if "FROM problem" in each]) == statements


def test_with_nothing_known_the_store_reads_an_empty_index(quick_talk: Talk) -> None:
    with quick_talk.database.reading() as session:
        plan = session.execute(
            text(
                f"EXPLAIN QUERY PLAN {KNOWN.compile(dialect=sqlite.dialect(), compile_kwargs={'literal_binds': True})}"
            )
        ).all()
    assert any("ix_problem_known" in str(row) for row in plan), plan


# People ------------------------------------------------------------------------------------------------


def test_after_an_erasure_nothing_that_a_person_wrote_on_problems_and_actions_is_left(talk: Talk) -> None:
    words = "zanzibar"
    talk.say("agent", f"problem open {words} 1 service:help")
    talk.say("agent", f"problem cause PRB-1 equipment “{words} 2” support:“{words} 3” factors:“{words} 4”")
    talk.say("agent", f"problem known-error PRB-1 {words} pages workaround:“{words} 5”")
    talk.say("agent", f"action add PRB-1 {words} 6 due:2026-12-01")
    talk.say("agent", f"action move ACT-1 {words} 7 due:2026-12-02")
    talk.say("agent", f"action done ACT-1 {words} 8")
    talk.say("manager", f"request new question {words} pages")
    held = talk.say("manager", f"request new question are {words} pages known?")
    assert words in str(held.more)
    talk.say("agent", "problem open the next one stays service:help")
    erased = talk.say("owner", "privacy erase @agent")
    assert erased.tone is Tone.GOOD, erased
    talk.say("owner", "privacy erase @manager")
    after = dump(talk.database)
    assert words not in after
    shown = talk.say("oncall", "PRB-1")
    assert shown.title == "PRB-1 · help (erased)"
    assert facts(shown)["Cause"] == "equipment: (erased)"
    assert facts(shown)["State"] == "analysed", "nobody can be helped by an erased workaround"
    verified(talk)


def test_who_joins_accounts_keeps_what_they_owe_and_follow(talk: Talk) -> None:
    first = {"platform": "slack", "workspace": "T1", "user": "U1"}
    second = {"platform": "discord", "workspace": "1", "user": "2"}
    chat(talk, second, "desk whoami")
    ref = open_problem(talk)
    talk.say("agent", f"action add {ref} look at the drums owner:person-1 due:2026-12-01")
    assert chat(talk, second, "action list").title == "1 of your open actions"
    chat(talk, second, f"desk link {code_of(chat(talk, first, 'desk link'))}")
    assert chat(talk, first, "action list").title == "1 of your open actions"
    assert chat(talk, first, "problem list").title == "1 of the problems you follow"
    assert talk.actions("ACT-1")[-1] == "corrective_action.handed_over"


def test_a_repeated_click_has_one_effect(talk: Talk) -> None:
    known(talk)
    for _ in range(2):
        talk.say("manager", "problem helped PRB-1", key="once")
    assert facts(talk.say("agent", "PRB-1"))["Helped"] == "1 time"


def test_what_helps_is_on_file_before_it_can_have_helped(quick_talk: Talk) -> None:
    ref = open_problem(quick_talk)
    early = quick_talk.say("staff", f"problem helped {ref}")
    assert early.title == f"{ref} is no known error yet."
    done = resolved(quick_talk)
    late = quick_talk.say("staff", f"problem helped {done}")
    assert late.title == f"{done} is not a known error any more."
