"""People the desk met, and the accounts by which it knows them."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.columns import Instant


class PersonRow(SQLModel, table=True):
    """Somebody who came by chat and whom no policy file names; the key holds nothing personal."""

    __tablename__ = "person"

    key: str = Field(primary_key=True, max_length=48)
    name: str = Field(max_length=150)
    zone: str | None = Field(default=None, max_length=64)
    met_at: datetime = Field(sa_type=Instant)


class AccountRow(SQLModel, table=True):
    """One account of one person; an account belongs to one person only."""

    __tablename__ = "account"

    platform: str = Field(primary_key=True, max_length=20)
    workspace: str = Field(primary_key=True, max_length=64)
    user: str = Field(primary_key=True, max_length=64)
    person: str = Field(index=True, max_length=48)
    direct: str | None = Field(default=None, max_length=64)


class LinkCode(SQLModel, table=True):
    """A short-lived code that proves, from the second account, that both belong to one person."""

    __tablename__ = "link_code"

    code: str = Field(primary_key=True, max_length=64)
    person: str = Field(max_length=48)
    platform: str = Field(max_length=20)
    expires_at: datetime = Field(sa_type=Instant)
