"""Telling: a private word to those concerned, a word below the card; nobody hears of their own deeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from handlers.desk import Desk
from handlers.messages import (
    Button,
    Fact,
    Kind,
    Notice,
    Part,
    Reply,
    Tone,
    ToPerson,
    ToThread,
    Words,
)


class Told(Protocol):
    """What is told about: a reference, and a count of its changes."""

    version: int

    @property
    def ref(self) -> str:
        """The reference people type."""


class Housed(Told, Protocol):
    """What has its card in a room of its own."""

    room: str


def wording(text: Iterable[Part] | str) -> Words:
    """Words from a plain text or from parts; none from an empty text."""
    return (text,) if isinstance(text, str) and text else tuple(text)


def show_button(ref: str) -> Button:
    """Opens something by its reference."""
    return Button(label=f"Show {ref}", line=ref)


def tell(
    desk: Desk,
    about: Told,
    people: Iterable[str | None],
    title: str,
    *,
    tag: str = "",
    text: Iterable[Part] | str = (),
    details: Sequence[Fact] = (),
    buttons: Sequence[Button] = (),
    more: Sequence[Reply] = (),
    while_in: Sequence[str] | None = None,
    kind: Kind = Kind.MESSAGE,
    tone: Tone = Tone.PLAIN,
) -> list[Notice]:
    """A private word to each of these people but the asker, once for each version of it, or for each `tag`.

    It is dropped, when it is about to leave, if its subject is in none of the states `while_in` any more.
    """
    reply = Reply(
        title=title,
        text=wording(text),
        tone=tone,
        facts=tuple(details),
        buttons=(*buttons, show_button(about.ref)),
        more=tuple(more),
        subject=about.ref,
    )
    return [
        Notice(
            to=ToPerson(person=person),
            reply=reply,
            key=f"{about.ref}/{tag or f'v{about.version}'}/{person}",
            kind=kind,
            subject=about.ref,
            while_in=tuple(str(each) for each in while_in) if while_in else None,
        )
        for person in dict.fromkeys(people)
        if person not in (None, desk.asker.key)
    ]


def in_thread(
    about: Housed,
    title: str,
    *,
    tag: str = "",
    text: Iterable[Part] | str = (),
    details: Sequence[Fact] = (),
) -> list[Notice]:
    """A word below the card, where everybody whom it concerns reads along."""
    return [below(about, about.room, title, tag=tag, text=text, details=details)]


def below(
    about: Told,
    room: str,
    title: str,
    *,
    tag: str = "",
    text: Iterable[Part] | str = (),
    details: Sequence[Fact] = (),
) -> Notice:
    """A word below the card in this room, once for each version of it, or for each `tag`."""
    return Notice(
        to=ToThread(subject=about.ref, room=room),
        reply=Reply(title=title, text=wording(text), facts=tuple(details), subject=about.ref, private=False),
        key=f"{about.ref}/{tag or f'v{about.version}'}/thread",
        subject=about.ref,
    )
