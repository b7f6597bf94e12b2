"""Impact analysis: what an outage of a service does over time, and what its owner promises from that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from config.policy import ContinuityRules, FieldKind, Harm, Service
from config.policy import FormField as Question
from handlers import questions
from handlers.continuity.shared import (
    ANALYSIS,
    AnalysisRef,
    find_analysis,
    for_practice,
    record,
    rules_of,
    service_name,
    today_of,
)
from handlers.declare import Change as Record
from handlers.declare import Outcome, Standing, command, subject
from handlers.desk import Desk
from handlers.errors import NeedsForm
from handlers.messages import (
    Button,
    FieldInput,
    Form,
    FormField,
    Reply,
    Style,
    Table,
    Tone,
    Words,
    facts,
)
from handlers.parsing import Answers, Duration, Manner, ServiceKey, Text
from handlers.rules.impact import Broken, Promise, bearable, broken, criticality, shrinks
from handlers.rules.moments import show_duration
from handlers.rules.workflow import AnalysisState
from handlers.telling import show_button, tell
from handlers.tickets import require_works
from handlers.timeline import timeline
from storage.models.continuity import ImpactAnalysis

_HARMS = tuple(str(harm) for harm in Harm)


@dataclass(frozen=True)
class Analyse:
    """For example: continuity impact mail down_1h:minor down_4h:serious down_8h:unbearable lost_15m:none rpo:15m"""

    service: ServiceKey
    rto: Annotated[Duration | None, Manner.BY_NAME, "Back within less than the harm allows"] = None
    rpo: Annotated[Duration | None, Manner.BY_NAME, "Less data lost than the harm allows"] = None
    resources: Annotated[Text | None, Manner.BY_NAME, "What it needs, what is missed first in front"] = None
    answers: Answers = None  # type: ignore[assignment]  # always given by the parser


@dataclass(frozen=True)
class ShowAnalysis:
    """For example: continuity analysis BIA-1"""

    analysis: AnalysisRef


# Analysing ----------------------------------------------------------------------------------------


def _span(seconds: int) -> str:
    return show_duration(timedelta(seconds=seconds))


def _questions(rules: ContinuityRules) -> list[Question]:
    """One question for each band; what comes after the first unbearable one need not be answered."""
    kinds = (
        ("down", rules.outage, "Away for {}: what harm?"),
        ("lost", rules.loss, "Data of {} lost: what harm?"),
    )
    return [
        Question(
            key=f"{kind}_{_span(band)}",
            label=label.format(_span(band)),
            kind=FieldKind.CHOICE,
            options=_HARMS,
            required=False,
        )
        for kind, bands, label in kinds
        for band in bands
    ]


@command(
    "continuity impact",
    params=Analyse,
    evidences=("SCON SP 1.1", "SCON SP 1.2", "RSKM SP 2.2"),
    own_form=True,
)
def analyse(asked: Analyse, desk: Desk) -> Outcome:
    """Say what harm an outage of a service does over time; its owner signs what follows from that."""
    rules = rules_of(desk)
    require_works(desk, "Impact is analysed")
    service = desk.policy.services[asked.service]
    asking = _questions(rules)
    good, problems = questions.check(asking, asked.answers, desk.reading())
    unknown = [name for name in asked.answers if name not in {each.key for each in asking}]
    if unknown:
        problems["service"] = f"There is no question called {', '.join(unknown)}."
    if desk.command.draft or problems or not asked.answers:
        is_first = desk.command.draft or not asked.answers
        raise NeedsForm(_form(desk, service, asking, asked, {} if is_first else problems), problems)
    outage, loss = _harm("down", rules.outage, good), _harm("lost", rules.loss, good)
    rto, rpo, more = _targets(asked, outage, loss)
    if more:
        raise NeedsForm(_form(desk, service, asking, asked, more), more)
    assert rto is not None, "what is missing was asked for"
    word = criticality(rto, rules.criticality)
    analysis = ImpactAnalysis(
        number=desk.records.counters.next(ANALYSIS),
        service=service.key,
        state=str(AnalysisState.DRAFT),
        outage={str(band): str(harm) for band, harm in outage.items()},
        loss={str(band): str(harm) for band, harm in loss.items()},
        rto=rto,
        rpo=rpo,
        criticality=str(word),
        resources=asked.resources or "",
        author=desk.asker.key,
        written_at=desk.now,
    )
    desk.records.continuity.add(analysis)
    title = f"{analysis.ref} needs your signature: {service.name} back within {_span(rto)}"
    return Outcome(
        reply=lambda: _answer(desk, analysis),
        changes=list(_records(analysis, service, asked.resources)),
        notices=tell(
            desk,
            analysis,
            [service.owner],
            title,
            tag="written",
            details=facts(("Criticality", str(word)), ("Data lost at most", _span(rpo) if rpo else None)),
            buttons=(_sign_button(analysis),),
            while_in=(AnalysisState.DRAFT,),
        ),
    )


def _harm(kind: str, bands: Iterable[int], good: Mapping[str, str]) -> dict[int, Harm]:
    """The answers by band; after the first unbearable one, everything is."""
    found: dict[int, Harm] = {}
    for band in bands:
        answer = good.get(f"{kind}_{_span(band)}")
        if answer is not None:
            found[band] = Harm(answer)
        elif Harm.UNBEARABLE in found.values():
            found[band] = Harm.UNBEARABLE
    return found


def _targets(
    asked: Analyse, outage: Mapping[int, Harm], loss: Mapping[int, Harm]
) -> tuple[int | None, int | None, dict[str, str]]:
    """The recovery time and point that follow, in seconds, and what is wrong, by field."""
    problems: dict[str, str] = {}
    for kind, harm in (("down", outage), ("lost", loss)):
        if backwards := shrinks(harm):
            shorter, longer = (_span(band) for band in backwards)
            problems[f"{kind}_{longer}"] = f"It cannot do less harm than after {shorter}."
    rto = _target("rto", asked.rto, outage, problems, needed=True)
    rpo = _target("rpo", asked.rpo, loss, problems, needed=bool(loss))
    return rto, rpo, problems


def _target(
    name: str, said: timedelta | None, harm: Mapping[int, Harm], problems: dict[str, str], *, needed: bool
) -> int | None:
    longest = bearable(harm)
    if said is not None:
        seconds = int(said.total_seconds())
        if longest is not None and seconds > longest:
            problems[name] = f"The harm allows no more than {_span(longest)}."
        elif longest is None and harm and seconds >= min(harm):
            problems[name] = f"After {_span(min(harm))} it cannot be borne any more; say less."
        return seconds
    if longest is None and needed:
        problems[name] = (
            "Even the shortest of these cannot be borne: how much can?" if harm else "Answer these first."
        )
    return longest


def _form(
    desk: Desk, service: Service, asking: list[Question], asked: Analyse, problems: Mapping[str, str]
) -> Form:
    fields: tuple[FormField, ...] = questions.fields(asking, asked.answers, problems, desk.reading())
    own = tuple(
        FormField(
            key=key,
            label=label,
            input=input_,
            required=False,
            value=value,
            help=help_,
            error=problems.get(key, ""),
        )
        for key, label, input_, value, help_ in (
            (
                "rto",
                "Back within (RTO)",
                FieldInput.LINE,
                _shown(asked.rto),
                "Left out, it follows from the harm",
            ),
            (
                "rpo",
                "Data lost at most (RPO)",
                FieldInput.LINE,
                _shown(asked.rpo),
                "Left out, it follows from the harm",
            ),
            (
                "resources",
                "What it needs",
                FieldInput.TEXT,
                asked.resources or "",
                "What is missed first in front",
            ),
        )
    )
    return Form(
        title=f"Impact of {service.name}"[:45],
        line=f"continuity impact {service.key}",
        fields=(*fields, *own),
        note=problems.get(
            "service", "What harm is done over time? After “unbearable” the rest may be left out."
        ),
    )


def _shown(length: timedelta | None) -> str:
    return show_duration(length) if length else ""


def _records(analysis: ImpactAnalysis, service: Service, resources: str | None) -> Iterable[Record]:
    told = {
        "service": service.key,
        "rto": analysis.rto,
        "rpo": analysis.rpo,
        "criticality": analysis.criticality,
        "outage": analysis.outage,
        "loss": analysis.loss,
    }
    of = {"service": service.key}
    yield for_practice("SCON SP 1.1", record(analysis, "impact_analysis.completed", None, told))
    rated = record(analysis, "risk.rated", None, {**of, "criticality": analysis.criticality})
    yield for_practice("RSKM SP 2.2", rated)
    if resources:
        ranked = record(analysis, "essential_resource.ranked", None, of, {"resources": resources})
        yield for_practice("SCON SP 1.2", ranked)
    if service.depends_on:
        below = record(analysis, "dependency.recorded", None, {**of, "rests_on": list(service.depends_on)})
        yield for_practice("SCON SP 1.2", below)


# Promises -----------------------------------------------------------------------------------------


def promises_of(signed: Mapping[str, ImpactAnalysis]) -> dict[str, Promise]:
    """What the owners have signed, by service."""
    return {key: Promise(each.rto, each.rpo) for key, each in signed.items()}


def broken_by(desk: Desk, analysis: ImpactAnalysis | None = None) -> list[Broken]:
    """The promises that cannot be kept because of what a service rests on, if this analysis were signed, too."""
    promises = promises_of(desk.records.continuity.signed_analyses())
    if analysis is not None:
        promises[analysis.service] = Promise(analysis.rto, analysis.rpo)
    rests_on = {key: each.depends_on for key, each in desk.policy.services.items()}
    found = broken({key: each for key, each in promises.items() if key in rests_on}, rests_on)
    return (
        found
        if analysis is None
        else [each for each in found if analysis.service in (each.path[0], each.path[-1])]
    )


def broken_words(desk: Desk, each: Broken) -> str:
    """A broken promise as a sentence, with the path."""
    path = " → ".join(service_name(desk, key) for key in each.path)
    last, first = service_name(desk, each.path[-1]), service_name(desk, each.path[0])
    return (
        f"{first} would promise an {each.what} of {_span(each.promised)}, and rests on {last}, "
        f"which promises {_span(each.beneath)} ({path})."
    )


# Looking ------------------------------------------------------------------------------------------


def _sign_button(analysis: ImpactAnalysis) -> Button:
    return Button(label="Sign", line=f"continuity approve {analysis.ref}", style=Style.PRIMARY)


def card(desk: Desk, analysis: ImpactAnalysis) -> Reply:
    """An impact analysis: the harm over time, and what follows from it."""
    service = desk.policy.services.get(analysis.service)
    state = AnalysisState(analysis.state)
    late = service and analysis.review_on and analysis.review_on < today_of(desk).isoformat()
    return Reply(
        title=f"{analysis.ref} · Impact of {service_name(desk, analysis.service)}",
        tone=Tone.GOOD if state is AnalysisState.SIGNED else Tone.WAITING,
        facts=facts(
            (
                "State",
                state.shown if service else f"{state.shown}; there is no service {analysis.service} any more",
            ),
            ("Back within (RTO)", _span(analysis.rto)),
            ("Data lost at most (RPO)", _span(analysis.rpo) if analysis.rpo else "not said"),
            ("Criticality", analysis.criticality),
            ("Owner", desk.who(service.owner) if service else None),
            ("Written by", desk.who(analysis.author)),
            ("Signed by", desk.who(analysis.signed_by)),
            ("Signed", desk.at(analysis.signed_at)),
            (
                "Review by",
                f"{analysis.review_on}{' (overdue)' if late else ''}" if analysis.review_on else None,
            ),
            ("What it needs", analysis.resources),
        ),
        table=Table(
            columns=("For so long", "Away", "Newest data lost"),
            rows=tuple(_rows(analysis)),
        ),
        buttons=_buttons(analysis, state) if service else (),
        subject=analysis.ref,
        version=analysis.version,
        as_of=desk.now,
    )


def _buttons(analysis: ImpactAnalysis, state: AnalysisState) -> tuple[Button, ...]:
    if state is AnalysisState.DRAFT:
        return (_sign_button(analysis),)
    return (Button(label="Analyse anew", line=f"continuity impact {analysis.service}"),)


def _rows(analysis: ImpactAnalysis) -> Iterable[tuple[Words, ...]]:
    outage: Mapping[str, Any] = analysis.outage
    loss: Mapping[str, Any] = analysis.loss
    for band in sorted({*map(int, outage), *map(int, loss)}):
        yield (_span(band),), (outage.get(str(band), "—"),), (loss.get(str(band), "—"),)


def _answer(desk: Desk, analysis: ImpactAnalysis) -> Reply:
    unknown = [
        service_name(desk, key)
        for key in desk.policy.services[analysis.service].depends_on
        if key not in desk.records.continuity.signed_analyses()
    ]
    said = [broken_words(desk, each) for each in broken_by(desk, analysis)]
    if unknown:
        said.append(f"Nobody has signed yet how soon {', '.join(unknown)} must be back, on which it rests.")
    title = (
        f"{analysis.ref}: {service_name(desk, analysis.service)} must be back within {_span(analysis.rto)}"
    )
    return card(desk, analysis).model_copy(
        update={"title": title, "text": (" ".join(said),) if said else (), "tone": Tone.GOOD}
    )


@subject(ANALYSIS)
def look(ref: str, desk: Desk) -> Standing:
    """How an impact analysis stands now."""
    analysis = find_analysis(desk, ref)
    room = desk.policy.continuity.room if desk.policy.continuity else desk.policy.organisation.owner_room
    return Standing(analysis.ref, analysis.state, analysis.version, lambda: card(desk, analysis), room)


@command("continuity analysis", params=ShowAnalysis, shows=True)
def show_analysis(asked: ShowAnalysis, desk: Desk) -> Reply:
    """See an impact analysis: the harm over time, what follows from it, who signed it."""
    analysis = find_analysis(desk, asked.analysis)
    others = [
        each for each in desk.records.continuity.analyses_of(analysis.service) if each.ref != analysis.ref
    ]
    return card(desk, analysis).model_copy(
        update={
            "more": (timeline(desk, analysis.ref, ("resources", "because")),),
            "buttons": (*card(desk, analysis).buttons, *(show_button(each.ref) for each in others[:3])),
        }
    )


def open_analyses(desk: Desk) -> Sequence[ImpactAnalysis]:
    """The analyses that wait for the asker's signature."""
    return [
        each
        for each in desk.records.continuity.unsigned_analyses()
        if each.service in desk.policy.services and desk.policy.services[each.service].owner == desk.asker.key
    ]
