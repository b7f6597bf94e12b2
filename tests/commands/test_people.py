"""Does the desk know who speaks, join what belongs together, and forget whom it must?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import inspect, select, text
from sqlmodel import SQLModel

from config.policy import Account
from handlers.messages import Place, Reply, Sender, Tone, flat
from storage.database import Database
from storage.repositories.console import Console, Writing
from storage.unit_of_work import Records
from tests.harness.house import Talk

SLACK = {"platform": "slack", "workspace": "T1", "user": "U1"}
DISCORD = {"platform": "discord", "workspace": "1", "user": "2"}


def chat(talk: Talk, account: dict[str, str], line: str, name: str = "Nina Neumann", **sender: Any) -> Reply:
    """What somebody hears who speaks from an account on a chat platform."""
    talk.dispatcher.platforms = ("slack", "discord", "console")
    command = talk.command("nobody", line)
    said_by = Sender(**{**account, "name": name, **sender})
    place = Place(platform=account["platform"], channel="C1")
    return talk.dispatcher.run(command.model_copy(update={"sender": said_by, "place": place}))


def facts(reply: Reply) -> dict[str, str]:
    """A reply's facts as plain text."""
    return {fact.label: flat(fact.value) for fact in reply.facts}


def code_of(reply: Reply) -> str:
    """The code in an answer to `desk link`."""
    assert "desk link " in flat(reply.text), reply
    return flat(reply.text).rpartition(" ")[2]


def name_in_policy(talk: Talk, person: str, account: dict[str, str]) -> None:
    """Give a person an account in people.yaml."""
    named = replace(talk.policy.people[person], accounts=(Account(**account),))
    talk.policy = replace(
        talk.policy, version=f"{talk.policy.version}+", people={**talk.policy.people, person: named}
    )


def test_everyone_sees_who_they_are_taken_for(quick_talk: Talk) -> None:
    told = quick_talk.say("agent", "desk whoami")
    assert told.title == "You are Alex Agent"
    assert facts(told) == {
        "Known as": "@agent",
        "Roles": "agent, staff",
        "Teams": "People operations, Service desk",
        "Manager": "Olga Owner",
        "Your zone": "Europe/Berlin",
        "Reached on": "console",
    }
    assert facts(quick_talk.say("backup", "desk whoami"))["Your zone"] == "Europe/Lisbon"


def test_the_owner_of_the_example_may_do_everything(quick_talk: Talk) -> None:
    assert facts(quick_talk.say("owner", "desk whoami"))["Roles"] == (
        "admin, agent, approver, manager, owner, responder, staff"
    )


def test_somebody_from_chat_has_the_roles_that_their_platform_gives_them(quick_talk: Talk) -> None:
    grants = {**quick_talk.policy.access.grants}
    manager = next(role for role in grants if role == "manager")
    grants[manager] = (*grants[manager], "discord:77")
    quick_talk.policy = replace(quick_talk.policy, access=replace(quick_talk.policy.access, grants=grants))
    assert facts(chat(quick_talk, DISCORD, "desk whoami"))["Roles"] == "staff"
    assert (
        facts(chat(quick_talk, DISCORD, "desk whoami", groups=("discord:77",)))["Roles"] == "manager, staff"
    )


# Joining accounts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"), [(SLACK, DISCORD), (DISCORD, SLACK)], ids=["one way", "the other"]
)
def test_two_accounts_become_one_person_with_everything_they_asked_for(
    talk: Talk, first: dict[str, str], second: dict[str, str]
) -> None:
    chat(talk, first, "request new question from the first")
    chat(talk, second, "request new question from the second")
    joined = chat(talk, second, f"desk link {code_of(chat(talk, first, 'desk link'))}", name="nini")
    assert (joined.tone, flat(joined.text)) == (Tone.GOOD, "Here too you are Nina Neumann.")
    for account in (first, second):
        me = chat(talk, account, "desk whoami")
        assert facts(me)["Known as"] == "@person-1"
        assert sorted(facts(me)["Reached on"].split(", ")) == ["discord", "slack"]
        assert chat(talk, account, "request list mine").title == "2 of your requests"
    assert talk.evidence("person-1")[-1].action == "person.linked"
    talk.say("agent", "request take REQ-2")
    with talk.database.reading() as session:
        told = [row for row in Records(session).outbox.of("REQ-2") if row.place.get("person")]
    assert [row.place["person"] for row in told] == ["person-1"]
    assert told[0].platform in ("slack", "discord")


def test_an_account_joins_somebody_whom_the_policy_names(talk: Talk) -> None:
    name_in_policy(talk, "manager", SLACK)
    assert chat(talk, DISCORD, "evidence verify").title == "This is for managers."
    chat(talk, DISCORD, f"desk link {code_of(chat(talk, SLACK, 'desk link'))}")
    assert facts(chat(talk, DISCORD, "desk whoami"))["Known as"] == "@manager"
    assert chat(talk, DISCORD, "evidence verify").title.startswith("The ledger holds")


