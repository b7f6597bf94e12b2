"""The Merkle tree of RFC 6962, section 2.1: one hash that stands for every record before it.

A leaf is hashed behind the byte 0x00 and a node behind 0x01, so that neither can pass for the
other. Hashes are 32 bytes of SHA-256. A tree is named by its size, the number of its leaves. Proofs
are made as RFC 6962 says and checked as RFC 9162, sections 2.1.3.2 and 2.1.4.2, says: every element
of a proof is used, and a proof with an element too many or too few is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256().digest()
"""The root of a tree without leaves: the hash of nothing."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees as one."""
    return sha256(b"\x01" + left + right).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, as section 2.1 defines it."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return node_hash(root_hash(leaves[:split]), root_hash(leaves[split:]))


class Frontier:
    """The right edge of a growing tree: the roots of its full subtrees, the largest first.

    It holds one hash for each bit that is set in the size, and that is all it takes to add a leaf or
    to tell the root, in O(log size). Raises ValueError when the hashes do not fit the size.
    """

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        self.size = size
        self._roots = list(roots)
        if size < 0 or len(self._roots) != size.bit_count() or any(len(root) != 32 for root in self._roots):
            raise ValueError(f"these hashes are not the edge of a tree with {size} leaves")

    @classmethod
    def from_hex(cls, size: int, roots: Iterable[str]) -> Frontier:
        """Read back what `to_hex` wrote; raises ValueError when it does not fit the size."""
        return cls(size, map(bytes.fromhex, roots))

    def to_hex(self) -> list[str]:
        """The edge as hex text; the size is kept beside it."""
        return [root.hex() for root in self._roots]

    def copy(self) -> Frontier:
        """The same edge, to be grown apart from this one."""
        return Frontier(self.size, self._roots)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash at the end."""
        # Each trailing 1 in the size is a full subtree that the new leaf completes to one twice as large.
        merging = self.size
        while merging & 1:
            leaf = sha256(b"\x01" + self._roots.pop() + leaf).digest()
            merging >>= 1
        self._roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of the whole tree."""
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The audit path of section 2.1.1: what it takes to get from the leaf at `index` to the root.

    Raises IndexError when there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"a tree with {len(leaves)} leaves has no leaf {index}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(index, leaves[:split]), root_hash(leaves[split:])]
    return [*inclusion_proof(index - split, leaves[split:]), root_hash(leaves[:split])]


def proves_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that the tree of this size and root has this leaf hash at `index`."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def consistency_proof(size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The proof of section 2.1.2 that the tree over `leaves` continues the one over its first `size`.

    Raises IndexError when that many leaves do not exist.
    """
    if not 0 <= size <= len(leaves):
        raise IndexError(f"a tree with {len(leaves)} leaves has no beginning of {size}")
    return _subproof(size, leaves, whole=True) if size else []


def proves_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether `proof` shows that the tree of the new size and root begins with the old one."""
    if not 0 <= old_size <= new_size:
        return False
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT and (new_size > 0 or new_root == EMPTY_ROOT)
    if old_size == new_size:
        return not proof and old_root == new_root
    # A full old tree is itself a node of the new one, so the proof leaves it out.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _subproof(size: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.2; `whole` while the old tree is the same subtree that its owner knows."""
    if size == len(leaves):
        return [] if whole else [root_hash(leaves)]
    split = _split(len(leaves))
    if size <= split:
        return [*_subproof(size, leaves[:split], whole), root_hash(leaves[split:])]
    return [*_subproof(size - split, leaves[split:], whole=False), root_hash(leaves[:split])]


def _split(size: int) -> int:
    """The largest power of two below `size`, where section 2.1 parts a tree."""
    return 1 << (size - 1).bit_length() - 1
