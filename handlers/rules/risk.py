"""How risky a change is: the points of its answers together, against the organisation's thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.policy import Level, RiskRules


@dataclass(frozen=True)
class Risk:
    """A risk with its points, and which answers weigh how much (`because`: label, answer, points), heaviest first."""

    level: Level
    points: int
    because: tuple[tuple[str, str, int], ...]


def unanswered(rules: RiskRules, answers: Mapping[str, str]) -> list[str]:
    """The keys of the questions that have no answer the rules know."""
    return [each.key for each in rules.questions if answers.get(each.key) not in each.answers]


def rate(rules: RiskRules, answers: Mapping[str, str]) -> Risk | None:
    """The risk by these answers; None while a question is unanswered: what is not known is not small."""
    if unanswered(rules, answers):
        return None
    weighed = [(each.label, answers[each.key], each.answers[answers[each.key]]) for each in rules.questions]
    points = sum(weight for _, _, weight in weighed)
    level = Level.HIGH if points >= rules.high else Level.MEDIUM if points >= rules.medium else Level.LOW
    return Risk(level, points, tuple(sorted(weighed, key=lambda each: -each[2])))
