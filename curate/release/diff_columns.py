"""What a release holds, without its pictures: columns that two releases are compared by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curate.errors import ReleaseError
from curate.release import manifest
from curate.release.manifest import Manifest

_DESCRIBED = ("license", "attribution", "attributes", "captured_at", "dup_group", "file_name", "source")
_ANSWERED = ("answers",)  # questions and what was chosen; not how sure that is
_PICTURES = ("image", "hr", "lr")  # the last two of paired sets
_DRAWN = ("id", "category_name", "bbox", "iscrowd", "segmentation", "polygon", "attributes")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A release in columns; N images, M objects.

    Attributes:
        manifest: Its release.json.
        columns: Names of its columns and of the attributes of images, those of pictures left out.
        categories: Class names in their order.
        images: image_id, split, and `described`: JSON of what else is said of the image.
        image: (M,) row of each object's image.
        objects: id and category of each object, `shape`: its mask, outline and mark as one text, and
            `described`: what people answered of it, as one text.
        boxes: (M, 4) xyxy pixels.
    """

    manifest: Manifest
    columns: tuple[str, ...]
    categories: tuple[str, ...]
    images: pa.Table
    image: NDArray[np.int64]
    objects: pa.Table
    boxes: NDArray[np.float64]

    @property
    def title(self) -> str:
        """Name and version of the release."""
        return f"{self.manifest.name} {self.manifest.version}"


def load(folder: Path) -> Snapshot:
    """Read a release folder, or what `keep` left of one.

    Raises:
        ReleaseError: It is no release, or a file is damaged.
    """
    known = manifest.read(folder)
    listed = (name for name in known.files if name.startswith("data/") and name.endswith(".parquet"))
    files = [folder / name for name in sorted(listed)]
    if not files:
        raise ReleaseError(f"{folder} holds no data/*.parquet: it is no release folder")
    try:
        layout = pq.read_schema(files[0])
        wanted = [name for name in ("image_id", *_DESCRIBED, *_ANSWERED, "objects") if name in layout.names]
        parts = [(path.name.partition("-")[0], pq.read_table(path, columns=wanted)) for path in files]
        features = json.loads(layout.metadata[b"huggingface"])["info"]["features"]
        categories = features["objects"]["category"]["feature"]["names"]
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise ReleaseError(f"{folder} is damaged, or no release: {' '.join(str(error).split())}") from error
    rows = pa.concat_tables([table for _, table in parts])
    told = [name for name in wanted if name not in ("image_id", "objects")]
    split = np.repeat([name for name, _ in parts], [table.num_rows for _, table in parts])
    images = pa.table(
        {
            "image_id": rows.column("image_id").combine_chunks(),
            "split": pa.array(split, pa.string()),
            "described": _described(rows.select(told)),
        }
    )
    return Snapshot(known, _names(layout), tuple(categories), images, *_objects(rows.column("objects")))


def keep(release: Path, folder: Path) -> None:
    """Write all but the pictures of a release into an empty folder, from which `load` reads it.

    Raises:
        ReleaseError: It is no release.
    """
    for name in manifest.read(release).files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("data/") and name.endswith(".parquet"):
            names = [column for column in pq.read_schema(release / name).names if column not in _PICTURES]
            pq.write_table(pq.read_table(release / name, columns=names), target, compression="zstd")
        elif "/" not in name:
            target.write_bytes((release / name).read_bytes())
    (folder / manifest.NAME).write_bytes((release / manifest.NAME).read_bytes())


def _names(layout: pa.Schema) -> tuple[str, ...]:
    names = [name for name in layout.names if name != "image"]
    for nested in ("objects", "attributes"):
        if nested in layout.names:
            names += [f"{nested}.{field.name}" for field in layout.field(nested).type]
    return tuple(sorted(names))


def _described(rows: pa.Table) -> pa.Array:
    """What is said of each image but its objects, as one text."""
    distinct: dict[str, str] = {}
    texts = []
    for row in rows.to_pylist():
        row |= {name: _answered(row[name]) for name in _ANSWERED if row.get(name) is not None}
        values = {key: value for key, value in row.items() if value not in (None, {})}
        text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
        texts.append(distinct.setdefault(text, text))
    return pa.array(texts, pa.string())


def _objects(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], pa.Table, NDArray[np.float64]]:
    lists = column.combine_chunks()
    present = {field.name for field in lists.type}
    flat = {name: pc.list_flatten(lists.field(name)) for name in _DRAWN if name in present}
    counts = pc.list_value_length(lists.field("id")).to_numpy(zero_copy_only=False).astype(np.int64)
    image = np.repeat(np.arange(len(counts)), counts)
    values = pc.list_flatten(flat["bbox"]).to_numpy().astype(np.float64).reshape(-1, 4)
    boxes = np.concatenate([values[:, :2], values[:, :2] + values[:, 2:]], axis=1)
    objects = pa.table(
        {
            "id": flat["id"],
            "category": flat["category_name"],
            "shape": _shapes(flat),
            "described": _answers_of_objects(flat.get("attributes"), len(image)),
        }
    )
    return image, objects, boxes


def _shapes(flat: dict[str, Any]) -> pa.Array:
    masks = flat["segmentation"].field("counts").fill_null("")
    marks = flat["iscrowd"].cast(pa.string())
    if "polygon" not in flat or flat["polygon"].null_count == len(flat["polygon"]):
        return pc.binary_join_element_wise(masks, marks, "|")
    outlines = pa.array([_outline(value) for value in flat["polygon"].to_pylist()], pa.string())
    return pc.binary_join_element_wise(masks, marks, outlines, "|")


def _answers_of_objects(answers: pa.Array | None, count: int) -> pa.Array:
    if answers is None or not len(pc.list_flatten(answers)):
        return pa.array([""] * count, pa.string())
    told = (_answered(one) for one in answers.to_pylist())
    return pa.array([json.dumps(one, sort_keys=True, ensure_ascii=False) if one else "" for one in told])


def _answered(records: Sequence[dict[str, Any]] | None) -> dict[str, list[str]]:
    """What was chosen, by question."""
    return {record["question"]: record["answers"] for record in records or ()}


def _outline(rings: Sequence[Sequence[float]] | None) -> str:
    return "" if rings is None else json.dumps([[round(value, 3) for value in ring] for ring in rings])
