"""The lives of tickets: their states, and which move is open in which state.

A request:

new ─► (awaiting-approval) ─► open ─► in-progress ⇄ waiting-on-… ─► fulfilled ─► closed
             │                                                        │
             └► rejected        (cancelled from any open state)       └► reopened: open again

An incident:

triggered ⇄ acknowledged ─► resolved ─► closed      (reopened: triggered or acknowledged again)
     └────────────┴──────► merged into another one

A problem:

open ─► analysed ─► resolved ─► closed, once its effect was checked      (reopened: open again)

An action:

open ─► done

A change:

draft ─► awaiting-approval ─► approved ─► scheduled ─► in-progress ─► completed ─► closed, once it was reviewed
  ▲             │    ▲            │            │
  └─ rejected ◄─┘    └─ an edit ◄─┴────────────┘       (cancelled from any state before it is in progress)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from handlers.errors import WrongState


class TicketState(StrEnum):
    """Where a ticket stands."""

    @property
    def shown(self) -> str:
        """In words."""
        return self.value.replace("-", " ")


class RequestState(TicketState):
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


class IncidentState(TicketState):
    """Where an incident stands: nobody holds it, somebody does, service is back, done with; or part of another."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"
    MERGED = "merged"


class ProblemState(TicketState):
    """Where a problem stands: its cause is looked for, is known, was removed, and that was seen to have helped."""

    OPEN = "open"
    ANALYSED = "analysed"
    RESOLVED = "resolved"
    CLOSED = "closed"


class ActionState(TicketState):
    """Whether somebody still owes something."""

    OPEN = "open"
    DONE = "done"


class ChangeState(TicketState):
    """Where a change stands: written, voted on, allowed, given its time, being made, made, looked back upon."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting-approval"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    CLOSED = "closed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Workflow:
    """Which moves are open in which states of one kind of ticket, and what to do instead in the others."""

    states: type[TicketState]
    moves: Mapping[str, tuple[TicketState, ...]]
    instead: Mapping[TicketState, str]


S = RequestState
WAITING = (S.WAITING_ON_REQUESTER, S.WAITING_ON_SUPPLIER)
WORKABLE = (S.OPEN, S.IN_PROGRESS, *WAITING)
UNFINISHED = (S.AWAITING_APPROVAL, *WORKABLE)
FINAL = (S.CLOSED, S.REJECTED, S.CANCELLED)

I = IncidentState  # noqa: E741 - as S above, for the table below alone
LIVE = (I.TRIGGERED, I.ACKNOWLEDGED)
OVER = (I.RESOLVED, I.CLOSED)

P = ProblemState
UNSOLVED = (P.OPEN, P.ANALYSED)

C = ChangeState
AHEAD = (C.DRAFT, C.AWAITING_APPROVAL, C.APPROVED, C.SCHEDULED)
TAKES_PLACE = (C.SCHEDULED, C.IN_PROGRESS)
MADE = (C.COMPLETED, C.CLOSED)

WORKFLOWS: Mapping[str, Workflow] = {
    "REQ": Workflow(
        RequestState,
        {
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
        },
        {
            S.AWAITING_APPROVAL: "It still waits for approval.",
            S.FULFILLED: "It is fulfilled; if it is not right, reopen it.",
            S.CLOSED: "It is closed; reopen it or ask anew.",
            S.REJECTED: "It was rejected; ask anew if things have changed.",
            S.CANCELLED: "It was cancelled; ask anew.",
        },
    ),
    "INC": Workflow(
        IncidentState,
        {
            "triage": LIVE,
            "acknowledge": LIVE,
            "take": LIVE,
            "hand over": LIVE,
            "give a part in": LIVE,
            "post an update on": LIVE,
            "escalate": LIVE,
            "page anybody for": LIVE,
            "record a workaround for": (*LIVE, I.RESOLVED),
            "follow": (*LIVE, *OVER),
            "link": (*LIVE, *OVER),
            "merge": LIVE,
            "resolve": LIVE,
            "confirm": (I.RESOLVED,),
            "reopen": OVER,
            "close": (I.RESOLVED,),
            "review": OVER,
        },
        {
            I.TRIGGERED: "Resolve it first.",
            I.ACKNOWLEDGED: "Resolve it first.",
            I.RESOLVED: "It stays resolved; if it is broken again, reopen it.",
            I.CLOSED: "It stays closed; if it is broken again, reopen it.",
        },
    ),
    "PRB": Workflow(
        ProblemState,
        {
            "say the cause of": UNSOLVED,
            "record a workaround for": UNSOLVED,
            "record a known error for": UNSOLVED,
            "link": tuple(ProblemState),
            "resolve": (P.ANALYSED,),
            "close": (P.RESOLVED,),
            "reopen": (P.RESOLVED, P.CLOSED),
        },
        {
            P.OPEN: "Say its cause first, with `problem cause`.",
            P.ANALYSED: "Resolve it first, with `problem resolve`.",
            P.RESOLVED: "If it has come back, reopen it.",
            P.CLOSED: "If it has come back, reopen it.",
        },
    ),
    "ACT": Workflow(
        ActionState,
        {"finish": (ActionState.OPEN,), "move": (ActionState.OPEN,)},
        {ActionState.DONE: "Add another one if more is to be done."},
    ),
    "CHG": Workflow(
        ChangeState,
        {
            "assess": (*AHEAD, C.REJECTED),
            "edit": (*AHEAD, C.REJECTED),
            "submit": (C.DRAFT,),
            "vote on": (C.AWAITING_APPROVAL,),
            "schedule": (C.APPROVED, C.SCHEDULED),
            "start": (C.SCHEDULED,),
            "complete": (C.IN_PROGRESS,),
            "roll back": (C.IN_PROGRESS,),
            "review": (C.COMPLETED,),
            "accept": MADE,
            "link": (C.IN_PROGRESS, *MADE),
            "cancel": (*AHEAD, C.REJECTED),
        },
        {
            C.DRAFT: "Submit it first.",
            C.AWAITING_APPROVAL: "It still waits for approval.",
            C.APPROVED: "Schedule it first.",
            C.IN_PROGRESS: "It is being made; complete it or roll it back.",
            C.COMPLETED: "It is made; what is left is to review it.",
            C.CLOSED: "Propose another one.",
            C.REJECTED: "Edit it and submit it again, or propose another one.",
            C.CANCELLED: "Propose another one.",
        },
    ),
}
"""By the prefix of a ticket's references."""


def require_move(ref: str, state: str, move: str) -> None:
    """Raise WrongState, with what to do instead, unless the move is open in this state."""
    workflow = WORKFLOWS[ref.partition("-")[0]]
    now = workflow.states(state)
    if now not in workflow.moves[move]:
        raise WrongState(
            f"You cannot {move} {ref}: it is {now.shown}.", workflow.instead.get(now, ""), subject=ref
        )
