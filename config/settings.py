"""What an installation says about itself: addresses, folders, tokens, from the environment or a `.env` file.

Each setting is declared once, with its description; `docs/settings.md` is written from here. What the
organisation says (people, agreements, the catalogue) is policy and lives in YAML, not here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_OURS = ("DESKBELL_", "SLACK_", "DISCORD_", "TWILIO_", "NTFY_", "WEBHOOK_", "SMTP_", "MAIL_")
_SECRET_AT_LEAST = 24
_STORES = re.compile(r"(sqlite|postgresql\+psycopg)://")


class SettingsErrors(Exception):
    """Everything that is wrong with the settings, one line each: `NAME: what is wrong; what to do`."""

    def __init__(self, problems: set[str]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(self.problems))


def _database(written: SecretStr) -> SecretStr:
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", written.get_secret_value())
    if not _STORES.match(url):
        raise ValueError("names no store that the desk knows; write postgresql://… or sqlite:///path")
    return SecretStr(url)


def _address(*schemes: str) -> AfterValidator:
    def check(written: str) -> str:
        if not re.fullmatch(rf"({'|'.join(schemes)})://[^\s/?#]+(/[^\s?#]*)?", written):
            raise ValueError(f"is not an address; write {schemes[-1]}:// and the host")
        return written.rstrip("/")

    return AfterValidator(check)


def _token(prefix: str, other: str) -> AfterValidator:
    def check(written: SecretStr) -> SecretStr:
        if not written.get_secret_value().startswith(prefix):
            raise ValueError(f"does not begin with {prefix}; copy {other} from the app's page")
        return written

    return AfterValidator(check)


def _long_enough(written: SecretStr) -> SecretStr:
    if len(written.get_secret_value()) < 32:  # characters, as many as a digest of HMAC-SHA256 has bytes
        raise ValueError("is too short; write at least 32 random characters")
    return written


def _folder(written: Path) -> Path:
    if not written.is_dir():
        raise ValueError("is not a folder; name the folder of the policy's YAML files")
    return written


def _mail_server(written: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(written.get_secret_value())
        known = parts.scheme in ("smtps", "smtp", "smtp+plain") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    # The password is said in ASCII (RFC 4616 would take more, the standard library does not).
    if not known or not unquote(parts.netloc).isascii():
        raise ValueError(
            "names no mail server; write smtp://user:password@host:587, or smtps:// for port 465"
        )
    if parts.scheme == "smtp+plain" and parts.password:
        raise ValueError("would send the password for all to read; write smtp:// or smtps://")
    return written


def _sender(written: str) -> str:
    if not re.fullmatch(r"[^<>@\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+", written):
        raise ValueError("is not an address; write desk@example.org, or Desk <desk@example.org>")
    return written


def _account(written: str) -> str:
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", written):
        raise ValueError("is not an account's SID; copy it from the console, AC and 32 digits")
    return written


def _own_address(given: dict[str, Any]) -> str:
    everywhere = given["host"] in {"0.0.0.0", "::"}  # noqa: S104 - only compared with
    return f"http://{'localhost' if everywhere else given['host']}:{given['port']}"


def _ids(written: object) -> object:
    return [part for part in re.split(r"[\s,]+", written) if part] if isinstance(written, str) else written


def _guild(written: str) -> str:
    if not re.fullmatch(r"[0-9]{15,20}", written):
        raise ValueError("holds what is no server's ID; write 15 to 20 digits each, with commas")
    return written


def _host(written: str) -> str:
    if not re.fullmatch(r"[^\s/@,]+", written):
        raise ValueError("holds what is no host; write hooks.example.org or 10.0.0.5:8080, with commas")
    return written.lower()


def _strong(written: SecretStr) -> SecretStr:
    if len(written.get_secret_value()) < _SECRET_AT_LEAST:
        raise ValueError(f"is too short to be secret; write {_SECRET_AT_LEAST} random characters or more")
    return written


def _call(written: SecretStr) -> SecretStr:
    parts = urlsplit(written.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no address; write https://… as the service that listens shows it")
    return written


def _prefix(written: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]{0,20}", written):
        raise ValueError("holds what a command cannot; use up to 20 of a-z, 0-9, - and _")
    return written


HttpAddress = Annotated[str, _address("http", "https")]


class Settings(BaseSettings):
    """The settings of one process. `read_settings` makes one, with problems that people can read."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        str_strip_whitespace=True,
    )

    home: Path = Field(
        Path("var"),
        validation_alias="DESKBELL_HOME",
        description="The folder for what the desk keeps: the SQLite file, its keys, its exports.",
    )
    config: Annotated[Path, AfterValidator(_folder)] = Field(
        default_factory=lambda: Path(str(files("config"))) / "policies",
        validation_alias="DESKBELL_CONFIG",
        description="The folder of the organisation's YAML files.",
        json_schema_extra={"default": "the example organisation"},
    )
    database_url: Annotated[SecretStr, AfterValidator(_database)] = Field(
        default_factory=lambda data: SecretStr(f"sqlite:///{data['home'] / 'deskbell.db'}"),
        validation_alias="DATABASE_URL",
        description="Where records are stored: `postgresql://user:password@host/name` or `sqlite:///path`.",
        json_schema_extra={"default": "`deskbell.db` in `DESKBELL_HOME`"},
    )
    host: str = Field(
        "127.0.0.1",
        validation_alias="HOST",
        description="The address that the web server listens on; `0.0.0.0` for every one.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8080,
        validation_alias="PORT",
        description="The port that the web server listens on; 0 takes a free one.",
    )
    url: HttpAddress = Field(
        default_factory=_own_address,
        validation_alias="DESKBELL_URL",
        description="The address under which people and platforms reach the desk, for the links it writes.",
        json_schema_extra={"default": "made from `HOST` and `PORT`"},
    )
    secret: Annotated[SecretStr, AfterValidator(_long_enough)] | None = Field(
        None,
        validation_alias="DESKBELL_SECRET",
        description="What the tokens of calendar feeds and alert sources are made from: 32 random characters or"
        " more, the same in every process. A new one voids them all.",
        json_schema_extra={"default": "`secret.key` in `DESKBELL_HOME`, made on first use"},
    )
    console: Literal["auto", "on", "off"] = Field(
        "auto",
        validation_alias="DESKBELL_CONSOLE",
        description="The chat in the browser, where anyone can be any person: `on`, `off`, or `auto`,"
        " which is on while no chat platform is connected.",
    )
    command_rate: Annotated[int, Field(ge=1, le=100_000)] = Field(
        60,
        validation_alias="DESKBELL_COMMAND_RATE",
        description="How many commands that change something one person may give in a minute, wherever they talk.",
    )
    rest_rate: Annotated[int, Field(ge=1, le=100_000)] = Field(
        600,
        validation_alias="DESKBELL_REST_RATE",
        description="How many requests a minute one token of the REST interface may make of one process.",
    )
    log: Literal["text", "json"] = Field(
        "text", validation_alias="DESKBELL_LOG", description="How log lines are written: `text` or `json`."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        validation_alias="DESKBELL_LOG_LEVEL",
        description="The least that is logged: `debug`, `info`, `warning` or `error`.",
    )
    slack_bot_token: Annotated[SecretStr, _token("xoxb-", "the bot token")] | None = Field(
        None,
        validation_alias="SLACK_BOT_TOKEN",
        description="Slack: the bot token, `xoxb-…`. It connects Slack.",
    )
    slack_signing_secret: SecretStr | None = Field(
        None,
        validation_alias="SLACK_SIGNING_SECRET",
        description="Slack over HTTP: the signing secret, which proves that a request comes from Slack.",
    )
    slack_app_token: Annotated[SecretStr, _token("xapp-", "the app-level token")] | None = Field(
        None,
        validation_alias="SLACK_APP_TOKEN",
        description="Slack over Socket Mode: the app-level token, `xapp-…`, in place of the signing secret.",
    )
    slack_command_prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        "",
        validation_alias="SLACK_COMMAND_PREFIX",
        description="Put before every slash command on Slack: with `acme-`, `/desk` becomes `/acme-desk`.",
    )
    slack_api_url: Annotated[HttpAddress, AfterValidator(lambda url: f"{url}/")] = Field(
        "https://slack.com/api/",
        validation_alias="SLACK_API_URL",
        description="Slack's Web API, for tests and proxies.",
    )
    discord_token: SecretStr | None = Field(
        None, validation_alias="DISCORD_TOKEN", description="Discord: the bot's token. It connects Discord."
    )
    discord_guild_ids: Annotated[
        tuple[Annotated[str, AfterValidator(_guild)], ...], NoDecode, BeforeValidator(_ids)
    ] = Field(
        (),
        validation_alias="DISCORD_GUILD_IDS",
        description="Discord: the servers that the desk answers, by ID, with commas between them.",
    )
    discord_api_url: HttpAddress = Field(
        "https://discord.com/api/v10",
        validation_alias="DISCORD_API_URL",
        description="Discord's REST API, for tests and proxies.",
    )
    discord_gateway_url: Annotated[str, _address("ws", "wss")] | None = Field(
        None,
        validation_alias="DISCORD_GATEWAY_URL",
        description="Discord's gateway, for tests and proxies; otherwise the API tells it.",
    )
    smtp_url: Annotated[SecretStr, AfterValidator(_mail_server)] | None = Field(
        None,
        validation_alias="SMTP_URL",
        description="Mail, to wake people: `smtp://user:password@host:587`, encrypted before anything is said;"
        " `smtps://` encrypts from the start, `smtp+plain://` never. It connects mail.",
    )
    mail_from: Annotated[str, AfterValidator(_sender)] | None = Field(
        None,
        validation_alias="MAIL_FROM",
        description="Mail: the address that it comes from, as `Desk <desk@example.org>`.",
    )
    twilio_account_sid: Annotated[str, AfterValidator(_account)] | None = Field(
        None,
        validation_alias="TWILIO_ACCOUNT_SID",
        description="SMS through Twilio: the account, `AC…`. It connects SMS.",
    )
    twilio_auth_token: SecretStr | None = Field(
        None, validation_alias="TWILIO_AUTH_TOKEN", description="SMS through Twilio: the account's token."
    )
    twilio_from: str | None = Field(
        None,
        validation_alias="TWILIO_FROM",
        description="SMS through Twilio: the number that they come from, or a messaging service, `MG…`.",
    )
    twilio_api_url: HttpAddress = Field(
        "https://api.twilio.com",
        validation_alias="TWILIO_API_URL",
        description="Twilio's API, for tests, proxies and others that speak it.",
    )
    ntfy_url: HttpAddress | None = Field(
        None,
        validation_alias="NTFY_URL",
        description="Push messages: the ntfy server, as `https://ntfy.sh`. It connects ntfy.",
    )
    ntfy_token: SecretStr | None = Field(
        None,
        validation_alias="NTFY_TOKEN",
        description="Push messages: the access token, `tk_…`, if topics ask.",
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(_strong)] | None = Field(
        None,
        validation_alias="WEBHOOK_SECRET",
        description="Webhooks, to wake people: the secret that signs them. It connects webhooks.",
    )
    webhook_allow: Annotated[
        tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_ids)
    ] = Field(
        (),
        validation_alias="WEBHOOK_ALLOW",
        description="Webhooks: the hosts inside the own network that may be called all the same, by name or as"
        " `host:port`, with commas between them.",
    )

    watchdog_url: Annotated[SecretStr, AfterValidator(_call)] | None = Field(
        None,
        validation_alias="WATCHDOG_URL",
        description="Watchdog: the address that each worker calls once a minute while what is due is said and what"
        " waits is sent; whoever is behind it wakes people when the calls end.",
    )

    @property
    def console_is_on(self) -> bool:
        """Whether the browser chat answers: as asked for, else only while no chat platform is connected."""
        if self.console == "auto":
            return self.slack_bot_token is None and self.discord_token is None
        return self.console == "on"


