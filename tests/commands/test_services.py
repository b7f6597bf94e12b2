"""Does the list of services show what there is, who answers for it, and what is promised?"""

from __future__ import annotations

import pytest

from handlers.messages import Reply, flat
from tests.harness.house import Talk


def table(reply: Reply) -> list[list[str]]:
    """A reply's table as plain text."""
    return [[flat(cell) for cell in row] for row in (reply.table.rows if reply.table else ())]


def facts(reply: Reply) -> dict[str, str]:
    """A reply's facts as plain text."""
    return {fact.label: flat(fact.value) for fact in reply.facts}


def test_every_service_is_listed_with_what_can_be_asked_of_it(quick_talk: Talk) -> None:
    listed = quick_talk.say("staff", "service list")
    assert listed.title == f"{len(quick_talk.policy.services)} services"
    shown = {row[0]: row[2] for row in table(listed)}
    assert list(shown) == [each.name for each in quick_talk.policy.services.values()]
    assert shown["Laptops"] == "Laptop"
    assert shown["Network"] == "—"


@pytest.mark.parametrize(
    ("words", "found"),
    [("laptop", ["Laptops"]), ("DIRECTORY", ["Accounts"]), ("no such thing", []), ("vpn", ["VPN"])],
)
def test_words_narrow_the_list(quick_talk: Talk, words: str, found: list[str]) -> None:
    listed = quick_talk.say("staff", f"service list {words}")
    assert [row[0] for row in table(listed)] == found
    assert listed.title == (f"{len(found)} services" if len(found) != 1 else "1 service")


@pytest.mark.parametrize("key", ["laptops", "Laptops", "LAPTOPS"])
def test_a_service_tells_its_owner_its_team_and_its_promises(quick_talk: Talk, key: str) -> None:
    shown = quick_talk.say("staff", f"service show {key}")
    assert shown.title == "Laptops"
    assert facts(shown) == {"Owner": "Olga Owner", "Team": "Service desk"}
    (row,) = table(shown)
    assert row[0] == "Laptop"
    assert "resolve in 40h (Office hours)" in row[1]
    assert [button.line for button in shown.buttons] == ["request new laptop"]


def test_a_service_tells_what_it_rests_on(quick_talk: Talk) -> None:
    assert facts(quick_talk.say("staff", "service show vpn"))["Rests on"] == "Accounts, Network"


def test_what_one_may_not_ask_for_is_not_offered(quick_talk: Talk) -> None:
    assert table(quick_talk.say("staff", "service show accounts")) == []
    assert [row[0] for row in table(quick_talk.say("manager", "service show accounts"))] == ["New account"]


def test_a_promise_differs_by_calendar_as_the_agreement_says(quick_talk: Talk) -> None:
    (row,) = table(quick_talk.say("staff", "service show vpn"))
    assert "respond in 30m (Round the clock)" in row[1]


def test_an_unknown_service_offers_the_nearest(quick_talk: Talk) -> None:
    form = quick_talk.say("staff", "service show laptop").form
    assert form is not None
    assert form.fields[0].error == "There is no service called “laptop”. Did you mean laptops?"
    assert {option.value for option in form.fields[0].options} == set(quick_talk.policy.services)


def test_a_service_without_a_name_is_asked_for(quick_talk: Talk) -> None:
    form = quick_talk.say("staff", "service show").form
    assert form is not None
    assert (form.fields[0].key, form.fields[0].error) == ("service", "")
