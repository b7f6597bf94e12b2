"""Are the figures of promises right, shown to those who may see them, and never rewritten?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import count, product
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import VirtualClock
from config.policy import Policy
from handlers.messages import Chart, Reply, Tone, flat
from storage.database import Database
from storage.models.service_levels import ClockRow
from storage.unit_of_work import Records
from tests.harness.house import MONDAY, Talk


def rows(reply: Reply) -> list[list[str]]:
    """The cells of a reply's table, as text."""
    assert reply.table is not None
    return [[flat(cell) for cell in row] for row in reply.table.rows]


def check_tallies(talk: Talk) -> int:
    """The kept tallies equal a full recount; returns how many there are."""
    with talk.database.reading() as session:
        clocks = Records(session).clocks
        assert clocks.tallies() == clocks.recount()
        return sum(clocks.tallies().values())


def ask(talk: Talk, number: int) -> None:
    """So many questions of the staff, REQ-1 and on."""
    for _ in range(number):
        talk.say("staff", "request new question why? anyway:yes")


# Tallies ------------------------------------------------------------------------------------------


STEPS = (
    "request new question why? anyway:yes",
    "request take REQ-{n}",
    "request wait REQ-{n} requester which?",
    "request comment REQ-{n} this one",
    "request priority REQ-{n} P1 the board waits",
    "request fulfil REQ-{n}",
    "request reopen REQ-{n} not yet",
    "request cancel REQ-{n}",
    "incident declare {n} is down service:mail impact:high urgency:high anyway:yes",
    "incident ack INC-{n}",
    "incident update INC-{n} we look {n}",
    "incident merge INC-{n} INC-1",
    "incident resolve INC-{n} mended",
    "drill schedule PLN-1 tabletop start:“in 1h” lasts:2h",
    "drill start DRL-{n} because:“it is a test”",
    "drill finish DRL-{n} because:“it is a test”",
    "drill cancel DRL-{n} the fair",
    "sla exclude REQ-{n} respond a strike",
    "sla agree REQ-{n} respond",
)


WALKS = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(1, 3), st.sampled_from((0, 0, 1, 5, 30))),
    min_size=8,
    max_size=16,
)


def test_kept_tallies_equal_a_full_recount_whatever_happens(
    sqlite_template: bytes, policy: Policy, tmp_path: Path
) -> None:
    numbers = count(1)

    @settings(max_examples=3)
    @given(WALKS)
    def walk(said: Sequence[tuple[str, int, int]]) -> None:
        path = tmp_path / f"{next(numbers)}.db"
        path.write_bytes(sqlite_template)
        talk = Talk(Database(f"sqlite:///{path}"), policy, VirtualClock(MONDAY))
        prepared(talk)
        ask(talk, 2)
        for step, number, hours in said:
            who = {"request": "agent", "incident": "oncall", "drill": "oncall"}.get(
                step.partition(" ")[0], "manager"
            )
            who = "owner" if step.startswith("sla agree") else who
            reply = talk.say(who, step.format(n=number))
            assert "wrong on our side" not in reply.title, (step, reply)
            talk.wait(hours=hours)
            check_tallies(talk)
        talk.database.close()

    walk()


def test_whole_months_tell_what_their_days_do(quick_talk: Talk) -> None:
    days = [date(2025, 11, 20) + timedelta(days=7 * each) for each in range(60)]
    for number, day in enumerate(days):
        ended(quick_talk, number + 1, 40_000 if number % 3 else 3_600, decided_on=day.isoformat())
    assert check_tallies(quick_talk) == 2 * len(days)
    edges = [*days[::9], date(2026, 1, 1), date(2026, 2, 1), date(2026, 2, 2), date(2027, 1, 1)]
    with quick_talk.database.reading() as session:
        for since, until in product(edges, edges):
            by_month, by_day = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
            for step, into in ((7, by_month), (10, by_day)):
                for day, outcome, number in Records(session).clocks.decided(
                    since.isoformat(), until.isoformat(), step=step
                ):
                    into[day[:7], outcome] += number
            assert by_month == by_day, (since, until)


