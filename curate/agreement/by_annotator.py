"""What people answered: annotations sorted out by image and by annotator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.arrow_columns import flags
from curate.errors import TableError
from curate.geometry.matching import Indices

_CORNERS = 4
_WIDE_BYTES = 1 << 30  # a column of more is addressed in 64 bits
Attributes = Sequence[tuple[str, Sequence[str]]]  # question and what was chosen
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts, one per object, as Arrow keeps it."""

    column: pa.Array

    def __getitem__(self, index: int) -> str | None:
        text: str | None = self.column[int(index)].as_py()
        return text

    def __len__(self) -> int:
        return len(self.column)

    def known(self) -> Flags:
        """(N,) where there is one."""
        return np.asarray(self.column.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)


@dataclass(frozen=True)
class Answers:
    """Columns of every object that people drew, and who looked at what.

    Objects are ordered by image, then by content (box, category, mask), so that nothing depends on ids or on
    the order of the rows. A look is one person's answer to one image; looks are ordered by both.

    Attributes:
        annotation_ids: N ids.
        boxes: (N, 4) float64 xyxy, upright pixels.
        categories: N names.
        rles: N COCO compressed counts, or None for a box only.
        polygons: N outlines as they were drawn, or None.
        parents: N ids of pre-annotations, or None.
        images: I images that somebody looked at, sorted.
        people: A annotators, sorted.
        names: K categories, sorted.
        image: (N,) index into `images`.
        owner: (N,) index into `people`.
        category: (N,) index into `names`.
        look_image: (L,) index into `images`.
        look_person: (L,) index into `people`.
        look_starts: (L + 1,) where the objects of each look stand in `look_objects`.
        look_objects: (N,) indices of objects, by look; within one in their order.
        skipped: For each image that somebody skipped, how many did so.
        outside_plan: Rows left out because their image is not in the plan.
        unreadable: Images of which somebody's answer could not be read: that person's look says nothing.
        attributes: What was chosen of objects, by their index; without those of which nothing was.
    """

    annotation_ids: Texts
    boxes: NDArray[np.float64]
    categories: Sequence[str]
    rles: Texts
    polygons: Texts
    parents: Texts
    images: Sequence[str]
    people: Sequence[str]
    names: Sequence[str]
    image: Indices
    owner: Indices
    category: Indices
    look_image: Indices
    look_person: Indices
    look_starts: Indices
    look_objects: Indices
    skipped: Mapping[str, int]
    outside_plan: int
    unreadable: frozenset[str] = frozenset()
    attributes: Mapping[int, Attributes] = field(default_factory=dict)

    @cached_property
    def looks(self) -> Indices:
        """(I,) how many people looked at each image."""
        return np.bincount(self.look_image, minlength=len(self.images))

    @cached_property
    def masked(self) -> Flags:
        """(N,) which objects have a mask."""
        return self.rles.known()

    @cached_property
    def looked(self) -> Flags:
        """(I, A) who looked at each image."""
        found = np.zeros((len(self.images), len(self.people)), dtype=np.bool_)
        found[self.look_image, self.look_person] = True
        return found

    @cached_property
    def by_image(self) -> Mapping[str, Mapping[str, Indices]]:
        """Indices of the objects that each annotator who looked drew, by image_id and annotator_id.

        An empty array is an annotator who found nothing.
        """
        found: dict[str, dict[str, Indices]] = {image_id: {} for image_id in self.images}
        starts = self.look_starts.tolist()
        pairs = zip(self.look_image.tolist(), self.look_person.tolist(), strict=True)
        for look, (image, person) in enumerate(pairs):
            drawn = self.look_objects[starts[look] : starts[look + 1]]
            found[self.images[image]][self.people[person]] = drawn
        return found

    def overlapped(self) -> list[str]:
        """Images that at least two annotators looked at, sorted."""
        return [self.images[image] for image in np.flatnonzero(self.looks > 1).tolist()]

    def owners(self) -> list[str]:
        """Annotator of each object."""
        return [self.people[person] for person in self.owner.tolist()]


