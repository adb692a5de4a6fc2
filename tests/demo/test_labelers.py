"""SIMULATED labelers: the same answer for the same person and image, near the truth but not the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curate.adapters.labelstudio import codec, reading
from curate.errors import InputError
from curate.geometry import boxes
from curate.ports import TaskDraft
from demo import eyes, labelers
from tests import builders

NAMES = ("stop_sign", "parking_sign", "priority_diamond")
SIZE = (builders.WIDTH, builders.HEIGHT)
BOX = (20.0, 20.0, 80.0, 80.0)
FIRST, SECOND = labelers.labeler_emails(2)


def true_object(box: tuple[float, float, float, float] = BOX, category: str = "stop_sign") -> eyes.TrueObject:
    return eyes.TrueObject(category, box, builders.ellipse(box))


def look(name: str, *truth: eyes.TrueObject, suggestions: tuple[eyes.Suggestion, ...] = ()) -> eyes.Answer:
    rng = eyes.generator(FIRST, builders.image_id(name), 0)
    return eyes.look(rng, truth, suggestions, NAMES)


def test_they_are_called_what_they_are() -> None:
    assert labelers.labeler_emails(3) == [f"simulated-{n}@demo.invalid" for n in (1, 2, 3)]


def test_faults_are_as_rare_as_stated() -> None:
    answers = [look(f"image {number}", true_object()) for number in range(2000)]
    drawn = [item for answer in answers for item in answer.drawn]
    # 2,000 draws: five standard deviations of a 2% and a 3% rate are 0.016 and 0.019.
    assert 1 - len(drawn) / 2000 == pytest.approx(eyes.MISS_RATE, abs=0.016)
    confused = sum(item.category != "stop_sign" for item in drawn) / len(drawn)
    assert confused == pytest.approx(eyes.CONFUSION_RATE, abs=0.019)
    iou = boxes.box_iou([item.box for item in drawn], [BOX])[:, 0]
    assert 0.9 < float(iou.mean()) < 0.98
    masks_iou = [
        np.logical_and(item.mask, builders.ellipse(BOX)).sum()
        / np.logical_or(item.mask, builders.ellipse(BOX)).sum()
        for item in drawn[:200]
    ]
    assert 0.9 < float(np.mean(masks_iou)) < 0.99


def test_a_good_suggestion_is_corrected_a_false_one_dropped_and_a_missing_object_drawn() -> None:
    suggestions = (
        eyes.Suggestion("curate-good", (22, 18, 84, 80), "stop_sign"),
        eyes.Suggestion("curate-false", (120, 90, 150, 115), "stop_sign"),
    )
    other = true_object((100, 10, 150, 60), "parking_sign")
    ids = [item.region_id for item in look("one", true_object(), other, suggestions=suggestions).drawn]
    assert ids[0] == "curate-good"
    assert "curate-false" not in ids
    assert ids[1].startswith("sim-")


def test_the_order_of_the_suggestions_does_not_matter() -> None:
    suggestions = tuple(eyes.Suggestion(f"curate-{n}", (20.0 + n, 20, 80, 80), "stop_sign") for n in range(3))
    one, other = (look("one", true_object(), suggestions=given) for given in (suggestions, suggestions[::-1]))
    assert one.drawn[0].region_id == other.drawn[0].region_id
    assert one.lead_time_s == other.lead_time_s


def test_a_box_stays_inside_the_image() -> None:
    whole = (0.0, 0.0, float(SIZE[0]), float(SIZE[1]))
    for number in range(100):
        for item in look(f"image {number}", true_object(whole)).drawn:
            assert 0 <= item.box[0] < item.box[2] <= SIZE[0]
            assert 0 <= item.box[1] < item.box[3] <= SIZE[1]


def job(email: str, **changes: object) -> labelers.Job:
    row = builders.annotation("one", "stop_sign", (22, 18, 84, 80), origin="model")
    task = TaskDraft("t", row.image_id, "x", *SIZE, 1, (row,))
    values = {
        "email": email, "number": 7, "image_id": row.image_id, "width": SIZE[0], "height": SIZE[1],
        "prediction": 3, "suggestions": tuple(codec.encode_task(task, NAMES)),
    }  # fmt: skip
    return labelers.Job(**{**values, **changes})


TRUTH = {
    builders.image_id("one"): [
        {"category": "stop_sign", "bbox_xyxy": list(BOX), "rle": builders.rle(builders.ellipse(BOX))}
    ]
}


def test_an_answer_depends_on_person_and_image_only() -> None:
    first = labelers.answer(job(FIRST), TRUTH, NAMES, 0)
    assert labelers.answer(job(FIRST), TRUTH, NAMES, 0) == first
    # The server's numbers change with every new database: nothing of the answer may.
    renumbered = labelers.answer(job(FIRST, number=99, prediction=98), TRUTH, NAMES, 0)
    assert {**renumbered, "parent_prediction": 3} == first
    assert labelers.answer(job(SECOND), TRUTH, NAMES, 0)["result"] != first["result"]
    assert labelers.answer(job(FIRST), TRUTH, NAMES, 1)["result"] != first["result"]


def test_what_is_drawn_does_not_depend_on_the_suggestions() -> None:
    """Two models that propose different boxes must not change what the simulated person sees."""
    two = {key: [*objects, {**objects[0], "category": "parking_sign"}] for key, objects in TRUTH.items()}
    with_help, without = (
        [region["value"] for region in labelers.answer(job(FIRST, **given), two, NAMES, 0)["result"]]
        for given in ({}, {"suggestions": (), "prediction": None})
    )
    assert len(with_help) == 4
    assert with_help == without


def test_an_answer_is_read_back_with_its_parent() -> None:
    body = labelers.answer(job(FIRST), TRUTH, NAMES, 0)
    work = reading.Work(
        "t", builders.image_id("one"), *SIZE, FIRST, body["result"], False, body["lead_time"], None
    )
    (row,) = reading.read(work, NAMES).rows
    assert (
        row.parent_id
        == builders.annotation("one", "stop_sign", (22, 18, 84, 80), origin="model").annotation_id
    )
    assert row.rle is not None
    assert body["lead_time"] > 0
    assert {region["origin"] for region in body["result"]} == {"prediction-changed"}


def test_an_image_outside_the_truth_is_refused() -> None:
    with pytest.raises(InputError, match="not in the truth file"):
        labelers.answer(job(FIRST, image_id=builders.image_id("mine")), TRUTH, NAMES, 0)


def test_overlap_goes_to_different_people_and_single_tasks_to_all_in_turn() -> None:
    emails = labelers.labeler_emails(3)
    assert len(set(labelers.assigned("task", 2, emails))) == 2
    alone = [labelers.assigned(f"task-{number}", 1, emails)[0] for number in range(900)]
    shares = [alone.count(email) / 900 for email in emails]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.08)  # five standard deviations
    assert labelers.assigned("task", 1, emails[::-1]) == labelers.assigned("task", 1, emails)


def test_the_truth_is_found_by_where_an_image_came_from(tmp_path: Path) -> None:
    truth, images = tmp_path / "truth.json", tmp_path / "images.parquet"
    truth.write_text(
        json.dumps({"files": {"unit/one.jpg": {"objects": [1]}, "unit/two.jpg": {"objects": []}}})
    )
    dropped = builders.image("three", sources=("unit/one.jpg",), drop_reason="near_duplicate")
    copied = builders.image("two", sources=("unit/other.jpg", "unit/two.jpg"))
    builders.write_images(images, [builders.image("one"), copied, dropped, builders.image("mine")])
    assert labelers.load_truth(truth, images) == {builders.image_id("one"): [1], builders.image_id("two"): []}


@pytest.mark.parametrize("content", [None, "", "{}", "[]"])
def test_a_missing_or_damaged_truth_file_is_one_line(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "truth.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"run `python -m demo\.raw`"):
        labelers.load_truth(path, tmp_path / "images.parquet")


def test_people_are_never_mixed_with_simulated_ones(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("qa: {labelers: people}\n")
    with pytest.raises(SystemExit, match="would mix with people"):
        labelers.main(["--root", str(tmp_path)])
