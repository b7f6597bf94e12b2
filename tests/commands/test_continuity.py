"""Is impact analysed, are plans signed and drilled, and is recovery measured by what was entered?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from config.policy import DrillKind, Plan, Policy, RecurringDrill
from handlers.continuity import signing
from handlers.continuity.heat import COLUMNS
from handlers.continuity.report import report_of
from handlers.messages import Gantt, Reply, StepState, Tone, flat
from storage.unit_of_work import Records
from tests.harness.house import Talk

BEARABLE = "down_1h:minor down_4h:serious down_8h:unbearable lost_15m:minor lost_1h:unbearable"
QUICK = "because:“it is a test”"


def facts(reply: Reply) -> dict[str, str]:
    """A reply's facts as plain text."""
    return {fact.label: flat(fact.value) for fact in reply.facts}


def rows(reply: Reply) -> list[list[str]]:
    """A reply's table as plain text."""
    assert reply.table is not None
    return [[flat(cell) for cell in row] for row in reply.table.rows]


def section(reply: Reply, title: str) -> Reply:
    """One section of a reply."""
    return next(each for each in reply.more if each.title == title)


def good(talk: Talk, who: str, line: str) -> Reply:
    """What somebody hears whose line is carried out."""
    said = talk.say(who, line)
    assert said.tone is Tone.GOOD, (line, said)
    assert said.form is None, (line, said)
    return said


def asked(reply: Reply) -> dict[str, str]:
    """The fields of a form that say what is wrong."""
    assert reply.form is not None, reply
    return {field.key: field.error for field in reply.form.fields if field.error}


def signed(talk: Talk, service: str, answers: str = BEARABLE) -> str:
    """An impact analysis that its owner has signed."""
    ref = good(talk, "oncall", f"continuity impact {service} {answers}").subject or ""
    good(talk, "owner", f"continuity approve {ref}")
    return ref


def later(talk: Talk, **length: float) -> None:
    """Some days on, when the desk looks once after what is due: what rings on the way is left out."""
    talk.clock.set(talk.clock.now() + timedelta(**length))
    talk.ring()


def planned(talk: Talk) -> None:
    """Mail's impact and its plan, both signed."""
    talk.tend()
    signed(talk, "mail")
    good(talk, "owner", "continuity approve PLN-1")


def small(talk: Talk, *steps: str) -> str:
    """A plan of the chat for help, with steps; returns its reference."""
    said = good(
        talk,
        "agent",
        "continuity write the hall is gone service:help recovered:“a call is answered” scenario:fire",
    )
    ref = said.subject or ""
    for step in steps:
        good(talk, "agent", f"continuity step {ref} {step}")
    return ref


def running(talk: Talk, kind: str = "tabletop") -> str:
    """A drill of mail's plan that has begun."""
    planned(talk)
    ref = good(talk, "oncall", f"drill schedule PLN-1 {kind} start:“in 1h”").subject or ""
    talk.wait(hours=1)
    good(talk, "oncall", f"drill start {ref} {QUICK}")
    return ref


# Impact -------------------------------------------------------------------------------------------


def test_the_harm_over_time_says_how_soon_a_service_must_be_back(quick_talk: Talk) -> None:
    said = good(quick_talk, "oncall", f"continuity impact mail {BEARABLE} resources:“the store, the vault”")
    assert facts(said)["Back within (RTO)"] == "4h"
    assert facts(said)["Data lost at most (RPO)"] == "15m"
    assert facts(said)["Criticality"] == "critical"
    assert quick_talk.told("@owner") == ["BIA-1 needs your signature: Mail back within 4h"]
    assert quick_talk.actions("BIA-1") == [
        "impact_analysis.completed", "risk.rated", "essential_resource.ranked", "dependency.recorded",
    ]  # fmt: skip
    ended = good(quick_talk, "owner", "continuity approve BIA-1")
    assert facts(ended)["Review by"] == "2027-11-23"
    assert quick_talk.actions("BIA-1")[-2:] == ["impact_analysis.signed", "essential_function.ranked"]


@pytest.mark.parametrize(
    ("answers", "problems"),
    [
        ("down_1h:serious down_4h:minor", {"down_4h": "It cannot do less harm than after 1h."}),
        ("down_1h:unbearable", {"rto": "Even the shortest of these cannot be borne: how much can?"}),
        ("down_1h:unbearable rto:2h", {"rto": "After 1h it cannot be borne any more; say less."}),
        ("down_1h:minor down_4h:unbearable rto:5h", {"rto": "The harm allows no more than 1h."}),
        (
            "down_1h:awful",
            {"down_1h": "“awful” is not one of none, minor, serious, unbearable. Choose one of these."},
        ),
        ("lost_15m:none", {"rto": "Answer these first."}),
    ],
)
def test_what_cannot_be_is_asked_for_again(quick_talk: Talk, answers: str, problems: dict[str, str]) -> None:
    assert asked(quick_talk.say("oncall", f"continuity impact mail {answers}")) == problems


def test_without_an_answer_the_form_is_shown_and_its_answers_are_taken(quick_talk: Talk) -> None:
    form = quick_talk.say("oncall", "continuity impact vpn").form
    assert form is not None
    assert [field.key for field in form.fields if field.key.startswith("down_")] == [
        "down_1h", "down_4h", "down_8h", "down_1d", "down_3d", "down_7d",
    ]  # fmt: skip
    said = quick_talk.say(
        "oncall", form.line, down_1h="none", down_4h="unbearable", lost_15m="none", rto="30m"
    )
    assert facts(said)["Back within (RTO)"] == "30m"


def test_no_service_promises_less_than_what_it_rests_on(quick_talk: Talk) -> None:
    signed(
        quick_talk, "network", "down_1h:none down_4h:none down_8h:serious down_1d:unbearable lost_15m:none"
    )
    good(quick_talk, "oncall", f"continuity impact mail {BEARABLE}")
    refused = quick_talk.say("owner", "continuity approve BIA-2")
    assert refused.title == (
        "Mail would promise an RTO of 4h, and rests on Network, which promises 8h (Mail → Network)."
    )
    assert facts(refused)["State"] == "draft"
    signed(quick_talk, "network")
    good(quick_talk, "owner", "continuity approve BIA-2")
    good(
        quick_talk, "oncall", "continuity impact network down_1h:none down_4h:none down_8h:none lost_15m:none"
    )
    again = quick_talk.say("owner", "continuity approve BIA-4")
    assert again.title.startswith("Mail would promise an RTO of 4h"), (
        "and what is beneath cannot promise more"
    )


