"""Do programs hear of every event that they asked for, once, without a word that a person wrote?"""

from __future__ import annotations

from dataclasses import replace

from bot.adapters.notify.webhook import shown
from config.policy import Webhook
from handlers.delivery import Deliveries
from storage.models.flow import OutboxRow
from storage.unit_of_work import Records
from tests.harness.house import Talk

HOOKS = {
    "all": Webhook("all", "https://all.example.org/", ("*",)),
    "some": Webhook("some", "https://some.example.org/", ("request.taken", "incident.*")),
}


def events(talk: Talk, hook: str) -> list[OutboxRow]:
    """What waits for a program, in order."""
    with talk.database.reading() as session:
        rows = Records(session).outbox.listed(["pending", "given up", "sent"], 1000)
    return [row for row in reversed(rows) if row.lane == f"webhook:{hook}"]


def test_each_event_waits_once_for_each_program_that_hears_of_it(talk: Talk) -> None:
    talk.policy = replace(talk.policy, webhooks=HOOKS)
    talk.dispatcher.platforms = ("console", "webhook")
    talk.say("staff", "request new question a private matter", key="same")
    talk.say("staff", "request new question a private matter", key="same")
    talk.say("agent", "request take REQ-1")
    heard = events(talk, "all")
    assert [row.place["event"]["action"] for row in heard] == [each.action for each in talk.evidence("REQ-1")]
    assert [row.place["event"]["hash"] for row in heard] == [each.hash for each in talk.evidence("REQ-1")]
    assert [row.place["event"]["action"] for row in events(talk, "some")] == ["request.taken"]
    assert "private" not in str([(row.place, row.payload) for row in heard])
    assert len({row.key for row in heard}) == len(heard)


def test_the_courier_is_given_the_event_as_its_body(talk: Talk) -> None:
    talk.policy = replace(talk.policy, webhooks=HOOKS)
    talk.dispatcher.platforms = ("webhook",)
    talk.say("manager", "incident declare mail is down service:mail impact:low urgency:low")
    deliveries = Deliveries(talk.dispatcher)
    claims = deliveries.claim(talk.clock.now(), "test", {"webhook": 10})
    parcel = next(
        each
        for each in (
            deliveries.ready(claim, talk.clock.now()) for claim in claims if claim.lane == "webhook:some"
        )
        if each
    )
    body = shown(parcel)
    assert (body["kind"], body["action"], body["subject"]) == ("event", "incident.reported", "INC-1")
    assert body["key"].startswith("event/")


def test_without_a_secret_what_cannot_be_sent_is_given_up_and_says_why(talk: Talk) -> None:
    talk.policy = replace(talk.policy, webhooks=HOOKS)
    talk.say("staff", "request new question why?")
    assert {(row.state, row.reason) for row in events(talk, "all")} == {("given up", "webhook is not set up")}
