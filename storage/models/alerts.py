"""Alerts: what monitoring systems have said, when each was last heard, and what could not be read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from storage.columns import Instant


class Alert(SQLModel, table=True):
    """One thing that a source watches, by the source's own key: whether it fires, and in which incident.

    `bundle` names what the source sends together. `since` is when it last began to fire, `count` how often it
    was told since then. `severity` is the source's own word, `urgency` ours. `storm` says that so many others
    began beside it that they share one incident. The alert whose key is empty is the desk's own: the source
    is silent.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index("uq_alert_source_key", "source", "key", unique=True),
        Index("ix_alert_bundle", "source", "bundle"),
        Index("ix_alert_since", "source", "since"),
        Index("ix_alert_state", "state", "since"),
    )

    number: int = Field(primary_key=True)
    source: str = Field(max_length=48)
    key: str = Field(max_length=255)
    bundle: str = Field(max_length=64)
    state: str = Field(max_length=12)
    title: str = Field(max_length=200)
    detail: str = Field(max_length=1000)
    link: str | None = Field(default=None, max_length=500)
    severity: str = Field(max_length=60)
    urgency: str = Field(max_length=8)
    service: str = Field(max_length=48)
    incident: int | None = Field(default=None, index=True)
    storm: bool = False
    count: int = 1
    since: datetime = Field(sa_type=Instant)
    heard_at: datetime = Field(sa_type=Instant)
    over_at: datetime | None = Field(default=None, sa_type=Instant)
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"ALT-{self.number}"


class HeardSource(SQLModel, table=True):
    """A source, and since when it has been silent; who takes in its alerts locks it, so they come one by one.

    `waits_from` is the instant that its silence is counted from: when it was heard, or later, when the desk
    itself was away.
    """

    __tablename__ = "alert_source"

    key: str = Field(primary_key=True, max_length=48)
    heard_at: datetime | None = Field(default=None, sa_type=Instant)
    waits_from: datetime = Field(sa_type=Instant)


class RejectedAlert(SQLModel, table=True):
    """What a source sent and the desk could not read: why, where, and its beginning, without secrets."""

    __tablename__ = "alert_rejected"
    __table_args__ = (Index("ix_alert_rejected_source", "source", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    source: str = Field(max_length=48)
    at: datetime = Field(sa_type=Instant, index=True)
    why: str = Field(max_length=300)
    body: str = Field(max_length=2000)
