"""Problems: causes of incidents with what is known about them, and the actions that somebody owes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json


class Problem(SQLModel, table=True):
    """The cause of one or more incidents, known or not yet; its history is the evidence.

    `cause` holds the analysis by question. `known` says that people who ask for help are shown it: it has a
    symptom and a workaround and is not resolved; `helped` counts whom that was enough for. Every text stands
    beside its author, so that one person's words can be erased.
    """

    __tablename__ = "problem"
    __table_args__ = (
        Index("ix_problem_team_state", "team", "state"),
        Index("ix_problem_known", "helped", sqlite_where=text("known = 1"), postgresql_where=text("known")),
    )

    number: int = Field(primary_key=True)
    title: str = Field(max_length=200)
    service: str = Field(max_length=48)
    team: str = Field(max_length=48)
    state: str = Field(max_length=24, index=True)
    opened_by: str = Field(max_length=48)
    opened_at: datetime = Field(sa_type=Instant)
    changed_at: datetime = Field(sa_type=Instant)
    resolved_at: datetime | None = Field(default=None, sa_type=Instant)
    cause: Any = Field(default=None, sa_type=Json, nullable=True)
    cause_by: str | None = Field(default=None, max_length=48)
    workaround: str | None = None
    workaround_by: str | None = Field(default=None, max_length=48)
    symptom: str | None = None
    symptom_by: str | None = Field(default=None, max_length=48)
    known: bool = False
    helped: int = 0
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"PRB-{self.number}"


class ProblemLink(SQLModel, table=True):
    """Another ticket that belongs to a problem: an incident it caused, a change that removes it."""

    __tablename__ = "problem_link"

    problem: int = Field(primary_key=True, foreign_key="problem.number")
    ref: str = Field(primary_key=True, max_length=40, index=True)
    at: datetime = Field(sa_type=Instant)


class ProblemFollower(SQLModel, table=True):
    """Somebody who hears of what becomes of a problem."""

    __tablename__ = "problem_follower"

    problem: int = Field(primary_key=True, foreign_key="problem.number")
    person: str = Field(primary_key=True, max_length=48, index=True)


class Action(SQLModel, table=True):
    """What somebody promised to do about a ticket, and by which day (`2026-12-01`, at the owner's place)."""

    __tablename__ = "action"
    __table_args__ = (Index("ix_action_owner", "owner", "state"), Index("ix_action_due", "state", "due"))

    number: int = Field(primary_key=True)
    subject: str = Field(max_length=40, index=True)
    what: str = Field(max_length=300)
    owner: str = Field(max_length=48)
    state: str = Field(max_length=24)
    opened_by: str = Field(max_length=48)
    opened_at: datetime = Field(sa_type=Instant)
    due: str = Field(max_length=10)
    moved: int = 0
    result: str | None = None
    done_by: str | None = Field(default=None, max_length=48)
    done_at: datetime | None = Field(default=None, sa_type=Instant)
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"ACT-{self.number}"
