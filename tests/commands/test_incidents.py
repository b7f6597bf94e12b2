"""Does an incident wake the right person, keep its promises, and end the way that the policy says?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count, pairwise
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import update

from config.policy import Severity
from handlers.messages import DESK, Button, Command, Place, Reply, Tone, flat
from handlers.rules.workflow import IncidentState
from storage.models.alerts import Alert
from storage.models.flow import OutboxRow
from storage.unit_of_work import Records
from tests.harness.house import Talk

MAIL = "incident declare mail is down service:mail impact:high urgency:high"
PAGE = "INC-1 · SEV1 · mail is down"
_KEYS = count(1)


def declare(talk: Talk, line: str = MAIL, person: str = "staff") -> Reply:
    """Something is broken."""
    reply = talk.say(person, line)
    assert reply.form is None, reply
    assert reply.tone is Tone.GOOD, reply
    return reply


def as_desk(talk: Talk, line: str) -> Reply:
    """What the desk says to itself, raising what goes wrong."""
    return talk.dispatcher.obey(
        Command(line=line, sender=DESK, place=Place(platform="desk"), key=f"desk/{next(_KEYS)}")
    )


def card(talk: Talk, ref: str = "INC-1") -> Reply:
    """The card as it would be drawn now."""
    return talk.dispatcher.look(ref).card


def fact(reply: Reply, label: str) -> str:
    """A fact of a reply as plain text; empty where there is none."""
    return next((flat(each.value) for each in reply.facts if each.label == label), "")


def labels(reply: Reply) -> list[str]:
    """The labels of a reply's buttons."""
    return [each.label for each in reply.buttons]


def button(reply: Reply, label: str) -> Button:
    """The button of that label."""
    return next(each for each in reply.buttons if each.label == label)


def state(talk: Talk, ref: str = "INC-1") -> str:
    """Where an incident stands."""
    return talk.dispatcher.look(ref).state


def climbed(talk: Talk, ref: str = "INC-1") -> list[tuple[Any, ...]]:
    """Round, level and who was woken, for each step of the climb."""
    return [
        (each.after["round"], each.after["level"], *each.after["notify"])
        for each in talk.evidence(ref)
        if each.action == "incident.escalated" and each.after
    ]


def clock(talk: Talk, promise: str, ref: str = "INC-1") -> str:
    """How a promise stands."""
    with talk.database.reading() as session:
        rows = {row.promise: row for row in Records(session).clocks.of(ref)}
    return rows[promise].state_at(talk.clock.now()) if promise in rows else "none"


def pages(talk: Talk, person: str) -> list[str]:
    """The pages written to a person, in order."""
    return [title for title in talk.told(f"@{person}") if " · " in title]


# From the report to the cause ---------------------------------------------------------------------


def test_an_incident_is_declared_acknowledged_updated_resolved_confirmed_and_closed(talk: Talk) -> None:
    declared = declare(talk)
    assert (declared.title, declared.subject) == ("INC-1 is declared: mail is down", "INC-1")
    assert fact(declared, "Woken") == "Oli Oncall"
    assert fact(declared, "Severity") == "SEV1 (impact high, urgency high)"
    assert pages(talk, "oncall") == [PAGE]
    assert talk.say("oncall", "incident ack INC-1").title == "INC-1 is yours"
    talk.say("oncall", "incident update INC-1 the disk is full next:30m")
    talk.say("oncall", "incident workaround INC-1 read it in the browser")
    talk.say("oncall", "incident resolve INC-1 made room")
    assert talk.say("staff", "incident confirm INC-1").title == "Thank you for telling us."
    talk.say("oncall", "incident close INC-1 a full disk")
    assert talk.actions("INC-1") == [
        f"incident.{each}"
        for each in (
            "reported", "declared", "categorized", "escalated", "acknowledged", "status_posted",
            "workaround_recorded", "resolved", "resolution_confirmed", "closed",
        )
    ]  # fmt: skip
    assert talk.told("@staff") == [
        "Oli Oncall has INC-1",
        "INC-1: mail is down",
        "INC-1: until it is repaired",
        "INC-1 is resolved: mail is down",
        "INC-1 is closed: mail is down",
    ]
    assert [clock(talk, each) for each in ("respond", "resolve", "update 1", "update")] == ["met"] * 4
    practices = {each.action: each.practices for each in talk.evidence("INC-1")}
    assert practices["incident.declared"] == ("IRP SP 2.1",)
    assert practices["incident.status_posted"] == ("IRP SP 2.5",)


@pytest.mark.parametrize(
    ("impact", "urgency", "severity"),
    [
        ("high", "high", "SEV1"), ("high", "medium", "SEV2"), ("high", "low", "SEV3"),
        ("medium", "high", "SEV2"), ("medium", "medium", "SEV3"), ("medium", "low", "SEV4"),
        ("low", "high", "SEV3"), ("low", "medium", "SEV4"), ("low", "low", "SEV4"),
    ],
)  # fmt: skip
def test_impact_and_urgency_give_the_severity(
    quick_talk: Talk, impact: str, urgency: str, severity: str
) -> None:
    declare(quick_talk, f"incident declare slow mail service:mail impact:{impact} urgency:{urgency}")
    assert fact(card(quick_talk), "Severity").startswith(severity)
    assert bool(pages(quick_talk, "oncall")) is (severity != "SEV4"), "SEV4 wakes nobody"


def test_what_is_missing_is_asked_for_and_nothing_is_declared(quick_talk: Talk) -> None:
    asked = quick_talk.say("staff", "incident declare mail is down urgency:huge")
    assert asked.form is not None
    fields = {each.key: each for each in asked.form.fields}
    assert list(fields) == ["title", "service", "impact", "urgency", "detail"]
    assert fields["title"].value == "mail is down"
    assert fields["service"].required
    assert fields["urgency"].error.startswith("“huge” is not one of high, medium, low.")
    assert quick_talk.say("staff", "incident list all").title == "0 of incidents"
    sent = quick_talk.say(
        "staff", asked.form.line, title="mail is down", service="mail", impact="low", urgency="low"
    )
    assert sent.subject == "INC-1"


