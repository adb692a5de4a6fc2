"""Labels of near-duplicates that dedupe dropped, held against those of the image that was kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.agreement.duplicate_conflicts import Drawn, differences, placed
from curate.dedupe.dedupe_columns import NEAR_DUPLICATE

_IMAGE_COLUMNS = ("image_id", "width", "height", "sources", "duplicate_of", "dup_relation", "drop_reason")
_ROW_COLUMNS = ("image_id", "annotator_id", "category", "bbox_xyxy", "outcome")
_Row = Mapping[str, Any]
_Answers = dict[str, dict[str, list[Drawn]]]  # by image and person


@dataclass(slots=True)
class DroppedLabels:
    """What the labels of dropped copies say.

    Attributes:
        conflicts: In words, by the image that was kept.
        compared: Copies whose labels were held against those of the image that was kept.
        alone: Copies with labels, of images that nobody labelled.
        elsewhere: Copies with labels of which it is not known where they lie on the image that was kept.
    """

    conflicts: dict[str, str] = field(default_factory=dict)
    compared: int = 0
    alone: int = 0
    elsewhere: int = 0

    def counts(self) -> tuple[tuple[str, int], ...]:
        """Counts for the closing line, where there are any."""
        counts = (
            ("labelled otherwise as a dropped copy", len(self.conflicts)),
            ("dropped copies with labels, where the kept image has none", self.alone),
            ("dropped copies whose labels cannot be placed", self.elsewhere),
        )
        return tuple(entry for entry in counts if entry[1])

    def metrics(self) -> dict[str, int]:
        """Figures for metrics/agreement.json."""
        return {
            "compared": self.compared,
            "labelled_otherwise": len(self.conflicts),
            "kept_image_without_labels": self.alone,
            "not_placed": self.elsewhere,
        }


def find(
    images: Path,
    imported: Path | None,
    drawn_on: Callable[[Sequence[str]], pa.Table],
    *,
    planned: Collection[str],
    iou_threshold: float,
) -> DroppedLabels:
    """Compare the imported answers to dropped near-duplicates with the answers to the images that were kept.

    Who labelled both is held against himself. Anybody else's answer to the copy contradicts only if it
    differs from every answer to the image that was kept.

    Args:
        images: The `images` table of dedupe.
        imported: Folder of `curate import --as answers`; None or absent = nothing was imported.
        drawn_on: What people drew on some images: rows of `annotations`.
        planned: Images of the plan.
        iou_threshold: From where on two boxes are one object.

    Raises:
        TableError: A table is missing or damaged.
    """
    found = DroppedLabels()
    if imported is None or not imported.is_dir():
        return found
    rows = tables.read(images, schema.IMAGES, columns=_IMAGE_COLUMNS).to_pylist()
    by_id = {row["image_id"]: row for row in rows}
    dropped = [row for row in rows if row["drop_reason"] == NEAR_DUPLICATE and row["duplicate_of"] in planned]
    ids = pa.array([row["image_id"] for row in dropped], pa.string())
    of_copies = _answers(_imported(imported, ids))
    keepers = {row["duplicate_of"] for row in dropped if row["image_id"] in of_copies}
    of_kept = _answers(drawn_on(sorted(keepers)).select(list(_ROW_COLUMNS)).to_pylist()) if keepers else {}
    words: dict[str, list[str]] = defaultdict(list)
    for copy in dropped:
        if copy["image_id"] in of_copies:
            keeper = by_id[copy["duplicate_of"]]
            known = of_kept.get(keeper["image_id"], {})
            answers = _on_keeper(found, copy, keeper, of_copies[copy["image_id"]], known)
            if answers is not None:
                name = next(iter(copy["sources"]), copy["image_id"]).rpartition("/")[2]
                told = _contradicted(answers, known, iou_threshold)
                words[keeper["image_id"]] += [f"{name}: {one}" for one in told]
    found.conflicts = {key: "; ".join(told) for key, told in sorted(words.items()) if told}
    return found


def _on_keeper(
    found: DroppedLabels,
    copy: _Row,
    keeper: _Row,
    answers: Mapping[str, Sequence[Drawn]],
    known: Mapping[str, Sequence[Drawn]],
) -> dict[str, list[Drawn]] | None:
    """The copy's labels by person, where they lie on the kept image; else None, and it is counted why."""
    if not known:
        found.alone += 1
        return None
    size, kept = ((row["width"], row["height"]) for row in (copy, keeper))
    there: dict[str, list[Drawn]] = {}
    for person, objects in sorted(answers.items()):
        on_keeper = placed(objects, str(copy["dup_relation"]), size, kept)
        if on_keeper is None:
            found.elsewhere += 1
            return None
        there[person] = on_keeper
    found.compared += 1
    return there


def _contradicted(
    answers: Mapping[str, Sequence[Drawn]], known: Mapping[str, Sequence[Drawn]], iou_threshold: float
) -> list[str]:
    """What the copy's labels say otherwise: of the person who contradicts most."""
    worst: list[str] = []
    for person, objects in answers.items():
        others = [known[person]] if person in known else list(known.values())
        told = min((differences(objects, one, iou_threshold=iou_threshold) for one in others), key=len)
        worst = max(worst, told, key=len)
    return worst


def _imported(folder: Path, image_ids: pa.Array) -> Iterable[_Row]:
    for file in sorted(folder.glob("*.parquet")):
        table = tables.read(file, schema.ANNOTATIONS, columns=_ROW_COLUMNS)
        yield from table.filter(pc.is_in(table["image_id"], value_set=image_ids)).to_pylist()


def _answers(rows: Iterable[_Row]) -> _Answers:
    """Objects by image and person; an answer that could not be read, or was skipped, is none."""
    found: _Answers = defaultdict(lambda: defaultdict(list))
    unknown: set[tuple[str, str]] = set()
    for row in rows:
        key = (row["image_id"], row["annotator_id"])
        if row["outcome"] == "object":
            found[key[0]][key[1]].append(Drawn(row["category"], tuple(row["bbox_xyxy"])))
        elif row["outcome"] == "empty":
            found[key[0]][key[1]] += []
        else:
            unknown.add(key)
    return {
        image_id: kept
        for image_id, people in found.items()
        if (kept := {who: drawn for who, drawn in people.items() if (image_id, who) not in unknown})
    }
