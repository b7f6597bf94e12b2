"""Charts, time lines and run-sheets for tests: plain ones to look at, and any that people could make."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from handlers.messages import (
    Bar,
    Button,
    Chart,
    Gantt,
    Lane,
    Mark,
    Plot,
    RunSheet,
    Series,
    SheetStep,
    StepState,
    Who,
)

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOSTILE = "</text></svg><script>alert('1')</script>\"\\u0027];{}&<!channel>@everyone\u202e\n"

TREND = Chart(
    title="Attainment of resolve by month",
    plot=Plot.LINE,
    categories=("Jun", "Jul", "Aug", "Sep", "Oct", "Nov"),
    series=(
        Series(name="counted", values=(97, 96.5, 95, 94, 98, 99.25)),
        Series(name="with excluded", values=(95, 94, 92, 91, 97, 98)),
    ),
    unit="%",
    goal=95,
)


def minutes(first: int, last: int) -> tuple[datetime, datetime]:
    """A span after nine o'clock."""
    return NINE + timedelta(minutes=first), NINE + timedelta(minutes=last)


def gantt(steps: int, lanes: int) -> Gantt:
    """A drill of so many steps, each a little later than planned; every seventh failed."""
    return Gantt(
        title="Planned against actual",
        bars=tuple(
            Bar(
                lane=f"Lane {n % lanes + 1}",
                label=f"Step {n + 1}",
                planned=minutes(10 * (n // lanes), 10 * (n // lanes) + 9),
                actual=minutes(11 * (n // lanes), 11 * (n // lanes) + 10),
                state="failed" if n % 7 == 6 else "done",
            )
            for n in range(steps)
        ),
        marks=(Mark(label="Disruption", at=NINE),),
        paused=(minutes(15, 20),),
    )


def sheet(steps: int, lanes: int) -> RunSheet:
    """A drill of so many steps in their lanes: some done, one failed, some ready."""
    states = [StepState.DONE] * 2 + [StepState.FAILED, StepState.DOING, StepState.READY]
    made = [
        SheetStep(
            key=f"s{n + 1}",
            title=f"Do the thing number {n + 1}",
            state=states[n] if n < len(states) else StepState.PENDING,
            owner=(Who(person="oncall", name="Olga Call"),),
            planned_at=NINE + timedelta(minutes=10 * n),
            started_at=NINE + timedelta(minutes=10 * n) if n < 4 else None,
            ended_at=NINE + timedelta(minutes=10 * n + 7) if n < 3 else None,
            note=("the tape was empty",) if n == 2 else (),
            buttons=(Button(label="Done", line=f"drill step DRL-1 s{n + 1} done"),) if n in (3, 4) else (),
        )
        for n in range(steps)
    ]
    return RunSheet(
        title="Recover the mail service",
        state="running",
        lanes=tuple(Lane(name=f"Lane {n + 1}", steps=tuple(made[n::lanes])) for n in range(lanes)),
    )


words = st.sampled_from(["Mail", "a" * 20, "b" * 21, "", " ", HOSTILE, "<@U1> & co", "同じ", "x" * 200])
numbers = st.none() | st.floats(0, 1e6, allow_nan=False).map(lambda value: round(value, 3))


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    """Any chart."""
    width, plot = draw(st.sampled_from([1, 2, 20])), draw(st.sampled_from(Plot))
    several = 1 if plot is Plot.PIE else draw(st.sampled_from([1, 2, 12]))
    few = draw(st.lists(words, min_size=3, max_size=3))
    said = draw(st.booleans())
    names = [few[n % 3] if said else f"{n}" for n in range(20)]
    values = draw(st.lists(numbers, min_size=width, max_size=width))
    return Chart(
        title=draw(words),
        plot=plot,
        categories=tuple(names[:width]),
        series=tuple(Series(name=names[n], values=tuple(values)) for n in range(several)),
        unit=draw(st.sampled_from(["", "%", "h", "x" * 60])),
        goal=draw(st.none() | st.just(95.0)),
    )


@st.composite
def sheets(draw: st.DrawFn) -> RunSheet:
    """Any run-sheet."""
    found = sheet(draw(st.sampled_from([0, 1, 12, 45])), draw(st.integers(1, 3)))
    title, note = draw(words), draw(words)
    lanes = tuple(
        Lane(
            name=note,
            steps=tuple(step.model_copy(update={"title": title, "note": (note,)}) for step in lane.steps),
        )
        for lane in found.lanes
    )
    return found.model_copy(update={"lanes": lanes, "title": title})
