"""Alerts: monitoring systems say what is wrong, and the desk makes incidents of it, as few as make sense.

What is told again about the same thing joins its open incident and wakes nobody twice. What a source sends
together shares one incident; so do more alerts than its policy's `storm` within five minutes. An incident is
resolved when the last of its alerts is over, if the source may do that. What fires again within ten minutes
reopens its incident, later it opens a new one. A source with a heartbeat that is silent too long is itself an
alert, until it speaks again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from config.policy import AlertSource, Level, Role
from handlers.access import who_may
from handlers.declare import Change, Due, Outcome, Standing, command, subject
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound
from handlers.listing import PAGE, nothing, skipped, turning
from handlers.messages import Button, Notice, Reply, Table, Tone, ToRoom, Words, counted, facts
from handlers.parsing import Choice, Free, Named, Reference, WholeNumber, Word, quoted
from handlers.rules import moments
from handlers.rules.workflow import LIVE, IncidentState
from handlers.tickets import number_of
from storage.models.alerts import Alert, RejectedAlert
from storage.models.incidents import Incident
from storage.repositories.alerts import FIRING, OVER

PREFIX = "ALT"
AT_ONCE = 20
"""How many alerts one command takes in at most."""
STORM_WITHIN = timedelta(minutes=5)
REOPENS_WITHIN = timedelta(minutes=10)
KEPT = 100
"""How many unreadable alerts are kept of each source."""

_SHOWN = 15
_LATE = timedelta(minutes=1)
_SILENCE = ""  # the key of the desk's own alert about a source
_MEANS_NOTHING = "none"
_RANKS = (Level.LOW, Level.MEDIUM, Level.HIGH)

SourceKey = Annotated[str, Named("alerts", "alert source")]
AlertRef = Annotated[str, Reference(PREFIX)]


class Signal(BaseModel):
    """What a source says about one thing, in our words whatever its own are.

    `key` tells the thing from others of this source (the empty one is the desk's own), `bundle` names what the
    source sends together. `severity` and `service` are the source's words; `none` as a severity makes the
    signal a mere sign of life.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, Field(max_length=255)]
    bundle: Annotated[str, Field(max_length=64)]
    state: Literal["firing", "over", "acknowledged"]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    detail: Annotated[str, Field(max_length=1000)] = ""
    severity: Annotated[str, Field(max_length=60)] = ""
    service: Annotated[str, Field(max_length=60)] = ""
    link: Annotated[str, Field(max_length=500)] = ""


Signals = TypeAdapter(Annotated[tuple[Signal, ...], Field(max_length=AT_ONCE)])
"""How signals are handed over as JSON."""


@dataclass(frozen=True)
class Receive:
    """For example: alert receive prometheus []"""

    source: SourceKey
    signals: Annotated[str, Free(at_most=64_000)]


@dataclass(frozen=True)
class Settle:
    """For example: alert settle ALT-7"""

    alert: AlertRef


@dataclass(frozen=True)
class Silent:
    """For example: alert silent prometheus"""

    source: Word  # which may have left the policy since the moment was set


@dataclass(frozen=True)
class Watch:
    """For example: alert watch"""


@dataclass(frozen=True)
class Reject:
    """For example: alert reject prometheus why:“alerts is missing” body:{}"""

    source: SourceKey
    why: Annotated[str, Free(at_most=300)]
    body: Annotated[str | None, Free(at_most=2000)] = None


@dataclass(frozen=True)
class List:
    """For example: alert list"""

    state: Annotated[str, Choice(("firing", "over", "all")), "Those that fire, that are over, or all"] = (
        "firing"
    )
    source: Annotated[SourceKey | None, "Of one source"] = None
    page: Annotated[int, WholeNumber(1, 10_000)] = 1


@dataclass(frozen=True)
class Show:
    """For example: alert show ALT-7"""

    alert: AlertRef


@dataclass(frozen=True)
class Rejected:
    """For example: alert rejected"""


# What sources say


@command("alert receive", params=Receive, evidences=("SD SP 3.2", "IRP SP 2.1"), desk_only=True)
def receive(asked: Receive, desk: Desk) -> Outcome:
    """Take in what a source says: new alerts find their incident, repeated ones are counted, some are over."""
    source = desk.policy.alerts[asked.source]
    desk.records.alerts.hear(source.key, desk.now)
    signals = Signals.validate_json(asked.signals)
    intake = _Intake(desk, source, (each.key for each in signals))
    intake.take(signals)
    return dataclasses.replace(
        intake.outcome(), due=() if source.heartbeat is None else (_heartbeat(source, desk.now),)
    )


