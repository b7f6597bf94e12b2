"""How services fare: whether they are there when they should be, whether people have too much in hand, and ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated

from config.policy import Service
from handlers.declare import command
from handlers.desk import Desk
from handlers.messages import Button, Chart, Plot, Reply, Series, Table, Tone, Words, facts
from handlers.parsing import ServiceKey, Word, quoted
from handlers.rules.availability import Available, available
from handlers.rules.moments import instant_at, show_duration
from handlers.rules.workflow import LIVE, UNFINISHED
from handlers.service_levels.clocks import day_of
from handlers.service_levels.scope import period_of, require_figures, scope_of

NEARLY = 0.8
"""From this share of what is allowed on, it is told before it is too much."""

_MONTHS = 12
_SERVICES = 12  # no chart has more series


@dataclass(frozen=True)
class AskAvailability:
    """For example: service availability mail within:quarter"""

    service: Annotated[ServiceKey | None, "Only one service"] = None
    within: Annotated[Word, "A period, such as month, quarter, year or 2026-10"] = "quarter"


@dataclass(frozen=True)
class AskCapacity:
    """For example: service capacity service-desk within:month"""

    of: Annotated[Word | None, "A service or a team; every team when left out"] = None
    within: Annotated[Word, "A period, such as week, month or 30d"] = "month"


@dataclass(frozen=True)
class AskSatisfaction:
    """For example: service satisfaction mail within:quarter"""

    service: Annotated[ServiceKey | None, "Only one service"] = None
    within: Annotated[Word, "A period, such as month, quarter or 2026-10"] = "quarter"


# Availability -------------------------------------------------------------------------------------


@command("service availability", params=AskAvailability)
def availability(asked: AskAvailability, desk: Desk) -> Reply:
    """See by month what share of its agreed time a service was there, and what downtime is left.

    Nothing is said of the time before the desk's first record: it would not have heard of an outage.
    """
    scope, span = scope_of(desk, asked.service), period_of(desk, asked.within)
    require_figures(desk, scope)
    wanted = [desk.policy.services[asked.service]] if asked.service else [*desk.policy.services.values()]
    agreed = [each for each in wanted if each.availability is not None]
    if not agreed:
        return Reply(
            title="No service time is agreed for "
            + (wanted[0].name if asked.service else "any service")
            + ".",
            text=(
                "Say under `availability` in services.yaml in which calendar it shall be there, and how much.",
            ),
        )
    began = desk.records.ledger.began()
    if began is None or began >= span.until:
        return Reply(
            title=f"The desk heard of nothing in {span.name}, so it cannot say what was there.",
            text=("Availability is told from the desk's first record on.",),
        )
    months = _months(
        max(span.first, date.fromisoformat(day_of(desk, began))),
        min(span.end, desk.today + timedelta(days=1)),
    )[-_MONTHS:]
    found = {service.key: [measured(desk, service, *month, began) for month in months] for service in agreed}
    names = [f"{first:%b %Y}" for first, _ in months]
    rows = [
        _availability_row(service, name, each)
        for service in agreed
        for name, each in reversed(list(zip(names, found[service.key], strict=True)))
    ]
    missed = [each for many in found.values() for each in many if each.is_met is False]
    nearly = [key for key, many in found.items() if _is_near(many[-1])]
    return Reply(
        title=f"Availability of {scope.name if asked.service else 'services'}, {span.name}",
        tone=Tone.BAD if missed else Tone.WAITING if nearly else Tone.GOOD,
        text=_warning(
            [desk.policy.services[key].name for key in nearly], "may be down for little more this month"
        ),
        table=Table(
            columns=("Service", "Month", "Agreed time", "Down", "Availability", "Target", "Left"),
            rows=tuple(rows),
        ),
        chart=_availability_chart(agreed[:_SERVICES], names, found),
        buttons=tuple(
            Button(
                label=f"Incidents of {each.name}"[:75], line=f"incident list all about:{quoted(each.name)}"
            )
            for each in (agreed if asked.service else ())
        ),
    )


def measured(desk: Desk, service: Service, first: date, end: date, began: datetime) -> Available:
    """A service's availability from one day to before another, as its incidents were last triaged.

    Counted from when the desk `began` to hear of any.
    """
    assert service.availability is not None
    agreed, zone = service.availability, desk.policy.organisation.zone
    since, until = max(began, instant_at(first, time(), zone)), instant_at(end, time(), zone)
    outages = desk.records.figures.outages(service.key, [str(each) for each in agreed.down], since, until)
    calendar = desk.policy.calendars[agreed.calendar]
    return available(
        calendar, agreed.goal, [(began, over) for _, began, over in outages], since, until, desk.now
    )


def _months(first: date, end: date) -> list[tuple[date, date]]:
    found, month = [], first.replace(day=1)
    while month < end:
        after = (month + timedelta(days=32)).replace(day=1)
        found.append((month, after))
        month = after
    return found


def _is_near(each: Available) -> bool:
    allowed = each.agreed * (1 - each.goal / 100)
    return bool(each.agreed) and each.left >= timedelta() and each.down > allowed * NEARLY


def _availability_row(service: Service, month: str, each: Available) -> tuple[Words, ...]:
    share = "no service time yet" if each.share is None else f"{int(each.share * 100) / 100:g} %"
    verdict = {None: "", True: " ✓", False: " ✗ below target"}[each.is_met]
    left = _length(each.left) if each.left >= timedelta() else f"{_length(-each.left)} too much"
    cells = (
        service.name,
        month,
        _length(each.agreed),
        _length(each.down),
        share + verdict,
        f"{each.goal:g} %",
        left,
    )
    return tuple((cell,) for cell in cells)


def _length(length: timedelta) -> str:
    return show_duration(length - length % timedelta(minutes=1), days=False)


def _availability_chart(
    services: Sequence[Service], months: Sequence[str], found: Mapping[str, Sequence[Available]]
) -> Chart | None:
    if not any(each.share is not None for many in found.values() for each in many):
        return None
    goals = {service.availability.goal for service in services if service.availability}
    return Chart(
        title="Availability by month",
        plot=Plot.LINE if len(months) > 1 else Plot.BAR,
        categories=tuple(months),
        series=tuple(
            Series(
                name=service.name,
                values=tuple(None if e.share is None else round(e.share, 2) for e in found[service.key]),
            )
            for service in services
        ),
        unit="%",
        goal=goals.pop() if len(goals) == 1 else None,
    )


def _warning(names: Sequence[str], what: str) -> Words:
    return (f"{', '.join(names)} {what}.",) if names else ()


# Capacity -----------------------------------------------------------------------------------------


@command("service capacity", params=AskCapacity)
def capacity(asked: AskCapacity, desk: Desk) -> Reply:
    """See what comes in and gets done by team, what each person has in hand, and where it is too much."""
    scope, span = scope_of(desk, asked.of), period_of(desk, asked.within)
    require_figures(desk, scope)
    service = desk.policy.services.get(scope.whose.service or "")
    only = scope.whose.team or (service.team if service else None)
    teams = [each for each in desk.policy.teams.values() if only in (None, each.key)]
    held = desk.records.figures.in_hand([str(each) for each in UNFINISHED], [str(each) for each in LIVE])
    flow = desk.records.figures.flow(span.since, span.until)
    rows, people = [], []
    for team in teams:
        mine = {person: number for (key, person), number in held.items() if key == team.key and person}
        waiting = held.get((team.key, None), 0)
        came, went = flow.get(team.key, (0, 0))
        if came or went or mine or waiting:
            cells = (team.name, came, went, sum(mine.values()) + waiting, waiting, team.load or "—")
            rows.append(tuple((str(cell),) for cell in cells))
        people += [
            (team, person, number) for person, number in sorted(mine.items(), key=lambda each: -each[1])
        ]
    warned = [
        (team, person, number)
        for team, person, number in people
        if team.load and number >= team.load * NEARLY
    ]
    table = Table(
        columns=("Team", "Came in", "Done", "Open", "Nobody's yet", "Too much from"),
        rows=tuple(rows),
        empty="Nothing came in and nothing is open.",
    )
    return Reply(
        title=f"Load of {scope.name if asked.of else 'every team'}, {span.name}",
        tone=Tone.WAITING if warned else Tone.PLAIN,
        facts=facts(
            *(
                (
                    "Too much" if number >= (team.load or 0) else "Nearly too much",
                    (desk.who(person) or person, f": {number} open in {team.name} ({team.load})"),
                )
                for team, person, number in warned
            )
        ),
        table=table,
        chart=_load_chart([(desk.directory.name(person), number) for _, person, number in people]),
        more=(
            Reply(
                title="In hand",
                table=Table(
                    columns=("Person", "Team", "Open"),
                    rows=tuple(((desk.who(p) or p,), (team.name,), (str(n),)) for team, p, n in people[:20]),
                ),
            ),
        )
        if people
        else (),
    )


def _load_chart(people: Sequence[tuple[str, int]]) -> Chart | None:
    if not people:
        return None
    shown = sorted(people, key=lambda each: -each[1])[:20]
    # The same person may work in two teams, and a category is named once.
    names = [
        name if [n for n, _ in shown].count(name) == 1 else f"{name} ({at})"
        for at, (name, _) in enumerate(shown, 1)
    ]
    return Chart(
        title="Open tickets in hand",
        plot=Plot.BAR,
        categories=tuple(names),
        series=(Series(name="open", values=tuple(float(number) for _, number in shown)),),
        least=0,
    )


# Satisfaction -------------------------------------------------------------------------------------


@command("service satisfaction", params=AskSatisfaction)
def satisfaction(asked: AskSatisfaction, desk: Desk) -> Reply:
    """See how people rated what was done for them, by service, beside the period before."""
    scope, span = scope_of(desk, asked.service), period_of(desk, asked.within)
    require_figures(desk, scope)
    before = span.before()
    now = desk.records.figures.ratings(span.since, span.until)
    earlier = desk.records.figures.ratings(before.since, before.until)
    wanted = [key for key in sorted({*now, *earlier}) if asked.service in (None, key)]
    average = {key: _average(now.get(key, {})) for key in wanted}
    known = desk.policy.services
    names = {key: known[key].name if key in known else key for key in wanted}
    rated = [key for key in wanted if average[key] is not None]
    return Reply(
        title=f"Satisfaction with {scope.name if asked.service else 'services'}, {span.name}",
        table=Table(
            columns=("Service", "Ratings", "Average of 5", "4 or 5", "1 or 2", "Period before"),
            rows=tuple(
                _rating_row(names[key], now.get(key, {}), _average(earlier.get(key, {}))) for key in wanted
            ),
            empty="Nobody has rated anything yet. Who asked for something can, once it is done: `request rate`.",
        ),
        chart=Chart(
            title="Average rating",
            plot=Plot.BAR,
            categories=tuple(names[key] for key in rated[:20]),
            series=(Series(name="average of 5", values=tuple(average[key] for key in rated[:20])),),
            least=0,
            most=5,
        )
        if rated
        else None,
    )


def _average(ratings: Mapping[int, int]) -> float | None:
    number = sum(ratings.values())
    return round(sum(stars * many for stars, many in ratings.items()) / number, 1) if number else None


def _rating_row(name: str, ratings: Mapping[int, int], before: float | None) -> tuple[Words, ...]:
    number, average = sum(ratings.values()), _average(ratings)
    good, bad = (sum(ratings.get(stars, 0) for stars in which) for which in ((4, 5), (1, 2)))
    cells = (name, number, "—" if average is None else average, good, bad, "—" if before is None else before)
    return tuple((str(cell),) for cell in cells)
