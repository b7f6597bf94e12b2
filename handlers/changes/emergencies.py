"""Breaking the glass: a change that cannot wait, allowed by a second pair of eyes or by whoever leads the incident.

It goes through every freeze, and what it spares beforehand is owed afterwards: a review, by a moment. Who lets that
moment pass breaks no further glass until it is paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from config.policy import ChangeKind
from handlers.changes.content import rules_of
from handlers.changes.deciding import open_ballot
from handlers.changes.planning import begin, created, requested_record
from handlers.changes.shared import Services
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed
from handlers.parsing import IncidentRef, Line, Manner, PersonRef, Text
from handlers.rules.moments import show_day
from handlers.rules.windows import wall_of
from handlers.tickets import require_works


@dataclass(frozen=True)
class Emergency:
    """For example: change emergency restart the mail store service:mail because:“it loses mails” plan:restart"""

    title: Annotated[Line, "What must be done at once, in a few words"]
    service: Annotated[Services, Manner.BY_NAME, "Which services, as mail, vpn"]
    because: Annotated[Text, Manner.BY_NAME, "Why it cannot wait for approval"]
    plan: Annotated[Text, Manner.BY_NAME, "What is done"]
    backout: Annotated[Text | None, Manner.BY_NAME, "How it is undone if it does not help"] = None
    incident: Annotated[IncidentRef | None, Manner.BY_NAME, "The incident that it is for"] = None
    implementer: Annotated[PersonRef | None, Manner.BY_NAME, "Who makes it; you, when left out"] = None


@command("change emergency", params=Emergency, evidences=("CM SP 2.1", "CM SP 2.2"))
def emergency(asked: Emergency, desk: Desk) -> Outcome:
    """Break the glass: make a change at once, through every freeze; its review is owed, and soon."""
    rules = rules_of(desk)
    require_works(desk, "Changes are made")
    _require_paid(desk)
    if asked.incident is not None:
        desk.look(asked.incident)
    content: dict[str, Any] = {
        "title": asked.title,
        "services": sorted(asked.service),
        "start": None,
        "end": None,
        "because": asked.because,
        "plan": asked.plan,
        "test": "",
        "backout": asked.backout or "",
        "implementer": asked.implementer or desk.asker.key,
        "risk": {},
    }
    change = begin(desk, ChangeKind.EMERGENCY, content, rules.room, incident=asked.incident)
    return created(desk, change, requested_record(change, content), open_ballot(desk, change))


def _require_paid(desk: Desk) -> None:
    """Raise NotAllowed while the asker owes a review whose moment has passed."""
    overdue = [
        each
        for each in desk.records.changes.unpaid(desk.asker.key)
        if each.review_by is not None and each.review_by < desk.now
    ]
    if not overdue:
        return
    refs = ", ".join(each.ref for each in overdue)
    since = wall_of(overdue[0].review_by or desk.now, desk.asker.zone)
    raise NotAllowed(
        f"You owe the review of {refs}, due since {show_day(since.date())}.",
        "Review it first; then the glass can be broken again. Until then, somebody else can ask.",
        [(f"Review {each.ref}", f"change review {each.ref}") for each in overdue[:3]],
    )
