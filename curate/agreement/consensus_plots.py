"""Data files for `dvc plots` on what people settled on: confusions, objects per image, sizes, confidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.agreement import plots
from curate.agreement.annotator_pairs import Pairs
from curate.agreement.by_annotator import Answers, box_column
from curate.geometry import boxes

CONFUSION = ("category", "other", "count")
OBJECTS_PER_IMAGE = ("objects", "images")
BOX_SIZES = ("category", "bin", "count")
CONFIDENCE = ("of", "bin", "count")
MISSED = "missed"  # what the other person says of an object that only one drew
_BINS = 20
_SIDES = tuple(8 * 2 ** (step / 2) for step in range(16))  # pixels: 8, 11, 16, ..., 1448


def write(
    folder: Path,
    confused: Mapping[tuple[str, str], int],
    *,
    settled: pa.Table,
    objects: pa.Table,
    images: pa.Table,
) -> None:
    """Write confusion.csv, objects_per_image.csv, box_sizes.csv and confidence.csv.

    Args:
        folder: Of the plots.
        confused: What people called the objects of each other (`confusion`).
        settled: The `annotations` table of the consensus.
        objects: The `consensus_objects` table.
        images: The `consensus_images` table.

    Raises:
        StorageError: A file cannot be written.
    """
    rows = [(*names, number) for names, number in sorted(confused.items())]
    plots.write_csv(folder / "confusion.csv", CONFUSION, rows)
    plots.write_csv(folder / "objects_per_image.csv", OBJECTS_PER_IMAGE, objects_per_image(settled))
    plots.write_csv(folder / "box_sizes.csv", BOX_SIZES, box_sizes(settled))
    plots.write_csv(folder / "confidence.csv", CONFIDENCE, confidence(objects, images))


def confusion(answers: Answers, pairs: Pairs) -> Counter[tuple[str, str]]:
    """How often one of two people says one thing of an object, and the other another.

    Each comparison counts in both directions, since neither of the two is the truth: the table is symmetric.
    """
    names = [*answers.names, MISSED]
    code = np.append(answers.category, len(answers.names))  # the last one is what a missing object points at
    first, second = code[pairs.a], code[pairs.b]
    cells = np.bincount(first * len(names) + second, minlength=len(names) ** 2).reshape(len(names), -1)
    table = cells + cells.T
    filled = np.argwhere(table).tolist()
    return Counter({(names[one], names[other]): int(table[one, other]) for one, other in filled})


def objects_per_image(settled: pa.Table) -> list[tuple[int, int]]:
    """Rows of `OBJECTS_PER_IMAGE`: images by number of objects, without gaps."""
    drawn = Counter(settled.filter(pc.equal(settled["outcome"], "object"))["image_id"].to_pylist())
    images = Counter(drawn[image_id] for image_id in pc.unique(settled["image_id"]).to_pylist())
    return [(number, images[number]) for number in range(max(images, default=-1) + 1)]


def box_sizes(settled: pa.Table) -> list[tuple[str, str, int]]:
    """Rows of `BOX_SIZES`: objects by category and by the side of a square of their box's area, in pixels.

    A bin is named by its lower edge; each is wider than the one before by the square root of two. Larger and
    smaller boxes are in the outermost bins.
    """
    objects = settled.filter(pc.equal(settled["outcome"], "object"))
    sides = np.sqrt(boxes.area(box_column(objects))) if objects.num_rows else np.zeros(0)
    bins = np.clip(np.searchsorted(_SIDES, sides, side="right") - 1, 0, len(_SIDES) - 1)
    counts = Counter(zip(objects["category"].to_pylist(), bins.tolist(), strict=True))
    names = sorted({name for name, _ in counts})
    first, last = min((at for _, at in counts), default=0), max((at for _, at in counts), default=-1)
    edges = [f"{_SIDES[at]:.0f}" for at in range(len(_SIDES))]
    return [(name, edges[at], counts[name, at]) for name in names for at in range(first, last + 1)]


def confidence(objects: pa.Table, images: pa.Table) -> list[tuple[str, str, int]]:
    """Rows of `CONFIDENCE`: settled objects, and images, by how sure it is that they are right.

    Args:
        objects: The `consensus_objects` table.
        images: The `consensus_images` table.
    """
    settled = objects.filter(pc.equal(objects["outcome"], "object"))
    rows: list[tuple[str, str, int]] = []
    for what, column in (("object", settled["confidence"]), ("image", images["confidence"])):
        rows += [(what, edge, count) for edge, count in _histogram(column.drop_null().to_pylist())]
    return rows


def _histogram(values: Sequence[float]) -> list[tuple[str, int]]:
    if not values:
        return []
    counts, edges = np.histogram(np.clip(values, 0, 1), bins=_BINS, range=(0, 1))
    return [(f"{edge:.2f}", int(count)) for edge, count in zip(edges[:-1], counts, strict=True)]
