"""Does every command go through the same door: understood, allowed, once, and all of it or nothing?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import structlog
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from bot.clock import VirtualClock
from config.policy import Account
from handlers import registry
from handlers.declare import Commands, Declared, distribute, understand
from handlers.dispatch import Dispatcher
from handlers.errors import DeskError, UnknownCommand
from handlers.messages import Command, Place, Reply, Sender, Tone, flat
from handlers.parsing import LINE_AT_MOST, Reading
from storage import database as store
from storage.database import Database, StoreUnavailable
from storage.models.people import AccountRow, PersonRow
from storage.sqlite import driver
from storage.unit_of_work import Records
from tests.commands import probes
from tests.harness.house import MONDAY, Talk, _prepare
from tests.harness.postgres import PostgresServer

COMMANDS = registry.load()


@pytest.fixture(autouse=True)
def log() -> Iterator[list[MutableMapping[str, Any]]]:
    """What the desk logs, as data; drawing tracebacks for a terminal takes seconds."""
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        yield lines


def with_probes(talk: Talk) -> Talk:
    """The same desk, which also knows the probes."""
    talk.dispatcher.commands = Commands([*registry.CAPABILITIES, probes])
    return talk


def from_chat(talk: Talk, line: str, user: str = "U1", **sender: Any) -> Reply:
    """What somebody hears who speaks from Slack."""
    return talk.dispatcher.run(
        talk.command("nobody", line).model_copy(
            update={
                "sender": Sender(**{"platform": "slack", "workspace": "T1", "user": user, **sender}),
                "place": Place(platform="slack", channel="C1"),
            }
        )
    )


def everything(database: Database) -> Mapping[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with database.reading() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]
            for table in SQLModel.metadata.sorted_tables
        }


def understood(reply: Reply) -> dict[str, str]:
    """What a probe says it understood."""
    assert reply.facts, reply
    return {fact.label: flat(fact.value) for fact in reply.facts if flat(fact.value) != "None"}


# Parsing and handing out -----------------------------------------------------------------------------

ALL = {
    "request": "REQ-7", "person": "agent", "size": "big", "count": "3", "length": "2:00:00", "text": "the rest",
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("probe kinds REQ-7 @agent big 3 2h the rest", ALL),
        ("/probe kinds req7 agent BIG 3 2h the rest", ALL),
        ("desk probe kinds Req-7 agent big 3 2h the rest", ALL),
        ("desk desk /probe KINDS 7 agent big 3 2h the rest", ALL),
        ("size:big probe", None),
        ("probe kinds size:big REQ-7 count:3 agent length:2h the rest", ALL),
        ("probe kinds the rest person:agent REQUEST:REQ-7 size:big count:3 length:2h", ALL),
        ("probe kinds REQ-7 agent text:“the rest” length:2h count:3 size:big", ALL),
        ('probe kinds REQ-7 "Alex Agent" big 3 2h "the rest"', ALL),
        ("probe kinds REQ-7 „Alex Agent“ big 3 2h „the rest“", ALL),
        ("probe kinds REQ-7 console::agent big 3 2h the rest", ALL),
        ("probe kinds REQ-7 @console::agent big 3 2h the rest", ALL),
        ("\u200eprobe\u200b kinds\u00a0REQ-7\u200f agent big 3 2h the rest", ALL),
        ("probe kinds REQ-7 me", {"request": "REQ-7", "person": "staff"}),
        ("probe kinds REQ-7 @me the rest", {"request": "REQ-7", "person": "staff", "text": "the rest"}),
        ("probe kinds REQ-7 me 4 apples", {"request": "REQ-7", "person": "staff", "count": "4", "text": "apples"}),
        (
            "probe kinds REQ-7 me one\ntwo\n\nthree",
            {"request": "REQ-7", "person": "staff", "text": "one\ntwo\n\nthree"},
        ),
        (
            'probe kinds REQ-7 me he said "yes please" twice',
            {"request": "REQ-7", "person": "staff", "text": 'he said "yes please" twice'},
        ),
        (
            "probe kinds REQ-7 me see https://example.org/a?b=c:d and mailto:me@example.org",
            {
                "request": "REQ-7", "person": "staff",
                "text": "see https://example.org/a?b=c:d and mailto:me@example.org",
            },
        ),
        (
            "probe kinds REQ-7 me one\ntwo size:small three",
            {"request": "REQ-7", "person": "staff", "size": "small", "text": "one two three"},
        ),
        ("probe kinds REQ-7 me it is 10:30 now", {"request": "REQ-7", "person": "staff", "text": "it is 10:30 now"}),
        ("probe kinds REQ-7 me unclosed \"quote", {"request": "REQ-7", "person": "staff", "text": 'unclosed "quote'}),
    ],
)  # fmt: skip
def test_a_line_is_understood_however_it_is_typed(
    quick_talk: Talk, line: str, wanted: dict[str, str] | None
) -> None:
    reply = with_probes(quick_talk).say("staff", line)
    if wanted is None:
        assert reply.title.startswith("I do not know “size:big probe”") or reply.tone is Tone.BAD
    else:
        assert understood(reply) == wanted


@pytest.mark.parametrize(
    ("thread", "line", "wanted"),
    [
        ("REQ-3", "probe kinds agent", {"request": "REQ-3", "person": "agent"}),
        ("REQ-3", "probe kinds REQ-7 agent", {"request": "REQ-7", "person": "agent"}),
        ("REQ-3", "probe kinds agent 5", {"request": "REQ-3", "person": "agent", "count": "5"}),
        ("REQ-3", "probe kinds agent and more", {"request": "REQ-3", "person": "agent", "text": "and more"}),
        ("INC-3", "probe kinds REQ-7 agent", {"request": "REQ-7", "person": "agent"}),
    ],
)
def test_a_thread_stands_in_for_the_reference(
    quick_talk: Talk, thread: str, line: str, wanted: dict[str, str]
) -> None:
    assert understood(with_probes(quick_talk).say("staff", line, thread=thread)) == wanted


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        ("probe kinds INC-7 agent", "request", "INC-7 is something else. What is meant here is written like REQ-7."),
        ("probe kinds REQ-7 agnt", "person", "I do not know anyone called “agnt”. Did you mean @agent?"),
        (
            "probe kinds REQ-7 @slack:T1:U9", "person",
            "I have not met the person you mention. Ask them to type `desk whoami` once.",
        ),
        ("probe kinds REQ-7 agent count:12", "count", "“12” is not a whole number from 1 to 9."),
        ("probe kinds REQ-7 agent size:huge", "size", "“huge” is not one of big, small. Choose one of these."),
        ("probe kinds", "request", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field_and_the_rest_is_kept(
    quick_talk: Talk, line: str, field: str, said: str
) -> None:
    form = with_probes(quick_talk).say("staff", line).form
    assert form is not None
    fields = {each.key: each for each in form.fields}
    assert fields[field].error == said
    if line.startswith("probe kinds REQ-7 agent"):
        assert (fields["request"].value, fields["person"].value) == ("REQ-7", "agent")


def test_a_reference_of_another_kind_of_ticket_is_refused_in_a_thread_too(quick_talk: Talk) -> None:
    form = with_probes(quick_talk).say("staff", "probe kinds agent", thread="INC-3").form
    assert form is not None
    assert form.fields[0].value == ""


def test_days_and_times_are_read_where_the_asker_lives(quick_talk: Talk) -> None:
    talk = with_probes(quick_talk)
    for person, day, instant in (
        ("staff", "2026-11-24", "2026-11-24T08:00:00+00:00"),
        ("backup", "2026-11-24", "2026-11-24T09:00:00+00:00"),  # lives in Lisbon
    ):
        assert understood(talk.say(person, "probe calendar tomorrow tomorrow 9:00")) == {
            "day": day,
            "when": instant,
        }
    talk.clock.set(MONDAY.replace(hour=23, minute=30))  # past midnight in Berlin, not yet in Lisbon
    assert understood(talk.say("staff", "probe calendar today tomorrow 9:00"))["day"] == "2026-11-24"
    assert understood(talk.say("backup", "probe calendar today tomorrow 9:00"))["day"] == "2026-11-23"


def test_what_is_left_over_is_said_with_the_example(quick_talk: Talk) -> None:
    refused = quick_talk.say("staff", "request take REQ-1 please and thanks")
    assert refused.title == "I do not know what to do with “please and thanks”."
    assert flat(refused.text) == "Write it like: request take REQ-7"


@pytest.mark.parametrize(
    ("said", "offered"),
    [
        ("reqest take REQ-1", "request take"),
        ("request tke REQ-1", "request take"),
        ("servce list", "service list"),
        ("request frobnicate", "request "),
        ("evidence cover", "evidence coverage"),
    ],
)
def test_a_near_miss_offers_what_was_meant(quick_talk: Talk, said: str, offered: str) -> None:
    reply = quick_talk.say("staff", said)
    assert reply.title.startswith("I do not know “")
    assert any(button.line.startswith(offered) for button in reply.buttons), reply
    for button in reply.buttons:
        COMMANDS.find(button.line)


def test_what_nobody_could_mean_offers_help(quick_talk: Talk) -> None:
    assert [button.line for button in quick_talk.say("staff", "zzz qqq").buttons] == ["desk help"]


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("", "desk help", ""),
        ("   \n ", "desk help", ""),
        ("request", "desk help", "request"),
        ("desk request", "desk help", "request"),
        ("request help", "desk help", "request"),
        ("req-7", "request show", "REQ-7"),
        ("desk REQ7", "request show", "REQ-7"),
        ("request req-7", "request show", "REQ-7"),
        ("desk help request", "desk help", "request"),
        ("desk request take REQ-7", "request take", "REQ-7"),
    ],
)
def test_a_short_line_finds_its_command(line: str, name: str, rest: str) -> None:
    declared, found = COMMANDS.find(line)
    assert (declared.name, found) == (name, rest)


def test_a_line_of_nothing_but_desk_is_not_too_deep() -> None:
    declared, _ = COMMANDS.find("desk " * 1600)
    assert declared.name == "desk help"


# Help ------------------------------------------------------------------------------------------------


def reading(talk: Talk) -> Reading:
    """A reading in which every ticket's people are known."""
    return Reading(
        now=MONDAY,
        zone="Europe/Berlin",
        asker="staff",
        policy=talk.policy,
        find_person=lambda key: key if key in talk.policy.people else None,
        people=list,
    )


