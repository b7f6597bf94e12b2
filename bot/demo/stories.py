"""What happens in the example organisation: requests, incidents, problems, changes, drills. Each is a story.

The lines are those that people would type, on the example organisation's own catalogue, services and plans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from bot.demo.world import Story, World

QUESTIONS = (
    "how do I print on both sides?",
    "where do I book a meeting room with a screen?",
    "my calendar shows the wrong zone, why?",
    "how do I share a folder with somebody outside?",
    "which number do I call for the porter?",
    "how do I read mail on my phone?",
    "the wireless in the garden room drops, is that known?",
    "how do I change my signature?",
    "who can read the team's shared mailbox?",
    "how do I reach my files from home?",
    "why does my screen stay dark on the dock?",
    "how do I get back an older version of a file?",
)
FAILURES = (
    ("mail", "mail arrives late"),
    ("mail", "nobody can send mail to the outside"),
    ("network", "the wireless is gone on the second floor"),
    ("network", "the link between the offices is slow"),
    ("vpn", "the VPN refuses everybody"),
    ("accounts", "nobody can sign in"),
    ("help", "the printers print blank pages"),
    ("laptops", "updates make laptops restart again and again"),
)
CHANGES = (
    ("swap a disk of the mail store", "mail", "swap one disk after the other", "send and fetch a mail"),
    ("update the VPN gateway", "vpn", "update the spare one, move over", "connect from outside"),
    ("replace a switch on the first floor", "network", "swap it for the prepared one", "ping every socket"),
    ("move the directory to the new server", "accounts", "copy, compare, switch over", "sign in as a tester"),
    ("renew the certificates of mail", "mail", "put the new ones in, restart", "a phone fetches mail"),
)
ASKERS = ("staff", "staff", "staff", "staff", "manager", "approver", "owner", "oncall")
DESK_HANDS = ("agent", "agent", "backup")
PLATFORM_HANDS = ("oncall", "backup")
COMMENTS = (
    "the one on the third floor",
    "since this morning",
    "only on the new laptop",
    "it works in the browser, and not in the program",
)


# Requests -----------------------------------------------------------------------------------------


def question(world: World) -> Story:
    """Somebody asks, somebody answers; sometimes the desk asks back, sometimes the answer was not it."""
    draw = world.random
    asker, hand = draw.choice(ASKERS), draw.choice(DESK_HANDS)
    text = draw.choice(QUESTIONS)
    ref = world.ref(asker, f"request new question anyway:yes {text}")
    if ref is None:
        return
    if draw.random() < 0.02:
        yield world.worked(30)
        world.say(asker, f"request cancel {ref} I found it myself")
        return
    yield world.worked(25, 1.1)
    world.say(hand, f"request take {ref}")
    if draw.random() < 0.15:
        yield world.worked(10)
        world.say(hand, f"request wait {ref} requester where does it happen?")
        yield world.worked(120, 1.2)
        world.say(asker, f"request comment {ref} {draw.choice(COMMENTS)}")
    yield world.worked(70, 1.3)
    world.say(hand, f"request fulfil {ref} the answer is in the handbook, and here in short")
    yield from _last_word(world, ref, asker, hand)


def vpn_access(world: World) -> Story:
    """Access that the requester's manager approves."""
    draw = world.random
    asker, hand = draw.choice(("staff", "agent", "approver")), draw.choice(PLATFORM_HANDS)
    ref = world.ref(asker, "request new vpn-access anyway:yes abroad:no")
    if ref is None:
        return
    approver = world.dispatcher.policy().people[asker].manager or "owner"
    yield world.worked(60, 1.2)
    if draw.random() < 0.04:
        world.say(approver, f"request reject {ref} the project is over")
        return
    world.say(approver, f"request approve {ref}")
    yield world.worked(30, 1.0)
    world.say(hand, f"request take {ref}")
    yield world.worked(60, 1.2)
    world.say(hand, f"request fulfil {ref} the way in is open")
    yield from _last_word(world, ref, asker, hand)


def laptop(world: World) -> Story:
    """A laptop: two approvals, three tasks, sometimes a supplier who lets everybody wait."""
    draw = world.random
    model = draw.choice(("Light 13 inch", "Standard 14 inch", "Standard 14 inch"))
    needed = f"{world.now + timedelta(days=draw.randint(10, 30)):%Y-%m-%d}"
    ref = world.ref("staff", f"request new laptop anyway:yes model:“{model}” replaces:no needed_by:{needed}")
    if ref is None:
        return
    for approver in ("manager", "owner"):
        yield world.worked(150, 0.9)
        world.say(approver, f"request approve {ref}")
    yield world.worked(45)
    world.say("agent", f"request take {ref}")
    yield world.worked(60)
    world.say("agent", f"request done {ref} order")
    if draw.random() < 0.5:
        world.say("agent", f"request wait {ref} supplier it is ordered")
        yield world.worked(1400, 0.6)
        world.say("agent", f"request resume {ref}")
    yield world.worked(200)
    world.say("agent", f"request done {ref} install")
    yield world.worked(60)
    world.say("agent", f"request done {ref} hand-over")
    world.say("agent", f"request fulfil {ref} it lies at the front desk")
    yield from _last_word(world, ref, "staff", "agent")


