"""Changes: the ticket, what each ballot decided on, votes, what is held and when, how services stand, freezes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json


class Change(SQLModel, table=True):
    """Something about services that is to become otherwise; its history is the evidence, this row is how it stands.

    `seal` is the SHA-256 of what the present `ballot` decides on; `accepted` are the conflicts that somebody has
    accepted for it. `stage` counts from 1 while it is voted on, up to `decide_by`. `template` is the standard change
    that it is one of, `transition` what it does to a service as such (`publish`, `retire` …), `incident` what an
    emergency is for. An emergency's `review_by` is set when the glass is broken.
    """

    __tablename__ = "change"
    __table_args__ = (
        Index("ix_change_state_starts_at", "state", "starts_at"),
        Index(
            "ix_change_unpaid",
            "review_by",
            sqlite_where=text("reviewed_at IS NULL AND review_by IS NOT NULL"),
            postgresql_where=text("reviewed_at IS NULL AND review_by IS NOT NULL"),
        ),
    )

    number: int = Field(primary_key=True)
    kind: str = Field(max_length=12)
    template: str | None = Field(default=None, max_length=48)
    transition: str | None = Field(default=None, max_length=16)
    incident: str | None = Field(default=None, max_length=20)
    title: str = Field(max_length=200)
    room: str = Field(max_length=48)
    state: str = Field(max_length=24)
    requester: str = Field(max_length=48, index=True)
    implementer: str = Field(max_length=48, index=True)
    starts_at: datetime | None = Field(default=None, sa_type=Instant)
    ends_at: datetime | None = Field(default=None, sa_type=Instant)
    risk: str | None = Field(default=None, max_length=8)
    points: int | None = None
    ballot: int = 1
    seal: str = Field(max_length=64)
    stage: int = 0
    decide_by: datetime | None = Field(default=None, sa_type=Instant)
    rules_version: str | None = Field(default=None, max_length=16)
    accepted: Any = Field(default=None, sa_type=Json, nullable=True)
    platform: str = Field(max_length=20)
    opened_at: datetime = Field(sa_type=Instant)
    changed_at: datetime = Field(sa_type=Instant)
    started_at: datetime | None = Field(default=None, sa_type=Instant, index=True)
    ended_at: datetime | None = Field(default=None, sa_type=Instant, index=True)
    result: str | None = Field(default=None, max_length=16)
    review_by: datetime | None = Field(default=None, sa_type=Instant)
    reviewed_at: datetime | None = Field(default=None, sa_type=Instant)
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"CHG-{self.number}"


class ChangeContent(SQLModel, table=True):
    """What one ballot decides on, and who wrote it: plan, window, services and all else that an edit can change."""

    __tablename__ = "change_content"

    change: int = Field(primary_key=True, foreign_key="change.number")
    ballot: int = Field(primary_key=True)
    body: Any = Field(sa_type=Json)
    by: str = Field(max_length=48, index=True)
    at: datetime = Field(sa_type=Instant)


class ChangeService(SQLModel, table=True):
    """A service that a change concerns. While it `holds`, nothing else should be done to it from start to end.

    `ends_at` moves on while a change takes longer than its window. It takes at most `days`, one of a few bounds, so
    that a question about a moment reads no further back than the longest of them.
    """

    __tablename__ = "change_service"
    __table_args__ = (
        Index(
            "ix_change_service_holds",
            "service",
            "days",
            "starts_at",
            "ends_at",
            sqlite_where=text("holds = 1"),
            postgresql_where=text("holds"),
        ),
        Index(
            "ix_change_service_person",
            "person",
            "days",
            "starts_at",
            "ends_at",
            sqlite_where=text("holds = 1"),
            postgresql_where=text("holds"),
        ),
    )

    change: int = Field(primary_key=True, foreign_key="change.number")
    service: str = Field(primary_key=True, max_length=48, index=True)
    person: str = Field(max_length=48)
    starts_at: datetime | None = Field(default=None, sa_type=Instant)
    ends_at: datetime | None = Field(default=None, sa_type=Instant)
    days: int = 0
    holds: bool = False


class ChangeVote(SQLModel, table=True):
    """One person's word in one stage of a ballot; it says nothing about any other ballot."""

    __tablename__ = "change_vote"

    change: int = Field(primary_key=True, foreign_key="change.number")
    ballot: int = Field(primary_key=True)
    stage: int = Field(primary_key=True)
    person: str = Field(primary_key=True, max_length=48, index=True)
    says: str = Field(max_length=12)
    seal: str = Field(max_length=64)
    on_behalf_of: str | None = Field(default=None, max_length=48)
    at: datetime = Field(sa_type=Instant)


class ChangeText(SQLModel, table=True):
    """What was said of one kind: `how` it went, the `lessons` of its review."""

    __tablename__ = "change_text"

    change: int = Field(primary_key=True, foreign_key="change.number")
    kind: str = Field(primary_key=True, max_length=16)
    author: str = Field(max_length=48, index=True)
    text: str = Field(max_length=3000)
    at: datetime = Field(sa_type=Instant)


class ChangeLink(SQLModel, table=True):
    """An incident that a change has caused."""

    __tablename__ = "change_link"

    change: int = Field(primary_key=True, foreign_key="change.number")
    ref: str = Field(primary_key=True, max_length=20, index=True)
    by: str = Field(max_length=48)
    at: datetime = Field(sa_type=Instant)


class ServiceState(SQLModel, table=True):
    """How a service stands since a change took it there: `published`, `changed` or `retired`."""

    __tablename__ = "service_state"

    service: str = Field(primary_key=True, max_length=48)
    state: str = Field(max_length=12)
    change: int = Field(foreign_key="change.number")
    at: datetime = Field(sa_type=Instant)


class FreezeRow(SQLModel, table=True):
    """A freeze that somebody declared. It is never deleted: lifted, it ends at that instant, or where it began.

    `services` are those it names; none means all of them.
    """

    __tablename__ = "freeze"

    number: int = Field(primary_key=True)
    name: str = Field(max_length=150)
    services: Any = Field(sa_type=Json)
    starts_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(sa_type=Instant, index=True)
    by: str = Field(max_length=48)
    lifted_by: str | None = Field(default=None, max_length=48)
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"FRZ-{self.number}"
