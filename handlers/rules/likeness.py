"""How alike two descriptions of trouble are, by the telling words that they share."""

from __future__ import annotations

import re
from collections.abc import Callable

_WORD = re.compile(r"[^\W_]{3,}")
_BEGINNING = 5  # letters
_IN_EVERY_COMPLAINT = """
    about after again all also always and any anymore are because been before broken but can cannot could did
    does doesn doing don down during error every fails for from get gets getting good had has have hello help
    her his how into isn issue its just know like longer may more most must need needs never not now off one
    only other our out over own please problem same should since some still such than thank thanks that the
    their them then there these they this today too under until use used user users using very want wants was
    were what when where which while who why will with without won work working works would yes yesterday yet
    you your
"""
_TELLS_NOTHING = frozenset(_WORD.findall(_IN_EVERY_COMPLAINT))

ALIKE = 0.5
"""From this likeness on two descriptions may be about the same thing."""


def words(text: str) -> frozenset[str]:
    """The words of a text that tell what it is about, in small letters, cut to their first five letters.

    The cut lets `printer` and `prints`, `connect` and `connection` be the same word. What tells nothing is
    known for English; in other languages a little too much is found.
    """
    found = _WORD.findall(text.casefold())
    return frozenset(word[:_BEGINNING] for word in found if word not in _TELLS_NOTHING)


def likeness(one: str, other: str) -> float:
    """From 0 (no word in common) to 1 (the shorter one's words are all in the other)."""
    return likeness_to(one)(other)


def likeness_to(text: str, shared: int = 1) -> Callable[[str], float]:
    """How alike other texts are to this one. With less than `shared` words in common, where both have as many: 0."""
    mine = words(text)

    def alike(other: str) -> float:
        theirs = words(other)
        fewer, common = min(len(mine), len(theirs)), len(mine & theirs)
        return common / fewer if common and common >= min(shared, fewer) else 0.0

    return alike
