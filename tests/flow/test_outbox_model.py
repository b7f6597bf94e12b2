"""Whatever happens on the way: is nothing lost, and nothing said twice that somebody can tell?

Two workers share a store. Messages are written, taken, made ready, sent with every outcome, and the
outcome is recorded or not (a crash); workers freeze, leases run out, tickets close. People are woken in
several ways. The receiving end knows what arrived; the model knows what was written, and which attempts
may have doubled something.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from config.loading import load
from config.policy import Policy
from handlers.delivery import Delivered, Failure, Parcel
from storage import migrations
from storage.database import Database
from storage.models.flow import OutboxRow
from storage.repositories.outbox import Claim
from storage.unit_of_work import Records
from tests.flow.conftest import make_flow, on_two_platforms
from tests.flow.test_lanes import _row
from tests.harness.house import POLICIES

LANES = ("chat:C-0", "chat:C-1")
KINDS = ("message", "page", "reminder")
TICKETS = ("TKT-0", "TKT-1")
WORKERS = ("first", "second")
WAYS = st.lists(st.tuples(st.sampled_from(LANES), st.sampled_from((0, 60, 900))), min_size=1, max_size=3)
MESSAGE = st.tuples(st.sampled_from(LANES), st.sampled_from(KINDS), st.sampled_from(TICKETS))
OUTCOMES = (
    "arrives",
    "arrives",
    "is busy",
    "fails",
    "slips through",
    "is lost",
    "is refused",
    "dies after",
    "dies before",
)
BUSY = timedelta(seconds=20)


class Outbox(RuleBasedStateMachine):
    """Messages to two lanes about two tickets; the platform can tell what arrived, or cannot."""

    taken = Bundle("taken")
    ready = Bundle("ready")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "desk.db"
        path.write_bytes(empty_store())
        self.database = Database(f"sqlite:///{path}")
        self.flow = make_flow(self.database, policy())
        for ticket in TICKETS:
            self.flow.say(f"ticket open {ticket} far")
        self.closed: set[str] = set()
        self.written: dict[str, tuple[str, str, str]] = {}  # lane, ticket, kind of each message, by key
        self.pages: list[list[str]] = []  # the keys of the ways of each page, in order
        self.arrivals: list[tuple[str, bool]] = []  # keys in order, and whether the lease had run out
        self.sent_as: set[str] = set()  # the keys that the platform knows
        self.untold: Counter[str] = Counter()  # repeats that nobody could have told
        self.rests_until: dict[str, datetime] = {}
        self.can_find, self.in_the_end = True, "arrives"

    @initialize(can_find=st.booleans(), in_the_end=st.sampled_from(("arrives", "is refused")))
    def begin(self, can_find: bool, in_the_end: str) -> None:
        self.can_find, self.in_the_end = can_find, in_the_end

    # What happens ---------------------------------------------------------------------------------

    @rule(messages=st.lists(MESSAGE, min_size=1, max_size=4))
    def write(self, messages: list[tuple[str, str, str]]) -> None:
        for lane, kind, ticket in messages:
            self._write(lane, kind, ticket)

    @rule(ticket=st.sampled_from(TICKETS), ways=WAYS)
    def wake_somebody(self, ticket: str, ways: list[tuple[str, int]]) -> None:
        page = f"page-{len(self.pages)}"
        now = self.flow.clock.now()
        self.pages.append(
            [
                self._write(
                    lane,
                    "way",
                    ticket,
                    page=page,
                    otherwise=f"ticket climb {ticket}",
                    next_at=now + timedelta(seconds=after),
                )
                for lane, after in sorted(ways, key=lambda way: way[1])
            ]
        )

    def _write(self, lane: str, kind: str, ticket: str, **more: object) -> str:
        now, key = self.flow.clock.now(), f"k{len(self.written)}"
        row = _row(len(self.written), lane, kind="page" if kind == "way" else kind, subject=ticket)
        row |= {"while_in": ["open"], "created_at": now, "next_at": now, "page": None, "otherwise": None}
        row["place"] = {"channel": lane, "person": "ada"}
        with self.database.writing() as session:
            Records(session).outbox.add([row | more])
        self.written[key] = lane, ticket, kind
        return key

    @rule(target=taken, worker=st.sampled_from(WORKERS), at_most=st.integers(1, 2))
    def take(self, worker: str, at_most: int):
        return multiple(*self._claims(worker, at_most))

    @rule(target=ready, worker=st.sampled_from(WORKERS))
    def take_and_make_ready(self, worker: str):
        return multiple(*self._taken_and_ready(worker))

    @rule(target=ready, frozen=ready)
    def another_takes_over_from_a_worker_that_froze(self, frozen: Parcel):
        self.flow.clock.set(max(self.flow.clock.now(), frozen.claim.until))
        return multiple(*self._taken_and_ready("third"))

    @rule(target=ready, claim=consumes(taken))
    def make_ready(self, claim: Claim):
        return multiple(*self._made_ready(claim))

    def _claims(self, worker: str, at_most: int) -> Sequence[Claim]:
        claims = self.flow.deliveries.claim(self.flow.clock.now(), worker, {"chat": at_most})
        assert len({claim.lane for claim in claims}) == len(claims) <= at_most
        for claim in claims:
            assert self.flow.clock.now() >= self.rests_until.get(claim.lane, claim.items[0].created_at)
        return claims

    def _taken_and_ready(self, worker: str) -> list[Parcel]:
        return [parcel for claim in self._claims(worker, 2) for parcel in self._made_ready(claim)]

    def _made_ready(self, claim: Claim) -> list[Parcel]:
        now = self.flow.clock.now()
        parcel: Parcel | None = None
        if claim.in_doubt:
            parcel = self.flow.deliveries.ready(claim, now, look_again=False)
            if parcel is None:
                return []
            if self.can_find and parcel.key in self.sent_as:
                self.flow.deliveries.settle(self.flow.deliveries.delivered(parcel, Delivered({}), now, now))
                return []
            claim = parcel.claim
        parcel = self.flow.deliveries.ready(claim, now)
        if parcel is None:
            return []
        assert not self.closed & {item.subject for item in parcel.claim.items if item.while_in}, (
            "nobody hears what no longer holds"
        )
        return [parcel]

    @rule(parcel=consumes(ready), outcome=st.sampled_from(OUTCOMES))
    def send(self, parcel: Parcel, outcome: str) -> None:
        if outcome in ("arrives", "slips through", "dies after"):
            self._arrives(parcel)
        self._record(parcel, outcome)
        self._the_way_after_one_that_fails_has_begun()

    def _the_way_after_one_that_fails_has_begun(self) -> None:
        rows = {row.key: row for row in self.flow.rows()}
        for page in self.pages:
            usable = [rows[key] for key in page if rows[key].state not in ("given up", "skipped")]
            if usable and any(rows[key].state == "given up" for key in page[: page.index(usable[0].key)]):
                assert self._has_begun(usable[0])
            assert all(self._has_begun(each) for last, each in pairwise(usable) if last.state == "retry")

    def _has_begun(self, row: OutboxRow) -> bool:
        return row.state != "pending" or row.next_at <= self.flow.clock.now()

    def _arrives(self, parcel: Parcel) -> None:
        late = self.flow.clock.now() >= parcel.claim.until
        for item in parcel.claim.items:
            if late or (item.in_doubt and not self.can_find):
                self.untold[item.key] += 1
            self.arrivals.append((item.key, late))
        self.sent_as.add(parcel.key)

    def _record(self, parcel: Parcel, outcome: str) -> None:
        deliveries, now = self.flow.deliveries, self.flow.clock.now()
        match outcome:
            case "arrives":
                deliveries.settle(deliveries.delivered(parcel, Delivered({}), now, now))
            case "is busy":
                deliveries.settle(deliveries.put_off(parcel, Failure("429", after=BUSY), now, now))
                if now < parcel.claim.until:
                    self.rests_until[parcel.claim.lane] = now + BUSY
            case "fails":
                deliveries.settle(deliveries.put_off(parcel, Failure("503"), now, now))
            case "slips through" | "is lost":
                deliveries.settle(deliveries.put_off(parcel, Failure("timeout", unknown=True), now, now))
            case "is refused":
                deliveries.settle(deliveries.give_up(parcel, "no such channel", now, now))

    @rule(seconds=st.sampled_from((1, 3, 31, 400)))
    def time_passes(self, seconds: int) -> None:
        self.flow.wait(seconds=seconds)

    @rule(ticket=st.sampled_from(TICKETS))
    def a_ticket_closes(self, ticket: str) -> None:
        if not self.closed:  # the other one stays open, or soon nothing would be sent
            self.flow.say(f"ticket close {ticket}")
            self.closed.add(ticket)

    # What must hold -------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self._everything_comes_to_an_end()
            self._nothing_was_lost()
            self._nothing_was_said_twice_that_somebody_could_tell()
            self._each_ticket_was_heard_in_order()
            self._whom_nothing_reached_was_climbed_past()
        finally:
            self.database.close()
            self.folder.cleanup()

    def _everything_comes_to_an_end(self) -> None:
        """The platform is well again, or takes nothing any more; and one worker is left."""
        for _ in range(1000):
            parcels = self._taken_and_ready("last")
            for parcel in parcels:
                self.send(parcel, self.in_the_end)
            next_at = self.flow.deliveries.next_at(["chat"])
            if next_at is None:
                return
            if not parcels:  # a past moment is that of a reminder which gathers while the desk is behind
                self.flow.clock.set(max(next_at, self.flow.clock.now() + timedelta(minutes=1)))
        raise AssertionError("messages wait for ever")

    def _nothing_was_lost(self) -> None:
        rows = {row.key: row for row in self.flow.rows() if row.key in self.written}
        assert rows.keys() == self.written.keys()
        arrived = {key for key, _ in self.arrivals}
        for key, row in rows.items():
            assert row.state in ("sent", "skipped", "given up")
            assert row.state != "sent" or key in arrived
            assert row.state != "skipped" or row.subject in self.closed
        evidence = Counter(
            record.after["notice"]
            for action in ("notice.delivered", "notice.skipped", "notice.given_up")
            for record in self.flow.evidence(action)
            if record.after
        )
        assert all(evidence[row.id] == 1 for row in rows.values()), "each end is on record once"
        with self.database.reading() as session:
            assert Records(session).ledger.verify().good

    def _nothing_was_said_twice_that_somebody_could_tell(self) -> None:
        times = Counter(key for key, _ in self.arrivals)
        for key, count in times.items():
            assert count <= 1 + self.untold[key]

    def _each_ticket_was_heard_in_order(self) -> None:
        """A page overtakes what is no page, and the ways of a page have each their own time."""
        heard: dict[tuple[str, str, bool], list[int]] = {}
        for key in dict.fromkeys(key for key, late in self.arrivals if not late and key in self.written):
            lane, ticket, kind = self.written[key]
            if kind != "way":
                heard.setdefault((lane, ticket, kind == "page"), []).append(int(key[1:]))
        for numbers in heard.values():
            assert numbers == sorted(numbers)

    def _whom_nothing_reached_was_climbed_past(self) -> None:
        rows = {row.key: row for row in self.flow.rows()}
        with self.database.reading() as session:
            dues = Records(session).dues
            climbed = [dues.at(f"otherwise/page-{number}") is not None for number in range(len(self.pages))]
        for page, did in zip(self.pages, climbed, strict=True):
            assert did or not all(rows[key].state == "given up" for key in page)
            assert all(rows[key].otherwise is None for key in page) or not did


@cache
def policy() -> Policy:
    return on_two_platforms(load(POLICIES))


@cache
def empty_store() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.db"
        database = Database(f"sqlite:///{path}")
        migrations.upgrade(database)
        database.close()
        return path.read_bytes()


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(
    max_examples=40, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)
