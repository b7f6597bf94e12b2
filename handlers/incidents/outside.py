"""What must exist outside the desk: the card in its room with the words below it, and pages that arrive.

Where the policy gives an incident a channel of its own, that too; nothing waits for it.

Creating them is a story of several steps, each of which may fail for itself. What stands is known from where
cards hang and from the messages on their way, so a step that failed shows, and can be made again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import timedelta

from handlers.desk import Desk
from handlers.messages import Kind, Notice, Part, Reply, ToSpace, Words
from handlers.rules.workflow import LIVE
from storage.models.flow import SPACE, OutboxRow
from storage.models.incidents import Incident

_GIVEN_UP, _RETRY, _PENDING = "given up", "retry", "pending"
_PATIENCE = timedelta(seconds=30)  # a page that has not left so long after its time is late


_NAME_AT_MOST = 80  # characters of a channel's name, on Slack


def space(incident: Incident, topic: str) -> Notice:
    """The wish for a channel of its own, by a name that tells what it is about: `inc-7-mail-is-down`."""
    plain = unicodedata.normalize("NFKD", incident.title).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    name = "-".join([incident.ref.lower(), *words])[:_NAME_AT_MOST].rstrip("-")
    return Notice(
        to=ToSpace(room=incident.room, name=name, people=(incident.reporter,)),
        reply=Reply(title=topic, subject=incident.ref, private=False),
        key=f"{incident.ref}/space",
        kind=Kind.SPACE,
        subject=incident.ref,
        while_in=LIVE,
    )


def joining(desk: Desk, incident: Incident, people: Sequence[str]) -> list[Notice]:
    """Let these people into its channel of its own, where the policy gives it one."""
    rules = desk.policy.incidents
    if not people or rules is None or rules.space != "channel":
        return []
    return [
        Notice(
            to=ToSpace(room=incident.room, people=tuple(dict.fromkeys(people))),
            reply=Reply(title=incident.ref, subject=incident.ref, private=False),
            key=f"{incident.ref}/v{incident.version}/join",
            kind=Kind.SPACE,
            subject=incident.ref,
            while_in=LIVE,
        )
    ]


def spaces(desk: Desk, incident: Incident) -> str:
    """The channels of its own, by name."""
    found = [post for post in desk.records.posts.of(incident.ref) if post.place == SPACE]
    return ", ".join(f"#{post.message.get('name') or post.thread} on {post.platform}" for post in found)


def lost(desk: Desk, incident: Incident) -> Sequence[OutboxRow]:
    """The card and the words below it that could not be posted, and hang nowhere; a channel that is still wanted."""
    return [row for row in desk.records.outbox.given_up(incident.ref) if _is_missing(desk, incident, row)]


def _is_missing(desk: Desk, incident: Incident, row: OutboxRow) -> bool:
    if row.kind == Kind.CARD:
        return desk.records.posts.at(incident.ref, row.platform, str(row.place.get("channel"))) is None
    if row.kind == Kind.SPACE:
        return incident.state in LIVE and desk.records.posts.space(incident.ref, row.platform) is None
    return bool(row.place.get("below") == incident.ref)


def missing(desk: Desk, incident: Incident) -> list[tuple[str, Words]]:
    """What is missing outside, as facts for the card: what, where and why."""
    cards: dict[str, str] = {}
    channels: dict[str, str] = {}
    words: dict[str, int] = {}
    for row in lost(desk, incident):
        if row.kind == Kind.CARD:
            cards[row.platform] = row.reason or "it could not be posted"
        elif row.kind == Kind.SPACE:
            channels[row.platform] = row.reason or "it could not be opened"
        else:
            words[row.platform] = words.get(row.platform, 0) + 1
    return [
        *((f"No card on {platform}", (why,)) for platform, why in cards.items()),
        *((f"No channel on {platform}", (why,)) for platform, why in channels.items()),
        *(
            (f"Lost on {platform}", (f"{number} of the words below the card",))
            for platform, number in words.items()
        ),
    ]


def troubled_pages(desk: Desk, incident: Incident) -> list[tuple[str, Words]]:
    """Who could not be woken so far, by which way, why, and when that is tried again."""
    if incident.state not in LIVE:
        return []
    newest = {(each.person, each.way): each for each in desk.records.outbox.pages(incident.ref)}
    found: dict[str, list[Part]] = {}
    for (person, way), each in newest.items():
        late = each.state == _PENDING and each.next_at is not None and each.next_at + _PATIENCE < desk.now
        if each.state not in (_GIVEN_UP, _RETRY) and not late:
            continue
        again = desk.at(each.next_at, relative=True)
        parts = found.setdefault(person, [])
        parts += ["; "] if parts else []
        parts += [f"{way}: {each.reason or 'not sent yet'}"]
        parts += [", tried again ", again] if again else [", given up"]
    return [(f"Not reached: {desk.directory.name(person)}", tuple(parts)) for person, parts in found.items()]
