"""May this person do this? One question, one place, asked at the moment of the click.

Roles come from `access.yaml` alone: by person, by team (`@team`), by a platform's own role
(`discord:ROLE-ID`, `slack:GROUP-ID`). Everyone known is staff; guests are never more than that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from config.policy import Policy, Role
from handlers.errors import NotAllowed


@dataclass(frozen=True)
class Person:
    """Someone who acts: key, name, IANA zone, and what the policy lets them do now."""

    key: str
    name: str
    zone: str
    roles: frozenset[Role]
    teams: frozenset[str]
    manager: str | None = None

    def __str__(self) -> str:
        return self.key


THE_DESK = Person("desk", "the desk", "UTC", frozenset(Role), frozenset())


def teams_of(person: str, policy: Policy) -> frozenset[str]:
    """The teams a person is a member of."""
    return frozenset(key for key, team in policy.teams.items() if person in team.members)


def roles_of(
    person: str, policy: Policy, groups: Collection[str] = (), guest: bool = False
) -> frozenset[Role]:
    """The roles a person has now; an administrator has every role."""
    roles = {Role.STAFF}
    if guest:
        return frozenset(roles)
    names = {person, *groups, *(f"@{team}" for team in teams_of(person, policy))}
    roles.update(role for role, given_to in policy.access.grants.items() if names.intersection(given_to))
    return frozenset(Role) if Role.ADMIN in roles else frozenset(roles)


def people_in(names: Iterable[str], policy: Policy) -> list[str]:
    """Person keys and `@team` names as person keys, each once, in order."""
    found: dict[str, None] = {}
    for name in names:
        team = policy.teams.get(name.removeprefix("@")) if name.startswith("@") else None
        for key in team.members if team else (name,):
            found[key] = None
    return list(found)


def who_may(role: Role, policy: Policy) -> str:
    """Those who have a role, in words for a refusal."""
    names = []
    for name in policy.access.grants.get(role, ()):
        if name.startswith("@") and name[1:] in policy.teams:
            names.append(f"the team {policy.teams[name[1:]].name}")
        elif name in policy.people:
            names.append(policy.people[name].name)
    return " or ".join(names) if names else f"someone with the role {role}"


def require_role(person: Person, role: Role, policy: Policy) -> None:
    """Raise NotAllowed, naming who may, unless the person has the role."""
    if role not in person.roles:
        raise NotAllowed(f"This is for {role}s.", f"{who_may(role, policy)} can do it; ask them.")


def is_away(person: str, policy: Policy, today: date) -> bool:
    """Whether the policy says that a person is away on a day (both ends included)."""
    known = policy.people.get(person)
    return known is not None and any(start <= today <= end for start, end in known.away)
