"""Incidents: the ticket, the parts that people play in it, what was last said about it, what it belongs to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from storage.columns import Instant


class Incident(SQLModel, table=True):
    """Something is broken; its history is the evidence, this row is how it stands.

    `reporter` is who said so, or `desk` for what an alert said (`alert` is that alert's reference). `assignee`
    holds it. `level` and `round` say how far it has climbed since nobody holds it; 0 when nobody was paged.
    A `practice` takes the same road and stays out of every figure.
    """

    __tablename__ = "incident"
    __table_args__ = (
        Index("ix_incident_team_state", "team", "state"),
        Index("ix_incident_service_state", "service", "state"),
    )

    number: int = Field(primary_key=True)
    title: str = Field(max_length=200)
    detail: str | None = Field(default=None, max_length=3000)
    service: str = Field(max_length=48)
    team: str = Field(max_length=48)
    room: str = Field(max_length=48)
    impact: str = Field(max_length=8)
    urgency: str = Field(max_length=8)
    severity: str = Field(max_length=8)
    agreement: str = Field(max_length=48)
    agreement_version: str = Field(max_length=16)
    escalation: str = Field(max_length=48)
    escalation_version: str = Field(max_length=16)
    state: str = Field(max_length=16, index=True)
    reporter: str = Field(max_length=48, index=True)
    assignee: str | None = Field(default=None, max_length=48, index=True)
    alert: str | None = Field(default=None, max_length=100, index=True)
    practice: bool = False
    source: str | None = Field(default=None, max_length=500)
    platform: str = Field(max_length=20)
    opened_at: datetime = Field(sa_type=Instant)
    changed_at: datetime = Field(sa_type=Instant)
    level: int = 0
    round: int = 0
    resolved_at: datetime | None = Field(default=None, sa_type=Instant)
    confirmed_at: datetime | None = Field(default=None, sa_type=Instant)
    merged_into: int | None = None
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"INC-{self.number}"


FOLLOWER, PAGED = "follower", "paged"
"""The parts of those who want to hear of an incident, and of those who were woken for it."""


class IncidentPart(SQLModel, table=True):
    """The part somebody plays: `lead`, `communications`, `operations`, or one of the two above."""

    __tablename__ = "incident_part"

    incident: int = Field(primary_key=True, foreign_key="incident.number")
    part: str = Field(primary_key=True, max_length=16)
    person: str = Field(primary_key=True, max_length=48, index=True)
    since: datetime = Field(sa_type=Instant)


class IncidentText(SQLModel, table=True):
    """What was last said of one kind: an `update`, the `workaround`, `how` it was resolved, its `cause`, `lessons`."""

    __tablename__ = "incident_text"

    incident: int = Field(primary_key=True, foreign_key="incident.number")
    kind: str = Field(primary_key=True, max_length=16)
    author: str = Field(max_length=48, index=True)
    text: str = Field(max_length=3000)
    at: datetime = Field(sa_type=Instant)


class IncidentLink(SQLModel, table=True):
    """Another ticket that an incident has to do with."""

    __tablename__ = "incident_link"

    incident: int = Field(primary_key=True, foreign_key="incident.number")
    ref: str = Field(primary_key=True, max_length=20, index=True)
    by: str = Field(max_length=48)
    at: datetime = Field(sa_type=Instant)
