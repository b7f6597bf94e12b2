"""Does the program look after what it keeps: check, doctor, backup, restore, release, export?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.running.program import Program, wait_until

SAID = ("request new question why?", "request new question how? anyway:yes")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A desk with two requests, whose messages nobody has sent yet."""
    program = Program(tmp_path_factory.mktemp("original"))
    assert "Applied migration" in program.succeed("migrate")
    for line in SAID:
        program.succeed("say", line, "--as", "staff")
    return program


@pytest.fixture(scope="module")
def copy(original: Program, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The same, put back from a backup elsewhere."""
    folder = tmp_path_factory.mktemp("copy")
    said = original.succeed("backup", str(folder / "desk[1].zip"))
    assert f"in {folder / 'desk[1].zip'}. Keep it as safe as the store." in said
    program = Program(folder)
    assert "Nothing leaves this copy" in program.succeed("restore", "desk[1].zip")
    return program


def refusals(program: Program, *commands: tuple[dict[str, str], tuple[str, ...]]) -> list[str]:
    """What commands say that must fail, at once on every processor; no traceback among it."""

    def refused(command: tuple[dict[str, str], tuple[str, ...]]) -> str:
        environment, arguments = command
        ended = program.run(*arguments, **environment)
        assert ended.returncode == 1, (arguments, ended.stdout, ended.stderr)
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.stderr

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(refused, commands))


def test_whatever_is_wrong_is_told_with_what_to_do_and_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/organisation.yaml").write_text("name: Us\nzone: Berlin\nroom: none\n")
    program = Program(tmp_path)
    away = "postgresql://desk:canary-password@127.0.0.1:9/desk"
    port, level, policy, schema, store, no_backup = refusals(
        program,
        ({"PORT": "many"}, ("check",)),
        ({"DESKBELL_LOG_LEVEL": "loud", "DESKBELL_CONSOL": "on"}, ("serve",)),
        ({}, ("check", "policies")),
        ({}, ("say", "desk home", "--as", "staff")),
        ({"DATABASE_URL": away, "DESKBELL_LOG_LEVEL": "debug"}, ("migrate",)),
        ({}, ("restore", str(tmp_path / "policies/organisation.yaml"))),
    )
    assert port.startswith("PORT: is not a port")
    assert "DESKBELL_LOG_LEVEL: " in level
    assert "did you mean DESKBELL_CONSOLE?" in level
    assert "organisation.yaml:1: owner_room: is missing" in policy
    assert "organisation.yaml:3: room:" in policy
    assert schema.startswith("The store is empty: no desk began on it. Run `deskbell migrate` first.")
    assert "The store does not answer" in store
    assert "canary-password" not in store
    assert "is no backup of a desk" in no_backup


def test_a_shell_gets_text_or_json_and_an_exit_code(original: Program) -> None:
    listed = json.loads(original.succeed("say", "--json", "request list", "--as", "staff"))
    assert listed["title"] == "2 of your requests"
    refused = original.run("say", "request take REQ-1", "--as", "staff")
    assert (refused.returncode, refused.stdout.splitlines()[0]) == (1, "! You cannot take REQ-1. [problem]")
    nowhere = original.run("say", "request list", "--as", "@staff", "--in", "#nosuch")
    assert nowhere.returncode == 1
    assert nowhere.stderr.startswith("There is no room “nosuch”. There are: requests, service-desk, ")
    somewhere = original.succeed("say", "request list", "--as", "@staff", "--in", "#service-desk")
    assert somewhere.startswith("2 of your requests")


def test_a_copy_is_refused_where_somebody_has_spoken(original: Program, copy: Program) -> None:
    before = (original.home / "deskbell.db").read_bytes()
    backup = str(copy.folder / "desk[1].zip")
    for said in refusals(
        copy, ({}, ("restore", backup)), ({"DESKBELL_HOME": str(original.home)}, ("restore", backup))
    ):
        assert said.startswith("This store is not empty.")
    assert (original.home / "deskbell.db").read_bytes() == before


def test_a_copy_sends_nothing_until_it_is_released_and_then_everything(copy: Program) -> None:
    with copy.serving() as desk:
        held = copy.run("doctor", "--json")
        assert held.returncode == 1
        wrong = {each["name"]: each["then"] for each in json.loads(held.stdout) if not each["good"]}
        assert set(wrong) == {"held"}
        assert "deskbell release" in wrong["held"]
        waiting = 'deskbell_outbox{state="pending"}'
        assert desk.metrics()[waiting] == 2
        assert "This copy is the desk now" in copy.succeed("release")
        wait_until(lambda: waiting not in desk.metrics(), lambda: desk.said)
        assert "REQ-2" in desk.get("/console/agent/service-desk").text
        assert desk.stop()[0] == 0


def test_a_healthy_desk_passes_every_question_of_the_doctor(original: Program) -> None:
    found = json.loads(original.succeed("doctor", "--json"))
    assert {each["name"] for each in found} >= {
        "store", "tables", "SQLite journal", "commits reach the disk", "foreign keys", "waiting for locks",
        "BEGIN IMMEDIATE", "pages", "held", "due moments", "messages", "ledger", "disk", "time zones", "ledger's key",
    }  # fmt: skip


def test_an_export_convinces_an_outsider_and_one_that_was_altered_does_not(
    copy: Program, tmp_path: Path
) -> None:
    target = tmp_path / "evidence [all].jsonl"
    assert str(target) in copy.succeed("evidence", "export", str(target))

    def verify() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", str(tmp_path / "deskbell_verify.py"), str(target)],
            capture_output=True, text=True, cwd=tmp_path,
        )  # fmt: skip

    good = verify()
    assert good.returncode == 0, good.stdout + good.stderr
    text = target.read_text(encoding="utf-8")
    assert "request.received" in text
    target.write_text(text.replace("request.received", "request.deceived", 1), encoding="utf-8")
    assert verify().returncode == 1
