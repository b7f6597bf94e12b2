"""What people want, said as often as their platform or their patience says it again.

Slack repeats an event that was not answered with 200, under the same id. A click that nobody answered is
clicked again by hand, as another click.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.survival.desks import wait_until
from tests.survival.world import World, discord_user, slack_user

REQUESTERS = ("staff", "oncall", "approver", "owner", "manager")
BROKEN = "incident declare {word} is broken service:network impact:high urgency:high anyway:yes"
"""A line for Ask that wakes people."""

_WORDS = count(1)


@dataclass(eq=False)
class Ask:
    """Somebody says something to the desk on Slack that makes a ticket. `word` is nobody else's.

    `statuses` are the answers that Slack got, 0 for none at all.
    """

    world: World
    person: str
    line: str = 'request new question "Where is {word}?" anyway:yes'
    word: str = field(default_factory=lambda: f"word{next(_WORDS)}x")
    statuses: list[int] = field(default_factory=list)
    acknowledged: bool = False

    def __post_init__(self) -> None:
        slack, user = self.world.slack, slack_user(self.person)
        said = slack.say(slack.direct(user), user, self.line.format(word=self.word))
        self._event = {**said, "channel_type": "im"}

    def say(self) -> None:
        """Deliver it once (more)."""
        sent = self.world.slack.event(self._event, event_id=f"Ev-{self.word}", retry=len(self.statuses))
        self.statuses.append(self.world.far.do(sent).status)
        self.acknowledged = self.statuses[-1] == 200


@dataclass(eq=False)
class Take:
    """Whoever it is about presses Take or Acknowledge on the card of a ticket, in one of the chats."""

    world: World
    chat: str
    ref: str
    tries: int = 0
    acknowledged: bool = False

    def say(self) -> None:
        """Press it once (more); a card that offers it no longer says that it is done."""
        card = self.world.cards(self.chat, self.ref)[0]
        person, label = ("agent", "Take") if self.ref.startswith("REQ") else ("oncall", "Acknowledge")
        if label not in self.world.buttons(self.chat, card):
            self.acknowledged = True
            return
        self.tries += 1
        if self.chat == "slack":
            pressed = self.world.slack.click(card, label, slack_user(person))
            self.acknowledged = self.world.far.do(pressed).status == 200
        else:
            self._press_on_discord(card, label, discord_user(person))

    def _press_on_discord(self, card: dict[str, Any], label: str, user: str) -> None:
        discord, desk = self.world.discord, self.world.desks[-1]
        wait_until(lambda: bool(discord.sessions) or not desk.lives)
        heard_by = list(discord.sessions)
        interaction = self.world.far.do(discord.click(card, label, user))
        given = discord.answers[interaction]
        wait_until(lambda: bool(given) or not any(each in discord.sessions for each in heard_by))
        self.acknowledged = bool(given)


Intent = Ask | Take
