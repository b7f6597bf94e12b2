"""Plays a script: a real desk on a throw-away store, with a clock that moves only when the script says so."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.adapters.port import Adapter, Delivered, Delivery, Ear, Result, TryAgain
from bot.clock import VirtualClock
from bot.courier import Courier
from bot.rehearsal.script import Chat, Click, Expect, Fill, Pass, Say, Script, Step
from bot.rehearsal.stage import Seen, Stage
from bot.rehearsal.transcript import Entry, Evidence, Transcript
from bot.scheduler import Bell
from handlers import registry
from handlers.dispatch import Dispatcher
from handlers.errors import DeskError
from handlers.rules.moments import parse_when
from storage.database import Database
from storage.unit_of_work import Records

_NOTES = ("sla.", "notice.")


class _Line:
    """A platform as the courier reaches it; while it is away, it takes nothing and says so."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.platform = adapter.platform
        self.pace = adapter.pace
        self.away = False

    async def start(self) -> None:
        """The stage connects it."""

    async def stop(self) -> None:
        """The stage closes it."""

    async def deliver(self, delivery: Delivery) -> Result:
        """Hand a message on."""
        return TryAgain("answered 503") if self.away else await self._adapter.deliver(delivery)

    async def find(self, delivery: Delivery) -> Delivered | None:
        """Ask after a message."""
        return None if self.away else await self._adapter.find(delivery)


