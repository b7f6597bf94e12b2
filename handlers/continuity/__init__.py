"""Continuity: what an outage would do, the plans against it, and the drills that show whether they hold."""

from __future__ import annotations

from handlers.continuity import (
    ending,
    impact,
    invoking,
    measuring,
    plans,
    preparing,
    running,
    scheduling,
    views,
    watching,
)

PARTS = (impact, plans, preparing, scheduling, running, measuring, ending, invoking, watching, views)
"""The modules that declare its commands, in the order in which help lists them."""
