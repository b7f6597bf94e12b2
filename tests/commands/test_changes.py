"""Is a change decided on by the right people, made in its time, and looked back upon?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest

from bot.courier import Courier
from config.policy import ChangeStage, Freeze, Level, Person, Role, fingerprint
from handlers.declare import Declared
from handlers.messages import Place, Reply, Sender, Tone, flat
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, Talk
from tests.harness.receiver import Receiver

LOW = "reach:“nobody at first” tried:often undone:“at once”"
MEDIUM = "reach:everybody tried:once undone:“at once”"
HIGH = "reach:everybody tried:never undone:“with difficulty”"
TEXTS = "plan:“swap the disks” test:“send a mail” backout:“swap back”"


def propose(
    talk: Talk,
    *,
    who: str = "oncall",
    service: str = "mail",
    when: str = "start:“tue 20:00” end:2h",
    more: str = "",
) -> str:
    """A change that is written down; returns its reference."""
    said = talk.say(who, f"change propose a larger store service:{service} {when} {TEXTS} {more}")
    assert said.tone is Tone.GOOD, said
    return said.subject or ""


def submitted(talk: Talk, risk: str = LOW, **said: str) -> str:
    """A change that waits for approval."""
    ref = propose(talk, **said)
    who = said.get("who", "oncall")
    assert talk.say(who, f"change assess {ref} {risk}").tone is Tone.GOOD
    assert talk.say(who, f"change submit {ref}").tone is Tone.GOOD
    return ref


def approved(talk: Talk, **said: str) -> str:
    """A change of low risk that somebody has approved."""
    ref = submitted(talk, **said)
    assert talk.say("approver", f"change approve {ref}").tone is Tone.GOOD
    return ref


def scheduled(talk: Talk, **said: str) -> str:
    """A change that has its time."""
    ref = approved(talk, **said)
    done = talk.say(said.get("who", "oncall"), f"change schedule {ref}")
    assert done.tone is Tone.GOOD, done
    return ref


def started(talk: Talk) -> str:
    """A change that is being made, on Tuesday at 20:00."""
    ref = scheduled(talk)
    talk.wait(hours=35)
    assert talk.say("oncall", f"change start {ref}").tone is Tone.GOOD
    return ref


def emergency(talk: Talk, who: str = "oncall", more: str = "") -> Reply:
    """What somebody hears who asks to break the glass."""
    line = f"change emergency restart the store service:mail because:“it loses mails” plan:restart {more}"
    return talk.say(who, line)


def facts(reply: Reply) -> dict[str, str]:
    """A reply's facts as plain text."""
    return {fact.label: flat(fact.value) for fact in reply.facts}


def rows(reply: Reply) -> list[list[str]]:
    """A reply's table as plain text."""
    assert reply.table is not None
    return [[flat(cell) for cell in row] for row in reply.table.rows]


def state(talk: Talk, ref: str) -> str:
    """How a change stands."""
    return facts(talk.say("owner", f"change show {ref}"))["State"]


def with_stages(talk: Talk, risk: Level, *stages: ChangeStage) -> None:
    """Let another approval hold from now on."""
    assert talk.policy.changes is not None
    rules = replace(talk.policy.changes, approval={**talk.policy.changes.approval, risk: stages})
    talk.policy = replace(talk.policy, version=fingerprint(rules), changes=rules)


# From the first word to the review ------------------------------------------------------------------


def test_a_risky_change_goes_its_whole_way(talk: Talk) -> None:
    ref = submitted(talk, HIGH)
    assert talk.told("@approver") == talk.told("@owner") == [f"{ref} needs your vote: a larger store"]
    assert talk.told("@backup") == [], "who stands in for the requester is not asked"
    talk.say("approver", f"change approve {ref}")
    talk.say("manager", f"change approve {ref}")
    assert (
        facts(talk.say("owner", f"change show {ref}"))["Approval"]
        == "stage 2 of 2: 0 of 1 agree; asked: Olga Owner"
    )
    talk.say("owner", f"change approve {ref}")
    assert talk.told("@oncall")[-1] == f"{ref} is approved"
    talk.say("oncall", f"change schedule {ref}")
    talk.wait(hours=35)
    talk.say("oncall", f"change start {ref}")
    talk.wait(hours=1)
    ended = talk.say("oncall", f"change complete {ref} successful every mailbox answers")
    assert facts(ended)["Was made"] == "2026-11-24 19:00 UTC – 2026-11-24 20:00 UTC"
    reviewed = talk.say(
        "oncall",
        f"change review {ref} “we were lucky” action:“order a spare disk” owner:@backup due:2026-12-01",
    )
    assert facts(reviewed)["State"] == "closed"
    assert talk.told("@backup", "ACT-1") == ["ACT-1 is yours: order a spare disk"]
    assert talk.actions(ref) == [
        "change.requested", "change.assessed", "risk.rated", "change.submitted", "contingency.planned",
        "change.voted", "change.voted", "change.stage_approved", "decision.recorded",
        "change.voted", "change.approved", "decision.recorded",
        "change.scheduled", "change.started", "change.implemented", "change.reviewed", "deployment.impact_reviewed",
    ]  # fmt: skip
    implemented = next(each for each in talk.evidence(ref) if each.action == "change.implemented")
    after = implemented.after or {}
    assert (after["planned"], after["actual"], after["overrun"]) == (7200, 3600, 0)


