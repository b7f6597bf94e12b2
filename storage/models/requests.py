"""Service requests: the ticket, its approvals and its tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json


class Request(SQLModel, table=True):
    """Something a person asked for; its history is the evidence, this row is how it stands."""

    __tablename__ = "request"
    __table_args__ = (Index("ix_request_team_state", "team", "state"),)

    number: int = Field(primary_key=True)
    offering: str = Field(max_length=48)
    offering_version: str = Field(max_length=16)
    service: str = Field(max_length=48, index=True)
    agreement: str = Field(max_length=48)
    agreement_version: str = Field(max_length=16)
    team: str = Field(max_length=48)
    priority: str = Field(max_length=4)
    state: str = Field(max_length=24, index=True)
    requester: str = Field(max_length=48, index=True)
    assignee: str | None = Field(default=None, max_length=48, index=True)
    summary: str = Field(max_length=200)
    answers: Any = Field(sa_type=Json)
    source: str | None = Field(default=None, max_length=500)
    platform: str = Field(max_length=20)
    opened_at: datetime = Field(sa_type=Instant)
    changed_at: datetime = Field(sa_type=Instant)
    fulfilled_at: datetime | None = Field(default=None, sa_type=Instant)
    rating: int | None = None
    stage: int = 0
    at_owner: bool = False
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"REQ-{self.number}"


class RequestVote(SQLModel, table=True):
    """One person's word in one stage of approval."""

    __tablename__ = "request_vote"

    request: int = Field(primary_key=True, foreign_key="request.number")
    stage: int = Field(primary_key=True)
    person: str = Field(primary_key=True, max_length=48)
    says: str = Field(max_length=12)
    on_behalf_of: str | None = Field(default=None, max_length=48)
    at: datetime = Field(sa_type=Instant)


class RequestTask(SQLModel, table=True):
    """A step of fulfilment."""

    __tablename__ = "request_task"

    request: int = Field(primary_key=True, foreign_key="request.number")
    key: str = Field(primary_key=True, max_length=48)
    place: int
    title: str = Field(max_length=150)
    team: str = Field(max_length=48)
    done_by: str | None = Field(default=None, max_length=48)
    done_at: datetime | None = Field(default=None, sa_type=Instant)
