"""Incidents: something is broken, the right person is woken, the next word comes on time, and service comes back."""

from __future__ import annotations

from handlers.incidents import climbing, ending, intake, links, repair, response, roles, views

PARTS = (intake, response, roles, climbing, links, ending, repair, views)
"""The modules that declare its commands, in the order in which help lists them."""
