"""Calendar feeds (RFC 5545): turns on call, changes and freezes, for any calendar program to subscribe to.

    GET /feeds/rota/{rota}.ics?token=…
    GET /feeds/person/{person}.ics?token=…
    GET /feeds/changes/all.ics?token=…          all changes and freezes, or those of a service and what it touches

A feed holds what lies between thirty days ago and a year ahead, with overrides and swaps, in UTC, which every program
shows on its reader's own clock. The token stands in the address, since calendar programs cannot sign in; whoever asks
with a wrong one hears the same as for a feed that does not exist.

The same schedule gives the same text: an event is named by rota, person and beginning, and dated by the last revision
of the schedule, not by the request. So a program that asks again is told that nothing has changed (RFC 9110, 13.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from uuid import NAMESPACE_URL, uuid5

from icalendar import Calendar, Event, vDuration
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bot.tokens import Tokens
from config.policy import Policy
from handlers.changes.views import SHOWN
from handlers.estates import estate_of, frozen_between
from handlers.oncall.shared import covers, feed_name
from handlers.rules.rotation import Cover
from handlers.rules.windows import Frozen
from handlers.rules.workflow import ChangeState
from storage.database import Database, StoreUnavailable
from storage.repositories.changes import Planned
from storage.unit_of_work import Records

BACK = timedelta(days=30)
AHEAD = timedelta(days=366)

REFRESH = timedelta(minutes=30)
"""How often a calendar program is asked to come again."""

_NOT_SURE = (ChangeState.AWAITING_APPROVAL, ChangeState.APPROVED)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Feeds:
    """Serves calendars. `url` is the address of the desk, which makes its events' names its own."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        database: Database,
        tokens: Tokens,
        now: Callable[[], datetime],
        url: str,
    ) -> None:
        self._policy = policy
        self._database = database
        self._tokens = tokens
        self._now = now
        self._url = url

    def routes(self) -> list[BaseRoute]:
        """Where the feeds are."""
        return [Route("/feeds/{kind}/{name}.ics", self.serve)]

    def serve(self, request: Request) -> Response:
        """One feed, or that it has not changed."""
        kind, name = request.path_params["kind"], request.path_params["name"]
        token = request.query_params.get("token", "")
        policy = self._policy()
        services = {"all": None, **policy.services}
        known = {"rota": policy.rotas, "person": policy.people, "changes": services}.get(kind, {})
        try:
            if name not in known or not self._opens(token, f"{kind}/{name}"):
                return PlainTextResponse("There is no such calendar.\n", 404)
            body, revised_at = self._drawn(policy, kind, name)
        except StoreUnavailable:
            return PlainTextResponse("Try again in a minute.\n", 503, {"Retry-After": "60"})
        headers = {
            "Cache-Control": "private, max-age=300",
            "ETag": f'"{sha256(body).hexdigest()[:32]}"',
            "Content-Disposition": f'inline; filename="{kind}-{name}.ics"',
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        if revised_at is not None:
            headers["Last-Modified"] = format_datetime(revised_at, usegmt=True)
        if _is_unchanged(request, headers["ETag"], revised_at):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="text/calendar")

    def _opens(self, token: str, name: str) -> bool:
        """Whether a token is the present one of a feed."""
        with self._database.reading() as session:
            present = feed_name(Records(session), name)
        return self._tokens.fits(f"feed/{present}", token)

    def _drawn(self, policy: Policy, kind: str, name: str) -> tuple[bytes, datetime | None]:
        """The calendar's text, and when anything of it was last revised, where that is known."""
        today = self._now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if kind == "changes":
            # What was taken back or lifted is gone from the text and leaves no moment, so the ETag alone speaks.
            return self._changes(policy, name, today), None
        person = name if kind == "person" else None
        calendar = _calendar(f"On call: {policy.people[name].name if person else policy.rotas[name].name}")
        newest = today  # the days that are shown move on, too
        with self._database.reading() as session:
            records = Records(session)
            for rota in policy.rotas if person else (name,):
                revised_at = records.oncall.revised_at(rota) or _NEVER
                newest = max(newest, revised_at)
                for turn in _shown(policy, records, rota, today):
                    if person in (None, turn.person):
                        calendar.add_component(
                            self._event(policy, rota, turn, revised_at, person is not None)
                        )
        return calendar.to_ical(), newest.replace(microsecond=0)

    def _changes(self, policy: Policy, name: str, today: datetime) -> bytes:
        """Changes and freezes, of a service with all that it touches, or of every service."""
        start, end = today - BACK, today + AHEAD
        service = policy.services.get(name)
        kin = estate_of(policy).kin([name]) if service else None
        with self._database.reading() as session:
            records = Records(session)
            planned = records.changes.calendar(SHOWN, start, end, kin)
            frozen = frozen_between(policy, records, start, end, kin)
        calendar = _calendar(f"Changes: {service.name}" if service else "Changes")
        for each in planned:
            calendar.add_component(self._change(policy, each))
        for span in frozen:
            calendar.add_component(self._frozen(policy, span))
        drawn: bytes = calendar.to_ical()
        return drawn

    def _change(self, policy: Policy, planned: Planned) -> Event:
        names = ", ".join(policy.services[key].name for key in planned.services if key in policy.services)
        known = policy.people.get(planned.implementer)
        event = self._span(f"changes/{planned.ref}", planned.starts_at, planned.ends_at, planned.changed_at)
        event.add("summary", f"{planned.ref} {planned.title} ({names})")
        who = known.name if known else planned.implementer
        stands = (planned.result or planned.state).replace("-", " ")
        event.add("description", f"{planned.kind.capitalize()}, made by {who}: {stands}.")
        event.add("status", "TENTATIVE" if planned.state in _NOT_SURE else "CONFIRMED")
        return event

    def _frozen(self, policy: Policy, span: Frozen) -> Event:
        names = ", ".join(policy.services[key].name for key in span.services if key in policy.services)
        event = self._span(f"freezes/{span.ref}/{span.start.isoformat()}", span.start, span.end, _NEVER)
        event.add("summary", f"Frozen: {span.name} ({names or 'all services'})")
        return event

    def _span(self, source: str, start: datetime, end: datetime, revised_at: datetime) -> Event:
        event = Event()
        event.add("uid", str(uuid5(NAMESPACE_URL, f"{self._url}/{source}")))  # a UUID, as RFC 7986, 5.3 asks
        event.add("dtstamp", revised_at)
        event.add("dtstart", start)
        event.add("dtend", end)
        event.add("transp", "TRANSPARENT")  # whoever sees it can still be invited to a meeting
        return event

    def _event(self, policy: Policy, rota: str, turn: Cover, revised_at: datetime, own: bool) -> Event:
        known, name = policy.people.get(turn.person), policy.rotas[rota].name
        who = known.name if known else turn.person
        source = f"feeds/rota/{rota}/{turn.person}/{turn.start.isoformat()}"
        event = self._span(source, turn.start, turn.end, revised_at)
        event.add("summary", f"On call: {name}" if own else f"{who}: {name}")
        if not turn.by.startswith("layer"):
            event.add("description", f"By {turn.by}.")
        return event


