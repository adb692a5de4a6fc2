"""YOLO's text files, as Ultralytics' trainers read them: boxes (`yolo`) or outlines (`yolo-seg`).

A line is a class number from 0 and shares of width and height on the continuous plane: the middle and size of
a box, or the corners of a polygon. A polygon is one ring: parts and holes are joined by cuts without
width, which the even-odd rule fills as before. An image without objects has an empty file. Written:
images/<split>/, labels/<split>/, data.yaml; the split "validation" is called val there. Of poses (`kpt_shape`
in data.yaml) the boxes are read, and the key points behind them counted.

Source:
    https://docs.ultralytics.com/datasets/detect/, /datasets/segment/ and /datasets/pose/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from curate.errors import InputError
from curate.folder_walk import paths_below
from curate.formats import split_names
from curate.formats.dataset_info import About
from curate.formats.image_files import ImageFiles
from curate.formats.label_entries import EntryError, box, not_read, ring, taken
from curate.formats.losses import Losses
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem, scaled
from curate.geometry import outlines

_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".heic", ".jxl", ".gif"}
)
_BOX, _BOX_SCORE = 5, 6  # numbers of a line


@dataclass(slots=True)
class _Rows:
    """How the lines of a data set are read.

    Attributes:
        names: By number.
        keypoints: Numbers of a line behind its box; 0 = none.
        problems: Take what cannot be read.
        posed: Objects with key points so far.
    """

    names: Mapping[int, str]
    keypoints: int
    problems: list[Problem]
    posed: int = 0


def read(path: Path) -> Labels:
    """Open a data set by its data.yaml, or by the folder that holds it.

    Raises:
        InputError: No data.yaml, or one without `names` and folders.
    """
    file = path / "data.yaml" if path.is_dir() else path
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{file} cannot be read as YAML: {' '.join(str(error).split())}") from error
    names = _names(content, file)
    labels = Labels("yolo", path, tuple(names.values()))
    folders = _folders(content, file)
    labels.images = _images(file, folders, _Rows(names, _keypoints(content, file), labels.problems))
    return labels


def _names(content: object, file: Path) -> dict[int, str]:
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise InputError(f"{file} has no `names`: write the categories there, as {{0: first, 1: second}}")
    try:
        return {int(number): str(name) for number, name in names.items()}
    except (TypeError, ValueError) as error:
        raise InputError(f"{file}: names has a class that is no number: {error}") from error


def _keypoints(content: Mapping[str, object], file: Path) -> int:
    """Numbers that the key points of an object take, from `kpt_shape`: points, and numbers of each."""
    shape = content.get("kpt_shape")
    if shape is None:
        return 0
    if (
        not isinstance(shape, list)
        or len(shape) != 2
        or not all(type(one) is int and one > 0 for one in shape)
    ):
        raise InputError(f"{file}: kpt_shape = {shape!r}: expected points and numbers of each, as [17, 3]")
    return int(shape[0] * shape[1])


def _folders(content: Mapping[str, object], file: Path) -> list[tuple[str, Path]]:
    """Split and place (folder or list of images) of the images."""
    given = content.get("path")
    root = file.parent / str(given) if given else file.parent
    if not root.exists():
        root = file.parent  # many files still name a folder of the machine that they were made on
    found: list[tuple[str, Path]] = []
    for key, split in (*split_names.OURS.items(), ("validation", "validation")):
        places = content.get(key)
        for place in places if isinstance(places, list) else [places] if places else []:
            folder = root / str(place)
            if not folder.exists():  # "../train/images", as some exports write it
                folder = root / str(place).removeprefix("../")
            if not folder.exists():
                raise InputError(f"{file}: {key} = {place} does not exist under {root}")
            if folder not in [known for _, known in found]:  # trainers want a val: often it is train again
                found.append((split, folder))
    if not found:
        raise InputError(f"{file} names no images: expected train, val or test")
    return found


def _images(file: Path, folders: Sequence[tuple[str, Path]], rows: _Rows) -> Iterator[LabeledImage]:
    used: set[Path] = set()
    for split, place in folders:
        for image in _files(place):
            labels = label_file(image)
            there = labels.exists()
            used.add(labels)
            name = image.relative_to(place).as_posix() if place.is_dir() else image.as_posix()
            objects = _objects(labels, name, rows) if there else ()
            yield LabeledImage(
                name=name,
                objects=tuple(objects),
                relative=True,
                split=split,
                file=labels if there else file,
                labeled=there,
                path=image,
            )
    for folder in sorted({label_file(place / "x").parent for _, place in folders if place.is_dir()}):
        for labels in paths_below(folder, "*.txt") if folder.is_dir() else ():
            if labels not in used and labels.name != "classes.txt":
                detail = "no image of this name lies in the images' folder"
                rows.problems.append(Problem("label_without_image", labels, image=labels.stem, detail=detail))
    rows.problems += not_read(file, {"objects' key points": rows.posed})


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return [one for one in paths_below(place, "*") if one.suffix.lower() in _SUFFIXES]
    lines = place.read_text(encoding="utf-8").splitlines()
    return [place.parent / line.strip() for line in lines if line.strip()]


def label_file(image: Path) -> Path:
    """Path of an image's labels: the last folder `images` of its path becomes `labels`."""
    parts = list(image.with_suffix(".txt").parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] == "images":
            parts[at] = "labels"
            break
    return Path(*parts)