def test_the_store_counts_what_a_story_leaves_behind(talk: Talk) -> None:
    ask(talk, 3)
    talk.say("agent", "request take REQ-1")
    talk.say("agent", "request fulfil REQ-1")
    talk.say("staff", "request cancel REQ-2")
    talk.say("staff", "incident declare no mail service:mail impact:high urgency:high")
    talk.say("manager", "incident declare a practice service:mail impact:high urgency:high practice:yes")
    talk.wait(days=1, hours=12)
    assert check_tallies(talk) > 4
    status = talk.say("manager", "sla status")
    figures = {row[0]: row[1:4] for row in rows(status)}
    assert figures["respond, Standard agreement"] == ["1", "1", "50 % ✗ below goal"]
    assert figures["respond, Incident agreement"] == ["0", "1", "0 % ✗ below goal"]


# Status -------------------------------------------------------------------------------------------


def test_an_empty_desk_has_no_chart_and_says_what_to_do(quick_talk: Talk) -> None:
    for person in ("manager", "staff"):
        reply = quick_talk.say(person, "sla status")
        assert reply.chart is None
        assert reply.table is not None
        assert reply.table.empty
        assert not reply.table.rows
    for within, title in (
        ("2031", "2031 has not begun yet."),
        ("2031-Q2", "has not begun yet."),
        ("pigeons", "is not a period I know."),
        ("2026-13", "is not a month."),
        ("0d", "0d is no time at all."),
    ):
        assert title in quick_talk.say("manager", f"sla status within:{within}").title
    close = quick_talk.say("manager", "sla status service-desc")
    assert [button.line for button in close.buttons][:1] == ["sla status service-desk"]


def test_status_shows_clocks_by_state_a_trend_and_the_way_down(quick_talk: Talk) -> None:
    ask(quick_talk, 3)
    quick_talk.say("agent", "request take REQ-1")
    quick_talk.say("agent", "request wait REQ-1 requester which?")
    quick_talk.say("staff", "incident declare no mail service:mail impact:high urgency:high")
    quick_talk.wait(hours=1)
    status = quick_talk.say("manager", "sla status within:week")
    now = flat(status.facts[0].value)
    assert "1 paused" in now
    assert "breached" in now
    assert isinstance(status.chart, Chart)
    assert status.chart.categories[-1] == "29 Nov"
    behind, upcoming = status.more
    assert [button.line for button in behind.buttons][:1] == ["sla status mail within:week"]
    assert upcoming.table is not None
    assert 0 < len(upcoming.table.rows) <= 5
    assert [row[0] for row in rows(quick_talk.say("manager", "sla status mail within:week"))] == [
        "respond",
        "update",
    ]


def test_what_nobody_was_told_yet_counts_at_once(quick_talk: Talk) -> None:
    ask(quick_talk, 1)
    quick_talk.clock.set(MONDAY + timedelta(days=2))  # and no bell rang meanwhile
    status = quick_talk.say("manager", "sla status service-desk within:week")
    assert rows(status)[0][:4] == ["respond", "0", "1", "0 % ✗ below goal"]
    assert "1 breached" in flat(status.facts[0].value)
    assert len(rows(quick_talk.say("manager", "sla breaches within:week"))) == 1


def test_what_is_due_soon_is_counted_so_before_anybody_was_warned(quick_talk: Talk) -> None:
    ask(quick_talk, 1)
    quick_talk.clock.set(MONDAY + timedelta(hours=9))  # of eight office hours, and no bell rang meanwhile
    for of in ("", " service-desk"):
        status = quick_talk.say("manager", f"sla status{of} within:week")
        upcoming = status.more[-1].table
        assert upcoming is not None
        assert [flat(row[3]) for row in upcoming.rows] == ["due soon", "running"]
        assert flat(status.facts[0].value) == "1 running, 1 due soon"


