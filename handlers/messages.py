"""The one vocabulary for speech: what comes in and what goes out, with no platform in it.

A reply carries meaning, not markup: a title, a tone, facts, a table, buttons, a form. Each adapter
shows them in its platform's best way. Words are plain text with two kinds of part that platforms
show natively: an instant (in the reader's own zone) and a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from handlers.rules.moments import show_duration


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment without a zone cannot be shown")
    return at


class Moment(_Said):
    """An instant, shown in the reader's zone; `relative` adds how far away it is."""

    moment: Annotated[datetime, AfterValidator(_aware)]
    relative: bool = False


class Who(_Said):
    """A person, shown as the platform shows people; nobody is notified by being named."""

    person: str
    name: str


Part = str | Moment | Who


def _parts(said: object) -> object:
    if isinstance(said, str):
        return (said,) if said else ()
    if isinstance(said, Moment | Who):
        return (said,)
    return tuple(part for part in said if part != "") if isinstance(said, tuple | list) else said


Words = Annotated[tuple[Part, ...], BeforeValidator(_parts)]


class Tone(StrEnum):
    """How a reply feels; always also said in words, never by colour alone."""

    PLAIN = "plain"
    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"


class Fact(_Said):
    """A named value, such as `Due` and an instant."""

    label: str
    value: Words


class Table(_Said):
    """Rows of words under column names; `empty` is said when there are none."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Words, ...], ...] = ()
    empty: str = "Nothing here."


class Style(StrEnum):
    """How strongly a button invites."""

    PLAIN = "plain"
    PRIMARY = "primary"
    DANGER = "danger"


class Button(_Said):
    """A command line someone could have typed, behind a label; `confirm` asks first."""

    label: str
    line: str
    style: Style = Style.PLAIN
    confirm: str | None = None


class Option(_Said):
    """One choice: what is shown and what is sent."""

    label: str
    value: str


class FieldInput(StrEnum):
    """How a value is asked for."""

    LINE = "line"
    TEXT = "text"
    CHOICE = "choice"
    DATE = "date"
    PERSON = "person"
    YES_NO = "yes-no"
    NUMBER = "number"


class FormField(_Said):
    """One question. `steers` says that other questions depend on its answer, so the form is asked for anew."""

    key: str
    label: str
    input: FieldInput = FieldInput.LINE
    required: bool = True
    options: tuple[Option, ...] = ()
    value: str = ""
    help: str = ""
    at_most: int = 3000
    error: str = ""
    steers: bool = False


class Form(_Said):
    """Questions whose answers complete a command line; sending it back runs `line` with the answers."""

    title: str
    line: str
    fields: tuple[FormField, ...]
    submit: str = "Send"
    note: str = ""


class Plot(StrEnum):
    """How a chart's values are drawn."""

    LINE = "line"
    BAR = "bar"
    AREA = "area"
    PIE = "pie"


CATEGORIES_AT_MOST = 20
SERIES_AT_MOST = 12
"""A chart of more cannot be read, and Slack draws none (docs.slack.dev, data_visualization)."""


class Series(_Said):
    """A row of values, one for each category of its chart; None where nothing was measured."""

    name: str
    values: tuple[float | None, ...]