class Player:
    """One rehearsal. `database` is empty and migrated; it is left with what happened."""

    def __init__(self, script: Script, database: Database, stage: Stage, clock: VirtualClock) -> None:
        self._script = script
        self._zone = stage.policy.organisation.zone
        self._database = database
        self._stage = stage
        self._clock = clock
        self.dispatcher = Dispatcher(
            registry.load(), lambda: stage.policy, database, clock.now, [stage.platform]
        )
        self._bell = Bell(self.dispatcher, clock, "rehearsal")
        self.transcript = Transcript(script.name, self._zone)
        self._reported = 0
        self._mark = 0

    async def play(self) -> Transcript:
        """Play every step, then read the evidence."""
        await self._stage.open(Ear(self.dispatcher))
        self._line = _Line(self._stage.adapter)
        stage = {self._stage.platform: self._line}
        self._courier = Courier(self.dispatcher, stage, self._clock, "rehearsal")
        self._bell.plan()
        try:
            for step in self._script.steps:
                await self._take(step)
        finally:
            await self._stage.close()
        self.transcript.evidence = self._evidence()
        return self.transcript

    async def _take(self, step: Step) -> None:
        if isinstance(step, Expect):
            self._check(step)
            return
        self._mark = self._reported
        try:
            match step:
                case Say():
                    self._note("said", f"@{step.person}", step.text.partition(" ")[2])
                    await self._stage.say(step.person, step.line, step.room, step.below)
                case Click():
                    self._note("said", f"@{step.person}", step.text.partition(" ")[2])
                    await self._stage.click(step.person, step.subject, step.label)
                case Fill():
                    self._note("said", f"@{step.person}", step.text.partition(" ")[2])
                    await self._stage.fill(step.person, step.answers)
                case Pass():
                    await self._pass(step)
                case Chat():
                    self._note("time", "", step.text)
                    self._line.away = step.away
        except (LookupError, ValueError) as error:
            self._note("failed", "", str(error), step.number)
        await self._settle()

    async def _settle(self) -> None:
        """Let everything that follows from now happen now, and report what can be seen of it."""
        while await self._bell.turn() + await self._courier.drain():
            pass
        standing = self._stage.seen()
        for seen in standing:
            if seen.order > self._reported:
                self._note("seen", seen.where, seen.text)
        self._reported = max((seen.order for seen in standing), default=0)

    async def _pass(self, step: Pass) -> None:
        now = self._clock.now()
        target = parse_when(step.until, now, self._zone) if step.until else now + (step.length or timedelta())
        if target < now:
            raise ValueError(f"{step.text}: that is past already")
        self._note("time", "", step.text)
        while not step.down:
            upcoming = await self._next_moment()
            if upcoming is None or upcoming > target:
                break
            self._clock.set(max(upcoming, self._clock.now()))
            await self._settle()
        self._clock.set(target)

    async def _next_moment(self) -> datetime | None:
        moments = [self._bell.next_at(), await self._courier.next_at()]
        soonest = min((each for each in moments if each is not None), default=None)
        # Something that waits for the present instant is given a little time, or the clock would never move.
        if soonest is not None and soonest <= self._clock.now():
            return self._clock.now() + timedelta(seconds=1)
        return soonest

    # Expectations

    def _check(self, step: Expect) -> None:
        try:
            found = self._holds(step)
        except (DeskError, ValueError, LookupError) as error:
            self._note("failed", "", f"{step.text}: {error}", step.number)
            return
        good = found is None
        if good is not step.negated:
            self._note("expected", "", step.text, step.number)
        else:
            reason = "it is so" if step.negated else found
            self._note("failed", "", f"{step.text}: {reason}", step.number)

    def _holds(self, step: Expect) -> str | None:
        """None when it is so, else what is so instead."""
        match step.what:
            case "hears" | "heard":
                since = self._mark if step.what == "hears" else 0
                return self._among(
                    step.wanted, [each for each in self._at(f"@{step.about}") if each.order > since]
                )
            case "shows":
                return self._among(step.wanted, self._at(f"#{step.about}"))
            case "is":
                state = self.dispatcher.look(step.about.upper()).state.replace("-", " ")
                return None if state == step.wanted.replace("-", " ") else f"it is {state}"
            case "clock" | "due":
                return self._clock_holds(step)
            case "evidence" | "includes":
                return self._evidence_holds(step)
            case _:
                with self._database.reading() as session:
                    findings = Records(session).ledger.verify()
                return None if findings.good else f"record {findings.bad}: {findings.trouble}"

    def _at(self, where: str) -> list[Seen]:
        return [each for each in self._stage.seen() if each.where == where]

    @staticmethod
    def _among(wanted: str, seen: list[Seen]) -> str | None:
        if any(wanted.lower() in " ".join(each.text.split()).lower() for each in seen):
            return None
        said = "; ".join(" ".join(each.text.split())[:80] for each in seen[-3:])
        return f"it says: {said}" if said else "nothing is there"

    def _clock_holds(self, step: Expect) -> str | None:
        ref, _, name = step.about.partition(" ")
        with self._database.reading() as session:
            rows = {row.promise: row for row in Records(session).clocks.of(ref.upper())}
        row = rows.get(name)
        if row is None:
            return f"there is no such promise; there are {', '.join(rows) or 'none'}"
        if step.what == "clock":
            state = row.state_at(self._clock.now())
            return None if state == step.wanted else f"it is {state}"
        wanted = parse_when(step.wanted, self._clock.now() - timedelta(days=1), self._zone)
        return None if row.due_at == wanted else f"it is due {row.due_at}"

    def _evidence_holds(self, step: Expect) -> str | None:
        with self._database.reading() as session:
            trail = [each.action for each in Records(session).ledger.trail(step.about.upper())]
        wanted = [each.strip() for each in step.wanted.split(",")]
        if step.what == "includes":
            missing = [each for each in wanted if each not in trail]
            return f"missing: {', '.join(missing)}" if missing else None
        told = [each for each in trail if not each.startswith(_NOTES)]
        return None if told == wanted else f"it is {', '.join(told)}"

    def _evidence(self) -> list[Evidence]:
        with self._database.reading() as session:
            return [
                Evidence(
                    seq=each.seq,
                    at=each.at,
                    actor=each.actor,
                    action=each.action,
                    subject=each.subject,
                    practices=tuple(each.practices),
                    after=dict(each.after or {}),
                )
                for each in Records(session).ledger.records()
            ]

    def _note(self, kind: str, where: str, text: str, line: int | None = None) -> None:
        self.transcript.entries.append(Entry(self._clock.now(), kind, where, text, line))
