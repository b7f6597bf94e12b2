"""One command, one transaction: find, parse, authorise, run, write everything, commit once.

Nothing else in the house writes on behalf of a command. State, evidence, outgoing messages, due moments,
follow-ups and the sender's key exist together, or none of them does. A repeated key gets the first answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

import structlog
from sqlalchemy.exc import IntegrityError

from config.policy import Policy, Way
from handlers.access import Person, require_role
from handlers.declare import Commands, Declared, Outcome, Standing, distribute, form_for, understand
from handlers.desk import Desk
from handlers.directory import Directory
from handlers.errors import (
    DeskError,
    HouseFault,
    InTheWay,
    NeedsForm,
    NotAllowed,
    TooLarge,
    TooOften,
    WrongState,
)
from handlers.messages import DESK, Button, Command, Form, Option, Place, Reply, Sender, Tone, counted
from handlers.outgoing import Postbox, tell_programs
from handlers.parsing import LINE_AT_MOST, reference, storable
from handlers.rules.ledger import Entry
from storage.database import Database, StoreConflict, StoreUnavailable
from storage.unit_of_work import Records

_log = structlog.get_logger()
_FOLLOW_UPS_AT_MOST = 20
_TRIES = 4
_ANSWERS_AT_MOST = 64_000
_MINUTE = timedelta(minutes=1)

T = TypeVar("T")


class _Stranger(NotAllowed):
    """The desk has not met this account yet."""


class Dispatcher:
    """Carries out commands. `platforms` are the connected ones, best first; `now` reads the clock.

    `rate` is how many commands that change something one person may give there in any minute; None sets no limit.
    """

    def __init__(
        self,
        commands: Commands,
        policy: Callable[[], Policy],
        database: Database,
        now: Callable[[], datetime],
        platforms: Sequence[str],
        new_reference: Callable[[], str] = lambda: uuid4().hex[:12],
        feed: Callable[[str], str | None] = lambda _name: None,
        rate: int | None = None,
    ) -> None:
        self.commands = commands
        self.policy = policy
        self.database = database
        self.now = now
        self.platforms = tuple(platforms)
        self.after_commit: list[Callable[[], None]] = []
        """Called, in the committing thread, when a command has changed something: there may be work."""
        self._new_reference = new_reference
        self._feed = feed
        self._rate = rate

    def run(self, command: Command) -> Reply:
        """Carry out one command and say what came of it.

        An expected error is a calm reply and changes nothing; an unexpected one gives a reference that
        the log carries too. Raises StoreUnavailable when nothing could be committed.
        """
        log_reference = self._new_reference()
        with structlog.contextvars.bound_contextvars(
            reference=log_reference, surface=command.sender.platform
        ):
            try:
                return self._run(command, log_reference)
            except DeskError as error:
                return self._answered(command) or self._explain(error, command)
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, people hear of it calmly, and we in the log
                _log.exception("command failed", error=type(error).__name__)
                return Reply(
                    title="Something went wrong on our side, and nothing was changed.",
                    text=(
                        f"Try again; if it stays, tell the desk's administrator this reference: {log_reference}",
                    ),
                    tone=Tone.BAD,
                )

    def obey(self, command: Command) -> Reply:
        """Carry out one command of the desk's own, and raise what goes wrong instead of explaining it."""
        log_reference = self._new_reference()
        with structlog.contextvars.bound_contextvars(
            reference=log_reference, surface=command.sender.platform
        ):
            return self._run(command, log_reference)

    def _run(self, command: Command, log_reference: str) -> Reply:
        command = _taken_in(command)
        declared, rest = self.commands.find(command.line)
        try:
            return self._obeyed(declared, rest, command, log_reference)
        except _Stranger:
            self._again(lambda: self._meet(command.sender, declared))
            return self._obeyed(declared, rest, command, log_reference)

    def _obeyed(self, declared: Declared, rest: str, command: Command, log_reference: str) -> Reply:
        if not declared.changes:
            with self.database.reading() as session:
                desk = self._desk(command, Records(session), log_reference, strangers=declared.strangers)
                outcome = self._decide(declared, rest, command, desk)
                if outcome.changes or outcome.notices or outcome.due:
                    raise HouseFault(f"“{declared.name}” changes state but evidences no practice")
                return outcome.reply() if callable(outcome.reply) else outcome.reply
        reply = self._again(lambda: self._carry_out(declared, rest, command, log_reference))
        for call in self.after_commit:
            call()
        return reply

    def _again(self, work: Callable[[], T]) -> T:
        """What a transaction gives, tried anew when another one won: a deadlock, or the same key twice at once.

        The next try sees the other one's result.
        """
        for _ in range(_TRIES - 1):
            with suppress(StoreConflict, IntegrityError):
                return work()
        return work()

    def _carry_out(self, declared: Declared, rest: str, command: Command, log_reference: str) -> Reply:
        with self.database.writing() as session:
            records = Records(session)
            first = records.inbox.answer(command.key)
            if first is not None:
                return Reply.model_validate(first)
            desk = self._desk(command, records, log_reference, strangers=declared.strangers)
            # Programs, alerts and the desk itself speak from elsewhere.
            person = desk.asker.key if command.sender.platform in self.platforms else ""
            if person and self._rate is not None:
                self._require_calm(records, person, self._rate, desk.now)
            reply = self._perform(declared, rest, command, desk)
            answer = reply.model_dump(mode="json", exclude_defaults=True)
            records.inbox.record(command.key, desk.now, answer, person)
            return reply

    @staticmethod
    def _require_calm(records: Records, person: str, rate: int, now: datetime) -> None:
        """Raise TooOften for one command more than a person may give in a minute, whichever process took the others."""
        first = records.inbox.nth_last(person, rate, since=now - _MINUTE)
        if first is not None:
            wait = max(1, math.ceil((min(first, now) + _MINUTE - now).total_seconds()))
            raise TooOften(
                f"That was more than {counted(rate, 'command')} within a minute, and nothing was changed.",
                f"Try again in {counted(wait, 'second')}.",
            )

    def _perform(self, declared: Declared, rest: str, command: Command, desk: Desk) -> Reply:
        """Run one command and its follow-ups, and write all they decided."""
        outcome = self._decide(declared, rest, command, desk)
        self._write(declared, outcome, desk)
        queue = list(outcome.follow)
        done = 0
        while queue:
            done += 1
            if done > _FOLLOW_UPS_AT_MOST:
                raise HouseFault(f"“{declared.name}” is followed by more than {_FOLLOW_UPS_AT_MOST} commands")
            line = queue.pop(0)
            following, following_rest = self.commands.find(line)
            said = Command(line=line, sender=DESK, place=command.place, key=command.key)
            as_desk = self._desk(said, desk.records, desk.reference, desk.now, prefer=desk.surface)
            further = self._decide(following, following_rest, said, as_desk)
            self._write(following, further, as_desk)
            queue.extend(further.follow)
        return outcome.reply() if callable(outcome.reply) else outcome.reply

    def _decide(self, declared: Declared, rest: str, command: Command, desk: Desk) -> Outcome:
        if declared.desk_only and command.sender != DESK:
            raise NotAllowed("Only the desk itself says this.")
        require_role(desk.asker, declared.role, desk.policy)
        given = distribute(declared, rest, command.answers, desk.here, command.message)
        if command.draft and not declared.own_form:
            raise NeedsForm(form_for(declared, given, desk.reading(), {}))
        asked = understand(declared, given, desk.reading())
        outcome = declared.run(asked, desk)
        return outcome if isinstance(outcome, Outcome) else Outcome(reply=outcome)

    def _write(self, declared: Declared, outcome: Outcome, desk: Desk) -> None:
        if outcome.changes:
            happened = desk.records.ledger.append(
                [
                    Entry(
                        at=desk.now,
                        actor=desk.asker.key,
                        surface=desk.surface,
                        action=change.action,
                        subject=change.subject,
                        before=change.before,
                        after=change.after,
                        practices=declared.speaks_for(change),
                        policy=desk.policy.version,
                        reference=desk.reference,
                        words=change.words,
                    )
                    for change in outcome.changes
                ]
            )
            if desk.policy.webhooks:
                tell_programs(desk.policy, desk.records, happened, Way.WEBHOOK in self.platforms)
        for prefix in outcome.undue:
            desk.records.dues.cancel(prefix)
        if outcome.due:
            desk.records.dues.set_each(
                (due.key, due.subject, due.at, due.line, due.urgent) for due in outcome.due
            )
        if outcome.notices or outcome.cards:
            postbox = Postbox(desk.policy, desk.records, desk.directory, self.platforms)
            spoken = {code for change in outcome.changes for code in declared.speaks_for(change)}
            practices = [code for code in declared.evidences if code in spoken or not spoken]
            postbox.post(outcome.notices, outcome.cards, desk.now, desk.prefer, practices)

    def _desk(
        self,
        command: Command,
        records: Records,
        log_reference: str,
        now: datetime | None = None,
        prefer: str | None = None,
        strangers: bool = False,
    ) -> Desk:
        policy = self.policy()
        directory = Directory(policy, records, self.platforms)
        directory.admit(command.sender, strangers)
        asker = directory.who(command.sender)
        if asker is None:
            raise _Stranger("I do not know this account.")
        return Desk(
            now=now or self.now(),
            asker=asker,
            place=command.place,
            policy=policy,
            records=records,
            directory=directory,
            commands=self.commands,
            command=command,
            reference=log_reference,
            here=_subject_here(command.place, records),
            prefer=prefer or command.sender.platform,
            feed=self._feed,
        )

    def _meet(self, sender: Sender, declared: Declared) -> None:
        with self.database.reading() as session:
            Directory(self.policy(), Records(session), self.platforms).admit(sender, declared.strangers)
        with self.database.writing() as session:
            records = Records(session)
            directory = Directory(self.policy(), records, self.platforms)
            if directory.who(sender) is None:
                now = self.now()
                person = directory.meet(sender, now)
                records.ledger.append([_met(person, sender, now, self.policy().version)])

    def ask(self, sender: Sender, question: Callable[[Desk], T]) -> T:
        """What a question that changes nothing answers to somebody, for a page.

        Raises NotAllowed for an account that the desk would not listen to, and what the question raises.
        """
        with self.database.reading() as session:
            command = Command(line="", sender=sender, place=Place(platform=sender.platform), key="")
            return question(self._desk(command, Records(session), self._new_reference()))

    def read(self, sender: Sender, lines: Sequence[str]) -> tuple[Person, list[Reply | DeskError]]:
        """What commands that change nothing answer to somebody, all at one instant: a reply or a refusal for each.

        Raises NotAllowed for an account that the desk would not listen to, and HouseFault for a command that may
        change something.
        """

        def answer(desk: Desk, line: str) -> Reply | DeskError:
            try:
                declared, rest = self.commands.find(line)
                if declared.changes:
                    raise HouseFault(f"“{declared.name}” may change something, and no page says it")
                said = _taken_in(desk.command.model_copy(update={"line": line}))
                outcome = self._decide(declared, rest, said, replace(desk, command=said))
                return outcome.reply() if callable(outcome.reply) else outcome.reply
            except DeskError as error:
                return error

        return self.ask(sender, lambda desk: (desk.asker, [answer(desk, line) for line in lines]))

    def draft(self, command: Command) -> Form | None:
        """The form of a command with the answers so far, carrying nothing out; None when it has no form."""
        with self.database.reading() as session:
            try:
                command = _taken_in(command).model_copy(update={"draft": True})
                declared, rest = self.commands.find(command.line)
                desk = self._desk(command, Records(session), "", strangers=declared.strangers)
                self._decide(declared, rest, command, desk)
            except NeedsForm as wanted:
                return wanted.form if isinstance(wanted.form, Form) else None
            except DeskError:
                return None
        return None

    def options(self, sender: Sender, name: str, parameter: str, typed: str) -> Sequence[Option]:
        """What may complete a parameter of a command, the closest to what was typed first."""
        declared = self.commands.by_name.get(name)
        wanted = (
            next((each for each in declared.parameters if each.key == parameter), None) if declared else None
        )
        if wanted is None:
            return ()
        with self.database.reading() as session:
            place = Place(platform=sender.platform)
            command = Command(line=name, sender=sender, place=place, key="")
            try:
                desk = self._desk(command, Records(session), "")
            except DeskError:
                return ()
            suggest = self.commands.suggestions.get(getattr(wanted.kind, "prefix", ""))
            found = suggest(desk) if suggest else wanted.kind.options(desk.reading())
        lower = typed.lower()
        return [each for each in found if lower in each.value.lower() or lower in each.label.lower()]

    def _answered(self, command: Command) -> Reply | None:
        """The first answer to a key that was answered meanwhile by a parallel repeat."""
        with self.database.reading() as session:
            first = Records(session).inbox.answer(command.key)
        return None if first is None else Reply.model_validate(first)

    def _explain(self, error: DeskError, command: Command) -> Reply:
        buttons = tuple(Button(label=label, line=line) for label, line in error.offers)
        if isinstance(error, NeedsForm) and isinstance(error.form, Form):
            said = [sentence for sentence in error.problems.values() if sentence]
            title = said[0] if said else "A few details, please."
            return Reply(title=title, tone=Tone.WAITING, form=error.form)
        if isinstance(error, InTheWay) and isinstance(error.reply, Reply):
            return error.reply
        if isinstance(error, WrongState) and error.subject:
            card = self.look(error.subject).card
            return card.model_copy(
                update={
                    "title": error.what,
                    "text": (error.then,) if error.then else (),
                    "tone": Tone.WAITING,
                    "private": True,
                }
            )
        return Reply(title=error.what, text=(error.then,), tone=Tone.BAD, buttons=buttons)

    def look(self, ref: str) -> Standing:
        """How a subject stands now, for its card."""
        with self.looking() as desk:
            standing = desk.look(ref)
            return replace(standing, drawn=standing.card)

    @contextmanager
    def looking(self) -> Iterator[Desk]:
        """The desk's own look at its store, for several questions at once. What it changes is rolled back."""
        with self.database.reading() as session:
            command = Command(line="", sender=DESK, place=Place(platform=DESK.platform), key="")
            yield self._desk(command, Records(session), "")


