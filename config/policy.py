"""What the organisation says, as frozen values: the shapes that its YAML files fill.

These classes are the schema. `loading.py` reads the files and reports every bad line; nothing here
reads, writes or asks the time, so that pure rules may import it. Durations are whole seconds;
whether they are business seconds is said by the calendar they are counted in.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_PART = re.compile(r"([0-9]+)([smhdw])")
LONGEST = 10 * 366 * 86400
"""No duration in a policy is longer than ten years, in seconds."""


def shown(written: object) -> str:
    """What somebody wrote, quoted for a message and never longer than a line can bear."""
    text = str(written)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def seconds(written: object) -> object:
    """`90s`, `4h`, `1h30m`, `2d` as whole seconds; raises ValueError for anything else that is text."""
    if not isinstance(written, str):
        return written
    if not is_length(written):
        raise ValueError(f"{shown(written)} is not a duration; write for example 30m, 4h, 1h30m or 2d")
    total = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(written))
    if total > LONGEST:
        raise ValueError(f"{shown(written)} is longer than ten years; write a shorter duration")
    return total


def is_length(written: object) -> bool:
    """Whether something is written as a duration."""
    return isinstance(written, str) and _DURATION.fullmatch(written) is not None


def length(of: int) -> str:
    """Whole seconds as a policy writes them: `60` is `1m`."""
    unit = next((name for name, size in reversed(_UNITS.items()) if of and of % size == 0), "s")
    return f"{of // _UNITS[unit]}{unit}"


def _day(written: object) -> object:
    # Without this a bare 20261224 would be read as seconds since 1970.
    if isinstance(written, str):
        try:
            if len(written) == len("2026-12-24"):
                return date.fromisoformat(written)
        except ValueError:
            pass
        raise ValueError(f"{shown(written)} is not a day; write year-month-day, for example 2026-12-24")
    return written


def _one_or_many(written: object) -> object:
    return [written] if isinstance(written, str) else written


def _shaped(pattern: str, words: str) -> AfterValidator:
    """Text that must match the whole of `pattern`; `words` say in a message what that means."""
    shape = re.compile(pattern)

    def check(written: str) -> str:
        if not shape.fullmatch(written):
            raise ValueError(f"{shown(written)} {words}")
        return written

    return AfterValidator(check)


Seconds = Annotated[int, BeforeValidator(seconds), Field(ge=0, le=LONGEST)]
Day = Annotated[date, BeforeValidator(_day)]
Key = Annotated[
    str,
    _shaped(r"[a-z0-9][a-z0-9-]{0,47}", "is not a key; use up to 48 lower-case letters, digits and hyphens"),
]
Label = Annotated[str, Field(min_length=1, max_length=150)]
Prose = Annotated[str, Field(max_length=3000)]
FieldKey = Annotated[
    str,
    _shaped(r"[a-z][a-z0-9_]{0,31}", "is not a field's key; use lower-case letters, digits and _"),
]
Option = Annotated[str, Field(min_length=1, max_length=75)]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]
Keys = Annotated[tuple[Key, ...], BeforeValidator(_one_or_many)]
Percent = Annotated[int, Field(ge=1, le=99)]


def _wall(written: object) -> object:
    # YAML makes a datetime of an unquoted `2026-01-05 09:00:00`; both spellings mean the same wall time.
    if isinstance(written, str):
        try:
            if len(written) == len("2026-01-05 09:00"):
                return datetime.fromisoformat(written)
        except ValueError:
            pass
        raise ValueError(f"{shown(written)} is not a day and time; write 2026-01-05 09:00")
    return written


def _no_zone(written: datetime) -> datetime:
    if written.tzinfo is not None:
        raise ValueError("is a moment with a zone; write a wall time as 2026-01-05 09:00")
    return written


def _turn(written: object) -> object:
    return {"daily": 1, "weekly": 7}.get(written, written) if isinstance(written, str) else written


WallTime = Annotated[datetime, BeforeValidator(_wall), AfterValidator(_no_zone)]
"""A day and time of day on the clock of some zone, which is said elsewhere."""

ClockTime = Annotated[
    str,
    _shaped(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", "is not a time of day; write it as 09:00, up to 24:00"),
]

PAUSES = ("waiting-on-requester", "waiting-on-supplier", "awaiting-approval")
"""The states in which an agreement may stop its clocks."""


class Role(StrEnum):
    """What a person may do; a policy grants roles to people and teams (`access.yaml`)."""

    STAFF = "staff"
    AGENT = "agent"
    RESPONDER = "responder"
    APPROVER = "approver"
    OWNER = "owner"
    MANAGER = "manager"
    ADMIN = "admin"


class Priority(StrEnum):
    """How soon something is needed; P1 first."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class Promise(StrEnum):
    """The kinds of promise; each has a clock of its own. Reviews and drills are promised without an agreement."""

    RESPOND = "respond"
    UPDATE = "update"
    RESOLVE = "resolve"
    APPROVE = "approve"
    FULFIL_STEP = "fulfil-step"
    REVIEW = "review"
    DRILL = "drill"


