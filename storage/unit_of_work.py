"""The records a command works on: every repository on one session, so that one commit covers them all."""

from __future__ import annotations

from functools import cached_property

from sqlmodel import Session

from storage.repositories.alerts import Alerts
from storage.repositories.changes import Changes
from storage.repositories.clocks import Clocks
from storage.repositories.collections import Collections
from storage.repositories.continuity import Continuity
from storage.repositories.copies import Copies
from storage.repositories.coverage import Coverage
from storage.repositories.drafts import Drafts
from storage.repositories.figures import Figures
from storage.repositories.flow import Counters, Definitions, Dues, Facts, Inbox, Posts
from storage.repositories.incidents import Incidents
from storage.repositories.leases import Leases
from storage.repositories.ledger import Ledger
from storage.repositories.oncall import OnCall
from storage.repositories.outbox import Outbox
from storage.repositories.people import People
from storage.repositories.problems import Actions, Problems
from storage.repositories.requests import Requests
from storage.repositories.tokens import ApiTokens
from storage.repositories.web import Web


class Records:
    """Questions and changes, all inside one transaction that somebody else commits."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @cached_property
    def inbox(self) -> Inbox:
        """Commands already carried out."""
        return Inbox(self.session)

    @cached_property
    def outbox(self) -> Outbox:
        """Messages on their way."""
        return Outbox(self.session)

    @cached_property
    def dues(self) -> Dues:
        """Moments to come."""
        return Dues(self.session)

    @cached_property
    def counters(self) -> Counters:
        """Ticket numbers."""
        return Counters(self.session)

    @cached_property
    def posts(self) -> Posts:
        """Where cards hang."""
        return Posts(self.session)

    @cached_property
    def definitions(self) -> Definitions:
        """Versions of definitions."""
        return Definitions(self.session)

    @cached_property
    def facts(self) -> Facts:
        """Facts about this copy of the store."""
        return Facts(self.session)

    @cached_property
    def people(self) -> People:
        """People and accounts."""
        return People(self.session)

    @cached_property
    def requests(self) -> Requests:
        """Service requests."""
        return Requests(self.session)

    @cached_property
    def problems(self) -> Problems:
        """Problems and known errors."""
        return Problems(self.session)

    @cached_property
    def actions(self) -> Actions:
        """What somebody promised to do."""
        return Actions(self.session)

    @cached_property
    def oncall(self) -> OnCall:
        """Overrides and swaps of rotas."""
        return OnCall(self.session)

    @cached_property
    def alerts(self) -> Alerts:
        """Alerts of monitoring systems."""
        return Alerts(self.session)

    @cached_property
    def incidents(self) -> Incidents:
        """Incidents."""
        return Incidents(self.session)

    @cached_property
    def changes(self) -> Changes:
        """Changes and freezes."""
        return Changes(self.session)

    @cached_property
    def continuity(self) -> Continuity:
        """Impact analyses, plans and drills."""
        return Continuity(self.session)

    @cached_property
    def clocks(self) -> Clocks:
        """Clocks of service agreements."""
        return Clocks(self.session)

    @cached_property
    def figures(self) -> Figures:
        """Figures of services, teams and people."""
        return Figures(self.session)

    @cached_property
    def copies(self) -> Copies:
        """Where else people's words stand."""
        return Copies(self.session)

    @cached_property
    def drafts(self) -> Drafts:
        """Half-filled forms."""
        return Drafts(self.session)

    @cached_property
    def leases(self) -> Leases:
        """What only one process may hold."""
        return Leases(self.session)

    @cached_property
    def tokens(self) -> ApiTokens:
        """What opens the REST interface."""
        return ApiTokens(self.session)

    @cached_property
    def web(self) -> Web:
        """Sign-ins to the pages."""
        return Web(self.session)

    @cached_property
    def ledger(self) -> Ledger:
        """The evidence."""
        return Ledger(self.session)

    @cached_property
    def collections(self) -> Collections:
        """Whole collections for programs."""
        return Collections(self.session)

    @cached_property
    def coverage(self) -> Coverage:
        """How much evidence is on file for each practice."""
        return Coverage(self.session)
