"""Continuity: what an outage would do, the plans against it, and the drills that show whether they hold."""

from __future__ import annotations

from handlers.continuity import (
    confronting,
    ending,
    impact,
    invoking,
    measuring,
    pausing,
    plans,
    preparing,
    running,
    scheduling,
    signing,
    starting,
    taking_up,
    views,
    watching,
    writing,
)

PARTS = (
    impact,
    taking_up,
    writing,
    signing,
    plans,
    preparing,
    scheduling,
    starting,
    running,
    confronting,
    pausing,
    measuring,
    ending,
    invoking,
    watching,
    views,
)
"""The modules that declare its commands, in the order in which help lists them."""
