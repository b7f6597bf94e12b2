"""Does the running desk know by itself who is on call, heed a changed rota, and serve it as a calendar?"""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from icalendar import Calendar

from tests.harness.house import POLICIES
from tests.running.program import Program, Serving, wait_until


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A desk with a policy of its own."""
    folder = tmp_path_factory.mktemp("rotas")
    shutil.copytree(POLICIES, folder / "policies")
    return Program(folder, DESKBELL_CONFIG=str(folder / "policies"), DESKBELL_LOG_LEVEL="debug")


@pytest.fixture(scope="module")
def desk(program: Program) -> Iterator[Serving]:
    """It runs; the tests below share it, in their order."""
    with program.serving() as running:
        yield running


def facts(program: Program, line: str) -> dict[str, str]:
    """The facts of an answer to the person on call."""
    said = json.loads(program.succeed("say", "--json", line, "--as", "oncall"))
    return {each["label"]: "".join(map(str, each["value"])) for each in said["facts"]}


def test_the_address_that_a_person_is_given_opens_their_calendar(program: Program, desk: Serving) -> None:
    told = facts(program, "oncall rota platform")
    for label, name in (
        ("Your turns as a calendar", "person/oncall"),
        ("This rota as a calendar", "rota/platform"),
    ):
        address = urlsplit(told[label])
        assert address.path == f"/feeds/{name}.ics"
        answer = desk.get(f"{address.path}?{address.query}")
        assert answer.status_code == 200
        assert Calendar.from_ical(answer.text).walk("VEVENT")
        assert desk.get(f"{address.path}?{address.query}x").status_code == 404
        assert address.query.partition("=")[2] not in desk.said, "no log holds the token"
    assert stat.S_IMODE((program.home / "secret.key").stat().st_mode) == 0o600


def test_a_changed_rota_is_taken_up_and_told_in_its_room(program: Program, desk: Serving) -> None:
    assert "is on call now" not in desk.get("/console/agent/on-call").text
    path = Path(program.environment["DESKBELL_CONFIG"]) / "rotas.yaml"
    turned = path.read_text(encoding="utf-8").replace("people: [oncall, backup]", "people: [backup, oncall]")
    path.write_text(turned, encoding="utf-8")
    wait_until(lambda: "is on call now" in desk.get("/console/agent/on-call").text, lambda: desk.said)


def test_a_start_in_a_later_turn_tells_what_has_changed_meanwhile(program: Program, desk: Serving) -> None:
    assert desk.stop()[0] == 0
    path = Path(program.environment["DESKBELL_CONFIG"]) / "rotas.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("[backup, oncall]", "[oncall, backup]"), encoding="utf-8"
    )
    with program.serving() as again:
        wait_until(
            lambda: again.get("/console/agent/on-call").text.count("is on call now") == 2, lambda: again.said
        )
