"""Trying out whether somebody can be woken: a real page, over all their contacts, with a button to confirm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from config.policy import Role
from handlers.declare import Change, Outcome, Standing, command, subject
from handlers.desk import Desk
from handlers.errors import NotAllowed, NotFound, WrongState
from handlers.messages import Button, Kind, Notice, Reply, Style, Table, Tone, ToPerson, Words, facts
from handlers.oncall.shared import tell_person
from handlers.parsing import PersonRef, Reference
from handlers.tickets import number_of
from storage.models.oncall import PageTest
from storage.repositories.outbox import Paged

_Ref = Annotated[str, Reference("TST")]


@dataclass(frozen=True)
class PageMe:
    """For example: oncall test"""

    person: Annotated[PersonRef | None, "Whom to page; yourself without it"] = None


@dataclass(frozen=True)
class Confirm:
    """For example: oncall confirm TST-7"""

    test: _Ref


@dataclass(frozen=True)
class Arrived:
    """For example: oncall arrived TST-7"""

    test: _Ref


@subject("TST")
def look(ref: str, desk: Desk) -> Standing:
    """How a test page stands now."""
    found = _find(desk, ref)
    state = "confirmed" if found.confirmed_at else "sent"
    return Standing(ref, state, 1, _card(desk, found), desk.policy.organisation.owner_room)


def _find(desk: Desk, ref: str, for_change: bool = False) -> PageTest:
    found = desk.records.oncall.page_test(number_of(ref), for_change)
    if found is None:
        raise NotFound(f"There is no {ref}.", "`oncall test` pages you as a test.")
    if desk.asker.key not in (found.person, found.by) and not _MAY_TEST & desk.asker.roles:
        raise NotAllowed(f"{ref} is between {desk.directory.name(found.person)} and the desk.", "Ask them.")
    return found


_MAY_TEST = {Role.MANAGER, Role.OWNER, Role.ADMIN}


@command("oncall test", params=PageMe, evidences=("SD SP 2.2",))
def page_as_test(asked: PageMe, desk: Desk) -> Outcome:
    """Be paged for real, over every contact of yours, to see what arrives; managers can test others."""
    person = asked.person or desk.asker.key
    if person != desk.asker.key and not _MAY_TEST & desk.asker.roles:
        raise NotAllowed("You can only page yourself as a test.", "A manager can test others.")
    test = PageTest(
        number=desk.records.counters.next("TST"), person=person, by=desk.asker.key, sent_at=desk.now
    )
    desk.records.oncall.add(test)
    page = Reply(
        title=f"{test.ref}: this is a test page for {desk.directory.name(person)}",
        text=("Nothing is wrong. Confirm it, so that everybody knows you can be woken.",),
        tone=Tone.WAITING,
        facts=facts(("Asked for by", desk.who(desk.asker.key))),
        buttons=(
            Button(label="I am awake", line=f"oncall confirm {test.ref}", style=Style.PRIMARY),
            Button(label="What has arrived?", line=f"oncall arrived {test.ref}"),
        ),
        subject=test.ref,
    )
    return Outcome(
        reply=lambda: _card(desk, test),
        changes=[Change("oncall.page_tested", test.ref, None, {"person": person})],
        notices=[
            Notice(
                to=ToPerson(person=person),
                reply=page,
                key=f"{test.ref}/page",
                kind=Kind.PAGE,
                subject=test.ref,
            )
        ],
    )


@command("oncall confirm", params=Confirm, evidences=("SD SP 2.2",))
def confirm(asked: Confirm, desk: Desk) -> Outcome:
    """Confirm that a test page has woken you."""
    test = _find(desk, asked.test, for_change=True)
    if test.person != desk.asker.key:
        raise NotAllowed(f"{test.ref} is not for you.", f"{desk.directory.name(test.person)} can confirm it.")
    if test.confirmed_at is not None:
        raise WrongState(f"You have confirmed {test.ref} already.", subject=test.ref)
    test.confirmed_at, test.confirmed_on = desk.now, desk.surface
    desk.records.oncall.save()
    took = int((desk.now - test.sent_at).total_seconds())
    confirmed = Change(
        "readiness.checked", test.ref, None, {"person": test.person, "surface": desk.surface, "seconds": took}
    )
    told = Reply(title=f"{test.ref}: {desk.asker.name} can be woken", tone=Tone.GOOD, subject=test.ref)
    return Outcome(
        reply=lambda: _card(desk, test),
        changes=[confirmed],
        notices=tell_person(desk, test.by, told, f"{test.ref}/confirmed"),
    )


@command("oncall arrived", params=Arrived)
def arrived(asked: Arrived, desk: Desk) -> Reply:
    """See what has arrived of a test page, and what has not."""
    return _card(desk, _find(desk, asked.test))


def _card(desk: Desk, test: PageTest) -> Reply:
    rows = desk.records.outbox.pages(test.ref)
    name = desk.directory.name(test.person)
    open_yet = test.confirmed_at is None
    return Reply(
        title=f"{test.ref}: {name} is paged as a test" if open_yet else f"{test.ref}: {name} can be woken",
        tone=Tone.WAITING if open_yet else Tone.GOOD,
        facts=facts(
            ("Sent", desk.at(test.sent_at)),
            (
                "Confirmed",
                (desk.at(test.confirmed_at) or "", f" on {test.confirmed_on}") if not open_yet else None,
            ),
        ),
        table=Table(
            columns=("Way", "State", "When", "Why"),
            rows=tuple(_way(desk, each) for each in rows),
            empty=f"{name} has no contact that works.",
        ),
        buttons=(Button(label="What has arrived?", line=f"oncall arrived {test.ref}"),) if open_yet else (),
        subject=test.ref,
        as_of=desk.now,
    )


def _way(desk: Desk, row: Paged) -> tuple[Words, ...]:
    moment = row.done_at or row.next_at
    return ((row.way,), (row.state,), (desk.at(moment) or "—",), (row.reason or "",))
