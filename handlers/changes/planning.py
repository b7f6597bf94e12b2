"""Planning: writing a change down, rating its risk, asking those who decide, and taking it back.

What a change says can be edited until it is made. Whoever was asked about what it said before is asked anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

from config.policy import ChangeKind, FieldKind, StandardChange
from config.policy import FormField as Question
from handlers import questions
from handlers.access import people_in
from handlers.changes.card import card, own_buttons
from handlers.changes.content import (
    PARTS,
    TEXTS,
    content_of,
    difference_table,
    edited_since,
    edits_between,
    is_assessed,
    missing,
    parts_of,
    place,
    rules_of,
    write,
)
from handlers.changes.deciding import Step, open_ballot, standing
from handlers.changes.shared import (
    PREFIX,
    Begins,
    ChangeRef,
    Ends,
    Services,
    clocks_to_read,
    done,
    find,
    planners,
    plans,
    record,
    to_plan,
)
from handlers.changes.windowing import as_content, at_words, past, read_window, span_of
from handlers.declare import Change as Record
from handlers.declare import Outcome, command
from handlers.desk import Desk
from handlers.errors import NeedsForm, NotAllowed, WrongState
from handlers.messages import Card, Form, FormField, Reply, Tone, counted
from handlers.parsing import Answers, Line, Manner, Named, PersonRef, Text, WholeNumber
from handlers.rules.risk import Risk, rate
from handlers.rules.votes import Content
from handlers.rules.workflow import ChangeState
from handlers.telling import in_thread, tell
from handlers.tickets import move, require_works
from storage.models.changes import Change

_FIXED = ("plan", "test", "backout", "services", "risk", "title")
"""What a standard change's template has settled."""


@dataclass(frozen=True)
class Propose:
    """For example: change propose a larger mail store service:mail start:"sat 22:00" end:2h plan:“swap the disks”"""

    title: Annotated[Line, "What is to become otherwise, in a few words"]
    service: Annotated[Services | None, Manner.BY_NAME, "Which services, as mail, vpn"] = None
    start: Begins = None
    end: Ends = None
    because: Annotated[Text | None, Manner.BY_NAME, "Why, and what it is good for"] = None
    plan: Annotated[Text | None, Manner.BY_NAME, "What is done, step by step"] = None
    test: Annotated[Text | None, Manner.BY_NAME, "How one sees that it works"] = None
    backout: Annotated[Text | None, Manner.BY_NAME, "How it is undone if it does not"] = None
    implementer: Annotated[PersonRef | None, Manner.BY_NAME, "Who makes it; you, when left out"] = None
    standard: Annotated[
        str | None, Named("standard_changes", "standard change"), Manner.BY_NAME, "If it is one of these"
    ] = None


@dataclass(frozen=True)
class Edit:
    """For example: change edit CHG-7 start:"sun 22:00" end:3h"""

    change: ChangeRef
    title: Annotated[Line | None, Manner.BY_NAME, "What is to become otherwise, in a few words"] = None
    service: Annotated[Services | None, Manner.BY_NAME, "Which services, as mail, vpn"] = None
    start: Begins = None
    end: Ends = None
    because: Annotated[Text | None, Manner.BY_NAME, "Why, and what it is good for"] = None
    plan: Annotated[Text | None, Manner.BY_NAME, "What is done, step by step"] = None
    test: Annotated[Text | None, Manner.BY_NAME, "How one sees that it works"] = None
    backout: Annotated[Text | None, Manner.BY_NAME, "How it is undone if it does not"] = None
    implementer: Annotated[PersonRef | None, Manner.BY_NAME, "Who makes it"] = None


@dataclass(frozen=True)
class Submit(Edit):
    """For example: change submit CHG-7"""


@dataclass(frozen=True)
class Assess:
    """For example: change assess CHG-7 reach:everybody tried:once undone:“within an hour”"""

    change: ChangeRef
    answers: Answers = None  # type: ignore[assignment]  # always given by the parser


