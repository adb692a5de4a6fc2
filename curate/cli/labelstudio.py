"""`curate labelstudio`: the embedded Label Studio server, on this machine only."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Annotated

import typer

from curate.cli.options import HERE, AsJson, Root

app = typer.Typer(help="The embedded Label Studio server, on this machine only.", no_args_is_help=True)

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="CURATE_LABEL_STUDIO_DATABASE",
        show_envvar=True,
        help="PostgreSQL that holds the labels, for a team: postgresql://user@host/name. Remembered. "
        "The password stands in PGPASSWORD, in the variable below, or in the address.",
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=1, max=64, help="Processes that answer, on PostgreSQL only. Remembered.")
]


@app.command("up")
def up(root: Root = HERE, database: DatabaseUrl = None, workers: Workers = None) -> None:
    """Start the server, or say where it runs.

    Reads and writes .labelstudio/: credentials, log, and the labels unless they are in PostgreSQL.
    """
    from curate.adapters.labelstudio import server

    if database is not None:
        _hide_password(database)
    connection = server.up(root, database_url=database, workers=workers)
    typer.echo(f"Label Studio: {connection.url}")
    typer.echo(f"log in with the user name and password in {server.credentials_path(root)}")


@app.command("status")
def status(root: Root = HERE, as_json: AsJson = False) -> None:
    """Say whether the server runs; exit code 1 if it does not.

    Reads .labelstudio/; writes nothing.
    """
    from curate.adapters.labelstudio import server

    status = server.status(root)
    text = f"{status.url} (pid {status.pid})" if status.running else "not running"
    typer.echo(json.dumps(dataclasses.asdict(status)) if as_json else f"Label Studio: {text}")
    if not status.running:
        raise typer.Exit(1)


@app.command("down")
def down(root: Root = HERE) -> None:
    """Stop the server that `up` started, and no other process.

    Reads .labelstudio/server.json and removes it; writes nothing else: labels stay.
    """
    from curate.adapters.labelstudio import server

    typer.echo("Label Studio: stopped" if server.down(root) else "Label Studio: was not running")


def _hide_password(url: str) -> None:
    """Start this command anew without a password that stands in its own line of the process list."""
    from curate.adapters.labelstudio import database

    if not any(url in argument for argument in sys.orig_argv):
        return
    wanted = database.parse(url, environment={})
    if wanted.password:
        arguments = [argument.replace(url, wanted.shown) for argument in sys.orig_argv[1:]]
        environment = {**os.environ, database.PASSWORD_VARIABLE: wanted.password}
        os.execve(sys.executable, [sys.executable, *arguments], environment)  # noqa: S606 - ourselves
