"""Swaps: a turn is offered to somebody else, perhaps for one of theirs; both sides agree, or nothing changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from config.policy import Rota
from handlers.declare import Change, Due, Outcome, Standing, command, decisions, subject, suggestions
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, NotFound, WrongState
from handlers.messages import (
    Button,
    Fact,
    Notice,
    Option,
    Reply,
    Style,
    Tone,
    ToPerson,
    facts,
)
from handlers.oncall.overrides import take_back
from handlers.oncall.shared import (
    AHEAD,
    RotaKey,
    people_of,
    require_named,
    rota_button,
    said,
    span,
    tell_person,
    tell_room,
    turns,
)
from handlers.parsing import AnyRef, Manner, PersonRef, Reference, Text, When
from handlers.rules.rotation import Cover
from handlers.tickets import number_of
from storage.models.oncall import RotaOverride, RotaSwap

OFFER_LIVES = timedelta(days=2)
"""How long an offer waits for an answer, if its turn does not end before."""

_Ref = Annotated[str, Reference("SWP")]


@dataclass(frozen=True)
class Offer:
    """For example: oncall swap platform @backup "fri 9:00" back:"7 dec 9:00" """

    rota: RotaKey
    person: Annotated[PersonRef, "Who should take your turn"]
    turn: Annotated[When | None, "A moment in your turn; your next turn without it"] = None
    back: Annotated[When | None, Manner.BY_NAME, "A moment in the turn of theirs that you take in return"] = (
        None
    )


@dataclass(frozen=True)
class Answer:
    """For example: oncall accept SWP-7"""

    swap: _Ref


@dataclass(frozen=True)
class Decline:
    """For example: oncall decline SWP-7 I am away then"""

    swap: _Ref
    reason: Annotated[Text | None, "Why not, if you want to say it"] = None


@dataclass(frozen=True)
class Show:
    """For example: oncall show SWP-7"""

    swap: _Ref


@dataclass(frozen=True)
class Expire:
    """For example: oncall expire SWP-7"""

    swap: _Ref


@dataclass(frozen=True)
class Withdraw:
    """For example: oncall withdraw OVR-7"""

    what: Annotated[AnyRef, "An override, or a swap of yours that nobody has answered yet"]


# Looking ------------------------------------------------------------------------------------------


@subject("SWP")
def look(ref: str, desk: Desk) -> Standing:
    """How a swap stands now."""
    swap = _find(desk, ref)
    rota = desk.policy.rotas.get(swap.rota)
    room = rota.room if rota else desk.policy.organisation.owner_room
    return Standing(ref, swap.state, swap.version, _card(desk, swap), room)


@suggestions("SWP")
def suggest(desk: Desk) -> Sequence[Option]:
    """The offers that the asker made or got."""
    mine = [*desk.records.oncall.offers(to=desk.asker.key), *desk.records.oncall.offers(by=desk.asker.key)]
    return [Option(label=_title(desk, each)[:100], value=each.ref) for each in mine]


@decisions("SWP")
def waiting_for(desk: Desk) -> Sequence[str]:
    """The offers that wait for the asker's word, the oldest first."""
    return [each.ref for each in desk.records.oncall.offers(to=desk.asker.key)]


