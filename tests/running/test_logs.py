"""Does a line of the log hold what happened, and nothing that opens a door?"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest
import structlog
from pydantic import SecretStr

from bot import logs
from bot.wiring import secrets_of
from config.settings import Settings

SECRETS = ["canary/with spaces & signs", "short-canary", "canary-in-a-url"]


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """The log of the other tests stays as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_cut_out_wherever_it_stands(
    as_json: bool, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(as_json, "debug", SECRETS)
    ours, theirs = structlog.get_logger(), logging.getLogger("some.library")
    ours.info(f"in the event {secret}")
    ours.info(
        "in a value", value=f"a {secret} b", nested={"deep": [{"er": (secret,)}]}, thing=SecretThing(secret)
    )
    ours.info("in an address", url=f"postgresql://desk:{quote(secret, safe='')}@host/name")
    theirs.debug("in an argument: %s", secret)
    theirs.warning("in a mapping: %s", {"Authorization": secret})
    with structlog.contextvars.bound_contextvars(bound=secret):
        try:
            raise ValueError(secret) from RuntimeError(secret)
        except ValueError:
            ours.exception("in an error")
            theirs.exception("in an error of a library")
    said = capsys.readouterr().err
    assert said.count("[redacted]") >= 9
    assert secret not in said
    assert quote(secret, safe="") not in said
    assert "Traceback" in said
    assert not as_json or all(json.loads(line) for line in said.splitlines())


class SecretThing:
    """Something whose text holds a secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return f"Thing({self._secret})"


@pytest.mark.parametrize(
    "line",
    [
        "xoxb-1234567890-abcdef", "xapp-1-A0-123-abc", "Authorization: Bearer abc.def-ghi", "token=abcdef123",
        '{"password": "hunter22"}', "postgresql://desk:hunter22@host/name", "https://hooks.slack.com/services/T/B/x",
        "signature: v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_cut_out_though_nobody_named_it(line: str) -> None:
    said = logs.redact(f"before {line} after")
    assert "[redacted]" in said
    assert said.startswith("before ")
    assert said.endswith(" after")
    for part in ("hunter22", "abcdef", "abc.def", "services/T", "a2114d57"):
        assert part not in said


def test_ordinary_words_stay() -> None:
    for line in (
        "REQ-1 is filed: how do I reset my password?",
        "policy taken up",
        "https://example.org/a?b=c",
    ):
        assert logs.redact(line) == line


def test_a_short_secret_does_not_cut_every_other_word(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(True, "info", ["a", ""])
    structlog.get_logger().info("a policy was taken up")
    assert json.loads(capsys.readouterr().err)["event"] == "a policy was taken up"


def test_every_secret_setting_counts_and_the_databases_password(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "DATABASE_URL": "postgresql://desk:canary%2Fpassword@host/name",
        "SLACK_BOT_TOKEN": "xoxb-canary",
        "SLACK_SIGNING_SECRET": "canary-signing",
        "SLACK_APP_TOKEN": "xapp-canary",
        "DISCORD_TOKEN": "canary-discord",
        "SMTP_URL": "smtp://desk:canary%2Fmail@host",
    }
    monkeypatch.setenv("MAIL_FROM", "desk@example.org")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    found = secrets_of(settings)
    assert "canary/mail" in found
    assert {"canary/password", "xoxb-canary", "canary-signing", "xapp-canary", "canary-discord"} <= set(found)
    secret = [name for name, value in vars(settings).items() if isinstance(value, SecretStr)]
    assert len(secret) == len(given)
    assert "canary" not in repr(settings)
