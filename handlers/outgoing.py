"""From what others are told to rows in the outbox: which platforms, which places, and once only.

A message to a person goes to the chat that they use. A page goes out in every way that they name, one
after the other, until it is acknowledged; a way that is of no use now lets the next one begin at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from config.policy import Contact, Policy, Way
from handlers.directory import CONSOLE, Directory
from handlers.messages import Card, Kind, Notice, ToPerson, ToRoom, ToSpace, ToThread
from handlers.rules.ledger import Record
from storage.models.flow import SPACE
from storage.repositories.outbox import Item
from storage.unit_of_work import Records

NEXT_WAY = timedelta(minutes=1)
"""How long after the first way of a page the next one follows, where the person does not say."""

WITH_SPACES = frozenset({"slack"})
"""The platforms on which a subject can have a channel of its own; the others have threads."""

AT_REST = timedelta(seconds=5)
"""A lane that is to be left alone for longer than this keeps nobody's page waiting: the next way begins."""


@dataclass(frozen=True)
class _To:
    """One destination of a notice: its lane, its place in the adapter's terms, and how much later it begins.

    `trouble` says why nothing can be sent there at all.
    """

    platform: str
    lane: str
    place: dict[str, Any]
    after: timedelta = timedelta()
    trouble: str | None = None


def room_places(room: str, policy: Policy, platforms: Sequence[str]) -> list[tuple[str, str]]:
    """Where a room is, as (platform, channel): every connected platform it has a place on.

    The console shows every room under its own key.
    """
    known = policy.rooms.get(room)
    places = dict(known.places) if known else {}
    places.setdefault(CONSOLE, room)
    return [(platform, places[platform]) for platform in platforms if platform in places]


