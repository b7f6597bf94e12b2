"""Is the house of config in order: what it imports, what it ships, and the vocabulary of the model?"""

from __future__ import annotations

import ast
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from config import vocabulary
from config.vocabulary import Framework, crosswalk, event_practices, evidence, practices, process_areas

CONFIG = Path(str(files("config")))
MODULES = sorted(CONFIG.glob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_the_types_of_a_policy_read_nothing():
    for name in ("policy.py", "definitions.py"):
        read = {module.split(".")[0] for module in imports(CONFIG / name)} & {
            "os",
            "pathlib",
            "yaml",
            "importlib",
        }
        assert not read, name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_config_knows_nothing_of_those_who_use_it(path):
    assert not {module for module in imports(path) if module.split(".")[0] in {"bot", "handlers", "storage"}}


@pytest.mark.parametrize("name", ["cmmi_svc.yaml", "crosswalk.yaml", "evidence.yaml"])
def test_every_file_of_the_model_names_its_sources(name):
    said = yaml.safe_load((CONFIG / name).read_text(encoding="utf-8"))
    assert said["sources"]
    assert all(source["url"].startswith("http") for source in said["sources"])


# The model's own totals: CMU/SEI-2010-TR-034 has 24 process areas; goals and practices were counted.
def test_the_model_is_whole():
    goals = [goal for area in process_areas().values() for goal in area.goals]
    specific = [practice for practice in practices().values() if practice.area is not None]
    assert len(process_areas()) == 24
    assert len(goals) == 53
    assert len(specific) == 181
    assert len(practices()) - len(specific) == 13
    assert [area.code for area in process_areas().values() if area.addition] == ["SSD"]


def test_levels_and_categories_are_the_models():
    levels = [area.maturity_level for area in process_areas().values()]
    assert [levels.count(level) for level in (2, 3, 4, 5)] == [8, 12, 2, 2]
    categories = [area.category for area in process_areas().values()]
    assert sorted(categories.count(category) for category in set(categories)) == [5, 5, 5, 9]


def test_a_practice_is_found_by_its_code():
    assert practices()["SD SP 3.1"].title == "Receive and Process Service Requests"
    assert practices()["SD SP 3.1"].area == "SD"
    assert practices()["SD SP 3.1"].goal == "SD SG 3"
    assert practices()["GP 2.8"].title == "Monitor and Control the Process"
    assert practices()["GP 2.8"].area is None


def test_a_code_agrees_with_its_goal_and_area():
    for practice in practices().values():
        prefix, number = practice.code.replace(" SP ", " SG ").replace("GP ", "GG ").rsplit(".", 1)
        assert practice.goal == prefix
        assert number.isdigit()
        assert practice.area is None or practice.code.startswith(f"{practice.area} SP ")


def test_an_action_tells_the_practices_that_it_is_evidence_for():
    assert event_practices("incident.declared") == ("IRP SP 2.1",)
    assert event_practices("risk.identified") == ("RSKM SP 2.1", "WP SP 2.2")
    assert event_practices("nothing.happened") == ()


def test_evidence_speaks_of_practices_that_exist_and_each_is_more_than_a_trace():
    spoken_of = [code for code in practices() if evidence(code)]
    assert set(vocabulary._evidence()) == set(spoken_of)
    assert len(spoken_of) == 133
    for code in spoken_of:
        assert len({each.action for each in evidence(code)}) == len(evidence(code))
        assert {each.role for each in evidence(code)} != {vocabulary.EvidenceRole.INDIRECT}, code


def test_the_crosswalk_leads_from_every_area_and_practice_to_targets_it_lists():
    said = yaml.safe_load((CONFIG / "crosswalk.yaml").read_text(encoding="utf-8"))
    known = {
        Framework.ITIL4: {name for names in said["targets"]["itil4"].values() for name in names},
        Framework.ISO20000: {f"{c['clause']} {c['title']}" for c in said["targets"]["iso20000_1_2018"]},
        Framework.COBIT2019: {f"{c['id']} {c['title']}" for c in said["targets"]["cobit2019"]},
        Framework.ITSCMM: {area["name"] for area in said["itscmm_key_process_areas"]},
    }
    sources = {source["id"] for source in said["sources"]}
    codes = [*process_areas(), *(code for code, practice in practices().items() if practice.area)]
    assert set(vocabulary._crosswalk()) <= set(codes)
    for code in codes:
        assert crosswalk(code), code
        for framework, links in crosswalk(code).items():
            assert {link.target for link in links} <= known[framework], code
            assert {source for link in links for source in link.sources} <= sources, code


def test_a_practice_without_links_of_its_own_has_those_of_its_area():
    assert "IWM SP 1.1" not in vocabulary._crosswalk()
    assert crosswalk("IWM SP 1.1") == crosswalk("IWM")
    assert crosswalk("SD SP 3.1") != crosswalk("SD")


def test_a_generic_practice_leads_nowhere_and_an_unknown_one_is_an_error():
    assert crosswalk("GP 2.8") == {}
    with pytest.raises(KeyError):
        crosswalk("SD SP 9.9")
