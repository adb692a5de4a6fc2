"""Data for plots on what people settled on, by hand."""

from __future__ import annotations

import pyarrow as pa

from curate import schema
from curate.agreement import consensus_plots
from curate.agreement.annotator_pairs import compare
from tests.agreement.drawings import answers, table
from tests.builders import annotation, image_id

A, B, C = (10.0, 10.0, 50.0, 50.0), (70.0, 10.0, 110.0, 50.0), (10.0, 70.0, 50.0, 110.0)


def test_confusion_counts_both_directions() -> None:
    """One object alike, one named differently, one that only ann drew."""
    work = answers(
        {("x", "ann"): [("car", A), ("car", B), ("bus", C)], ("x", "bob"): [("car", A), ("bus", B)]}
    )
    pairs = compare(work, work.overlapped(), {image_id("x"): (160, 120)}, iou_threshold=0.5)
    assert consensus_plots.confusion(work, pairs) == {
        ("bus", "car"): 1, ("bus", "missed"): 1, ("car", "bus"): 1, ("car", "car"): 2, ("missed", "bus"): 1
    }  # fmt: skip


def test_objects_per_image_has_no_gaps() -> None:
    rows = [annotation("a", "car", box) for box in (A, B, C)] + [annotation("b", "car", A)]
    rows.append(annotation("c", None, None))
    assert consensus_plots.objects_per_image(table(rows)) == [(0, 1), (1, 1), (2, 0), (3, 1)]
    assert consensus_plots.objects_per_image(table([])) == []


def test_box_sizes_are_sides_of_squares() -> None:
    """40 x 40 and 10 x 160 pixels have the area of a square of 40; 32 and 45 are edges."""
    rows = [annotation("a", "car", A), annotation("b", "bus", (0.0, 0.0, 10.0, 160.0))]
    assert consensus_plots.box_sizes(table(rows)) == [("bus", "32", 1), ("car", "32", 1)]


def test_confidence_of_settled_objects_and_of_images() -> None:
    settled = [("object", 0.97), ("object", 1.0), ("disputed", 0.5), ("object", None)]
    objects = [
        {"annotation_id": str(at), "image_id": "x", "outcome": outcome, "confidence": sure, "votes": 1,
         "annotators": 1, "made_from": []}
        for at, (outcome, sure) in enumerate(settled)
    ]  # fmt: skip
    images = [
        {"image_id": "x", "annotators": 1, "confidence": 0.52, "review": None, "held_back": False,
         "answers": [], "answers_confidence": []}
    ]  # fmt: skip
    rows = consensus_plots.confidence(
        pa.Table.from_pylist(objects, schema=schema.CONSENSUS_OBJECTS.arrow),
        pa.Table.from_pylist(images, schema=schema.CONSENSUS_IMAGES.arrow),
    )
    assert [row for row in rows if row[2]] == [("object", "0.95", 2), ("image", "0.50", 1)]
