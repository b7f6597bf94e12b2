"""The card: an incident at a glance, and the buttons that make sense now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from config.policy import INCIDENT_ROLES
from handlers import definitions
from handlers.desk import Desk
from handlers.estates import estate_of
from handlers.incidents.outside import missing, spaces, troubled_pages
from handlers.messages import Button, Fact, Part, Reply, Style, Tone, Words, facts
from handlers.rules.likeness import ALIKE, likeness_to
from handlers.rules.workflow import LIVE, IncidentState
from storage.models.alerts import Alert
from storage.models.incidents import FOLLOWER, PAGED, Incident
from storage.models.problems import Problem
from storage.models.service_levels import ClockRow
from storage.repositories.alerts import FIRING

_LABELS = {
    "respond": "Answer by",
    "update": "Next update by",
    "resolve": "Back by",
    "review": "Review by",
}
_QUOTED = 300
_ALERTS, _ALERTS_SHOWN, _KNOWN_SHOWN = "Alerts", 3, 2
_DAY = timedelta(hours=24)


def named_title(incident: Incident) -> str:
    """What an incident is called where it stands alone: `INC-7 · SEV1 · mail is down`."""
    practice = "PRACTICE · " if incident.practice else ""
    return f"{incident.ref} · {practice}{incident.severity} · {incident.title}"


def card(desk: Desk, incident: Incident) -> Reply:
    """An incident as everybody in its room sees it: how it stands, who has it, what was promised, what is next."""
    gone, belongs = missing(desk, incident), related(desk, incident)
    has_problem = any(each.startswith("PRB-") for each in belongs)
    known = [] if has_problem else _known_errors(desk, incident)
    return Reply(
        title=named_title(incident),
        tone=_tone(incident),
        facts=_facts(desk, incident, belongs, known, gone),
        buttons=(
            *_buttons(desk, incident),
            *(() if has_problem else _problem_buttons(incident, known)),
            *_last_buttons(incident, is_whole=not gone),
        ),
        subject=incident.ref,
        version=incident.version,
        as_of=desk.now,
        private=False,
    )


def _tone(incident: Incident) -> Tone:
    match incident.state:
        case IncidentState.TRIGGERED:
            return Tone.BAD
        case IncidentState.ACKNOWLEDGED:
            return Tone.WAITING
        case IncidentState.MERGED:
            return Tone.PLAIN
        case _:
            return Tone.GOOD


def _facts(
    desk: Desk,
    incident: Incident,
    belongs: Sequence[str],
    known: Sequence[Problem],
    gone: Sequence[tuple[str, Words]],
) -> tuple[Fact, ...]:
    service = desk.policy.services.get(incident.service)
    texts = desk.records.incidents.texts(incident.number)
    live = incident.state in LIVE
    roles = {
        each.part: each.person
        for each in desk.records.incidents.parts(incident.number)
        if each.part in INCIDENT_ROLES
    }
    said = {kind: each.text[:_QUOTED] for kind, each in texts.items()}
    return facts(
        ("State", _state(incident)),
        ("Severity", f"{incident.severity} (impact {incident.impact}, urgency {incident.urgency})"),
        ("Service", service.name if service else incident.service),
        ("Held by", desk.who(incident.assignee) or ("nobody yet" if live else None)),
        *((role.capitalize(), desk.who(roles.get(role))) for role in INCIDENT_ROLES),
        ("Woken", _woken(desk, incident) if incident.state == IncidentState.TRIGGERED else None),
        *_promises(desk, incident),
        ("Last update", said.get("update") if live else None),
        ("Workaround", said.get("workaround") if live else None),
        ("How it was resolved", said.get("how") if not live else None),
        ("Cause", said.get("cause")),
        (_ALERTS, _alerts(desk, incident)),
        ("Belongs to", ", ".join(belongs)),
        (
            "May be known",
            "; ".join(f"{each.ref} {each.title}: {each.workaround}"[:_QUOTED] for each in known),
        ),
        *_changed(desk, incident),
        ("Worked on in", spaces(desk, incident)),
        *troubled_pages(desk, incident),
        *gone,
        ("Practice", "yes: it is in no figure" if incident.practice else None),
    )


def _alerts(desk: Desk, incident: Incident) -> str:
    """What monitoring says of it, whatever fires first; the others are counted."""
    if incident.alert is None:
        return ""  # alerts join only what an alert began
    first, in_all = desk.records.alerts.first_of_incident(incident.number, _ALERTS_SHOWN)
    said = [f"{each.ref} {each.title} ({_told(each)})" for each in first]
    return "; ".join([*said, *([f"{in_all - len(first)} more"] if in_all > len(first) else [])])


def _told(alert: Alert) -> str:
    if alert.state != FIRING:
        return "over"
    return "fires" if alert.count == 1 else f"fires, told {alert.count}×"


def _known_errors(desk: Desk, incident: Incident) -> Sequence[Problem]:
    """Known errors that it resembles, while it is open; the likeliest first."""
    if incident.state not in LIVE:
        return ()
    said = f"{incident.title} {incident.detail or ''}"
    beneath = estate_of(desk.policy).beneath([incident.service])
    return desk.records.problems.known_errors(
        incident.service, likeness_to(said, shared=2), ALIKE, beneath, _KNOWN_SHOWN
    )


def _changed(desk: Desk, incident: Incident) -> Iterator[tuple[str, str]]:
    """The change that caused it, where that is known; while nobody knows, what was changed in the day before."""
    causes = [f"CHG-{number}" for number in desk.records.changes.causes(incident.ref)]
    if causes:
        yield "Caused by", ", ".join(causes)
    elif incident.state in LIVE:
        services = estate_of(desk.policy).beneath([incident.service])
        since = incident.opened_at - _DAY
        found = desk.records.changes.recent(services, since, incident.opened_at)
        yield "Changed in the 24 h before", "; ".join(f"{each.ref} {each.title}" for each in found)


def _state(incident: Incident) -> str:
    if incident.merged_into is not None:
        return f"merged into INC-{incident.merged_into}"
    confirmed = ", confirmed" if incident.confirmed_at and incident.state == IncidentState.RESOLVED else ""
    return f"{IncidentState(incident.state).shown}{confirmed}"


def _woken(desk: Desk, incident: Incident) -> Words:
    """Who was woken so far, how far that has climbed, and when the next level's turn comes."""
    paged = [each.person for each in desk.records.incidents.parts(incident.number) if each.part == PAGED]
    names = ", ".join(map(desk.directory.name, paged))
    if not incident.level:
        return (names,) if names else ()
    terms = definitions.escalation(desk, incident.escalation, incident.escalation_version)
    levels = len(terms.levels)
    where: list[Part] = [
        f"{names} (level {incident.level} of {levels}"
        if incident.level <= levels
        else f"{names} (the last one there is"
    ]
    if terms.rounds > 1 and incident.level <= levels:
        where.append(f", round {incident.round} of {terms.rounds}")
    following = desk.at(desk.records.dues.at(f"{incident.ref}/climb"), relative=True)
    return (*where, "; the next ", following, ")") if following else (*where, ")")


