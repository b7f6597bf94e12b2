"""Are two texts taken for alike when they are about the same thing, and not because everybody complains alike?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.likeness import shared, telling


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("The printer gives blank pages", "blank pages from my printer", 3),
        ("printers print blanks", "PRINTING a blank page", 2),
        ("VPN fails from home", "the vpn at home", 2),
        ("vpn", "the VPN from home is slow", 1),
        ("the vpn from home is slow", "the mailbox at home is full", 0),
        ("it does not work", "nothing works, please help", 0),
        ("", "the printer", 0),
        ("it is not so", "it is so", 0),
        ("Der Drucker druckt leere Seiten", "leere Seiten aus dem Drucker", 3),
        ("Überweisung schlägt fehl", "ÜBERWEISUNGEN schlagen fehl", 2),
        ("プリンターが動かない", "プリンターが動かない", 1),
    ],
)
def test_texts_that_share_what_they_are_about_are_alike(one: str, other: str, common: int) -> None:
    assert shared(telling(one), telling(other)) == common
    assert shared(telling(other), telling(one)) == common


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_texts_can_be_compared_either_way_round(one: str, other: str) -> None:
    mine, theirs = telling(one), telling(other)
    assert shared(mine, theirs) == shared(theirs, mine) <= min(len(mine), len(theirs))
    assert shared(mine, mine) == len(mine)
    assert telling(f"{one} {other}") >= mine
