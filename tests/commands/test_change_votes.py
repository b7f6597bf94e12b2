"""Does a vote hold for what was voted on, by those who have one, and count once?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Literal

import pytest

from config.policy import ChangeStage, Level, Role
from handlers.messages import Place, Reply, Sender, Tone, flat
from tests.commands.changes import (
    HIGH,
    LOW,
    MEDIUM,
    approved,
    facts,
    in_parallel,
    propose,
    rows,
    scheduled,
    state,
    submitted,
    with_stages,
)
from tests.harness.house import MONDAY, Talk


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
    talk: Talk, default: Literal["reject", "approve"], becomes: str
) -> None:
    stage = ChangeStage(of=("role:approver",), within=4 * 3600, on_deadline=default)
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
