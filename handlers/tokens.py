"""Tokens: how another program speaks to the desk, with a person's rights and no more than its scopes.

A scope is a noun and what may be done with it: `request:read`, `incident:write`. A token is never said in chat: what
is said here is a code that fetches it once, within ten minutes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from config.policy import Role
from handlers.declare import Change, Outcome, command
from handlers.desk import Desk
from handlers.errors import BadValue, NotAllowed, NotFound, WrongState
from handlers.messages import Reply, Table, Tone, facts
from handlers.parsing import Line, Manner, PersonRef, Reference, WholeNumber, Word
from handlers.tickets import number_of
from storage.models.tokens import ApiToken

PREFIX = "TOK"
NO_SCOPE = frozenset({"desk", "token", "privacy"})
"""Nouns that no token opens: they are about a person's own accounts, or about tokens."""

_FETCH = (
    "`curl -X POST -d code={code} {address}` answers with the token. "
    "After that nobody can read it again, the desk included."
)
FETCHED_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Make:
    """For example: token make nightly-report scopes:request:read,sla:read days:90"""

    name: Annotated[Word, "What it is for"]
    scopes: Annotated[Line, Manner.BY_NAME, "Such as request:read,incident:write"]
    person: Annotated[PersonRef | None, Manner.BY_NAME, "Whose rights it has; yours, when left out"] = None
    days: Annotated[int, WholeNumber(1, 366), Manner.BY_NAME, "How many days it lives"] = 90


@dataclass(frozen=True)
class List:
    """For example: token list"""


@dataclass(frozen=True)
class Revoke:
    """For example: token revoke TOK-1"""

    token: Annotated[str, Reference(PREFIX)]


@command("token make", params=Make, role=Role.ADMIN, evidences=("WMC SP 1.4",))
def make(asked: Make, desk: Desk) -> Outcome:
    """Let another program speak to the desk, with a person's rights, some scopes, and an end."""
    person = asked.person or desk.asker.key
    if person not in desk.policy.people:
        raise BadValue("A token needs a person whom the policy names.", "See people.yaml.", field="person")
    scopes = _scopes(asked.scopes, desk)
    code, number = secrets.token_urlsafe(24), desk.records.counters.next("TOKEN")
    token = ApiToken(
        number=number,
        name=asked.name[:100],
        person=person,
        scopes=scopes,
        made_by=desk.asker.key,
        made_at=desk.now,
        expires_at=desk.now + timedelta(days=asked.days),
        code=digest(code),
        fetch_by=desk.now + FETCHED_WITHIN,
    )
    desk.records.tokens.add(token)
    told = {"person": person, "scopes": scopes, "expires": token.expires_at.isoformat()}
    return Outcome(
        reply=Reply(
            title=f"{token.ref} is made. Fetch it once, within ten minutes.",
            text=(_FETCH.format(code=code, address=desk.feed("token") or "…/api/v1/token"),),
            facts=facts(
                ("Acts as", desk.who(person)),
                ("Scopes", ", ".join(scopes)),
                ("Ends", desk.at(token.expires_at)),
            ),
            tone=Tone.GOOD,
        ),
        changes=[Change("api_token.made", token.ref, None, told, {"name": token.name})],
    )


@command("token list", params=List, role=Role.ADMIN)
def list_tokens(asked: List, desk: Desk) -> Reply:
    """See which programs may speak to the desk, as whom, and until when."""
    found = desk.records.tokens.listed()
    return Reply(
        title=f"{len(found)} tokens" if len(found) != 1 else "1 token",
        table=Table(
            columns=("Token", "For", "Acts as", "Scopes", "Ends", "State"),
            rows=tuple(
                (
                    (each.ref,),
                    (each.name,),
                    (desk.directory.who_is(each.person),),
                    (", ".join(each.scopes),),
                    (desk.at(each.expires_at) or "",),
                    (_state(each.revoked_at is not None, each.expires_at <= desk.now, each.digest is None),),
                )
                for each in found
            ),
            empty="There are none. An administrator makes one with `token make`.",
        ),
    )


@command("token revoke", params=Revoke, role=Role.ADMIN, evidences=("WMC SP 1.4",))
def revoke(asked: Revoke, desk: Desk) -> Outcome:
    """End a token at once."""
    token = desk.records.tokens.get(number_of(asked.token))
    if token is None:
        raise NotFound(f"There is no {asked.token}.", "See `token list`.")
    if token.revoked_at is not None:
        raise WrongState(f"{token.ref} was revoked before.")
    token.revoked_at = desk.now
    desk.records.tokens.save()
    return Outcome(
        reply=Reply(title=f"{token.ref} opens nothing any more.", tone=Tone.GOOD),
        changes=[Change("api_token.revoked", token.ref, {"revoked": False}, {"revoked": True})],
    )


@dataclass(frozen=True)
class Granted:
    """What a token that may be used opens: its reference, whose rights it has, its scopes."""

    ref: str
    person: str
    scopes: frozenset[str]


def granted(desk: Desk, token: str) -> Granted:
    """What a token opens now. Raises NotAllowed with a word for programs: unknown, revoked or expired."""
    found = desk.records.tokens.of(digest(token))
    if found is None:
        raise NotAllowed("unknown")
    if found.revoked_at is not None:
        raise NotAllowed("revoked", found.ref)
    if found.expires_at <= desk.now:
        raise NotAllowed("expired", found.ref)
    return Granted(found.ref, found.person, frozenset(found.scopes))


def digest(secret: str) -> str:
    """The SHA-256 of a secret that nobody could guess, in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _scopes(text: str, desk: Desk) -> list[str]:
    nouns = [noun for noun in desk.commands.nouns if noun not in NO_SCOPE]
    found = sorted({each for each in re.split(r"[,\s]+", text.strip().lower()) if each})
    for each in found:
        noun, _, may = each.partition(":")
        if noun not in nouns or may not in ("read", "write"):
            raise BadValue(
                f"“{each[:40]}” is no scope.",
                f"Write a noun with read or write, such as request:read. Nouns: {', '.join(nouns)}.",
                field="scopes",
            )
    if not found:
        raise BadValue("A token without a scope opens nothing.", field="scopes")
    return found


def _state(revoked: bool, expired: bool, unfetched: bool) -> str:
    return "revoked" if revoked else "expired" if expired else "not fetched" if unfetched else "valid"
