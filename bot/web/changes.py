"""Changes over HTTP: the calendar as a page, and the gate that a pipeline asks.

    GET /changes/calendar?token=…&from=2026-11-23&days=28&service=mail
    GET /api/changes/gate?service=mail              Authorization: Bearer …

The page's token stands in its address, as that of a feed does, since a calendar is passed on as a link. A gate's token
opens one service, or all: it says yes or no and tells nothing else.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.tokens import Tokens
from config.policy import Policy
from handlers.changes.gate import ask_gate
from handlers.changes.views import SHOWN
from handlers.estates import estate_of, frozen_between
from handlers.parsing import reference
from handlers.rules.moments import NotADate, instant_at, parse_date, show_day
from handlers.rules.windows import Frozen
from storage.database import Database, StoreUnavailable
from storage.repositories.changes import Planned
from storage.unit_of_work import Records

PAGE = "page/changes"
"""What the page's token opens."""

ALL = "*"
"""All services, as the scope of a gate's token; no service has such a key."""
MOST_DAYS = 92

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def gate_purpose(service: str) -> str:
    """What a gate's token opens: one service, or all of them (`*`)."""
    return f"gate/{service}"


def gate_instructions(service: str, url: str, tokens: Tokens) -> str:
    """What a pipeline must be told."""
    wanted = "SERVICE" if service == ALL else service
    return (
        f"Address: {url}/api/changes/gate?service={wanted}\n"
        f"Token:   {tokens.of(gate_purpose(service))}\n\n"
        "In a pipeline, before the step that changes anything (docs/gate.md):\n"
        f'curl -sS -H "Authorization: Bearer $DESKBELL_GATE" "{url}/api/changes/gate?service={wanted}"'
        " | jq -e '.allow == true'"
    )


@dataclass(frozen=True)
class _Entry:
    """A line of a day: from when to when on the page's clock, what, and in which state."""

    span: str
    ref: str
    title: str
    services: str
    who: str
    state: str


@dataclass(frozen=True)
class _Day:
    """A day of the page; `frozen` are the freezes that hold on it."""

    day: date
    label: str
    entries: Sequence[_Entry]
    frozen: Sequence[str]


class ChangePages:
    """Serves the calendar's page and the gate."""

    def __init__(
        self, policy: Callable[[], Policy], database: Database, tokens: Tokens, now: Callable[[], datetime]
    ) -> None:
        self._policy = policy
        self._database = database
        self._tokens = tokens
        self._now = now

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        return [Route("/changes/calendar", self.calendar), Route("/api/changes/gate", self.gate)]

    # The gate -------------------------------------------------------------------------------------

    def gate(self, request: Request) -> Response:
        """Whether a pipeline may change a service now: always JSON, with `allow` and `reason`."""
        service = request.query_params.get("service", "")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        mine = [gate_purpose(service), gate_purpose(ALL)]
        if scheme.lower() != "bearer" or not any(self._tokens.fits(each, token.strip()) for each in mine):
            said = {"WWW-Authenticate": "Bearer"}
            return _told(401, False, "This token does not open the gate of this service.", headers=said)
        policy = self._policy()
        if service not in policy.services:
            return _told(404, False, f"There is no service “{service[:60]}”.")
        wanted = request.query_params.get("change")
        change = reference(wanted) if wanted else None
        if wanted and (change is None or not change.startswith("CHG-")):
            return _told(400, False, f"“{wanted[:40]}” is no change; write it as CHG-7.")
        try:
            with self._database.reading() as session:
                answer = ask_gate(policy, Records(session), service, self._now(), change)
        except StoreUnavailable:
            return _told(503, False, "The desk's store does not answer; try again in a minute.")
        more = {key: _plain(value) for key, value in asdict(answer).items() if key not in ("allow", "reason")}
        return _told(200, answer.allow, answer.reason, service=service, **more)

    # The page -------------------------------------------------------------------------------------

    def calendar(self, request: Request) -> Response:
        """The calendar of changes and freezes, some weeks of it."""
        if not self._tokens.fits(PAGE, request.query_params.get("token", "")):
            return HTMLResponse("There is no such page.\n", 404)
        policy = self._policy()
        zone = policy.organisation.zone
        today = self._now().astimezone(ZoneInfo(zone)).date()
        first, days = self.span(request, today)
        service = request.query_params.get("service", "")
        if service not in policy.services:
            service = ""
        try:
            planned, frozen = self.ask(policy, first, days, service)
        except StoreUnavailable:
            return HTMLResponse("Try again in a minute.\n", 503, {"Retry-After": "60"})
        return HTMLResponse(
            self.draw(policy, planned, frozen, first, days, service, today, request), headers=_HEADERS
        )

    def span(self, request: Request, today: date) -> tuple[date, int]:
        """The first day, a Monday, and how many days are shown; whatever is not understood is left out."""
        asked = request.query_params
        try:
            first = parse_date(asked.get("from", ""), self._now(), "UTC")
        except NotADate:
            first = today
        days = asked.get("days", "")
        length = int(days) if days.isdigit() and len(days) < 4 else 28
        return first - timedelta(days=first.weekday()), min(max(length, 7), MOST_DAYS)

    def ask(self, policy: Policy, first: date, days: int, service: str) -> tuple[list[Planned], list[Frozen]]:
        """The changes and the freezes of some days, of a service with what it touches, or of all."""
        zone = policy.organisation.zone
        start = instant_at(first, time(), zone)
        end = instant_at(first + timedelta(days=days), time(), zone)
        kin = estate_of(policy).kin([service]) if service else None
        with self._database.reading() as session:
            records = Records(session)
            planned = records.changes.calendar(SHOWN, start, end, kin)
            return planned, frozen_between(policy, records, start, end, kin)

    def draw(
        self,
        policy: Policy,
        planned: Sequence[Planned],
        frozen: Sequence[Frozen],
        first: date,
        days: int,
        service: str,
        today: date,
        request: Request | None = None,
    ) -> str:
        """The page as HTML."""
        query = {"token": request.query_params.get("token", "") if request else "", "days": days}
        if service:
            query["service"] = service
        later, earlier = first + timedelta(days=days), first - timedelta(days=days)
        return _TEMPLATES.get_template("changes.html").render(
            organisation=policy.organisation.name,
            zone=policy.organisation.zone,
            weeks=weeks_of(policy, planned, frozen, first, days),
            services=[(key, each.name) for key, each in policy.services.items()],
            service=service,
            today=today,
            count=len(planned),
            first=show_day(first),
            last=show_day(later - timedelta(days=1)),
            query=query,
            earlier=earlier.isoformat(),
            later=later.isoformat(),
            shown=first.isoformat(),
            style=_STYLE,
        )


