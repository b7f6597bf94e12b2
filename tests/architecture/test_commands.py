"""Does every command evidence what it changes, and let in exactly those whom the table names?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from sqlalchemy import select
from sqlmodel import SQLModel

from bot.clock import VirtualClock
from config.policy import Account, ChangeRules, ChangeStage, Level, Person, Policy, Role
from config.vocabulary import event_practices, practices
from handlers import registry
from handlers.declare import Declared
from handlers.messages import DESK, Command, Place, Sender, Tone
from handlers.rules.ledger import Record
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, Stores, Talk
from tests.harness.situations import Said, Situation

COMMANDS = registry.load()
TABLE = yaml.safe_load((Path(__file__).parent / "authorisation.yaml").read_text(encoding="utf-8"))
ACTORS: list[str] = TABLE["actors"]

# Practices ---------------------------------------------------------------------------------------------


def test_every_practice_that_a_command_evidences_is_in_the_shipped_table() -> None:
    evidenced = defaultdict(list)
    for declared in COMMANDS:
        for code in declared.evidences:
            evidenced[code].append(declared.name)
    assert set(evidenced) <= set(practices())
    for code, names in sorted(evidenced.items()):
        print(f"{code}: {', '.join(sorted(names))}")
    assert len(evidenced) >= 4


_SMOKE = '[{"key": "a", "bundle": "a", "state": "firing", "title": "Smoke in the server room"}]'

STORY = (
    ("staff", "request new laptop model:“Standard 14 inch” replaces:no needed_by:2026-12-01"),
    ("manager", "request approve REQ-1"),
    ("owner", "request approve REQ-1 within budget"),
    ("agent", "request take REQ-1"),
    ("agent", "request priority REQ-1 P2 the fair"),
    ("agent", "request wait REQ-1 supplier it is ordered"),
    ("agent", "request resume REQ-1"),
    ("agent", "request done REQ-1 order"),
    ("agent", "request done REQ-1 install"),
    ("agent", "request done REQ-1 hand-over"),
    ("agent", "request fulfil REQ-1 here"),
    ("staff", "request reopen REQ-1 it does not start"),
    ("agent", "request assign REQ-1 @backup"),
    ("backup", "request fulfil REQ-1"),
    ("staff", "request confirm REQ-1"),
    ("staff", "request rate REQ-1 5"),
    ("staff", "request new question why?"),
    ("staff", "request comment REQ-2 please"),
    ("staff", "request cancel REQ-2"),
    ("staff", "request new vpn-access abroad:no"),
    ("manager", "request reject REQ-3 not now"),
    ("staff", "desk link"),
    ("staff", "request new laptop model:“Light 13 inch” replaces:no needed_by:2026-12-01"),
    ("staff", "request new question how?"),
    ("agent", "request fulfil REQ-5"),
    ("staff", "incident declare mail is down service:mail impact:high urgency:high"),
    ("desk", "incident note INC-1 also fires: the queue grows"),
    ("desk", "incident unreached INC-1 oncall"),
    ("agent", "incident follow INC-1"),
    ("agent", "incident unfollow INC-1"),
    ("oncall", "incident ack INC-1"),
    ("oncall", "incident triage INC-1 high high all offices"),
    ("oncall", "incident lead INC-1"),
    ("oncall", "incident communications INC-1 @backup"),
    ("oncall", "incident operations INC-1 @manager"),
    ("oncall", "incident update INC-1 the disk is full"),
    ("oncall", "incident workaround INC-1 use the browser"),
    ("oncall", "incident page INC-1 @agent you know it"),
    ("oncall", "incident link INC-1 REQ-5"),
    ("oncall", "incident unlink INC-1 REQ-5"),
    ("oncall", "incident escalate INC-1 it takes too long"),
    ("backup", "incident take INC-1"),
    ("desk", "incident handoff INC-1 to:oncall"),
    ("desk", "incident untake INC-1"),
    ("staff", "incident declare mail is down service:mail impact:low urgency:low anyway:yes"),
    ("oncall", "incident merge INC-2 INC-1"),
    ("oncall", "incident resolve INC-1 made room"),
    ("staff", "incident reopen INC-1 it is slow"),
    ("oncall", "incident resolve INC-1 made more room"),
    ("staff", "incident confirm INC-1"),
    ("oncall", "incident close INC-1 a full disk"),
    ("oncall", "incident review INC-1 watch the disk"),
    ("staff", "incident declare nobody answers service:network impact:high urgency:high"),
    ("staff", "incident declare a cable is loose service:network impact:low urgency:low"),
    ("oncall", "incident resolve INC-4 tightened"),
    ("oncall", "incident repair INC-4"),
    ("agent", "problem open the printer gives blank pages service:help incidents:REQ-5"),
    ("agent", "problem known-error PRB-1 blank pages workaround:“use the other tray”"),
    ("agent", "problem workaround PRB-1 use the tray on the left"),
    ("staff", "problem helped PRB-1"),
    ("agent", "problem cause PRB-1 equipment “worn drums” support:“new ones print”"),
    ("agent", "problem link PRB-1 REQ-2"),
    ("agent", "problem unlink PRB-1 REQ-2"),
    ("agent", "action add PRB-1 replace the drums owner:@oncall due:2026-11-24"),
    ("agent", "action add PRB-1 clean the trays due:2026-11-24"),
    ("oncall", "action move ACT-1 the parts are late due:2026-11-25"),
    ("oncall", "action done ACT-1 all are new"),
    ("agent", "problem resolve PRB-1 every drum is new"),
    ("agent", "problem reopen PRB-1 blank pages again"),
    ("agent", "problem cause PRB-1 supplier “bad drums” support:“others print”"),
    ("agent", "problem resolve PRB-1 another make"),
    ("agent", "problem open mails come late service:help"),
    ("agent", "problem cause PRB-2 capacity “too many” support:“the queue”"),
    ("agent", "problem resolve PRB-2 a second server"),
    ("agent", "action add PRB-2 watch the queue due:2026-11-24"),
    ("agent", "action done ACT-3 it is short"),
    ("agent", "problem close PRB-2 fewer the queue is short"),
    ("manager", "oncall override platform @backup now 2h"),
    ("backup", "oncall withdraw OVR-1"),
    ("oncall", "oncall renew-feed platform"),
    ("oncall", "oncall swap platform @backup"),
    ("backup", "oncall accept SWP-1"),
    ("backup", "oncall swap platform @oncall"),
    ("oncall", "oncall decline SWP-2"),
    ("backup", "oncall swap platform @owner"),
    ("oncall", "oncall test"),
    ("oncall", "oncall confirm TST-1"),
    ("oncall", "oncall handoff all is well"),
    ("desk", "oncall release platform oncall"),
    ("desk", "alert watch"),
    ("desk", f"alert receive scripts “{_SMOKE}”"),
    ("desk", f"alert receive scripts “{_SMOKE.replace('firing', 'over')}”"),
    ("desk", "alert silent scripts"),
    ("desk", "alert reject scripts “title is missing” {}"),
    ("desk", "desk unheard discord 2026-11-20T08:00:00+00:00"),
    ("desk", "desk unheard discord 2026-11-20T08:02:00+00:00"),
    ("oncall", "change propose bigger disks service:mail start:“wed 20:00” end:2h plan:p test:t backout:b"),
    ("oncall", "change assess CHG-1 reach:everybody tried:once undone:“at once”"),
    ("oncall", "change submit CHG-1"),
    ("manager", "change abstain CHG-1 I do not know it"),
    ("oncall", "change edit CHG-1 plan:q"),
    ("approver", "change approve CHG-1"),
    ("owner", "change approve CHG-1"),
    ("oncall", "change schedule CHG-1"),
    ("agent", "change propose a new page service:help start:“thu 20:00” end:2h plan:p test:t backout:b"),
    ("agent", "change assess CHG-2 reach:everybody tried:once undone:“at once”"),
    ("agent", "change submit CHG-2"),
    ("approver", "change object CHG-2 nobody asked for it"),
    ("agent", "change cancel CHG-2"),
    ("agent", "change propose another page service:help start:“thu 20:00” end:2h plan:p test:t backout:b"),
    ("agent", "change assess CHG-3 reach:everybody tried:once undone:“at once”"),
    ("agent", "change submit CHG-3"),
    ("oncall", "change propose a record standard:dns-record start:now"),
    ("oncall", "change schedule CHG-4"),
    ("oncall", "change start CHG-4"),
    ("oncall", "change complete CHG-4 successful it answers"),
    ("oncall", "change emergency restart the store service:mail because:“it loses mails” plan:restart"),
    ("manager", "change approve CHG-5"),
    ("oncall", "change start CHG-5"),
    ("oncall", "change rollback CHG-5 it did not help"),
    ("oncall", "change cause CHG-5 INC-1"),
    ("oncall", "change review CHG-5 look twice"),
    ("agent", "change propose a mailbox moves standard:mailbox-move start:now"),
    ("agent", "change schedule CHG-6"),
    ("agent", "change start CHG-6"),
    ("agent", "change rollback CHG-6 too slow"),
    ("manager", "change freeze the fair end:2h"),
    ("manager", "change unfreeze FRZ-1"),
    ("agent", "service propose an archive service:mail because:b plan:p test:t backout:b"),
    ("owner", "service publish help because:b plan:p test:t backout:b"),
    ("owner", "service change help because:b plan:p test:t backout:b start:now end:1h"),
    ("owner", "change assess CHG-9 reach:“nobody at first” tried:often undone:“at once”"),
    ("owner", "change submit CHG-9"),
    ("owner", "change schedule CHG-9"),
    ("owner", "change start CHG-9"),
    ("owner", "change complete CHG-9 successful it serves"),
    ("owner", "service accept CHG-9"),
    ("owner", "service retire vpn because:b plan:p test:t backout:b"),
    ("desk", "continuity take-up"),
    ("owner", "continuity approve PLN-1"),
    ("agent", "continuity impact help down_1h:minor down_4h:unbearable lost_15m:none lost_1h:unbearable resources:x"),
    ("owner", "continuity approve BIA-1"),
    ("agent", "continuity write the hall burns service:help recovered:“a call is answered” scenario:“no hall”"),
    ("agent", "continuity step PLN-2 move move to the other hall owner:@service-desk"),
    ("agent", "continuity step PLN-2 call ring everybody owner:@agent after:move"),
    ("agent", "continuity drop PLN-2 call"),
    ("agent", "continuity edit PLN-2 triggers:fire"),
    ("agent", "continuity approve PLN-2"),
    ("oncall", "service check mail spare-disks ready count:3"),
    ("oncall", "service check mail two-people lacking one has left"),
    ("owner", "service check mail vendor ready"),
    ("owner", "service ready mail because:“it must”"),
    ("agent", "drill schedule PLN-2 simulation start:“in 1h”"),
    ("backup", "drill join DRL-1"),
    ("agent", "drill move DRL-1 start:“in 2h” because:later"),
    ("agent", "drill start DRL-1"),
    ("agent", "drill inject DRL-1 it rains"),
    ("agent", "drill pause DRL-1 a call"),
    ("agent", "drill resume DRL-1"),
    ("desk", "drill give-way DRL-1 INC-3"),
    ("desk", "drill all-clear DRL-1 INC-3"),
    ("agent", "drill resume DRL-1"),
    ("agent", "drill step DRL-1 move done"),
    ("agent", "drill recovered DRL-1 help data:“5m ago” shows:“the list”"),
    ("agent", "drill disrupted DRL-1 “1m ago” the bell rang then"),
    ("agent", "drill finding DRL-1 a second hall due:2026-12-20"),
    ("agent", "drill finish DRL-1"),
    ("backup", "drill rate DRL-1 5"),
    ("agent", "drill schedule PLN-2 walkthrough start:“in 3h”"),
    ("agent", "drill cancel DRL-2 ill"),
    ("agent", "drill schedule PLN-2 walkthrough start:“in 3h”"),
    ("agent", "drill start DRL-3"),
    ("agent", "drill abort DRL-3 ill"),
    ("agent", "drill schedule PLN-1 tabletop start:“in 2 days”"),
    ("oncall", "continuity invoke PLN-1 incident:INC-3 because:gone"),
    ("agent", "continuity withdraw PLN-2 no hall"),
    ("owner", "token make report scopes:request:read"),
    ("owner", "token revoke TOK-1"),
    ("desk", "privacy retain"),
    ("owner", "privacy erase @staff"),
)  # fmt: skip
"""Says everything that changes something, `desk` what its other parts have it say; the rest follows with time."""

LATER = (
    ("manager", "sla exclude INC-3 respond because:“it was a test call”"),
    ("owner", "sla agree INC-3 respond"),
    ("manager", "sla accept standard by:Gray on:2026-11-20"),
    ("manager", "sla review standard by:Gray on:2026-11-20 found:“all is well”"),
    ("desk", "sla plan"),
    ("desk", "sla send week"),
    ("manager", "sla exclude INC-3 resolve because:“it was a test call”"),
    ("owner", "sla refuse INC-3 resolve because:“nobody had said so”"),
)
"""Says what can only be said once promises were broken."""


@pytest.fixture(scope="module")
def played(stores: Stores, policy: Policy) -> Iterator[tuple[Talk, set[str]]]:
    """A desk that lived through the story, and the names of the commands that were carried out; to be looked at."""
    with stores.sqlite() as store, pytest.MonkeyPatch.context() as monkeypatch:
        talk, carried_out = Talk(store, policy, VirtualClock(MONDAY)), set[str]()
        write = talk.dispatcher._write

        def noted(declared: Declared, *arguments: Any) -> None:
            carried_out.add(declared.name)
            write(declared, *arguments)

        monkeypatch.setattr(talk.dispatcher, "_write", noted)
        play(talk)
        yield talk, carried_out


def play(talk: Talk) -> None:
    """Let a desk live through the story."""
    talk.policy = replace(talk.policy, version="quick", changes=_quick(talk.policy))
    for number, (person, line) in enumerate((*STORY, *LATER)):
        if number == len(STORY):
            talk.wait(days=30)
        said = (
            talk.say(person, line)
            if person != DESK.user
            else talk.dispatcher.obey(
                Command(line=line, sender=DESK, place=Place(platform="desk"), key=f"story/{number}")
            )
        )
        assert said.tone is not Tone.BAD, (line, said)
        assert said.form is None, (line, said)
    day = talk.clock.now().astimezone(ZoneInfo("Europe/Berlin")).date()
    talk.say("manager", f"sla seen week {day}")
    talk.say("staff", "request new question why? anyway:yes")
    simulated = talk.say("manager", "sla simulate standard calendar:24x7")
    migrated = talk.say("manager", simulated.buttons[0].line + " because:“round the clock”")
    assert migrated.tone is Tone.GOOD, migrated


def records(talk: Talk) -> list[Record]:
    """The whole ledger."""
    with talk.database.reading() as session:
        return list(Records(session).ledger.records())


def test_the_story_says_every_command_that_changes_something(played: tuple[Talk, set[str]]) -> None:
    assert {declared.name for declared in COMMANDS if declared.changes} == played[1]


def test_every_record_holds_practices_of_the_command_that_made_it(played: tuple[Talk, set[str]]) -> None:
    declared = [set(each.evidences) for each in COMMANDS]
    for record in records(played[0]):
        assert record.practices, record
        assert set(record.practices) <= set(practices()), record
        if not record.action.startswith(("notice.", "person.met")):
            assert any(set(record.practices) <= each for each in declared), record


def test_an_action_of_the_vocabulary_is_recorded_for_a_practice_that_it_speaks_for(
    played: tuple[Talk, set[str]],
) -> None:
    known = {}
    for record in records(played[0]):
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", record.action), record.action
        if speaks_for := event_practices(record.action):
            known[record.action] = set(speaks_for) & set(record.practices)
    assert {"request.received", "request.fulfilled"} <= set(known)
    assert all(known.values()), known


READS = {
    "desk help": "", "desk home": "", "desk status": "", "desk whoami": "", "desk web": "",
    "service list": "",
    "service show": "laptops", "request list": "all", "request show": "REQ-1", "sla why": "REQ-1", "sla status": "",
    "problem list": "all", "problem show": "PRB-1", "action list": "all", "action show": "ACT-1",
    "oncall who": "mail", "oncall rota": "platform", "oncall gaps": "", "oncall show": "SWP-1",
    "oncall arrived": "TST-1",
    "alert list": "all", "alert show": "ALT-1", "alert rejected": "",
    "incident list": "all", "incident show": "INC-1",
    "change list": "all", "change show": "CHG-1", "change calendar": "", "change approvers": "CHG-1",
    "change difference": "CHG-1", "change figures": "",
    "sla agreement": "", "sla digest": "week", "service availability": "mail", "service capacity": "",
    "service satisfaction": "",
    "sla breaches": "", "sla forecast": "", "sla simulate": "standard", "evidence trail": "REQ-1",
    "evidence export": "REQ-1", "evidence coverage": "",
    "evidence gaps": "", "token list": "",
    "evidence checkpoint": "", "evidence verify": "",
    "continuity plans": "", "continuity plan": "PLN-1", "continuity analysis": "BIA-1", "continuity due": "",
    "continuity map": "", "service readiness": "mail", "drill show": "DRL-1",
    "drill list": "all", "drill report": "DRL-1",
}  # fmt: skip


def test_what_evidences_nothing_changes_nothing(quick_talk: Talk) -> None:
    assert set(READS) == {each.name for each in COMMANDS if not each.changes}
    quick_talk.say("staff", "request new question why?")
    quick_talk.say("agent", "problem open the printer gives blank pages service:help")
    quick_talk.say("agent", "action add PRB-1 replace the drums due:2026-12-01")
    quick_talk.say("oncall", "oncall swap platform @backup")
    quick_talk.say("oncall", "oncall test")
    quick_talk.say("desk", f"alert receive scripts “{_SMOKE}”")
    quick_talk.say("agent", "change propose a new page service:help")
    quick_talk.say("desk", "continuity take-up")
    quick_talk.say(
        "agent", "continuity impact help down_1h:minor down_4h:unbearable lost_15m:none lost_1h:unbearable"
    )
    quick_talk.say("agent", "drill schedule PLN-1 tabletop start:“tue 10:00”")

    def everything() -> list[Any]:
        with quick_talk.database.reading() as session:
            return [session.execute(select(table)).all() for table in SQLModel.metadata.sorted_tables]

    before = everything()
    for name, rest in READS.items():
        assert quick_talk.say("owner", f"{name} {rest}").tone is not Tone.BAD, name
    assert everything() == before


# Authorisation -----------------------------------------------------------------------------------------

_OPEN = (("sam", "request new question why?"),)
_LATE = (*_OPEN, ("wait", "72"))  # three days later
_POSTED = (("tend", ""), ("wait", "192"))
_EXCLUDED = (*_LATE, ("with-manager", "sla exclude REQ-1 respond a strike"))
_TAKEN = (*_OPEN, ("worker", "request take REQ-1"))
_WAITING = (*_TAKEN, ("worker", "request wait REQ-1 supplier ordered"))
_FULFILLED = (*_TAKEN, ("worker", "request fulfil REQ-1"))
_CLOSED = (*_FULFILLED, ("sam", "request confirm REQ-1"))
_ASKED = (("sam", "request new laptop model:“Light 13 inch” replaces:no needed_by:2026-12-01"),)
_APPROVED = (*_ASKED, ("mia", "request approve REQ-1"), ("owner", "request approve REQ-1"))
_PROBLEM = (("worker", "problem open blank pages service:help"),)
_KNOWN = (*_PROBLEM, ("worker", "problem known-error PRB-1 blank workaround:turn"))
_ANALYSED = (*_PROBLEM, ("worker", "problem cause PRB-1 equipment drums support:new"))
_RESOLVED = (*_ANALYSED, ("worker", "problem resolve PRB-1 replaced"))
_WRITTEN = (
    (
        "worker",
        "change propose shelves service:laptops implementer:@sam start:“tue 20:00” end:2h plan:p test:t backout:b",
    ),
    ("worker", "change assess CHG-1 reach:everybody tried:often undone:“at once”"),
)
_VOTING = (*_WRITTEN, ("worker", "change submit CHG-1"))
_AGREED = (*_VOTING, ("with-approver", "change approve CHG-1"))
_SCHEDULED = (
    ("member", "change propose a mailbox moves standard:mailbox-move start:now implementer:@sam"),
    ("member", "change schedule CHG-1"),
)
_MAKING = (*_SCHEDULED, ("sam", "change start CHG-1"))
_MADE = (*_MAKING, ("sam", "change rollback CHG-1 too slow"))
_SERVING = (
    ("with-owner", "service change laptops because:b plan:p test:t backout:b start:now end:2h"),
    ("with-owner", "change assess CHG-1 reach:“nobody at first” tried:often undone:“at once”"),
    ("with-owner", "change submit CHG-1"),
    ("with-owner", "change schedule CHG-1"),
    ("with-owner", "change start CHG-1"),
    ("with-owner", "change complete CHG-1 successful it serves"),
)
_FROZEN = (("with-manager", "change freeze the fair end:2h"),)
_OWED = (*_PROBLEM, ("worker", "action add PRB-1 replace owner:@sam due:2026-12-01"))
_TOKEN = (("with-admin", "token make report scopes:request:read"),)
_BROKEN = (("sam", "incident declare nobody gets in service:accounts impact:high urgency:high"),)
_HELD = (*_BROKEN, ("with-responder", "incident ack INC-1"))
_OVER = (*_HELD, ("with-responder", "incident resolve INC-1 a new key"))
_DONE_WITH = (*_OVER, ("with-responder", "incident close INC-1 an old key"))
_TWICE = (*_HELD, ("sam", "incident declare no way in service:accounts impact:low urgency:low"))
_REPORTED = (("worker", "incident declare nobody gets in service:accounts impact:low urgency:low"),)
_FOLLOWED = (
    *_REPORTED,
    *((f"with-{role}", "incident follow INC-1") for role in Role),
    *((person, "incident follow INC-1") for person in ("sam", "mia", "member", "holder")),
)
_OFFERED = (("deputy", "oncall swap platform @holder"),)
_PAGED = (("with-manager", "oncall test @holder"),)

_PLANNED = (
    (
        "worker",
        "continuity write no shelves service:laptops recovered:“one is lent” scenario:fire owner:@sam",
    ),
    ("worker", "continuity impact laptops down_1h:minor down_4h:unbearable lost_15m:none lost_1h:unbearable"),
    ("sam", "continuity step PLN-1 lend lend what is left owner:@service-desk"),
)
_SET = (*_PLANNED, ("worker", "drill schedule PLN-1 tabletop start:“tue 10:00”"), ("sam", "drill join DRL-1"))
_RUNS = (*_SET, ("worker", "drill start DRL-1"))
_DRILLED = (*_RUNS, ("worker", "drill abort DRL-1 ill"))

_FIRING = (("desk", f"alert receive scripts “{_SMOKE}”"),)

SITUATIONS: Mapping[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "desk help": ((), ""),
    "desk home": (_ASKED, ""),
    "desk link": ((), ""),
    "desk status": ((), ""),
    "desk web": ((), ""),
    "desk whoami": ((), ""),
    "service list": ((), ""),
    "service show": ((), "laptops"),
    "request new": ((), "question how?"),
    "request list": (_OPEN, "all"),
    "request show": (_OPEN, "REQ-1"),
    "request comment": (_OPEN, "REQ-1 hello"),
    "request take": (_OPEN, "REQ-1"),
    "request assign": (_OPEN, "REQ-1 worker"),
    "request priority": (_OPEN, "REQ-1 P1 the fair"),
    "request wait": (_TAKEN, "REQ-1 supplier ordered"),
    "request resume": (_WAITING, "REQ-1"),
    "request done": (_APPROVED, "REQ-1 order"),
    "request fulfil": (_TAKEN, "REQ-1"),
    "request approve": (_ASKED, "REQ-1"),
    "request reject": (_ASKED, "REQ-1 no"),
    "request confirm": (_FULFILLED, "REQ-1"),
    "request rate": (_CLOSED, "REQ-1 4"),
    "request reopen": (_FULFILLED, "REQ-1 not yet"),
    "request cancel": (_OPEN, "REQ-1"),
    "incident declare": ((), "no way in service:accounts impact:low urgency:low"),
    "incident list": (_BROKEN, "all"),
    "incident show": (_BROKEN, "INC-1"),
    "incident follow": (_REPORTED, "INC-1"),
    "incident unfollow": (_FOLLOWED, "INC-1"),
    "incident triage": (_BROKEN, "INC-1 high low"),
    "incident ack": (_BROKEN, "INC-1"),
    "incident take": (_BROKEN, "INC-1"),
    "incident lead": (_BROKEN, "INC-1"),
    "incident communications": (_BROKEN, "INC-1"),
    "incident operations": (_BROKEN, "INC-1"),
    "incident update": (_HELD, "INC-1 we look"),
    "incident escalate": (_BROKEN, "INC-1 it takes too long"),
    "incident page": (_HELD, "INC-1 deputy"),
    "incident workaround": (_HELD, "INC-1 the back door"),
    "incident link": (_TWICE, "INC-1 INC-2"),
    "incident unlink": ((*_TWICE, ("with-responder", "incident link INC-1 INC-2")), "INC-1 INC-2"),
    "incident merge": (_TWICE, "INC-2 INC-1"),
    "incident resolve": (_HELD, "INC-1 a new key"),
    "incident confirm": (_OVER, "INC-1"),
    "incident reopen": (_OVER, "INC-1 locked again"),
    "incident close": (_OVER, "INC-1 an old key"),
    "incident review": (_DONE_WITH, "INC-1 keep a second key"),
    "incident repair": (_BROKEN, "INC-1"),
    "problem open": ((), "blank pages service:help"),
    "problem list": (_PROBLEM, "all"),
    "problem show": (_PROBLEM, "PRB-1"),
    "problem cause": (_PROBLEM, "PRB-1 equipment drums support:new"),
    "problem workaround": (_PROBLEM, "PRB-1 turn"),
    "problem known-error": (_PROBLEM, "PRB-1 blank workaround:turn"),
    "problem link": ((*_PROBLEM, ("worker", "request new question why?")), "PRB-1 REQ-1"),
    "problem unlink": (
        (*_PROBLEM, ("worker", "request new question why?"), ("worker", "problem link PRB-1 REQ-1")),
        "PRB-1 REQ-1",
    ),
    "problem resolve": (_ANALYSED, "PRB-1 replaced"),
    "problem close": (_RESOLVED, "PRB-1 gone no blank page"),
    "problem reopen": (_RESOLVED, "PRB-1 blank again"),
    "problem helped": (_KNOWN, "PRB-1"),
    "action add": (_PROBLEM, "PRB-1 replace due:2026-12-01"),
    "action list": (_OWED, "all"),
    "action show": (_OWED, "ACT-1"),
    "action done": (_OWED, "ACT-1 replaced"),
    "action move": (_OWED, "ACT-1 late due:2026-12-02"),
    "oncall who": ((), "mail"),
    "oncall rota": ((), "platform"),
    "oncall gaps": ((), ""),
    "oncall show": (_OFFERED, "SWP-1"),
    "oncall override": ((), "platform @deputy now 2h"),
    "oncall renew-feed": ((), ""),
    "oncall withdraw": ((("with-manager", "oncall override platform @deputy now 2h"),), "OVR-1"),
    "oncall swap": ((), "platform @deputy"),
    "oncall accept": (_OFFERED, "SWP-1"),
    "oncall decline": (_OFFERED, "SWP-1"),
    "oncall handoff": ((), "all is well rota:platform"),
    "oncall test": ((), "@holder"),
    "oncall confirm": (_PAGED, "TST-1"),
    "oncall arrived": (_PAGED, "TST-1"),
    "service propose": ((), "an archive service:mail because:b plan:p test:t backout:b"),
    "service publish": ((), "laptops because:b plan:p test:t backout:b"),
    "service change": ((), "laptops because:b plan:p test:t backout:b"),
    "service retire": ((), "laptops because:b plan:p test:t backout:b"),
    "service accept": (_SERVING, "CHG-1"),
    "change propose": ((), "shelves"),
    "change emergency": ((), "restart it service:help because:broken plan:restart"),
    "change list": (_WRITTEN, "mine"),
    "change calendar": ((), ""),
    "change figures": ((), ""),
    "change show": (_WRITTEN, "CHG-1"),
    "change approvers": (_VOTING, "CHG-1"),
    "change difference": (_VOTING, "CHG-1"),
    "change edit": (_VOTING, "CHG-1 plan:q"),
    "change assess": (_WRITTEN, "CHG-1 reach:everybody"),
    "change submit": (_WRITTEN, "CHG-1"),
    "change schedule": (_AGREED, "CHG-1"),
    "change cancel": (_VOTING, "CHG-1"),
    "change approve": (_VOTING, "CHG-1"),
    "change object": (_VOTING, "CHG-1 no"),
    "change abstain": (_VOTING, "CHG-1 I do not know it"),
    "change start": (_SCHEDULED, "CHG-1"),
    "change complete": (_MAKING, "CHG-1 successful it works"),
    "change rollback": (_MAKING, "CHG-1 too slow"),
    "change review": (_MADE, "CHG-1 look twice"),
    "change cause": ((*_BROKEN, *_MADE), "CHG-1 INC-1"),
    "change freeze": ((), "the fair end:2h"),
    "change unfreeze": (_FROZEN, "FRZ-1"),
    "sla why": (_OPEN, "REQ-1"),
    "sla status": (_OPEN, "service-desk"),
    "sla breaches": (_OPEN, ""),
    "sla forecast": (_OPEN, ""),
    "sla simulate": (_OPEN, "standard closed:2026-11-24"),
    "sla migrate": (_OPEN, "standard closed:2026-11-24 seal:0 because:b"),
    "sla agreement": ((), "standard"),
    "sla accept": ((), "standard by:Gray on:2026-11-20"),
    "sla review": ((), "standard by:Gray on:2026-11-20 found:f"),
    "sla digest": ((), "week"),
    "sla seen": (_POSTED, "week 2026-11-30"),
    "service availability": (_OPEN, "mail"),
    "service capacity": (_OPEN, "service-desk"),
    "service satisfaction": (_OPEN, "mail"),
    "sla exclude": (_LATE, "REQ-1 respond a strike"),
    "sla agree": (_EXCLUDED, "REQ-1 respond"),
    "sla refuse": (_EXCLUDED, "REQ-1 respond it counts"),
    "alert list": (_FIRING, "all"),
    "alert show": (_FIRING, "ALT-1"),
    "alert rejected": ((), ""),
    "evidence trail": (_OPEN, "REQ-1"),
    "evidence export": (_OPEN, "REQ-1"),
    "evidence coverage": (_OPEN, ""),
    "evidence gaps": (_OPEN, ""),
    "token make": ((), "report scopes:request:read"),
    "token list": ((), ""),
    "token revoke": (_TOKEN, "TOK-1"),
    "evidence checkpoint": (_OPEN, ""),
    "evidence verify": (_OPEN, ""),
    "privacy erase": (_OPEN, "@sam"),
    "continuity plans": (_PLANNED, ""),
    "continuity plan": (_PLANNED, "PLN-1"),
    "continuity write": ((), "no shelves service:laptops recovered:x scenario:fire"),
    "continuity edit": (_PLANNED, "PLN-1 triggers:smoke"),
    "continuity step": (_PLANNED, "PLN-1 buy buy new ones owner:@sam after:lend"),
    "continuity drop": (_PLANNED, "PLN-1 lend"),
    "continuity withdraw": (_PLANNED, "PLN-1 moved"),
    "continuity impact": ((), "laptops down_1h:unbearable rto:30m lost_15m:none lost_1h:unbearable"),
    "continuity analysis": (_PLANNED, "BIA-1"),
    "continuity approve": (_PLANNED, "PLN-1"),
    "continuity due": ((), ""),
    "continuity map": ((), ""),
    "continuity invoke": ((*_PLANNED, *_BROKEN), "PLN-1 incident:INC-1 because:gone"),
    "service readiness": ((), "mail"),
    "service check": ((), "mail vault ready"),
    "service ready": ((), "mail because:must"),
    "drill schedule": (_PLANNED, "PLN-1 tabletop start:“wed 10:00”"),
    "drill list": (_SET, "all"),
    "drill show": (_SET, "DRL-1"),
    "drill report": (_DRILLED, "DRL-1"),
    "drill join": ((*_PLANNED, ("worker", "drill schedule PLN-1 tabletop start:“tue 10:00”")), "DRL-1"),
    "drill move": (_SET, "DRL-1 start:“wed 10:00” because:later"),
    "drill cancel": (_SET, "DRL-1 ill"),
    "drill start": (_SET, "DRL-1"),
    "drill step": (_RUNS, "DRL-1 lend done"),
    "drill inject": (_RUNS, "DRL-1 it rains"),
    "drill pause": (_RUNS, "DRL-1 a call"),
    "drill resume": ((*_RUNS, ("worker", "drill pause DRL-1 a call")), "DRL-1"),
    "drill recovered": (_RUNS, "DRL-1 laptops"),
    "drill disrupted": (_RUNS, "DRL-1 “5m ago” the bell"),
    "drill finding": (_RUNS, "DRL-1 more shelves"),
    "drill finish": (_RUNS, "DRL-1 because:enough"),
    "drill abort": (_RUNS, "DRL-1 ill"),
    "drill rate": (_DRILLED, "DRL-1 4"),
}
"""For each command: what was said before, and the rest of its line."""


def _quick(policy: Policy) -> ChangeRules:
    """Rules by which a small change needs nobody's approval, and any other one person's."""
    assert policy.changes is not None
    return replace(policy.changes, approval={Level.MEDIUM: (ChangeStage(of=("role:approver",)),)})


@pytest.fixture(scope="module")
def strict(policy: Policy) -> Policy:
    """The example organisation, in which an actor has the one role, the one relation, and nothing else."""
    people = {f"with-{role}": Person(key=f"with-{role}", name=f"With {role}") for role in Role}
    admin = replace(people["with-admin"], accounts=(Account(platform="slack", workspace="T1", user="U1"),))
    people |= {
        "with-admin": admin,
        "sam": Person(key="sam", name="Sam", manager="mia"),
        "mia": Person(key="mia", name="Mia"),
        "worker": Person(key="worker", name="Worker"),
        "member": Person(key="member", name="Member"),
        "holder": Person(key="holder", name="Holder"),
        "deputy": Person(key="deputy", name="Deputy"),
    }
    rota = policy.rotas["platform"]
    layers = (replace(rota.layers[0], people=("holder", "deputy")),)
    desk = replace(policy.teams["service-desk"], members=("member",))
    grants: dict[Role, tuple[str, ...]] = {role: (f"with-{role}",) for role in Role if role is not Role.STAFF}
    grants[Role.AGENT] = ("with-agent", "worker")
    return replace(
        policy,
        version="strict",
        changes=_quick(policy),
        people={**policy.people, **people},
        teams={**policy.teams, "service-desk": desk},
        rotas={**policy.rotas, "platform": replace(rota, layers=layers)},
        access=replace(policy.access, grants=grants),
    )


@pytest.fixture(scope="module")
def situations(strict: Policy, stores: Stores) -> Mapping[Said, Situation]:
    """A store for each situation that any command needs."""
    every = (said for said, _ in SITUATIONS.values())
    return Situation.all_of(every, strict, stores)


def sender(actor: str) -> Sender:
    """The account through which an actor speaks."""
    if actor == "guest":
        return Sender(platform="slack", workspace="T1", user="U1", guest=True)
    relations = {"requester": "sam", "asked": "mia", "team": "member", "holder": "holder"}
    key = relations.get(actor, f"with-{actor}")
    return Sender(platform="console", user=key)


def may(name: str) -> set[str]:
    """The actors whom the table lets say a command."""
    listed = TABLE["commands"][name]
    return set(ACTORS) if listed == "everyone" else set(listed)


def test_every_spoken_command_is_in_the_table_and_nothing_else() -> None:
    spoken = {declared.name for declared in COMMANDS.spoken}
    assert set(TABLE["commands"]) == spoken, "list a new command in authorisation.yaml"
    assert set(SITUATIONS) == spoken, "and say in which situation it is tried"
    assert all(may(name) <= set(ACTORS) for name in spoken)
    assert set(Role) <= set(ACTORS)


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_exactly_those_whom_the_table_names_may_say_it(
    name: str, situations: Mapping[Said, Situation], stores: Stores
) -> None:
    said, rest = SITUATIONS[name]
    commands = {
        actor: Command(
            line=f"{name} {rest}", sender=sender(actor), place=Place(platform="console"), key=f"try/{actor}"
        )
        for actor in ACTORS
    }
    assert situations[said].those_who_may(commands, stores) == may(name)


def test_a_role_that_is_taken_away_is_gone_with_the_next_command(quick_talk: Talk) -> None:
    assert quick_talk.say("manager", "evidence verify").tone is Tone.GOOD
    access = replace(quick_talk.policy.access, grants={Role.MANAGER: ("staff",)})
    quick_talk.policy = replace(quick_talk.policy, access=access)
    assert quick_talk.say("manager", "evidence verify").title == "This is for managers."
    assert quick_talk.say("staff", "evidence verify").tone is Tone.GOOD


def test_what_the_desk_says_to_itself_nobody_else_says(quick_talk: Talk) -> None:
    quick_talk.say("staff", "request new question why?")
    for declared in COMMANDS:
        if declared.desk_only:
            for person in quick_talk.policy.people:
                assert quick_talk.say(person, declared.example).title == "Only the desk itself says this."