class Level(StrEnum):
    """How far something reaches (impact), and how fast it hurts (urgency)."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Severity(StrEnum):
    """How bad an incident is, looked up from impact and urgency; SEV1 first."""

    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"
    SEV4 = "SEV4"

    @property
    def priority(self) -> Priority:
        """The priority by which service agreements know it: SEV1 is P1, and so on."""
        return Priority(f"P{self.value[-1]}")


class Way(StrEnum):
    """How a person can be reached. `chat` is a direct message on the platform they use."""

    CHAT = "chat"
    MAIL = "mail"
    SMS = "sms"
    NTFY = "ntfy"
    WEBHOOK = "webhook"


class Weekday(StrEnum):
    """Days as a calendar writes them, Monday first."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


@dataclass(frozen=True)
class Opening:
    """Opening hours on some weekdays, half open `[opens, closes)` in the calendar's wall time.

    A break is what lies between two openings of a day. `closes` may be 24:00.
    """

    days: Annotated[tuple[Weekday, ...], BeforeValidator(_one_or_many), Field(min_length=1)]
    opens: ClockTime
    closes: ClockTime


@dataclass(frozen=True)
class Holidays:
    """Where closed days come from: a country's public holidays, own dates, a file in iCalendar form.

    `country` is an ISO 3166-1 code, `region` a part of it as ISO 3166-2 has it without the country;
    `feed` is the name of an `.ics` file (RFC 5545) beside the policy's own files.
    """

    country: Annotated[str, _shaped(r"[A-Z]{2}", "is not a country; write two capitals as DE")] | None = None
    region: str | None = None
    own: Mapping[Day, Label] = field(default_factory=dict)
    feed: str | None = None


@dataclass(frozen=True)
class Calendar:
    """When service is promised: weekly hours in an IANA zone, less the closed days; or always (24x7).

    `closed` is filled by the loader from `holidays`, so that a stored version answers the same
    for ever, whatever a later release of the holiday library says.
    """

    key: Key
    name: Label
    zone: str
    hours: tuple[Opening, ...] = ()
    always: bool = False
    holidays: Holidays = field(default_factory=Holidays)
    closed: Mapping[Day, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """One promise: the time allowed by priority, counted in one calendar.

    `within` holds business seconds of that calendar; a priority that is not named has no such target.
    The same promise may be made twice with different calendars, as long as no priority is named twice.
    `goal` is the share of promises to be kept, in per cent; `warn_at` are parts of `within`, in per cent.
    """

    promise: Promise
    calendar: Key
    within: Annotated[Mapping[Priority, Annotated[Seconds, Field(gt=0)]], Field(min_length=1)]
    goal: Annotated[float, Field(gt=0, le=100)] = 95.0
    warn_at: tuple[Percent, ...] = (50, 75, 90)


@dataclass(frozen=True)
class Tell:
    """Who hears of a warning or a breach: `assignee`, `team`, `manager`, `requester`, a room as `#room`."""

    warning: Names = ("assignee", "team")
    breach: Names = ("assignee", "team", "manager")


@dataclass(frozen=True)
class Agreement:
    """A service agreement: its targets, what stops the clock, and the least notice after a change.

    `minimum_notice` is business seconds of the target's calendar.
    """

    key: Key
    name: Label
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    pauses_in: Keys = ()
    minimum_notice: Seconds = 900
    tell: Tell = field(default_factory=Tell)
    customer: Label | None = None


@dataclass(frozen=True)
class Account:
    """A person's account on a platform; identity is never a display name."""

    platform: Key
    workspace: str
    user: str


@dataclass(frozen=True)
class Contact:
    """One way to wake a person, so long after the page began; `to` is a number, a topic or an address.

    `chat` needs no `to`, and `mail` takes the person's own address where none is named.
    """

    way: Way
    to: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    after: Seconds = 0


@dataclass(frozen=True)
class Person:
    """Somebody the organisation names in `people.yaml`; `away` holds first and last day of absences.

    `contacts` are the ways of a page; where none is named: chat at once, then the mail address after a minute.
    """

    key: Key
    name: Label
    zone: str | None = None
    email: str | None = None
    manager: Key | None = None
    delegate: Key | None = None
    away: tuple[tuple[Day, Day], ...] = ()
    accounts: tuple[Account, ...] = ()
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True)
class Team:
    """People who do one kind of work together, and the room where their work shows.

    `load` is how many open tickets one of them can have in hand before managers are warned.
    """

    key: Key
    name: Label
    members: Annotated[Keys, Field(min_length=1)]
    room: Key
    lead: Key | None = None
    load: Annotated[int, Field(ge=1, le=10_000)] | None = None


