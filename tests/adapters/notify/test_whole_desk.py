"""From a page to a phone: the real outbox, courier and ways, with stand-ins at the far end and a clock to move."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.adapters.notify.mail import MailAdapter, Server
from bot.adapters.notify.ntfy import NtfyAdapter
from bot.adapters.notify.outbound import Outbound
from bot.adapters.notify.sms import SmsAdapter
from bot.adapters.notify.webhook import WebhookAdapter
from bot.courier import Courier
from bot.doctor import examine
from bot.logs import _Redactor
from bot.wiring import build, secrets_of
from config.policy import Contact, Policy, Way
from config.settings import read_settings
from handlers.declare import Commands
from handlers.dispatch import Dispatcher
from storage import migrations
from storage.database import Database
from storage.repositories.outbox import Paged
from storage.unit_of_work import Records
from tests.flow import tickets
from tests.flow.conftest import START, Flow, on_two_platforms
from tests.flow.test_pages import with_bo
from tests.harness.certificates import Authority
from tests.harness.house import POLICIES
from tests.harness.mail_server import MailServer
from tests.harness.receiver import Receiver, fails
from tests.harness.troubles import Lost, RateLimited, ServerError
from tests.harness.web_hosts import Hook, Ntfy, Twilio
from tests.running.program import Program

NUMBER, TOPIC = "+351210000000", "bo-7Gq2"


@dataclass
class Phones(Flow):
    """A flow whose ways out of chat are the real ones."""

    smtp: MailServer
    twilio: Twilio
    push: Ntfy
    hook: Hook

    def ways(self) -> Mapping[str, Any]:
        local = Outbound(["127.0.0.1"], total=2.0)
        there = Server("smtp", "localhost", self.smtp.port)
        return {
            "chat": self.chat,
            "mail": MailAdapter(there, "desk@example.org", self.clock.now, tls=self.trusting, total=2.0),
            "sms": SmsAdapter(local, self.twilio.url, Twilio.ACCOUNT, Twilio.TOKEN, Twilio.SENDER),
            "ntfy": NtfyAdapter(local, self.push.url, Ntfy.TOKEN),
            "webhook": WebhookAdapter(local, Hook.SECRET, self.clock.now),
        }

    trusting: Any = None

    def worker(self, name: str, **how: float) -> Courier:
        return Courier(self.dispatcher, self.ways(), self.clock, name, **how)  # type: ignore[arg-type]

    def pages(self) -> list[Paged]:
        with self.database.reading() as session:
            return list(Records(session).outbox.pages("TKT-1"))


@pytest.fixture
async def phones(
    sqlite: Database,
    policy: Policy,
    clock,
    authority: Authority,
    twilio: Twilio,
    ntfy: Ntfy,
    hook: Hook,
) -> AsyncIterator[Phones]:
    """Bo has every way there is, ten minutes apart."""
    clock.set(START)
    smtp = MailServer(clock.now, authority.vouching_for("localhost"))
    await smtp.start()
    contacts = (
        Contact(Way.CHAT),
        Contact(Way.SMS, NUMBER, 600),
        Contact(Way.NTFY, TOPIC, 1200),
        Contact(Way.WEBHOOK, hook.url, 1800),
        Contact(Way.MAIL, after=2400),
    )
    theirs = with_bo(on_two_platforms(policy), *contacts)
    platforms = ["chat", "mail", "sms", "ntfy", "webhook"]
    dispatcher = Dispatcher(Commands([tickets]), lambda: theirs, sqlite, clock.now, platforms)
    unused = Receiver("unused", clock)
    flow = Phones(
        sqlite, dispatcher, clock, Receiver("chat", clock), unused, unused, unused, smtp, twilio, ntfy, hook
    )
    flow.trusting = authority.trusting()
    flow.courier = flow.worker("first")
    flow.say("ticket open TKT-1 far")
    yield flow
    await smtp.stop()


async def test_every_way_wakes_at_its_time_with_the_same_story(phones: Phones):
    phones.say("ticket wake TKT-1 bo")
    await phones.live(hours=1)
    assert [(each.way, each.state) for each in phones.pages()] == [
        (way, "sent") for way in ("chat", "sms", "ntfy", "webhook", "mail")
    ]
    waited = [each.done_at - START for each in phones.pages() if each.done_at]
    assert waited == [timedelta(minutes=minutes) for minutes in (0, 10, 20, 30, 40)]
    (_, text), (push,) = phones.twilio.sent[0], phones.push.pushed
    (hooked,), (letter,) = phones.hook.taken.values(), phones.smtp.letters
    for said in (text, push["message"], str(hooked["answers"]), letter.text):
        assert "ticket close TKT-1" in said
    assert (text[:11], push["title"], hooked["title"]) == ("page TKT-1.", "page TKT-1", "page TKT-1")
    assert letter.message["Subject"] == "page TKT-1"


async def test_while_chat_and_twilio_are_away_the_third_way_is_out_at_once(phones: Phones):
    phones.chat.rule = lambda delivery: fails
    phones.twilio.troubles.always = lambda method: RateLimited(600)
    phones.say("ticket wake TKT-1 bo")
    await phones.courier.drain()
    assert [each["title"] for each in phones.push.pushed] == ["page TKT-1"]
    reasons = {each.way: (each.state, each.reason) for each in phones.pages()}
    assert reasons["chat"] == ("retry", "503")
    assert reasons["sms"] == ("retry", "answered 429")
    phones.say("ticket close TKT-1")
    await phones.live(hours=2)
    assert [(each.way, each.state) for each in phones.pages() if each.way != "ntfy"] == [
        (way, "skipped") for way in ("chat", "sms", "webhook", "mail")
    ]
    assert len(phones.twilio.asked) == 1, "nobody is asked again before the time that was named"
    assert not phones.smtp.letters


async def test_what_twilio_and_ntfy_took_although_the_answer_was_lost_is_not_sent_twice(phones: Phones):
    phones.twilio.troubles.add("POST", Lost())
    phones.push.troubles.add("POST", Lost())
    phones.say("ticket wake TKT-1 bo")
    await phones.live(hours=1)
    assert {each.state for each in phones.pages()} == {"sent"}
    assert len(phones.twilio.sent) == 1
    assert len(phones.push.messages) == 1


async def test_a_webhook_is_tried_for_a_day_and_then_the_owner_hears_of_it(phones: Phones):
    phones.hook.troubles.always = lambda method: ServerError(500)
    phones.say("ticket wake TKT-1 bo")
    await phones.live(hours=1)
    tried_often = len(phones.hook.asked)
    assert tried_often >= 10
    keys = {asked.headers["idempotency-key"] for asked in phones.hook.asked}
    assert len(keys) == 1
    phones.clock.set(START + timedelta(hours=26))
    await phones.live(minutes=2)
    assert [each.state for each in phones.pages() if each.way == "webhook"] == ["given up"]
    assert phones.chat.heard("C-owners") == ["A page about TKT-1 could not be delivered."]


# The house ----------------------------------------------------------------------------------------

ALL = {
    "SMTP_URL": "smtp://desk:a%2Fsecret-word@mail.example.org",
    "MAIL_FROM": "Desk <desk@example.org>",
    "TWILIO_ACCOUNT_SID": Twilio.ACCOUNT,
    "TWILIO_AUTH_TOKEN": "the-token-of-twilio",
    "TWILIO_FROM": Twilio.SENDER,
    "NTFY_URL": "https://ntfy.example.org",
    "NTFY_TOKEN": "tk_the_token_of_ntfy",
    "WEBHOOK_SECRET": Hook.SECRET,
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An installation with nothing set but its home."""
    for name in ALL:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DESKBELL_HOME", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_ways_are_built_when_they_are_set_up_and_not_otherwise(home):
    assert build(read_settings()).platforms == ("console",)
    for name, value in ALL.items():
        home.setenv(name, value)
    house = build(read_settings())
    assert house.platforms == ("console", "mail", "sms", "ntfy", "webhook")
    assert list(house.adapters) == list(house.platforms)
    house.database.close()