def test_a_message_becomes_an_incident_that_keeps_the_link_to_it(quick_talk: Talk) -> None:
    message = "Nobody can read mail\nsince nine, all offices"
    command = quick_talk.command("staff", "incident declare").model_copy(
        update={"message": message, "source": "https://chat.example/m/1"}
    )
    form = quick_talk.dispatcher.run(command).form
    assert form is not None
    given = {each.key: each.value for each in form.fields}
    assert (given["title"], given["detail"]) == ("Nobody can read mail", message)
    sent = {**given, "service": "mail", "impact": "high", "urgency": "high"}
    quick_talk.dispatcher.run(command.model_copy(update={"line": form.line, "answers": sent, "key": "sent"}))
    shown = quick_talk.say("oncall", "incident show INC-1")
    assert "since nine, all offices" in flat(shown.text)
    assert "From the message https://chat.example/m/1" in flat(shown.text)


def test_what_looks_the_same_is_offered_and_can_be_followed_instead(talk: Talk) -> None:
    declare(talk)
    asked = talk.say("agent", "incident declare the mail server is down service:mail impact:high urgency:low")
    assert asked.form is not None
    same = asked.form.fields[0]
    assert (same.key, [each.value for each in same.options]) == ("same", ["INC-1"])
    assert asked.title == asked.form.note == "Something like this is open already: INC-1 (triggered)."
    answers = {each.key: each.value for each in asked.form.fields if each.value}
    joined = talk.say("agent", asked.form.line, **{**answers, "same": "INC-1"})
    assert joined.title == "You hear of INC-1 from now on"
    assert talk.evidence("INC-1")[-1].practices == ("IRP SP 2.1",)
    talk.say("oncall", "incident ack INC-1")
    assert talk.told("@agent") == ["Oli Oncall has INC-1"]
    filed = talk.say("agent", asked.form.line, **answers)
    assert filed.subject == "INC-2", "and it is declared all the same when that is meant"
    talk.say("agent", "incident unfollow INC-1")
    talk.say("oncall", "incident update INC-1 we look")
    assert talk.told("@agent", about="INC-1") == ["Oli Oncall has INC-1"]


def test_another_service_or_other_words_are_not_the_same(quick_talk: Talk) -> None:
    declare(quick_talk)
    declare(quick_talk, "incident declare mail is down service:vpn impact:low urgency:low")
    declare(quick_talk, "incident declare calendars show wrong days service:mail impact:low urgency:low")


def test_an_organisation_without_incident_rules_says_so(quick_talk: Talk) -> None:
    quick_talk.policy = replace(quick_talk.policy, incidents=None, version="none")
    refused = quick_talk.say("staff", MAIL)
    assert refused.title == "This desk handles no incidents yet."
    assert "incidents.yaml" in flat(refused.text)


def test_the_desk_declares_what_an_alert_said(quick_talk: Talk) -> None:
    line = f"{MAIL} alert:ALT-1 detail:“disk full”"
    assert quick_talk.say("oncall", line).title == "Only the desk itself says what an alert said."
    as_desk(quick_talk, line)
    as_desk(quick_talk, f"{MAIL} alert:ALT-2")
    reported = quick_talk.evidence("INC-1")[0].after or {}
    assert (reported["alert"], reported["reporter"]) == ("ALT-1", "desk")
    as_desk(quick_talk, "incident note INC-1 Also fires: the queue grows")
    as_desk(quick_talk, "incident ack INC-1")
    assert quick_talk.say("oncall", "incident ack INC-1").title == "INC-1 is yours", (
        "a person may take it still"
    )
    as_desk(quick_talk, "incident resolve INC-1 Prometheus says that it is over.")
    assert state(quick_talk) == IncidentState.RESOLVED
    as_desk(quick_talk, "incident reopen INC-1 It fires again: disk full")
    assert state(quick_talk) == IncidentState.TRIGGERED
    assert pages(quick_talk, "oncall").count(PAGE) == 2


def test_the_card_names_its_alerts_to_those_who_work_on_it(talk: Talk) -> None:
    as_desk(talk, f"{MAIL} alert:ALT-1")
    with talk.database.writing() as session:
        for number in range(1, 6):
            alert = Alert(
                number=number, source="prometheus", key=f"disk {number}", bundle="", title=f"disk {number} is full",
                detail="", severity="critical", urgency="high", service="mail", incident=1, count=number,
                state="over" if number in (1, 4) else "firing",
                since=talk.clock.now(), heard_at=talk.clock.now(),
            )  # fmt: skip
            session.add(alert)
    said = (
        "ALT-2 disk 2 is full (fires, told 2×); ALT-3 disk 3 is full (fires, told 3×); "
        "ALT-5 disk 5 is full (fires, told 5×); 2 more"
    )
    assert fact(card(talk), "Alerts") == said
    assert fact(talk.say("oncall", "incident show INC-1"), "Alerts") == said
    assert fact(talk.say("staff", "incident show INC-1"), "Alerts") == "", "they name machines"
    assert fact(talk.say("staff", "incident follow INC-1"), "Alerts") == ""


def test_what_resembles_a_known_error_says_so_and_is_linked_with_one_click(talk: Talk) -> None:
    talk.say("agent", "problem open The mail store fills up service:mail")
    talk.say("agent", "problem known-error PRB-1 mail store is full workaround:“empty the spool”")
    declare(talk, "incident declare other trouble service:mail impact:low urgency:low")
    assert fact(card(talk), "May be known") == ""
    line = "incident declare the mail store is full service:vpn impact:high urgency:high"
    declare(talk, line)
    assert fact(card(talk, "INC-2"), "May be known") == "", "a VPN does not rest on mail"
    told = declare(talk, line.replace("vpn", "mail"))
    said = "PRB-1 The mail store fills up: empty the spool"
    assert fact(told, "May be known") == fact(card(talk, "INC-3"), "May be known") == said
    drawn = talk.dispatcher.look("PRB-1").version
    talk.say("oncall", button(card(talk, "INC-3"), "It is PRB-1").line)
    linked = card(talk, "INC-3")
    assert (fact(linked, "May be known"), fact(linked, "Belongs to")) == ("", "PRB-1")
    assert not {"It is PRB-1", "Open a problem"} & set(labels(linked))
    assert fact(card(talk, "PRB-1"), "Incidents") == "INC-3"
    assert talk.dispatcher.look("PRB-1").version == drawn, "nothing else about it has changed"


