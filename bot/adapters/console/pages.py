"""The console's pages as values for its templates: who reads, which rooms there are, how a message looks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot import words
from bot.adapters.console import render
from bot.adapters.console.inbound import is_command
from config.policy import Policy, Role
from handlers.access import roles_of
from handlers.messages import Moment, Place, Reply, Sender, flat
from storage.repositories.console import DESK, Message

DIRECT = "@desk"
"""The direct talk with the desk, as a room's place in an address; a room's key cannot begin with @."""

DESK_NAME = "Deskbell"

STARTS = ("request new", "incident declare", "request list", "service list", "desk home", "desk help")
"""Commands that an empty talk with the desk offers, as far as they exist."""

PAGE = 80
"""Messages on a page."""


@dataclass(frozen=True)
class Reader:
    """Who looks at a page, with what it needs of them."""

    key: str
    name: str
    zone: str
    roles: str
    teams: str

    @property
    def initials(self) -> str:
        """Letters for the round picture."""
        return render.initials(self.name)

    @property
    def hue(self) -> int:
        """The colour of the round picture."""
        return render.hue(self.key)

    def room(self, slug: str) -> str:
        """A room's key in the store from its place in an address."""
        return f"@{self.key}" if slug == DIRECT else slug

    def slug(self, room: str) -> str:
        """A room's place in an address from its key in the store."""
        return DIRECT if room.startswith("@") else room

    @property
    def sender(self) -> Sender:
        """This person as the sender of a command."""
        return Sender(
            platform="console", user=self.key, name=self.name, zone=self.zone, direct=f"@{self.key}"
        )

    def place(self, room: str, thread: int | None) -> Place:
        """Where this person speaks."""
        return Place(
            platform="console",
            channel=room,
            thread=None if thread is None else str(thread),
            direct=room.startswith("@"),
        )


def reader_of(key: str, policy: Policy) -> Reader | None:
    """A person of the policy as a reader; None for anybody else."""
    person = policy.people.get(key)
    if person is None:
        return None
    return Reader(
        key=key,
        name=person.name,
        zone=person.zone or policy.organisation.zone,
        roles=_role_words(roles_of(key, policy)),
        teams=", ".join(team.name for team in policy.teams.values() if key in team.members),
    )


def _role_words(roles: Collection[Role]) -> str:
    """Roles as people read them: an administrator has all, and everyone is staff."""
    if Role.ADMIN in roles:
        return "admin, may do everything"
    return ", ".join(sorted(role for role in roles if role is not Role.STAFF)) or "staff"


@dataclass(frozen=True)
class View:
    """A message as a template draws it, for one reader."""

    id: int
    author: str
    name: str
    initials: str
    hue: int
    by_desk: bool
    private: bool
    command: bool
    line: str | None
    reply: Reply | None
    at: words.Span
    clock: str
    day: str
    day_words: str
    edited: bool
    answers: int
    changed: int
    source: int | None
    room: str
    thread: int | None
    threads: bool
    """Whether it may be answered in a thread."""

    @property
    def tone(self) -> str:
        """The reply's tone, for its colour."""
        return str(self.reply.tone) if self.reply else "plain"


def view(
    message: Message, reader: Reader, policy: Policy, now: datetime, answers: int, nouns: Collection[str]
) -> View:
    """A message as one reader sees it."""
    known = policy.people.get(message.author)
    name = DESK_NAME if message.author == DESK else known.name if known else message.author
    day, day_words = render.day_of(message.at, reader.zone, now)
    direct = message.room.startswith("@")
    return View(
        id=message.id,
        author=message.author,
        name=name,
        initials=render.initials(name),
        hue=render.hue(message.author),
        by_desk=message.author == DESK,
        private=message.only_for is not None and not direct,
        command=message.line is not None and is_command(message.line, direct, nouns),
        line=message.line,
        reply=None if message.reply is None else render.reply_of(message.reply),
        at=words.moment_span(message.at, reader.zone, now),
        clock=f"{message.at.astimezone(ZoneInfo(reader.zone)):%H:%M}",
        day=day,
        day_words=day_words,
        edited=message.edited_at is not None,
        answers=answers,
        changed=message.changed,
        source=message.source,
        room=reader.slug(message.room),
        thread=message.thread,
        threads=message.thread is None and message.only_for is None and not direct,
    )


def within(message: View, pane: str) -> int | None:
    """The thread in which a message's buttons speak; a card that is open at the side speaks in its own."""
    return message.id if pane == "t" and message.thread is None else message.thread


@dataclass(frozen=True)
class RoomLink:
    """A room in the list at the side."""

    slug: str
    name: str
    newest: int
    current: bool


@dataclass(frozen=True)
class ThreadLink:
    """A thread in the list at the side."""

    room: str
    id: int
    title: str
    current: bool


def room_links(policy: Policy, newest: Mapping[str, int], current: str) -> list[RoomLink]:
    """The policy's rooms, the one for requests first."""
    first = policy.organisation.requests_room
    rooms = sorted(policy.rooms.values(), key=lambda room: (room.key != first, room.name.lower()))
    return [RoomLink(room.key, room.name, newest.get(room.key, 0), room.key == current) for room in rooms]


def thread_links(threads: Sequence[Message], current: int | None) -> list[ThreadLink]:
    """Threads by what they began with."""
    return [
        ThreadLink(each.room, each.id, render.excerpt(text_of(each), 40), each.id == current)
        for each in threads
    ]


def text_of(message: Message) -> str:
    """What a message says, as plain text: a line as typed, a reply's title and text."""
    if message.line is not None:
        return message.line
    reply = render.reply_of(message.reply or {"title": ""})
    return f"{reply.title}\n{flat(reply.text)}".strip()


def zone_name(zone: str, now: datetime) -> str:
    """A zone for people: its place and its name at an instant, such as `Berlin (CET)`."""
    return f"{zone.rpartition('/')[2].replace('_', ' ')} ({now.astimezone(ZoneInfo(zone)):%Z})"


def environment() -> Environment:
    """The templates: everything that is filled in is escaped, and a name that is missing is an error."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {
        "spans": words.spans,
        "sections": render.sections,
        "widget": render.widget,
        "tones": render.TONES,
        "states": render.STATES,
        "moment_of": lambda at: Moment(moment=at),
        "emoji": render.emoji,
        "within": within,
        "new_key": lambda: uuid4().hex,
    }
    return found