def test_a_named_person_does_not_become_somebody_else(quick_talk: Talk) -> None:
    """Or one could be talked into typing a stranger's code, and the stranger would be told everything."""
    name_in_policy(quick_talk, "manager", SLACK)
    code = code_of(chat(quick_talk, DISCORD, "desk link"))
    refused = chat(quick_talk, SLACK, f"desk link {code}")
    assert refused.title == "This account belongs to Mika Manager, whom the policy names."
    assert "Type `desk link` here" in flat(refused.text)
    assert facts(chat(quick_talk, DISCORD, "desk whoami"))["Known as"] == "@person-1"


def test_who_is_kept_out_until_named_gets_in_by_a_code(quick_talk: Talk) -> None:
    name_in_policy(quick_talk, "staff", SLACK)
    quick_talk.policy = replace(
        quick_talk.policy, access=replace(quick_talk.policy.access, unknown_people=False)
    )
    assert chat(quick_talk, DISCORD, "request list").title == "I do not know this account."
    code = code_of(chat(quick_talk, SLACK, "desk link"))
    assert (
        chat(quick_talk, DISCORD, f"desk link {code[::-1]}").title == "That code is unknown or has expired."
    )
    assert chat(quick_talk, DISCORD, "request list").title == "I do not know this account."
    assert chat(quick_talk, DISCORD, f"desk link {code}").tone is Tone.GOOD
    assert chat(quick_talk, DISCORD, "request list").title == "0 of your requests"


def test_a_code_is_good_once_for_ten_minutes_and_for_the_other_account(talk: Talk) -> None:
    code = code_of(chat(talk, SLACK, "desk link"))
    assert chat(talk, SLACK, f"desk link {code}").title == "That is this same account."
    talk.clock.set(talk.clock.now().replace(minute=10))
    assert chat(talk, DISCORD, f"desk link {code}").title == "That code is unknown or has expired."
    fresh = code_of(chat(talk, SLACK, "desk link"))
    newest = code_of(chat(talk, SLACK, "desk link"))
    assert chat(talk, DISCORD, f"desk link {fresh}").title == "That code is unknown or has expired."
    assert chat(talk, DISCORD, f"desk link {newest.upper()}").tone is Tone.GOOD
    third = {**DISCORD, "user": "3"}
    assert chat(talk, third, f"desk link {newest}").title == "That code is unknown or has expired."


def test_a_code_is_for_the_asker_alone(quick_talk: Talk) -> None:
    assert chat(quick_talk, SLACK, "desk link").private


# Erasing -----------------------------------------------------------------------------------------------

WORDS = "zanzibar"
"""Stands in everything that somebody writes below, and must be nowhere afterwards."""


def dump(database: Database) -> str:
    """Every value of every table that the store has, ours or not."""
    with database.engine.connect() as connection:
        names = inspect(connection).get_table_names()
        assert set(SQLModel.metadata.tables) <= set(names)
        rows = (
            f"{name}: {value!r}"
            for name in names
            for row in connection.execute(text(f'SELECT * FROM "{name}"'))
            for value in row
        )
        return "\n".join(rows)


def write_everywhere(talk: Talk, say: Any) -> None:
    """Somebody asks, comments, rates, rejects and leaves a draft; others look at it in the console."""
    say(f"request new question where is {WORDS} 1?")
    say(f"request comment REQ-1 {WORDS} 2")
    talk.say("agent", "request take REQ-1")
    talk.say("agent", "request wait REQ-1 requester which one?")
    say(f"request comment REQ-1 {WORDS} 3")
    talk.say("agent", "request fulfil REQ-1 here")
    say(f"request reopen REQ-1 {WORDS} 4")
    talk.say("agent", "request fulfil REQ-1 there")
    say("request confirm REQ-1")
    say(f"request rate REQ-1 4 {WORDS} 5")
    say(f"request new question is {WORDS} 6 open? anyway:yes")
    say(f"request new question and {WORDS} 7? anyway:yes")
    say(f"request cancel REQ-3 {WORDS} 8")
    with talk.database.writing() as session:
        Records(session).drafts.put("some-key", f'{{"about": "{WORDS} 9"}}', talk.clock.now())


def show_in_rooms(talk: Talk, person: str) -> None:
    """What the console keeps: typed lines, private answers, lists that quote, and what others said elsewhere."""
    listed = talk.say("agent", "request list all")
    assert WORDS in str(listed)
    said = [
        Writing("requests", person, line=f"request comment REQ-1 {WORDS} 10"),
        Writing(
            "requests", "desk", only_for="agent", reply=listed.model_dump(mode="json", exclude_defaults=True)
        ),
        Writing(f"@{person}", "desk", reply={"title": f"You said {WORDS} 11"}),
        Writing("requests", "desk", only_for=person, reply={"title": f"Is it {WORDS} 12?"}),
        Writing("requests", "agent", line="good morning, everybody"),
    ]
    with talk.database.writing() as session:
        for each in said:
            Console(session).write(each, talk.clock.now())


