"""Does the ledger keep what it is given, refuse to be changed, and forget a person's words?"""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from handlers.rules.ledger import Entry, Head, NotEvidence, audit, commitment, record_bytes, record_of, seal
from handlers.rules.merkle import root_hash
from storage.models.evidence import AppendOnly, EvidenceRow
from storage.repositories.ledger import Ledger
from tests.records.conftest import NOON, entry, fill

codes = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\n"), max_size=20)
names = st.text(st.characters(codec="ascii"), max_size=8)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | codes,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
tricky = st.sampled_from(["state", "at", "before", "commitments"])  # some are names that a record has as well
facts = st.none() | st.dictionaries(tricky, plain, max_size=3)
entries = st.builds(
    Entry,
    at=st.datetimes(timezones=st.timezones()),
    actor=codes,
    surface=codes,
    action=codes,
    subject=codes,
    before=facts,
    after=facts,
    practices=st.lists(codes, max_size=3).map(tuple),
    policy=codes,
    reference=codes,
    words=st.dictionaries(st.sampled_from(["note", "title"]), codes),
)


def salt() -> bytes:
    return bytes(32)


def kept(record):
    """The fields as they must come back; an instant is the same in any zone."""
    same = ("actor", "surface", "action", "subject", "before", "after", "policy", "reference")
    return {"at": record.at.astimezone(UTC)} | {name: getattr(record, name) for name in same}


# The rules alone


@given(st.lists(entries, max_size=6))
def test_a_records_bytes_are_its_canonical_json(given):
    for row in seal(given, Head.start(), salt).rows:
        fields = row._asdict()
        del fields["hash"]
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert record_bytes(row) == canonical
        assert row.hash == sha256(b"\x00" + canonical).hexdigest()


@given(st.lists(entries, max_size=6), st.integers(0, 6))
def test_what_was_sealed_reads_back_and_verifies_however_it_was_cut(given, cut):
    first = seal(given[:cut], Head.start(), salt)
    second = seal(given[cut:], first.head, salt)
    rows = first.rows + second.rows
    assert second.head.root == root_hash([bytes.fromhex(row.hash) for row in rows])
    assert audit(rows, second.head, [(first.head.size, first.head.root)]).good
    for each, row in zip(given, rows, strict=True):
        assert kept(record_of(row)) == kept(each)


@pytest.mark.parametrize(
    "bad",
    [
        {"after": {"hours": 1.5}},
        {"after": {"note": "x" * 201}},
        {"after": {"note": "two\nlines"}},
        {"after": {"größe": 1}},
        {"after": {1: 1}},
        {"after": {"many": 2**53}},
        {"after": {"when": NOON}},
        {"before": {"deep": [{"deeper": {1.0}}]}},
        {"words": {"note": "a zero \x00"}},
        {"words": {"note": "half a pair \ud83d"}},
        {"subject": "\ud83d"},
        {"at": datetime(2026, 1, 1)},  # noqa: DTZ001 - the very mistake
    ],
)
def test_what_a_record_cannot_keep_is_refused(bad):
    with pytest.raises(NotEvidence):
        seal([entry(1, **bad)], Head.start(), salt)


def test_the_same_text_is_committed_to_differently_each_time():
    assert commitment(b"a" * 32, "note", "hello") != commitment(b"b" * 32, "note", "hello")
    assert commitment(b"a" * 32, "note", "hello") != commitment(b"a" * 32, "title", "hello")


# The store


def test_entries_come_back_as_they_went_in(store):
    with store.writing() as session:
        written = Ledger(session).append(entry(n) for n in range(7))
        assert [record.seq for record in written] == [1, 2, 3, 4, 5, 6, 7]
    with store.reading() as session:
        ledger = Ledger(session)
        read = list(ledger.records())
        assert [(r.seq, r.previous, r.hash, r.commitments) for r in read] == [
            (r.seq, r.previous, r.hash, r.commitments) for r in written
        ]
        assert [kept(record) for record in read] == [kept(entry(n)) for n in range(7)]
        assert ledger.words_of([1, 2, 4]) == {1: dict(entry(0).words), 4: dict(entry(3).words)}
        assert ledger.head().size == 7
        assert ledger.verify().good


def test_the_model_reads_the_same_rows(store):
    fill(store, 5)
    with store.reading() as session:
        for row, record in zip(session.exec(select(EvidenceRow)), Ledger(session).records(), strict=True):
            assert kept(row) == kept(record)
            assert (tuple(row.practices), row.commitments) == (record.practices, record.commitments)


def test_an_instant_in_any_zone_is_the_same_instant(store):
    india = timezone(timedelta(hours=5, minutes=30))
    at = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=india)
    with store.writing() as session:
        Ledger(session).append([entry(1, at=at)])
    with store.reading() as session:
        assert next(Ledger(session).records()).at == at
        assert Ledger(session).verify().good


def test_nothing_to_append_is_nothing_written(store):
    with store.writing() as session:
        assert Ledger(session).append([]) == []
    with store.reading() as session:
        assert Ledger(session).verify().good
        assert Ledger(session).head().size == 0


