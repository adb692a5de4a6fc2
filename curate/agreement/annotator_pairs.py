"""Each two annotators of an image compared: which of their objects are the same, and how alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate import schema
from curate.agreement.by_annotator import Answers
from curate.errors import RecordError
from curate.geometry import masks
from curate.geometry.grouped_matching import paired_iou
from curate.geometry.matching import Indices, assign_by_category

Size = tuple[int, int]  # width, height in upright pixels
Values = NDArray[np.float64]
_CHUNK_PAIRS = 500_000  # of objects, compared at once by a thread: about 60 MB
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Edges:
    """Every two objects of two annotators of an image that can be one, by image.

    Attributes:
        a: (E,) object of the first annotator.
        b: (E,) object of the second.
        gain: (E,) how alike they are, in (0, 1] (`similarity`).
    """

    a: Indices
    b: Indices
    gain: Values


@dataclass(frozen=True, slots=True)
class Pairs:
    """Columns of the comparison; one row per matched pair, or an object that only one of two drew.

    Attributes:
        image: (Q,) of each comparison of two annotators: index into `Answers.images`.
        first: (Q,) index into `Answers.people`; smaller in sort order.
        second: (Q,) the other.
        comparison: (P,) of each row, rising.
        a: (P,) index of the first's object; -1 = only the second drew it.
        b: (P,) index of the second's object; -1 = only the first drew it.
        box_iou: (P,) NaN where unmatched.
        mask_iou: (P,) NaN where unmatched or a mask is missing.
        gain: (P,) how alike they are (`similarity`); NaN where unmatched.
        edges: See there.
    """

    image: Indices
    first: Indices
    second: Indices
    comparison: Indices
    a: Indices
    b: Indices
    box_iou: Values
    mask_iou: Values
    gain: Values
    edges: Edges

    @property
    def matched(self) -> NDArray[np.bool_]:
        """(P,) which rows are matched pairs."""
        return (self.a >= 0) & (self.b >= 0)

    def parts(self) -> Iterator[Pairs]:
        """Yield the pairs in pieces of whole images."""
        image = self.image[self.comparison]
        start = 0
        while start < len(image):
            stop = min(start + _CHUNK_PAIRS, len(image))
            stop = int(np.searchsorted(image, image[stop - 1], side="right"))
            part = slice(start, stop)
            columns = ("comparison", "a", "b", "box_iou", "mask_iou", "gain")
            yield replace(self, **{name: getattr(self, name)[part] for name in columns})
            start = stop

    def table(self, answers: Answers) -> pa.Table:
        """The pairs as the `pairs` table."""
        images, people = pa.array(answers.images, pa.string()), pa.array(answers.people, pa.string())
        starts = np.searchsorted(self.comparison, np.arange(len(self.image)))
        names = pa.array(answers.names, pa.string())
        columns: dict[str, pa.Array] = {
            "image_id": images.take(pa.array(self.image[self.comparison])),
            "annotator_a": people.take(pa.array(self.first[self.comparison])),
            "annotator_b": people.take(pa.array(self.second[self.comparison])),
            "pair_index": pa.array(np.arange(len(self.a)) - starts[self.comparison], pa.int32()),
        }
        for side, objects in (("a", self.a), ("b", self.b)):
            rows = pa.array(objects, mask=objects < 0)
            columns[f"annotation_{side}"] = answers.annotation_ids.column.take(rows)
            codes = np.append(answers.category, 0)[objects]
            columns[f"category_{side}"] = names.take(pa.array(codes, mask=objects < 0))
        for name, values in (("box_iou", self.box_iou), ("mask_iou", self.mask_iou)):
            columns[name] = pa.array(values, pa.float32(), mask=np.isnan(values))
        return pa.table(columns).select(schema.PAIRS.arrow.names).cast(schema.PAIRS.arrow)


@dataclass(frozen=True, slots=True)
class _Looks:
    """Each two looks at one image.

    Attributes:
        first: (Q,) index of a look.
        second: (Q,) that of a later one.
        n_first: (Q,) objects of the first.
        n_second: (Q,) objects of the second.
    """

    first: Indices
    second: Indices
    n_first: Indices
    n_second: Indices

    def part(self, start: int, stop: int) -> _Looks:
        """Comparisons `start` to `stop`."""
        part = slice(start, stop)
        return _Looks(self.first[part], self.second[part], self.n_first[part], self.n_second[part])


def compare(
    answers: Answers, images: Iterable[str], sizes: Mapping[str, Size], *, iou_threshold: float
) -> Pairs:
    """Match the objects of each two annotators of each image.

    Boxes are compared by their IoU, masks by theirs. Two objects can be one if the IoU of their boxes, or of
    their masks where both have one, is at least the threshold. A match is worth the IoU of the boxes; where
    both have masks, the mean of both. The assignment with the greatest sum is taken, within categories first,
    then among the rest.

    Args:
        answers: What people drew.
        images: Images to compare, in their order, each with two or more annotators.
        sizes: Width and height of every image, upright pixels.
        iou_threshold: Least IoU of a match.

    Returns:
        Rows in the order of images, annotators, then matches, only first's, only second's.

    Raises:
        RecordError: A mask is damaged or of another size than its image; the message names it.
    """
    wanted = set(images)
    looks = _looks(answers, np.array([one in wanted for one in answers.images], dtype=np.bool_))
    shapes = np.array([sizes[one] if one in wanted else (0, 0) for one in answers.images]).reshape(-1, 2)
    borders = list(_borders(looks))

    def part(border: tuple[int, int]) -> _Part:
        return _compared(answers, looks.part(*border), shapes, iou_threshold)

    with ThreadPoolExecutor(_THREADS) as threads:
        parts = list(threads.map(part, borders))
    parts = parts or [_compared(answers, looks, shapes, iou_threshold)]
    comparison, a, b, box, mask, gain = (
        np.concatenate(column) for column in zip(*(one.rows for one in parts), strict=True)
    )
    offsets = np.cumsum([0, *(stop - start for start, stop in borders)])
    comparison += np.repeat(offsets[: len(parts)], [len(one.rows[0]) for one in parts])
    return Pairs(
        answers.look_image[looks.first],
        answers.look_person[looks.first],
        answers.look_person[looks.second],
        comparison,
        a,
        b,
        box,
        mask,
        gain,
        Edges(*(np.concatenate(column) for column in zip(*(one.edges for one in parts), strict=True))),
    )


def _looks(answers: Answers, wanted: NDArray[np.bool_]) -> _Looks:
    order = np.arange(len(answers.look_image))
    ends = np.searchsorted(answers.look_image, answers.look_image, side="right")
    later = np.where(wanted[answers.look_image], ends - order - 1, 0)
    first = np.repeat(order, later)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    objects = np.diff(answers.look_starts)
    return _Looks(first, second, objects[first], objects[second])


def _borders(looks: _Looks) -> Iterator[tuple[int, int]]:
    """Chunks of the comparisons."""
    total = np.cumsum(looks.n_first * looks.n_second + looks.n_first + looks.n_second)
    start = 0
    while start < len(total):
        before = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, before + _CHUNK_PAIRS, side="right")))
        yield start, stop
        start = stop


@dataclass(frozen=True, slots=True)
class _Part:
    """A chunk: rows (comparison, a, b, box_iou, mask_iou, gain) and edges (a, b, gain)."""

    rows: tuple[Indices, Indices, Indices, Values, Values, Values]
    edges: tuple[Indices, Indices, Values]


def _compared(answers: Answers, looks: _Looks, shapes: NDArray[np.int64], iou_threshold: float) -> _Part:
    number, a, b = _every_two(answers, looks)
    box = paired_iou(answers.boxes[a], answers.boxes[b])
    mask = _mask_iou(answers, a, b, shapes)
    able = np.fmax(box, mask) >= iou_threshold
    number, a, b, box, mask = number[able], a[able], b[able], box[able], mask[able]
    gain = np.where(np.isnan(mask), box, (box + np.nan_to_num(mask)) / 2)
    kept = _assigned(answers, number, a, b, gain)
    edges = (a, b, gain)
    number, a, b, box, mask, gain = number[kept], a[kept], b[kept], box[kept], mask[kept], gain[kept]
    alone_a, alone_b = (
        _unmatched(answers, looks.first, number, a),
        _unmatched(answers, looks.second, number, b),
    )
    none_a, none_b = (np.full(len(objects), -1) for _, objects in (alone_a, alone_b))
    rows_of = np.concatenate([number, alone_a[0], alone_b[0]])
    rows_a, rows_b = np.concatenate([a, alone_a[1], none_b]), np.concatenate([b, none_a, alone_b[1]])
    kind = np.repeat([0, 1, 2], [len(number), len(none_a), len(none_b)])
    order = np.lexsort((np.where(rows_a < 0, rows_b, rows_a), kind, rows_of))
    nothing = np.full(len(none_a) + len(none_b), np.nan)
    box, mask, gain = (np.concatenate([column, nothing])[order] for column in (box, mask, gain))
    return _Part((rows_of[order], rows_a[order], rows_b[order], box, mask, gain), edges)


def _every_two(answers: Answers, looks: _Looks) -> tuple[Indices, Indices, Indices]:
    """Every object of the first look with every one of the second: number of the comparison, and both."""
    count = looks.n_first * looks.n_second
    number = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(number)) - np.repeat(np.cumsum(count) - count, count)
    wide = looks.n_second[number]
    a = answers.look_objects[answers.look_starts[looks.first[number]] + within // np.maximum(wide, 1)]
    b = answers.look_objects[answers.look_starts[looks.second[number]] + within % np.maximum(wide, 1)]
    return number, a, b


def _mask_iou(answers: Answers, a: Indices, b: Indices, shapes: NDArray[np.int64]) -> Values:
    """(P,) of masks; NaN where one of both has none.

    Raises:
        RecordError: A mask is damaged or of another size than its image; the message names it.
    """
    found = np.full(len(a), np.nan)
    both = np.flatnonzero(answers.masked[a] & answers.masked[b])
    if not len(both):
        return found
    from curate.agreement import mask_runs  # noqa: PLC0415 - loads numba

    objects, place = np.unique(np.concatenate([a[both], b[both]]), return_inverse=True)
    width, height = shapes[answers.image[objects]].T
    runs = mask_runs.read(answers.rles.column.take(pa.array(objects)), np.ascontiguousarray(height))
    wrong = np.flatnonzero(runs.pixels != width * height)
    if len(wrong):
        _refuse(answers, int(objects[wrong[0]]), int(width[wrong[0]]), int(height[wrong[0]]))
    first, second = place.reshape(2, -1)
    found[both] = mask_runs.iou(runs, first, second)
    return found


def _refuse(answers: Answers, index: int, width: int, height: int) -> None:
    try:
        masks.decode(answers.rles[index] or "", width=width, height=height)
    except RecordError as error:
        raise RecordError(
            f"annotation {answers.annotation_ids[index]}: {error}: run the stage pull again"
        ) from error


def _assigned(answers: Answers, number: Indices, a: Indices, b: Indices, gain: Values) -> Indices:
    """Which of the pairs are matches.

    Where no object of a comparison has a choice of partners, all are; the others are assigned one by one.
    """
    choice = _repeated(number, a, len(answers.boxes)) | _repeated(number, b, len(answers.boxes))
    crowded = np.isin(number, number[choice])
    kept = [np.flatnonzero(~crowded)]
    rows = np.flatnonzero(crowded)
    starts = np.flatnonzero(np.diff(number[rows], prepend=-1))
    for one in np.split(rows, starts[1:]) if len(rows) else []:
        left, row = np.unique(a[one], return_inverse=True)
        right, column = np.unique(b[one], return_inverse=True)
        table = np.zeros((len(left), len(right)))
        table[row, column] = gain[one]
        names_a, names_b = ([answers.categories[i] for i in side.tolist()] for side in (left, right))
        which = np.full(table.shape, -1)
        which[row, column] = one
        kept.append(which[assign_by_category(table, names_a, names_b)])
    return np.sort(np.concatenate(kept))


def _repeated(number: Indices, objects: Indices, n_objects: int) -> NDArray[np.bool_]:
    """Whether an object occurs more than once in its comparison."""
    _, inverse, counts = np.unique(number * n_objects + objects, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] > 1)


def _unmatched(
    answers: Answers, looks: Indices, number: Indices, matched: Indices
) -> tuple[Indices, Indices]:
    """Objects of one look of each comparison that are not matched: number of the comparison, and object."""
    starts, count = answers.look_starts[looks], np.diff(answers.look_starts)[looks]
    comparison = np.repeat(np.arange(len(looks)), count)
    within = np.arange(len(comparison)) - np.repeat(np.cumsum(count) - count, count)
    objects = answers.look_objects[starts[comparison] + within]
    n_objects = max(1, len(answers.boxes))
    alone = ~np.isin(comparison * n_objects + objects, number * n_objects + matched)
    return comparison[alone], objects[alone]
