"""Small policies that are right, to be made wrong one line at a time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

RIGHT: Mapping[str, str] = {
    "organisation.yaml": "name: Small\nzone: Europe/Berlin\nrequests_room: desk\nowner_room: desk\n",
    "people.yaml": "ann:\n  name: Ann\nbob:\n  name: Bob\n  manager: ann\n",
    "teams.yaml": "help:\n  name: Help\n  members: [ann, bob]\n  room: desk\n",
    "rooms.yaml": "desk:\n  name: Desk\n",
    "services.yaml": "mail:\n  name: Mail\n  owner: ann\n  team: help\n",
    "calendars.yaml": (
        "office:\n  name: Office\n  zone: Europe/Berlin\n  hours:\n"
        "    - {days: [mon, tue], opens: 09:00, closes: 17:00}\n"
        "always:\n  name: Always\n  zone: UTC\n  always: yes\n"
    ),
    "agreements.yaml": (
        "standard:\n  name: Standard\n  targets:\n"
        "    - promise: respond\n      calendar: office\n      within: {P3: 4h}\n"
    ),
    "catalogue.yaml": "box:\n  name: Box\n  service: mail\n  agreement: standard\n  team: help\n",
}

ON_CALL: Mapping[str, str] = {
    "people.yaml": (
        "ann:\n  name: Ann\n  email: ann@example.org\nbob:\n  name: Bob\n  email: bob@example.org\n"
        "cyd:\n  name: Cyd\n"
    ),
    "calendars.yaml": RIGHT["calendars.yaml"]
    + (
        "closing:\n  name: Closing\n  zone: Europe/Berlin\n  holidays: {own: {2029-05-02: Anniversary}}\n"
        "  hours: [{days: mon, opens: 09:00, closes: 17:00}]\n"
    ),
    "agreements.yaml": RIGHT["agreements.yaml"]
    + (
        "incident:\n  name: Incident\n  targets:\n"
        "    - {promise: respond, calendar: always, within: {P1: 15m, P2: 30m, P3: 4h, P4: 1d}}\n"
        "    - {promise: update, calendar: always, within: {P1: 30m, P2: 1h, P3: 4h, P4: 1d}}\n"
        "    - {promise: resolve, calendar: always, within: {P1: 4h, P2: 8h, P3: 2d, P4: 5d}}\n"
    ),
    "rotas.yaml": (
        "day:\n  name: Day\n  zone: Europe/Berlin\n  room: desk\n  layers:\n"
        '    - {people: [ann, bob], starts: "2026-01-05 09:00"}\n'
    ),
    "escalations.yaml": (
        'first:\n  name: First\n  levels:\n    - {notify: "rota:day"}\n'
        '    - {notify: ["@help", bob, "#desk"]}\n  fallback: ann\n'
    ),
    "incidents.yaml": "room: desk\nagreement: incident\nescalation: first\n",
    "alerts.yaml": "probe:\n  name: Probe\n  kind: alertmanager\n  service: mail\n",
}
"""What waking people needs on top of it, and right as well; nobody pages Cyd."""


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The right policy in a folder, with some files written otherwise."""
    for name, content in {**RIGHT, **files}.items():
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder
