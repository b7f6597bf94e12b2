"""The heat map for managers: service by service, whether recovery is analysed, planned, drilled and within target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class Heat(StrEnum):
    """How a cell stands; always said in words, too."""

    GOOD = "good"
    DUE = "due"
    BAD = "bad"
    NONE = "none"


@dataclass(frozen=True)
class HeatCell:
    """One square: how it stands and the words in it, with the reference that it leads to."""

    heat: Heat
    words: str
    ref: str | None = None


@dataclass(frozen=True)
class HeatRow:
    """One service. `cells` follow `COLUMNS`; criticality, RTO and RPO are those that its owner has signed."""

    service: str
    name: str
    owner: str
    criticality: str | None
    rto: timedelta | None
    rpo: timedelta | None
    cells: tuple[HeatCell, ...]
    drilled_at: datetime | None
    drill_by: date | None
    open_findings: int


COLUMNS = ("Analysis", "Plan", "Drilled", "Measured", "Within target", "Ready", "Findings")
"""What each cell of a row is about, in this order."""
