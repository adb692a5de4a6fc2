"""`curate diff`: what changed between two releases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli.options import user_path

if TYPE_CHECKING:
    from curate.release.diff import Diff


def diff(
    before: Annotated[
        str,
        typer.Argument(
            metavar="A", help="Release folder, git tag such as v1.0.0, or hf://owner/name@v1.0.0."
        ),
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="The same of the later one.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
    parquet: Annotated[
        Path | None,
        typer.Option(parser=user_path, help="Folder for images.parquet and objects.parquet: every change."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(parser=user_path, help="Page with pictures of what changed.")
    ] = None,
) -> None:
    """Compare two releases: images, objects, categories, columns; and the version that follows.

    Reads both releases, those of the Hub into its cache, those of git tags from DVC's cache or remote; writes
    what --parquet and --html name.
    """
    import tempfile

    from curate.release import diff as releases
    from curate.release import diff_columns

    with tempfile.TemporaryDirectory(prefix="curate-diff-") as scratch:
        folders = [
            _folder(where, Path(scratch, side), pictures=html is not None)
            for side, where in (("before", before), ("after", after))
        ]
        found = releases.compare(*(diff_columns.load(folder) for folder in folders))
        if parquet is not None:
            _write(found, parquet)
        if html is not None:
            from curate.report import release_diff

            release_diff.write(found, html, before=folders[0], after=folders[1])
    typer.echo(json.dumps(_document(found), indent=2) if as_json else _table(found))


def _folder(where: str, scratch: Path, *, pictures: bool) -> Path:
    if where.startswith("hf://"):
        from curate.adapters import hub_release

        return hub_release.fetch(where)
    from curate.adapters import git_versions

    folder = user_path(where)
    if folder.is_dir() or not git_versions.is_tag(where):
        return folder
    git_versions.fetch(Path(), where, scratch, pictures=pictures)
    return scratch


def _document(found: Diff) -> dict[str, object]:
    from curate.release import versions

    step = versions.step(found)
    return {
        "before": {"version": found.before.manifest.version, "digest": found.before.manifest.digest},
        "after": {"version": found.after.manifest.version, "digest": found.after.manifest.digest},
        **found.counts(),
        "categories": found.categories,
        "columns": found.columns,
        "license": found.license,
        "augmented": [side.manifest.augmented for side in (found.before, found.after)],
        "by_category": found.by_category(),
        "step": step,
        "next_version": versions.raised(found.before.manifest.version, step),
    }


def _table(found: Diff) -> str:
    from rich.console import Console
    from rich.table import Table

    from curate.release import changelog, versions

    table = Table("category", "before", "after", "added", "removed", "relabelled", "moved", "described")
    for row in found.by_category():
        relabeled = f"-{row['relabelled from']} +{row['relabelled to']}"
        values = (row[name] for name in ("before", "after", "added", "removed"))
        last = (f"{row[name]:,}" for name in ("moved", "described"))
        table.add_row(row["category"], *(f"{value:,}" for value in values), relabeled, *last)
    console = Console(width=100)
    with console.capture() as captured:
        console.print(table)
    step = versions.step(found)
    return (
        f"{found.before.title} -> {found.after.title}\n{changelog.section(found)}{captured.get()}"
        f"The change is {step}: {versions.raised(found.before.manifest.version, step)} follows."
    )


def _write(found: Diff, folder: Path) -> None:
    import pyarrow.parquet as pq

    from curate import tables

    for name, table in (("images", found.images), ("objects", found.objects)):
        with tables.replacing(folder / f"{name}.parquet") as partial:
            pq.write_table(table, partial, compression="zstd")
