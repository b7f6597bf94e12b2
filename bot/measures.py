"""What is measured: commands by outcome, how long they took, what waits and how late it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

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
        self.registry.register(_Waiting(database, now))


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
