"""Whatever a file holds, the reader gives back a policy or a list of what to do, and soon."""

from __future__ import annotations

from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from config.loading import NAMED, WHOLE, PolicyErrors, PolicyFiles
from handlers.rules.rotation import first_gap
from tests.policy_files.writing import ON_CALL, RIGHT, write

EXAMPLE = Path(str(files("config"))) / "policies"


def loads(folder: Path) -> None:
    """A policy, or PolicyErrors with lines that say what to do; anything else is a defect."""
    answer = PolicyFiles(folder, first_gap).reload()
    if isinstance(answer, PolicyErrors):
        assert answer.problems
        assert all(problem.line >= 1 and len(problem.message) < 1000 for problem in answer.problems)
        assert all("; " in problem.message for problem in answer.problems)


FOLDER_ONCE = settings(
    max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = st.sampled_from([f"{name}.yaml" for name in (*WHOLE, *NAMED)])


@FOLDER_ONCE
@given(NAMES, st.binary(max_size=400))
@example("people.yaml", b"? ? ?\n")
@example("people.yaml", b"&a [*a]")
@example("people.yaml", b"%YAML 9.9\n---\n")
@example("people.yaml", b"a: *a\n")
@example("people.yaml", b"? &k\n: *k\n")
def test_any_bytes_are_read_or_refused(tmp_path, name, content):
    loads(write(tmp_path, {**RIGHT, **ON_CALL, "access.yaml": "", name: content}))


@FOLDER_ONCE
@given(NAMES, st.text(st.sampled_from("abk:-?#&*!|>'\"{}[],%@` \n\t~019.é\u2028"), max_size=200))
def test_any_text_in_the_letters_of_yaml_is_read_or_refused(tmp_path, name, text):
    loads(write(tmp_path, {**RIGHT, **ON_CALL, "access.yaml": "", name: text}))


TEXTS = """ann bob desk hall help mail box office always standard manager @help @nobody #desk slack discord
slack:T0123456789 C0123456789 4h 2d 0s 1h30m 09:00 17:00 24:00 mon P1 P9 resolve respond yes no choice
date 2026-01-01 2026-13-01 Europe/Berlin DE BE 0 1 -1 3.5 nan inf 99999999999999999999
closed.ics ~ rota:day daily weekly sms ntfy webhook mail chat +4930123456 https://example.org/page
day closing first incident SEV1 SEV4 high low lead communications alertmanager generic"""
INNER = """promise within calendar goal warn_at days opens closes of need on_deadline kind label options
only_if at_most country region own feed platform workspace user warning breach title agent
staff ann desk P1 P2 people starts turn hours closed_days_of notify wait way to after high medium low
SEV1 SEV3 page ack_lapses roles state resolved"""
FIELDS = {field.name for shape in (*WHOLE.values(), *NAMED.values()) for field in fields(shape)}
WORDS = st.sampled_from(TEXTS.split()) | st.text(max_size=8)
KEYS = st.sampled_from(sorted(FIELDS | set(INNER.split())))
VALUES = st.recursive(
    WORDS | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@FOLDER_ONCE
@given(st.dictionaries(NAMES, st.dictionaries(KEYS | WORDS, VALUES, max_size=4), min_size=1, max_size=3))
def test_any_values_in_any_place_are_read_or_refused(tmp_path, said):
    loads(
        write(tmp_path, {**RIGHT, **ON_CALL, "access.yaml": "", **{n: yaml.safe_dump(said[n]) for n in said}})
    )


@settings(FOLDER_ONCE, max_examples=60)
@given(st.data())
def test_any_one_line_of_the_example_may_be_lost_or_doubled(tmp_path, data):
    texts = {path.name: path.read_text(encoding="utf-8") for path in EXAMPLE.glob("*.yaml")}
    name = data.draw(st.sampled_from(sorted(texts)))
    lines = texts[name].splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at : at + 1] = data.draw(st.sampled_from([[], [lines[at]] * 2]))
    loads(write(tmp_path, {**texts, name: "\n".join(lines)}))
