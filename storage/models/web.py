"""Who has signed in to the pages, and which one-time links were used; neither can be opened by what is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json


class WebSession(SQLModel, table=True):
    """One sign-in. `digest` is the SHA-256 of what the browser holds; `sender` the account that asked for the link."""

    __tablename__ = "web_session"

    digest: str = Field(primary_key=True, max_length=64)
    sender: Any = Field(sa_type=Json)
    expires_at: datetime = Field(sa_type=Instant, index=True)


class UsedLink(SQLModel, table=True):
    """A sign-in link that was used; kept until it would have expired by itself."""

    __tablename__ = "used_link"

    digest: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = Field(sa_type=Instant, index=True)
