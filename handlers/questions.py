"""The questions of an offering's form: which are asked given the answers so far, and what the answers mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from config.policy import FieldKind
from config.policy import FormField as Question
from handlers.errors import BadValue, TooLarge
from handlers.messages import FieldInput, FormField, Option
from handlers.parsing import Choice, DateKind, Free, ParameterKind, PersonKind, Reading, WholeNumber

_INPUTS = {
    FieldKind.TEXT: FieldInput.LINE,
    FieldKind.LONG: FieldInput.TEXT,
    FieldKind.CHOICE: FieldInput.CHOICE,
    FieldKind.DATE: FieldInput.DATE,
    FieldKind.PERSON: FieldInput.PERSON,
    FieldKind.YES_NO: FieldInput.YES_NO,
    FieldKind.NUMBER: FieldInput.NUMBER,
}
_LIMITS = {FieldKind.TEXT: 200, FieldKind.LONG: 3000}


def asked(questions: Sequence[Question], answers: Mapping[str, str]) -> Iterator[Question]:
    """The questions that these answers call for, in order; one that depends on an unasked question is not asked."""
    shown: set[str] = set()
    for question in questions:
        if all(
            key in shown and _same(answers.get(key, ""), wanted) for key, wanted in question.only_if.items()
        ):
            shown.add(question.key)
            yield question


def _same(answer: str, wanted: str) -> bool:
    yes = {"true": "yes", "false": "no"}
    return yes.get(answer.strip().lower(), answer.strip().lower()) == yes.get(wanted.lower(), wanted.lower())


def check(
    questions: Sequence[Question], answers: Mapping[str, str], reading: Reading
) -> tuple[dict[str, str], dict[str, str]]:
    """The answers in their canonical text, by key, and the problems by key; what is not asked is left out."""
    good: dict[str, str] = {}
    problems: dict[str, str] = {}
    for question in asked(questions, answers):
        text = answers.get(question.key, "").strip()
        if not text:
            if question.required:
                problems[question.key] = f"{question.label} is needed."
            continue
        try:
            good[question.key] = str(_kind(question).read(text, reading))
        except (BadValue, TooLarge) as error:
            problems[question.key] = f"{error.what} {error.then}".strip()
    return good, problems


def fields(
    questions: Sequence[Question], answers: Mapping[str, str], problems: Mapping[str, str], reading: Reading
) -> tuple[FormField, ...]:
    """The form fields for the questions that are asked now, filled in with the answers so far."""
    steering = {key for question in questions for key in question.only_if}
    return tuple(
        FormField(
            key=question.key,
            label=question.label,
            input=_INPUTS[question.kind],
            required=question.required,
            options=tuple(_options(question, reading)),
            value=answers.get(question.key, ""),
            help=question.help,
            at_most=question.at_most or _LIMITS.get(question.kind, 200),
            error=problems.get(question.key, ""),
            steers=question.key in steering,
        )
        for question in asked(questions, answers)
    )


def _options(question: Question, reading: Reading) -> Sequence[Option]:
    return _kind(question).options(reading)


def _kind(question: Question) -> ParameterKind:
    match question.kind:
        case FieldKind.CHOICE:
            return Choice(question.options)
        case FieldKind.YES_NO:
            return Choice(("yes", "no"))
        case FieldKind.DATE:
            return DateKind(ahead=question.ahead)
        case FieldKind.PERSON:
            return PersonKind()
        case FieldKind.NUMBER:
            return WholeNumber(question.at_least, question.at_most or 999_999_999)
        case _:
            return Free(at_most=question.at_most or _LIMITS[question.kind])