def _calendar(title: str) -> Calendar:
    """A calendar without events."""
    calendar = Calendar()
    calendar.add("prodid", "-//Deskbell//Desk//EN")
    calendar.add("version", "2.0")
    calendar.add("name", title)
    calendar.add("x-wr-calname", title)  # what programs knew before RFC 7986
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))  # the same to programs that know only this one
    return calendar


def _shown(policy: Policy, records: Records, rota: str, today: datetime) -> Iterator[Cover]:
    """The turns of a rota that a feed holds, each with its own beginning and end.

    They are worked out for whole years, so that the ends of the span do not cut them, and not elsewhere tomorrow.
    """
    start, end = today - BACK, today + AHEAD
    first = datetime(start.year - 2, 1, 1, tzinfo=UTC)
    last = datetime(end.year + 2, 1, 1, tzinfo=UTC)
    for each in covers(policy, records, rota, first, last):
        if each.start < end and each.end > start:
            yield each


def _is_unchanged(request: Request, etag: str, revised_at: datetime | None) -> bool:
    """Whether the asker has this very text. An ETag that it names decides alone (RFC 9110, 13.2.2)."""
    named = request.headers.get("if-none-match")
    if named is not None:
        return any(each.strip().removeprefix("W/") in (etag, "*") for each in named.split(","))
    try:
        since = parsedate_to_datetime(request.headers["if-modified-since"])
    except (KeyError, ValueError):
        return False
    return revised_at is not None and since.tzinfo is not None and revised_at <= since