def read_settings() -> Settings:
    """The settings of this process from its environment, over those in a `.env` file in the working folder.

    Raises SettingsErrors with every problem; no message repeats a value, since it may be a secret.
    """
    problems = set(_unknown(os.environ))
    try:
        settings = Settings()
    except ValidationError as error:
        problems |= {
            _problem(str(each["loc"][0]), each["type"], each["msg"], each.get("ctx", {}))
            for each in error.errors(include_url=False, include_input=False)
            if each["type"] != "default_factory_not_called"  # it only follows from another problem
        }
    else:
        problems |= set(_contradictions(settings))
        if not problems:
            return settings
    raise SettingsErrors(problems)


def _problem(name: str, kind: str, message: str, about: Mapping[str, Any]) -> str:
    if kind == "value_error":
        said = str(about["error"])
    elif kind == "literal_error":
        said = f"is none of its values; write {about['expected']}"
    elif kind.startswith(("int", "greater", "less")):
        said = "is not a port; write a number up to 65535"
    else:
        said = f"{message[:1].lower()}{message[1:]}; correct it"
    return f"{name}: {said}"


def _unknown(environment: Mapping[str, str]) -> list[str]:
    """Misspelled names; only near misses, since the environment belongs to other programs too."""
    known = [setting["name"] for setting in describe()]
    found = []
    for name in environment:
        near = get_close_matches(name, known, 1, cutoff=0.85)
        if name not in known and near and name.startswith(_OURS):
            found.append(f"{name}: is not a setting; did you mean {near[0]}?")
    return found