def test_the_way_to_the_breaches_leads_to_where_they_show(quick_talk: Talk) -> None:
    ask(quick_talk, 1)
    assert "Breaches" not in [each.label for each in quick_talk.say("manager", "sla status").buttons]
    quick_talk.clock.set(MONDAY + timedelta(days=40))
    quick_talk.ring()
    quick_talk.clock.set(MONDAY + timedelta(days=75))
    status = quick_talk.say("manager", "sla status within:today")
    assert "breached" in flat(status.facts[0].value)
    way = next(each for each in status.buttons if each.label == "Breaches")
    assert way.line == "sla breaches within:365d"
    assert rows(quick_talk.say("manager", way.line))


def test_a_share_is_told_in_one_way_wherever_it_shows(quick_talk: Talk) -> None:
    ask(quick_talk, 3)
    for number in (1, 2):
        quick_talk.say("agent", f"request take REQ-{number}")
    quick_talk.clock.set(MONDAY + timedelta(days=2))
    status = quick_talk.say("manager", "sla status service-desk within:week")
    assert rows(status)[0][3] == "66.6 % ✗ below goal"
    assert quick_talk.say("manager", "sla status within:1d").title.endswith(", today")


def test_staff_see_the_promises_on_their_own_tickets_and_no_figures(quick_talk: Talk) -> None:
    ask(quick_talk, 2)
    own = quick_talk.say("staff", "sla status")
    assert own.title == "4 promises to you on 2 open tickets"
    assert quick_talk.say("approver", "sla status").title == "0 promises to you on 0 open tickets"
    refused = quick_talk.say("staff", "sla status mail")
    assert refused.tone is Tone.BAD
    assert "Mika Manager" in flat(refused.text)
    assert quick_talk.say("staff", "sla breaches").tone is Tone.BAD
    assert quick_talk.say("agent", "sla status service-desk").title.startswith("Promises for the team")


def test_a_settled_figure_stays_whatever_the_definitions_become(quick_talk: Talk) -> None:
    from dataclasses import replace

    ask(quick_talk, 2)
    quick_talk.say("agent", "request take REQ-1")
    quick_talk.say("agent", "request fulfil REQ-1")
    quick_talk.wait(days=3)
    before = rows(quick_talk.say("manager", "sla status service-desk within:week"))
    standard = quick_talk.policy.agreements["standard"]
    easier = tuple(
        replace(each, within=dict.fromkeys(each.within, 864_000), goal=1) for each in standard.targets
    )
    changed = {**quick_talk.policy.agreements, "standard": replace(standard, targets=easier)}
    quick_talk.policy = replace(quick_talk.policy, agreements=changed, version="another")
    assert rows(quick_talk.say("manager", "sla status service-desk within:week")) == before
    check_tallies(quick_talk)


# Breaches -----------------------------------------------------------------------------------------


def test_breaches_say_why_and_turn_their_pages(quick_talk: Talk) -> None:
    ask(quick_talk, 12)
    quick_talk.say("agent", "request take REQ-12")
    quick_talk.wait(days=2)
    first = quick_talk.say("manager", "sla breaches within:week")
    assert first.title == "11 broken promises for everything, this week, page 1 of 2"
    assert len(rows(first)) == 10
    assert rows(first)[0][4] == "nobody had it; last: received"
    following = next(button for button in first.buttons if button.label == "Next")
    assert len(rows(quick_talk.say("manager", following.line))) == 1
    assert quick_talk.say("manager", "sla breaches promise:resolve within:week").title.startswith("0 broken")


# Leaving out --------------------------------------------------------------------------------------


