"""What follows from the harm that an outage does: how soon a service must be back, and whether that can be promised.

The recovery time (RTO) is the longest band whose harm can still be borne, and the recovery point (RPO) the longest span
of lost data that can; an owner may ask for less. No service can promise a shorter one than what it rests on promises,
directly or through others: it is never back before that is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from config.policy import Criticality, Harm

_ORDER = list(Harm)


def bearable(harm: Mapping[int, Harm]) -> int | None:
    """The longest band (seconds) of which every harm up to it can be borne; None when the shortest is too much."""
    found = None
    for band in sorted(harm):
        if harm[band] is Harm.UNBEARABLE:
            return found
        found = band
    return found


def shrinks(harm: Mapping[int, Harm]) -> tuple[int, int] | None:
    """Two neighbouring bands of which the longer does less harm, which cannot be; None where there are none."""
    bands = sorted(harm)
    for shorter, longer in pairwise(bands):
        if _ORDER.index(harm[longer]) < _ORDER.index(harm[shorter]):
            return shorter, longer
    return None


def criticality(rto: int, longest: Mapping[Criticality, int]) -> Criticality:
    """The word for a recovery time (seconds); what takes longer than the longest of every word is low."""
    for word in Criticality:
        if word in longest and rto <= longest[word]:
            return word
    return Criticality.LOW


# Promises -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Promise:
    """What the owner of a service has signed, in seconds; `rpo` is None where it holds no data."""

    rto: int
    rpo: int | None


@dataclass(frozen=True)
class Broken:
    """A service that promises less than what it rests on: `path` leads from the one to the other, both included."""

    what: str
    path: tuple[str, ...]
    promised: int
    beneath: int


def broken(promises: Mapping[str, Promise], rests_on: Mapping[str, Sequence[str]]) -> list[Broken]:
    """Every promise that another one beneath it makes impossible, with the shortest path to that one.

    A service without a promise breaks none, and is looked through. Circles do no harm.
    """
    found: list[Broken] = []
    for service in sorted(promises):
        mine = promises[service]
        for path in _beneath(service, rests_on):
            other = promises.get(path[-1])
            if other is None:
                continue
            if mine.rto < other.rto:
                found.append(Broken("RTO", path, mine.rto, other.rto))
            if mine.rpo is not None and other.rpo is not None and mine.rpo < other.rpo:
                found.append(Broken("RPO", path, mine.rpo, other.rpo))
    return found


def _beneath(service: str, rests_on: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """A shortest path to each service beneath one."""
    paths: dict[str, tuple[str, ...]] = {service: (service,)}
    queue = deque([service])
    while queue:
        at = queue.popleft()
        for below in rests_on.get(at, ()):
            if below not in paths:
                paths[below] = (*paths[at], below)
                queue.append(below)
    return [path for key, path in paths.items() if key != service]
