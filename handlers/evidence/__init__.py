"""Evidence: what the work left behind, and proof that nobody changed it."""

from __future__ import annotations

from handlers.evidence import coverage, ledger, retention

PARTS = (ledger, coverage, retention)
"""The modules that declare its commands, in the order in which help lists them."""
