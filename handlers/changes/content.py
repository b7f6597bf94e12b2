"""What a change says: plan, window, services and all else that people are asked about, ballot by ballot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from difflib import ndiff
from typing import Any

from config.policy import ChangeKind, ChangeRules
from handlers.desk import Desk
from handlers.errors import NotFound
from handlers.messages import Part, Reply, Table, Words
from handlers.rules.risk import rate, unanswered
from handlers.rules.votes import Content, Difference, differences, seal
from handlers.rules.workflow import TAKES_PLACE
from storage.models.changes import Change, ChangeContent

PARTS: Mapping[str, str] = {
    "title": "Title",
    "services": "Services",
    "start": "Window from",
    "end": "Window to",
    "implementer": "Made by",
    "because": "Why",
    "plan": "Plan",
    "test": "Test",
    "backout": "Back-out",
    "risk": "Risk",
}
"""The parts of a content, and what people call them."""

TEXTS = ("title", "because", "plan", "test", "backout")
"""The parts that people wrote in their own words."""

_LINES = 20  # of a difference in one text


def rules_of(desk: Desk) -> ChangeRules:
    """How this organisation decides on changes; raises NotFound where it has not said so."""
    if desk.policy.changes is None:
        raise NotFound(
            "This desk handles no changes yet.",
            "The desk's administrator can describe how it should, in changes.yaml.",
        )
    return desk.policy.changes


def content_of(desk: Desk, change: Change) -> dict[str, Any]:
    """What the present ballot decides on."""
    body: dict[str, Any] = desk.records.changes.content(change.number, change.ballot).body
    return body


def write(desk: Desk, change: Change, content: Content, *, ballot: int | None = None) -> None:
    """Let a change say this; `ballot` is a new one where people were asked about what it said before."""
    change.ballot = ballot or change.ballot
    change.seal = seal(content)
    change.title = content["title"]
    change.implementer = content["implementer"]
    change.starts_at, change.ends_at = _moment(content["start"]), _moment(content["end"])
    change.accepted = None  # conflicts are accepted for a window and its services
    risk = rate(rules_of(desk).risk, content["risk"])
    change.risk, change.points = (str(risk.level), risk.points) if risk else (None, None)
    desk.records.changes.save()
    desk.records.changes.put_content(
        ChangeContent(
            change=change.number, ballot=change.ballot, body=dict(content), by=desk.asker.key, at=desk.now
        )
    )
    place(desk, change)


def place(desk: Desk, change: Change) -> None:
    """Let a change hold its services exactly while it takes place."""
    services = content_of(desk, change)["services"]
    desk.records.changes.place(change, services, change.state in TAKES_PLACE)


def window_of(change: Change) -> tuple[datetime, datetime]:
    """From when to when it is to be made. Raises ValueError for one that has no window yet."""
    if change.starts_at is None or change.ends_at is None:
        raise ValueError(f"{change.ref} has no window")
    return change.starts_at, change.ends_at


def is_assessed(desk: Desk, content: Content, kind: str) -> bool:
    """Whether its risk is known, or need not be."""
    return kind != ChangeKind.NORMAL or not unanswered(rules_of(desk).risk, content["risk"])


def missing(content: Content, kind: str) -> list[str]:
    """The parts that must be said before anybody is asked."""
    if kind != ChangeKind.NORMAL:
        return []
    return [part for part in ("services", "plan", "test", "backout", "start") if not content[part]]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# For people ---------------------------------------------------------------------------------------


def service_names(desk: Desk, keys: Iterable[str]) -> str:
    """Services by name."""
    known = desk.policy.services
    return ", ".join(known[key].name if key in known else key for key in keys)


def window_words(desk: Desk, start: datetime | None, end: datetime | None) -> Words:
    """From one instant to another; nothing where there is none."""
    return () if start is None or end is None else (desk.at(start) or "", " – ", desk.at(end) or "")


def edited_since(desk: Desk, change: Change, ballot: int) -> list[Difference]:
    """In which parts a change says something else now than in an earlier ballot."""
    return edits_between(desk.records.changes.content(change.number, ballot).body, content_of(desk, change))


def edits_between(before: Content, after: Content) -> list[Difference]:
    """The parts in which two contents differ, in the order in which people read them."""
    order = list(PARTS)
    return sorted(differences(before, after), key=lambda each: order.index(each.part))


def parts_of(edits: Iterable[Difference]) -> str:
    """The parts that were edited, in words: `plan, window from`."""
    return ", ".join(PARTS[each.part].lower() for each in edits)


def difference_table(desk: Desk, edits: Iterable[Difference]) -> Reply:
    """What was and what is, part by part; of a longer text only the lines that differ."""
    rows: list[tuple[Words, ...]] = []
    for each in edits:
        if isinstance(each.was, str) and isinstance(each.now, str) and each.part in TEXTS:
            was, now = _lines(each.was, each.now)
            rows.append(((PARTS[each.part],), was, now))
        else:
            rows.append(
                ((PARTS[each.part],), _shown(desk, each.part, each.was), _shown(desk, each.part, each.now))
            )
    table = Table(columns=("What", "Was", "Is"), rows=tuple(rows), empty="Nothing was edited.")
    return Reply(title="What was edited", table=table)


def _lines(was: str, now: str) -> tuple[Words, Words]:
    told = [line for line in ndiff(was.splitlines(), now.splitlines()) if line[:2] in ("- ", "+ ")]
    gone = [line[2:] for line in told if line[0] == "-"]
    come = [line[2:] for line in told if line[0] == "+"]
    return ("\n".join(gone[:_LINES]) or "—",), ("\n".join(come[:_LINES]) or "—",)


def _shown(desk: Desk, part: str, value: Any) -> tuple[Part, ...]:
    if not value:
        return ("—",)
    if part in ("start", "end"):
        return (desk.at(datetime.fromisoformat(value)) or "",)
    if part == "implementer":
        return (desk.directory.who_is(value),)
    if part == "services":
        return (service_names(desk, value),)
    if part == "risk":
        return ("; ".join(f"{key}: {answer}" for key, answer in sorted(value.items())),)
    return (str(value),)
