"""Labels that a model contradicts: kinds, probabilities, order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from curate import schema
from curate.agreement import label_error_table, label_errors
from curate.agreement.label_errors import KINDS, ImageView, LabelError
from curate.agreement.objectlab import Boxes
from curate.records import Annotation, Box
from tests.builders import annotation, image_id

A, B, C = (10.0, 10.0, 60.0, 60.0), (100.0, 20.0, 150.0, 80.0), (20.0, 100.0, 80.0, 150.0)
Drawn = Sequence[tuple[str, Box] | tuple[str, Box, float]]


def boxes(drawn: Drawn) -> Boxes:
    corners = np.array([one[1] for one in drawn], dtype=np.float64).reshape(-1, 4)
    names = np.array([one[0] for one in drawn], dtype=object)
    return Boxes(corners, names, np.array([one[2] if len(one) > 2 else 0.9 for one in drawn]))


def view(name: str, labels: Drawn, found: Drawn, doubtful: Sequence[Box] = ()) -> ImageView:
    """Labels are called l0, l1, ...; what the model found f0, f1, ..."""
    return ImageView(
        name,
        boxes(labels),
        [f"l{at}" for at in range(len(labels))],
        boxes(found),
        [f"f{at}" for at in range(len(found))],
        np.array(doubtful, dtype=np.float64).reshape(-1, 4),
    )


def usual(count: int = 150, *, score: float = 0.9) -> list[ImageView]:
    """Images in which the model sees what is labelled, its edges a little off, as models' are."""
    rng = np.random.default_rng(5)
    images = []
    for number in range(count):
        moved = np.array(A) + rng.normal(0, 1, 4)
        images.append(
            view(f"usual {number}", [("car", A)], [("car", tuple(moved), score - rng.random() / 10)])
        )
    return images


def found(*images: ImageView) -> list[LabelError]:
    return [one for one in label_errors.find([*usual(), *images]) if not one.image_id.startswith("usual")]


@pytest.mark.parametrize(
    ("labels", "model", "expected"),
    [
        ([("car", A)], [("car", A), ("bus", B)], [("missed", None, "f1")]),
        ([("car", A), ("bus", B)], [("car", A)], [("spurious", "l1", None)]),
        ([("car", A)], [("bus", A)], [("category", "l0", "f0")]),
        ([("car", A)], [("car", (30.0, 10.0, 80.0, 60.0))], [("location", "l0", "f0")]),
        ([("car", A)], [("car", (12.0, 10.0, 61.0, 60.0))], []),
        ([], [("car", A)], [("missed", None, "f0")]),
        # A part of what is labelled, found once more, is no missed object.
        ([("car", A)], [("car", A), ("car", (20.0, 20.0, 50.0, 50.0), 0.4)], []),
        # Beside it and of another name: the label is nobody's, but something is there.
        ([("car", A)], [("bus", (30.0, 10.0, 80.0, 60.0))], []),
    ],
)
def test_each_kind(labels: Drawn, model: Drawn, expected: list[tuple[str, str | None, str | None]]) -> None:
    reported = found(view("image", labels, model))
    assert [(one.kind, one.label_id, one.found_id) for one in reported] == expected
    assert all(one.probability is not None and 0 <= one.probability <= 1 for one in reported)


def test_where_most_boxes_were_taken_over_a_small_correction_is_no_error() -> None:
    def image(name: str, right: float) -> ImageView:
        return view(name, [("car", (10.0, 10.0, right, 60.0))], [("car", A)])

    taken_over = [image(f"same {at}", 60.0) for at in range(240)]
    corrected = [image(f"moved {at}", 61.0 + at / 160) for at in range(160)]
    assert label_errors.find([*taken_over, *corrected]) == []
    far = image("far", 85.0)
    assert [one.image_id for one in label_errors.find([*taken_over, *corrected, far])] == ["far"]
    assert label_errors.find([*taken_over, *corrected[:28], far]) == []  # too few to know what is usual


def test_a_doubtful_box_shows_that_a_label_is_not_made_up_and_is_no_object_itself() -> None:
    assert found(view("image", [("car", A), ("bus", B)], [("car", A)], doubtful=[B, C])) == []


