"""Drafts: half-filled forms that a platform cannot carry itself."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.columns import Instant


class Draft(SQLModel, table=True):
    """What somebody has filled in so far; thrown away after a day."""

    __tablename__ = "draft"

    key: str = Field(primary_key=True, max_length=80)
    text: str
    at: datetime = Field(sa_type=Instant, index=True)