class Postbox:
    """Writes notices and cards into the outbox, inside the command's transaction."""

    def __init__(
        self, policy: Policy, records: Records, directory: Directory, platforms: Sequence[str]
    ) -> None:
        self._policy = policy
        self._records = records
        self._directory = directory
        self._platforms = platforms

    def post(
        self,
        notices: Iterable[Notice],
        cards: Iterable[Card],
        now: datetime,
        prefer: str,
        practices: Sequence[str],
    ) -> None:
        """One row per place. A person who cannot be reached gets a row that says so, for the owner to see."""
        rows: list[dict[str, Any]] = []
        for card in dict.fromkeys(cards):
            places = room_places(card.room, self._policy, self._platforms)
            rows.extend(self._card_rows(card.subject, places, now))
            rows.extend(self._card_rows(card.subject, self._spaces(card.subject), now, {"home": None}))
        for notice in notices:
            if notice.kind is Kind.PAGE and isinstance(notice.to, ToPerson):
                rows.extend(self._page_rows(notice, notice.to.person, now, prefer, practices))
            else:
                ways = self._destinations(notice, prefer)
                rows.extend(_notice_row(notice, to, f"{notice.key}/{to.lane}", now, practices) for to in ways)
        if rows:
            self._records.outbox.add(rows)

    def redraw(self, subject: str, now: datetime) -> None:
        """Draw a subject's card anew wherever it hangs."""
        spaces = self._spaces(subject)
        places = [
            (post.platform, post.place)
            for post in self._records.posts.of(subject)
            if post.platform in self._platforms and post.place != SPACE
        ]
        rows = [
            *self._card_rows(subject, [place for place in places if place not in spaces], now),
            *self._card_rows(subject, spaces, now, {"home": None}),
        ]
        if rows:
            self._records.outbox.add(rows)

    def go_home(self, item: Item) -> None:
        """Say in the room, below the card, what could not be said in the channel of its own."""
        channel = str(item.place["home"])
        lane = f"{item.platform}:{channel}"
        row = _row(f"{item.key}/{lane}", Kind(item.kind), item.platform, lane, item.created_at)
        kept = {name: getattr(item, name) for name in ("subject", "while_in", "payload", "practices")}
        place = {"channel": channel, "below": item.place["below"]}
        self._records.outbox.add([row | kept | {"place": place}])

    def _spaces(self, subject: str) -> list[tuple[str, str]]:
        """The channels of its own that a subject has, as (platform, channel)."""
        connected = [platform for platform in self._platforms if platform in WITH_SPACES]
        found = [self._records.posts.space(subject, platform) for platform in connected]
        return [(post.platform, post.thread) for post in found if post and post.thread]

    def _card_rows(
        self,
        subject: str,
        places: Iterable[tuple[str, str]],
        now: datetime,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> Iterator[dict[str, Any]]:
        for platform, channel in places:
            lane = f"{platform}:{channel}"
            if self._records.outbox.card_waits(subject, lane):
                continue
            row = _row(f"card/{subject}/{lane}/{uuid4().hex}", Kind.CARD, platform, lane, now)
            yield row | {"place": {"channel": channel, **more}, "subject": subject}

    def _destinations(self, notice: Notice, prefer: str) -> Iterator[_To]:
        match notice.to:
            case ToPerson(person=person):
                yield next(self._chats(person, prefer), _nowhere(person))
            case ToRoom(room=room):
                for platform, channel in room_places(room, self._policy, self._platforms):
                    yield _To(platform, f"{platform}:{channel}", {"channel": channel})
            case ToThread(subject=subject, room=room):
                spaces = dict(self._spaces(subject))
                for platform, channel in room_places(room, self._policy, self._platforms):
                    place = {"channel": channel, "below": subject}
                    if space := spaces.get(platform):
                        place = {"channel": space, "below": subject, "home": channel}
                    yield _To(platform, f"{platform}:{place['channel']}", place)
            case ToSpace(room=room, name=name, people=people):
                # A lane of its own: nothing that is said in the room waits for it.
                for platform, _ in room_places(room, self._policy, self._platforms):
                    if platform in WITH_SPACES:
                        yield _To(platform, f"{platform}:@spaces", {"space": name, "people": [*people]})

    def _chats(self, person: str, prefer: str) -> Iterator[_To]:
        for way in self._directory.reach(person, prefer):
            place = {"workspace": way.workspace, "user": way.user, "direct": way.direct, "person": person}
            yield _To(way.platform, f"{way.platform}:@{way.workspace}:{way.user}", place)

    # Pages ----------------------------------------------------------------------------------------

    def _page_rows(
        self, notice: Notice, person: str, now: datetime, prefer: str, practices: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        page = f"{notice.key}@{person}"[:250]
        ways = sorted(self._ways(person, prefer), key=lambda way: way.after)
        resting = self._records.outbox.resting([way.lane for way in ways], now + AT_REST)
        useless = False  # whether the way before this one is of no use now
        for number, way in enumerate(ways, 1):
            begins = now if useless else now + way.after
            useless = way.trouble is not None or (begins <= now and way.lane in resting)
            row = _notice_row(notice, way, f"{notice.key}/{number}/{way.lane}", now, practices)
            yield row | {"page": page, "otherwise": notice.otherwise, "next_at": begins}
        if notice.otherwise and all(way.trouble for way in ways):
            self.say_otherwise(page, notice.subject, notice.otherwise, now)

    def say_otherwise(self, page: str, subject: str | None, line: str, now: datetime) -> None:
        """Have the desk say to itself what is to be done when a page reaches nobody."""
        self._records.dues.set(f"otherwise/{page}"[:160], subject or "desk", now, line, urgent=True)

    def _ways(self, person: str, prefer: str) -> Iterator[_To]:
        """The ways to wake a person, each with how long after the page began it begins."""
        contacts = self._contacts(person)
        for contact in contacts:
            after = timedelta(seconds=contact.after)
            if contact.way is Way.CHAT:
                first, *others = [*self._chats(person, prefer)] or [_nowhere(person)]
                yield replace(first, after=after)
                # Nobody wakes up by the console, so it is no second way.
                yield from (replace(to, after=after + NEXT_WAY) for to in others if to.platform != CONSOLE)
            else:
                addresses = [*dict.fromkeys(each.to for each in contacts if each.way is contact.way)]
                yield replace(self._outside(person, contact, addresses.index(contact.to)), after=after)

    def _contacts(self, person: str) -> Sequence[Contact]:
        """The contacts that a person names; or chat at once, and mail after a minute where it is set up."""
        known = self._policy.people.get(person)
        if known and known.contacts:
            return known.contacts
        mail = Contact(Way.MAIL, after=int(NEXT_WAY.total_seconds()))
        return (
            (Contact(Way.CHAT), mail)
            if known and known.email and Way.MAIL in self._platforms
            else (Contact(Way.CHAT),)
        )

    def _outside(self, person: str, contact: Contact, number: int) -> _To:
        """A way outside chat. Its lane is named for the person, because lanes show in logs."""
        known, way = self._policy.people[person], str(contact.way)
        address = contact.to or (known.email if contact.way is Way.MAIL else None)
        zone = known.zone or self._policy.organisation.zone
        place = {"person": person, "to": address, "name": known.name, "zone": zone}
        trouble = None if way in self._platforms else f"{way} is not set up"
        if address is None:
            trouble = f"no address for {way}"
        return _To(way, f"{way}:@{person}" + (f"/{number + 1}" if number else ""), place, trouble=trouble)


def tell_programs(policy: Policy, records: Records, happened: Iterable[Record], is_set_up: bool) -> None:
    """Write what happened for every program that hears of it: codes, and no word that a person wrote."""
    rows = []
    for record in happened:
        event = {
            "seq": record.seq,
            "at": record.at.isoformat(),
            "action": record.action,
            "subject": record.subject,
            "actor": record.actor,
            "before": record.before,
            "after": record.after,
            "practices": list(record.practices),
            "hash": record.hash,
        }
        for hook in policy.webhooks.values():
            if hook.hears(record.action):
                lane = f"{Way.WEBHOOK}:{hook.key}"
                row = _row(f"event/{record.seq}/{hook.key}", Kind.MESSAGE, Way.WEBHOOK, lane, record.at)
                row |= {"place": {"to": hook.to, "event": event}, "payload": {"title": record.action}}
                if not is_set_up:
                    trouble = "webhook is not set up"
                    row |= {"open": False, "state": "given up", "reason": trouble, "done_at": record.at}
                rows.append(row)
    if rows:
        records.outbox.add(rows)


def _nowhere(person: str) -> _To:
    return _To("nowhere", f"nowhere:{person}", {"person": person}, trouble="no connected account")


def _notice_row(notice: Notice, to: _To, key: str, now: datetime, practices: Sequence[str]) -> dict[str, Any]:
    row = _row(key, notice.kind, to.platform, to.lane, now) | {
        "place": to.place,
        "subject": notice.subject,
        "while_in": list(notice.while_in) if notice.while_in is not None else None,
        "payload": notice.reply.model_dump(mode="json", exclude_defaults=True),
        "practices": list(practices),
    }
    if to.trouble is not None:
        row |= {"open": False, "state": "given up", "reason": to.trouble, "done_at": now}
    return row


def _row(key: str, kind: Kind, platform: str, lane: str, now: datetime) -> dict[str, Any]:
    return {
        "key": key[:200],
        "kind": str(kind),
        "platform": platform,
        "lane": lane,
        "place": None,
        "subject": None,
        "while_in": None,
        "payload": None,
        "practices": None,
        "created_at": now,
        "next_at": now,
        "open": True,
        "state": "pending",
        "reason": None,
        "attempts": 0,
        "fence": 0,
        "done_at": None,
        "page": None,
        "otherwise": None,
    }
