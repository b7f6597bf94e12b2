"""Calendar feeds: their addresses, which open without signing in, and a new one when the old one went too far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from handlers.declare import Change, Outcome, command
from handlers.desk import Desk
from handlers.errors import NotFound
from handlers.messages import Fact, Reply, Tone, facts
from handlers.oncall.shared import RotaKey, fact_of_feed, feed_name, require_scheduler


@dataclass(frozen=True)
class Renew:
    """For example: oncall renew-feed platform"""

    rota: Annotated[RotaKey | None, "The rota whose feed it is; your own turns, when left out"] = None


def feed_facts(desk: Desk, rota: str | None) -> tuple[Fact, ...]:
    """The asker's own calendar feed, and that of a rota; they open without signing in, so only the asker sees them."""
    return facts(
        ("Your turns as a calendar", _address(desk, _own(desk))),
        ("This rota as a calendar", _address(desk, f"rota/{rota}" if rota else None)),
    )


def _own(desk: Desk) -> str | None:
    return f"person/{desk.asker.key}" if desk.asker.key in desk.policy.people else None


def _address(desk: Desk, name: str | None) -> str | None:
    return desk.feed(feed_name(desk.records, name)) if name else None


@command("oncall renew-feed", params=Renew, evidences=("SD SP 3.2",))
def renew_feed(asked: Renew, desk: Desk) -> Outcome:
    """Give a calendar feed a new address; the old one opens nothing any more."""
    name = f"rota/{asked.rota}" if asked.rota else _own(desk)
    if name is None:
        raise NotFound("You have no calendar of turns.", "Name a rota.")
    if asked.rota:
        require_scheduler(desk, desk.policy.rotas[asked.rota])
    fact = fact_of_feed(name)
    times = int(desk.records.facts.get(fact) or 0) + 1
    desk.records.facts.put(fact, times)
    renewed = Change("oncall.feed_renewed", name.replace("/", ":"), {"times": times - 1}, {"times": times})
    return Outcome(
        reply=Reply(
            title="The old address opens nothing any more",
            text=("Subscribe to the new one wherever you had the old one.",),
            tone=Tone.GOOD,
            facts=feed_facts(desk, asked.rota),
        ),
        changes=[renewed],
    )
