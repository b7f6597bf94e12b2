"""The fixtures live in tests/harness, one file for each thing that tests stand on; name yours here."""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings

from tests.harness.memory import keep_files_in_memory

keep_files_in_memory()
settings.register_profile("desk", deadline=None)  # no test asserts how long something takes
settings.load_profile("desk")

pytest_plugins = [
    "tests.harness.accessibility",
    "tests.harness.browser",
    "tests.harness.console",
    "tests.harness.house",
    "tests.harness.pages",
    "tests.harness.postgres",
]

_ONE_AT_A_TIME = "survival"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files that run desks one at a time among the others, so that no test worker waits for another."""
    files = list(dict.fromkeys(item.path for item in items))
    alone = [file for file in files if file.parent.name == _ONE_AT_A_TIME]
    others = [file for file in files if file.parent.name != _ONE_AT_A_TIME]
    apart = len(others) / max(1, len(alone))
    places = {file: float(number) for number, file in enumerate(others)}
    places |= {file: number * apart - 0.5 for number, file in enumerate(alone)}
    items.sort(key=lambda item: places[item.path])


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from what was collected, which stays to the end, as a running desk does.

    Each look at all of it takes a quarter of a second, and a run takes dozens.
    """
    gc.collect()
    gc.freeze()