def test_linking_a_problem_draws_its_card_anew(quick_talk: Talk) -> None:
    quick_talk.say("agent", "problem open The mail store fills up service:mail")
    declare(quick_talk)
    with quick_talk.database.writing() as session:
        Records(session).session.execute(update(OutboxRow).values(open=False, state="sent"))
    quick_talk.say("oncall", "incident link INC-1 PRB-1")
    with quick_talk.database.reading() as session:
        redrawn = {
            each.subject for each in Records(session).outbox.listed(["pending"]) if each.kind == "card"
        }
    assert redrawn == {"INC-1", "PRB-1"}


def test_a_problem_is_opened_from_the_card(quick_talk: Talk) -> None:
    declare(quick_talk)
    assert "Open a problem" not in labels(card(quick_talk)), "first somebody has it"
    quick_talk.say("oncall", "incident ack INC-1")
    asked = quick_talk.say("oncall", button(card(quick_talk), "Open a problem").line)
    assert asked.form is not None
    given = {each.key: each.value for each in asked.form.fields}
    assert (given["service"], given["incidents"]) == ("mail", "INC-1")
    quick_talk.say("oncall", asked.form.line, **given | {"title": "The mail store fills up"})
    assert fact(card(quick_talk), "Belongs to") == "PRB-1"
    assert "Open a problem" not in labels(card(quick_talk))


# Waking -------------------------------------------------------------------------------------------


def test_a_silent_night_climbs_to_the_fallback_and_wakes_each_level_once(talk: Talk) -> None:
    declare(talk)
    talk.wait(hours=2)
    assert climbed(talk) == [
        (1, 1, "oncall"), (1, 2, "oncall", "backup"), (1, 3, "oncall", "backup", "#on-call"),
        (2, 1, "oncall"), (2, 2, "oncall", "backup"), (2, 3, "oncall", "backup", "#on-call"),
        (2, 4, "owner"),
    ]  # fmt: skip
    assert pages(talk, "oncall") == [PAGE] * 6
    assert pages(talk, "owner") == [PAGE, PAGE], (
        "for the next word, which nobody else owes, and at the very end"
    )
    assert fact(card(talk), "Woken") == "Oli Oncall, Bo Backup, Olga Owner (the last one there is)"
    as_desk(talk, "incident climb INC-1")
    assert len(climbed(talk)) == 7, "said again, it wakes nobody again"
    story = [each for each in talk.evidence("INC-1") if each.action == "incident.escalated"]
    waits = [(later.at - one.at).total_seconds() / 60 for one, later in pairwise(story)]
    assert waits == [5, 10, 15, 5, 10, 15]


def test_a_level_with_nobody_is_passed_over_at_once_and_that_is_said(quick_talk: Talk) -> None:
    quick_talk.wait(hours=10)  # the service desk's rota has nobody in the evening
    declare(quick_talk, "incident declare no way in service:vpn impact:high urgency:high")
    assert climbed(quick_talk) == [(1, 2, "oncall")]
    passed = (quick_talk.evidence("INC-1")[-1].after or {}).get("passed") or next(
        each.after["passed"]
        for each in quick_talk.evidence("INC-1")
        if each.action == "incident.escalated" and each.after
    )
    assert passed == [{"level": 1, "round": 1, "why": "nobody is on call in rota:service-desk"}]


def test_an_acknowledgement_stops_the_climb(talk: Talk) -> None:
    declare(talk)
    talk.wait(minutes=6)
    talk.say("backup", "incident ack INC-1")
    assert talk.told("@oncall")[-1] == "Bo Backup has INC-1", "who was woken may sleep on"
    talk.wait(minutes=29)
    assert climbed(talk) == [(1, 1, "oncall"), (1, 2, "oncall", "backup")]


def test_the_second_of_two_who_acknowledge_is_told_kindly(talk: Talk) -> None:
    declare(talk)
    talk.say("oncall", "incident ack INC-1")
    second = talk.say("backup", "incident ack INC-1")
    assert (second.title, second.tone) == ("Oli Oncall has INC-1 already.", Tone.WAITING)
    assert flat(second.text) == "To take it over: incident take INC-1"
    assert talk.say("oncall", "incident ack INC-1").title == "You have INC-1 already."
    assert talk.actions("INC-1").count("incident.acknowledged") == 1
    talk.say("backup", "incident take INC-1")
    assert fact(card(talk), "Held by") == "Bo Backup"
    assert talk.told("@oncall")[-1] == "Bo Backup has INC-1"


def test_of_two_who_acknowledge_in_the_same_instant_one_has_it(talk: Talk) -> None:
    declare(talk)
    meet = Barrier(2)

    def acknowledge(person: str) -> Reply:
        meet.wait()
        return talk.say(person, "incident ack INC-1")

    with ThreadPoolExecutor(2) as both:
        titles = {reply.title for reply in both.map(acknowledge, ("oncall", "backup"))}
    assert "INC-1 is yours" in titles
    assert titles & {"Oli Oncall has INC-1 already.", "Bo Backup has INC-1 already."}
    assert talk.actions("INC-1").count("incident.acknowledged") == 1


def test_acknowledging_what_is_resolved_does_not_reopen_it(quick_talk: Talk) -> None:
    declare(quick_talk)
    quick_talk.say("oncall", "incident ack INC-1")
    quick_talk.say("oncall", "incident resolve INC-1 made room")
    late = quick_talk.say("backup", "incident ack INC-1")
    assert late.title == "You cannot acknowledge INC-1: it is resolved."
    assert flat(late.text) == "It stays resolved; if it is broken again, reopen it."
    assert late.subject == "INC-1"
    assert state(quick_talk) == IncidentState.RESOLVED


