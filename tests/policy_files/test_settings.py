"""Settings are read from the environment, or what is wrong with them is told by name and without values."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.settings import _OURS, Settings, SettingsErrors, describe, read_settings, settings_page


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(_OURS) or name in {"DATABASE_URL", "HOST", "PORT"}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def problems() -> list[str]:
    with pytest.raises(SettingsErrors) as caught:
        read_settings()
    return caught.value.problems


def test_nothing_needs_to_be_set():
    settings = read_settings()
    assert settings.database_url.get_secret_value() == "sqlite:///var/deskbell.db"
    assert settings.url == "http://127.0.0.1:8080"
    assert (settings.config / "organisation.yaml").is_file()
    assert settings.console_is_on


def test_the_store_lies_in_the_home(monkeypatch):
    monkeypatch.setenv("DESKBELL_HOME", "/srv/desk")
    assert read_settings().database_url.get_secret_value() == "sqlite:////srv/desk/deskbell.db"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_reached_through_psycopg_however_it_is_written(scheme, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://desk:word@db/desk?host=postgresql://x")
    assert (
        read_settings().database_url.get_secret_value()
        == "postgresql+psycopg://desk:word@db/desk?host=postgresql://x"
    )


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://localhost:9000"),
        ("::", "http://localhost:9000"),
        ("desk.test", "http://desk.test:9000"),
    ],
)
def test_the_desk_is_found_where_it_listens_unless_told_otherwise(host, url, monkeypatch):
    monkeypatch.setenv("HOST", host)
    monkeypatch.setenv("PORT", "9000")
    assert read_settings().url == url
    monkeypatch.setenv("DESKBELL_URL", "https://desk.example.org/")
    assert read_settings().url == "https://desk.example.org"


def test_an_empty_value_counts_as_none(monkeypatch):
    monkeypatch.setenv("SLACK_BOT_TOKEN", "")
    monkeypatch.setenv("PORT", "")
    assert read_settings().slack_bot_token is None
    assert read_settings().port == 8080


def test_a_variable_of_the_machine_that_is_named_like_a_field_means_nothing(monkeypatch):
    for name in ("HOME", "CONFIG", "URL", "LOG", "CONSOLE"):
        monkeypatch.setenv(name, "/elsewhere")
    assert read_settings() == Settings()
    assert read_settings().home == Path("var")


def test_a_file_sets_what_the_environment_does_not(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("PORT=9001\nHOST=desk.test\nUNRELATED=1\n")
    monkeypatch.setenv("PORT", "9002")
    assert (read_settings().host, read_settings().port) == ("desk.test", 9002)


@pytest.mark.parametrize(
    ("console", "connected", "on"),
    [("auto", False, True), ("auto", True, False), ("on", True, True), ("off", False, False)],
)
def test_the_console_is_off_beside_a_chat_platform_unless_asked_for(console, connected, on, monkeypatch):
    monkeypatch.setenv("DESKBELL_CONSOLE", console)
    if connected:
        monkeypatch.setenv("DISCORD_TOKEN", "made-up")
        monkeypatch.setenv("DISCORD_GUILD_IDS", "123456789012345678")
    assert read_settings().console_is_on is on


def test_lists_and_addresses_are_taken_as_people_write_them(monkeypatch):
    monkeypatch.setenv("DISCORD_GUILD_IDS", "123456789012345678, 223456789012345678")
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:5000/api")
    monkeypatch.setenv("DISCORD_GATEWAY_URL", "ws://127.0.0.1:5001/")
    monkeypatch.setenv("SLACK_COMMAND_PREFIX", "acme-")
    settings = read_settings()
    assert settings.discord_guild_ids == ("123456789012345678", "223456789012345678")
    assert settings.slack_api_url == "http://127.0.0.1:5000/api/"  # the Slack client joins methods to it
    assert settings.discord_gateway_url == "ws://127.0.0.1:5001"
    assert settings.slack_command_prefix == "acme-"


def test_a_secret_may_end_in_the_line_end_of_its_file(monkeypatch):
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-made-up\n")
    monkeypatch.setenv("SLACK_SIGNING_SECRET", " made-up ")
    settings = read_settings()
    assert settings.slack_bot_token is not None
    assert settings.slack_bot_token.get_secret_value() == "xoxb-made-up"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"PORT": "80800"}, "PORT: is not a port; write a number up to 65535"),
        ({"PORT": "http"}, "PORT: is not a port; write a number up to 65535"),
        (
            {"DATABASE_URL": "mysql://x"},
            "DATABASE_URL: names no store that the desk knows; write postgresql://… or sqlite:///path",
        ),
        (
            {"DATABASE_URL": "postgresql+asyncpg://x"},
            "DATABASE_URL: names no store that the desk knows; write postgresql://… or sqlite:///path",
        ),
        (
            {"DESKBELL_CONFIG": "/nowhere"},
            "DESKBELL_CONFIG: is not a folder; name the folder of the policy's YAML files",
        ),
        ({"DESKBELL_URL": "desk.test"}, "DESKBELL_URL: is not an address; write https:// and the host"),
        (
            {"DISCORD_GATEWAY_URL": "http://x"},
            "DISCORD_GATEWAY_URL: is not an address; write wss:// and the host",
        ),
        ({"DESKBELL_SECRET": "x" * 31}, "DESKBELL_SECRET: is too short; write at least 32 random characters"),
        ({"DESKBELL_LOG": "xml"}, "DESKBELL_LOG: is none of its values; write 'text' or 'json'"),
        ({"DESKBELL_CONSOLE": "yes"}, "DESKBELL_CONSOLE: is none of its values; write 'auto', 'on' or 'off'"),
        (
            {"SLACK_BOT_TOKEN": "xapp-1", "SLACK_SIGNING_SECRET": "x"},
            "SLACK_BOT_TOKEN: does not begin with xoxb-; copy the bot token from the app's page",
        ),
        (
            {"DISCORD_TOKEN": "x"},
            "DISCORD_GUILD_IDS: is missing beside DISCORD_TOKEN; name the servers that the desk answers",
        ),
        (
            {"SLACK_BOT_TOKEN": "xoxb-1"},
            "SLACK_SIGNING_SECRET: is missing; set it for HTTP, or SLACK_APP_TOKEN for Socket Mode",
        ),
        (
            {"SLACK_APP_TOKEN": "xapp-1"},
            "SLACK_BOT_TOKEN: is missing beside Slack's other settings; set it or take them out",
        ),
        (
            {"DISCORD_GUILD_IDS": "a,b"},
            "DISCORD_GUILD_IDS: holds what is no server's ID; write 15 to 20 digits each, with commas",
        ),
        (
            {"SLACK_COMMAND_PREFIX": "Acme "},
            "SLACK_COMMAND_PREFIX: holds what a command cannot; use up to 20 of a-z, 0-9, - and _",
        ),
        (
            {"SMTP_URL": "mail.example.org:25", "MAIL_FROM": "desk@example.org"},
            "SMTP_URL: names no mail server; write smtp://user:password@host:587, or smtps:// for port 465",
        ),
        (
            {"SMTP_URL": "smtp://desk:wörd@mail.example.org", "MAIL_FROM": "desk@example.org"},
            "SMTP_URL: names no mail server; write smtp://user:password@host:587, or smtps:// for port 465",
        ),
        (
            {"SMTP_URL": "smtp+plain://desk:word@mail.example.org", "MAIL_FROM": "desk@example.org"},
            "SMTP_URL: would send the password for all to read; write smtp:// or smtps://",
        ),
        ({"SMTP_URL": "smtp://mail"}, "MAIL_FROM: is missing beside SMTP_URL; set it too, or take that out"),
        (
            {"SMTP_URL": "smtp://mail", "MAIL_FROM": "desk"},
            "MAIL_FROM: is not an address; write desk@example.org, or Desk <desk@example.org>",
        ),
        (
            {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_FROM": "+15005550006"},
            "TWILIO_AUTH_TOKEN: is missing beside TWILIO_ACCOUNT_SID, TWILIO_FROM; set it too, or take that out",
        ),
        (
            {"TWILIO_ACCOUNT_SID": "SK1", "TWILIO_AUTH_TOKEN": "x", "TWILIO_FROM": "x"},
            "TWILIO_ACCOUNT_SID: is not an account's SID; copy it from the console, AC and 32 digits",
        ),
        ({"NTFY_TOKEN": "tk_x"}, "NTFY_URL: is missing beside NTFY_TOKEN; set it too, or take that out"),
        ({"NTFY_URL": "ntfy.sh"}, "NTFY_URL: is not an address; write https:// and the host"),
        (
            {"WEBHOOK_SECRET": "short"},
            "WEBHOOK_SECRET: is too short to be secret; write 24 random characters or more",
        ),
        (
            {"WEBHOOK_ALLOW": "10.0.0.5"},
            "WEBHOOK_SECRET: is missing beside WEBHOOK_ALLOW; set it too, or take that out",
        ),
        (
            {"WEBHOOK_ALLOW": "https://x/", "WEBHOOK_SECRET": "x" * 24},
            "WEBHOOK_ALLOW: holds what is no host; write hooks.example.org or 10.0.0.5:8080, with commas",
        ),
        ({"NTFY_TOKN": "x"}, "NTFY_TOKN: is not a setting; did you mean NTFY_TOKEN?"),
        ({"DESKBELL_CONFG": "x"}, "DESKBELL_CONFG: is not a setting; did you mean DESKBELL_CONFIG?"),
    ],
    ids=lambda value: next(iter(value.items())) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_told_by_name_with_what_to_do(given, told, monkeypatch):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert problems() == [told]


def test_everything_that_is_wrong_is_told_together(monkeypatch):
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("DESKBELL_LOG", "x")
    monkeypatch.setenv("SLACK_TOKEN_BOT", "x")  # like nothing: the environment belongs to others too
    assert [problem.split(":")[0] for problem in problems()] == ["DESKBELL_LOG", "PORT"]


def test_no_message_and_no_print_repeats_a_value(monkeypatch):
    canary = "canary-1f2e3d"
    for each in describe():
        monkeypatch.setenv(each["name"], canary)
    with pytest.raises(SettingsErrors) as caught:
        read_settings()
    assert canary not in str(caught.value)
    secrets = {"DATABASE_URL": f"postgresql://u:{canary}@h/d", "SLACK_BOT_TOKEN": f"xoxb-{canary}"}
    secrets |= {"SLACK_APP_TOKEN": f"xapp-{canary}", "SLACK_SIGNING_SECRET": canary, "DISCORD_TOKEN": canary}
    secrets["DESKBELL_SECRET"] = canary * 3
    secrets["DISCORD_GUILD_IDS"] = "123456789012345678"
    secrets |= {"SMTP_URL": f"smtp://u:{canary}@h", "NTFY_TOKEN": canary, "WEBHOOK_SECRET": canary * 3}
    secrets |= {"MAIL_FROM": "desk@example.org", "NTFY_URL": "https://ntfy.sh", "TWILIO_FROM": "+15005550006"}
    secrets |= {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": canary}
    for each in describe():
        monkeypatch.delenv(each["name"])
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert canary not in repr(settings)
    assert canary not in settings.model_dump_json()


def test_every_setting_says_what_it_is_for():
    assert all(each["description"].endswith((".", "`.")) for each in describe())
    assert len({each["name"] for each in describe()}) == len(Settings.model_fields)


def test_the_page_of_settings_is_written_from_the_declarations():
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == settings_page(), "run python -m config.settings"
