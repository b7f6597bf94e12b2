"""The world in which example history happens: a virtual clock, people who speak, and stories that go on side by side.

A story is a generator: what it yields is the instant at which it goes on. Between two instants the desk rings what is
due, at its own moment, as it would in life.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

from bot.clock import VirtualClock
from handlers.dispatch import Dispatcher
from handlers.errors import DeskError
from handlers.messages import DESK, Command, Place, Reply, Sender, Tone
from storage.repositories.flow import DueItem
from storage.unit_of_work import Records

Story = Iterator[datetime]

_OPENS, _CLOSES = 9 * 60, 17 * 60  # minutes of the day


class World:
    """Everything that stories share. `random` decides whatever is left open, so that a seed gives one history."""

    def __init__(self, dispatcher: Dispatcher, clock: VirtualClock, random: Random, zone: str) -> None:
        self.dispatcher = dispatcher
        self.clock = clock
        self.random = random
        self.refused: Counter[str] = Counter()
        """How often a command was refused, by its first two words: stories go on, as people do."""
        self._zone = ZoneInfo(zone)
        self._keys = count(1)
        self._waiting: list[tuple[datetime, int, Story]] = []
        self._order = count()

    # People ---------------------------------------------------------------------------------------

    def say(self, person: str, line: str, **answers: str) -> Reply:
        """What the desk answers when somebody says a line."""
        reply = self.dispatcher.run(
            Command(
                line=line,
                sender=Sender(platform="console", user=person),
                place=Place(platform="console", channel=f"@{person}", direct=True),
                key=f"example/{next(self._keys)}",
                answers=answers,
            )
        )
        if reply.tone is Tone.BAD or reply.form is not None:
            self.refused[" ".join(line.split()[:2])] += 1
        return reply

    def ref(self, person: str, line: str, **answers: str) -> str | None:
        """The reference of what a line brought about; None when it was refused."""
        reply = self.say(person, line, **answers)
        return None if reply.tone is Tone.BAD or reply.form is not None else reply.subject

    # Time -----------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The virtual instant."""
        return self.clock.now()

    def after(self, median: float, spread: float = 0.8) -> datetime:
        """Some minutes later, round the clock: half of the time less than the median."""
        return self.now + timedelta(minutes=self._drawn(median, spread))

    def worked(self, median: float, spread: float = 0.8) -> datetime:
        """After some minutes of work: half of the time less than the median, counted Monday to Friday, 09 to 17."""
        left = self._drawn(median, spread)
        local = self.now.astimezone(self._zone)
        day, minute = local.date(), local.hour * 60 + local.minute
        while True:
            if day.weekday() < 5 and minute < _CLOSES:
                begin = max(minute, _OPENS)
                if begin + left < _CLOSES:
                    hours, minutes = divmod(int(begin + left), 60)
                    at = datetime.combine(day, time(hours, minutes), self._zone).astimezone(self.now.tzinfo)
                    return max(at, self.now) + timedelta(seconds=self.random.randrange(60))
                left -= _CLOSES - begin
            day, minute = day + timedelta(days=1), 0

    def on(self, day: datetime, hour: int, minute: int = 0) -> datetime:
        """A time of day on the day of an instant, in the organisation's zone."""
        local = day.astimezone(self._zone).date()
        return datetime.combine(local, time(hour, minute), self._zone).astimezone(self.now.tzinfo)

    def local(self, at: datetime) -> str:
        """An instant as people type it."""
        return f"{at.astimezone(self._zone):%Y-%m-%d %H:%M}"

    def _drawn(self, median: float, spread: float) -> float:
        return min(median * math.exp(self.random.gauss(0, spread)), median * 40)

    # Stories --------------------------------------------------------------------------------------

    def begin(self, story: Story, at: datetime) -> None:
        """Let a story begin at an instant."""
        heapq.heappush(self._waiting, (at, next(self._order), story))

    def live(self, until: datetime, each_day: Callable[[datetime], None] = lambda _day: None) -> None:
        """Let everything happen up to an instant; `each_day` is told whenever a day is over."""
        told = self.now.date()
        while True:
            story_at = self._waiting[0][0] if self._waiting else None
            upto = until if story_at is None or story_at > until else story_at
            self._ring(upto)
            if story_at is None or story_at > until:
                break
            at, _, story = heapq.heappop(self._waiting)
            self.clock.set(max(at, self.now))
            if (goes_on := next(story, None)) is not None:
                self.begin(story, max(goes_on, self.now))
            if self.now.date() != told:
                told = self.now.date()
                each_day(self.now)
        self.clock.set(until)

    def _ring(self, until: datetime) -> None:
        """Ring what falls due up to an instant, each at its own moment."""
        item = self._next_due()
        while item is not None and item.at <= until:
            self.clock.set(max(item.at, self.now))
            said = Command(
                line=item.line,
                sender=DESK,
                place=Place(platform="desk"),
                key=f"due/{item.key}/{item.at.isoformat()}",
            )
            try:
                self.dispatcher.obey(said)
            except DeskError:
                self.refused[" ".join(item.line.split()[:2])] += 1
            item = self._next_due(item)

    def _next_due(self, rung: DueItem | None = None) -> DueItem | None:
        """What falls due next, once what was rung is over."""
        opened = self.dispatcher.database.writing if rung else self.dispatcher.database.reading
        with opened() as session:
            dues = Records(session).dues
            if rung is not None:
                dues.done(rung)
            return dues.first()
