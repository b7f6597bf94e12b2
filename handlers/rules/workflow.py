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

A drill:

scheduled ─► running ⇄ paused ─► finished, or aborted      (cancelled before it runs)

A continuity plan: draft ─► signed; a later version is a draft again until it is signed, too.
An impact analysis: draft ─► signed ─► replaced by the next one that is signed.
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


class DrillState(TicketState):
    """Where a drill stands, or a plan that is worked in earnest."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    ABORTED = "aborted"
    CANCELLED = "cancelled"


class PlanState(TicketState):
    """Whether the owner stands behind a plan as it is written now."""

    DRAFT = "draft"
    SIGNED = "signed"
    WITHDRAWN = "withdrawn"


class AnalysisState(TicketState):
    """Whether the owner of the service stands behind an impact analysis, and whether a later one took its place."""

    DRAFT = "draft"
    SIGNED = "signed"
    REPLACED = "replaced"


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

D = DrillState
UNDER_WAY = (D.RUNNING, D.PAUSED)
DRILL_OVER = (D.FINISHED, D.ABORTED)

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
    "DRL": Workflow(
        DrillState,
        {
            "join": (D.SCHEDULED, *UNDER_WAY),
            "move": (D.SCHEDULED,),
            "cancel": (D.SCHEDULED,),
            "start": (D.SCHEDULED,),
            "work on": (D.RUNNING,),
            "confront": UNDER_WAY,
            "declare the disruption of": (*UNDER_WAY, *DRILL_OVER),
            "confirm a recovery in": (*UNDER_WAY, *DRILL_OVER),
            "pause": (D.RUNNING,),
            "resume": (D.PAUSED,),
            "finish": UNDER_WAY,
            "abort": UNDER_WAY,
            "note a finding of": (*UNDER_WAY, *DRILL_OVER),
            "rate": DRILL_OVER,
        },
        {
            D.SCHEDULED: "Start it first.",
            D.RUNNING: "It runs; finish it or abort it.",
            D.PAUSED: "Resume it first.",
            D.FINISHED: "It is over; what was measured is corrected with a reason, and findings can be added.",
            D.ABORTED: "It is over; schedule another one.",
            D.CANCELLED: "Schedule another one.",
        },
    ),
    "PLN": Workflow(
        PlanState,
        {
            "edit": (PlanState.DRAFT, PlanState.SIGNED),
            "sign": (PlanState.DRAFT,),
            "withdraw": (PlanState.DRAFT, PlanState.SIGNED),
            "drill": (PlanState.DRAFT, PlanState.SIGNED),
            "invoke": (PlanState.DRAFT, PlanState.SIGNED),
        },
        {
            PlanState.SIGNED: "This version is signed already.",
            PlanState.WITHDRAWN: "It was withdrawn; write another one.",
        },
    ),
    "BIA": Workflow(
        AnalysisState,
        {"sign": (AnalysisState.DRAFT,)},
        {
            AnalysisState.SIGNED: "It is signed already.",
            AnalysisState.REPLACED: "A later one was signed; analyse the service anew.",
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
