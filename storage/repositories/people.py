"""People who came by chat, their accounts, and the codes that join two accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_models

from storage.models.people import AccountRow, LinkCode, PersonRow
from storage.statements import Prepared

# Asked by nearly every command.
_PERSON_OF = Prepared(
    select(col(AccountRow.person)).where(
        col(AccountRow.platform) == bindparam("on"),
        col(AccountRow.workspace) == bindparam("within"),
        col(AccountRow.user) == bindparam("of"),
    )
)
_PERSON = Prepared(
    select(col(PersonRow.name), col(PersonRow.zone)).where(col(PersonRow.key) == bindparam("wanted"))
)
_ACCOUNTS = Prepared(
    select(
        col(AccountRow.platform),
        col(AccountRow.workspace),
        col(AccountRow.user),
        col(AccountRow.person),
        col(AccountRow.direct),
    )
    .where(col(AccountRow.person) == bindparam("wanted"))
    .order_by(col(AccountRow.platform))
)


class Met(NamedTuple):
    """Somebody no policy names, as they called themselves."""

    name: str
    zone: str | None


class Account(NamedTuple):
    """One account of one person; `direct` is the channel of private talk with them, once it is known."""

    platform: str
    workspace: str
    user: str
    person: str
    direct: str | None


class People:
    """Questions about people and accounts."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def account(self, platform: str, workspace: str, user: str) -> AccountRow | None:
        """An account the desk has met."""
        return self._session.get(AccountRow, (platform, workspace, user))

    def accounts_of(self, person: str) -> Sequence[Account]:
        """A person's accounts, in a fixed order."""
        return [Account(*row) for row in _ACCOUNTS.rows(self._session, wanted=person)]

    def person(self, key: str) -> Met | None:
        """Somebody no policy names."""
        found = _PERSON.first(self._session, wanted=key)
        return None if found is None else Met(*found)

    def everyone(self, at_most: int = 500) -> Sequence[PersonRow]:
        """The people no policy names, oldest acquaintance first."""
        return self._session.exec(
            select_models(PersonRow).order_by(col(PersonRow.met_at)).limit(at_most)
        ).all()

    def add_person(self, person: PersonRow) -> None:
        """Remember somebody new."""
        self._session.add(person)
        self._session.flush()

    def add_account(self, account: AccountRow) -> None:
        """Remember a new account. Raises IntegrityError when it is known already."""
        self._session.add(account)
        self._session.flush()

    def put_account(self, account: AccountRow) -> None:
        """Remember whose account this is."""
        self._session.merge(account)
        self._session.flush()

    def person_of_account(self, platform: str, workspace: str, user: str) -> str | None:
        """The person behind an account the desk has met."""
        found: str | None = _PERSON_OF.value(self._session, on=platform, within=workspace, of=user)
        return found

    def put_code(self, code: LinkCode) -> None:
        """Keep a code; earlier ones of the same person are void."""
        self._session.execute(delete(LinkCode).where(col(LinkCode.person) == code.person))
        self._session.add(code)
        self._session.flush()

    def take_code(self, code: str, now: datetime) -> LinkCode | None:
        """Use a code up; None when it is unknown or has expired."""
        found = self._session.get(LinkCode, code)
        if found is None:
            return None
        self._session.execute(delete(LinkCode).where(col(LinkCode.code) == code))
        return found if found.expires_at > now else None

    def move_accounts(self, person: str, to: str) -> None:
        """Give all accounts of a person to another one."""
        self._session.execute(update(AccountRow).where(col(AccountRow.person) == person).values(person=to))

    def forget(self, key: str) -> None:
        """Drop a person's accounts and codes, and the name; the key stays, because the ledger holds it."""
        self._session.execute(delete(AccountRow).where(col(AccountRow.person) == key))
        self._session.execute(delete(LinkCode).where(col(LinkCode.person) == key))
        met = self._session.get(PersonRow, key)
        if met is not None:
            met.name, met.zone = key, None
            self._session.flush()