def test_an_acknowledgement_lapses_unless_there_is_a_sign_of_work(talk: Talk) -> None:
    declare(talk)
    talk.say("oncall", "incident ack INC-1")
    talk.wait(minutes=20)
    talk.say("oncall", "incident workaround INC-1 use the browser")
    talk.wait(minutes=29)
    assert state(talk) == IncidentState.ACKNOWLEDGED
    talk.say("staff", "incident follow INC-1")  # no sign of work, and refused: they hear of it already
    talk.wait(minutes=1)
    assert state(talk) == IncidentState.TRIGGERED
    assert talk.actions("INC-1")[-2:] == ["incident.acknowledgement_lapsed", "incident.escalated"]
    assert climbed(talk)[-1] == (1, 1, "oncall"), "a new climb begins at level 1"
    assert fact(card(talk), "Held by") == "nobody yet"


def test_somebody_may_ask_for_the_next_level_at_once(talk: Talk) -> None:
    declare(talk)
    talk.wait(minutes=1)
    assert talk.say("oncall", "incident escalate INC-1").form is not None, "a reason is asked for"
    talk.say("oncall", "incident escalate INC-1 the vendor must be called")
    assert climbed(talk)[-1] == (1, 2, "oncall", "backup")
    talk.say("backup", "incident ack INC-1")
    talk.say("backup", "incident escalate INC-1 I cannot do it alone")
    assert climbed(talk)[-1] == (1, 3, "oncall", "backup", "#on-call")
    assert state(talk) == IncidentState.TRIGGERED, "whoever answers holds it"
    asked = [each for each in talk.evidence("INC-1") if each.action == "incident.escalation_asked"]
    assert [each.actor for each in asked] == ["oncall", "backup"]


def test_what_wakes_nobody_does_not_climb(quick_talk: Talk) -> None:
    declare(quick_talk, "incident declare a logo is old service:mail impact:low urgency:low")
    assert fact(card(quick_talk), "Woken") == ""
    refused = quick_talk.say("oncall", "incident escalate INC-1 please")
    assert refused.title == "A SEV4 wakes nobody."
    quick_talk.say("oncall", "incident page INC-1 @backup you drew it")
    assert len(pages(quick_talk, "backup")) == 1


def test_who_is_paged_by_name_may_take_it(quick_talk: Talk) -> None:
    declare(quick_talk)
    assert quick_talk.say("manager", "incident ack INC-1").title == "You cannot acknowledge INC-1."
    quick_talk.say("oncall", "incident ack INC-1")
    quick_talk.say("oncall", "incident page INC-1 manager the board asks")
    assert quick_talk.told("@manager") == [PAGE]
    assert quick_talk.say("manager", "incident take INC-1").title == "INC-1 is yours"


def test_whoever_cannot_be_reached_in_any_way_is_not_waited_for(talk: Talk) -> None:
    declare(talk)
    as_desk(talk, "incident unreached INC-1 oncall")
    assert climbed(talk) == [(1, 1, "oncall"), (1, 2, "oncall", "backup")]
    as_desk(talk, "incident unreached INC-1 oncall")
    assert len(climbed(talk)) == 2, "of two, one may still answer"
    as_desk(talk, "incident unreached INC-1 backup")
    assert len(climbed(talk)) == 3
    talk.say("oncall", "incident ack INC-1")
    as_desk(talk, "incident unreached INC-1 backup")
    assert state(talk) == IncidentState.ACKNOWLEDGED


def test_when_nobody_at_all_can_be_reached_the_desk_says_so_once_and_does_not_run_in_circles(
    quick_talk: Talk,
) -> None:
    everybody = {key: replace(each, accounts=()) for key, each in quick_talk.policy.people.items()}
    quick_talk.policy = replace(quick_talk.policy, people=everybody, version="mute")
    quick_talk.dispatcher.platforms = ("slack",)  # where nobody has an account
    declare(quick_talk)
    quick_talk.wait(minutes=1)
    assert climbed(quick_talk)[-1] == (2, 4, "owner")
    assert len(climbed(quick_talk)) == 7
    assert "no connected account" in fact(card(quick_talk), "Not reached: Olga Owner")


# How bad it is ------------------------------------------------------------------------------------


def test_a_higher_severity_counts_from_the_start_begins_to_wake_and_is_recorded(talk: Talk) -> None:
    declare(talk, "incident declare mail is slow service:mail impact:low urgency:low")
    assert pages(talk, "oncall") == []
    talk.wait(minutes=10)
    raised = talk.say("oncall", "incident triage INC-1 high high every office reports it")
    assert raised.title == "INC-1 is SEV1 now (was SEV4)"
    triaged = next(each for each in talk.evidence("INC-1") if each.action == "incident.triaged")
    assert ((triaged.before or {})["severity"], (triaged.after or {})["severity"]) == ("SEV4", "SEV1")
    assert triaged.practices == ("IRP SP 2.2",)
    assert pages(talk, "oncall") == [PAGE.replace("down", "slow")]
    why = talk.say("oncall", "sla why INC-1")
    resolve = next(each for each in why.more if each.title.startswith("Resolve"))
    assert any("counted from the start" in flat(row[3]) for row in resolve.table.rows)  # type: ignore[union-attr]
    assert talk.told("@staff")[-2:] == ["INC-1 is SEV1 now (was SEV4)", "INC-1 has new promises"]


def test_triage_may_name_another_service_and_then_its_people_are_woken(quick_talk: Talk) -> None:
    declare(quick_talk, "incident declare nobody gets in service:accounts impact:high urgency:high")
    assert climbed(quick_talk) == [(1, 1, "agent")]
    quick_talk.say("agent", "incident triage INC-1 service:network it is the network")
    assert climbed(quick_talk)[-1] == (1, 1, "oncall")
    assert fact(card(quick_talk), "Service") == "Network"
    assert quick_talk.say("agent", "incident triage INC-1").form is not None


# The next word ------------------------------------------------------------------------------------


def update_section(talk: Talk) -> Reply:
    why = talk.say("oncall", "sla why INC-1")
    return next(each for each in why.more if each.title.startswith("Update:"))