def test_what_is_missing_is_asked_for_before_anybody_is_asked(talk: Talk) -> None:
    talk.say("oncall", "change propose a larger store")
    refused = talk.say("oncall", "change submit CHG-1")
    assert refused.title == "Nobody has rated the risk of CHG-1 yet."
    form = talk.say("oncall", "change assess CHG-1").form
    assert form is not None
    assert [each.key for each in form.fields] == ["reach", "tried", "undone"]
    assert [each.error for each in form.fields] == ["", "", ""]
    half = talk.say("oncall", "change assess CHG-1 reach:everybody tried:sometimes").form
    assert half is not None
    assert [each.error[:30] for each in half.fields] == [
        "",
        "“sometimes” is not one of ofte",
        "How can it be undone? is neede",
    ]
    talk.say("oncall", f"change assess CHG-1 {LOW}")
    asked = talk.say("oncall", "change submit CHG-1").form
    assert asked is not None
    assert {each.key: each.error for each in asked.fields if each.error} == {
        "service": "Services: needed before anybody is asked.",
        "start": "Window from: needed before anybody is asked.",
        "plan": "Plan: needed before anybody is asked.",
        "test": "Test: needed before anybody is asked.",
        "backout": "Back-out: needed before anybody is asked.",
    }
    sent = talk.say(
        "oncall",
        asked.line,
        service="mail, vpn",
        start="tue 20:00",
        end="2h",
        plan="p",
        test="t",
        backout="b",
    )
    assert (sent.title, state(talk, "CHG-1")) == ("CHG-1 waits for approval", "awaiting approval")


def test_the_form_of_an_edit_holds_what_is_said_and_changes_nothing_when_sent_back(talk: Talk) -> None:
    ref = submitted(talk)
    form = talk.say("oncall", f"change edit {ref}").form
    assert form is not None
    given = {each.key: each.value for each in form.fields}
    assert given["start"] == "24 Nov 2026 20:00"
    assert talk.say("oncall", form.line, **given).form is not None, "nothing was edited, so it asks again"
    moved = talk.say("oncall", form.line, **{**given, "start": "25 Nov 2026 20:00"})
    assert moved.title == f"{ref} was edited: window from, window to"
    assert facts(moved)["Window"] == "2026-11-25 19:00 UTC – 2026-11-25 21:00 UTC"


def test_a_change_that_needs_nobody_is_approved_when_it_is_submitted(talk: Talk) -> None:
    with_stages(talk, Level.LOW)
    ref = submitted(talk)
    assert state(talk, ref) == "approved"
    assert talk.told("@approver") == []
    approval = next(each for each in talk.evidence(ref) if each.action == "change.approved")
    assert (approval.actor, (approval.after or {})["by"]) == ("desk", "policy")


def test_a_standard_change_has_its_authority_from_its_template(talk: Talk) -> None:
    said = talk.say(
        "agent", "change propose move Sam's mailbox standard:mailbox-move start:now implementer:@oncall"
    )
    assert (said.title, facts(said)["Kind"]) == (
        "CHG-1 is approved; schedule it",
        "standard: Move a mailbox to another store",
    )
    fixed = talk.say("agent", "change edit CHG-1 plan:“some other way”")
    assert fixed.title == "The plan of CHG-1 is settled by its template."
    moved = talk.say("agent", "change schedule CHG-1 start:“tue 9:00”")
    assert (moved.tone, state(talk, "CHG-1")) == (Tone.GOOD, "scheduled")
    talk.wait(days=1)
    talk.say("oncall", "change start CHG-1")
    done = talk.say("oncall", "change complete CHG-1 successful it is there")
    assert facts(done)["State"] == "closed", "nothing to look back upon"
    figures = talk.say("manager", "change figures")
    assert ["standard: Move a mailbox to another store", "1", "1", "0", "0", "0", "1d"] in rows(figures)
    assert talk.say("approver", "change propose x standard:dns-record").tone is Tone.BAD


# Votes ----------------------------------------------------------------------------------------------


def test_an_edit_voids_votes_and_shows_the_difference(talk: Talk) -> None:
    ref = submitted(talk, MEDIUM)
    talk.say("approver", f"change approve {ref} seen:1")
    edited = talk.say("oncall", f"change edit {ref} plan:“swap the disks{chr(10)}and the cables” end:3h")
    assert edited.title == f"{ref} was edited: window to, plan"
    assert flat(edited.text) == "1 vote no longer counts. Those who decide are asked again."
    assert talk.told("@approver", ref) == [f"{ref} needs your vote: a larger store"] * 2
    stale = talk.say("owner", f"change approve {ref} seen:1")
    assert stale.title == f"{ref} was edited since you were asked, so this vote was not counted."
    assert rows(stale.more[0]) == [
        ["Window to", "2026-11-24 21:00 UTC", "2026-11-24 22:00 UTC"],
        ["Plan", "—", "and the cables"],
    ]
    assert (
        talk.say("owner", stale.buttons[-1].line).title
        == f"{ref}: window to, plan was edited since edition 1"
    )
    talk.say("owner", stale.buttons[0].line)
    assert facts(talk.say("owner", f"change show {ref}"))["Approval"].startswith("1 of 2 agree")
    talk.say("approver", f"change approve {ref} seen:2")
    assert state(talk, ref) == "approved"


