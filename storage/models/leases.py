"""Leases: what only one process may hold at a time, such as the Discord gateway."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.columns import Instant


class Lease(SQLModel, table=True):
    """Who holds a thing, and until when unless they renew it."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True, max_length=60)
    holder: str = Field(max_length=120)
    until: datetime = Field(sa_type=Instant)
