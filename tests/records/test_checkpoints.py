"""Is a checkpoint the C2SP one, is it made in time, and does the signer refuse what contradicts it?"""

import os
import signal
import stat
import sys
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from bot.checkpoints import CheckpointRefused, LedgerBehind, LedgerRewritten, Notary
from bot.standalone import deskbell_verify
from handlers.rules.checkpoint import Checkpoint, NotAKey, NotSigned, Signer, Verifier
from handlers.rules.merkle import EMPTY_ROOT
from storage.database import Database
from storage.repositories.ledger import Ledger
from tests.records.conftest import NOON, entry, fill, prepare

ORIGIN = "desk.example.org/ledger"
SIGNER = Signer("desk.example.org/ledger", bytes(range(32)))


def head(store):
    with store.reading() as session:
        return Ledger(session).head()


def make(notary, store, now=NOON):
    with store.writing() as session:
        return notary.make(session, now)


# The note


def test_the_keys_and_signatures_are_those_of_the_reference_implementation():
    """The example of Go's sumdb/note, which signed-note was written down from."""
    signer = Signer.parse("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")
    line = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert signer.verifier.line() == line
    assert Verifier.parse(line) == signer.verifier
    said = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    signature = b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    assert signature[:4] == signer.verifier.key_id
    assert signature[4:] == Ed25519PrivateKey.from_private_bytes(signer.seed).sign(said.encode())


def test_the_text_is_that_of_tlog_checkpoint():
    root = b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    said = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert Checkpoint("example.com/behind-the-sofa", 20852163, root).text() == said


def test_a_note_opens_to_what_was_signed_and_bears_witnesses():
    checkpoint = Checkpoint(ORIGIN, 7, bytes(32))
    note = SIGNER.sign(checkpoint)
    witness = Signer("witness.example", bytes(32)).sign(checkpoint).rpartition("\n\n")[2]
    assert SIGNER.verifier.open(note) == checkpoint
    assert SIGNER.verifier.open(note + witness) == checkpoint
    assert note.startswith(f"{ORIGIN}\n7\n")
    assert f"\n\n— {ORIGIN} " in note


@pytest.mark.parametrize(
    "bend",
    [
        lambda note: note.replace("\n7\n", "\n8\n"),
        lambda note: note.replace("\n7\n", "\n07\n"),
        lambda note: note.replace(ORIGIN, "desk.example.com/ledger", 1),
        lambda note: note.replace("— ", "-- "),
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note.replace("\n\n", "\nmore\n\n"),
        lambda note: note[:-10],
        lambda note: note[:-3] + chr(ord(note[-3]) + 1) + note[-2:],  # bits that base64 does not use
        lambda note: note + "x" * 200_000,
        lambda note: Signer(ORIGIN, bytes(32)).sign(Checkpoint(ORIGIN, 7, bytes(32))),
        lambda note: Signer("other", SIGNER.seed).sign(Checkpoint("other", 7, bytes(32))),
        lambda note: SIGNER.sign(Checkpoint("other", 7, bytes(32))),
        lambda note: SIGNER.sign(Checkpoint(ORIGIN, 7, b"short")),
        lambda note: SIGNER.sign(Checkpoint(ORIGIN, -7, bytes(32))),
        lambda note: "",
    ],
)
def test_a_note_that_is_not_its_own_is_refused(bend):
    with pytest.raises(NotSigned):
        SIGNER.verifier.open(bend(SIGNER.sign(Checkpoint(ORIGIN, 7, bytes(32)))))


@pytest.mark.parametrize(
    "line",
    ["", "a", "a+b+c", "a+00000000+AQ==", SIGNER.verifier.line()[:-4] + "AAA=", "+" + SIGNER.verifier.line()],
)
def test_what_is_no_key_is_refused(line):
    with pytest.raises(NotAKey):
        Verifier.parse(line)
    with pytest.raises(NotAKey):
        Signer.parse("PRIVATE+KEY+" + line)
    with pytest.raises(NotAKey):
        Signer.parse(line)


def test_the_private_half_is_not_shown():
    assert "seed" not in repr(SIGNER)


# The files


def test_the_key_is_made_once_and_is_for_the_desk_alone(tmp_path):
    first, second = Notary(tmp_path, ORIGIN), Notary(tmp_path, ORIGIN)
    assert first.verifier == second.verifier
    assert stat.S_IMODE((tmp_path / "ledger.key").stat().st_mode) == 0o600
    assert Verifier.parse((tmp_path / "ledger.pub").read_text().strip()) == first.verifier
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "ledger.key", "ledger.pub"]


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "line\nbreak", "tab\t"])
def test_a_name_that_cannot_be_an_origin_is_refused(tmp_path, origin):
    with pytest.raises(ValueError, match="cannot name a ledger"):
        Notary(tmp_path, origin)


