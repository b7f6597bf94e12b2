"""The way in: a program of 1,700 modules is loaded a fifth faster while nobody looks for garbage among them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Look for no garbage for a while, in which modules are imported: there is none among them."""
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looks:
            gc.enable()


def main() -> None:
    """Load `deskbell`, and run it."""
    with loading():
        from bot import cli

    cli.main()
