"""`curate labelstudio`: the embedded Label Studio server, on this machine only."""

from __future__ import annotations

import typer

from curate.cli.options import HERE, Root

app = typer.Typer(help="The embedded Label Studio server, on this machine only.", no_args_is_help=True)


@app.command("up")
def up(root: Root = HERE) -> None:
    """Start the server, or say where it runs."""
    from curate.adapters.labelstudio import server

    connection = server.up(root)
    typer.echo(f"Label Studio: {connection.url}")
    typer.echo(f"log in with the user name and password in {server.credentials_path(root)}")


@app.command("status")
def status(root: Root = HERE) -> None:
    """Say whether the server runs; exit code 1 if it does not."""
    from curate.adapters.labelstudio import server

    status = server.status(root)
    typer.echo(
        f"Label Studio: {status.url} (pid {status.pid})" if status.running else "Label Studio: not running"
    )
    if not status.running:
        raise typer.Exit(1)


@app.command("down")
def down(root: Root = HERE) -> None:
    """Stop the server that `up` started, and no other process."""
    from curate.adapters.labelstudio import server

    typer.echo("Label Studio: stopped" if server.down(root) else "Label Studio: was not running")
