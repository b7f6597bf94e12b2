"""A small policy that is right, to be made wrong one line at a time."""

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


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The right policy in a folder, with some files written otherwise."""
    for name, content in {**RIGHT, **files}.items():
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder
