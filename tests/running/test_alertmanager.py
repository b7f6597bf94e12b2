"""Does a real Prometheus Alertmanager, configured as the desk says, open incidents, once, and end them?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from storage.database import Database
from storage.models.alerts import Alert
from storage.models.incidents import Incident
from storage.unit_of_work import Records
from tests.harness.alertmanager import Alertmanager, alertmanager
from tests.harness.house import POLICIES
from tests.running.program import Program, wait_until

RECEIVERS = {"prometheus": "deskbell", "pager": "deskbell-events"}


@dataclass
class Watched:
    """A desk that runs, the Alertmanager that reports to it, and a look into the desk's store."""

    program: Program
    manager: Alertmanager
    store: Database

    def incidents(self) -> list[Incident]:
        with self.store.reading() as session:
            found = Records(session).incidents.listed(at_most=100)[0]
        return sorted(found, key=lambda each: each.number)

    def alerts(self) -> list[Alert]:
        with self.store.reading() as session:
            return list(Records(session).alerts.listed(state=None, source=None, skip=0, at_most=100)[0])

    def becomes(self, *states: str) -> list[Incident]:
        """Wait until the incidents are in these states."""
        wait_until(
            lambda: sorted(each.state for each in self.incidents()) == sorted(states),
            lambda: f"{self.incidents()}\n{self.manager.said}",
        )
        return self.incidents()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """The example organisation, served by the real program, with both of its Alertmanager's receivers."""
    policy = tmp_path / "policy"
    shutil.copytree(POLICIES, policy)
    program = Program(tmp_path, DESKBELL_CONFIG=str(policy))
    with program.serving() as desk:
        told = {key: program.run("alerts", "token", key, DESKBELL_URL=desk.address) for key in RECEIVERS}
        printed = [snippet(each.stdout) for each in told.values()]
        quick = {"group_wait": "100ms", "group_interval": "1s", "repeat_interval": "1s"}
        routes = [{"receiver": name, "continue": True} for name in RECEIVERS.values()]
        configuration = {
            "route": {"receiver": "deskbell", "group_by": ["alertname"], "routes": routes, **quick},
            "receivers": [each for part in printed for each in part["receivers"]],
        }
        store = Database(f"sqlite:///{program.home / 'deskbell.db'}")
        with alertmanager(tmp_path, configuration) as manager:
            yield Watched(program, manager, store)
        store.close()


def snippet(printed: str) -> dict[str, list[object]]:
    """What the desk says is to be pasted into alertmanager.yml, as it stands."""
    found = yaml.safe_load(printed.split("\n\n", maxsplit=1)[0])
    assert isinstance(found, dict)
    return found


def test_alerts_open_incidents_join_them_and_end_them(watched: Watched) -> None:
    disk = {"alertname": "DiskFull", "instance": "host-7", "severity": "critical", "service": "laptops"}
    watched.manager.tell(disk, summary="Disk 7 is full", description="Nothing can be written.")
    incidents = watched.becomes("triggered", "triggered")
    by_webhook, by_event = sorted(each.title for each in incidents)
    assert by_webhook == "Disk 7 is full"
    assert by_event.startswith("[FIRING:1] DiskFull (host-7")
    assert [each.severity for each in incidents] == ["SEV2", "SEV2"]
    # It is told again every second, and joined by another one of its group.
    wait_until(lambda: all(each.count > 1 for each in watched.alerts()), lambda: watched.manager.said)
    watched.manager.tell({**disk, "instance": "host-8"}, summary="Disk 8 is full")
    wait_until(lambda: len(watched.alerts()) == 3, lambda: watched.manager.said)
    watched.becomes("triggered", "triggered")
    watched.manager.tell(disk, over=True)
    wait_until(lambda: "over" in {each.state for each in watched.alerts()}, lambda: f"{watched.alerts()}")
    watched.becomes("triggered", "triggered")
    watched.manager.tell({**disk, "instance": "host-8"}, over=True)
    watched.becomes("resolved", "resolved")
    assert {each.state for each in watched.alerts()} == {"over"}
    listed = watched.program.succeed("say", "--as", "oncall", "alert list all")
    assert "Disk 8 is full" in listed
    assert "level=error" not in watched.manager.said, watched.manager.said