def test_no_log_holds_what_the_ways_keep_secret(home):
    for name, value in ALL.items():
        home.setenv(name, value)
    secrets = secrets_of(read_settings())
    cut = _Redactor(secrets)
    for secret in (
        "a/secret-word",
        "a%2Fsecret-word",
        "the-token-of-twilio",
        "tk_the_token_of_ntfy",
        Hook.SECRET,
    ):
        assert secret not in str(cut(None, "", {"event": f"it was {secret} all along"}))


def test_the_doctor_names_the_ways_and_whoever_names_one_that_is_not_set_up(home, policy: Policy):
    house = build(read_settings())
    migrations.upgrade(house.database)
    found = {each.name: each for each in examine(house)}["ways to wake people"]
    assert (found.good, found.found) == (True, "chat")
    home.setattr(type(house), "policy", lambda self: with_bo(policy, Contact(Way.SMS, NUMBER)))
    found = {each.name: each for each in examine(house)}["ways to wake people"]
    house.database.close()
    assert not found.good
    assert found.found == "chat; sms is named by bo and not set up"
    assert found.then == "Set TWILIO_ACCOUNT_SID (docs/settings.md), or name other contacts."


def test_the_check_names_the_same_and_is_content_where_it_is_set_up(tmp_path: Path):
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    said = yaml.safe_load((folder / "people.yaml").read_text(encoding="utf-8"))
    said["oncall"]["contacts"] = [{"way": "chat"}, {"way": "sms", "to": NUMBER, "after": "1m"}]
    (folder / "people.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    program = Program(tmp_path, DESKBELL_CONFIG=str(folder))
    told = "But sms is named by oncall and not set up. Set TWILIO_ACCOUNT_SID (docs/settings.md), or name"
    assert program.succeed("check").splitlines()[1:] == [f"{told} other contacts."]
    twilio = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "x" * 32, "TWILIO_FROM": NUMBER}
    assert program.run("check", **twilio).stdout.count("\n") == 1
