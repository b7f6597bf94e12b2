"""Does `deskbell serve` hear, heed what is changed beside it, keep its secrets, and end when told to?"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from config.settings import Settings
from tests.harness.house import POLICIES
from tests.running.program import Program, Serving, wait_until

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens, so every connection is refused at once

CANARIES = {
    "SLACK_BOT_TOKEN": "xoxb-canary-bot-1234567890",
    "SLACK_SIGNING_SECRET": "canary signing secret",
    "DISCORD_TOKEN": "canary.discord.token",
    "DESKBELL_SECRET": "canary secret, from which tokens are made",
    "TWILIO_AUTH_TOKEN": "canary-twilio-0123456789",
    "NTFY_TOKEN": "tk_canary",
    "WEBHOOK_SECRET": "canary secret, by which webhooks are signed",
    "WATCHDOG_URL": "http://127.0.0.1:9/canary-watchdog",
}
"""A secret in every setting that takes one; the passwords in addresses have a test of their own."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A desk with its own policy, every platform configured and none reachable, telling all it does."""
    folder = tmp_path_factory.mktemp("serving")
    shutil.copytree(POLICIES, folder / "policies")
    return Program(
        folder,
        **CANARIES,
        TWILIO_ACCOUNT_SID="AC" + "0" * 32,
        TWILIO_FROM="+15005550006",
        NTFY_URL=NOWHERE,
        DISCORD_GUILD_IDS="123456789012345678",
        SLACK_API_URL=NOWHERE,
        DISCORD_API_URL=NOWHERE,
        DISCORD_GATEWAY_URL="ws://127.0.0.1:9",
        DESKBELL_CONFIG=str(folder / "policies"),
        DESKBELL_CONSOLE="on",
        DESKBELL_LOG="json",
        DESKBELL_LOG_LEVEL="debug",
    )


@pytest.fixture(scope="module")
def desk(program: Program) -> Iterator[Serving]:
    """It runs; the tests below share it, in their order."""
    with program.serving() as running:
        yield running


def test_every_setting_that_takes_a_secret_has_a_canary() -> None:
    secret = {
        str(field.validation_alias)
        for field in Settings.model_fields.values()
        if "SecretStr" in str(field.annotation)
    }
    assert secret == {*CANARIES, "SLACK_APP_TOKEN", "SMTP_URL", "DATABASE_URL"}, (
        "it is asked for in a test below"
    )


def test_it_tells_that_it_lives_that_it_is_ready_and_what_it_measures(desk: Serving) -> None:
    assert desk.get("/healthz").json() == {"status": "ok"}
    assert desk.get("/readyz").status_code == 200
    assert desk.metrics()["deskbell_ledger_records"] == 0


def test_what_is_said_from_a_shell_is_done_and_told_while_it_serves(program: Program, desk: Serving) -> None:
    filed = json.loads(program.succeed("say", "--json", "request new question why?", "--as", "staff"))
    assert (filed["subject"], filed.get("private", True)) == ("REQ-1", True)
    wait_until(lambda: "deskbell_deliveries_total" in str(desk.metrics()), lambda: desk.said)
    assert desk.metrics()["deskbell_ledger_records"] >= 2
    page = desk.get("/console/agent/service-desk")
    assert "REQ-1" in page.text, "the card hangs in the room"


def test_what_is_said_in_the_browser_is_measured(desk: Serving) -> None:
    with httpx.Client(base_url=desk.address, headers={"Origin": desk.address}, timeout=10) as browser:
        page = browser.get("/console/staff/requests")
        token = re.search(r'name="token" value="([^"]+)"', page.text)
        assert token, page.text
        fields = {
            "token": token[1],
            "line": "desk whoami",
            "room": "requests",
            "key": "0123456789",
            "typed": "1",
        }
        said = browser.post("/console/staff/-/say", data=fields)
        assert said.status_code < 400, said.text
    measured = desk.metrics()
    assert measured['deskbell_commands_total{outcome="plain",surface="console"}'] == 1
    assert measured['deskbell_command_seconds_count{surface="console"}'] == 1


def test_what_nobody_signed_is_refused_and_not_repeated_in_the_log(desk: Serving) -> None:
    headers = {"Authorization": "Bearer canary-header", "X-Slack-Signature": "v0=canary-signature"}
    for body in (b"payload=canary-body", b"{", b"\xff" * 100):
        answer = httpx.post(f"{desk.address}/slack/events", content=body, headers=headers, timeout=10)
        assert 400 <= answer.status_code < 500
    assert desk.get("/healthz").status_code == 200


def test_an_edited_policy_is_taken_up_and_a_bad_one_leaves_the_last_good_one(
    program: Program, desk: Serving
) -> None:
    organisation = program.folder / "policies/organisation.yaml"
    good = organisation.read_text(encoding="utf-8").replace("Example Organisation", "Another Organisation")
    _write(organisation, good)
    desk.wait_for(r"policy taken up")
    wait_until(lambda: "Another Organisation" in desk.get("/console/staff/requests").text, lambda: desk.said)
    _write(organisation, good.replace("zone: Europe/Berlin", "zone: Europe/Nowhere"))
    desk.wait_for(r"the last good one stays")
    assert "organisation.yaml:" in desk.wait_for(r'"problems": "([^"]+)"')[1]
    assert "Another Organisation" in desk.get("/console/staff/requests").text
    for command in (("check",), ("say", "desk home", "--as", "staff")):
        refused = program.run(*command)
        assert refused.returncode == 1
        assert "organisation.yaml:" in refused.stderr
        assert "Europe/Nowhere" in refused.stderr
        assert "Traceback" not in refused.stderr
    _write(organisation, good)
    desk.wait_for(r"policy taken up(.|\n)*policy taken up")


def _write(path: Path, text: str) -> None:
    # A saved file has another time than before; two saves within one tick of the file system might not.
    before = path.stat().st_mtime
    path.write_text(text, encoding="utf-8")
    os.utime(path, (before + 2, before + 2))


def test_it_ends_within_seconds_when_told_to_and_calls_that_a_success(desk: Serving) -> None:
    code, seconds = desk.stop()
    assert code == 0, desk.said
    assert seconds < 15
    assert "stopping" in desk.said


def test_the_log_is_of_this_desk_and_not_of_what_its_libraries_could_do(desk: Serving) -> None:
    for chatter in ("voice will NOT be supported", "`token` will be unused"):
        assert chatter not in desk.said


def test_no_secret_was_ever_written(program: Program, desk: Serving) -> None:
    """After all of the above, at the most talkative level, with every platform failing."""
    assert desk.process.poll() is not None
    for part in ("slack", "discord", "policy taken up"):
        assert part in desk.said, "what was looked through is not empty"
    canaries = [*CANARIES.values(), "canary"]
    written = [desk.said, *(_text(path) for path in program.home.rglob("*") if path.is_file())]
    for text in written:
        assert not [canary for canary in canaries if canary in text]
    assert all(json.loads(line) for line in desk.lines if line.startswith("{"))


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")