def test_the_next_word_is_a_promise_that_only_information_keeps(talk: Talk) -> None:
    declare(talk)
    talk.say("oncall", "incident ack INC-1")
    assert fact(update_section(talk), "Promised") == "30m in Round the clock (Europe/Berlin)"
    talk.say("oncall", "incident update INC-1 the disk is full")
    again = talk.say("oncall", "incident update INC-1 The disk  is full")
    assert again.form is not None, "said twice, it is no news"
    as_desk(talk, "incident note INC-1 the desk noticed something")
    talk.wait(minutes=31)
    assert clock(talk, "update") == "breached"
    talk.say("oncall", "incident update INC-1 nochange:“the vendor looks at it” next:45m")
    assert clock(talk, "update") == "running"
    assert clock(talk, "update 2") == "met late"
    section = update_section(talk)
    assert fact(section, "Promised") == "45m in round the clock (UTC)"
    posted = [each.after for each in talk.evidence("INC-1") if each.action == "incident.status_posted"]
    assert [each["changed"] for each in posted if each] == [True, False]


def test_a_missed_word_is_warned_of_and_then_wakes_who_owes_it(talk: Talk) -> None:
    declare(talk)
    talk.say("oncall", "incident ack INC-1")
    talk.say("oncall", "incident communications INC-1 manager")
    talk.wait(minutes=23)
    assert talk.told("@manager")[-1] == "INC-1: the promise to update is 75 % used up"
    assert pages(talk, "manager") == []
    talk.wait(minutes=7)
    assert pages(talk, "manager") == [PAGE]
    assert talk.actions("INC-1").count("incident.update_missed") == 1
    talk.ring()
    talk.wait(minutes=20)
    assert pages(talk, "manager") == [PAGE], "once"


@pytest.mark.parametrize(
    ("roles", "woken"),
    [
        (("incident communications INC-1 manager", "incident lead INC-1 approver"), "manager"),
        (("incident lead INC-1 approver",), "approver"),
        ((), "oncall"),
    ],
)
def test_without_communications_the_lead_owes_the_word_then_who_holds_it(
    quick_talk: Talk, roles: tuple[str, ...], woken: str
) -> None:
    declare(quick_talk)
    quick_talk.say("oncall", "incident ack INC-1")
    for line in roles:
        quick_talk.say("oncall", line)
    before = len(pages(quick_talk, woken))
    quick_talk.wait(minutes=10)
    quick_talk.say("oncall", "incident workaround INC-1 a sign of work, and no update")
    quick_talk.wait(minutes=20)
    missed = next(each for each in quick_talk.evidence("INC-1") if each.action == "incident.update_missed")
    assert (missed.after or {})["person"] == woken
    assert len(pages(quick_talk, woken)) == before + 1


def test_when_nobody_holds_it_the_fallback_owes_the_word(quick_talk: Talk) -> None:
    declare(quick_talk)
    quick_talk.wait(minutes=30)
    missed = next(each for each in quick_talk.evidence("INC-1") if each.action == "incident.update_missed")
    assert (missed.after or {})["person"] == "owner"


def test_an_authors_own_moment_outlives_a_change_of_severity(quick_talk: Talk) -> None:
    declare(quick_talk)
    quick_talk.say("oncall", "incident ack INC-1")
    quick_talk.say("oncall", "incident update INC-1 we look next:2h")
    due = fact(update_section(quick_talk), "Due")
    quick_talk.say("oncall", "incident triage INC-1 medium medium only one office")
    assert fact(update_section(quick_talk), "Due") == due
    assert quick_talk.say("oncall", "incident update INC-1 more news next:8d").form is not None
    assert quick_talk.say("oncall", "incident update INC-1").form is not None


def test_many_updates_stay_readable_in_the_derivation(quick_talk: Talk) -> None:
    declare(quick_talk)
    quick_talk.say("oncall", "incident ack INC-1")
    for number in range(12):
        quick_talk.wait(minutes=10)
        quick_talk.say("oncall", f"incident update INC-1 {number} of twelve")
    why = quick_talk.say("oncall", "sla why INC-1")
    assert [each.title for each in why.more] == [
        "Respond: met", "Resolve: running", "Update: running", "Promises that came before",
    ]  # fmt: skip
    earlier = why.more[-1].table
    assert earlier is not None
    assert [flat(row[0]) for row in earlier.rows][:3] == ["update 1", "update 2", "update 3"]
    assert len(earlier.rows) == 12


# Roles and turns ----------------------------------------------------------------------------------


def test_roles_that_nobody_fills_are_asked_for_ever_less_often(talk: Talk) -> None:
    declare(talk)
    talk.say("oncall", "incident ack INC-1")
    talk.say("oncall", "incident lead INC-1")
    talk.wait(minutes=10)
    asked = "INC-1 has nobody for communications and operations"
    assert talk.told("@oncall").count(asked) == 1
    talk.say("oncall", "incident update INC-1 still on it")
    talk.wait(minutes=20)
    assert talk.told("@oncall").count(asked) == 2
    talk.say("oncall", "incident communications INC-1 backup")
    talk.say("oncall", "incident operations INC-1 backup")
    talk.say("oncall", "incident update INC-1 and on")
    talk.wait(minutes=29)
    assert talk.actions("INC-1").count("incident.roles_asked") == 2
    assert [fact(card(talk), each) for each in ("Lead", "Communications", "Operations")] == [
        "Oli Oncall", "Bo Backup", "Bo Backup",
    ]  # fmt: skip


def test_a_role_is_handed_over_and_both_hear_of_it(quick_talk: Talk) -> None:
    declare(quick_talk)
    quick_talk.say("oncall", "incident ack INC-1")
    quick_talk.say("oncall", "incident lead INC-1")
    assert quick_talk.say("oncall", "incident lead INC-1 me").title == "You have lead of INC-1 already."
    quick_talk.say("manager", "incident lead INC-1 manager")
    assert fact(card(quick_talk), "Lead") == "Oli Oncall", "not by somebody who has nothing to do with it"
    quick_talk.say("backup", "incident lead INC-1 manager")
    given = [each for each in quick_talk.evidence("INC-1") if each.action == "incident.role_given"][-1]
    assert ((given.before or {})["lead"], (given.after or {})["lead"]) == ("oncall", "manager")
    title = "Mika Manager has lead of INC-1"
    assert (quick_talk.told("@manager")[-1], quick_talk.told("@oncall")[-1]) == (title, title)


