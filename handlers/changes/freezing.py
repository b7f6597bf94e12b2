"""Freezes that are declared in chat, beside those of the policy: nothing is changed while one holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from config.policy import Role
from handlers.access import who_may
from handlers.changes.content import service_names
from handlers.changes.shared import Services, hold_gate
from handlers.changes.windowing import read_window
from handlers.declare import Change as Record
from handlers.declare import Outcome, Standing, command, subject
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, NotFound, WrongState
from handlers.estates import estate_of
from handlers.messages import Button, Card, Notice, Reply, Table, Tone, ToPerson, counted, facts
from handlers.parsing import Free, Manner, near, reference
from handlers.rules.workflow import TAKES_PLACE
from handlers.tickets import number_of
from storage.models.changes import FreezeRow
from storage.repositories.changes import Planned

PREFIX = "FRZ"
_MAY = frozenset({Role.OWNER, Role.MANAGER, Role.ADMIN})
_WHEN = Free(at_most=60, takes_rest=False)


@dataclass(frozen=True)
class DeclareFreeze:
    """For example: change freeze the fair start:"fri 12:00" end:"mon 8:00" service:mail"""

    name: Annotated[str, Free(at_most=150), "Why nothing is to be changed, in a few words"]
    end: Annotated[str, _WHEN, Manner.BY_NAME, "How long it lasts, or when it ends: 2d, mon 8:00"]
    start: Annotated[str | None, _WHEN, Manner.BY_NAME, "When it begins; now, when left out"] = None
    service: Annotated[Services | None, Manner.BY_NAME, "Which services; all, when left out"] = None


@dataclass(frozen=True)
class LiftFreeze:
    """For example: change unfreeze FRZ-1"""

    freeze: Annotated[str, Free(at_most=150), "The freeze, as FRZ-1"]


@subject(PREFIX)
def look(ref: str, desk: Desk) -> Standing:
    """How a declared freeze stands now."""
    freeze = _find(desk, ref)
    room = desk.policy.changes.room if desk.policy.changes else desk.policy.organisation.owner_room
    state = _state(freeze, desk.now)
    return Standing(ref, state, freeze.version, _card(desk, freeze, state), room)


def _find(desk: Desk, ref: str, for_change: bool = False) -> FreezeRow:
    freeze = desk.records.changes.freeze(number_of(ref), for_change)
    if freeze is None:
        raise NotFound(f"There is no {ref}.", "`change calendar` shows what is frozen and when.")
    return freeze


def _state(freeze: FreezeRow, now: datetime) -> str:
    if freeze.ends_at <= max(now, freeze.starts_at):
        return "lifted" if freeze.lifted_by else "over"
    return "frozen" if freeze.starts_at <= now else "planned"


def _card(desk: Desk, freeze: FreezeRow, state: str) -> Reply:
    return Reply(
        title=f"{freeze.ref} · {freeze.name}",
        tone=Tone.WAITING if state in ("frozen", "planned") else Tone.PLAIN,
        facts=facts(
            ("State", state),
            ("Services", service_names(desk, freeze.services) or "all"),
            ("From", desk.at(freeze.starts_at)),
            ("To", desk.at(freeze.ends_at)),
            ("Declared by", desk.who(freeze.by)),
            ("Lifted by", desk.who(freeze.lifted_by)),
        ),
        buttons=(
            Button(label="Lift it", line=f"change unfreeze {freeze.ref}", confirm="Allow changes again?"),
        )
        if state in ("frozen", "planned")
        else (),
        subject=freeze.ref,
        version=freeze.version,
        as_of=desk.now,
        private=False,
    )


@command("change freeze", params=DeclareFreeze, evidences=("CM SP 2.2",))
def declare_freeze(asked: DeclareFreeze, desk: Desk) -> Outcome:
    """Let nothing be changed for a while: all services, or some and what rests on them."""
    _require_may(desk, "declare")
    hold_gate(desk)
    window = read_window(desk, asked.start or "now", asked.end)
    assert window is not None, "a freeze has a start and an end"
    freeze = FreezeRow(
        number=desk.records.counters.next(PREFIX),
        name=asked.name,
        services=list(asked.service or ()),
        starts_at=window[0],
        ends_at=window[1],
        by=desk.asker.key,
    )
    desk.records.changes.add(freeze)
    declared = Record(
        "freeze.declared",
        freeze.ref,
        None,
        {"services": freeze.services, "start": window[0].isoformat(), "end": window[1].isoformat()},
        {"name": asked.name},
    )
    hit = _hit(desk, freeze)
    drawn = _card(desk, freeze, _state(freeze, desk.now))
    title = f"{freeze.ref} is declared: {freeze.name}"
    held_up = Reply(
        title=f"{counted(len(hit), 'scheduled change')} cannot be started then", table=_table(desk, hit)
    )
    reply = drawn.model_copy(
        update={"title": title, "tone": Tone.GOOD, "private": True, "more": (held_up,) if hit else ()}
    )
    return Outcome(
        reply=reply,
        changes=[declared],
        notices=list(_held_up(desk, freeze, hit)),
        cards=[Card(subject=freeze.ref, room=look(freeze.ref, desk).room)],
    )


def _require_may(desk: Desk, verb: str) -> None:
    if not _MAY & desk.asker.roles:
        names = dict.fromkeys(who_may(role, desk.policy) for role in (Role.OWNER, Role.MANAGER))
        raise NotAllowed(f"You cannot {verb} a freeze.", f"{' or '.join(names)} can; ask them.")


def _hit(desk: Desk, freeze: FreezeRow) -> list[Planned]:
    """The changes whose window a freeze touches."""
    services = estate_of(desk.policy).reached(freeze.services) if freeze.services else None
    return desk.records.changes.calendar(TAKES_PLACE, freeze.starts_at, freeze.ends_at, services)


def _held_up(desk: Desk, freeze: FreezeRow, hit: Iterable[Planned]) -> Iterable[Notice]:
    for each in hit:
        if each.implementer == desk.asker.key:
            continue
        reply = Reply(
            title=f"{freeze.ref} holds up {each.ref}: {each.title}",
            text=(
                f"{freeze.name}. From ",
                desk.at(freeze.starts_at) or "",
                " to ",
                desk.at(freeze.ends_at) or "",
                ".",
            ),
            buttons=(Button(label="Schedule anew", line=f"change schedule {each.ref}"),),
            subject=each.ref,
        )
        key = f"{each.ref}/{freeze.ref}/{each.implementer}"
        yield Notice(to=ToPerson(person=each.implementer), reply=reply, key=key, subject=each.ref)


def _table(desk: Desk, hit: Sequence[Planned]) -> Table:
    return Table(
        columns=("Change", "What", "Made by", "From"),
        rows=tuple(
            (
                (each.ref,),
                (each.title,),
                (desk.directory.who_is(each.implementer),),
                (desk.at(each.starts_at) or "",),
            )
            for each in hit
        ),
    )


@command("change unfreeze", params=LiftFreeze, evidences=("CM SP 2.2",))
def lift_freeze(asked: LiftFreeze, desk: Desk) -> Outcome:
    """Lift a freeze that somebody declared: changes may be started again."""
    _require_may(desk, "lift")
    ref = reference(asked.freeze) or ""
    if not ref.startswith(f"{PREFIX}-"):
        _explain(desk, asked.freeze)
    hold_gate(desk)
    freeze = _find(desk, ref, for_change=True)
    if _state(freeze, desk.now) not in ("frozen", "planned"):
        raise WrongState(f"{freeze.ref} holds no more.", subject=freeze.ref)
    before = {"end": freeze.ends_at.isoformat()}
    freeze.ends_at, freeze.lifted_by = max(desk.now, freeze.starts_at), desk.asker.key
    freeze.version += 1
    desk.records.changes.save()
    lifted = Record("freeze.lifted", freeze.ref, before, {"end": freeze.ends_at.isoformat()})
    drawn = _card(desk, freeze, "lifted")
    title = f"{freeze.ref} is lifted"
    return Outcome(
        reply=drawn.model_copy(update={"title": title, "tone": Tone.GOOD, "private": True}),
        changes=[lifted],
        cards=[Card(subject=freeze.ref, room=look(freeze.ref, desk).room)],
    )


def _explain(desk: Desk, text: str) -> None:
    """Say what to do about a freeze that no reference names: the policy's own are lifted there."""
    known = {each.name.lower(): key for key, each in desk.policy.freezes.items()} | {
        key: key for key in desk.policy.freezes
    }
    close = near(text.lower(), known)
    if close:
        name = desk.policy.freezes[known[close[0]]].name
        raise WrongState(
            f"The freeze “{name}” is the organisation's own.",
            "An administrator can change it in freezes.yaml; what cannot wait is an emergency: change emergency",
        )
    raise BadValue(f"“{text[:40]}” is no freeze that was declared.", "Write it as FRZ-1.")
