"""Images that no human looked at: their suggestions become the consensus, and say so."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from curate import schema
from curate.records import derived_id


def accepted(suggestions: pa.Table, tasks: Mapping[str, str]) -> pa.Table:
    """One row of origin "consensus" for each suggestion.

    It keeps `score` and `model_version`, which rows that people agreed on have not; `parent_id` is the
    suggestion. Ids are made as for rows of people: the same object has the same id.

    Args:
        suggestions: The model's rows of outcome "object" on accepted images, of the schema `annotations`.
        tasks: Task of every image.
    """
    image_ids = suggestions["image_id"].to_pylist()
    rles = suggestions["rle"].to_pylist()
    boxes = suggestions["bbox_xyxy"].to_pylist()
    categories = suggestions["category"].to_pylist()
    ids = [
        derived_id("consensus", image_id, category, *(f"{value:.3f}" for value in box), rle or "")
        for image_id, category, box, rle in zip(image_ids, categories, boxes, rles, strict=True)
    ]
    columns = {
        **{name: suggestions[name] for name in schema.ANNOTATIONS.arrow.names},
        "annotation_id": pa.array(ids, pa.string()),
        "origin": pa.array(["consensus"] * len(ids), pa.string()),
        "parent_id": suggestions["annotation_id"],
        "task_id": pa.array([tasks[image_id] for image_id in image_ids], pa.string()),
        "prompt": pa.nulls(len(ids), pa.string()),
    }
    return pa.table(columns, schema=schema.ANNOTATIONS.arrow)
