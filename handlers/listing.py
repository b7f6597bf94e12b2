"""How lists of tickets are told and turned over, the same for every kind of ticket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from handlers.messages import Button, Reply, Table, Words
from handlers.parsing import quoted
from handlers.telling import show_button

PAGE = 10
"""Tickets on a page."""


def heading(total: int, whose: str, about: str | None, page: int) -> str:
    """`12 of your requests about “printer”, page 1 of 2`."""
    said = f"{total} of {whose}" + (f" about “{about}”" if about else "")
    return said + (f", page {page} of {pages(total)}" if pages(total) > 1 else "")


def pages(total: int) -> int:
    """How many pages so many tickets fill; one, where there are none."""
    return max(1, -(-total // PAGE))


def nothing(empty: str, page: int, total: int) -> str:
    """Why there are no rows: there are none at all, or none on this page."""
    behind = total and page > pages(total)
    return f"There is no page {page}; the last is page {pages(total)}." if behind else empty


def skipped(page: int) -> int:
    """How many tickets lie before a page, counted from 1."""
    return (page - 1) * PAGE


def turning(line: str, about: str | None, page: int, total: int) -> tuple[Button, ...]:
    """The buttons to the page before and the page after, where there are such."""
    line += f" about:{quoted(about)}" if about else ""
    before = min(page - 1, pages(total))
    earlier = (Button(label="Previous", line=f"{line} page:{before}"),) if before else ()
    further = (Button(label="Next", line=f"{line} page:{page + 1}"),) if page * PAGE < total else ()
    return earlier + further


class Asked(Protocol):
    """What every list takes: whose things, words to look for, and which page."""

    @property
    def scope(self) -> str:
        """Whose."""

    @property
    def about(self) -> str | None:
        """Words to look for."""

    @property
    def page(self) -> int:
        """Counted from 1."""


def listing(
    asked: Asked,
    line: str,
    whose: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Words, ...]],
    total: int,
    empty: str,
) -> Reply:
    """A page of a list, whose rows begin with a reference, with buttons to turn it and to open the first three."""
    return Reply(
        title=heading(total, whose, asked.about, asked.page),
        table=Table(columns=tuple(columns), rows=tuple(rows), empty=nothing(empty, asked.page, total)),
        buttons=(
            *turning(f"{line} {asked.scope}", asked.about, asked.page, total),
            *(show_button(str(row[0][0])) for row in rows[:3]),
        ),
    )