def test_a_key_of_another_name_is_not_used(tmp_path):
    Notary(tmp_path, ORIGIN)
    with pytest.raises(CheckpointRefused, match=r"Give it its old name back"):
        Notary(tmp_path, "desk.example.com/ledger")


def test_a_checkpoint_of_another_key_is_noticed_at_the_start(sqlite, tmp_path):
    fill(sqlite, 3)
    make(Notary(tmp_path, ORIGIN), sqlite)
    (tmp_path / "ledger.key").unlink()
    with pytest.raises(CheckpointRefused, match=r"Put the key and the checkpoints back"):
        Notary(tmp_path, ORIGIN)


# When


def test_a_checkpoint_is_due_after_a_minute_or_256_records(sqlite, tmp_path):
    notary = Notary(tmp_path, ORIGIN)
    assert not notary.due(NOON, head(sqlite))  # nothing to sign
    fill(sqlite, 1)
    assert notary.due(NOON, head(sqlite))  # the first one waits for nothing
    make(notary, sqlite)
    assert not notary.due(NOON + timedelta(hours=1), head(sqlite))  # nothing new
    fill(sqlite, 255, first=1)
    assert not notary.due(NOON + timedelta(seconds=59), head(sqlite))
    assert notary.due(NOON + timedelta(seconds=60), head(sqlite))
    assert notary.due(NOON - timedelta(seconds=1), head(sqlite))  # the clock was set back: do not wait for it
    fill(sqlite, 1, first=256)
    assert notary.due(NOON, head(sqlite))


def test_a_signer_that_starts_again_does_not_sign_what_is_signed(sqlite, tmp_path):
    fill(sqlite, 3)
    make(Notary(tmp_path, ORIGIN), sqlite)
    again = Notary(tmp_path, ORIGIN)
    assert not again.due(NOON, head(sqlite))
    assert make(again, sqlite) is None


# What


def test_each_checkpoint_covers_the_ledger_and_lies_outside_the_database(store, tmp_path):
    notary = Notary(tmp_path, ORIGIN)
    for first in range(0, 30, 10):
        fill(store, 10, first=first)
        note = make(notary, store)
        opened = notary.verifier.open(note)
        assert (opened.size, opened.root) == (head(store).size, head(store).root)
        assert (tmp_path / "checkpoints" / "latest").read_text() == note
    assert [size for size, _ in notary.notes()] == [10, 20, 30]
    with store.reading() as session:
        findings = Ledger(session).verify(notary.anchors())
    assert (findings.good, findings.checkpoints) == (True, 3)


def test_an_empty_ledger_needs_no_checkpoint(store, tmp_path):
    notary = Notary(tmp_path, ORIGIN)
    assert make(notary, store) is None
    assert list(notary.notes()) == []
    assert head(store).root == EMPTY_ROOT


# Refusals


def tamper(store, *statements):
    """Do what only an administrator of the database can."""
    with store.writing() as session:
        for name in ("updated", "deleted", "replaced"):
            session.execute(text(f"DROP TRIGGER IF EXISTS evidence_is_not_{name}"))
        session.execute(text("DELETE FROM words"))  # of which a record cannot be robbed quietly
        for statement in statements:
            session.execute(text(statement))


@pytest.fixture
def signed(sqlite, tmp_path):
    """A ledger with two checkpoints, and an older backup of its database."""
    notary = Notary(tmp_path, ORIGIN)
    fill(sqlite, 10)
    make(notary, sqlite)
    sqlite.close()
    (tmp_path / "backup").write_bytes(Path(sqlite.url.database).read_bytes())
    fill(sqlite, 10, first=10)
    make(notary, sqlite)
    return sqlite


def restore(store, tmp_path):
    store.close()
    Path(store.url.database).write_bytes((tmp_path / "backup").read_bytes())


@pytest.mark.parametrize("restarted", [False, True])
def test_an_old_backup_is_not_signed_and_the_operator_is_told_what_to_do(signed, tmp_path, restarted):
    notary = Notary(tmp_path, ORIGIN)
    if not restarted:
        assert make(notary, signed) is None
    restore(signed, tmp_path)
    assert notary.due(NOON, head(signed))
    with pytest.raises(
        LedgerBehind, match=r"holds 10 entries, and a checkpoint of 20 .* restore a newer backup"
    ):
        make(notary, signed)
    assert [size for size, _ in notary.notes()] == [10, 20]


