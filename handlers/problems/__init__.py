"""Problems: why incidents happen, what helps until the cause is gone, and whether its removal had an effect."""

from __future__ import annotations

from handlers.problems import known_errors, views, work

PARTS = (work, known_errors, views)
"""The modules that declare its commands, in the order in which help lists them."""