def test_an_edit_back_to_what_it_was_brings_no_vote_back(talk: Talk) -> None:
    ref = submitted(talk)
    before = talk.evidence(ref)[0].after or {}
    talk.say("approver", f"change object {ref} not yet")
    talk.say("oncall", f"change edit {ref} plan:x")
    talk.say("oncall", f"change edit {ref} plan:“swap the disks”")
    voided = [each.after or {} for each in talk.evidence(ref) if each.action == "change.edited"]
    assert [each["void"] for each in voided] == [1, 0]
    assert talk.say("approver", f"change approve {ref} seen:1").tone is Tone.WAITING
    assert voided[-1]["ballot"] == 3
    assert before["seal"] != voided[-1]["seal"], "the risk was rated since"


@pytest.mark.parametrize(
    "part",
    [
        "title",
        "because",
        "plan",
        "test",
        "backout",
        "implementer:@agent",
        "service:vpn",
        "start:“wed 20:00”",
        "end:30m",
    ],
)
def test_every_part_of_a_change_is_what_is_voted_on(quick_talk: Talk, part: str) -> None:
    ref = approved(quick_talk)
    said = quick_talk.say("oncall", f"change edit {ref} {part if ':' in part else f'{part}:“otherwise now”'}")
    assert (said.tone, state(quick_talk, ref)) == (Tone.GOOD, "awaiting approval")
    assert quick_talk.actions(ref)[-1] == "change.edited"


def test_the_risk_is_part_of_what_is_voted_on(quick_talk: Talk) -> None:
    ref = approved(quick_talk)
    said = quick_talk.say("oncall", f"change assess {ref} {HIGH}")
    assert said.title == f"The risk of {ref} is high"
    assert facts(said)["Approval"].startswith("stage 1 of 2: 0 of 2 agree")


@pytest.mark.parametrize(
    ("person", "said"),
    [
        ("oncall", "You have no vote on CHG-1: who asked for it does not decide on it."),
        ("owner", "You have no vote on CHG-1: who makes it does not decide on it."),
        ("backup", "You have no vote on CHG-1: who stands in for Oli Oncall does not decide on it."),
        ("approver", "You have no vote on CHG-1: who stands in for Olga Owner does not decide on it."),
        ("agent", "CHG-1 does not wait for you."),
    ],
)
def test_who_asks_makes_it_or_stands_in_for_these_has_no_vote(talk: Talk, person: str, said: str) -> None:
    submitted(talk, LOW, more="implementer:@owner")
    refused = talk.say(person, "change approve CHG-1")
    assert (refused.title, flat(refused.text)) == (said, "Mika Manager can decide.")
    assert talk.actions("CHG-1")[-1] == "contingency.planned"


def test_a_quorum_that_nobody_could_reach_is_told_before_anybody_is_asked(talk: Talk) -> None:
    ref = propose(talk, more="implementer:@owner")
    talk.say("oncall", f"change assess {ref} {MEDIUM}")
    refused = talk.say("oncall", f"change submit {ref}")
    assert refused.title == f"{ref} needs 2 to agree (stage 1), and only Mika Manager could."
    assert "Olga Owner makes it" in flat(refused.text)
    assert state(talk, ref) == "draft"


def test_a_person_has_one_vote_whichever_account_they_use(talk: Talk) -> None:
    talk.dispatcher.platforms = ("slack", "discord", "console")
    access = replace(
        talk.policy.access,
        grants={**talk.policy.access.grants, Role.APPROVER: ("approver", "manager", "slack:S0APPROVE")},
    )
    talk.policy = replace(talk.policy, version="with a group", access=access)
    ref = submitted(talk, MEDIUM)
    sender = Sender(platform="slack", workspace="T1", user="U1", name="Ari", groups=("slack:S0APPROVE",))

    def chat(line: str) -> Reply:
        command = talk.command("nobody", line)
        place = Place(platform="slack", channel="C1")
        return talk.dispatcher.run(command.model_copy(update={"sender": sender, "place": place}))

    chat(f"change approve {ref}")
    talk.say("approver", f"change approve {ref}")
    assert state(talk, ref) == "approved", "two people, as far as anybody knows"
    code = flat(talk.say("approver", "desk link").text).rpartition(" ")[2]
    assert chat(f"desk link {code}").tone is Tone.GOOD
    assert state(talk, ref) == "awaiting approval"
    assert talk.told("@oncall")[-1] == f"{ref} waits for approval again: two of its votes were one person's"
    assert chat(f"change approve {ref}").title == f"You agree to {ref} already."
    talk.say("manager", f"change approve {ref}")
    assert state(talk, ref) == "approved"


