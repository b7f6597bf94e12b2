"""Is a service published, changed and retired by a change that its owner accepts?"""

from __future__ import annotations

from config.policy import Level
from handlers.messages import Tone, flat
from tests.commands.changes import (
    LOW,
    TEXTS,
    facts,
    rows,
    submitted,
    with_stages,
)
from tests.harness.house import Talk


def transition(talk: Talk, line: str, who: str = "owner") -> str:
    """A service's transition that was made, an hour from now; returns its change."""
    with_stages(talk, Level.LOW)
    said = talk.say(who, f"service {line} because:“it is time” {TEXTS} start:“in 1h” end:2h")
    assert said.tone is Tone.GOOD, said
    ref = said.subject or ""
    for step in (f"assess {ref} {LOW}", f"submit {ref}", f"schedule {ref}"):
        assert talk.say(who, f"change {step}").tone is Tone.GOOD
    talk.wait(hours=1)
    talk.say(who, f"change start {ref}")
    talk.say(who, f"change complete {ref} successful it serves")
    return ref


def test_a_published_service_is_made_known_once_its_owner_accepts_it(talk: Talk) -> None:
    ref = transition(talk, "publish laptops", "manager")
    assert talk.told("@owner")[-1] == f"{ref} is made; does it serve? Publish Laptops"
    assert "New: Laptops" not in talk.told("requests")
    assert talk.say("agent", f"service accept {ref}").title == f"You cannot accept {ref}."
    talk.say("owner", f"service accept {ref} five people tried it")
    assert "New: Laptops" in talk.told("requests")
    assert talk.say("owner", f"service accept {ref}").title == f"{ref} was accepted already."
    assert (
        facts(talk.say("staff", "service show laptops"))["Stands"]
        == f"published by {ref}, 2026-11-23 09:00 UTC"
    )
    practices = {each.action: each.practices for each in talk.evidence(ref)}
    assert "SST SP 1.1" in practices["transition.assessed"]
    assert "SST SP 1.2" in practices["transition_plan.published"]
    assert "SST SP 1.3" in practices["change_notice.sent"]
    assert "SST SP 2.1" in practices["deployment.accepted"]
    assert "STSM SP 2.2" in practices["catalogue_entry.published"]


def test_what_rests_on_a_retired_service_becomes_actions_for_those_who_answer_for_it(talk: Talk) -> None:
    told = talk.say("owner", f"service retire accounts because:old {TEXTS}")
    assert flat(told.text) == (
        "With it go or must move: move Mail off Accounts, or retire it too; move VPN off Accounts, or retire it too; "
        "move Software off Accounts, or retire it too; take “New account” out of the catalogue."
    )
    talk.say("owner", f"change cancel {told.subject}")
    ref = transition(talk, "retire vpn")
    talk.say("owner", f"service accept {ref}")
    assert talk.told("requests")[-1] == "VPN is retired"
    assert [row[1] for row in rows(talk.say("owner", "action list all"))] == [
        "Take “VPN access” out of the catalogue"
    ]
    assert ["VPN (retired)", "—"] in [[row[0], row[2]] for row in rows(talk.say("staff", "service list"))]
    assert (
        talk.say("staff", "request new vpn-access abroad:no").title
        == "VPN access is no longer offered: VPN was retired."
    )
    form = talk.say("staff", "request new").form
    assert form is not None
    assert "vpn-access" not in [each.value for each in form.fields[0].options]
    again = talk.say("owner", f"service retire vpn because:x {TEXTS}")
    assert again.title == f"VPN was retired by {ref}."


def test_what_did_not_succeed_is_not_accepted(talk: Talk) -> None:
    with_stages(talk, Level.LOW)
    ref = talk.say("owner", f"service change laptops because:x {TEXTS} start:“in 1h” end:2h").subject
    for step in (f"assess {ref} {LOW}", f"submit {ref}", f"schedule {ref}"):
        talk.say("owner", f"change {step}")
    talk.wait(hours=1)
    talk.say("owner", f"change start {ref}")
    assert talk.say("owner", f"service accept {ref}").title == f"You cannot accept {ref}: it is in progress."
    talk.say("owner", f"change rollback {ref} nobody could sign in")
    assert talk.say("owner", f"service accept {ref}").title == f"{ref} did not succeed."
    assert talk.say("owner", f"service accept {submitted(talk)}").title == "CHG-2 changes no service as such."


def test_a_new_service_is_proposed_as_a_change(talk: Talk) -> None:
    said = talk.say(
        "agent", f"service propose an archive for old mails service:mail because:“stores are full” {TEXTS}"
    )
    assert said.title == "CHG-1 is written down: Introduce an archive for old mails"
