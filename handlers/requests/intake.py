"""Asking: from the catalogue to a filed request.

Anyone may ask for what the catalogue offers them. What is missing is asked for in a form; what the requester
has open already, and what is known to help, is shown before it is filed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from config.policy import FieldKind, Offering
from handlers import definitions, questions
from handlers.access import people_in
from handlers.declare import FromMessage, Outcome, command
from handlers.desk import Desk
from handlers.errors import NeedsForm, NotAllowed, WrongState
from handlers.estates import retired
from handlers.messages import Card, FieldInput, Form, FormField, Option, Reply, facts
from handlers.parsing import Answers, Choice, Manner, Named, Text, Word
from handlers.requests.approvals import ask_stage
from handlers.requests.before_filing import Held, hold, in_words, similar, take_back
from handlers.requests.shared import (
    PREFIX,
    card,
    change,
    own_buttons,
    promise_words,
    room_of,
    seats_of,
)
from handlers.rules.workflow import RequestState
from storage.models.requests import Request, RequestTask

_SUMMARY_AT_MOST = 200


@dataclass(frozen=True)
class New:
    """For example: request new laptop model:standard"""

    offering: Annotated[str | None, Named("offerings", "offering"), "What you need"] = None
    about: Annotated[Text | None, "In your own words"] = None
    anyway: Annotated[
        str,
        Choice(("yes", "again", "no")),
        Manner.BY_NAME,
        "File it although it is known (yes), or open already (again)",
    ] = "no"
    held: Annotated[Word | None, Manner.BY_NAME, "What the desk held back; its buttons say this"] = None
    answers: Answers = None  # type: ignore[assignment]  # always given by the parser


@command(
    "request new",
    params=New,
    evidences=("SD SP 3.1",),
    from_message=FromMessage("Make this a request", lambda policy: policy.organisation.request_emoji),
)
def new(asked: New, desk: Desk) -> Outcome:
    """Ask for something that the catalogue offers."""
    if asked.held:
        return _file_held(desk, take_back(desk, asked.held))
    key = asked.offering or (desk.policy.organisation.intake_offering if desk.command.message else None)
    if key is None:
        raise NeedsForm(_form(desk, None, {}, {}))
    offering = desk.policy.offerings[key]
    _require_offered(desk, offering)
    if not _may_ask(desk, offering):
        allowed = ", ".join(
            desk.directory.name(person) for person in people_in(offering.may_ask, desk.policy)
        )
        raise NotAllowed(
            f"You cannot ask for {offering.name}.", f"It is for {allowed}; one of them can ask for you."
        )
    given = _with_own_words(offering, asked.answers, asked.about or desk.command.message)
    good, problems = questions.check(offering.fields, given, desk.reading())
    unknown = [name for name in given if name not in {each.key for each in offering.fields}]
    if desk.command.draft or problems or unknown:
        shown = {} if desk.command.draft or (not desk.command.answers and not asked.answers) else problems
        if unknown:
            shown = {**shown, "offering": f"{offering.name} asks nothing called {', '.join(unknown)}."}
        raise NeedsForm(_form(desk, offering, given, shown, similar(desk, offering, given)), shown)
    if asked.anyway != "yes" and (instead := hold(desk, offering, good, asked.anyway == "again")):
        return Outcome(reply=instead)
    return _file(desk, offering, good, desk.command.source)


def _file_held(desk: Desk, held: Held) -> Outcome:
    """File what was held back, unless the catalogue asks for something else by now."""
    offering = desk.policy.offerings.get(held.offering)
    if offering is None:
        raise NeedsForm(_form(desk, None, {}, {}))
    _require_offered(desk, offering)
    good, problems = questions.check(offering.fields, held.answers, desk.reading())
    if problems:
        raise NeedsForm(_form(desk, offering, held.answers, problems), problems)
    return _file(desk, offering, good, held.source)


def _require_offered(desk: Desk, offering: Offering) -> None:
    """Raise WrongState for what belongs to a service that was retired."""
    if by := retired(desk.records).get(offering.service):
        name = desk.policy.services[offering.service].name
        raise WrongState(
            f"{offering.name} is no longer offered: {name} was retired.",
            "Type `request new` to see what is.",
            by,
        )


def _may_ask(desk: Desk, offering: Offering) -> bool:
    return not offering.may_ask or desk.asker.key in people_in(offering.may_ask, desk.policy)


def _with_own_words(offering: Offering, answers: Mapping[str, str], words: str | None) -> dict[str, str]:
    """Words said beside the answers go to the first text that was not answered."""
    given = dict(answers)
    if words:
        texts = [each for each in offering.fields if each.kind in (FieldKind.LONG, FieldKind.TEXT)]
        for each in sorted(texts, key=lambda each: each.kind is not FieldKind.LONG):
            if not given.get(each.key):
                given[each.key] = words[: each.at_most or 3000]
                break
    return given


def _form(
    desk: Desk,
    offering: Offering | None,
    given: Mapping[str, str],
    problems: Mapping[str, str],
    open_ones: Sequence[Request] = (),
) -> Form:
    gone = retired(desk.records)
    choices = [
        each for each in desk.policy.offerings.values() if _may_ask(desk, each) and each.service not in gone
    ]
    what = FormField(
        key="offering",
        label="What do you need?",
        input=FieldInput.CHOICE,
        options=tuple(Option(label=each.name[:75], value=each.key) for each in choices),
        value=offering.key if offering else "",
        error=problems.get("offering", ""),
        steers=True,
    )
    if offering is None:
        return Form(title="Ask for something", line="request new", fields=(what,), submit="Next")
    note = offering.description
    line = "request new"
    if open_ones:
        note = f"You already have {in_words(open_ones)}. Send only if you need another one. {note}".strip()
        line = "request new anyway:again"
    fields = (what, *questions.fields(offering.fields, given, problems, desk.reading()))
    submit = "File another one" if open_ones else "Send"
    return Form(
        title=f"Ask for: {offering.name}"[:45], line=line, fields=fields, submit=submit, note=note[:1000]
    )


def _file(desk: Desk, offering: Offering, answers: Mapping[str, str], source: str | None) -> Outcome:
    agreement_version = definitions.keep(desk, "agreement", offering.agreement)
    offering_version = definitions.keep(desk, "offering", offering.key)
    state = RequestState.AWAITING_APPROVAL if offering.approval else RequestState.OPEN
    request = Request(
        number=desk.records.counters.next(PREFIX),
        offering=offering.key,
        offering_version=offering_version,
        service=offering.service,
        agreement=offering.agreement,
        agreement_version=agreement_version,
        team=offering.team,
        priority=str(offering.priority),
        state=str(state),
        requester=desk.asker.key,
        summary=_summary(offering, answers),
        answers=dict(answers),
        source=source,
        platform=desk.surface,
        opened_at=desk.now,
        changed_at=desk.now,
        stage=1 if offering.approval else 0,
    )
    tasks = [
        RequestTask(
            request=request.number,
            key=each.key,
            place=place,
            title=each.title,
            team=each.team or offering.team,
        )
        for place, each in enumerate(offering.tasks)
    ]
    desk.records.requests.add(request)
    desk.records.requests.add(*tasks)
    received = change(
        request,
        "received",
        after={
            "offering": offering.key,
            "offering_version": offering_version,
            "service": offering.service,
            "agreement": offering.agreement,
            "agreement_version": agreement_version,
            "team": offering.team,
            "priority": request.priority,
            "requester": request.requester,
            "tasks": [task.key for task in tasks],
        },
        words={"summary": request.summary, **{key: text for key, text in answers.items() if text}},
    )
    asked_to_approve = ask_stage(desk, request) if offering.approval else None
    return Outcome(
        reply=lambda: _filed(desk, request),
        changes=(received,),
        notices=asked_to_approve.notices if asked_to_approve else (),
        cards=(Card(subject=request.ref, room=room_of(desk, request)),),
        due=asked_to_approve.due if asked_to_approve else (),
        follow=(f"sla refresh {request.ref}",),
    )


def _summary(offering: Offering, answers: Mapping[str, str]) -> str:
    texts = [
        answers[each.key]
        for each in offering.fields
        if each.kind is not FieldKind.YES_NO and each.key in answers
    ]
    first = " ".join(texts[0].split()) if texts else ""
    return f"{offering.name}: {first}"[:_SUMMARY_AT_MOST] if first else offering.name[:_SUMMARY_AT_MOST]


def _filed(desk: Desk, request: Request) -> Reply:
    """What the requester is told: that someone has it, and by when."""
    clocks = {row.promise: row for row in desk.records.clocks.of(request.ref)}
    promises = [
        (label, promise_words(desk, clocks[promise]))
        for promise, label in (
            ("respond", "You hear from us by"),
            ("resolve", "Done by"),
            ("approve", "Decided by"),
        )
        if promise in clocks
    ]
    approvers = [desk.directory.name(seat.person) for seat in seats_of(desk, request)]
    tasks = desk.records.requests.tasks(request.number)
    drawn = card(desk, request, tasks)
    return drawn.model_copy(
        update={
            "title": f"{request.ref} is filed: {request.summary}",
            "facts": facts(
                ("With", desk.policy.teams[request.team].name),
                ("First needs a yes from", " or ".join(approvers)),
                *promises,
            ),
            "buttons": own_buttons(desk, request, tasks),
            "private": True,
        }
    )
