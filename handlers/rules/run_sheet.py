"""The steps of a plan in their order: when each should begin, and what a step sets free when it is done.

A step begins when all that it waits for has ended; so a plan takes as long as its longest chain. A step that was
skipped sets others free as one that was done does; one that failed holds them until somebody says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from graphlib import TopologicalSorter

from config.policy import PlanStep

FREES = frozenset({"done", "skipped"})
"""The states in which a step holds nobody up."""

ENDED = frozenset({"done", "failed", "skipped"})


def planned(steps: Sequence[PlanStep]) -> dict[str, tuple[timedelta, timedelta]]:
    """From when to when each step is planned, counted from the start. Raises graphlib's CycleError for a circle."""
    by_key = {step.key: step for step in steps}
    spans: dict[str, tuple[timedelta, timedelta]] = {}
    for key in TopologicalSorter({step.key: step.after for step in steps}).static_order():
        step = by_key[key]
        begins = max((spans[each][1] for each in step.after), default=timedelta())
        spans[key] = (begins, begins + timedelta(seconds=step.lasts))
    return spans


def length(steps: Sequence[PlanStep]) -> timedelta:
    """How long the whole takes when everything takes as long as planned."""
    return max((end for _, end in planned(steps).values()), default=timedelta())


def followers(steps: Sequence[PlanStep]) -> dict[str, list[str]]:
    """The steps that wait for each one, in the order of the plan."""
    found: dict[str, list[str]] = {step.key: [] for step in steps}
    for step in steps:
        for each in dict.fromkeys(step.after):
            found[each].append(step.key)
    return found


def state_of_waiting(state: str, waits: int) -> str:
    """How a step stands that waits for so many others: one that somebody has taken up stays as it is."""
    if state not in ("pending", "ready"):
        return state
    return "pending" if waits else "ready"
