"""`curate params`: the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import user_path

app = typer.Typer(help="The parameters.", no_args_is_help=True)


@app.command("check")
def check(
    path: Annotated[Path, typer.Argument(parser=user_path, help="The file.")] = Path("params.yaml"),
) -> None:
    """Check every parameter, and that DVC's own files are whole.

    Reads the file, dvc.lock and DVC's lock; writes nothing.
    """
    from curate import dvc_files
    from curate import params as file

    file.load(path)
    dvc_files.check(path.parent)
    typer.echo(f"{path}: every parameter is known and in range")


@app.command("doc")
def doc() -> None:
    """Print docs/parameters.md.

    Every parameter with its range, default and meaning. Reads and writes nothing.
    """
    from curate import params_doc as document

    typer.echo(document.page(), nl=False)
