"""The world around a desk: platforms that keep a journal, people, a store, and a clock that is in our hands.

`world.start("serve", point=F5, nth=3)` starts the program with a fate; `world.slack` and `world.discord` are
the platforms; `world.live(…)` lets time pass as fast as the desk can do what falls due in it.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from sqlalchemy import exists, select
from sqlmodel import col

from config.loading import load
from handlers import registry
from handlers.dispatch import Dispatcher
from handlers.messages import Command, Place, Reply, Sender
from storage.database import Database
from storage.models.flow import Lane, OutboxRow
from storage.models.incidents import Incident
from storage.models.requests import Request
from storage.unit_of_work import Records
from tests.harness.discord_wire import Wire, texts, walk
from tests.harness.far_side import FarSide
from tests.harness.house import MONDAY, POLICIES
from tests.harness.mail_server import MailServer
from tests.harness.shared_clock import SharedClock
from tests.harness.slack import BOT_TOKEN, SECRET, TEAM, FakeSlack, words
from tests.harness.web_hosts import Twilio
from tests.survival import points, program
from tests.survival.desks import PATIENCE, Desk, Nursery, grown_alone

GUILD = "700000000000000001"
CHATS = ("slack", "discord")
PLATFORMS = (*CHATS, "mail", "sms")
PEOPLE = ("staff", "agent", "oncall", "backup", "approver", "owner", "manager")
ROOMS = ("requests", "service-desk", "on-call", "owners")
_CARD = re.compile(r"[^\n]{0,30}?\b([A-Z]{2,4}-\d+) · ")  # the word for its tone may stand in front
NUMBER = "+4930123456"
CONTACTS = {
    "oncall": [{"way": "chat"}, {"way": "mail", "after": "1m"}, {"way": "sms", "to": NUMBER, "after": "2m"}]
}
"""How people are woken, besides chat at once and mail after a minute."""

TOLD_AT_MOST = 20
LOOKS = 0.01  # seconds between two looks at what can be done
STILL = 1.0  # seconds without any change, after which it is taken that nothing can be done at this moment


def slack_user(person: str) -> str:
    """The account of one of the people on Slack."""
    return f"U00{person.upper()}"


def slack_direct(person: str) -> str:
    """The channel of somebody's own talk with the desk on Slack."""
    return f"D{slack_user(person)}"


def slack_room(room: str) -> str:
    """The channel of a room on Slack."""
    return f"C0{room.upper().replace('-', '')}"


def discord_user(person: str) -> str:
    """The account of one of the people on Discord."""
    return str(710_000_000_000_000_000 + PEOPLE.index(person))


def discord_room(room: str) -> str:
    """The channel of a room on Discord."""
    return str(720_000_000_000_000_000 + ROOMS.index(room))