@command("alert settle", params=Settle, evidences=("SD SP 3.2", "IRP SP 2.1"), desk_only=True)
def settle(asked: Settle, desk: Desk) -> Outcome:
    """Join the alerts that led to a new incident to it."""
    alert = _find(desk, asked.alert)
    incident = desk.records.alerts.led_to(alert.ref)
    if incident is None:
        raise NotFound(f"{alert.ref} led to no incident.")
    together = desk.records.alerts.unlinked(alert.source, alert.bundle)
    for each in together:
        each.incident = incident
    return Outcome(
        reply=Reply(title=f"{alert.ref} is in INC-{incident}"),
        changes=[_change("fired", each) for each in together],
    )


@command("alert silent", params=Silent, evidences=("SD SP 3.2", "IRP SP 2.1"), desk_only=True)
def silent(asked: Silent, desk: Desk) -> Outcome:
    """Make an incident of a source that should have spoken and did not."""
    source = desk.policy.alerts.get(asked.source)
    if source is None or source.heartbeat is None:
        return Outcome(reply=Reply(title=f"{asked.source} need not speak."))
    row = desk.records.alerts.wait(source.key, desk.now)
    expected = row.waits_from + timedelta(seconds=source.heartbeat)
    if desk.now < expected:
        return Outcome(
            reply=Reply(title=f"{source.name} has spoken."), due=[_heartbeat(source, row.waits_from)]
        )
    if desk.now > expected + _LATE:
        # The desk was away itself and could not hear: the source gets its whole time anew.
        desk.records.alerts.wait(source.key, desk.now, anew=True)
        return Outcome(
            reply=Reply(title=f"{source.name} is listened for."), due=[_heartbeat(source, desk.now)]
        )
    intake = _Intake(desk, source)
    intake.fire(
        Signal(
            key=_SILENCE,
            bundle=_SILENCE,
            state="firing",
            title=f"{source.name} has been silent for {moments.show_duration(expected - row.waits_from)}",
            detail=f"Last heard {row.heard_at:%Y-%m-%d %H:%M} UTC."
            if row.heard_at
            else "Never heard so far.",
        ),
        Level.HIGH,
    )
    return intake.outcome()


@command("alert watch", params=Watch, evidences=("SD SP 3.2",), desk_only=True, tends=True)
def watch(_asked: Watch, desk: Desk) -> Outcome:
    """See to it that the silence of every source with a heartbeat is noticed, and of no other."""
    due, undue = [], []
    for source in desk.policy.alerts.values():
        if source.heartbeat is None:
            undue.append(_heartbeat_key(source.key))
            continue
        waits_from = desk.records.alerts.wait(source.key, desk.now).waits_from
        silence = desk.records.alerts.by_key(source.key, [_SILENCE]).get(_SILENCE)
        if silence is None or silence.state != FIRING:
            due.append(_heartbeat(source, waits_from))
    return Outcome(reply=Reply(title="Sources are watched."), due=due, undue=undue)


@command("alert reject", params=Reject, evidences=("SD SP 3.2",), desk_only=True)
def reject(asked: Reject, desk: Desk) -> Outcome:
    """Keep what could not be read, so that somebody can look, and tell the owner of it once an hour."""
    records = desk.records.alerts
    hour = desk.now.replace(minute=0, second=0, microsecond=0)
    first = not records.rejected_since(hour, asked.source)
    row = RejectedAlert(source=asked.source, at=desk.now, why=asked.why, body=asked.body or "")
    records.reject(row, KEPT)
    name = desk.policy.alerts[asked.source].name
    told = Notice(
        to=ToRoom(room=desk.policy.organisation.owner_room),
        reply=Reply(
            title=f"{name} sent an alert that the desk cannot read.",
            text=(f"{asked.why} It was refused, and opened no incident.",),
            tone=Tone.BAD,
            buttons=(Button(label="Look at it", line="alert rejected"),),
            private=False,
        ),
        key=f"alert/{asked.source}/rejected/{hour:%Y-%m-%dT%H}",
    )
    return Outcome(reply=Reply(title="It is kept."), notices=[told] if first else [])