def verified(talk: Talk) -> None:
    """The ledger holds."""
    with talk.database.reading() as session:
        findings = Records(session).ledger.verify()
    assert findings.good, findings


def test_after_an_erasure_nothing_that_a_person_wrote_is_left_and_the_ledger_holds(talk: Talk) -> None:
    write_everywhere(talk, lambda line: talk.say("staff", line))
    show_in_rooms(talk, "staff")
    talk.say("manager", "request new question my own words stay")
    before = dump(talk.database)
    assert {f"{WORDS} {number}" for number in range(1, 13)} == {
        f"{WORDS} {number}" for number in range(1, 20) if f"{WORDS} {number}" in before
    }
    root = talk.say("manager", "evidence verify").facts[0]
    with talk.database.reading() as session:
        leaves = [row.hash for row in Records(session).ledger.rows()]
    erased = talk.say("owner", "privacy erase @staff")
    assert erased.tone is Tone.GOOD, erased
    after = dump(talk.database)
    assert WORDS not in after
    assert "my own words stay" in after
    assert "good morning, everybody" in after
    verified(talk)
    with talk.database.reading() as session:
        assert [row.hash for row in Records(session).ledger.rows()][: len(leaves)] == leaves
        assert Records(session).ledger.records(len(leaves)).__next__().action == "person.erased"
    assert root.label == "Root"


def test_what_was_erased_reads_as_erased(talk: Talk) -> None:
    write_everywhere(talk, lambda line: talk.say("staff", line))
    talk.say("owner", "privacy erase staff")
    assert talk.say("agent", "request show REQ-2").title == "REQ-2 · question (erased)"
    trail = talk.say("agent", "evidence trail REQ-2")
    assert trail.table is not None
    assert [flat(row[4]) for row in trail.table.rows if flat(row[3]).startswith("request.")] == ["(erased)"]
    assert talk.say("agent", "request take REQ-2").title == "REQ-2 is yours"
    assert {"REQ-1", "REQ-2", "REQ-3"} <= {
        row.subject for row in talk._outbox() if row.kind == "card" and row.open
    }, "the cards are drawn anew"


def test_a_message_that_waits_is_sent_without_the_words(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-1")
    talk.say("staff", f"request comment REQ-1 it is {WORDS}")
    assert "Sam Staff on REQ-1" in talk.told("@agent")
    talk.say("owner", "privacy erase @staff")
    assert set(talk.told("@agent")) == {"REQ-1: what was said here was erased."}
    (row, *_) = [row for row in talk._outbox() if row.lane == "console:@:agent"]
    assert row.open
    assert Reply.model_validate(row.payload).buttons[0].line == "REQ-1"


def test_an_erased_stranger_leaves_no_name_and_no_account_whatever_they_were_called(talk: Talk) -> None:
    write_everywhere(talk, lambda line: chat(talk, SLACK, line))
    chat(talk, DISCORD, f"request new question {WORDS} on the other side", name="nini")
    chat(talk, DISCORD, f"desk link {code_of(chat(talk, SLACK, 'desk link'))}", name="nini")
    assert "Nina Neumann" in dump(talk.database)
    assert talk.say("owner", "privacy erase @person-1").tone is Tone.GOOD
    after = dump(talk.database)
    for gone in (WORDS, "Nina Neumann", "nini"):
        assert gone not in after
    with talk.database.reading() as session:
        assert not Records(session).people.accounts_of("person-1")
    verified(talk)
    assert facts(chat(talk, SLACK, "desk whoami"))["Known as"] == "@person-3", "who comes back is new"


def test_an_erased_agent_leaves_no_words_on_other_peoples_requests(talk: Talk) -> None:
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-1")
    talk.say("agent", f"request comment REQ-1 because {WORDS} 1")
    talk.say("agent", f"request fulfil REQ-1 {WORDS} 2")
    talk.say("owner", "privacy erase @agent")
    assert WORDS not in dump(talk.database)
    shown = talk.say("staff", "request show REQ-1")
    assert shown.title == "REQ-1 · Question: why?", "the requester's own words stay"
    verified(talk)


def test_only_an_administrator_erases(quick_talk: Talk) -> None:
    refused = quick_talk.say("manager", "privacy erase @staff")
    assert refused.title == "This is for admins."
    assert quick_talk.say("owner", "privacy erase @nobody").form is not None


def test_erasing_somebody_who_wrote_nothing_is_recorded_too(talk: Talk) -> None:
    assert (
        talk.say("owner", "privacy erase @staff").title
        == "Erased: 0 texts, what stood on 0 tickets, 0 copies."
    )
    assert [each.action for each in talk.evidence("staff")] == ["person.erased"]
    with talk.database.reading() as session:
        assert session.execute(select(text("count(*)")).select_from(text("words"))).scalar() == 0
