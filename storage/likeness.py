"""Which texts are about the same thing, told by the words that they share.

Two texts are alike when they share two telling words, or all of them where one of the texts has fewer. A
word tells something when it has three letters or more and is none of those that stand in every complaint
(in English; other languages find a little too much). Only its beginning is compared, so that `printer` finds
`prints`.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

_WORD = re.compile(r"[^\W_]{3,}")
_BEGINNING = 5  # letters; fewer confuse words, more tell forms of one word apart
_ENOUGH = 2
_IN_EVERY_COMPLAINT = """
    about after again all also always and any anymore are because been before broken but can cannot could did
    does doesn doing don down during error every fails for from get gets getting good had has have hello help
    her his how into isn issue just know like longer may more most must need needs never not now off one only
    other our out over own please problem same should since some still such than thank thanks that the their
    them then there these they this today too under until use used user users using very want wants was were
    what when where which while who why will with without won work working works would yes yesterday yet you
    your
"""
_TELLS_NOTHING = frozenset(_WORD.findall(_IN_EVERY_COMPLAINT))


def telling(text: str) -> frozenset[str]:
    """The beginnings of the words of a text that tell what it is about."""
    words = _WORD.findall(text.casefold())
    return frozenset(word[:_BEGINNING] for word in words if word not in _TELLS_NOTHING)


def shared(one: AbstractSet[str], other: AbstractSet[str]) -> int:
    """How many telling words two texts share; 0 when that is too few for them to be alike."""
    common = len(one & other)
    return common if common and common >= min(_ENOUGH, len(one), len(other)) else 0
