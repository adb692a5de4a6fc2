"""Data sets of the Hugging Face Hub for object detection, and our own releases: Parquet with images inside.

`objects` holds `bbox` (COCO's `[x, y, width, height]` in pixels) and `category` (a class label, or a name);
a release holds `segmentation` (COCO's compressed counts), `polygon` (an outline as drawn, then the holes in
it), `iscrowd` and `id` too. The split is what file or folder are named after. What `datasets` saved to disk
(Arrow) is read too. `objects` may be a struct of lists or a list of structs.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from curate.errors import InputError
from curate.formats import huggingface_files
from curate.formats.coco_objects import outline
from curate.formats.label_entries import box_xywh, class_name, entries, ring, taken
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem, rounded
from curate.images.pixel_limit import open_any_size

_CATEGORY = ("category", "categories", "label", "labels", "category_id")
_SUPPORT = ("origin", "model_version", "n_annotators", "votes", "agreement")  # of an object of a release
_FACTS = ("file_name", "source", "dup_group", "captured_at", "decided")  # of an image of a release


def read(path: Path, *, content: bool = True, splits: Sequence[str] = (), verified: bool = False) -> Labels:
    """Open a folder with Parquet files (in it, or in data/) or with what was saved to disk, or one file.

    Args:
        path: The folder or file.
        content: Read the images' bytes too.
        splits: Only these; all by default.
        verified: The files are what we wrote: the counts of masks are not checked again.

    Raises:
        InputError: No such files, no column `objects`, or a split that is not there.
    """
    files = huggingface_files.files(path)
    names = _class_names(files[0])
    split_of = {file: huggingface_files.split(file, path) for file in files}
    known = sorted({split or "" for split in split_of.values()})
    missing = sorted(set(splits) - set(known))
    if missing:
        raise InputError(
            f"{path} has no split {missing[0]!r}: there are {', '.join(filter(None, known)) or 'none'}"
        )
    wanted = {file: split for file, split in split_of.items() if not splits or split in splits}
    labels = Labels("huggingface", path, tuple(names))
    labels.images = _images(wanted, names, labels.problems, content=content, verified=verified)
    return labels


def _class_names(file: Path) -> list[str]:
    """Names of the class labels, from the metadata that `datasets` writes."""
    schema = huggingface_files.schema(file)
    if "objects" not in schema.names:
        raise InputError(f"{file} has no column `objects`: it has {', '.join(schema.names)}")
    text = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(text)["info"]["features"]["objects"] if text else {}
    except (ValueError, KeyError, TypeError):
        return []
    for key in _CATEGORY:
        found = _names_within(features, key)
        if found:
            return found
    return []


def _names_within(features: Any, key: str) -> list[str]:
    if isinstance(features, list):
        features = features[0] if features else {}
    if not isinstance(features, Mapping):
        return []
    inner = features.get(key)
    while isinstance(inner, Mapping) and "names" not in inner and "feature" in inner:
        inner = inner["feature"]
    if isinstance(inner, Mapping) and isinstance(inner.get("names"), list):
        return [str(name) for name in inner["names"]]
    return _names_within(features["feature"], key) if "feature" in features else []


def _images(
    files: Mapping[Path, str | None],
    names: Sequence[str],
    problems: list[Problem],
    *,
    content: bool,
    verified: bool,
) -> Iterator[LabeledImage]:
    for file, split in files.items():
        for number, row in enumerate(huggingface_files.rows(file, content=content), 1):
            found = taken_image(row, names, file, number, problems, verified=verified)
            if found is not None:
                yield replace(found, split=split)


def taken_image(
    row: Mapping[str, Any],
    names: Sequence[str],
    file: Path,
    number: int,
    problems: list[Problem],
    *,
    verified: bool = False,
) -> LabeledImage | None:
    """`image`; None, and a problem, where the row is of another form."""
    return taken(
        partial(image, row, names, file, number, problems, verified=verified),
        problems,
        file=file,
        line=number,
        entry=f"row {number}",
        image=_name(row, file, number),
    )


def _name(row: Mapping[str, Any], file: Path, number: int) -> str:
    return str(huggingface_files.picture(row).get("path") or row.get("file_name") or f"{file.stem}-{number}")


def image(
    row: Mapping[str, Any],
    names: Sequence[str],
    file: Path,
    number: int,
    problems: list[Problem],
    *,
    verified: bool = False,
) -> LabeledImage:
    """The image of a row.

    Args:
        row: As Arrow gives it.
        names: Of class labels; empty where objects hold names.
        file: Where the row stands.
        number: Its place there, from 1.
        problems: Takes what is wrong with it.
        verified: The file is what we wrote.
    """
    picture, name = huggingface_files.picture(row), _name(row, file, number)
    width, height = row.get("width"), row.get("height")
    if (not width or not height) and picture.get("bytes"):
        parse = partial(_size, picture["bytes"])
        told = taken(parse, problems, file=file, line=number, entry=f"row {number}", image=name)
        width, height = told or (None, None)
    objects = []
    for index, entry in enumerate(_entries(row.get("objects")), 1):
        found = taken(
            partial(_object, entry, names, (width, height), index, verified=verified),
            problems,
            file=file,
            line=number,
            entry=f"row {number}, object {index}",
            image=name,
        )
        objects += [found] if found is not None else []
    identity = row.get("image_id", row.get("id"))
    return LabeledImage(
        name=name,
        objects=tuple(objects),
        width=width,
        height=height,
        image_id=None if identity is None else str(identity),
        tags=tuple(
            f"{answer['question']}: {chosen}"
            for answer in row.get("answers") or ()
            for chosen in answer["answers"]
        ),
        human=_human(objects),
        attributes=_attributes(row),
        labeled=_labeled(row.get("objects")),
        confidence=row.get("confidence"),
        review=row.get("review"),
        license=row.get("license"),
        attribution=row.get("attribution"),
        file=file,
        line=number,
        content=picture.get("bytes"),
    )


def _size(data: bytes) -> tuple[int, int]:
    with open_any_size(io.BytesIO(data)) as opened:
        return opened.size


def _labeled(objects: Any) -> bool:
    """Whether the row says anything of objects: lists that are null say nothing, empty ones do."""
    if isinstance(objects, Mapping):
        return any(values is not None for values in objects.values())
    return objects is not None


def _human(objects: Sequence[LabeledObject]) -> bool | None:
    """Whether people looked, by where the objects come from; None where nothing says it."""
    origins = {one.attributes.get("origin") for one in objects}
    return None if not origins or None in origins else "model" not in origins


def _attributes(row: Mapping[str, Any]) -> dict[str, str]:
    """What a release says of an image besides."""
    facts = {name: row.get(name) for name in _FACTS} | (row.get("attributes") or {})
    return {
        **{name: str(value) for name, value in facts.items() if value is not None},
        **_confidence(row.get("answers")),
    }


def _confidence(answers: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """How sure each answer of a release is, where that is known."""
    known = {answer["question"]: answer.get("confidence") for answer in answers or ()}
    return {f"confidence of {name}": f"{value:.6g}" for name, value in known.items() if value is not None}


def _entries(objects: Any) -> list[Mapping[str, Any]]:
    """One mapping per object, of a list of them or of lists by field.

    Raises:
        EntryError: Something else stands there, which does not say that there are none.
    """
    if objects is None or isinstance(objects, list):
        return objects or []
    if not isinstance(objects, Mapping):
        return entries(objects)
    for values in objects.values():
        if values is not None:
            entries(values)
    count = max((len(values) for values in objects.values() if values is not None), default=0)
    return [
        {key: values[index] for key, values in objects.items() if values is not None and index < len(values)}
        for index in range(count)
    ]


def _object(
    entry: Mapping[str, Any],
    names: Sequence[str],
    size: tuple[int | None, int | None],
    number: int,
    *,
    verified: bool,
) -> LabeledObject:
    key = next((name for name in _CATEGORY if name in entry), _CATEGORY[0])
    value = entry[key]
    polygons, rle, rle_size = outline(entry.get("segmentation"), size, verified=verified)
    rings = entry.get("polygon")
    if rings and isinstance(rings[0], list):  # of 32 bits in a release: rounded they are what was drawn
        polygons = rounded([tuple(map(ring, rings))])
    return LabeledObject(
        category=entry.get("category_name")
        or (value if isinstance(value, str) and value else class_name(value, names)),
        bbox_xyxy=box_xywh(*entry["bbox"]),
        polygons=polygons,
        rle=rle,
        rle_size=rle_size,
        is_crowd=bool(entry.get("iscrowd")),
        attributes={
            **{name: str(entry[name]) for name in _SUPPORT if entry.get(name) is not None},
            **{answer["question"]: ", ".join(answer["answers"]) for answer in entry.get("attributes") or ()},
            **_confidence(entry.get("attributes")),
        },
        confidence=entry.get("confidence"),
        made_from=tuple(entry.get("made_from") or ()),
        object_id=str(entry["id"]) if entry.get("id") is not None else None,
        entry=f"object {number}",
        line=number,
    )
