"""What makes the steps of a plan impossible, wherever they were written: in a file, or in chat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter

from config.policy import PlanStep, shown


@dataclass(frozen=True)
class StepFault:
    """What is wrong with a step, by its place among the others, and in which of its fields."""

    index: int
    field: str
    message: str


def step_faults(steps: Sequence[PlanStep]) -> Iterator[StepFault]:
    """Keys that stand twice, steps that wait for one that does not exist, and circles, in the order of the steps."""
    keys = [step.key for step in steps]
    waits = {step.key: [each for each in step.after if each in keys] for step in steps}
    for index, step in enumerate(steps):
        if step.key in keys[:index]:
            yield StepFault(
                index, "key", f"{shown(step.key)} stands here twice; give each step a key of its own"
            )
        for name in step.after:
            if name not in keys:
                near = get_close_matches(name, keys, 1)
                advice = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(keys[:12])}"
                yield StepFault(index, "after", f"{shown(name)} is no step of this plan; {advice}")
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]  # graphlib tells it from what is waited for
        yield StepFault(
            keys.index(circle[0]),
            "after",
            f"goes round in a circle: {' waits for '.join(circle)}; take one of them out",
        )