@command("oncall show", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See a swap: whose turn is offered to whom, and how that stands."""
    return _card(desk, _find(desk, asked.swap))


def _find(desk: Desk, ref: str, for_change: bool = False) -> RotaSwap:
    swap = desk.records.oncall.swap(number_of(ref), for_change)
    if swap is None:
        raise NotFound(f"There is no {ref}.", "`oncall swap` offers a turn to somebody.")
    return swap


def _title(desk: Desk, swap: RotaSwap) -> str:
    rota = desk.policy.rotas.get(swap.rota)
    by, to = desk.directory.name(swap.by), desk.directory.name(swap.to)
    return f"{swap.ref} · {rota.name if rota else swap.rota}: {by} offers {to} a turn"


def _card(desk: Desk, swap: RotaSwap) -> Reply:
    buttons: tuple[Button, ...] = ()
    if swap.state == "offered" and desk.asker.key == swap.to:
        buttons = _answers(swap)
    elif swap.state == "offered" and desk.asker.key == swap.by:
        buttons = (Button(label="Take it back", line=f"oncall withdraw {swap.ref}"),)
    return Reply(
        title=_title(desk, swap),
        tone=Tone.WAITING if swap.state == "offered" else Tone.PLAIN,
        facts=(*facts(("State", swap.state)), *_terms(desk, swap)),
        buttons=buttons,
        subject=swap.ref,
        version=swap.version,
        as_of=desk.now,
    )


def _terms(desk: Desk, swap: RotaSwap) -> tuple[Fact, ...]:
    to, by = desk.directory.who_is(swap.to), desk.directory.who_is(swap.by)
    back = None
    if swap.back_from and swap.back_until:
        back = (by, ", ", *span(desk, swap.back_from, swap.back_until))
    return facts(
        ("Takes it", (to, ", ", *span(desk, swap.starts_at, swap.ends_at))),
        ("In return", back),
        ("Answer by", desk.at(swap.expires_at, relative=True) if swap.state == "offered" else None),
    )


def _answers(swap: RotaSwap) -> tuple[Button, ...]:
    return (
        Button(label="Accept", line=f"oncall accept {swap.ref}", style=Style.PRIMARY),
        Button(label="Decline", line=f"oncall decline {swap.ref}", style=Style.DANGER),
    )


# Offering -----------------------------------------------------------------------------------------


@command("oncall swap", params=Offer, evidences=("SD SP 2.1",))
def offer(asked: Offer, desk: Desk) -> Outcome:
    """Offer a turn of yours to somebody, perhaps for one of theirs; nothing moves before they accept."""
    rota = desk.policy.rotas[asked.rota]
    require_named(desk, asked.person)
    if asked.person == desk.asker.key:
        raise desk.ask({"person": "That is you; name somebody else."})
    turn = _turn_at(desk, rota, desk.asker.key, asked.turn, "turn")
    back = _turn_at(desk, rota, asked.person, asked.back, "back") if asked.back else None
    for earlier in desk.records.oncall.offers(by=desk.asker.key):
        if earlier.rota == rota.key and earlier.starts_at < turn.end and turn.start < earlier.ends_at:
            raise WrongState(
                f"You have offered that turn to {desk.directory.name(earlier.to)} already.",
                "Take that offer back first.",
                subject=earlier.ref,
            )
    swap = RotaSwap(
        number=desk.records.counters.next("SWP"),
        rota=rota.key,
        by=desk.asker.key,
        to=asked.person,
        starts_at=turn.start,
        ends_at=turn.end,
        back_from=back.start if back else None,
        back_until=back.end if back else None,
        offered_at=desk.now,
        expires_at=min(desk.now + OFFER_LIVES, turn.end, back.end if back else turn.end),
    )
    desk.records.oncall.add(swap)
    offered = Change("oncall.swap_offered", swap.ref, None, _facts(swap))
    asking = Reply(
        title=f"{swap.ref} · {rota.name}: {desk.asker.name} asks you to take a turn",
        tone=Tone.WAITING,
        facts=_terms(desk, swap),
        buttons=_answers(swap),
        subject=swap.ref,
    )
    return Outcome(
        reply=_card(desk, swap).model_copy(
            update={
                "title": f"{swap.ref}: {desk.directory.name(swap.to)} is asked to take your turn",
                "text": ("It stays yours until they accept.",),
            }
        ),
        changes=[offered],
        notices=[
            Notice(
                to=ToPerson(person=swap.to),
                reply=asking,
                key=f"{swap.ref}/offered",
                subject=swap.ref,
                while_in=("offered",),
            )
        ],
        due=[Due(f"{swap.ref}/expire", swap.ref, swap.expires_at, f"oncall expire {swap.ref}")],
    )


def _facts(swap: RotaSwap) -> dict[str, str]:
    """What the ledger holds of a swap."""
    told = {
        "state": swap.state,
        "rota": swap.rota,
        "by": swap.by,
        "to": swap.to,
        "start": swap.starts_at.isoformat(),
        "end": swap.ends_at.isoformat(),
    }
    if swap.back_from and swap.back_until:
        told |= {"back_from": swap.back_from.isoformat(), "back_until": swap.back_until.isoformat()}
    return told


def _turn_at(desk: Desk, rota: Rota, person: str, at: datetime | None, field: str) -> Cover:
    """Somebody's turn at an instant, or their next one, as far as it is still to come."""
    found = turns(desk.policy, desk.records, rota.key, desk.now, max(desk.now, at or desk.now) + AHEAD)
    theirs = [each for each in found if each.person == person]
    if not theirs:
        names = ", ".join(desk.directory.name(each) for each in people_of(rota))
        who = "You have" if person == desk.asker.key else f"{desk.directory.name(person)} has"
        raise NotAllowed(f"{who} no turn in the rota {rota.name}.", f"{names} take turns there.")
    turn = next((each for each in theirs if at is None or each.start <= at < each.end), None)
    if turn is None:
        whose = "you" if person == desk.asker.key else desk.directory.name(person)
        raise desk.ask({field: f"At that moment {whose} will not be on call."})
    return turn


# Answering ----------------------------------------------------------------------------------------


@command("oncall accept", params=Answer, evidences=("SD SP 2.1",))
def accept(asked: Answer, desk: Desk) -> Outcome:
    """Accept a swap that somebody offered you: from then on the turn is yours."""
    swap = _answered(desk, asked.swap, "accepted")
    rota = desk.policy.rotas.get(swap.rota)
    if rota is None:
        raise WrongState(f"The rota of {swap.ref} is gone.", subject=swap.ref)
    start = max(swap.starts_at, desk.now)
    _require_still(desk, rota, swap.by, start, swap.ends_at, swap.ref)
    taken = [_override(desk, swap, swap.to, start, swap.ends_at)]
    if swap.back_from and swap.back_until:
        back_from = max(swap.back_from, desk.now)
        _require_still(desk, rota, swap.to, back_from, swap.back_until, swap.ref)
        taken.append(_override(desk, swap, swap.by, back_from, swap.back_until))
    desk.records.oncall.add(*taken)
    accepted = Change("oncall.swap_accepted", swap.ref, {"state": "offered"}, _facts(swap))
    told = Reply(
        title=f"{swap.ref} · {rota.name}: {desk.asker.name} takes a turn for {desk.directory.name(swap.by)}",
        text=("Both sides agree.",),
        tone=Tone.GOOD,
        facts=_terms(desk, swap),
        buttons=(rota_button(rota.key),),
        subject=swap.ref,
    )
    key = f"{swap.ref}/v{swap.version}"
    return Outcome(
        reply=told,
        changes=[accepted],
        notices=[*tell_person(desk, swap.by, told, key), tell_room(rota, told, key)],
        undue=[f"{swap.ref}/expire"],
        follow=[f"oncall turn {rota.key}"],
    )


def _answered(desk: Desk, ref: str, state: str) -> RotaSwap:
    """A swap that waits for the asker's answer, with that answer, locked until the command ends."""
    swap = _find(desk, ref, for_change=True)
    if swap.to != desk.asker.key:
        raise NotAllowed(f"{ref} was not offered to you.", f"{desk.directory.name(swap.to)} can answer it.")
    _require_offered(desk, swap)
    swap.state, swap.version = state, swap.version + 1
    desk.records.oncall.save()
    return swap


def _require_offered(desk: Desk, swap: RotaSwap) -> None:
    if swap.state != "offered":
        raise WrongState(f"{swap.ref} was {swap.state} already.", subject=swap.ref)
    if swap.expires_at <= desk.now:
        raise WrongState(f"{swap.ref} has expired.", "Ask for a new offer.", subject=swap.ref)


def _require_still(desk: Desk, rota: Rota, person: str, start: datetime, end: datetime, ref: str) -> None:
    """Raise WrongState unless somebody still has a whole turn: it may have been given away meanwhile."""
    held = turns(desk.policy, desk.records, rota.key, start, end)
    if [(each.person, each.start, each.end) for each in held] != [(person, start, end)]:
        whose = "yours" if person == desk.asker.key else f"{desk.directory.name(person)}'s"
        raise WrongState(f"That turn is not {whose} any more.", "Ask for a new offer.", subject=ref)


def _override(desk: Desk, swap: RotaSwap, person: str, start: datetime, end: datetime) -> RotaOverride:
    return RotaOverride(
        number=desk.records.counters.next("OVR"),
        rota=swap.rota,
        person=person,
        starts_at=start,
        ends_at=end,
        by=swap.by,
        swap=swap.number,
        changed_at=desk.now,
    )


@command("oncall decline", params=Decline, evidences=("SD SP 2.1",))
def decline(asked: Decline, desk: Desk) -> Outcome:
    """Decline a swap that somebody offered you: everything stays as it is."""
    swap = _answered(desk, asked.swap, "declined")
    words = {"reason": asked.reason} if asked.reason else {}
    declined = Change("oncall.swap_declined", swap.ref, {"state": "offered"}, {"state": swap.state}, words)
    told = Reply(
        title=f"{swap.ref}: {desk.asker.name} declines",
        text=said(asked.reason),
        tone=Tone.BAD,
        facts=facts(("The turn stays yours", span(desk, swap.starts_at, swap.ends_at))),
        buttons=(Button(label="Ask somebody else", line=f"oncall swap {swap.rota}"),),
        subject=swap.ref,
    )
    return Outcome(
        reply=Reply(title=f"{swap.ref} is declined", tone=Tone.GOOD, subject=swap.ref),
        changes=[declined],
        notices=tell_person(desk, swap.by, told, f"{swap.ref}/v{swap.version}"),
        undue=[f"{swap.ref}/expire"],
    )


@command("oncall expire", params=Expire, evidences=("SD SP 2.1",), desk_only=True)
def expire(asked: Expire, desk: Desk) -> Outcome:
    """Let go of an offer that nobody answered in time."""
    swap = _find(desk, asked.swap, for_change=True)
    if swap.state != "offered":
        return Outcome(reply=Reply(title=f"{swap.ref} was answered meanwhile."))
    swap.state, swap.version = "expired", swap.version + 1
    desk.records.oncall.save()
    told = Reply(
        title=f"{swap.ref}: {desk.directory.name(swap.to)} has not answered",
        text=("The offer has expired, and the turn stays yours.",),
        tone=Tone.BAD,
        facts=facts(("Your turn", span(desk, swap.starts_at, swap.ends_at))),
        buttons=(Button(label="Ask somebody else", line=f"oncall swap {swap.rota}"),),
        subject=swap.ref,
    )
    return Outcome(
        reply=Reply(title=f"{swap.ref} has expired"),
        changes=[Change("oncall.swap_expired", swap.ref, {"state": "offered"}, {"state": swap.state})],
        notices=tell_person(desk, swap.by, told, f"{swap.ref}/v{swap.version}"),
    )


# Taking back --------------------------------------------------------------------------------------


@command("oncall withdraw", params=Withdraw, evidences=("SD SP 2.1",))
def withdraw(asked: Withdraw, desk: Desk) -> Outcome:
    """Take back an override, so that what lies under it holds from now on, or a swap that you offered."""
    if asked.what.startswith("OVR-"):
        return take_back(desk, asked.what)
    if asked.what.startswith("SWP-"):
        return _take_back_offer(desk, asked.what)
    raise BadValue(f"{asked.what} is neither an override nor a swap.", "Write it like OVR-7 or SWP-7.")


def _take_back_offer(desk: Desk, ref: str) -> Outcome:
    swap = _find(desk, ref, for_change=True)
    if swap.by != desk.asker.key:
        raise NotAllowed(
            f"{ref} is not yours.", f"{desk.directory.name(swap.by)}, who offered it, can take it back."
        )
    _require_offered(desk, swap)
    swap.state, swap.version = "withdrawn", swap.version + 1
    desk.records.oncall.save()
    told = Reply(title=f"{ref} was taken back by {desk.asker.name}", subject=ref)
    return Outcome(
        reply=Reply(title=f"{ref} is taken back", tone=Tone.GOOD, subject=ref),
        changes=[Change("oncall.swap_withdrawn", ref, {"state": "offered"}, {"state": swap.state})],
        notices=tell_person(desk, swap.to, told, f"{ref}/v{swap.version}"),
        undue=[f"{ref}/expire"],
    )
