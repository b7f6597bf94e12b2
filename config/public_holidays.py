"""Public holidays by country and region, asked of the `holidays` library in a process of its own.

The library loads every country of the world to answer for one, some 9 MB that a desk would carry for as long
as it runs. So a child process answers, once for each country and region, and its memory goes with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache

_PATIENCE = 60  # seconds; the child needs one


@lru_cache(maxsize=1)
def known_regions() -> Mapping[str, Sequence[str]]:
    """The regions of every country that the library knows, by the country's ISO 3166-1 code."""
    found: Mapping[str, Sequence[str]] = json.loads(_ask())
    return found


@lru_cache(maxsize=64)
def public_holidays(country: str, region: str | None, first: int, last: int) -> Mapping[date, str]:
    """The holidays of the years `first` to `last`, in the country's own language; the names are known ones."""
    found = json.loads(_ask(country, region or "", str(first), str(last)))
    return {date.fromisoformat(day): name for day, name in found.items()}


def _ask(*words: str) -> str:
    # -P: a folder called `config` where the desk was started must not stand in for ours.
    child = [sys.executable, "-P", "-m", __name__, *words]
    return subprocess.run(child, capture_output=True, text=True, check=True, timeout=_PATIENCE).stdout  # noqa: S603 - ours


def _answer(words: Sequence[str]) -> Mapping[str, object]:
    """What the child says."""
    import holidays

    if not words:
        return holidays.list_supported_countries(include_aliases=True)
    country, region, first, last = words
    subdivision = region or None
    # Without a language the library takes the machine's, and two machines would hold two versions.
    language = holidays.country_holidays(country, subdiv=subdivision).default_language
    years = range(int(first), int(last) + 1)
    found = holidays.country_holidays(country, subdiv=subdivision, years=years, language=language)
    return {day.isoformat(): name for day, name in sorted(found.items())}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_answer(sys.argv[1:])))