@dataclass
class _Intake:
    """One command's look at what a source says, and what it leads to."""

    def __init__(self, desk: Desk, source: AlertSource, keys: Iterable[str] = ()) -> None:
        self._desk = desk
        self._source = source
        self._alerts = desk.records.alerts
        self._rows = self._alerts.by_key(source.key, {_SILENCE, *keys})
        self._incidents: dict[int, Incident] = {}
        self._homeless: dict[str, list[Alert]] = {}
        self._joined: dict[int, list[Alert]] = {}
        self._eased: dict[int, bool] = {}
        self._changes: list[Change] = []
        self._follow: list[str] = []

    def take(self, signals: Sequence[Signal]) -> None:
        """What the source said, each in turn. That it speaks at all ends its silence."""
        self._end(_SILENCE)
        for signal in signals:
            match signal.state:
                case "firing" if signal.severity != _MEANS_NOTHING:
                    self.fire(signal, self._source.urgency.get(signal.severity, Level.MEDIUM))
                case "over":
                    self._end(signal.key)
                case "acknowledged":
                    self._acknowledge(signal.key)

    def fire(self, signal: Signal, urgency: Level) -> None:
        """Something fires: it is counted if that is known, else it needs an incident."""
        row = self._rows.get(signal.key)
        incident = self._incident(row.incident) if row else None
        if row and row.state == FIRING and incident and incident.state in LIVE:
            row.count += 1
            row.heard_at = self._desk.now
            if _rank(urgency) > _rank(row.urgency):
                row.urgency, row.severity = str(urgency), signal.severity
                self._raise(incident, urgency)
            return
        row = self._begin(row, signal, urgency)
        if incident and self._may_join(incident):
            self._join(row, incident)
        else:
            self._homeless.setdefault(row.bundle, []).append(row)

    def outcome(self) -> Outcome:
        """Everything that this leads to."""
        for bundle, rows in self._homeless.items():
            self._find_home(bundle, rows)
        for number, rows in self._joined.items():
            self._welcome(self._incidents[number], rows)
        if self._eased:
            self._alerts.save()
        for number, by_itself in self._eased.items():
            self._ease(self._incidents[number], by_itself)
        return Outcome(reply=Reply(title="Received"), changes=self._changes, follow=self._follow)

    def _begin(self, row: Alert | None, signal: Signal, urgency: Level) -> Alert:
        """The row of what begins to fire, perhaps again; in no incident yet."""
        known = signal.service in self._desk.policy.services
        values: dict[str, Any] = {
            "bundle": signal.bundle,
            "state": FIRING,
            "title": signal.title,
            "detail": signal.detail,
            "link": signal.link or None,
            "severity": signal.severity,
            "urgency": str(urgency),
            "service": signal.service if known else self._source.service,
            "incident": None,
            "storm": False,
            "count": 1,
            "since": self._desk.now,
            "heard_at": self._desk.now,
            "over_at": None,
        }
        if row is None:
            number = self._desk.records.counters.next(PREFIX)
            row = Alert(number=number, source=self._source.key, key=signal.key, **values)
            self._alerts.add(row)
            self._rows[signal.key] = row
        else:
            row.version += 1
            for name, value in values.items():
                setattr(row, name, value)
        return row

    def _end(self, key: str) -> None:
        row = self._rows.get(key)
        if row is None or row.state != FIRING:
            return
        row.state = OVER
        row.over_at = row.heard_at = self._desk.now
        row.version += 1
        self._changes.append(_change("ended", row))
        incident = self._incident(row.incident)
        if incident:
            by_itself = self._source.resolves or key == _SILENCE
            self._eased[incident.number] = self._eased.get(incident.number, True) and by_itself

    def _acknowledge(self, key: str) -> None:
        row = self._rows.get(key)
        incident = self._incident(row.incident) if row and row.state == FIRING else None
        if row and incident and incident.state == IncidentState.TRIGGERED:
            row.heard_at = self._desk.now
            self._changes.append(_change("acknowledged", row))
            self._follow.append(f"incident ack {incident.ref}")

    # Which incident something belongs to

    def _incident(self, number: int | None) -> Incident | None:
        """An incident, or the one that it was merged into; locked, before any evidence is written, until the end."""
        while number is not None and number not in self._incidents:
            incident = self._desk.records.incidents.get(number, for_change=True)
            if incident is None:
                return None
            if incident.state == IncidentState.MERGED:
                number = incident.merged_into
            else:
                self._incidents[number] = incident
        return None if number is None else self._incidents[number]

    def _may_join(self, incident: Incident) -> bool:
        """Whether it is open, or was until so lately that what fires now belongs to it."""
        if incident.state in LIVE:
            return True
        since = incident.resolved_at if incident.state == IncidentState.RESOLVED else None
        return since is not None and self._desk.now < since + REOPENS_WITHIN

    def _find_home(self, bundle: str, rows: Sequence[Alert]) -> None:
        """For what a source sent together: the incident of what it sent so before, of a storm, or a new one."""
        incident = self._incident(self._alerts.incident_of_bundle(self._source.key, bundle))
        if incident and self._may_join(incident):
            for row in rows:
                self._join(row, incident)
            return
        lead = max(rows, key=lambda row: _rank(row.urgency))
        title = lead.title if len(rows) == 1 else f"{lead.title[:170]} and {len(rows) - 1} more"
        began = self._alerts.incidents_since(self._source.key, self._desk.now - STORM_WITHIN)
        if bundle != _SILENCE and began >= self._source.storm:
            storm = self._incident(self._alerts.incident_of_storm(self._source.key))
            for row in rows:
                row.storm = True
                if storm and storm.state in LIVE:
                    self._join(row, storm)
            if storm and storm.state in LIVE:
                return
            title = f"More than {self._source.storm} alerts from {self._source.name} within five minutes"
        self._declare(lead, title)

    def _declare(self, lead: Alert, title: str) -> None:
        told = "\n".join(filter(None, (lead.detail, lead.link)))
        self._follow += [
            f"incident declare {quoted(title)} service:{lead.service} impact:{self._source.impact} "
            f"urgency:{lead.urgency} alert:{lead.ref}" + (f" detail:{quoted(told)}" if told else ""),
            f"alert settle {lead.ref}",
        ]

    def _join(self, row: Alert, incident: Incident) -> None:
        row.incident = incident.number
        self._joined.setdefault(incident.number, []).append(row)
        self._changes.append(_change("fired", row))

    def _welcome(self, incident: Incident, rows: Sequence[Alert]) -> None:
        """Tell an incident of the alerts that joined it; those of a storm are only counted."""
        said = "; ".join(row.title for row in rows[:3]) + (f"; {len(rows) - 3} more" if len(rows) > 3 else "")
        if incident.state not in LIVE:
            self._follow.append(f"incident reopen {incident.ref} {quoted(f'It fires again: {said}')}")
        elif not rows[0].storm:
            self._follow.append(f"incident note {incident.ref} {quoted(f'Also fires: {said}')}")
        self._raise(incident, max((Level(row.urgency) for row in rows), key=_rank))

    def _raise(self, incident: Incident, urgency: Level) -> None:
        """What is more urgent than all that was known makes the incident so."""
        if _rank(urgency) > _rank(incident.urgency):
            self._follow.append(f"incident triage {incident.ref} urgency:{urgency}")

    def _ease(self, incident: Incident, by_itself: bool) -> None:
        """Resolve an incident none of whose alerts fires any more, if its source may."""
        fires = any(row.state == FIRING for row in self._alerts.of_incident(incident.number))
        if fires or incident.state not in LIVE:
            return
        name = self._source.name
        if by_itself:
            self._follow.append(f"incident resolve {incident.ref} {quoted(f'{name} says that it is over.')}")
        else:
            said = f"{name} says that it is over. Resolve it when you agree."
            self._follow.append(f"incident note {incident.ref} {quoted(said)}")