def with_in_team(talk: Talk, person: str) -> None:
    """Let somebody else belong to those who run mail."""
    platform = talk.policy.teams["platform"]
    teams = {**talk.policy.teams, "platform": replace(platform, members=(*platform.members, person))}
    talk.policy = replace(talk.policy, version=f"with {person}", teams=teams)


def test_who_agreed_to_it_does_not_make_it_unless_enough_others_did(talk: Talk) -> None:
    with_in_team(talk, "approver")
    ref = scheduled(talk)
    talk.wait(hours=35)
    refused = talk.say("approver", f"change start {ref}")
    assert refused.title.startswith(f"You cannot start {ref}: who makes a change does not decide on it")
    assert flat(refused.text) == "Oli Oncall can start it."
    assert talk.say("backup", f"change start {ref}").tone is Tone.GOOD, "of the same team, and had no vote"
    talk.say("oncall", f"change complete {ref} successful yes")
    two = submitted(talk, when="start:“thu 20:00” end:2h")
    talk.say("owner", f"change approve {two}")
    talk.say("oncall", f"change schedule {two}")
    talk.wait(hours=48)
    assert talk.say("approver", f"change start {two}").tone is Tone.GOOD, "decided without them"


def test_who_turns_out_to_have_asked_for_it_has_no_vote(talk: Talk) -> None:
    talk.dispatcher.platforms = ("slack", "discord", "console")
    access = replace(
        talk.policy.access,
        grants={**talk.policy.access.grants, Role.APPROVER: ("approver", "manager", "slack:S0APPROVE")},
    )
    talk.policy = replace(talk.policy, version="with a group", access=access)
    ref = submitted(talk, MEDIUM)
    command = talk.command("nobody", f"change approve {ref}")
    sender = Sender(platform="slack", workspace="T1", user="U1", name="Oli", groups=("slack:S0APPROVE",))
    place = Place(platform="slack", channel="C1")
    talk.dispatcher.run(command.model_copy(update={"sender": sender, "place": place}))
    code = flat(talk.say("oncall", "desk link").text).rpartition(" ")[2]
    link = talk.command("nobody", f"desk link {code}")
    talk.dispatcher.run(link.model_copy(update={"sender": sender, "place": place}))
    talk.say("manager", f"change approve {ref}")
    assert facts(talk.say("owner", f"change show {ref}"))["Approval"].startswith("1 of 2 agree")


def test_a_role_counts_as_it_is_when_somebody_clicks(talk: Talk) -> None:
    ref = submitted(talk)
    grants = talk.policy.access.grants
    without = replace(talk.policy.access, grants={**grants, Role.APPROVER: ("manager",)})
    talk.policy = replace(talk.policy, version="without", access=without)
    assert talk.say("approver", f"change approve {ref}").title == f"{ref} does not wait for you."
    more = replace(talk.policy.access, grants={**grants, Role.APPROVER: ("agent",)})
    talk.policy = replace(talk.policy, version="more", access=more)
    assert talk.say("agent", f"change approve {ref}").tone is Tone.GOOD
    assert state(talk, ref) == "approved"


def test_a_guests_account_has_no_vote_whoever_uses_it(talk: Talk) -> None:
    ref = submitted(talk)
    command = talk.command("approver", f"change approve {ref}")
    guest = command.sender.model_copy(update={"guest": True})
    refused = talk.dispatcher.run(command.model_copy(update={"sender": guest}))
    assert refused.title == f"{ref} does not wait for you."


def test_somebody_who_is_away_has_their_seat_taken_by_a_delegate(talk: Talk) -> None:
    today = MONDAY.date()
    away = replace(talk.policy.people["manager"], away=((today, today),), delegate="agent")
    talk.policy = replace(talk.policy, version="away", people={**talk.policy.people, "manager": away})
    ref = submitted(talk, MEDIUM)
    assert talk.told("@agent") == [f"{ref} needs your vote: a larger store"]
    talk.say("agent", f"change approve {ref}")
    vote = next(each for each in talk.evidence(ref) if each.action == "change.voted")
    assert (vote.actor, (vote.after or {})["for"]) == ("agent", "manager")


def test_a_second_vote_is_told_and_nothing_happens_twice(talk: Talk) -> None:
    ref = submitted(talk, MEDIUM)
    talk.say("approver", f"change approve {ref}")
    again = talk.say("approver", f"change object {ref} no")
    assert (again.title, again.tone) == (f"You agree to {ref} already.", Tone.WAITING)
    assert talk.actions(ref).count("change.voted") == 1


def test_too_many_objections_reject_it_and_an_edit_asks_again(talk: Talk) -> None:
    ref = submitted(talk, MEDIUM)
    talk.say("approver", f"change object {ref} the back-out takes too long")
    assert talk.told("@oncall")[-1] == "Ari Approver objects to CHG-1"
    talk.say("owner", f"change abstain {ref} not my service")
    assert state(talk, ref) == "rejected"
    assert talk.told("@oncall")[-1] == f"{ref} is rejected"
    late = talk.say("manager", f"change approve {ref}")
    assert late.title == f"You cannot vote on {ref}: it is rejected."
    talk.say("oncall", f"change edit {ref} backout:“switch back at once”")
    assert state(talk, ref) == "draft"
    talk.say("oncall", f"change submit {ref}")
    assert facts(talk.say("owner", f"change show {ref}"))["Approval"].startswith("0 of 2 agree")


