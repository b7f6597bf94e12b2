"""Service transition: a service is introduced, published, changed or retired by a change, and accepted by its owner.

Until the owner accepts it, nobody is told that a service is there, is another, or is gone. What rests on a retired
service becomes an action for its own owner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

from config.policy import ChangeKind, Role
from handlers.access import who_may
from handlers.changes.content import content_of, rules_of, service_names
from handlers.changes.deciding import Step
from handlers.changes.planning import begin, created, requested_record
from handlers.changes.shared import Begins, ChangeRef, Ends, Services, done, find, record
from handlers.changes.windowing import as_content, read_window
from handlers.declare import Change as Record
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NotAllowed, WrongState
from handlers.estates import retired
from handlers.messages import Button, Notice, Reply, Style, ToRoom
from handlers.parsing import Line, Manner, ServiceKey, Text, quoted
from handlers.readiness import gap_words, gaps_of
from handlers.rules.workflow import ChangeState, require_move
from handlers.telling import in_thread, tell
from handlers.tickets import move, require_works
from storage.models.changes import Change

_ANSWERS = frozenset({Role.OWNER, Role.MANAGER})
_GOOD = ("successful", "with-issues")
_TITLES = {"propose": "Introduce", "publish": "Publish", "change": "Change", "retire": "Retire"}
_STATES = {"publish": "published", "change": "changed", "retire": "retired"}
_FOLLOW_UP = timedelta(days=30)
_MOST = 15  # actions that one retirement opens


@dataclass(frozen=True)
class ProposeService:
    """For example: service propose archive service:mail because:“stores full” plan:buy test:try backout:sell"""

    name: Annotated[Line, "What it is to be called, and what it is for"]
    service: Annotated[Services, Manner.BY_NAME, "Which services it rests on or stands beside"]
    because: Annotated[Text, Manner.BY_NAME, "Who needs it, and what for"]
    plan: Annotated[Text, Manner.BY_NAME, "How it comes into being"]
    test: Annotated[Text, Manner.BY_NAME, "How one sees that it serves"]
    backout: Annotated[Text, Manner.BY_NAME, "What is done if it does not"]
    start: Begins = None
    end: Ends = None


@dataclass(frozen=True)
class Transition:
    """For example: service publish mail because:“it is ready” plan:“tell everybody” test:“ask five” backout:“say so”"""

    service: ServiceKey
    because: Annotated[Text, Manner.BY_NAME, "Why"]
    plan: Annotated[Text, Manner.BY_NAME, "What is done, step by step; how people are told and taught"]
    test: Annotated[Text, Manner.BY_NAME, "How one sees that it serves"]
    backout: Annotated[Text, Manner.BY_NAME, "How it is undone if it does not"]
    start: Begins = None
    end: Ends = None


@dataclass(frozen=True)
class Publish(Transition):
    """For example: service publish mail because:“it is ready” plan:“tell everybody” test:“ask five” backout:“say so”"""

    although: Annotated[Text | None, Manner.BY_NAME, "Why, although not all that it needs is there"] = None


@dataclass(frozen=True)
class ChangeService(Transition):
    """For example: service change mail because:“it is slow” plan:“a new store” test:“measure” backout:“the old one”"""


@dataclass(frozen=True)
class Retire(Transition):
    """For example: service retire vpn because:“nobody uses it” plan:“switch it off” test:ask backout:“on again”"""


@dataclass(frozen=True)
class HandOver:
    """For example: service hand-over CHG-7"""

    change: ChangeRef


@dataclass(frozen=True)
class Accept:
    """For example: service accept CHG-7"""

    change: ChangeRef
    because: Annotated[Text | None, "If you want to say how you know that it serves"] = None


# Opening ------------------------------------------------------------------------------------------


@command("service propose", params=ProposeService, evidences=("CM SP 2.1", "STSM SP 1.2", "SST SP 1.2"))
def propose_service(asked: ProposeService, desk: Desk) -> Outcome:
    """Propose a new service; a change that is decided on like any other brings it into being."""
    require_works(desk, "Changes are proposed")
    return _open(desk, asked, "propose", f"Introduce {asked.name}"[:200], asked.service)


@command("service publish", params=Publish, evidences=("CM SP 2.1", "SST SP 1.2", "SD SP 2.2"))
def publish(asked: Publish, desk: Desk) -> Outcome:
    """Publish a service by a change: once its owner accepts it, everybody is told that it can be used."""
    _require_may(desk, asked.service, "publish")
    lacking = gaps_of(desk, asked.service)
    if lacking and not asked.although:
        words = "; ".join(gap_words(desk, asked.service, gap) for gap in lacking[:8])
        raise desk.ask({"although": f"Not everything is ready: {words}. Why is it published all the same?"})
    outcome = _of_service(desk, asked, "publish")
    told = {"service": asked.service, "lacking": [[gap.item.key, gap.why] for gap in lacking]}
    words_ = {"although": asked.although} if asked.although else {}
    checked = Record("readiness.checked", outcome.changes[0].subject, None, told, words_)
    return replace(outcome, changes=[*outcome.changes, checked])


@command("service change", params=ChangeService, evidences=("CM SP 2.1", "SST SP 1.2"))
def change_service(asked: ChangeService, desk: Desk) -> Outcome:
    """Change what a service is for its users by a change: once its owner accepts it, everybody is told."""
    return _of_service(desk, asked, "change")


@command("service retire", params=Retire, evidences=("CM SP 2.1", "SST SP 1.2", "STSM SP 1.2"))
def retire(asked: Retire, desk: Desk) -> Outcome:
    """Retire a service by a change; what rests on it becomes actions for those who answer for that."""
    return _of_service(desk, asked, "retire")


def _require_may(desk: Desk, key: str, transition: str) -> None:
    """Raise NotAllowed unless the asker answers for the service, WrongState for one that was retired."""
    service = desk.policy.services[key]
    if desk.asker.key != service.owner and not _ANSWERS & desk.asker.roles:
        owner = desk.directory.name(service.owner)
        raise NotAllowed(
            f"You cannot {transition} {service.name}.",
            f"{owner} or {who_may(Role.MANAGER, desk.policy)} can.",
        )
    if by := retired(desk.records).get(service.key):
        raise WrongState(f"{service.name} was retired by {by}.", subject=by)


def _of_service(desk: Desk, asked: Transition, transition: str) -> Outcome:
    service = desk.policy.services[asked.service]
    _require_may(desk, service.key, transition)
    return _open(desk, asked, transition, f"{_TITLES[transition]} {service.name}", (service.key,))


def _open(
    desk: Desk, asked: Transition | ProposeService, transition: str, title: str, services: Sequence[str]
) -> Outcome:
    rules = rules_of(desk)
    window = read_window(desk, asked.start, asked.end, services=services)
    content: dict[str, Any] = {
        "title": title,
        "services": sorted(services),
        **as_content(window),
        "because": asked.because,
        "plan": asked.plan,
        "test": asked.test,
        "backout": asked.backout,
        "implementer": desk.asker.key,
        "risk": {},
    }
    change = begin(desk, ChangeKind.NORMAL, content, rules.room, transition=transition)
    step = Step(f"{change.ref} is written down: {title}")
    told = {"transition": transition, "services": content["services"], "seal": change.seal}
    step.records = [
        *([record(change, "service.retirement_decided", None, told)] if transition == "retire" else []),
        record(change, "transition_plan.published", None, told),
        record(change, "rollback.planned", None, told),
    ]
    outcome = created(desk, change, requested_record(change, content), step)
    return outcome if transition != "retire" else _with_dependants(desk, outcome, services[0])


def _with_dependants(desk: Desk, outcome: Outcome, service: str) -> Outcome:
    """Say what rests on a service that is to be retired."""
    found = list(_owed(desk, service))
    text = (
        f"With it go or must move: {'; '.join(what for what, _ in found)}."
        if found
        else "Nothing rests on it."
    )
    drawn = outcome.reply

    def reply() -> Reply:
        return (drawn() if callable(drawn) else drawn).model_copy(update={"text": (text,)})

    return replace(outcome, reply=reply)


def _owed(desk: Desk, service: str) -> Iterator[tuple[str, str]]:
    """What must be done about whatever rests on a service, and who answers for that."""
    name = desk.policy.services[service].name
    for each in desk.policy.services.values():
        if service in each.depends_on:
            yield f"move {each.name} off {name}, or retire it too", each.owner
    for offering in desk.policy.offerings.values():
        if offering.service == service:
            yield f"take “{offering.name}” out of the catalogue", desk.policy.services[service].owner


# Handing over and accepting -----------------------------------------------------------------------


@command("service hand-over", params=HandOver, evidences=("SST SP 2.1",), desk_only=True)
def hand_over(asked: HandOver, desk: Desk) -> Outcome:
    """Ask the owner to accept what a change has made of a service."""
    change = find(desk, asked.change, for_change=True)
    services = content_of(desk, change)["services"]
    completed = record(change, "deployment.completed", None, {"result": change.result, "services": services})
    notices = tell(
        desk,
        change,
        _owners(desk, services),
        f"{change.ref} is made; does it serve? {change.title}",
        text="Once you accept it, those who use it are told.",
        buttons=(Button(label="Accept", line=f"service accept {change.ref}", style=Style.PRIMARY),),
        while_in=(ChangeState.COMPLETED, ChangeState.CLOSED),
        tag="hand-over",
    )
    return Outcome(
        reply=Reply(title=f"{change.ref} waits to be accepted."), changes=[completed], notices=notices
    )


def _owners(desk: Desk, services: Sequence[str]) -> list[str]:
    return list(
        dict.fromkeys(desk.policy.services[key].owner for key in services if key in desk.policy.services)
    )


@command("service accept", params=Accept, evidences=("SST SP 2.1", "SST SP 1.3", "STSM SP 2.2"))
def accept(asked: Accept, desk: Desk) -> Outcome:
    """Accept what a change has made of your service; those who use it are told."""
    change = find(desk, asked.change, for_change=True)
    services = content_of(desk, change)["services"]
    if change.transition is None:
        raise WrongState(
            f"{change.ref} changes no service as such.", "Only transitions are accepted.", subject=change.ref
        )
    owners = _owners(desk, services)
    if desk.asker.key not in owners and not _ANSWERS & desk.asker.roles:
        names = " or ".join(desk.directory.name(each) for each in owners)
        raise NotAllowed(f"You cannot accept {change.ref}.", f"{names} can.")
    require_move(change.ref, change.state, "accept")
    if change.result not in _GOOD:
        raise WrongState(f"{change.ref} did not succeed.", "There is nothing to accept.", subject=change.ref)
    if any(each.action == "deployment.accepted" for each in desk.records.ledger.trail(change.ref)):
        raise WrongState(f"{change.ref} was accepted already.", subject=change.ref)
    before = move(change, desk)
    told = {"services": services, "transition": change.transition}
    records = [record(change, "deployment.accepted", before, told, {"because": asked.because})]
    state = _STATES.get(change.transition)
    for key in services if state else ():
        desk.records.changes.put_service_state(key, state or "", change.number, desk.now)
        records.append(_stands(change, key, state or ""))
    records.append(record(change, "change_notice.sent", None, told))
    title = f"{change.ref} is accepted by {desk.asker.name}"
    return done(
        desk,
        change,
        title,
        records,
        notices=[
            *in_thread(change, title, text=asked.because or ""),
            *_notice_to_users(desk, change, services),
        ],
        follow=list(_follow_ups(desk, change, services)) if change.transition == "retire" else [],
    )


def _stands(change: Change, service: str, state: str) -> Record:
    action = "service.retired" if state == "retired" else "catalogue_entry.published"
    return record(change, action, None, {"service": service, "state": state})


def _notice_to_users(desk: Desk, change: Change, services: Sequence[str]) -> list[Notice]:
    """A word where everybody asks for things."""
    names = service_names(desk, services)
    said = {
        "publish": f"New: {names}",
        "change": f"{names} has changed",
        "retire": f"{names} is retired",
    }
    if change.transition not in said:
        return []
    because = content_of(desk, change)["because"]
    reply = Reply(
        title=said[change.transition],
        text=(because,) if because else (),
        buttons=tuple(Button(label="Show", line=f"service show {key}") for key in services[:1]),
        subject=change.ref,
        private=False,
    )
    room = desk.policy.organisation.requests_room
    return [Notice(to=ToRoom(room=room), reply=reply, key=f"{change.ref}/users", subject=change.ref)]


def _follow_ups(desk: Desk, change: Change, services: Sequence[str]) -> Iterator[str]:
    day = (desk.today + _FOLLOW_UP).isoformat()
    owed = [each for key in services if key in desk.policy.services for each in _owed(desk, key)]
    for what, owner in owed[:_MOST]:
        yield f"action add {change.ref} what:{quoted(what[:1].upper() + what[1:])} owner:@{owner} due:{day}"
