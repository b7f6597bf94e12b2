"""What figures are about: a service, a team, a customer or everything, in a period; and who sees them."""

from __future__ import annotations

from dataclasses import dataclass

from config.policy import Role
from handlers.access import who_may
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, NotFound
from handlers.parsing import near, quoted
from handlers.rules.periods import Period, period
from storage.repositories.clocks import Whose

SEES = frozenset({Role.MANAGER, Role.OWNER})
"""Who sees every figure."""


@dataclass(frozen=True)
class Scope:
    """What is asked about: what it is called, the word it was asked with, whose promises that means."""

    name: str
    word: str | None
    whose: Whose

    @property
    def given(self) -> str:
        """The words for a line that asks about the same."""
        return f" {quoted(self.word)}" if self.word else ""


def scope_of(desk: Desk, of: str | None) -> Scope:
    """The scope that a word means; raises NotFound with the words that are known."""
    if of is None:
        return Scope("everything", None, Whose())
    policy, wanted = desk.policy, of.strip().lower()
    for key, service in policy.services.items():
        if wanted in (key, service.name.lower()):
            return Scope(f"the service {service.name}", key, Whose(service=key))
    for key, team in policy.teams.items():
        if wanted.removeprefix("@") in (key, team.name.lower()):
            return Scope(f"the team {team.name}", key, Whose(team=key))
    customers = sorted({each.customer for each in policy.agreements.values() if each.customer})
    for customer in customers:
        if customer.lower() == wanted:
            return Scope(f"the customer {customer}", customer, Whose(customer=customer))
    known = [*policy.services, *policy.teams, *customers]
    close = near(of, known)
    raise NotFound(
        f"“{of[:60]}” is no service, team or customer.",
        f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(known[:20])}.",
        [(each, f"sla status {quoted(each)}") for each in close],
    )


def sees_figures(desk: Desk, scope: Scope) -> bool:
    """Whether the asker sees these figures: managers and owners all, who owns a service or leads a team its own."""
    if SEES & desk.asker.roles:
        return True
    service = desk.policy.services.get(scope.whose.service or "")
    team = desk.policy.teams.get(scope.whose.team or "")
    return desk.asker.key in ((service and service.owner), (team and team.lead))


def require_figures(desk: Desk, scope: Scope) -> None:
    """Raise NotAllowed, naming who may, unless the asker sees these figures."""
    if not sees_figures(desk, scope):
        raise NotAllowed(
            f"The figures for {scope.name} are for managers and owners.",
            f"{who_may(Role.MANAGER, desk.policy)} can tell you. `sla status` shows the promises made to you.",
            [("My promises", "sla status")],
        )


def period_of(desk: Desk, within: str) -> Period:
    """The period that a word means, in days of the organisation's zone, so that everybody reads the same figures."""
    try:
        return period(within, desk.now, desk.policy.organisation.zone)
    except ValueError as error:
        raise BadValue(str(error), field="within") from None
