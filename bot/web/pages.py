"""The pages, for people who would rather look: the same answers that chat gives, side by side.

    GET  /desk                      how things stand          GET  /desk/tickets/REQ-7    a ticket and its timeline
    GET  /desk/queue                what is open              GET  /desk/say?line=…       anything that only reads
    GET  /desk/enter/LINK           a sign-in link            POST /desk/leave            sign out

A page is made of lines that one could say in chat and that change nothing, said as the one who reads it, all at one
instant; so it shows to everybody what they may see, and nothing else. Nothing on it needs a script.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import parse_qs
from uuid import uuid4
from zoneinfo import ZoneInfo

import anyio.to_thread
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bot.web import doors, showing
from bot.web.doors import Doors, Refused, Visit
from config.policy import Policy, Role
from handlers.access import Person
from handlers.desk import Desk
from handlers.dispatch import Dispatcher
from handlers.errors import (
    BadValue,
    DeskError,
    NeedsForm,
    NotAllowed,
    NotFound,
    TooLarge,
    UnknownCommand,
    WrongState,
)
from handlers.messages import Button, Reply, Tone
from handlers.parsing import LINE_AT_MOST, named, quoted, reference
from storage.database import StoreUnavailable
from storage.repositories.flow import EXAMPLE
from storage.unit_of_work import Records

_log = structlog.get_logger()

T = TypeVar("T")

_STATUS: Mapping[type[DeskError], int] = {
    NotFound: 404,
    UnknownCommand: 404,
    NotAllowed: 403,
    BadValue: 400,
    NeedsForm: 400,
    TooLarge: 400,
    WrongState: 409,
}
_TYPED_AT_MOST = 100
_TOKEN_AT_MOST = 2000

Query = Mapping[str, str]


@dataclass(frozen=True)
class Ask:
    """A question above a page: what it is called in the address, on the page, and what may be chosen."""

    name: str
    label: str
    value: str
    options: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Page:
    """A page: its place, its name in the menu (none for one that is only linked to), and the lines that it says, in
    groups that stand side by side; or the function that `shows` it.

    `needs` is a command without which there is nothing to show; `role` is whom the menu offers it to.
    """

    path: str
    name: str
    about: str = ""
    lines: Callable[[Policy, Query], Sequence[Sequence[str]]] = lambda _policy, _query: ()
    asks: Callable[[Policy, Query], Sequence[Ask]] = lambda _policy, _query: ()
    shows: Callable[[Pages, Visit, Request], Response] | None = None
    needs: str = ""
    role: Role = Role.STAFF


def _typed(query: Query, name: str, default: str = "") -> str:
    """What somebody put into an address, as one word of a line."""
    text = " ".join(query.get(name, "").split())[:_TYPED_AT_MOST]
    return quoted(text) if text else default


def called(query: Query, noun: str, known: Mapping[str, Any]) -> str:
    """The key of what an address asks for by the name of its kind; empty for all of them. Raises BadValue."""
    text = " ".join(query.get(noun, "").split())[:_TYPED_AT_MOST]
    return named(known, noun, text) if text else ""


def _queue(_policy: Policy, query: Query) -> Sequence[Sequence[str]]:
    which = query.get("show", "open")
    which = which if which in dict(_QUEUES) else "open"
    words = _typed(query, "words")
    words = f" {words}" if words else ""
    nouns = ["incident", "request", "change", "problem", "action"]
    only = query.get("noun", "")
    return [[f"{noun} list {which}{words}"] for noun in nouns if only in ("", noun)]


_QUEUES = (("open", "Everything open"), ("mine", "Mine"), ("team", "My teams'"))
_NOUNS = (
    ("", "All kinds"),
    ("incident", "Incidents"),
    ("request", "Requests"),
    ("change", "Changes"),
    ("problem", "Problems"),
    ("action", "Actions"),
)
_PERIODS = (
    ("week", "This week"),
    ("month", "This month"),
    ("quarter", "This quarter"),
    ("year", "This year"),
)


def _queue_asks(_policy: Policy, query: Query) -> Sequence[Ask]:
    return (
        Ask("show", "Whose", query.get("show", "open"), _QUEUES),
        Ask("noun", "Kind", query.get("noun", ""), _NOUNS),
        Ask("words", "With the words", query.get("words", "")[:_TYPED_AT_MOST]),
    )


def _rota(policy: Policy, query: Query) -> Sequence[Sequence[str]]:
    chosen = called(query, "rota", policy.rotas)
    rotas = [chosen] if chosen else list(policy.rotas)
    return [["oncall who"], *([f"oncall rota {key}"] for key in rotas), ["oncall gaps"]]


def _rota_asks(policy: Policy, query: Query) -> Sequence[Ask]:
    rotas = [("", "All"), *((key, each.name) for key, each in policy.rotas.items())]
    return (Ask("rota", "Rota", query.get("rota", ""), rotas),) if len(rotas) > 2 else ()


def _promises(_policy: Policy, query: Query) -> Sequence[Sequence[str]]:
    of = _typed(query, "of")
    given, within = f" {of}" if of else "", f" within:{_period(query, 'month')}"
    return [[f"sla status{given}{within}"], [f"sla breaches{given}{within}"], [f"sla forecast{given}"]]


def _promises_asks(policy: Policy, query: Query) -> Sequence[Ask]:
    scopes = [("", "Everything")]
    scopes += [(key, each.name) for key, each in policy.services.items()]
    scopes += [(key, each.name) for key, each in policy.teams.items() if key not in policy.services]
    return (Ask("of", "Service or team", query.get("of", ""), scopes), period_ask(query, "month"))


def _period(query: Query, default: str) -> str:
    return _typed(query, "within", default)


def period_ask(query: Query, default: str) -> Ask:
    """The question which period a page is of."""
    value = " ".join(query.get("within", default).split())[:_TYPED_AT_MOST] or default
    known = list(_PERIODS) if value in dict(_PERIODS) else [(value, value), *_PERIODS]
    return Ask("within", "Period", value, known)


def _services(policy: Policy, query: Query) -> Sequence[Sequence[str]]:
    key, within = called(query, "service", policy.services), _period(query, "month")
    if not key:
        return [["service list"], ["service capacity", f"service satisfaction within:{within}"]]
    return [
        [f"service show {key}", f"service availability {key} within:{within}"],
        [f"service readiness {key}"],
        [f"service satisfaction {key} within:{within}"],
    ]


def _services_asks(policy: Policy, query: Query) -> Sequence[Ask]:
    services = [("", "All"), *((key, each.name) for key, each in policy.services.items())]
    return (Ask("service", "Service", query.get("service", ""), services), period_ask(query, "month"))


PAGES = (
    Page(
        "/desk",
        "Overview",
        "What is yours, and how things stand.",
        lambda _policy, _query: [["desk home", "desk status"], ["sla status"]],
    ),
    Page(
        "/desk/queue",
        "Queue",
        "What is open, oldest promise first.",
        _queue,
        _queue_asks,
        needs="request list",
    ),
    Page(
        "/desk/rota",
        "On call",
        "Who is woken now, and whose turn is next.",
        _rota,
        _rota_asks,
        needs="oncall who",
    ),
    Page(
        "/desk/promises",
        "Promises",
        "Whether what was agreed is kept: attainment against its goal, what breaks next, and why.",
        _promises,
        _promises_asks,
        needs="sla status",
    ),
    Page(
        "/desk/agreements",
        "Agreements",
        "What is promised for which service, by which version.",
        lambda _policy, _query: [["sla agreement"]],
        needs="sla agreement",
    ),
    Page(
        "/desk/services",
        "Services",
        "What there is, in which version, how far it was there, and what people think of it.",
        _services,
        _services_asks,
        needs="service list",
    ),
    Page(
        "/desk/plans",
        "Plans",
        "Plans for the day when a service is gone, and what is due for them.",
        lambda _policy, _query: [["continuity due"], ["continuity plans"], ["drill list"]],
        needs="continuity plans",
    ),
)


class Pages:
    """Serves the pages. `further` are those that show more than lines; they stand in the menu after the others."""

    def __init__(
        self, dispatcher: Dispatcher, own: Doors, now: Callable[[], datetime], further: Sequence[Page] = ()
    ) -> None:
        self._dispatcher = dispatcher
        self._doors = own
        self.now = now
        self._links = showing.Links(dispatcher.commands)
        self._templates = showing.environment()
        self._pages = [*PAGES, *further]

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        return [
            Route(f"/desk/{showing.STYLE_NAME}", self._style),
            Route("/desk/enter/{link}", self._guarded(self._enter)),
            Route("/desk/enter/{link}", self._guarded(self._entered), methods=["POST"]),
            Route("/desk/leave", self._leave, methods=["POST"]),
            Route("/desk/tickets/{ref}", self._guarded(self._ticket)),
            Route("/desk/say", self._guarded(self._say)),
            *(Route(page.path, self._guarded(self._listed(page))) for page in self._pages),
            Route("/desk/{rest:path}", self._guarded(self._nowhere)),
        ]

    def ask(self, visit: Visit, question: Callable[[Desk], T]) -> tuple[Person, T]:
        """What a question that changes nothing answers to a reader. Raises DeskError."""
        return self._dispatcher.ask(visit.sender, lambda desk: (desk.asker, question(desk)))

    def replies(self, visit: Visit, lines: Sequence[str]) -> list[Reply]:
        """What lines answer a reader, as far as they may see it."""
        _, answers = self._dispatcher.read(visit.sender, [line for line in lines if self._knows(line)])
        return [reply for reply in map(self._answer, answers) if reply]

    # Doors ----------------------------------------------------------------------------------------

    def _style(self, request: Request) -> Response:
        kept = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
        return Response(showing.STYLE, headers=kept, media_type="text/css")

    def _enter(self, request: Request) -> Response:
        link = request.path_params["link"]
        said = self._doors.read_link(link)
        until = said.until.astimezone(ZoneInfo(self.policy.organisation.zone))
        then = (
            f"This link is for {said.sender.name or said.sender.user}. It works once, until {until:%H:%M %Z}."
        )
        return self._door("Sign in", then, link=link)

    def _entered(self, request: Request) -> Response:
        link = request.path_params["link"]
        to = self._doors.read_link(link).to
        page = self._links.to_reference(to) if to else None
        response = RedirectResponse(page or "/desk", 303, headers=dict(doors.HEADERS))
        self._doors.sign_in(request, link, response)
        return response

    async def _leave(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _TOKEN_AT_MOST:
                break
        token = parse_qs(body[:_TOKEN_AT_MOST].decode("utf-8", "replace")).get("token", [""])[0]
        return await anyio.to_thread.run_sync(self._guarded(lambda asked: self._left(asked, token)), request)

    def _left(self, request: Request, token: str) -> Response:
        then = "Type `desk web` in chat when you want to come back."
        response = self._door("You have signed out.", then)
        self._doors.sign_out(request, token, response)
        return response

    def _door(self, title: str, then: str, status: int = 200, link: str = "") -> Response:
        organisation = self.policy.organisation.name
        html = self._templates.get_template("door.html").render(
            title=title, then=then, link=link, reader=None, organisation=organisation
        )
        return Response(html, status, dict(doors.HEADERS), media_type="text/html")

    # Pages ----------------------------------------------------------------------------------------

    def _listed(self, page: Page) -> Callable[[Request], Response]:
        def show(request: Request) -> Response:
            policy, query = self.policy, request.query_params
            visit = self._doors.visit(request)
            if page.shows:
                return page.shows(self, visit, request)
            asks = page.asks(policy, query)
            try:
                lines = page.lines(policy, query)
            except BadValue as error:
                return self.instead(visit, page.path, page.name, error, page.about, asks)
            return self._said(visit, page.path, page.name, lines, page.about, asks)

        return show

    def instead(
        self, visit: Visit, here: str, title: str, error: DeskError, about: str, asks: Sequence[Ask]
    ) -> Response:
        """A page whose question cannot be answered: what is wrong with it, below the questions to ask anew."""
        reader, _ = self.ask(visit, lambda _desk: None)
        groups = [[_refusal(error)]]
        return self.render(visit, reader, "page.html", here, title, about=about, asks=asks, groups=groups)

    def _nowhere(self, request: Request) -> Response:
        path = request.url.path
        if path.endswith("/"):  # as the router would do, were there no route for everything
            return RedirectResponse(str(request.url.replace(path=path.rstrip("/"))))
        self._doors.visit(request)
        raise NotFound(
            "There is no such page.", "The menu shows those that there are.", [("Overview", "desk home")]
        )

    def _ticket(self, request: Request) -> Response:
        visit = self._doors.visit(request)
        ref = reference(request.path_params["ref"])
        if ref is None or self._links.to_reference(ref) is None:
            raise NotFound("There is no such ticket.", "A reference looks like REQ-7.")
        lines = [[ref], [f"evidence trail {ref}"], [f"sla why {ref}"]]
        return self._said(visit, "", ref, lines, whole=True)

    def _say(self, request: Request) -> Response:
        visit = self._doors.visit(request)
        line = request.query_params.get("line", "")[: LINE_AT_MOST + 1]
        declared, _ = self._dispatcher.commands.find(line)
        if declared.changes:
            raise NotAllowed("That changes something, so it is said in chat.", f"There, say: {line[:200]}")
        return self._said(visit, "", declared.name.capitalize(), [[line]], whole=True)

    def _said(
        self,
        visit: Visit,
        here: str,
        title: str,
        lines: Sequence[Sequence[str]],
        about: str = "",
        asks: Sequence[Ask] = (),
        whole: bool = False,
    ) -> Response:
        """A page of what lines answer; when it is the `whole` of it, the first line's refusal is that of the page.

        Of several refusals the first is shown: the lines of a page are made of the same words of its address.
        """
        known = [[line for line in group if self._knows(line)] for group in lines]
        flat = [line for group in known for line in group]
        reader, answers = self._dispatcher.read(visit.sender, flat)
        if whole and answers and isinstance(answers[0], DeskError):
            raise answers[0]
        refusals = [
            each for each in answers if isinstance(each, DeskError) and not isinstance(each, NotAllowed)
        ]
        shown = iter([None if each in refusals[1:] else self._answer(each) for each in answers])
        groups = [[reply for reply in (next(shown) for _ in group) if reply] for group in known]
        groups = [group for group in groups if group]
        return self.render(visit, reader, "page.html", here, title, about=about, asks=asks, groups=groups)

    def _knows(self, line: str) -> bool:
        try:
            self._dispatcher.commands.find(line)
        except UnknownCommand:
            return reference(line) is not None
        return True

    def _answer(self, answer: Reply | DeskError) -> Reply | None:
        """A part of a page; None for what this reader may not see."""
        if isinstance(answer, NotAllowed):
            return None
        if isinstance(answer, DeskError):
            return _refusal(answer)
        return answer

    def render(
        self,
        visit: Visit,
        reader: Person,
        template: str,
        here: str,
        title: str,
        status: int = 200,
        **more: Any,
    ) -> Response:
        """A page for somebody who has signed in."""
        now, zone = self.now(), reader.zone
        html = self._templates.get_template(template).render(
            title=title,
            reader=reader,
            token=visit.token,
            organisation=self.policy.organisation.name,
            menu=list(self._offered(reader)),
            here=here,
            shown=showing.Shown(self._links, zone, now),
            now=now,
            example=self._is_example,
            zone_name=f"{zone.rpartition('/')[2].replace('_', ' ')} ({now.astimezone(ZoneInfo(zone)):%Z})",
            **more,
        )
        return Response(html, status, dict(doors.HEADERS), media_type="text/html")

    @cached_property
    def _is_example(self) -> bool:
        """Whether nothing here ever happened, which is settled before anybody looks."""
        with self._dispatcher.database.reading() as session:
            return Records(session).facts.get(EXAMPLE) is not None

    def _offered(self, reader: Person) -> Iterator[tuple[str, str]]:
        for page in self._pages:
            known = not page.needs or page.needs in self._dispatcher.commands.by_name
            if page.name and known and page.role in reader.roles:
                yield page.path, page.name

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._dispatcher.policy()

    # What goes wrong ------------------------------------------------------------------------------

    def _guarded(self, show: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """A way to answer that never shows a fault as it is."""

        def answer(request: Request) -> Response:
            try:
                return show(request)
            except Refused as refused:
                return self._door(refused.title, refused.then, refused.status)
            except DeskError as error:
                return self._problem(request, error)
            except StoreUnavailable:
                response = self._door(
                    "The desk's store does not answer.", "Nothing is lost. Try again in a minute.", 503
                )
                response.headers["Retry-After"] = "60"
                return response
            except HTTPException:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, people hear of it calmly, and we in the log
                ref = uuid4().hex[:12]
                _log.exception("page failed", error=type(error).__name__, reference=ref)
                then = f"If it stays so, tell the desk's administrator this reference: {ref}"
                return self._door("Something went wrong on our side.", then, 500)

        return answer

    def _problem(self, request: Request, error: DeskError) -> Response:
        """A refusal as a page, with the way on."""
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
        try:
            visit = self._doors.visit(request)
            reader = self._dispatcher.ask(visit.sender, lambda desk: desk.asker)
        except (DeskError, Refused):
            return self._door(error.what, error.then, status)
        return self.render(
            visit, reader, "page.html", "", _CALM.get(status, "That did not work"), status, about="", asks=(),
            groups=[[_refusal(error)]],
        )  # fmt: skip


_CALM = {404: "Not found", 403: "Not for you", 400: "Not understood", 409: "It has moved on"}


def _refusal(error: DeskError) -> Reply:
    """What is said instead."""
    then = re.sub(r"^Fill in the form\.$", "Say it in chat, where the desk asks for the rest.", error.then)
    buttons = tuple(Button(label=label, line=line) for label, line in error.offers)
    return Reply(title=error.what or "That did not work.", text=(then,), tone=Tone.BAD, buttons=buttons)
