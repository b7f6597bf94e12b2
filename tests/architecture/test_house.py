"""Are imports, locks and the names of commands what the rest of the house relies on?"""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from bot import cli

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "handlers", "storage", "config")
LOCKS = ("requirements.txt", "requirements-dev.txt")

# Written so that this file does not name one itself.
REGISTRY_HOST = re.compile(
    r"\b(pypi|pythonhosted|npmjs|yarnpkg|crates|rubygems|anaconda)\.(org|com|io)\b|--(extra-)?index-url"
)

# One line each that a tired person might add, and the contract that must object.
BREACHES = {
    "storage/breach.py": ("import handlers.dispatch", "bot talks, handlers decide, storage remembers"),
    "handlers/people.py": ("import handlers.guide", "Inside handlers every file has its layer"),
    "handlers/breach.py": ("", "Inside handlers every file has its layer"),
    "handlers/rules/breach.py": ("import logging", "Rules read, write, wait and guess nothing"),
    "handlers/rules/workflow.py": ("import config.loading", "Rules know the policy's types"),
    "storage/repositories/breach.py": ("import slack_sdk", "No chat library below bot"),
    "bot/adapters/console/breach.py": ("import bot.adapters.slack", "Adapters know their port"),
    "bot/breach.py": ("import storage.models", "bot never touches a table row"),
}


def kept_files() -> list[Path]:
    """The files that git keeps, or would keep."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What the linter says of the packages in a folder.

    In a process of its own: this one has imported the real packages, and the linter would disable every logger.
    """
    asked = "from importlinter.cli import lint_imports; exit(lint_imports(no_logo=True, no_cache=True))"
    return subprocess.run([sys.executable, "-c", asked], cwd=folder, capture_output=True, text=True)


def test_everybody_imports_only_whom_they_may() -> None:
    said = lint(ROOT)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("place", BREACHES)
def test_an_import_that_breaks_a_contract_is_found(place: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bot/adapters/slack").mkdir(exist_ok=True)
    (tmp_path / "bot/adapters/slack/__init__.py").touch()
    (tmp_path / "config/loading.py").touch()
    line, contract = BREACHES[place]
    with (tmp_path / place).open("a") as file:
        file.write(f"\n{line}\n")

    said = lint(tmp_path)

    assert said.returncode == 1, said.stdout + said.stderr
    assert "1 broken." in said.stdout
    # A long name is broken over two lines, so its beginning is looked for anywhere.
    assert contract in said.stdout.split("Broken contracts")[1]


def test_no_file_ties_the_project_to_one_registry() -> None:
    found = []
    for path in kept_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a font
        if path != Path(__file__) and (host := REGISTRY_HOST.search(text)):
            found.append(f"{path.relative_to(ROOT)}: {host.group()}")
    assert found == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    unhashed = [
        line
        for line in text.splitlines()
        if not re.fullmatch(r"[a-z0-9-]+==\S+( ; [^#]*?)?( +--hash=sha256:[0-9a-f]{64})+", line)
    ]
    assert unhashed == []


def test_what_is_tested_is_what_runs() -> None:
    run, dev = ((ROOT / name).read_text().splitlines() for name in LOCKS)
    pins = [[line for line in lock if "==" in line] for lock in (run, dev)]
    assert set(pins[0]) <= set(pins[1])


def test_both_locks_hold_every_dependency_that_the_project_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run = project["project"]["dependencies"]
    for name, wanted in zip(LOCKS, (run, run + project["dependency-groups"]["dev"]), strict=True):
        pinned = {line.split("==")[0] for line in (ROOT / name).read_text().splitlines() if "==" in line}
        asked = {re.split(r"[^\w.-]", each)[0].lower().replace(".", "-").replace("_", "-") for each in wanted}
        assert asked <= pinned, f"run `make lock`: {name} lacks {asked - pinned}"


def test_the_procfile_names_commands_that_exist() -> None:
    for line in (ROOT / "Procfile").read_text().splitlines():
        program, command = line.partition(": ")[2].split()
        assert program == "deskbell"
        assert command in typer.main.get_group(cli.app).commands


def test_every_folder_of_tests_is_a_package_with_a_name_of_its_own() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
    assert [
        str(folder) for folder in folders if folder.parent == ROOT / "tests" and folder.name in PACKAGES
    ] == []


def test_the_four_packages_do_nothing_when_imported() -> None:
    for package in PACKAGES:
        text = (ROOT / package / "__init__.py").read_text()
        assert re.fullmatch(r'"""[^"]+"""\n', text), f"{package}/__init__.py holds more than a docstring"