class Chart(_Said):
    """Values by category, such as attainment by month. `goal` is the value that was promised, in the same `unit`.

    `least` and `most` are the ends of the axis where the data should not choose them: 0 and 100 for a share.
    """

    title: str
    plot: Plot
    categories: tuple[str, ...] = Field(min_length=1, max_length=CATEGORIES_AT_MOST)
    series: tuple[Series, ...] = Field(min_length=1, max_length=SERIES_AT_MOST)
    unit: str = ""
    goal: float | None = None
    least: float | None = None
    most: float | None = None

    @model_validator(mode="after")
    def _fits(self) -> Chart:
        if any(len(each.values) != len(self.categories) for each in self.series):
            raise ValueError("every series has one value for each category")
        if self.plot is Plot.PIE and (len(self.series) > 1 or any(each < 0 for each in self.numbers)):
            raise ValueError("a pie has one series, and no part of it is negative")
        return self

    @property
    def numbers(self) -> tuple[float, ...]:
        """Every value that was measured."""
        return tuple(value for each in self.series for value in each.values if value is not None)

    @property
    def alt(self) -> str:
        """What it shows, for whoever does not see it: each series from its first to its last value, and its range."""
        goal = "" if self.goal is None else f" The goal is {amount(self.goal, self.unit)}."
        if self.plot is Plot.PIE:
            parts = zip(self.categories, self.series[0].values, strict=True)
            said = "; ".join(f"{name}: {amount(value, self.unit)}" for name, value in parts)
            return f"{self.title}. {said}.{goal}"
        return f"{self.title}. {' '.join(self._told(each) for each in self.series)}{goal}"

    def _told(self, series: Series) -> str:
        found = [(c, v) for c, v in zip(self.categories, series.values, strict=True) if v is not None]
        if not found:
            return f"{series.name}: nothing was measured."
        if len(found) == 1:
            return f"{series.name}: {amount(found[0][1], self.unit)} ({found[0][0]})."
        low, high = min(found, key=lambda each: each[1]), max(found, key=lambda each: each[1])
        first, last = found[0], found[-1]
        return (
            f"{series.name}: {amount(first[1], self.unit)} ({first[0]}) to {amount(last[1], self.unit)} ({last[0]}),"
            f" lowest {amount(low[1], self.unit)} ({low[0]}), highest {amount(high[1], self.unit)} ({high[0]})."
        )

    @property
    def table(self) -> Table:
        """The same values as rows, for surfaces that draw nothing."""
        goal = () if self.goal is None else ("Goal",)
        promised = () if self.goal is None else ((amount(self.goal, self.unit),),)
        return Table(
            columns=("", *(each.name for each in self.series), *goal),
            rows=tuple(
                (
                    (category,),
                    *((amount(each.values[at], self.unit),) for each in self.series),
                    *promised,
                )
                for at, category in enumerate(self.categories)
            ),
        )


class Bar(_Said):
    """A piece of work on a time line: when it was meant to be, and when it was. `state` is said in a word."""

    lane: str
    label: str
    planned: tuple[AwareDatetime, AwareDatetime] | None = None
    actual: tuple[AwareDatetime, AwareDatetime] | None = None
    state: str = ""


class Mark(_Said):
    """An instant that a time line names, such as the disruption."""

    label: str
    at: AwareDatetime


class Gantt(_Said):
    """Planned against actual work in lanes, in UTC; `paused` are spans in which nothing was to be done.

    Told `from_start`, it is a plan for any day: its instants only say how long after the first one something is.
    """

    title: str
    bars: tuple[Bar, ...] = Field(min_length=1)
    marks: tuple[Mark, ...] = ()
    paused: tuple[tuple[AwareDatetime, AwareDatetime], ...] = ()
    from_start: bool = False

    @model_validator(mode="after")
    def _runs_forward(self) -> Gantt:
        spans = [span for each in self.bars for span in (each.planned, each.actual) if span]
        if any(end < start for start, end in [*spans, *self.paused]):
            raise ValueError("a bar ends before it begins")
        return self

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """From the first instant to the last; None when it has none."""
        found = [span for each in self.bars for span in (each.planned, each.actual) if span]
        every = [at for span in [*found, *self.paused] for at in span] + [each.at for each in self.marks]
        return (min(every), max(every)) if every else None

    @property
    def alt(self) -> str:
        """What it shows, for whoever does not see it."""
        lanes = len({each.lane for each in self.bars})
        ends = [(each.planned[1], each.actual[1]) for each in self.bars if each.planned and each.actual]
        late = sum(actual > planned for planned, actual in ends)
        ran = f" {late} of {len(ends)} that ended did so later than planned." if ends else ""
        marks = "".join(
            f" {each.label}: {each.at.astimezone(UTC):%Y-%m-%d %H:%M UTC}." for each in self.marks
        )
        return f"{self.title}. {counted(len(self.bars), 'step')} in {counted(lanes, 'lane')}.{ran}{marks}"

    @property
    def table(self) -> Table:
        """The same spans as rows, for surfaces that draw nothing."""

        start = self.span[0] if self.from_start and self.span else None

        def told(span: tuple[datetime, datetime] | None) -> tuple[Part, ...]:
            if span and start:
                return (f"+{show_duration(span[0] - start)} – +{show_duration(span[1] - start)}",)
            return (Moment(moment=span[0]), " – ", Moment(moment=span[1])) if span else ()

        return Table(
            columns=("Lane", "Step", "Planned", "Actual", "State"),
            rows=tuple(
                ((each.lane,), (each.label,), told(each.planned), told(each.actual), (each.state,))
                for each in self.bars
            ),
        )


