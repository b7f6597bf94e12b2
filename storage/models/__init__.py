"""Tables, one file per capability. Importing this package makes the metadata complete, for migrations and tests."""

from storage.models import (
    alerts,
    changes,
    console,
    continuity,
    drafts,
    evidence,
    flow,
    incidents,
    leases,
    oncall,
    people,
    problems,
    requests,
    service_levels,
    tokens,
    web,
)

__all__ = [
    "alerts",
    "changes",
    "console",
    "continuity",
    "drafts",
    "evidence",
    "flow",
    "incidents",
    "leases",
    "oncall",
    "people",
    "problems",
    "requests",
    "service_levels",
    "tokens",
    "web",
]
