"""Status: whether promises are kept, what is running, what breaks next, and how that has developed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from handlers.declare import command
from handlers.desk import Desk
from handlers.messages import Button, Chart, Plot, Reply, Series, Table, Words, counted, facts
from handlers.parsing import Word, quoted
from handlers.rules.attainment import BROKEN, KEPT, Attainment, Step, attained, shown, steps, tenths
from handlers.rules.periods import Period
from handlers.rules.workflow import LIVE, UNFINISHED
from handlers.service_levels.clocks import day_of, show_button
from handlers.service_levels.scope import Scope, period_of, require_figures, scope_of, sees_figures
from storage.models.service_levels import ClockRow

_STATES = ("running", "due soon", "paused", "breached", "not started")
_OWN = 20  # open tickets of the asker that are looked through


@dataclass(frozen=True)
class Status:
    """For example: sla status service-desk within:month"""

    of: Annotated[Word | None, "A service, a team or a customer; everything when left out"] = None
    within: Annotated[Word, "A period, such as week, month, 30d, 2026-10 or 2026-Q3"] = "month"


@dataclass(frozen=True)
class Figure:
    """What promises came to: on which day, by which agreement, of which kind, with which goal."""

    day: str
    agreement: str
    kind: str
    goal: float
    outcome: str
    number: int

    @property
    def target(self) -> tuple[str, str, float]:
        """The promise whose goal it counts against."""
        return self.kind, self.agreement, self.goal


@command("sla status", params=Status)
def status(asked: Status, desk: Desk) -> Reply:
    """See whether promises are kept, what runs and what breaks next; without a role: those made to you."""
    scope, span = scope_of(desk, asked.of), period_of(desk, asked.within)
    if asked.of is None and not sees_figures(desk, scope):
        return _own(desk)
    require_figures(desk, scope)
    before = span.before()
    figures = read_figures(desk, scope, span)
    now = [each for each in figures if each.day >= span.first.isoformat()]
    earlier = [each for each in figures if each.day < span.first.isoformat()]
    table, clocks = attainments(desk, now, earlier), _by_state(desk, scope)
    next_due = desk.records.clocks.next_due(desk.now, scope.whose)
    forecast = Button(
        label="Forecast", line=f"sla forecast{f' of:{quoted(scope.word)}' if scope.word else ''}"
    )
    sections = (_by_service(desk, scope, span, asked.within), _upcoming(desk, next_due))
    return Reply(
        title=f"Promises for {scope.name}, {span.name}",
        facts=facts(("Clocks now", _in_words(clocks))),
        table=table,
        chart=trend(figures, before, span),
        more=tuple(each for each in sections if each is not None),
        buttons=(*_breaches(scope, asked.within, figures, now, clocks), *([forecast] if next_due else [])),
    )


def _breaches(
    scope: Scope, within: str, figures: Sequence[Figure], now: Sequence[Figure], clocks: Mapping[str, int]
) -> list[Button]:
    """The way to what was broken: in this period, or in the year before today where it is none of this one."""
    if not any(each.outcome != KEPT for each in now):
        if not clocks["breached"] and all(each.outcome == KEPT for each in figures):
            return []
        within = "365d"
    return [Button(label="Breaches", line=f"sla breaches{scope.given} within:{quoted(within)}")]


def read_figures(desk: Desk, scope: Scope, span: Period) -> list[Figure]:
    """What was settled in a period and the one before, and what is broken since and nobody was told yet."""
    before = span.before()
    since, until = before.first.isoformat(), span.end.isoformat()
    # What is told by months is read by months: the first day of each stands for all of it.
    parts = steps(before.first, span.end)
    told_by_months = all(day.day == 1 for day in (span.first, span.end, *(each.first for each in parts[1:])))
    step = 7 if told_by_months else 10
    by = ("agreement", "kind", "goal")
    found = [
        Figure(max(f"{day}-01", since) if step == 7 else day, agreement, kind, goal, outcome, number)
        for day, agreement, kind, goal, outcome, number in desk.records.clocks.decided(
            since, until, scope.whose, by, step
        )
    ]
    today = day_of(desk, desk.now)
    for _, agreement, kind, goal, number in _untold(desk, scope, since, until):
        found.append(Figure(today, agreement, kind, goal, BROKEN, number))
    return found


def _untold(
    desk: Desk, scope: Scope, since: str, until: str, *, each_service: bool = False
) -> Iterator[tuple[str, str, str, float, int]]:
    """Promises whose moment has come and that nobody was told of, in no tally yet: they count as broken today.

    Told as (service, agreement, kind, goal, number); `each_service`: under each service that a promise is about.
    """
    if since <= day_of(desk, desk.now) < until:
        unrung = desk.records.clocks.unrung(desk.now, scope.whose, each_service)
        for service, agreement, kind, goal, _, number in unrung:
            yield service, agreement, kind, goal, number


def clocks_now(desk: Desk, scope: Scope) -> str:
    """Open clocks by state, as time has left them, in words."""
    return _in_words(_by_state(desk, scope))


def _by_state(desk: Desk, scope: Scope) -> Counter[str]:
    states = desk.records.clocks.standing(scope.whose)
    for *_, state, number in desk.records.clocks.unrung(desk.now, scope.whose):
        states[state] -= number
        states["breached"] += number
    unwarned = desk.records.clocks.unwarned(desk.now, scope.whose)
    states["running"] -= unwarned
    states["due soon"] += unwarned
    return states


def _in_words(states: Mapping[str, int]) -> str:
    return ", ".join(f"{states[state]} {state}" for state in _STATES if states[state] > 0) or "none open"


# By target ----------------------------------------------------------------------------------------


def by_target(figures: Iterable[Figure]) -> dict[tuple[str, str, float], Attainment]:
    """The attainment of each target, in order of promise and agreement."""
    came_to: dict[tuple[str, str, float], list[tuple[str, int]]] = defaultdict(list)
    for each in figures:
        came_to[each.target].append((each.outcome, each.number))
    return {target: attained(target[2], came_to[target]) for target in sorted(came_to)}


def attainments(desk: Desk, figures: Sequence[Figure], earlier: Sequence[Figure]) -> Table:
    """Attainment by target against its goal with counts; both figures where something was left out."""
    now, before = by_target(figures), by_target(earlier)
    targets = sorted({*now, *before})
    several = len({agreement for _, agreement, _ in targets}) > 1
    left_out = any(each.excluded for each in (*now.values(), *before.values()))
    columns = ("Promise", "Kept", "Broken", "Attainment", "Goal", "Period before")
    nothing = Attainment()
    return Table(
        columns=(*columns, "Left out", "With what was left out") if left_out else columns,
        rows=tuple(
            (
                (f"{kind}, {agreement_name(desk, agreement)}" if several else kind,),
                *_counts(now.get((kind, agreement, goal), nothing), goal),
                (shown_before(before.get((kind, agreement, goal), nothing)),),
                *(_both(now.get((kind, agreement, goal), nothing)) if left_out else ()),
            )
            for kind, agreement, goal in targets
        ),
        empty="Nothing was promised yet. When somebody asks for something, it shows here."
        if not desk.records.clocks.standing()
        else "Nothing was settled in this period, and nothing in the one before. What runs is counted above.",
    )


def agreement_name(desk: Desk, key: str) -> str:
    """What an agreement is called now; its key, where there is none of it any more. Many promises have none."""
    if not key:
        return "no agreement"
    known = desk.policy.agreements.get(key)
    return known.name if known else key


def _counts(came_to: Attainment, goal: float) -> tuple[Words, ...]:
    verdict = {None: "", True: " ✓", False: " ✗ below goal"}[came_to.is_met]
    return (
        (str(came_to.kept),),
        (str(came_to.broken),),
        (f"{shown(came_to.share)}{verdict}",),
        (f"{goal:g} %",),
    )


def shown_before(came_to: Attainment) -> str:
    """The share of the period before, as a cell."""
    return "—" if came_to.share is None else shown(came_to.share)


def _both(came_to: Attainment) -> tuple[Words, ...]:
    return (str(came_to.excluded),), (shown(came_to.share_of_all),)


# How it has developed -----------------------------------------------------------------------------


def trend(figures: Sequence[Figure], before: Period, span: Period) -> Chart | None:
    """Attainment by kind of promise over this period and the one before; None where there is nothing to draw."""
    settled = [each for each in figures if each.number]
    if not settled:
        return None
    parts = steps(before.first, span.end)
    kinds = sorted({each.kind for each in settled})
    goals = {each.goal for each in settled}
    return Chart(
        title="Promises kept",
        plot=Plot.LINE if len(parts) > 1 else Plot.BAR,
        categories=tuple(each.name for each in parts),
        series=tuple(
            Series(name=kind, values=tuple(_share(settled, kind, each) for each in parts)) for kind in kinds
        ),
        unit="%",
        goal=goals.pop() if len(goals) == 1 else None,
        least=0,
        most=100,
    )


def _share(figures: Sequence[Figure], kind: str, part: Step) -> float | None:
    first, end = part.first.isoformat(), part.end.isoformat()
    came_to = attained(
        100,
        ((each.outcome, each.number) for each in figures if each.kind == kind and first <= each.day < end),
    )
    return None if came_to.share is None else tenths(came_to.share)


# Drilling down ------------------------------------------------------------------------------------


def _by_service(desk: Desk, scope: Scope, span: Period, within: str) -> Reply | None:
    """The services behind the figures, the worst first, each behind a button; nothing when there is but one."""
    if scope.whose.service:
        return None
    since, until = span.first.isoformat(), span.end.isoformat()
    came_to: Mapping[str, Counter[str]] = defaultdict(Counter)
    for _, key, outcome, number in desk.records.clocks.decided(since, until, scope.whose, ("service",), 0):
        came_to[key][outcome] += number
    for key, *_, number in _untold(desk, scope, since, until, each_service=True):
        came_to[key][BROKEN] += number
    if len(came_to) < 2:
        return None
    attainment = {service: attained(100, counts.items()) for service, counts in came_to.items()}
    worst = sorted(
        attainment, key=lambda key: (attainment[key].share_of_all or 0, -attainment[key].broken, key)
    )[:5]
    return Reply(
        title="The services behind it, the worst first",
        table=Table(
            columns=("Service", "Kept", "Broken", "Attainment"),
            rows=tuple(
                (
                    (_service_name(desk, key),),
                    (str(attainment[key].kept),),
                    (str(attainment[key].broken),),
                    (shown(attainment[key].share),),
                )
                for key in worst
            ),
        ),
        buttons=tuple(
            Button(label=_service_name(desk, key)[:75], line=f"sla status {key} within:{quoted(within)}")
            for key in worst
            if key in desk.policy.services
        ),
    )


def _service_name(desk: Desk, key: str) -> str:
    known = desk.policy.services.get(key)
    return known.name if known else key


def _upcoming(desk: Desk, rows: Sequence[ClockRow]) -> Reply | None:
    if not rows:
        return None
    return Reply(
        title="Next to break, if nobody acts",
        table=Table(
            columns=("Ticket", "Promise", "Due", "Now"), rows=tuple(_running(desk, row) for row in rows)
        ),
        buttons=tuple(show_button(desk, ref) for ref in dict.fromkeys(row.subject for row in rows[:5])),
    )


def _running(desk: Desk, row: ClockRow) -> tuple[Words, ...]:
    due = (desk.at(row.due_at, relative=True) or "—",)
    return (row.subject,), (row.promise,), due, (row.state_at(desk.now),)


# One's own ----------------------------------------------------------------------------------------


def _own(desk: Desk) -> Reply:
    """The promises that were made to somebody who sees no figures: those on their own open tickets."""
    me, records = desk.asker.key, desk.records
    requests, _ = records.requests.listed(requester=me, states=UNFINISHED, at_most=_OWN)
    incidents, _ = records.incidents.listed(person=me, states=LIVE, at_most=_OWN)
    mine = [*(each.ref for each in requests), *(each.ref for each in incidents)]
    rows = [row for ref in mine for row in records.clocks.of(ref) if row.open]
    rows.sort(key=lambda row: (row.due_at is None, row.due_at or desk.now, row.subject))
    return Reply(
        title=f"{counted(len(rows), 'promise')} to you on {counted(len(mine), 'open ticket')}",
        table=Table(
            columns=("Ticket", "Promise", "Due", "Now"),
            rows=tuple(_running(desk, row) for row in rows[:_OWN]),
            empty="Nothing is promised to you at present. `request new` asks for something.",
        ),
        text=("Figures about everybody's promises are for managers and owners.",),
        buttons=tuple(
            Button(label=f"Why {ref}?", line=f"sla why {ref}")
            for ref in dict.fromkeys(row.subject for row in rows[:3])
        ),
    )
