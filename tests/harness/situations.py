"""Situations: what was said before, kept as a store, so that many people can try the same thing in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.clock import VirtualClock
from config.policy import Policy
from handlers.errors import NotAllowed
from handlers.messages import Command, Tone
from handlers.rules.ledger import Record
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, Stores, Talk

Said = tuple[tuple[str, str], ...]
"""Who says what, in order. `wait` lets so many hours pass, and `tend` has the desk look after what it tends."""


@dataclass(frozen=True)
class Situation:
    """A store of SQLite, the policy that it was made under, and how late it is in it."""

    store: bytes
    policy: Policy
    now: datetime

    @classmethod
    def made(cls, said: Said, policy: Policy, stores: Stores) -> Situation:
        """The situation after this was said, all of which must succeed."""
        with stores.sqlite() as store:
            talk = Talk(store, policy, VirtualClock(MONDAY))
            for person, line in said:
                match person:
                    case "wait":
                        talk.wait(hours=float(line))
                    case "tend":
                        talk.tend()
                    case _:
                        reply = talk.say(person, line)
                        assert reply.tone is not Tone.BAD, (person, line, reply)
                        assert reply.form is None, (person, line, reply)
            store.close()
            return cls(Path(str(store.url.database)).read_bytes(), policy, talk.clock.now())

    @classmethod
    def all_of(cls, every: Iterable[Said], policy: Policy, stores: Stores) -> Mapping[Said, Situation]:
        """A situation for each of these, made once."""
        return {said: cls.made(said, policy, stores) for said in set(every)}

    def those_who_may(self, commands: Mapping[str, Command], stores: Stores) -> set[str]:
        """Whose command is carried out, each in a desk of its own; a refusal says who may, and changes nothing."""
        allowed = set[str]()
        untried = deque(commands.items())
        while untried:
            with stores.sqlite(self.store) as store:
                talk = Talk(store, self.policy, VirtualClock(self.now))
                carried_out = False
                # A desk in which somebody was refused is as it was, which is looked at, so that the next may try there.
                while untried and not carried_out:
                    who, command = untried.popleft()
                    carried_out = _may(talk, command)
                    allowed |= {who} if carried_out else set()
        return allowed


def _may(talk: Talk, command: Command) -> bool:
    before = _evidence(talk)
    try:
        talk.dispatcher.obey(command)  # anything but NotAllowed is a fault of the situation
    except NotAllowed as refused:
        assert refused.then, "a refusal says who may"  # noqa: PT017 - its text is looked at on the way
        assert _evidence(talk) == before
        return False
    return True


def _evidence(talk: Talk) -> list[Record]:
    with talk.database.reading() as session:
        return list(Records(session).ledger.records())
