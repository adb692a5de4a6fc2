"""Labels joined to the images of a project: rows of `annotations`, and a list of all that did not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeVar

from curate.formats import frames
from curate.formats.frames import Frame
from curate.formats.image_match import ImageMatch, KnownImage
from curate.formats.imported_rows import How, nearest, row
from curate.formats.label_entries import EntryError, not_read, taken
from curate.formats.record import LabeledImage, LabeledObject, Labels, Problem, Size
from curate.records import Annotation, derived_id

_Found = TypeVar("_Found")
# Problems that hold nothing back.
NOTES: Final = frozenset({"clipped", "image_dropped", "image_without_label", "not_read", "not_labeled"})


@dataclass(slots=True)
class Joined:
    """Passes over labels once.

    A problem of a kind that is not in `NOTES` means that something of an image could not be taken. Of a
    person's answer nothing is taken then, since what is left would look as if it were all: the image has one
    row of outcome "unreadable". Of gold nothing either. Of suggestions the rest stays.

    Attributes:
        labels: As they were opened; its `problems` are complete when `rows` ends.
        match: The project's images.
        how: Where the labels belong.
        images: Images of which something was taken, if only that nothing is on them.
        objects: Rows of outcome "object".
        held_back: Images of which nothing was taken because something could not be.
    """

    labels: Labels
    match: ImageMatch
    how: How
    images: int = 0
    objects: int = 0
    held_back: int = 0
    _done: dict[tuple[str, str | None], str] = field(default_factory=dict)
    _fits: Counter[str] = field(default_factory=Counter)  # EXIF-turned images whose labels fit one frame only
    _faults: Counter[str] = field(default_factory=Counter)  # by image, of the file's reader
    _counted: int = 0
    _beside: Counter[str] = field(default_factory=Counter)  # what the labels say besides, and no row holds

    def rows(self) -> Iterator[Annotation]:
        """Rows of the `annotations` table, image by image."""
        for image in self.labels.images:
            if not image.labeled:
                self._note("not_labeled", image, "the file says nothing of this image")
                continue
            if (image.suggested or image.human is False) and self.how.origin != "model":
                self._note("not_labeled", image, "what is there was proposed by a model, and nobody answered")
                continue
            self._count_what_is_beside(image)
            known = self._checked(partial(self._find, image), image)
            if known is not None:
                yield from self._rows_of(image, known)
        for other in self.match.others({image_id for image_id, _ in self._done}):
            self._note("image_without_label", LabeledImage(other.source, file=self.labels.path), "")
        self.labels.problems += not_read(self.labels.path, self._beside)

    def frame_remark(self) -> str | None:
        """What the labels of images that EXIF turns say of `how.frame`, where they contradict it."""
        other: Frame = "stored" if self.how.frame == "upright" else "upright"
        if not self._fits[other]:
            return None
        return (
            f"of the images that EXIF turns, the labels of {self._fits[other]:,} fit the {other} frame only, "
            f"those of {self._fits[self.how.frame]:,} the {self.how.frame} frame only: set frame to {other}?"
        )

    def _count_what_is_beside(self, image: LabeledImage) -> None:
        """Count attributes and labels of whole images, which rows of `annotations` have no room for."""
        self._beside["labels of whole images"] += len(image.tags)
        for one in image.objects:
            self._beside.update(f"attributes {name!r} of objects" for name in one.attributes)

    def _find(self, image: LabeledImage) -> KnownImage:
        """The image that is meant.

        Raises:
            EntryError: None, several, one that was there already, or one that could not be decoded.
        """
        found = self.match.find(image)
        if not found:
            lost = len(image.objects)
            raise EntryError("label_without_image", f"{lost} objects of an image that is not here")
        if len(found) > 1:
            some = " and ".join(one.source for one in found[:2])
            raise EntryError("ambiguous_image", f"{len(found)} images have this name: {some}")
        (known,) = found
        if known.size is None:
            raise EntryError("image_not_decoded", f"dropped: {known.dropped}")
        key = (known.image_id, self._annotator(image))
        if key in self._done:
            raise EntryError("image_twice", f"its labels were given before, as {self._done[key]}")
        self._done[key] = image.name
        return known

    def _annotator(self, image: LabeledImage) -> str | None:
        if self.how.origin != "human":
            return None
        name = image.annotator or self.how.annotator
        if name is None:
            raise EntryError("no_annotator", "nobody is named who gave this answer: say who with annotator")
        return name

    def _rows_of(self, image: LabeledImage, known: KnownImage) -> Iterator[Annotation]:
        if known.dropped is not None:
            self._note("image_dropped", image, f"dropped: {known.dropped}")
        faults = self._faults_of(image)
        before = len(self.labels.problems)
        rows = self._checked(partial(self._objects, image, known), image) or []
        faults += sum(one.kind not in NOTES for one in self.labels.problems[before:])
        if faults and self.how.origin != "model":
            self.held_back += 1
            if self.how.origin == "human":
                yield self._without_object(image, known, "unreadable")
            return
        self.images += bool(rows) or not faults
        self.objects += len(rows)
        if rows:
            yield from rows
        elif self.how.origin != "model":
            yield self._without_object(image, known, "empty")

    def _objects(self, image: LabeledImage, known: KnownImage) -> list[Annotation]:
        """The rows of an image.

        Raises:
            EntryError: The file states another size, or the labels fit the other frame only.
        """
        assert known.size is not None and known.stored is not None  # noqa: S101, PT018 - `_find` refuses those
        drawn_on = known.stored if self.how.frame == "stored" else known.size
        objects = image.in_pixels(drawn_on).objects
        self._check_frame(image.size, objects, known, drawn_on)
        found = []
        for number, one in enumerate(objects):
            made = self._checked(
                partial(row, one, number, known, self.how, annotator=self._annotator(image)), image, one
            )
            if made is not None:
                found.append(made[0])
                if made[1]:
                    self._note("clipped", image, "a box cut at the image's border, by a pixel at most", one)
        return found

    def _check_frame(
        self, stated: Size | None, objects: Sequence[LabeledObject], known: KnownImage, drawn_on: Size
    ) -> None:
        assert known.size is not None and known.stored is not None  # noqa: S101, PT018 - `_find` refuses those
        sizes: dict[str, Size] = {"upright": known.size, "stored": known.stored}
        fitting = {
            name
            for name, size in sizes.items()
            if stated in (None, size) and all(frames.fits(one, size) for one in objects)
        }
        if known.orientation != 1 and len(fitting) == 1:
            (only,) = fitting
            self._fits[only] += 1
            if only != self.how.frame:
                raise EntryError("frame", f"its labels fit the {only} frame only, which EXIF turns")
        if stated is not None and stated != drawn_on:
            theirs, ours = (f"{width} x {height}" for width, height in (stated, drawn_on))
            raise EntryError("image_size", f"is {theirs} there, and {ours} pixels ({self.how.frame})")

    def _without_object(self, image: LabeledImage, known: KnownImage, outcome: str) -> Annotation:
        annotator = self._annotator(image)
        return Annotation(
            annotation_id=derived_id("import", self.how.origin, annotator or "", known.image_id, outcome),
            image_id=known.image_id,
            origin=self.how.origin,
            annotator_id=annotator,
            outcome=outcome,  # type: ignore[arg-type]
        )

    def _faults_of(self, image: LabeledImage) -> int:
        """Entries of the image that the file's reader could not take."""
        problems = self.labels.problems
        self._faults.update(
            one.image for one in problems[self._counted :] if one.image and one.kind not in NOTES
        )
        self._counted = len(problems)
        return self._faults[image.name]

    def _checked(
        self, parse: Callable[[], _Found], image: LabeledImage, one: LabeledObject | None = None
    ) -> _Found | None:
        """What `parse` gives; None with a problem."""
        before = len(self.labels.problems)
        found = taken(
            parse,
            self.labels.problems,
            file=image.file,
            line=image.line if one is None else one.line,
            entry="" if one is None else one.entry,
            image=image.name,
        )
        for at, problem in enumerate(self.labels.problems[before:], before):
            if problem.kind == "unknown_category" and one is not None:
                near = nearest(one.category, self.how.categories)
                self.labels.problems[at] = replace(problem, known=near)
        return found

    def _note(self, kind: str, image: LabeledImage, detail: str, one: LabeledObject | None = None) -> None:
        line, entry = (image.line, "") if one is None else (one.line, one.entry)
        self.labels.problems.append(Problem(kind, image.file, line, entry, image.name, detail))
