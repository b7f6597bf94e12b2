"""The way in: a program of 1,700 modules is loaded a fifth faster while nobody looks for garbage among them."""

from __future__ import annotations

import gc


def main() -> None:
    """Load `deskbell`, and run it."""
    gc.disable()
    from bot import cli

    gc.enable()
    cli.main()
