"""KITTI's text files of 2D objects: label_2/, image_2/, ImageSets/.

A line is a type without spaces and corners in pixels on the continuous plane, to a hundredth; what KITTI says
of three dimensions is written as unknown. `DontCare` is a crowd.

Source:
    A. Geiger et al., object development kit, readme.txt, section "Data Format Description".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from curate.errors import InputError
from curate.formats import split_names
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import EntryError, box, not_read, taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem

IGNORED = "DontCare"
_WORDS = (15, 16)  # of a line; the last is a score
_UNKNOWN = "-1 -1 -1 -1000 -1000 -1000 -10"  # height, width, length, place, turn


def read(path: Path) -> Labels:
    """Open a folder with label_2/ and image_2/.

    Raises:
        InputError: It has no label_2.
    """
    folder = path / "label_2"
    if not folder.is_dir():
        raise InputError(f"{path} has no folder label_2: name the folder that holds label_2 and image_2")
    labels = Labels("kitti", path, ())
    labels.images = _images(path, labels.problems)
    return labels


def _images(root: Path, problems: list[Problem]) -> Iterator[LabeledImage]:
    pictures = {one.stem: one for one in sorted((root / "image_2").glob("*"))}
    splits, spatial = split_names.listed([root / "ImageSets"]), 0
    for file in sorted((root / "label_2").glob("*.txt")):
        picture = pictures.get(file.stem)
        name = picture.name if picture is not None else f"{file.stem}.png"
        objects = []
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                spatial += _is_spatial(line.split())
                found = taken(
                    partial(_object, line.split(), number),
                    problems,
                    file=file,
                    line=number,
                    entry=f"line {number}",
                    image=name,
                )
                objects += [found] if found is not None else []
        split, *others = splits.get(file.stem, (None,))
        also = tuple(filter(None, others))
        yield LabeledImage(name, tuple(objects), split=split, other_splits=also, file=file, path=picture)
    problems += not_read(root, {"sizes and places in three dimensions": spatial})


def _is_spatial(words: Sequence[str]) -> bool:
    """Whether height, width and length are known, which are -1 where they are not."""
    return any(not word.startswith("-1") for word in words[8:11])


def _object(words: Sequence[str], line: int) -> LabeledObject:
    if len(words) not in _WORDS:
        raise EntryError("damaged", f"{len(words)} words, expected 15, or 16 with a score")
    flags = {"truncated": float(words[1]), "occluded": float(words[2])}
    score = float(words[15]) if len(words) == max(_WORDS) else None
    return LabeledObject(
        category=words[0],
        bbox_xyxy=box(*words[4:8]),
        is_crowd=words[0] == IGNORED,
        attributes={name: f"{value:g}" for name, value in flags.items() if value > 0},
        score=score if score is not None and 0 <= score <= 1 else None,
        entry=f"line {line}",
        line=line,
    )


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write a text file per image.

    Raises:
        InputError: Two categories would have one name, because KITTI's hold no spaces.
    """
    losses = Losses("split", "empty", "score")
    types = _types(about.categories)
    lists: dict[str, list[str]] = {}
    (folder / "label_2").mkdir()
    for image in images:
        losses.look(image)
        name = files.place(image, "image_2")
        lines = [_line(one, types, losses) for one in image.objects]
        text = "".join(f"{line}\n" for line in lines)
        (folder / "label_2" / name).with_suffix(".txt").write_text(text, encoding="utf-8")
        lists.setdefault(split_names.theirs(image.split), []).append(Path(name).stem)
    losses.add("names of categories, whose spaces became _", sum(types[name] != name for name in types))
    (folder / "ImageSets").mkdir()
    for split, stems in lists.items():
        text = "".join(f"{stem}\n" for stem in stems)
        (folder / f"ImageSets/{split}.txt").write_text(text, encoding="utf-8")
    return losses


def _types(categories: Sequence[str]) -> dict[str, str]:
    types = {name: "_".join(name.split()) for name in categories}
    owners: dict[str, str] = {}
    for name, type_ in types.items():
        if type_ in owners:
            raise InputError(f"categories {owners[type_]!r} and {name!r} are one type {type_!r} in KITTI")
        owners[type_] = name
    return types


def _line(one: LabeledObject, types: Mapping[str, str], losses: Losses) -> str:
    corners = one.box() or (0.0, 0.0, 1.0, 1.0)
    losses.add("boxes rounded to a hundredth of a pixel", any(round(value, 2) != value for value in corners))
    name = IGNORED if one.is_crowd else types[one.category]
    edges = " ".join(f"{value:.2f}" for value in corners)
    score = "" if one.score is None else f" {one.score:.6g}"
    return f"{name} 0 0 -10 {edges} {_UNKNOWN}{score}"
