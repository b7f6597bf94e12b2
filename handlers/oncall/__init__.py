"""On call: who is to be woken, when that changes, and how one hands over."""

from __future__ import annotations

from handlers.oncall import feeds, handover, overrides, swaps, views, waking

PARTS = (views, overrides, swaps, handover, waking, feeds)
"""The modules that declare its commands, in the order in which help lists them."""
