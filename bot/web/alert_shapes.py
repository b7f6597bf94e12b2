"""What each kind of sender says, in the desk's own words: from its payload to signals.

Alertmanager: webhook version 4 (prometheus.io, "webhook_config"). PagerDuty: Events API v2, alert events
(developer.pagerduty.com, "Send an Alert Event"). Grafana: the webhook of its alerting, which follows
Alertmanager's. Generic: any JSON object, by the mapping of its source.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from bot.web.bodies import Refused, at
from config.policy import AlertKind, AlertSource
from handlers.alerts import Signal
from handlers.parsing import storable

_TITLE = 200
_DETAIL = 1000
_WORD = 60
_ADDRESS = re.compile(r"https?://[!-~]{1,480}")

_T = TypeVar("_T", bound=BaseModel)


class _Said(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Alert(_Said):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    generator_url: Annotated[str, Field(alias="generatorURL")] = ""
    fingerprint: Annotated[str, Field(max_length=255)] = ""


class _Group(_Said):
    alerts: list[_Alert]
    group_key: Annotated[str, Field(alias="groupKey")] = ""
    external_url: Annotated[str, Field(alias="externalURL")] = ""


class _Payload(_Said):
    summary: Annotated[str, Field(min_length=1, max_length=1024)]
    source: Annotated[str, Field(min_length=1)]
    severity: Literal["critical", "error", "warning", "info"]
    component: str | None = None
    group: str | None = None
    class_: Annotated[str | None, Field(alias="class")] = None
    custom_details: Any = None


class _Link(_Said):
    href: str


class _Event(_Said):
    event_action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: Annotated[str | None, Field(max_length=255)] = None
    payload: Any = None
    links: list[_Link] | None = None
    client_url: str | None = None


class Unreadable(Refused):
    """A payload of another shape than its kind of sender has; `problems` holds a sentence for each fault."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        field, what = problems[0]
        super().__init__(400, f"{field} {what}." if field else f"The body {what}.", field)
        self.problems = [f"'{field}' {what}" if field else f"the body {what}" for field, what in problems]


def signals(source: AlertSource, payload: Any) -> list[Signal]:
    """What a source says. Raises Unreadable."""
    return _READERS[source.kind](payload, source)


def _alertmanager(payload: Any, source: AlertSource) -> list[Signal]:
    group = _checked(_Group, payload)
    return [
        Signal(
            key=(key := _line(each.fingerprint, 255) or _digest(json.dumps(each.labels, sort_keys=True))),
            bundle=_digest(group.group_key or key),
            state="firing" if each.status == "firing" else "over",
            title=_title(each.annotations.get("summary"), each.labels.get("alertname"), source.name),
            detail=_text(each.annotations.get("description") or _listed(each.labels)),
            severity=_line(each.labels.get("severity", ""), _WORD).lower(),
            service=_line(each.labels.get("service", ""), _WORD),
            link=_link(each.generator_url, group.external_url),
        )
        for each in group.alerts
    ]


def _pagerduty(payload: Any, _source: AlertSource) -> list[Signal]:
    event = _checked(_Event, payload)
    if not event.dedup_key and event.event_action != "trigger":
        raise Unreadable([("dedup_key", "is missing")])
    # An event without a key gets one from what it says, so that a repeat is known as such.
    key = _line(event.dedup_key or "", 255) or _digest(json.dumps(payload, sort_keys=True))
    if event.event_action != "trigger":
        state: Literal["over", "acknowledged"] = "over" if event.event_action == "resolve" else "acknowledged"
        return [Signal(key=key, bundle=_digest(key), state=state, title=event.event_action)]
    if event.payload is None:
        raise Unreadable([("payload", "is missing")])
    body = _checked(_Payload, event.payload, "payload")
    title = _title(body.summary)
    if not title:
        raise Unreadable([("payload.summary", "is blank")])
    details = body.custom_details if isinstance(body.custom_details, dict) else {}
    about = {"source": body.source, "component": body.component, "group": body.group, "class": body.class_}
    service = details.get("service") or body.component
    return [
        Signal(
            key=key,
            bundle=_digest(key),
            state="firing",
            title=title,
            detail=_text(_listed({**{name: each for name, each in about.items() if each}, **details})),
            severity=body.severity,
            service=_line(service, _WORD) if isinstance(service, str) else "",
            link=_link(*(each.href for each in event.links or ()), event.client_url),
        )
    ]


