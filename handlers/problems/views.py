"""Looking: one problem in full, lists with paging, and how a problem stands for its card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from handlers.declare import Standing, command, subject, suggestions
from handlers.desk import Desk
from handlers.listing import PAGE, listing, skipped
from handlers.messages import Option, Reply, Table, Words
from handlers.parsing import Choice, Text, WholeNumber
from handlers.problems.shared import OPENS, PREFIX, ProblemRef, belonging, card, find, is_worker, room_of
from handlers.rules.moments import show_day
from handlers.rules.workflow import UNSOLVED
from handlers.timeline import timeline
from storage.models.problems import Problem

_SAID = ("title", "what_happened", "workaround", "symptom", "how", "shown_by", "because")
_WHOSE = {
    "mine": "the problems you follow",
    "team": "your team's open problems",
    "open": "open problems",
    "known": "known errors",
    "all": "problems",
}
_QUESTIONS = {
    "category": "Root cause",
    "what_happened": "What happened",
    "factors": "What contributed",
    "support": "How it is known",
}


@dataclass(frozen=True)
class Show:
    """For example: problem show PRB-1"""

    problem: ProblemRef


@dataclass(frozen=True)
class List:
    """For example: problem list team"""

    scope: Annotated[str, Choice(("mine", "team", "open", "known", "all")), "Whose problems"] = "mine"
    about: Annotated[Text | None, "Words to look for"] = None
    page: Annotated[int, WholeNumber(1, 10_000)] = 1


@subject(PREFIX)
def look(ref: str, desk: Desk) -> Standing:
    """How a problem stands now."""
    problem = find(desk, ref)
    return Standing(problem.ref, problem.state, problem.version, card(desk, problem), room_of(desk, problem))


@suggestions(PREFIX)
def suggest(desk: Desk) -> Sequence[Option]:
    """The problems that the asker is likely to mean: what they follow, and their teams' open ones."""
    records = desk.records.problems
    mine = records.listed(follower=desk.asker.key, at_most=25)[0]
    teams = records.listed(states=UNSOLVED, teams=sorted(desk.asker.teams), at_most=25)[0]
    found = {each.number: each for each in (*mine, *teams)}
    return [Option(label=f"{each.ref} {each.title}"[:100], value=each.ref) for each in found.values()]


@command("problem show", params=Show)
def show(asked: Show, desk: Desk) -> Reply:
    """See a problem in full: its cause, what belongs to it, what was done, what happened."""
    problem = find(desk, asked.problem)
    drawn = card(desk, problem)
    buttons = drawn.buttons if is_worker(desk.asker, problem) else ()
    sections = (*_sections(desk, problem), timeline(desk, problem.ref, _SAID))
    return drawn.model_copy(update={"private": True, "buttons": buttons, "more": sections})


def _sections(desk: Desk, problem: Problem) -> Iterator[Reply]:
    if problem.cause:
        said = [(question, problem.cause.get(key)) for key, question in _QUESTIONS.items()]
        rows = tuple(((question,), (text,)) for question, text in said if text)
        yield Reply(title="Its cause", table=Table(columns=("Question", "Answer"), rows=rows))
    helps = (("Symptom", problem.symptom), ("Workaround", problem.workaround))
    if rows := tuple(((what,), (text,)) for what, text in helps if text):
        yield Reply(title="Until it is solved", table=Table(columns=("What", "Said"), rows=rows))
    if belongs := belonging(desk, problem):
        linked: tuple[tuple[Words, ...], ...] = tuple(
            ((ref,), (desk.at(at) or "",)) for ref, at in belongs.items()
        )
        yield Reply(title="What belongs to it", table=Table(columns=("Ticket", "Linked"), rows=linked))
    if actions := desk.records.actions.of(problem.ref):
        owed = tuple(
            (
                (each.ref,),
                (each.what,),
                (desk.directory.who_is(each.owner),),
                (show_day(date.fromisoformat(each.due)),),
                (each.state,),
            )
            for each in actions
        )
        yield Reply(
            title="What is done about it",
            table=Table(columns=("Action", "What", "Owner", "By", "State"), rows=owed),
        )


@command("problem list", params=List)
def list_problems(asked: List, desk: Desk) -> Reply:
    """See problems: those you follow, your team's, all open ones, known errors, or all you may see."""
    asker = desk.asker
    wide = bool(OPENS & asker.roles)
    only_mine = asked.scope == "mine" or (not wide and not asker.teams)
    only_team = asked.scope == "team" or not wide
    found, total = desk.records.problems.listed(
        states=() if asked.scope in ("mine", "all") else UNSOLVED,
        follower=asker.key if only_mine else None,
        teams=sorted(asker.teams) if only_team and not only_mine else None,
        known=asked.scope == "known",
        text=asked.about,
        skip=skipped(asked.page),
        at_most=PAGE,
    )
    return listing(
        asked,
        "problem list",
        _WHOSE[asked.scope],
        ("Problem", "What", "State", "Service", "Helped"),
        tuple(_row(desk, each) for each in found),
        total,
        "No such problems.",
    )


def _row(desk: Desk, problem: Problem) -> tuple[Words, ...]:
    service = desk.policy.services.get(problem.service)
    return (
        (problem.ref,),
        (problem.title,),
        (problem.state + (", known error" if problem.known else ""),),
        (service.name if service else problem.service,),
        (str(problem.helped) if problem.helped else "",),
    )
