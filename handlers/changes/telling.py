"""Telling: a private word to those concerned, a word below the card; nobody hears of their own deeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from handlers.changes.card import show_button
from handlers.desk import Desk
from handlers.messages import Button, Fact, Kind, Notice, Part, Reply, ToPerson, ToThread
from storage.models.changes import Change


def tell(
    desk: Desk,
    change: Change,
    people: Iterable[str],
    title: str,
    *,
    text: Iterable[Part] | str = (),
    details: Sequence[Fact] = (),
    buttons: Sequence[Button] = (),
    more: Sequence[Reply] = (),
    while_in: Sequence[str] | None = None,
    kind: Kind = Kind.MESSAGE,
    tag: str | None = None,
) -> list[Notice]:
    """A private word to each of these people but the asker, once for each version of the change, or for each `tag`."""
    reply = Reply(
        title=title,
        text=_words(text),
        facts=tuple(details),
        buttons=(*buttons, show_button(change)),
        more=tuple(more),
        subject=change.ref,
    )
    return [
        Notice(
            to=ToPerson(person=person),
            reply=reply,
            key=f"{change.ref}/{tag or f'v{change.version}'}/{person}",
            kind=kind,
            subject=change.ref,
            while_in=tuple(while_in) if while_in else None,
        )
        for person in dict.fromkeys(people)
        if person != desk.asker.key
    ]


def planners(change: Change) -> tuple[str, ...]:
    """Those whose change it is: who asked for it and who makes it."""
    return tuple(dict.fromkeys((change.requester, change.implementer)))


def in_thread(
    change: Change, title: str, *, text: Iterable[Part] | str = (), details: Sequence[Fact] = ()
) -> list[Notice]:
    """A word below the card, where everybody whom it concerns reads along."""
    return [
        Notice(
            to=ToThread(subject=change.ref, room=change.room),
            reply=Reply(
                title=title, text=_words(text), facts=tuple(details), subject=change.ref, private=False
            ),
            key=f"{change.ref}/v{change.version}/thread",
            subject=change.ref,
        )
    ]


def _words(text: Iterable[Part] | str) -> tuple[Part, ...]:
    return (text,) if isinstance(text, str) and text else tuple(text)
