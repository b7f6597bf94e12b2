"""What stands before Bolt: size, signature and shape of a request, judged on its raw bytes.

Slack's own verifier raises on a timestamp that is no number and on a signature that is not ASCII, and Bolt
parses the body before it verifies; here a stranger's bytes are only counted and compared. Nothing of a body
is ever logged.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel, Field, ValidationError, model_validator
from starlette.requests import Request

from bot.adapters.slack.limits import BODY_BYTES, FORM_FIELDS, NESTING, SIGNATURE_AGE

_TIMESTAMP = re.compile(r"[0-9]{1,11}")
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
# A string that never ends takes all that is left, so that no text is scanned twice.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


class _Event(BaseModel):
    type: str


class _Named(BaseModel):
    id: str


class _Action(BaseModel):
    action_id: str


class _View(BaseModel):
    id: str
    type: str
    hash: str
    callback_id: str


class _Payload(BaseModel):
    """As much of Slack's shape as Bolt relies on; the rest is judged by those who read it."""

    type: str
    event: _Event | None = None
    actions: Annotated[list[_Action], Field(min_length=1)] | None = None
    view: _View | None = None
    user: _Named | None = None
    channel: _Named | None = None
    team: _Named | str | None = None
    enterprise: _Named | str | None = None
    message: dict[str, Any] | None = None
    team_id: str | None = None
    callback_id: str | None = None
    action_id: str | None = None
    response_url: str | None = None
    authorizations: list[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in _NEEDED.get(self.type, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.type} without {', '.join(missing)}")
        return self


_NEEDED = {
    "event_callback": ("event",),
    "block_actions": ("actions", "user"),
    "block_suggestion": ("action_id", "user", "view"),
    "message_action": ("callback_id", "channel", "message", "user"),
    "shortcut": ("callback_id", "user"),
    "view_submission": ("user", "view"),
    "view_closed": ("user", "view"),
}


class Refused(Exception):
    """The request goes no further; `status` is the HTTP status that says so."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


async def read(request: Request) -> bytes:
    """The body, read no further than the limit. Raises Refused (413)."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise Refused(413, f"a body may have {BODY_BYTES} bytes")
    return bytes(body)


def verify(
    secret: str, timestamps: Sequence[str], signatures: Sequence[str], body: bytes, now: datetime
) -> None:
    """Raise Refused (401) unless Slack signed this body within the last five minutes.

    The scheme is `v0`: HMAC-SHA256 over `v0:timestamp:body` (docs.slack.dev, "Verifying requests").
    """
    if len(timestamps) != 1 or len(signatures) != 1:
        raise Refused(401, "not signed once")
    timestamp, signature = timestamps[0], signatures[0]
    if not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
        raise Refused(401, "not a signature")
    if abs(int(now.timestamp()) - int(timestamp)) > SIGNATURE_AGE:
        raise Refused(401, "signed too long ago")
    wanted = sign(secret, timestamp, body)
    if not hmac.compare_digest(wanted.encode(), signature.encode()):
        raise Refused(401, "signed with another secret")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Slack's signature of a body at a timestamp (seconds since 1970)."""
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256)
    return f"v0={digest.hexdigest()}"


def parse(body: bytes) -> Mapping[str, Any]:
    """The payload of an event, a command or an interaction. Raises Refused (400) for any other shape."""
    try:
        text = body.decode()
        if text.lstrip()[:1] == "{":
            return _object(text)
        form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FORM_FIELDS, errors="strict"))
    except ValueError:
        raise Refused(400, "not UTF-8, or more fields than Slack sends") from None
    if "command" in form or "ssl_check" in form:
        return form
    if "payload" in form:
        return _object(form["payload"])
    raise Refused(400, "neither an event, a command nor an interaction")


def _object(text: str) -> Mapping[str, Any]:
    _limit_nesting(text)
    try:
        found = json.loads(text, parse_constant=_no_constant)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair could be kept by no store
    except (ValueError, RecursionError):
        raise Refused(400, "not JSON") from None
    try:
        _Payload.model_validate(found, strict=True)
    except ValidationError:
        raise Refused(400, "not a payload of Slack's") from None
    return dict(found)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _limit_nesting(text: str) -> None:
    depth = 0
    for match in _STRUCTURE.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > NESTING:
                raise Refused(400, f"nested deeper than {NESTING}")
        elif match[0] in "]}":
            depth -= 1