@pytest.mark.parametrize(("default", "becomes"), [("reject", "rejected"), ("approve", "approved")])
def test_what_is_not_decided_in_time_is_decided_by_the_stated_default(
    talk: Talk, default: str, becomes: str
) -> None:
    stage = ChangeStage(of=("role:approver",), within=4 * 3600, on_deadline=default)  # type: ignore[arg-type]
    with_stages(talk, Level.LOW, stage)
    ref = submitted(talk)
    talk.wait(hours=2)
    assert talk.told("@approver")[-1] == f"{ref} still waits for your vote: a larger store"
    talk.clock.set(MONDAY + timedelta(hours=4))  # the desk has not looked yet
    late = talk.say("approver", f"change approve {ref}")
    assert late.title == f"The time to decide on {ref} is over."
    talk.wait(minutes=1)
    assert state(talk, ref) == becomes
    decision = [each.after or {} for each in talk.evidence(ref) if each.action == "decision.recorded"]
    assert [(each["by_default"], each["verdict"]) for each in decision] == [(True, becomes)]


def test_nobody_decides_after_the_window_has_opened(talk: Talk) -> None:
    ref = submitted(talk, when="start:“10:00” end:1h")
    stands = facts(talk.say("owner", f"change show {ref}"))["Decision by"]
    assert stands == "2026-11-23 09:00 UTC, otherwise it is rejected"
    talk.wait(hours=2)
    assert state(talk, ref) == "rejected"


def test_those_who_voted_are_not_reminded(talk: Talk) -> None:
    ref = submitted(talk, MEDIUM, when="start:“tue 17:00” end:2h")
    talk.say("approver", f"change approve {ref}")
    reminded = f"{ref} still waits for your vote: a larger store"
    talk.wait(hours=20)
    assert talk.told("@owner").count(reminded) == 0, (
        "half of their time is over when the office has opened again"
    )
    talk.wait(hours=8)
    assert (reminded in talk.told("@approver"), reminded in talk.told("@owner")) == (False, True)


def test_terms_are_those_that_were_in_force_when_it_was_submitted(talk: Talk) -> None:
    ref = submitted(talk)
    with_stages(talk, Level.LOW, ChangeStage(of=("role:approver",), need=3))
    talk.say("approver", f"change approve {ref}")
    assert state(talk, ref) == "approved"


def in_parallel(*work: Callable[[], Reply]) -> list[Reply]:
    """What several say at once, each in a thread of its own."""
    with ThreadPoolExecutor(len(work)) as threads:
        return [each.result() for each in [threads.submit(one) for one in work]]


def test_two_last_votes_at_once_have_one_consequence(talk: Talk) -> None:
    for number in range(1, 6):
        ref = submitted(talk)
        commands = [talk.command(who, f"change approve {ref}") for who in ("approver", "manager", "owner")]
        said = in_parallel(*(partial(talk.dispatcher.run, each) for each in commands))
        assert sum(each.tone is Tone.GOOD for each in said) == 1, said
        assert {each.tone for each in said} <= {Tone.GOOD, Tone.WAITING}
        actions = talk.actions(f"CHG-{number}")
        assert (actions.count("change.voted"), actions.count("change.approved")) == (1, 1)


def test_the_same_vote_sent_twice_is_one_vote(talk: Talk) -> None:
    ref = submitted(talk, MEDIUM)
    command = talk.command("approver", f"change approve {ref}", key="clicked once")
    first, again = in_parallel(*[partial(talk.dispatcher.run, command)] * 2)
    assert first.title == again.title == f"Noted: you agree to {ref}."
    assert talk.actions(ref).count("change.voted") == 1


def test_who_decides_can_be_seen(talk: Talk) -> None:
    ref = submitted(talk, HIGH)
    talk.say("approver", f"change abstain {ref} I am new here")
    seen = talk.say("oncall", f"change approvers {ref}")
    assert [[row[0], row[1], row[2].split(" 2026")[0]] for row in rows(seen)] == [
        ["1: 2 must agree", "Ari Approver", "abstains"],
        ["1: 2 must agree", "Olga Owner", "is asked"],
        ["1: 2 must agree", "Mika Manager", "is asked"],
        ["2: 1 must agree", "Olga Owner", "not asked yet"],
        ["no vote", "Oli Oncall", "asked for it"],
        ["no vote", "Bo Backup", "stands in for Oli Oncall"],
    ]


def test_what_waits_for_a_vote_stands_on_the_voters_home(talk: Talk) -> None:
    submitted(talk, MEDIUM)
    assert "CHG-1" in str(talk.say("approver", "desk home"))
    talk.say("approver", "change approve CHG-1")
    assert "change approve" not in str(talk.say("approver", "desk home"))


# Windows --------------------------------------------------------------------------------------------


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


