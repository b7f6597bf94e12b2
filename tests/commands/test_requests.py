"""Does a request go the way that the catalogue and the agreement say?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.messages import Tone, flat
from tests.harness.house import Talk

LAPTOP = {"model": "Standard 14 inch", "replaces": "no", "needed_by": "2026-12-01"}


def file_laptop(talk: Talk) -> str:
    """A laptop that waits for the manager; returns its reference."""
    return talk.say("staff", "request new laptop", **LAPTOP).subject or ""


def approve_laptop(talk: Talk) -> str:
    """A laptop that was approved by both stages."""
    ref = file_laptop(talk)
    talk.say("manager", f"request approve {ref}")
    talk.say("owner", f"request approve {ref}")
    return ref


def test_a_question_is_filed_taken_answered_and_confirmed(talk: Talk) -> None:
    filed = talk.say("staff", "request new question how do I print on both sides?")
    assert (filed.subject, filed.tone) == ("REQ-1", Tone.PLAIN)
    assert [each.label for each in filed.facts] == ["With", "You hear from us by", "Done by"]
    talk.say("agent", "request take req-1")
    talk.say("agent", "request fulfil REQ-1 in the print dialogue, choose duplex")
    closed = talk.say("staff", "request confirm REQ-1")
    assert closed.title == "REQ-1 is closed. Thank you!"
    assert talk.actions("REQ-1") == [
        f"request.{each}" for each in ("received", "taken", "fulfilled", "confirmed")
    ]
    assert talk.told("@staff") == [
        "Alex Agent has REQ-1 now",
        "REQ-1 is fulfilled: Question: how do I print on both sides?",
    ]


def test_what_is_missing_is_asked_for_and_nothing_is_filed(talk: Talk) -> None:
    asked = talk.say("staff", "request new laptop model:standard")
    form = asked.form
    assert form is not None
    assert {each.key: each.error for each in form.fields}["model"] == (
        "“standard” is not one of Light 13 inch, Standard 14 inch, Strong 16 inch. Choose one of these."
    )
    assert "why_strong" not in [each.key for each in form.fields], "asked only for the strong one"
    assert talk.say("staff", "request list").table.rows == ()  # type: ignore[union-attr]


def test_a_day_that_is_past_and_a_number_of_nothing_are_asked_for_anew(quick_talk: Talk) -> None:
    late = quick_talk.say("staff", "request new laptop", **{**LAPTOP, "needed_by": "2026-11-22"}).form
    assert late is not None
    assert {each.key: each.error for each in late.fields}["needed_by"] == (
        "2026-11-22 is past. Name today or a later day."
    )
    today = quick_talk.say("staff", "request new laptop", **{**LAPTOP, "needed_by": "2026-11-23"})
    assert today.subject == "REQ-1"
    none = quick_talk.say("staff", "request new software-licence", software="x", seats="0", cost="0").form
    assert none is not None
    assert {each.key: each.error for each in none.fields}["seats"] == (
        "“0” is not a whole number from 1 to 500."
    )


def test_a_question_that_depends_on_an_answer_is_asked_once_the_answer_calls_for_it(talk: Talk) -> None:
    draft = talk.dispatcher.draft(
        talk.command("staff", "request new laptop", model="Strong 16 inch", replaces="yes")
    )
    assert draft is not None
    assert [each.key for each in draft.fields] == [
        "offering", "model", "why_strong", "replaces", "old_laptop", "needed_by",
    ]  # fmt: skip
    assert [each.key for each in draft.fields if each.steers] == ["offering", "model", "replaces"]


def test_a_second_one_of_the_same_kind_is_filed_only_when_meant(talk: Talk) -> None:
    file_laptop(talk)
    again = talk.say("staff", "request new laptop", **LAPTOP)
    assert (again.title, again.subject) == ("You have this open already", "REQ-1")
    assert [each.label for each in again.more[0].buttons] == ["Show REQ-1"]
    assert talk.say("staff", "request list").title == "1 of your requests"
    (anyway,) = again.more[-1].buttons
    assert anyway.label == "File it anyway"
    filed = talk.say("staff", anyway.line)
    assert (filed.subject, filed.title) == ("REQ-2", "REQ-2 is filed: Laptop: Standard 14 inch")


def test_of_what_is_said_in_words_only_what_is_alike_is_held_back(talk: Talk) -> None:
    assert talk.say("staff", "request new question how do I print on both sides?").subject == "REQ-1"
    other = talk.say("staff", "request new question who keeps the keys of the archive?")
    assert other.title == "REQ-2 is filed: Question: who keeps the keys of the archive?"
    again = talk.say("staff", "request new question where are the archive keys")
    assert (again.title, again.subject) == ("You have this open already", "REQ-2")
    assert [each.title for each in again.more][:1] == ["Open already: REQ-2 (open)"]


def test_what_was_held_back_is_filed_once_and_by_nobody_else(talk: Talk) -> None:
    file_laptop(talk)
    (anyway,) = talk.say("staff", "request new laptop", **LAPTOP).more[-1].buttons
    gone = "That is filed already, or it waited for more than a day."
    assert talk.say("manager", anyway.line).title == gone
    assert talk.say("staff", anyway.line).subject == "REQ-2"
    assert talk.say("staff", anyway.line).title == gone


def test_the_form_tells_what_is_open_already_and_then_nobody_tells_it_again(talk: Talk) -> None:
    file_laptop(talk)
    form = talk.say("staff", "request new laptop").form
    assert form is not None
    assert (form.submit, form.line) == ("File another one", "request new anyway:again")
    assert "You already have REQ-1 (awaiting approval)." in form.note
    assert talk.say("staff", form.line, offering="laptop", **LAPTOP).subject == "REQ-2"


def test_a_request_that_was_held_back_keeps_the_message_it_came_from(quick_talk: Talk) -> None:
    quick_talk.say("staff", "request new question why?")
    about = {"message": "why is it so?", "source": "https://example.org/message/7"}
    held = quick_talk.dispatcher.run(quick_talk.command("staff", "request new").model_copy(update=about))
    filed = quick_talk.say("staff", held.more[-1].buttons[0].line)
    shown = quick_talk.say("staff", f"request show {filed.subject}")
    assert flat(shown.text) == "From the message https://example.org/message/7"


def test_two_stages_of_approval_come_one_after_the_other(talk: Talk) -> None:
    ref = file_laptop(talk)
    assert talk.told("@manager") == [f"{ref} needs your decision: Laptop: Standard 14 inch"]
    assert talk.told("@owner") == []
    talk.say("manager", f"request approve {ref}")
    assert talk.told("@owner") == [f"{ref} needs your decision: Laptop: Standard 14 inch"]
    done = talk.say("owner", f"request approve {ref} within budget")
    assert done.title == f"{ref} is approved"
    assert talk.told("@staff")[-1] == f"{ref} is approved"


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        ("staff", "Nobody approves their own request; REQ-1 is yours."),
        ("agent", "REQ-1 does not wait for you."),
        ("owner", "REQ-1 does not wait for you."),
    ],
)
def test_who_is_not_asked_cannot_decide_and_hears_who_can(quick_talk: Talk, who: str, sentence: str) -> None:
    ref = file_laptop(quick_talk)
    refused = quick_talk.say(who, f"request approve {ref}")
    manager = quick_talk.policy.people["manager"].name
    assert (refused.title, flat(refused.text)) == (sentence, f"{manager} can decide.")
    assert quick_talk.actions(ref) == ["request.received"]


def test_a_rejection_needs_a_reason_and_ends_the_request(talk: Talk) -> None:
    ref = file_laptop(talk)
    assert talk.say("manager", f"request reject {ref}").form is not None
    talk.say("manager", f"request reject {ref} the budget is spent")
    assert talk.told("@staff") == [f"{ref} was rejected"]
    late = talk.say("manager", f"request approve {ref}")
    assert late.title == f"You cannot approve {ref}: it is rejected."
    assert late.subject == ref, "a stale click answers with the card as it is now"


def test_an_undecided_stage_falls_to_the_owner_when_its_time_is_over(talk: Talk) -> None:
    ref = file_laptop(talk)
    talk.wait(days=4)
    assert "request.passed_to_owner" in talk.actions(ref)
    assert talk.told("@owner")[0] == f"{ref} needs your decision: Laptop: Standard 14 inch"
    talk.say("owner", f"request approve {ref}")
    assert talk.actions(ref)[-1] == "request.stage_approved"


def test_what_is_passed_on_to_the_owner_is_theirs_alone_to_decide(talk: Talk) -> None:
    ref = file_laptop(talk)
    talk.wait(days=3)
    late = talk.say("manager", f"request approve {ref}")
    assert (late.title, flat(late.text)) == (f"{ref} does not wait for you.", "Olga Owner can decide.")
    assert talk.say("owner", f"request reject {ref} too dear").title == f"{ref} is rejected"
    assert talk.told("@staff")[-1] == f"{ref} was rejected"


def test_the_owner_is_told_until_when_and_what_happens_then_and_it_does(talk: Talk) -> None:
    ref = file_laptop(talk)
    talk.wait(days=3)
    (asked,) = talk.sent("@owner")
    assert "needs your decision" in asked.title
    assert asked.text[0] == "If nobody decides by "
    assert asked.text[-1] == ", it is rejected."
    talk.wait(days=3)
    assert talk.actions(ref)[-1] == "request.rejected"
    rejected = talk.sent("@staff")[-1]
    assert rejected.title == f"{ref} was rejected"
    assert flat(rejected.text) == "the owner of the service did not decide in time, so it is rejected"


def test_what_the_owner_asked_for_goes_to_their_delegate_or_is_rejected(quick_talk: Talk) -> None:
    ref = quick_talk.say("owner", "request new laptop", **LAPTOP).subject or ""
    policy = quick_talk.policy
    quick_talk.wait(days=3)
    assert quick_talk.told("@approver") == [f"{ref} needs your decision: Laptop: Standard 14 inch"]
    alone = replace(policy.people["owner"], delegate=None)
    quick_talk.policy = replace(policy, people={**policy.people, "owner": alone})
    again = quick_talk.say("owner", "request new laptop", anyway="yes", **LAPTOP).subject or ""
    quick_talk.wait(days=5)
    assert quick_talk.actions(again)[-1] == "request.rejected"


def laptop_for_two(talk: Talk) -> str:
    """A laptop on which the manager and the owner must agree, or else the owner decides; the approver may too."""
    offering = talk.policy.offerings["laptop"]
    stage = replace(offering.approval[0], of=("manager", "owner", "approver"), need=2)
    offerings = {**talk.policy.offerings, "laptop": replace(offering, approval=(stage,))}
    talk.policy = replace(talk.policy, offerings=offerings, version="two")
    return file_laptop(talk)


def test_what_the_owner_said_already_decides_when_the_others_are_silent(quick_talk: Talk) -> None:
    ref = laptop_for_two(quick_talk)
    quick_talk.say("owner", f"request approve {ref}")
    quick_talk.wait(days=3)
    assert quick_talk.actions(ref)[-1] == "request.approved"


def test_who_has_decided_is_waited_for_no_longer_and_a_no_is_answered_as_one(quick_talk: Talk) -> None:
    ref = laptop_for_two(quick_talk)
    no = quick_talk.say("owner", f"request reject {ref} too dear")
    assert no.title == f"Your no to {ref} is noted."
    assert flat(no.text) == "It can still pass: 2 more would have to agree."
    waits = {each.label: flat(each.value) for each in no.facts}["Waits for"]
    assert waits == "Mika Manager, Ari Approver"
    assert not {"Approve", "Reject"} & {each.label for each in no.buttons}
    yes = quick_talk.say("approver", f"request approve {ref}")
    assert yes.title == f"Noted. {ref} still needs 1 more."
    assert quick_talk.say("manager", f"request approve {ref}").title == f"{ref} is approved"


def test_an_undecided_stage_is_rejected_when_the_catalogue_says_so(talk: Talk) -> None:
    ref = file_laptop(talk)
    talk.say("manager", f"request approve {ref}")
    talk.wait(days=7)
    assert talk.actions(ref)[-1] == "request.rejected"


def test_an_absent_approver_is_replaced_by_the_delegate(quick_talk: Talk) -> None:
    policy = quick_talk.policy
    today = quick_talk.clock.now().date()
    away = replace(policy.people["manager"], away=((today, today + timedelta(days=3)),), delegate="approver")
    quick_talk.policy = replace(policy, people={**policy.people, "manager": away})
    ref = file_laptop(quick_talk)
    assert quick_talk.told("@approver")[0].startswith(f"{ref} needs your decision")
    assert quick_talk.told("@manager") == []
    quick_talk.say("approver", f"request approve {ref}")
    voted = quick_talk.evidence(ref)[-2 if quick_talk.evidence(ref)[-1].action.startswith("sla.") else -1]
    assert (voted.action, (voted.after or {})["for"]) == ("request.stage_approved", "manager")


def test_tasks_come_before_fulfilment(talk: Talk) -> None:
    ref = approve_laptop(talk)
    talk.say("agent", f"request take {ref}")
    early = talk.say("agent", f"request fulfil {ref}")
    assert early.title == f"{ref} has tasks left."
    for task in ("order", "install", "hand-over"):
        talk.say("agent", f"request done {ref} {task}")
    again = talk.say("agent", f"request done {ref} order")
    assert again.title == "“Order the laptop” is done already, by Alex Agent."
    assert talk.say("agent", f"request fulfil {ref}").title == f"{ref} is fulfilled"


def test_taking_what_another_holds_is_refused_kindly(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-1")
    second = talk.say("backup", "request take REQ-1")
    if second.title == "You cannot take REQ-1.":
        pytest.fail("backup works on requests in the example organisation")
    assert second.title == "Alex Agent holds REQ-1."
    assert talk.say("agent", "request take REQ-1").title == "You hold REQ-1 already."
    assert talk.actions("REQ-1") == ["request.received", "request.taken"]


def test_the_requesters_answer_ends_a_wait(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-1")
    talk.say("agent", "request wait REQ-1 requester which printer?")
    assert talk.told("@staff")[-1] == "REQ-1 waits for you"
    answered = talk.say("staff", "request comment REQ-1 the one on the third floor")
    assert answered.title == "Thank you; REQ-1 goes on."
    assert talk.actions("REQ-1")[-2:] == ["request.waiting", "request.answered"]


def test_what_was_fulfilled_closes_by_itself_unless_the_requester_says_no(talk: Talk) -> None:
    for number in (1, 2):
        talk.say("staff", "request new question why? anyway:yes")
        talk.say("agent", f"request take REQ-{number}")
        talk.say("agent", f"request fulfil REQ-{number}")
    talk.say("staff", "request reopen REQ-2 that did not help")
    talk.wait(days=3)
    assert talk.actions("REQ-1")[-1] == "request.closed"
    assert talk.actions("REQ-2")[-1] == "request.reopened"


def test_a_repeated_key_gets_the_first_answer_and_has_one_effect(talk: Talk) -> None:
    first = talk.say("staff", "request new question why?", key="once")
    second = talk.say("staff", "request new question why?", key="once")
    assert second == first
    assert talk.say("staff", "request list all").title.startswith("1 of")


def test_inside_its_own_thread_the_reference_may_be_left_out(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    assert talk.say("agent", "request take", thread="REQ-1").title == "REQ-1 is yours"
    assert talk.say("agent", "request comment on its way", thread="REQ-1").title.startswith(
        "Your word on REQ-1"
    )


def test_nobody_else_sees_a_request(quick_talk: Talk) -> None:
    quick_talk.say("manager", "request new new-account", name="Robin", starts="2026-12-01", leads="manager")
    shown = quick_talk.say("staff", "request show REQ-1")
    assert shown.title.startswith("REQ-1 is between its requester and")
    assert quick_talk.say("staff", "evidence trail REQ-1").title == shown.title
    assert quick_talk.say("staff", "sla why REQ-1").title == shown.title


def test_only_those_whom_the_catalogue_names_may_ask(quick_talk: Talk) -> None:
    refused = quick_talk.say(
        "staff", "request new new-account", name="Robin", starts="2026-12-01", leads="me"
    )
    assert refused.title == "You cannot ask for New account."
    assert quick_talk.policy.people["manager"].name in flat(refused.text)


def test_a_rating_is_given_once(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-1")
    talk.say("agent", "request fulfil REQ-1")
    talk.say("staff", "request confirm REQ-1")
    assert talk.say("staff", "request rate REQ-1 5 quick").title == "Thank you for your rating."
    assert talk.say("staff", "request rate REQ-1 1").title == "You rated REQ-1 with 5 already."
    assert talk.evidence("REQ-1")[-1].practices == ("SD SP 1.1",)


def test_lists_page_and_search(quick_talk: Talk) -> None:
    for number in range(12):
        quick_talk.say("staff", f"request new question about printer {number} anyway:yes")
    first = quick_talk.say("staff", "request list mine")
    assert first.title == "12 of your requests, page 1 of 2"
    following = next(each.line for each in first.buttons if each.label == "Next")
    assert len(quick_talk.say("staff", following).table.rows) == 2  # type: ignore[union-attr]
    assert (
        quick_talk.say("staff", "request list mine printer 11").title
        == "1 of your requests about “printer 11”"
    )


def test_a_named_approver_does_not_decide_on_their_own_request(quick_talk: Talk) -> None:
    filed = quick_talk.say("owner", "request new mailbox", address="events", owned_by="owner", outside="no")
    assert quick_talk.told("@owner") == []
    refused = quick_talk.say("owner", f"request approve {filed.subject}")
    assert refused.title == f"Nobody approves their own request; {filed.subject} is yours."
    assert quick_talk.actions(filed.subject or "") == ["request.received"]
    assert quick_talk.told("@approver")[0].startswith(f"{filed.subject} needs your decision")


def test_who_has_rated_already_is_not_asked_again(quick_talk: Talk) -> None:
    for line in ("request new question why?", "request take REQ-1", "request fulfil REQ-1 so"):
        quick_talk.say("staff" if "new" in line else "agent", line)
    quick_talk.say("staff", "request rate REQ-1 5")
    closed = quick_talk.say("staff", "request confirm REQ-1")
    assert (closed.title, flat(closed.text), closed.buttons) == ("REQ-1 is closed. Thank you!", "", ())


def test_who_comes_too_late_with_a_comment_is_offered_to_reopen(quick_talk: Talk) -> None:
    for line in ("request new question why?", "request take REQ-1", "request fulfil REQ-1 so"):
        quick_talk.say("staff" if "new" in line else "agent", line)
    quick_talk.say("staff", "request confirm REQ-1")
    late = quick_talk.say("staff", "request comment REQ-1 it is not so")
    assert late.title == "You cannot comment on REQ-1: it is closed."
    assert "request reopen REQ-1" in [each.line for each in late.buttons]


@pytest.mark.parametrize("noun", ["request", "incident", "alert", "problem", "change", "action", "drill"])
def test_behind_the_last_page_of_a_list_is_nothing_and_it_says_so(quick_talk: Talk, noun: str) -> None:
    scope = "firing" if noun == "alert" else "all"
    empty = quick_talk.say("manager", f"{noun} list {scope} page:9")
    assert empty.table is not None
    assert "page" not in empty.table.empty
    assert [each.line for each in empty.buttons if each.label == "Previous"] == [
        f"{noun} list {scope} page:1"
    ]


def test_a_page_behind_the_last_leads_back_to_the_last(quick_talk: Talk) -> None:
    for _ in range(12):
        quick_talk.say("staff", "request new question why? anyway:yes")
    behind = quick_talk.say("staff", "request list page:9")
    assert behind.table is not None
    assert behind.table.empty == "There is no page 9; the last is page 2."
    assert [each.line for each in behind.buttons] == ["request list mine page:2"]


def test_a_reference_to_something_else_is_told_apart_from_none(quick_talk: Talk) -> None:
    for given, told in (
        ("INC-1", "INC-1 is something else. What is meant here is written like REQ-7."),
        ("pigeon", "“pigeon” is not a reference. Write it like REQ-7."),
    ):
        form = quick_talk.say("agent", f"request take {given}").form
        assert form is not None
        assert form.fields[0].error == told
