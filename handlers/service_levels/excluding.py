"""Leaving a breach out of the figures: one person asks with a reason, a second one agrees, both figures stay shown.

A breach stays a breach on its ticket, in `sla breaches` and in the evidence; only the attainment is shown twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from config.policy import Role
from handlers.access import people_in, roles_of
from handlers.declare import Change, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound, WrongState
from handlers.messages import Button, Fact, Notice, Reply, Style, Tone, ToPerson, facts
from handlers.parsing import AnyRef, Text, Word, quoted
from handlers.rules.attainment import attained, shown
from handlers.rules.promises import Clock
from handlers.service_levels.clocks import Promised, day_of, read_clocks, show_button, why_button
from storage.models.service_levels import Exclusion

ASKED, AGREED, REFUSED = "asked", "agreed", "refused"


@dataclass(frozen=True)
class Exclude:
    """For example: sla exclude REQ-7 resolve because:“the supplier was on strike”"""

    ticket: AnyRef
    promise: Annotated[Word, "The broken promise, as `sla why` calls it"]
    because: Annotated[Text, "Why it should not count; who agrees to it reads this"]


@dataclass(frozen=True)
class Agree:
    """For example: sla agree REQ-7 resolve"""

    ticket: AnyRef
    promise: Annotated[Word, "The broken promise, as `sla why` calls it"]


@dataclass(frozen=True)
class Refuse:
    """For example: sla refuse REQ-7 resolve because:“we knew of the strike”"""

    ticket: AnyRef
    promise: Annotated[Word, "The broken promise, as `sla why` calls it"]
    because: Annotated[Text, "Why it counts; who asked reads this"]


@command("sla exclude", params=Exclude, role=Role.MANAGER, evidences=("WMC SP 2.1",))
def exclude(asked: Exclude, desk: Desk) -> Outcome:
    """Ask to leave a breach out of the figures; somebody else must agree, and both figures stay shown."""
    ref = asked.ticket
    ticket, clock = _broken(desk, ref, asked.promise)
    known = _exclusion(desk, ref, clock)
    if known is not None and known.state != REFUSED:
        what = "is left out already" if known.state == AGREED else "waits for somebody to agree already"
        raise WrongState(f"The promise to {clock.name} on {ref} {what}.", subject=None)
    others = _who_may_agree(desk, ticket, desk.asker.key)
    if not others:
        raise NotAllowed(
            "Nobody else may agree to it, and nobody agrees to what they asked for themselves.",
            "Have an administrator name a second manager.",
        )
    started, broken = clock.reading.started_at, clock.reading.breached_at
    assert started is not None, "what is broken was started"
    assert broken is not None
    desk.records.clocks.ask_to_exclude(
        Exclusion(
            subject=ref,
            kind=str(clock.promise),
            started_at=started,
            promise=clock.name,
            state=ASKED,
            asked_by=desk.asker.key,
            asked_at=desk.now,
        )
    )
    after = {"promise": clock.name, "started_at": started.isoformat(), "breached_at": broken.isoformat()}
    names = " or ".join(desk.directory.name(each) for each in others)
    title = f"{desk.asker.name} asks to leave a breach of {ref} out of the figures"
    about = facts(
        ("Promise", clock.name),
        ("Broken", desk.at(broken)),
        ("Because", asked.because),
        ("Counts", "until somebody else agrees"),
    )
    return Outcome(
        reply=Reply(
            title=f"Asked: {names} can agree that the promise to {clock.name} on {ref} is left out.",
            tone=Tone.WAITING,
            facts=about,
            buttons=(why_button(ref),),
            subject=ref,
        ),
        changes=[Change("sla.exclusion_asked", ref, None, after, {"because": asked.because})],
        notices=[
            Notice(
                to=ToPerson(person=person),
                reply=Reply(
                    title=title,
                    tone=Tone.WAITING,
                    facts=about,
                    buttons=(*_decide_buttons(ref, clock.name), why_button(ref), show_button(desk, ref)),
                    subject=ref,
                ),
                key=f"sla/{ref}/{clock.name}/exclude/{started.isoformat()}/{desk.now.isoformat()}/{person}",
                subject=ref,
            )
            for person in others
        ],
    )


@command("sla agree", params=Agree, role=Role.MANAGER, evidences=("WMC SP 2.2",))
def agree(asked: Agree, desk: Desk) -> Outcome:
    """Agree, as a second person, that a breach is left out of the figures; it stays on record."""
    ticket, clock, exclusion = _to_decide(desk, asked.ticket, asked.promise)
    exclusion.state, exclusion.decided_by, exclusion.decided_at = AGREED, desk.asker.key, desk.now
    desk.records.clocks.save()
    title = f"The promise to {clock.name} on {ticket.ref} is left out of the figures"
    return Outcome(
        reply=lambda: Reply(
            title=f"{title}.", tone=Tone.GOOD, facts=_both_figures(desk, ticket, clock), subject=ticket.ref
        ),
        changes=[Change("sla.excluded", ticket.ref, None, _told(clock, exclusion))],
        notices=_tell(desk, exclusion, f"{title}: {desk.asker.name} agreed"),
        follow=[f"sla refresh {ticket.ref}"],
    )


@command("sla refuse", params=Refuse, role=Role.MANAGER, evidences=("WMC SP 2.2",))
def refuse(asked: Refuse, desk: Desk) -> Outcome:
    """Say that a breach counts, although somebody asked to leave it out."""
    ticket, clock, exclusion = _to_decide(desk, asked.ticket, asked.promise)
    exclusion.state, exclusion.decided_by, exclusion.decided_at = REFUSED, desk.asker.key, desk.now
    desk.records.clocks.save()
    title = f"The promise to {clock.name} on {ticket.ref} counts"
    return Outcome(
        reply=Reply(title=f"{title}.", subject=ticket.ref),
        changes=[
            Change(
                "sla.exclusion_refused", ticket.ref, None, _told(clock, exclusion), {"because": asked.because}
            )
        ],
        notices=_tell(desk, exclusion, f"{title}: {desk.asker.name} did not agree", asked.because),
    )


def _broken(desk: Desk, ref: str, promise: str) -> tuple[Promised, Clock]:
    """A ticket, and a broken promise on it. Raises NotFound and WrongState."""
    desk.look(ref)
    ticket = read_clocks(desk, ref)
    clock = ticket.clock(promise.strip().lower())
    if clock is None:
        names = ", ".join(each.name for each in ticket.clocks) or "none"
        raise NotFound(f"There is no promise called “{promise[:60]}” on {ref}.", f"Its promises: {names}.")
    if clock.reading.breached_at is None:
        raise WrongState(
            f"The promise to {clock.name} on {ref} is not broken; it is {clock.reading.state}.",
            "Only a breach can be left out.",
        )
    return ticket, clock


def _exclusion(desk: Desk, ref: str, clock: Clock) -> Exclusion | None:
    wanted = str(clock.promise), clock.reading.started_at
    return next((e for e in desk.records.clocks.exclusions(ref) if (e.kind, e.started_at) == wanted), None)


def _to_decide(desk: Desk, ref: str, promise: str) -> tuple[Promised, Clock, Exclusion]:
    """What waits for a second person. Raises WrongState, and NotAllowed for who asked or whose breach it is."""
    ticket, clock = _broken(desk, ref, promise)
    exclusion = _exclusion(desk, ref, clock)
    if exclusion is None or exclusion.state != ASKED:
        how = "Nobody asked for it." if exclusion is None else f"It was {exclusion.state} already."
        raise WrongState(
            f"Nothing about the promise to {clock.name} on {ref} waits for a second person.", how
        )
    others = _who_may_agree(desk, ticket, exclusion.asked_by)
    if desk.asker.key not in others:
        why = "You asked for it" if desk.asker.key == exclusion.asked_by else f"You held {ref}"
        names = " or ".join(desk.directory.name(each) for each in others) or "nobody else"
        raise NotAllowed(f"{why}, so somebody else must decide.", f"{names} can.")
    return ticket, clock, exclusion


def _who_may_agree(desk: Desk, ticket: Promised, asked_by: str) -> list[str]:
    """Managers other than who asked, and other than those who ever held the ticket: it is their breach."""
    policy = desk.policy
    grants = (*policy.access.grants.get(Role.MANAGER, ()), *policy.access.grants.get(Role.ADMIN, ()))
    named = [each for each in people_in(grants, policy) if each in policy.people]
    if Role.MANAGER in desk.asker.roles and desk.asker.key not in named:
        named.append(desk.asker.key)  # whom a platform's own role makes a manager
    held = {
        str(who)
        for each in ticket.history
        for name in ("assignee", "lead", "owner")
        if (who := (each.after or {}).get(name))
    }
    return [
        person
        for person in named
        if person not in (asked_by, *held)
        and (person == desk.asker.key or Role.MANAGER in roles_of(person, policy))
    ]


def _decide_buttons(ref: str, promise: str) -> tuple[Button, ...]:
    return (
        Button(label="Leave it out", line=f"sla agree {ref} {quoted(promise)}", style=Style.PRIMARY),
        Button(label="It counts", line=f"sla refuse {ref} {quoted(promise)}", style=Style.DANGER),
    )


def _told(clock: Clock, exclusion: Exclusion) -> dict[str, object]:
    broken = clock.reading.breached_at
    return {
        "promise": clock.name,
        "started_at": exclusion.started_at.isoformat(),
        "breached_at": broken.isoformat() if broken else None,
        "asked_by": exclusion.asked_by,
    }


def _tell(desk: Desk, exclusion: Exclusion, title: str, text: str = "") -> list[Notice]:
    return [
        Notice(
            to=ToPerson(person=exclusion.asked_by),
            reply=Reply(
                title=title,
                text=(text,) if text else (),
                buttons=(why_button(exclusion.subject),),
                subject=exclusion.subject,
            ),
            key=f"sla/{exclusion.subject}/{exclusion.promise}/excluded/{desk.now.isoformat()}",
            subject=exclusion.subject,
        )
    ]


def _both_figures(desk: Desk, ticket: Promised, clock: Clock) -> tuple[Fact, ...]:
    """What leaving it out makes of the month in which the promise was broken."""
    broken = clock.reading.breached_at
    assert broken is not None
    first = date.fromisoformat(day_of(desk, broken)).replace(day=1)
    end = (first + timedelta(days=32)).replace(day=1)
    agreement = ticket.text("agreement") or ""
    came_to = attained(
        clock.goal,
        (
            (outcome, number)
            for _, key, kind, outcome, number in desk.records.clocks.decided(
                first.isoformat(), end.isoformat(), by=("agreement", "kind"), step=0
            )
            if (key, kind) == (agreement, str(clock.promise))
        ),
    )
    return facts(
        ("In the figures", f"promises to {clock.promise}, {first:%B %Y}"),
        ("Without what was left out", shown(came_to.share)),
        ("With it", shown(came_to.share_of_all)),
    )
