"""Actions: what somebody promised to do about a problem, an incident, a change or a drill, chased until it is done.

An action has one owner and a day. The owner is told once, reminded before the day and on it, and asked every
week after it; then the owner's manager hears of it too, and then the room of the ticket's team.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

from config.policy import Role
from handlers.access import THE_DESK, people_in, who_may
from handlers.declare import Change, Due, Outcome, Standing, command, subject, suggestions
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, NotFound
from handlers.listing import PAGE, listing, skipped
from handlers.messages import (
    Audience,
    Button,
    Card,
    Kind,
    Notice,
    Option,
    Reply,
    Style,
    Tone,
    ToPerson,
    ToRoom,
    ToThread,
    Words,
    counted,
    facts,
)
from handlers.parsing import AnyRef, Choice, Day, Free, Manner, PersonRef, Reference, Text, WholeNumber, Word
from handlers.rules.chasing import MANAGER_FROM, TEAM_FROM, newest_nudge, next_nudge
from handlers.rules.moments import show_day
from handlers.rules.workflow import ActionState, require_move
from handlers.telling import show_button
from handlers.tickets import WORKING, number_of, works
from handlers.timeline import timeline
from storage.models.problems import Action

PREFIX = "ACT"
_WHOSE = {
    "mine": "your open actions",
    "team": "your team's open actions",
    "open": "open actions",
    "overdue": "overdue actions",
    "all": "actions",
}

ActionRef = Annotated[str, Reference(PREFIX)]


@dataclass(frozen=True)
class Add:
    """For example: action add PRB-1 replace the drums owner:@agent due:2026-12-01"""

    subject: Annotated[AnyRef, "The problem, incident, change or drill that calls for it"]
    what: Annotated[str, Free(at_most=300), "What is to be done"]
    due: Annotated[Day, Manner.BY_NAME, "By which day"]
    owner: Annotated[PersonRef | None, Manner.BY_NAME, "Who does it; you, when left out"] = None


@dataclass(frozen=True)
class Show:
    """For example: action show ACT-1"""

    action: ActionRef


@dataclass(frozen=True)
class List:
    """For example: action list overdue"""

    scope: Annotated[str, Choice(("mine", "team", "open", "overdue", "all")), "Whose actions"] = "mine"
    about: Annotated[Text | None, "Words to look for, or a ticket"] = None
    page: Annotated[int, WholeNumber(1, 10_000)] = 1


@dataclass(frozen=True)
class Done:
    """For example: action done ACT-1 the drums are new and print cleanly"""

    action: ActionRef
    result: Annotated[Text, "What came of it"]


@dataclass(frozen=True)
class Move:
    """For example: action move ACT-1 the parts are late due:2026-12-08"""

    action: ActionRef
    because: Annotated[Text, "Why; those who follow it read this"]
    due: Annotated[Day | None, Manner.BY_NAME, "The new day"] = None
    owner: Annotated[PersonRef | None, Manner.BY_NAME, "The new owner"] = None


@dataclass(frozen=True)
class Chase:
    """For example: action chase ACT-1"""

    action: ActionRef


@dataclass(frozen=True)
class EffectChecked:
    """For example: action effect-checked PRB-1 gone"""

    subject: AnyRef
    effect: Word


# Adding -------------------------------------------------------------------------------------------


@command("action add", params=Add, evidences=("WMC SP 2.2",))
def add(asked: Add, desk: Desk) -> Outcome:
    """Agree on something to be done about a ticket: what, by whom, by which day."""
    if asked.subject.startswith(f"{PREFIX}-"):
        raise BadValue(
            "An action follows from a problem, an incident, a change or a drill.", "Name that one."
        )
    standing = desk.look(asked.subject)
    if not works(desk.asker):
        raise NotAllowed(
            "Actions are agreed on by those who work on tickets.", f"{who_may(Role.AGENT, desk.policy)} can."
        )
    owner = asked.owner or desk.asker.key
    if asked.due < desk.today:
        raise desk.ask({"due": _is_past(asked.due)})
    action = Action(
        number=desk.records.counters.next(PREFIX),
        subject=asked.subject,
        what=asked.what,
        owner=owner,
        state=str(ActionState.OPEN),
        opened_by=desk.asker.key,
        opened_at=desk.now,
        due=asked.due.isoformat(),
    )
    desk.records.actions.add(action)
    opened = _change(action, "opened", None, {"owner": owner, "due": action.due}, {"what": action.what})
    return Outcome(
        reply=lambda: _answer(desk, action, f"{action.ref} is noted: {action.what}"),
        changes=[opened],
        notices=[*_given(desk, action), _in_thread(desk, action, standing, f"{action.ref}: {action.what}")],
        cards=[Card(subject=action.subject, room=standing.room)],
        due=[_next_word(desk, action)],
        follow=_tell_subject(desk, action, "agreed"),
    )


def _is_past(day: date) -> str:
    return f"{show_day(day)} is past. Choose a day to come."


def _tell_subject(desk: Desk, action: Action, what: str) -> tuple[str, ...]:
    """What the ticket's own capability wants to hear, if it declares that it does."""
    noun = desk.commands.shows.get(action.subject.partition("-")[0], "").partition(" ")[0]
    name = f"{noun} action-{what}"
    return (f"{name} {action.subject} {action.ref}",) if name in desk.commands.by_name else ()


