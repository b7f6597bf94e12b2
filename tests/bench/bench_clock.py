"""What business time costs: against businesstimedelta, by length of span, and for the reading of a clock.

Times are this machine's. What should hold are the ratios, each taken within one run: adding three weeks at
least 100 times and measuring a year at least 1000 times as fast as businesstimedelta, with equal results;
ten years at most 1.5 times a week.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from statistics import median
from time import perf_counter

import businesstimedelta
import holidays
import pytz  # type: ignore[import-untyped]  # businesstimedelta asks for its zones

from config.policy import Calendar, Opening, Weekday
from handlers.rules.business_time import Hours, hours_of
from handlers.rules.sla_clock import Paused, Resumed, Retargeted, Started, Terms, read

CLOSED = dict(holidays.country_holidays("DE", subdiv="BE", years=range(2016, 2038)).items())
OFFICE = Calendar(
    "office",
    "Berlin office hours",
    "Europe/Berlin",
    (Opening(tuple(Weekday)[:5], "09:00", "17:00"),),
    closed=CLOSED,
)
START = datetime(2026, 4, 2, 13, 0, tzinfo=UTC)  # the Thursday before Easter, 15:00 in Berlin
WEEK, YEAR = timedelta(days=7), timedelta(days=365)


def cost(work: Callable[[], object], times: int) -> float:
    """Seconds for one call: the median of seven rounds."""
    work()
    rounds = []
    for _ in range(7):
        began = perf_counter()
        for _ in range(times):
            work()
        rounds.append((perf_counter() - began) / times)
    return median(rounds)


def row(name: str, seconds: float, than: float | None = None) -> None:
    """A line of the table; `than` is what it is compared with."""
    ratio = f"{than / seconds:10,.0f} x" if than else ""
    print(f"{name:48}{seconds * 1e6:12,.2f} us{ratio}")


def theirs() -> businesstimedelta.Rules:
    """The same calendar for businesstimedelta."""
    zone = pytz.timezone("Europe/Berlin")
    workday = businesstimedelta.WorkDayRule(time(9), time(17), [0, 1, 2, 3, 4], tz=zone)
    return businesstimedelta.Rules([workday, businesstimedelta.HolidayRule(CLOSED, tz=zone)])


def against_businesstimedelta(hours: Hours) -> None:
    """Both must agree before they are timed."""
    rules = theirs()
    added = timedelta(hours=120)
    other = businesstimedelta.BusinessTimeDelta(rules, hours=120)
    assert START + other == hours.after(START, added), "the libraries disagree"
    measured = rules.difference(START, START + YEAR)
    assert timedelta(hours=measured.hours, seconds=measured.seconds) == hours.between(START, START + YEAR)
    print("against businesstimedelta, equal results")
    slow = cost(lambda: START + other, 20)
    row("  businesstimedelta: add 120 h (3 weeks)", slow)
    row("  ours", cost(lambda: hours.after(START, added), 20_000), slow)
    slow = cost(lambda: rules.difference(START, START + YEAR), 2)
    row("  businesstimedelta: measure a year", slow)
    row("  ours", cost(lambda: hours.between(START, START + YEAR), 20_000), slow)


def by_length(hours: Hours) -> None:
    """The cost must not grow with the span."""
    print("by length of span")
    week = None
    for name, span in (("a week", WEEK), ("a year", YEAR), ("ten years", 10 * YEAR)):
        amount = hours.between(START, START + span)
        both = cost(lambda: (hours.between(START, START + span), hours.after(START, amount)), 20_000)  # noqa: B023
        week = week or both
        print(f"  measure and add {name:30}{both * 1e6:14,.2f} us{both / week:10.2f} x a week")


def first_questions() -> None:
    """What is paid once for each calendar, and for each further year."""
    print("paid once")

    def fresh(span: timedelta) -> None:
        hours = Hours(OFFICE.name, OFFICE.zone, OFFICE.hours, OFFICE.closed.items())
        hours.between(START, START + span)

    row("  a calendar and its first question", cost(lambda: fresh(WEEK), 20))
    row("  the same, over ten years", cost(lambda: fresh(10 * YEAR), 3))


def readings() -> None:
    """A whole clock: two pauses, one change of priority."""
    print("the reading of a clock")
    day = timedelta(days=1)
    facts = [
        Started(START, 1),
        Paused(START + day, 2, "waiting on requester"),
        Resumed(START + 2 * day, 3),
        Retargeted(START + 3 * day, 4, "raised to P2", terms=Terms(40 * 3600, OFFICE)),
        Paused(START + 5 * day, 5, "waiting on supplier"),
        Resumed(START + 6 * day, 6),
    ]
    terms, now = Terms(80 * 3600, OFFICE), START + WEEK
    row("  one fact", cost(lambda: read(facts[:1], terms, now), 2_000))
    row("  six facts", cost(lambda: read(facts, terms, now), 2_000))
    row("  six facts, with every interval", cost(lambda: read(facts, terms, now).intervals, 500))


def main() -> None:
    """Print everything."""
    hours = hours_of(OFFICE)
    against_businesstimedelta(hours)
    by_length(hours)
    first_questions()
    readings()


if __name__ == "__main__":
    main()
