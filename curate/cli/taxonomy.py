"""`curate taxonomy`: the categories."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import HERE, AsJson, ParamsFile, Root, user_path

app = typer.Typer(help="The categories.", no_args_is_help=True)


@app.command("check")
def check(
    path: Annotated[Path, typer.Argument(parser=user_path, help="The file.")] = Path("taxonomy.yaml"),
    as_json: AsJson = False,
) -> None:
    """Check the categories, their prompts, thresholds and parents.

    Reads the file; writes nothing.
    """
    from curate.labeling import taxonomy as file

    categories = file.load(path)
    notes, digest = file.remarks(categories), file.digest(categories)
    if as_json:
        names = [category.name for category in categories]
        typer.echo(json.dumps({"categories": names, "digest": digest, "notes": notes}, indent=2))
        return
    for note in notes:
        typer.echo(f"{path}: note: {note}")
    typer.echo(f"{path}: {len(categories)} categories, digest {digest}")


@app.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(parser=user_path, help="The file as it was.")],
    new: Annotated[Path, typer.Argument(parser=user_path, help="The file as it is.")] = Path("taxonomy.yaml"),
    as_json: AsJson = False,
) -> None:
    """Say what changed, category by category, and what each change makes necessary.

    Reads both files; writes nothing.
    """
    from curate.labeling import taxonomy as file
    from curate.labeling import taxonomy_diff as difference

    changes = difference.compare(file.load(old), file.load(new))
    if as_json:
        found = [{**dataclasses.asdict(change), "necessary": change.necessary} for change in changes]
        typer.echo(json.dumps({"changes": found}, indent=2))
        return
    for change in changes:
        typer.echo(change.line())
    typer.echo(f"{len(changes)} changes from {old} to {new}")


@app.command("migrate")
def migrate(
    plan: Annotated[
        Path,
        typer.Argument(parser=user_path, help="YAML with rename, merge and split; see docs/categories.md."),
    ],
    root: Root = HERE,
    taxonomy_file: Annotated[
        Path, typer.Option("--taxonomy", parser=user_path, help="As it is to be.")
    ] = Path("taxonomy.yaml"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    parameters: ParamsFile = Path("params.yaml"),
) -> None:
    """Rename, merge or split categories in every table of annotations.

    Reads PLAN, the taxonomy, the tables below data/ and labels/, qa.gold and dedupe.decisions; writes those.
    """
    from curate import params as params_file
    from curate.labeling import migration, migration_plan
    from curate.labeling import taxonomy as file

    moves = migration_plan.load(plan, file.load(root / taxonomy_file))
    path = root / parameters
    settings = params_file.load(path) if path.exists() else params_file.Params()
    work = migration.prepare(
        root,
        moves,
        taxonomy_file=taxonomy_file,
        gold=settings.qa.gold,
        decisions=settings.dedupe.decisions,
    )
    if not dry_run:
        work.write()
    for line in work.lines(written=not dry_run):
        typer.echo(line)
