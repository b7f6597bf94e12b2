"""Service requests: somebody asks for something that the catalogue offers, and gets it by when it was promised."""

from __future__ import annotations

from handlers.requests import approvals, intake, views, work

PARTS = (intake, approvals, work, views)
"""The modules that declare its commands, in the order in which help lists them."""
