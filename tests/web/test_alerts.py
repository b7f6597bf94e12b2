"""Does what monitoring systems say become incidents, as few as make sense, and nobody woken twice?"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from config.policy import Role
from handlers.messages import Tone
from tests.web.conftest import Monitored
from tests.web.senders import alert, alertmanager, grafana, grafana_alert, pagerduty

PAGES = ("page",)


def pages(desk: Monitored) -> int:
    """How many pages are on their way."""
    with desk.talk.database.reading() as session:
        from storage.unit_of_work import Records

        rows = Records(session).outbox.listed(["pending", "sending", "retry", "sent", "skipped"], 10_000)
    return sum(row.kind == "page" for row in rows)


# Each sender's own shape ---------------------------------------------------------------------------------


async def test_an_alert_of_prometheus_opens_an_incident_and_wakes_somebody(monitored: Monitored):
    answer = await monitored.send("prometheus", alertmanager(alert()))
    assert (answer.status_code, answer.json()) == (200, {"status": "success", "keys": ["d5e08c84ef09a8b8"]})
    incident = monitored.incident()
    assert (incident.title, incident.service) == ("Disk on host-7:9100", "network")
    assert (incident.impact, incident.urgency, incident.severity) == ("medium", "high", "SEV2")
    assert (incident.reporter, incident.alert, incident.state) == ("desk", "ALT-1", "triggered")
    assert incident.detail == (
        "Nothing can be written any more.\n"
        "http://prometheus.example.org:9090/graph?g0.expr=disk_free+%3D%3D+0&g0.tab=1"
    )
    assert pages(monitored) > 0
    assert monitored.talk.actions("INC-1")[:2] == ["incident.reported", "incident.declared"]
    assert monitored.talk.actions("ALT-1") == ["alert.fired"]
    [fired] = monitored.talk.evidence("ALT-1")
    assert fired.practices == ("SD SP 3.2", "IRP SP 2.1")
    assert fired.after == {"state": "firing", "source": "prometheus", "urgency": "high", "incident": "INC-1"}


async def test_what_alertmanager_sends_together_is_one_incident_that_ends_with_its_last_alert(
    monitored: Monitored,
):
    disk, other = alert("a1"), alert("b2", instance="host-8:9100", severity="warning")
    await monitored.accept("prometheus", alertmanager(disk, other))
    assert monitored.incident().title == "Disk on host-7:9100 and 1 more"
    assert monitored.incident().urgency == "high", "the most urgent of them counts"
    await monitored.accept("prometheus", alertmanager(alert("a1", over=True), other))
    assert monitored.incident().state == "triggered"
    await monitored.accept("prometheus", alertmanager(alert("a1", over=True), alert("b2", over=True)))
    assert monitored.incident().state == "resolved"
    assert {each.state for each in monitored.alerts().values()} == {"over"}
    assert monitored.talk.actions("ALT-2") == ["alert.fired", "alert.ended"]


async def test_a_label_names_the_service_when_it_is_one_of_ours(monitored: Monitored):
    await monitored.accept("prometheus", alertmanager(alert("a1", service="laptops"), group="one"))
    await monitored.accept("prometheus", alertmanager(alert("b2", service="unheard-of"), group="two"))
    assert [each.service for each in monitored.incidents()] == ["laptops", "network"]


async def test_an_event_of_the_events_api_is_triggered_acknowledged_and_resolved(monitored: Monitored):
    answer = await monitored.send("pager", pagerduty())
    assert answer.status_code == 202
    assert answer.json() == {"status": "success", "message": "Event processed", "dedup_key": "samplekey"}
    incident = monitored.incident()
    assert (incident.title, incident.urgency) == ("Example alert on host1.example.com", "high")
    assert incident.detail is not None
    assert "component: postgres\ngroup: prod-datapipe\nclass: deploy\nping time: 1500ms" in incident.detail
    assert incident.detail.endswith("https://example.com/")
    await monitored.accept("pager", pagerduty("acknowledge"))
    assert monitored.incident().state == "acknowledged"
    await monitored.accept("pager", pagerduty("resolve"))
    assert monitored.incident().state == "resolved"
    assert monitored.talk.actions("ALT-1") == ["alert.fired", "alert.acknowledged", "alert.ended"]


async def test_an_event_without_a_key_gets_one_and_the_same_event_has_the_same(monitored: Monitored):
    first = await monitored.accept("pager", pagerduty(key=None))
    again = await monitored.accept("pager", pagerduty(key=None))
    other = await monitored.accept("pager", pagerduty(key=None, summary="Another one"))
    keys = [each.json()["dedup_key"] for each in (first, again, other)]
    assert keys[0] == keys[1] != keys[2]
    assert len(monitored.incidents()) == 2
    await monitored.accept("pager", pagerduty("resolve", keys[0]))
    assert [each.state for each in monitored.incidents()] == ["resolved", "triggered"]


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
async def test_an_event_about_nothing_that_fires_is_dropped(quick: Monitored, action: str):
    before = quick.everything()
    await quick.accept("pager", pagerduty(action))
    assert quick.changed(before) == {"alert_source"}


async def test_grafana_signs_what_it_sends(monitored: Monitored):
    memory, processor = (
        grafana_alert("c6eadffa33fcdf37", "high memory"),
        grafana_alert("bc97ff14869b13e3", "high CPU"),
    )
    await monitored.accept("grafana", grafana(memory, processor))
    assert monitored.incident().title == "high memory in zone us-1 and 1 more"
    over = [grafana_alert(each["fingerprint"], "it", over=True) for each in (memory, processor)]
    await monitored.accept("grafana", grafana(*over))
    assert monitored.incident().state == "resolved"


async def test_any_json_needs_no_more_than_a_title(monitored: Monitored):
    await monitored.accept("scripts", {"title": "The backup failed"})
    await monitored.accept("scripts", {"title": "The backup failed"})
    await monitored.accept("scripts", {"title": "The fan stands still", "severity": "critical", "key": 7})
    assert [(each.title, each.severity) for each in monitored.incidents()] == [
        ("The backup failed", "SEV2"),
        ("The fan stands still", "SEV1"),
    ]
    await monitored.accept("scripts", {"title": "The fan turns", "key": 7, "state": "OK"})
    assert [each.state for each in monitored.incidents()] == ["triggered", "resolved"]


async def test_a_mapping_says_where_in_any_json_things_lie(quick: Monitored):
    event = {
        "id": 12345,
        "title": "Line down",
        "lines": ["No carrier", "More"],
        "level": "warning",
        "status": "open",
        "url": "https://nms.example.org/12345",
    }
    await quick.accept("nested", {"event": event})
    incident = quick.incident()
    assert (incident.title, incident.urgency) == ("Line down", "medium")
    assert incident.detail == "No carrier\nhttps://nms.example.org/12345"
    await quick.accept("nested", {"event": {**event, "status": "closed"}})
    assert quick.incident().state == "resolved"


async def test_a_token_is_taken_as_a_password_too(quick: Monitored):
    import base64

    basic = base64.b64encode(f"anybody:{quick.token('scripts')}".encode()).decode()
    answer = await quick.send("scripts", {"title": "It works"}, authorization=f"Basic {basic}")
    assert answer.status_code == 200


# As few incidents as make sense --------------------------------------------------------------------------


async def test_what_is_told_again_is_counted_and_changes_nothing_else(monitored: Monitored):
    await monitored.accept("prometheus", alertmanager(alert()))
    before = monitored.everything()
    for _ in range(3):
        await monitored.accept("prometheus", alertmanager(alert()))
    assert monitored.changed(before) == {"alert"}
    assert monitored.alerts()["d5e08c84ef09a8b8"].count == 4


async def test_two_alertmanagers_that_tell_the_same_at_once_open_one_incident(monitored: Monitored):
    said = alertmanager(alert())
    await asyncio.gather(*(monitored.accept("prometheus", said) for _ in range(6)))
    assert monitored.incident().alert == "ALT-1"
    assert monitored.alerts()["d5e08c84ef09a8b8"].count == 6
    assert monitored.talk.actions("ALT-1") == ["alert.fired"]


async def test_a_further_alert_of_the_same_group_joins_and_is_noted(monitored: Monitored):
    await monitored.accept("prometheus", alertmanager(alert("a1")))
    woken = pages(monitored)
    await monitored.accept("prometheus", alertmanager(alert("a1"), alert("b2", instance="host-8:9100")))
    assert monitored.incident().alert == "ALT-1"
    assert monitored.alerts()["b2"].incident == 1
    assert pages(monitored) == woken
    assert "incident.noted" in monitored.talk.actions("INC-1")


async def test_an_alert_that_becomes_more_urgent_makes_its_incident_so(monitored: Monitored):
    await monitored.accept("pager", pagerduty(severity="info"))
    assert monitored.incident().severity == "SEV4"
    assert pages(monitored) == 0, "nobody is woken for this"
    await monitored.accept("pager", pagerduty(severity="critical"))
    assert monitored.incident().severity == "SEV2"
    assert pages(monitored) > 0
    await monitored.accept("pager", pagerduty(severity="info"))
    assert monitored.incident().severity == "SEV2"


async def test_what_people_thought_of_the_urgency_stands_while_the_alert_says_nothing_new(
    monitored: Monitored,
):
    await monitored.accept("pager", pagerduty(severity="critical"))
    monitored.talk.say("oncall", "incident triage INC-1 urgency:low")
    await monitored.accept("pager", pagerduty(severity="critical"))
    assert monitored.incident().urgency == "low"


async def test_a_source_that_may_not_resolve_leaves_a_note(monitored: Monitored):
    await monitored.accept("careful", {"title": "Smoke"})
    await monitored.accept("careful", {"title": "Smoke", "state": "ok"})
    assert monitored.incident().state == "triggered"
    assert "incident.noted" in monitored.talk.actions("INC-1")


@pytest.mark.parametrize(("minutes", "incidents"), [(9, 1), (10, 2)])
async def test_what_fires_again_within_ten_minutes_reopens_its_incident(
    monitored: Monitored, minutes: int, incidents: int
):
    await monitored.accept("scripts", {"title": "Flapping"})
    await monitored.accept("scripts", {"title": "Flapping", "state": "ok"})
    monitored.talk.wait(minutes=minutes)
    await monitored.accept("scripts", {"title": "Flapping"})
    assert len(monitored.incidents()) == incidents
    assert monitored.incidents()[-1].state == "triggered"
    assert monitored.alerts().popitem()[1].incident == incidents


async def test_what_still_fires_after_people_resolved_its_incident_long_ago_opens_a_new_one(
    monitored: Monitored,
):
    await monitored.accept("prometheus", alertmanager(alert()))
    assert monitored.talk.say("oncall", "incident resolve INC-1 it looked fine").tone is Tone.GOOD
    monitored.talk.wait(hours=4)
    await monitored.accept("prometheus", alertmanager(alert()))
    assert [each.state for each in monitored.incidents()][-1] == "triggered"
    assert len(monitored.incidents()) == 2


async def test_alerts_follow_an_incident_that_was_merged(monitored: Monitored):
    await monitored.accept("scripts", {"title": "One"})
    await monitored.accept("scripts", {"title": "Two"})
    assert monitored.talk.say("oncall", "incident merge INC-2 INC-1").tone is Tone.GOOD
    await monitored.accept("scripts", {"title": "Two"})
    assert len(monitored.incidents()) == 2
    await monitored.accept("scripts", {"title": "Two", "state": "ok"})
    assert monitored.incidents()[0].state == "triggered", "the other alert fires still"
    await monitored.accept("scripts", {"title": "One", "state": "ok"})
    assert monitored.incidents()[0].state == "resolved"


async def test_more_alerts_than_a_storm_within_five_minutes_share_one_incident(monitored: Monitored):
    for number in range(3):
        await monitored.accept("stormy", {"title": f"Host {number}"})
    assert len(monitored.incidents()) == 3
    woken = pages(monitored)
    await monitored.accept("stormy", {"title": "Host 3"})
    assert monitored.incidents()[-1].title == "More than 3 alerts from Stormy within five minutes"
    assert pages(monitored) > woken
    woken = pages(monitored)
    for number in range(4, 40):
        await monitored.accept("stormy", {"title": f"Host {number}"})
    assert len(monitored.incidents()) == 4
    assert pages(monitored) == woken, "a storm wakes people once"
    await monitored.accept("scripts", {"title": "Not of the storm"})
    assert len(monitored.incidents()) == 5
    for number in range(3, 40):
        assert monitored.incidents()[3].state == "triggered"
        await monitored.accept("stormy", {"title": f"Host {number}", "state": "ok"})
    assert monitored.incidents()[3].state == "resolved"


async def test_after_a_storm_every_alert_has_its_own_incident_again(monitored: Monitored):
    for number in range(4):
        await monitored.accept("stormy", {"title": f"Host {number}"})
    monitored.talk.wait(minutes=5)
    await monitored.accept("stormy", {"title": "Host 4"})
    assert [each.title for each in monitored.incidents()][-1] == "Host 4"


async def test_a_storm_that_comes_at_once_opens_no_incident_too_many(monitored: Monitored):
    await asyncio.gather(*(monitored.accept("stormy", {"title": f"Host {number}"}) for number in range(20)))
    assert len(monitored.incidents()) == 4


async def test_a_severity_of_none_is_a_sign_of_life_and_nothing_more(quick: Monitored):
    before = quick.everything()
    await quick.accept("prometheus", alertmanager(alert(alertname="Watchdog", severity="none")))
    assert quick.changed(before) == {"alert_source"}


# Silence -------------------------------------------------------------------------------------------------


async def test_a_source_that_is_silent_too_long_wakes_somebody_until_it_speaks_again(monitored: Monitored):
    await monitored.accept("backup", {"title": "Alive", "state": "ok"})
    monitored.talk.wait(minutes=9)
    await monitored.accept("backup", {"title": "Alive", "state": "ok"})
    monitored.talk.wait(minutes=9)
    assert monitored.incidents() == []
    monitored.talk.wait(minutes=2)
    incident = monitored.incident()
    assert (incident.title, incident.urgency) == ("Backup has been silent for 10m", "high")
    assert incident.detail == "Last heard 2026-11-23 08:09 UTC."
    assert pages(monitored) > 0
    monitored.talk.wait(hours=3)
    assert len(monitored.incidents()) == 1
    await monitored.accept("backup", {"title": "Alive", "state": "ok"})
    assert monitored.incident().state == "resolved"
    monitored.talk.wait(minutes=20)
    assert [each.state for each in monitored.incidents()] == ["resolved", "triggered"]


async def test_a_source_that_never_spoke_is_missed_from_the_start_on(monitored: Monitored):
    monitored.talk.tend()
    monitored.talk.wait(minutes=11)
    assert monitored.incident().detail == "Never heard so far."


async def test_a_source_is_not_blamed_for_the_time_in_which_the_desk_was_away(monitored: Monitored):
    await monitored.accept("backup", {"title": "Alive", "state": "ok"})
    monitored.talk.clock.set(monitored.talk.clock.now().replace(hour=20))
    monitored.talk.ring()
    assert monitored.incidents() == []
    monitored.talk.wait(minutes=11)
    assert monitored.incident().title == "Backup has been silent for 10m"


@pytest.mark.parametrize("tended", [True, False])
@pytest.mark.parametrize("gone", [True, False])
async def test_a_source_that_need_not_speak_any_more_is_not_missed(
    quick: Monitored, gone: bool, tended: bool
):
    await quick.accept("backup", {"title": "Alive", "state": "ok"})
    alerts = {key: each for key, each in quick.talk.policy.alerts.items() if key != "backup"}
    if not gone:
        alerts["backup"] = replace(quick.source("backup"), heartbeat=None)
    quick.talk.policy = replace(quick.talk.policy, alerts=alerts)
    if tended:
        quick.talk.tend()
    quick.talk.wait(hours=1)
    assert quick.incidents() == []


# Looking -------------------------------------------------------------------------------------------------


async def test_responders_see_what_fires_and_who_told_so(monitored: Monitored):
    await monitored.accept("prometheus", alertmanager(alert("a1"), alert("b2", instance="host-8:9100")))
    await monitored.accept("scripts", {"title": "The fan stands still", "key": "fan"})
    await monitored.accept("scripts", {"title": "The fan turns", "key": "fan", "state": "ok"})
    listed = monitored.talk.say("oncall", "alert list")
    assert listed.title == "Firing now: 2 alerts"
    assert listed.table is not None
    assert [row[0] for row in listed.table.rows] == [("ALT-2",), ("ALT-1",)]
    assert monitored.talk.say("oncall", "alert list over").title == "Over: 1 alert"
    assert monitored.talk.say("oncall", "alert list all source:scripts").title == "In all: 1 alert"
    shown = monitored.talk.say("oncall", "alert show ALT-1")
    assert shown.title == "ALT-1 · Disk on host-7:9100"
    assert [each.line for each in shown.buttons] == ["incident show INC-1"]
    assert monitored.talk.say("oncall", "alt-1").title == shown.title
    assert monitored.talk.say("oncall", "evidence trail ALT-1").tone is Tone.PLAIN
    assert monitored.talk.say("oncall", "alert show ALT-9").title == "There is no ALT-9."


async def test_staff_do_not_see_the_machines(quick: Monitored):
    await quick.accept("prometheus", alertmanager(alert()))
    assert Role.RESPONDER not in quick.talk.policy.access.grants.get(Role.STAFF, ())
    for line in ("alert list", "alert show ALT-1", "alert rejected"):
        assert quick.talk.say("staff", line).title == "Alerts are for those who respond to them."
