"""Who is asked to approve a request, and when a stage is decided.

Nobody approves what they asked for themselves. An absent approver's seat falls to their delegate, then to
the owner of the service. A person has one voice in a stage, however many seats would fall to them. What was passed
on to the owner of the service is theirs alone to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from config.policy import Stage


class Verdict(StrEnum):
    """How a stage stands."""

    UNDECIDED = "undecided"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Seat:
    """Somebody who may decide; `for_` names the approver they stand in for."""

    person: str
    for_: str | None = None


def seats(
    named: Iterable[str],
    requester: str,
    owner: str,
    delegate_of: Callable[[str], str | None],
    is_away: Callable[[str], bool],
    at_owner: bool = False,
) -> tuple[Seat, ...]:
    """The seats of a stage. `named` are the approvers as person keys; `at_owner`: it was passed on to the owner.

    Nobody is seated where the owner asks for it themselves and has no delegate.
    """
    found: dict[str, Seat] = {}
    for person in [owner] if at_owner else named:
        seat = _seat(person, requester, owner, delegate_of, is_away)
        if seat:
            found.setdefault(seat.person, seat)
    if not found and owner != requester:
        found[owner] = Seat(owner)
    return tuple(found.values())


def _seat(
    person: str,
    requester: str,
    owner: str,
    delegate_of: Callable[[str], str | None],
    is_away: Callable[[str], bool],
) -> Seat | None:
    if person != requester and not is_away(person):
        return Seat(person)
    for stand_in in (delegate_of(person), owner):
        if stand_in and stand_in not in (person, requester) and not is_away(stand_in):
            return Seat(stand_in, for_=person)
    return None


def verdict(need: int, seated: Sequence[Seat], votes: Mapping[str, bool]) -> Verdict:
    """How a stage stands by the votes of those who are seated now (person → approves).

    Rejected as soon as those who have not rejected can no longer reach `need`; a stage never needs more
    people than it seats.
    """
    people = {seat.person for seat in seated} | set(votes)
    need = min(need, len(people)) or 1
    in_favour = sum(1 for person, approves in votes.items() if approves and person in people)
    against = sum(1 for person, approves in votes.items() if not approves and person in people)
    if in_favour >= need:
        return Verdict.APPROVED
    if len(people) - against < need:
        return Verdict.REJECTED
    return Verdict.UNDECIDED


def stage_at(stages: Sequence[Stage], number: int) -> Stage | None:
    """The stage of this number, counted from 1; None when all are passed."""
    return stages[number - 1] if 0 < number <= len(stages) else None