def _rank(urgency: str) -> int:
    return _RANKS.index(Level(urgency))


def _change(what: str, row: Alert) -> Change:
    """Something that happened to an alert, for the ledger."""
    after = {
        "state": row.state,
        "source": row.source,
        "urgency": row.urgency,
        "incident": f"INC-{row.incident}" if row.incident else None,
    }
    return Change(f"alert.{what}", row.ref, after=after, words={"title": row.title})


def _heartbeat_key(source: str) -> str:
    return f"alert/{source}/silent"


def _heartbeat(source: AlertSource, waits_from: datetime) -> Due:
    """The moment at which a source has been silent too long."""
    assert source.heartbeat is not None
    at = waits_from + timedelta(seconds=source.heartbeat)
    line = f"alert silent {source.key}"
    return Due(key=_heartbeat_key(source.key), subject=source.key, at=at, line=line, urgent=True)


# Looking

_WHO_LOOKS = {Role.AGENT, Role.RESPONDER, Role.OWNER, Role.MANAGER}
_WHICH = {"firing": "Firing now", "over": "Over", "all": "In all"}


@subject(PREFIX)
def look(ref: str, desk: Desk) -> Standing:
    """How an alert stands now."""
    alert = _find(desk, ref)
    service = desk.policy.services.get(alert.service)
    team = desk.policy.teams.get(service.team) if service else None
    room = team.room if team else desk.policy.organisation.owner_room
    return Standing(alert.ref, alert.state, alert.version, lambda: _card(desk, alert), room)


