"""Stage pairs: sub-images of the kept images, each with a partner that is small and bad."""

from __future__ import annotations

import csv
import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.errors import InputError
from curate.params import DedupeParams, PairsParams, ReleaseParams
from curate.ports import Casualty, Engine
from curate.records import StageReport
from curate.release import split_groups, split_record, splits
from curate.release.folder import replacing_folder
from curate.restoration import degradation_presets, pair_images, table_schemas
from curate.restoration.image_faults import NOT_KNOWN
from curate.restoration.pair_images import HR, LR, NoPairs, SourceOfPairs
from curate.stages import leakage

_COLUMNS = (*split_groups.COLUMNS, "path", "license", "attribution", "drop_reason")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads.

    Attributes:
        images: The table of dedupe, with the files it names.
        diagnosed: The table of diagnose.
        splits: The split of every image that was ever released; need not be there.
        released: Folder of the last release; need not be there.
    """

    images: Path
    diagnosed: Path
    splits: Path
    released: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        folder: HR/, LR/, and meta_info files as BasicSR and its kin read them; replaced as a whole.
        table: A row per pair, with its recipe and its seed.
        leaks: CSV of the images that the test set holds too; written where one is named.
        index: The project's own index, which dedupe made.
    """

    folder: Path
    table: Path
    leaks: Path
    index: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside: where the work runs, and images that a worker hashes at a time."""

    engine: Engine
    batch_size: int = 64


def run(
    params: PairsParams,
    *,
    dedupe: DedupeParams,
    release: ReleaseParams,
    inputs: Inputs,
    outputs: Outputs,
    ports: Ports,
) -> StageReport:
    """Make the pairs; the same images, parameters and seed make the same bytes.

    An image that was released keeps its split (`release.keep_splits`). Others have that of their source
    (`release.split_attribute`, `release.split_conflicts`), or one that is drawn by
    `release.validation_share`, `release.test_share` and `release.seed`, for groups of images that show one
    scene, or have an equal value of an attribute in `release.group_by`, together.

    Raises:
        ReleaseError: Images that belong together have several splits, or no image has an attribute.
        InputError: No image is kept, none gives a pair, or the preset cannot be applied to one.
        ParamsError: There is no such preset.
        TableError: A table or the index of the test set is missing, or was made with other settings; the
            record of splits is damaged.
        StorageError: The disk is full or refuses.
    """
    degradation_presets.find(params.preset, params.presets)
    images = tables.read(inputs.images, schema.IMAGES, columns=list(_COLUMNS))
    leaked = _leaks(params, dedupe, inputs, outputs, ports)
    faulty, not_known = _faulty(params, images, inputs.diagnosed)
    former = split_record.load(inputs.splits, inputs.released) if release.keep_splits else {}
    sources, kept = _sources(images, release, leaked | faulty, former)
    if not sources:
        raise InputError(
            f"{inputs.images} keeps no image for a pair: look at its drop_reason column, at the faults in "
            f"{inputs.diagnosed} (pairs.exclude_faults) and at pairs.against"
        )
    with replacing_folder(outputs.folder) as folder:
        for kind in (HR, LR):
            (folder / kind).mkdir()
        rows, without = _make(params, sources, folder, ports.engine)
        if not rows:
            raise InputError(f"no image gives a pair; the first: {without[0].detail}")
        _meta_info(rows, folder)
    for row in rows:
        row |= {name: (outputs.folder / row[name]).as_posix() for name in ("hr_path", "lr_path")}
    tables.write_rows(rows, outputs.table, table_schemas.IMAGE_PAIRS)
    reasons = Counter(one.reason for one in without)
    counts = [("images", len(sources)), ("pairs", len(rows))]
    counts += [(f"images {reason.replace('_', ' ')}", n) for reason, n in sorted(reasons.items())]
    if params.against:
        counts.append(("images in the test set", len(leaked)))
    if params.exclude_faults:
        counts.append(("images left out by fault", len(faulty - leaked)))
        counts.append(("images not known to be without", len(not_known - leaked)))
    if kept:
        counts.append(("images in their former split", kept))
    by_split = dict(sorted(Counter(row["split"] for row in rows).items()))
    without_pairs = {one.image_id: one.detail for one in without[:100]}
    metrics = {"preset": params.preset, "pairs_by_split": by_split, "without": without_pairs}
    return StageReport("pairs", tuple(counts), metrics)


def _leaks(
    params: PairsParams, dedupe: DedupeParams, inputs: Inputs, outputs: Outputs, ports: Ports
) -> set[str]:
    """Images that show a picture of the test set."""
    if params.against is None:
        return set()
    leakage.run(
        dedupe,
        inputs=leakage.Inputs(inputs.images, params.against),
        outputs=leakage.Outputs(outputs.leaks, outputs.index),
        ports=leakage.Ports(ports.engine, ports.batch_size),
    )
    with outputs.leaks.open(encoding="utf-8", newline="") as file:
        return {row["image_id"] for row in csv.DictReader(file)}


def _faulty(params: PairsParams, images: pa.Table, diagnosed: Path) -> tuple[set[str], set[str]]:
    """Kept images with a fault that is left out, and those of which it is not known."""
    if not params.exclude_faults:
        return set(), set()
    columns = ["image_id", "faults", "bands"]
    rows = tables.read(diagnosed, table_schemas.DIAGNOSED, columns=columns).to_pylist()
    found = {row["image_id"]: row for row in rows}
    faulty, not_known = set(), set()
    for image_id in images.filter(pc.is_null(images["drop_reason"]))["image_id"].to_pylist():
        row = found.get(image_id, {"faults": [], "bands": []})
        bands = dict(row["bands"])
        if set(params.exclude_faults) & set(row["faults"]):
            faulty.add(image_id)
        elif any(bands.get(name, NOT_KNOWN) == NOT_KNOWN for name in params.exclude_faults):
            not_known.add(image_id)
    return faulty, not_known


def _sources(
    images: pa.Table, release: ReleaseParams, left_out: set[str], former: Mapping[str, str]
) -> tuple[list[SourceOfPairs], int]:
    """Kept images that are not left out, with the split of their group; how many keep a former one."""
    ids = images["image_id"].to_pylist()
    ties = split_groups.tie(images, release.group_by).names
    is_kept = pc.is_null(images["drop_reason"]).to_pylist()
    released = [kept and image_id not in left_out for kept, image_id in zip(is_kept, ids, strict=True)]
    settled = split_groups.settle(
        ids,
        ties,
        released,
        former=former,
        own=split_groups.own_splits(images, release.split_attribute),
        conflicts=release.split_conflicts,
    )
    out = [index for index, is_out in enumerate(released) if is_out]
    of_image = splits.assign(
        [ties[index] for index in out],
        [[]] * len(out),
        validation_share=release.validation_share,
        test_share=release.test_share,
        seed=release.seed,
        fixed=[settled.split[index] for index in out],
    )
    kept = images.take(pa.array(out, pa.int64())).to_pylist()  # records of one image each
    sources = [
        SourceOfPairs(row["image_id"], Path(row["path"]), row["license"], row["attribution"], split)
        for row, split in zip(kept, of_image, strict=True)
    ]
    return sources, settled.kept


def _make(
    params: PairsParams, sources: Sequence[SourceOfPairs], folder: Path, engine: Engine
) -> tuple[list[dict[str, Any]], list[NoPairs]]:
    rows: list[dict[str, Any]] = []
    without: list[NoPairs] = []
    batches: list[list[SourceOfPairs]] = [[source] for source in sources]
    made = engine.map_batches(
        functools.partial(pair_images.pairing, params, folder),
        batches,
        label="pairs, images",
        total=len(sources),
    )
    for (source,), (outcome,) in zip(batches, made, strict=True):
        if isinstance(outcome, Casualty):
            detail = f"image {source.path} ended its worker {outcome.tries} times ({outcome.how})"
            without.append(NoPairs(source.image_id, "killed_worker", detail))
        elif isinstance(outcome, NoPairs):
            without.append(outcome)
        else:
            rows += outcome
    return rows, without


def _meta_info(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write a file per split as BasicSR reads it, and one with both names per line, as Real-ESRGAN does."""
    ordered = sorted(rows, key=lambda row: row["pair_id"])
    for name, members in (("", ordered), *_by_split(ordered)):
        lines = [f"{row['pair_id']}.png ({row['height']},{row['width']},3)\n" for row in members]
        (folder / f"meta_info{name}.txt").write_text("".join(lines), encoding="utf-8")
    both = [f"{row['hr_path']}, {row['lr_path']}\n" for row in ordered]
    (folder / "meta_info_pair.txt").write_text("".join(both), encoding="utf-8")


def _by_split(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for split in splits.SPLITS:
        members = [row for row in rows if row["split"] == split]
        if members:
            yield f"_{split}", members