@dataclass(frozen=True)
class Room:
    """A channel, by the name the desk uses; `places` maps a platform to that platform's channel id."""

    key: Key
    name: Label
    places: Mapping[Key, str] = field(default_factory=dict)


def _grave() -> tuple[Severity, ...]:
    return Severity.SEV1, Severity.SEV2


@dataclass(frozen=True)
class Availability:
    """What share of a calendar's open time a service shall be there, in per cent of each month.

    It is not there while an incident of one of these severities is open, from its report until it is resolved.
    """

    calendar: Key
    goal: Annotated[float, Field(gt=0, le=100)] = 99.5
    down: Annotated[tuple[Severity, ...], BeforeValidator(_one_or_many), Field(min_length=1)] = field(
        default_factory=_grave
    )


@dataclass(frozen=True)
class Service:
    """Something the organisation runs for its people."""

    key: Key
    name: Label
    owner: Key
    team: Key
    description: Prose = ""
    depends_on: Keys = ()
    escalation: Key | None = None
    availability: Availability | None = None


@dataclass(frozen=True)
class Layer:
    """People who take turns. A later layer of a rota stands above an earlier one, where it has somebody.

    `turn` is how many days a turn lasts (`daily` is 1, `weekly` 7); turns change at the wall time of `starts`
    in the rota's zone, through summer and winter time, and nobody is on call before it. `hours` restricts
    the layer to some hours; `closed_days_of` names a calendar on whose closed days nobody is on call.
    """

    people: Annotated[Keys, Field(min_length=1)]
    starts: WallTime
    turn: Annotated[int, BeforeValidator(_turn), Field(ge=1, le=366)] = 7
    hours: tuple[Opening, ...] = ()
    closed_days_of: Key | None = None


@dataclass(frozen=True)
class Rota:
    """Who is on call, at every instant one person; `gaps` declares that there may be nobody.

    `room` is where its hand-overs show.
    """

    key: Key
    name: Label
    zone: str
    room: Key
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]
    gaps: bool = False


@dataclass(frozen=True)
class EscalationLevel:
    """Who is paged together: people, `rota:KEY`, `@team` or a room as `#room`; and how long they have.

    After `wait` seconds round the clock without an acknowledgement, the next level is paged.
    """

    notify: Annotated[Names, Field(min_length=1)]
    wait: Annotated[Seconds, Field(ge=60)] = 300


@dataclass(frozen=True)
class Escalation:
    """How an unanswered incident climbs: its levels, `rounds` times, then the `fallback` person, always reached."""

    key: Key
    name: Label
    levels: Annotated[tuple[EscalationLevel, ...], Field(min_length=1, max_length=10)]
    fallback: Key
    rounds: Annotated[int, Field(ge=1, le=10)] = 1


@dataclass(frozen=True)
class SeverityRule:
    """What a severity asks for.

    `page` says whether somebody is woken; an acknowledgement lapses after `ack_lapses` seconds without activity;
    a review is due `review_within` seconds after the incident was resolved, where there must be one; `roles`
    that nobody fills are asked for after `role_wait` seconds.
    """

    page: bool = True
    ack_lapses: Annotated[Seconds, Field(ge=60)] = 1800
    review_within: Seconds | None = None
    roles: Keys = ()
    role_wait: Annotated[Seconds, Field(ge=60)] = 600


INCIDENT_ROLES = ("lead", "communications", "operations")
"""The parts people play in an incident: who decides, who tells the others, who repairs."""


