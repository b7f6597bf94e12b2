"""Is a change decided exactly as the simplest model of a vote would decide it, whatever happens in between?

The model knows people, one word of each, and a clock in minutes; nothing of ballots, seals, seats or due moments. Every
example is a change of its own: people vote, vote again, vote on what they saw before an edit; roles, stand-ins and
whoever makes it change; time passes; clicks arrive twice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bot.clock import VirtualClock
from config.policy import ChangeStage, Level, Policy, Role, fingerprint
from handlers.messages import Tone, flat
from storage.database import Database
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, Talk

EXAMPLES = int(os.environ.get("VOTES_EXAMPLES", "12"))
"""How many changes are voted on, on each store; a few for every day, and 2,000 of them in some ten minutes."""

PEOPLE = ("oncall", "agent", "approver", "owner", "manager", "backup")
REQUESTER = "oncall"
NEED = {1: 2, 2: 1}
WITHIN = {1: 240, 2: 120}
DEFAULT = {1: "rejected", 2: "approved"}
SECOND = ("owner", "manager", "backup")
SAYS = ("approve", "object", "abstain")
MINUTE = timedelta(minutes=1)

PERSON = st.sampled_from(PEOPLE)


@dataclass
class Model:
    """What should be so, in minutes."""

    approvers: frozenset[str]
    delegates: dict[str, str | None]
    now: int = 0
    state: str = "awaiting-approval"
    implementer: str = REQUESTER
    edition: int = 1
    stage: int = 1
    deadline: int = WITHIN[1]
    votes: dict[int, dict[str, str]] = field(default_factory=lambda: {1: {}, 2: {}})
    approved: int = 0
    rejected: int = 0
    counted: int = 0

    def barred(self) -> set[str]:
        """Whose word never counts."""
        mine = {REQUESTER, self.implementer}
        return mine | {stand_in for each in mine if (stand_in := self.delegates[each])}

    def seated(self, stage: int) -> set[str]:
        """Whose word counts."""
        return set(self.approvers if stage == 1 else SECOND) - self.barred()

    def can_be_decided(self) -> bool:
        """Whether every stage has people enough."""
        return all(len(self.seated(stage)) >= need for stage, need in NEED.items())

    def answer(self, person: str, seen: int | None) -> str:
        """What somebody hears who votes now: counted, refused (not theirs to say), or told calmly that it is vain."""
        if self.state != "awaiting-approval":
            return "vain"
        if person not in self.seated(self.stage):
            return "refused"
        if self.now >= self.deadline or person in self.votes[self.stage] or seen not in (None, self.edition):
            return "vain"
        return "counted"

    def vote(self, person: str, says: str) -> None:
        """Count a vote, and see what it comes to."""
        self.votes[self.stage][person] = says
        self.counted += 1
        self.settle()

    def settle(self) -> None:
        """Draw the consequence."""
        cast = {
            person: says for person, says in self.votes[self.stage].items() if person not in self.barred()
        }
        agree = sum(says == "approve" for says in cast.values())
        can_still = len(self.seated(self.stage) - set(cast))
        if agree >= NEED[self.stage]:
            self.agreed()
        elif agree + can_still < NEED[self.stage]:
            self.end("rejected")

    def agreed(self) -> None:
        """A stage has agreed."""
        if self.stage == 2:
            self.end("approved")
        else:
            self.stage, self.deadline = 2, self.now + WITHIN[2]

    def end(self, state: str) -> None:
        """It is decided."""
        self.state = state
        self.approved += state == "approved"
        self.rejected += state == "rejected"

    def edit(self) -> None:
        """Everything that was said is void; what was rejected is a draft again."""
        was, self.edition = self.state, self.edition + (self.state != "draft")
        self.state, self.stage = "draft", 1
        self.votes = {1: {}, 2: {}}
        if was in ("awaiting-approval", "approved"):
            self.ask()

    def ask(self) -> None:
        """Ask the first stage."""
        self.state, self.stage, self.deadline = "awaiting-approval", 1, self.now + WITHIN[1]

    def wait(self, minutes: int) -> None:
        """Let time pass; what a deadline brings may begin another one."""
        until = self.now + minutes
        while self.state == "awaiting-approval" and self.deadline <= until:
            self.now = self.deadline
            before = (self.state, self.stage)
            self.settle()
            if (self.state, self.stage) == before:
                if DEFAULT[self.stage] == "approved":
                    self.agreed()
                else:
                    self.end("rejected")
        self.now = until


class Votes(RuleBasedStateMachine):
    """One change on a desk that has seen others before."""

    def __init__(self, talk: Talk, policy: Policy) -> None:
        super().__init__()
        self.talk, self.base = talk, policy
        self.model = Model(frozenset({"approver", "owner", "manager", "agent"}), dict.fromkeys(PEOPLE))
        self.began = talk.clock.now()
        self.texts = self.clicks = 0
        self._let_it_be_so()
        line = "change propose a larger store service:help start:“in 20d” end:2h plan:p test:t backout:b"
        self.ref = talk.say(REQUESTER, line).subject or ""
        talk.say(REQUESTER, f"change assess {self.ref} reach:“nobody at first” tried:often undone:“at once”")
        assert talk.say(REQUESTER, f"change submit {self.ref}").tone is Tone.GOOD

    def teardown(self) -> None:
        """Let nothing of this change come due in the next example."""
        self.talk.say(
            "owner" if self.model.implementer == "owner" else REQUESTER, f"change cancel {self.ref}"
        )

    def _let_it_be_so(self) -> None:
        """The policy as the model has it."""
        people = {
            key: replace(each, delegate=self.model.delegates.get(key))
            for key, each in self.base.people.items()
        }
        grants: dict[Role, tuple[str, ...]] = {**self.base.access.grants}
        del grants[Role.ADMIN]  # who has every role
        grants[Role.APPROVER] = tuple(sorted(self.model.approvers))
        changed = replace(
            self.base, people=people, access=replace(self.base.access, grants=grants), version=""
        )
        self.talk.policy = replace(changed, version=fingerprint(changed))

    # What people do -------------------------------------------------------------------------------

    @rule(person=PERSON, says=st.sampled_from(SAYS), seen=st.sampled_from([None, 0, 0, 1]))
    def vote(self, person: str, says: str, seen: int | None) -> None:
        edition = None if seen is None else max(1, self.model.edition - seen)
        expected = self.model.answer(person, edition)
        because = "" if says == "approve" else " because:so"
        line = f"change {says} {self.ref}{because}{f' seen:{edition}' if edition else ''}"
        self.clicks += 1
        key = f"{self.ref}/{self.clicks}"
        said = self.talk.say(person, line, key=key)
        if expected == "counted":
            self.model.vote(person, says)
        tones = {"counted": Tone.GOOD, "vain": Tone.WAITING, "refused": Tone.BAD}
        assert said.tone is tones[expected], (line, expected, said)
        again = self.talk.say(person, line, key=key)  # the click arrives twice
        assert (again.title, flat(again.text)) == (said.title, flat(said.text)) or expected != "counted"

    @rule()
    def edit(self) -> None:
        self.texts += 1
        self._edited(f"plan:“plan number {self.texts}”", self.model.implementer)

    @rule(person=PERSON)
    def somebody_else_makes_it(self, person: str) -> None:
        if person != self.model.implementer:
            self._edited(f"implementer:@{person}", person)

    def _edited(self, what: str, implementer: str) -> None:
        before, self.model.implementer = self.model.implementer, implementer
        refused = self.model.state in ("awaiting-approval", "approved") and not self.model.can_be_decided()
        said = self.talk.say(REQUESTER, f"change edit {self.ref} {what}")
        assert said.tone is (Tone.BAD if refused else Tone.GOOD), said
        if refused:
            self.model.implementer = before
        else:
            self.model.edit()

    @rule()
    def submit(self) -> None:
        expected = Tone.WAITING if self.model.state != "draft" else Tone.GOOD
        if expected is Tone.GOOD and not self.model.can_be_decided():
            expected = Tone.BAD
        said = self.talk.say(REQUESTER, f"change submit {self.ref}")
        assert said.tone is expected, said
        if expected is Tone.GOOD:
            self.model.ask()

    @rule(people=st.sets(PERSON, min_size=1, max_size=5))
    def roles_change(self, people: set[str]) -> None:
        self.model.approvers = frozenset(people)
        self._let_it_be_so()

    @rule(person=PERSON, stand_in=st.none() | PERSON)
    def somebody_else_stands_in(self, person: str, stand_in: str | None) -> None:
        self.model.delegates[person] = None if stand_in == person else stand_in
        self._let_it_be_so()

    @rule(minutes=st.sampled_from([1, 30, 119, 120, 240]))
    def time_passes(self, minutes: int) -> None:
        self.model.wait(minutes)
        self.talk.wait(minutes=minutes)

    # What must be so ------------------------------------------------------------------------------

    def evidence(self) -> list[str]:
        return self.talk.actions(self.ref)

    @invariant()
    def it_stands_as_the_model_says(self) -> None:
        with self.talk.database.reading() as session:
            records = Records(session).changes
            change = records.get(int(self.ref[4:]))
            assert change is not None
            votes = records.votes(change.number, change.ballot)
        model = self.model
        assert (change.state, change.ballot) == (model.state, model.edition)
        if model.state == "awaiting-approval":
            assert change.stage == model.stage
            assert change.decide_by == self.began + model.deadline * MINUTE
        assert {(each.stage, each.person): each.says for each in votes} == {
            (stage, person): says for stage, cast in model.votes.items() for person, says in cast.items()
        }
        assert {each.seal for each in votes} <= {change.seal}

    @invariant()
    def each_consequence_is_on_record_once(self) -> None:
        actions = self.evidence()
        assert actions.count("change.voted") == self.model.counted
        assert actions.count("change.approved") == self.model.approved
        assert actions.count("change.rejected") == self.model.rejected


@pytest.fixture
def voting(policy: Policy) -> Policy:
    """Two stages: by a role, which rejects by default, and by people, which approves by default."""
    assert policy.changes is not None
    stages = (
        ChangeStage(of=("role:approver",), need=NEED[1], within=WITHIN[1] * 60),
        ChangeStage(of=SECOND, need=NEED[2], within=WITHIN[2] * 60, on_deadline="approve"),
    )
    rules = replace(policy.changes, approval={**policy.changes.approval, Level.LOW: stages})
    return replace(policy, changes=rules)


@pytest.fixture
def desk(database: Database, voting: Policy) -> Talk:
    """A desk on both stores that many changes go through, one after the other."""
    return Talk(database, voting, VirtualClock(MONDAY))


def test_a_change_is_decided_as_the_model_decides_it(desk: Talk, voting: Policy) -> None:
    class OfOneChange(Votes):
        def __init__(self) -> None:
            super().__init__(desk, voting)

    run_state_machine_as_test(
        OfOneChange,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=14,
            phases=[
                Phase.generate
            ],  # a shorter story is not worth the minutes in which the store plays them all
            suppress_health_check=list(HealthCheck),
        ),
    )