def test_at_the_end_of_a_turn_what_is_held_goes_on_or_wakes_people_again(talk: Talk) -> None:
    declare(talk)
    talk.say("oncall", "incident ack INC-1")
    talk.say("oncall", "incident lead INC-1")
    assert talk.say("oncall", "incident handoff INC-1 to:backup").title == "Only the desk itself says this."
    as_desk(talk, "incident handoff INC-1 to:backup")
    assert (fact(card(talk), "Held by"), fact(card(talk), "Lead")) == ("Bo Backup", "Bo Backup")
    assert state(talk) == IncidentState.ACKNOWLEDGED
    assert talk.told("@backup")[-1] == "Bo Backup has INC-1 from Oli Oncall"
    before = len(climbed(talk))
    as_desk(talk, "incident untake INC-1")
    assert state(talk) == IncidentState.TRIGGERED
    assert fact(card(talk), "Lead") == ""
    assert climbed(talk)[before:] == [(1, 1, "oncall")]
    as_desk(talk, "incident untake INC-1")
    as_desk(talk, "incident handoff INC-1 to:backup")
    assert talk.actions("INC-1").count("incident.handed_back") == 1


# Belonging ----------------------------------------------------------------------------------------


def test_what_it_has_to_do_with_is_linked_when_it_exists(talk: Talk) -> None:
    declare(talk)
    declare(talk, "incident declare nobody gets in service:vpn impact:low urgency:low")
    talk.say("staff", "request new question is mail down?")
    assert talk.say("oncall", "incident link INC-1 REQ-1").title == "INC-1 has to do with REQ-1"
    assert talk.say("oncall", "incident link INC-1 REQ-9").title == "There is no REQ-9."
    assert talk.say("oncall", "incident link INC-1 INC-1").title == "An incident belongs to itself."
    talk.say("oncall", "incident link INC-1 INC-2")
    assert talk.say("oncall", "incident link INC-1 REQ-1").title == "INC-1 and REQ-1 are linked already."
    assert fact(card(talk), "Belongs to") == "INC-2, REQ-1"
    assert fact(card(talk, "INC-2"), "Belongs to") == "INC-1", "between incidents it is said on both"
    talk.say("oncall", "incident unlink INC-2 INC-1")
    assert fact(card(talk), "Belongs to") == "REQ-1"


def test_merging_keeps_both_histories_and_one_set_of_clocks(talk: Talk) -> None:
    declare(talk)
    declare(talk, f"{MAIL} anyway:yes", person="agent")
    talk.say("oncall", "incident ack INC-1")
    merged = talk.say("oncall", "incident merge INC-2 INC-1")
    assert (merged.title, merged.subject) == ("INC-2 is part of INC-1 now", "INC-1")
    assert (state(talk, "INC-2"), fact(card(talk, "INC-2"), "State")) == ("merged", "merged into INC-1")
    assert [clock(talk, each, "INC-2") for each in ("respond", "update", "resolve")] == ["cancelled"] * 3
    assert clock(talk, "resolve") == "running"
    assert labels(card(talk, "INC-2")) == ["Show INC-1"]
    assert talk.actions("INC-2")[-1] == "incident.merged"
    assert "incident.absorbed" in talk.actions("INC-1")
    late = talk.say("backup", "incident ack INC-2")
    assert (late.title, late.subject) == ("INC-2 was merged into INC-1.", "INC-1")
    talk.wait(minutes=40)
    assert len(climbed(talk, "INC-2")) == 1, "and nobody is woken for it any more"
    talk.say("oncall", "incident update INC-1 nearly there")
    assert "INC-1: mail is down" in talk.told("@agent"), "who reported it hears of the one that goes on"


def test_what_cannot_be_merged_is_refused(quick_talk: Talk) -> None:
    declare(quick_talk)
    declare(quick_talk, f"{MAIL} practice:yes anyway:yes")
    apart = quick_talk.say("oncall", "incident merge INC-2 INC-1")
    assert apart.title == "A practice and a real incident stay apart."
    assert quick_talk.say("oncall", "incident merge INC-1 INC-1").title == "An incident is part of itself."
    assert quick_talk.say("staff", "incident merge INC-2 INC-1").title == "You cannot merge INC-2."
    quick_talk.say("oncall", "incident resolve INC-1 done")
    declare(quick_talk, f"{MAIL} anyway:yes")
    assert (
        quick_talk.say("oncall", "incident merge INC-3 INC-1").title
        == "You cannot merge INC-1: it is resolved."
    )
    assert quick_talk.say("oncall", "incident merge INC-3 INC-9").title == "There is no INC-9."
    assert quick_talk.say("oncall", "incident merge INC-9 INC-9").title == "There is no INC-9."


# Ending -------------------------------------------------------------------------------------------


def resolved(talk: Talk, line: str = MAIL) -> None:
    declare(talk, line)
    talk.say("oncall", "incident ack INC-1")
    talk.say("oncall", "incident resolve INC-1 made room")


def test_a_resolved_incident_counts_as_over_when_nobody_says_no(talk: Talk) -> None:
    resolved(talk)
    talk.wait(days=2)
    assert "incident.resolution_assumed" in talk.actions("INC-1")
    assert "incident.resolution_confirmed" not in talk.actions("INC-1"), (
        "nobody's word is put into their mouth"
    )
    assert talk.told("@oncall")[-1] == "Nobody says that INC-1 is not over"
    talk.say("oncall", "incident close INC-1 a full disk")
    assert state(talk) == IncidentState.CLOSED