def _given(desk: Desk, action: Action) -> list[Notice]:
    """A private word to the owner, unless they took it on themselves."""
    if action.owner == desk.asker.key:
        return []
    reply = Reply(
        title=f"{action.ref} is yours: {action.what}",
        facts=facts(
            ("By", show_day(due_of(action))),
            ("About", action.subject),
            ("Asked for by", desk.who(desk.asker.key)),
        ),
        buttons=_buttons(action),
        subject=action.ref,
    )
    key = f"{action.ref}/v{action.version}/owner"
    open_still = (ActionState.OPEN,)
    return [
        Notice(
            to=ToPerson(person=action.owner), reply=reply, key=key, subject=action.ref, while_in=open_still
        )
    ]


def _in_thread(desk: Desk, action: Action, standing: Standing, title: str, text: str = "") -> Notice:
    """A word below the card of the ticket that called for it."""
    held = facts(("Owner", desk.who(action.owner)), ("By", show_day(due_of(action))))
    return Notice(
        to=ToThread(subject=action.subject, room=standing.room),
        reply=Reply(title=title, text=(text,) if text else (), facts=held, subject=action.ref, private=False),
        key=f"{action.ref}/v{action.version}/thread",
        subject=action.subject,
    )


def _next_word(desk: Desk, action: Action) -> Due:
    ahead = next_nudge(due_of(action), _zone_of(desk, action), desk.now)
    return Due(key=f"{action.ref}/chase", subject=action.ref, at=ahead.at, line=f"action chase {action.ref}")


def _zone_of(desk: Desk, action: Action) -> str:
    return desk.directory.person(action.owner).zone


def due_of(action: Action) -> date:
    """The day by which it is to be done."""
    return date.fromisoformat(action.due)


# Finishing and moving -----------------------------------------------------------------------------


@command("action done", params=Done, evidences=("WMC SP 2.3",))
def finish(asked: Done, desk: Desk) -> Outcome:
    """Say that an action is done, and what came of it."""
    action = _to_change(desk, asked.action, "finish")
    before = {"state": action.state}
    action.state, action.result = str(ActionState.DONE), asked.result
    action.done_by, action.done_at = desk.asker.key, desk.now
    action.version += 1
    desk.records.actions.save()
    late = max(0, (_today_of(desk, action) - due_of(action)).days)
    closed = _change(action, "closed", before, {"days_late": late}, {"result": asked.result})
    title = f"{action.ref} is done: {action.what}"
    told = {action.owner, action.opened_by} - {desk.asker.key}
    standing = _standing(desk, action)
    return Outcome(
        reply=lambda: _answer(desk, action, title),
        changes=[closed],
        notices=[
            *(_word(action, person, title, asked.result) for person in sorted(told)),
            _in_thread(desk, action, standing, title, asked.result),
        ],
        cards=[Card(subject=action.subject, room=standing.room)],
        undue=[f"{action.ref}/chase"],
        follow=_tell_subject(desk, action, "completed"),
    )


@command("action move", params=Move, evidences=("WMC SP 2.3",))
def move(asked: Move, desk: Desk) -> Outcome:
    """Give an action another day or another owner, with a reason."""
    action = _to_change(desk, asked.action, "move")
    due = asked.due or due_of(action)
    owner = asked.owner or action.owner
    if asked.due is not None and asked.due < desk.today:
        raise desk.ask({"due": _is_past(asked.due)})
    if (due.isoformat(), owner) == (action.due, action.owner):
        raise desk.ask({"due": "Say another day, or another owner."})
    before = {"state": action.state, "due": action.due, "owner": action.owner}
    action.due, action.owner = due.isoformat(), owner
    action.moved += 1
    action.version += 1
    desk.records.actions.save()
    now = {"due": action.due, "owner": owner, "times": action.moved}
    moved = _change(action, "moved", before, now, {"because": asked.because})
    title = f"{action.ref} is {desk.directory.name(owner)}'s, by {show_day(due)}"
    standing = _standing(desk, action)
    told = {action.opened_by, before["owner"], owner} - {desk.asker.key}
    if owner != before["owner"]:
        told -= {owner}
    return Outcome(
        reply=lambda: _answer(desk, action, title),
        changes=[moved],
        notices=[
            *(_given(desk, action) if owner != before["owner"] else ()),
            *(_word(action, person, title, asked.because) for person in sorted(told)),
            _in_thread(desk, action, standing, title, asked.because),
        ],
        cards=[Card(subject=action.subject, room=standing.room)],
        due=[_next_word(desk, action)],
    )


