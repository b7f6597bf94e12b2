"""Who is who: from an account to a person, from a typed name to a person, from a person to where they are reached.

Identity is (platform, workspace, user id), never a display name. People are named by the policy; someone
whom no policy names is met the first time they speak, if the policy lets strangers in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from config.policy import Person as PolicyPerson
from config.policy import Policy
from handlers.access import THE_DESK, Person, roles_of, teams_of
from handlers.errors import NotAllowed
from handlers.messages import DESK, Sender, Who
from storage.models.people import AccountRow, PersonRow
from storage.unit_of_work import Records

CONSOLE = "console"
API = "api"
"""The platform of programs that speak for a person by a token; only the REST interface says it."""


@dataclass(frozen=True)
class Reachable:
    """One way to reach a person privately: a platform account, and its direct channel where it is known."""

    platform: str
    workspace: str
    user: str
    direct: str | None = None


class Directory:
    """People and accounts as they are now. `platforms` are those connected, best first."""

    def __init__(self, policy: Policy, records: Records, platforms: Sequence[str]) -> None:
        self._policy = policy
        self._records = records
        self._platforms = platforms
        self._keys: dict[tuple[str, str, str], str | None] = {}

    def who(self, sender: Sender) -> Person | None:
        """The person behind an account; None when the desk has not met them yet."""
        if sender == DESK:
            return THE_DESK
        key = self._key(sender)
        return self.person(key, sender.groups, sender.guest, sender.zone) if key else None

    def _key(self, sender: Sender) -> str | None:
        if sender.platform in (CONSOLE, API):
            return sender.user if sender.user in self._policy.people else None
        account = sender.platform, sender.workspace, sender.user
        if account not in self._keys:
            named = _named_accounts(self._policy).get(account)
            self._keys[account] = named or self._records.people.person_of_account(*account)
        return self._keys[account]

    def person(
        self, key: str, groups: Sequence[str] = (), guest: bool = False, zone: str | None = None
    ) -> Person:
        """A person by key, with the roles they have now."""
        known = self._policy.people.get(key)
        met = None if known else self._records.people.person(key)
        return Person(
            key=key,
            name=known.name if known else met.name if met else key,
            zone=(known and known.zone) or (met and met.zone) or zone or self._policy.organisation.zone,
            roles=roles_of(key, self._policy, groups, guest),
            teams=teams_of(key, self._policy),
            manager=known.manager if known else None,
        )

    def admit(self, sender: Sender, strangers: bool = False) -> None:
        """Raise NotAllowed unless this account may speak to the desk now.

        Its workspace must be on the allow-list; and the policy must name its person, or let people act as
        staff whom it does not name. `strangers` leaves the second out, for what anybody may say.
        """
        if sender == DESK:
            return
        access, key = self._policy.access, self._key(sender)
        if sender.platform in (CONSOLE, API):
            if key is None:
                raise NotAllowed(
                    f"{self._policy.organisation.name} has nobody called “{sender.user[:40]}”.",
                    f"Choose one of {', '.join(self._policy.people)}.",
                )
            return
        if access.workspaces and f"{sender.platform}:{sender.workspace}" not in access.workspaces:
            raise NotAllowed(
                "This workspace is not connected to the desk.", "Ask the desk's administrator to allow it."
            )
        if key in self._policy.people or strangers:
            return
        if not access.unknown_people or sender.guest:
            raise NotAllowed(
                "I do not know this account.",
                "If you use the desk elsewhere, type `desk link` there and follow it; "
                "else ask the desk's administrator.",
            )

    def meet(self, sender: Sender, now: datetime) -> Person:
        """Remember somebody new. The key is a number, because the ledger keeps it for ever.

        Raises IntegrityError when another transaction met the same account first.
        """
        key = f"person-{self._records.counters.next('PERSON')}"
        self._keys.clear()
        self._records.people.add_person(
            PersonRow(key=key, name=(sender.name or key)[:150], zone=sender.zone, met_at=now)
        )
        self._records.people.add_account(
            AccountRow(
                platform=sender.platform,
                workspace=sender.workspace,
                user=sender.user,
                person=key,
                direct=sender.direct,
            )
        )
        return self.person(key, sender.groups, sender.guest)

    def find(self, text: str) -> str | None:
        """A person's key from a key, a full name, or `platform:workspace:user` (how adapters pass a mention)."""
        wanted = text.strip()
        parts = tuple(wanted.split(":"))
        if len(parts) == 3:
            sender = Sender(platform=parts[0], workspace=parts[1], user=parts[2])
            return self._key(sender)
        lower = wanted.lower()
        if lower in self._policy.people:
            return lower
        named = [key for key, each in self._policy.people.items() if each.name.lower() == lower]
        if len(named) == 1:
            return named[0]
        return lower if self._records.people.person(lower) else None

    def everyone(self) -> Sequence[tuple[str, str]]:
        """Keys and names of those who can be chosen."""
        named = [(key, each.name) for key, each in self._policy.people.items()]
        return [*named, *((row.key, row.name) for row in self._records.people.everyone())]

    def name(self, key: str | None) -> str:
        """A person's name for people to read."""
        if not key:
            return "nobody"
        if key == THE_DESK.key:
            return THE_DESK.name
        known = self._policy.people.get(key)
        if known:
            return known.name
        met = self._records.people.person(key)
        return met.name if met else key

    def who_is(self, key: str) -> Who:
        """A person as a part of words."""
        return Who(person=key, name=self.name(key))

    def is_set_up(self, platform: str) -> bool:
        """Whether anything can be sent that way at all."""
        return platform in self._platforms

    def reach(self, key: str, prefer: str | None = None) -> list[Reachable]:
        """Every connected way to reach a person, the preferred platform first."""
        ways = []
        known = self._policy.people.get(key)
        met = {(row.platform, row.workspace, row.user): row for row in self._records.people.accounts_of(key)}
        for account in known.accounts if known else ():
            row = met.pop((account.platform, account.workspace, account.user), None)
            ways.append(
                Reachable(account.platform, account.workspace, account.user, row.direct if row else None)
            )
        ways.extend(Reachable(row.platform, row.workspace, row.user, row.direct) for row in met.values())
        if known:
            ways.append(Reachable(CONSOLE, "", key))
        order = {platform: place for place, platform in enumerate(self._platforms)}
        ways = [way for way in ways if way.platform in order]
        return sorted(ways, key=lambda way: (way.platform != prefer, order[way.platform]))


@lru_cache(maxsize=4)
def _accounts_by_version(policy: _ByVersion) -> dict[tuple[str, str, str], str]:
    return {
        (account.platform, account.workspace, account.user): person.key
        for person in policy.people
        for account in person.accounts
    }


@dataclass(frozen=True, eq=False)
class _ByVersion:
    """A policy's people, hashed by the policy's version so that the index is built once."""

    version: str
    people: tuple[PolicyPerson, ...]

    def __hash__(self) -> int:
        return hash(self.version)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByVersion) and other.version == self.version and other.people == self.people


def _named_accounts(policy: Policy) -> dict[tuple[str, str, str], str]:
    return _accounts_by_version(_ByVersion(policy.version, tuple(policy.people.values())))
