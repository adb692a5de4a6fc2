"""What people's answers say about each suggestion: right or wrong, and which objects had none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.arrow_columns import places
from curate.errors import TableError
from curate.geometry.boxes import box_iou
from curate.geometry.matching import match

_CORNERS = 4
_MAJORITY = 0.5  # of those who looked: a suggestion needs more


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Suggestions that somebody judged, and the objects that people drew where they judged.

    Attributes:
        categories: (N,) names, of the suggestions.
        scores: (N,) float32 in [0, 1].
        right: (N,) whether more than half of those who looked drew that object with that category.
        images: (N,) number of each suggestion's image, from 0.
        object_categories: (M,) names, of the drawn objects, one for each annotator who drew it.
        object_scores: (M,) float32: score of the suggestion that found the object; NaN where none did.
        judged: Number of images that somebody looked at, those without suggestion too.
    """

    categories: NDArray[np.object_]
    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    images: NDArray[np.int64]
    object_categories: NDArray[np.object_]
    object_scores: NDArray[np.float32]
    judged: int


@dataclass(frozen=True, slots=True)
class _Objects:
    """Rows of outcome "object" as columns, ordered by image.

    Attributes:
        images: (N,) numbers of the images; the row's other columns follow the same order.
        people: (N,) numbers of the annotators.
        categories: (N,) names.
        boxes: (N, 4) xyxy.
        scores: (N,) NaN where there is none.
        ids: N annotation_ids.
        parents: N annotation_ids of the rows that these were edited from, or null.
    """

    images: NDArray[np.int64]
    people: NDArray[np.int64]
    categories: NDArray[np.object_]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float32]
    ids: pa.Array
    parents: pa.Array

    def of_image(self, image: int) -> NDArray[np.int64]:
        first, end = np.searchsorted(self.images, [image, image + 1])
        return np.arange(first, end)


def judge(model: pa.Table, answers: pa.Table, *, iou_threshold: float) -> Verdicts:
    """Hold suggestions against what people drew in the same images.

    A suggestion is right for an annotator who drew an object of its category that was edited from it
    (`parent_id`) or else matches it one to one, either with an IoU of at least `iou_threshold`. For an
    annotator who found nothing every suggestion is wrong; one who skipped says nothing. A tie is wrong.

    Args:
        model: Rows of origin "model", of the schema `annotations`.
        answers: Rows of people, gold or consensus; rows without annotator are one annotator's.
        iou_threshold: Least IoU, in (0, 1].

    Raises:
        TableError: Nobody judged an image.
    """
    judged_answers = answers.filter(pc.not_equal(answers["outcome"], "skipped"))
    if not judged_answers.num_rows:
        raise TableError("nobody has judged an image yet: label some, then run dvc repro pull")
    image_ids, people = pc.unique(judged_answers["image_id"]), pc.unique(_annotators(judged_answers))
    made = _objects(model.filter(pc.is_in(model["image_id"], value_set=image_ids)), image_ids, people)
    drawn = _objects(judged_answers, image_ids, people)
    parents = pc.fill_null(pc.index_in(drawn.parents, value_set=made.ids), -1).to_numpy()
    looks = np.unique(
        np.stack(
            [places(judged_answers["image_id"], image_ids), places(_annotators(judged_answers), people)]
        ),
        axis=1,
    )
    pairing = _Pairing(made, drawn, parents, iou_threshold)
    votes, lookers = np.zeros(len(made.images)), np.zeros(len(made.images))
    found = np.full(len(drawn.images), np.nan, dtype=np.float32)
    for image, person in looks.T:
        suggested = made.of_image(image)
        theirs = drawn.of_image(image)
        theirs = theirs[drawn.people[theirs] == person]
        a, b = pairing.pairs(suggested, theirs)
        lookers[suggested] += 1
        votes[a] += 1
        found[b] = made.scores[a]
    return Verdicts(
        categories=made.categories,
        scores=made.scores,
        right=votes > _MAJORITY * lookers,
        images=made.images,
        object_categories=drawn.categories,
        object_scores=found,
        judged=len(image_ids),
    )


def _annotators(table: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(table["annotator_id"], "")


def _names(column: pa.Array) -> NDArray[np.object_]:
    """Strings of which each is held once, however often it stands there."""
    encoded = column.dictionary_encode()
    names = np.array(encoded.dictionary.to_pylist(), dtype=object)
    return np.asarray(names[encoded.indices.to_numpy()], dtype=object)


def _objects(table: pa.Table, image_ids: pa.Array, people: pa.Array) -> _Objects:
    table = table.filter(pc.equal(table["outcome"], "object"))
    images = places(table["image_id"], image_ids)
    order = np.argsort(images, kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    boxes = table["bbox_xyxy"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return _Objects(
        images=images[order],
        people=places(_annotators(table), people),
        categories=_names(table["category"].combine_chunks()),
        boxes=boxes.reshape(-1, _CORNERS).astype(np.float64),
        scores=table["score"].to_numpy().astype(np.float32),
        ids=table["annotation_id"].combine_chunks(),
        parents=table["parent_id"].combine_chunks(),
    )


@dataclass(frozen=True, slots=True)
class _Pairing:
    """How suggestions and objects find each other."""

    made: _Objects
    drawn: _Objects
    parents: NDArray[np.int64]  # of each drawn object: index of the suggestion it was edited from, or -1
    iou_threshold: float

    def pairs(
        self, suggested: NDArray[np.int64], theirs: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Suggestions and objects of one annotator in one image that are the same, one to one."""
        made, drawn = self.made, self.drawn
        a, b = self._edited(suggested, theirs)
        suggested, theirs = np.setdiff1d(suggested, a), np.setdiff1d(theirs, b)
        rest = match(
            made.boxes[suggested],
            drawn.boxes[theirs],
            list(made.categories[suggested]),
            list(drawn.categories[theirs]),
            iou_threshold=self.iou_threshold,
        )
        more_a, more_b = suggested[rest.a], theirs[rest.b]
        same = made.categories[more_a] == drawn.categories[more_b]
        return np.concatenate([a, more_a[same]]), np.concatenate([b, more_b[same]])

    def _edited(
        self, suggested: NDArray[np.int64], theirs: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Suggestions, and the object edited from each that still is the same; the closest of several."""
        theirs = theirs[np.isin(self.parents[theirs], suggested)]
        origins = self.parents[theirs]
        same = self.drawn.categories[theirs] == self.made.categories[origins]
        theirs, origins = theirs[same], origins[same]
        iou = np.diagonal(box_iou(self.drawn.boxes[theirs], self.made.boxes[origins]))
        best: dict[int, int] = {}
        for index in np.argsort(-iou, kind="stable"):
            if iou[index] >= self.iou_threshold:
                best.setdefault(int(origins[index]), int(theirs[index]))
        return np.array(list(best), dtype=np.int64), np.array(list(best.values()), dtype=np.int64)