def _word(action: Action, person: str, title: str, text: str) -> Notice:
    reply = Reply(title=title, text=(text,), buttons=(show_button(action.ref),), subject=action.ref)
    key = f"{action.ref}/v{action.version}/{person}"
    return Notice(to=ToPerson(person=person), reply=reply, key=key, subject=action.ref)


def _change(
    action: Action,
    verb: str,
    before: Mapping[str, object] | None,
    after: Mapping[str, object],
    words: Mapping[str, str] | None = None,
) -> Change:
    told = {"state": action.state, "subject": action.subject, **after}
    return Change(f"corrective_action.{verb}", action.ref, before, told, words or {})


# Chasing ------------------------------------------------------------------------------------------


@command("action chase", params=Chase, evidences=("WMC SP 2.3",), desk_only=True)
def chase(asked: Chase, desk: Desk) -> Outcome:
    """Remind whoever owes an action; the longer it is overdue, the more people hear of it."""
    action = _find(desk, asked.action, for_change=True)
    nudge = newest_nudge(due_of(action), _zone_of(desk, action), desk.now)
    if action.state != ActionState.OPEN or nudge is None:
        return Outcome(reply=Reply(title=f"{action.ref}: nothing to say."))
    reply = Reply(
        title=f"{action.ref} is {_how_late(desk, action)}: {action.what}",
        tone=Tone.BAD if nudge.days > 0 else Tone.WAITING,
        facts=facts(
            ("Owner", desk.who(action.owner)),
            ("By", show_day(due_of(action))),
            ("About", action.subject),
            ("Moved", counted(action.moved, "time") if action.moved else None),
        ),
        buttons=_buttons(action),
        subject=action.ref,
    )
    notices = [
        Notice(
            to=audience,
            reply=reply if isinstance(audience, ToPerson) else reply.model_copy(update={"private": False}),
            key=f"{action.ref}/{action.due}/{nudge.days}",
            kind=Kind.REMINDER,
            subject=action.ref,
            while_in=(ActionState.OPEN,),
        )
        for audience in _hearers(desk, action, nudge.days)
    ]
    told = {"owner": action.owner, "due": action.due, "days": nudge.days}
    return Outcome(
        reply=Reply(title=f"{action.ref}: told"),
        changes=[_change(action, "chased", None, told)],
        notices=notices,
        due=[_next_word(desk, action)],
    )


def _hearers(desk: Desk, action: Action, days: int) -> Sequence[Audience]:
    """Who hears of it so many days after its day: the owner, then their manager, then the ticket's team."""
    found: list[Audience] = [ToPerson(person=action.owner)]
    manager = desk.directory.person(action.owner).manager
    if days >= MANAGER_FROM and manager:
        found.append(ToPerson(person=manager))
    if days >= TEAM_FROM or (days >= MANAGER_FROM and not manager):
        found.append(ToRoom(room=_standing(desk, action).room))
    return found


def _today_of(desk: Desk, action: Action) -> date:
    """The day at the owner's place."""
    return desk.now.astimezone(ZoneInfo(_zone_of(desk, action))).date()


def _how_late(desk: Desk, action: Action) -> str:
    days = (_today_of(desk, action) - due_of(action)).days
    if days > 0:
        return f"{counted(days, 'day')} overdue"
    return f"due in {counted(-days, 'day')}" if days < 0 else "due today"


@command("action effect-checked", params=EffectChecked, evidences=("WMC SP 2.3",), desk_only=True)
def effect_checked(asked: EffectChecked, desk: Desk) -> Outcome:
    """Note on a ticket's finished actions whether they had the effect that was hoped for."""
    finished = [each for each in desk.records.actions.of(asked.subject) if each.state == ActionState.DONE]
    changes = [_change(each, "effect_checked", None, {"effect": asked.effect}) for each in finished]
    return Outcome(reply=Reply(title=f"{asked.subject}: {counted(len(finished), 'action')}"), changes=changes)


# Finding and looking ------------------------------------------------------------------------------


def _find(desk: Desk, ref: str, *, for_change: bool = False) -> Action:
    """An action that the asker may see; raises NotFound or NotAllowed."""
    action = desk.records.actions.get(number_of(ref), for_change)
    if action is None:
        raise NotFound(f"There is no {ref}.", "Type `action list` to see yours.")
    if not _may_see(desk, action):
        name = desk.directory.name(action.owner)
        raise NotAllowed(f"{ref} is for those who see {action.subject}.", f"Ask {name}, who owns it.")
    return action


