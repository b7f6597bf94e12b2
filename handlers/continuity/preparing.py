"""Readiness: what a service needs, looked at item by item, and its owner's word that it can go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from config.policy import Readiness, ReadinessItem, ReadinessKind, Role, Service
from handlers.continuity.shared import for_practice, signs_for
from handlers.declare import Change as Record
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound
from handlers.messages import Button, Reply, Style, Table, Tone, Words, counted, facts
from handlers.parsing import Choice, Manner, ServiceKey, Text, WholeNumber, Word, near
from handlers.readiness import gaps_of, looks
from handlers.rules.moments import show_day
from handlers.rules.readiness import gap_of, look_again_by
from handlers.tickets import require_works
from storage.models.continuity import WHOLE, ReadinessCheck


@dataclass(frozen=True)
class Show:
    """For example: service readiness mail"""

    service: ServiceKey


@dataclass(frozen=True)
class Check:
    """For example: service check mail spare-disks ready count:2"""

    service: ServiceKey
    item: Annotated[Word, "Which thing on its list"]
    found: Annotated[str, Choice(("ready", "lacking")), "What you found"]
    note: Annotated[Text | None, "What you saw; needed for what lacks"] = None
    count: Annotated[int | None, WholeNumber(0, 1_000_000), Manner.BY_NAME, "How many there are"] = None


@dataclass(frozen=True)
class Confirm:
    """For example: service ready mail"""

    service: ServiceKey
    because: Annotated[Text | None, "Why it can go on although something lacks"] = None


def _list_of(desk: Desk, service: str) -> Readiness:
    found = desk.policy.readiness.get(service)
    if found is None:
        name = desk.policy.services[service].name
        raise NotFound(
            f"Nobody has listed what {name} needs.", "The desk's administrator can, in readiness.yaml."
        )
    return found


@command("service readiness", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See what a service needs to go on, and whether it is there: people, skills, things, suppliers."""
    require_works(desk, "Readiness is seen")
    return _drawn(desk, desk.policy.services[asked.service])


def _drawn(desk: Desk, service: Service) -> Reply:
    readiness = _list_of(desk, service.key)
    found = gaps_of(desk, service.key)
    confirmed = desk.records.continuity.confirmed(service.key)
    first = [
        Button(label=f"Check {gap.item.key}"[:40], line=f"service check {service.key} {gap.item.key}")
        for gap in found[:3]
    ]
    ready = Button(label="It can go on", line=f"service ready {service.key}", style=Style.PRIMARY)
    return Reply(
        title=f"{service.name}: {counted(len(found), 'gap') if found else 'everything is in place'}",
        tone=Tone.WAITING if found else Tone.GOOD,
        facts=facts(
            ("Its owner's word", desk.who(confirmed.by) if confirmed else "not given yet"),
            ("Given", desk.at(confirmed.at) if confirmed else None),
        ),
        table=Table(
            columns=("Item", "What", "Kind", "Owner", "State", "Look again by"),
            rows=tuple(_row(desk, service.key, item) for item in readiness.items),
        ),
        buttons=(*first, ready),
    )


def _row(desk: Desk, service: str, item: ReadinessItem) -> tuple[Words, ...]:
    look = looks(desk, service).get(item.key)
    counts = (
        f"{look.count} of {item.at_least}" if look and look.count is not None and item.at_least else "ready"
    )
    return (
        (item.key,),
        (item.title,),
        (str(item.kind),),
        (desk.directory.who_is(item.owner),),
        (gap_of(item, look, desk.now) or counts,),
        (show_day(look_again_by(item, look).date()) if look else "now",),
    )


