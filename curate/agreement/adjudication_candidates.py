"""What a senior labeler is shown of an image on which people disagree: the drawings, and why it is there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate.records import Annotation

_Cells = Mapping[str, Any]
WHY = {
    "unreadable": "An answer could not be read.",
    "planted_error": "An answer kept an error that was planted to see whether people look.",
    "not_joined": "It is not known what people were shown here.",
    "skipped": "Everybody skipped this image.",
    "asked": "Somebody asked for another look at this image (decisions.csv).",
    "presence": "People do not agree which objects are there.",
    "category": "People do not agree what an object is.",
    "mask": "People do not agree on the outline of an object.",
    "answer": "People answered a question about the image differently.",
    "attribute": "People answered a question about an object differently.",
    "partly_skipped": "Somebody skipped this image.",
    "low_f1": "People drew different objects; most votes settled which are there.",
    "duplicate": "A copy of this picture, which was dropped, is labelled otherwise.",
    "label_error": "A model sees something else here than what people agreed on.",
}
_TASK = "Keep, correct or delete the drawings until they are right, then submit: this is the answer."


@dataclass(frozen=True, slots=True)
class Candidates:
    """What is shown of one image.

    Attributes:
        rows: What people settled on, once; of everything else, each person's drawing.
        captions: annotation_id of each row, and whose it is.
        note: Why the image is here, and what each person said, a line each; people are pseudonyms.
    """

    rows: tuple[Annotation, ...]
    captions: tuple[tuple[str, str], ...]
    note: str


def collect(
    reasons: Mapping[str, str],
    *,
    annotations: Iterable[_Cells],
    answers: Iterable[_Cells],
    objects: Iterable[_Cells],
    names: Mapping[str, str],
) -> dict[str, Candidates]:
    """The candidates of every image of the queue.

    Args:
        reasons: Why an image is in the queue, by image.
        annotations: Rows of `annotations` of pull, of these images.
        answers: Rows of `answers` of pull, of these images.
        objects: Rows of `consensus_objects`, of these images.
        names: Pseudonyms of people.
    """
    drawn: dict[str, list[_Cells]] = defaultdict(list)
    for row in annotations:
        drawn[row["image_id"]].append(row)
    submitted: dict[str, list[_Cells]] = defaultdict(list)
    for row in answers:
        if row["outcome"] == "submitted" and not row["superseded"]:
            submitted[row["image_id"]].append(row)
    agreed: dict[str, list[_Cells]] = defaultdict(list)
    for row in objects:
        agreed[row["image_id"]].append(row)
    return {
        image_id: _of_image(reason, drawn[image_id], submitted[image_id], agreed[image_id], names)
        for image_id, reason in reasons.items()
    }


def _of_image(
    reason: str,
    drawn: Sequence[_Cells],
    submitted: Sequence[_Cells],
    agreed: Sequence[_Cells],
    names: Mapping[str, str],
) -> Candidates:
    by_id = {row["annotation_id"]: row for row in drawn if row["outcome"] == "object"}
    shown: list[tuple[Annotation, str]] = []
    joined: set[str] = set()
    for one in agreed:
        members = [by_id[key] for key in one["made_from"] if key in by_id]
        if one["outcome"] == "object" and len(members) > 1:
            joined.update(row["annotation_id"] for row in members)
            people = sorted(names[row["annotator_id"]] for row in members)
            shown.append((_row(one), f"agreed: {', '.join(people)}"))
    shown += [(_row(row), names[row["annotator_id"]]) for key, row in by_id.items() if key not in joined]
    shown.sort(key=lambda pair: pair[0].annotation_id)
    return Candidates(
        rows=tuple(row for row, _ in shown),
        captions=tuple((row.annotation_id, caption) for row, caption in shown),
        note="\n".join([WHY.get(reason, reason), *_told(drawn, submitted, names), _TASK]),
    )


def _row(row: _Cells) -> Annotation:
    x1, y1, x2, y2 = row["bbox_xyxy"]
    return Annotation(
        annotation_id=row["annotation_id"],
        image_id=row["image_id"],
        origin="human",
        category=row["category"],
        bbox_xyxy=(x1, y1, x2, y2),
        rle=row["rle"],
        polygon=row.get("polygon"),  # of what people agree on there is none
        attributes=tuple((name, tuple(chosen)) for name, chosen in row["attributes"] or ()),
    )


def _told(drawn: Sequence[_Cells], submitted: Sequence[_Cells], names: Mapping[str, str]) -> list[str]:
    """A line per person, by pseudonym: what was drawn, or that it was skipped; and answers to questions."""
    words: dict[str, list[str]] = defaultdict(list)
    objects = Counter((row["annotator_id"], row["category"]) for row in drawn if row["outcome"] == "object")
    for (person, category), number in sorted(objects.items(), key=str):
        words[person].append(f"{number} {category}")
    for row in drawn:
        if row["outcome"] != "object":
            words[row["annotator_id"]].append(_OTHERWISE.get(str(row["outcome"]), str(row["outcome"])))
    for row in submitted:
        words[row["annotator_id"]] += [f"{name}: {', '.join(chosen)}" for name, chosen in row["choices"]]
    return sorted(f"{names[person]}: {'; '.join(told)}" for person, told in words.items())


_OTHERWISE = {"empty": "nothing there", "skipped": "skipped", "unreadable": "not readable"}