def test_the_reporters_no_wakes_people_and_a_workers_no_does_not(talk: Talk) -> None:
    resolved(talk)
    talk.wait(minutes=10)
    talk.say("staff", "incident reopen INC-1 it is slow again")
    assert state(talk) == IncidentState.TRIGGERED
    assert pages(talk, "oncall") == [PAGE, PAGE]
    assert clock(talk, "resolve") == "running", "the promise goes on"
    assert clock(talk, "update") == "running"
    assert clock(talk, "review") == "cancelled"
    talk.say("oncall", "incident ack INC-1")
    talk.say("oncall", "incident resolve INC-1 more room")
    talk.say("oncall", "incident close INC-1 a full disk")
    talk.say("backup", "incident reopen INC-1 I see it again")
    assert (state(talk), fact(card(talk), "Held by")) == (IncidentState.ACKNOWLEDGED, "Bo Backup")
    assert len(pages(talk, "oncall")) == 2
    assert talk.say("approver", "incident reopen INC-1 why").title == "You cannot reopen INC-1."


def test_only_the_reporter_confirms_and_once(quick_talk: Talk) -> None:
    resolved(quick_talk)
    assert flat(quick_talk.say("oncall", "incident confirm INC-1").text) == "Sam Staff, who reported it, can."
    quick_talk.say("staff", "incident confirm INC-1")
    again = quick_talk.say("staff", "incident confirm INC-1")
    assert again.title == "You have confirmed INC-1 already. Thank you!"
    affirmed = [
        each for each in quick_talk.evidence("INC-1") if each.action == "incident.resolution_confirmed"
    ]
    assert [(each.actor, each.practices) for each in affirmed] == [("staff", ("IRP SP 2.4",))]


def test_a_review_is_due_by_severity_and_kept_by_lessons(talk: Talk) -> None:
    resolved(talk)
    assert clock(talk, "review") == "running"
    closed = talk.say("oncall", "incident close INC-1 a full disk")
    assert flat(closed.text) == "It must be looked back upon: incident review INC-1"
    talk.wait(days=4)
    assert any(title.startswith("INC-1: the promise to review is") for title in talk.told("@oncall"))
    reviewed = talk.say("oncall", "incident review INC-1 the alert came too late")
    assert button(reviewed, "Add an action").line == "action add INC-1"
    assert clock(talk, "review") == "met"
    talk.say("oncall", "action add INC-1 alert earlier owner:@backup due:2026-12-24")
    assert any(each.title == "Actions" for each in talk.say("oncall", "incident show INC-1").more)


def test_a_review_that_is_missed_is_told_while_the_incident_is_closed(quick_talk: Talk) -> None:
    resolved(quick_talk)
    quick_talk.say("oncall", "incident close INC-1 a full disk")
    quick_talk.wait(days=6)
    assert clock(quick_talk, "review") == "breached"
    assert "INC-1: the promise to review was broken" in quick_talk.told("@oncall")
    with quick_talk.database.reading() as session:
        rows = [
            row
            for row in Records(session).outbox.of("INC-1")
            if "review" in (row.payload or {"title": ""})["title"]
        ]
    assert all(set(row.while_in) == {"resolved", "closed"} for row in rows)


def test_a_mild_incident_needs_no_review(quick_talk: Talk) -> None:
    resolved(quick_talk, "incident declare mail is slow service:mail impact:medium urgency:medium")
    assert clock(quick_talk, "review") == "none"


@pytest.mark.parametrize(
    ("said", "line", "title"),
    [
        ((), "incident close INC-1 x", "You cannot close INC-1: it is triggered."),
        ((), "incident review INC-1 x", "You cannot review INC-1: it is triggered."),
        ((), "incident reopen INC-1 x", "You cannot reopen INC-1: it is triggered."),
        (("ack", "resolve INC-1 x"), "incident update INC-1 x", "You cannot post an update on INC-1: it is resolved."),
        (("ack", "resolve INC-1 x"), "incident escalate INC-1 x", "You cannot escalate INC-1: it is resolved."),
        (("ack", "resolve INC-1 x"), "incident resolve INC-1 x", "You cannot resolve INC-1: it is resolved."),
        (("resolve INC-1 x", "close INC-1 x"), "incident lead INC-1", "You cannot give a part in INC-1: it is closed."),
    ],
)  # fmt: skip
def test_what_makes_no_sense_now_is_refused_with_what_does(
    quick_talk: Talk, said: tuple[str, ...], line: str, title: str
) -> None:
    declare(quick_talk)
    for each in said:
        verb, _, rest = each.partition(" ")
        quick_talk.say("oncall", f"incident {verb} {rest or 'INC-1'}")
    before = quick_talk.actions("INC-1")
    refused = quick_talk.say("oncall", line)
    assert refused.title == title
    assert flat(refused.text)
    assert refused.subject == "INC-1", "a stale click answers with the card as it is now"
    assert quick_talk.actions("INC-1") == before


# Figures, looking, and what is outside ------------------------------------------------------------


def test_a_practice_takes_the_same_road_and_stays_out_of_every_figure(talk: Talk) -> None:
    declare(talk, f"{MAIL} practice:yes")
    assert pages(talk, "oncall") == ["INC-1 · PRACTICE · SEV1 · mail is down"]
    assert fact(card(talk), "Practice") == "yes: it is in no figure"
    talk.wait(hours=5)
    assert clock(talk, "respond") == "breached"
    assert talk.say("manager", "sla breaches within:week").title.startswith("0 broken promises")
    status = talk.say("manager", "sla status")
    assert status.table is not None
    assert status.table.rows == ()
    assert fact(status, "Clocks now") == "none open"
    declare(talk, f"{MAIL}")
    assert fact(talk.say("manager", "sla status"), "Clocks now") == "3 running"


def test_lists_are_by_scope_and_words_and_page(quick_talk: Talk) -> None:
    for number in range(12):
        declare(
            quick_talk,
            f"incident declare printer{number} mute service:mail impact:low urgency:low anyway:yes",
        )
    first = quick_talk.say("agent", "incident list")
    assert first.title == "12 of open incidents, page 1 of 2"
    assert len(quick_talk.say("agent", button(first, "Next").line).table.rows) == 2  # type: ignore[union-attr]
    assert (
        quick_talk.say("agent", "incident list open printer7").title == "1 of open incidents about “printer7”"
    )
    assert quick_talk.say("agent", "incident list mine").title == "0 of incidents that are yours"
    assert quick_talk.say("staff", "incident list mine").title.startswith("12 of incidents that are yours")
    assert quick_talk.say("oncall", "incident list team").title.startswith("12 of your team's open incidents")
    quick_talk.say("oncall", "incident resolve INC-1 x")
    assert quick_talk.say("agent", "incident list").title.startswith("11 of")