# Freezes --------------------------------------------------------------------------------------------


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


# Broken glass ---------------------------------------------------------------------------------------


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


# How it went ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("change complete CHG-1 successful it works", "successful"),
        ("change complete CHG-1 with-issues it is slow", "with issues"),
        ("change complete CHG-1 failed nothing came up", "failed"),
        ("change rollback CHG-1 nothing came up", "rolled back"),
    ],
)
def test_how_it_went_is_told_and_counted(talk: Talk, line: str, result: str) -> None:
    started(talk)
    ended = talk.say("oncall", line)
    assert (facts(ended)["Result"], state(talk, "CHG-1")) == (result, "completed")
    shown = dict(
        zip(
            ("successful", "with issues", "failed", "rolled back"),
            rows(talk.say("manager", "change figures"))[0][2:6],
            strict=True,
        )
    )
    assert {name for name, count in shown.items() if count == "1"} == {result}
    rate = facts(talk.say("manager", "change figures"))["Successful"]
    assert rate.startswith("100 %" if result == "successful" else "0 %")


def test_a_standard_change_that_failed_is_looked_back_upon(talk: Talk) -> None:
    talk.say("oncall", "change propose a record standard:dns-record start:now")
    talk.say("oncall", "change schedule CHG-1")
    talk.say("oncall", "change start CHG-1")
    ended = talk.say("oncall", "change rollback CHG-1 the wrong zone")
    assert (facts(ended)["State"], ended.buttons[0].label) == ("completed", "It caused an incident")
    talk.wait(days=8)
    assert talk.told("@oncall")[-1] == "The review of CHG-1 is due: a record"


def test_a_failed_change_is_linked_to_the_incident_that_it_caused(talk: Talk) -> None:
    started(talk)
    talk.say("oncall", "change rollback CHG-1 nothing came up")
    talk.say("staff", "incident declare mail is down service:mail impact:high urgency:high")
    linked = talk.say("oncall", "change cause CHG-1 INC-1")
    assert facts(linked)["Caused"] == "INC-1"
    assert talk.say("oncall", "change cause CHG-1 INC-1").title == "CHG-1 is known to have caused INC-1."
    assert talk.say("oncall", "change cause CHG-1 INC-9").title == "There is no INC-9."
    with talk.database.reading() as session:
        changes = Records(session).changes
        now = talk.clock.now()
        assert list(changes.causes("INC-1")) == [1]
        assert [each.ref for each in changes.recent(["mail"], now - timedelta(hours=24), now)] == ["CHG-1"]
        assert list(changes.recent(["vpn"], now - timedelta(hours=24), now)) == []
        assert list(changes.recent(["mail"], now + timedelta(hours=1), now + timedelta(hours=2))) == []


def test_an_incident_shows_what_was_changed_in_the_day_before_beneath_it(talk: Talk) -> None:
    with_stages(talk, Level.LOW)
    for who, service in (("oncall", "network"), ("agent", "laptops")):
        ref = submitted(talk, who=who, service=service, when="start:“in 1h” end:2h")
        assert talk.say(who, f"change schedule {ref}").tone is Tone.GOOD
    talk.wait(hours=1)
    talk.say("oncall", "change start CHG-1")
    talk.say("agent", "change start CHG-2")
    talk.say("oncall", "change complete CHG-1 successful it works")
    talk.wait(hours=20)
    talk.say("staff", "incident declare mail is down service:mail impact:high urgency:high")

    def shown(ref: str) -> dict[str, str]:
        return facts(talk.say("oncall", f"incident show {ref}"))

    assert shown("INC-1")["Changed in the 24 h before"] == "CHG-1 a larger store", "mail rests on the network"
    talk.say("oncall", "change cause CHG-1 INC-1")
    assert ("Changed in the 24 h before" in shown("INC-1"), shown("INC-1")["Caused by"]) == (False, "CHG-1")
    talk.wait(hours=5)
    talk.say("staff", "incident declare the vpn is slow service:vpn impact:high urgency:high anyway:yes")
    assert "Changed in the 24 h before" not in shown("INC-2"), "that was longer ago"


# Looking --------------------------------------------------------------------------------------------


def test_lists_hold_what_they_say(talk: Talk) -> None:
    propose(talk, service="mail")
    propose(talk, who="agent", service="help")

    def refs(who: str, scope: str) -> list[str]:
        return [row[0] for row in rows(talk.say(who, f"change list {scope}"))]

    assert refs("agent", "mine") == ["CHG-2"]
    assert refs("oncall", "team") == ["CHG-1"]
    assert refs("owner", "open") == ["CHG-2", "CHG-1"]
    talk.say("agent", "change cancel CHG-2")
    assert (refs("owner", "open"), refs("owner", "all")) == (["CHG-1"], ["CHG-2", "CHG-1"])
    assert refs("owner", "all larger") == ["CHG-2", "CHG-1"]
    assert refs("owner", "all smaller") == []