class StepState(StrEnum):
    """Where a step of a run-sheet stands."""

    PENDING = "pending"
    READY = "ready"
    DOING = "doing"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class SheetStep(_Said):
    """A step of a run-sheet. `note` is its proof or the reason why it failed or was skipped."""

    key: str
    title: str
    state: StepState
    owner: Words = ()
    planned_at: AwareDatetime | None = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    note: Words = ()
    buttons: tuple[Button, ...] = ()


class Lane(_Said):
    """Steps that are done one after the other, beside those of other lanes."""

    name: str
    steps: tuple[SheetStep, ...]


class RunSheet(_Said):
    """A plan as it is worked: lanes of steps, each with who does it and where it stands."""

    title: str
    state: str
    lanes: tuple[Lane, ...]
    tone: Tone = Tone.PLAIN

    @property
    def steps(self) -> tuple[SheetStep, ...]:
        """All steps, lane by lane."""
        return tuple(step for lane in self.lanes for step in lane.steps)

    @property
    def progress(self) -> str:
        """How far it is, in words: `4 of 12 done, 1 failed, 2 under way`."""
        states = [step.state for step in self.steps]
        others = {StepState.FAILED: "failed", StepState.SKIPPED: "skipped", StepState.DOING: "under way"}
        said = [f"{states.count(StepState.DONE)} of {len(states)} done"]
        said += [f"{states.count(state)} {word}" for state, word in others.items() if state in states]
        return ", ".join(said)

    def brief(self, at_most: int) -> tuple[RunSheet, int]:
        """The sheet with at most so many steps, and how many were left out.

        Those that people work on or could stay first of all, then what failed, what comes next, what is over.
        """
        if len(self.steps) <= at_most:
            return self, 0
        ranks = {StepState.DOING: 0, StepState.READY: 0, StepState.FAILED: 1, StepState.PENDING: 2}
        matters = sorted(range(len(self.steps)), key=lambda at: ranks.get(self.steps[at].state, 3))
        kept = set(matters[:at_most])
        numbered = iter(range(len(self.steps)))
        lanes = tuple(
            Lane(name=lane.name, steps=tuple(step for step in lane.steps if next(numbered) in kept))
            for lane in self.lanes
        )
        shown = tuple(lane for lane in lanes if lane.steps)
        return self.model_copy(update={"lanes": shown}), len(self.steps) - at_most

    @property
    def table(self) -> Table:
        """The same steps as rows, for surfaces that draw nothing."""
        return Table(
            columns=("Step", "What", "Who", "State", "Planned", "Since"),
            rows=tuple(
                (
                    (step.key,),
                    (step.title, *((": ", *step.note) if step.note else ())),
                    step.owner,
                    (str(step.state),),
                    () if step.planned_at is None else (Moment(moment=step.planned_at),),
                    () if (at := step.ended_at or step.started_at) is None else (Moment(moment=at),),
                )
                for step in self.steps
            ),
            empty="This plan has no steps.",
        )


class Reply(_Said):
    """What the desk says. `subject` and `version` tell which ticket it shows and how fresh it is.

    `private` answers are for the asker alone; the room sees a reply only when it gains from it. `file` is a
    name and a text to hand over; `more` are further sections under this one. A surface that cannot draw
    `chart` or `sheet` shows the reply `in_words`.
    """

    title: str
    text: Words = ()
    tone: Tone = Tone.PLAIN
    facts: tuple[Fact, ...] = ()
    table: Table | None = None
    chart: Chart | Gantt | None = None
    sheet: RunSheet | None = None
    buttons: tuple[Button, ...] = ()
    form: Form | None = None
    subject: str | None = None
    version: int | None = None
    as_of: datetime | None = None
    private: bool = True
    file: tuple[str, str] | None = None
    more: tuple[Reply, ...] = ()


def charts_of(reply: Reply) -> list[Chart | Gantt]:
    """Every chart of a reply and of its sections, in reading order."""
    return [
        *([reply.chart] if reply.chart else []),
        *(each for part in reply.more for each in charts_of(part)),
    ]


