"""Cells that no spreadsheet takes for a formula, and that can be read back (OWASP, CSV injection).

What would be one, or begins with what a spreadsheet passes over, gets an apostrophe in front; so does what begins
with an apostrophe, so that taking one away gives back every text as it was written.
"""

from __future__ import annotations

from typing import Any

_LEADS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "'")
# Spreadsheets of the far East take these for the four before.
_WIDE = ("\uff1d", "\uff0b", "\uff0d", "\uff20")


def cell(value: Any) -> Any:
    """A value for one cell of a CSV file; what is no text stays as it is."""
    if isinstance(value, str) and (value.startswith(_LEADS) or value.lstrip().startswith((*_LEADS, *_WIDE))):
        return f"'{value}"
    return value
