"""The guide: what the desk can do, what is yours, and how things stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from handlers.declare import Declared, command, of_verb
from handlers.desk import Desk
from handlers.errors import UnknownCommand
from handlers.messages import Button, Reply, Style, Table, Words, counted, facts
from handlers.parsing import Text, near
from handlers.rules.rotation import holder
from handlers.rules.workflow import LIVE, UNFINISHED, ActionState, IncidentState, RequestState
from storage.models.incidents import Incident
from storage.models.problems import Action
from storage.models.requests import Request

_SHOWN = 8


@dataclass(frozen=True)
class Help:
    """For example: desk help request take"""

    about: Annotated[Text | None, "A command, or its first word"] = None


@dataclass(frozen=True)
class Home:
    """For example: desk home"""


@dataclass(frozen=True)
class Status:
    """For example: desk status"""


@command("desk help", params=Help)
def help_(asked: Help, desk: Desk) -> Reply:
    """See what the desk can do, or how one command is used."""
    about = (asked.about or "").lower().strip()
    mine = [each for each in desk.commands.spoken if each.role in desk.asker.roles]
    one = desk.commands.by_name.get(about)
    if one and not one.desk_only:
        return _explain(one)
    if about in desk.commands.nouns:
        chosen = [each for each in mine if each.noun == about]
        return Reply(title=f"What you can do with a {about}", table=_table(chosen), buttons=_try(chosen))
    if about:
        close = of_verb(about, mine) or near(about, [*desk.commands.nouns, *(each.name for each in mine)])
        raise UnknownCommand(
            f"I do not know “{about[:60]}”.",
            "Perhaps one of these?" if close else "Type `desk help` to see everything.",
            [(name, f"desk help {name}") for name in close],
        )
    return Reply(
        title="What I can do for you",
        text=(
            "Type a line, or click. What is missing is asked for. `desk help request take` explains one command.",
        ),
        table=_table(mine),
        buttons=(
            Button(label="Ask for something", line="request new", style=Style.PRIMARY),
            Button(label="My requests", line="request list mine"),
            Button(label="Services", line="service list"),
        ),
    )


def _table(commands: Sequence[Declared]) -> Table:
    return Table(
        columns=("Type", "What it does"),
        rows=tuple(((each.usage,), (_first_line(each.help),)) for each in commands),
    )


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _try(commands: Sequence[Declared]) -> tuple[Button, ...]:
    free = [each for each in commands if not any(part.required for part in each.parameters)]
    return tuple(Button(label=each.name, line=each.name) for each in free[:5])


def _explain(one: Declared) -> Reply:
    return Reply(
        title=one.usage,
        text=(one.help,),
        facts=facts(
            ("For example", one.example),
            ("For", "everyone" if one.role == "staff" else f"{one.role}s"),
            ("Evidence for", ", ".join(one.evidences)),
        ),
        table=Table(
            columns=("Detail", "What it is"),
            rows=tuple(
                ((each.key,), (f"{each.help or each.label}{'' if each.required else ' (may be left out)'}",))
                for each in one.parameters
            ),
            empty="It needs no details.",
        ),
        buttons=(Button(label="Do it", line=one.name, style=Style.PRIMARY),),
    )


@command("desk home", params=Home)
def home(asked: Home, desk: Desk) -> Reply:
    """See what is yours to do now, what is open, what you promised, what waits for you, who is on call."""
    records = desk.records.requests
    mine, total = records.listed(
        states=(*UNFINISHED, RequestState.FULFILLED), requester=desk.asker.key, at_most=_SHOWN
    )
    held, held_total = records.listed(states=UNFINISHED, assignee=desk.asker.key, at_most=_SHOWN)
    waiting = [ref for decide in desk.commands.decisions for ref in decide(desk)]
    sections = [_section(desk, f"Your open requests ({total})", mine, "You have asked for nothing.")]
    if held_total:
        sections.append(_section(desk, f"In your hands ({held_total})", held, ""))
    owed, owed_total = desk.records.actions.listed(
        states=(ActionState.OPEN,), owners=(desk.asker.key,), at_most=_SHOWN
    )
    if owed_total:
        sections.append(_owed(owed, owed_total))
    broken, broken_total = desk.records.incidents.listed(states=LIVE, person=desk.asker.key, at_most=_SHOWN)
    if broken_total:
        sections.insert(0, _broken(broken, broken_total))
    sections[:0] = [section for tasks in desk.commands.tasks for section in tasks(desk)]
    if waiting:
        sections.append(_decisions(desk, waiting))
    if desk.policy.rotas:
        sections.append(_on_call(desk))
    return Reply(
        title=f"Hello, {desk.asker.name}",
        text=("Here is what is yours. Everything can also be typed: `desk help` shows how.",),
        more=tuple(sections),
        buttons=(
            Button(label="Ask for something", line="request new", style=Style.PRIMARY),
            *(
                (Button(label="Something is broken", line="incident declare"),)
                if desk.policy.incidents
                else ()
            ),
            Button(label="My requests", line="request list mine"),
            Button(label="Help", line="desk help"),
        ),
        as_of=desk.now,
    )


def _broken(incidents: Sequence[Incident], total: int) -> Reply:
    return Reply(
        title=f"Open incidents that are yours ({total})",
        table=Table(
            columns=("Incident", "What", "Severity", "State"),
            rows=tuple(
                ((each.ref,), (each.title,), (each.severity,), (IncidentState(each.state).shown,))
                for each in incidents
            ),
        ),
        buttons=tuple(Button(label=f"Show {each.ref}", line=each.ref) for each in incidents[:3]),
    )


def _owed(actions: Sequence[Action], total: int) -> Reply:
    return Reply(
        title=f"What you promised to do ({total})",
        table=Table(
            columns=("Action", "What", "By"),
            rows=tuple(((each.ref,), (each.what,), (each.due,)) for each in actions),
        ),
        buttons=tuple(Button(label=f"Show {each.ref}", line=each.ref) for each in actions[:3]),
    )


def _decisions(desk: Desk, refs: Sequence[str]) -> Reply:
    shown = refs[:_SHOWN]
    return Reply(
        title=f"Waiting for your decision ({len(refs)})",
        table=Table(columns=("What",), rows=tuple(((desk.look(ref).card.title,),) for ref in shown)),
        buttons=tuple(Button(label=f"Show {ref}", line=ref) for ref in shown[:3]),
    )


def _on_call(desk: Desk) -> Reply:
    rows: list[tuple[Words, ...]] = []
    for key, rota in desk.policy.rotas.items():
        overrides = desk.records.oncall.overrides(key, desk.now, desk.now)
        cover = holder(rota, desk.policy.calendars, overrides, desk.now)
        rows.append(((rota.name,), (desk.directory.who_is(cover.person),) if cover else ("nobody",)))
    return Reply(
        title="On call now",
        table=Table(columns=("Rota", "Who"), rows=tuple(rows)),
        buttons=(Button(label="Until when?", line="oncall who"),),
    )


def _section(desk: Desk, title: str, requests: Sequence[Request], empty: str) -> Reply:
    return Reply(
        title=title,
        table=Table(
            columns=("Request", "What", "State"),
            rows=tuple(_row(each) for each in requests),
            empty=empty,
        ),
        buttons=tuple(
            Button(label=f"Show {each.ref}", line=f"request show {each.ref}") for each in requests[:3]
        ),
    )


def _row(request: Request) -> tuple[Words, ...]:
    return ((request.ref,), (request.summary,), (RequestState(request.state).shown,))


@command("desk status", params=Status)
def status(asked: Status, desk: Desk) -> Reply:
    """See how the desk itself is: what is open, what waits to be sent, how far the ledger goes."""
    _, open_requests = desk.records.requests.listed(states=UNFINISHED, at_most=1)
    _, open_incidents = desk.records.incidents.listed(states=LIVE, at_most=1)
    waiting = desk.records.outbox.counts()
    head = desk.records.ledger.head()
    overdue = desk.records.dues.overdue(desk.now)
    return Reply(
        title=f"{desk.policy.organisation.name}: the desk is here",
        facts=facts(
            ("Open requests", str(open_requests)),
            ("Open incidents", str(open_incidents)),
            (
                "Messages waiting",
                ", ".join(f"{count} {state}" for state, count in sorted(waiting.items())) or "none",
            ),
            ("Moments overdue", str(overdue)),
            ("Evidence", counted(head.size, "record")),
            ("Policy", f"version {desk.policy.version}"),
        ),
        as_of=desk.now,
    )