def test_only_the_owner_signs_at_the_moment_of_the_click(quick_talk: Talk) -> None:
    good(quick_talk, "oncall", f"continuity impact mail {BEARABLE}")
    assert quick_talk.say("manager", "continuity approve BIA-1").tone is Tone.BAD
    mail = replace(quick_talk.policy.services["mail"], owner="manager")
    services = {**quick_talk.policy.services, "mail": mail}
    quick_talk.policy = replace(quick_talk.policy, services=services, version="other owner")
    assert quick_talk.say("owner", "continuity approve BIA-1").title == "You cannot sign for Mail."
    good(quick_talk, "manager", "continuity approve BIA-1")


def test_the_delegate_signs_while_the_owner_is_away(quick_talk: Talk) -> None:
    good(quick_talk, "oncall", f"continuity impact mail {BEARABLE}")
    assert quick_talk.say("approver", "continuity approve BIA-1").tone is Tone.BAD
    today = quick_talk.clock.now().date()
    owner = replace(quick_talk.policy.people["owner"], away=((today, today),))
    quick_talk.policy = replace(quick_talk.policy, people={**quick_talk.policy.people, "owner": owner})
    good(quick_talk, "approver", "continuity approve BIA-1")


# Plans --------------------------------------------------------------------------------------------


def with_plan(policy: Policy, **changes: object) -> Policy:
    """The example organisation with another plan."""
    plan: Plan = replace(policy.plans["mail-store-lost"], **changes)  # type: ignore[arg-type]
    return replace(policy, plans={plan.key: plan}, version=f"{changes}")


def test_another_text_in_the_file_is_another_version_to_be_signed(quick_talk: Talk) -> None:
    quick_talk.tend()
    good(quick_talk, "owner", "continuity approve PLN-1")
    quick_talk.tend()
    assert facts(quick_talk.say("owner", "PLN-1"))["State"] == "version 1 signed"
    first = quick_talk.policy
    quick_talk.policy = with_plan(first, scenario="Only one disk is gone.")
    quick_talk.tend()
    assert facts(quick_talk.say("owner", "PLN-1"))["State"] == "version 2 not signed yet, an earlier one is"
    good(quick_talk, "owner", "continuity approve PLN-1")
    assert quick_talk.actions("PLN-1") == [
        "continuity_plan.published", "contingency.planned", "continuity_plan.approved",
        "continuity_plan.rewritten", "continuity_plan.approved",
    ]  # fmt: skip


def test_a_plan_that_still_holds_is_signed_again_when_it_is_to_be_looked_at(quick_talk: Talk) -> None:
    quick_talk.tend()
    good(quick_talk, "owner", "continuity approve PLN-1")
    assert quick_talk.say("owner", "continuity approve PLN-1").title == "You cannot sign PLN-1: it is signed."
    later(quick_talk, days=355)
    shown = quick_talk.say("owner", "PLN-1")
    assert shown.buttons[0].label == "It still holds"
    assert quick_talk.say("manager", shown.buttons[0].line).tone is Tone.BAD
    said = good(quick_talk, "owner", shown.buttons[0].line)
    assert facts(said)["Review by"] == "2028-11-12"
    assert quick_talk.actions("PLN-1").count("continuity_plan.approved") == 2
    assert "continuity_plan.revised" not in quick_talk.actions("PLN-1")


def test_every_version_says_what_was_written_then_and_who_signed_it(quick_talk: Talk) -> None:
    quick_talk.tend()
    good(quick_talk, "owner", "continuity approve PLN-1")
    signed(quick_talk, "mail")
    quick_talk.policy = with_plan(quick_talk.policy, scenario="Only one disk is gone.")
    quick_talk.tend()
    newest = quick_talk.say("oncall", "continuity plan PLN-1")
    first = quick_talk.say("oncall", "continuity plan PLN-1 version:1")
    assert section(newest, "The scenario").text == ("Only one disk is gone.",)
    assert "Both disks" in flat(section(first, "The scenario").text)
    assert [facts(each)["Signed by"] for each in (newest, first)] == ["nobody yet", "Olga Owner"]
    assert newest.buttons[-1].line == "continuity plan PLN-1 version:1"
    assert rows(section(newest, "Recovered when, and how soon"))[0][2:] == ["4h", "15m", "BIA-1"]
    refused = quick_talk.say("oncall", "continuity plan PLN-1 version:7")
    assert (refused.title, flat(refused.text)) == (
        "PLN-1 has no version 7.",
        "It has 2 versions: 1, 2.",
    )


def test_when_a_plan_is_tried_is_no_part_of_what_is_signed(quick_talk: Talk) -> None:
    quick_talk.tend()
    good(quick_talk, "owner", "continuity approve PLN-1")
    quick_talk.policy = with_plan(quick_talk.policy, drills=())
    quick_talk.tend()
    assert facts(quick_talk.say("owner", "PLN-1"))["State"] == "version 1 signed"


def test_a_plan_is_built_in_chat_step_by_step(quick_talk: Talk) -> None:
    ref = small(
        quick_talk, "tell tell everybody owner:@agent", "move move owner:@service-desk after:tell lasts:30m"
    )
    shown = quick_talk.say("agent", ref)
    steps = next(section for section in shown.more if section.title == "2 steps")
    assert rows(steps)[1][:6] == ["move", "move", "Service desk", "Recovery", "tell", "+15m for 30m"]
    good(
        quick_talk,
        "agent",
        f"continuity edit {ref} resources:“phones, a hall” contact:“the caretaker, 030 1, keys”",
    )
    good(quick_talk, "agent", f"continuity drop {ref} tell")
    good(quick_talk, "agent", f"continuity approve {ref}")
    assert rows(section(quick_talk.say("agent", ref), "Whom to call")) == [["the caretaker", "030 1", "keys"]]
    needed = section(quick_talk.say("agent", ref), "What is needed, what is missed first in front")
    assert rows(needed) == [["1", "phones"], ["2", "a hall"]]
    good(quick_talk, "agent", f"continuity edit {ref} contact:“a locksmith, 030 7”")
    good(quick_talk, "agent", f"continuity edit {ref} contact:“The caretaker, 030 2”")
    good(quick_talk, "agent", f"continuity edit {ref} contact:“a locksmith”")
    assert rows(section(quick_talk.say("agent", ref), "Whom to call")) == [["The caretaker", "030 2", "—"]]
    assert quick_talk.say("oncall", f"continuity edit {ref} triggers:x").tone is Tone.BAD
    good(quick_talk, "agent", f"continuity withdraw {ref} no hall")
    assert quick_talk.say("agent", f"drill schedule {ref} tabletop start:“in 1h”").tone is Tone.WAITING