@pytest.mark.parametrize("declared", list(COMMANDS), ids=lambda each: each.name)
def test_every_command_has_an_example_that_it_understands(quick_talk: Talk, declared: Declared) -> None:
    assert declared.help
    found, rest = COMMANDS.find(declared.example)
    assert found is declared
    understand(declared, distribute(declared, rest, {}, None), reading(quick_talk))


@pytest.mark.parametrize("declared", COMMANDS.spoken, ids=lambda each: each.name)
def test_every_command_explains_itself(quick_talk: Talk, declared: Declared) -> None:
    said = quick_talk.say("owner", f"desk help {declared.name}")
    assert said.title == declared.usage
    assert {fact.label: flat(fact.value) for fact in said.facts}["For example"] == declared.example
    assert len(said.table.rows if said.table else ()) == len(declared.parameters)


# Who may speak ---------------------------------------------------------------------------------------


def people(talk: Talk) -> tuple[int, int]:
    """How many people and accounts the desk has met."""
    with talk.database.reading() as session:
        counts = [session.scalar(select(func.count()).select_from(row)) for row in (PersonRow, AccountRow)]
    return counts[0] or 0, counts[1] or 0


def change_access(talk: Talk, **access: Any) -> None:
    """Put another access.yaml in force."""
    talk.policy = replace(talk.policy, access=replace(talk.policy.access, **access))


