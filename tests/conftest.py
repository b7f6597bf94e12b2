"""The fixtures live in tests/harness, one file for each thing that tests stand on; name yours here."""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

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

_ALONE = "tests/survival/"
_LONG = (_ALONE, "tests/scenarios/", "tests/browser/", "tests/running/", "tests/flow/")


class _Files(LoadFileScheduling):  # type: ignore[misc]  # xdist ships no types
    """Whole files go to a test worker, and everything that runs desks goes to the same one.

    What is measured there does not like company, and no other worker waits for its turn.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _ALONE if nodeid.startswith(_ALONE) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Hand out whole files in the way of this house."""
    return _Files(config, log) if config.option.dist == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that all test workers end together."""
    items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in _LONG])


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from what was collected, which stays to the end, as a running desk does.

    Each look at all of it takes a quarter of a second, and a run takes dozens.
    """
    gc.collect()
    gc.freeze()
