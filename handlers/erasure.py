"""Erasing what people wrote, wherever it stands; the ledger still verifies, since it holds commitments only.

What is written in the versions of continuity plans stays, whoever typed it: like a policy's files they are the
organisation's own record, which people work by in an emergency and which drills were measured against. People stand in
them as owners by key; whom to call is for a new version to say.

The same is done again when an older backup comes back, so nothing here asks whether the person is still known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from storage.unit_of_work import Records

ERASED = "person.erased"
"""The action by which the ledger tells that it was done; its subject is the person."""

PRACTICES = ("WMC SP 1.4",)


@dataclass(frozen=True)
class Erased:
    """What was erased: how many texts of the ledger and copies elsewhere, and on which tickets (references)."""

    people: Sequence[str]
    words: int
    tickets: Sequence[str]
    copies: int

    def after(self) -> dict[str, object]:
        """What the ledger keeps of it. `also` are earlier keys of the same person."""
        counts: dict[str, object] = {"words": self.words, "tickets": len(self.tickets), "copies": self.copies}
        return {**counts, "also": [*self.people[1:]]} if self.people[1:] else counts


def all_keys(records: Records, person: str) -> list[str]:
    """A person's key and those under which the desk knew them before their accounts were joined."""
    keys = [person]
    for key in keys:
        keys += [
            str(record.before["person"])
            for record in records.ledger.trail(key)
            if record.action == "person.linked" and record.before
        ]
    return keys


def erase(records: Records, people: Sequence[str], now: datetime) -> Erased:
    """Blank all that people wrote, and forget who they are. `people` are keys of one person."""
    copies = records.copies.erase(people, records.copies.tickets_of(people), now)
    words = sum(records.ledger.erase(key) for key in people)
    tickets = [ref for key in people for ref in _on_tickets(records, key)]
    for key in people:
        records.people.forget(key)
    return Erased(people, words, tickets, copies)


def _on_tickets(records: Records, person: str) -> list[str]:
    """Blank what a person wrote on tickets; returns the references."""
    places = {
        "REQ": records.requests.erase_words,
        "INC": records.incidents.erase_words,
        "PRB": records.problems.erase_words,
        "ACT": records.actions.erase_words,
        "CHG": records.changes.erase_words,
        "DRL": records.continuity.erase_words,
    }
    return [f"{prefix}-{number}" for prefix, erase_words in places.items() for number in erase_words(person)]