def _may_see(desk: Desk, action: Action) -> bool:
    if desk.asker.key in (action.owner, action.opened_by, desk.directory.person(action.owner).manager):
        return True
    try:
        desk.look(action.subject)
    except (NotAllowed, NotFound):
        return False
    return True


def _to_change(desk: Desk, ref: str, verb: str) -> Action:
    """An open action that the asker may finish or move; locked until the command ends."""
    action = _find(desk, ref, for_change=True)
    if desk.asker.key not in (action.owner, action.opened_by) and not works(desk.asker):
        name = desk.directory.name(action.owner)
        raise NotAllowed(f"You cannot {verb} {ref}.", f"{name}, who owns it, can; ask them.")
    require_move(ref, action.state, verb)
    return action


def _standing(desk: Desk, action: Action) -> Standing:
    """How the ticket that called for it stands, whoever asks: its room is needed, and nothing of it is shown."""
    return replace(desk, asker=THE_DESK).look(action.subject)


@subject(PREFIX)
def look(ref: str, desk: Desk) -> Standing:
    """How an action stands now."""
    action = _find(desk, ref)
    room = _standing(desk, action).room
    return Standing(action.ref, action.state, action.version, _card(desk, action), room)


def _card(desk: Desk, action: Action) -> Reply:
    is_open = action.state == ActionState.OPEN
    late = is_open and _today_of(desk, action) > due_of(action)
    state = f"{action.state}, {_how_late(desk, action)}" if is_open else action.state
    return Reply(
        title=f"{action.ref} · {action.what}",
        tone=Tone.GOOD if not is_open else Tone.BAD if late else Tone.WAITING,
        facts=facts(
            ("State", state),
            ("Owner", desk.who(action.owner)),
            ("By", show_day(due_of(action))),
            ("About", action.subject),
            ("Asked for by", desk.who(action.opened_by)),
            ("Moved", counted(action.moved, "time") if action.moved else None),
            ("Result", action.result),
        ),
        buttons=tuple(_buttons(action)),
        subject=action.ref,
        version=action.version,
        as_of=desk.now,
    )


def _buttons(action: Action) -> tuple[Button, ...]:
    about = Button(label=f"Show {action.subject}", line=action.subject)
    if action.state != ActionState.OPEN:
        return (about,)
    return (
        Button(label="Done", line=f"action done {action.ref}", style=Style.PRIMARY),
        Button(label="Move", line=f"action move {action.ref}"),
        about,
    )


def _answer(desk: Desk, action: Action, title: str) -> Reply:
    return _card(desk, action).model_copy(update={"title": title, "tone": Tone.GOOD})


@suggestions(PREFIX)
def suggest(desk: Desk) -> Sequence[Option]:
    """The open actions that the asker owns."""
    found, _ = desk.records.actions.listed(states=(ActionState.OPEN,), owners=(desk.asker.key,), at_most=25)
    return [Option(label=f"{each.ref} {each.what}"[:100], value=each.ref) for each in found]


@command("action show", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See an action: what is to be done, by whom, by when, and what became of it."""
    action = _find(desk, asked.action)
    story = timeline(desk, action.ref, ("because", "result"))
    return _card(desk, action).model_copy(update={"more": (story,)})


@command("action list", params=List)
def list_actions(asked: List, desk: Desk) -> Reply:
    """See actions: yours, your team's, all that are open or overdue, or everything you may see."""
    found, total = desk.records.actions.listed(
        states=() if asked.scope == "all" else (ActionState.OPEN,),
        owners=_owners(desk, asked.scope),
        due_before=desk.today.isoformat() if asked.scope == "overdue" else None,
        text=asked.about,
        skip=skipped(asked.page),
        at_most=PAGE,
    )
    return listing(
        asked,
        "action list",
        _WHOSE[asked.scope],
        ("Action", "What", "About", "Owner", "By"),
        tuple(_row(desk, each) for each in found),
        total,
        "No such actions.",
    )


def _owners(desk: Desk, scope: str) -> Sequence[str] | None:
    """Whose actions are listed; None for everybody's, which is for those who work on tickets."""
    asker = desk.asker
    wide = bool(WORKING & asker.roles)
    if scope == "mine" or (not wide and not asker.teams):
        return [asker.key]
    if scope == "team" or not wide:
        return people_in(sorted(f"@{team}" for team in asker.teams), desk.policy)
    return None


def _row(desk: Desk, action: Action) -> tuple[Words, ...]:
    state = _how_late(desk, action) if action.state == ActionState.OPEN else action.state
    return (
        (action.ref,),
        (action.what,),
        (action.subject,),
        (desk.directory.who_is(action.owner),),
        (f"{show_day(due_of(action))} ({state})",),
    )
