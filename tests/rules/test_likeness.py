"""Are two texts taken for alike when they are about the same thing, and not because everybody complains alike?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.rules.likeness import likeness, likeness_to, words


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("The printer gives blank pages", "blank pages from my printer", 1.0),
        ("printers print blanks", "PRINTING a blank page", 1.0),
        ("connection lost", "cannot connect", 1.0),
        ("VPN fails from home", "the vpn at home", 1.0),
        ("mail is slow", "mail is late", 0.5),
        ("the vpn from home is slow", "the mailbox at home is full", 1 / 3),
        ("it does not work", "nothing works, please help", 0.0),
        ("", "the printer", 0.0),
        ("Der Drucker druckt leere Seiten", "leere Seiten aus dem Drucker", 0.75),
        ("Überweisung schlägt fehl", "ÜBERWEISUNGEN schlagen fehl", 2 / 3),
        ("プリンターが動かない", "プリンターが動かない", 1.0),
    ],
)
def test_texts_are_as_alike_as_their_telling_words(one: str, other: str, how: float) -> None:
    assert likeness(one, other) == pytest.approx(how)
    assert likeness(other, one) == pytest.approx(how)


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("mail is slow", "mail is late", 0.0),
        ("mail", "mail is late", 1.0),
        ("mail is slow", "slow mail", 1.0),
    ],
)
def test_one_word_in_common_is_chance_where_both_have_more(one: str, other: str, how: float) -> None:
    assert likeness_to(one, shared=2)(other) == likeness_to(other, shared=2)(one) == how


@given(st.text(max_size=300), st.text(max_size=300), st.integers(1, 5))
def test_any_texts_can_be_compared_either_way_round(one: str, other: str, shared: int) -> None:
    assert 0 <= likeness(one, other) == likeness(other, one) <= 1
    assert likeness_to(one, shared)(other) in (0.0, likeness(one, other))
    assert likeness(one, one) == (1.0 if words(one) else 0.0)
