"""`deskbell`: run the desk, speak to it from a shell, and look after it.

What a subcommand needs is imported when it is called: help and a mistyped option are answered at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.start import loading

if TYPE_CHECKING:
    from bot.wiring import House

app = typer.Typer(
    name="deskbell",
    help="A service desk that lives in chat.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
outbox = typer.Typer(help="Messages on their way out, and those that never arrived.", no_args_is_help=True)
evidence = typer.Typer(help="The ledger: check it, export it, sign it.", no_args_is_help=True)
manifest = typer.Typer(help="What a chat platform needs to know about the desk's app.", no_args_is_help=True)
alerts = typer.Typer(help="Systems that send alerts.", no_args_is_help=True)
keys = typer.Typer(help="The keys that the desk made itself: change them.", no_args_is_help=True)
gate = typer.Typer(help="What asks before a pipeline changes a service.", no_args_is_help=True)
app.add_typer(outbox, name="outbox")
app.add_typer(keys, name="keys")
app.add_typer(gate, name="gate")
app.add_typer(alerts, name="alerts")
app.add_typer(evidence, name="evidence")
app.add_typer(manifest, name="manifest")

_out = Console()
_err = Console(stderr=True)


def main() -> None:
    """Enter here."""
    app()


@contextmanager
def _house(migrated: bool = True) -> Iterator[House]:
    """A house from the environment; what is wrong with settings, policy or store is said without a traceback."""
    with loading():
        from sqlalchemy.exc import DBAPIError

        from bot import logs
        from bot.checkpoints import CheckpointRefused
        from bot.wiring import OldSchema, build, secrets_of
        from config.loading import PolicyErrors
        from config.settings import SettingsErrors, read_settings
        from storage.database import StoreUnavailable

    try:
        settings = read_settings()
        logs.configure(settings.log == "json", settings.log_level, secrets_of(settings))
        house = build(settings)
        house.policy_or_errors()
        if migrated:
            house.require_schema()
        try:
            yield house
        finally:
            house.database.close()
    except (SettingsErrors, PolicyErrors, OldSchema) as error:
        _fail(str(error))
    except StoreUnavailable as error:
        _fail(f"The store does not answer: {error}\nCheck DATABASE_URL and that the server runs.")
    except DBAPIError as error:
        _fail(f"The store refused: {error.orig}")
    except CheckpointRefused as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.strerror or error}: {error.filename or ''}".strip(": "))


def _tell(sentence: str) -> None:
    # Neither broken into lines nor read as markup: scripts read it, and paths may hold brackets.
    _out.print(sentence, highlight=False, markup=False, soft_wrap=True)


def _fail(message: str) -> None:
    _err.print(message, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(1)


@app.command()
def serve() -> None:
    """Run the whole desk in one process: web, chat platforms, scheduler, courier."""
    _run(web=True, work=True, migrate_first=True)


@app.command()
def web() -> None:
    """Run only what hears HTTP; several of these may share one PostgreSQL."""
    _run(web=True, work=False)


@app.command()
def worker() -> None:
    """Run only what rings, sends, signs and holds the gateways; several of these may share one PostgreSQL."""
    _run(web=False, work=True)


def _run(*, web: bool, work: bool, migrate_first: bool = False) -> None:
    import asyncio

    with loading():
        from bot.running import run
        from storage.repositories.flow import EXAMPLE

    with _house(migrated=not migrate_first) as house:
        if migrate_first:
            house.migrate()
        if house.fact(EXAMPLE):
            _err.print("This store holds example history: nothing of it ever happened.", style="yellow")

        def ready(port: int) -> None:
            if web and "console" in house.platforms:
                _err.print(f"The desk is open: http://{house.settings.host}:{port}", style="bold green")

        asyncio.run(run(house, web=web, work=work, on_ready=ready))


@app.command()
def migrate() -> None:
    """Bring the store's tables to this version."""
    with _house(migrated=False) as house:
        for sentence in house.migrate():
            _tell(sentence)


