"""What the desk can do: the list of its capabilities, checked when the house is put together."""

from __future__ import annotations

from config.vocabulary import practices
from handlers import actions, alerts, guide, people, services, tokens
from handlers.changes import approvals as change_approvals
from handlers.changes import (
    deciding,
    emergencies,
    freezing,
    planning,
    reviewing,
    running,
    scheduling,
    transitions,
)
from handlers.changes import views as change_views
from handlers.continuity import ending as drill_ending
from handlers.continuity import impact, invoking, measuring, plans, preparing, watching
from handlers.continuity import running as drill_running
from handlers.continuity import scheduling as drill_scheduling
from handlers.continuity import views as drill_views
from handlers.declare import Commands
from handlers.errors import HouseFault
from handlers.evidence import coverage as evidence_coverage
from handlers.evidence import ledger, retention
from handlers.incidents import climbing, ending, links, repair, response, roles
from handlers.incidents import intake as incident_intake
from handlers.incidents import views as incident_views
from handlers.oncall import feeds, handover, overrides, swaps, waking
from handlers.oncall import views as oncall_views
from handlers.problems import known_errors
from handlers.problems import views as problem_views
from handlers.problems import work as problem_work
from handlers.requests import approvals, intake, views, work
from handlers.service_levels import (
    agreements,
    breaches,
    digest,
    excluding,
    forecasting,
    keeping,
    simulating,
    status,
    why,
)
from handlers.service_levels import services as service_figures

CAPABILITIES = (
    *(guide, people, services),
    *(intake, approvals, work, views),
    *(incident_intake, response, roles, climbing, links, ending, repair, incident_views),
    *(problem_work, known_errors, problem_views, actions),
    *(
        planning,
        change_approvals,
        deciding,
        scheduling,
        running,
        reviewing,
        emergencies,
        freezing,
        transitions,
        change_views,
    ),
    *(impact, plans, preparing, drill_scheduling, drill_running, measuring, drill_ending),
    *(invoking, watching, drill_views),
    alerts,
    *(oncall_views, overrides, swaps, handover, waking, feeds),
    *(keeping, why, status, breaches, excluding, forecasting, simulating),
    *(agreements, digest, service_figures),
    *(ledger, evidence_coverage, retention),
    tokens,
)


def load() -> Commands:
    """The table of commands. Raises HouseFault for a double name or a practice that CMMI-SVC does not have."""
    commands = Commands(CAPABILITIES)
    known = practices()
    for declared in commands.by_name.values():
        for code in declared.evidences:
            if code not in known:
                raise HouseFault(f"“{declared.name}” evidences {code}, which CMMI-SVC V1.3 does not have")
    return commands