def _contradictions(settings: Settings) -> list[str]:
    ways_in = (settings.slack_signing_secret, settings.slack_app_token)
    if settings.slack_bot_token is None and any(ways_in):
        return ["SLACK_BOT_TOKEN: is missing beside Slack's other settings; set it or take them out"]
    if settings.slack_bot_token is not None and not any(ways_in):
        return ["SLACK_SIGNING_SECRET: is missing; set it for HTTP, or SLACK_APP_TOKEN for Socket Mode"]
    if settings.discord_token is not None and not settings.discord_guild_ids:
        return ["DISCORD_GUILD_IDS: is missing beside DISCORD_TOKEN; name the servers that the desk answers"]
    return [
        f"{_name(field)}: is missing beside {', '.join(map(_name, given))}; set it too, or take that out"
        for needed, others in _TOGETHER
        if (given := [field for field in (*needed, *others) if getattr(settings, field)])
        for field in needed
        if field not in given
    ]


_TOGETHER = (
    (("smtp_url", "mail_from"), ()),
    (("twilio_account_sid", "twilio_auth_token", "twilio_from"), ()),
    (("ntfy_url",), ("ntfy_token",)),
    (("webhook_secret",), ("webhook_allow",)),
)
"""Settings that need each other, and those that mean nothing without them."""


def _name(field: str) -> str:
    return str(Settings.model_fields[field].validation_alias)


def describe() -> list[dict[str, str]]:
    """Every setting in order: its `name`, `default` and `description`, ready for a page."""
    found = []
    for field in Settings.model_fields.values():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        default = "none" if field.default in (None, "", ()) else f"`{field.default}`"
        found.append(
            {
                "name": str(field.validation_alias),
                "default": str(extra.get("default", default)),
                "description": field.description or "",
            }
        )
    return found


def settings_page() -> str:
    """The text of `docs/settings.md`, in Markdown."""
    rows = [f"| `{each['name']}` | {each['default']} | {each['description']} |" for each in describe()]
    return "\n".join(
        [
            "# Settings",
            "",
            "Settings are read once, when a process starts, from its environment and from a file `.env` in",
            "the folder that it starts in; the environment wins, and an empty value counts as none. What is",
            "wrong is told together, by name, before anything else happens. This page is written from the",
            "declarations: after a change there, run `python -m config.settings`.",
            "",
            "| Setting | Default | What it says |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    Path("docs/settings.md").write_text(settings_page(), encoding="utf-8")
