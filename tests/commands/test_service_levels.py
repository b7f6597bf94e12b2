"""Are promises kept, announced and explained as the agreement says?"""

from __future__ import annotations

from datetime import UTC, datetime

from handlers.messages import Reply, flat
from handlers.rules.promises import ANSWERS
from tests.harness.house import Talk


def derivation(talk: Talk, ref: str, promise: str) -> Reply:
    """The section of `sla why` about one promise."""
    why = talk.say("agent", f"sla why {ref}")
    return next(each for each in why.more if each.title.lower().startswith(f"{promise}:"))


def due(section: Reply) -> str:
    """The due moment that a derivation shows, in UTC."""
    return next((flat(each.value) for each in section.facts if each.label == "Due"), "none")


def test_the_clock_of_a_question_follows_office_hours(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    section = derivation(talk, "REQ-1", "respond")
    assert section.title == "Respond: running"
    talk.wait(hours=1)
    talk.say("agent", "request take REQ-1")
    assert derivation(talk, "REQ-1", "respond").title == "Respond: met"


def test_only_a_person_other_than_the_requester_answers(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.say("staff", "request comment REQ-1 is anybody there?")
    assert derivation(talk, "REQ-1", "respond").title == "Respond: running"
    talk.say("agent", "request comment REQ-1 yes, I am looking")
    assert derivation(talk, "REQ-1", "respond").title == "Respond: met"
    assert "commented" in ANSWERS


def test_waiting_for_the_requester_stops_the_clock_and_it_says_why(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-1")
    before = due(derivation(talk, "REQ-1", "resolve"))
    talk.say("agent", "request wait REQ-1 requester which one?")
    assert due(derivation(talk, "REQ-1", "resolve")) == "none"
    talk.wait(hours=2)
    talk.say("staff", "request comment REQ-1 the blue one")
    section = derivation(talk, "REQ-1", "resolve")
    assert due(section) > before
    reasons = [flat(row[3]) for row in section.table.rows]  # type: ignore[union-attr]
    assert "waiting on requester" in reasons


def test_a_higher_priority_counts_from_the_start_and_is_announced(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-1")
    talk.wait(hours=1)
    talk.say("agent", "request priority REQ-1 P1 the board waits")
    assert talk.told("@staff")[-2:] == ["REQ-1 is P1 now (was P4)", "REQ-1 has new promises"]
    section = derivation(talk, "REQ-1", "resolve")
    assert any("counted from the start" in flat(row[3]) for row in section.table.rows)  # type: ignore[union-attr]


def test_a_promise_that_moves_while_its_clock_stands_still_is_announced_at_once(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-1")
    talk.wait(hours=1)
    talk.say("agent", "request wait REQ-1 requester which?")
    talk.say("agent", "request priority REQ-1 P1 the board waits")
    announced = talk.sent("@staff")[-1]
    assert announced.title == "REQ-1 has new promises"
    assert [(each.label, flat(each.value)) for each in announced.facts] == [
        ("Resolve", "7h left, once its clock goes on")
    ]


def test_warnings_and_the_breach_are_told_once_each(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.wait(days=3)
    told = [each.action for each in talk.evidence("REQ-1") if each.action in ("sla.warned", "sla.breached")]
    assert told[:4] == ["sla.warned", "sla.warned", "sla.warned", "sla.breached"]
    breached = next(each for each in talk.evidence("REQ-1") if each.action == "sla.breached")
    assert (breached.after or {})["promise"] == "respond"
    room = talk.policy.teams["service-desk"].room
    titles = [title for title in talk.told(room) if "respond" in title]
    assert len(titles) == len(set(titles)) == 4


def test_after_downtime_only_the_gravest_is_told_and_it_says_how_late(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.clock.set(datetime(2026, 11, 26, 9, 0, tzinfo=UTC))
    talk.ring()
    told = [
        (each.after or {})["percent"]
        for each in talk.evidence("REQ-1")
        if each.action in ("sla.warned", "sla.breached")
    ]
    assert told == [100, 25] or told == [100], told
    talk.ring()
    assert len(talk.told(talk.policy.teams["service-desk"].room)) == 1


def test_a_reopened_request_goes_on_with_its_promise(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-1")
    talk.say("agent", "request fulfil REQ-1")
    assert derivation(talk, "REQ-1", "resolve").title == "Resolve: met"
    talk.wait(hours=1)
    talk.say("staff", "request reopen REQ-1 still broken")
    section = derivation(talk, "REQ-1", "resolve")
    assert section.title == "Resolve: running"
    reasons = [flat(row[3]) for row in section.table.rows]  # type: ignore[union-attr]
    assert "fulfilled, until it was reopened" in reasons


def test_status_counts_what_was_kept_and_broken(talk: Talk) -> None:
    for number in (1, 2):
        talk.say("staff", "request new question why? anyway:yes")
        if number == 1:
            talk.say("agent", "request take REQ-1")
    talk.wait(days=3)
    status = talk.say("manager", "sla status service-desk within:week")
    rows = {flat(row[0]): [flat(cell) for cell in row] for row in status.table.rows}  # type: ignore[union-attr]
    assert rows["respond"][1:4] == ["1", "1", "50 % ✗ below goal"]
    breaches = talk.say("manager", "sla breaches within:week")
    assert [flat(row[0]) for row in breaches.table.rows] == ["REQ-2"]  # type: ignore[union-attr]


def test_a_changed_agreement_leaves_open_tickets_as_they_were(talk: Talk) -> None:
    from dataclasses import replace

    talk.say("staff", "request new question why?")
    before = due(derivation(talk, "REQ-1", "resolve"))
    agreements = dict(talk.policy.agreements)
    target = agreements["standard"].targets[-1]
    shorter = replace(target, within=dict.fromkeys(target.within, 60))
    agreements["standard"] = replace(
        agreements["standard"], targets=(*agreements["standard"].targets[:-1], shorter)
    )
    talk.policy = replace(talk.policy, agreements=agreements, version="another")
    assert due(derivation(talk, "REQ-1", "resolve")) == before
    talk.say("staff", "request new question why? anyway:yes")
    assert due(derivation(talk, "REQ-2", "resolve")) < before


def test_an_unknown_scope_or_period_is_met_with_what_is_known(quick_talk: Talk) -> None:
    assert (
        quick_talk.say("manager", "sla status pigeons").title == "“pigeons” is no service, team or customer."
    )
    future = quick_talk.say("manager", "sla status within:2031-01")
    assert "has not begun yet" in future.title
    assert quick_talk.say("manager", "sla status").table.empty.startswith("Nothing was promised yet")  # type: ignore[union-attr]