def test_somebody_new_is_met_once_and_may_ask(talk: Talk) -> None:
    for _ in range(2):
        assert from_chat(talk, "request new question why? anyway:yes", name="Nina New").subject
    assert people(talk) == (1, 1)
    assert flat(from_chat(talk, "desk whoami").title) == "You are Nina New"
    assert [each.action for each in talk.evidence("person-1")] == ["person.met"]


def test_a_first_contact_in_parallel_makes_one_person(talk: Talk) -> None:
    from_chat(talk, "desk whoami", user="U0")  # the first number of all is given out in another way
    both = threading.Barrier(2)

    def when_both_have_looked() -> datetime:
        """Asked for once the store was seen not to know the account, and before it is written down."""
        with suppress(threading.BrokenBarrierError):  # on SQLite the second one looks later
            both.wait(0.5)
        return talk.clock.now()

    talk.dispatcher.now = when_both_have_looked
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda _: from_chat(talk, "desk whoami", name="Nina New"), range(2)))
    assert {reply.title for reply in replies} == {"You are Nina New"}
    assert people(talk) == (2, 2)
    assert len(talk.evidence("person-2")) == 1


@pytest.mark.parametrize("known", [False, True], ids=["a stranger", "somebody known"])
def test_a_workspace_outside_the_list_is_not_answered(quick_talk: Talk, known: bool) -> None:
    if known:
        from_chat(quick_talk, "desk whoami")
    change_access(quick_talk, workspaces=("slack:T2", "discord:1"))
    before = everything(quick_talk.database)
    for line in ("desk whoami", "request new question why?", "desk link"):
        assert from_chat(quick_talk, line).title == "This workspace is not connected to the desk."
    assert (
        quick_talk.dispatcher.options(
            Sender(platform="slack", workspace="T1", user="U1"), "request assign", "person", ""
        )
        == ()
    )
    assert everything(quick_talk.database) == before
    assert from_chat(quick_talk, "desk whoami", workspace="T2").title.startswith("You are ")


