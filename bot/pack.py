"""The appraisal pack: one archive that a person without the product can read and check.

It holds an index page without scripts, what is on file for each practice, every record as a table and as the signed
export, the checkpoints, the public key, and the program that checks it all.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.spreadsheets import cell
from config.vocabulary import process_areas
from handlers.messages import DESK
from handlers.rules.coverage import CoverageReport, FileState, Found, coverage_report
from storage.repositories.coverage import OnFile
from storage.repositories.flow import EXAMPLE
from storage.unit_of_work import Records

if TYPE_CHECKING:
    from bot.wiring import House

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "web" / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_BEGINNING = date(2000, 1, 1)
_COLUMNS = ("no", "at", "who", "where", "action", "about", "became", "practices", "words")


@dataclass(frozen=True)
class Packed:
    """What went into a pack: how many records, and the public key that an appraiser should hear by another way."""

    records: int
    key: str


def pack(house: House, target: Path) -> Packed:
    """Write the pack. What was erased is not in it, and its place still verifies."""
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        count = house.export(folder / "ledger.jsonl")
        _write_records(folder / "ledger.jsonl", folder / "records.csv", _names(house))
        report = _report(house)
        (folder / "coverage.csv").write_text(_coverage_csv(report), encoding="utf-8-sig")
        key = house.notary.verifier.line()
        (folder / "public-key.txt").write_text(f"{key}\n", encoding="utf-8")
        (folder / "checkpoints").mkdir()
        last = ""
        for size, note in house.notary.notes():
            last = f"checkpoints/{size:012}.txt"
            (folder / last).write_text(note, encoding="utf-8")
        inside = sorted(path for path in folder.rglob("*") if path.is_file())
        digests = {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in inside
            if path.parent == folder
        }
        (folder / "index.html").write_text(_index(house, report, count, key, last, digests), encoding="utf-8")
        with ZipFile(target, "w", ZIP_DEFLATED) as archive:
            for path in (folder / "index.html", *inside):
                archive.write(path, f"evidence/{path.relative_to(folder)}")
    return Packed(count, key)


def _names(house: House) -> Mapping[str, str]:
    with house.database.reading() as session:
        met = {each.key: each.name for each in Records(session).people.everyone()}
    return {DESK.user: "the desk", **met, **{key: each.name for key, each in house.policy().people.items()}}


def _write_records(source: Path, target: Path, names: Mapping[str, str]) -> None:
    """The records of an export as a table for people; the export is what counts."""
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(_COLUMNS)
        for line in lines:
            told = json.loads(line)
            if "record" not in told:
                continue
            record = told["record"]
            words = "; ".join(f"{name}: {each['text']}" for name, each in told["words"].items())
            if not words and record["commitments"] != "{}":
                words = "(erased)"
            row = (
                record["seq"],
                _instant(record["at"]),
                names.get(record["actor"], record["actor"]),
                record["surface"],
                record["action"],
                record["subject"],
                record["after"] or "",
                ", ".join(json.loads(record["practices"])),
                words,
            )
            writer.writerow([cell(value) for value in row])


def _instant(microseconds: int) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds):%Y-%m-%d %H:%M:%S} UTC"


def _report(house: House) -> CoverageReport:
    policy, now = house.policy(), house.clock.now()
    with house.database.reading() as session:
        found: Mapping[str, OnFile] = Records(session).coverage.on_file(
            _BEGINNING, now.date() + timedelta(days=2), policy.organisation.zone
        )
    gathered = {code for declared in house.dispatcher.commands for code in declared.evidences}
    known = {code: Found(each.count, each.newest, each.samples) for code, each in found.items()}
    return coverage_report(process_areas(), known, gathered, policy.evidence, None, "all of it", now)


def _coverage_csv(report: CoverageReport) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("practice", "title", "state", "records", "newest", "samples"))
    for each in report.practices.values():
        newest = each.found.newest.isoformat() if each.found.newest else ""
        samples = " ".join(f"#{seq}" for seq in each.found.samples)
        writer.writerow((each.code, each.title, each.state, each.found.count, newest, samples))
    return out.getvalue()


def _index(
    house: House, report: CoverageReport, count: int, key: str, last: str, digests: Mapping[str, str]
) -> str:
    with house.database.reading() as session:
        example = Records(session).facts.get(EXAMPLE) is not None
    return _TEMPLATES.get_template("pack.html").render(
        organisation=house.policy().organisation.name,
        made=f"{report.now:%Y-%m-%d %H:%M} UTC",
        count=count,
        key=key,
        last=last,
        areas=report.areas,
        digests=digests,
        example=example,
        not_gathered=FileState.ELSEWHERE,
    )