def _taken_in(command: Command) -> Command:
    """A command as every store can hold it. Raises TooLarge for more than anybody types."""
    if len(command.line) > LINE_AT_MOST:
        raise TooLarge(
            f"That line has {len(command.line)} characters; {LINE_AT_MOST} are allowed.",
            "Send a shorter one.",
        )
    length = sum(len(key) + len(text) for key, text in command.answers.items())
    if length > _ANSWERS_AT_MOST:
        raise TooLarge(
            f"Those answers have {length} characters; {_ANSWERS_AT_MOST} are allowed.", "Shorten them."
        )
    clean = {
        "line": storable(command.line),
        "answers": {key: storable(text) for key, text in command.answers.items()},
        "message": None if command.message is None else storable(command.message),
    }
    return command.model_copy(update=clean)


def _subject_here(place: Place, records: Records) -> str | None:
    """The subject of the thread where something was said, or of the channel."""
    if place.thread:
        found = reference(place.thread) or records.posts.subject_of_thread(
            place.platform, place.channel, place.thread
        )
        if found:
            return found
    return records.posts.subject_of_space(place.platform, place.channel) if place.channel else None


def _met(person: Person, sender: Sender, now: datetime, policy: str) -> Entry:
    return Entry(
        at=now,
        actor=person.key,
        surface=sender.platform,
        action="person.met",
        subject=person.key,
        before=None,
        after={"platform": sender.platform},
        practices=("SD SP 2.3",),
        policy=policy,
        reference="",
        words={},
    )