def test_an_old_backup_that_was_written_on_is_not_signed(signed, tmp_path):
    restore(signed, tmp_path)
    fill(signed, 15, first=50)
    notary = Notary(tmp_path, ORIGIN)
    with pytest.raises(LedgerRewritten, match=r"Entries 11 to 20|Entries 1 to 20"):
        make(notary, signed)
    assert [size for size, _ in notary.notes()] == [10, 20]


def test_after_moving_key_and_checkpoints_away_a_restored_desk_signs_again(signed, tmp_path):
    restore(signed, tmp_path)
    (tmp_path / "away").mkdir()
    for name in ("ledger.key", "ledger.pub", "checkpoints"):
        (tmp_path / name).rename(tmp_path / "away" / name)
    fill(signed, 1, first=10)
    notary = Notary(tmp_path, ORIGIN)
    assert notary.verifier.open(make(notary, signed)).size == 11


def test_a_restored_folder_takes_up_what_the_database_knows(signed, tmp_path):
    folder = tmp_path / "checkpoints"
    (folder / "latest").write_text((folder / f"{10:012}").read_text())
    (folder / f"{20:012}").unlink()
    assert make(Notary(tmp_path, ORIGIN), signed) is None
    assert [size for size, _ in Notary(tmp_path, ORIGIN).notes()] == [10, 20]


@pytest.mark.parametrize(
    "statements",
    [
        ("UPDATE evidence SET actor = 'P-9' WHERE seq = 25",),
        ("DELETE FROM evidence WHERE seq = 25",),
        ("DELETE FROM evidence WHERE seq = 20",),
        ("UPDATE ledger_head SET hash = previous FROM evidence WHERE seq = 25",),
        ("UPDATE ledger_head SET frontier = (SELECT frontier FROM checkpoint WHERE size = 20)",),
        ("UPDATE ledger_head SET frontier = '[\"zz\"]'",),
        (
            "UPDATE checkpoint SET frontier = '[]', size = 0 WHERE size = 20",
            "DELETE FROM evidence WHERE seq = 3",
        ),
    ],
)
def test_records_that_do_not_continue_what_was_signed_are_not_signed(signed, tmp_path, statements):
    fill(signed, 10, first=20)
    tamper(signed, *statements)
    notary = Notary(tmp_path, ORIGIN)
    with pytest.raises(LedgerRewritten):
        make(notary, signed)
    assert [size for size, _ in notary.notes()] == [10, 20]


def test_a_false_edge_in_the_database_helps_nobody(signed, tmp_path):
    fill(signed, 10, first=20)
    tamper(
        signed,
        "UPDATE checkpoint SET frontier = (SELECT frontier FROM ledger_head), size = 30 WHERE size = 20",
    )
    assert Notary(tmp_path, ORIGIN).verifier.open(make(Notary(tmp_path, ORIGIN), signed)).size == 30


# Crashes

TOUCHES = ("open", "os.rename", "os.link", "os.remove", "tempfile.mkstemp")


def live_until(step, home):
    """In a process of its own: append, sign, die at that touch of the disk. True when none is so late."""
    child = os.fork()
    if child == 0:
        steps = count(1)

        def stumble(event, _given):
            if event in TOUCHES and next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            database = Database(f"sqlite:///{home / 'desk.db'}")
            fill(database, 1, first=step)
            sys.addaudithook(stumble)
            make(Notary(home, ORIGIN), database)
            os._exit(0)
        finally:
            os._exit(1)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, -signal.SIGKILL)
    return ended == 0


def test_killed_at_any_step_the_signer_never_contradicts_itself(tmp_path):
    """Killed at the first touch of the disk, then on the same home at the second, until one run survives."""
    prepare(f"sqlite:///{tmp_path / 'desk.db'}")
    latest = tmp_path / "checkpoints" / "latest"
    seen: dict[int, str] = {}
    step = 1
    while not live_until(step, tmp_path):
        step += 1
        if latest.exists():
            # What anyone could have seen, whether or not its maker lived to tell.
            checkpoint = Notary(tmp_path, ORIGIN).verifier.open(latest.read_text())
            assert seen.setdefault(checkpoint.size, latest.read_text()) == latest.read_text()
    assert step > 10
    assert len(seen) > 3
    database = Database(f"sqlite:///{tmp_path / 'desk.db'}")
    notary = Notary(tmp_path, ORIGIN)
    with database.reading() as session:
        anchors = [(size, notary.verifier.open(note).root) for size, note in seen.items()]
        findings = Ledger(session).verify([*anchors, *notary.anchors()])
    database.close()
    assert findings.good, findings
    assert findings.checkpoints >= len(seen)


