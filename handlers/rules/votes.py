"""Votes on a change: on what exactly, by whom, and when they have decided.

A vote holds for the content that was voted on, and for no other: the votes of one content are a ballot, and any edit
begins a new one. Who asked for the change, who makes it, and whoever the policy lets stand in for these has no vote,
whatever their roles. A person has one vote in a stage, whichever account they use.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from handlers.rules.approval import Seat, Verdict

Content = Mapping[str, Any]
"""What is decided on, as JSON-ready data: plan, window, services, back-out and all else that an edit can change."""


class Says(StrEnum):
    """What a vote says. An abstention is no objection, but it cannot help to reach the quorum either."""

    APPROVE = "approve"
    OBJECT = "object"
    ABSTAIN = "abstain"


@dataclass(frozen=True)
class Vote:
    """One person's word in a stage of a ballot."""

    person: str
    says: Says


@dataclass(frozen=True)
class Tally:
    """How a stage stands: who said what, who is still asked, and how many more must agree."""

    verdict: Verdict
    approve: tuple[str, ...]
    object: tuple[str, ...]
    abstain: tuple[str, ...]
    silent: tuple[str, ...]
    missing: int


@dataclass(frozen=True)
class Difference:
    """A part of the content that is not what it was."""

    part: str
    was: Any
    now: Any


def seal(content: Content) -> str:
    """The SHA-256 of a content's canonical JSON, as 64 hexadecimal digits: what a vote is bound to."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def differences(before: Content, after: Content) -> list[Difference]:
    """The parts in which two contents differ, in the order of the later one."""
    parts = dict.fromkeys((*after, *before))
    return [
        Difference(part, before.get(part), after.get(part))
        for part in parts
        if before.get(part) != after.get(part)
    ]


def barred(requester: str, implementer: str, delegate_of: Callable[[str], str | None]) -> Mapping[str, str]:
    """Who has no vote, and why: `asked for it`, `makes it`, or `stands in for …` (a person's key)."""
    why = {requester: "asked for it"}
    why.setdefault(implementer, "makes it")
    for person in (requester, implementer):
        stand_in = delegate_of(person)
        if stand_in:
            why.setdefault(stand_in, f"stands in for {person}")
    return why


def seats(
    named: Iterable[str],
    without: Collection[str],
    delegate_of: Callable[[str], str | None],
    is_away: Callable[[str], bool],
) -> tuple[Seat, ...]:
    """Who is asked: the named people less those without a vote, each once.

    The seat of somebody who is away falls to their delegate, unless that one has no vote or is away, too.
    """
    found: dict[str, Seat] = {}
    for person in named:
        if person in without:
            continue
        delegate = delegate_of(person) if is_away(person) else None
        if delegate and delegate not in without and not is_away(delegate):
            found.setdefault(delegate, Seat(delegate, for_=person))
        else:
            found[person] = Seat(person)
    return tuple(found.values())


def tally(need: int, seated: Iterable[str], votes: Sequence[Vote], without: Collection[str]) -> Tally:
    """How a stage stands by the votes of one ballot.

    Approved as soon as `need` people agree; rejected as soon as so many can no longer agree. A vote that somebody
    cast while they had one stays when they lose a role, but not when they turn out to be barred.
    """
    cast = {vote.person: vote.says for vote in votes if vote.person not in without}
    said = {says: tuple(person for person, word in cast.items() if word is says) for says in Says}
    silent = tuple(person for person in dict.fromkeys(seated) if person not in cast and person not in without)
    in_favour = len(said[Says.APPROVE])
    if in_favour >= need:
        verdict = Verdict.APPROVED
    else:
        verdict = Verdict.REJECTED if in_favour + len(silent) < need else Verdict.UNDECIDED
    return Tally(
        verdict,
        approve=said[Says.APPROVE],
        object=said[Says.OBJECT],
        abstain=said[Says.ABSTAIN],
        silent=silent,
        missing=max(0, need - in_favour),
    )
