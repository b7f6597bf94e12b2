"""Overrides: somebody is on call in place of whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from handlers.declare import Change, Outcome, Standing, command, subject
from handlers.desk import Desk
from handlers.errors import NotFound, WrongState
from handlers.messages import Button, Reply, Tone, facts
from handlers.oncall.shared import (
    RotaKey,
    ending,
    listed,
    require_named,
    require_scheduler,
    rota_button,
    said,
    span,
    tell_person,
    tell_room,
    turns,
)
from handlers.parsing import PersonRef, Text, When, Word
from handlers.rules.moments import TooLong
from handlers.tickets import number_of
from storage.models.oncall import RotaOverride

LONGEST = timedelta(days=366)
_TOO_LONG = {"end": "That is longer than a year; change the rota itself in rotas.yaml."}


@dataclass(frozen=True)
class MakeOverride:
    """For example: oncall override platform @backup start:"fri 18:00" end:4h a school play"""

    rota: RotaKey
    person: Annotated[PersonRef, "Who is on call instead"]
    start: Annotated[When, "When it begins: now, 18:00 or fri 18:00"]
    end: Annotated[Word, "How long it lasts, or when it ends: 4h, 22:00 or sat 9:00"]
    reason: Annotated[Text | None, "Why, for the others"] = None


@subject("OVR")
def look(ref: str, desk: Desk) -> Standing:
    """How an override stands now."""
    override = _find(desk, ref)
    state = "planned" if desk.now < override.starts_at else "running"
    if override.ends_at <= max(desk.now, override.starts_at):
        state = "over"
    rota = desk.policy.rotas.get(override.rota)
    card = Reply(
        title=f"{ref} · {rota.name if rota else override.rota}",
        facts=facts(
            ("State", state),
            ("On call", desk.who(override.person)),
            ("When", span(desk, override.starts_at, override.ends_at)),
            ("By", desk.who(override.by)),
            ("From", f"SWP-{override.swap}" if override.swap else None),
        ),
        subject=ref,
        as_of=desk.now,
    )
    return Standing(ref, state, 1, card, rota.room if rota else desk.policy.organisation.owner_room)


def _find(desk: Desk, ref: str, for_change: bool = False) -> RotaOverride:
    override = desk.records.oncall.override(number_of(ref), for_change)
    if override is None:
        raise NotFound(f"There is no {ref}.", "`oncall rota` shows the turns of a rota.")
    return override


@command("oncall override", params=MakeOverride, evidences=("SD SP 2.1",))
def make_override(asked: MakeOverride, desk: Desk) -> Outcome:
    """Put somebody on call in place of whose turn it is."""
    rota = desk.policy.rotas[asked.rota]
    require_scheduler(desk, rota)
    require_named(desk, asked.person)
    start = max(asked.start, desk.now)  # what has been cannot be changed
    end = _end(desk, asked, start)
    standing = turns(desk.policy, desk.records, rota.key, start, end)
    if [(each.person, each.start, each.end) for each in standing] == [(asked.person, start, end)]:
        raise WrongState(
            f"{desk.directory.name(asked.person)} is on call then already.", "Nothing was changed."
        )
    replaced = [each for each in dict.fromkeys(turn.person for turn in standing) if each != asked.person]
    override = RotaOverride(
        number=desk.records.counters.next("OVR"),
        rota=rota.key,
        person=asked.person,
        starts_at=start,
        ends_at=end,
        by=desk.asker.key,
        changed_at=desk.now,
    )
    desk.records.oncall.add(override)
    made = Change(
        "oncall.overridden",
        override.ref,
        {"people": replaced},
        {"rota": rota.key, "person": asked.person, "start": start.isoformat(), "end": end.isoformat()},
        {"reason": asked.reason} if asked.reason else {},
    )
    told = Reply(
        title=f"{rota.name}: {desk.directory.name(asked.person)} is on call instead",
        text=said(asked.reason),
        facts=facts(
            ("On call", desk.who(asked.person)),
            ("When", span(desk, start, end)),
            ("In place of", listed(desk, replaced) or "nobody"),
            ("By", desk.who(desk.asker.key)),
        ),
        buttons=(Button(label="Take it back", line=f"oncall withdraw {override.ref}"), rota_button(rota.key)),
        subject=override.ref,
    )
    told_first = dict.fromkeys([asked.person, *replaced])
    return Outcome(
        reply=told.model_copy(update={"tone": Tone.GOOD}),
        changes=[made],
        notices=[
            *(
                each
                for person in told_first
                for each in tell_person(desk, person, told, f"{override.ref}/made")
            ),
            tell_room(rota, told.model_copy(update={"buttons": ()}), f"{override.ref}/made"),
        ],
        follow=[f"oncall turn {rota.key}"],
    )


def _end(desk: Desk, asked: MakeOverride, start: datetime) -> datetime:
    """When an override ends; asks anew for an end that cannot be."""
    try:
        end = ending(asked.end, asked.start, desk.now, desk.asker.zone)
    except TooLong:
        raise desk.ask(_TOO_LONG) from None
    except ValueError:
        raise desk.ask(
            {"end": f"“{asked.end[:40]}” is neither a length, as 4h, nor a moment, as 22:00."}
        ) from None
    if end <= start:
        raise desk.ask({"end": "That would be over before it begins."})
    if end - start > LONGEST:
        raise desk.ask(_TOO_LONG)
    return end


def take_back(desk: Desk, ref: str) -> Outcome:
    """Let an override end now: what lies under it holds again, be it a turn or an earlier override."""
    override = _find(desk, ref, for_change=True)
    rota = desk.policy.rotas.get(override.rota)
    if rota is None:
        raise WrongState(f"The rota of {override.ref} is gone.", subject=override.ref)
    if desk.asker.key not in (override.by, override.person):
        require_scheduler(desk, rota)
    if override.swap is not None:
        raise WrongState(
            f"{override.ref} comes from SWP-{override.swap}, which both sides accepted.",
            "Offer a swap back, or put somebody else on call.",
            subject=override.ref,
        )
    if override.ends_at <= max(desk.now, override.starts_at):
        raise WrongState(f"{override.ref} is over already.", subject=override.ref)
    before = override.ends_at
    override.ends_at, override.changed_at = max(desk.now, override.starts_at), desk.now
    desk.records.oncall.save()
    taken_back = Change(
        "oncall.override_withdrawn",
        override.ref,
        {"end": before.isoformat()},
        {"end": override.ends_at.isoformat()},
    )
    standing = turns(desk.policy, desk.records, rota.key, override.ends_at, before)
    told = Reply(
        title=f"{rota.name}: {override.ref} was taken back",
        facts=facts(
            ("Not on call instead", desk.who(override.person)),
            ("When", span(desk, override.ends_at, before)),
            ("On call then", listed(desk, dict.fromkeys(turn.person for turn in standing)) or "nobody"),
            ("By", desk.who(desk.asker.key)),
        ),
        buttons=(rota_button(rota.key),),
        subject=override.ref,
    )
    return Outcome(
        reply=told.model_copy(update={"tone": Tone.GOOD}),
        changes=[taken_back],
        notices=[
            *tell_person(desk, override.person, told, f"{override.ref}/withdrawn"),
            tell_room(rota, told, f"{override.ref}/withdrawn"),
        ],
        follow=[f"oncall turn {rota.key}"],
    )
