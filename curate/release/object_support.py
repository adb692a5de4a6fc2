"""What each released image and object rests on: its confidence, and the annotations it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema

_OBJECTS, _IMAGES = schema.CONSENSUS_OBJECTS.arrow, schema.CONSENSUS_IMAGES.arrow
OBJECT_COLUMNS = ("confidence", "made_from", "votes", "annotators", "attributes_confidence")
IMAGE_COLUMNS = ("confidence", "review", "answers", "answers_confidence", "annotators", "decided")


@dataclass(frozen=True, slots=True)
class Support:
    """Tables of the stage agreement.

    Attributes:
        objects: The `consensus_objects` table, `annotation_id` and `OBJECT_COLUMNS` at least.
        images: The `consensus_images` table, `image_id` and `IMAGE_COLUMNS` at least.
    """

    objects: pa.Table
    images: pa.Table

    @classmethod
    def none(cls) -> Support:
        """Nothing is known: every column will be null."""
        return cls(_OBJECTS.empty_table(), _IMAGES.empty_table())

    def of_objects(self, rows: pa.Table) -> pa.Table:
        """The rows with `OBJECT_COLUMNS`, null where nothing is known of an annotation."""
        return _attached(rows, self.objects, "annotation_id", OBJECT_COLUMNS)

    def of_images(self, rows: pa.Table) -> pa.Table:
        """The rows with `IMAGE_COLUMNS`, null where nothing is known of an image."""
        return _attached(rows, self.images, "image_id", IMAGE_COLUMNS)


def answers(row: dict[str, object]) -> list[dict[str, object]]:
    """The image-level answers of a row with `IMAGE_COLUMNS`, one record per question."""
    return records(row["answers"], row["answers_confidence"])


def records(answers: Any, confidence: Any) -> list[dict[str, object]]:
    """One record per question, as a release holds them.

    Args:
        answers: Of a map column: question and what was chosen.
        confidence: Of a map column: question and probability; None = nothing is known.
    """
    known = dict(confidence or ())
    return [
        {"question": question, "answers": chosen, "confidence": known.get(question)}
        for question, chosen in answers or ()
    ]


def _attached(rows: pa.Table, known: pa.Table, key: str, names: tuple[str, ...]) -> pa.Table:
    at = pc.index_in(rows[key], value_set=known[key].combine_chunks())
    for name in names:
        rows = rows.append_column(name, known[name].combine_chunks().take(at))
    return rows
