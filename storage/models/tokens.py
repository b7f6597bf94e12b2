"""What opens the REST interface to another program: neither a token nor the code that fetches it can be read here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json


class ApiToken(SQLModel, table=True):
    """A token: whose rights it has, for which scopes, until when.

    `code` and `digest` are the SHA-256 of what fetches the token once, until `fetch_by`, and of the token itself,
    which there is none of before it was fetched.
    """

    __tablename__ = "api_token"

    number: int = Field(primary_key=True)
    name: str = Field(max_length=100)
    person: str = Field(max_length=48, index=True)
    scopes: Any = Field(sa_type=Json)
    made_by: str = Field(max_length=48)
    made_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    code: str = Field(max_length=64, unique=True)
    fetch_by: datetime = Field(sa_type=Instant)
    digest: str | None = Field(default=None, max_length=64, unique=True)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)

    @property
    def ref(self) -> str:
        """The reference people type."""
        return f"TOK-{self.number}"
