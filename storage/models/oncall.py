"""On call: what departs from the rota's own turns, who was last said to hold a rota, and pages for a test."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from storage.columns import Instant


class RotaOverride(SQLModel, table=True):
    """Somebody who is on call in place of whose turn it is; of two that overlap, the one with the higher number.

    Half open, in UTC. It is never deleted: taken back, it ends at that instant, or where it began. `swap` is
    the swap that it came from.
    """

    __tablename__ = "rota_override"
    __table_args__ = (Index("ix_rota_override_rota_ends_at", "rota", "ends_at"),)

    number: int = Field(primary_key=True)
    rota: str = Field(max_length=48)
    person: str = Field(max_length=48)
    starts_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(sa_type=Instant)
    by: str = Field(max_length=48)
    swap: int | None = Field(default=None, foreign_key="rota_swap.number")
    changed_at: datetime = Field(sa_type=Instant)

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"OVR-{self.number}"


class RotaSwap(SQLModel, table=True):
    """A turn that somebody offers to somebody else, perhaps for one of theirs (`back_from`, `back_until`).

    `state` is offered, accepted, declined, withdrawn or expired.
    """

    __tablename__ = "rota_swap"

    number: int = Field(primary_key=True)
    rota: str = Field(max_length=48)
    by: str = Field(max_length=48)
    to: str = Field(max_length=48, index=True)
    starts_at: datetime = Field(sa_type=Instant)
    ends_at: datetime = Field(sa_type=Instant)
    back_from: datetime | None = Field(default=None, sa_type=Instant)
    back_until: datetime | None = Field(default=None, sa_type=Instant)
    state: str = Field(default="offered", max_length=12)
    offered_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    version: int = 1

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"SWP-{self.number}"


class RotaTurn(SQLModel, table=True):
    """Who was last said to hold a rota, since when, and who did before; nobody, where that is None.

    `number` counts the changes. `version` is that of the rota's definition, `revised_at` when it was taken up.
    """

    __tablename__ = "rota_turn"

    rota: str = Field(primary_key=True, max_length=48)
    person: str | None = Field(default=None, max_length=48)
    before: str | None = Field(default=None, max_length=48)
    since: datetime = Field(sa_type=Instant)
    number: int = 1
    version: str = Field(max_length=16)
    revised_at: datetime = Field(sa_type=Instant)


class PageTest(SQLModel, table=True):
    """A page that tests whether somebody can be woken; `confirmed_on` is the surface on which they answered."""

    __tablename__ = "page_test"

    number: int = Field(primary_key=True)
    person: str = Field(max_length=48)
    by: str = Field(max_length=48)
    sent_at: datetime = Field(sa_type=Instant)
    confirmed_at: datetime | None = Field(default=None, sa_type=Instant)
    confirmed_on: str | None = Field(default=None, max_length=20)

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"TST-{self.number}"