def weeks_of(
    policy: Policy, planned: Sequence[Planned], frozen: Sequence[Frozen], first: date, days: int
) -> list[list[_Day]]:
    """Days in weeks, with what is changed on each and which freezes hold, as templates draw them."""
    zone = ZoneInfo(policy.organisation.zone)
    names = {key: each.name for key, each in policy.services.items()}
    people = {key: each.name for key, each in policy.people.items()}
    entries: dict[date, list[_Entry]] = {}
    for each in planned:
        start, end = each.starts_at.astimezone(zone), each.ends_at.astimezone(zone)
        services = ", ".join(names.get(key, key) for key in each.services)
        who = people.get(each.implementer, each.implementer)
        for day in _days_of(start, end, first, days):
            span = f"{_on(start, day)}–{_on(end, day)}"
            entry = _Entry(span, each.ref, each.title, services, who, each.result or each.state)
            entries.setdefault(day, []).append(entry)
    holds: dict[date, list[str]] = {}
    for freeze in frozen:
        start, end = freeze.start.astimezone(zone), freeze.end.astimezone(zone)
        for day in _days_of(start, end, first, days):
            holds.setdefault(day, []).append(_frozen_words(freeze, start, end, day, names))
    every = [first + timedelta(days=number) for number in range(days)]
    drawn = [_Day(day, show_day(day), entries.get(day, ()), holds.get(day, ())) for day in every]
    return [drawn[begins : begins + 7] for begins in range(0, len(drawn), 7)]


def _days_of(start: datetime, end: datetime, first: date, days: int) -> Iterator[date]:
    """The days that are shown and on which something takes place, of `[start, end)` on the page's clock."""
    day = max(start.date(), first)
    last = min(
        end.date() if end.time() > time() else end.date() - timedelta(days=1),
        first + timedelta(days=days - 1),
    )
    while day <= last:
        yield day
        day += timedelta(days=1)


def _on(moment: datetime, day: date) -> str:
    """A moment as it is written on a day."""
    return f"{moment:%H:%M}" if moment.date() == day else f"{moment:%d.%m. %H:%M}"


def _frozen_words(span: Frozen, start: datetime, end: datetime, day: date, names: Mapping[str, str]) -> str:
    begins = f" from {start:%H:%M}" if start.date() == day else ""
    ends = f" to {end:%H:%M}" if end.date() == day else ""
    which = ", ".join(names.get(key, key) for key in span.services) or "all services"
    return f"{span.name}{begins}{ends} ({which})"


def _told(
    status: int, allow: bool, reason: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    body = {"allow": allow, "reason": reason, **more}
    return JSONResponse(body, status, {"Cache-Control": "no-store", **(headers or {})})


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


_STYLE = (Path(__file__).parent / "templates" / "changes.css").read_text(encoding="utf-8")
_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; style-src 'sha256-"
        + b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
        + "'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
