"""The fixtures live in tests/harness, one file for each thing that tests stand on; name yours here."""

from __future__ import annotations

import pytest

pytest_plugins = [
    "tests.harness.accessibility",
    "tests.harness.browser",
    "tests.harness.console",
    "tests.harness.house",
    "tests.harness.pages",
    "tests.harness.postgres",
]

_WAIT = ("tests/survival/", "tests/running/", "tests/browser/", "tests/flow/", "tests/scenarios/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for real processes comes first: others then fill the gaps, and nothing slow is left for the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(_WAIT))
