"""What goes into a release: kept images with a consensus, and the objects on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curate.errors import ReleaseError
from curate.release.columns import Column, of_images, typed_attributes
from curate.release.object_support import Support

IMAGE_COLUMNS = (
    "image_id", "path", "sources", "width", "height", "captured_at", "license", "attribution", "attributes",
    "dup_group", "drop_reason",
)  # fmt: skip
OBJECT_COLUMNS = (
    "annotation_id", "image_id", "origin", "category", "bbox_xyxy", "rle", "polygon", "score", "outcome",
    "model_version", "attributes",
)  # fmt: skip
_RELEASED = ("object", "disputed")  # a disputed one is marked as an area to ignore


@dataclass(frozen=True, slots=True)
class Content:
    """Images and objects of a release, in columns.

    Attributes:
        images: N rows, ordered by image_id: the columns of the release that are no objects, and `path`.
        objects: M rows with `OBJECT_COLUMNS` and what they rest on (`support`), ordered by image and content;
            those of outcome "disputed" are areas to ignore.
        attributes: Type by name of the attributes that images have.
        offsets: (N + 1,) the objects of image i are rows offsets[i] to offsets[i + 1].
        categories: Names in the order of the taxonomy's ids; the position is the class label.
        dropped: Number of dropped images by reason.
        unlabeled: Kept images that nobody looked at, or that everybody skipped: not released.
        accepted: Released images that no human looked at: their objects name the model.
        captured_at: Whether the time of each picture is released.
    """

    images: pa.Table
    objects: pa.Table
    offsets: NDArray[np.int64]
    categories: tuple[str, ...]
    dropped: Mapping[str, int]
    unlabeled: int
    accepted: int = 0
    attributes: Mapping[str, pa.DataType] = field(default_factory=dict)
    captured_at: bool = False

    def columns(self) -> tuple[Column, ...]:
        """The columns of the release."""
        return of_images(
            self.attributes, captured_at=self.captured_at, object_attributes=bool(self.object_attributes())
        )

    def object_attributes(self) -> dict[str, Counter[str]]:
        """What people say of objects: by question, how many objects have each answer."""
        found: dict[str, Counter[str]] = {}
        for attributes in self.objects["attributes"].drop_null().to_pylist():
            for question, chosen in attributes:
                found.setdefault(question, Counter()).update(chosen)
        return dict(sorted(found.items()))

    @property
    def ids(self) -> list[str]:
        """The image_id of each image."""
        return self.images.column("image_id").to_pylist()  # type: ignore[no-any-return]

    def sources(self) -> Counter[tuple[str | None, str | None]]:
        """Number of images by license and attribution."""
        columns = (self.images.column(name).to_pylist() for name in ("license", "attribution"))
        return Counter(zip(*columns, strict=True))

    def names(self) -> list[list[str]]:
        """Categories of the objects of each image, without the areas to ignore."""
        columns = (self.objects.column(name).to_pylist() for name in ("category", "outcome"))
        rows = list(zip(*columns, strict=True))
        bounds = self.offsets.tolist()
        return [[name for name, outcome in rows[a:b] if outcome == "object"] for a, b in pairwise(bounds)]

    def empty_images(self) -> int:
        """How many images show nothing of the categories, as far as people settled it."""
        return int((np.diff(self.offsets) == 0).sum())

    def to_review(self) -> Counter[str]:
        """Number of released images that somebody must look at again, by reason."""
        return Counter(self.images["review"].drop_null().to_pylist())

    def confidence(self) -> tuple[float | None, int]:
        """Mean confidence of the objects of which it is known, None without any; and how many those are."""
        known = self.objects["confidence"].drop_null()
        return pc.mean(known).as_py(), len(known)

    def decided(self) -> tuple[int, int]:
        """How many released images were decided by adjudication, and how many objects are on them."""
        chosen = self.images["decided"].fill_null(False).to_numpy()
        return int(chosen.sum()), int(np.diff(self.offsets)[chosen].sum())

    def looked(self) -> Counter[int | None]:
        """Number of released images by the number of people who looked at them; None = not known."""
        return Counter(self.images["annotators"].to_pylist())

    def ignored(self) -> int:
        """How many areas to ignore there are: objects on which people do not agree."""
        return int(pc.sum(pc.equal(self.objects["outcome"], "disputed")).as_py() or 0)


def collect(
    images: pa.Table,
    consensus: pa.Table,
    categories: Sequence[str],
    support: Support | None = None,
    *,
    captured_at: bool = False,
) -> Content:
    """Join images and consensus.

    Args:
        images: The `images` table; only kept rows can be released.
        consensus: The `annotations` table of the stage agreement.
        categories: Known names, in the order of the taxonomy's ids.
        support: What images and objects rest on; None = nothing is known of it.
        captured_at: Whether the time of each picture is released.

    Raises:
        ReleaseError: Nothing to release, an image that the images table does not know or does not keep,
            or a category that the taxonomy does not know.
    """
    support = Support.none() if support is None else support
    kept = images.filter(pc.is_null(images.column("drop_reason"))).sort_by("image_id")
    _refuse_strangers(consensus, images, kept, categories)
    labeled = kept.filter(pc.is_in(kept.column("image_id"), value_set=_values(consensus, "image_id")))
    if labeled.num_rows == 0:
        raise ReleaseError(
            "nothing to release: no kept image has a consensus; label images, then run agreement"
        )
    wanted = pc.is_in(consensus.column("outcome"), value_set=pa.array(_RELEASED))
    objects = _by_content(consensus.filter(wanted))
    position = pc.index_in(objects.column("image_id"), value_set=_values(labeled, "image_id"))
    counts = np.bincount(position.to_numpy(), minlength=labeled.num_rows)
    reasons = images.column("drop_reason").drop_null().to_pylist()
    kinds, attributes = typed_attributes(labeled.column("attributes").to_pylist())
    return Content(
        images=support.of_images(_described(labeled, pa.array(attributes, pa.struct(sorted(kinds.items()))))),
        objects=support.of_objects(objects.select(list(OBJECT_COLUMNS))),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        categories=tuple(categories),
        dropped=dict(sorted(Counter(reasons).items())),
        unlabeled=kept.num_rows - labeled.num_rows,
        accepted=len(pc.unique(objects.filter(pc.is_valid(objects["model_version"]))["image_id"])),
        attributes=kinds,
        captured_at=captured_at,
    )


def _described(images: pa.Table, attributes: pa.Array) -> pa.Table:
    """Add the name of each image's first file, its source, and typed attributes."""
    first = pc.list_element(images.column("sources"), 0)
    return (
        images.select(
            [name for name in IMAGE_COLUMNS if name not in ("sources", "attributes", "drop_reason")]
        )
        .append_column("file_name", pc.replace_substring_regex(first, r"^.*/", ""))
        .append_column("source", pc.replace_substring_regex(first, r"/.*$", ""))
        .append_column("attributes", attributes)
    )