def test_the_timeline_is_the_evidence(quick_talk: Talk) -> None:
    declare(quick_talk)
    quick_talk.say("oncall", "incident ack INC-1")
    quick_talk.say("oncall", "incident update INC-1 the disk is full")
    shown = quick_talk.say("staff", "incident show INC-1")
    rows = [(flat(row[1]), flat(row[2])) for row in shown.more[0].table.rows]  # type: ignore[union-attr]
    assert ("Oli Oncall", "status posted: the disk is full") in rows
    assert ("Oli Oncall", "acknowledged") in rows


def test_everybody_sees_the_buttons_that_are_theirs(quick_talk: Talk) -> None:
    declare(quick_talk)
    assert labels(quick_talk.say("staff", "incident show INC-1")) == ["Why these times?"]
    assert labels(quick_talk.say("approver", "incident show INC-1")) == ["Why these times?", "Follow"]
    assert labels(quick_talk.say("oncall", "incident show INC-1"))[:2] == ["Acknowledge", "Take"]
    quick_talk.say("oncall", "incident ack INC-1")
    quick_talk.say("oncall", "incident resolve INC-1 made room")
    assert labels(quick_talk.say("staff", "incident show INC-1")) == [
        "It works again",
        "Reopen",
        "Why these times?",
    ]


def test_a_card_that_could_not_be_posted_shows_and_can_be_repaired(talk: Talk) -> None:
    declare(talk)
    with talk.database.writing() as session:
        records = Records(session)
        row = next(each for each in records.outbox.of("INC-1") if each.kind == "card")
        row.state, row.open, row.reason = "given up", False, "the channel is archived"
        session.add(row)
    assert fact(card(talk), "No card on console") == "the channel is archived"
    assert "Repair" in labels(talk.say("oncall", "incident show INC-1"))
    assert talk.say("staff", "incident repair INC-1").title == "You cannot repair INC-1."
    repaired = talk.say("oncall", "incident repair INC-1")
    assert repaired.title == "1 message of INC-1 on the way again"
    assert fact(card(talk), "No card on console") == ""
    assert talk.say("oncall", "incident repair INC-1").title == "INC-1 is missing nothing."


def test_a_page_in_trouble_shows_on_the_card_with_its_next_attempt(talk: Talk) -> None:
    declare(talk)
    with talk.database.writing() as session:
        row = next(each for each in Records(session).outbox.of("INC-1") if each.kind == "page")
        row.state, row.reason = "retry", "rate limited"
        session.add(row)
    trouble = fact(card(talk), "Not reached: Oli Oncall")
    assert trouble.startswith("console: rate limited, tried again 2026-11-23 08:00")
    talk.say("oncall", "incident ack INC-1")
    talk.say("oncall", "incident resolve INC-1 x")
    assert fact(card(talk), "Not reached: Oli Oncall") == ""


def test_erasing_a_person_blanks_what_they_wrote_about_incidents(quick_talk: Talk) -> None:
    declare(quick_talk)
    quick_talk.say("oncall", "incident ack INC-1")
    quick_talk.say("oncall", "incident update INC-1 the disk is full")
    quick_talk.say("owner", "privacy erase @staff")
    assert card(quick_talk).title == "INC-1 · SEV1 · mail (erased)"
    assert fact(card(quick_talk), "Last update") == "the disk is full"
    quick_talk.say("owner", "privacy erase @oncall")
    assert fact(card(quick_talk), "Last update") == "(erased)"
    assert quick_talk.say("manager", "evidence verify").tone is Tone.GOOD


def test_an_incident_keeps_the_escalation_that_it_began_with(quick_talk: Talk) -> None:
    declare(quick_talk)
    policy = quick_talk.policy
    other = replace(
        policy.escalations["platform"], levels=policy.escalations["platform"].levels[:1], rounds=1
    )
    quick_talk.policy = replace(
        policy, escalations={**policy.escalations, "platform": other}, version="later"
    )
    quick_talk.wait(minutes=5)
    assert climbed(quick_talk)[-1] == (1, 2, "oncall", "backup")


def test_every_severity_has_a_rule_even_where_the_policy_names_none(quick_talk: Talk) -> None:
    rules = quick_talk.policy.incidents
    assert rules is not None
    few = replace(rules, severities={Severity.SEV1: rules.severities[Severity.SEV1]})
    quick_talk.policy = replace(quick_talk.policy, incidents=few, version="few")
    declare(quick_talk, "incident declare slow mail service:mail impact:low urgency:low")
    assert len(climbed(quick_talk)) == 1


def test_home_shows_the_incidents_that_are_ones_own(quick_talk: Talk) -> None:
    assert "incident declare" in [each.line for each in quick_talk.say("staff", "desk home").buttons]
    declare(quick_talk)
    quick_talk.say("oncall", "incident ack INC-1")
    for person in ("staff", "oncall"):
        assert quick_talk.say(person, "desk home").more[0].title == "Open incidents that are yours (1)"
    assert quick_talk.say("agent", "desk home").more[0].title != "Open incidents that are yours (1)"
    assert fact(quick_talk.say("agent", "desk status"), "Open incidents") == "1"


def test_an_update_and_no_change_at_once_are_asked_apart(quick_talk: Talk) -> None:
    quick_talk.say("oncall", "incident declare no mail service:mail impact:high urgency:high")
    both = quick_talk.say("oncall", "incident update INC-1 text:“one thing” nochange:“another”").form
    assert both is not None
    assert {each.key: each.error for each in both.fields}["text"] == "Say only one of the two."
    assert "incident.updated" not in quick_talk.actions("INC-1")