def test_what_a_sure_model_contradicts_comes_first() -> None:
    """Unsure boxes are mostly nothing: 60 of 61 at a score of 0.3 have no label."""
    weak = [view(f"usual weak {at}", [("car", A)], [("car", A, 0.95), ("bus", B, 0.3)]) for at in range(60)]
    sure, unsure = view("sure", [], [("bus", B, 0.97)]), view("unsure", [], [("bus", B, 0.3)])
    first, second = found(sure, unsure, *weak)
    assert (first.image_id, second.image_id) == ("sure", "unsure")
    assert first.probability is not None
    assert second.probability is not None
    assert first.probability > 0.9
    assert second.probability < 0.1


def test_the_share_of_label_errors_is_that_of_the_models_best() -> None:
    """By hand: of 100 boxes at 0.9, 10 have no label; of 100 at 0.5, 55. At 0.9 all are objects, so 10.5 of
    101 labels are lacking (half an error is added). At 0.5 the share of objects is 0.45 / (1 - rate), and a
    share of rate * 0.45 / (1 - rate) are objects without a label, of the 0.55 without one."""

    def image(name: str, score: float, labelled: bool) -> ImageView:
        return view(name, [("car", A)] if labelled else [], [("car", A, score)])

    views = [image(f"a{at:02}", 0.9, at >= 10) for at in range(100)]
    views += [image(f"b{at:02}", 0.5, at >= 55) for at in range(100)]
    reported = [one for one in label_errors.find(views) if one.kind == "missed"]
    by_score = {one.score: one.probability for one in reported}
    rate = 10.5 / 101
    assert len(reported) == 65
    assert by_score[0.9] == pytest.approx(1.0)
    assert by_score[0.5] == pytest.approx(rate * 0.45 / (1 - rate) / 0.55)


def test_too_few_cases_have_no_probability() -> None:
    (one,) = label_errors.find([view("image", [], [("car", A)])])
    assert (one.kind, one.probability) == ("missed", None)


def test_the_order_of_images_and_rows_does_not_matter() -> None:
    images = [*usual(), view("x", [("car", A), ("bus", B)], [("bus", B), ("car", A), ("car", C)])]
    images.append(view("y", [("bus", B)], [("car", B)]))
    forth, back = label_errors.find(images), label_errors.find(images[::-1])
    assert forth == back


def table(rows: Sequence[Annotation]) -> pa.Table:
    return pa.Table.from_pylist([row.row() for row in rows], schema=schema.ANNOTATIONS.arrow)


def test_tables_are_compared_where_both_sides_are_known() -> None:
    labels = [
        annotation("both", "car", A, origin="consensus"),
        annotation("empty", None, None, origin="consensus"),
    ]
    labels += [annotation("unseen", "car", A, origin="consensus"), annotation("no score", "car", A)]
    labels += [annotation("disputed", "car", A, outcome="disputed", reject_reason="presence")]
    model = [annotation(name, "car", B, origin="model", score=0.8) for name in ("both", "empty", "disputed")]
    model += [annotation("no score", "car", B, origin="model", score=None)]
    compared = label_error_table.compare(table(labels), table(model), iou_threshold=0.5)
    assert set(compared.objectlab) == {image_id("both"), image_id("empty")}
    assert {(one.image_id, one.kind) for one in compared.found} == {
        (image_id("both"), "missed"), (image_id("both"), "spurious"), (image_id("empty"), "missed")
    }  # fmt: skip
    metrics = compared.metrics()
    assert list(metrics) == list(KINDS)
    assert metrics["missed"] == {"found": 2, "expected": None, "reason": "fewer than 100 objects to compare"}
    rows = [dict(zip(label_error_table.HEADER, row, strict=True)) for row in compared.rows({})]
    assert rows[0]["probability"] == "undefined"
    nothing = label_error_table.compare(table(labels[2:3]), table(model), iou_threshold=0.5)
    why = "no image has both labels and a model's objects with scores"
    assert nothing.metrics()["missed"] == {"found": None, "expected": None, "reason": why}
    assert ("missed", "undefined", "undefined") in nothing.by_kind()


