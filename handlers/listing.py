"""How lists of tickets are told and turned over, the same for every kind of ticket."""

from __future__ import annotations

from handlers.messages import Button
from handlers.parsing import quoted

PAGE = 10
"""Tickets on a page."""


def heading(total: int, whose: str, about: str | None, page: int) -> str:
    """`12 of your requests about “printer”, page 1 of 2`."""
    pages = max(1, -(-total // PAGE))
    said = f"{total} of {whose}" + (f" about “{about}”" if about else "")
    return said + (f", page {page} of {pages}" if pages > 1 else "")


def skipped(page: int) -> int:
    """How many tickets lie before a page, counted from 1."""
    return (page - 1) * PAGE


def turning(line: str, about: str | None, page: int, total: int) -> tuple[Button, ...]:
    """The buttons to the page before and the page after, where there are such."""
    line += f" about:{quoted(about)}" if about else ""
    earlier = (Button(label="Previous", line=f"{line} page:{page - 1}"),) if page > 1 else ()
    further = (Button(label="Next", line=f"{line} page:{page + 1}"),) if page * PAGE < total else ()
    return earlier + further
