"""The suggestions that people judged: what models proposed when an answer was begun, not what they do today.

An answer judges what the model proposed for its image at that time, shown or (in the control arm) not. Left
out are answers that began from a planted error, answers to proposals of another model than today's, and
answers of which it is not known what was shown.

Proposals begin at the threshold of their day. Where it was higher than today's the scores in between are not
judged by that answer, so it says nothing of the category, once there are answers that do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.arrow_columns import flags
from curate.errors import ParamsError
from curate.labeling import taxonomy
from curate.records import Category
from curate.shown.record import ShownRecord

ANSWER_COLUMNS = ("task_id", "image_id", "annotator_id", "outcome", "superseded", "shown_id")
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Judged:
    """Suggestions and the answers that judge them.

    Attributes:
        model: Rows of suggestions: annotation_id, image_id, category, bbox_xyxy, score, outcome and so on.
        answers: Rows of `annotations` of the answers that count.
        lowest: By category the score from which suggestions were made.
        left_out: Number of answers that do not count, by reason.
    """

    model: pa.Table
    answers: pa.Table
    lowest: Mapping[str, float]
    left_out: Mapping[str, int]


def begun_under(
    record: ShownRecord,
    folder: Path,
    answers: pa.Table,
    annotations: pa.Table,
    *,
    categories: Sequence[Category],
    versions: Sequence[str],
) -> Judged:
    """Join answers with the proposals of their time.

    Args:
        record: Of what was shown.
        folder: Of the record, where taxonomies are kept as they were.
        answers: `ANSWER_COLUMNS` of pull.
        annotations: Of pull, with task_id and annotator_id.
        categories: Of today's taxonomy.
        versions: Of today's models.
    """
    last = answers.filter(
        pc.and_(pc.equal(answers["outcome"], "submitted"), pc.invert(answers["superseded"]))
    )
    place = pc.index_in(last["shown_id"], value_set=record.shown["shown_id"].combine_chunks())
    shown = record.shown.take(place)  # all null where an answer is not joined
    joined = flags(pc.is_valid(place))
    planted = joined & flags(pc.is_valid(shown["seeded_kind"]))
    other = joined & ~planted & flags(pc.not_equal(shown["model_version"], "+".join(sorted(versions))))
    counts = joined & ~planted & ~other
    floors = _floors(record, shown, folder, categories)
    lowest, telling = _telling(categories, floors, counts)
    left_out = {
        "not joined to what was shown": int((~joined).sum()),
        "with a planted error": int(planted.sum()),
        "to suggestions of another model": int(other.sum()),
    }
    used = last.filter(pa.array(counts))
    return Judged(
        model=_suggestions(
            record,
            shown.filter(pa.array(counts)),
            used,
            categories=categories,
            telling=telling[counts],
            lowest=lowest,
        ),
        answers=_answers(annotations, used, categories, telling[counts]),
        lowest=lowest,
        left_out={reason: number for reason, number in left_out.items() if number},
    )


def _floors(
    record: ShownRecord, shown: pa.Table, folder: Path, categories: Sequence[Category]
) -> NDArray[np.float64]:
    """(N, C) the threshold of each category when an answer was begun; infinite where it is not known."""
    kept: dict[tuple[str | None, int | None], list[float]] = {}
    begun = list(zip(*(shown[name].to_pylist() for name in ("taxonomy_digest", "part")), strict=True))
    for digest, part in set(begun):
        path = folder / f"taxonomy-{digest}.yaml"
        then: dict[str, float] = {}
        if path.exists():
            try:
                then = {category.name: category.threshold for category in taxonomy.load(path)}
            except ParamsError:  # written by hand since
                then = {}
        for renames in record.renames:
            if part is not None and part < renames.part:
                then = renames.thresholds(then)
        kept[digest, part] = [then.get(category.name, np.inf) for category in categories]
    return np.array([kept[one] for one in begun]).reshape(len(begun), len(categories))


def _telling(
    categories: Sequence[Category], floors: NDArray[np.float64], counts: NDArray[np.bool_]
) -> tuple[dict[str, float], NDArray[np.bool_]]:
    """Lowest judged score of each category, and (N, C) which answers say something of it."""
    telling = np.zeros(floors.shape, dtype=np.bool_)
    lowest: dict[str, float] = {}
    for at, category in enumerate(categories):
        known = counts & np.isfinite(floors[:, at])
        reaching = known & (floors[:, at] <= category.threshold + _ROUNDING)
        telling[:, at] = reaching if reaching.any() else known
        if telling[:, at].any():
            lowest[category.name] = float(floors[telling[:, at], at].max())
    return lowest, telling


def _suggestions(
    record: ShownRecord,
    shown: pa.Table,
    used: pa.Table,
    *,
    categories: Sequence[Category],
    telling: NDArray[np.bool_],
    lowest: Mapping[str, float],
) -> pa.Table:
    """What was proposed for each image, each suggestion once, from the lowest score of its category on."""
    column = {category.name: at for at, category in enumerate(categories)}
    by_digest: dict[str, str] = {}
    agreed: dict[str, NDArray[np.bool_]] = {}
    for digest, image_id, tells in zip(
        shown["proposed_digest"].to_pylist(), used["image_id"].to_pylist(), telling, strict=True
    ):
        if digest is not None:
            by_digest[digest] = image_id
            agreed[image_id] = agreed.get(image_id, tells) & tells
    there = pc.is_in(
        record.suggestions["suggestions_digest"], value_set=pa.array(list(by_digest), pa.string())
    )
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for row in record.suggestions.filter(there).to_pylist():
        image_id, at = by_digest[row["suggestions_digest"]], column.get(row["category"])
        score = row["score"]
        if at is None or score is None or not agreed[image_id][at]:
            continue
        if score >= np.float32(lowest[row["category"]]) - _ROUNDING:
            rows[image_id, row["annotation_id"]] = {**row, "image_id": image_id, "outcome": "object"}
    return pa.Table.from_pylist(list(rows.values()), schema=_MODEL)


_MODEL = pa.schema(
    [
        ("annotation_id", pa.string()), ("image_id", pa.string()), ("annotator_id", pa.string()),
        ("category", pa.string()), ("bbox_xyxy", pa.list_(pa.float32(), 4)), ("score", pa.float32()),
        ("parent_id", pa.string()), ("outcome", pa.string()), ("model_version", pa.string()),
    ]
)  # fmt: skip


def _answers(
    annotations: pa.Table, used: pa.Table, categories: Sequence[Category], telling: NDArray[np.bool_]
) -> pa.Table:
    """Rows of the answers that count; objects of categories of which the answer says nothing left out."""
    column = {category.name: at for at, category in enumerate(categories)}
    keys = zip(used["task_id"].to_pylist(), used["annotator_id"].to_pylist(), strict=True)
    tells = dict(zip(keys, telling, strict=True))
    keep = []
    for task, person, category in zip(
        *(annotations[name].to_pylist() for name in ("task_id", "annotator_id", "category")), strict=True
    ):
        found = tells.get((task, person))
        at = column.get(category)
        keep.append(found is not None and (at is None or bool(found[at])))
    return annotations.filter(pa.array(keep, pa.bool_()))