def test_two_signers_at_once_sign_one_history(store, tmp_path):
    def work(number):
        notary = Notary(tmp_path, ORIGIN)
        with store.writing() as session:
            Ledger(session).append([entry(number)])
        make(notary, store)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(24)))
    notary = Notary(tmp_path, ORIGIN)
    latest = notary.verifier.open((tmp_path / "checkpoints" / "latest").read_text())
    assert latest.size == 24
    with store.reading() as session:
        assert Ledger(session).verify(notary.anchors()).good


# Another key


def change(notary, store):
    with store.writing() as session:
        return notary.change_key(session, NOON, "5f2c")


def export_of(notary, store, path):
    with store.reading() as session, path.open("w", encoding="utf-8") as out:
        notary.export(session, out)
    return path


def test_a_chain_of_keys_is_unbroken_for_an_outsider_who_knows_any_of_them(store, tmp_path, capsys):
    notary = Notary(tmp_path, ORIGIN)
    lines, kept = [notary.verifier.line()], []
    for first in range(0, 30, 10):
        fill(store, 10, first=first)
        make(notary, store)
        kept.append((tmp_path / "checkpoints" / "latest").read_text())
        if first < 20:
            successor = change(notary, store)
            make(notary, store)
            kept.append((tmp_path / "checkpoints" / "latest").read_text())
            assert notary.verifier == successor
            lines.append(successor.line())
    assert len({*lines}) == 3
    path = export_of(notary, store, tmp_path / "export")
    for line in lines:
        assert deskbell_verify.main([str(path), "--key", line]) == 0, capsys.readouterr().out
    for note in kept:
        (tmp_path / "earlier").write_text(note)
        assert deskbell_verify.main([str(path), "--checkpoint", str(tmp_path / "earlier")]) == 0
    assert deskbell_verify.main([str(path), "--key", SIGNER.verifier.line()]) == 1
    with store.reading() as session:
        assert Ledger(session).verify(notary.anchors()).good
    assert [size for size, _ in Notary(tmp_path, ORIGIN).notes()] == [10, 11, 21, 22, 32]


@pytest.mark.parametrize("forged", ["unsigned", "another's signature", "a signature for another key"])
def test_a_key_for_which_the_one_before_has_not_signed_is_not_followed(sqlite, tmp_path, capsys, forged):
    """Who may write to the store, or who made the export, cannot bring in a key of their own."""
    notary = Notary(tmp_path, ORIGIN)
    fill(sqlite, 3)
    make(notary, sqlite)
    genuine = change(notary, sqlite)
    with sqlite.reading() as session:
        (record,) = Ledger(session).of_action("ledger.key_changed")
    told = SimpleNamespace(before=dict(record.before or {}), after=dict(record.after or {}))
    mine = Signer(ORIGIN, bytes(32))
    signed = {
        "unsigned": "",
        "another's signature": mine.endorse(mine.verifier),
        "a signature for another key": told.after["signed"],
    }[forged]
    assert Verifier.parse(told.before["key"]).endorsed(genuine, told.after["signed"])
    assert not Verifier.parse(told.before["key"]).endorsed(mine.verifier, signed)
    ledger = deskbell_verify.Ledger(deskbell_verify.Key(told.before["key"]), None)
    ledger.follow({"key": mine.verifier.line(), "signed": signed})
    assert ledger.key.line == told.before["key"]
    ledger.follow(told.after)
    assert ledger.key.line == genuine.line()


def test_a_signer_that_runs_meanwhile_signs_with_the_next_key_too(sqlite, tmp_path):
    running, operator = Notary(tmp_path, ORIGIN), Notary(tmp_path, ORIGIN)
    fill(sqlite, 3)
    make(running, sqlite)
    successor = change(operator, sqlite)
    assert successor.open(make(running, sqlite)).size == 4
    assert make(operator, sqlite) is None
    assert running.verifier == operator.verifier == successor
    assert not (tmp_path / "ledger.next").exists()
    assert Verifier.parse((tmp_path / "ledger.pub").read_text().strip()) == successor
    assert stat.S_IMODE((tmp_path / "ledger.key").stat().st_mode) == 0o600


def test_a_next_key_without_its_record_is_never_used(sqlite, tmp_path):
    notary = Notary(tmp_path, ORIGIN)
    fill(sqlite, 3)
    with sqlite.writing() as session:
        notary.change_key(session, NOON, "5f2c")
        session.rollback()
    before = notary.verifier
    assert before.open(make(notary, sqlite)).size == 3
    successor = change(notary, sqlite)
    assert successor.open(make(notary, sqlite)).size == 4