@pytest.mark.parametrize(
    ("step", "field", "problem"),
    [
        (
            "a first owner:@agent after:c",
            "after",
            "Step a goes round in a circle: a waits for c waits for b waits for a; take one of them out.",
        ),
        ("d last owner:@agent after:far", "after", "Step d 'far' is no step of this plan; known are a, b, c, d."),
        (
            "d last owner:nobody",
            "owner",
            "I do not know nobody. Write @person, @team, role:responder or rota:KEY.",
        ),
        ("d last owner:@agent lasts:30d", "lasts", "A step takes from a minute to a week."),
        ("d! last owner:@agent", "key", "Use letters, digits and hyphens, as swap-switch."),
    ],
)  # fmt: skip
def test_a_step_that_cannot_be_is_refused(quick_talk: Talk, step: str, field: str, problem: str) -> None:
    ref = small(quick_talk, "a a owner:@agent", "b b owner:@agent after:a", "c c owner:@agent after:b")
    assert asked(quick_talk.say("agent", f"continuity step {ref} {step}")) == {field: problem}


def test_a_step_without_an_owner_is_asked_for_one_and_one_that_nobody_would_do_is_not_signed(
    quick_talk: Talk,
) -> None:
    ref = small(quick_talk)
    form = quick_talk.say("agent", f"continuity step {ref} a what").form
    assert form is not None
    assert "owner" in {field.key for field in form.fields if field.required and not field.value}
    assert quick_talk.say("agent", f"continuity approve {ref}").title == f"{ref} has no steps yet."
    good(quick_talk, "agent", f"continuity step {ref} a what owner:role:approver")
    access = replace(quick_talk.policy.access, grants={})
    quick_talk.policy = replace(quick_talk.policy, access=access)
    assert quick_talk.say("agent", f"continuity approve {ref}").title == "Nobody would do a."


def speaks_for(talk: Talk, ref: str) -> dict[str, set[str]]:
    """The practices for which each kind of record is evidence; what was delivered of it, too."""
    found: dict[str, set[str]] = {}
    for record in talk.evidence(ref):
        if not record.action.startswith("sla."):
            found.setdefault(record.action, set()).update(record.practices)
    return found


def test_a_signature_is_evidence_of_what_was_signed_and_of_nothing_else(quick_talk: Talk) -> None:
    planned(quick_talk)
    assert speaks_for(quick_talk, "BIA-1") == {
        "impact_analysis.completed": {"SCON SP 1.1"},
        "risk.rated": {"RSKM SP 2.2"},
        "dependency.recorded": {"SCON SP 1.2"},
        "impact_analysis.signed": {"SCON SP 1.1"},
        "essential_function.ranked": {"SCON SP 1.1"},
    }
    assert speaks_for(quick_talk, "PLN-1") == {
        "continuity_plan.published": {"SCON SP 2.1"},
        "contingency.planned": {"RSKM SP 3.1"},
        "continuity_plan.approved": {"SCON SP 2.1"},
    }
    with quick_talk.database.reading() as session:
        sent = Records(session).outbox.listed(["pending"], 1000)
    assert {row.key.split("/")[1]: set(row.practices or ()) for row in sent if row.subject == "BIA-1"} == {
        "written": {"SCON SP 1.1", "SCON SP 1.2", "RSKM SP 2.2"},
        "signed": {"SCON SP 1.1"},
    }