def test_images_that_the_model_was_trained_on_are_left_out_and_counted() -> None:
    """It repeats the labels that it learned, right or wrong."""
    rows = [annotation(name, "car", A, origin="consensus") for name in ("learned", "unseen", "unlooked")]
    model = [annotation(name, "car", B, origin="model", score=0.8) for name in ("learned", "unseen")]
    learned = {image_id("learned"), image_id("unlooked")}  # the last could not be compared anyway
    compared = label_error_table.compare(table(rows), table(model), iou_threshold=0.5, learned=learned)
    assert {one.image_id for one in compared.found} == {image_id("unseen")}
    assert compared.left_out() == {"the detector was trained on them or their scene": 1}
    none = label_error_table.compare(table(rows[:1]), table(model), iou_threshold=0.5, learned=learned)
    assert none.metrics()["missed"]["reason"].startswith("the detector was trained on every image that")
    assert label_error_table.compare(table(rows), table(model), iou_threshold=0.5).left_out() == {}


def test_what_was_not_compared_was_not_found_none_times() -> None:
    """29 boxes that people drew say nothing of how exactly they draw; nor does a picture without objects."""
    edges = [60.0, *(61.0 + at / 160 for at in range(30))]
    labels = [
        annotation(f"{at}", "car", (10.0, 10.0, 60.0, edge), origin="consensus")
        for at, edge in enumerate(edges)
    ]
    model = [annotation(f"{at}", "car", A, origin="model", score=0.9) for at in range(31)]
    few = label_error_table.compare(table(labels[:30]), table(model), iou_threshold=0.5).metrics()
    assert few["location"]["found"] is None  # the first was taken over as it is
    assert few["location"]["reason"].startswith("fewer than 30 labels that people drew or corrected lie on")
    assert few["category"] == {"found": 0, "expected": 0}
    enough = label_error_table.compare(table(labels), table(model), iou_threshold=0.5).metrics()
    assert enough["location"] == {"found": 0, "expected": 0}
    bare = [annotation("0", None, None, origin="consensus")], [annotation("0", None, None, origin="model")]
    nothing = label_error_table.compare(*map(table, bare), iou_threshold=0.5).metrics()
    assert [one["found"] for one in nothing.values()] == [None] * 4
    assert nothing["spurious"]["reason"] == "nothing is labelled that could be held against the model"


def test_without_the_boxes_that_a_model_dropped_nobody_knows_what_is_spurious() -> None:
    labels = [annotation(f"{at}", "car", A, origin="consensus") for at in range(120)]
    model = [annotation(f"{at}", "car", A, origin="model", score=0.9) for at in range(119)]
    model.append(annotation("119", None, None, origin="model"))
    compared = label_error_table.compare(table(labels), table(model), iou_threshold=0.5)
    (one,) = compared.found
    assert (one.kind, one.probability) == ("spurious", None)
    assert "autolabel.keep_rejects" in compared.metrics()["spurious"]["reason"]
    assert compared.doubted(0.5) == {}
    model.append(
        annotation("118", "bus", B, origin="model", score=0.1, outcome="rejected", reject_reason="low_score")
    )
    (one,) = label_error_table.compare(table(labels), table(model), iou_threshold=0.5).found
    assert one.probability is not None
    assert one.probability > 0.2


def test_a_label_where_the_model_found_nothing_at_all_is_spurious() -> None:
    """Such an image has no row of the model; one that it could not look at has, and shows nothing."""
    labels = [annotation(name, "car", A, origin="consensus") for name in ("seen", "bare", "failed", "later")]
    model = [annotation("seen", "car", A, origin="model", score=0.9)]
    model.append(
        annotation("failed", None, None, origin="model", outcome="failed", reject_reason="too_large")
    )
    given = {image_id(name) for name in ("seen", "bare", "failed", "never labelled")}
    compared = label_error_table.compare(table(labels), table(model), iou_threshold=0.5, given=given)
    assert [(one.image_id, one.kind) for one in compared.found] == [(image_id("bare"), "spurious")]
    assert set(compared.objectlab) == {image_id("seen"), image_id("bare")}