def test_a_transaction_that_fails_leaves_no_entry(store):
    fill(store, 3)

    def fail_late() -> None:
        with store.writing() as session:
            Ledger(session).append([entry(3)])
            Ledger(session).append([entry(4, after={"hours": 1.5})])

    with pytest.raises(NotEvidence):
        fail_late()
    fill(store, 2, first=3)
    with store.reading() as session:
        findings = Ledger(session).verify()
        assert (findings.good, findings.size) == (True, 5)


def test_a_trail_is_one_subject_oldest_first_and_can_be_paged_backwards(store):
    fill(store, 30)
    with store.writing() as session:
        Ledger(session).append(entry(n, subject="INC-2") for n in range(30, 34))
    with store.reading() as session:
        ledger = Ledger(session)
        assert [record.seq for record in ledger.trail("INC-2")] == [7, 8, 9, 31, 32, 33, 34]
        assert [record.seq for record in ledger.trail("INC-2", limit=3)] == [32, 33, 34]
        assert [record.seq for record in ledger.trail("INC-2", before_seq=32, limit=2)] == [9, 31]
        assert ledger.trail("INC-99") == []


def test_records_can_be_read_from_any_place(store):
    fill(store, 20)
    with store.reading() as session:
        assert [record.seq for record in Ledger(session).records(after=17)] == [18, 19, 20]


def test_two_writers_at_once_give_one_order(store):
    def write(number: int) -> None:
        with store.writing() as session:
            Ledger(session).append([entry(number), entry(number + 1)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, 80, 2)))
    with store.reading() as session:
        findings = Ledger(session).verify()
        assert (findings.good, findings.size) == (True, 80)


# Only ever added


@pytest.mark.parametrize(
    "change",
    [lambda session, row: setattr(row, "actor", "P-9"), lambda session, row: session.delete(row)],
    ids=["update", "delete"],
)
def test_the_model_refuses_to_change_evidence(store, change):
    fill(store, 3)
    with pytest.raises(AppendOnly, match="Entry 2 stays"), store.writing() as session:
        change(session, session.get(EvidenceRow, 2))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evidence SET actor = 'P-9' WHERE seq = 2",
        "UPDATE evidence SET seq = 9 WHERE seq = 3",
        "DELETE FROM evidence WHERE seq = 3",
        "DELETE FROM evidence",
        "TRUNCATE evidence CASCADE",
        "INSERT OR REPLACE INTO evidence SELECT * FROM evidence WHERE seq = 2",
        "INSERT INTO evidence SELECT * FROM evidence WHERE true ON CONFLICT (seq) DO UPDATE SET seq = 9",
    ],
)
def test_the_database_refuses_to_change_evidence(store, statement):
    unknown = "TRUNCATE" if store.is_sqlite else "OR REPLACE"
    if unknown in statement:
        pytest.skip("this store has no such statement")
    fill(store, 3)
    with pytest.raises(IntegrityError, match="only ever added"), store.writing() as session:
        session.execute(text(statement))
    with store.reading() as session:
        assert Ledger(session).verify().good


def test_a_lost_head_is_not_mistaken_for_an_empty_ledger(store):
    fill(store, 3)
    with store.writing() as session:
        session.execute(text("DELETE FROM ledger_head"))
    with pytest.raises(IntegrityError), store.writing() as session:
        Ledger(session).append([entry(3)])
    with store.reading() as session:
        assert not Ledger(session).verify().good


# A person's words


def test_erasing_a_persons_words_keeps_every_hash(store):
    fill(store, 24)
    with store.writing() as session:
        Ledger(session).append([entry(24, author="P-0")])
    with store.reading() as session:
        ledger = Ledger(session)
        before, root = list(ledger.rows()), ledger.head().root
        theirs = [word for word in ledger.words() if word.author == "P-0"]
        others = [word for word in ledger.words() if word.author != "P-0"]
        assert len(theirs) == 3
        assert {word.seq for word in theirs} == {1, 13, 25}
    with store.writing() as session:
        assert Ledger(session).erase("P-0") == 3
    with store.reading() as session:
        ledger = Ledger(session)
        assert list(ledger.rows()) == before
        assert ledger.head().root == root
        assert ledger.verify().good
        assert list(ledger.words()) == others
        assert ledger.words_of([1]) == {}
    with store.writing() as session:
        assert Ledger(session).erase("P-0") == 0


def test_erased_words_are_not_left_in_the_file(sqlite):
    with sqlite.writing() as session:
        Ledger(session).append([entry(0, words={"note": "a very private remark"})])
    assert b"a very private remark" in contents(sqlite)
    with sqlite.writing() as session:
        Ledger(session).erase("P-0")
    assert b"a very private remark" not in contents(sqlite)


def contents(store):
    return b"".join(path.read_bytes() for path in Path(store.url.database).parent.glob("desk.db*"))


def test_a_record_holds_no_word_that_a_person_wrote(store):
    with store.writing() as session:
        ledger = Ledger(session)
        ledger.append([entry(0, words={"note": "a very private remark"})])
        assert all("private" not in str(row) for row in ledger.rows())
        assert sha256(b"a very private remark").hexdigest() not in str(list(ledger.rows()))
        word = next(ledger.words())
        assert next(ledger.records()).commitments == {"note": commitment(word.salt, "note", word.text)}
        assert len(word.salt) == 32


def test_a_salt_is_never_used_twice(store):
    fill(store, 60)
    with store.reading() as session:
        salts = [word.salt for word in Ledger(session).words()]
        assert len(set(salts)) == len(salts) == 20