def sort_out(annotations: pa.Table, *, planned: Set[str]) -> Answers:
    """Group the rows of the `annotations` table by image and annotator.

    An annotator who both skipped an image and drew on it counts as having looked.

    Args:
        annotations: Rows of origin "human".
        planned: Images of the plan; rows on others are left out and counted.

    Raises:
        TableError: A row without annotator, or an object without category or box.
    """
    ids = annotations["annotation_id"]
    if annotations["annotator_id"].null_count:
        row = pc.index(annotations["annotator_id"].is_null(), True).as_py()
        raise TableError(f"annotation {ids[row]} names no annotator: run the stage pull again")
    every_image, image = _coded(annotations["image_id"])
    people, person = _coded(annotations["annotator_id"])
    kinds = ("object", "skipped", "unreadable")
    outcome = {kind: flags(pc.equal(annotations["outcome"], kind)) for kind in kinds}
    wanted = np.array([image_id in planned for image_id in every_image], dtype=np.bool_)[image]
    keys = image * max(1, len(people)) + person
    # Of an answer that is unreadable in part, what is left is not what the person saw.
    readable = wanted & ~np.isin(keys, keys[wanted & outcome["unreadable"]])
    looked = readable & ~outcome["skipped"]
    look_keys = np.unique(keys[looked])
    look_image, look_person = np.divmod(look_keys, max(1, len(people)))
    seen, image_of_look = np.unique(look_image, return_inverse=True)
    objects = _ordered(annotations, np.flatnonzero(readable & outcome["object"]), image)
    names, category = _coded(annotations["category"].take(pa.array(objects)))
    look = np.searchsorted(look_keys, keys[objects])
    by_look = np.argsort(look, kind="stable")
    return Answers(
        annotation_ids=_texts(annotations, "annotation_id", objects),
        boxes=box_column(annotations)[objects].reshape(-1, _CORNERS),
        categories=np.array([*names, ""], dtype=object)[category].tolist(),
        rles=_texts(annotations, "rle", objects),
        polygons=_texts(annotations, "polygon", objects),
        parents=_texts(annotations, "parent_id", objects),
        images=[every_image[code] for code in seen.tolist()],
        people=people,
        names=names,
        image=np.searchsorted(seen, image[objects]),
        owner=person[objects],
        category=category,
        look_image=image_of_look,
        look_person=look_person,
        look_starts=np.searchsorted(look[by_look], np.arange(len(look_keys) + 1)),
        look_objects=by_look,
        skipped=_skipped(keys[readable & outcome["skipped"]], look_keys, every_image, max(1, len(people))),
        outside_plan=int((~wanted).sum()),
        unreadable=frozenset(every_image[code] for code in np.unique(image[wanted & outcome["unreadable"]])),
        attributes=_attributes(annotations["attributes"], objects),
    )


def recoded(answers: Answers, people: Sequence[str], names: Sequence[str]) -> tuple[Answers, Indices]:
    """Number the people and categories of answers among more of them.

    Args:
        answers: What some people drew.
        people: Sorted, with all of theirs.
        names: Categories, sorted, with all of theirs.

    Returns:
        The answers, and (A,) the new number of each person.
    """
    of_person = np.searchsorted(np.array(people, dtype=object), np.array(answers.people, dtype=object))
    of_name = np.searchsorted(np.array(names, dtype=object), np.array(answers.names, dtype=object))
    changed = replace(
        answers,
        people=list(people),
        names=list(names),
        owner=of_person[answers.owner],
        category=of_name[answers.category],
        look_person=of_person[answers.look_person],
    )
    return changed, of_person


def box_column(annotations: pa.Table) -> NDArray[np.float64]:
    """The boxes (N, 4) of an `annotations` table; NaN where there is none."""
    column = annotations.column("bbox_xyxy").combine_chunks()
    boxes = np.full((len(column), _CORNERS), np.nan)
    there = flags(column.is_valid())
    boxes[there] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, _CORNERS)
    return boxes


def _ordered(annotations: pa.Table, rows: Indices, image: Indices) -> Indices:
    """The rows of objects by image and content.

    Raises:
        TableError: An object without category or box.
    """
    boxes = box_column(annotations)[rows]
    nameless = flags(annotations["category"].is_null())[rows] | np.isnan(boxes).any(axis=1)
    if nameless.any():
        key = annotations["annotation_id"][int(rows[nameless][0])]
        raise TableError(f"annotation {key} is an object without category or box: run pull again")
    keys = (*boxes.T[::-1], image[rows])
    order = np.lexsort(keys)
    same = np.ones(max(0, len(order) - 1), dtype=np.bool_)
    for key in keys:
        same &= key[order][1:] == key[order][:-1]
    order = rows[order]
    columns = [annotations[name] for name in ("category", "rle", "annotation_id")]

    def content(row: int) -> tuple[str, ...]:
        return tuple(column[row].as_py() or "" for column in columns)

    # Of objects with equal boxes the rest of their content decides.
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2).tolist():
        order[start : stop + 1] = sorted(order[start : stop + 1].tolist(), key=content)
    return np.asarray(order, dtype=np.intp)


def _skipped(keys: Indices, look_keys: Indices, images: Sequence[str], people: int) -> dict[str, int]:
    """How many people skipped each image who did not draw on it too."""
    skips = np.setdiff1d(keys, look_keys) // people
    codes, counts = np.unique(skips, return_counts=True)
    return {images[code]: count for code, count in zip(codes.tolist(), counts.tolist(), strict=True)}


def _attributes(column: pa.ChunkedArray, rows: Indices) -> dict[int, Attributes]:
    """What was chosen of each object, by its place in `rows`."""
    if column.null_count == len(column):
        return {}
    column_values = column.combine_chunks()
    some = np.flatnonzero(np.diff(column_values.offsets.to_numpy())[rows] > 0)
    found = ((index, column_values[int(rows[index])].as_py()) for index in some.tolist())
    return {index: chosen for index, chosen in found if chosen}


def _coded(column: pa.ChunkedArray) -> tuple[list[str], Indices]:
    """The distinct texts, sorted, and which of them each row holds."""
    encoded = column.combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.intp)
    rank[order] = np.arange(len(names))
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return [names[place] for place in order], rank[codes] if len(names) else np.zeros(0, dtype=np.intp)


def _texts(annotations: pa.Table, name: str, rows: Indices) -> Texts:
    column = annotations[name]
    if column.nbytes > _WIDE_BYTES:
        column = column.cast(pa.large_string())
    return Texts(column.take(pa.array(rows)).combine_chunks())