def in_words(reply: Reply) -> Reply:
    """The same reply without a chart or a run-sheet: each is a section with what it shows in words and rows."""
    said = [in_words(each) for each in reply.more]
    if reply.chart:
        drawn = Reply(title=reply.chart.title, text=(reply.chart.alt,), table=reply.chart.table)
        said.insert(0, drawn)
    if reply.sheet:
        buttons = tuple(button for step in reply.sheet.steps for button in step.buttons)
        told = f"{reply.sheet.state}: {reply.sheet.progress}."
        sheet = Reply(title=reply.sheet.title, text=(told,), table=reply.sheet.table, buttons=buttons)
        said.insert(0, sheet)
    return reply.model_copy(update={"chart": None, "sheet": None, "more": tuple(said)})


def facts(*pairs: tuple[str, Part | Iterable[Part] | None]) -> tuple[Fact, ...]:
    """Facts from (label, value) pairs; a pair without a value is left out."""
    return tuple(
        Fact(label=label, value=(value,) if isinstance(value, str | Moment | Who) else tuple(value))
        for label, value in pairs
        if value not in (None, "", ()) and value is not None
    )


def counted(number: int, noun: str) -> str:
    """A number of things: `1 record`, `2 records`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def amount(value: float | None, unit: str = "") -> str:
    """A measured value with its unit: `97.5 %`, `12`, `3 h`; a dash where nothing was measured."""
    if value is None:
        return "–"
    number = f"{value:,.1f}".removesuffix(".0")
    return f"{number} {unit}".rstrip()


def flat(words: Iterable[Part], zone_text: str = "%Y-%m-%d %H:%M UTC") -> str:
    """Words as plain text: instants in UTC, people by name. For logs, fallbacks and files."""
    return "".join(
        part
        if isinstance(part, str)
        else part.name
        if isinstance(part, Who)
        else part.moment.strftime(zone_text)
        for part in words
    )


class Sender(_Said):
    """The account a command came from. `groups` are platform roles, `guest` accounts have no rights beyond staff.

    The desk itself, when a moment is due, is `desk`.
    """

    platform: str
    workspace: str = ""
    user: str
    name: str = ""
    zone: str | None = None
    groups: tuple[str, ...] = ()
    guest: bool = False
    direct: str | None = None


class Place(_Said):
    """Where a command was said, in the platform's own ids; `direct` is a private talk with the desk."""

    platform: str
    channel: str = ""
    thread: str | None = None
    direct: bool = False


DESK = Sender(platform="desk", user="desk", name="the desk")


class Command(_Said):
    """One line, said by someone, somewhere. `key` is the sender's own once-only key.

    `answers` are what a form sent back, by field; `source` is a link to the message it was made from, and
    `message` the text of it. A `draft` only asks for the form with the answers so far.
    """

    line: str
    sender: Sender
    place: Place
    key: str
    answers: Mapping[str, str] = Field(default_factory=dict)
    source: str | None = None
    message: str | None = None
    draft: bool = False


class Kind(StrEnum):
    """Delivery classes (how hard the courier tries): a page, a message, a reminder, a card's redraw.

    A space is no message: a channel of its own is opened for a subject.
    """

    PAGE = "page"
    MESSAGE = "message"
    REMINDER = "reminder"
    CARD = "card"
    SPACE = "space"


class ToPerson(_Said):
    """A private message to one person."""

    to: Literal["person"] = "person"
    person: str


class ToRoom(_Said):
    """A message in a room of the organisation."""

    to: Literal["room"] = "room"
    room: str


class ToThread(_Said):
    """A message below the card of a subject, or in the channel of its own, where those who work on it follow it."""

    to: Literal["thread"] = "thread"
    subject: str
    room: str


class ToSpace(_Said):
    """A channel of its own, on those platforms of the subject's room that have such; the reply is its topic.

    `people` are invited. Without a name it is about the channel that stands already: they are let into that.
    """

    to: Literal["space"] = "space"
    room: str
    name: str | None = None
    people: tuple[str, ...] = ()


Audience = ToPerson | ToRoom | ToThread | ToSpace


class Notice(_Said):
    """Something others are told. `key` makes it once; `while_in` are the subject's states in which it still holds.

    A page to a person wakes them in every way that they name; when none of them works, the desk says the
    line `otherwise` to itself, once.
    """

    to: Audience
    reply: Reply
    key: str
    kind: Kind = Kind.MESSAGE
    subject: str | None = None
    while_in: tuple[str, ...] | None = None
    otherwise: str | None = None


class Card(_Said):
    """The living picture of a subject in a room: posted once, edited in place, drawn when it is sent."""

    subject: str
    room: str
