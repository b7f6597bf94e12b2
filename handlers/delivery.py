"""Delivery: what happens to a message between the outbox and the world, without the world.

A message is taken under a lease, its subject is looked at again, it is drawn, somebody sends it, and
what came of it is recorded with its evidence in one transaction. A crash in between leaves it in
doubt: whoever takes it next asks the platform whether it arrived before sending it again.

Nothing is dropped in silence. A message ends as sent, as skipped because it no longer holds, or as
given up, which the owner of the desk is told and can undo. A page to a person has several ways, and when
one fails, the next begins at once, in the transaction that records the failure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree
from sqlmodel import Session

from handlers.desk import Desk
from handlers.directory import Directory
from handlers.dispatch import Dispatcher
from handlers.errors import NotFound
from handlers.messages import Kind, Moment, Notice, Part, Reply, Tone, ToRoom, facts
from handlers.outgoing import AT_REST, Postbox
from handlers.rules.ledger import LONGEST, Entry
from storage.database import StoreConflict
from storage.models.flow import SPACE, Post
from storage.models.people import AccountRow
from storage.repositories.flow import HELD
from storage.repositories.outbox import Claim, Item, PageWay
from storage.unit_of_work import Records

LEASE = timedelta(seconds=30)
"""How long a worker may take over one message; a call to a platform must end within a third of it."""

LATE = timedelta(minutes=5)
"""A message that leaves so long after it was written says since when it waits."""

BEHIND = timedelta(minutes=1)
"""While untried due work is so late, the desk is catching up, and reminders gather."""

GATHERS = timedelta(minutes=10)
"""No reminder waits longer for others to join it."""

SOONEST, LATEST = timedelta(seconds=2), timedelta(minutes=5)
"""The shortest and the longest time between two attempts; it doubles in between."""

RESTS = timedelta(seconds=30)
"""How long a lane rests once its platform has failed twice running: two probes a minute are enough.

No message waits longer for its platform: the lane spares it, and its return is soon noticed.
"""

TRIED_FOR: Mapping[str, timedelta] = {
    Kind.PAGE: timedelta(hours=24),
    Kind.MESSAGE: timedelta(hours=24),
    Kind.REMINDER: timedelta(hours=2),
    Kind.CARD: timedelta(hours=1),
    Kind.SPACE: timedelta(hours=1),
}
"""How long a message is tried, counted from its first attempt."""

FAULTS_AT_MOST = 10
"""How often our own code may fail on a message: to try it for a day would not make it better."""

UNREACHED = timedelta(minutes=1)
"""When every way of a page has failed for so long, it counts as one that reaches nobody."""

TROUBLE = "trouble/"
"""How the keys of notices about the desk's own trouble begin; no such notice causes another one."""

_ACTIONS = {"sent": "notice.delivered", "skipped": "notice.skipped", "given up": "notice.given_up"}
_OPERATING = ("SD SP 3.2",)  # what the sending itself evidences, where no command's practices go with it
_LISTED_AT_MOST, _BUTTONS_FROM, _BUTTONS_AT_MOST = 20, 5, 10
_TITLE_AT_MOST = 120  # characters; twenty of them fit where a message may have 4000
_DELAYED = "Delayed since"
_TRIES = 4

