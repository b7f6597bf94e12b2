"""The ledger: the story of a ticket, and proof that nobody changed it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from config.policy import Role
from handlers.declare import command
from handlers.desk import Desk
from handlers.messages import Button, Reply, Table, Tone, Words, counted, facts
from handlers.parsing import AnyRef, WholeNumber
from handlers.rules.ledger import Record

_PAGE = 20


@dataclass(frozen=True)
class Trail:
    """For example: evidence trail REQ-7"""

    ticket: AnyRef
    before: Annotated[int | None, WholeNumber(1, 999_999_999), "Show what lies before this record"] = None


@dataclass(frozen=True)
class Verify:
    """For example: evidence verify"""


@dataclass(frozen=True)
class Export:
    """For example: evidence export REQ-7"""

    ticket: AnyRef


@dataclass(frozen=True)
class Checkpoint:
    """For example: evidence checkpoint"""


@command("evidence trail", params=Trail)
def trail(asked: Trail, desk: Desk) -> Reply:
    """See the story of a ticket as the ledger tells it."""
    desk.look(asked.ticket)
    records = desk.records.ledger.trail(asked.ticket, asked.before, _PAGE)
    words = desk.records.ledger.words_of([record.seq for record in records])
    earlier: tuple[Button, ...] = ()
    if records and len(records) == _PAGE:
        line = f"evidence trail {asked.ticket} before:{records[0].seq}"
        earlier = (Button(label="Earlier", line=line),)
    has_clocks = bool(desk.records.clocks.of(asked.ticket))
    why = [Button(label="How times were counted", line=f"sla why {asked.ticket}")] if has_clocks else []
    return Reply(
        title=f"Evidence on {asked.ticket}",
        table=Table(
            columns=("No.", "When", "Who", "What", "Said", "Practice"),
            rows=tuple(_row(desk, record, words.get(record.seq, {})) for record in records),
            empty="Nothing is on file.",
        ),
        buttons=(*earlier, *why),
        subject=asked.ticket,
    )


def _row(desk: Desk, record: Record, words: Mapping[str, str]) -> tuple[Words, ...]:
    said = "; ".join(f"{name}: {text}" for name, text in words.items())
    if not words and record.commitments:
        said = "(erased)"
    return (
        (f"#{record.seq}",),
        (desk.at(record.at) or "",),
        (desk.directory.who_is(record.actor),),
        (f"{record.action}{_told(record)}",),
        (said,) if said else ("",),
        (", ".join(record.practices),),
    )


def _told(record: Record) -> str:
    shown = {
        key: value for key, value in (record.after or {}).items() if key in ("state", "assignee", "priority")
    }
    return f" ({', '.join(f'{key} {value}' for key, value in shown.items())})" if shown else ""


@command("evidence verify", params=Verify, role=Role.MANAGER)
def verify(asked: Verify, desk: Desk) -> Reply:
    """Check every record of the ledger, its tree and its checkpoints."""
    findings = desk.records.ledger.verify()
    if findings.good:
        return Reply(
            title=f"The ledger holds: {counted(findings.size, 'record')}, nothing was changed.",
            facts=facts(("Root", findings.root), ("Checkpoints", str(findings.checkpoints))),
            text=(
                "An outsider can check it too: `deskbell evidence export` writes one file and its verifier.",
            ),
            tone=Tone.GOOD,
        )
    return Reply(
        title=f"The ledger does not hold: record {findings.bad}",
        text=(findings.trouble or "",),
        tone=Tone.BAD,
    )


@command("evidence export", params=Export)
def export(asked: Export, desk: Desk) -> Reply:
    """Get a ticket's story as a file: one record a line, with its hashes.

    The whole ledger in one file, with a verifier for outsiders, is written by `deskbell evidence export`.
    """
    desk.look(asked.ticket)
    records = desk.records.ledger.trail(asked.ticket)
    words = desk.records.ledger.words_of([record.seq for record in records])
    lines = [json.dumps(_exported(record, words.get(record.seq, {})), sort_keys=True) for record in records]
    return Reply(
        title=f"{counted(len(records), 'record')} on {asked.ticket}",
        text=("Each line is a record as the ledger holds it.",),
        file=(f"{asked.ticket}.jsonl", "\n".join(lines) + "\n"),
        subject=asked.ticket,
    )


def _exported(record: Record, words: Mapping[str, str]) -> dict[str, object]:
    return {
        "seq": record.seq,
        "at": record.at.isoformat(),
        "actor": record.actor,
        "surface": record.surface,
        "action": record.action,
        "before": dict(record.before) if record.before is not None else None,
        "after": dict(record.after) if record.after is not None else None,
        "practices": list(record.practices),
        "policy": record.policy,
        "previous": record.previous,
        "hash": record.hash,
        "words": dict(words),
    }


@command("evidence checkpoint", params=Checkpoint)
def checkpoint(asked: Checkpoint, desk: Desk) -> Reply:
    """See the newest signed checkpoint of the ledger.

    Keep a copy: with it anyone can show later that nothing was taken away.
    """
    kept = desk.records.ledger.last_checkpoint()
    head = desk.records.ledger.head()
    if kept is None:
        return Reply(
            title="Nothing was signed yet.", text=("The desk signs within a minute of the first record.",)
        )
    return Reply(
        title=f"The newest checkpoint covers {desk.records.ledger.signed_size()} of {head.size} records",
        text=(kept[0],),
        file=("checkpoint.txt", kept[0]),
    )
