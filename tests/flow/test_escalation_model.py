"""Does the engine, on a real store, wake exactly those whom the simplest model of a climb would wake?

The model counts minutes and knows nothing of evidence, due moments, retries or versions. Every example is a
night of its own on an empty store; what is due is rung at its own moment, and often a second time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.clock import VirtualClock
from config.policy import Policy
from handlers.messages import DESK, Command, Place
from storage.database import Database
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, Talk, _prepare

EXAMPLES = int(os.environ.get("ESCALATION_EXAMPLES", "20"))
"""How many nights are lived through on each store; 2,000 of them take some ten minutes."""

LEVELS = ((5, ("oncall",)), (10, ("oncall", "backup")), (15, ("oncall", "backup", "#on-call")))
ROUNDS = 2
LAPSES = 240
STEPS = [(round_, level) for round_ in range(1, ROUNDS + 1) for level in range(1, len(LEVELS) + 1)] + [
    (ROUNDS, len(LEVELS) + 1)
]
MINUTE = timedelta(minutes=1)


@dataclass
class Model:
    """What should happen, in minutes. `turn` is when the next step is due, `lapse` when the acknowledgement ends."""

    now: int = 0
    state: str = "triggered"
    holder: str | None = None
    climb: int = 0
    step: int = 0
    turn: int | None = None
    lapse: int | None = None
    woken: list[tuple[int, int, int, int]] = field(default_factory=list)

    def begin(self) -> None:
        """Nobody holds it: a climb of its own begins."""
        self.state, self.holder, self.lapse = "triggered", None, None
        self.climb, self.step, self.turn = self.climb + 1, 0, self.now
        self.settle()

    def settle(self) -> None:
        """Let happen what is due now."""
        if self.lapse is not None and self.lapse <= self.now:
            self.begin()
        elif self.turn is not None and self.turn <= self.now:
            round_, level = STEPS[self.step]
            self.woken.append((self.now, self.climb, round_, level))
            self.step += 1
            self.turn = self.now + LEVELS[level - 1][0] if self.step < len(STEPS) else None

    def wait(self, minutes: int) -> None:
        """Let time pass, minute by minute."""
        for _ in range(minutes):
            self.now += 1
            self.settle()

    def hold(self, person: str) -> None:
        """Somebody has it from now on."""
        self.state, self.holder, self.turn, self.lapse = "acknowledged", person, None, self.now + LAPSES

    def work(self) -> None:
        """A sign of work."""
        if self.state == "acknowledged":
            self.lapse = self.now + LAPSES

    def hurry(self) -> None:
        """The next level is asked for at once; after the last one it begins anew."""
        if self.step == len(STEPS):
            self.begin()
        else:
            self.state, self.holder, self.lapse, self.turn = "triggered", None, None, self.now
            self.settle()

    def end(self) -> None:
        """It is over."""
        self.state, self.turn, self.lapse = "resolved", None, None


class Night(RuleBasedStateMachine):
    """One incident, on the desk and in the model."""

    def __init__(self, talk: Talk, done: Callable[[], object]) -> None:
        super().__init__()
        self.talk, self.done = talk, done
        self.model = Model()
        self.began = talk.clock.now()
        self.ref = "INC-1"

    @initialize()
    def declare(self) -> None:
        self.say("staff", "incident declare the lift is stuck service:network impact:medium urgency:medium")
        self.model.begin()

    def say(self, person: str, line: str) -> None:
        reply = self.talk.say(person, line)
        assert "wrong on our side" not in reply.title, reply

    @rule(minutes=st.sampled_from((1, 4, 5, 6, 10, 15, 29, 61, 239, 240, 241)))
    def wait(self, minutes: int) -> None:
        self.talk.wait(minutes=minutes)
        self.model.wait(minutes)

    @rule()
    def replay(self) -> None:
        """A moment that is said again does nothing."""
        place, key = (
            Place(platform="desk"),
            f"again/{self.talk.clock.now()}/{len(self.talk.evidence(self.ref))}",
        )
        self.talk.dispatcher.obey(
            Command(line=f"incident climb {self.ref}", sender=DESK, place=place, key=key)
        )

    @rule(person=st.sampled_from(("oncall", "backup")))
    def acknowledge(self, person: str) -> None:
        self.say(person, f"incident ack {self.ref}")
        if self.model.state == "triggered":
            self.model.hold(person)

    @rule(person=st.sampled_from(("oncall", "backup")))
    def take(self, person: str) -> None:
        self.say(person, f"incident take {self.ref}")
        if self.model.state != "resolved" and self.model.holder != person:
            self.model.hold(person)

    @rule(text=st.uuids())
    def update(self, text: object) -> None:
        self.say("oncall", f"incident update {self.ref} {text}")
        self.model.work()

    @rule()
    def escalate(self) -> None:
        self.say("oncall", f"incident escalate {self.ref} it takes too long")
        if self.model.state != "resolved":
            self.model.hurry()

    @precondition(lambda self: self.model.state == "acknowledged")
    @rule()
    def end_of_turn(self) -> None:
        place, key = (
            Place(platform="desk"),
            f"turn/{self.talk.clock.now()}/{len(self.talk.evidence(self.ref))}",
        )
        self.talk.dispatcher.obey(
            Command(line=f"incident untake {self.ref}", sender=DESK, place=place, key=key)
        )
        self.model.begin()

    @rule()
    def resolve(self) -> None:
        self.say("oncall", f"incident resolve {self.ref} pulled it up")
        self.model.end()

    @precondition(lambda self: self.model.state == "resolved")
    @rule()
    def reopen(self) -> None:
        self.say("staff", f"incident reopen {self.ref} stuck again")
        self.model.begin()

    @invariant()
    def the_same_are_woken_at_the_same_moments(self) -> None:
        if not self.model.climb:
            return
        story = [each for each in self.talk.evidence(self.ref) if each.action == "incident.escalated"]
        woken = [
            (self.minute(each.at), each.after["climb"], each.after["round"], each.after["level"])
            for each in story
            if each.after
        ]
        assert woken == self.model.woken
        for each in story:
            level = (each.after or {})["level"]
            expected = LEVELS[level - 1][1] if level <= len(LEVELS) else ("owner",)
            assert tuple((each.after or {})["notify"]) == expected

    @invariant()
    def it_stands_as_in_the_model(self) -> None:
        if not self.model.climb:
            return
        with self.talk.database.reading() as session:
            records = Records(session)
            incident = records.incidents.get(int(self.ref[4:]))
            again = records.dues.at(f"{self.ref}/climb")
            pages = [row.page or row.key for row in records.outbox.of(self.ref) if row.kind == "page"]
            pages = [page for page in pages if "/silence/" not in page]  # that is another promise
        assert incident is not None
        assert incident.state == self.model.state
        if self.model.state != "resolved":
            assert incident.assignee == self.model.holder
        looks = None if again is None else self.minute(again)
        if self.model.lapse is None:
            assert looks == self.model.turn
        else:
            assert looks is not None, "somebody looks whether there was a sign of work"
            assert looks <= self.model.lapse
        people = [name for _, _, _, level in self.model.woken for name in _names(level)]
        assert len(set(pages)) == len(people), "one page for each person and room, each time"

    def teardown(self) -> None:
        self.done()

    def minute(self, at: datetime) -> int:
        return int((at - self.began) / MINUTE)


def _names(level: int) -> tuple[str, ...]:
    return LEVELS[level - 1][1] if level <= len(LEVELS) else ("owner",)


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: bytes
) -> Callable[[], AbstractContextManager[Database]]:
    """Lends an empty store with every table, again and again."""

    @contextmanager
    def lend() -> Iterator[Database]:
        with ExitStack() as stack:
            if request.param == "sqlite":
                path = tmp_path / "night.db"
                path.write_bytes(sqlite_template)
                url = f"sqlite:///{path}"
            else:
                server = request.getfixturevalue("postgres_server")
                url = stack.enter_context(server.database(server.template("desk", _prepare)))
            database = Database(url)
            stack.callback(database.close)
            yield database

    return lend


def test_the_engine_wakes_whom_the_model_wakes_when_it_does(
    fresh: Callable[[], AbstractContextManager[Database]], policy: Policy
) -> None:
    class OnAnEmptyStore(Night):
        def __init__(self) -> None:
            stack = ExitStack()
            database = stack.enter_context(fresh())
            super().__init__(Talk(database, policy, VirtualClock(MONDAY)), stack.close)

    run_state_machine_as_test(
        OnAnEmptyStore,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=12,
            suppress_health_check=list(HealthCheck),
        ),
    )