_STORES_OWN = (OperationalError, InterfaceError, NoneFree)
"""The store's trouble, and so everybody's: no fault of the message that met it."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Delivery:
    """One message to one place. `key` is stable over retries and is what once-only sending hangs on.

    `place` holds the platform's own ids (`channel`, or `user`, `workspace`, `direct` for a person; `below` the
    subject whose card it answers), or the address `to` of a way outside chat with the person's `name` and
    `zone`. In a subject's channel of its own, `home` is the room's channel, for words that could also be said
    there. For such a channel that is to be opened, `space` is its name and `invite` are users; for one that is
    open already, `channel` is it and `invite` are those who join. `edit` is the
    message to change in place, `thread` the thread to write in; both as this adapter gave them back before.
    """

    key: str
    kind: str
    place: Mapping[str, Any]
    reply: Reply
    edit: Mapping[str, Any] | None = None
    thread: str | None = None


@dataclass(frozen=True)
class Delivered:
    """It arrived. `message` is whatever the adapter needs to edit it later; `thread` is where answers go.

    A channel that was opened is both: `thread` is the channel, and `message` holds its `name`.
    `direct` is the channel by which a person was reached.
    """

    message: Mapping[str, Any]
    thread: str | None = None
    direct: str | None = None


@dataclass(frozen=True, kw_only=True)
class Parcel(Delivery):
    """One message as it leaves, with the claim that its outcome settles."""

    claim: Claim


@dataclass(frozen=True)
class Failure:
    """Why it did not arrive. `after` is the wait that the platform asked for.

    `unknown` says that it may have arrived; `fault`, that our own code failed and not the platform.
    """

    reason: str
    after: timedelta | None = None
    unknown: bool = False
    fault: bool = False


@dataclass(frozen=True)
class _End:
    """What became of some messages of a claim: `sent`, `skipped`, `given up`, or `retry`."""

    state: str
    items: Sequence[Item]
    reason: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settlement:
    """What is to be recorded of one claim: its ends, until when its lane rests, how often that has failed in a row.

    Without `rests_until` the lane stays taken. `remember` writes what else is known by now.
    """

    claim: Claim
    ends: Sequence[_End]
    now: datetime
    rests_until: datetime | None
    failures: int
    remember: Callable[[Records], None] | None = None


class _TooLate(Exception):
    """Another worker has taken the message meanwhile, so this one has nothing to say about it."""


def backoff(failure: int, longest: timedelta = LATEST) -> timedelta:
    """How long to wait after a failure, counted from 1: 2 s, 4 s, 8 s … up to the longest."""
    return min(SOONEST * (1 << min(failure - 1, 30)), longest)


def is_spent(item: Item, failure: Failure, now: datetime) -> bool:
    """Whether a message has been tried enough, this failed attempt included."""
    if failure.fault and item.failures + 1 >= FAULTS_AT_MOST:
        return True
    return item.first_at is not None and now - item.first_at >= TRIED_FOR[item.kind]


def next_ways(ways: Sequence[PageWay], resting: str | None, now: datetime) -> list[PageWay]:
    """The ways of a page to begin now although their time is to come, because the one before each fails.

    A way that waits in the lane `resting` fails too, for now. One that was given up stands in nobody's way.
    """
    begin, fails = [], False
    for way in ways:
        if fails and way.state == "pending" and way.next_at > now:
            begin.append(way)
        if way.state != "skipped":
            fails = way.state in ("retry", "given up") or (way.state == "pending" and way.lane == resting)
    return begin


def reaches_nobody(ways: Sequence[PageWay], now: datetime) -> bool:
    """Whether every way of a page was given up, or fails and has been failing for a minute."""
    if any(way.state not in ("retry", "given up") for way in ways):
        return False
    began = min((way.first_at for way in ways if way.state == "retry" and way.first_at), default=None)
    return began is None or now - began >= UNREACHED


def listed(replies: Sequence[Reply]) -> Reply:
    """Several reminders as one message: a line for each, and the buttons of the first ones."""
    lines: list[Part] = [f"• {reply.title[:_TITLE_AT_MOST]}\n" for reply in replies[:_LISTED_AT_MOST]]
    if len(replies) > _LISTED_AT_MOST:
        lines.append(f"… and {len(replies) - _LISTED_AT_MOST} more.")
    buttons = [
        button.model_copy(
            update={"label": f"{reply.subject}: {button.label}" if reply.subject else button.label}
        )
        for reply in replies[:_BUTTONS_FROM]
        for button in reply.buttons
    ]
    waiting = [fact for reply in replies for fact in reply.facts if fact.label == _DELAYED]
    return Reply(
        title=f"{len(replies)} reminders",
        text=tuple(lines),
        tone=Tone.WAITING,
        facts=tuple(waiting[:1]),
        buttons=tuple(buttons[:_BUTTONS_AT_MOST]),
        private=all(reply.private for reply in replies),
    )


def _no_longer_holds(item: Item, desk: Desk) -> str | None:
    """Why a message is not worth sending any more; None while it still holds."""
    if item.subject is None or item.while_in is None:
        return None
    try:
        state = desk.look(item.subject).state
    except NotFound:
        return f"{item.subject} is gone"
    if state not in item.while_in:
        return f"{item.subject} is {state} now"
    joins = item.kind == Kind.SPACE and item.place["space"] is None
    if joins and _post(item.subject, item.platform, SPACE, desk) is None:
        return f"{item.subject} has no channel of its own"
    return None


def _drawn(item: Item, desk: Desk, now: datetime) -> Reply:
    if item.kind == Kind.CARD:
        return desk.look(item.subject or "").card
    reply = Reply.model_validate(item.payload)
    if now - item.created_at < LATE:
        return reply
    since = facts((_DELAYED, Moment(moment=item.created_at, relative=True)))
    return reply.model_copy(update={"facts": (*reply.facts, *since)})


def _packed(claim: Claim, replies: Sequence[Reply], desk: Desk) -> Parcel:
    first = claim.items[0]
    place = dict(first.place)
    if any(item.place != first.place for item in claim.items):
        place.pop("below", None)  # about several subjects: said in the room, and in nobody's thread
    parcel = Parcel(
        claim=claim,
        key=claim.key,
        kind=first.kind,
        place=place,
        reply=replies[0] if len(replies) == 1 else listed(replies),
    )
    if first.kind == Kind.SPACE:
        stands = _post(first.subject, first.platform, SPACE, desk)
        known = {"channel": stands.thread} if stands else {}
        return replace(parcel, place={**place, **known, "invite": _invited(first, desk)})
    is_card = first.kind == Kind.CARD
    # A channel of its own is about the subject as a whole, so nothing is said below its card.
    below = None if "home" in place else place.get("below")
    hangs = _post(first.subject if is_card else below, first.platform, place.get("channel"), desk)
    if hangs is None:
        return parcel
    return replace(parcel, edit=hangs.message if is_card else None, thread=hangs.thread)


def _invited(item: Item, desk: Desk) -> list[str]:
    """The accounts of those who are to be in a channel of its own."""
    people = dict.fromkeys(item.place.get("people", ()))
    ways = [way for person in people for way in desk.directory.reach(person, item.platform)]
    return [*dict.fromkeys(way.user for way in ways if way.platform == item.platform)]


def _post(subject: str | None, platform: str, place: str | None, desk: Desk) -> Post | None:
    """Where a subject's card hangs in a place."""
    if subject is None or place is None:
        return None
    return desk.records.posts.at(subject, platform, place)