@dataclass(frozen=True)
class ShowDifference:
    """For example: change difference CHG-7"""

    change: ChangeRef
    since: Annotated[int | None, WholeNumber(1, 10_000), Manner.BY_NAME, "Since which edition"] = None


@dataclass(frozen=True)
class Cancel:
    """For example: change cancel CHG-7 not needed any more"""

    change: ChangeRef
    because: Annotated[Text | None, "If you want to say why"] = None


# Proposing ----------------------------------------------------------------------------------------


@command("change propose", params=Propose, evidences=("CM SP 2.1",))
def propose(asked: Propose, desk: Desk) -> Outcome:
    """Write down what is to become otherwise; a standard change may then be scheduled at once."""
    rules = rules_of(desk)
    require_works(desk, "Changes are proposed")
    template = desk.policy.standard_changes[asked.standard] if asked.standard else None
    if template:
        _require_may(desk, template)
    services = asked.service or (template.services if template else ())
    window = read_window(
        desk,
        asked.start,
        asked.end,
        services=services,
        length=timedelta(seconds=template.lasts) if template else None,
    )
    content: dict[str, Any] = {
        "title": asked.title,
        "services": sorted(template.services if template else services),
        **as_content(window),
        "because": asked.because or "",
        "plan": template.plan if template else asked.plan or "",
        "test": template.test if template else asked.test or "",
        "backout": template.backout if template else asked.backout or "",
        "implementer": asked.implementer or desk.asker.key,
        "risk": {},
    }
    kind = ChangeKind.STANDARD if template else ChangeKind.NORMAL
    change = begin(desk, kind, content, rules.room, template=template.key if template else None)
    requested = requested_record(change, content)
    if not template:
        return created(desk, change, requested, Step(f"{change.ref} is written down"))
    return created(desk, change, requested, open_ballot(desk, change))


def _require_may(desk: Desk, template: StandardChange) -> None:
    people = [name for name in template.may if not name.startswith("role:")]
    roles = {name[5:] for name in template.may if name.startswith("role:")}
    teams = {desk.policy.services[key].team for key in template.services if key in desk.policy.services}
    may = (
        bool(roles & desk.asker.roles) or desk.asker.key in people_in(people, desk.policy)
        if template.may
        else bool(teams & desk.asker.teams)
    )
    if not may:
        names = ", ".join(desk.policy.teams[key].name for key in sorted(teams) if key in desk.policy.teams)
        raise NotAllowed(
            f"You cannot make the standard change {template.name}.",
            f"{', '.join(template.may) or names} can; or propose a normal change.",
        )


def begin(desk: Desk, kind: ChangeKind, content: Content, room: str, **more: Any) -> Change:
    """A new change that says this, as a draft."""
    change = Change(
        number=desk.records.counters.next(PREFIX),
        kind=str(kind),
        title=content["title"],
        room=room,
        state=str(ChangeState.DRAFT),
        requester=desk.asker.key,
        implementer=content["implementer"],
        seal="",
        platform=desk.command.sender.platform,
        opened_at=desk.now,
        changed_at=desk.now,
        **more,
    )
    desk.records.changes.add(change)
    write(desk, change, content)
    return change


def requested_record(change: Change, content: Content) -> Record:
    """That a change was asked for, with all that it says."""
    told = {
        "kind": change.kind,
        "requester": change.requester,
        "implementer": change.implementer,
        "services": content["services"],
        "start": content["start"],
        "end": content["end"],
        "template": change.template,
        "incident": change.incident,
        "transition": change.transition,
        "seal": change.seal,
    }
    return record(change, "requested", None, told, words_of(content))


def words_of(content: Content) -> Mapping[str, str]:
    """What a person wrote in a content."""
    return {part: content[part] for part in TEXTS}