def test_a_breach_is_left_out_when_a_second_person_agrees_and_both_figures_stay(talk: Talk) -> None:
    ask(talk, 2)
    talk.say("agent", "request take REQ-1")
    talk.wait(days=2)
    asked = talk.say("manager", "sla exclude REQ-2 respond because:“the line was cut”")
    assert asked.title == "Asked: Olga Owner can agree that the promise to respond on REQ-2 is left out."
    assert rows(talk.say("manager", "sla status service-desk within:week"))[0][1:4] == [
        "1",
        "1",
        "50 % ✗ below goal",
    ]
    assert talk.say("manager", "sla agree REQ-2 respond").title == (
        "You asked for it, so somebody else must decide."
    )
    assert "waits for somebody" in talk.say("manager", "sla exclude REQ-2 respond again").title
    agreed = talk.say("owner", "sla agree REQ-2 respond")
    assert [flat(each.value) for each in agreed.facts] == [
        "promises to respond, November 2026",
        "100 %",
        "50 %",
    ]
    status = talk.say("manager", "sla status service-desk within:week")
    assert rows(status)[0][1:] == ["1", "0", "100 % ✓", "95 %", "—", "1", "50 %"]
    assert rows(talk.say("manager", "sla breaches within:week"))[0][-1] == "left out"
    assert talk.told("@manager")[-1].endswith("Olga Owner agreed")
    told = [each.action for each in talk.evidence("REQ-2") if each.action.startswith("sla.ex")]
    assert told == ["sla.exclusion_asked", "sla.excluded"]
    check_tallies(talk)
    talk.say("agent", "request take REQ-2")  # the clock is read anew, and stays left out
    assert rows(talk.say("manager", "sla status service-desk within:week"))[0][6] == "1"
    check_tallies(talk)


def test_who_held_the_ticket_does_not_agree_and_what_is_not_broken_cannot_be_left_out(
    quick_talk: Talk,
) -> None:
    ask(quick_talk, 1)
    assert quick_talk.say("manager", "sla exclude REQ-1 respond why").title.endswith("it is running.")
    assert "There is no promise called" in quick_talk.say("manager", "sla exclude REQ-1 dance why").title
    quick_talk.wait(days=9)
    quick_talk.say("owner", "request take REQ-1")
    refused = quick_talk.say("manager", "sla exclude REQ-1 respond a strike")
    assert refused.title.startswith("Nobody else may agree")
    assert quick_talk.say("agent", "sla exclude REQ-1 respond a strike").tone is Tone.BAD


def test_a_refusal_is_told_and_may_be_asked_again(quick_talk: Talk) -> None:
    ask(quick_talk, 1)
    quick_talk.wait(days=2)
    quick_talk.say("manager", "sla exclude REQ-1 respond a strike")
    quick_talk.say("owner", "sla refuse REQ-1 respond because:“we knew”")
    assert quick_talk.told("@manager")[-1] == (
        "The promise to respond on REQ-1 counts: Olga Owner did not agree"
    )
    assert quick_talk.say("owner", "sla agree REQ-1 respond").title.startswith("Nothing about the promise")
    assert quick_talk.say("manager", "sla exclude REQ-1 respond a real strike").tone is Tone.WAITING


# Forecast -----------------------------------------------------------------------------------------


def ended(talk: Talk, number: int, spent: int, decided_on: str = "2026-11-20") -> None:
    """An answer to a question that took so many business seconds of its eight hours."""
    late = spent > 28_800
    with talk.database.writing() as session:
        Records(session).clocks.put(
            f"REQ-{number}",
            [
                ClockRow(
                    subject=f"REQ-{number}", promise="respond", kind="respond", agreement="standard",
                    agreement_version="", service="help", topic="question", team="service-desk", priority="P4",
                    goal=95, open=False,
                    state="met late" if late else "met", decided_on=decided_on, spent=spent, allowed=28_800,
                    started_at=MONDAY, stopped_at=MONDAY, breached_at=MONDAY if late else None,
                )
            ],
        )  # fmt: skip