@dataclass
class World:
    """One store, one clock, two platforms, and as many desks as a test starts on them."""

    folder: Path
    url: str
    clock: SharedClock
    far: FarSide
    slack: FakeSlack
    discord: Wire
    mail: MailServer
    sms: Twilio
    nursery: Nursery
    platforms: tuple[str, ...] = PLATFORMS
    desks: list[Desk] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = Database(self.url)
        self.port = free_port()
        self.far.do(self.slack.reach_at(f"http://127.0.0.1:{self.port}"))
        _write_policies(self.folder / "policies")

    def environment(self, **more: str) -> dict[str, str]:
        """What a desk of this world finds in its environment."""
        of = {
            "slack": {
                "SLACK_BOT_TOKEN": BOT_TOKEN,
                "SLACK_SIGNING_SECRET": SECRET,
                "SLACK_API_URL": self.slack.api_url,
            },
            "discord": {
                "DISCORD_TOKEN": "no.real.token",
                "DISCORD_GUILD_IDS": GUILD,
                "DISCORD_API_URL": self.discord.rest,
                "DISCORD_GATEWAY_URL": self.discord.gateway,
            },
            "mail": {
                "SMTP_URL": f"smtp+plain://127.0.0.1:{self.mail.port}",
                "MAIL_FROM": "Desk <desk@example.org>",
            },
            "sms": {
                "TWILIO_ACCOUNT_SID": Twilio.ACCOUNT,
                "TWILIO_AUTH_TOKEN": Twilio.TOKEN,
                "TWILIO_FROM": Twilio.SENDER,
                "TWILIO_API_URL": self.sms.url,
            },
        }
        connected = {name: value for platform in self.platforms for name, value in of[platform].items()}
        return {
            "PATH": os.environ["PATH"],
            "DESKBELL_HOME": str(self.folder / "home"),
            "DESKBELL_CONFIG": str(self.folder / "policies"),
            "DATABASE_URL": self.url,
            "DESKBELL_LOG": "json",
            "DESKBELL_COMMAND_RATE": "100000",  # a minute of this clock holds what people say in an hour
            "PORT": str(self.port),
            program.CLOCK: str(self.folder / "clock"),
            **connected,
            **more,
        }

    def start(
        self,
        *arguments: str,
        point: str | None = None,
        nth: int = 1,
        by: str = "SIGKILL",
        alone: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> Desk:
        """Start a desk, with a fate if a point is named; `alone` begins it with its imports."""
        fate = {points.POINT: point, points.NTH: str(nth), points.SIGNAL: by} if point else {}
        log = self.folder / f"desk-{len(self.desks) + 1}.log"
        born = grown_alone if alone else self.nursery.bear
        desk = born(
            list(arguments or ("serve",)), self.environment(**fate, **(settings or {})), self.folder, log
        )
        self.desks.append(desk)
        return desk

    def end(self) -> None:
        """Kill whoever still lives."""
        for desk in self.desks:
            desk.kill()

    # People

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """A way to say things without any desk, as if one had heard them and died."""
        policy = load(self.folder / "policies")
        return Dispatcher(registry.load(), lambda: policy, self.database, self.clock.now, self.platforms)

    def say(self, person: str, line: str, platform: str = "slack") -> Reply:
        """What the desk answers to somebody, without any desk that runs."""
        on = {"slack": (TEAM, slack_user), "discord": (GUILD, discord_user)}
        workspace, user = on[platform]
        sender = Sender(platform=platform, workspace=workspace, user=user(person))
        place = Place(platform=platform, direct=True)
        return self.dispatcher.run(Command(line=line, sender=sender, place=place, key=f"said/{uuid4().hex}"))

    def evidence(self, ref: str) -> list[str]:
        """The actions on a ticket, in order, without what the desk noted of promises and messages."""
        with self.database.reading() as session:
            actions = [record.action for record in Records(session).ledger.trail(ref)]
        return [action for action in actions if not action.startswith(("sla.", "notice."))]

    def cards(self, platform: str, ref: str) -> list[dict[str, Any]]:
        """The cards of a ticket that hang in the rooms of a platform; one in each room, if all is well."""
        if platform == "slack":
            hang = [each for room in ROOMS for each in self.slack.messages(slack_room(room))]
            return [
                each for each in hang if not each.get("thread_ts") and f"{ref} · " in words(each["blocks"])
            ]
        hang = [each for room in ROOMS for each in self.discord.rooms[discord_room(room)]]
        return [each for each in hang if f"{ref} · " in texts(each)]

    def buttons(self, platform: str, message: Mapping[str, Any]) -> list[str]:
        """The labels of the buttons on a message."""
        if platform == "discord":
            return [each["label"] for each in walk(message["components"]) if each["type"] == 2]
        elements = [each for block in message["blocks"] for each in block.get("elements", ())]
        return [html.unescape(each["text"]["text"]) for each in elements if each.get("type") == "button"]

    # Time

    def live(
        self,
        until: Callable[[], bool],
        at_most: timedelta = timedelta(hours=1),
        *,
        dues: bool = False,
        no_further_than: datetime | None = None,
    ) -> timedelta:
        """Let time pass until something is so, and give how much of it did.

        While a desk can do something now, time goes on at its own speed; else it jumps to the moment at which
        the next message may leave or, with `dues`, the next thing falls due.
        """
        began, before, still, pause = self.clock.now(), None, 0, threading.Event()
        while not until():
            now = self.clock.now()
            assert now - began <= at_most, f"after {at_most} there still wait: {self.waiting()}"
            assert still * LOOKS < PATIENCE, f"nothing moves: {before}, {self.waiting()}, {self.lanes()}"
            next_at, flying, _ = seen = self._outlook(dues)
            still = still + 1 if seen == before else 0
            ahead = min(filter(None, (next_at, no_further_than)), default=None)
            if not flying and ahead is not None and ahead > now:
                self.clock.set(ahead)
            elif not flying and ahead is not None and still * LOOKS > STILL:
                self.clock.move(timedelta(seconds=1))  # it waits for something that no moment tells of
                still = 0
            before = seen
            pause.wait(LOOKS)
        return self.clock.now() - began

    def spend(self, length: timedelta, *, dues: bool = False) -> None:
        """Let so much time pass."""
        until = self.clock.now() + length
        at_most = length + timedelta(minutes=1)
        self.live(lambda: self.clock.now() >= until, at_most, dues=dues, no_further_than=until)

    def settle(self, at_most: timedelta = timedelta(hours=1)) -> timedelta:
        """Let time pass until nothing waits to be sent."""
        return self.live(self.settled, at_most)

    def settled(self) -> bool:
        """Whether nothing waits to be sent."""
        with self.database.reading() as session:
            return not session.scalar(select(exists().where(col(OutboxRow.open))))

    def waiting(self) -> list[str]:
        """Some of what waits to be sent, and since when it was tried how often."""
        with self.database.reading() as session:
            rows = session.scalars(select(OutboxRow).where(col(OutboxRow.open)).limit(TOLD_AT_MOST)).all()
            return [f"{row.key} {row.state} {row.attempts}x next {row.next_at} {row.reason}" for row in rows]

    def overdue(self) -> int:
        """How many moments have passed and were not acted on."""
        with self.database.reading() as session:
            return Records(session).dues.overdue(self.clock.now())

    def caught_up(self) -> bool:
        """Whether nothing that is due waits to be done."""
        return not self.overdue()

    def records(self) -> int:
        """How many records the ledger holds."""
        with self.database.reading() as session:
            return Records(session).ledger.head().size

    def refs(self) -> list[str]:
        """The references of all requests and incidents."""
        with self.database.reading() as session:
            requests, incidents = session.scalars(select(Request)), session.scalars(select(Incident))
            return [each.ref for each in requests] + [each.ref for each in incidents]

    def lanes(self) -> list[str]:
        """Every lane, who holds it until when, and from when on it may be sent to."""
        with self.database.reading() as session:
            lanes = session.scalars(select(Lane)).all()
            return [f"{each.name} {each.holder} {each.lease_until} {each.not_before}" for each in lanes]

    def _outlook(self, dues: bool) -> tuple[datetime | None, int, int]:
        """When something can be done next, how many messages are under way, how many records there are."""
        now, alive = self.clock.now(), {desk.number for desk in self.desks if desk.lives and not desk.frozen}
        with self.database.reading() as session:
            if not self.database.is_sqlite:  # all at one moment, as SQLite tells it by itself
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            records = Records(session)
            moments = [records.outbox.next_at(self.platforms), records.dues.next_at(now) if dues else None]
            holders = session.scalars(select(col(Lane.holder)).where(col(Lane.lease_until) > now)).all()
            size = records.ledger.head().size
        flying = sum(int(str(each).rpartition(":")[2]) in alive for each in holders)
        return min(filter(None, moments), default=None), flying, size


def card_of(text: str) -> str | None:
    """Whose card this is, where a message is one: they are titled `REQ-1 · …` and tell a state."""
    found = _CARD.match(text)
    return found[1] if found and "State" in text else None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _write_policies(folder: Path) -> None:
    """The example organisation with its rooms and people on both platforms."""
    shutil.copytree(POLICIES, folder)
    rooms, people = folder / "rooms.yaml", folder / "people.yaml"
    said: dict[str, Any] = yaml.safe_load(rooms.read_text(encoding="utf-8"))
    for room in ROOMS:
        said[room]["places"] = {"slack": slack_room(room), "discord": discord_room(room)}
    rooms.write_text(yaml.safe_dump(said), encoding="utf-8")
    said = yaml.safe_load(people.read_text(encoding="utf-8"))
    for person in PEOPLE:
        said[person]["accounts"] = [
            {"platform": "slack", "workspace": TEAM, "user": slack_user(person)},
            {"platform": "discord", "workspace": GUILD, "user": discord_user(person)},
        ]
        if person in CONTACTS:
            said[person]["contacts"] = CONTACTS[person]
    people.write_text(yaml.safe_dump(said), encoding="utf-8")


@contextmanager
def _running(far: FarSide, platform: FakeSlack | MailServer | Twilio) -> Iterator[None]:
    far.do(platform.start())
    try:
        yield
    finally:
        far.do(platform.stop())


@contextmanager
def open_world(
    folder: Path, url: str, far: FarSide, nursery: Nursery, platforms: tuple[str, ...] = PLATFORMS
) -> Iterator[World]:
    """A world on a Monday morning, which ends with everybody in it."""
    clock = SharedClock(folder / "clock")
    clock.set(MONDAY)
    slack, mail, sms = FakeSlack(clock.now, paced=True), MailServer(clock.now), Twilio(clock.now)
    for person in PEOPLE:
        slack.person(slack_user(person), person)
    for room in ROOMS:
        slack.channel(slack_room(room), *map(slack_user, PEOPLE))
    with ExitStack() as stack:
        for each in (slack, mail, sms):
            stack.enter_context(_running(far, each))
        discord = stack.enter_context(far.open(Wire.open(clock.now, paced=True)))
        discord.serve_guild(GUILD, *map(discord_room, ROOMS))
        world = World(folder, url, clock, far, slack, discord, mail, sms, nursery, platforms)
        stack.callback(world.database.close)
        stack.callback(world.end)
        yield world
