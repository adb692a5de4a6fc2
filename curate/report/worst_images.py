"""The images on which people disagree most, each with everybody's boxes and masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from curate.records import Annotation, ImageRecord
from curate.report import objects_overlay
from curate.report.curation import name_of
from curate.report.drawing import Album, Picture, words
from curate.report.inputs import Facts
from curate.report.objects_overlay import Look, Shape
from curate.review_lists import Disagreement

SHOWN: Final = 30
_SIDE: Final = 520  # pixels: as the picture is when it is enlarged on a usual screen
_SHAPE_BYTES: Final = 350_000  # of all paths: images of very many objects are fewer
MODEL: Final = "model"
REASONS: Final = {
    "unreadable": "an answer could not be read",
    "planted_error": "a planted error was left in",
    "not_joined": "nobody knows what was shown",
    "skipped": "everybody skipped it",
    "partly_skipped": "some skipped it",
    "presence": "half of them drew an object",
    "category": "two names for one object",
    "mask": "masks that do not overlap",
    "answer": "different answers about the image",
    "attribute": "different answers about an object",
    "asked": "somebody asked for another look",
    "low_f1": "different objects",
    "duplicate": "a dropped copy is labelled otherwise",
    "label_error": "a model contradicts the label",
}


@dataclass(frozen=True, slots=True)
class Worst:
    """Image on which people disagree.

    Attributes:
        image_id: The image.
        picture: Without anything drawn on it.
        name: Of its file.
        size: Width and height that the shapes' paths are in.
        reason: Why it is here, in words.
        facts: Agreement in short.
        shapes: Everybody's objects.
        drawn_by: What each person drew, in words; "nothing" where somebody drew nothing, "not
            readable" where what somebody drew could not be read.
        task: Address of its task in Label Studio; None where it is not known.
    """

    image_id: str
    picture: Picture
    name: str
    size: tuple[int, int]
    reason: str
    facts: tuple[str, ...]
    shapes: tuple[Shape, ...]
    drawn_by: tuple[tuple[str, str], ...]
    task: str | None


def worst_images(facts: Facts, album: Album) -> tuple[list[Worst], dict[str, Look]]:
    """The first of the queue, fewer where the page would become too large; and how each person is drawn."""
    people = sorted({_called(row, facts) for row in facts.tables.human or ()})
    drawn = _by_image(facts.tables.human or ())
    model = _by_image(row for row in facts.tables.model or () if row.outcome == "object")
    images = {image.image_id: image for image in facts.tables.images}
    shown: list[Worst] = []
    room = _SHAPE_BYTES
    for entry in (facts.tables.queue or ())[:SHOWN]:
        image = images.get(entry.image_id)
        picture = album.thumbnail(image.path, side=_SIDE) if image is not None else None
        if image is None or picture is None:
            continue
        rows = [(_called(row, facts), row) for row in drawn.get(entry.image_id, ())]
        if entry.reason == "label_error":
            rows += [(MODEL, row) for row in model.get(entry.image_id, ())]
        one = _worst(entry, image, picture, rows, facts)
        room -= sum(len(shape.box) + len(shape.mask) for shape in one.shapes)
        if room < 0:
            break
        shown.append(one)
    everybody = [*people, MODEL] if any(who == MODEL for one in shown for who, _ in one.drawn_by) else people
    return shown, objects_overlay.looks(everybody, facts.colors.values())


def _worst(
    entry: Disagreement,
    image: ImageRecord,
    picture: Picture,
    rows: Sequence[tuple[str, Annotation]],
    facts: Facts,
) -> Worst:
    size = (image.width or picture.width, image.height or picture.height)
    made = [objects_overlay.shape(row, who, words(row.category or ""), size=size) for who, row in rows]
    shapes = tuple(one for one in made if one is not None)
    looked = sorted({who for who, row in rows if row.outcome != "skipped"})
    drawn_by = objects_overlay.counted(shapes, looked)
    unreadable = {who for who, row in rows if row.outcome == "unreadable"}
    told = [f"F1 {entry.f1:.2f}"] if entry.f1 is not None else []
    told += [f"box IoU {entry.mean_iou:.2f}"] if entry.mean_iou is not None else []
    return Worst(
        image_id=image.image_id,
        picture=picture,
        name=name_of(image),
        size=size,
        reason=REASONS.get(entry.reason, words(entry.reason)),
        facts=tuple(told),
        shapes=shapes,
        drawn_by=tuple(
            (who, text or ("not readable" if who in unreadable else "nothing"))
            for who, text in drawn_by.items()
        ),
        task=facts.links.tasks.get(image.image_id),
    )


def _called(row: Annotation, facts: Facts) -> str:
    return facts.names.get(row.annotator_id or "", "unknown")


def _by_image(rows: Iterable[Annotation]) -> Mapping[str, list[Annotation]]:
    found: dict[str, list[Annotation]] = defaultdict(list)
    for row in rows:
        found[row.image_id].append(row)
    return found