def test_a_forecast_goes_by_how_long_the_like_took_and_says_so(quick_talk: Talk) -> None:
    for number in range(100, 120):
        ended(quick_talk, number, 3600 if number < 115 else 40_000)
    ask(quick_talk, 1)
    reply = quick_talk.say("manager", "sla forecast of:service-desk")
    likely = {(row[0], row[1]): row for row in rows(reply)}
    assert likely["REQ-1", "respond"][3:] == [
        "25%",
        "of 21 promises to respond (question P4), so many took longer than 8h",
    ]
    assert reply.title == "About 0.2 of 1 promise for the team Service desk will likely be broken"
    assert [flat(each.value) for each in reply.facts if each.label == "Accuracy so far"] == [
        "not known yet: too few promises have ended"
    ]


def test_how_good_forecasts_were_is_told_however_much_is_open(quick_talk: Talk) -> None:
    for number in range(100, 200):
        ended(quick_talk, number, 20_000)
    ask(quick_talk, 50)
    (told,) = [
        each.value for each in quick_talk.say("manager", "sla forecast").facts if "Accuracy" in each.label
    ]
    assert "over 34 past promises" in flat(told)


def test_a_forecast_of_nothing_or_of_the_past_is_met_with_help(quick_talk: Talk) -> None:
    assert quick_talk.say("manager", "sla forecast").title == "No promise for everything is due by then."
    ask(quick_talk, 1)
    unknown = quick_talk.say("manager", "sla forecast")
    assert rows(unknown)[0][3] == "no forecast"
    assert unknown.title == "Nothing can be said yet of what is promised for everything"
    assert quick_talk.say("manager", "sla forecast until:“2026-11-20 09:00”").tone is Tone.BAD
    assert quick_talk.say("staff", "sla forecast").tone is Tone.BAD
    assert quick_talk.say("manager", "sla forecast of:pigeons").tone is Tone.BAD


# Changes ------------------------------------------------------------------------------------------


def change(talk: Talk) -> None:
    """A change that waits for its approvers."""
    talk.say(
        "agent", "change propose a new page service:help start:“sat 20:00” end:2h plan:p test:t backout:b"
    )
    talk.say("agent", "change assess CHG-1 reach:everybody tried:once undone:“at once”")
    assert talk.say("agent", "change submit CHG-1").tone is Tone.GOOD


def test_a_decision_on_a_change_is_a_promise_and_so_is_its_review(talk: Talk) -> None:
    change(talk)
    why = talk.say("manager", "sla why CHG-1")
    assert why.more[0].title == "Approve: running"
    talk.say("agent", "change edit CHG-1 plan:q")  # asked anew, promised anew
    for person in ("manager", "owner"):
        talk.say(person, "change approve CHG-1")
    status = talk.say("manager", "sla status help")
    assert rows(status)[0][:3] == ["approve", "1", "0"]
    check_tallies(talk)


def test_what_is_decided_by_nobody_was_not_decided_in_time(quick_talk: Talk) -> None:
    change(quick_talk)
    quick_talk.wait(days=20)
    found = rows(quick_talk.say("manager", "sla breaches within:2026-11"))
    assert [row[:2] for row in found] == [["CHG-1", "approve"]]
    assert found[0][3] == "met late"
    assert [each.action for each in quick_talk.evidence("CHG-1")].count("sla.breached") == 1
    check_tallies(quick_talk)


# Drills, and reviews of plans and analyses ---------------------------------------------------------


def prepared(talk: Talk) -> None:
    """Mail's impact and its plan, both signed."""
    talk.tend()
    talk.say(
        "oncall",
        "continuity impact mail down_1h:minor down_4h:serious down_8h:unbearable lost_1h:unbearable rpo:15m",
    )
    for ref in ("BIA-1", "PLN-1"):
        assert "is signed" in talk.say("owner", f"continuity approve {ref}").title


def later(talk: Talk, days: float) -> None:
    """So many days on, when the desk looks at once at what is due."""
    talk.clock.set(talk.clock.now() + timedelta(days=days))
    talk.ring()


