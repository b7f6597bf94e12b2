"""What a drill costs: 200 steps in 10 lanes with 50 people, against 10 steps; its report, and the report as PDF.

Times are this machine's. What should hold: the commit of a step at most 1.5 times that of a drill with 10 steps; the
report with its PDF within 3 seconds on two cores, in flat memory.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from bot.clock import VirtualClock
from bot.printing import drill_pdf
from config.loading import load
from config.policy import Person, Plan, PlanStep, Policy, Team
from handlers.continuity.card import KINDS, length_words
from handlers.continuity.report import DrillReport, report_of
from handlers.messages import Reply, Tone
from storage import migrations
from storage.database import Database
from storage.unit_of_work import Records
from tests.harness.house import POLICIES, Talk

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PEOPLE, TEAM = 50, 5
ANSWERS = "down_1h:minor down_4h:serious down_8h:unbearable lost_15m:minor lost_1h:unbearable"


def organisation(steps: int, lanes: int) -> Policy:
    """People in teams, one for each lane, and a plan in which each step of a lane waits for the one before."""
    base = load(POLICIES)
    people = {f"p{n}": Person(key=f"p{n}", name=f"Person {n}") for n in range(PEOPLE)}
    teams = {
        f"lane-{n}": Team(f"lane-{n}", f"Lane {n}", tuple(list(people)[n * TEAM : (n + 1) * TEAM]), "on-call")
        for n in range(lanes)
    }
    plan = Plan(
        key="big",
        name="Everything is gone",
        owner="owner",
        recovers={"mail": "a mail comes back", "vpn": "somebody gets in"},
        scenario="The building burns.",
        steps=tuple(
            PlanStep(
                key=f"s{number}",
                title=f"Step {number} of the recovery",
                owner=(f"@lane-{number % lanes}",),
                lane=f"Lane {number % lanes}",
                after=(f"s{number - lanes}",) if number >= lanes else (),
                proof="what it printed",
            )
            for number in range(steps)
        ),
    )
    return replace(
        base,
        people={**base.people, **people},
        teams={**base.teams, **teams},
        plans={"big": plan},
        readiness={},
        version=f"{steps} steps",
    )


def desk(database: Database, steps: int, lanes: int) -> Talk:
    """A desk whose plan is signed."""
    talk = Talk(database, organisation(steps, lanes), VirtualClock(NOW))
    talk.tend()
    said(talk, "oncall", f"continuity impact mail {ANSWERS}")
    said(talk, "owner", "continuity approve BIA-1")
    said(talk, "owner", "continuity approve PLN-1")
    return talk


def said(talk: Talk, who: str, line: str) -> Reply:
    """What somebody hears whose line is carried out."""
    found = talk.say(who, line)
    assert found.tone is Tone.GOOD, (line, found)
    return found


def begun(talk: Talk) -> str:
    """A drill that has begun, with everybody in it; returns its reference."""
    ref = said(talk, "oncall", "drill schedule PLN-1 full start:now").subject or ""
    for number in range(PEOPLE):
        said(talk, f"p{number}", f"drill join {ref}")
    said(talk, "oncall", f"drill start {ref}")
    return ref


def commits(talk: Talk, ref: str, numbers: Iterable[int], lanes: int) -> list[float]:
    """Seconds of each step's command, from its arrival to its answer."""
    took = []
    for number in numbers:
        talk.clock.set(talk.clock.now() + timedelta(seconds=30))
        person = talk.policy.teams[f"lane-{number % lanes}"].members[0]
        began = perf_counter()
        said(talk, person, f"drill step {ref} s{number} done it printed all is well")
        took.append(perf_counter() - began)
    return took


def report(talk: Talk) -> DrillReport:
    """The report of the drill."""
    with talk.database.reading() as session:
        return report_of(talk.policy, Records(session), "DRL-1", talk.clock.now())


def largest() -> float:
    """The most memory that this process has ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def printed(talk: Talk) -> None:
    """The report as a value, and as a PDF again and again: memory should not grow with them."""
    took = []
    for _ in range(10):
        began = perf_counter()
        found = report(talk)
        took.append(perf_counter() - began)
    print(f"  its report {median(took) * 1e3:9.1f} ms, most memory held {largest():.0f} MiB")
    zone, kind, sizes, took = talk.policy.organisation.zone, KINDS[found.kind], [], []
    for _ in range(6):
        began = perf_counter()
        paper = drill_pdf(
            report(talk), talk.policy.organisation.name, zone, (), kind, found.state, length_words
        )
        took.append(perf_counter() - began)
        sizes.append(largest())
    print(f"  with its PDF ({len(paper) / 1024:.0f} KiB) the first {took[0] * 1e3:9.1f} ms", end="")
    print(f", then {median(took[1:]) * 1e3:9.1f} ms")
    print(f"  most memory held, after each: {', '.join(f'{size:.0f}' for size in sizes)} MiB")


def main() -> None:
    """Steps of a small and a large drill in turn, so that both meet the same machine; then the large one's report."""
    with tempfile.TemporaryDirectory() as folder:
        stores = [Database(f"sqlite:///{Path(folder) / name}.db") for name in ("small", "large")]
        for store in stores:
            migrations.upgrade(store)
        small, large = desk(stores[0], 10, 2), desk(stores[1], 200, 10)
        ref = begun(large)
        took: tuple[list[float], list[float]] = ([], [])
        for first in range(0, 200, 10):
            took[0].extend(commits(small, begun(small), range(10), 2))
            took[1].extend(commits(large, ref, range(first, first + 10), 10))
        for steps, times in zip((10, 200), took, strict=True):
            p95 = quantiles(times, n=20)[18]
            print(f"a drill with {steps} steps and {PEOPLE} people: a step's commit", end="")
            print(f" p50 {median(times) * 1e3:.2f} ms, p95 {p95 * 1e3:.2f} ms")
        print(f"a step of 200 costs {median(took[1]) / median(took[0]):.2f} x one of 10")
        said(large, "oncall", f"drill recovered {ref} mail data:“2h ago” shows:“the journal”")
        said(large, "oncall", f"drill recovered {ref} vpn")
        large.say("oncall", f"drill finish {ref} well done")
        printed(large)
        for store in stores:
            store.close()


if __name__ == "__main__":
    main()
