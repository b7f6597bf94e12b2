"""Every measurement in turn, after a line about the machine: ratios taken within one run, judged by people."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from storage import sqlite

PARTS = sorted(each.stem for each in Path(__file__).parent.glob("bench_*.py"))


def main() -> int:
    """Run each part in a process of its own, so that none inherits another's memory; returns how many failed."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", end="")
    print(f", SQLite {sqlite.driver.sqlite_version}, {platform.system()} {platform.release()}")
    failed = 0
    for part in PARTS:
        print(f"\n== {part.removeprefix('bench_')}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"tests.bench.{part}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
