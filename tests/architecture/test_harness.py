"""Do the databases and the browser that tests stand on keep their promises?"""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from playwright.sync_api import Page
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from tests.harness.postgres import PostgresServer, running_server, sweep

left_open: list[Engine] = []


@pytest.fixture(scope="module", autouse=True)
def _close_what_was_left_open() -> Iterator[None]:
    yield
    for engine in left_open:
        engine.dispose()


def words_in(url: str) -> list[str]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(text("SELECT word FROM words ORDER BY word")).scalars())
    finally:
        engine.dispose()


def prepare(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE words (word text)"))
        connection.execute(text("INSERT INTO words VALUES ('bell')"))
    left_open.append(engine)  # a careless caller must not spoil the template


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for servers; not pytest's own, whose long name leaves no room for a socket's."""
    home = Path(tempfile.gettempdir()) / f"deskbell-harness-{os.getpid()}"
    yield home
    shutil.rmtree(home)


def test_a_fresh_database_is_a_copy_of_its_template_and_nobody_elses(postgres_server: PostgresServer) -> None:
    template = postgres_server.template("words", prepare)
    with postgres_server.database(template) as one, postgres_server.database(template) as other:
        engine = create_engine(one)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO words VALUES ('desk')"))
        engine.dispose()
        assert words_in(one) == ["bell", "desk"]
        assert words_in(other) == ["bell"]
    with pytest.raises(SQLAlchemyError, match="does not exist"):
        words_in(one)


def test_a_template_is_prepared_once(postgres_server: PostgresServer) -> None:
    postgres_server.template("words", prepare)
    assert postgres_server.template("words", pytest.fail) == "words"


def test_what_a_killed_run_left_is_stopped_and_removed(home: Path) -> None:
    program = (
        "import sys, signal; from pathlib import Path; from tests.harness.postgres import running_server\n"
        "with running_server(Path(sys.argv[1])): print('running', flush=True); signal.pause()"
    )
    run = subprocess.Popen([sys.executable, "-c", program, home], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    with run.stdout:
        assert run.stdout.readline() == "running\n"
    (folder,) = home.glob("pg-*")
    server = psutil.Process(int((folder / "data/postmaster.pid").read_text().split()[0]))

    sweep(home)
    assert server.is_running(), "a server whose owner lives is left alone"

    run.send_signal(signal.SIGKILL)
    run.wait()
    sweep(home)
    assert not server.is_running()
    assert list(home.glob("pg-*")) == []


def test_a_server_opens_no_folder_above_its_data(home: Path) -> None:
    watched = [Path(sys.executable).parent, *Path(sys.executable).parents, home.parent]
    before = [stat.S_IMODE(path.stat().st_mode) for path in watched]
    with running_server(home) as server, psycopg.connect(server.url("postgres").replace("+psycopg", "")):
        assert stat.S_IMODE(home.stat().st_mode) & 0o066 == 0
    assert [stat.S_IMODE(path.stat().st_mode) for path in watched] == before


def test_a_browser_runs_scripts_and_takes_pictures(page: Page) -> None:
    page.set_content("<h1>Désk</h1><button onclick=\"document.title = 'rung'\">Ring</button>")
    page.get_by_role("button", name="Ring").click()
    assert page.title() == "rung"
    assert page.screenshot().startswith(b"\x89PNG")


async def test_an_async_test_may_follow_a_browser_test() -> None:
    await asyncio.sleep(0)


def test_a_browser_test_may_follow_an_async_test(page: Page) -> None:
    page.set_content("<title>again</title>")
    assert page.title() == "again"
