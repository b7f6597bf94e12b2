"""The desk that a handler is given: the instant, the asker, the policy, the records, and small questions about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from config.policy import Policy
from handlers.access import Person
from handlers.declare import Commands, Standing, distribute, form_for
from handlers.directory import Directory
from handlers.errors import NeedsForm, NotFound
from handlers.messages import Command, Moment, Place, Who
from handlers.parsing import Reading
from storage.unit_of_work import Records


def _no_feed(_name: str) -> str | None:
    return None


@dataclass(frozen=True)
class Desk:
    """What one command works with. `now` is fixed when the command starts and never moves.

    `here` is the subject of the thread the command was said in; `reference` is the command's own id,
    which evidence and logs carry too; `prefer` is the platform on which people are told first. `feed` gives the
    address of a calendar feed with its secret, such as `person/oncall`, where the desk has a web server.
    """

    now: datetime
    asker: Person
    place: Place
    policy: Policy
    records: Records
    directory: Directory
    commands: Commands
    command: Command
    reference: str
    here: str | None = None
    prefer: str = ""
    feed: Callable[[str], str | None] = _no_feed

    @property
    def is_spoken_to(self) -> bool:
        """Whether anything is on file. A ledger begins with what people say: until then nothing is recorded or told,
        and the store may still take in a backup.
        """
        return self.records.ledger.head().size > 0

    @property
    def surface(self) -> str:
        """Where the command came from, for the ledger."""
        return self.command.sender.platform

    @property
    def today(self) -> date:
        """The day at the asker's place."""
        return self.now.astimezone(ZoneInfo(self.asker.zone)).date()

    def look(self, ref: str) -> Standing:
        """How a subject stands now, if the asker may see it; raises NotFound or NotAllowed."""
        look = self.commands.looks.get(ref.partition("-")[0])
        if look is None:
            raise NotFound(f"There is no {ref}.", "Check the reference.")
        return look(ref, self)

    def ask(self, problems: Mapping[str, str]) -> NeedsForm:
        """The command's form with what was said so far: raised when only its handler can tell what is wrong.

        `problems` holds a sentence by field.
        """
        declared, rest = self.commands.find(self.command.line)
        given = distribute(declared, rest, self.command.answers, self.here, self.command.message)
        return NeedsForm(form_for(declared, given, self.reading(), problems), dict(problems))

    def at(self, moment: datetime | None, relative: bool = False) -> Moment | None:
        """An instant as a part of words."""
        return None if moment is None else Moment(moment=moment, relative=relative)

    def who(self, key: str | None) -> Who | None:
        """A person as a part of words."""
        return self.directory.who_is(key) if key else None

    def reading(self) -> Reading:
        """What parameters may know while they are read."""
        return Reading(
            now=self.now,
            zone=self.asker.zone,
            asker=self.asker.key,
            policy=self.policy,
            find_person=self.directory.find,
            people=self.directory.everyone,
        )
