"""Where tests keep their files: in memory, where there is room, since nothing of theirs outlives the machine.

A killed process leaves there what it leaves on a disk. A fresh database then takes a tenth of the time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30  # bytes: several times what a whole run holds at once


def keep_files_in_memory() -> None:
    """Let temporary files live in memory from now on, here and in child processes, unless TMPDIR says where."""
    if "TMPDIR" not in os.environ and _has_room():
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it is looked up again


def _has_room() -> bool:
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK | os.X_OK):
        return False
    return shutil.disk_usage(MEMORY).free >= ROOM and psutil.virtual_memory().available >= ROOM