def test_a_plan_has_learned_from_a_drill_where_it_was_signed_anew_after_one(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    good(quick_talk, "oncall", f"drill finish {ref} {QUICK}")
    quick_talk.policy = with_plan(quick_talk.policy, resources=("A second key",))
    quick_talk.tend()
    good(quick_talk, "owner", "continuity approve PLN-1")
    found = speaks_for(quick_talk, "PLN-1")
    assert found["continuity_plan.revised"] == {"SCON SP 3.3"}
    assert found["continuity_plan.approved"] == found["continuity_plan.rewritten"] == {"SCON SP 2.1"}


# Drills -------------------------------------------------------------------------------------------


def test_a_drill_is_measured_against_what_was_signed(talk: Talk) -> None:
    ref = running(talk)
    assert talk.told("@owner", ref)[-1] == "Practice. Decide that the store is given up"
    good(talk, "owner", f"drill step {ref} decide done")
    talk.wait(minutes=100)
    said = good(talk, "oncall", f"drill recovered {ref} mail data:“110m ago” shows:“the journal”")
    assert facts(said)["RTO actual"] == "1h40m, met"
    assert facts(said)["RPO actual"] == "10m, met"
    ended = good(talk, "oncall", f"drill finish {ref} well done {QUICK}")
    assert ended.title == f"{ref} is finished: within its targets"
    completed = next(each for each in talk.evidence(ref) if each.action == "drill.completed")
    assert (completed.after or {})["services"] == {
        "mail": {"rto": 6000, "rpo": 600, "paused": 0, "rto_verdict": "met", "rpo_verdict": "met"}
    }
    assert rows(talk.say("manager", "continuity map"))[0][:9] == [
        "Mail", "critical", "4h", "15m", "signed", "signed", "Mon 23 Nov 2026", "1h40m, 10m of data", "yes",
    ]  # fmt: skip


def test_what_was_measured_is_corrected_by_a_new_entry_with_a_reason(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    quick_talk.wait(minutes=60)
    good(quick_talk, "oncall", f"drill recovered {ref} mail data:“61m ago” shows:a")
    line = f"drill recovered {ref} mail data:“80m ago” shows:b"
    assert list(asked(quick_talk.say("oncall", line))) == ["because"]
    said = good(quick_talk, "oncall", f"{line} because:“it was a copy”")
    assert facts(said)["RPO actual"] == "20m, missed"
    first, second = [each for each in quick_talk.evidence(ref) if each.action.startswith("drill.recover")]
    assert (first.action, second.action) == ("drill.recovered", "drill.recovery_corrected")
    assert (second.before or {})["data"] == (first.after or {})["data"]
    ended = quick_talk.say("oncall", f"drill finish {ref} done {QUICK}")
    assert (ended.title, ended.tone) == (f"{ref} is finished: not within its targets", Tone.BAD)
    assert list(asked(quick_talk.say("oncall", f"drill recovered {ref} mail at:“30m ago”"))) == ["because"]
    good(quick_talk, "oncall", f"drill recovered {ref} mail at:“30m ago” {QUICK}")
    assert rows(quick_talk.say("oncall", f"drill report {ref}"))[0][2] == "30m, met"
    corrections = quick_talk.say("oncall", f"drill report {ref}").more[1]
    assert [row[4] for row in rows(corrections)] == ["it was a copy", "it is a test"]


IMPOSSIBLE = {
    "drill recovered DRL-1 mail at:“90m ago”": "at",
    "drill recovered DRL-1 mail data:“10m ago” shows:x": "data",
    "drill recovered DRL-1 mail data:“in 10m” shows:x": "data",
    "drill recovered DRL-1 mail data:“2h ago”": "shows",
    "drill disrupted DRL-1 “in 5m” because": "at",
    "drill step DRL-1 restore done": "note",
    "drill step DRL-1 fetch-backup failed": "note",
    "drill step DRL-1 decide exploded": "state",
    "drill finish DRL-1": "because",
    "drill finding DRL-1 x due:2020-01-01": "due",
    "drill inject DRL-1 x to:@unknown": "to",
}


def test_what_cannot_have_been_is_asked_for_again_and_changes_nothing(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    quick_talk.wait(minutes=60)
    before = quick_talk.actions(ref)
    for line, field in IMPOSSIBLE.items():
        assert list(asked(quick_talk.say("oncall", line))) == [field], line
    assert quick_talk.actions(ref) == before


def test_the_disruption_is_declared_anew_but_not_after_a_recovery(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    quick_talk.wait(minutes=60)
    good(quick_talk, "oncall", f"drill recovered {ref} mail at:“20m ago”")
    assert list(asked(quick_talk.say("oncall", f"drill disrupted {ref} “10m ago” late"))) == ["at"]
    good(quick_talk, "oncall", f"drill disrupted {ref} “50m ago” the switch was pulled then")
    assert rows(quick_talk.say("oncall", f"drill report {ref}"))[0][2] == "30m, met"
    assert quick_talk.actions(ref)[-1] == "drill.disruption_corrected"


def test_a_drill_is_started_once_even_by_two_at_once(talk: Talk) -> None:
    planned(talk)
    good(talk, "oncall", "drill schedule PLN-1 tabletop start:“in 1h”")
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda who: talk.say(who, f"drill start DRL-1 {QUICK}"), ("oncall", "owner")))
    assert sorted(each.title for each in said) == [
        "DRL-1 has begun: The mail store is lost",
        "You cannot start DRL-1: it is running.",
    ]
    assert talk.actions("DRL-1").count("drill.started") == 1


def test_a_step_out_of_order_is_on_file_with_its_reason_whatever_comes_later(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    good(quick_talk, "oncall", f"drill step {ref} restore doing we use the old disk")
    for step in ("decide", "new-disks", "fetch-backup", "restore"):
        good(
            quick_talk,
            "owner" if step == "decide" else "backup" if step == "fetch-backup" else "oncall",
            f"drill step {ref} {step} done ok",
        )
    with quick_talk.database.reading() as session:
        found = report_of(quick_talk.policy, Records(session), ref, quick_talk.clock.now())
    restore = next(step for step in found.steps if step.key == "restore")
    assert (restore.early, restore.note, restore.state) == (
        ("new-disks", "fetch-backup"),
        "we use the old disk; ok",
        "done",
    )


def at_home(talk: Talk, who: str) -> dict[str, list[str]]:
    """The steps that wait for somebody's hands, as their home shows them, with what can be clicked."""
    home = talk.say(who, "desk home")
    return {
        each.title: [button.line for button in each.buttons]
        for each in home.more
        if each.subject and each.subject.startswith("DRL-")
    }


def test_the_steps_that_wait_for_somebody_stand_first_at_their_home(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    decide = "Practice. Decide that the store is given up"
    line = f"drill step {ref} decide"
    assert at_home(quick_talk, "owner") == {
        decide: [f"{line} done", f"{line} doing", f"{line} failed", f"{line} skipped", ref]
    }
    assert quick_talk.say("owner", "desk home").more[0].title == decide
    assert at_home(quick_talk, "oncall") == at_home(quick_talk, "staff") == {}, (
        "it is not theirs, whoever leads"
    )
    good(quick_talk, "owner", f"{line} doing")
    assert at_home(quick_talk, "owner")[decide] == [f"{line} done", f"{line} failed", f"{line} skipped", ref]
    good(quick_talk, "owner", f"{line} done")
    assert at_home(quick_talk, "owner") == {}
    assert list(at_home(quick_talk, "oncall")) == ["Practice. Put the spare disks in and make a file system"]
    fetch = at_home(quick_talk, "backup")["Practice. Fetch the newest backup from the second building"]
    assert quick_talk.say("backup", fetch[0]).form is not None, "its proof is asked for, as anywhere"
    good(quick_talk, "oncall", f"drill pause {ref} the fire alarm rings")
    assert at_home(quick_talk, "oncall") == {}, "nobody works on it"
    good(quick_talk, "oncall", f"drill resume {ref}")
    assert at_home(quick_talk, "oncall") != {}
    good(quick_talk, "oncall", f"drill finish {ref} {QUICK}")
    assert at_home(quick_talk, "oncall") == {}


def test_a_home_shows_a_few_steps_and_says_how_many_more_wait(quick_talk: Talk) -> None:
    ref = small(quick_talk, *(f"s{n} number-{n} owner:@agent" for n in range(8)))
    good(quick_talk, "agent", f"continuity approve {ref}")
    good(quick_talk, "agent", f"drill schedule {ref} tabletop start:“in 1h”")
    good(quick_talk, "agent", f"drill start DRL-1 {QUICK}")
    shown = at_home(quick_talk, "agent")
    assert list(shown)[-1] == "3 more steps of yours can be done in DRL-1"
    assert len(shown) == 6


def test_nobody_reads_in_the_report_what_is_still_to_surprise_them(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    porter, journalist = "The porter does not answer", "A journalist asks"
    quick_talk.wait(minutes=21)
    under_way = str(quick_talk.say("backup", f"drill report {ref}"))
    assert (porter in under_way, journalist in under_way) == (True, False)
    good(quick_talk, "oncall", f"drill finish {ref} {QUICK}")
    assert journalist in str(quick_talk.say("backup", f"drill report {ref}"))


def test_a_failed_step_holds_up_what_follows_until_it_is_corrected(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    good(quick_talk, "owner", f"drill step {ref} decide failed nobody dares")
    assert quick_talk.told("@oncall", ref)[-1] == f"{ref}: Decide that the store is given up has failed"
    assert states(quick_talk, ref)["tell"] == "pending"
    assert list(asked(quick_talk.say("owner", f"drill step {ref} decide done"))) == ["note"]
    good(quick_talk, "owner", f"drill step {ref} decide done they dare")
    assert states(quick_talk, ref)["tell"] == "ready"
    good(quick_talk, "owner", f"drill step {ref} decide failed it was taken back")
    assert states(quick_talk, ref)["tell"] == "pending"
    assert quick_talk.actions(ref).count("drill.step_corrected") == 2


def states(talk: Talk, ref: str) -> dict[str, str]:
    """The steps of a run-sheet."""
    sheet = talk.say("owner", ref).sheet
    assert sheet is not None
    return {step.key: str(step.state) for step in sheet.steps}


def test_the_run_sheet_shows_who_is_to_do_what_and_what_can_be_clicked(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    sheet = quick_talk.say("owner", ref).sheet
    assert sheet is not None
    assert [lane.name for lane in sheet.lanes] == ["Lead", "Telling", "Store", "Backup"]
    decide = sheet.steps[0]
    assert (decide.state, flat(decide.owner)) == (StepState.READY, "Olga Owner")
    assert decide.buttons[0].line == f"drill step {ref} decide done"
    chart = quick_talk.say("owner", f"drill report {ref}").chart
    assert isinstance(chart, Gantt)
    assert [mark.label for mark in chart.marks] == ["Disruption"]


def test_steps_are_for_their_owners_and_a_recovery_for_those_who_answer_for_it(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    refused = quick_talk.say("agent", f"drill step {ref} new-disks done")
    assert refused.text == ("Platform or Oli Oncall can say how it stands.",)
    assert quick_talk.say("agent", f"drill recovered {ref} mail").tone is Tone.BAD
    assert quick_talk.say("agent", f"drill pause {ref} lunch").tone is Tone.BAD
    good(quick_talk, "backup", f"drill recovered {ref} mail")


def test_a_real_incident_holds_a_drill_up_and_a_practice_does_not(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    where = "service:vpn impact:low urgency:low"
    quick_talk.say("staff", f"incident declare slow {where} practice:yes")
    assert facts(quick_talk.say("oncall", ref))["State"] == "running"
    quick_talk.wait(minutes=10)
    quick_talk.say("staff", f"incident declare really slow {where} anyway:yes")
    assert facts(quick_talk.say("oncall", ref))["State"] == "paused for INC-2", "the same team runs it"
    quick_talk.wait(minutes=20)
    assert "Practice. The porter does not answer. How do you get into the vault?" not in quick_talk.told(
        "@backup", ref
    )
    good(quick_talk, "oncall", "incident resolve INC-2 faster")
    assert quick_talk.told("@oncall", ref)[-1] == f"INC-2 is over; {ref} can go on"
    good(quick_talk, "oncall", f"drill resume {ref}")
    quick_talk.wait(minutes=11)
    assert (
        quick_talk.told("@backup", ref)[-1]
        == "Practice. The porter does not answer. How do you get into the vault?"
    )
    good(quick_talk, "oncall", f"drill recovered {ref} mail")
    assert (
        rows(quick_talk.say("oncall", f"drill report {ref}"))[0][2]
        == "21m, met (by the clock 41m, of which 20m paused)"
    )


def test_an_incident_of_another_team_holds_nobody_up(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    quick_talk.say("staff", "incident declare no laptops service:laptops impact:low urgency:low")
    assert facts(quick_talk.say("oncall", ref))["State"] == "running"


def test_a_drill_that_was_aborted_counts_as_none(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    quick_talk.wait(minutes=10)
    good(quick_talk, "oncall", f"drill recovered {ref} mail")
    said = good(quick_talk, "oncall", f"drill abort {ref} the alarm rings")
    assert said.title == f"{ref} is aborted after 10m"
    assert rows(quick_talk.say("manager", "continuity map"))[0][6] == "by Tue 25 May 2027"
    quick_talk.wait(hours=2)
    assert "Practice. A journalist asks when mail will be back." not in quick_talk.told("@oncall", ref)


def test_who_came_is_on_file_and_rates_it(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    good(quick_talk, "staff", f"drill join {ref}")
    assert quick_talk.say("staff", f"drill join {ref}").title == f"You take part in {ref} already."
    good(quick_talk, "oncall", f"drill finish {ref} {QUICK}")
    assert quick_talk.say("agent", f"drill rate {ref} 3").tone is Tone.BAD
    good(quick_talk, "staff", f"drill rate {ref} 3 long")
    delivered = next(
        each for each in quick_talk.evidence(ref) if each.action == "continuity_training.delivered"
    )
    assert (delivered.after or {})["people"] == ["oncall", "staff"]


def test_what_was_found_is_chased(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    good(quick_talk, "backup", f"drill finding {ref} a second key owner:@backup due:2026-12-10")
    good(quick_talk, "oncall", f"drill finding {ref} a longer cable")
    shown = next(
        each for each in quick_talk.say("owner", f"drill report {ref}").more if each.title == "2 findings"
    )
    assert [row[1:4] for row in rows(shown)] == [
        ["a second key", "Bo Backup", "Thu 10 Dec 2026"],
        ["a longer cable", "Olga Owner", "Wed 23 Dec 2026"],
    ]
    later(quick_talk, days=25)
    assert "ACT-1 is 8 days overdue: a second key" in quick_talk.told("@backup")


# Before a drill -----------------------------------------------------------------------------------


def test_the_desk_asks_whether_everything_is_there_before_something_is_really_done(quick_talk: Talk) -> None:
    planned(quick_talk)
    good(quick_talk, "oncall", "drill schedule PLN-1 simulation start:“in 1h”")
    assert (
        "Mail: Spare disks for the store (nobody has looked yet)"
        in asked(quick_talk.say("oncall", "drill start DRL-1"))["because"]
    )
    good(quick_talk, "oncall", f"drill start DRL-1 {QUICK}")
    sections = quick_talk.say("oncall", "drill report DRL-1").more
    assert len(rows(next(each for each in sections if each.title == "Not ready when it began"))) == 6


def test_what_a_service_needs_is_looked_at_counted_and_looked_at_again(quick_talk: Talk) -> None:
    assert list(asked(quick_talk.say("oncall", "service check mail spare-disks ready"))) == ["count"]
    said = good(quick_talk, "oncall", "service check mail spare-disks ready count:1")
    assert said.title == "Mail: Spare disks for the store is noted as too few"
    assert rows(said)[3][4] == "1 of at least 2"
    good(quick_talk, "oncall", "service check mail spare-disks ready count:3")
    assert list(asked(quick_talk.say("oncall", "service check mail two-people lacking"))) == ["note"]
    good(quick_talk, "oncall", "service check mail two-people lacking one has left")
    assert speaks_for(quick_talk, "service:mail") == {
        "readiness.item_checked": {"SD SP 2.2"},
        "skill_gap.recorded": {"WP SP 2.5"},
    }
    assert list(asked(quick_talk.say("owner", "service ready mail"))) == ["because"]
    good(quick_talk, "owner", "service ready mail because:“one is enough for now”")
    assert quick_talk.actions("service:mail")[-2:] == ["readiness.checked", "readiness.confirmed"]
    quick_talk.clock.set(quick_talk.clock.now() + timedelta(days=93))
    assert (
        rows(quick_talk.say("oncall", "service readiness mail"))[3][4] == "last looked at more than 92d ago"
    )


def test_a_drill_is_asked_for_reminded_of_moved_and_called_missed(quick_talk: Talk) -> None:
    planned(quick_talk)
    good(quick_talk, "oncall", "drill schedule PLN-1 tabletop start:“wed 10:00” lasts:2h")
    good(quick_talk, "backup", "drill join DRL-1")
    assert list(asked(quick_talk.say("oncall", "drill move DRL-1 start:yesterday because:x"))) == ["start"]
    good(quick_talk, "oncall", "drill move DRL-1 start:“thu 10:00” because:“the fair”")
    quick_talk.wait(days=4)
    heard = [
        title for title in quick_talk.told("@backup", "DRL-1") if "begins" in title or "another time" in title
    ]
    assert heard == [
        "DRL-1 takes place at another time: The mail store is lost",
        "DRL-1 begins soon: The mail store is lost",
        "DRL-1 begins now: The mail store is lost",
    ]
    assert quick_talk.told("@oncall", "DRL-1")[-1] == "DRL-1 was not held in its time: The mail store is lost"
    unheld = "Hold DRL-1 “The mail store is lost”, move it, or cancel it"
    assert unheld in due(quick_talk)
    good(quick_talk, "oncall", "drill move DRL-1 start:“in 2d” because:“the fair is over”")
    assert unheld not in due(quick_talk)


def test_a_drill_stands_in_the_way_of_a_change(quick_talk: Talk) -> None:
    planned(quick_talk)
    good(quick_talk, "oncall", "drill schedule PLN-1 full start:“tue 20:30”")
    with quick_talk.database.reading() as session:
        now = quick_talk.clock.now()
        between = Records(session).continuity.drills_between
        (found,) = between(["mail"], now, now + timedelta(days=2))
        assert (found.ref, found.services, found.person, found.drill) == ("DRL-1", ("mail",), "oncall", True)
        assert found.end - found.start == timedelta(hours=2, minutes=5)
        assert between(["vpn"], now, now + timedelta(days=2)) == []
        assert (
            between(["mail"], now, found.start)
            == between(["mail"], found.end, found.end + timedelta(days=1))
            == []
        )
    good(quick_talk, "oncall", "drill cancel DRL-1 not now")
    with quick_talk.database.reading() as session:
        assert Records(session).continuity.drills_between(["mail"], now, now + timedelta(days=2)) == []


# Again and again ----------------------------------------------------------------------------------


def test_drills_that_repeat_are_set_ahead_of_their_time_once_each(quick_talk: Talk) -> None:
    tomorrow = quick_talk.clock.now().replace(tzinfo=None) + timedelta(days=1)
    drill = RecurringDrill(DrillKind.TABLETOP, "Europe/Berlin", tomorrow, "FREQ=WEEKLY")
    quick_talk.policy = with_plan(quick_talk.policy, drills=(drill,))
    quick_talk.tend()
    quick_talk.tend()
    assert len(rows(quick_talk.say("oncall", "drill list open"))) == 2, "within the fortnight ahead"
    later(quick_talk, days=7)
    assert len(rows(quick_talk.say("oncall", "drill list all"))) == 3


def test_a_series_of_the_chat_goes_on_until_it_is_stopped(quick_talk: Talk) -> None:
    planned(quick_talk)
    assert list(
        asked(quick_talk.say("oncall", "drill schedule PLN-1 tabletop start:“tue 10:00” repeats:FREQ=SOON"))
    ) == ["repeats"]
    good(quick_talk, "oncall", "drill schedule PLN-1 tabletop start:“tue 10:00” repeats:FREQ=WEEKLY")
    quick_talk.wait(days=1)
    assert [row[0] for row in rows(quick_talk.say("oncall", "drill list all"))] == ["DRL-2", "DRL-1"]
    good(quick_talk, "oncall", "drill cancel DRL-2 enough of it stop:yes")
    later(quick_talk, days=8)
    assert len(rows(quick_talk.say("oncall", "drill list all"))) == 2


# What is due --------------------------------------------------------------------------------------


def due(talk: Talk) -> list[str]:
    """What is due."""
    return [row[0] for page in (1, 2) for row in rows(talk.say("manager", f"continuity due all page:{page}"))]


def test_what_is_due_is_listed_and_told_to_whoever_owes_it(quick_talk: Talk) -> None:
    quick_talk.policy = replace(quick_talk.policy, readiness={}, version="no lists")
    quick_talk.tend()
    assert "Analyse the impact of Mail" in due(quick_talk)
    assert "Sign the plan “The mail store is lost”" in due(quick_talk)
    good(quick_talk, "owner", "continuity approve PLN-1")
    signed(quick_talk, "mail")
    signed(quick_talk, "network", "down_1h:minor down_4h:unbearable lost_15m:none rpo:15m")
    assert "Write a plan for Network, which is critical" in due(quick_talk)
    quick_talk.wait(days=3)
    assert quick_talk.told("@owner")[-1] == "6 things for continuity would be good to do"
    later(quick_talk, days=178)
    assert "Drill Mail, which is critical" in due(quick_talk)
    for _ in range(5):
        later(quick_talk, days=3)
    assert quick_talk.told("@owner").count("Drill Mail, which is critical") == 3, (
        "before, on the day, a week later"
    )
    later(quick_talk, days=180)
    assert {"Look at the impact of Mail again", "Look at the plan “The mail store is lost” again"} <= set(
        due(quick_talk)
    )


def test_a_promise_that_another_estate_breaks_is_told(quick_talk: Talk) -> None:
    signed(quick_talk, "mail")
    signed(quick_talk, "laptops", "down_1h:none down_4h:none down_8h:none down_1d:none lost_15m:none")
    mail = replace(quick_talk.policy.services["mail"], depends_on=("laptops",))
    quick_talk.policy = replace(
        quick_talk.policy, services={**quick_talk.policy.services, "mail": mail}, version="moved"
    )
    assert any("(Mail → Laptops)" in each for each in due(quick_talk))
    assert rows(quick_talk.say("manager", "continuity map"))[0][4] == "promises less than what it rests on"


def test_the_map_has_a_word_for_every_square(quick_talk: Talk) -> None:
    quick_talk.tend()
    said = quick_talk.say("manager", "continuity map")
    assert said.table is not None
    assert len(said.table.columns) == 4 + len(COLUMNS)
    assert {tuple(row[4:6]) for row in rows(said)} == {("missing", "—"), ("missing", "not signed")}
    assert quick_talk.say("oncall", "continuity map").tone is Tone.BAD


# Clocks of what is signed --------------------------------------------------------------------------


def clocks(talk: Talk, ref: str) -> dict[str, str]:
    """The clocks of what is signed: the promise and how it stands."""
    shown = talk.say("manager", f"sla why {ref}").more
    return dict(part.title.split(": ") for part in shown if ": " in part.title)


def signed_before_clocks(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail's impact and its plan, signed when signing told no clock."""
    with monkeypatch.context() as earlier:
        for name in ("review_by", "next_drill"):
            earlier.setattr(signing, name, lambda *_: {})
        planned(talk)
    assert [clocks(talk, ref) for ref in ("PLN-1", "BIA-1")] == [{}, {}]


def test_what_was_signed_before_there_were_clocks_is_given_them_once(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_before_clocks(talk, monkeypatch)
    talk.wait(days=2)
    talk.tend()
    assert clocks(talk, "PLN-1") == {"Review": "running"}
    assert clocks(talk, "BIA-1") == {"Review": "running", "Drill": "running"}
    on_file = [talk.actions(ref) for ref in ("PLN-1", "BIA-1")]
    assert [each[-1] for each in on_file] == ["continuity_plan.review_set", "impact_analysis.review_set"]
    talk.tend()
    talk.wait(days=2)
    assert [talk.actions(ref) for ref in ("PLN-1", "BIA-1")] == on_file
    later(talk, days=361)  # on the very day it is still in time, as it is for what is signed today
    assert clocks(talk, "PLN-1") == {"Review": "due soon"}
    good(talk, "owner", "continuity approve PLN-1")
    assert talk.actions("PLN-1")[-1] == "continuity_plan.approved"
    talk.tend()
    assert talk.actions("PLN-1")[-1] == "continuity_plan.approved"


def test_many_are_given_their_clocks_one_round_after_another(
    quick_talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = quick_talk.policy.plans["mail-store-lost"]
    plans = {f"p{number}": replace(one, key=f"p{number}", drills=()) for number in range(23)}
    quick_talk.policy = replace(quick_talk.policy, plans=plans, version="many plans")
    quick_talk.tend()
    with monkeypatch.context() as earlier:
        earlier.setattr(signing, "review_by", lambda *_: {})
        for number in range(1, 24):
            good(quick_talk, "owner", f"continuity approve PLN-{number}")
    quick_talk.tend()
    later(quick_talk, seconds=1)
    later(quick_talk, seconds=1)
    assert [clocks(quick_talk, f"PLN-{number}") for number in range(1, 24)] == [{"Review": "running"}] * 23


def test_nobody_is_reminded_of_a_service_that_is_gone_and_its_analysis_stays(talk: Talk) -> None:
    planned(talk)
    everything = talk.policy
    rest = {
        key: replace(each, depends_on=tuple(name for name in each.depends_on if name != "mail"))
        for key, each in everything.services.items()
        if key != "mail"
    }
    talk.policy = replace(everything, services=rest, readiness={}, plans={}, version="no mail")
    talk.tend()
    assert clocks(talk, "BIA-1") == {"Review": "cancelled", "Drill": "cancelled"}
    on_file = talk.actions("BIA-1")
    assert on_file[-1] == "impact_analysis.service_gone"
    later(talk, days=400)
    talk.tend()
    assert talk.actions("BIA-1") == on_file
    assert rows(talk.say("manager", "sla breaches within:2027")) == []
    assert not [each for each in overdue_of(talk) if "impact" in each]
    shown = good(talk, "owner", "BIA-1")
    assert facts(shown)["State"] == "signed; there is no service mail any more"
    assert facts(shown)["Back within (RTO)"] == "4h"
    assert facts(shown)["Review by"] == "2027-11-23"
    assert shown.buttons == ()
    talk.policy = everything
    talk.tend()
    assert talk.actions("BIA-1")[-1] == "impact_analysis.review_set"
    assert facts(talk.say("owner", "BIA-1"))["Review by"] == "2027-11-23 (overdue)"
    assert clocks(talk, "BIA-1")["Review"] == "breached"


def overdue_of(talk: Talk) -> list[str]:
    """What the digest of managers calls overdue."""
    digest = talk.say("manager", "sla digest week")
    return [row[1] for row in rows(next(each for each in digest.more if each.title.endswith("overdue")))]


# For real -----------------------------------------------------------------------------------------


def test_a_real_disruption_is_worked_by_the_same_run_sheet(talk: Talk) -> None:
    planned(talk)
    talk.say("staff", "incident declare all mail is gone service:mail impact:high urgency:high")
    talk.wait(minutes=20)
    assert talk.say("staff", "continuity invoke PLN-1 incident:INC-1 because:x").tone is Tone.BAD
    said = good(talk, "oncall", "continuity invoke PLN-1 incident:INC-1 because:“both disks”")
    assert said.title == "PLN-1 is invoked for INC-1: The mail store is lost"
    assert talk.told("@owner", "DRL-1")[-1] == "Decide that the store is given up"
    assert (
        talk.say("oncall", "continuity invoke PLN-1 incident:INC-1 because:x").title
        == "PLN-1 is worked for INC-1 already."
    )
    assert "clock of a real disruption" in talk.say("oncall", "drill pause DRL-1 lunch").title
    assert talk.say("oncall", "drill inject DRL-1 x").tone is Tone.WAITING
    talk.say("staff", "incident declare vpn is slow service:vpn impact:low urgency:low")
    assert facts(talk.say("oncall", "DRL-1"))["State"] == "running", "it gives way to nothing"
    talk.wait(minutes=20)
    assert facts(good(talk, "oncall", "drill recovered DRL-1 mail"))["RTO actual"] == "40m, met", (
        "from the incident on"
    )
    assert "incident.linked" in talk.actions("INC-1")
    assert "drill.inject_presented" not in talk.actions("DRL-1")


def test_a_plan_is_invoked_for_an_open_and_real_incident_only(quick_talk: Talk) -> None:
    planned(quick_talk)
    quick_talk.say("staff", "incident declare mail service:mail impact:low urgency:low practice:yes")
    for ref, said in (("INC-1", "INC-1 is a practice."), ("INC-7", "There is no INC-7.")):
        assert quick_talk.say("oncall", f"continuity invoke PLN-1 incident:{ref} because:x").title == said


def test_erased_words_are_gone_from_the_report(quick_talk: Talk) -> None:
    ref = running(quick_talk)
    good(quick_talk, "backup", f"drill step {ref} fetch-backup failed my own secret words")
    good(quick_talk, "owner", "privacy erase @backup")
    shown = str(quick_talk.say("owner", ref)) + str(quick_talk.say("owner", f"drill report {ref}"))
    assert "secret" not in shown


def test_a_plan_outlives_whoever_typed_it_and_what_they_said_of_it_does_not(quick_talk: Talk) -> None:
    ref = small(quick_talk, "call ring the caretaker owner:@service-desk")
    good(quick_talk, "agent", f"continuity approve {ref} because:“my own secret words”")
    assert "secret" in str(quick_talk.say("owner", ref))
    good(quick_talk, "owner", "privacy erase @agent")
    shown = quick_talk.say("owner", ref)
    assert "secret" not in str(shown)
    assert rows(section(shown, "1 step"))[0][1] == "ring the caretaker", "the organisation works by it"
    assert flat(section(shown, "The scenario").text) == "fire"


def test_without_rules_the_desk_says_so(quick_talk: Talk) -> None:
    quick_talk.policy = replace(quick_talk.policy, continuity=None, version="none")
    quick_talk.tend()
    for line in ("continuity due", f"continuity impact mail {BEARABLE}", "continuity map"):
        assert quick_talk.say("owner", line).title == "This desk knows no continuity plans yet."


def test_the_desk_asks_before_a_service_is_published_too(quick_talk: Talk) -> None:
    line = "service publish mail because:b plan:p test:t backout:b"
    assert (
        "Spare disks for the store (nobody has looked yet)"
        in asked(quick_talk.say("owner", line))["although"]
    )
    said = good(quick_talk, "owner", f"{line} although:“the disks come on Friday”")
    assert quick_talk.actions(said.subject or "")[-1] == "readiness.checked"
    good(quick_talk, "owner", "service publish help because:b plan:p test:t backout:b")


def test_a_plan_that_no_file_says_any_more_is_withdrawn_and_comes_back(quick_talk: Talk) -> None:
    quick_talk.tend()
    good(quick_talk, "owner", "continuity approve PLN-1")
    with_it = quick_talk.policy
    quick_talk.policy = replace(with_it, plans={}, version="no plans")
    quick_talk.tend()
    assert facts(quick_talk.say("owner", "PLN-1"))["State"] == "version 1 withdrawn"
    quick_talk.policy = with_it
    quick_talk.tend()
    assert facts(quick_talk.say("owner", "PLN-1"))["State"] == "version 2 signed"


def test_however_fast_the_steps_one_redraw_waits_in_each_room_and_shows_the_last_state(
    quick_talk: Talk,
) -> None:
    ref = running(quick_talk)
    for step in ("decide", "new-disks", "fetch-backup"):
        good(quick_talk, "backup" if step == "fetch-backup" else "owner", f"drill step {ref} {step} done ok")
    with quick_talk.database.reading() as session:
        rows_ = Records(session).outbox.listed(["pending"], 1000)
    assert [row.lane for row in rows_ if row.kind == "card" and row.subject == ref] == ["console:on-call"]
    sheet = quick_talk.dispatcher.look(ref).card.sheet
    assert sheet is not None
    assert sheet.progress == "3 of 7 done"


def test_a_change_at_the_same_time_is_said_when_a_drill_is_scheduled(quick_talk: Talk) -> None:
    planned(quick_talk)
    quick_talk.say("oncall", "change propose a mailbox moves standard:mailbox-move start:“tue 20:00”")
    good(quick_talk, "oncall", "change schedule CHG-1")
    said = good(quick_talk, "oncall", "drill schedule PLN-1 full start:“tue 21:00”")
    assert "At the same time: CHG-1 a mailbox moves." in flat(said.text)