@pytest.mark.parametrize("known", [False, True], ids=["a stranger", "somebody met before"])
def test_whom_nobody_named_is_refused_when_the_policy_says_so(quick_talk: Talk, known: bool) -> None:
    if known:
        from_chat(quick_talk, "desk whoami")
    change_access(quick_talk, unknown_people=False)
    before = everything(quick_talk.database)
    refused = from_chat(quick_talk, "request new question why?")
    assert refused.title == "I do not know this account."
    assert "desk link" in flat(refused.text)
    assert everything(quick_talk.database) == before


def test_a_guest_whom_nobody_named_is_refused_and_a_named_one_is_staff_at_most(quick_talk: Talk) -> None:
    assert from_chat(quick_talk, "desk whoami", guest=True).title == "I do not know this account."
    owner = quick_talk.policy.people["owner"]
    account = Account(platform="slack", workspace="T1", user="U1")
    named = replace(owner, accounts=(account,))
    quick_talk.policy = replace(quick_talk.policy, people={**quick_talk.policy.people, "owner": named})
    assert dict(understood(from_chat(quick_talk, "desk whoami")))["Roles"].startswith("admin")
    assert dict(understood(from_chat(quick_talk, "desk whoami", guest=True)))["Roles"] == "staff"
    assert from_chat(quick_talk, "evidence verify", guest=True).title == "This is for managers."


def test_nobody_speaks_in_the_desks_own_voice(quick_talk: Talk) -> None:
    quick_talk.say("staff", "request new question why?")
    for line in ("sla refresh REQ-1", "request autoclose REQ-1"):
        assert quick_talk.say("owner", line).title == "Only the desk itself says this."


def test_a_mention_finds_the_person_behind_the_account(quick_talk: Talk) -> None:
    from_chat(quick_talk, "desk whoami", user="U7", name="Nina New")
    reply = with_probes(quick_talk).say("staff", "probe kinds REQ-7 @slack:T1:U7")
    assert understood(reply)["person"] == "person-1"


# Limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "answers", "title"),
    [
        ("request new question " + "x" * (LINE_AT_MOST - 20), {}, "That line has 8001 characters; 8000 are allowed."),
        (
            "request comment REQ-1 " + "x" * 3001, {},
            "That text has 3001 characters; 3000 are allowed.",
        ),
        ("request new question", {"question": "x" * 64_001}, "Those answers have 64009 characters; 64000 are allowed."),
    ],
    ids=["line", "text", "answers"],
)  # fmt: skip
def test_what_is_too_large_is_refused_with_the_limit(
    quick_talk: Talk, line: str, answers: dict[str, str], title: str
) -> None:
    quick_talk.say("staff", "request new question why?")
    before = everything(quick_talk.database)
    refused = quick_talk.say("staff", line, **answers)
    assert (refused.title, refused.tone) == (title, Tone.BAD)
    assert everything(quick_talk.database) == before


def test_a_text_of_just_the_limit_is_taken(quick_talk: Talk) -> None:
    quick_talk.say("staff", "request new question why?")
    assert quick_talk.say("staff", "request comment REQ-1 " + "x" * 3000).tone is Tone.GOOD


def test_characters_that_no_store_can_hold_do_no_harm(talk: Talk) -> None:
    filed = talk.say("staff", "request new question one\x00two \ud800 three")
    assert filed.title == "REQ-1 is filed: Question: onetwo ? three"
    assert talk.say("staff", "request comment REQ-1", text="\x00\udfff").tone is Tone.GOOD


# Once ------------------------------------------------------------------------------------------------


def test_a_key_that_is_repeated_in_parallel_has_one_effect_and_one_answer(talk: Talk) -> None:
    together = threading.Barrier(6)

    def ask(number: int) -> Reply:
        together.wait()
        return talk.say("staff", "request new question why?", key="once")

    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(ask, range(6)))
    assert all(reply == replies[0] for reply in replies), replies
    assert replies[0].subject == "REQ-1"
    assert talk.say("staff", "request list all").title == "1 of requests"
    assert talk.actions("REQ-1") == ["request.received"]


def test_a_refusal_has_no_key_and_may_be_tried_again(quick_talk: Talk) -> None:
    assert quick_talk.say("agent", "request take REQ-1", key="again").tone is Tone.BAD
    quick_talk.say("staff", "request new question why?")
    assert quick_talk.say("agent", "request take REQ-1", key="again").title == "REQ-1 is yours"


# The store goes wrong --------------------------------------------------------------------------------


def test_two_commands_that_lock_each_other_out_are_both_carried_out(
    postgres_server: PostgresServer, policy: Any
) -> None:
    with postgres_server.database(postgres_server.template("desk", _prepare)) as url:
        database = Database(url)
        talk = with_probes(Talk(database, policy, VirtualClock(MONDAY)))
        talk.say("staff", "probe cross A B")
        together = threading.Barrier(2)
        probes.meeting[:] = [together.wait, together.wait]
        with ThreadPoolExecutor(2) as pool:
            replies = list(
                pool.map(lambda line: talk.say("staff", line), ["probe cross A B", "probe cross B A"])
            )
        assert [reply.title for reply in replies] == ["crossed", "crossed"]
        assert len(talk.evidence("REQ-1")) == 3
        with database.reading() as session:
            assert set(session.execute(text("SELECT last FROM counter")).scalars()) == {3}
        database.close()


