"""Service levels: what was promised, by when, why, whether it was kept, whether it will be, and what would change it.

A clock is computed from the evidence each time it matters. What is stored is a projection for lists, tallies of it
for figures, and one due moment for each clock: the next at which time alone changes it.
"""

from __future__ import annotations

from handlers.service_levels import (
    agreements,
    breaches,
    digest,
    excluding,
    forecasting,
    keeping,
    services,
    simulating,
    status,
    why,
)

PARTS = (keeping, why, status, breaches, excluding, forecasting, simulating, agreements, digest, services)
"""The modules that declare its commands, in the order in which help lists them."""