def clocks(talk: Talk, ref: str) -> dict[str, str]:
    """The clocks of something that is not told as promised anew: the promise and how it stands."""
    shown = talk.say("manager", f"sla why {ref}").more
    return dict(part.title.split(": ") for part in shown if ": " in part.title)


def test_a_scheduled_drill_is_a_promise_that_is_kept_moved_dropped_or_broken(quick_talk: Talk) -> None:
    prepared(quick_talk)
    for _ in range(4):
        quick_talk.say("oncall", "drill schedule PLN-1 tabletop start:“in 1h” lasts:2h")
    assert clocks(quick_talk, "DRL-1") == {"Drill": "running"}
    assert [flat(each.value) for each in quick_talk.say("manager", "sla why DRL-1").more[0].facts][:1] == [
        "3h in round the clock (UTC)"
    ]
    quick_talk.say("oncall", "drill start DRL-1 because:“it is a test”")
    quick_talk.say("oncall", "drill cancel DRL-2 the fair comes in between")
    quick_talk.say("oncall", "drill move DRL-3 start:“in 30d” because:“the fair”")
    later(quick_talk, 1)
    assert [clocks(quick_talk, f"DRL-{number}") for number in (1, 2, 3, 4)] == [
        {"Drill": "met"}, {"Drill": "cancelled"}, {"Drill": "running"}, {"Drill": "breached"},
    ]  # fmt: skip
    assert [row[:2] for row in rows(quick_talk.say("manager", "sla breaches within:30d"))] == [
        ["DRL-4", "drill"]
    ]
    for asked, found in (("mail", True), ("platform", True), ("laptops", False)):
        shown = rows(quick_talk.say("manager", f"sla status {asked} within:30d"))
        assert [row[:4] for row in shown] == ([["drill", "1", "1", "50 % ✗ below goal"]] if found else [])
    quick_talk.say("oncall", "drill finish DRL-1 because:“it is a test”")
    # Beside it, the promise to drill the service within its interval was kept, and promised anew.
    assert rows(quick_talk.say("manager", "sla status mail within:30d"))[0][:3] == ["drill", "2", "1"]
    check_tallies(quick_talk)
    quick_talk.say("manager", "sla exclude DRL-4 drill because:“the hall was flooded”")
    agreed = quick_talk.say("owner", "sla agree DRL-4 drill")
    assert [flat(each.value) for each in agreed.facts] == [
        "promises to drill, November 2026",
        "100 %",
        "66.6 %",
    ]
    check_tallies(quick_talk)


def test_a_service_is_to_be_drilled_as_often_as_its_criticality_demands(quick_talk: Talk) -> None:
    prepared(quick_talk)
    assert clocks(quick_talk, "BIA-1") == {"Review": "running", "Drill": "running"}
    later(quick_talk, 100)
    quick_talk.say("oncall", "drill schedule PLN-1 tabletop start:“in 1h” lasts:2h")
    quick_talk.say("oncall", "drill start DRL-1 because:“it is a test”")
    quick_talk.say("oncall", "drill finish DRL-1 because:“it is a test”")
    assert clocks(quick_talk, "BIA-1") == {"Review": "running", "Drill": "running"}
    later(quick_talk, 182)
    assert clocks(quick_talk, "BIA-1")["Drill"] == "due soon"
    later(quick_talk, 2)
    assert clocks(quick_talk, "BIA-1")["Drill"] == "breached"
    found = rows(quick_talk.say("manager", "sla breaches within:week promise:drill"))
    assert [row[:2] for row in found] == [["BIA-1", "drill"]]
    assert rows(quick_talk.say("manager", "sla status mail within:year"))[0][:3] == ["drill", "2", "1"]
    check_tallies(quick_talk)