def _promises(desk: Desk, incident: Incident) -> Iterator[tuple[str, Words]]:
    rows = {row.promise: row for row in desk.records.clocks.of(incident.ref)}
    for promise, label in _LABELS.items():
        row = rows.get(promise)
        if row is not None and (row.open or promise != "update"):
            yield label, promise_words(desk, row)


def promise_words(desk: Desk, row: ClockRow) -> Words:
    """How one promise stands: its moment, and its state unless it simply runs."""
    state = row.state_at(desk.now)
    moment = desk.at(row.due_at, relative=state in ("running", "due soon"))
    if moment is None:
        return (state,)
    return (moment,) if state == "running" else (moment, f" ({state})")


def related(desk: Desk, incident: Incident) -> list[str]:
    """The tickets it has to do with, said from either side."""
    own = [each.ref for each in desk.records.incidents.links(incident.number)]
    problems = [f"PRB-{each.number}" for each in desk.records.problems.of(incident.ref)]
    return list(dict.fromkeys((*own, *problems)))


def own_facts(drawn: Reply, works_on_it: bool) -> tuple[Fact, ...]:
    """The card's facts as far as the asker may see them: alerts name machines, and are for those who work on it."""
    return tuple(each for each in drawn.facts if works_on_it or each.label != _ALERTS)


