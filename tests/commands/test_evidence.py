"""Does the evidence tell what happened, cover the practices, and show when somebody tampered with it?"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import text

from config.vocabulary import practices, process_areas
from handlers import registry
from handlers.messages import Reply, Tone, flat
from storage.unit_of_work import Records
from tests.harness.house import Talk


def rows(reply: Reply) -> list[list[str]]:
    """A reply's table as plain text."""
    assert reply.table is not None, reply
    return [[flat(cell) for cell in row] for row in reply.table.rows]


def ask_and_take(talk: Talk) -> None:
    """One request that an agent holds."""
    talk.say("staff", "request new question why?")
    talk.say("agent", "request take REQ-1")


# The story of a ticket ---------------------------------------------------------------------------------


def test_a_trail_tells_who_did_what_when_and_what_for(talk: Talk) -> None:
    ask_and_take(talk)
    told = rows(talk.say("staff", "evidence trail REQ-1"))
    assert [row[0] for row in told] == [f"#{number}" for number in range(1, len(told) + 1)]
    assert told[0][1:] == [
        "2026-11-23 08:00 UTC", "Sam Staff", "request.received (priority P4, state open)",
        "question: why?; summary: Question: why?", "SD SP 3.1",
    ]  # fmt: skip
    assert ["Alex Agent", "request.taken (assignee agent, state in-progress)"] in [row[2:4] for row in told]


def test_how_times_were_counted_is_told_of_what_has_a_clock(quick_talk: Talk) -> None:
    ask_and_take(quick_talk)
    quick_talk.say("oncall", 'oncall swap platform @backup turn:"7 dec 12:00"')
    for ref, lines in (("REQ-1", ["sla why REQ-1"]), ("SWP-1", [])):
        told = quick_talk.say("oncall", f"evidence trail {ref}")
        assert [each.line for each in told.buttons] == lines, told


def test_in_its_thread_a_trail_needs_no_reference(quick_talk: Talk) -> None:
    ask_and_take(quick_talk)
    assert quick_talk.say("agent", "evidence trail", thread="REQ-1").subject == "REQ-1"


def test_a_long_trail_begins_with_the_newest_and_leads_back(quick_talk: Talk) -> None:
    quick_talk.say("staff", "request new question why?")
    for number in range(25):
        quick_talk.say("agent", f"request comment REQ-1 word {number}")
    seen: list[str] = []
    line: str | None = "evidence trail REQ-1"
    while line:
        page = quick_talk.say("agent", line)
        seen = [row[0] for row in rows(page)] + seen
        line = next((button.line for button in page.buttons if button.label == "Earlier"), None)
    assert seen == [f"#{record.seq}" for record in quick_talk.evidence("REQ-1")]


@pytest.mark.parametrize("command", ["trail", "export"])
def test_the_story_of_a_ticket_is_for_those_who_may_see_it(quick_talk: Talk, command: str) -> None:
    quick_talk.say("manager", "request new question why?")
    assert quick_talk.say("staff", f"evidence {command} REQ-1").title.startswith("REQ-1 is between")
    assert quick_talk.say("staff", f"evidence {command} REQ-9").title == "There is no REQ-9."
    assert quick_talk.say("staff", f"evidence {command} INC-1").title == "There is no INC-1."


def test_an_exported_story_holds_every_record_with_its_hashes(talk: Talk) -> None:
    ask_and_take(talk)
    talk.say("agent", "request comment REQ-1 two\nlines, “quotes” and 🔔")
    file = talk.say("staff", "evidence export REQ-1").file
    assert file is not None
    name, content = file
    assert name == "REQ-1.jsonl"
    told = [json.loads(line) for line in content.splitlines()]
    kept = talk.evidence("REQ-1")
    assert [(each["seq"], each["hash"], each["action"]) for each in told] == [
        (record.seq, record.hash, record.action) for record in kept
    ]
    assert {"comment": "two\nlines, “quotes” and 🔔"} in [each["words"] for each in told]


# Coverage ----------------------------------------------------------------------------------------------


def test_coverage_counts_what_is_on_file_and_shows_the_newest(talk: Talk) -> None:
    ask_and_take(talk)
    talk.wait(minutes=30)
    talk.say("agent", "request fulfil REQ-1")
    shown = talk.say("manager", "evidence coverage SD")
    told = {row[0]: row[1:] for row in rows(shown)}
    assert told["SD SP 3.1"][1:4] == ["on file", "3", "2026-11-23 08:30 UTC"]
    assert "not a rating" in flat(shown.text)
    # Work was done in this area, so its other practices had their occasion; no command speaks for SD SP 3.3.
    assert told["SD SP 3.2"][1] == "not done"
    assert told["SD SP 3.3"][1] == "not gathered here"
    areas = {row[0]: row[1:] for row in rows(talk.say("manager", "evidence coverage"))}
    assert list(areas) == list(process_areas())
    assert areas["SD"][1:3] == ["1 of 8 practices", f"{_weakest(told)}: not done"]
    assert areas["SSD"][1] == "out of scope"


def _weakest(told: dict[str, list[str]]) -> str:
    return next(code for code, row in told.items() if row[1] == "not done")