def _refuse_strangers(
    consensus: pa.Table, images: pa.Table, kept: pa.Table, categories: Sequence[str]
) -> None:
    for known, what in (
        (images, "which is not in the images table"),
        (kept, "which was dropped"),
    ):
        strange = _missing(consensus.column("image_id"), _values(known, "image_id"))
        if strange:
            raise ReleaseError(
                f"the consensus holds {len(strange)} images {what}, the first is {strange[0]}: "
                "run dvc repro select, push, pull and agreement again"
            )
    unknown = _missing(consensus.column("category").drop_null(), pa.array(categories, pa.string()))
    if unknown:
        raise ReleaseError(
            f"the consensus holds the category {unknown[0]!r}, which the taxonomy does not name: "
            f"known are {', '.join(categories)}"
        )


def _missing(column: pa.ChunkedArray, known: pa.Array) -> list[str]:
    return sorted(set(column.filter(pc.invert(pc.is_in(column, value_set=known))).to_pylist()))


def _values(table: pa.Table, name: str) -> Any:
    return table.column(name).combine_chunks()


def _by_content(objects: pa.Table) -> pa.Table:
    """Ordered by image, box, category, mask: the same whatever the ids are."""
    box = objects.column("bbox_xyxy").combine_chunks()
    corners = {f"corner_{i}": pc.list_element(box, i) for i in range(4)} if objects.num_rows else {}
    keyed = objects
    for name, values in corners.items():
        keyed = keyed.append_column(name, values)
    order = ["image_id", *corners, "category", "rle", "annotation_id"]
    return keyed.sort_by([(name, "ascending") for name in order]).select(objects.column_names)
