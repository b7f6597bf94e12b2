"""What happened in a rehearsal: who saw what, where and when, what was expected, and the evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Entry:
    """One event: `kind` is said, seen, time, expected or failed; `where` is a person, a room or empty."""

    at: datetime
    kind: str
    where: str
    text: str
    line: int | None = None


@dataclass(frozen=True)
class Evidence:
    """One record of the ledger, as far as a story is about it."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    practices: tuple[str, ...]
    after: Mapping[str, object]


@dataclass
class Transcript:
    """A rehearsal's entries in order, and the ledger at its end."""

    name: str
    zone: str
    entries: list[Entry] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def failures(self) -> list[Entry]:
        """The expectations that were not met, and what could not be done."""
        return [each for each in self.entries if each.kind == "failed"]

    def as_text(self) -> str:
        """For people: one event after the other, with the local time whenever it changes."""
        lines = [f"Rehearsal of {self.name}"]
        stamp = ""
        for each in self.entries:
            local = each.at.astimezone(ZoneInfo(self.zone)).strftime("%a %d %b %H:%M:%S")
            if local != stamp:
                lines += ["", f"── {local} ──"]
                stamp = local
            lines += _shown(each)
        lines += ["", "Evidence"]
        lines += [
            f"  #{each.seq} {each.subject} {each.action} by {each.actor} [{', '.join(each.practices)}]"
            for each in self.evidence
        ]
        met = sum(1 for each in self.entries if each.kind == "expected")
        lines += ["", f"{met} expectations met, {len(self.failures)} not."]
        return "\n".join(lines)

    def as_json(self) -> str:
        """For machines: entries and evidence as JSON, instants in UTC."""
        entries = [_plain(each) for each in self.entries]
        evidence = [_plain(each) for each in self.evidence]
        return json.dumps(
            {
                "name": self.name,
                "failures": len(self.failures),
                "entries": entries,
                "evidence": evidence,
            },
            indent=2,
        )


def _plain(each: Entry | Evidence) -> dict[str, object]:
    return {**asdict(each), "at": each.at.isoformat()}


def _shown(each: Entry) -> list[str]:
    match each.kind:
        case "said":
            return [f"{each.where} ▸ {each.text}"]
        case "seen":
            first, *rest = each.text.splitlines() or [""]
            return [f"    {each.where} sees: {first}", *(f"        {line}" for line in rest)]
        case "expected":
            return [f"  ✓ {each.text}"]
        case "failed":
            return [f"  ✗ line {each.line}: {each.text}"]
        case _:
            return [f"  ({each.text})"]