@pytest.mark.parametrize("area", [code for code in process_areas() if code in ("IRP", "SD", "SCON", "CM")])
def test_an_area_shows_every_practice_and_says_where_there_was_no_occasion(
    quick_talk: Talk, area: str
) -> None:
    ask_and_take(quick_talk)
    shown = rows(quick_talk.say("manager", f"evidence coverage {area.lower()} within:quarter"))
    assert [row[0] for row in shown] == [code for code, each in practices().items() if each.area == area]
    for code, _, state, count, newest, samples in shown:
        on_file = code == "SD SP 3.1"
        assert (state == "on file") is on_file
        assert (state == "not done") <= (area == "SD")
        assert (count != "0") is bool(newest) is bool(samples) is on_file


def test_a_sample_of_coverage_is_a_record_for_that_practice(quick_talk: Talk) -> None:
    ask_and_take(quick_talk)
    records = {f"#{each.seq} REQ-1": each for each in quick_talk.evidence("REQ-1")}
    sampled = 0
    for code, *_, samples in rows(quick_talk.say("manager", "evidence coverage SD")):
        for sample in filter(None, samples.split(", ")):
            assert code in records[sample].practices
            sampled += 1
    assert sampled


def test_a_period_bounds_what_is_covered(quick_talk: Talk) -> None:
    ask_and_take(quick_talk)

    def counted(within: str) -> str:
        found = rows(quick_talk.say("manager", f"evidence coverage SD within:{within}"))
        return next(f"{row[2]} {row[3]}" for row in found if row[0] == "SD SP 3.1")

    assert counted("last-month") == "no occasion yet 0"
    quick_talk.wait(days=60)
    assert counted("today") == "no occasion yet 0"
    assert counted("2026-11") == "on file 2"
    quick_talk.wait(days=60)  # the example organisation wants evidence of this area to be fresher
    assert counted("30d") == "stale 0"


def test_coverage_of_a_service_counts_only_what_was_done_for_it(quick_talk: Talk) -> None:
    ask_and_take(quick_talk)
    service = quick_talk.policy.offerings["question"].service
    other = next(key for key in quick_talk.policy.services if key != service)
    for key, state in ((service, "on file"), (other, "no occasion yet")):
        shown = quick_talk.say("manager", f"evidence coverage SD service:{key}")
        assert next(row[2] for row in rows(shown) if row[0] == "SD SP 3.1") == state
        assert quick_talk.policy.services[key].name in shown.title


@pytest.mark.parametrize("line", ["evidence coverage", "evidence gaps"])
def test_figures_are_for_managers_and_for_the_owner_of_a_service(quick_talk: Talk, line: str) -> None:
    assert quick_talk.say("staff", line).title.startswith("What is on file is for managers")
    owner = quick_talk.policy.services["mail"].owner
    quick_talk.policy = replace(quick_talk.policy, access=replace(quick_talk.policy.access, grants={}))
    assert quick_talk.say(owner, f"{line} service:mail").tone is not Tone.BAD
    assert quick_talk.say(owner, line).tone is Tone.BAD


def test_gaps_say_what_would_fill_each(quick_talk: Talk) -> None:
    assert rows(quick_talk.say("manager", "evidence gaps")) == []
    ask_and_take(quick_talk)
    found = {row[0]: row for row in rows(quick_talk.say("manager", "evidence gaps SD"))}
    assert found
    for code, (_, _, state, newest, fills) in found.items():
        assert (state, newest) == ("not done", "")
        for name in filter(None, fills.split(", ")):
            assert name == "done by other means" or code in registry.load().by_name[name].evidences
    assert "SD SP 3.1" not in found
    quick_talk.wait(days=120)
    last = rows(quick_talk.say("manager", "evidence gaps SD"))[-1]
    assert last[0::2][:2] == ["SD SP 3.1", "stale"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("evidence gaps CAM", "Practices: 6 not gathered here."),
        ("evidence gaps SD", "without occasion yet"),
        ("evidence gaps SD page:99", "There are no more."),
    ],
)
def test_where_there_is_no_gap_it_is_told_how_practices_stand(quick_talk: Talk, line: str, said: str) -> None:
    if "page" in line:
        ask_and_take(quick_talk)
    table = quick_talk.say("manager", line).table
    assert table is not None
    assert said in table.empty


def test_an_area_that_was_left_out_has_no_gaps_and_the_reason_is_told(quick_talk: Talk) -> None:
    code, reason = next(iter(quick_talk.policy.evidence.left_out.items()))
    gaps = quick_talk.say("manager", f"evidence gaps {code}")
    assert (gaps.title, reason in flat(gaps.text)) == (f"No gaps are looked for in {code}", True)


