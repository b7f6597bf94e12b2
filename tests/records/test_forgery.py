"""Is every tampering found that can be? Fourteen kinds, at seeded places, in the export and in the store.

DESKBELL_TAMPERINGS=2000 makes it two thousand instead of two hundred.
"""

import hmac
import io
import json
import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from bot.checkpoints import Notary
from bot.standalone import deskbell_verify
from handlers.rules.checkpoint import Checkpoint, Signer
from handlers.rules.ledger import commitment
from handlers.rules.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    proves_consistency,
    proves_inclusion,
    root_hash,
)
from storage.repositories.ledger import Ledger
from tests.records.conftest import NOON, entry, fill
from tests.records.test_merkle import LEAVES, ROOTS

ORIGIN = "desk.example.org/ledger"
SIZES = (9, 23, 40)  # where checkpoints were made
TAMPERINGS = int(os.environ.get("DESKBELL_TAMPERINGS", "200"))
PROGRAM = Path(deskbell_verify.__file__)


@dataclass
class Export:
    """An export taken apart, for a forger to put together again."""

    header: dict[str, Any]
    records: list[dict[str, Any]]
    notes: dict[int, list[str]]
    signer: Signer
    earlier: str
    raw: bytes = field(default=b"", repr=False)

    def lines(self):
        yield self.header
        for count in range(len(self.records) + 1):
            if count:
                yield self.records[count - 1]
            yield from ({"checkpoint": note} for note in self.notes.get(count, ()))
        for size, notes in sorted(self.notes.items()):
            if size > len(self.records):
                yield from ({"checkpoint": note} for note in notes)

    def bytes(self):
        return self.raw or b"".join(encode(line) + b"\n" for line in self.lines())

    def rehash(self, first=0, prefix=b"\x00"):
        """Make the chain fit again from a record on."""
        previous = self.records[first - 1]["hash"] if first else "0" * 64
        for number, line in enumerate(self.records[first:], first + 1):
            line["record"] |= {"previous": previous, "seq": number}
            previous = line["hash"] = sha256(prefix + encode(line["record"])).hexdigest()

    def resign(self, signer):
        """Sign the same sizes for what the records are now."""
        frontier = Frontier()
        sizes = {min(size, len(self.records)) for size in self.notes} | {len(self.records)}
        self.notes = {}
        for count, line in enumerate(self.records, 1):
            frontier.append(bytes.fromhex(line["hash"]))
            if count in sizes:
                self.notes[count] = [signer.sign(Checkpoint(signer.name, count, frontier.root()))]

    def impersonate(self):
        """Take a key of one's own under the same name, as someone without the real one must."""
        signer = Signer(ORIGIN, bytes(32))
        self.header["key"] = signer.verifier.line()
        return signer


