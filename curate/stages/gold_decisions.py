"""`curate decisions gold`: the consensus of images that people chose becomes known answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from curate import schema, tables
from curate.errors import InputError
from curate.qa import gold_pool
from curate.stages import decided_images
from curate.stages.adjudicate import gold_row

FILE: Final = "decided.parquet"  # in the folder qa.gold


@dataclass(frozen=True, slots=True)
class Inputs:
    """Tables of dedupe and agreement, and decisions.csv."""

    decisions: Path
    images: Path = Path("data/dedupe/images.parquet")
    consensus: Path = Path("data/agreement/consensus.parquet")


@dataclass(frozen=True, slots=True)
class Written:
    """`images` in the file, `unsettled` ones, and those known `elsewhere`.

    Unsettled are those with no consensus, with a disputed object, and those that nobody looked at.
    """

    path: Path
    images: int
    unsettled: int
    elsewhere: int


def write(gold: Path | None, *, inputs: Inputs, names: Sequence[str]) -> Written:
    """Write the file anew: the images that decisions.csv calls `gold`, with what people settled on.

    Args:
        gold: The parameter `qa.gold`.
        inputs: What to read.
        names: Categories of the taxonomy.

    Raises:
        InputError: `qa.gold` is no folder, a file in it is damaged, or a line makes no sense.
        TableError: A table is missing or damaged.
        StorageError: The file cannot be written.
    """
    if gold is None or not gold.is_dir():
        raise InputError(
            f"qa.gold = {gold} is no folder: make one, move known answers into it, and set qa.gold"
        )
    path = gold / FILE
    made = decided_images.load(inputs.decisions, inputs.images, "select")
    wanted = {key for key, lines in made.items() if any(one.decision == "gold" for one in lines)}
    images = tables.read(inputs.images, schema.IMAGES, columns=gold_pool.IMAGE_COLUMNS)
    earlier = tables.read(path, schema.ANNOTATIONS)["image_id"].to_pylist() if path.exists() else []
    known = set(gold_pool.load(gold, images, names)["image_id"].to_pylist()) - set(earlier)
    settled = [
        row
        for row in tables.read(inputs.consensus, schema.ANNOTATIONS).to_pylist()
        if row["image_id"] in wanted and row["origin"] == "consensus"
    ]
    # An image with a disputed object (agreement.disputed: ignore_region) would be an answer with a gap.
    there = {row["image_id"] for row in settled}
    # One that was accepted without a human holds the model's own suggestions.
    there -= {
        row["image_id"]
        for row in settled
        if row["outcome"] not in {"object", "empty"} or row["model_version"] is not None
    }
    rows = [gold_row(row) for row in settled if row["image_id"] in there - known]
    rows.sort(key=lambda row: str(row["annotation_id"]))
    tables.write_rows(rows, path, schema.ANNOTATIONS)
    return Written(path, len({row["image_id"] for row in rows}), len(wanted - there), len(wanted & known))
