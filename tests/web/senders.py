"""What monitoring systems really send: payloads as their own programs and documentation show them."""

from __future__ import annotations

from typing import Any


def alertmanager(
    *alerts: dict[str, Any], group: str = '{}:{alertname="Disk"}', status: str = ""
) -> dict[str, Any]:
    """A notification as Alertmanager 0.25 posts it (webhook version 4)."""
    firing = any(each["status"] == "firing" for each in alerts)
    return {
        "receiver": "deskbell",
        "status": status or ("firing" if firing else "resolved"),
        "alerts": list(alerts),
        "groupLabels": {"alertname": "Disk"},
        "commonLabels": {"alertname": "Disk"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.org:9093",
        "version": "4",
        "groupKey": group,
        "truncatedAlerts": 0,
    }


def alert(fingerprint: str = "d5e08c84ef09a8b8", *, over: bool = False, **labels: str) -> dict[str, Any]:
    """One alert of such a notification."""
    known = {"alertname": "Disk", "severity": "critical", "instance": "host-7:9100", **labels}
    return {
        "status": "resolved" if over else "firing",
        "labels": known,
        "annotations": {
            "summary": f"{known['alertname']} on {known['instance']}",
            "description": "Nothing can be written any more.",
        },
        "startsAt": "2026-11-23T07:58:51.669508323Z",
        "endsAt": "2026-11-23T08:03:51.669508323Z" if over else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.org:9090/graph?g0.expr=disk_free+%3D%3D+0&g0.tab=1",
        "fingerprint": fingerprint,
    }


def grafana(*alerts: dict[str, Any], group: str = "{}/{}:{alertname='Memory'}") -> dict[str, Any]:
    """A notification of Grafana's contact point Webhook, as its documentation shows it."""
    return {
        "receiver": "My Super Webhook",
        "status": "firing",
        "orgId": 1,
        "alerts": list(alerts),
        "groupLabels": {},
        "commonLabels": {"team": "blue"},
        "commonAnnotations": {},
        "externalURL": "https://play.grafana.example/",
        "version": "1",
        "groupKey": group,
        "truncatedAlerts": 0,
        "title": "[FIRING:2]  (blue)",
        "state": "alerting",
        "message": "**Firing**\n\nLabels:\n - alertname = T2\n - team = blue\n",
    }


def grafana_alert(fingerprint: str, name: str, *, over: bool = False) -> dict[str, Any]:
    """One alert of such a notification."""
    return {
        "status": "resolved" if over else "firing",
        "labels": {"alertname": name, "team": "blue", "zone": "us-1"},
        "annotations": {
            "description": f"The system has {name}",
            "runbook_url": "https://myrunbook.example/runbook/1234",
            "summary": f"{name} in zone us-1",
        },
        "startsAt": "2021-10-12T09:51:03.157076+02:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "https://play.grafana.example/alerting/1afz29v7z/edit",
        "fingerprint": fingerprint,
        "silenceURL": "https://play.grafana.example/alerting/silence/new?alertmanager=grafana",
        "dashboardURL": "",
        "panelURL": "",
        "values": {"B": 44.23943737541908, "C": 1},
    }


def pagerduty(action: str = "trigger", key: str | None = "samplekey", **payload: Any) -> dict[str, Any]:
    """An event of PagerDuty's Events API v2, as its documentation shows it; `payload` changes parts of it."""
    event: dict[str, Any] = {"event_action": action}
    if key is not None:
        event["dedup_key"] = key
    if action != "trigger":
        return event
    return event | {
        "payload": {
            "summary": "Example alert on host1.example.com",
            "timestamp": "2015-07-17T08:42:58.315+0000",
            "source": "monitoringtool:cloudvendor:central-region-dc-01:852559987:cluster/api-stats-prod-003",
            "severity": "critical",
            "component": "postgres",
            "group": "prod-datapipe",
            "class": "deploy",
            "custom_details": {"ping time": "1500ms", "load avg": 0.75},
            **payload,
        },
        "images": [
            {"src": "https://www.example.org/logo.png", "href": "https://example.com/", "alt": "Example text"}
        ],
        "links": [{"href": "https://example.com/", "text": "Link text"}],
        "client": "Sample Monitoring Service",
        "client_url": "https://monitoring.example.com",
    }