@app.command()
def check(folder: Annotated[Path | None, typer.Argument(help="A folder of policy files")] = None) -> None:
    """Read the settings and the policy, and report every problem by file and line."""
    with loading():
        from bot import reach
        from config.loading import PolicyErrors, load
        from config.settings import SettingsErrors, read_settings
        from handlers.rules.rotation import first_gap

    try:
        settings = read_settings()
        policy = load(folder or settings.config, first_gap)
    except (SettingsErrors, PolicyErrors) as error:
        _fail(str(error))
        return
    _tell(
        f"Good: {policy.organisation.name}, {len(policy.people)} people, {len(policy.services)} services, "
        f"{len(policy.offerings)} offerings, {len(policy.agreements)} agreements, version {policy.version}.",
    )
    # Only said: where policies are checked before they are merged, nothing needs to be connected.
    if missing := reach.not_set_up(policy, reach.connected(settings)):
        _tell(f"But {reach.in_words(missing)}. {reach.what_to_do(missing)}")


@app.command()
def say(
    line: Annotated[str, typer.Argument(help="What you would type in chat, such as: request new laptop")],
    person: Annotated[str, typer.Option("--as", help="Who says it, by key")],
    room: Annotated[str | None, typer.Option("--in", help="In which room; in private when left out")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON")] = False,
    key: Annotated[str | None, typer.Option(help="A key of your own that makes it happen once")] = None,
) -> None:
    """Say one line to the desk as one of its people, and read the answer. Exit code 1 when it was refused."""
    from uuid import uuid4

    with loading():
        from bot.adapters.console.render import to_text
        from handlers.messages import Command, Place, Sender, Tone

    with _house() as house:
        if "console" not in house.platforms:
            _fail("The console is off while a chat platform is connected; set DESKBELL_CONSOLE=on to use it.")
        policy, person, room = house.policy(), person.removeprefix("@"), room and room.removeprefix("#")
        if room is not None and room not in policy.rooms:
            _fail(f"There is no room “{room}”. There are: {', '.join(policy.rooms)}.")
        command = Command(
            line=line,
            sender=Sender(platform="console", user=person),
            place=Place(platform="console", channel=room or f"@{person}", direct=room is None),
            key=f"say/{key or uuid4().hex}",
        )
        reply = house.dispatcher.run(command)
        if as_json:
            typer.echo(reply.model_dump_json(indent=2, exclude_defaults=True))
        else:
            known = policy.people.get(person)
            zone = (known.zone if known else None) or policy.organisation.zone
            typer.echo(to_text(reply, zone=zone))
        if reply.tone is Tone.BAD:
            raise typer.Exit(1)


@app.command()
def rehearse(
    file: Annotated[Path, typer.Argument(help="A rehearsal file", exists=True, dir_okay=False)],
    as_json: Annotated[bool, typer.Option("--json", help="The transcript as JSON")] = False,
) -> None:
    """Play a rehearsal file on a throw-away desk with a virtual clock. Exit code 1 when an expectation fails."""
    with loading():
        from bot.rehearsal import rehearse as play
        from config.loading import PolicyErrors

    try:
        transcript = play(file)
    except (PolicyErrors, ValueError) as error:
        _fail(str(error))
        return
    typer.echo(transcript.as_json() if as_json else transcript.as_text())
    if transcript.failures:
        raise typer.Exit(1)


@app.command()
def demo(
    tickets: Annotated[int, typer.Option(min=1, max=200_000, help="How many tickets in the year")] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same history")] = 1,
) -> None:
    """Fill an empty store with a year of example history, made by playing it through the desk itself."""
    with loading():
        from bot.demo import NotEmpty, play

    with _house(migrated=False) as house:
        house.migrate()
        began = house.clock.now()
        with _err.status("A year goes by") as status:
            try:
                played = play(
                    house.database,
                    house.policy(),
                    house.clock.now(),
                    tickets,
                    seed,
                    tell=lambda day, begun: status.update(f"{day:%d %b %Y}: {begun} tickets"),
                )
            except NotEmpty as error:
                _fail(str(error))
                return
        _tell(
            f"{played.tickets} tickets and {played.records} records in {(house.clock.now() - began).seconds} s. "
            "This store holds example history, and its ledger says so in the first record."
        )


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON")] = False) -> None:
    """Look the desk over: store, disk, clock, zones, overdue work, tokens. Exit code 1 when something is wrong."""
    from bot.doctor import examine

    with _house(migrated=False) as house:
        findings = examine(house)
    if as_json:
        typer.echo(json.dumps([each.plain() for each in findings], indent=2))
    else:
        table = Table(show_header=True, header_style="bold")
        for column in ("", "What", "Found", "Do"):
            table.add_column(column, overflow="fold")
        for each in findings:
            then = "" if each.good else each.then
            table.add_row("✓" if each.good else "✗", *map(escape, (each.name, each.found, then)))
        _out.print(table)
    if not all(each.good for each in findings):
        raise typer.Exit(1)


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="The file to write")]) -> None:
    """Copy the store while the desk runs, with what is needed to check the copy."""
    from bot.backup import back_up

    with _house() as house:
        _tell(back_up(house, target))


