"""Injects: what those who take part in a drill are confronted with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from handlers.continuity.shared import REAL, DrillRef, find, members, outcome, record, to_lead
from handlers.declare import Due, Outcome, command
from handlers.desk import Desk
from handlers.errors import WrongState
from handlers.messages import Button, Reply, Tone, facts
from handlers.parsing import Duration, Free, Manner, Text, WholeNumber
from handlers.rules.workflow import UNDER_WAY, DrillState
from handlers.telling import in_thread, tell
from handlers.tickets import move
from storage.models.continuity import Drill, DrillInject


@dataclass(frozen=True)
class Confront:
    """For example: drill inject DRL-1 the backup cannot be read to:@backup in:10m"""

    drill: DrillRef
    says: Annotated[Text, "What happens now"]
    to: Annotated[
        str | None, Free(at_most=200, takes_rest=False), Manner.BY_NAME, "Whom; all, when left out"
    ] = None
    after: Annotated[Duration | None, Manner.BY_NAME, "How long from now"] = None


@dataclass(frozen=True)
class Present:
    """For example: drill present DRL-1 2"""

    drill: DrillRef
    number: Annotated[int, WholeNumber(1, 100_000)]


@command("drill inject", params=Confront, evidences=("SCON SP 3.2",))
def confront(asked: Confront, desk: Desk) -> Outcome:
    """Confront those who take part with something that happens, now or in a while."""
    drill = to_lead(desk, asked.drill, "confront")
    if drill.kind == REAL:
        raise WrongState(
            f"{drill.ref} is no drill.", "Nobody is confronted with inventions now.", subject=drill.ref
        )
    to = [name.strip().removeprefix("@") for name in (asked.to or "").split(",") if name.strip()]
    unknown = [name for name in to if desk.directory.find(name) is None and name not in desk.policy.teams]
    if unknown:
        raise desk.ask({"to": f"I do not know {', '.join(unknown)[:80]}."})
    people = [f"@{name}" if name in desk.policy.teams else desk.directory.find(name) or name for name in to]
    row = DrillInject(
        drill=drill.number,
        number=len(desk.records.continuity.injects(drill.number)) + 1,
        says=asked.says,
        to=people,
        by=desk.asker.key,
        at=desk.now + (asked.after or timedelta()),
    )
    desk.records.continuity.add(row)
    move(drill, desk)
    prepared = record(
        drill, "inject_prepared", None, {"inject": row.number, "at": row.at.isoformat()}, {"says": asked.says}
    )
    later = asked.after is not None
    follow = [] if later or drill.state == DrillState.PAUSED else [f"drill present {drill.ref} {row.number}"]
    title = f"{drill.ref}: that comes {'later' if later else 'now'}"
    return outcome(
        desk,
        drill,
        Reply(title=title, text=(asked.says,), tone=Tone.GOOD, subject=drill.ref),
        [prepared],
        due=[moment_of(drill, row)] if later and drill.state == DrillState.RUNNING else [],
        follow=follow,
    )


@command("drill present", params=Present, evidences=("SCON SP 3.2",), desk_only=True)
def present(asked: Present, desk: Desk) -> Outcome:
    """Confront those who take part with what was prepared."""
    drill = find(desk, asked.drill, for_change=True)
    rows = {each.number: each for each in desk.records.continuity.injects(drill.number)}
    inject = rows.get(asked.number)
    if drill.state != DrillState.RUNNING or inject is None or inject.said_at is not None:
        return Outcome(reply=Reply(title=f"{drill.ref}: nothing to say."))
    inject.said_at = desk.now
    move(drill, desk)
    everybody = [drill.lead, *(each.person for each in desk.records.continuity.people(drill.number))]
    people = members(desk, inject.to) or everybody
    title = f"Practice. {inject.says[:120]}"
    details = facts(("Drill", f"{drill.ref} {drill.title}"))
    finding = Button(label="Note a finding", line=f"drill finding {drill.ref}")
    presented = record(drill, "inject_presented", None, {"inject": inject.number, "to": people})
    return outcome(
        desk,
        drill,
        Reply(title=title),
        [presented],
        notices=[
            *tell(
                desk,
                drill,
                people,
                title,
                tag=f"inject/{inject.number}",
                text=inject.says if len(inject.says) > 120 else "",
                details=details,
                buttons=(finding,),
                while_in=UNDER_WAY,
            ),
            *(
                in_thread(drill, title, tag=f"inject/{inject.number}", text=inject.says)
                if not inject.to
                else ()
            ),
        ],
    )


def moment_of(drill: Drill, inject: DrillInject) -> Due:
    """When participants are to be confronted with it."""
    return Due(
        f"{drill.ref}/inject/{inject.number}",
        drill.ref,
        inject.at,
        f"drill present {drill.ref} {inject.number}",
    )