@command("alert list", params=List)
def list_alerts(asked: List, desk: Desk) -> Reply:
    """See what fires now, or what did."""
    _require_eyes(desk)
    found, total = desk.records.alerts.listed(
        state=None if asked.state == "all" else asked.state,
        source=asked.source,
        skip=skipped(asked.page),
        at_most=PAGE,
    )
    line = f"alert list {asked.state}" + (f" source:{asked.source}" if asked.source else "")
    return Reply(
        title=f"{_WHICH[asked.state]}: {counted(total, 'alert')}",
        table=Table(
            columns=("Alert", "What", "State", "Source", "Since", "Told", "Incident"),
            rows=tuple(_row(desk, each) for each in found),
            empty=nothing(
                "Nothing fires." if asked.state == "firing" else "Nothing here.", asked.page, total
            ),
        ),
        buttons=(*turning(line, None, asked.page, total), *_incidents(found)),
    )


@command("alert show", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See an alert: what its source says, since when, and which incident it is in."""
    return _card(desk, _find(desk, asked.alert))


@command("alert rejected", params=Rejected)
def rejected(_asked: Rejected, desk: Desk) -> Reply:
    """See what sources sent lately and the desk could not read."""
    _require_eyes(desk)
    rows = tuple(
        ((desk.at(each.at) or "",), (_source_name(desk, each.source),), (each.why,), (each.body[:300],))
        for each in desk.records.alerts.rejected(_SHOWN)
    )
    return Reply(
        title="What could not be read",
        table=Table(columns=("When", "Source", "Why", "It begins"), rows=rows, empty="Nothing was refused."),
    )


def _require_eyes(desk: Desk) -> None:
    """Alerts name machines and customers: those see them who work on what they lead to, or answer for it."""
    asker = desk.asker
    on_call = {
        person for rota in desk.policy.rotas.values() for layer in rota.layers for person in layer.people
    }
    if not (_WHO_LOOKS & asker.roles or asker.teams or asker.key in on_call):
        raise NotAllowed(
            "Alerts are for those who respond to them.",
            f"{who_may(Role.RESPONDER, desk.policy)} can look; ask them.",
        )


def _find(desk: Desk, ref: str) -> Alert:
    _require_eyes(desk)
    alert = desk.records.alerts.get(number_of(ref))
    if alert is None:
        raise NotFound(f"There is no {ref}.", "Type `alert list` to see what fires.")
    return alert


def _source_name(desk: Desk, key: str) -> str:
    known = desk.policy.alerts.get(key)
    return known.name if known else key


def _row(desk: Desk, alert: Alert) -> tuple[Words, ...]:
    return (
        (alert.ref,),
        (alert.title,),
        (alert.state,),
        (_source_name(desk, alert.source),),
        (desk.at(alert.since, relative=True) or "",),
        (f"{alert.count}×",),
        (f"INC-{alert.incident}" if alert.incident else "—",),
    )


def _card(desk: Desk, alert: Alert) -> Reply:
    service = desk.policy.services.get(alert.service)
    fires = alert.state == FIRING
    return Reply(
        title=f"{alert.ref} · {alert.title}",
        text=tuple(filter(None, (alert.detail, f"\n{alert.link}" if alert.link else ""))),
        tone=Tone.WAITING if fires else Tone.GOOD,
        facts=facts(
            ("State", "firing" if fires else "over"),
            ("Source", _source_name(desk, alert.source)),
            ("Service", service.name if service else alert.service),
            ("Severity", alert.severity),
            ("Urgency", alert.urgency),
            ("Since", desk.at(alert.since)),
            ("Over", desk.at(alert.over_at)),
            ("Told", f"{alert.count}×"),
            ("Last heard", desk.at(alert.heard_at, relative=True)),
            ("Incident", f"INC-{alert.incident}" if alert.incident else None),
        ),
        buttons=_incidents([alert]),
        subject=alert.ref,
        version=alert.version,
        as_of=desk.now,
    )


def _incidents(alerts: Iterable[Alert]) -> tuple[Button, ...]:
    numbers = dict.fromkeys(each.incident for each in alerts if each.incident)
    return tuple(
        Button(label=f"Show INC-{number}", line=f"incident show INC-{number}") for number in list(numbers)[:3]
    )