def created(desk: Desk, change: Change, requested: Record, step: Step) -> Outcome:
    """The outcome of a change's first word, with what its ballot takes where one was opened."""
    desk.records.changes.save()
    follow = () if change.state == ChangeState.DRAFT else (f"change settle {change.ref}",)
    return Outcome(
        reply=lambda: card(desk, change).model_copy(
            update={
                "title": step.title if change.state == ChangeState.DRAFT else standing(change),
                "tone": Tone.GOOD,
                "private": True,
                "buttons": own_buttons(desk, change, plans(desk, change)),
            }
        ),
        changes=[requested, *step.records],
        notices=[
            *tell(desk, change, [change.implementer], f"{change.ref} is yours to make: {change.title}"),
            *step.notices,
        ],
        cards=(Card(subject=change.ref, room=change.room),),
        due=step.due,
        follow=(*clocks_to_read(desk, change), *follow),
    )


# Editing ------------------------------------------------------------------------------------------


@command("change edit", params=Edit, evidences=("CM SP 2.1",))
def edit(asked: Edit, desk: Desk) -> Outcome:
    """Let a change say something else; votes on what it said before are void, and the difference is shown."""
    change = to_plan(desk, asked.change, "edit")
    content = content_of(desk, change)
    said = _said_anew(desk, change, asked)
    if not said:
        raise NeedsForm(_edit_form(desk, "change edit", change, {}))
    return rewrite(desk, change, {**content, **said})


def at_once(change: Change) -> WrongState:
    """What somebody is told who wants to give an emergency a time of its own."""
    return WrongState(
        f"{change.ref} is an emergency: it has no window of its own.",
        "It is made as soon as the glass is broken; what can wait is proposed as a normal change.",
        subject=change.ref,
    )


def _said_anew(desk: Desk, change: Change, asked: Edit) -> dict[str, Any]:
    """The parts of a content that were said, where they differ from what it says already."""
    content = content_of(desk, change)
    services = asked.service or tuple(content["services"])
    known = span_of(content)
    start = None if known and asked.start == at_words(desk, known[0]) else asked.start
    end = None if known and asked.end == at_words(desk, known[1]) else asked.end
    window = read_window(desk, start, end, services=services, known=known, length=_length(desk, change))
    said: dict[str, Any] = {
        "title": asked.title,
        "services": sorted(asked.service) if asked.service else None,
        **as_content(window),
        "because": asked.because,
        "plan": asked.plan,
        "test": asked.test,
        "backout": asked.backout,
        "implementer": asked.implementer,
    }
    return {part: value for part, value in said.items() if value is not None and value != content[part]}


def _length(desk: Desk, change: Change) -> timedelta | None:
    template = desk.policy.standard_changes.get(change.template or "")
    return timedelta(seconds=template.lasts) if template else None


def _edit_form(desk: Desk, name: str, change: Change, problems: Mapping[str, str]) -> Form:
    """The form of a command that edits, filled in with what the change says now."""
    asked = desk.ask(problems).form
    assert isinstance(asked, Form)
    content = content_of(desk, change)
    window = span_of(content)
    now = {
        "change": change.ref,
        "title": content["title"],
        "service": ", ".join(content["services"]),
        "start": at_words(desk, window[0]) if window else "",
        "end": at_words(desk, window[1]) if window else "",
        "because": content["because"],
        "plan": content["plan"],
        "test": content["test"],
        "backout": content["backout"],
        "implementer": content["implementer"],
    }
    fields = tuple(
        each.model_copy(update={"value": each.value or now.get(each.key, "")})
        for each in asked.fields
        if each.key != "change"
    )
    return asked.model_copy(
        update={"line": f"{name} {change.ref}", "fields": fields, "title": f"Edit {change.ref}"}
    )


