"""`curate qa push` and `curate qa invite`: tasks and people onto the annotation server."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli.options import HERE, ParamsFile, Root

if TYPE_CHECKING:
    from curate.ports import PushPlan

_COUNTED = (
    ("created", "to create"),
    ("edited", "of them for tasks whose picture somebody changed on the server"),
    ("predictions_replaced", "get new suggestions"),
    ("data_changed", "get new data"),
    ("overlap_changed", "get another number of labelers"),
    ("recounted", "taken to be done, or open, by another count than that of people"),
    ("reopened", "to open again"),
    ("closed", "to close (nobody is offered them any more; task and work stay)"),
    ("deleted", "to delete (labelstudio.removed: delete; nobody worked on them)"),
    ("duplicates_removed", "copies without work to remove"),
    ("surplus", "not in the plan, stay as they are"),
    ("unchanged", "unchanged"),
)

_HAND_ON = "passwords are shown this once and stand in no file: hand them on"


def push(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
    ] = False,
    root: Root = HERE,
    parameters: ParamsFile = Path("params.yaml"),
) -> None:
    """Make the server hold what the plan asks for, as `dvc repro push` does.

    Reads params.yaml and the tables of earlier stages; writes projects and tasks on the server, data/push/.
    """
    from curate import params
    from curate.adapters.labelstudio import connection, tool
    from curate.errors import InputError
    from curate.stages import push as stage

    with contextlib.chdir(root):
        settings = params.load(parameters)
        if not settings.labelstudio.enabled:
            raise InputError("labelstudio.enabled is false in params.yaml: there is no server to push to")
        server = tool.from_settings(settings.labelstudio, connection.resolve(Path()))
        inputs = stage.inputs(settings.autolabel.taxonomy)
        if not dry_run:
            outputs = stage.Outputs(receipt=stage.RECEIPT, shown=stage.SHOWN)
            report = stage.run(
                settings.labelstudio, inputs=inputs, outputs=outputs, ports=stage.Ports(server)
            )
            typer.echo(report.line())
            return
        for plan in stage.plan(settings.labelstudio, inputs=inputs, tool=server):
            typer.echo("\n".join(plan_lines(plan)))


def plan_lines(plan: PushPlan) -> list[str]:
    """What a dry run says."""
    lines = [f"project {plan.title!r}"]
    lines += [f"  {change}" for change in plan.project]
    counts = [(getattr(plan.counts, name), text) for name, text in _COUNTED]
    lines += [f"  {number:6,} {text}" for number, text in counts if number]
    for kind, names in plan.examples:
        lines.append(f"  {kind}, such as:")
        lines += [f"    {name}" for name in names]
    return [*lines, "nothing was changed"]


def invite(
    emails: Annotated[list[str] | None, typer.Argument(help="Addresses; each gets an account.")] = None,
    *,
    link: Annotated[
        bool, typer.Option("--link", help="Print the invitation link instead of making accounts.")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Give accounts that are there a new password (embedded server).")
    ] = False,
    root: Root = HERE,
) -> None:
    """Make accounts for labelers and print each password once, or print the invitation link.

    Reads no file but the server's token; writes accounts on the server.
    """
    from curate.adapters.labelstudio import accounts, connection
    from curate.adapters.labelstudio import server as embedded
    from curate.errors import InputError

    server = connection.resolve(root)
    if link:
        typer.echo(f"whoever has this link can make an account: {accounts.invitation_link(server)}")
        return
    if not emails:
        raise InputError("nobody to invite: name addresses, or print the invitation link with --link")
    typer.echo(f"Label Studio: {server.url}")
    if reset:
        strangers = sorted({email.lower() for email in emails} - accounts.known_addresses(server))
        if strangers:
            raise InputError(f"{', '.join(strangers)} has no account: invite without --reset")
        for email in dict.fromkeys(map(str.lower, emails)):
            fresh = accounts.new_password()
            embedded.reset_password(root, server, email, fresh)
            typer.echo(f"{email}  new password {fresh}")
        typer.echo(_HAND_ON)
        return
    for email, password in accounts.invite(server, emails).items():
        typer.echo(f"{email}  password {password}" if password else f"{email}  is there already")
    typer.echo(_HAND_ON)
