"""Labels that people already have, as suggestions, answers or gold of a project.

A file is joined to the images of the project once, and becomes a table that the stages read: autolabel the
suggestions, pull the answers, select and quality the gold. What did not fit stands in a CSV beside it.
"""

from __future__ import annotations

import csv
import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from curate import formats, schema, tables
from curate.errors import InputError
from curate.folder_walk import paths_below
from curate.formats.frames import Frame
from curate.formats.image_match import COLUMNS, ImageMatch, Match
from curate.formats.imported_rows import How
from curate.formats.label_join import NOTES, Joined
from curate.formats.record import Problem
from curate.labeling import taxonomy
from curate.labeling.run import external_sort
from curate.records import Annotation, Category, Origin, StageReport, derived_id

As = Literal["suggestions", "answers", "gold"]
FOLDER: Final = Path("labels")
PROBLEM_COLUMNS: Final = ("kind", "held_back", "file", "line", "entry", "image", "detail", "nearest_category")
_ORIGINS: Final[Mapping[As, Origin]] = {"suggestions": "model", "answers": "human", "gold": "gold"}
# Columns that `imported_rows.row` may fill; the others are null.
_FILLED: Final = frozenset(
    [
        "annotation_id",
        "image_id",
        "origin",
        "annotator_id",
        "category",
        "bbox_xyxy",
        "rle",
        "polygon",
        "score",
        "model_version",
        "outcome",
    ]
)
_TEXTS: Final = frozenset((".json", ".xml", ".txt", ".csv", ".jsonl", ".manifest", ".parquet"))
_ROW_BYTES = 100  # of a file of labels per object, about
_PIECE = 20_000  # rows that are Python objects at a time
_DIGITS = 8  # of a place's digest, in the names of tables


@dataclass(frozen=True, slots=True)
class ImportParams:
    """What to import, and how.

    Attributes:
        file: A file or folder of labels.
        become: What the labels are.
        format: Of `formats.READERS`; None = as the file looks.
        annotator: Who gave the answers, where the file does not say it.
        frame: Whether they were drawn on the stored pixels, or on upright ones.
        match: By what the file names images.
        categories: Our names by the file's, besides those of the taxonomy.
        field: Of FiftyOne: which labels of a sample.
    """

    file: Path
    become: As
    format: str | None = None
    annotator: str | None = None
    frame: Frame = "upright"
    match: Match = "path"
    categories: Mapping[str, str] = dataclasses.field(default_factory=dict)
    field: str | None = None

    @property
    def name(self) -> str:
        """What the tables that become of it are called for people; two files may have one."""
        folder, stem = self.file.parent.parts[-1:], self.file.stem
        parts = [part for part in (*folder, stem) if part not in ("/", "..", ".")]
        return "-".join([*parts, *filter(None, (self.field, self.annotator))]).replace("/", "-")

    def table_name(self, root: Path) -> str:
        """The name with a digest of the file's place, which no two files share.

        Args:
            root: The project's folder: a place in it counts from there, so that the project may move.
        """
        place, home = self.file.resolve(), root.resolve()
        inner = place.relative_to(home) if place.is_relative_to(home) else place
        return f"{self.name}-{derived_id('file of labels', inner.as_posix())[:_DIGITS]}"