def rewrite(desk: Desk, change: Change, content: Content, action: str = "edited") -> Outcome:
    """Let a change say this. Whoever was asked before is asked anew; a standard change keeps its authority."""
    edits = edits_between(content_of(desk, change), content)
    if not edits:
        raise WrongState(f"{change.ref} says that already.", subject=change.ref)
    if change.kind == ChangeKind.EMERGENCY and any(each.part in ("start", "end") for each in edits):
        raise at_once(change)
    if change.kind == ChangeKind.STANDARD and any(each.part in _FIXED for each in edits):
        raise WrongState(
            f"The {parts_of(edits)} of {change.ref} is settled by its template.",
            "Propose a normal change to do it in another way.",
            subject=change.ref,
        )
    void = len(desk.records.changes.votes(change.number, change.ballot))
    state = ChangeState(change.state)
    before = move(change, desk, ChangeState.DRAFT) | {"ballot": change.ballot, "seal": change.seal}
    write(desk, change, content, ballot=change.ballot + (state is not ChangeState.DRAFT))
    change.decide_by, change.stage, change.review_by = None, 0, None
    asks_anew = state not in (ChangeState.DRAFT, ChangeState.REJECTED)
    if change.kind == ChangeKind.STANDARD:
        change.state, asks_anew = str(ChangeState.APPROVED), False
    step = open_ballot(desk, change) if asks_anew else Step("")
    told = {
        "ballot": change.ballot,
        "seal": change.seal,
        "services": content["services"],
        "parts": [each.part for each in edits],
        "void": void,
        **_risk_told(change),
    }
    words = {each.part: each.now for each in edits if each.part in TEXTS}
    title = f"{change.ref} was edited: {parts_of(edits)}"
    text = "Those who decide are asked again." if step.notices else ""
    if void:
        text = f"{counted(void, 'vote')} no longer {'counts' if void == 1 else 'count'}. {text}"
    notices = [*in_thread(change, title, text=text)] if asks_anew else []
    notices += tell(desk, change, planners(change), title, text=text, tag=f"v{change.version}/edited")
    return done(
        desk,
        change,
        title,
        [record(change, action, before, told, words), *step.records],
        text=text,
        notices=[*step.notices, *notices],
        due=step.due,
        undue=[f"{change.ref}/{each}" for each in ("vote", "remind", "opens", "window", "review")],
        follow=[f"change settle {change.ref}"] if asks_anew else [],
    )


@command("change difference", params=ShowDifference)
def show_difference(asked: ShowDifference, desk: Desk) -> Reply:
    """See what was edited since an earlier edition of a change; since the last one, where none is named."""
    change = find(desk, asked.change)
    since = min(asked.since or change.ballot - 1, change.ballot)
    if since < 1:
        return Reply(title=f"{change.ref} has not been edited since anybody was asked.", subject=change.ref)
    edits = edited_since(desk, change, since)
    drawn = difference_table(desk, edits)
    title = f"{change.ref}: {parts_of(edits) or 'nothing'} was edited since edition {since}"
    return drawn.model_copy(update={"title": title, "subject": change.ref})


# Risk ---------------------------------------------------------------------------------------------


@command("change assess", params=Assess, evidences=("CM SP 2.1", "RSKM SP 2.2", "SST SP 1.1"))
def assess(asked: Assess, desk: Desk) -> Outcome:
    """Rate the risk of a change by the organisation's questions; the risk decides who must agree."""
    change = to_plan(desk, asked.change, "assess")
    if change.kind != ChangeKind.NORMAL:
        raise WrongState(f"{change.ref} is {change.kind}; only normal changes are rated.", subject=change.ref)
    rules = rules_of(desk).risk
    content = content_of(desk, change)
    asking = [
        Question(key=each.key, label=each.label, kind=FieldKind.CHOICE, options=tuple(each.answers))
        for each in rules.questions
    ]
    given = {**{key: str(answer) for key, answer in content["risk"].items()}, **asked.answers}
    good, problems = questions.check(asking, given, desk.reading())
    unknown = [name for name in asked.answers if name not in {each.key for each in asking}]
    if desk.command.draft or problems or unknown or not asked.answers:
        is_first = desk.command.draft or not asked.answers
        shown = {} if is_first else problems
        note = f"There is no question called {', '.join(unknown)}." if unknown else ""
        raise NeedsForm(_risk_form(desk, change, asking, given, shown, note), shown)
    risk = rate(rules, good)
    assert risk is not None, "every question is answered"
    if good == content["risk"]:
        return done(
            desk, change, f"The risk of {change.ref} is {risk.level} already", [], text=_because(risk)
        )
    outcome = rewrite(desk, change, {**content, "risk": good}, "assessed")
    rated = [record(change, "risk.rated", None, _risk_told(change))]
    if change.transition:
        rated.append(record(change, "transition.assessed", None, _risk_told(change)))
    reply = partial(_with_risk, outcome, desk, change, risk)
    return replace(outcome, reply=reply, changes=[*outcome.changes, *rated])