# Buttons ------------------------------------------------------------------------------------------

_ANYBODYS = ("incident follow", "incident unfollow", "sla why")
_REPORTERS = ("incident confirm", "incident reopen", *_ANYBODYS)


def own_buttons(
    desk: Desk, incident: Incident, drawn: Sequence[Button], works_on_it: bool
) -> tuple[Button, ...]:
    """Those of the card's buttons that make sense to the asker, and what is theirs alone to do."""
    if works_on_it:
        return tuple(drawn)
    reports = incident.reporter == desk.asker.key
    return tuple(
        each for each in drawn if each.line.startswith(_REPORTERS if reports else _ANYBODYS)
    ) + tuple(_follow_buttons(desk, incident))


def _follow_buttons(desk: Desk, incident: Incident) -> Iterable[Button]:
    if incident.state == IncidentState.MERGED or incident.reporter == desk.asker.key:
        return
    follows = any(
        each.part == FOLLOWER and each.person == desk.asker.key
        for each in desk.records.incidents.parts(incident.number)
    )
    verb = "unfollow" if follows else "follow"
    yield Button(label=verb.capitalize(), line=f"incident {verb} {incident.ref}")


def _buttons(desk: Desk, incident: Incident) -> Iterator[Button]:
    """What can be done next; each is a line that could have been typed."""
    ref, state = incident.ref, IncidentState(incident.state)
    if state is IncidentState.MERGED:
        other = f"INC-{incident.merged_into}"
        yield Button(label=f"Show {other}", line=f"incident show {other}", style=Style.PRIMARY)
        return
    if state is IncidentState.TRIGGERED:
        yield Button(label="Acknowledge", line=f"incident ack {ref}", style=Style.PRIMARY)
    if state is IncidentState.ACKNOWLEDGED:
        yield Button(label="Update", line=f"incident update {ref}", style=Style.PRIMARY)
        yield Button(label="Resolve", line=f"incident resolve {ref}", style=Style.PRIMARY)
    if state in LIVE:
        yield Button(label="Take", line=f"incident take {ref}")
        yield Button(label="Escalate", line=f"incident escalate {ref}")
        yield Button(label="Triage", line=f"incident triage {ref}")
        yield Button(label="Workaround", line=f"incident workaround {ref}")
    if state is IncidentState.RESOLVED:
        if incident.confirmed_at is None:
            yield Button(label="It works again", line=f"incident confirm {ref}", style=Style.PRIMARY)
        yield Button(label="Close", line=f"incident close {ref}", style=Style.PRIMARY)
    if state not in LIVE:
        yield Button(label="Reopen", line=f"incident reopen {ref}")
        if any(row.promise == "review" and row.open for row in desk.records.clocks.of(ref)):
            yield Button(label="Review", line=f"incident review {ref}", style=Style.PRIMARY)


def _problem_buttons(incident: Incident, known: Sequence[Problem]) -> Iterator[Button]:
    """What leads to the problem behind it: a known error that it resembles, or a new one."""
    ref, state = incident.ref, incident.state
    for each in known:
        yield Button(label=f"It is {each.ref}", line=f"incident link {ref} {each.ref}")
    if state not in (IncidentState.TRIGGERED, IncidentState.MERGED):
        line = f"problem open service:{incident.service} incidents:{ref}"
        yield Button(label="Open a problem", line=line)


def _last_buttons(incident: Incident, is_whole: bool) -> Iterator[Button]:
    if incident.state == IncidentState.MERGED:
        return
    if not is_whole:
        yield Button(label="Repair", line=f"incident repair {incident.ref}", style=Style.DANGER)
    yield Button(label="Why these times?", line=f"sla why {incident.ref}")
