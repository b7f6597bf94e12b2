"""The fixtures live in tests/harness, one file for each thing that tests stand on; name yours here."""

pytest_plugins = [
    "tests.harness.accessibility",
    "tests.harness.browser",
    "tests.harness.console",
    "tests.harness.house",
    "tests.harness.pages",
    "tests.harness.postgres",
]