def _with_risk(outcome: Outcome, desk: Desk, change: Change, risk: Risk) -> Reply:
    said = outcome.reply() if callable(outcome.reply) else outcome.reply
    title = f"The risk of {change.ref} is {risk.level}"
    return said.model_copy(update={"title": title, "text": (f"{_because(risk)} ", *said.text)})


def _because(risk: Risk) -> str:
    heavy = [f"{label} {answer} ({points})" for label, answer, points in risk.because if points]
    return f"{risk.points} points: {'; '.join(heavy) or 'no answer weighs anything'}."


def _risk_told(change: Change) -> dict[str, Any]:
    return {"risk": change.risk, "points": change.points} if change.kind == ChangeKind.NORMAL else {}


def _risk_form(
    desk: Desk,
    change: Change,
    asking: list[Question],
    given: Mapping[str, str],
    problems: Mapping[str, str],
    note: str,
) -> Form:
    fields: tuple[FormField, ...] = questions.fields(asking, given, problems, desk.reading())
    return Form(
        title=f"Risk of {change.ref}",
        line=f"change assess {change.ref}",
        fields=fields,
        note=note or "The answers decide who must agree.",
    )


# Submitting, taking back --------------------------------------------------------------------------


@command("change submit", params=Submit, evidences=("CM SP 2.1", "RSKM SP 3.1"))
def submit(asked: Submit, desk: Desk) -> Outcome:
    """Ask those who decide; what is still missing is asked for first."""
    change = to_plan(desk, asked.change, "submit")
    content = {**content_of(desk, change), **_said_anew(desk, change, asked)}
    if not is_assessed(desk, content, change.kind):
        raise WrongState(
            f"Nobody has rated the risk of {change.ref} yet.",
            f"The risk decides who must agree: change assess {change.ref}",
            subject=change.ref,
        )
    if lacking := missing(content, change.kind):
        names = {"services": "service"}
        said = {names.get(part, part): f"{PARTS[part]}: needed before anybody is asked." for part in lacking}
        raise NeedsForm(_edit_form(desk, "change submit", change, said), said)
    window = span_of(content)
    if window is not None and window[0] < desk.now.replace(microsecond=0):
        over = past(desk, content["services"], window[1] - window[0]).problems
        raise NeedsForm(_edit_form(desk, "change submit", change, over), over)
    if content != content_of(desk, change):
        write(desk, change, content)
    before = {"state": change.state}
    step = open_ballot(desk, change)
    told = {"ballot": change.ballot, "seal": change.seal, **_risk_told(change)}
    submitted = record(change, "submitted", before, told, words_of(content))
    planned = record(change, "contingency.planned", None, {"seal": change.seal})
    return done(
        desk,
        change,
        lambda: standing(change),
        [submitted, planned, *step.records],
        notices=[*step.notices, *in_thread(change, f"{change.ref} was submitted")],
        due=step.due,
        follow=[f"change settle {change.ref}"],
    )


@command("change cancel", params=Cancel, evidences=("CM SP 2.2",))
def cancel(asked: Cancel, desk: Desk) -> Outcome:
    """Take a change back before it is made."""
    change = to_plan(desk, asked.change, "cancel")
    before = move(change, desk, ChangeState.CANCELLED)
    change.decide_by, change.review_by = None, None
    place(desk, change)
    cancelled = record(change, "cancelled", before, None, {"because": asked.because})
    title = f"{change.ref} was cancelled by {desk.asker.name}"
    notices = [
        *tell(desk, change, planners(change), title, text=asked.because or ""),
        *in_thread(change, title),
    ]
    return done(desk, change, f"{change.ref} is cancelled", [cancelled], notices=notices, undue=[change.ref])
