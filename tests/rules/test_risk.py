"""Is a change as risky as the organisation's own points say?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.policy import Level, RiskQuestion, RiskRules
from handlers.rules.risk import Risk, rate, unanswered

RULES = RiskRules(
    questions=(
        RiskQuestion("reach", "Who notices?", {"one": 0, "several": 2, "all": 4}),
        RiskQuestion("tried", "Done before?", {"often": 0, "once": 1, "never": 4}),
        RiskQuestion("undone", "Undone?", {"at once": 0, "not at all": 5}),
    ),
    medium=4,
    high=8,
)


def risk_of(answers: dict[str, str]) -> Risk:
    found = rate(RULES, answers)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("reach", "tried", "undone", "points", "level"),
    [
        ("one", "often", "at once", 0, Level.LOW),
        ("several", "once", "at once", 3, Level.LOW),
        ("all", "often", "at once", 4, Level.MEDIUM),
        ("several", "once", "not at all", 8, Level.HIGH),
        ("several", "often", "not at all", 7, Level.MEDIUM),
        ("all", "never", "at once", 8, Level.HIGH),
        ("all", "never", "not at all", 13, Level.HIGH),
    ],
)
def test_the_points_of_all_answers_make_the_risk(reach, tried, undone, points, level):
    risk = risk_of({"reach": reach, "tried": tried, "undone": undone})
    assert (risk.points, risk.level) == (points, level)


def test_the_heaviest_answer_is_told_first():
    risk = risk_of({"reach": "several", "tried": "often", "undone": "not at all"})
    assert risk.because[0] == ("Undone?", "not at all", 5)
    assert [points for _, _, points in risk.because] == [5, 2, 0]


def test_what_is_not_answered_is_not_small():
    assert rate(RULES, {"reach": "one", "tried": "often"}) is None
    assert rate(RULES, {"reach": "one", "tried": "often", "undone": "perhaps"}) is None
    assert unanswered(RULES, {"reach": "one", "undone": "perhaps"}) == ["tried", "undone"]


@given(st.data())
def test_a_heavier_answer_never_makes_a_change_less_risky(data):
    answers = {each.key: data.draw(st.sampled_from(sorted(each.answers))) for each in RULES.questions}
    question = data.draw(st.sampled_from(RULES.questions))
    heavier = max(question.answers, key=lambda answer: question.answers[answer])
    order = list(reversed(Level))  # low, medium, high
    before, after = risk_of(answers), risk_of({**answers, question.key: heavier})
    assert order.index(after.level) >= order.index(before.level)
    assert after.points >= before.points
