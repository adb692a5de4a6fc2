"""The part of the card on the data itself: every column, an example row, and how to load and decode."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from curate.release.columns import Column, of_objects
from curate.release.markdown import code, escaped, table

_SHORT = 48  # characters of a text in the example
_FEW = 4  # entries of a list in the example
_SNIPPET = """\
```python
from datasets import load_dataset
from pycocotools import mask

dataset = load_dataset("path/to/this/folder")  # or the name of the repository, with revision="v{version}"
example = next(row for row in dataset["{split}"] if row["objects"]["id"])  # the first with an object
names = dataset["{split}"].features["objects"]["category"].feature.names
print([names[i] for i in example["objects"]["category"]], example["objects"]["bbox"])
pixels = [  # (height, width) arrays of 0 and 1; None where an object has a box only
    None if rle is None else mask.decode({{"size": rle["size"], "counts": rle["counts"].encode()}})
    for rle in example["objects"]["segmentation"]
]
```
"""


def section(columns: Sequence[Column], example: dict[str, Any], *, split: str, version: str) -> str:
    """Write the card's section on columns, in Markdown.

    Args:
        columns: Of the release.
        example: A row of it, without the picture.
        split: That has rows.
        version: Of the release.
    """
    rows = []
    for column in columns:
        rows.append([code(column.name), code(_kind(column)), column.meaning])
        if column.name == "objects":
            fields = of_objects(attributes="attributes" in {field.name for field in column.kind})
            rows += [[code(f"objects.{field.name}"), code(_kind(field)), field.meaning] for field in fields]
        if column.name == "attributes":
            rows += [
                [
                    code(f"attributes.{field.name}"),
                    code(str(field.type)),
                    "as the sidecars of the sources say",
                ]
                for field in column.kind
            ]
    shown = json.dumps(
        {"image": "<picture>", **_shortened(example)}, indent=1, ensure_ascii=False, default=str
    )
    return (
        f"## Columns\n\n{table(['column', 'type', 'meaning'], rows)}\n"
        "Coordinates are pixels of the upright picture. Near-duplicates, and variants of one scene, never "
        f"stand in different splits.\n\nA row:\n\n```json\n{shown.replace('```', chr(39) * 3)}\n```\n\n"
        f"## How to load it\n\n{_SNIPPET.format(split=split, version=escaped(version))}"
    )


def _kind(column: Column) -> str:
    if column.name == "image":
        return "Image"
    if column.name == "category":
        return "ClassLabel"
    if column.name == "objects":
        return "struct of lists"
    if pa.types.is_fixed_size_list(column.kind):
        return f"{column.kind.list_size} x {column.kind.value_type}"
    return "struct" if pa.types.is_struct(column.kind) else str(column.kind).replace("item: ", "")


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shortened(one) for one in value[:_FEW]] + (["..."] if len(value) > _FEW else [])
    if isinstance(value, float):
        return round(value, 3)
    return f"{value[:_SHORT]}..." if isinstance(value, str) and len(value) > _SHORT else value