def mailbox(world: World) -> Story:
    """A shared mailbox, which one of two people approves."""
    draw = world.random
    asker, hand = draw.choice(("staff", "manager")), draw.choice(PLATFORM_HANDS)
    address = draw.choice(("events", "press", "invoices", "jobs", "travel"))
    ref = world.ref(asker, f"request new mailbox anyway:yes address:{address} owned_by:@manager outside:yes")
    if ref is None:
        return
    yield world.worked(120, 1.0)
    world.say("approver", f"request approve {ref}")
    yield world.worked(90, 1.0)
    world.say(hand, f"request take {ref}")
    yield world.worked(120, 1.0)
    world.say(hand, f"request fulfil {ref} the mailbox is there")
    yield from _last_word(world, ref, asker, hand)


def _last_word(world: World, ref: str, asker: str, hand: str) -> Story:
    """What the requester says at last, if anything: most let it close by itself."""
    draw = world.random
    if draw.random() < 0.03:
        yield world.worked(60)
        world.say(asker, f"request reopen {ref} it does not help yet")
        yield world.worked(60)
        world.say(hand, f"request fulfil {ref} now it should")
    if draw.random() < 0.25:
        yield world.worked(60)
        stars = draw.choices((5, 4, 3, 2, 1), (50, 30, 12, 5, 3))[0]
        world.say(asker, f"request confirm {ref}")
        world.say(asker, f"request rate {ref} {stars}")


# Incidents and problems ---------------------------------------------------------------------------


def incident(world: World) -> Story:
    """Something breaks, at any hour; whoever is woken answers, tells, and mends it."""
    draw = world.random
    service, title = draw.choice(FAILURES)
    impact, urgency = draw.choices(
        (("high", "high"), ("high", "medium"), ("medium", "medium"), ("low", "medium")), (5, 15, 40, 40)
    )[0]
    said = f"incident declare {title} service:{service} impact:{impact} urgency:{urgency} anyway:yes"
    ref = world.ref(draw.choice(ASKERS), said)
    if ref is None:
        return
    hands = ("agent", "backup") if service in ("help", "laptops", "accounts") else PLATFORM_HANDS
    hand = draw.choice(hands)
    grave = impact == "high"
    yield world.after(4 if grave else 20, 0.7)
    world.say(hand, f"incident ack {ref}")
    for _ in range(draw.randint(1, 3) if grave else 0):
        yield world.after(18, 0.3)
        world.say(hand, f"incident update {ref} next:30m we look into it, and know more in half an hour")
    yield world.after(40 if grave else 150, 0.9)
    world.say(hand, f"incident resolve {ref} a restart of what was stuck")
    yield world.worked(600)
    world.say(hand, f"incident close {ref} a queue that was full")
    if draw.random() < 0.7:
        yield world.worked(900)
        world.say("manager", f"incident review {ref} the alert came later than the first call")
    if draw.random() < 0.12:
        yield world.worked(200)
        yield from _problem(world, service, title, ref)


def _problem(world: World, service: str, title: str, incident: str) -> Story:
    ref = world.ref("backup", f"problem open Again and again, {title} service:{service} incidents:{incident}")
    if ref is None:
        return
    yield world.worked(300)
    world.say("backup", f"problem known-error {ref} {title} workaround:“restart it, and wait five minutes”")
    yield world.worked(1500)
    world.say(
        "backup",
        f"problem cause {ref} equipment a queue without a limit support:“with a limit it does not fill”",
    )
    due = f"{world.now + timedelta(days=14):%Y-%m-%d}"
    action = world.ref("backup", f"action add {ref} set a limit and an alert owner:@oncall due:{due}")
    yield world.worked(3000)
    if action:
        world.say("oncall", f"action done {action} the limit is set, and the alert rings in time")
    world.say("backup", f"problem resolve {ref} the queue has a limit")
    yield world.now + timedelta(days=35)
    world.say("backup", f"problem close {ref} gone it has not come back in five weeks")


# Changes ------------------------------------------------------------------------------------------


