"""Does the REST interface say what the desk says, to those whom a token lets, and survive whatever is sent?"""

from __future__ import annotations

import asyncio
import csv
import io
import re
from dataclasses import replace
from itertools import count
from typing import Any

import httpx
import pytest
import schemathesis
import structlog
from hypothesis import HealthCheck, given, settings

from bot.web.rest import PREFIX, Rest, as_csv
from handlers.exporting import SCOPES as SCOPES_OF
from handlers.exporting import columns
from handlers.messages import Tone
from handlers.tokens import digest
from storage.unit_of_work import Records
from tests.harness.house import Talk

SCOPES = "request:read,request:write,incident:read,sla:read,evidence:read"


class Wire:
    """Asks an application, without a wire."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer; what the application raises is what a server would say of it."""

        async def asked() -> httpx.Response:
            through = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=through, base_url="http://desk") as client:
                return await client.request(method, path, **more)

        return asyncio.run(asked())

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, **more)


class Program:
    """A program with a token, and what it is answered."""

    def __init__(self, talk: Talk, rate: int = 600) -> None:
        self.talk = talk
        self.http = Wire(Rest(talk.dispatcher, talk.database, talk.clock.now, rate).app)

    def code(self, scopes: str = SCOPES, person: str = "manager", days: int = 30) -> str:
        """The code that fetches a new token, as an administrator reads it."""
        said = self.talk.say("owner", f"token make report scopes:{scopes} person:@{person} days:{days}")
        found = re.search(r"code=(\S+)", str(said.text[0]))
        assert found, said
        return found[1]

    def token(self, scopes: str = SCOPES, person: str = "manager", days: int = 30) -> str:
        """A token that was fetched."""
        answer = self.http.post("/token", data={"code": self.code(scopes, person, days)})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    def ask(self, method: str, path: str, token: str | None = None, **more: Any) -> tuple[int, Any]:
        """The status, and the body as JSON."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.http.request(method, path, headers=headers | more.pop("headers", {}), **more)
        return answer.status_code, answer.json()


@pytest.fixture
def program(quick_talk: Talk) -> Program:
    """A program beside a quick desk."""
    return Program(quick_talk)


def test_a_command_is_the_same_command_with_the_same_rights(program: Program) -> None:
    token = program.token(person="agent")
    status, made = program.ask(
        "POST", "/request/new", token, json={"offering": "question", "answers": {"question": "why?"}}
    )
    assert (status, made["subject"]) == (200, "REQ-1")
    assert program.ask("POST", "/request/take", token, json={"request": "REQ-1"})[0] == 200
    records = program.talk.evidence("REQ-1")
    assert [
        (each.action, each.actor, each.surface) for each in records if not each.action.startswith("sla.")
    ] == [
        ("request.received", "agent", "api"),
        ("request.taken", "agent", "api"),
    ]
    status, shown = program.ask("GET", "/request/show", token, params={"request": "REQ-1"})
    assert (status, "REQ-1" in shown["title"]) == (200, True)


def test_a_freeze_holds_for_programs_too(program: Program) -> None:
    talk = program.talk
    talk.say(
        "agent", "change propose move a mailbox standard:mailbox-move start:“tue 20:00” implementer:@backup"
    )
    assert talk.say("backup", "change schedule CHG-1").tone is Tone.GOOD
    talk.say("manager", "change freeze the fair end:3d")
    talk.wait(hours=35)
    token = program.token(scopes="change:write", person="backup")
    for more in ({}, {"anyway": "freeze", "because": "I must"}):
        status, refused = program.ask("POST", "/change/start", token, json={"change": "CHG-1", **more})
        assert (status, refused["title"]) == (409, "CHG-1 cannot be started then: the fair")
    assert "change.started" not in talk.actions("CHG-1")
    assert talk.say("manager", "change unfreeze FRZ-1").tone is Tone.GOOD
    assert program.ask("POST", "/change/start", token, json={"change": "CHG-1"})[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/request/take", {"request": "REQ-9"}, 404),
        ("/request/take", {"request": "nonsense"}, 422),
        ("/request/take", {}, 422),
        ("/request/take", {"request": "REQ-1", "more": "x"}, 422),
        ("/request/rate", {"request": "REQ-1", "stars": "5"}, 409),
        ("/request/approve", {"request": "REQ-1"}, 409),
    ],
)
def test_what_is_wrong_is_said_with_the_fitting_status(
    program: Program, path: str, body: Any, status: int
) -> None:
    token = program.token(person="staff")
    program.talk.say("staff", "request new question why?")
    got, problem = program.ask("POST", path, token, json=body)
    assert got == status, problem
    assert problem["title"]


def test_an_idempotency_key_makes_it_happen_once(program: Program) -> None:
    token = program.token()
    asked = {
        "json": {"offering": "question", "answers": {"question": "why?"}},
        "headers": {"Idempotency-Key": "a"},
    }
    answers = [program.ask("POST", "/request/new", token, **dict(asked)) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(program.ask("GET", "/requests", token)[1]["items"]) == 1


def test_a_token_is_fetched_once_and_kept_as_a_digest_alone(program: Program) -> None:
    code = program.code()
    answer = program.http.post("/token", data={"code": code})
    token = answer.json()["token"]
    assert program.http.post("/token", data={"code": code}).status_code == 403
    with program.talk.database.reading() as session:
        kept = Records(session).tokens.listed()[0]
        assert kept.digest == digest(token)
        assert token not in str(kept.model_dump())
    late = program.code()
    program.talk.wait(minutes=10)
    assert program.http.post("/token", data={"code": late}).status_code == 403


def test_no_token_a_wrong_one_an_old_one_and_a_narrow_one_are_refused_and_logged(program: Program) -> None:
    token = program.token(scopes="request:read", days=2)
    revoked = program.token()
    program.talk.say("owner", "token revoke TOK-2")
    with structlog.testing.capture_logs() as logs:
        assert program.ask("GET", "/requests", token)[0] == 200
        assert program.ask("GET", "/requests")[0] == 401
        assert program.ask("GET", "/requests", token + "x")[0] == 401
        assert program.ask("GET", "/requests", revoked) == (
            401, {"type": "about:blank", "title": "This token is revoked.", "status": 401, "detail": ""},
        )  # fmt: skip
        assert program.ask("POST", "/request/take", token, json={"request": "REQ-1"})[0] == 403
        assert program.ask("GET", "/incidents", token)[0] == 403
        program.talk.wait(days=2)
        assert program.ask("GET", "/requests", token)[1]["title"] == "This token is expired."
    said = [(each.get("why"), each.get("token")) for each in logs if each["event"] == "token refused"]
    assert said == [
        ("unknown", None), ("revoked", "TOK-2"), ("scope", "TOK-1"), ("scope", "TOK-1"), ("expired", "TOK-1"),
    ]  # fmt: skip
    assert token not in str(logs)
    assert revoked not in str(logs)


def test_a_token_that_asks_too_often_waits_and_no_other_one_does(quick_talk: Talk) -> None:
    program = Program(quick_talk, rate=3)
    hasty, calm = program.token(), program.token()

    def asked(token: str) -> tuple[int, str | None, str | None]:
        answer = program.http.get("/requests", headers={"Authorization": f"Bearer {token}"})
        assert answer.headers["RateLimit-Policy"] == '"token";q=3;w=60'
        return answer.status_code, answer.headers["RateLimit"], answer.headers.get("Retry-After")

    with structlog.testing.capture_logs() as logs:
        assert [asked(hasty) for _ in range(5)] == [
            (200, '"token";r=2', None),
            (200, '"token";r=1', None),
            (200, '"token";r=0', None),
            (429, '"token";r=0;t=20', "20"),
            (429, '"token";r=0;t=20', "20"),
        ]
        status, refused = program.ask("POST", "/request/new", hasty, json={"offering": "question"})
        assert (status, refused["title"]) == (429, "This token may ask 3 times a minute.")
        assert asked(calm)[0] == 200
        program.talk.wait(seconds=20)
        assert [asked(hasty)[0] for _ in range(2)] == [200, 429]
        program.talk.wait(minutes=1)
        assert [asked(hasty)[0] for _ in range(4)] == [200, 200, 200, 429]
    slowed = [each["token"] for each in logs if each["event"] == "token asks too often"]
    assert slowed == ["TOK-1"] * 2, "once a minute, however often it asks"
    assert "RateLimit" not in program.http.get("/requests").headers


def test_a_scope_gives_nothing_that_its_person_may_not(program: Program) -> None:
    token = program.token(person="staff")
    assert program.ask("GET", "/service-levels", token)[0] == 403
    assert program.ask("GET", "/evidence", token)[0] == 403
    assert program.ask("GET", "/evidence/verify", token)[0] == 403
    program.talk.say("manager", "request new question why?")
    assert program.ask("GET", "/requests", token)[1]["items"] == []


@pytest.mark.parametrize(
    ("name", "key"), [("requests", "ref"), ("service-levels", "promise"), ("evidence", "seq")]
)
def test_a_collection_is_read_page_by_page_without_a_gap(program: Program, name: str, key: str) -> None:
    token = program.token()
    for number in range(7):
        program.talk.say("staff", f"request new question anyway:yes number {number}?")
    _, whole = program.ask("GET", f"/{name}", token, params={"limit": 1000})
    read: list[Any] = []
    after = None
    while True:
        _, page = program.ask(
            "GET", f"/{name}", token, params={"limit": 3, **({"after": after} if after else {})}
        )
        assert len(page["items"]) <= 3
        read += page["items"]
        after = page["next"]
        program.talk.say("staff", "request new question anyway:yes meanwhile?")  # moves no page
        if after is None or len(read) >= len(whole["items"]):
            break
    assert read[: len(whole["items"])] == whole["items"]
    assert len({str((each[key], each.get("subject"))) for each in read}) == len(read)


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "WzFd" + "A", "WyJhIl0", "W3RydWVd", "WzFlMzAwXQ", "Ww"])
def test_a_cursor_of_no_page_is_refused(program: Program, cursor: str) -> None:
    token = program.token()
    assert program.ask("GET", "/service-levels", token, params={"after": cursor})[0] == 422


def test_a_link_to_the_next_page_asks_for_the_same(program: Program) -> None:
    token = program.token(scopes="incident:read")
    for number in range(3):
        for service in ("mail", "vpn"):
            program.talk.say(
                "staff",
                f"incident declare “fault {number}” service:{service} impact:low urgency:low anyway:yes",
            )
    path, read = "/incidents?limit=2&format=csv&service=service%20desk%26mail", []
    policy = program.talk.policy
    mail = replace(policy.services["mail"], name="Service desk&mail")
    program.talk.policy = replace(policy, services={**policy.services, "mail": mail}, version="odd")
    while path:
        answer = program.http.get(path, headers={"Authorization": f"Bearer {token}"})
        read += list(csv.DictReader(io.StringIO(answer.text)))
        found = re.fullmatch(rf'<{PREFIX}(\S+)>; rel="next"', answer.headers.get("Link", ""))
        path = found[1] if found else ""
    assert [(each["ref"], each["service"]) for each in read] == [
        ("INC-1", "mail"), ("INC-3", "mail"), ("INC-5", "mail"),
    ]  # fmt: skip


def test_a_collection_is_narrowed_by_service_where_its_members_concern_one(after_drill: Talk) -> None:
    program, talk = Program(after_drill), after_drill
    talk._keys = count(1000)  # the first ones were said in the story, and would be answered as then
    token = program.token(scopes="change:read,drill:read,incident:read,evidence:read")
    talk.say("staff", "incident declare “it is gone” service:mail impact:low urgency:low")
    talk.say("agent", "change propose move it standard:mailbox-move start:“tue 20:00” implementer:@backup")
    for name in ("incidents", "changes", "drills"):
        whole = program.ask("GET", f"/{name}", token)[1]["items"]
        assert whole, name
        for asked, found in (("mail", whole), ("MAIL", whole), ("laptops", [])):
            assert program.ask("GET", f"/{name}", token, params={"service": asked}) == (
                200, {"items": found, "next": None},
            ), (name, asked)  # fmt: skip
    status, refused = program.ask("GET", "/evidence", token, params={"service": "mail"})
    assert (status, list(refused["problems"])) == (422, ["service"])
    assert refused["detail"] == "Known: after, limit, format."


def test_an_unknown_service_is_refused_with_those_that_are_near(program: Program) -> None:
    token = program.token(scopes="incident:read,change:read")
    program.talk.say("staff", "incident declare “it is gone” service:mail impact:low urgency:low")
    for name in ("incidents", "changes"):
        status, refused = program.ask("GET", f"/{name}", token, params={"service": "mial"})
        assert (status, refused["title"]) == (422, "There is no service called “mial”.")
        assert refused["detail"].startswith("Did you mean mail")
        assert list(refused["problems"]) == ["service"]
        assert program.ask("GET", f"/{name}", token, params={"service": "a\x00"})[0] == 422
    policy = program.talk.policy
    left = {key: each for key, each in policy.services.items() if key != "mail"}
    program.talk.policy = replace(policy, services=left, version="without mail")
    status, found = program.ask("GET", "/incidents", token, params={"service": "mail"})
    assert (status, len(found["items"])) == (200, 1), "what was kept of a service outlives it"
    assert program.ask("GET", "/changes", token, params={"service": "mail"})[0] == 422


@pytest.mark.parametrize("name", SCOPES_OF)
def test_a_collection_refuses_parameters_that_it_does_not_know(program: Program, name: str) -> None:
    token = program.token(scopes=SCOPES_OF[name])
    status, refused = program.ask("GET", f"/{name}", token, params={"bogus": "1", "limit": "2"})
    assert (status, list(refused["problems"])) == (422, ["bogus"])
    assert "Known: after, limit, format" in refused["problems"]["bogus"]
    described = program.http.get("/openapi.json").json()["paths"][f"/{name}"]["get"]["parameters"]
    known = {each["name"] for each in described if each["in"] == "query"}
    assert known == {"after", "limit", "format", *(["service"] if name != "evidence" else [])}


@pytest.mark.parametrize("name", SCOPES_OF)
def test_a_file_without_members_names_its_columns(program: Program, name: str) -> None:
    token = program.token(scopes=SCOPES_OF[name])
    after = {"evidence": "WzkwMDAwXQ"}.get(name)
    params = {"format": "csv", **({"after": after} if after else {})}
    answer = program.http.get(f"/{name}", params=params, headers={"Authorization": f"Bearer {token}"})
    [header] = list(csv.reader(io.StringIO(answer.text)))
    assert header == columns(name)


def test_a_spreadsheet_finds_no_formula_in_what_people_wrote(program: Program) -> None:
    token = program.token()
    hostile = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", " =1", 'a,"b"\nc', "ordinary"]
    text = as_csv([{"summary": each} for each in hostile], ["summary"])
    read = [row["summary"] for row in csv.DictReader(io.StringIO(text))]
    assert read == ["'=1+1", "'+1", "'-1", "'@SUM(1)", "'\t=1", "' =1", 'a,"b"\nc', "ordinary"]
    program.talk.say("staff", "request new question anyway:yes ", question="=cmd|' /C calc'!A0")
    answer = program.http.get("/requests?format=csv", headers={"Authorization": f"Bearer {token}"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert not re.search(r"(^|,)[\"]?[=+@-]", answer.text, re.MULTILINE)


def test_the_description_names_every_command_but_those_that_no_token_opens(program: Program) -> None:
    described = program.http.get("/openapi.json").json()
    said = {each.name for each in program.talk.dispatcher.commands.spoken}
    told = {operation["operationId"] for path in described["paths"].values() for operation in path.values()}
    assert {
        name.replace(" ", "-") for name in said if name.split()[0] not in ("desk", "token", "privacy")
    } <= told
    assert not [each for each in told if each.startswith(("token-", "desk-", "privacy-"))]
    assert described["servers"] == [{"url": PREFIX}]


_DRAWN_FROM = "^/(requests|evidence|request/(new|show|take|rate)|sla/|incident/list)"


def test_whatever_is_sent_is_answered_as_described(program: Program) -> None:
    token = program.token()
    description = program.http.get("/openapi.json").json()
    operations = schemathesis.openapi.from_dict(description).include(path_regex=_DRAWN_FROM)
    answered = set()

    def check(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url="http://desk")
        headers = {**sent.get("headers", {}), "Authorization": f"Bearer {token}"}
        more = {key: sent[key] for key in ("params", "json") if sent.get(key) is not None}
        try:
            answer = program.http.request(sent["method"], sent["url"], headers=headers, **more)
        except (UnicodeEncodeError, httpx.InvalidURL, TypeError):
            return  # no client can send it
        described = {int(code) for code in case.operation.definition.raw["responses"]}
        assert answer.status_code in described, (case.path, answer.status_code, answer.text)
        answered.add(answer.status_code)

    for each in operations.get_all_operations():
        operation: Any = each
        drawn = given(case=operation.ok().as_strategy())(check)
        settings(max_examples=3, database=None, suppress_health_check=list(HealthCheck))(drawn)()
    assert {200, 422} <= answered