def encode(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.fixture
def home(sqlite, tmp_path):
    """A ledger with three checkpoints and a person whose words were erased."""
    notary = Notary(tmp_path, ORIGIN)
    for first, size in zip((0, *SIZES), SIZES, strict=False):
        fill(sqlite, size - first, first=first)
        with sqlite.writing() as session:
            notary.make(session, NOON)
    with sqlite.writing() as session:
        Ledger(session).erase("P-1")
    return notary


def exported(sqlite, notary):
    out = io.StringIO()
    with sqlite.reading() as session:
        notary.export(session, out)
    return out.getvalue().encode()


@pytest.fixture
def genuine(sqlite, home, tmp_path):
    """Makes fresh copies of one genuine export."""
    whole = exported(sqlite, home)
    signer = Signer.parse((tmp_path / "ledger.key").read_text().strip())
    earlier = (tmp_path / "checkpoints" / f"{SIZES[1]:012}").read_text()

    def copy():
        header, *lines = map(json.loads, whole.splitlines())
        notes: dict[int, list[str]] = {}
        for line in lines:
            if "checkpoint" in line:
                notes.setdefault(int(line["checkpoint"].split("\n")[1]), []).append(line["checkpoint"])
        return Export(header, [line for line in lines if "record" in line], notes, signer, earlier)

    assert copy().bytes() == whole
    return copy


# The fourteen kinds


def bit_flip(export, dice):
    whole = bytearray(export.bytes())
    whole[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
    export.raw = bytes(whole)


def edit_and_rehash(export, dice):
    victim = dice.choice(export.records)
    field = dice.choice(["actor", "action", "subject", "after", "at", "policy"])
    victim["record"][field] = 1 if field == "at" else "P-9"
    victim["hash"] = sha256(b"\x00" + encode(victim["record"])).hexdigest()


def edit_and_rehash_on(export, dice):
    place = dice.randrange(len(export.records))
    export.records[place]["record"]["actor"] = "P-9"
    export.rehash(place)


def delete(export, dice):
    place = dice.randrange(len(export.records))
    del export.records[place]
    if dice.random() < 0.5:
        export.rehash(place)


def swap(export, dice):
    first, second = dice.sample(range(len(export.records)), 2)
    records = export.records
    records[first], records[second] = records[second], records[first]
    if dice.random() < 0.5:
        export.rehash(min(first, second))


def insert(export, dice):
    place = dice.randrange(len(export.records) + 1)
    made = json.loads(encode(dice.choice(export.records)))
    made["record"]["actor"] = "P-9"
    export.records.insert(place, made)
    if dice.random() < 0.5:
        made["words"] = {}
        export.rehash(place)


def duplicate(export, dice):
    place = dice.randrange(len(export.records))
    export.records.insert(place, json.loads(encode(export.records[place])))
    if dice.random() < 0.5:
        export.rehash(place)


def truncate(export, dice):
    """Cut the end off; with the later checkpoints gone as well, only the earlier one kept elsewhere tells."""
    kept = dice.randrange(SIZES[1])
    del export.records[kept:]
    if dice.random() < 0.7:
        export.notes = {size: notes for size, notes in export.notes.items() if size <= kept}


def replace_tail(export, dice):
    place = dice.randrange(SIZES[1])
    for line in export.records[place:]:
        line["record"]["actor"] = "P-9"
    export.rehash(place)
    if dice.random() < 0.5:
        export.notes = {size: notes for size, notes in export.notes.items() if size <= place}


def rewrite_without_the_key(export, dice):
    dice.choice(export.records)["record"]["subject"] = "INC-999"
    export.rehash()
    export.resign(export.impersonate())
    if dice.random() < 0.5:
        export.header["key"] = export.signer.verifier.line()


def rewrite_with_the_key(export, dice):
    """Only a checkpoint that was kept elsewhere can show this."""
    export.records[dice.randrange(SIZES[1])]["record"]["subject"] = "INC-999"
    export.rehash()
    export.resign(export.signer)


def two_heads(export, dice):
    """Another checkpoint of the same size, also signed."""
    size = dice.choice(SIZES)
    export.notes[size].append(export.signer.sign(Checkpoint(ORIGIN, size, dice.randbytes(32))))
    dice.shuffle(export.notes[size])


def wrong_origin(export, dice):
    other = Signer("desk.example.com/ledger", export.signer.seed)
    if dice.random() < 0.3:
        export.header["origin"] = other.name
    elif dice.random() < 0.5:
        export.header |= {"origin": other.name, "key": other.verifier.line()}
        export.resign(other)
    else:
        size = dice.choice(SIZES)
        export.notes[size] = [re.sub(ORIGIN, other.name, export.notes[size][0], count=dice.randint(0, 1) + 1)]


def old_checkpoint(export, dice):
    """An earlier checkpoint in the place of a later one."""
    later = dice.choice(SIZES[1:])
    export.notes[later] = export.notes[dice.choice([size for size in SIZES if size < later])]


def wrong_leaf_prefix(export, dice):
    export.rehash(prefix=dice.choice([b"", b"\x01", b"\x00\x00"]))
    if dice.random() < 0.5:
        export.resign(export.signer)


def words_changed(export, dice):
    """Not of the fourteen, and found all the same: other words, another salt, words nobody committed to."""
    victim = dice.choice([line for line in export.records if line["words"]])
    note = victim["words"]["note"]
    match dice.randrange(4):
        case 0:
            note["text"] += "!"
        case 1:
            note["salt"] = dice.randbytes(32).hex()
        case 2:
            victim["words"]["other"] = note
        case 3:
            dice.choice([line for line in export.records if not line["words"]])["words"] = {"note": note}


KINDS = [
    bit_flip, edit_and_rehash, edit_and_rehash_on, delete, swap, insert, duplicate, truncate, replace_tail,
    rewrite_without_the_key, rewrite_with_the_key, two_heads, wrong_origin, old_checkpoint, wrong_leaf_prefix,
    words_changed,
]  # fmt: skip


def judge(path, export, with_what=("key", "checkpoint")):
    """What the stand-alone program says, and that it says it soon and calmly."""
    path.write_bytes(export.bytes())
    (path.parent / "earlier").write_text(export.earlier)
    arguments = [str(path)]
    if "key" in with_what:
        arguments += ["--key", export.signer.verifier.line()]
    if "checkpoint" in with_what:
        arguments += ["--checkpoint", str(path.parent / "earlier")]
    start = process_time()
    code = deskbell_verify.main(arguments)
    assert process_time() - start < 1
    return code


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_a_tampered_export_is_refused(genuine, tmp_path, capsys, kind):
    for seed in range(-(-TAMPERINGS // (len(KINDS) - 2))):
        export = genuine()
        before = export.bytes()
        kind(export, random.Random(f"{kind.__name__} {seed}"))
        assert export.bytes() != before, seed
        code = judge(tmp_path / "export", export)
        said = capsys.readouterr().out
        assert code in (1, 2), (seed, said)
        assert code == 1 or "not an evidence export" in said
        assert "Traceback" not in said
        if kind not in (bit_flip, wrong_origin):
            assert re.search(r"[Ee]ntr(y|ies) \d+|another key", said), (seed, said)


def test_a_change_that_decodes_to_the_same_bytes_is_refused(genuine, tmp_path):
    """Bits of base64 that nobody uses, and hex in capitals."""
    export = genuine()
    note = export.notes[9][0]
    assert note.endswith("=\n")
    export.notes[9] = [note[:-3] + chr(ord(note[-3]) + 1) + note[-2:]]
    assert judge(tmp_path / "export", export) == 1
    export = genuine()
    words = next(line["words"] for line in export.records if line["words"])
    words["note"]["salt"] = words["note"]["salt"].upper()
    assert judge(tmp_path / "export", export) == 1


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (
            lambda export: export.records[11]["record"].update(actor="P-9"),
            "Entry 12 is not what was recorded.",
        ),
        (lambda export: export.records.pop(11), "Entry 12 is missing or out of place: 13 is there."),
        (lambda export: export.records.__delitem__(slice(30, None)), "Entry 31 is missing"),
        (lambda export: export.notes.pop(40), "Entry 24 and those behind it are covered by no checkpoint."),
        (
            lambda export: (export.records[11]["record"].update(actor="P-9"), export.rehash(11)),
            "the first that may be bad is entry 10.",
        ),
    ],
)
def test_the_first_bad_entry_is_named(genuine, tmp_path, capsys, kind, sentence):
    export = genuine()
    kind(export)
    assert judge(tmp_path / "export", export, with_what=()) == 1
    assert sentence in capsys.readouterr().out


def test_what_only_an_outside_checkpoint_can_show(genuine, tmp_path):
    """The limits are known: these are accepted without it, and refused with it."""
    for forge in (rewrite_with_the_key, lambda export, _: cut_to(export, SIZES[0])):
        export = genuine()
        forge(export, random.Random(7))
        assert judge(tmp_path / "export", export, with_what=("key",)) == 0
        assert judge(tmp_path / "export", export) == 1


def cut_to(export, size):
    del export.records[size:]
    export.notes = {kept: notes for kept, notes in export.notes.items() if kept <= size}


def test_what_only_the_key_can_show(genuine, tmp_path):
    export = genuine()
    rewrite_without_the_key(export, random.Random(1))
    export.header["key"] = Signer(ORIGIN, bytes(32)).verifier.line()
    assert judge(tmp_path / "export", export, with_what=()) == 0
    assert judge(tmp_path / "export", export, with_what=("key",)) == 1


def test_no_element_in_the_middle_of_a_proof_is_idle():
    """The fourteenth kind, where a proof stands in for the records: what immudb's clients once missed."""
    dice = random.Random(14)
    for _ in range(TAMPERINGS):
        leaves = [dice.randbytes(32) for _ in range(dice.randint(3, 70))]
        old = dice.randint(1, len(leaves) - 1)
        before, after = root_hash(leaves[:old]), root_hash(leaves)
        proof = consistency_proof(old, leaves)
        assert proves_consistency(old, len(leaves), before, after, proof)
        assert not proves_consistency(old, len(leaves), before, after, bent(proof, dice))
        proof = inclusion_proof(old, leaves)
        assert proves_inclusion(old, len(leaves), leaves[old], proof, after)
        assert not proves_inclusion(old, len(leaves), leaves[old], bent(proof, dice), after)


def bent(proof, dice):
    middle = dice.randrange(len(proof))
    return [*proof[:middle], dice.randbytes(32), *proof[middle + 1 :]]


# No false alarms


def test_clean_ledgers_are_accepted(store, tmp_path, capsys):
    """Of every shape: cut anywhere by checkpoints, words erased or not."""
    dice = random.Random(0)
    done = 0
    for number in range(20 if TAMPERINGS <= 200 else 100):
        home = tmp_path / str(number)
        home.mkdir()
        notary = Notary(home, f"desk.example.org/{number}")
        for _ in range(dice.randint(0, 4)):
            more = dice.randint(1, 12)
            fill(store, more, first=done)
            done += more
            with store.writing() as session:
                notary.make(session, NOON)
        with store.writing() as session:
            Ledger(session).erase(f"P-{dice.randint(0, 9)}")
        with store.reading() as session, (home / "export").open("w", encoding="utf-8") as out:
            count = notary.export(session, out)
            assert Ledger(session).verify(notary.anchors()).good
        assert count in (0, done)  # nothing is exported that this signer did not sign
        latest = home / "checkpoints" / "latest"
        given = ["--checkpoint", str(latest)] if latest.exists() else []
        assert deskbell_verify.main([str(home / "export"), "--key", notary.verifier.line(), *given]) == 0
        assert f"Good: {count} entries" in capsys.readouterr().out


def test_erasing_words_after_an_export_changes_no_root(sqlite, home, tmp_path, capsys):
    before = exported(sqlite, home)
    with sqlite.writing() as session:
        for person in ("P-0", "P-2", "P-3"):
            Ledger(session).erase(person)
    after = exported(sqlite, home)
    assert b"The queue is stuck" in before
    assert b"The queue is stuck" not in after
    for export in (before, after):
        (tmp_path / "export").write_bytes(export)
        assert (
            deskbell_verify.main(
                [str(tmp_path / "export"), "--checkpoint", str(tmp_path / "checkpoints/latest")]
            )
            == 0
        )
    said = capsys.readouterr().out
    roots = re.findall(r"Root: (\S+)", said)
    assert len(roots) == 2
    assert len(set(roots)) == 1
    assert "0 texts as they were written, 14 erased" in said


# The store itself

BEHIND = (
    "INSERT INTO evidence SELECT seq + 40, at, actor, surface, action, subject, before, after, practices,"
    " policy, reference, commitments, previous, hash FROM evidence WHERE seq = 1"
)


@pytest.mark.parametrize(
    ("tampering", "bad"),
    [
        ("UPDATE evidence SET actor = 'P-9' WHERE seq = 12", 12),
        ("UPDATE evidence SET at = at + 1 WHERE seq = 12", 12),
        ("UPDATE evidence SET before = NULL WHERE seq = 12", 12),
        ("UPDATE evidence SET before = '' WHERE seq = 10", 10),
        ("UPDATE evidence SET after = after || ' ' WHERE seq = 12", 12),
        ("UPDATE evidence SET hash = upper(hash) WHERE seq = 12", 12),
        ("UPDATE evidence SET previous = hash WHERE seq = 12", 12),
        ("UPDATE evidence SET seq = seq + 100 WHERE seq >= 12", 12),
        ("DELETE FROM evidence WHERE seq = 12", 12),
        ("DELETE FROM evidence WHERE seq > 30", 31),
        ("DELETE FROM evidence", 1),
        ("DELETE FROM ledger_head", 1),
        ("UPDATE ledger_head SET size = size - 1", None),
        ("UPDATE ledger_head SET frontier = '[\"00\"]'", 1),
        ("UPDATE ledger_head SET hash = '00'", 41),
        ("UPDATE checkpoint SET root = hash FROM evidence WHERE seq = 12 AND size = 23", None),
        (BEHIND, 41),
        ("UPDATE words SET text = 'other' WHERE seq = 13", 13),
        ("UPDATE words SET name = 'other' WHERE seq = 13", 13),
        ("UPDATE words SET seq = 14 WHERE seq = 13", 14),
    ],
)  # fmt: skip
def test_a_tampered_store_is_found_out(store, tampering, bad):
    notary = fresh(store)
    with store.writing() as session:
        unguard(session, store)
        session.execute(text(tampering.replace("hash = '00'", f"hash = '{'0' * 64}'")))
    with store.reading() as session:
        findings = Ledger(session).verify(notary)
    assert not findings.good
    assert findings.trouble
    if bad is not None:
        assert findings.bad == bad, findings


def test_a_store_rewritten_with_all_its_hashes_is_found_out_by_the_checkpoints_outside(
    sqlite, home, tmp_path
):
    with sqlite.reading() as session:
        anchors = list(home.anchors())
    with sqlite.writing() as session:
        unguard(session, sqlite)
        for name in ("words", "evidence", "ledger_head", "checkpoint"):
            session.execute(text(f"DELETE FROM {name}"))
        Ledger(session).append(entry(n, actor="P-9") for n in range(SIZES[-1]))
    with sqlite.reading() as session:
        assert Ledger(session).verify().good
        assert not Ledger(session).verify(anchors).good


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evidence SET subject = CAST(x'ff' AS TEXT) WHERE seq = 12",
        "UPDATE evidence SET subject = x'ff' WHERE seq = 12",
        "UPDATE evidence SET at = 'soon' WHERE seq = 12",
        "UPDATE evidence SET commitments = 7 WHERE seq = 13",
        "UPDATE words SET salt = 10000000000 WHERE seq = 13",
        "UPDATE words SET text = x'ff' WHERE seq = 13",
        "UPDATE checkpoint SET root = 7",
        "UPDATE ledger_head SET frontier = '{'",
        "UPDATE ledger_head SET size = 'many'",
    ],
)
def test_values_of_the_wrong_kind_are_findings_and_no_crash(sqlite, home, statement):
    with sqlite.writing() as session:
        unguard(session, sqlite)
        session.execute(text(statement))
    with sqlite.reading() as session:
        assert not Ledger(session).verify().good