@command("service check", params=Check, evidences=("SD SP 2.2", "SAM SP 2.1", "WP SP 2.5"))
def check(asked: Check, desk: Desk) -> Outcome:
    """Say whether something that a service needs is there; consumables are counted."""
    service = desk.policy.services[asked.service]
    readiness = _list_of(desk, service.key)
    item = next((each for each in readiness.items if each.key == asked.item.lower()), None)
    if item is None:
        keys = [each.key for each in readiness.items]
        close = near(asked.item, keys)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(keys)}."
        raise NotFound(f"{service.name} has nothing called {asked.item[:48]} on its list.", hint)
    _require_may_check(desk, service, item)
    if item.at_least is not None and asked.count is None:
        raise desk.ask({"count": f"How many are there? There must be {item.at_least}."})
    short = item.at_least is not None and asked.count is not None and asked.count < item.at_least
    ready = asked.found == "ready" and not short
    if asked.found == "lacking" and not asked.note:
        raise desk.ask({"note": "What lacks?"})
    desk.records.continuity.put_check(
        ReadinessCheck(
            service=service.key,
            item=item.key,
            ready=ready,
            count=asked.count,
            by=desk.asker.key,
            at=desk.now,
            note=asked.note or "",
        )
    )
    return Outcome(
        reply=lambda: _checked(desk, service, item, ready=ready, short=short),
        changes=list(_records(service, item, asked, ready=ready)),
    )


def _require_may_check(desk: Desk, service: Service, item: ReadinessItem) -> None:
    asker = desk.asker
    if asker.key in (item.owner, service.owner) or service.team in asker.teams or Role.MANAGER in asker.roles:
        return
    names = dict.fromkeys([desk.directory.name(item.owner), desk.policy.teams[service.team].name])
    raise NotAllowed(f"You cannot check what {service.name} needs.", f"{' or '.join(names)} can; ask them.")


def _records(service: Service, item: ReadinessItem, asked: Check, *, ready: bool) -> Iterator[Record]:
    """That it was checked; of a supplier also that it was held to its terms, of a skill that it lacks."""
    subject = f"service:{service.key}"
    told = {"item": item.key, "kind": str(item.kind), "ready": ready, "count": asked.count}
    words = {"note": asked.note} if asked.note else {}
    yield for_practice("SD SP 2.2", Record("readiness.item_checked", subject, None, told, words))
    if item.kind is ReadinessKind.SUPPLIER:
        yield for_practice("SAM SP 2.1", Record("supplier_performance.reviewed", subject, None, told))
    if item.kind is ReadinessKind.SKILL and not ready:
        yield for_practice("WP SP 2.5", Record("skill_gap.recorded", subject, None, told))


def _checked(desk: Desk, service: Service, item: ReadinessItem, *, ready: bool, short: bool) -> Reply:
    left = len(gaps_of(desk, service.key))
    state = "ready" if ready else "too few" if short else "lacking"
    title = f"{service.name}: {item.title} is noted as {state}"
    text = f"{counted(left, 'gap')} left." if left else "Everything is in place."
    return _drawn(desk, service).model_copy(update={"title": title, "text": (text,), "tone": Tone.GOOD})


@command("service ready", params=Confirm, evidences=("SD SP 2.2",))
def confirm(asked: Confirm, desk: Desk) -> Outcome:
    """Give your word, as its owner, that a service has what it needs to go on."""
    service = desk.policy.services[asked.service]
    if not signs_for(desk, service.owner):
        owner = desk.directory.name(service.owner)
        raise NotAllowed(f"You cannot say that of {service.name}.", f"{owner}, who owns it, can.")
    found = gaps_of(desk, service.key)
    if found and not asked.because:
        lacking = "; ".join(f"{gap.item.title} ({gap.why})" for gap in found[:8])
        raise desk.ask({"because": f"Not everything is there: {lacking}. Why can it go on?"})
    desk.records.continuity.put_check(
        ReadinessCheck(
            service=service.key,
            item=WHOLE,
            ready=not found,
            by=desk.asker.key,
            at=desk.now,
            note=asked.because or "",
        )
    )
    subject = f"service:{service.key}"
    checked = Record("readiness.checked", subject, None, {"gaps": [gap.item.key for gap in found]})
    words = {"because": asked.because} if asked.because else {}
    confirmed = Record("readiness.confirmed", subject, None, {"gaps": len(found)}, words)
    title = f"{service.name} can go on, says {desk.asker.name}"
    return Outcome(
        reply=lambda: Reply(title=title, tone=Tone.GOOD, buttons=_look_button(service)),
        changes=[checked, confirmed],
    )


def _look_button(service: Service) -> tuple[Button, ...]:
    return (Button(label="What it needs", line=f"service readiness {service.key}"),)