def _objects(file: Path, image: str, rows: _Rows) -> Iterator[LabeledObject]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        rows.problems.append(Problem("damaged", file, image=image, detail=f"cannot be read: {error}"))
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            found = taken(
                partial(_object, line.split(), number, rows),
                rows.problems,
                file=file,
                line=number,
                entry=f"line {number}",
                image=image,
            )
            if found is not None:
                yield found


def _object(words: Sequence[str], line: int, rows: _Rows) -> LabeledObject:
    number, values = float(words[0]), [float(word) for word in words[1:]]
    if number not in rows.names:
        raise EntryError("unknown_category", f"class {words[0]} is none of data.yaml's names")
    category, entry = rows.names[int(number)], f"line {line}"
    posed = rows.keypoints > 0 and len(words) == _BOX + rows.keypoints
    rows.posed += posed
    if posed or len(words) in (_BOX, _BOX_SCORE):
        x, y, across, down = values[:4]
        return LabeledObject(
            category,
            box(x - across / 2, y - down / 2, x + across / 2, y + down / 2),
            score=values[4] if not posed and len(words) == _BOX_SCORE and 0 <= values[4] <= 1 else None,
            entry=entry,
            line=line,
        )
    if rows.keypoints:
        raise EntryError("damaged", f"{len(words)} numbers, expected {_BOX + rows.keypoints} by kpt_shape")
    return LabeledObject(category, polygons=((ring(values),),), entry=entry, line=line)


def write(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write boxes in YOLO's format.

    Args:
        folder: Empty.
        images: Of known size, in pixels.
        about: The data set.
        files: Takes the image files.
    """
    return _write(folder, images, about, files, outline=False)


def write_outlines(folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles) -> Losses:
    """Write a polygon for each object; of one that has a box only, the box's corners."""
    return _write(folder, images, about, files, outline=True)


def _write(
    folder: Path, images: Iterable[LabeledImage], about: About, files: ImageFiles, *, outline: bool
) -> Losses:
    losses = Losses("split", "empty", *(("mask", "polygon") if outline else ()))
    numbers = {name: number for number, name in enumerate(about.categories)}
    splits: dict[str, None] = {}
    for image in images:
        losses.look(image)
        split = split_names.theirs(image.split)
        splits[split] = None
        name = files.place(image, f"images/{split}")
        labels = folder / "labels" / split / Path(name).with_suffix(".txt")
        labels.parent.mkdir(parents=True, exist_ok=True)
        lines = [_line(one, image, numbers, losses, outline=outline) for one in image.objects]
        labels.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    order = sorted(splits, key=lambda split: [*split_names.OURS, split].index(split))
    # No `path`: Ultralytics takes "." for where it is called; without one the folder of data.yaml counts.
    content: dict[str, object] = {split: f"images/{split}" for split in order}
    if "val" not in splits and splits:
        content["val"] = f"images/{order[0]}"  # trainers insist on one
        losses.add("no split for validation: data.yaml names the first in its place")
    content["names"] = dict(enumerate(about.categories))
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (folder / "data.yaml").write_text(text, encoding="utf-8")
    return losses


def _line(
    one: LabeledObject, image: LabeledImage, numbers: Mapping[str, int], losses: Losses, *, outline: bool
) -> str:
    assert image.size is not None  # noqa: S101 - writers get images of known size
    across, down = image.size
    number = numbers[one.category]
    polygons = one.outline(image.size) if outline else ()
    if polygons:
        losses.outline(one, written=polygons == one.polygons)
        losses.add("objects of several rings, joined by cuts", sum(map(len, polygons)) > 1)
        values = outlines.joined(polygons)
        sides = (across, down)
        return " ".join([str(number), *(f"{value / sides[at % 2]:.6g}" for at, value in enumerate(values))])
    losses.add("boxes written as polygons", outline)
    x1, y1, x2, y2 = scaled(one, 1 / across, 1 / down).box() or (0.0, 0.0, 0.0, 0.0)
    if outline:
        return " ".join(map(_share, (x1, y1, x2, y1, x2, y2, x1, y2))).join([f"{number} ", ""])
    return " ".join([str(number), *map(_share, ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1))])


def _share(value: float) -> str:
    return f"{value:.9g}"