def _matrix() -> Mapping[Level, Mapping[Level, Severity]]:
    high, medium, low = Level.HIGH, Level.MEDIUM, Level.LOW
    one, two, three, four = Severity
    return {
        high: {high: one, medium: two, low: three},
        medium: {high: two, medium: three, low: four},
        low: {high: three, medium: four, low: four},
    }


def _severity_rules() -> Mapping[Severity, SeverityRule]:
    return {
        Severity.SEV1: SeverityRule(
            ack_lapses=1800, review_within=5 * 86400, roles=("lead", "communications", "operations")
        ),
        Severity.SEV2: SeverityRule(ack_lapses=3600, review_within=10 * 86400, roles=("lead",)),
        Severity.SEV3: SeverityRule(ack_lapses=4 * 3600),
        Severity.SEV4: SeverityRule(page=False, ack_lapses=24 * 3600),
    }


@dataclass(frozen=True)
class IncidentRules:
    """How incidents are handled: `incidents.yaml`.

    `severity` is looked up by impact, then urgency. `agreement` makes the promises (respond, update, resolve,
    by priority P1 for SEV1 and so on); `escalation` is that of services which name none; `emoji` turns a
    message into an incident; `space` is where an incident is worked on: below its card (`thread`), or in a
    channel of its own where the platform allows it (`channel`: on Slack), which stays when it is over.
    """

    room: Key
    agreement: Key
    escalation: Key
    severity: Mapping[Level, Mapping[Level, Severity]] = field(default_factory=_matrix)
    severities: Mapping[Severity, SeverityRule] = field(default_factory=_severity_rules)
    emoji: Annotated[
        str, _shaped(r"[a-z0-9_+-]{1,60}", "is not an emoji's name; write it without colons, as fire")
    ] = "fire"
    space: Literal["thread", "channel"] = "thread"


class ChangeKind(StrEnum):
    """How a change gets its authority: by its template, by approval, or by broken glass."""

    STANDARD = "standard"
    NORMAL = "normal"
    EMERGENCY = "emergency"


@dataclass(frozen=True)
class RiskQuestion:
    """A question about what can go wrong; each answer weighs so many points."""

    key: FieldKey
    label: Annotated[str, Field(min_length=1, max_length=45)]
    answers: Annotated[Mapping[Option, Annotated[int, Field(ge=0, le=100)]], Field(min_length=2)]


@dataclass(frozen=True)
class RiskRules:
    """What risk is: the points of all answers together, high from `high` on, medium from `medium` on."""

    questions: Annotated[tuple[RiskQuestion, ...], Field(min_length=1, max_length=20)]
    medium: Annotated[int, Field(ge=1)]
    high: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class ChangeStage:
    """One stage of a change's approval: `need` of those whom `of` names must agree.

    `of` names people, teams as `@team`, roles as `role:approver`, and `owner` for the owners of the services.
    Who asks for the change or makes it, and whoever stands in for these, never counts. `within` counts in
    `calendar`, or round the clock where none is named; what is not decided by then is rejected, or approved.
    """

    of: Annotated[Names, Field(min_length=1)]
    need: Annotated[int, Field(ge=1, le=20)] = 1
    within: Annotated[Seconds, Field(ge=60)] = 2 * 86400
    calendar: Key | None = None
    on_deadline: Literal["reject", "approve"] = "reject"


@dataclass(frozen=True)
class BreakGlass:
    """Who may break the glass: the lead of the incident alone, else the requester and one of these within `within`.

    `lasts` is how long the change may then take.
    """

    of: Annotated[Names, Field(min_length=1)] = ("role:responder", "role:owner", "role:manager")
    within: Annotated[Seconds, Field(ge=60)] = 3600
    lasts: Annotated[Seconds, Field(ge=60, le=7 * 86400)] = 4 * 3600


def _review_times() -> Mapping[ChangeKind, int]:
    return {ChangeKind.NORMAL: 10 * 86400, ChangeKind.EMERGENCY: 3 * 86400}


