"""The life of a service request: its states, and which move is open in which state.

new ─► (awaiting-approval) ─► open ─► in-progress ⇄ waiting-on-… ─► fulfilled ─► closed
             │                                                        │
             └► rejected        (cancelled from any open state)       └► reopened: open again
"""

from __future__ import annotations

from enum import StrEnum

from handlers.errors import WrongState


class RequestState(StrEnum):
    """Where a request stands; `waiting-…` states may stop a clock if the agreement names them."""

    AWAITING_APPROVAL = "awaiting-approval"
    OPEN = "open"
    IN_PROGRESS = "in-progress"
    WAITING_ON_REQUESTER = "waiting-on-requester"
    WAITING_ON_SUPPLIER = "waiting-on-supplier"
    FULFILLED = "fulfilled"
    CLOSED = "closed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"

    @property
    def shown(self) -> str:
        """In words."""
        return self.value.replace("-", " ")


S = RequestState
WAITING = (S.WAITING_ON_REQUESTER, S.WAITING_ON_SUPPLIER)
WORKABLE = (S.OPEN, S.IN_PROGRESS, *WAITING)
UNFINISHED = (S.AWAITING_APPROVAL, *WORKABLE)
FINAL = (S.CLOSED, S.REJECTED, S.CANCELLED)

_MOVES: dict[str, tuple[RequestState, ...]] = {
    "take": WORKABLE,
    "assign": WORKABLE,
    "prioritise": UNFINISHED,
    "comment on": (*UNFINISHED, S.FULFILLED),
    "wait with": (S.OPEN, S.IN_PROGRESS, *WAITING),
    "resume": WAITING,
    "approve": (S.AWAITING_APPROVAL,),
    "reject": (S.AWAITING_APPROVAL,),
    "tick a task of": WORKABLE,
    "fulfil": WORKABLE,
    "confirm": (S.FULFILLED,),
    "reopen": (S.FULFILLED, S.CLOSED),
    "cancel": UNFINISHED,
    "rate": (S.FULFILLED, S.CLOSED),
}

_INSTEAD = {
    S.AWAITING_APPROVAL: "It still waits for approval.",
    S.FULFILLED: "It is fulfilled; if it is not right, reopen it.",
    S.CLOSED: "It is closed; reopen it or ask anew.",
    S.REJECTED: "It was rejected; ask anew if things have changed.",
    S.CANCELLED: "It was cancelled; ask anew.",
}


def require_move(ref: str, state: str, move: str) -> None:
    """Raise WrongState, with what to do instead, unless the move is open in this state."""
    now = RequestState(state)
    if now not in _MOVES[move]:
        raise WrongState(f"You cannot {move} {ref}: it is {now.shown}.", _INSTEAD.get(now, ""), subject=ref)
