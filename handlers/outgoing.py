"""From what others are told to rows in the outbox: which platforms, which places, and once only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from config.policy import Policy
from handlers.directory import CONSOLE, Directory
from handlers.messages import Card, Kind, Notice, ToPerson, ToRoom, ToThread
from storage.unit_of_work import Records


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
            rows.extend(self._card_rows(card, now))
        for notice in notices:
            rows.extend(self._notice_rows(notice, now, prefer, practices))
        if rows:
            self._records.outbox.add(rows)

    def _card_rows(self, card: Card, now: datetime) -> Iterable[dict[str, Any]]:
        for platform, channel in room_places(card.room, self._policy, self._platforms):
            lane = f"{platform}:{channel}"
            if self._records.outbox.card_waits(card.subject, lane):
                continue
            row = _row(f"card/{card.subject}/{lane}/{uuid4().hex}", Kind.CARD, platform, lane, now)
            yield row | {"place": {"channel": channel}, "subject": card.subject}

    def _notice_rows(
        self, notice: Notice, now: datetime, prefer: str, practices: Sequence[str]
    ) -> Iterable[dict[str, Any]]:
        for platform, lane, place in self._places(notice, prefer):
            row = _row(f"{notice.key}/{lane}", notice.kind, platform, lane, now)
            row |= {
                "place": place,
                "subject": notice.subject,
                "while_in": list(notice.while_in) if notice.while_in is not None else None,
                "payload": notice.reply.model_dump(mode="json", exclude_defaults=True),
                "practices": list(practices),
            }
            if place is None:
                row |= {
                    "open": False,
                    "state": "given up",
                    "reason": "no connected account",
                    "done_at": now,
                    "place": {},
                }
            yield row

    def _places(self, notice: Notice, prefer: str) -> Iterable[tuple[str, str, dict[str, Any] | None]]:
        match notice.to:
            case ToPerson(person=person):
                ways = self._directory.reach(person, prefer)
                if not ways:
                    yield "nowhere", f"nowhere:{person}", None
                for way in ways[:1]:
                    place = {
                        "workspace": way.workspace,
                        "user": way.user,
                        "direct": way.direct,
                        "person": person,
                    }
                    yield way.platform, f"{way.platform}:@{way.workspace}:{way.user}", place
            case ToRoom(room=room):
                for platform, channel in room_places(room, self._policy, self._platforms):
                    yield platform, f"{platform}:{channel}", {"channel": channel}
            case ToThread(subject=subject, room=room):
                for platform, channel in room_places(room, self._policy, self._platforms):
                    yield platform, f"{platform}:{channel}", {"channel": channel, "below": subject}


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
    }
