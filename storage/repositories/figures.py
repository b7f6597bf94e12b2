"""Figures that are read from tickets themselves: downtime, load, ratings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlmodel import Session, col

from storage.models.incidents import Incident
from storage.models.requests import Request


class Figures:
    """Questions of managers about services, teams and people."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def outages(
        self, service: str, severities: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[tuple[int, datetime, datetime | None]]:
        """The incidents of these severities that a service had at some time in a period: number, report, end.

        Practices, and what was merged into another one, are left out.
        """
        rows = self._session.execute(
            select(col(Incident.number), col(Incident.opened_at), col(Incident.resolved_at))
            .where(
                col(Incident.service) == service,
                col(Incident.severity).in_(list(severities)),
                col(Incident.practice).is_(False),
                col(Incident.merged_into).is_(None),
                col(Incident.opened_at) < until,
                or_(col(Incident.resolved_at).is_(None), col(Incident.resolved_at) >= since),
            )
            .order_by(col(Incident.opened_at))
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def in_hand(self, requests: Sequence[str], incidents: Sequence[str]) -> dict[tuple[str, str | None], int]:
        """How many open tickets each person of each team holds, by (team, person); None holds what nobody took.

        `requests` and `incidents` are the states that count as open.
        """
        found: dict[tuple[str, str | None], int] = {}
        for model, states in ((Request, requests), (Incident, incidents)):
            whose: tuple[Any, ...] = (model.team, model.assignee)
            open_ = col(model.state).in_(list(states))
            rows = self._session.execute(select(*whose, func.count()).where(open_).group_by(*whose))
            for team, person, number in rows:
                found[team, person] = found.get((team, person), 0) + int(number)
        return found

    def flow(self, since: datetime, until: datetime) -> dict[str, tuple[int, int]]:
        """By team, how many tickets came in a period and how many were done in it."""
        came: dict[str, int] = {}
        went: dict[str, int] = {}
        asked: tuple[tuple[dict[str, int], Any, Any], ...] = (
            (came, Request.team, Request.opened_at),
            (came, Incident.team, Incident.opened_at),
            (went, Request.team, Request.fulfilled_at),
            (went, Incident.team, Incident.resolved_at),
        )
        for into, team, moment in asked:
            counted = select(team, func.count()).where(moment >= since, moment < until).group_by(team)
            for key, number in self._session.execute(counted):
                into[key] = into.get(key, 0) + int(number)
        return {team: (came.get(team, 0), went.get(team, 0)) for team in sorted({*came, *went})}

    def ratings(self, since: datetime, until: datetime) -> dict[str, dict[int, int]]:
        """How often each rating was given to what was done in a period, by service."""
        found: dict[str, dict[int, int]] = {}
        whose: tuple[Any, ...] = (Request.service, Request.rating)
        asked = select(*whose, func.count()).where(
            col(Request.rating).is_not(None),
            col(Request.fulfilled_at) >= since,
            col(Request.fulfilled_at) < until,
        )
        for service, rating, number in self._session.execute(asked.group_by(*whose)):
            found.setdefault(service, {})[rating] = int(number)
        return found
