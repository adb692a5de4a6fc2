"""SIMULATED labelers: the same answer for the same person and image, near the truth but not the truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curate.adapters.labelstudio import decode_regions, encode_regions
from curate.errors import InputError
from curate.geometry import boxes
from curate.ports import TaskDraft
from demo import labelers, simulated_annotator
from tests import builders

NAMES = ("stop_sign", "parking_sign", "priority_diamond")
SIZE = (builders.WIDTH, builders.HEIGHT)
BOX = (20.0, 20.0, 80.0, 80.0)
FIRST, SECOND = labelers.labeler_emails(2)


def true_object(
    box: tuple[float, float, float, float] = BOX, category: str = "stop_sign"
) -> simulated_annotator.TrueObject:
    return simulated_annotator.TrueObject(category, box, builders.ellipse(box))


def look(
    name: str,
    *truth: simulated_annotator.TrueObject,
    suggestions: tuple[simulated_annotator.Suggestion, ...] = (),
) -> simulated_annotator.Answer:
    rng = simulated_annotator.generator(FIRST, builders.image_id(name), 0)
    return simulated_annotator.look(rng, truth, suggestions, NAMES)


def test_they_are_called_what_they_are() -> None:
    assert labelers.labeler_emails(3) == [f"simulated-{n}@demo.invalid" for n in (1, 2, 3)]


def test_faults_are_as_rare_as_stated() -> None:
    answers = [look(f"image {number}", true_object()) for number in range(2000)]
    drawn = [item for answer in answers for item in answer.drawn]
    # 2,000 draws: five standard deviations of a 2% and a 3% rate are 0.016 and 0.019.
    assert 1 - len(drawn) / 2000 == pytest.approx(simulated_annotator.MISS_RATE, abs=0.016)
    confused = sum(item.category != "stop_sign" for item in drawn) / len(drawn)
    assert confused == pytest.approx(simulated_annotator.CONFUSION_RATE, abs=0.019)
    iou = boxes.box_iou([item.box for item in drawn], [BOX])[:, 0]
    assert 0.9 < float(iou.mean()) < 0.98
    masks_iou = [
        np.logical_and(item.mask, builders.ellipse(BOX)).sum()
        / np.logical_or(item.mask, builders.ellipse(BOX)).sum()
        for item in drawn[:200]
    ]
    assert 0.9 < float(np.mean(masks_iou)) < 0.99


def test_suggestions_are_left_corrected_or_deleted_and_what_is_missing_is_drawn() -> None:
    """Of 400 images: a near miss, a false box, a sign that nobody suggested; faults as rare as stated."""
    other = true_object((100, 10, 150, 60), "parking_sign")
    suggestions = (
        simulated_annotator.Suggestion(
            "curate-off", (35, 32, 95, 92), "stop_sign"
        ),  # IoU with the truth: 0.43
        simulated_annotator.Suggestion("curate-false", (120, 90, 150, 115), "stop_sign"),
    )
    corrected = believed = drawn_anew = false_kept = 0
    for number in range(400):
        given = look(f"image {number}", true_object(), other, suggestions=suggestions)
        ids = [item.region_id for item in given.drawn]
        corrected += "curate-off" in ids
        believed += "curate-off" in given.left
        false_kept += "curate-false" in given.left
        drawn_anew += any(name.startswith("sim-") for name in ids)
        assert "curate-false" not in ids
    # Five standard deviations of 400 draws are at most 0.09.
    assert believed / (corrected + believed) == pytest.approx(simulated_annotator.BELIEF_RATE, abs=0.09)
    assert false_kept / 400 == pytest.approx(simulated_annotator.BELIEF_RATE, abs=0.09)
    expected = (1 - simulated_annotator.MISS_RATE) * (1 - simulated_annotator.RELIANCE_RATE)
    assert drawn_anew / 400 == pytest.approx(expected, abs=0.06)


def test_a_good_suggestion_is_left_as_it_is_and_costs_least() -> None:
    good = simulated_annotator.Suggestion("curate-good", (21, 20, 80, 80), "stop_sign")
    wrong_name = simulated_annotator.Suggestion("curate-good", (21, 20, 80, 80), "parking_sign")
    seconds: dict[str, float] = {"good": 0.0, "wrong": 0.0, "none": 0.0}
    for number in range(100):
        given = look(f"image {number}", true_object(), suggestions=(good,))
        assert given.drawn == ()
        assert given.left in {("curate-good",), ()}
        seconds["good"] += given.lead_time_s
        seconds["wrong"] += look(f"image {number}", true_object(), suggestions=(wrong_name,)).lead_time_s
        seconds["none"] += look(f"image {number}", true_object()).lead_time_s
    assert seconds["good"] < seconds["wrong"] < seconds["none"]


def test_the_order_of_the_suggestions_does_not_matter() -> None:
    suggestions = tuple(
        simulated_annotator.Suggestion(f"curate-{n}", (20.0 + n, 20, 80, 80), "stop_sign") for n in range(3)
    )
    one, other = (look("one", true_object(), suggestions=given) for given in (suggestions, suggestions[::-1]))
    assert one == other
    assert one.left


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
        "prediction": 3, "suggestions": tuple(encode_regions.encode_task(task, NAMES)),
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
    alone = {"suggestions": (), "prediction": None}
    first = labelers.answer(job(FIRST, **alone), TRUTH, NAMES, 0)
    assert labelers.answer(job(SECOND, **alone), TRUTH, NAMES, 0)["result"] != first["result"]
    assert labelers.answer(job(FIRST, **alone), TRUTH, NAMES, 1)["result"] != first["result"]


def test_what_is_drawn_by_hand_does_not_depend_on_the_suggestions() -> None:
    """Suggestions are left or not; an object drawn by hand is the same: the arms differ in nothing else."""
    two = {key: [*objects, {**objects[0], "category": "parking_sign"}] for key, objects in TRUTH.items()}
    with_help, without = (
        labelers.answer(job(FIRST, **given), two, NAMES, 0)["result"]
        for given in ({}, {"suggestions": (), "prediction": None})
    )
    assert [region["origin"] for region in with_help] == ["prediction"] * 2 + ["manual"] * 2
    assert [region["origin"] for region in without] == ["manual"] * 4
    assert [region["value"] for region in with_help[2:]] == [region["value"] for region in without[2:]]


def test_what_is_left_comes_back_as_it_was_suggested() -> None:
    given = job(FIRST)
    result = labelers.answer(given, TRUTH, NAMES, 0)["result"]
    assert [{**region, "origin": None} for region in result] == [
        {**region, "origin": None} for region in given.suggestions
    ]


def test_questions_about_the_image_are_answered_as_the_page_does() -> None:
    config = """<View><Image name="image" value="$image"/><Choices name="weather" toName="image">
    <Choice value="dry"/><Choice value="wet"/></Choices></View>"""
    (question,) = asked = labelers.questions_of(config)
    assert question == labelers.Question("weather", ("dry", "wet"))
    bodies = [
        labelers.answer(job(email), TRUTH, NAMES, seed, asked)
        for email in (FIRST, SECOND)
        for seed in range(8)
    ]
    regions = [body["result"][-1] for body in bodies]
    assert {region["value"]["choices"][0] for region in regions} == {"dry", "wet"}
    assert {(r["type"], r["from_name"], r["to_name"]) for r in regions} == {("choices", "weather", "image")}
    assert labelers.answer(job(FIRST), TRUTH, NAMES, 0)["result"] == bodies[0]["result"][:-1]


def test_an_answer_is_read_back_with_its_parent() -> None:
    body = labelers.answer(job(FIRST), TRUTH, NAMES, 0)
    work = decode_regions.Work(
        "t", builders.image_id("one"), *SIZE, FIRST, body["result"], False, body["lead_time"], None
    )
    (row,) = decode_regions.read(work, NAMES).rows
    assert (
        row.parent_id
        == builders.annotation("one", "stop_sign", (22, 18, 84, 80), origin="model").annotation_id
    )
    assert row.rle is not None
    assert body["lead_time"] > 0
    assert {region["origin"] for region in body["result"]} == {"prediction"}


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
    with pytest.raises(InputError, match=r"run `python -m demo\.raw_folder`"):
        labelers.load_truth(path, tmp_path / "images.parquet")


def test_people_are_never_mixed_with_simulated_ones(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("qa: {labelers: people}\n")
    with pytest.raises(SystemExit, match="would mix with people"):
        labelers.main(["--root", str(tmp_path)])
