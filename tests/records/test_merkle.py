"""Is the tree the one of RFC 6962? Reference vectors, a naive definition, and proofs that were touched."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.rules.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    proves_consistency,
    proves_inclusion,
    root_hash,
)

# The eight leaves that every Certificate Transparency implementation is tested with, and their roots.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(bytes.fromhex(entry)) for entry in INPUTS]

leaves = st.lists(st.binary(max_size=8).map(leaf_hash), min_size=1, max_size=70)


def naive_root(hashes):
    """Section 2.1 in its own words, with the split found by trying."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = max(2**n for n in range(32) if 2**n < len(hashes))
    return sha256(b"\x01" + naive_root(hashes[:split]) + naive_root(hashes[split:])).digest()


def frontier_over(hashes):
    frontier = Frontier()
    for leaf in hashes:
        frontier.append(leaf)
    return frontier


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_the_reference(size):
    assert root_hash(LEAVES[:size]).hex() == ROOTS[size - 1]
    assert frontier_over(LEAVES[:size]).root().hex() == ROOTS[size - 1]


def test_the_empty_tree_is_the_hash_of_nothing():
    assert root_hash([]) == Frontier().root() == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("leaf", "size", "proof"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (3, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        (
            2,
            5,
            [
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_the_inclusion_proofs_are_those_of_the_reference(leaf, size, proof):
    made = inclusion_proof(leaf - 1, LEAVES[:size])
    assert [part.hex() for part in made] == proof
    assert proves_inclusion(leaf - 1, size, LEAVES[leaf - 1], made, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(
    ("old", "new", "proof"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_the_consistency_proofs_are_those_of_the_reference(old, new, proof):
    made = consistency_proof(old, LEAVES[:new])
    assert [part.hex() for part in made] == proof
    assert proves_consistency(old, new, bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1]), made)


@given(leaves)
def test_the_edge_and_the_definition_agree_on_the_root(hashes):
    assert frontier_over(hashes).root() == root_hash(hashes) == naive_root(hashes)


@given(leaves, st.data())
def test_an_edge_can_be_put_away_and_grown_further(hashes, data):
    cut = data.draw(st.integers(0, len(hashes)))
    before = frontier_over(hashes[:cut])
    after = Frontier.from_hex(before.size, before.to_hex())
    grown = before.copy()
    for leaf in hashes[cut:]:
        grown.append(leaf)
        after.append(leaf)
    assert grown.root() == after.root() == naive_root(hashes)
    assert before.root() == naive_root(hashes[:cut])


@pytest.mark.parametrize(("size", "roots"), [(3, ["00" * 32]), (1, []), (1, ["00"]), (-1, []), (1, ["x"])])
def test_an_edge_that_does_not_fit_its_size_is_refused(size, roots):
    with pytest.raises(ValueError, match=r"tree|hex"):
        Frontier.from_hex(size, roots)


@given(leaves, st.data())
def test_each_leaf_is_proved_and_only_in_its_place(hashes, data):
    index = data.draw(st.integers(0, len(hashes) - 1))
    other = data.draw(st.integers(0, len(hashes) - 1))
    proof, root = inclusion_proof(index, hashes), naive_root(hashes)
    assert proves_inclusion(index, len(hashes), hashes[index], proof, root)
    if hashes[other] != hashes[index]:
        assert not proves_inclusion(index, len(hashes), hashes[other], proof, root)
    assert not proves_inclusion(index, len(hashes), hashes[index], [*proof, root], root)
    assert not proves_inclusion(len(hashes), len(hashes), hashes[index], proof, root)
    for place in range(len(proof)):
        for touched in (proof[:place] + proof[place + 1 :], bent(proof, place)):
            assert not proves_inclusion(index, len(hashes), hashes[index], touched, root)


@given(leaves, st.data())
def test_each_beginning_is_proved_and_no_element_of_the_proof_is_idle(hashes, data):
    old = data.draw(st.integers(0, len(hashes)))
    proof = consistency_proof(old, hashes)
    before, after = naive_root(hashes[:old]), naive_root(hashes)
    assert proves_consistency(old, len(hashes), before, after, proof)
    assert not proves_consistency(old, len(hashes), before, after, [*proof, after])
    assert not proves_consistency(len(hashes) + 1, len(hashes), before, after, proof)
    for place in range(len(proof)):
        for touched in (proof[:place] + proof[place + 1 :], bent(proof, place)):
            assert not proves_consistency(old, len(hashes), before, after, touched)


def test_what_is_not_in_the_tree_cannot_be_asked_for():
    with pytest.raises(IndexError):
        inclusion_proof(8, LEAVES)
    with pytest.raises(IndexError):
        consistency_proof(9, LEAVES)


def bent(proof, place):
    return [*proof[:place], bytes([proof[place][0] ^ 1]) + proof[place][1:], *proof[place + 1 :]]
