"""What the weighted choice of `qa.choose` rests on, read from the project."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import embeddings, schema, tables
from curate.decision_file import Decision
from curate.embeddings import Embeddings
from curate.errors import InputError, ParamsError
from curate.params.choose import ChooseParams
from curate.qa.choice import category_scores, criteria
from curate.qa.choice.evidence import Evidence
from curate.qa.choice.greedy import Flags
from curate.shown import record
from curate.stages import decided_images, seen_scenes

_COLUMNS: Final = ("image", "example")
_SIDES: Final = ("positive", "negative")
_CHOSEN: Final = "chosen"


@dataclass(frozen=True, slots=True)
class Sources:
    """Tables of dedupe and embed, record of push, pairs of agreement."""

    images: Path
    shown: Path
    embeddings: Path | None
    pairs: Path | None


def load(
    params: ChooseParams, sources: Sources, ids: Sequence[str], earlier: pa.Table | None
) -> Evidence | None:
    """Read what the weights need, and no more.

    Args:
        params: The weights.
        sources: Where it stands.
        ids: N image_ids of kept images, sorted.
        earlier: The plan as it was.

    Returns:
        None without a budget.

    Raises:
        ParamsError: A weight needs vectors and there are none.
        InputError: An example names no image, or one without a vector; the file of examples is malformed.
        TableError: A table is damaged or of another version.
    """
    if not params.budget:
        return None
    vectors = _vectors(params, sources.embeddings)
    shown, gone = _shown(sources.shown, ids)
    evidence = Evidence(
        shown=shown,
        gone=gone,
        disagreement=_disagreement(sources.pairs) if "disagreement" in criteria.weights(params) else {},
        earlier_words=_words(earlier),
    )
    if vectors is None:
        return evidence
    rows = vectors.rows(ids)
    there = rows >= 0
    evidence = replace(evidence, with_vector=there, vectors=vectors.vectors[rows[there]])
    if "similarity" not in criteria.weights(params):
        return evidence
    positive, negative = (list(found) for found in _examples(params, sources.images, vectors))
    ties = tables.read(sources.images, schema.IMAGES, columns=list(seen_scenes.COLUMNS))
    scenes = seen_scenes.find([*positive, *negative], ties, ()).all
    return replace(
        evidence,
        positive=vectors.vectors[vectors.rows(positive)],
        negative=vectors.vectors[vectors.rows(negative)],
        example_scenes=np.array([key in scenes for key, row in zip(ids, rows, strict=True) if row >= 0]),
    )


def _vectors(params: ChooseParams, path: Path | None) -> Embeddings | None:
    """Load the vectors; None where no weight needs any."""
    weights = criteria.weights(params)
    needing = [name for name in weights if name in criteria.OF_VECTORS]
    if not needing:
        return None
    found = embeddings.load_embeddings(path) if path is not None else None
    if found is None or found.absent is not None:
        weight = f"qa.choose.{needing[0]} = {weights[needing[0]]:g} needs vectors of the images"
        raise ParamsError(f"{weight}: {found.absent if found is not None else 'there are none'}")
    return found


def _shown(folder: Path, ids: Sequence[str]) -> tuple[Flags, int]:
    """(N,) whether people had it because it was chosen, and how many such images are kept no more."""
    shown = record.load(folder, required=False).shown
    had = pc.and_(pc.fill_null(shown["reached"], True), pc.equal(shown["reason"], _CHOSEN))
    images = pc.unique(shown.filter(had)["image_id"])
    flags = pc.is_in(pa.array(ids, pa.string()), value_set=images).to_numpy(zero_copy_only=False)
    return flags, len(images) - int(flags.sum())


def _words(earlier: pa.Table | None) -> dict[str, str]:
    """Why the earlier plan chose its images: that does not change with what is known today."""
    if earlier is None:
        return {}
    rows = earlier.filter(pc.and_(pc.equal(earlier["slot"], 0), pc.equal(earlier["reason"], _CHOSEN)))
    return dict(zip(rows["image_id"].to_pylist(), rows["detail"].to_pylist(), strict=True))


def _disagreement(path: Path | None) -> Mapping[str, float]:
    """Disagreement of people by category; empty before the first round is done."""
    if path is None or not path.exists():
        return {}
    pairs = tables.read(path, schema.PAIRS, columns=["category_a", "category_b"], earlier=True)
    return category_scores.disagreement(
        zip(pairs["category_a"].to_pylist(), pairs["category_b"].to_pylist(), strict=True)
    )


def _examples(params: ChooseParams, images: Path, vectors: Embeddings) -> list[dict[str, str]]:
    """Where each positive example stands, by image_id, and each negative one."""
    positive, negative = (
        _images([*_listed(params, side), *_in_file(params.examples, side)], images) for side in _SIDES
    )
    for image, where in negative.items():
        if image in positive:
            raise InputError(f"{where}: {image} is a positive example too")
    for image, where in (positive | negative).items():
        if vectors.rows([image])[0] < 0:
            raise InputError(f"{where}: {image} has no vector: it was dropped, or could not be read")
    if not positive and not negative:
        raise InputError(f"qa.choose.examples = {params.examples} has no example")
    return [positive, negative]


def _listed(params: ChooseParams, side: str) -> list[tuple[Path, Decision]]:
    names = params.positive if side == "positive" else params.negative
    where = Path(f"qa.choose.{side}")
    return [(where, Decision(number, name, side)) for number, name in enumerate(names, start=1)]


def _in_file(path: Path | None, side: str) -> list[tuple[Path, Decision]]:
    if path is None:
        return []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"qa.choose.examples = {path} cannot be read: {error}") from error
    if not rows or tuple(rows[0]) != _COLUMNS:
        raise InputError(f"{path}:1: the first line must be {','.join(_COLUMNS)}")
    found = []
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(_COLUMNS) or row[1] not in _SIDES:
            raise InputError(f"{path}:{line}: expected an image and {' or '.join(_SIDES)}, got {row}")
        if row[1] == side:
            found.append((path, Decision(line, row[0], side)))
    return found


def _images(entries: Sequence[tuple[Path, Decision]], images: Path) -> dict[str, str]:
    """Where each image stands, "file:line", by image_id; named by an id, the beginning of one, or a place."""
    ids: dict[str, str] = {}
    for where in sorted({where for where, _ in entries}):
        mine = [entry for place, entry in entries if place == where]
        found = decided_images.by_image(mine, where, images)
        for one in mine:
            if not any(one in lines for lines in found.values()):
                raise InputError(f"{where}:{one.line}: there is no image {one.image}")
        ids |= {image: f"{where}:{lines[0].line}" for image, lines in found.items()}
    return ids