def test_the_calendar_shows_changes_and_freezes_of_what_they_touch(talk: Talk) -> None:
    scheduled(talk, service="accounts")
    propose(talk, service="laptops")
    seen = talk.say("staff", "change calendar")
    assert [(row[2], row[5]) for row in rows(seen)] == [
        ("CHG-1 a larger store", "scheduled"),
        ("Closing of the month", "frozen"),
    ]
    assert rows(talk.say("staff", "change calendar service:mail")) == rows(seen), "mail rests on accounts"
    assert rows(talk.say("staff", "change calendar service:laptops")) == []
    later = talk.say("staff", seen.buttons[1].line)
    assert later.title == "Changes from Mon 7 Dec 2026 to Sun 20 Dec 2026"
    assert [row[2] for row in rows(later)] == ["Year's end"]


def test_those_who_do_not_work_on_services_see_the_calendar_alone(talk: Talk) -> None:
    ref = scheduled(talk)
    for line in (f"change show {ref}", f"change approvers {ref}", "change list open", "change propose x"):
        assert talk.say("staff", line).tone is Tone.BAD
    assert talk.say("staff", "change calendar").tone is not Tone.BAD


def test_a_desk_without_rules_for_changes_says_so(talk: Talk) -> None:
    talk.policy = replace(talk.policy, version="none", changes=None)
    assert talk.say("oncall", "change propose x").title == "This desk handles no changes yet."


# People who are joined or erased --------------------------------------------------------------------


def test_an_erased_person_leaves_no_words_and_the_vote_stays_bound(talk: Talk) -> None:
    talk.policy = replace(
        talk.policy,
        version="eve",
        people={**talk.policy.people, "eve": Person(key="eve", name="Eve")},
        teams={
            **talk.policy.teams,
            "platform": replace(talk.policy.teams["platform"], members=("oncall", "backup", "eve")),
        },
    )
    ref = submitted(talk, who="eve", more="because:“the secret of it”")
    talk.say("oncall", f"change edit {ref} test:“ask twice”")
    before = (talk.evidence(ref)[-1].after or {})["seal"]
    talk.say("owner", "privacy erase @eve")
    shown = str(talk.say("owner", f"change show {ref}"))
    assert "the secret of it" not in shown
    assert "swap the disks" not in shown
    talk.say("approver", f"change approve {ref} seen:2")
    assert state(talk, ref) == "approved"
    assert (talk.evidence(ref)[-1].after or {})["seal"] == before


def test_a_change_of_somebody_who_was_met_becomes_that_of_whom_they_turn_out_to_be(talk: Talk) -> None:
    talk.dispatcher.platforms = ("slack", "discord", "console")
    grants = {**talk.policy.access.grants, Role.AGENT: ("@service-desk", "slack:S0AGENTS")}
    talk.policy = replace(talk.policy, version="agents", access=replace(talk.policy.access, grants=grants))
    sender = Sender(platform="slack", workspace="T1", user="U1", name="Sam", groups=("slack:S0AGENTS",))

    def chat(line: str) -> Reply:
        said = talk.command("nobody", line)
        return talk.dispatcher.run(
            said.model_copy(update={"sender": sender, "place": Place(platform="slack", channel="C1")})
        )

    assert chat(f"change propose a page service:help start:“tue 20:00” end:1h {TEXTS}").tone is Tone.GOOD
    code = flat(talk.say("agent", "desk link").text).rpartition(" ")[2]
    chat(f"desk link {code}")
    assert facts(talk.say("owner", "change show CHG-1"))["Made by"] == "Alex Agent"
    assert [row[0] for row in rows(talk.say("agent", "change list mine"))] == ["CHG-1"]


def test_midnight_is_asked_for_in_the_askers_own_zone(quick_talk: Talk) -> None:
    said = quick_talk.say("backup", f"change propose x service:mail start:“tue 20:00” end:2h {TEXTS}")
    assert facts(said)["Window"] == "2026-11-24 20:00 UTC – 2026-11-24 22:00 UTC", (
        "Lisbon is on UTC in winter"
    )
    assert quick_talk.clock.now() == MONDAY.astimezone(UTC)


# Service transition ---------------------------------------------------------------------------------


def transition(talk: Talk, line: str, who: str = "owner") -> str:
    """A service's transition that was made, an hour from now; returns its change."""
    with_stages(talk, Level.LOW)
    said = talk.say(who, f"service {line} because:“it is time” {TEXTS} start:“in 1h” end:2h")
    assert said.tone is Tone.GOOD, said
    ref = said.subject or ""
    for step in (f"assess {ref} {LOW}", f"submit {ref}", f"schedule {ref}"):
        assert talk.say(who, f"change {step}").tone is Tone.GOOD
    talk.wait(hours=1)
    talk.say(who, f"change start {ref}")
    talk.say(who, f"change complete {ref} successful it serves")
    return ref


