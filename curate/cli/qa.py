"""`curate qa`: the work of people on the annotation server."""

from __future__ import annotations

import typer

from curate.cli import qa_adjudicate, qa_pull, qa_push

app = typer.Typer(help="The work of people on the annotation server.", no_args_is_help=True)
app.command("push")(qa_push.push)
app.command("invite")(qa_push.invite)
app.command("status")(qa_pull.status)
app.command("pull")(qa_pull.pull)
app.command("adjudicate")(qa_adjudicate.adjudicate)
