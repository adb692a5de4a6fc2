"""What a check can find, how bad it is, and what to do about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from curate.records import Box

Severity = Literal["error", "warning", "note"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")  # the worst first


@dataclass(frozen=True, slots=True)
class Kind:
    """Kind of fault that a check can find.

    Attributes:
        severity: error = a model is trained or measured wrongly; warning = likely so; note = good to know.
        title: A few words.
        remedy: What to do.
        needs: What the data set must have for it to be looked for; labels are objects, or classes of images.
    """

    severity: Severity
    title: str
    remedy: str
    needs: Literal["images", "splits", "labels", "objects", "classes", "other set", "predictions"] = "images"


_MEND = "mend or remove the entry in the label file"
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "not_decoded": Kind(
            "error", "Files that do not decode, folders that do not open", "replace or remove the file"
        ),
        "split_leak": Kind(
            "error",
            "One picture in two splits",
            "move both to one split, else the test set measures what was memorized",
            "splits",
        ),
        "leak_against": Kind(
            "error", "Pictures that the other set holds too", "remove them from one of the two", "other set"
        ),
        "missing_image": Kind(
            "error", "Labels of images that are not there", "add the file, or name its folder", "objects"
        ),
        "ambiguous_image": Kind("error", "Labels that several files fit", "name the folder too", "objects"),
        "image_twice": Kind("error", "Images that have two entries", "join the two entries", "objects"),
        "image_size": Kind(
            "error",
            "Stated size is not the file's",
            "label the file that is there, or put back the one that was labelled",
            "objects",
        ),
        "exif_frame": Kind(
            "error",
            "Labels drawn before EXIF turned the image",
            "turn the pixels and remove the EXIF tag, or import with --frame stored",
            "objects",
        ),
        "box_outside": Kind("error", "Labels outside their image", "cut or redraw the label", "objects"),
        "unknown_category": Kind("error", "Categories that are not declared", _MEND, "objects"),
        "duplicate_id": Kind(
            "error", "Ids that are used twice", "give each entry an id of its own", "objects"
        ),
        "empty_box": Kind("error", "Boxes without area or inside out", _MEND, "objects"),
        "short_polygon": Kind("error", "Polygons of less than three points", _MEND, "objects"),
        "mask_size": Kind("error", "Masks of another size than their image", _MEND, "objects"),
        "damaged": Kind("error", "Entries that cannot be read", _MEND, "labels"),
        "class_conflict": Kind(
            "error", "Copies of one picture with different classes", "look which class is right", "classes"
        ),
        "exact_duplicate": Kind("warning", "Files with the same bytes", "keep one"),
        "near_duplicate": Kind("warning", "Copies of one picture", "keep the one that is named second"),
        "exif_turned": Kind(
            "warning",
            "Images that EXIF turns",
            "turn the pixels and remove the tag: half of all readers ignore it",
        ),
        "duplicate_box": Kind("warning", "Two labels of one object", "remove one", "objects"),
        "crossing_box": Kind(
            "warning", "Labels that cover nearly the same area", "look whether both are meant", "objects"
        ),
        "tiny_box": Kind("warning", "Tiny boxes", "look whether it is a slip of the hand", "objects"),
        "giant_box": Kind(
            "warning", "Boxes of the whole image", "look whether an object is meant", "objects"
        ),
        "label_error": Kind(
            "warning",
            "Labels that a model contradicts",
            "look who is right, the label or the model",
            "predictions",
        ),
        "class_missing": Kind(
            "warning", "Classes without an object", "split by class, or remove the class", "labels"
        ),
        "class_rare": Kind("warning", "Rare classes", "collect more, or join it with another", "labels"),
        "unlabeled_image": Kind(
            "warning",
            "Images without a word from the labels",
            "label it, or write an empty entry if nothing is there",
            "labels",
        ),
        "license_gap": Kind("warning", "Images without a license, where others have one", "ask the owner"),
        "dark": Kind("warning", "Nearly black images", "look whether anything can be seen"),
        "bright": Kind("warning", "Nearly white images", "look whether anything can be seen"),
        "flat": Kind("warning", "Images with next to no contrast", "look whether anything is shown"),
        "blurred": Kind("warning", "Blurred images", "look whether a person could label it"),
        "gray": Kind("warning", "Gray images among colored ones", "look whether their color was lost"),
        "odd_size": Kind("warning", "Images of unusual size or shape", "look whether it belongs here"),
        "license_unknown": Kind("note", "Nothing says the license", "put a file LICENSE into the folder"),
        "not_read": Kind("note", "What was not looked at", "look at it by other means", "objects"),
    }
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A box to draw: upright pixels, and what it says."""

    box: Box
    category: str


@dataclass(frozen=True, slots=True)
class Row:
    """Case of a fault.

    Attributes:
        images: Places in the data set, the one to look at first; of the other set last for `leak_against`.
        splits: Of the images, or of a class.
        category: What the label says.
        file: The label file; None where the case is not in one.
        line: Its line there; 0 = not known.
        entry: How a person finds it there, such as "annotation 17".
        detail: What is wrong, with the numbers.
        marks: Boxes on the first image.
    """

    images: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    category: str = ""
    file: Path | None = None
    line: int = 0
    entry: str = ""
    detail: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """All cases of one kind, in the order in which they were met."""

    name: str
    kind: Kind
    rows: tuple[Row, ...]


@dataclass(slots=True)
class Findings:
    """Collects rows by kind."""

    _rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, row: Row) -> None:
        """Add one case, as valid text: names of files need be none."""
        self._rows[name].append(_printable(row))

    def extend(self, rows: Iterable[tuple[str, Row]]) -> None:
        """Add cases with the names of their kinds."""
        for name, row in rows:
            self.add(name, row)

    def all(self) -> list[Finding]:
        """Every kind that was found, in the order of `KINDS`, which is that of severity."""
        return [
            Finding(name, kind, tuple(self._rows[name])) for name, kind in KINDS.items() if self._rows[name]
        ]


def _printable(row: Row) -> Row:
    texts = (row.category, row.entry, row.detail, str(row.file or ""))
    if all(map(str.isascii, texts)):
        return row
    category, entry, detail, file = (one.encode("utf-8", "backslashreplace").decode() for one in texts)
    return replace(row, category=category, entry=entry, detail=detail, file=Path(file) if file else None)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check looked at and found.

    Attributes:
        path: The data set, as the user calls it.
        format: Name of the codec; "images" for files without labels.
        images: Files that were looked at.
        objects: Labels that could be held against an image; of a data set of classes, images that have one.
        splits: Images by split; empty where there is none.
        looked_for: Names of kinds that this data set can have.
        findings: The worst first.
        pictures: Upright file by place of an image.
    """

    path: str
    format: str
    images: int
    objects: int
    splits: Mapping[str, int]
    looked_for: tuple[str, ...]
    findings: tuple[Finding, ...]
    pictures: Mapping[str, Path] = field(repr=False, default_factory=dict)

    def counts(self) -> dict[Severity, int]:
        """Count the cases by severity."""
        return {
            severity: sum(len(one.rows) for one in self.findings if one.kind.severity == severity)
            for severity in SEVERITIES
        }
