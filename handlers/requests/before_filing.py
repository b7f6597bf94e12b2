"""What somebody is shown before a request is filed: the same thing that they have open, or that helps already.

Meanwhile their answers are kept, so that one click files them; nobody fills in a form twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from config.policy import FieldKind, Offering, Policy
from handlers.desk import Desk
from handlers.errors import NotFound
from handlers.messages import Button, Reply, Style, Tone, facts
from handlers.rules.likeness import ALIKE, likeness_to, words
from handlers.rules.workflow import UNFINISHED, RequestState
from storage.models.problems import Problem
from storage.models.requests import Request

_WORDS = (FieldKind.TEXT, FieldKind.LONG)
_LOOKED_AT = 20  # open requests of the asker
_SHOWN = 3


@dataclass(frozen=True)
class Held:
    """A request that waits for its requester's word: the offering's key, the answers, the message it came from."""

    offering: str
    answers: Mapping[str, str]
    source: str | None


def similar(desk: Desk, offering: Offering, answers: Mapping[str, str]) -> Sequence[Request]:
    """What the asker has open of the same offering, unless its words are about something else; the newest first."""
    found, _ = desk.records.requests.listed(
        states=UNFINISHED, requester=desk.asker.key, offering=offering.key, at_most=_LOOKED_AT
    )
    said = _said(offering, answers)
    likeness = likeness_to(said)

    def may_be_it(request: Request) -> bool:
        theirs = _said(offering, request.answers)
        # Where one of them says nothing that tells, only the offering can be compared.
        return not words(said) or not words(theirs) or likeness(theirs) >= ALIKE

    return [each for each in found if may_be_it(each)][:_SHOWN]


def _said(offering: Offering, answers: Mapping[str, str]) -> str:
    """The texts among the answers, in one."""
    return " ".join(answers.get(each.key, "") for each in offering.fields if each.kind in _WORDS)


def in_words(requests: Sequence[Request]) -> str:
    """Requests with their states, in words."""
    return ", ".join(f"{each.ref} ({RequestState(each.state).shown})" for each in requests)


def hold(desk: Desk, offering: Offering, answers: Mapping[str, str], another: bool) -> Reply | None:
    """What to say instead of filing, or None; the answers are kept for a day. `another` is meant to be one more."""
    known = _known(desk, offering, answers)
    open_ones = () if another else similar(desk, offering, answers)
    if not known and not open_ones:
        return None
    held = Held(offering.key, dict(answers), desk.command.source)
    desk.records.drafts.put(_key(desk, desk.reference), json.dumps(vars(held)), desk.now)
    return Reply(
        title="Before it is filed: this may be known" if known else "You have this open already",
        text=("Nothing is filed yet.",),
        tone=Tone.WAITING,
        subject=known[0].ref if known else open_ones[0].ref,
        more=(*_sections(known, open_ones), _anyway(desk.reference)),
    )


def take_back(desk: Desk, reference: str) -> Held:
    """What was held, once; raises NotFound when it was filed meanwhile, or is older than a day."""
    kept = desk.records.drafts.take(_key(desk, reference))
    if kept is None:
        raise NotFound("That is filed already, or it waited for more than a day.", "See `request list`.")
    return Held(**json.loads(kept))


def _key(desk: Desk, reference: str) -> str:
    # With the asker's own key in it: nobody else's answers can be taken back.
    return f"held/{desk.asker.key}/{reference}"


def _known(desk: Desk, offering: Offering, answers: Mapping[str, str]) -> Sequence[Problem]:
    """Known errors of its service and of all that it rests on; of any service, for what has no offering of its own."""
    said = _said(offering, answers)
    if not words(said):
        return ()  # a form without a text is about nothing that could be known
    anywhere = offering.key == desk.policy.organisation.intake_offering
    return desk.records.problems.known_errors(
        None if anywhere else offering.service,
        likeness_to(said, shared=2),
        ALIKE,
        _beneath(desk.policy, offering.service),
    )


def _beneath(policy: Policy, service: str) -> list[str]:
    """The services on which a service rests, near ones first."""
    found = [service]
    for each in found:
        known = policy.services.get(each)
        found += [key for key in (known.depends_on if known else ()) if key not in found]
    return found[1:]


def _sections(known: Sequence[Problem], open_ones: Sequence[Request]) -> Iterator[Reply]:
    for each in known:
        yield Reply(
            title=f"{each.ref}: {each.title}",
            facts=facts(("What people notice", each.symptom), ("What helps", each.workaround)),
            buttons=(Button(label="This solved it", line=f"problem helped {each.ref}", style=Style.PRIMARY),),
        )
    if open_ones:
        yield Reply(
            title=f"Open already: {in_words(open_ones)}",
            buttons=tuple(
                Button(label=f"Show {each.ref}", line=f"request show {each.ref}") for each in open_ones
            ),
        )


def _anyway(reference: str) -> Reply:
    return Reply(
        title="Is it something else?",
        text=("Your answers are kept for a day.",),
        buttons=(Button(label="File it anyway", line=f"request new held:{reference}"),),
    )
