"""`curate tag` and `curate checkout`: a version of the data set by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import HERE, Root, user_path


def tag(root: Root = HERE) -> None:
    """Make the git tag of the release that was published, once git, DVC and the target agree on it.

    Reads data/release, data/publish/receipt.json and the last commit; writes the tag v<version> and nothing
    else.
    """
    from curate.adapters import git_versions

    made, there = git_versions.tag_release(root)
    if there:
        typer.echo(f"{made} names this commit already")
    else:
        typer.echo(f"{made} names this commit; `dvc push` and `git push origin {made}` bring it to others")


def checkout(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Its tag, such as v1.2.0.")],
    *,
    to: Annotated[
        Path | None,
        typer.Option("--to", parser=user_path, help="Write the release there; the project stays as it is."),
    ] = None,
    root: Root = HERE,
) -> None:
    """Bring back the data of a version, and check it file by file.

    Reads git, and DVC's cache or remote; writes what --to names. Without it the project itself goes back, all
    that git and DVC keep of it, unless that would lose what is saved in neither.
    """
    from curate.adapters import git_versions

    if to is not None:
        found = git_versions.fetch(root, version, to)
        typer.echo(f"{to}: {found.name} {found.version}, digest {found.digest[:12]}")
        return
    found = git_versions.check_out(root, version)
    typer.echo(
        f"the project is at {found.name} {found.version}, digest {found.digest[:12]}; "
        "`git switch -` and `dvc checkout` lead back"
    )
