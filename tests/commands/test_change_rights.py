"""Who may do what with a change, by what they are to it: every relation against every command that changes one.

Beside the roles (tests/architecture/authorisation.yaml) it counts who asked for a change, who makes it, who stands in
for these, who runs its services, who leads the incident it is for, and who agreed to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from config.policy import ChangeStage, Level, Person, Policy, Role
from handlers.messages import Command, Place, Sender
from tests.harness.house import Stores
from tests.harness.situations import Said, Situation

ALL = (
    "asker",
    "maker",
    "askers-deputy",
    "makers-deputy",
    "member",
    "voter",
    "colleague",
    "lead",
    "owner",
    "manager",
    "staff",
)
"""Who asked for it; who makes it; who stands in for each; two of the team that runs the service, of whom the voter
agreed; one of another team; who leads the incident; who owns the service; a manager; who has nothing to do with it."""

WORK = set(ALL) - {"staff"}
PLAN = {"asker", "maker", "member", "voter"}
MAKE = {"maker", "member", "voter"}
DECIDE = {
    "voter",
    "owner",
    "manager",
}  # all but the lead and the colleague have the role, and the others are barred

TEXTS = "plan:p test:t backout:b"
DRAFT = (
    ("asker", f"change propose x service:mail implementer:@maker start:“in 1h” end:2h {TEXTS}"),
    ("asker", "change assess CHG-1 reach:“nobody at first” tried:often undone:“at once”"),
)
VOTING = (*DRAFT, ("asker", "change submit CHG-1"))
AGREED = (*VOTING, ("voter", "change approve CHG-1"))
SCHEDULED = (*AGREED, ("asker", "change schedule CHG-1"))
OPEN = (*SCHEDULED, ("wait", "1"))
MAKING = (*OPEN, ("maker", "change start CHG-1"))
FAILED = (*MAKING, ("maker", "change rollback CHG-1 too slow"))
REPORTED = (*FAILED, ("staff", "incident declare mail is down service:mail impact:high urgency:high"))
LED = (
    ("staff", "incident declare mail is down service:mail impact:high urgency:high"),
    ("member", "incident lead INC-1 @lead"),
)
BROKEN = (
    *LED,
    ("asker", "change emergency x service:mail because:b plan:p incident:INC-1 implementer:@maker"),
)
SERVING = (
    ("owner", f"service change mail because:b start:“in 1h” end:2h {TEXTS}"),
    *((each[0].replace("asker", "owner"), each[1]) for each in (*VOTING[1:],)),
    ("manager", "change approve CHG-1"),
    ("owner", "change schedule CHG-1"),
    ("wait", "1"),
    ("owner", "change start CHG-1"),
    ("owner", "change complete CHG-1 successful yes"),
)
FROZEN = (("manager", "change freeze the fair end:2h"),)

MATRIX = {
    "change propose y": ((), WORK),
    "change propose y standard:mailbox-move start:now": ((), {"member", "voter", "maker"}),
    "change emergency y service:mail because:b plan:p": ((), WORK),
    "change show CHG-1": (VOTING, WORK),
    "change approvers CHG-1": (VOTING, WORK),
    "change edit CHG-1 plan:q": (VOTING, PLAN),
    "change assess CHG-1 reach:everybody tried:often undone:“at once”": (DRAFT, PLAN),
    "change submit CHG-1": (DRAFT, PLAN),
    "change cancel CHG-1": (SCHEDULED, PLAN),
    "change approve CHG-1": (VOTING, DECIDE),
    "change object CHG-1 no": (VOTING, DECIDE),
    "change abstain CHG-1 no": (VOTING, DECIDE),
    "change schedule CHG-1": (AGREED, PLAN),
    "change start CHG-1": (OPEN, MAKE - {"voter"}),
    "change complete CHG-1 successful yes": (MAKING, MAKE),
    "change rollback CHG-1 no": (MAKING, MAKE),
    "change review CHG-1 look twice": (FAILED, WORK),
    "change cause CHG-1 INC-1": (REPORTED, WORK),
    "change approve CHG-1 because:“second pair of eyes”": (
        BROKEN,
        {"lead", "member", "voter", "owner", "manager"},
    ),
    "service accept CHG-1": (SERVING, {"owner", "manager"}),
    "change freeze the fair end:2h": ((), {"owner", "manager"}),
    "change unfreeze FRZ-1": (FROZEN, {"owner", "manager"}),
    "change figures": ((), {"manager"}),
    "change list open": ((), WORK),
    "change calendar": ((), set(ALL)),
}


@pytest.fixture(scope="module")
def related(policy: Policy) -> Policy:
    """The example organisation with a person for each relation, and the approver's role where it must not help."""
    people = {key: Person(key=key, name=key.capitalize()) for key in ALL}
    people["asker"] = replace(people["asker"], delegate="askers-deputy")
    people["maker"] = replace(people["maker"], delegate="makers-deputy")
    platform = replace(policy.teams["platform"], members=("member", "voter"), lead="member")
    others = replace(
        policy.teams["people-operations"],
        members=("asker", "maker", "askers-deputy", "makers-deputy", "colleague", "lead"),
    )
    grants: dict[Role, tuple[str, ...]] = {
        Role.AGENT: ("@platform", "@people-operations"),
        Role.RESPONDER: ("@platform",),
        Role.APPROVER: ("asker", "maker", "askers-deputy", "makers-deputy", "voter", "owner", "manager"),
        Role.OWNER: ("owner",),
        Role.MANAGER: ("manager",),
    }
    assert policy.changes is not None
    stages = (ChangeStage(of=("role:approver",)),)
    mailbox = replace(policy.standard_changes["mailbox-move"], may=("@platform", "maker"))
    return replace(
        policy,
        version="related",
        people={**policy.people, **people},
        teams={**policy.teams, "platform": platform, "people-operations": others},
        standard_changes={**policy.standard_changes, "mailbox-move": mailbox},
        access=replace(policy.access, grants=grants),
        changes=replace(policy.changes, approval=dict.fromkeys(Level, stages)),
    )


@pytest.fixture(scope="module")
def situations(related: Policy, stores: Stores) -> Mapping[Said, Situation]:
    """A store for each situation of the matrix."""
    every = (said for said, _ in MATRIX.values())
    return Situation.all_of(every, related, stores)


@pytest.mark.parametrize("line", MATRIX)
def test_exactly_those_may_who_should(
    line: str, situations: Mapping[Said, Situation], stores: Stores
) -> None:
    said, expected = MATRIX[line]
    place = Place(platform="console", channel="requests")
    commands = {
        person: Command(
            line=line, sender=Sender(platform="console", user=person), place=place, key=f"try/{person}"
        )
        for person in ALL
    }
    assert situations[said].those_who_may(commands, stores) == expected
