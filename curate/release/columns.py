"""The columns of a release: one list, which the schema, the features and the card's table follow."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

VERSION: Final = 3  # of the release's form; part of the digest: raise it where a column changes


@dataclass(frozen=True, slots=True)
class Column:
    """One column, or one field of `objects`.

    Attributes:
        name: As written.
        kind: Arrow type; of a field of `objects` that of one object.
        meaning: A sentence for the card: what it is, its unit, and what null says.
    """

    name: str
    kind: pa.DataType
    meaning: str


_TEXT, _INT, _FLOAT = pa.string(), pa.int32(), pa.float32()
SEGMENTATION: Final = pa.struct([("size", pa.list_(_INT)), ("counts", _TEXT)])
_IMAGE: Final = (
    Column("image", pa.struct([("bytes", pa.binary()), ("path", _TEXT)]), "the upright picture, sRGB"),
    Column("image_id", _TEXT, "sha256 of the source file, hex: the stable key"),
    Column("file_name", _TEXT, "name of the source file"),
    Column("source", _TEXT, "name of the source that it came from"),
    Column("width", _INT, "pixels"),
    Column("height", _INT, "pixels"),
    Column("split", _TEXT, "train, validation or test"),
    Column("dup_group", _TEXT, "shared by variants of one scene, which stay in one split; null = none known"),
)
_RIGHTS: Final = (
    Column("license", _TEXT, "of the picture; null = not stated"),
    Column("attribution", _TEXT, "whom to name for the picture; null = not stated"),
)
CAPTURED_AT: Final = Column("captured_at", _TEXT, "when it was taken, camera's local time; null = not known")
AUGMENTED: Final = (
    Column("parent_id", _TEXT, "image_id of the training image that it is a copy of"),
    Column("replay_seed", pa.int64(), "with the pipeline it makes the same copy again"),
)
OBJECTS: Final = (
    Column("id", _TEXT, "stable key of the object"),
    Column("bbox", pa.list_(_FLOAT, 4), "COCO: x, y of the upper left corner, width, height, in pixels"),
    Column("category", pa.int64(), "number of the class; its name stands in the features"),
    Column("category_name", _TEXT, "name of the class, for readers that know no features"),
    Column("area", _FLOAT, "pixels of the mask, of the box where there is no mask"),
    Column("iscrowd", pa.int8(), "1 = an area to ignore: people do not agree on it"),
    Column("segmentation", SEGMENTATION, "COCO compressed RLE: size = height, width; null = box only"),
    Column("polygon", pa.list_(pa.list_(_FLOAT)), "outline as drawn: rings of x, y, ...; null = none"),
    Column("origin", _TEXT, "consensus = of people; model = accepted without a human; gold = known answer"),
    Column("model_version", _TEXT, "of the model, where nobody looked; null otherwise"),
    Column("n_annotators", _INT, "people who looked at the image; null = not known"),
    Column("votes", _INT, "people who drew the object; null = not known"),
    Column("agreement", _FLOAT, "votes per annotator, 0 to 1; null = not known"),
    Column("confidence", _FLOAT, "estimated probability that it is right, 0 to 1; null = not known"),
    Column(
        "made_from", pa.list_(_TEXT), "keys of what people drew, from which it was made; empty = not known"
    ),
)
_ANSWER: Final = pa.struct([("question", _TEXT), ("answers", pa.list_(_TEXT)), ("confidence", _FLOAT)])
_OBJECT_ATTRIBUTES: Final = Column(
    "attributes", pa.list_(_ANSWER), "what people say of the object, by question; empty = nothing"
)
_SETTLED: Final = (
    Column("answers", pa.list_(_ANSWER), "what people answered about the whole picture"),
    Column("confidence", _FLOAT, "that its objects are right and none is missing, 0 to 1; null = not known"),
    Column("review", _TEXT, "why somebody should look again; null = nobody needs to"),
    Column("decided", pa.bool_(), "true = a senior labeler decided it, seeing all answers; null = not known"),
)


def of_objects(*, attributes: bool) -> tuple[Column, ...]:
    """The fields of `objects`; `attributes` says whether any object has some."""
    return (*OBJECTS, _OBJECT_ATTRIBUTES) if attributes else OBJECTS


def of_images(
    attributes: Mapping[str, pa.DataType], *, captured_at: bool, object_attributes: bool = False
) -> tuple[Column, ...]:
    """The columns in their order.

    Args:
        attributes: Type by name of what the sources' sidecars say of an image.
        captured_at: Whether the time of the picture is released.
        object_attributes: Whether any object has attributes.
    """
    fields = of_objects(attributes=object_attributes)
    objects = pa.struct([(field.name, pa.list_(field.kind)) for field in fields])
    more = [Column("objects", objects, "what is to be seen; one list for each field below")]
    if attributes:
        kind = pa.struct(sorted(attributes.items()))
        more.append(Column("attributes", kind, "what the source says of the picture; null = it says nothing"))
    return (*_IMAGE, *more, *_SETTLED, *_RIGHTS, *([CAPTURED_AT] if captured_at else []))


def schema(columns: Iterable[Column], categories: Sequence[str]) -> pa.Schema:
    """The Arrow schema, with the features of `datasets` in its metadata.

    "Sequence" and the one-element list are the forms that every version of `datasets` since 2 reads; the
    newer "List" would shut out older readers.
    """
    features = {column.name: _feature(column.kind) for column in columns}
    if "image" in features:
        features["image"] = {"_type": "Image"}
    features["objects"]["category"] = {
        "feature": {"names": list(categories), "_type": "ClassLabel"},
        "_type": "Sequence",
    }
    arrow = pa.schema([(column.name, column.kind) for column in columns])
    return arrow.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: pa.DataType) -> Any:
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_fixed_size_list(kind):
        return {"feature": _feature(kind.value_type), "length": kind.list_size, "_type": "Sequence"}
    if pa.types.is_list(kind):
        inner = _feature(kind.value_type)
        return [inner] if pa.types.is_struct(kind.value_type) else {"feature": inner, "_type": "Sequence"}
    name = {"float": "float32", "double": "float64"}.get(str(kind), str(kind))
    return {"dtype": name, "_type": "Value"}


def typed_attributes(rows: Sequence[Sequence[tuple[str, str]]]) -> tuple[dict[str, pa.DataType], list[Any]]:
    """Make columns of what sidecars say.

    A column holds whole numbers, numbers or booleans where every value is one, and texts otherwise.

    Args:
        rows: Name and text of each attribute, for each image.

    Returns:
        The type of each attribute, and for each image a dictionary; None where it has no attribute.
    """
    values: dict[str, set[str]] = {}
    for row in rows:
        for name, text in row:
            values.setdefault(name, set()).add(text)
    kinds = {
        name: next(kind for kind in _READERS if _all(kind, texts)) for name, texts in sorted(values.items())
    }
    read = [{name: _READERS[kinds[name]](text) for name, text in row} or None for row in rows]
    return kinds, read


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _whole(text: str) -> int:
    number = int(text)
    if str(number) != text or abs(number) >= 1 << 63:  # 007 is a name, not a number
        raise ValueError(text)
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or re.match(r"-?0\d", text):
        raise ValueError(text)
    return number


_READERS: Final[dict[pa.DataType, Any]] = {
    pa.bool_(): _boolean,
    pa.int64(): _whole,
    pa.float64(): _number,
    pa.string(): str,
}


def _all(kind: pa.DataType, texts: Iterable[str]) -> bool:
    try:
        for text in texts:
            _READERS[kind](text)
    except (ValueError, KeyError):
        return False
    return True
