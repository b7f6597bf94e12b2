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

_ONE_AT_A_TIME = "tests/survival/"


@pytest.hookimpl(tryfirst=True)  # else xdist has looked for groups already
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests stay in one worker, so that a module's database is made once.

    What runs desks one at a time stays in one worker altogether, and begins first: it waits more than it works.
    """
    for item in items:
        alone = item.nodeid.startswith(_ONE_AT_A_TIME)
        group = _ONE_AT_A_TIME if alone else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: not item.nodeid.startswith(_ONE_AT_A_TIME))
