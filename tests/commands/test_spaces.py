"""Where an incident is worked on, on a desk whose platforms have threads only."""

from dataclasses import replace

from storage.unit_of_work import Records
from tests.harness.house import Talk


def test_a_platform_that_has_threads_is_not_asked_for_a_channel(quick_talk: Talk) -> None:
    rules = quick_talk.policy.incidents
    assert rules
    quick_talk.policy = replace(quick_talk.policy, incidents=replace(rules, space="channel"))
    quick_talk.say("staff", "incident declare mail is down service:mail impact:high urgency:high")
    quick_talk.say("oncall", "incident ack INC-1")
    with quick_talk.database.reading() as session:
        found = Records(session).outbox.of("INC-1")
    assert "space" not in {row.kind for row in found}
    assert {row.place.get("channel") for row in found if row.kind == "card"} == {"on-call"}
