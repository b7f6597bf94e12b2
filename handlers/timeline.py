"""What happened to a ticket, as its evidence tells it, for people to read."""

from __future__ import annotations

from collections.abc import Collection

from handlers.desk import Desk
from handlers.messages import Reply, Table, Words

SHOWN = 12
"""So many records are read; `evidence trail` shows them all."""


def timeline(desk: Desk, ref: str, said: Collection[str]) -> Reply:
    """A section with the newest records of a ticket, newest first.

    `said` names the words of a record that are quoted, such as `because`; deliveries of messages are left out.
    """
    noun = desk.commands.shows[ref.partition("-")[0]].partition(" ")[0]
    records = desk.records.ledger.trail(ref, limit=SHOWN)
    words = desk.records.ledger.words_of([record.seq for record in records])
    rows: list[tuple[Words, ...]] = []
    for record in reversed(records):
        if record.action.startswith("notice."):
            continue
        quoted = "; ".join(text for name, text in words.get(record.seq, {}).items() if name in said)
        what = record.action.removeprefix(f"{noun}.").replace("_", " ").replace(".", " ")
        who = desk.directory.who_is(record.actor)
        rows.append(((desk.at(record.at) or "",), (who,), (f"{what}: {quoted}" if quoted else what,)))
    return Reply(
        title="What happened, newest first", table=Table(columns=("When", "Who", "What"), rows=tuple(rows))
    )