def fresh(store):
    """Forty entries and the roots that were signed for them."""
    anchors = []
    for first, size in zip((0, *SIZES), SIZES, strict=False):
        fill(store, size - first, first=first)
        with store.writing() as session:
            ledger = Ledger(session)
            anchors.append((size, ledger.head().root))
            ledger.keep_checkpoint(NOON, "a note", ledger.head())
    return anchors


def unguard(session, store):
    """Take away what only an administrator can."""
    if store.is_sqlite:
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
        for name in ("updated", "deleted", "replaced"):
            session.execute(text(f"DROP TRIGGER evidence_is_not_{name}"))
        session.execute(text("DROP TABLE IF EXISTS spare"))
        session.execute(text("CREATE TABLE spare AS SELECT * FROM words"))
        session.execute(text("DROP TABLE words"))
        session.execute(text("ALTER TABLE spare RENAME TO words"))
    else:
        session.execute(text("SET LOCAL session_replication_role = replica"))


# Hostile files


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 2),
        (b"\n", 2),
        (b"hello", 2),
        (b"\x00" * 1000, 2),
        (b"\xff\xfe" * 1000, 2),
        (b"[" * 1_000_000 + b"\n", 2),
        (b'{"a":' * 1_000_000 + b"\n", 2),
        (b"9" * 3_000_000 + b"\n", 2),
        (b"x" * 5_000_000, 2),
        (b'{"format":"deskbell-evidence/1"}\n', 1),
        (b'{"format":"deskbell-evidence/1","key":7,"origin":7}\n', 1),
        (b'{"format":"deskbell-evidence/1","key":"a+b+c","origin":"a"}\n', 1),
        (b'{"format":"deskbell-evidence/1","key":"+\xe2\x80\x94","origin":""}\n', 1),
    ],
    ids=range(13),
)
def test_a_hostile_file_gets_a_calm_sentence(tmp_path, capsys, content, code):
    (tmp_path / "export").write_bytes(content)
    start = process_time()
    assert deskbell_verify.main([str(tmp_path / "export")]) == code
    assert process_time() - start < 1
    assert re.fullmatch(r"(Bad|Not checked): .+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    "line",
    [
        b"7", b"null", b"[]", b"{}", b'"text"', b"1.5", b"NaN", b"1e999",
        b'{"hash":"","record":{},"words":{}}',
        b'{"hash":"","record":7,"words":{}}',
        b'{"hash":"","record":{"seq":true},"words":{}}',
        b'{"hash":"","record":{"seq":' + b"9" * 5000 + b'},"words":{}}',
        b'{"checkpoint":7}',
        b'{"checkpoint":""}',
        b'{"checkpoint":"\\n\\n\\n\\n"}',
        b'{"checkpoint":"' + b"\\n" * 100_000 + b'"}',
        b'{"hash":"' + b"a" * 64 + b'","record":{"seq":1},"words":{},"words":{}}',
        b'{"hash":"\\ud800","record":{"seq":1},"words":{}}',
        b'{"checkpoint" : "with spaces"}',
        b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=range(20),
)  # fmt: skip
def test_a_hostile_line_is_refused(genuine, tmp_path, capsys, line):
    header = genuine().bytes().split(b"\n", 1)[0]
    (tmp_path / "export").write_bytes(header + b"\n" + line + b"\n")
    start = process_time()
    assert deskbell_verify.main([str(tmp_path / "export")]) == 1
    assert process_time() - start < 1
    assert capsys.readouterr().out.startswith("Bad: ")


@pytest.mark.parametrize("commitments", [None, 7, "", "7", "[]", "{", '{"note":7}', "[" * 100_000])
@pytest.mark.parametrize(
    "words",
    [{}, {"note": 7}, {"note": {}}, {"note": {"salt": "zz", "text": ""}}, {"note": {"salt": 7, "text": 7}}],
)
def test_hostile_words_are_refused_even_when_all_is_hashed_and_signed(genuine, tmp_path, commitments, words):
    export = genuine()
    export.records[0]["record"]["commitments"] = commitments
    export.records[0]["words"] = words
    export.rehash()
    export.resign(export.signer)
    expected = 0 if commitments == '{"note":7}' and not words else 1
    assert judge(tmp_path / "export", export, with_what=()) == expected


@pytest.mark.parametrize("what", ["missing", "folder", "pipe", "/dev/zero"])
def test_what_is_not_a_file_is_not_waited_for(tmp_path, what):
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    if what == "pipe":
        os.mkfifo(path)
    assert deskbell_verify.main([str(path)]) == 2
    (tmp_path / "export").write_text("")
    assert deskbell_verify.main([str(tmp_path / "export"), "--checkpoint", str(path)]) == 2


@pytest.mark.parametrize("content", [b"", b"\xff", b"a\nb\n\n", b"x" * 200_000])
def test_an_earlier_checkpoint_that_is_none_is_said_to_be_none(genuine, tmp_path, capsys, content):
    (tmp_path / "export").write_bytes(genuine().bytes())
    (tmp_path / "odd").write_bytes(content)
    assert deskbell_verify.main([str(tmp_path / "export"), "--checkpoint", str(tmp_path / "odd")]) == 2
    assert "Not checked: " in capsys.readouterr().out


# The program


def test_the_program_runs_alone(genuine, tmp_path):
    """From a folder of its own, without our packages on its path."""
    (tmp_path / "alone").mkdir()
    program = tmp_path / "alone" / "verify.py"
    program.write_bytes(PROGRAM.read_bytes())
    (tmp_path / "export").write_bytes(genuine().bytes())
    ended = subprocess.run(
        [sys.executable, "-I", program, tmp_path / "export"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path / "alone",
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("Good: 40 entries of desk.example.org/ledger, 3 checkpoints, ")


def test_the_program_is_short_and_imports_nothing_of_ours():
    source = PROGRAM.read_text()
    assert len(source.splitlines()) < 300
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", source, re.MULTILINE))
    assert imported - {"__future__"} <= set(sys.stdlib_module_names)


def test_a_commitment_is_plain_hmac():
    salt = bytes(range(32))
    assert commitment(salt, "note", "héllo") == hmac.new(salt, b"note\x00h\xc3\xa9llo", "sha256").hexdigest()


# What the program computes by itself


def test_the_programs_tree_is_that_of_rfc_6962():
    tree = deskbell_verify.Tree()
    assert tree.root() == sha256(b"").digest()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        tree.append(leaf)
        assert tree.root().hex() == root


@pytest.mark.parametrize(
    ("public", "message", "signature"),
    [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            (
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                "d25bf5f0595bbe24655141438e7a100b"
            ),
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            (
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
                "387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            (
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
                "4a7c15e9716ed28dc027beceea1ec40a"
            ),
        ),
    ],
)
def test_the_programs_signatures_are_those_of_rfc_8032(public, message, signature):
    """The first three vectors of section 7.1."""
    assert deskbell_verify.is_signed(*map(bytes.fromhex, (public, signature, message)))
    assert not deskbell_verify.is_signed(*map(bytes.fromhex, (public, signature, message + "00")))


def test_the_program_takes_the_signatures_that_a_library_takes():
    dice = random.Random(8032)
    for number in range(20):
        key, message = Ed25519PrivateKey.from_private_bytes(dice.randbytes(32)), dice.randbytes(number)
        good = bytearray(key.sign(message))
        order = (int.from_bytes(good[32:], "little") + deskbell_verify.ORDER).to_bytes(32, "little")
        bent = bytearray(good)
        bent[dice.randrange(64)] ^= 1 << dice.randrange(8)
        for signature in (good, bent, good[:32] + order, good[:40], bytes(64)):
            try:
                key.public_key().verify(bytes(signature), message)
                taken = True
            except InvalidSignature:
                taken = False
            public = key.public_key().public_bytes_raw()
            assert deskbell_verify.is_signed(public, bytes(signature), message) == taken
        assert deskbell_verify.is_signed(public, bytes(good), message)
    with pytest.raises(deskbell_verify.Broken, match="no point of the curve"):
        deskbell_verify.is_signed(b"\xff" * 32, bytes(64), b"")
