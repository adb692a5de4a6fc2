"""The rows that a consensus is written as: ids, origins, and columns of its tables."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import schema
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters
from curate.agreement.joint_shapes import JointShapes
from curate.geometry.matching import Indices
from curate.records import derived_id


def identities(answers: Answers, clusters: Clusters, categories: pa.Array, shapes: JointShapes) -> list[str]:
    """Ids of joint objects, by their content alone."""
    rows = zip(
        clusters.image.tolist(),
        categories.to_pylist(),
        shapes.boxes.tolist(),
        shapes.rles.to_pylist(),
        strict=True,
    )
    seen: dict[str, int] = {}
    found = []
    for image, category, (x1, y1, x2, y2), rle in rows:
        corners = (f"{x1:.3f}", f"{y1:.3f}", f"{x2:.3f}", f"{y2:.3f}")
        key = derived_id("consensus", answers.images[image], category, *corners, rle or "")
        seen[key] = times = seen.get(key, 0) + 1  # the same object drawn twice by one person stays two rows
        found.append(key if times == 1 else derived_id(key, times))
    return found


def made_from(answers: Answers, clusters: Clusters) -> pa.Array:
    """List the annotations that each joint object was made from, sorted."""
    ids = answers.annotation_ids.column.take(pa.array(clusters.members)).to_pylist()
    starts = clusters.starts.tolist()
    ordered = [key for start, stop in itertools.pairwise(starts) for key in sorted(ids[start:stop])]
    return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), pa.array(ordered, pa.string()))


def parents(answers: Answers, clusters: Clusters) -> pa.Array:
    """The pre-annotation that all members were edited from; null where they were not."""
    if not len(clusters):
        return pa.nulls(0, pa.string())
    encoded = answers.parents.column.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)[clusters.members]
    min_codes = np.minimum.reduceat(codes, clusters.starts[:-1])
    same = (min_codes >= 0) & (min_codes == np.maximum.reduceat(codes, clusters.starts[:-1]))
    return encoded.dictionary.take(pa.array(min_codes, mask=~same)).cast(pa.string())


def empty(answers: Answers, images: Indices) -> pa.Table:
    """A row for each of some images (numbers) on which nothing is."""
    ids = [answers.images[image] for image in images.tolist()]
    return pa.table(
        {
            "annotation_id": pa.array([derived_id("consensus", key, "empty") for key in ids], pa.string()),
            "image_id": pa.array(ids, pa.string()),
            "outcome": pa.array(["empty"] * len(ids), pa.string()),
            "votes": pa.array(answers.looks[images], pa.int32()),
            "annotators": pa.array(answers.looks[images], pa.int32()),
            "made_from": pa.array([[]] * len(ids), pa.list_(pa.string())),
        }
    )


def as_annotations(rows: pa.Table, tasks: Mapping[str, str]) -> pa.Table:
    """The rows as an `annotations` table of origin "consensus"."""
    of_images = rows["image_id"].to_pylist()
    columns = {
        "origin": pa.array(["consensus"] * len(of_images), pa.string()),
        "task_id": pa.array([tasks[image_id] for image_id in of_images], pa.string()),
    }
    return filled(
        pa.table({**dict(zip(rows.column_names, rows.columns, strict=True)), **columns}),
        schema.ANNOTATIONS.arrow,
    )


def filled(rows: pa.Table, columns: pa.Schema) -> pa.Table:
    """The rows with these columns; null where they have none."""
    given = {
        field.name: rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in columns
    }
    return pa.table(given, schema=columns)