@dataclass(frozen=True)
class ChangeRules:
    """How changes are decided on and made: `changes.yaml`.

    `approval` holds the stages of a normal change by its risk; no stage for a risk means that it needs nobody's
    approval. `review_within` is by kind, from the end of the change (emergency: from when the glass was broken).
    With `gate: change` a pipeline may run while a change of its service is being made; with `gate: freeze` at any
    time that is not frozen.
    """

    room: Key
    risk: RiskRules
    approval: Mapping[Level, tuple[ChangeStage, ...]] = field(default_factory=dict)
    break_glass: BreakGlass = field(default_factory=BreakGlass)
    review_within: Mapping[ChangeKind, Annotated[Seconds, Field(gt=0)]] = field(default_factory=_review_times)
    gate: Literal["change", "freeze"] = "change"


@dataclass(frozen=True)
class StandardChange:
    """A change that is approved once and for all: what it changes and how; `lasts` is the length of its window.

    `may` names who makes it (people, `@team`, `role:agent`); nobody named: those who run its services.
    """

    key: Key
    name: Label
    services: Annotated[Keys, Field(min_length=1)]
    plan: Annotated[Prose, Field(min_length=1)]
    test: Annotated[Prose, Field(min_length=1)]
    backout: Annotated[Prose, Field(min_length=1)]
    lasts: Annotated[Seconds, Field(ge=60, le=7 * 86400)] = 3600
    may: Names = ()


@dataclass(frozen=True)
class Freeze:
    """When services are not changed: from `start` to `ends`, or again and again for as long as it `lasts`.

    `start` and `ends` are wall times of `zone`. `repeats` is a recurrence rule (RFC 5545, 3.3.10) that begins with
    `start`. Whole days of `lasts` are days of the calendar, however long, and the rest is time that elapses (RFC
    5545, 3.3.6). No `services` means all of them; `dependants` are those that rest on the named ones.
    """

    key: Key
    name: Label
    zone: str
    start: WallTime
    ends: WallTime | None = None
    lasts: Annotated[Seconds, Field(ge=60, le=92 * 86400)] | None = None
    repeats: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    services: Keys = ()
    dependants: bool = True


# Continuity ---------------------------------------------------------------------------------------


class Harm(StrEnum):
    """What an outage does by then, or the loss of so much data; the last one is more than can be borne."""

    NONE = "none"
    MINOR = "minor"
    SERIOUS = "serious"
    UNBEARABLE = "unbearable"


