"""How alike two short descriptions of trouble are, by the words that they share."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w{3,}")
_SAYS_NOTHING = frozenset(
    _WORD.findall(
        "the and for not with from that this has have are was were but its cannot does doesn don won can all"
        " any our your again since when while very just now out too"
    )
)
ALIKE = 0.5
"""From this likeness on two descriptions may be about the same thing."""


def words(text: str) -> frozenset[str]:
    """The words of a text that say something, in small letters, cut to their first six letters.

    The cut lets `printer` and `printers`, `connect` and `connection` be the same word.
    """
    return frozenset(word[:6] for word in _WORD.findall(text.casefold()) if word not in _SAYS_NOTHING)


def likeness(one: str, other: str) -> float:
    """From 0 (no word in common) to 1 (the shorter one's words are all in the other)."""
    mine, theirs = words(one), words(other)
    return len(mine & theirs) / min(len(mine), len(theirs)) if mine and theirs else 0.0
