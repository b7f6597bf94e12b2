"""The reckoning: what people wanted, what the store holds of it, and what the platforms have shown.

A platform is added by saying in `SHOWN` what hangs there, and in `KEYS` how a message is known there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from bot.adapters.discord.render import mark
from bot.adapters.notify.ways import digest
from handlers.messages import Kind
from handlers.rules.workflow import IncidentState, RequestState
from storage.models.evidence import EvidenceRow
from storage.models.flow import OutboxRow
from storage.models.incidents import Incident
from storage.models.requests import Request
from tests.harness.discord_wire import texts
from tests.harness.slack import BOT, words
from tests.survival.intents import Ask, Intent
from tests.survival.world import CHATS, World, card_of

ONCE = (
    "request.received",
    "request.taken",
    "incident.declared",
    "notice.delivered",
    "notice.skipped",
    "notice.given_up",
)
"""Evidence that is true once only, of a ticket or of a message."""


@dataclass(frozen=True)
class Shown:
    """One message of the desk's as it hangs on a platform. `key` is what the desk knows it by there."""

    place: str
    key: str
    text: str


def on_slack(world: World) -> list[Shown]:
    """What the desk has posted in channels and direct talks."""
    return [
        Shown(each["channel"], _slack_key(each), words(each["blocks"]) or each["text"])
        for channel in list(world.slack.members)
        for each in world.slack.messages(channel)
        if each["user"] == BOT
    ]


def _slack_key(message: Mapping[str, Any]) -> str:
    return str(((message.get("metadata") or {}).get("event_payload") or {}).get("key", message["ts"]))


def on_discord(world: World) -> list[Shown]:
    """What the desk has posted in rooms, threads and direct talks."""
    return [
        Shown(room, str(each["components"][0].get("id", each["id"])), texts(each))
        for room, hang in list(world.discord.rooms.items())
        for each in list(hang)
    ]


def by_mail(world: World) -> list[Shown]:
    """What arrived in mailboxes."""
    letters = [(each.to, each.message) for each in world.mail.letters]
    return [
        Shown(to, str(letter["Message-ID"])[1:].partition("@")[0], str(letter["Subject"]))
        for to, letter in letters
    ]


def by_sms(world: World) -> list[Shown]:
    """What arrived on phones."""
    return [Shown(to, text.rpartition("#")[2], text) for to, text in world.sms.sent]


SHOWN: Mapping[str, Callable[[World], list[Shown]]] = {
    "slack": on_slack,
    "discord": on_discord,
    "mail": by_mail,
    "sms": by_sms,
}
KEYS: Mapping[str, Callable[[str], str]] = {
    "slack": str,
    "discord": lambda key: str(mark(key)),
    "mail": lambda key: digest(key, 32),
    "sms": lambda key: digest(key, 8),
}


@dataclass(frozen=True)
class Reckoning:
    """What came of a run; `shown_twice` counts by platform, and does not say that it must not be."""

    tried: int
    messages: int
    records: int
    lost: Sequence[str]
    done_twice: Sequence[str]
    shown_twice: Counter[str]

    def __str__(self) -> str:
        twice = ", ".join(f"{times} on {where}" for where, times in sorted(self.shown_twice.items())) or "0"
        return (
            f"{self.tried} intents, {self.messages} messages, {self.records} records; "
            f"lost {len(self.lost)}, done twice {len(self.done_twice)}, shown twice {twice}"
        )


def reckon(world: World, intents: Iterable[Intent]) -> Reckoning:
    """Compare it all, when nothing waits any more. Fails when the ledger does not verify."""
    wanted = list(intents)
    shown = {platform: SHOWN[platform](world) for platform in world.platforms}
    rows, evidence = every(world, OutboxRow), every(world, EvidenceRow)
    tickets = [*every(world, Request), *every(world, Incident)]
    _verify(world)
    return Reckoning(
        tried=len(wanted),
        messages=len(rows),
        records=len(evidence),
        lost=[*_not_done(wanted, tickets, evidence), *_not_sent(rows, shown), *_stale_cards(tickets, shown)],
        done_twice=[*_asked_twice(wanted, tickets), *_recorded_twice(evidence)],
        shown_twice=+Counter({platform: _too_many(each) for platform, each in shown.items()}),
    )


def every(world: World, table: Any) -> Sequence[Any]:
    """All rows of a table."""
    with world.database.reading() as session:
        return session.scalars(select(table)).all()


def _verify(world: World) -> None:
    """The whole ledger against itself and its checkpoints, by the program's own command."""
    desk = world.start("evidence", "verify")
    assert desk.ended.wait(120), desk.said
    assert desk.code == 0, desk.said


Ticket = Request | Incident


def _times(ask: Ask, tickets: Iterable[Ticket]) -> int:
    return sum(ask.word in (each.summary if isinstance(each, Request) else each.title) for each in tickets)


def _not_done(
    wanted: Iterable[Intent], tickets: Sequence[Ticket], evidence: Iterable[EvidenceRow]
) -> list[str]:
    """What was acknowledged and did not happen."""
    held = {each.subject for each in evidence if each.action in ("request.taken", "incident.acknowledged")}
    return [
        f"{each}: acknowledged, and not done"
        for each in wanted
        if each.acknowledged
        if not (_times(each, tickets) if isinstance(each, Ask) else each.ref in held)
    ]


def _asked_twice(wanted: Iterable[Intent], tickets: Sequence[Ticket]) -> list[str]:
    return [f"{each}: done twice" for each in wanted if isinstance(each, Ask) and _times(each, tickets) > 1]


def _recorded_twice(evidence: Iterable[EvidenceRow]) -> list[str]:
    happened = Counter(
        (each.action, each.subject, (each.after or {}).get("notice"))
        for each in evidence
        if each.action in ONCE
    )
    return [f"{what} is recorded {times} times" for what, times in happened.items() if times > 1]


def _not_sent(rows: Iterable[OutboxRow], shown: Mapping[str, Sequence[Shown]]) -> list[str]:
    """What still waits, was given up, or is said to be sent although nobody has seen it."""
    seen = {platform: {each.key for each in found} for platform, found in shown.items()}
    lost = []
    for row in rows:
        if row.open or row.state == "given up":
            lost.append(f"{row.key}: {row.state}, {row.reason}")
        elif row.state == "sent" and row.kind != Kind.CARD and _key(row) not in seen[row.platform]:
            lost.append(f"{row.key}: sent, and shown to nobody")
    return lost


def _key(row: OutboxRow) -> str:
    return KEYS[row.platform](row.said_as or row.key)


def _stale_cards(tickets: Iterable[Ticket], shown: Mapping[str, Sequence[Shown]]) -> list[str]:
    """Tickets whose card does not hang in a chat, or shows another state than theirs."""
    return [
        f"{each.ref} on {chat}: no card that says it is {_state(each)}"
        for each in tickets
        for chat in CHATS
        if chat in shown
        if not any(card_of(card.text) == each.ref and _state(each) in card.text for card in shown[chat])
    ]


def _state(ticket: Ticket) -> str:
    states = RequestState if isinstance(ticket, Request) else IncidentState
    return states(ticket.state).shown


def _too_many(shown: Sequence[Shown]) -> int:
    """How many messages hang beside one that says the same: by its key, or as the same ticket's card."""
    keys = Counter(each.key for each in shown)
    cards = Counter((each.place, ref) for each in shown if (ref := card_of(each.text)))
    return max(len(shown) - len(keys), sum(cards.values()) - len(cards))