def test_a_published_service_is_made_known_once_its_owner_accepts_it(talk: Talk) -> None:
    ref = transition(talk, "publish laptops", "manager")
    assert talk.told("@owner")[-1] == f"{ref} is made; does it serve? Publish Laptops"
    assert "New: Laptops" not in talk.told("requests")
    assert talk.say("agent", f"service accept {ref}").title == f"You cannot accept {ref}."
    talk.say("owner", f"service accept {ref} five people tried it")
    assert "New: Laptops" in talk.told("requests")
    assert talk.say("owner", f"service accept {ref}").title == f"{ref} was accepted already."
    assert (
        facts(talk.say("staff", "service show laptops"))["Stands"]
        == f"published by {ref}, 2026-11-23 09:00 UTC"
    )
    practices = {each.action: each.practices for each in talk.evidence(ref)}
    assert "SST SP 1.1" in practices["transition.assessed"]
    assert "SST SP 1.2" in practices["transition_plan.published"]
    assert "SST SP 1.3" in practices["change_notice.sent"]
    assert "SST SP 2.1" in practices["deployment.accepted"]
    assert "STSM SP 2.2" in practices["catalogue_entry.published"]


def test_what_rests_on_a_retired_service_becomes_actions_for_those_who_answer_for_it(talk: Talk) -> None:
    told = talk.say("owner", f"service retire accounts because:old {TEXTS}")
    assert flat(told.text) == (
        "With it go or must move: move Mail off Accounts, or retire it too; move VPN off Accounts, or retire it too; "
        "move Software off Accounts, or retire it too; take “New account” out of the catalogue."
    )
    talk.say("owner", f"change cancel {told.subject}")
    ref = transition(talk, "retire vpn")
    talk.say("owner", f"service accept {ref}")
    assert talk.told("requests")[-1] == "VPN is retired"
    assert [row[1] for row in rows(talk.say("owner", "action list all"))] == [
        "Take “VPN access” out of the catalogue"
    ]
    assert ["VPN (retired)", "—"] in [[row[0], row[2]] for row in rows(talk.say("staff", "service list"))]
    assert (
        talk.say("staff", "request new vpn-access abroad:no").title
        == "VPN access is no longer offered: VPN was retired."
    )
    form = talk.say("staff", "request new").form
    assert form is not None
    assert "vpn-access" not in [each.value for each in form.fields[0].options]
    again = talk.say("owner", f"service retire vpn because:x {TEXTS}")
    assert again.title == f"VPN was retired by {ref}."


def test_what_did_not_succeed_is_not_accepted(talk: Talk) -> None:
    with_stages(talk, Level.LOW)
    ref = talk.say("owner", f"service change laptops because:x {TEXTS} start:“in 1h” end:2h").subject
    for step in (f"assess {ref} {LOW}", f"submit {ref}", f"schedule {ref}"):
        talk.say("owner", f"change {step}")
    talk.wait(hours=1)
    talk.say("owner", f"change start {ref}")
    assert talk.say("owner", f"service accept {ref}").title == f"You cannot accept {ref}: it is in progress."
    talk.say("owner", f"change rollback {ref} nobody could sign in")
    assert talk.say("owner", f"service accept {ref}").title == f"{ref} did not succeed."
    assert talk.say("owner", f"service accept {submitted(talk)}").title == "CHG-2 changes no service as such."


def test_a_new_service_is_proposed_as_a_change(talk: Talk) -> None:
    said = talk.say(
        "agent", f"service propose an archive for old mails service:mail because:“stores are full” {TEXTS}"
    )
    assert said.title == "CHG-1 is written down: Introduce an archive for old mails"


# Reminders ------------------------------------------------------------------------------------------


async def test_reminders_of_several_changes_at_one_moment_are_one_message(quick_talk: Talk) -> None:
    talk = quick_talk
    receiver = Receiver("console", talk.clock)
    courier = Courier(talk.dispatcher, {"console": receiver}, talk.clock, "test")

    async def heard(person: str, **length: float) -> list[tuple[str, str]]:
        """What reaches somebody within a time, as title and text."""
        await courier.drain()
        before = len(receiver.journal)
        talk.wait(**length)
        await courier.drain()
        mine = [each for each in receiver.journal[before:] if each.to == person]
        return [(each.title, each.text) for each in mine]

    refs = [
        submitted(talk, service=service, when="start:“tue 20:00” end:2h", more=f"implementer:@{who}")
        for service, who in (("mail", "backup"), ("laptops", "agent"))
    ]
    assert [title for title, _ in await heard("approver", hours=5)] == ["2 reminders"]
    for ref, who in zip(refs, ("backup", "agent"), strict=True):
        talk.say("approver", f"change approve {ref}")
        assert talk.say(who, f"change schedule {ref}").tone is Tone.GOOD
    (opening,) = await heard("oncall", hours=29, minutes=50)
    assert (opening[0], [ref in opening[1] for ref in refs]) == ("2 reminders", [True, True])
    talk.wait(minutes=10)
    for ref, who in zip(refs, ("backup", "agent"), strict=True):
        assert talk.say(who, f"change start {ref}").tone is Tone.GOOD
    assert [title for title, _ in await heard("oncall", hours=2)] == ["2 reminders"], "both take longer"
    for ref, who in zip(refs, ("backup", "agent"), strict=True):
        talk.say(who, f"change complete {ref} successful yes")
    assert [title for title, _ in await heard("oncall", days=8)][-1:] == ["2 reminders"], (
        "both are to be reviewed"
    )
