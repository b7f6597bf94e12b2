"""What every part of the change capability needs: finding one, who may do what with it, what a move comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from config.policy import Role
from handlers.access import THE_DESK, who_may
from handlers.changes.card import card, own_buttons
from handlers.changes.content import content_of
from handlers.declare import Change as Record
from handlers.declare import Due, Outcome
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, NotFound
from handlers.messages import Button, Card, FieldInput, Notice, Option, Part, Tone
from handlers.parsing import Free, Manner, Named, Reading, Reference, Text, Word
from handlers.rules.workflow import require_move
from handlers.tickets import number_of, works
from storage.models.changes import Change

PREFIX = "CHG"

ChangeRef = Annotated[str, Reference(PREFIX)]


@dataclass(frozen=True)
class ServicesKind:
    """One or more services, with commas between them."""

    at_most: int = 500
    takes_rest: bool = False
    input: FieldInput = FieldInput.LINE

    def fits(self, text: str) -> bool:
        """Whether a positional word may be meant for this parameter."""
        return True

    def read(self, text: str, reading: Reading) -> tuple[str, ...]:
        """The keys of the services, in order, each once; BadValue for one that nobody knows."""
        one = Named("services", "service")
        found = {one.read(each, reading) for each in text.replace(" and ", ",").split(",") if each.strip()}
        if not found:
            raise BadValue("No service is named.", "Write for example: mail, vpn")
        return tuple(sorted(found))

    def options(self, reading: Reading) -> Sequence[Option]:
        """What may be chosen."""
        return [Option(label=each.name, value=key) for key, each in reading.policy.services.items()]


Services = Annotated[tuple[str, ...], ServicesKind()]

_WHEN = Free(at_most=60, takes_rest=False)
Begins = Annotated[str | None, _WHEN, Manner.BY_NAME, "When it begins, as sat 22:00"]
Ends = Annotated[str | None, _WHEN, Manner.BY_NAME, "How long it takes, or when it ends: 2h, 23:00"]
Anyway = Annotated[Word | None, Manner.BY_NAME, Manner.UNASKED, "The conflicts that were shown to you"]
Accepting = Annotated[Text | None, Manner.BY_NAME, "Why what is in the way may be accepted"]


def find(desk: Desk, ref: str, *, for_change: bool = False) -> Change:
    """A change that the asker may see; `for_change` locks it until the command ends.

    Raises NotFound or NotAllowed.
    """
    change = desk.records.changes.get(number_of(ref), for_change)
    if change is None:
        raise NotFound(f"There is no {ref}.", "Type `change list` to see them.")
    if not works(desk.asker) and desk.asker.key not in (change.requester, change.implementer):
        raise NotAllowed(
            f"{ref} is for those who work on services; {who_may(Role.AGENT, desk.policy)} can tell you.",
            "`change calendar` shows when it takes place.",
        )
    return change


def teams_of(desk: Desk, change: Change) -> set[str]:
    """The teams that run the services that are changed."""
    services = content_of(desk, change)["services"]
    return {desk.policy.services[key].team for key in services if key in desk.policy.services}


def planners(change: Change) -> tuple[str, ...]:
    """Those whose change it is: who asked for it and who makes it."""
    return tuple(dict.fromkeys((change.requester, change.implementer)))


def makes(desk: Desk, change: Change) -> bool:
    """Whether the asker makes this change: its implementer, or a member of a team that runs its services."""
    asker = desk.asker
    return asker == THE_DESK or asker.key == change.implementer or bool(teams_of(desk, change) & asker.teams)


def plans(desk: Desk, change: Change) -> bool:
    """Whether the asker may write it, move it and take it back: who makes it, and who asked for it."""
    return desk.asker.key == change.requester or makes(desk, change)


def to_make(desk: Desk, ref: str, step: str) -> Change:
    """A change that the asker makes and that is open to the step; locked until the command ends."""
    change = find(desk, ref, for_change=True)
    if not makes(desk, change):
        raise NotAllowed(f"You cannot {step} {ref}.", f"{_makers(desk, change)} can.")
    require_move(ref, change.state, step)
    return change


def to_plan(desk: Desk, ref: str, step: str) -> Change:
    """A change that the asker may plan and that is open to the step; locked until the command ends."""
    change = find(desk, ref, for_change=True)
    if not plans(desk, change):
        requester = desk.directory.name(change.requester)
        raise NotAllowed(
            f"You cannot {step} {ref}.", f"{requester}, who asked for it, or {_makers(desk, change)} can."
        )
    require_move(ref, change.state, step)
    return change


def _makers(desk: Desk, change: Change) -> str:
    teams = [
        desk.policy.teams[key].name for key in sorted(teams_of(desk, change)) if key in desk.policy.teams
    ]
    return " or ".join(dict.fromkeys([desk.directory.name(change.implementer), *teams]))


# Moves --------------------------------------------------------------------------------------------


def record(
    change: Change,
    action: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    words: Mapping[str, str | None] | None = None,
) -> Record:
    """Something that happened to a change; an action with a dot in it is told as it is."""
    return Record(
        action=action if "." in action else f"change.{action}",
        subject=change.ref,
        before=before,
        after={"state": str(change.state), **_promised(change), **(after or {})},
        words={name: text for name, text in (words or {}).items() if text},
    )


def _promised(change: Change) -> dict[str, str | None]:
    """By when it will be decided and reviewed: the promises that its clocks are read from."""
    moments = {"decide_by": change.decide_by, "review_by": change.review_by}
    return {name: moment.isoformat() if moment else None for name, moment in moments.items()}


def clocks_to_read(desk: Desk, change: Change) -> tuple[str, ...]:
    """What the desk says next where somebody was promised a decision or a review."""
    owed = change.decide_by or change.review_by or desk.records.clocks.of(change.ref)
    return (f"sla refresh {change.ref}",) if owed else ()


def done(
    desk: Desk,
    change: Change,
    title: str | Callable[[], str],
    records: Sequence[Record],
    *,
    text: Iterable[Part] | str = (),
    tone: Tone = Tone.GOOD,
    notices: Sequence[Notice] = (),
    due: Sequence[Due] = (),
    undue: Sequence[str] = (),
    buttons: Sequence[Button] = (),
    follow: Sequence[str] = (),
) -> Outcome:
    """The outcome of a move: saved, and its card redrawn everywhere. A title may depend on what follows."""
    desk.records.changes.save()
    said = (text,) if isinstance(text, str) and text else tuple(text)
    return Outcome(
        reply=lambda: card(desk, change).model_copy(
            update={
                "title": title() if callable(title) else title,
                "text": said,
                "tone": tone,
                "private": True,
                "buttons": (*buttons, *own_buttons(desk, change, plans(desk, change))),
            }
        ),
        changes=records,
        notices=notices,
        cards=(Card(subject=change.ref, room=change.room),),
        due=due,
        undue=undue,
        follow=(*clocks_to_read(desk, change), *follow),
    )


def hold_gate(desk: Desk) -> None:
    """Let times, starts and freezes wait for each other: who comes second sees what the first one decided.

    Otherwise a change that is started while a freeze is being declared would slip through, and two that are given the
    same time at once would not see each other.
    """
    desk.records.counters.next("GATE")
