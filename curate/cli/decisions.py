"""`curate decisions`: what people decided, in decisions.csv."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from curate.cli.options import HERE, AsJson, ParamsFile, Root

if TYPE_CHECKING:
    from curate.params import Params

app = typer.Typer(help="What people decided, in decisions.csv.", no_args_is_help=True)


@app.command("check")
def check(root: Root = HERE, parameters: ParamsFile = Path("params.yaml"), as_json: AsJson = False) -> None:
    """Check every line of decisions.csv, with its number; exit code 1 if one makes no sense.

    Reads dedupe.decisions, taxonomy.yaml and the table of images; writes nothing.
    """
    from curate.stages import check_decisions

    with contextlib.chdir(root):
        settings, path = _file(parameters)
        found = check_decisions.run(
            path, images=check_decisions.IMAGES, taxonomy_file=settings.autolabel.taxonomy
        )
    if as_json:
        counts = {"decisions": len(found.decisions), "conflicts": found.conflicts}
        typer.echo(json.dumps({**counts, "problems": found.problems}, indent=2))
    else:
        typer.echo("\n".join([*found.problems, f"{path}: {len(found.decisions):,} decisions"]))
    if found.problems:
        raise typer.Exit(1)


@app.command("gold")
def gold(root: Root = HERE, parameters: ParamsFile = Path("params.yaml")) -> None:
    """Make known answers of the images that decisions.csv calls gold, of what people settled on.

    Reads dedupe.decisions and tables of dedupe and agreement; writes decided.parquet in the folder qa.gold.
    """
    from curate.labeling import taxonomy
    from curate.stages import gold_decisions

    with contextlib.chdir(root):
        settings, path = _file(parameters)
        names = [category.name for category in taxonomy.load(settings.autolabel.taxonomy)]
        made = gold_decisions.write(settings.qa.gold, inputs=gold_decisions.Inputs(path), names=names)
    rest = f"; {made.unsettled:,} have no consensus yet" if made.unsettled else ""
    rest += f"; {made.elsewhere:,} are known elsewhere" if made.elsewhere else ""
    typer.echo(f"{made.path}: {made.images:,} images{rest}")


def _file(parameters: Path) -> tuple[Params, Path]:
    """The parameters, and the file that they name."""
    from curate import params
    from curate.errors import InputError

    settings = params.load(parameters) if parameters.exists() else params.Params()
    if settings.dedupe.decisions is None:
        raise InputError(f"{parameters} names no file of decisions: set dedupe.decisions: decisions.csv")
    return settings, settings.dedupe.decisions
