"""Every kind of fault is told with its file, its line, its key and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from config.loading import PolicyErrors, load
from config.reading import MOST_ALIASES, MOST_BYTES
from handlers.rules.rotation import first_gap
from tests.policy_files.writing import ON_CALL, RIGHT, write

BASES: Mapping[str, Mapping[str, str]] = {
    "faults.yaml": RIGHT,
    "faults_on_call.yaml": {**RIGHT, **ON_CALL},
    "faults_continuity.yaml": RIGHT,
}
WRITTEN = [
    pytest.param(right, case, id=case["fault"])
    for file, right in BASES.items()
    for case in yaml.safe_load((Path(__file__).parent / file).read_text(encoding="utf-8"))
]

# Ten values, and nine times as many with each line that follows.
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcde", "bcdef", strict=True)
)

MADE: Mapping[str, tuple[str | bytes, str]] = {
    "an alias bomb": (BOMB, "rooms.yaml:5: holds more than 20000 values with its aliases; make it smaller"),
    "too many aliases": (
        "desk: &a\n  name: Desk\n" + "".join(f"r{n}: *a\n" for n in range(MOST_ALIASES + 1)),
        "rooms.yaml:53: uses more than 50 aliases; write the values out",
    ),
    "a deep nest": (
        "desk:\n  name: " + "[" * 900 + "]" * 900 + "\n",
        "rooms.yaml:2: nests more than 12 levels deep; a policy needs no more",
    ),
    "a byte order mark": (
        b"\xef\xbb\xbfdesk:\n  name: Desk\n",
        "rooms.yaml:1: begins with a byte order mark; save it as UTF-8 without one",
    ),
    "another encoding": (
        "desk:\n  name: Büro\n".encode("latin-1"),
        "rooms.yaml:2: is not UTF-8 here; save it as UTF-8",
    ),
    "mixed line ends": (
        b"desk:\n  name: Desk\r\nhall:\n  name: Hall\n",
        "rooms.yaml:2: ends in another way than the first line; save the file with one kind of line end",
    ),
    "a line end that editors do not count": (
        "desk:\n  name: De\u2028sk\n",
        "rooms.yaml:2: ends in another way than the first line; save the file with one kind of line end",
    ),
    "an unprintable character": (
        "desk:\n  name: De\x07sk\n",
        "rooms.yaml:2: holds the unprintable character U+0007; take it out",
    ),
    "a file too large": (
        "desk:\n  name: Desk\n" + "#\n" * (MOST_BYTES // 2),
        "rooms.yaml:1: is larger than 256 KiB; split it or take out what is not needed",
    ),
    "a hundred thousand columns": (
        "desk:\n  name: Desk # " + "x" * 100_000 + "\n",
        "rooms.yaml:2: is longer than 2000 characters; break the line",
    ),
    "a text too long": (
        RIGHT["rooms.yaml"] + f"hall:\n  name: {'h' * 151}\n",
        "rooms.yaml:4: hall.name: has more than 150 characters; shorten it",
    ),
}


def faults(folder: Path) -> list[str]:
    with pytest.raises(PolicyErrors) as caught:
        load(folder, first_gap)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(("right", "case"), WRITTEN)
def test_a_fault_in_a_file_is_told_by_its_line_and_nothing_else_is(right, case, tmp_path):
    text = case["instead"] if "instead" in case else right[case["file"]] + case["added"]
    assert faults(write(tmp_path, {**right, case["file"]: text})) == [case["told"]]


@pytest.mark.parametrize("name", MADE)
def test_a_file_that_would_harm_a_reader_is_refused_by_its_line(name, tmp_path):
    content, told = MADE[name]
    assert faults(write(tmp_path, {"rooms.yaml": content})) == [told]


def test_a_million_columns_are_refused(tmp_path):
    content = "desk: {" + ",".join(f"c{n}: x" for n in range(1_000_000)) + "}\n"
    told = "rooms.yaml:1: is larger than 256 KiB; split it or take out what is not needed"
    assert faults(write(tmp_path, {"rooms.yaml": content})) == [told]


def test_the_policy_that_the_faults_are_made_from_is_right(tmp_path):
    assert load(write(tmp_path, {})).people["bob"].manager == "ann"
    assert load(write(tmp_path, ON_CALL), first_gap).incidents is not None


def test_problems_of_several_files_are_told_together_in_the_order_of_files_and_lines(tmp_path):
    folder = write(
        tmp_path,
        {
            "teams.yaml": "help:\n  name: Help\n  members: [ann, bob]\n  room: dsk\n  colour: red\n",
            "people.yaml": "ann:\n  name: Ann\n  zone: Mars\n  manager: bob\nbob:\n  nam: Bob\n",
            "rooms.yaml": "desk:\n  name: Desk\nhall:\n  name: Hall\n  places: C1\n",
            "agreements.yaml": "standard: none\n",
        },
    )
    assert faults(folder) == [
        "agreements.yaml:1: standard: is not a mapping; write its keys below it, each with a colon",
        "people.yaml:3: ann.zone: 'Mars' is no IANA time zone; write for example Europe/Berlin",
        "people.yaml:5: bob.name: is missing; add it",
        "people.yaml:6: bob.nam: is not known here; did you mean 'name'?",
        "rooms.yaml:5: hall.places: is not a mapping; write its keys below it, each with a colon",
        "teams.yaml:5: help.colour: is not known here; known are name, members, room, lead, load",
    ]


def test_what_refers_to_a_file_that_cannot_be_read_is_not_blamed_for_it(tmp_path):
    said = faults(write(tmp_path, {"rooms.yaml": b"\xff"}))
    assert said == ["rooms.yaml:1: is not UTF-8 here; save it as UTF-8"]


def test_a_thing_that_is_wrong_itself_can_still_be_referred_to(tmp_path):
    said = faults(write(tmp_path, {"rooms.yaml": "desk:\n  nam: Desk\n  name: Desk\n"}))
    assert said == ["rooms.yaml:2: desk.nam: is not known here; did you mean 'name'?"]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    said = faults(tmp_path / "nowhere")
    assert said == ["nowhere:1: is not a folder; name the folder of the policy's YAML files"]


def test_a_folder_without_an_organisation_is_told(tmp_path):
    assert faults(tmp_path) == ["organisation.yaml:1: is missing; write name, zone and the two rooms in it"]


def test_a_problem_knows_its_file_line_and_key(tmp_path):
    write(tmp_path, {"rooms.yaml": "desk:\n  name: Desk\nhall:\n  title: Hall\n  name: Hall\n"})
    with pytest.raises(PolicyErrors) as caught:
        load(tmp_path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.key) == ("rooms.yaml", 4, "hall.title")


def test_a_line_of_an_alias_is_named_where_it_is_used(tmp_path):
    text = "desk: &base\n  name: Desk\n  colour: red\nhall: *base\n"
    said = faults(write(tmp_path, {"rooms.yaml": text}))
    assert [line.split(" is not")[0] for line in said] == [
        "rooms.yaml:3: desk.colour:",
        "rooms.yaml:4: hall.colour:",
    ]


def test_every_circle_is_told_once(tmp_path):
    text = "".join(
        f"{who}:\n  name: X\n  manager: {manager}\n"
        for who, manager in [("a", "b"), ("b", "a"), ("c", "d"), ("d", "e"), ("e", "c"), ("f", "a")]
    )
    said = faults(write(tmp_path, {"people.yaml": RIGHT["people.yaml"] + text}))
    assert said == [
        "people.yaml:8: a.manager: leads back to itself (a → b → a); break the circle",
        "people.yaml:14: c.manager: leads back to itself (c → d → e → c); break the circle",
    ]


def test_thousands_of_faults_are_all_told_and_the_first_hundred_with_a_guess(tmp_path):
    text = "".join(f"person{n}: {{name: P, manager: persona{n}}}\n" for n in range(3000))
    said = faults(write(tmp_path, {"people.yaml": RIGHT["people.yaml"] + text}))
    assert len(said) == 3000
    assert sum("did you mean" in line for line in said) == 100
