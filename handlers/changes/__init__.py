"""Changes: written down, decided on by the right people, made in their time, and looked back upon."""

from __future__ import annotations

from handlers.changes import (
    approvals,
    deciding,
    emergencies,
    freezing,
    planning,
    reviewing,
    running,
    scheduling,
    transitions,
    views,
)

PARTS = (
    planning,
    approvals,
    deciding,
    scheduling,
    running,
    reviewing,
    emergencies,
    freezing,
    transitions,
    views,
)
"""The modules that declare its commands, in the order in which help lists them."""