@app.command()
def restore(source: Annotated[Path, typer.Argument(help="A file that `backup` wrote", exists=True)]) -> None:
    """Put a copy into an empty store. Its messages are held back until `deskbell release`."""
    from bot.backup import NotPossible, put_back

    with _house(migrated=False) as house:
        try:
            _tell(put_back(house, source))
        except NotPossible as error:
            _fail(str(error))


@app.command()
def release() -> None:
    """Let a restored copy send messages and ring what is due: from now on it is the desk."""
    from bot.backup import NotPossible, let_go

    with _house() as house:
        try:
            _tell(let_go(house))
        except NotPossible as error:
            _fail(str(error))


@outbox.command("list")
def outbox_list(
    state: Annotated[list[str], typer.Option(help="pending, sending, retry, given up, sent, skipped")] = [  # noqa: B006 - typer reads it
        "pending",
        "sending",
        "retry",
        "given up",
    ],
) -> None:
    """Messages that wait, and those that were given up, with the reason."""
    from storage.unit_of_work import Records

    with _house() as house, house.database.reading() as session:
        table = Table("No.", "State", "To", "About", "Tries", "Next", "Why")
        for row in Records(session).outbox.listed(state):
            when = row.next_at.strftime("%Y-%m-%d %H:%M:%S UTC") if row.open else ""
            cells = (row.state, row.lane, row.subject or "", str(row.attempts), when, row.reason or "")
            table.add_row(str(row.id), *map(escape, cells))
        _out.print(table)


@outbox.command("retry")
def outbox_retry(number: Annotated[int, typer.Argument(help="The number that `outbox list` shows")]) -> None:
    """Send a message that was given up once more."""
    from handlers.delivery import Deliveries

    with _house() as house:
        if not Deliveries(house.dispatcher).retry(number, house.clock.now(), "operator"):
            _fail(f"Message {number} was not given up; `deskbell outbox list` shows those that were.")
        _tell(f"Message {number} will be tried again.")


@alerts.command("token")
def alerts_token(source: Annotated[str, typer.Argument(help="A source of alerts.yaml, by key")]) -> None:
    """Print where a source sends its alerts, its token, and what to paste into its configuration."""
    from bot.web.alert_setup import instructions

    with _house(migrated=False) as house:
        known = house.policy().alerts
        if source not in known:
            _fail(f"alerts.yaml has no source “{source}”; it has {', '.join(known) or 'none'}.")
        _tell(instructions(known[source], house.settings.url, house.tokens))


@gate.command("token")
def gate_token(
    service: Annotated[
        str | None, typer.Argument(help="A service by key; all of them, when left out")
    ] = None,
) -> None:
    """Print where a pipeline asks whether it may change a service, and the token that lets it ask."""
    from bot.web.changes import ALL, gate_instructions

    with _house(migrated=False) as house:
        known = house.policy().services
        if service is not None and service not in known:
            _fail(f"services.yaml has no service “{service}”; it has {', '.join(known) or 'none'}.")
        _tell(gate_instructions(service or ALL, house.settings.url, house.tokens))


@evidence.command("verify")
def evidence_verify() -> None:
    """Check every record, the tree, and the checkpoints in the store and beside it."""
    with _house() as house:
        findings = house.verify()
        if not findings.good:
            _fail(f"Record {findings.bad}: {findings.trouble}")
        _tell(f"Good: {findings.size} records, {findings.checkpoints} checkpoints, root {findings.root}")


@evidence.command("export")
def evidence_export(
    target: Annotated[Path, typer.Argument(help="The file to write; its verifier lands beside it")],
    whole: Annotated[
        bool, typer.Option("--pack", help="One archive to hand over, with an index page")
    ] = False,
) -> None:
    """Write the whole ledger into one file that an outsider can check, and the verifier beside it."""
    with _house() as house:
        if whole:
            from bot.pack import pack

            packed = pack(house, target)
            _tell(f"{packed.records} records in {target}; its index.html says how to check them.")
            _tell(f"Tell the appraiser this key by another way: {packed.key}")
            return
        count = house.export(target)
        _tell(f"{count} records in {target}, and deskbell_verify.py beside it.")
        _tell(f"Check it anywhere with: python deskbell_verify.py {target.name}")


@evidence.command("checkpoint")
def evidence_checkpoint() -> None:
    """Sign a checkpoint of the ledger now, and print it."""
    with _house() as house:
        typer.echo(house.sign(only_if_due=False) or "Nothing is new since the last checkpoint.")


@keys.command("rotate")
def keys_rotate(
    which: Annotated[list[str] | None, typer.Argument(help="ledger, secret; both, when left out")] = None,
) -> None:
    """Go on with a new signing key and a new secret, while the desk runs. What the old ones made still holds."""
    from bot.tokens import change_secret

    wanted = which or ["ledger", "secret"]
    if unknown := [each for each in wanted if each not in ("ledger", "secret")]:
        _fail(f"There is no key called {unknown[0]!r}; there are ledger and secret.")
    with _house() as house:
        if "secret" in wanted and house.settings.secret is not None:
            _fail(
                "The secret is the setting DESKBELL_SECRET: change it there, which voids every token made from it."
            )
        if "ledger" in wanted:
            _tell(
                f"The ledger is signed with a new key; give it to those who check exports: {house.change_key()}"
            )
            _tell("The key before it has signed for it, so an export is checked with either of them.")
        if "secret" in wanted:
            change_secret(house.settings.home)
            _tell(
                "New tokens are made from a new secret. Those before open until you run `deskbell keys forget`."
            )


@keys.command("forget")
def keys_forget() -> None:
    """Void every token that an earlier secret made: feeds, alert sources and gates need their new ones."""
    from bot.tokens import forget_secrets

    with _house() as house:
        if house.settings.secret is not None:
            _fail("The secret is the setting DESKBELL_SECRET; there is no earlier one to forget.")
        gone = forget_secrets(house.settings.home)
        _tell(f"{gone} earlier secrets are forgotten." if gone else "There is no earlier secret.")


@manifest.command("slack")
def manifest_slack(
    socket_mode: Annotated[bool, typer.Option(help="For Socket Mode instead of HTTP")] = False,
) -> None:
    """Print the manifest to paste when creating the Slack app."""
    from bot.adapters.slack.manifest import manifest as make

    with _house(migrated=False) as house:
        settings = house.settings
        made = make(house.dispatcher.commands, settings.url, settings.slack_command_prefix, socket_mode)
        typer.echo(json.dumps(made, indent=2))


if __name__ == "__main__":
    main()
