"""Evidence: the rows of the ledger, the words that people wrote, the ledger's head, and its checkpoints.

Evidence is only ever added. The model refuses an update and a delete, and so does the database, by
triggers that come with the table: `APPEND_ONLY` holds their statements for a migration.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, BigInteger, CheckConstraint, Index, Integer, Text, event
from sqlmodel import Field, SQLModel

from storage.columns import Instant, Json

# Only a column of exactly this type is SQLite's own row number, which costs no index of its own.
_SEQ = BigInteger().with_variant(Integer, "sqlite")


class AppendOnly(Exception):
    """Somebody tried to change or delete evidence; nothing was written. What is right is a new entry."""


class EvidenceRow(SQLModel, table=True):
    """One record of the ledger; `handlers.rules.ledger` says what its fields mean and how it is hashed."""

    __tablename__ = "evidence"
    __table_args__ = (
        Index("ix_evidence_subject", "subject", "seq"),
        Index("ix_evidence_action", "action", "at"),
    )

    seq: int = Field(primary_key=True, sa_type=_SEQ, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=Instant)
    actor: str = Field(sa_type=Text)
    surface: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    before: Any = Field(default=None, sa_type=Json, nullable=True)
    after: Any = Field(default=None, sa_type=Json, nullable=True)
    practices: Any = Field(sa_type=Json, nullable=False)
    policy: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    commitments: Any = Field(sa_type=Json, nullable=False)
    previous: str = Field(sa_type=Text)
    hash: str = Field(sa_type=Text)


class WordsRow(SQLModel, table=True):
    """A text that a person wrote in an entry, with its salt; the only part of evidence that can be erased."""

    __tablename__ = "words"

    seq: int = Field(primary_key=True, sa_type=_SEQ, foreign_key="evidence.seq")
    name: str = Field(primary_key=True, sa_type=Text)
    author: str = Field(sa_type=Text, index=True)
    text: str = Field(sa_type=Text)
    salt: bytes


class LedgerHeadRow(SQLModel, table=True):
    """The one row that says where the ledger ends; who adds evidence locks it, so records come one by one."""

    __tablename__ = "ledger_head"
    __table_args__ = (CheckConstraint("id = 1", name="ck_ledger_head_alone"),)

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    size: int = Field(sa_type=BigInteger)
    hash: str = Field(sa_type=Text)
    frontier: Any = Field(sa_type=Json, nullable=False)


class CheckpointRow(SQLModel, table=True):
    """A signed checkpoint, as a copy at hand: the one that counts lies outside the database.

    `root` is hex; `frontier` is the edge of the tree at that size, which the root vouches for.
    """

    __tablename__ = "checkpoint"

    size: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    root: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Instant)
    note: str = Field(sa_type=Text)
    frontier: Any = Field(sa_type=Json, nullable=False)


class EvidenceTally(SQLModel, table=True):
    """How many records speak for the same practices in one span of time: folded in after they were written.

    `span` is a month (`2026-11`) or a day (`2026-11-23`) of the organisation's zone; `service` is empty for the
    whole desk. `newest` and `sample` (a `seq`) are of the last of them.
    """

    __tablename__ = "evidence_tally"

    service: str = Field(primary_key=True, max_length=48)
    span: str = Field(primary_key=True, max_length=10)
    practices: str = Field(primary_key=True, sa_type=Text)
    number: int
    newest: datetime = Field(sa_type=Instant)
    sample: int = Field(sa_type=BigInteger)


_REFUSAL = "evidence is only ever added: record what is right as a new entry"

APPEND_ONLY: dict[str, tuple[str, ...]] = {
    "sqlite": (
        f"""CREATE TRIGGER evidence_is_not_updated BEFORE UPDATE ON evidence
            BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
        f"""CREATE TRIGGER evidence_is_not_deleted BEFORE DELETE ON evidence
            BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
        # INSERT OR REPLACE deletes without asking the trigger above.
        f"""CREATE TRIGGER evidence_is_not_replaced BEFORE INSERT ON evidence
            WHEN NEW.seq <= (SELECT max(seq) FROM evidence)
            BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",  # noqa: S608 - the refusal is ours
    ),
    "postgresql": (
        f"""CREATE OR REPLACE FUNCTION evidence_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$""",
        """CREATE TRIGGER evidence_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence
           FOR EACH STATEMENT EXECUTE FUNCTION evidence_is_kept()""",
    ),
}
"""The statements that make the table append-only, for each kind of store."""

for _store, _statements in APPEND_ONLY.items():
    for _statement in _statements:
        _trigger = DDL(_statement).execute_if(dialect=_store)  # type: ignore[no-untyped-call]
        event.listen(SQLModel.metadata.tables["evidence"], "after_create", _trigger)


@event.listens_for(EvidenceRow, "before_update")
@event.listens_for(EvidenceRow, "before_delete")
def _refuse(_mapper: object, _connection: object, row: EvidenceRow) -> None:
    raise AppendOnly(f"Entry {row.seq} stays as it is: {_REFUSAL}")