@dataclass(frozen=True, slots=True)
class Inputs:
    """The `images` table of ingest or dedupe, and taxonomy.yaml."""

    images: Path
    taxonomy: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """The `annotations` table, and the CSV of what did not fit."""

    table: Path
    problems: Path


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file.

    Attributes:
        report: Its counts.
        remarks: Sentences that somebody should read.
    """

    report: StageReport
    remarks: tuple[str, ...]


def places(
    params: ImportParams, root: Path, taxonomy_file: Path, gold: Path | None
) -> tuple[Inputs, Outputs]:
    """Paths at which a project keeps what is read and written.

    Args:
        params: What to import.
        root: The project's folder.
        taxonomy_file: The parameter `autolabel.taxonomy`.
        gold: The parameter `qa.gold`.

    Raises:
        InputError: Gold without a folder for it, or a table of an earlier version that this one would stand
            beside.
    """
    deduped = root / "data/dedupe/images.parquet"
    images = deduped if deduped.exists() else root / "data/ingest/images.parquet"
    folder = root / FOLDER / params.become
    if params.become == "gold":
        if gold is None or gold.suffix:
            raise InputError(
                f"qa.gold = {gold or 'null'} is no folder: set `gold: gold` under qa in params.yaml"
            )
        folder = root / gold
    old = folder / f"{dataclasses.replace(params, field=None).name}.parquet"  # it knew no fields
    if old.exists():  # of which file nobody knows: replacing it may lose labels, keeping it counts some twice
        raise InputError(
            f"{old} was made by an earlier version, whose tables of several files could share a name: "
            f"move it out of its folder, then import again every file that is called {params.file.name}"
        )
    name = params.table_name(root)
    problems = root / FOLDER / f"{params.become}-{name}.problems.csv"
    return Inputs(images, root / taxonomy_file), Outputs(folder / f"{name}.parquet", problems)


def run(params: ImportParams, *, inputs: Inputs, outputs: Outputs) -> Imported:
    """Import a file of labels.

    Raises:
        InputError: It cannot be read as a whole, names a category of the taxonomy that is not there, or
            nothing of it fits; or it has objects of which it does not say where, and what becomes of it is no
            suggestion.
        ParamsError: taxonomy.yaml is malformed.
        TableError: The images table is missing.
        StorageError: An output cannot be written.
    """
    names = _names(taxonomy.load(inputs.taxonomy), params.categories)
    images = tables.read(inputs.images, schema.IMAGES, columns=COLUMNS)
    suggestions = params.become == "suggestions"
    labels = formats.read(params.file, params.format, field=params.field, suggestions=suggestions)
    if labels.incomplete and not suggestions:
        raise InputError(
            f"{params.file}: {labels.incomplete}; as {params.become} images would be told wrongly: mend the "
            "file, or import it as suggestions"
        )
    joined = Joined(
        labels,
        ImageMatch(images, params.match),
        How(
            origin=_ORIGINS[params.become],
            frame=params.frame,
            categories=names,
            annotator=params.annotator,
            model_version=f"import:{outputs.table.stem}" if suggestions else None,
        ),
    )
    pieces = _pieces(joined.rows())
    first = next(pieces, None)  # not before something fits is an earlier table replaced
    if first is not None:
        whole = itertools.chain([first], pieces)
        external_sort.gather(whole, _rows_expected(params.file), outputs.table, seen=lambda _: None)
    write_problems(joined.labels.problems, outputs.problems)
    if first is None:
        raise InputError(_nothing(params, joined, outputs.problems))
    return _imported(params, joined, outputs)


def _rows_expected(file: Path) -> int:
    """Estimate the rows from the size of the files; it decides only how they are sorted in pieces."""
    files = [file] if file.is_file() else paths_below(file, *(f"*{suffix}" for suffix in _TEXTS))
    return sum(one.stat().st_size for one in files if one.exists()) // _ROW_BYTES + 1


def _names(categories: Sequence[Category], given: Mapping[str, str]) -> dict[str, str]:
    known = {category.name: category.name for category in categories}
    for theirs, ours in given.items():
        if ours not in known:
            raise InputError(
                f"category {theirs}={ours}: {ours!r} is not in the taxonomy: known are {', '.join(known)}"
            )
    titles = {category.title: category.name for category in categories if category.title}
    return {**titles, **known, **given}


def _pieces(rows: Iterator[Annotation]) -> Iterator[pa.Table]:
    while piece := list(itertools.islice(rows, _PIECE)):
        columns = [
            pa.array([getattr(row, field.name) for row in piece], field.type)
            if field.name in _FILLED
            else pa.nulls(len(piece), field.type)
            for field in schema.ANNOTATIONS.arrow
        ]
        yield pa.Table.from_arrays(columns, schema=schema.ANNOTATIONS.arrow)


def write_problems(problems: Sequence[Problem], path: Path) -> None:
    """A CSV of `PROBLEM_COLUMNS`, a row per problem, as they were found; also one without any."""
    with tables.replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(PROBLEM_COLUMNS)
        for one in problems:
            held = "no" if one.kind in NOTES else "yes"
            line = one.line or ""
            writer.writerow([one.kind, held, one.file, line, one.entry, one.image, one.detail, one.known])


def _nothing(params: ImportParams, joined: Joined, problems: Path) -> str:
    kinds = joined.labels.counts()
    listed = joined.labels.problems
    first = next((one for one in listed if one.kind not in NOTES), next(iter(listed), None))
    why = (
        f"{_counted(kinds)}; the first: {first.image or first.entry}: {first.detail}"
        if first
        else "it is empty"
    )
    unnamed = first is not None and first.detail.endswith("is not in the taxonomy")
    advice = "add the categories to taxonomy.yaml" if unnamed else "--match and --frame may help"
    return f"{params.file}: nothing fits the project ({why}): {problems} lists all, {advice}"


def _imported(params: ImportParams, joined: Joined, outputs: Outputs) -> Imported:
    kinds = joined.labels.counts()
    counts = [("images", joined.images), ("objects", joined.objects)]
    counts += [("held back", joined.held_back)] if joined.held_back else []
    counts += [(kind.replace("_", " "), number) for kind, number in sorted(kinds.items())]
    remarks = []
    if kinds:
        rows, say = ("rows", "say") if kinds.total() > 1 else ("row", "says")
        remarks.append(f"{kinds.total():,} {rows} in {outputs.problems} {say} what did not fit, and where")
    frame = joined.frame_remark()
    return Imported(
        StageReport(f"import of {params.file} as {params.become}", tuple(counts)),
        (*remarks, *([frame] if frame else [])),
    )


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in kinds.most_common())
