"""A desk of the example organisation that monitoring systems reach over HTTP, without a wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select
from sqlmodel import SQLModel

from bot.clock import VirtualClock
from bot.tokens import Tokens
from bot.web.alerts import SIGNATURE, TIMESTAMP, AlertIntake, address, purpose, sign, signing
from bot.web.app import create
from config.policy import AlertKind, AlertMapping, AlertSource, Level, Policy
from storage.database import Database
from storage.models.alerts import Alert
from storage.models.incidents import Incident
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, Talk

_WORDS = {"critical": Level.HIGH, "error": Level.HIGH, "warning": Level.MEDIUM, "info": Level.LOW}


def _source(key: str, kind: AlertKind, **more: Any) -> AlertSource:
    known = {"name": key.capitalize(), "service": "network", "urgency": _WORDS, **more}
    return AlertSource(key=key, kind=kind, **known)


SOURCES = (
    _source("prometheus", AlertKind.ALERTMANAGER),
    _source("pager", AlertKind.PAGERDUTY),
    _source("grafana", AlertKind.GRAFANA, signed=True),
    _source("scripts", AlertKind.GENERIC, impact=Level.HIGH),
    _source("signing", AlertKind.GENERIC, signed=True),
    _source("careful", AlertKind.GENERIC, resolves=False),
    _source("backup", AlertKind.GENERIC, heartbeat=600),
    _source("rare", AlertKind.GENERIC, rate=3),
    _source("stormy", AlertKind.GENERIC, storm=3),
    _source(
        "nested",
        AlertKind.GENERIC,
        mapping=AlertMapping(
            key="event.id",
            title="event.title",
            detail="event.lines.0",
            severity="event.level",
            state="event.status",
            resolved=("closed",),
            link="event.url",
        ),
    ),
)


class Monitored:
    """A desk, the systems that watch over it, and what became of what they said."""

    def __init__(self, talk: Talk) -> None:
        talk.policy = replace(talk.policy, alerts={each.key: each for each in SOURCES}, version="monitored")
        self.talk = talk
        self.tokens = Tokens(b"a secret of 32 bytes, or a few more")
        self.counted: list[tuple[str, int]] = []
        intake = AlertIntake(
            talk.dispatcher,
            lambda: self.talk.policy,
            self.tokens,
            talk.clock.now,
            lambda source, status: self.counted.append((source, status)),
        )
        app = create(talk.database, intake.routes(), CollectorRegistry(), lambda: ())
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk")

    def source(self, key: str) -> AlertSource:
        return self.talk.policy.alerts[key]

    def token(self, key: str) -> str:
        """The token of a source."""
        return self.tokens.of(purpose(self.source(key)))

    def signed(self, key: str, body: bytes, ago: int = 0) -> dict[str, str]:
        """The headers of a signed request."""
        stamp = str(int(self.talk.clock.now().timestamp()) - ago)
        return {TIMESTAMP: stamp, SIGNATURE: sign(self.tokens.of(signing(self.source(key))), stamp, body)}

    async def send(self, key: str, payload: Any, **headers: str) -> httpx.Response:
        """Send what a source says, as it should; `headers` replace those of a good request."""
        source = self.source(key)
        if source.kind is AlertKind.PAGERDUTY and isinstance(payload, dict):
            payload = {"routing_key": self.token(key), **payload}
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = {"authorization": f"Bearer {self.token(key)}"}
        sent |= self.signed(key, body) if source.signed else {}
        return await self.http.post(address(source), content=body, headers=sent | headers)

    async def accept(self, key: str, payload: Any) -> httpx.Response:
        """Send what must be accepted."""
        answer = await self.send(key, payload)
        assert answer.status_code in (200, 202), answer.text
        return answer

    def incidents(self) -> list[Incident]:
        """Every incident, oldest first."""
        with self.talk.database.reading() as session:
            found = Records(session).incidents.listed(at_most=1000)[0]
        return sorted(found, key=lambda each: each.number)

    def incident(self) -> Incident:
        """The only incident."""
        [found] = self.incidents()
        return found

    def alerts(self) -> dict[str, Alert]:
        """Every alert, by its source's key."""
        with self.talk.database.reading() as session:
            found = Records(session).alerts.listed(state=None, source=None, skip=0, at_most=1000)[0]
        return {each.key: each for each in found}

    def everything(self) -> Mapping[str, list[Any]]:
        """Every row of every table."""
        with self.talk.database.reading() as session:
            return {
                table.name: sorted(map(repr, session.execute(select(table)).all()))
                for table in SQLModel.metadata.sorted_tables
            }

    def changed(self, before: Mapping[str, list[Any]]) -> set[str]:
        """The tables that are not as they were, but for the memory of which requests were answered."""
        now = self.everything()
        return {name for name, rows in now.items() if rows != before[name]} - {"inbox"}


@pytest.fixture
def monitored(talk: Talk) -> Monitored:
    """On SQLite and on PostgreSQL."""
    return Monitored(talk)


@pytest.fixture
def quick(quick_talk: Talk) -> Monitored:
    """On SQLite alone, for questions that are not about the store."""
    return Monitored(quick_talk)


@pytest.fixture
def unreachable(policy: Policy) -> Iterator[Monitored]:
    """A desk whose store is away."""
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    yield Monitored(Talk(away, policy, VirtualClock(MONDAY)))
    away.close()
