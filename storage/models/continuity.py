"""Continuity: impact analyses, plans, drills with their steps, injects and people, and what was found ready."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json


class ImpactAnalysis(SQLModel, table=True):
    """What an outage of a service does over time, and what follows: how soon it must be back, how much may be lost.

    `outage` and `loss` hold the harm by band (seconds as text). `rto` and `rpo` are seconds. Its owner signs it; then
    it stands until another one of the same service is signed. `review_on` is a day at the organisation's place.
    """

    __tablename__ = "impact_analysis"
    __table_args__ = (Index("ix_impact_analysis_service", "service", "state"),)

    number: int = Field(primary_key=True)
    service: str = Field(max_length=48)
    state: str = Field(max_length=16)
    outage: Any = Field(sa_type=Json)
    loss: Any = Field(sa_type=Json)
    rto: int
    rpo: int | None = None
    criticality: str = Field(max_length=12)
    resources: str = Field(default="", max_length=3000)
    author: str = Field(max_length=48, index=True)
    written_at: datetime = Field(sa_type=Instant)
    signed_by: str | None = Field(default=None, max_length=48)
    signed_at: datetime | None = Field(default=None, sa_type=Instant)
    review_on: str | None = Field(default=None, max_length=10)
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"BIA-{self.number}"


class ContinuityPlan(SQLModel, table=True):
    """A plan, from a file or built in chat; what each version says is kept among the definitions.

    `content` names its newest version and `signed` the one that its owner signed; `edition` counts the versions.
    """

    __tablename__ = "continuity_plan"

    number: int = Field(primary_key=True)
    key: str = Field(max_length=48, unique=True)
    name: str = Field(max_length=150)
    owner: str = Field(max_length=48, index=True)
    in_file: bool
    state: str = Field(max_length=16)
    content: str = Field(max_length=16)
    edition: int = 1
    author: str = Field(max_length=48, index=True)
    changed_at: datetime = Field(sa_type=Instant)
    signed: str | None = Field(default=None, max_length=16)
    signed_by: str | None = Field(default=None, max_length=48)
    signed_at: datetime | None = Field(default=None, sa_type=Instant)
    review_on: str | None = Field(default=None, max_length=10)
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"PLN-{self.number}"


class PlanService(SQLModel, table=True):
    """A service that a plan recovers."""

    __tablename__ = "continuity_plan_service"

    plan: int = Field(primary_key=True, foreign_key="continuity_plan.number")
    service: str = Field(primary_key=True, max_length=48, index=True)


class Drill(SQLModel, table=True):
    """A plan that is tried, or worked in earnest (`kind` is then `real`); its history is the evidence.

    `content` is the version of the plan that it is run by, fixed when it starts. `repeats` is a recurrence rule from
    its start on, in `zone`; `series` names one occurrence of a rule. `paused_for` is the incident that held it up.
    `within` says how it ended: whether every signed target was met.
    """

    __tablename__ = "drill"
    __table_args__ = (
        Index("ix_drill_state", "state", "starts_at"),
        Index("ix_drill_plan", "plan", "state"),
        Index("ix_drill_paused_for", "paused_for"),
    )

    number: int = Field(primary_key=True)
    kind: str = Field(max_length=12)
    title: str = Field(max_length=200)
    plan: int = Field(foreign_key="continuity_plan.number")
    content: str = Field(max_length=16)
    state: str = Field(max_length=12)
    room: str = Field(max_length=48)
    lead: str = Field(max_length=48, index=True)
    by: str = Field(max_length=48)
    incident: str | None = Field(default=None, max_length=20)
    series: str | None = Field(default=None, max_length=120, unique=True)
    repeats: str | None = Field(default=None, max_length=300)
    zone: str | None = Field(default=None, max_length=64)
    starts_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(sa_type=Instant)
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    paused_at: datetime | None = Field(default=None, sa_type=Instant)
    paused_for: str | None = Field(default=None, max_length=20)
    within: bool | None = None
    platform: str = Field(max_length=20)
    changed_at: datetime = Field(sa_type=Instant)
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"DRL-{self.number}"


class DrillService(SQLModel, table=True):
    """A service that a drill recovers, with the team that runs it, and what was measured when the drill ended.

    While it `holds`, nothing else should be done to the service from start to end.
    """

    __tablename__ = "drill_service"
    __table_args__ = (
        Index(
            "ix_drill_service_holds",
            "service",
            "starts_at",
            sqlite_where=text("holds = 1"),
            postgresql_where=text("holds"),
        ),
        Index("ix_drill_service_service", "service"),
    )

    drill: int = Field(primary_key=True, foreign_key="drill.number")
    service: str = Field(primary_key=True, max_length=48)
    team: str = Field(max_length=48)
    starts_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(sa_type=Instant)
    holds: bool = True
    rto: int | None = None
    rpo: int | None = None
    within: bool | None = None


class DrillStep(SQLModel, table=True):
    """A step of a running drill. `waits` is how many steps it still waits for; `before` are those that wait for it.

    `early` are the steps that it did not wait for. `note` is what shows it, or why it failed, was
    skipped or came early; `by` wrote it.
    """

    __tablename__ = "drill_step"

    drill: int = Field(primary_key=True, foreign_key="drill.number")
    key: str = Field(primary_key=True, max_length=48)
    place: int
    lane: str = Field(max_length=40)
    title: str = Field(max_length=150)
    owners: Any = Field(sa_type=Json)
    after: Any = Field(sa_type=Json)
    before: Any = Field(sa_type=Json)
    lasts: int
    proof: str = Field(default="", max_length=150)
    state: str = Field(max_length=8)
    waits: int = 0
    planned_at: datetime = Field(sa_type=Instant)
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    ended_at: datetime | None = Field(default=None, sa_type=Instant)
    by: str | None = Field(default=None, max_length=48, index=True)
    note: str = Field(default="", max_length=3000)
    early: Any = Field(default=None, sa_type=Json, nullable=True)


class DrillInject(SQLModel, table=True):
    """What participants are confronted with at a moment; it moves when the drill is paused."""

    __tablename__ = "drill_inject"

    drill: int = Field(primary_key=True, foreign_key="drill.number")
    number: int = Field(primary_key=True)
    says: str = Field(max_length=3000)
    to: Any = Field(sa_type=Json)
    by: str = Field(max_length=48, index=True)
    at: datetime = Field(sa_type=Instant)
    said_at: datetime | None = Field(default=None, sa_type=Instant)


class DrillPerson(SQLModel, table=True):
    """Somebody who took part, and how they rated it."""

    __tablename__ = "drill_person"

    drill: int = Field(primary_key=True, foreign_key="drill.number")
    person: str = Field(primary_key=True, max_length=48, index=True)
    joined_at: datetime = Field(sa_type=Instant)
    rating: int | None = None


class DrillText(SQLModel, table=True):
    """What was said of it: `why` it ended or was paused, `shows:SERVICE` for what shows the newest data, `lacking`."""

    __tablename__ = "drill_text"

    drill: int = Field(primary_key=True, foreign_key="drill.number")
    kind: str = Field(primary_key=True, max_length=60)
    author: str = Field(max_length=48, index=True)
    text: str = Field(max_length=3000)
    at: datetime = Field(sa_type=Instant)


WHOLE = "@all"
"""The item under which an owner's word about the whole service is kept; no item is called that."""


class ReadinessCheck(SQLModel, table=True):
    """What was found when somebody last looked at something that a service needs."""

    __tablename__ = "readiness_check"

    service: str = Field(primary_key=True, max_length=48)
    item: str = Field(primary_key=True, max_length=48)
    ready: bool
    count: int | None = None
    by: str = Field(max_length=48, index=True)
    at: datetime = Field(sa_type=Instant)
    note: str = Field(default="", max_length=3000)