def test_what_was_signed_is_to_be_looked_at_again_by_its_day(quick_talk: Talk) -> None:
    prepared(quick_talk)
    later(quick_talk, 365.5)  # on the very day it is still in time
    assert clocks(quick_talk, "PLN-1") == {"Review": "due soon"}
    quick_talk.say(
        "oncall",
        "continuity impact mail down_1h:minor down_4h:serious down_8h:unbearable lost_1h:unbearable rpo:15m",
    )
    assert "is signed" in quick_talk.say("owner", "continuity approve BIA-2").title
    assert clocks(quick_talk, "BIA-1")["Review"] == "met"
    assert clocks(quick_talk, "BIA-2")["Review"] == "running"
    later(quick_talk, 1)
    assert clocks(quick_talk, "PLN-1") == {"Review": "breached"}
    assert [row[:3] for row in rows(quick_talk.say("manager", "sla status mail within:week"))] == [
        ["review", "1", "1"]
    ]
    refused = quick_talk.say("manager", "sla exclude PLN-1 review because:“the owner was ill”")
    assert refused.title.startswith("Nobody else may agree"), "not the owner, whose breach it is"
    check_tallies(quick_talk)


# A drill of several services -----------------------------------------------------------------------


def of_two_services(talk: Talk) -> None:
    """The plan of mail recovers the vpn, too; both signed."""
    plan = talk.policy.plans["mail-store-lost"]
    both = replace(plan, recovers={**plan.recovers, "vpn": "a colleague signs in from home"})
    talk.policy = replace(talk.policy, plans={plan.key: both}, version="two services")
    prepared(talk)


def promised_to_drill(talk: Talk, of: str) -> list[list[str]]:
    """What became of the promises to drill: kept and broken."""
    found = rows(talk.say("manager", f"sla status {of} within:month"))
    return [row[1:3] for row in found if row[0] == "drill"]


def test_a_drill_counts_under_each_of_its_services_and_once_in_all(talk: Talk) -> None:
    of_two_services(talk)
    for _ in range(3):
        talk.say("oncall", "drill schedule PLN-1 tabletop start:“in 1h” lasts:2h")
    everything = talk.say("manager", "sla status within:month")
    for of in ("mail", "vpn"):
        shown = talk.say("manager", f"sla status {of} within:month")
        upcoming = next(part for part in shown.more if part.title.startswith("Next to break"))
        assert [row[0] for row in rows(upcoming)][:3] == ["DRL-1", "DRL-2", "DRL-3"], of
    assert flat(talk.say("manager", "sla status vpn within:month").facts[0].value) == "3 running"
    # Beside the drills run the reviews of the plan and of the impact, and the interval of drills.
    assert flat(everything.facts[0].value) == "6 running"
    talk.say("oncall", "drill start DRL-1 because:“it is a test”")
    talk.clock.set(talk.clock.now() + timedelta(hours=4))  # DRL-2 and DRL-3 are broken, and nobody was told
    assert flat(talk.say("manager", "sla status vpn within:month").facts[0].value) == "2 breached"
    for rung in (False, True):
        if rung:
            talk.ring()
        assert [promised_to_drill(talk, of) for of in ("", "mail", "vpn", "platform", "laptops")] == [
            [["1", "2"]], [["1", "2"]], [["1", "2"]], [["1", "2"]], [],
        ], rung  # fmt: skip
        for of in ("mail", "vpn"):
            broken = talk.say("manager", f"sla breaches {of} within:month")
            assert sorted(row[0] for row in rows(broken)) == ["DRL-2", "DRL-3"], (of, rung)
        assert len(rows(talk.say("manager", "sla breaches within:month"))) == 2
        behind = talk.say("manager", "sla status within:month").more[0]
        assert sorted(row[:3] for row in rows(behind)) == [["Mail", "1", "2"], ["VPN", "1", "2"]], rung
    talk.say("manager", "sla exclude DRL-2 drill because:“the hall was flooded”")
    talk.say("owner", "sla agree DRL-2 drill")
    for within in ("month", "30d", "year"):
        assert rows(talk.say("manager", f"sla status vpn within:{within}"))[0][1:3] == ["1", "1"]
    check_tallies(talk)
