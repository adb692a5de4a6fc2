"""`curate decisions`: what people decided, in decisions.csv."""

from __future__ import annotations

import contextlib
import getpass
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli.options import HERE, AsJson, ParamsFile, Root, user_path

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


@app.command("pull")
def pull(
    *,
    by: Annotated[
        str | None, typer.Option(help="Who decided, as a pseudonym; by default that of your git e-mail.")
    ] = None,
    root: Root = HERE,
    parameters: ParamsFile = Path("params.yaml"),
) -> None:
    """Take what was decided in the app of `curate view` into decisions.csv.

    Reads the app's database in .fiftyone/; writes the file that dedupe.decisions names, and data/people.csv.
    """
    from curate import pseudonyms
    from curate.adapters import fiftyone_decisions

    with contextlib.chdir(root):
        _, path = _file(parameters)
        user = _user()
        who = by or pseudonyms.remember(Path("data/people.csv"), [user])[user]
        report = fiftyone_decisions.pull(Path(), path, by=who)
    typer.echo(report.line())
    for first, second in report.conflicts:
        conflict = f"{second.decision} contradicts {first.decision} in line {first.line}"
        typer.echo(f"conflict: {path}:{second.line}: {conflict}", err=True)
    for problem in report.problems:
        typer.echo(f"not taken: {problem}", err=True)


def _user() -> str:
    """The e-mail address that git knows, or the name of the account."""
    found = subprocess.run(["git", "config", "user.email"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or getpass.getuser()


@app.command("rules")
def rules(
    *,
    file: Annotated[
        Path, typer.Option("--rules", parser=user_path, help="The rules; docs/curation.md.")
    ] = Path("rules.yaml"),
    apply: Annotated[bool, typer.Option("--apply", help="Write their lines into decisions.csv.")] = False,
    root: Root = HERE,
    parameters: ParamsFile = Path("params.yaml"),
) -> None:
    """Count what each rule of rules.yaml is about; write nothing, or with --apply its lines.

    Reads the rules and ingest's table of images; with --apply writes the file that dedupe.decisions names.
    """
    from curate.stages import check_decisions, decision_rules

    with contextlib.chdir(root):
        _, path = _file(parameters)
        made = decision_rules.load(file)
        found = decision_rules.find(made, check_decisions.IMAGES)
        lines = [
            f"{len(found.matches[rule.name]):>7,}  {rule.then}  {rule.name}: {rule.when}" for rule in made
        ]
        if apply:
            counts = decision_rules.apply(path, found, check_decisions.IMAGES)
            lines.append(
                f"{path}: {counts['added']:,} lines added, {counts['removed']:,} removed, "
                f"{counts['left_out']:,} left out as a person says otherwise"
            )
    typer.echo("\n".join(lines))


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
    rest = f"; {made.unsettled:,} have no consensus of people yet" if made.unsettled else ""
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