class Criticality(StrEnum):
    """How soon a service must be back, in a word; follows from its recovery time."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class DrillKind(StrEnum):
    """How a plan is tried: read aloud, talked through, played without touching anything, or done in earnest."""

    WALKTHROUGH = "walkthrough"
    TABLETOP = "tabletop"
    SIMULATION = "simulation"
    FULL = "full"


_HOUR, _DAY = 3600, 86400


def _critical_up_to() -> Mapping[Criticality, int]:
    return {Criticality.CRITICAL: 4 * _HOUR, Criticality.HIGH: _DAY, Criticality.MEDIUM: 3 * _DAY}


def _drilled_every() -> Mapping[Criticality, int]:
    return {Criticality.CRITICAL: 183 * _DAY, Criticality.HIGH: 365 * _DAY, Criticality.MEDIUM: 730 * _DAY}


@dataclass(frozen=True)
class ContinuityRules:
    """How the organisation prepares for the worst: `continuity.yaml`. All lengths are round the clock.

    `outage` and `loss` are the bands of an impact analysis: how long a service is away, how much data is lost.
    `criticality` holds the longest recovery time of each word, and what takes longer is low. `plan_for` needs a
    plan; `drill_every` is the longest time between two drills. Analyses and plans are looked at again after
    `review_every`. Drills that repeat are set `ahead` of their time; findings are due `finding_within`.
    """

    room: Key
    outage: Annotated[tuple[Annotated[Seconds, Field(gt=0)], ...], Field(min_length=2, max_length=12)] = (
        _HOUR,
        4 * _HOUR,
        8 * _HOUR,
        _DAY,
        3 * _DAY,
        7 * _DAY,
    )
    loss: Annotated[tuple[Annotated[Seconds, Field(gt=0)], ...], Field(min_length=2, max_length=12)] = (
        _HOUR // 4,
        _HOUR,
        4 * _HOUR,
        _DAY,
        7 * _DAY,
    )
    criticality: Mapping[Criticality, Annotated[Seconds, Field(gt=0)]] = field(
        default_factory=_critical_up_to
    )
    plan_for: tuple[Criticality, ...] = (Criticality.CRITICAL, Criticality.HIGH)
    drill_every: Mapping[Criticality, Annotated[Seconds, Field(ge=_DAY)]] = field(
        default_factory=_drilled_every
    )
    review_every: Annotated[Seconds, Field(ge=_DAY)] = 365 * _DAY
    ahead: Annotated[Seconds, Field(ge=_DAY, le=92 * _DAY)] = 14 * _DAY
    finding_within: Annotated[Seconds, Field(ge=_DAY)] = 30 * _DAY


@dataclass(frozen=True)
class EvidenceRules:
    """How the organisation reads its evidence: `evidence.yaml`. Areas are named by acronym, such as SCON.

    Evidence older than `fresh` is stale; an area may have a length of its own in `fresh_in`. An area in `left_out`
    is out of scope, with the reason that an appraiser will read.
    """

    fresh: Annotated[Seconds, Field(ge=_DAY)] = 365 * _DAY
    fresh_in: Mapping[str, Annotated[Seconds, Field(ge=_DAY)]] = field(default_factory=dict)
    left_out: Mapping[str, Annotated[str, Field(min_length=10, max_length=300)]] = field(default_factory=dict)


@dataclass(frozen=True)
class Retention:
    """How long copies are kept that nobody needs for ever: `retention.yaml`. Evidence itself is always kept.

    `answers` are those given to commands (a repeat within that time gets the same one), `messages` the contents of
    what was sent, `talk` what was said in the console's rooms.
    """

    answers: Annotated[Seconds, Field(ge=_DAY)] = 30 * _DAY
    messages: Annotated[Seconds, Field(ge=_DAY)] = 365 * _DAY
    talk: Annotated[Seconds, Field(ge=_DAY)] = 365 * _DAY


@dataclass(frozen=True)
class Webhook:
    """A program that hears of events: `webhooks.yaml`. `to` is its address, which must take signed POSTs.

    `events` are actions of the ledger such as `request.taken`, or `incident.*` for all of a kind, or `*`.
    """

    key: Key
    to: Annotated[str, Field(pattern=r"^https?://[^\s/]+", max_length=500)]
    events: Annotated[tuple[str, ...], Field(min_length=1)]

    def hears(self, action: str) -> bool:
        """Whether it is told of an action."""
        return any(
            each in ("*", action) or (each.endswith(".*") and action.startswith(each[:-1]))
            for each in self.events
        )


@dataclass(frozen=True)
class PlanStep:
    """One step of a plan. `owner` names people, `@team`, `role:responder` or `rota:KEY`: who does it.

    `after` are the steps that must be done before; steps of one `lane` are shown together. `lasts` is how long it
    should take, round the clock; `proof` is what must be shown when it is done.
    """

    key: Key
    title: Label
    owner: Annotated[Names, Field(min_length=1)]
    lane: Annotated[str, Field(min_length=1, max_length=40)] = "Recovery"
    after: Keys = ()
    lasts: Annotated[Seconds, Field(ge=60, le=7 * _DAY)] = 900
    proof: Annotated[str, Field(max_length=150)] = ""


@dataclass(frozen=True)
class PlanContact:
    """Whom to call, outside the desk, too: a name, how they are reached, and what for."""

    name: Label
    reach: Label
    part: Annotated[str, Field(max_length=150)] = ""


@dataclass(frozen=True)
class Inject:
    """What participants of a drill are confronted with, so long `after` it began; nobody named: everybody in it."""

    after: Annotated[Seconds, Field(ge=60, le=7 * _DAY)]
    says: Annotated[Prose, Field(min_length=1)]
    to: Names = ()


@dataclass(frozen=True)
class RecurringDrill:
    """When a plan is tried again and again: a recurrence rule (RFC 5545) from a wall time of `zone` on."""

    kind: DrillKind
    zone: str
    start: WallTime
    repeats: Annotated[str, Field(min_length=1, max_length=300)]
    lasts: Annotated[Seconds, Field(ge=600, le=7 * _DAY)] = 2 * _HOUR


@dataclass(frozen=True)
class Plan:
    """A continuity plan: against which scenario, for which services, and step by step what is done.

    `recovers` holds, for each service, the criterion by which it counts as recovered. `owner` signs it.
    """

    key: Key
    name: Label
    owner: Key
    recovers: Annotated[
        Mapping[Key, Annotated[str, Field(min_length=1, max_length=300)]], Field(min_length=1, max_length=50)
    ]
    scenario: Annotated[Prose, Field(min_length=1)]
    steps: Annotated[tuple[PlanStep, ...], Field(max_length=500)]
    triggers: Prose = ""
    contacts: tuple[PlanContact, ...] = ()
    resources: tuple[Label, ...] = ()
    injects: Annotated[tuple[Inject, ...], Field(max_length=50)] = ()
    drills: tuple[RecurringDrill, ...] = ()


class ReadinessKind(StrEnum):
    """What a service needs to be able to go on."""

    PEOPLE = "people"
    SKILL = "skill"
    PROCESS = "process"
    CONSUMABLE = "consumable"
    EQUIPMENT = "equipment"
    SUPPLIER = "supplier"


@dataclass(frozen=True)
class ReadinessItem:
    """One thing that must be there. `owner` looks at it again after `every`; of a consumable there are `at_least`."""

    key: Key
    title: Label
    kind: ReadinessKind
    owner: Key
    every: Annotated[Seconds, Field(ge=_DAY)] = 92 * _DAY
    at_least: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


@dataclass(frozen=True)
class Readiness:
    """What a service, named by its key, must have in place before it is drilled or published."""

    key: Key
    items: Annotated[tuple[ReadinessItem, ...], Field(min_length=1, max_length=100)]


class AlertKind(StrEnum):
    """The shapes in which monitoring systems send alerts."""

    ALERTMANAGER = "alertmanager"
    PAGERDUTY = "pagerduty"
    GRAFANA = "grafana"
    GENERIC = "generic"


@dataclass(frozen=True)
class AlertMapping:
    """Where a generic source's JSON holds what an alert says: dotted paths such as `event.id` or `labels.host`.

    An alert is over when the value at `state` is one of `resolved`. Only a title is needed; alerts without a
    key are told apart by it.
    """

    key: str = "key"
    title: str = "title"
    detail: str = "detail"
    severity: str = "severity"
    service: str = "service"
    state: str = "state"
    resolved: Names = ("resolved", "ok")
    link: str = "link"


@dataclass(frozen=True)
class AlertSource:
    """A system that sends alerts, and what its alerts are about.

    `token` is the number of its token: raise it and the old one is void. `signed` asks for an HMAC as well.
    `resolves` lets the source resolve what it opened. More than `storm` alerts within five minutes become one
    incident; `heartbeat` pages when the source has been silent so long; at most `rate` requests a minute.
    `urgency` holds an urgency for the source's own severity words.
    """

    key: Key
    name: Label
    kind: AlertKind
    service: Key
    impact: Level = Level.MEDIUM
    urgency: Mapping[str, Level] = field(default_factory=dict)
    resolves: bool = True
    storm: Annotated[int, Field(ge=2, le=1000)] = 10
    heartbeat: Annotated[Seconds, Field(ge=60)] | None = None
    rate: Annotated[int, Field(ge=1, le=10000)] = 300
    token: Annotated[int, Field(ge=1)] = 1
    signed: bool = False
    mapping: AlertMapping = field(default_factory=AlertMapping)


class FieldKind(StrEnum):
    """What an answer on a form may be."""

    TEXT = "text"
    LONG = "long"
    CHOICE = "choice"
    DATE = "date"
    PERSON = "person"
    YES_NO = "yes-no"
    NUMBER = "number"


@dataclass(frozen=True)
class FormField:
    """One question of an offering's form; asked only when `only_if` (field: answer) holds.

    `at_most` is the greatest length of a text, or the greatest number, `at_least` the smallest; `ahead` takes no
    day that is past.
    """

    key: FieldKey
    label: Annotated[str, Field(min_length=1, max_length=45)]
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    options: tuple[Option, ...] = ()
    help: Annotated[str, Field(max_length=100)] = ""
    at_most: Annotated[int, Field(ge=1, le=3000)] | None = None
    at_least: Annotated[int, Field(ge=0, le=3000)] = 0
    ahead: bool = False
    only_if: Mapping[str, str] = field(default_factory=dict)


class OnDeadline(StrEnum):
    """What happens when a stage of approval is not decided in time."""

    REJECT = "reject"
    APPROVE = "approve"
    OWNER = "owner"


@dataclass(frozen=True)
class Stage:
    """One stage of approval: `of` names `manager`, people, or teams as `@team`; `need` of them must agree.

    `manager` is always the requester's own manager. `within` counts in `calendar`, or round the clock
    where none is named.
    """

    of: Names
    need: Annotated[int, Field(ge=1, le=20)] = 1
    within: Seconds = 2 * 86400
    calendar: Key | None = None
    on_deadline: OnDeadline = OnDeadline.OWNER


@dataclass(frozen=True)
class TaskTemplate:
    """A step of fulfilment that a team must tick off."""

    key: Key
    title: Label
    team: Key | None = None


@dataclass(frozen=True)
class Offering:
    """Something that can be asked for: its form, who may ask, who approves, who fulfils, what is promised.

    `may_ask` names people, `@team`, `discord:ROLE-ID` or `slack:GROUP-ID`; empty means everyone.
    `closes_after` is how long a fulfilled request waits for a no, round the clock.
    """

    key: Key
    name: Label
    service: Key
    agreement: Key
    team: Key
    description: Prose = ""
    fields: tuple[FormField, ...] = ()
    may_ask: Names = ()
    approval: tuple[Stage, ...] = ()
    tasks: tuple[TaskTemplate, ...] = ()
    priority: Priority = Priority.P3
    closes_after: Seconds = 3 * 86400
    keywords: Names = ()


@dataclass(frozen=True)
class Digest:
    """What managers are told of their figures, on which `days` at what time of day in `zone`, and to whom.

    `to` names people and teams as `@team`; `of` a service, a team or a customer (everything, where none is named);
    `within` is the period that it looks back upon, as `sla status` reads it.
    """

    key: Key
    name: Label
    to: Annotated[Names, Field(min_length=1)]
    days: Annotated[tuple[Weekday, ...], BeforeValidator(_one_or_many), Field(min_length=1)]
    at: ClockTime
    zone: str
    of: Label | None = None
    within: Annotated[str, Field(min_length=1, max_length=20)] = "last-week"


@dataclass(frozen=True)
class Access:
    """Who has which role, by person key, `@team`, `discord:ROLE-ID` or `slack:GROUP-ID`.

    Everyone who is known has `staff`. `workspaces` is the allow-list as `slack:T…` and `discord:GUILD`;
    `unknown_people` says whether an account nobody has named may act as staff.
    """

    grants: Mapping[Role, Names] = field(default_factory=dict)
    workspaces: Names = ()
    unknown_people: bool = True


@dataclass(frozen=True)
class Organisation:
    """The organisation itself: its name, zone and the rooms with a part of their own."""

    name: Label
    zone: str
    requests_room: Key
    owner_room: Key
    request_emoji: Annotated[
        str, _shaped(r"[a-z0-9_+-]{1,60}", "is not an emoji's name; write it without colons, as ticket")
    ] = "ticket"
    intake_offering: Key | None = None


@dataclass(frozen=True)
class Policy:
    """Everything the organisation says, checked and joined; `version` is the digest of all of it."""

    organisation: Organisation
    people: Mapping[str, Person]
    teams: Mapping[str, Team]
    rooms: Mapping[str, Room]
    services: Mapping[str, Service]
    offerings: Mapping[str, Offering]
    calendars: Mapping[str, Calendar]
    agreements: Mapping[str, Agreement]
    access: Access
    rotas: Mapping[str, Rota] = field(default_factory=dict)
    escalations: Mapping[str, Escalation] = field(default_factory=dict)
    alerts: Mapping[str, AlertSource] = field(default_factory=dict)
    incidents: IncidentRules | None = None
    changes: ChangeRules | None = None
    standard_changes: Mapping[str, StandardChange] = field(default_factory=dict)
    freezes: Mapping[str, Freeze] = field(default_factory=dict)
    continuity: ContinuityRules | None = None
    plans: Mapping[str, Plan] = field(default_factory=dict)
    readiness: Mapping[str, Readiness] = field(default_factory=dict)
    digests: Mapping[str, Digest] = field(default_factory=dict)
    evidence: EvidenceRules = field(default_factory=EvidenceRules)
    retention: Retention = field(default_factory=Retention)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    version: str = ""


def plain(value: Any) -> Any:
    """A policy value as JSON-ready data, with keys in a fixed order."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))}
    if isinstance(value, tuple | list | frozenset | set):
        items = [plain(item) for item in value]
        return sorted(items) if isinstance(value, frozenset | set) else items
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return str(value) if isinstance(value, StrEnum) else value


def fingerprint(value: Any) -> str:
    """The version of a definition: the first 16 hex digits of SHA-256 over its canonical JSON."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