def change(world: World) -> Story:
    """A change in the evening: proposed, assessed, approved, scheduled, made, looked back on."""
    draw = world.random
    title, service, plan, test = draw.choice(CHANGES)
    start = world.on(world.now + timedelta(days=draw.randint(4, 9)), draw.choice((18, 19, 20)), 30)
    ref = world.ref(
        "oncall",
        f"change propose {title} service:{service} start:“{world.local(start)}” end:2h plan:“{plan}” test:“{test}”"
        " backout:“put back what was there before”",
    )
    if ref is None:
        return
    tried = draw.choice(("often", "once", "something like it"))
    world.say("oncall", f"change assess {ref} reach:“several teams” tried:“{tried}” undone:“within an hour”")
    world.say("oncall", f"change submit {ref}")
    for approver in ("approver", "manager", "owner"):
        yield world.worked(90, 0.7)
        if approver == "approver" or world.dispatcher.look(ref).state == "submitted":
            world.say(approver, f"change approve {ref}")
    world.say("oncall", f"change schedule {ref} anyway:yes")
    yield start + timedelta(minutes=draw.randint(1, 10))
    world.say("oncall", f"change start {ref}")
    yield world.after(60, 0.3)
    if draw.random() < 0.08:
        world.say("oncall", f"change rollback {ref} it did not come up as it should")
    else:
        world.say("oncall", f"change complete {ref} successful everything answers")
    yield world.worked(1200)
    world.say("oncall", f"change review {ref} it went as it was planned, and the test should be shorter")


def standard_change(world: World) -> Story:
    """A change that was agreed once and for all."""
    start = world.worked(240)
    ref = world.ref("oncall", f"change propose add a record standard:dns-record start:“{world.local(start)}”")
    if ref is None:
        return
    world.say("oncall", f"change submit {ref}")
    world.say("oncall", f"change schedule {ref} anyway:yes")
    yield start + timedelta(minutes=1)
    world.say("oncall", f"change start {ref}")
    yield world.after(10, 0.3)
    world.say("oncall", f"change complete {ref} successful both name servers know it")


# Continuity ---------------------------------------------------------------------------------------


def preparation(world: World) -> Story:
    """At the beginning of the year the owners say what an outage does, and the plan is signed."""
    for service, bands in (
        (
            "mail",
            "down_1h:minor down_4h:serious down_8h:unbearable lost_15m:none lost_1h:minor lost_4h:unbearable",
        ),
        (
            "network",
            "down_1h:serious down_4h:unbearable lost_15m:none lost_1h:none lost_4h:minor lost_1d:unbearable",
        ),
        ("accounts", "down_1h:minor down_4h:serious down_8h:unbearable lost_15m:minor lost_1h:unbearable"),
    ):
        ref = world.ref("oncall", f"continuity impact {service} {bands}")
        yield world.worked(200)
        if ref:
            world.say("owner", f"continuity approve {ref}")
    yield world.worked(300)
    world.say("owner", "continuity approve PLN-1")
    world.say("manager", "continuity approve PLN-1")


def drill(world: World) -> Story:
    """A drill of the plan that everybody hopes never to need."""
    draw = world.random
    start = world.on(world.now + timedelta(days=20), 14)
    while start.weekday() > 4:
        start += timedelta(days=1)
    kind = draw.choice(("tabletop", "simulation", "walkthrough"))
    ref = world.ref("owner", f"drill schedule PLN-1 {kind} start:“{world.local(start)}” lasts:3h")
    if ref is None:
        return
    yield start
    world.say("owner", f"drill start {ref}")
    for person in ("oncall", "backup", "agent"):
        world.say(person, f"drill join {ref}")
    hands = {"decide": "owner", "tell": "agent", "close": "agent", "fetch-backup": "backup"}
    for step in ("decide", "tell", "new-disks", "fetch-backup", "restore", "open", "close"):
        yield world.after(15, 0.4)
        world.say(hands.get(step, "oncall"), f"drill step {ref} {step} done it is done")
    data = world.local(start - timedelta(minutes=draw.randint(5, 60)))
    world.say("owner", f"drill recovered {ref} mail data:“{data}” shows:“the newest mail in the store”")
    due = f"{world.now + timedelta(days=25):%Y-%m-%d}"
    finding = world.ref(
        "owner", f"drill finding {ref} the key is with one person only owner:@backup due:{due}"
    )
    yield world.after(15)
    world.say("owner", f"drill finish {ref} the backup is the bottleneck")
    yield world.worked(3000)
    if finding and finding.startswith("ACT-"):
        world.say("backup", f"action done {finding} a second key lies in the vault")


MIX: Sequence[tuple[float, Callable[[World], Story]]] = (
    (0.66, question),
    (0.16, vpn_access),
    (0.05, laptop),
    (0.06, mailbox),
    (0.035, incident),
    (0.015, change),
    (0.02, standard_change),
)
"""How a year is made up, as shares of all tickets."""
