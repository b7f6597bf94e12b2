"""What is said of changes again and again: how one is brought as far as a test needs it, and what is read back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from config.policy import ChangeStage, Level, fingerprint
from handlers.messages import Reply, Tone, flat
from tests.harness.house import Talk

LOW = "reach:“nobody at first” tried:often undone:“at once”"
MEDIUM = "reach:everybody tried:once undone:“at once”"
HIGH = "reach:everybody tried:never undone:“with difficulty”"
TEXTS = "plan:“swap the disks” test:“send a mail” backout:“swap back”"


def propose(
    talk: Talk,
    *,
    who: str = "oncall",
    service: str = "mail",
    when: str = "start:“tue 20:00” end:2h",
    more: str = "",
) -> str:
    """A change that is written down; returns its reference."""
    said = talk.say(who, f"change propose a larger store service:{service} {when} {TEXTS} {more}")
    assert said.tone is Tone.GOOD, said
    return said.subject or ""


def submitted(talk: Talk, risk: str = LOW, **said: str) -> str:
    """A change that waits for approval."""
    ref = propose(talk, **said)
    who = said.get("who", "oncall")
    assert talk.say(who, f"change assess {ref} {risk}").tone is Tone.GOOD
    assert talk.say(who, f"change submit {ref}").tone is Tone.GOOD
    return ref


def approved(talk: Talk, **said: str) -> str:
    """A change of low risk that somebody has approved."""
    ref = submitted(talk, **said)
    assert talk.say("approver", f"change approve {ref}").tone is Tone.GOOD
    return ref


def scheduled(talk: Talk, **said: str) -> str:
    """A change that has its time."""
    ref = approved(talk, **said)
    done = talk.say(said.get("who", "oncall"), f"change schedule {ref}")
    assert done.tone is Tone.GOOD, done
    return ref


def started(talk: Talk) -> str:
    """A change that is being made, on Tuesday at 20:00."""
    ref = scheduled(talk)
    talk.wait(hours=35)
    assert talk.say("oncall", f"change start {ref}").tone is Tone.GOOD
    return ref


def emergency(talk: Talk, who: str = "oncall", more: str = "") -> Reply:
    """What somebody hears who asks to break the glass."""
    line = f"change emergency restart the store service:mail because:“it loses mails” plan:restart {more}"
    return talk.say(who, line)


def facts(reply: Reply) -> dict[str, str]:
    """A reply's facts as plain text."""
    return {fact.label: flat(fact.value) for fact in reply.facts}


def rows(reply: Reply) -> list[list[str]]:
    """A reply's table as plain text."""
    assert reply.table is not None
    return [[flat(cell) for cell in row] for row in reply.table.rows]


def state(talk: Talk, ref: str) -> str:
    """How a change stands."""
    return facts(talk.say("owner", f"change show {ref}"))["State"]


def with_stages(talk: Talk, risk: Level, *stages: ChangeStage) -> None:
    """Let another approval hold from now on."""
    assert talk.policy.changes is not None
    rules = replace(talk.policy.changes, approval={**talk.policy.changes.approval, risk: stages})
    talk.policy = replace(talk.policy, version=fingerprint(rules), changes=rules)


def in_parallel(*work: Callable[[], Reply]) -> list[Reply]:
    """What several say at once, each in a thread of its own."""
    with ThreadPoolExecutor(len(work)) as threads:
        return [each.result() for each in [threads.submit(one) for one in work]]
