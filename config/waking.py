"""Whether somebody can be woken: contacts that work, rotas without gaps, escalations and incidents that reach people.

- Whoever stands in a rota or an escalation, by name or by team, must be reachable by what the files say: by e-mail,
  by an account in chat, or by another of their contacts. What people link later cannot be known here.
- A level can only be out of reach by the names in it, as rotas, layers and teams are never empty; so each name must
  lead somewhere. The same people may stand in two levels one after the other, for then they are asked again, and a
  level may be a room alone, which is told and given time. A layer that lies wholly beneath another is refused.
- A rota that has a gap must say `gaps: yes`. Gaps are looked for when its file and the calendars are right otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from config.looking import Look
from config.policy import (
    INCIDENT_ROLES,
    Agreement,
    AlertKind,
    AlertSource,
    Calendar,
    Contact,
    Escalation,
    Holidays,
    IncidentRules,
    Layer,
    Level,
    Person,
    Priority,
    Promise,
    Rota,
    Severity,
    Way,
    shown,
)

FirstGap = Callable[[Rota, Mapping[str, Calendar]], tuple[datetime, datetime] | None]
"""Finds the first span, in UTC, in which the layers of a rota leave nobody on call; None for none."""

FIRST_YEAR, LAST_YEAR = 2000, 2099
"""A rota begins in these years; a start long ago would only mean many turns."""

_WEB = r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?"
_SHAPES = {
    Way.SMS: (r"\+[1-9][0-9]{6,14}", "is no telephone number; write it with its country, as +4930123456"),
    Way.NTFY: (
        rf"[A-Za-z0-9_-]{{1,64}}|{_WEB}",
        "is no topic of ntfy; write up to 64 letters, digits, _ and -, or the topic's https address",
    ),
    Way.WEBHOOK: (_WEB, "is no web address; write it as https://example.org/page"),
}
_DEFAULT_WAYS = (Contact(Way.CHAT), Contact(Way.MAIL))
_INCIDENT_PROMISES = (Promise.RESPOND, Promise.UPDATE, Promise.RESOLVE)
_SIGNING = (AlertKind.GRAFANA, AlertKind.GENERIC)


def check(look: Look, first_gap: FirstGap | None) -> None:
    """Report whatever keeps people from being woken; gaps only where something is given that finds them."""
    draft = look.draft
    for key, person in draft.people.items():
        _check_contacts(person, look.within("people", key))
    for key, rota in draft.rotas.items():
        _check_rota(rota, look.within("rotas", key))
    for key, escalation in draft.escalations.items():
        _check_escalation(escalation, look.within("escalations", key))
    if draft.incidents is not None:
        _check_incidents(draft.incidents, look.within("incidents"))
    for key, source in draft.alerts.items():
        _check_source(source, look.within("alerts", key))
    if draft.alerts and "incidents" not in draft.files and not look.faulty("incidents"):
        look.within("alerts").wrong("needs incidents.yaml beside it; write that file or take this one out")
    _check_reach(look)
    if first_gap is not None and not look.faulty("rotas", "calendars"):
        for key, rota in draft.rotas.items():
            _check_gaps(rota, first_gap, look.within("rotas", key))


# People --------------------------------------------------------------------------------------------


def _check_contacts(person: Person, look: Look) -> None:
    for index, contact in enumerate(person.contacts):
        here = look.at("contacts", index)
        if contact in person.contacts[:index]:
            here.wrong("stands here twice; keep one of them")
        if contact.way is Way.CHAT:
            if contact.to is not None:
                here.at("to").wrong("has no effect for chat; take it out")
        elif contact.way is Way.MAIL:
            here.at("to").address(contact.to)
            if contact.to is None and person.email is None:
                here.wrong("has no address to write to; add it as to, or as the person's email")
        elif contact.to is None:
            here.wrong(f"does not say where {contact.way} goes; add to")
        else:
            shape, advice = _SHAPES[contact.way]
            if not re.fullmatch(shape, contact.to):
                here.at("to").wrong(f"{shown(contact.to)} {advice}")


def _check_reach(look: Look) -> None:
    """Everybody who can be paged needs a way that works; each is reported once, with one reason."""
    told: set[str] = set()
    for key, why in _paged(look):
        person = look.draft.people.get(key)
        if (
            person
            and key not in told
            and not any(_leads_to(person, way) for way in person.contacts or _DEFAULT_WAYS)
        ):
            told.add(key)
            look.within("people", key).wrong(
                f"can be paged by {why} and cannot be reached; add an email, an account or contacts"
            )


def _paged(look: Look) -> Iterator[tuple[str, str]]:
    for rota in look.draft.rotas.values():
        for layer in rota.layers:
            yield from ((person, f"the rota {rota.key}") for person in layer.people)
    for escalation in look.draft.escalations.values():
        names = [name for level in escalation.levels for name in level.notify]
        for name in (*names, escalation.fallback):
            team = look.draft.teams.get(name[1:]) if name.startswith("@") else None
            for person in team.members if team else (name,):
                yield person, f"the escalation {escalation.key}"


def _leads_to(person: Person, contact: Contact) -> bool:
    if contact.way is Way.CHAT:
        return bool(person.accounts)
    return contact.to is not None or (contact.way is Way.MAIL and person.email is not None)


# Rotas ---------------------------------------------------------------------------------------------


def _check_rota(rota: Rota, look: Look) -> None:
    look.at("zone").zone(rota.zone)
    look.at("room").known("rooms", rota.room)
    for index, layer in enumerate(rota.layers):
        here = look.at("layers", index)
        _check_layer(layer, here)
        for above in range(index + 1, len(rota.layers)):
            if _lies_beneath(layer, rota.layers[above]):
                here.wrong(
                    f"lies wholly beneath layer {above + 1}, which always has somebody;"
                    " give that one hours or take this one out"
                )
                break


def _check_layer(layer: Layer, look: Look) -> None:
    for index, person in enumerate(layer.people):
        look.at("people", index).known("people", person)
    if not FIRST_YEAR <= layer.starts.year <= LAST_YEAR:
        look.at("starts").wrong(f"is not in the years {FIRST_YEAR} to {LAST_YEAR}; correct the year")
    look.at("hours").openings(layer.hours)
    look.at("closed_days_of").known("calendars", layer.closed_days_of)
    closing = look.draft.calendars.get(layer.closed_days_of or "")
    if closing is not None and closing.holidays == Holidays():
        look.at("closed_days_of").wrong(
            f"{shown(closing.key)} has no closed days; give it holidays or take this line out"
        )


def _lies_beneath(layer: Layer, above: Layer) -> bool:
    return not above.hours and above.closed_days_of is None and above.starts <= layer.starts


def _check_gaps(rota: Rota, first_gap: FirstGap, look: Look) -> None:
    gap = None if rota.gaps else first_gap(rota, look.draft.calendars)
    if gap is not None:
        starts, ends = (edge.astimezone(ZoneInfo(rota.zone)) for edge in gap)
        look.at("layers").wrong(
            f"leave nobody on call from {starts:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M};"
            " add a layer, widen the hours or write gaps: yes"
        )


# Escalations and incidents ---------------------------------------------------------------------------


def _check_escalation(escalation: Escalation, look: Look) -> None:
    for number, level in enumerate(escalation.levels):
        here = look.at("levels", number, "notify")
        for index, name in enumerate(level.notify):
            _check_target(name, here.at(index))
        here.unlike(level.notify)
    look.at("fallback").known("people", escalation.fallback)


def _check_target(name: str, look: Look) -> None:
    for mark, file in (("rota:", "rotas"), ("@", "teams"), ("#", "rooms")):
        if name.startswith(mark):
            look.known(file, name.removeprefix(mark))
            return
    look.known("people", name)


def _check_incidents(rules: IncidentRules, look: Look) -> None:
    look.at("room").known("rooms", rules.room)
    look.at("escalation").known("escalations", rules.escalation)
    look.at("agreement").known("agreements", rules.agreement)
    if agreement := look.draft.agreements.get(rules.agreement):
        _check_promises(agreement, look.at("agreement"))
    _check_matrix(rules.severity, look.at("severity"))
    if lacking := [severity for severity in Severity if severity not in rules.severities]:
        look.at("severities").wrong(f"says nothing of {', '.join(lacking)}; add it")
    for severity, rule in rules.severities.items():
        roles = look.at("severities", severity, "roles")
        for index, role in enumerate(rule.roles):
            roles.at(index).one_of(role, INCIDENT_ROLES)
        roles.unlike(rule.roles)


def _check_promises(agreement: Agreement, look: Look) -> None:
    made = {(target.promise, priority) for target in agreement.targets for priority in target.within}
    for promise in _INCIDENT_PROMISES:
        if lacking := [priority for priority in Priority if (promise, priority) not in made]:
            look.wrong(
                f"{shown(agreement.key)} has no {promise} for {', '.join(lacking)}; add it in agreements.yaml"
            )


def _check_matrix(matrix: Mapping[Level, Mapping[Level, Severity]], look: Look) -> None:
    """Every pair has a severity, and more impact or urgency never makes a milder one."""
    for impact in Level:
        row = matrix.get(impact, {})
        if lacking := [urgency for urgency in Level if urgency not in row]:
            look.at(impact).wrong(f"says nothing for an urgency of {', '.join(lacking)}; add it")
    milder = dict(pairwise(Level))
    for impact, row in matrix.items():
        for urgency, severity in row.items():
            lower = matrix.get(milder.get(impact, impact), {}).get(urgency, severity)
            calmer = row.get(milder.get(urgency, urgency), severity)
            worst = min(lower, calmer)
            if severity > worst:
                look.at(impact, urgency).wrong(
                    f"is milder than {worst}, which stands where there is less "
                    f"{'impact' if lower == worst else 'urgency'}; more must not weigh less"
                )


def _check_source(source: AlertSource, look: Look) -> None:
    look.at("service").known("services", source.service)
    if source.kind is not AlertKind.GENERIC and look.at("mapping").written() is not None:
        look.at("mapping").wrong(f"has no effect for {source.kind}; take it out or write kind: generic")
    if source.signed and source.kind not in _SIGNING:
        look.at("signed").wrong(f"is more than {source.kind} can do; take it out")