@pytest.mark.parametrize(
    ("view", "part"),
    [
        ("itil4", "Service request management"),
        ("iso20000", "8.6.2 Service request management"),
        ("cobit", "DSS02 Managed Service Requests and Incidents"),
        ("itscmm", "Event Management"),
    ],
)
def test_the_same_evidence_can_be_seen_by_other_frameworks(quick_talk: Talk, view: str, part: str) -> None:
    ask_and_take(quick_talk)
    found = {row[0]: row for row in rows(quick_talk.say("manager", f"evidence coverage view:{view}"))}
    assert part in found, sorted(found)
    assert "SD SP 3.1 (2)" in found[part][2]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("evidence coverage XYZ", "“XYZ” is no process area."),
        ("evidence coverage within:never", "“never” is not a period I know."),
        ("evidence coverage within:2027-05", "2027-05 has not begun yet."),
    ],
)
def test_what_coverage_cannot_mean_is_said(quick_talk: Talk, line: str, said: str) -> None:
    refused = quick_talk.say("manager", line)
    assert refused.tone is Tone.BAD
    assert refused.title.startswith(said)


# Proof -------------------------------------------------------------------------------------------------


def tamper(talk: Talk, statement: str) -> None:
    """Change the store behind the desk's back, as its administrator could."""
    with talk.database.engine.begin() as connection:
        if talk.database.is_sqlite:
            for what in ("updated", "deleted", "replaced"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS evidence_is_not_{what}"))
            connection.execute(text("PRAGMA defer_foreign_keys=ON"))
        else:
            connection.execute(text("ALTER TABLE evidence DISABLE TRIGGER ALL"))
        connection.execute(text(statement))


def test_an_untouched_ledger_holds(talk: Talk) -> None:
    ask_and_take(talk)
    said = talk.say("manager", "evidence verify")
    assert said.tone is Tone.GOOD
    with talk.database.reading() as session:
        size = session.execute(text("SELECT count(*) FROM evidence")).scalar()
    assert said.title == f"The ledger holds: {size} records, nothing was changed."


def test_the_store_itself_refuses_to_change_evidence(talk: Talk) -> None:
    ask_and_take(talk)
    for statement in ("UPDATE evidence SET actor = 'owner'", "DELETE FROM evidence"):
        with (
            pytest.raises(Exception, match="evidence is only ever added"),
            talk.database.engine.begin() as store,
        ):
            store.execute(text(statement))
    assert talk.say("manager", "evidence verify").tone is Tone.GOOD


@pytest.mark.parametrize(
    ("statement", "bad"),
    [
        ("UPDATE evidence SET actor = 'owner' WHERE seq = 2", 2),
        ("UPDATE evidence SET at = at + 60000000 WHERE seq = 1", 1),
        ("""UPDATE evidence SET after = replace(after, 'P4', 'P1') WHERE seq = 1""", 1),
        ("UPDATE evidence SET practices = '[]' WHERE seq = 3", 3),
        ("UPDATE words SET text = 'something else' WHERE seq = 1 AND name = 'question'", 1),
        ("DELETE FROM evidence WHERE seq = (SELECT max(seq) FROM evidence)", None),
        ("UPDATE ledger_head SET size = size - 1", None),
    ],
)
def test_whatever_was_tampered_with_is_found_and_named(talk: Talk, statement: str, bad: int | None) -> None:
    ask_and_take(talk)
    tamper(talk, statement)
    said = talk.say("manager", "evidence verify")
    assert said.tone is Tone.BAD
    assert said.title.startswith("The ledger does not hold: record ")
    if bad is not None:
        assert said.title.endswith(f" {bad}")
    assert flat(said.text)


def test_only_managers_have_the_ledger_checked(quick_talk: Talk) -> None:
    refused = quick_talk.say("agent", "evidence verify")
    assert (refused.title, flat(refused.text)) == (
        "This is for managers.", f"{quick_talk.policy.people['manager'].name} can do it; ask them.",
    )  # fmt: skip


def test_without_a_signature_there_is_no_checkpoint_to_show(quick_talk: Talk) -> None:
    assert quick_talk.say("staff", "evidence checkpoint").title == "Nothing was signed yet."


# Retention ---------------------------------------------------------------------------------------------


def test_copies_are_emptied_when_the_policy_says_so_and_evidence_stays(quick_talk: Talk) -> None:
    quick_talk.say("staff", "request new question a private matter", key="mine")
    with quick_talk.database.writing() as session:
        Records(session).outbox.set_aside("a test", quick_talk.clock.now())
        session.execute(text("UPDATE outbox SET payload = '{}'"))
    records = len(quick_talk.evidence("REQ-1"))

    def left() -> tuple[object, ...]:
        with quick_talk.database.reading() as session:
            inbox = session.execute(text("SELECT count(*) FROM inbox WHERE key = 'mine'")).scalar()
            full = session.execute(
                text("SELECT count(*) FROM outbox WHERE payload IS NOT NULL AND state = 'skipped'")
            ).scalar()
            return inbox, bool(full)

    for days, expected in ((29, (1, True)), (2, (0, True)), (400, (0, False))):
        quick_talk.wait(days=days)
        quick_talk.say("desk", "privacy retain")
        assert left() == expected
    assert quick_talk.say("owner", "privacy retain").title == "Only the desk itself says this."
    assert len(quick_talk.evidence("REQ-1")) >= records
    assert "retention.applied" in quick_talk.actions("desk")
    assert quick_talk.say("manager", "evidence verify").tone is Tone.GOOD