def test_a_postgresql_that_is_away_is_said_and_nothing_is_written(
    postgres_server: PostgresServer, policy: Any
) -> None:
    with postgres_server.database(postgres_server.template("desk", _prepare)) as url:
        database = Database(url)
        name = str(database.url.database)
        talk = Talk(database, policy, VirtualClock(MONDAY))
        talk.say("staff", "desk status")
        postgres_server._run("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        postgres_server._disconnect(name)
        with pytest.raises(StoreUnavailable):
            talk.say("staff", "request new question why?", key="once")
        assert not database.ready()
        postgres_server._run("ALTER DATABASE {} ALLOW_CONNECTIONS true", name)
        assert database.ready()
        assert talk.say("staff", "request new question why?", key="once").subject == "REQ-1"
        database.close()


def test_an_sqlite_that_another_program_holds_is_said_and_nothing_is_written(
    sqlite: Database, policy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PATIENCE_MS", 100)
    talk = Talk(sqlite, policy, VirtualClock(MONDAY))
    other = driver.connect(str(sqlite.url.database), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable):
        talk.say("staff", "request new question why?", key="once")
    other.execute("ROLLBACK")
    other.close()
    assert talk.say("staff", "request new question why?", key="once").subject == "REQ-1"


def test_a_pool_without_a_free_connection_is_a_store_that_is_away(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url:
        database = Database(url)
        database.engine.pool._timeout = 0.05  # type: ignore[attr-defined]
        held = [database.engine.connect() for _ in range(16)]
        with pytest.raises(StoreUnavailable, match="in use"), database.reading() as session:
            session.execute(text("SELECT 1"))
        assert not database.ready()
        for each in held:
            each.close()
        database.close()


@pytest.mark.parametrize("error", sorted(probes._ERRORS))
def test_what_nobody_expected_is_answered_with_a_reference_and_undone(
    quick_talk: Talk, error: str, log: list[MutableMapping[str, Any]]
) -> None:
    talk = with_probes(quick_talk)
    before = everything(talk.database)
    said = talk.say("staff", f"probe trip {error}")
    assert said.title == "Something went wrong on our side, and nothing was changed."
    assert [line["error"] for line in log] == [error]
    assert flat(said.text).endswith(f"this reference: {log[0]['reference']}")
    assert everything(talk.database) == before


def test_on_both_stores_an_unexpected_error_undoes_state_evidence_messages_and_key(talk: Talk) -> None:
    with_probes(talk)
    before = everything(talk.database)
    talk.say("staff", "probe trip RuntimeError", key="once")
    assert everything(talk.database) == before


def test_a_text_that_postgresql_refuses_is_answered_calmly(talk: Talk) -> None:
    """An account's id longer than its column: SQLite takes it, PostgreSQL does not."""
    said = from_chat(talk, "request new question why?", user="U" * 80)
    assert said.subject == "REQ-1" or said.title.startswith("Something went wrong on our side")


class PowerCut(Exception):
    """The injected fault."""


@contextmanager
def cut_at(database: Database, statement: int) -> Iterator[Callable[[], bool]]:
    """Let the n-th statement from now on fail; `0` is the commit of a transaction. Tells whether it came to that."""
    number, fired = count(1), False

    def before(*_: object) -> None:
        nonlocal fired
        if next(number) == statement:
            fired = True
            raise PowerCut

    def at_commit(connection: Any) -> None:
        nonlocal fired
        if statement == 0 and not connection.get_execution_options().get("deskbell_reads"):
            fired = True
            raise PowerCut

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "commit", at_commit)
    try:
        yield lambda: fired
    finally:
        event.remove(database.engine, "before_cursor_execute", before)
        event.remove(database.engine, "commit", at_commit)


STEPS = (
    ("staff", "request new laptop model:“Standard 14 inch” replaces:no needed_by:2026-12-01"),
    ("manager", "request approve REQ-1 fine"),
    ("owner", "request approve REQ-1"),
    ("agent", "request priority REQ-1 P2 the fair is next week"),
    ("agent", "request wait REQ-1 supplier it is on its way"),
    ("agent", "request done REQ-1 order"),
    ("staff", "request cancel REQ-1 no longer needed"),
)


def cut_again_and_again(
    talk: Talk, person: str, line: str, key: str, statements: Iterable[int]
) -> tuple[Reply, int]:
    """Say something, cut at each of these statements and leaving nothing behind, until it ends before the next one.

    Returns what was answered when it was whole, and the statement that it did not reach.
    """
    before = everything(talk.database)
    for statement in statements:
        with cut_at(talk.database, statement) as fired:
            said = talk.say(person, line, key=key)
            if not fired():
                return said, statement
        assert said.title == "Something went wrong on our side, and nothing was changed.", (line, statement)
        assert everything(talk.database) == before, (line, statement)
    raise AssertionError(f"{line} never ends")


def test_a_fault_at_any_statement_leaves_state_and_evidence_together(talk: Talk) -> None:
    """State, evidence, messages, moments and the key: all there after a command, and none after a fault in it."""
    for step, (person, line) in enumerate(STEPS):
        before = everything(talk.database)
        _, statement = cut_again_and_again(talk, person, line, f"step/{step}", count(0))
        assert statement > 10, "a command that changes something takes more statements than this"
        after = everything(talk.database)
        changed = {name for name in after if after[name] != before[name]}
        assert {"request", "evidence", "inbox", "ledger_head"} <= changed, line
        assert len(after["evidence"]) > len(before["evidence"])
    assert talk.actions("REQ-1") == [
        f"request.{each}"
        for each in (
            "received",
            "stage_approved",
            "approved",
            "prioritised",
            "waiting",
            "task_done",
            "cancelled",
        )
    ]


MORE_STEPS = (
    ("staff", "request new question “How do I print?”"),
    ("agent", "request take REQ-1"),
    ("staff", "request comment REQ-1 on both sides"),
    ("staff", "incident declare the printers print blank pages service:help impact:low urgency:low"),
    ("agent", "incident ack INC-1"),
    ("agent", "incident update INC-1 we look at the drum"),
    ("agent", "incident resolve INC-1 the tray on the left works"),
    ("agent", "problem open Printers print blank pages service:help incidents:INC-1"),
    ("agent", "problem known-error PRB-1 the printer prints blank pages workaround:“Take the left tray”"),
    ("agent", "problem link PRB-1 REQ-1"),
    ("agent", "problem workaround PRB-1 use the tray on the left"),
    ("oncall", 'change propose a larger store service:mail start:"wed 11:00" end:1h plan:p test:t backout:b'),
    ("oncall", "change cancel CHG-1 not needed"),
    ("agent", "incident reopen INC-1 it does it again"),
    ("agent", "incident workaround INC-1 use the tray on the left"),
)


def test_a_fault_at_some_statements_of_every_other_kind_leaves_state_and_evidence_together(
    quick_talk: Talk,
) -> None:
    """The same for the costliest of the others, at the commit and at statements ever further apart."""
    for step, (person, line) in enumerate(MORE_STEPS):
        before = everything(quick_talk.database)
        squares = (each * each for each in count(0))
        said, _ = cut_again_and_again(quick_talk, person, line, f"step/{step}", squares)
        assert said.tone is not Tone.BAD, (line, said)
        assert said.form is None, (line, said)
        after = everything(quick_talk.database)
        assert len(after["evidence"]) > len(before["evidence"]), (line, said)
        assert len(after["inbox"]) == len(before["inbox"]) + 1, line


def test_an_error_of_the_store_holds_no_words_of_people(talk: Talk) -> None:
    with pytest.raises(IntegrityError) as failed, talk.database.writing() as session:
        session.execute(text("INSERT INTO draft (key, text) VALUES ('k', :words)"), {"words": "my own words"})
    assert "my own words" not in str(failed.value)
    with talk.database.writing() as session:
        Records(session).inbox.record("k", talk.clock.now(), "my own words")
    with pytest.raises(IntegrityError) as again, talk.database.writing() as session:
        Records(session).inbox.record("k", talk.clock.now(), "my own words")
    assert "my own words" not in str(again.value)


def test_a_draft_of_what_does_not_exist_has_no_form(quick_talk: Talk) -> None:
    assert quick_talk.dispatcher.draft(quick_talk.command("staff", "frobnicate all")) is None


def test_a_stale_click_is_answered_to_the_clicker_alone(quick_talk: Talk) -> None:
    quick_talk.say("staff", "request new question why?")
    quick_talk.say("agent", "request take REQ-1")
    again = quick_talk.say("agent", "request take REQ-1")
    assert again.title == "You hold REQ-1 already."
    assert again.private


def test_unknown_commands_are_errors_of_the_desk_and_not_ours() -> None:
    assert issubclass(UnknownCommand, DeskError)


def test_a_command_from_an_unknown_console_person_names_those_who_are(quick_talk: Talk) -> None:
    refused = quick_talk.dispatcher.run(
        Command(
            line="desk home",
            sender=Sender(platform="console", user="mallory"),
            place=Place(platform="console"),
            key="m/1",
        )
    )
    assert refused.title == "Example Organisation has nobody called “mallory”."


# How often ------------------------------------------------------------------------------------------


@contextmanager
def limited(talk: Talk, rate: int) -> Iterator[Talk]:
    """A second process of the same desk, and both with a limit for each person."""
    before = talk.dispatcher
    made = [
        Dispatcher(
            registry.load(), lambda: talk.policy, talk.database, talk.clock.now, ["console"], rate=rate
        )
        for _ in range(2)
    ]
    other = Talk(talk.database, talk.policy, talk.clock)
    talk.dispatcher, other.dispatcher = made
    try:
        yield other
    finally:
        talk.dispatcher = before


def test_one_command_more_than_the_limit_of_a_minute_is_refused_calmly_and_changes_nothing(
    talk: Talk,
) -> None:
    talk.say("staff", "request new question one?")
    talk.clock.move(timedelta(minutes=2))
    with limited(talk, rate=4) as other:
        for number in range(4):  # whichever process takes them
            said = (talk, other)[number % 2].say(
                "staff", f"request comment REQ-1 {number}", key=f"said/{number}"
            )
            assert said.tone is not Tone.BAD, said
            talk.clock.move(timedelta(seconds=10))
        before = everything(talk.database)
        refused = other.say("staff", "request comment REQ-1 more", key="more")
        assert refused.title == "That was more than 4 commands within a minute, and nothing was changed."
        assert refused.text == ("Try again in 20 seconds.",)
        assert everything(talk.database) == before
        again = talk.say("staff", "request comment REQ-1 0", key="said/0")
        assert again.tone is not Tone.BAD, "what is repeated gets its first answer"
        assert talk.say("staff", "request list").tone is not Tone.BAD, "what changes nothing is not counted"
        assert talk.say("agent", "request take REQ-1").tone is not Tone.BAD, "nor what others say"
        assert talk.say("desk", "request comment REQ-1 more", key="desk").title != refused.title
        talk.clock.move(timedelta(seconds=19.9))
        assert talk.say("staff", "request comment REQ-1 more", key="more").text == ("Try again in 1 second.",)
        talk.clock.move(timedelta(seconds=0.1))
        assert other.say("staff", "request comment REQ-1 more", key="more").tone is not Tone.BAD


def test_programs_are_outside_of_the_limit_of_people(quick_talk: Talk) -> None:
    quick_talk.say("staff", "request new question one?")
    with limited(quick_talk, rate=1):
        for number in range(3):
            command = quick_talk.command("staff", f"request comment REQ-1 {number}")
            command = command.model_copy(update={"sender": Sender(platform="api", user="staff")})
            assert quick_talk.dispatcher.obey(command).tone is not Tone.BAD


def test_the_limit_is_looked_up_in_an_index(quick_talk: Talk) -> None:
    asked: list[str] = []

    def seen(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(quick_talk.database.engine, "before_cursor_execute", seen)
    with limited(quick_talk, rate=1):
        quick_talk.say("staff", "request new question one?")
    event.remove(quick_talk.database.engine, "before_cursor_execute", seen)
    (mine,) = [each for each in asked if "inbox.person" in each and each.startswith("SELECT")]
    with quick_talk.database.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {mine}", ("P-1", 0, 1, 3)[: mine.count("?")])
        assert "USING COVERING INDEX ix_inbox_person (person=? AND at>?)" in str(plan.all())
