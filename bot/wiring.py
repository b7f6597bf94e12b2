"""The one place where the parts meet: from settings to a house that can be spoken to."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from bot.checkpoints import Notary
from bot.clock import Clock, SystemClock
from bot.reach import connected
from bot.start import loading
from bot.tokens import Tokens, open_tokens
from config.loading import PolicyFiles
from config.policy import Policy, Way
from config.settings import Settings
from handlers.rules.ledger import Findings
from handlers.rules.rotation import first_gap
from storage import migrations
from storage.database import Database, StoreUnavailable
from storage.repositories.coverage import AT_ONCE
from storage.unit_of_work import Records

if TYPE_CHECKING:
    from bot.adapters.port import Adapter, Ear
    from bot.courier import Courier
    from bot.erasures import Erasures
    from bot.measures import Measures
    from bot.scheduler import Bell
    from bot.web.alerts import AlertIntake
    from bot.web.changes import ChangePages
    from bot.web.feeds import Feeds
    from bot.web.pages import Pages
    from bot.web.rest import Rest
    from handlers.dispatch import Dispatcher

_ORIGIN = "ledger-origin"
_SYNCED = "discord-commands"


class OldSchema(Exception):
    """The store has no tables, or those of an older release."""

    def __init__(self, of: str | None) -> None:
        what = (
            "The store's tables are not of this release."
            if of
            else "The store is empty: no desk began on it."
        )
        super().__init__(f"{what} Run `deskbell migrate` first.")


@dataclass
class House:
    """Everything one process works with, built when it is first asked for.

    So are the libraries of each part: `serve` asks for all of them, most subcommands for few, and to load them takes
    longer than what a subcommand does.
    """

    settings: Settings
    clock: Clock

    @cached_property
    def files(self) -> PolicyFiles:
        """The policy's files; raises PolicyErrors when the first reading finds anything wrong."""
        files = PolicyFiles(self.settings.config, first_gap)
        files.load()
        return files

    def policy(self) -> Policy:
        """The policy in force: the last good one."""
        policy = self.files.policy
        assert policy is not None, "a house has read its policy"
        return policy

    @cached_property
    def database(self) -> Database:
        """The store."""
        return Database(self.settings.database_url.get_secret_value())

    @cached_property
    def platforms(self) -> tuple[str, ...]:
        """The connected platforms: those where people talk first, then the other ways to wake them."""
        return connected(self.settings)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """What carries out commands."""
        with loading():
            from handlers import registry
            from handlers.dispatch import Dispatcher

        return Dispatcher(
            registry.load(),
            self.policy,
            self.database,
            self.clock.now,
            self.platforms,
            feed=self.feed,
            rate=self.settings.command_rate,
        )

    @cached_property
    def ear(self) -> Ear:
        """How adapters speak to the dispatcher."""
        from bot.measures import MeasuringEar

        return MeasuringEar(self.dispatcher, self.measures)

    @cached_property
    def measures(self) -> Measures:
        """What is measured."""
        from bot.measures import Measures

        return Measures(self.database, self.clock.now)

    @cached_property
    def notary(self) -> Notary:
        """Who signs the ledger's checkpoints; the ledger keeps the name that it had when the first was signed."""
        origin = self.fact(_ORIGIN) or self.settle(_ORIGIN, f"{urlsplit(self.settings.url).netloc}/ledger")
        return Notary(self.settings.home, str(origin))

    @cached_property
    def erasures(self) -> Erasures:
        """Whom the desk has forgotten, beside the checkpoints."""
        from bot.erasures import Erasures

        return Erasures(self.settings.home)

    def sign(self, only_if_due: bool = True) -> str | None:
        """Sign a checkpoint of the ledger and give its note; None when there is nothing new.

        Raises CheckpointRefused when the store contradicts what was signed before.
        """
        notary = self.notary
        with self.database.reading() as session:
            head = Records(session).ledger.head()
        if only_if_due and not notary.due(self.clock.now(), head):
            return None
        with self.database.writing() as session:
            ledger = Records(session).ledger
            ledger.hold()
            self.erasures.note(ledger)
            return notary.make(session, self.clock.now())

    def change_key(self) -> str:
        """Go on with a new signing key, which the old one and the ledger vouch for; returns its public half."""
        self.sign(only_if_due=False)
        notary = self.notary
        with self.database.writing() as session:
            successor = notary.change_key(session, self.clock.now(), self.policy().version)
        self.sign(only_if_due=False)
        return successor.line()

    def fold(self) -> None:
        """Bring the tallies of evidence up to the end of the ledger, some records in each transaction."""
        folded = AT_ONCE
        while folded == AT_ONCE:
            with self.database.writing() as session:
                folded = Records(session).coverage.fold(self.policy().organisation.zone)

    def verify(self) -> Findings:
        """Check the ledger against itself and against every checkpoint that lies outside the store."""
        with self.database.reading() as session:
            return Records(session).ledger.verify(self.notary.anchors())

    def export(self, target: Path) -> int:
        """Write the ledger to a file, its verifier beside it; returns how many records it holds."""
        self.sign(only_if_due=False)
        with self.database.reading() as session, target.open("w", encoding="utf-8") as out:
            count = self.notary.export(session, out)
        verifier = files("bot.standalone").joinpath("deskbell_verify.py")
        (target.parent / "deskbell_verify.py").write_text(
            verifier.read_text(encoding="utf-8"), encoding="utf-8"
        )
        return count

    @cached_property
    def tokens(self) -> Tokens:
        """What opens feeds and alert sources."""
        return open_tokens(self.settings.home, self.settings.secret)

    @cached_property
    def alerts(self) -> AlertIntake:
        """What hears monitoring systems."""
        from bot.web.alerts import AlertIntake

        count = self.measures.alert
        return AlertIntake(self.dispatcher, self.policy, self.tokens, self.clock.now, count)

    @cached_property
    def feeds(self) -> Feeds:
        """What serves calendars."""
        from bot.web.feeds import Feeds

        return Feeds(self.policy, self.database, self.tokens, self.clock.now, self.settings.url)

    @cached_property
    def rest(self) -> Rest:
        """What programs speak to."""
        from bot.web.rest import Rest

        return Rest(self.dispatcher, self.database, self.clock.now, self.settings.rest_rate)

    @cached_property
    def change_pages(self) -> ChangePages:
        """What serves the calendar of changes as a page, and the gate that pipelines ask."""
        from bot.web.changes import ChangePages

        return ChangePages(self.policy, self.database, self.tokens, self.clock.now)

    @cached_property
    def pages(self) -> Pages:
        """What serves the pages, to those who signed in by a link from chat."""
        from bot.web.doors import Doors
        from bot.web.pages import Pages
        from bot.web.special import special

        own = Doors(self.database, self.tokens, self.clock.now, self.settings.url)
        return Pages(self.dispatcher, own, self.clock.now, special(self.change_pages))

    def feed(self, name: str) -> str:
        """An address with its token: a feed such as `person/oncall`, `page/changes`, or `enter/…` to sign in.

        `token` is the one address that needs none: where programs fetch theirs.
        """
        if name == "token":
            return f"{self.settings.url}/api/v1/token"
        if name.startswith("enter/"):
            return f"{self.settings.url}/desk/{name}.{self.tokens.of(name)}"
        from bot.web.changes import PAGE

        if name == PAGE:
            return f"{self.settings.url}/changes/calendar?token={self.tokens.of(PAGE)}"
        place = name.partition("#")[0]  # what follows tells one address of a feed from the one before
        return f"{self.settings.url}/feeds/{place}.ics?token={self.tokens.of(f'feed/{name}')}"

    @cached_property
    def adapters(self) -> Mapping[str, Adapter]:
        """One adapter for each connected platform."""
        made: dict[str, Adapter] = {}
        if "slack" in self.platforms:
            made["slack"] = self._slack()
        if "discord" in self.platforms:
            made["discord"] = self._discord()
        if "console" in self.platforms:
            made["console"] = self._console()
        if not {*Way}.isdisjoint(self.platforms):
            made |= {each.platform: each for each in self._ways_to_wake()}
        return made

    def _ways_to_wake(self) -> Iterator[Adapter]:
        """Those outside chat. What the administrator names in the settings may be anywhere."""
        from bot.adapters.notify.mail import MailAdapter, Server
        from bot.adapters.notify.ntfy import NtfyAdapter
        from bot.adapters.notify.outbound import Outbound
        from bot.adapters.notify.sms import SmsAdapter
        from bot.adapters.notify.webhook import WebhookAdapter

        settings, now = self.settings, self.clock.now
        if settings.smtp_url is not None:
            yield MailAdapter(Server.at(_secret(settings.smtp_url)), settings.mail_from or "", now)
        if settings.twilio_account_sid is not None:
            yield SmsAdapter(
                Outbound([_host(settings.twilio_api_url)]),
                settings.twilio_api_url,
                settings.twilio_account_sid,
                _secret(settings.twilio_auth_token),
                settings.twilio_from or "",
            )
        if settings.ntfy_url is not None:
            outbound = Outbound([_host(settings.ntfy_url)])
            yield NtfyAdapter(outbound, settings.ntfy_url, _secret(settings.ntfy_token) or None)
        if settings.webhook_secret is not None:
            secret = _secret(settings.webhook_secret)
            yield WebhookAdapter(Outbound(settings.webhook_allow), secret, now)

    def _console(self) -> Adapter:
        from bot.adapters.console.app import ConsoleAdapter

        return ConsoleAdapter(self.ear, self.database, self.policy, self.clock, self.settings.host)

    def _slack(self) -> Adapter:
        from bot.adapters.slack.app import SlackAdapter

        settings = self.settings
        return SlackAdapter(
            self.ear,
            self.clock.now,
            bot_token=_secret(settings.slack_bot_token),
            signing_secret=_secret(settings.slack_signing_secret),
            app_token=_secret(settings.slack_app_token) or None,
            api_url=settings.slack_api_url,
            prefix=settings.slack_command_prefix,
        )

    def _discord(self) -> Adapter:
        from bot.adapters.discord.app import DiscordAdapter
        from bot.adapters.discord.conversation import Shelf

        settings = self.settings
        return DiscordAdapter(
            token=_secret(settings.discord_token),
            guilds=[int(each) for each in settings.discord_guild_ids],
            ear=self.ear,
            now=self.clock.now,
            synced_hash=lambda: str(self.fact(_SYNCED) or "") or None,
            remember_hash=lambda digest: self.remember(_SYNCED, digest),
            shelf=Shelf(put=self._put_draft, get=self._draft),
            rest=settings.discord_api_url,
            gateway=settings.discord_gateway_url,
        )

    def _put_draft(self, key: str, text: str) -> None:
        with self.database.writing() as session:
            Records(session).drafts.put(key, text, self.clock.now())

    def _draft(self, key: str) -> str | None:
        with self.database.reading() as session:
            return Records(session).drafts.get(key)

    @cached_property
    def holder(self) -> str:
        """The name under which this process claims work."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @cached_property
    def courier(self) -> Courier:
        """What takes messages out into the world."""
        from bot.courier import Courier
        from bot.measures import MeasuredAdapter

        measured = {name: MeasuredAdapter(each, self.measures) for name, each in self.adapters.items()}
        return Courier(self.dispatcher, measured, self.clock, self.holder)

    @cached_property
    def bell(self) -> Bell:
        """What wakes the desk when something is due."""
        from bot.scheduler import Bell

        return Bell(self.dispatcher, self.clock, self.holder)

    def policy_or_errors(self) -> Policy:
        """Read the policy now; raises PolicyErrors with every bad line."""
        _ = self.files
        return self.policy()

    def require_schema(self) -> None:
        """Raise OldSchema unless the store's tables are of this release."""
        try:
            if migrations.pending(self.database):
                with self.database.engine.connect() as connection:
                    raise OldSchema(migrations.revision(connection))
        except DBAPIError as error:
            raise StoreUnavailable(str(error.orig or error)) from error

    def migrate(self) -> list[str]:
        """Bring the store's tables to this release, and say what was done."""
        try:
            done = migrations.upgrade(self.database)
        except DBAPIError as error:
            raise StoreUnavailable(str(error.orig or error)) from error
        return [f"Applied migration {revision}." for revision in done] or [
            "Nothing to do: the tables are of this release."
        ]

    def fact(self, name: str) -> object:
        """A fact about this copy of the store."""
        with self.database.reading() as session:
            return Records(session).facts.get(name)

    def settle(self, name: str, value: object) -> object:
        """Set a fact that nobody has set before, and give what it is: that of whoever came first."""
        with self.database.writing() as session:
            return Records(session).facts.settle(name, value)

    def remember(self, name: str, value: object) -> None:
        """Set a fact about this copy of the store."""
        with self.database.writing() as session:
            Records(session).facts.put(name, value)


def build(settings: Settings, clock: Clock | None = None) -> House:
    """A house for these settings, on the machine's clock unless another is given."""
    return House(settings, clock or SystemClock())


def secrets_of(settings: Settings) -> list[str]:
    """Every value of these settings that no log may hold."""
    values = [value.get_secret_value() for value in vars(settings).values() if isinstance(value, SecretStr)]
    passwords = [
        make_url(settings.database_url.get_secret_value()).password,
        unquote(urlsplit(_secret(settings.smtp_url)).password or ""),
    ]
    return [*values, *filter(None, passwords)]


def _host(url: str) -> str:
    return str(urlsplit(url).hostname)


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""
