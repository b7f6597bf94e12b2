"""Is a change decided on by the right people, made in its time, and looked back upon?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from bot.courier import Courier
from config.policy import Level, Person, Role
from handlers.messages import Place, Reply, Sender, Tone, flat
from storage.unit_of_work import Records
from tests.commands.changes import (
    HIGH,
    LOW,
    TEXTS,
    facts,
    propose,
    rows,
    scheduled,
    started,
    state,
    submitted,
    with_stages,
)
from tests.harness.house import MONDAY, Talk
from tests.harness.receiver import Receiver

# From the first word to the review ----------------------------------------------------------------


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


# How it went --------------------------------------------------------------------------------------


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


# Looking ------------------------------------------------------------------------------------------


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


# People who are joined or erased ------------------------------------------------------------------


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


# Reminders ----------------------------------------------------------------------------------------


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