class Deliveries:
    """The rules and transactions of sending. Every method raises StoreUnavailable when it cannot commit."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._database = dispatcher.database
        self._reached: dict[str, str] = {}  # the lane of each platform whose turn it was last

    # Before it is sent ----------------------------------------------------------------------------

    def claim(self, now: datetime, holder: str, at_most: Mapping[str, int]) -> Sequence[Claim]:
        """Take what may leave now, pages first, for at most so many destinations on each platform."""
        with self._database.writing() as session:
            records = Records(session)
            if records.facts.get(HELD):
                return ()  # a copy that was restored: the desk it was taken from may have sent all this
            gather_since = now - GATHERS if records.dues.is_behind(now - BEHIND) else None
            claims = records.outbox.claim(now, holder, LEASE, at_most, gather_since, self._reached)
        self._reached |= records.outbox.reached
        return claims

    def next_at(self, platforms: Collection[str]) -> datetime | None:
        """When the next message may leave; None when nothing waits. May be past: it may leave now, or it gathers."""
        with self._database.reading() as session:
            return Records(session).outbox.next_at(platforms)

    def ready(self, claim: Claim, now: datetime, look_again: bool = True) -> Parcel | None:
        """The message as it is to be sent now. What no longer holds or cannot be drawn is settled on the way.

        None when nothing is left to send, and the lane is free again; or when the lease has run out: a worker
        that froze cannot know what others did meanwhile.
        """
        if now >= claim.until:
            return None
        drawn: list[tuple[Item, Reply]] = []
        ends: list[_End] = []
        # One look for all of it, which is over before anything is written: a reader may be in a writer's way.
        with self._dispatcher.looking() as desk:
            for item in claim.items:
                try:
                    reason = _no_longer_holds(item, desk) if look_again else None
                    if reason is None:
                        drawn.append((item, _drawn(item, desk, now)))
                    else:
                        ends.append(_End("skipped", [item], reason))
                except _STORES_OWN:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, it must not hold up the others
                    _log.exception("message cannot be drawn", notice=item.id)
                    reason = f"{type(error).__name__} while it was drawn"
                    ends += _failed(replace(claim, items=(item,)), Failure(reason, fault=True), now)
            kept = replace(claim, items=tuple(item for item, _ in drawn))
            parcel = _packed(kept, [reply for _, reply in drawn], desk) if drawn else None
        rests_until = None if drawn else now
        if ends and not self.settle(Settlement(claim, ends, now, rests_until, claim.failures)):
            return None
        return parcel

    # After it was sent ----------------------------------------------------------------------------

    def delivered(
        self, parcel: Parcel, arrived: Delivered, now: datetime, rests_until: datetime
    ) -> Settlement:
        """That it arrived, where its card hangs now, and by which channel a person is reached.

        The lane rests until an instant.
        """

        def remember(records: Records) -> None:
            if parcel.kind == Kind.CARD:
                _hang(records, parcel, arrived, now)
            if parcel.kind == Kind.SPACE and "channel" not in parcel.place:
                _move_in(records, parcel, arrived, now)
                self._postbox(records).redraw(parcel.claim.items[0].subject or "", now)
            if arrived.direct and parcel.place.get("direct", arrived.direct) != arrived.direct:
                _remember_direct(records, parcel, arrived.direct)

        end = _End("sent", parcel.claim.items, values={"message": dict(arrived.message)})
        return Settlement(parcel.claim, [end], now, rests_until, 0, remember)

    def put_off(self, parcel: Parcel, failure: Failure, now: datetime, rests_until: datetime) -> Settlement:
        """That it did not arrive: it is tried later, or given up when it was tried enough.

        When the platform fails, or asks for it, the whole lane rests; when our own code fails, it does not.
        """
        claim, failures = parcel.claim, parcel.claim.failures
        if failure.after is not None:
            rests_until = max(rests_until, now + failure.after)
        elif not failure.fault:
            failures += 1
            rests_until = max(rests_until, now + RESTS) if failures > 1 else rests_until
        return Settlement(claim, _failed(claim, failure, now), now, rests_until, failures)

    def give_up(self, parcel: Parcel, reason: str, now: datetime, rests_until: datetime) -> Settlement:
        """That it can never arrive as it is, of which the owner of the desk is told.

        A channel of its own that takes nothing any more, because people archived it, is left without that:
        what was to be said there is said below the card in the room, and so is what follows.
        """
        if "home" in parcel.place:
            left = _End("skipped", parcel.claim.items, f"its channel is left: {reason}")

            def move_out(records: Records) -> None:
                self._move_out(records, parcel, now)

            return Settlement(parcel.claim, [left], now, rests_until, 0, move_out)
        end = _End("given up", parcel.claim.items, reason)
        return Settlement(parcel.claim, [end], now, rests_until, 0)

    def _move_out(self, records: Records, parcel: Parcel, now: datetime) -> None:
        postbox = self._postbox(records)
        for item in parcel.claim.items:
            records.posts.leave(item.subject or "", item.platform, parcel.place["channel"])
            if item.place["home"] is not None:
                postbox.go_home(item)
            postbox.redraw(item.subject or "", now)

    def retry(self, row_id: int, now: datetime, actor: str) -> bool:
        """Open a message again that was given up, because somebody asks for it; False when it is not one."""
        with self._database.writing() as session:
            records = Records(session)
            row = records.outbox.get(row_id)
            if row is None or not records.outbox.retry(row_id, now):
                return False
            entry = self._entry("notice.retried", row.subject, row.practices, row.platform, now)
            records.ledger.append([replace(entry, actor=actor, surface="desk", after={"notice": row_id})])
            return True

    def settle(self, settlement: Settlement) -> bool:
        """Record one of them; False, with nothing recorded, when another worker has taken the lane meanwhile."""
        (end,) = self.settle_all([settlement])
        if isinstance(end, Exception):
            raise end
        return end

    def settle_all(self, settlements: Sequence[Settlement]) -> list[bool | Exception]:
        """Record what became of several claims in one transaction, and yet each for itself.

        For each: True; False when another worker has taken its lane meanwhile; or what went wrong with it
        alone. Of the last two nothing is recorded. Raises StoreUnavailable when nothing at all could be.
        """
        for left in reversed(range(_TRIES)):
            try:
                with self._database.writing() as session:
                    return [self._settled(session, each) for each in settlements]
            except StoreConflict:
                if not left:
                    raise
        return []

    def _settled(self, session: Session, settlement: Settlement) -> bool | Exception:
        claim = settlement.claim
        try:
            with session.begin_nested():
                session.connection()  # only now the savepoint is set, and not all statements ask for it
                self._settle(Records(session), settlement)
        except _TooLate:
            _log.warning("too late to record", lane=claim.lane, worker=claim.holder, fence=claim.fence)
            return False
        except _STORES_OWN:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not hold up the others
            return error
        return True

    def _settle(self, records: Records, settlement: Settlement) -> None:
        claim, ends, now = settlement.claim, settlement.ends, settlement.now
        rests_until = settlement.rests_until
        resting = claim.lane if rests_until is not None and rests_until > now + AT_REST else None
        if rests_until is not None:  # first the lane, then its messages, as taking does
            records.outbox.free(claim, rests_until, settlement.failures)
        for end in ends:
            self._write(records, claim, end, now)
        # Ends are evidence, and the ledger is one transaction's at a time: of two ways that are given up at
        # once, the second sees the first.
        for page in records.outbox.pages_of(_in_trouble(ends), resting):
            self._go_on(records, page, resting, now)
        if settlement.remember:
            settlement.remember(records)

    def _write(self, records: Records, claim: Claim, end: _End, now: datetime) -> None:
        values: dict[str, Any] = {"state": end.state, "reason": end.reason and end.reason[:500]}
        if end.state in _ACTIONS:
            values |= {"open": False, "done_at": now, "in_doubt": False}
        if not records.outbox.settle(claim, end.items, **values, **end.values):
            raise _TooLate
        action = _ACTIONS.get(end.state)
        evident = [item for item in end.items if item.kind != Kind.CARD or end.state == "given up"]
        if action and evident:
            records.ledger.append([self._evidence(action, claim, item, end.reason, now) for item in evident])
        if end.state == "given up":
            self._tell_owner(records, end, now)

    def _go_on(self, records: Records, page: str, resting: str | None, now: datetime) -> None:
        """After something became of a way of a page: begin the next one, if need be, and show it on the card."""
        ways = records.outbox.ways(page)
        postbox = self._postbox(records)
        if due := [way.id for way in next_ways(ways, resting, now)]:
            records.outbox.hurry(due, now)
        line = next((way.otherwise for way in ways if way.otherwise), None)
        if line and reaches_nobody(ways, now):
            postbox.say_otherwise(page, ways[0].subject, line, now)
            records.outbox.otherwise_is_said(page)
        if ways[0].subject:
            postbox.redraw(ways[0].subject, now)

    def _evidence(self, action: str, claim: Claim, item: Item, reason: str | None, now: datetime) -> Entry:
        after = {
            "notice": item.id,
            "kind": item.kind,
            "to": item.place.get("person") or item.place.get("channel") or "",
            "attempt": item.attempts + 1,
            "worker": claim.holder,
        }
        if reason:
            after["reason"] = reason[:LONGEST]
        entry = self._entry(action, item.subject, item.practices, item.platform, now)
        return replace(entry, before={"worker": claim.before} if item.in_doubt else None, after=after)

    def _entry(
        self, action: str, subject: str | None, practices: Iterable[str] | None, surface: str, now: datetime
    ) -> Entry:
        return Entry(
            at=now,
            actor="desk",
            surface=surface,
            action=action,
            subject=subject or "desk",
            practices=tuple(practices or _OPERATING),
            policy=self._dispatcher.policy().version,
        )

    def _tell_owner(self, records: Records, end: _End, now: datetime) -> None:
        told = [item for item in end.items if not item.key.startswith(TROUBLE)]
        if told:
            self.tell_owner(records, _given_up(told, end.reason or ""), f"notice/{told[0].id}", now)

    def tell_owner(self, records: Records, reply: Reply, key: str, now: datetime) -> None:
        """Tell the owner's room of the desk's own trouble, once for each key."""
        room = ToRoom(room=self._dispatcher.policy().organisation.owner_room)
        notice = Notice(to=room, reply=reply, key=f"{TROUBLE}{key}")
        self._postbox(records).post([notice], (), now, prefer="", practices=_OPERATING)

    def _postbox(self, records: Records) -> Postbox:
        policy, platforms = self._dispatcher.policy(), self._dispatcher.platforms
        return Postbox(policy, records, Directory(policy, records, platforms), platforms)


def _failed(claim: Claim, failure: Failure, now: datetime) -> list[_End]:
    """Another attempt later for each message, but for those that were tried enough.

    What a message went through while its lane was not well is not held against it: it would wait when the
    others leave again.
    """
    ends, spent = [], []
    for item in claim.items:
        if is_spent(item, failure, now):
            spent.append(item)
        else:
            own = item.failures + (failure.fault or (claim.failures == 0 and failure.after is None))
            # An earlier doubt stays: that this attempt failed does not tell how the one before it ended.
            in_doubt = item.in_doubt or failure.unknown
            values = {"next_at": now + _wait(claim, own, failure), "in_doubt": in_doubt, "failures": own}
            ends.append(_End("retry", [item], failure.reason, values))
    return [*ends, _End("given up", spent, failure.reason)] if spent else ends


def _wait(claim: Claim, own: int, failure: Failure) -> timedelta:
    """How long a message waits that has failed so often by itself, in a lane that has failed so often."""
    if failure.after is not None:
        return failure.after
    return backoff(own, LATEST) if failure.fault else backoff(max(own, claim.failures + 1), RESTS)


def _in_trouble(ends: Sequence[_End]) -> list[Item]:
    """Messages that do not leave as they should, or did not until now; of the others nobody need be told."""
    return [
        item for end in ends for item in end.items if item.attempts or end.state not in ("sent", "skipped")
    ]


def _given_up(items: Sequence[Item], reason: str) -> Reply:
    first, more = items[0], len(items) - 1
    about = f" about {first.subject}" if first.subject else ""
    return Reply(
        title=f"A {first.kind}{about} could not be delivered"
        + (f", nor {more} more with it." if more else "."),
        text=(f"`deskbell outbox retry {first.id}` sends it again.",),
        tone=Tone.BAD,
        facts=facts(
            ("To", f"{first.platform} {first.place.get('person') or first.place.get('channel') or ''}"),
            ("Why", reason),
            ("Attempts", str(first.attempts + 1)),
            ("Written", Moment(moment=first.created_at)),
        ),
        subject=first.subject,
        private=False,
    )


def _move_in(records: Records, parcel: Parcel, arrived: Delivered, now: datetime) -> None:
    item = parcel.claim.items[0]
    records.posts.put(
        Post(
            subject=item.subject or "",
            platform=item.platform,
            place=SPACE,
            message=dict(arrived.message),
            thread=arrived.thread,
            posted_at=now,
        )
    )


def _hang(records: Records, parcel: Parcel, arrived: Delivered, now: datetime) -> None:
    item, channel = parcel.claim.items[0], parcel.place["channel"]
    hung = records.posts.at(item.subject or "", item.platform, channel)
    records.posts.put(
        Post(
            subject=item.subject or "",
            platform=item.platform,
            place=channel,
            message=dict(arrived.message),
            thread=arrived.thread or (hung.thread if hung else None),
            posted_at=hung.posted_at if hung else now,
        )
    )


def _remember_direct(records: Records, parcel: Parcel, direct: str) -> None:
    place = parcel.place
    records.people.put_account(
        AccountRow(
            platform=parcel.claim.platform,
            workspace=place["workspace"],
            user=place["user"],
            person=place["person"],
            direct=direct,
        )
    )
