"""What can go wrong, as people are told it: what happened, and what to do next.

DeskError                     expected; a calm answer, and nothing was changed
├── UnknownCommand            with the nearest commands to click
├── BadValue                  one parameter could not be understood
├── NeedsForm                 something is missing or wrong: the form, filled in so far
├── NotFound                  no such ticket, person, offering
├── NotAllowed                says who may
├── WrongState                the ticket has moved on; shows how it stands
├── InTheWay                  other things stand in the way: a reply that lists them, and what may be done
├── TooLarge                  over a stated limit
├── TooOften                  more in a minute than a person may say; says when to try again
└── Unavailable               the store cannot commit; try again

HouseFault                    our own mistake, found at start or in a test: never shown as it is
"""

from __future__ import annotations

from collections.abc import Sequence


class DeskError(Exception):
    """Something a person can do something about; `offers` are command lines shown as buttons (label, line)."""

    def __init__(self, what: str, then: str = "", offers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{what} {then}".strip())
        self.what = what
        self.then = then
        self.offers = tuple(offers)


class UnknownCommand(DeskError):
    """No command of this name."""


class BadValue(DeskError):
    """A value that a parameter cannot take; `field` is the parameter's key."""

    def __init__(self, what: str, then: str = "", field: str = "") -> None:
        super().__init__(what, then)
        self.field = field


class NeedsForm(DeskError):
    """Parameters are missing or wrong: ask for them. `problems` holds a sentence by field."""

    def __init__(self, form: object, problems: dict[str, str] | None = None) -> None:
        super().__init__("Some details are missing.", "Fill in the form.")
        self.form = form
        self.problems = problems or {}


class NotFound(DeskError):
    """There is no such thing."""


class NotAllowed(DeskError):
    """This person may not do that; the sentence says who may."""


class WrongState(DeskError):
    """The subject has moved on, or the thing is already done; the answer shows how it stands."""

    def __init__(self, what: str, then: str = "", subject: str | None = None) -> None:
        super().__init__(what, then)
        self.subject = subject


class InTheWay(DeskError):
    """Other things stand in the way; `reply` lists them, and what may be done about it."""

    def __init__(self, reply: object, what: str) -> None:
        super().__init__(what)
        self.reply = reply


class TooOften(DeskError):
    """More commands in a minute than one person may give; says when the next one will be taken."""


class TooLarge(DeskError):
    """A text over its limit; says the limit."""


class Unavailable(DeskError):
    """The store cannot be written now."""


class HouseFault(Exception):
    """A mistake in the program itself, such as a practice that does not exist."""
