"""Reading what strangers send: a body no longer than a limit, as JSON that every parser reads the same way."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from starlette.requests import ClientDisconnect, Request

BODY_BYTES = 256 * 1024
NESTING = 32
MEMBERS = 1000
"""How many items a list, or names an object, may have."""


class Refused(Exception):
    """A request goes no further. `why` is a sentence; `status` is HTTP's; `after` tells in seconds when to come again.

    `field` names what is wrong in the body, such as `alerts[0].labels`; "" when it is not about one place.
    """

    def __init__(self, status: int, why: str, field: str = "", after: int | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.field = field
        self.after = after


async def read(request: Request) -> bytes:
    """The body, read no further than the limit. Raises Refused (413, or 400 when it breaks off)."""
    too_long = Refused(413, f"A body may have {BODY_BYTES} bytes.")
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said[:12]) > BODY_BYTES:
        raise too_long
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES:
                raise too_long
    except ClientDisconnect:
        raise Refused(400, "The body broke off.") from None
    return bytes(body)


def parse(body: bytes) -> Any:
    """A JSON text in UTF-8 (RFC 8259), without what parsers disagree about. Raises Refused (400).

    Refused are a name that stands twice in one object, NaN and infinite numbers, more than 32 levels, and
    lists or objects of more than 1000 parts.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Refused(400, f"The body is not UTF-8: byte {error.start} cannot stand there.") from None
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_number)
    except json.JSONDecodeError as error:
        raise Refused(
            400, f"The body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise _too_deep("") from None
    except ValueError:  # whole numbers of thousands of digits, which Python refuses to read
        raise Refused(400, "The body holds a number that is too long.") from None
    for path, value, depth in _walk(found):
        if depth > NESTING:
            raise _too_deep(path)
        if len(value) > MEMBERS:
            raise Refused(400, f"{path or 'The body'} has more than {MEMBERS} parts.", path)
    return found


def at(path: str, step: str | int) -> str:
    """A place one step deeper, as in `alerts[0].labels`."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step[:60]}" if path else step[:60]


def _walk(value: Any) -> Iterator[tuple[str, Any, int]]:
    """Every list and object with its place and its level, from 1."""
    waiting: list[tuple[str, Any, int]] = [("", value, 1)] if isinstance(value, list | dict) else []
    while waiting:
        path, value, depth = waiting.pop()
        yield path, value, depth
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        waiting.extend(
            (at(path, step), part, depth + 1) for step, part in parts if isinstance(part, list | dict)
        )


def _too_deep(path: str) -> Refused:
    return Refused(400, f"The body is nested deeper than {NESTING} levels.", path[:200])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)[:60]
        raise Refused(400, f"“{twice}” stands twice in one object.", twice)
    return found


def _constant(name: str) -> float:
    raise Refused(400, f"{name} is not a number in JSON.")


def _number(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise Refused(400, f"{written[:60]} is too large a number.")
    return number
