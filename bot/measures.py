"""What is measured: commands by outcome, how long they took, what waits and how late it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.adapters.port import Adapter, Delivered, Delivery, Ear, GiveUp, Result
from bot.clock import monotonic
from handlers.dispatch import Dispatcher
from handlers.messages import Command, Reply
from storage.database import Database, StoreUnavailable
from storage.unit_of_work import Records


class Measures:
    """The measurements of one process, in a registry of its own."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self.registry = CollectorRegistry()
        self.commands = Counter(
            "deskbell_commands", "Commands carried out", ["surface", "outcome"], registry=self.registry
        )
        self.seconds = Histogram(
            "deskbell_command_seconds", "How long a command took", ["surface"], registry=self.registry
        )
        self.deliveries = Counter(
            "deskbell_deliveries",
            "Messages handed to a platform",
            ["platform", "result"],
            registry=self.registry,
        )
        self.alerts = Counter(
            "deskbell_alerts", "Alerts answered, by HTTP status", ["source", "status"], registry=self.registry
        )
        self.registry.register(_Waiting(database, now))

    def alert(self, source: str, status: int) -> None:
        """Count an alert that was answered; `source` is empty for a stranger's."""
        self.alerts.labels(source, str(status)).inc()


class MeasuringEar(Ear):
    """The ear that counts what it hears: by surface, by the tone of the answer, by how long it took."""

    def __init__(self, dispatcher: Dispatcher, measures: Measures) -> None:
        super().__init__(dispatcher)
        self._measures = measures

    async def hear(self, command: Command) -> Reply:
        """Carry out one command, and measure it. Raises StoreUnavailable when nothing could be committed."""
        surface, began = command.sender.platform, monotonic()
        outcome = "unavailable"
        try:
            reply = await super().hear(command)
            outcome = "form" if reply.form else str(reply.tone)
        finally:
            self._measures.commands.labels(surface, outcome).inc()
            self._measures.seconds.labels(surface).observe(monotonic() - began)
        return reply


class MeasuredAdapter:
    """An adapter whose deliveries are counted, by platform and result."""

    def __init__(self, adapter: Adapter, measures: Measures) -> None:
        self.platform, self.pace = adapter.platform, adapter.pace
        self.start, self.stop, self.find = adapter.start, adapter.stop, adapter.find
        self._adapter, self._measures = adapter, measures

    async def deliver(self, delivery: Delivery) -> Result:
        """Send or edit one message, and count what became of it."""
        result: Result | None = None
        try:
            result = await self._adapter.deliver(delivery)
        finally:
            self._measures.deliveries.labels(self.platform, _said(result)).inc()
        return result


def _said(result: Result | None) -> str:
    match result:
        case Delivered():
            return "delivered"
        case GiveUp():
            return "given up"
        case _:
            return "to be tried again"


class _Waiting(Collector):
    """Asks the store, when measurements are fetched, what waits."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def collect(self) -> Iterable[Metric]:
        outbox = GaugeMetricFamily("deskbell_outbox", "Messages that wait, by state", labels=["state"])
        overdue = GaugeMetricFamily("deskbell_due_overdue", "Moments that have passed and were not acted on")
        records = GaugeMetricFamily("deskbell_ledger_records", "Records in the ledger")
        try:
            with self._database.reading() as session:
                found = Records(session)
                for state, count in found.outbox.counts().items():
                    outbox.add_metric([state], count)
                overdue.add_metric([], found.dues.overdue(self._now()))
                records.add_metric([], found.ledger.head().size)
        except StoreUnavailable:
            return
        yield from (outbox, overdue, records)