def _generic(payload: Any, source: AlertSource) -> list[Signal]:
    if not isinstance(payload, dict):
        raise Unreadable([("", "is not a JSON object")])
    said = source.mapping
    title = _title(_value(payload, said.title))
    if not title:
        raise Unreadable([(said.title, "is missing")])
    key = _line(_value(payload, said.key), 256) or _digest(title)
    if len(key) > 255:
        raise Unreadable([(said.key, "has more than 255 characters")])
    over = _value(payload, said.state).lower() in {each.lower() for each in said.resolved}
    return [
        Signal(
            key=key,
            bundle=_digest(key),
            state="over" if over else "firing",
            title=title,
            detail=_text(_value(payload, said.detail)),
            severity=_line(_value(payload, said.severity), _WORD).lower(),
            service=_line(_value(payload, said.service), _WORD),
            link=_link(_value(payload, said.link)),
        )
    ]


_READERS: Mapping[AlertKind, Callable[[Any, AlertSource], list[Signal]]] = {
    AlertKind.ALERTMANAGER: _alertmanager,
    AlertKind.GRAFANA: _alertmanager,
    AlertKind.PAGERDUTY: _pagerduty,
    AlertKind.GENERIC: _generic,
}


def _value(payload: Any, path: str) -> str:
    """What lies at a dotted path, as text; "" for nothing. Raises Unreadable for a list or an object."""
    for step in path.split("."):
        if isinstance(payload, dict):
            payload = payload.get(step)
        elif isinstance(payload, list) and step.isdecimal() and int(step) < len(payload):
            payload = payload[int(step)]
        else:
            return ""
    if isinstance(payload, dict | list):
        raise Unreadable([(path, "is not a text")])
    if isinstance(payload, bool):
        return str(payload).lower()
    return "" if payload is None else str(payload)


def _checked(shape: type[_T], payload: Any, below: str = "") -> _T:
    """The payload as a shape. Raises Unreadable with each fault, the first five."""
    try:
        return shape.model_validate(payload)
    except ValidationError as error:
        raise Unreadable([_problem(each, below) for each in error.errors()[:5]]) from None


def _problem(found: ErrorDetails, below: str) -> tuple[str, str]:
    path = below
    for step in found["loc"]:
        path = at(path, step)
    limits = found.get("ctx", {})
    what = {
        "missing": "is missing",
        "literal_error": f"must be {limits.get('expected')}",
        "string_type": "is not a text",
        "string_too_short": "is blank",
        "string_too_long": f"has more than {limits.get('max_length')} characters",
        "list_type": "is not a list",
    }.get(found["type"], "is not an object")
    return path[:200], what


def _title(*candidates: str | None) -> str:
    lines = (_line(each or "", _TITLE) for each in candidates)
    return next(filter(None, lines), "")


def _line(text: str, at_most: int) -> str:
    """A text as one line that a store can hold, cut with an ellipsis."""
    return _cut(" ".join(_clean(text).split()), at_most)


def _text(text: str) -> str:
    return _cut(_clean(text).strip(), _DETAIL)


def _clean(text: str) -> str:
    """A text without control, invisible and unassigned characters, no longer than anything here may become."""
    near = storable(text[: 4 * _DETAIL])
    return "".join(each for each in near if each in "\n\t" or unicodedata.category(each)[0] != "C")


def _cut(text: str, at_most: int) -> str:
    return text if len(text) <= at_most else f"{text[: at_most - 1]}…"


def _listed(values: Mapping[str, Any]) -> str:
    """Names and values, one on each line."""
    return "\n".join(f"{name}: {_short(value)}" for name, value in list(values.items())[:50] if value)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _link(*candidates: str | None) -> str:
    """The first that is an address on the web and not too long; nothing else must become a link."""
    return next((each for each in candidates if each and _ADDRESS.fullmatch(each)), "")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
