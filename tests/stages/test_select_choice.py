"""Stage select with a weighted choice: vectors, examples, an earlier round, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curate import embeddings, schema, tables
from curate.errors import CurateError, InputError, ParamsError, TableError
from curate.params import QaParams
from curate.records import StageReport
from curate.stages import select
from tests import builders, vector_table
from tests.shown import showing

PLAN = "data/select/plan.parquet"
ANGLES = {"one": 0, "two": 10, "three": 20, "four": 90, "five": 100, "six": 180}
PLAIN: dict[str, Any] = {"overlap_share": 0.0, "control_share": 0.0, "rest": "none"}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path) -> None:
    builders.small_project(tmp_path, stage="autolabel")


def embed(root: Path, **angles: float) -> None:
    vector_table.write(root, {builders.image_id(name): angle for name, angle in angles.items()})


def run(root: Path, *, gold: Path | None = None, audit: float = 0, **choose: Any) -> StageReport:
    return select.run(
        QaParams(**PLAIN, gold=gold, audit=audit, choose={"uncertainty": 0, **choose}),
        inputs=select.Inputs(
            images=root / "data/dedupe/images.parquet",
            annotations=root / "data/autolabel/annotations.parquet",
            taxonomy=root / "taxonomy.yaml",
            shown=root / "data/push/shown",
            embeddings=root / embeddings.PATH,
            pairs=root / "data/agreement/pairs.parquet",
            imported=root / "labels/answers",
        ),
        outputs=select.Outputs(plan=root / PLAN, plots=root / "plots"),
    )


def chosen(root: Path) -> dict[str, str]:
    """Why, by the image's name."""
    names = {builders.image_id(name): name for name in ANGLES}
    plan = tables.read(root / PLAN, schema.PLAN).to_pylist()
    assert {row["reason"] for row in plan} <= {"chosen", "gold"}
    return {names[row["image_id"]]: row["detail"] for row in plan if row["reason"] == "chosen"}


def test_far_from_what_people_look_at_comes_first(tmp_path: Path) -> None:
    """The line of the test of k-center: people look at "one", by gold."""
    embed(tmp_path, **ANGLES)
    known = [builders.annotation("one", "stop_sign", (20.0, 20.0, 80.0, 80.0), origin="gold")]
    gold = builders.write_annotations(tmp_path / "gold.parquet", known)
    report = run(tmp_path, gold=gold, budget=2, diversity=1)
    assert chosen(tmp_path) == {
        "six": "100% diversity (cosine -1.00 to the nearest image that people look at)",
        "four": "100% diversity (cosine 0.00 to the nearest image that people look at)",
    }
    assert dict(report.counts)["chosen"] == 2
    assert report.metrics["choice"] == {
        "budget": 2, "chosen": 2, "without_a_vector": 0, "earlier_round": False, "shares": {"diversity": 1.0},
    }  # fmt: skip
    json.dumps(dict(report.metrics), allow_nan=False)
    run(tmp_path, gold=gold, budget=3, diversity=1)
    assert set(chosen(tmp_path)) == {"six", "four", "three"}
    before = (tmp_path / PLAN).read_bytes()
    run(tmp_path, gold=gold, budget=3, diversity=1)
    assert (tmp_path / PLAN).read_bytes() == before


def test_the_words_of_an_earlier_choice_stay(tmp_path: Path) -> None:
    embed(tmp_path, **ANGLES)
    run(tmp_path, budget=1, similarity=1, positive=["unit/five.jpg"])
    first = chosen(tmp_path)
    assert first == {"four": "100% similarity (cosine 0.98 to a positive example)"}
    run(tmp_path, budget=2, rarity=1)
    assert chosen(tmp_path)["four"] == first["four"]
    assert len(chosen(tmp_path)) == 2


def test_examples_are_images_beginnings_places_or_lines_of_a_file(tmp_path: Path) -> None:
    embed(tmp_path, **ANGLES)
    file = tmp_path / "examples.csv"
    file.write_text("image,example\nunit/six.jpg,positive\nunit/one.jpg,negative\n")
    run(tmp_path, budget=6, similarity=1, examples=file, positive=[builders.image_id("five")[:10]])
    assert set(chosen(tmp_path)) == {"four"}  # "three" and "two" are nearer to "one"
    assert chosen(tmp_path)["four"].endswith(
        "cosine 0.98 to a positive example, cosine 0.00 to a negative example)"
    )


def test_examples_are_not_more_of_their_kind(tmp_path: Path) -> None:
    """Two positive examples beside each other, and a variant of one: the budget goes to what is like them."""
    embed(tmp_path, **ANGLES)
    images = tmp_path / "data/dedupe/images.parquet"
    rows = tables.read(images, schema.IMAGES).to_pylist()
    for row in rows:
        if row["image_id"] in {builders.image_id("two"), builders.image_id("three")}:
            row["dup_group"] = min(builders.image_id("two"), builders.image_id("three"))
    tables.write_rows(rows, images, schema.IMAGES)
    examples = ["unit/one.jpg", "unit/two.jpg"]
    run(tmp_path, budget=6, similarity=1, positive=examples)
    assert set(chosen(tmp_path)) == {"four"}, "three shows the scene of two, five and six are unlike both"
    (tmp_path / PLAN).unlink()
    run(tmp_path, budget=6, similarity=1, diversity=1, positive=examples)
    assert chosen(tmp_path)["one"].startswith("100% diversity"), "it may be chosen for something else"


def test_people_disagreed_on_a_category(tmp_path: Path) -> None:
    report = run(tmp_path, budget=6, disagreement=1)
    assert chosen(tmp_path) == {}, "there was no earlier round"
    assert report.metrics["choice"]["earlier_round"] is False
    assert "earlier rounds, which disagreement needs" in report.line()
    a, b = builders.ANNOTATORS
    box = (20.0, 20.0, 80.0, 80.0)
    rows = [
        builders.pair(
            builders.annotation("gone", "parking_sign", box, annotator_id=a),
            builders.annotation("gone", "stop_sign", box, annotator_id=b),
            iou=1.0,
        )
    ]
    builders.write_pairs(tmp_path / "data/agreement/pairs.parquet", rows)
    report = run(tmp_path, budget=6, disagreement=1)
    assert report.metrics["choice"]["earlier_round"] is True
    assert "earlier rounds" not in report.line()
    assert set(chosen(tmp_path)) == set(ANGLES) - {"four"}, "nothing is suggested on four"
    assert chosen(tmp_path)["two"] == "100% disagreement (people disagree on 67% of parking_sign)"
    older = pq.read_table(tmp_path / "data/agreement/pairs.parquet").replace_schema_metadata(
        {"curate.schema_version": "2", "curate.table": "pairs"}
    )
    pq.write_table(older, tmp_path / "data/agreement/pairs.parquet")
    report = run(tmp_path, budget=6, disagreement=1)
    assert report.metrics["choice"]["earlier_round"] is True, "agreement, which writes it, runs after select"


def test_what_is_uncertain_or_rare_needs_no_vectors(tmp_path: Path) -> None:
    report = run(tmp_path, budget=2, uncertainty=1, rarity=1)
    assert len(chosen(tmp_path)) == 2
    assert "without a vector" not in report.line()


def test_an_image_without_a_vector_is_counted(tmp_path: Path) -> None:
    embed(tmp_path, **{name: angle for name, angle in ANGLES.items() if name != "six"})
    report = run(tmp_path, budget=6, diversity=1)
    assert set(chosen(tmp_path)) == set(ANGLES) - {"six"}
    assert "1 without a vector" in report.line()


def test_the_record_of_push_tells_what_was_chosen_where_the_plan_is_lost(tmp_path: Path) -> None:
    embed(tmp_path, **ANGLES)
    rows = [{**showing.row(name, ["unit-1"]), "reason": "chosen"} for name in ("one", "gone")]
    showing.write(tmp_path / "data/push/shown", rows, since=showing.at(10))
    run(tmp_path, budget=3, diversity=1)
    assert set(chosen(tmp_path)) == {"one", "six"}, "one of three tasks was spent on an image that is gone"
    assert chosen(tmp_path)["one"] == "chosen in an earlier round"


def test_what_somebody_answered_elsewhere_is_looked_at_and_not_chosen(tmp_path: Path) -> None:
    """An imported answer to "one": as in the test of k-center."""
    embed(tmp_path, **ANGLES)
    answer = builders.annotation("one", "stop_sign", (20.0, 20.0, 80.0, 80.0), annotator_id="phone")
    builders.write_annotations(tmp_path / "labels/answers/phone.parquet", [answer])
    run(tmp_path, budget=2, diversity=1)
    assert set(chosen(tmp_path)) == {"six", "four"}


@pytest.mark.parametrize(
    ("choose", "error", "said"),
    [
        ({"diversity": 1}, ParamsError, r"qa\.choose\.diversity = 1 needs vectors .*does not exist.*run"),
        ({"typicality": 2}, ParamsError, r"qa\.choose\.typicality = 2 needs vectors"),
        (
            {"similarity": 1, "positive": ["unit/one.jpg"]},
            ParamsError,
            r"qa\.choose\.similarity = 1 needs vec",
        ),
    ],
)
def test_a_weight_without_vectors_is_one_line(
    tmp_path: Path, choose: dict[str, Any], error: type[CurateError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        run(tmp_path, budget=1, **choose)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / PLAN).exists()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("picture,example\n", r"examples\.csv:1: the first line must be image,example"),
        (
            "image,example\nunit/one.jpg,good\n",
            r"examples\.csv:2: expected an image and positive or negative",
        ),
        ("image,example\nunit/eleven.jpg,positive\n", r"examples\.csv:2: no image comes from 'unit/eleven"),
        ("image,example\n" + "0" * 64 + ",positive\n", r"examples\.csv:2: there is no image 0000"),
        ("image,example\nunit/six.jpg,positive\n", r"examples\.csv:2: .* has no vector"),
        (
            "image,example\nunit/one.jpg,positive\nunit/one.jpg,negative\n",
            r":3: .* is a positive example too",
        ),
        ("image,example\n", r"examples\.csv has no example"),
        (None, r"qa\.choose\.examples = .*examples\.csv cannot be read"),
    ],
)
def test_an_example_that_cannot_be_used_is_one_line(tmp_path: Path, lines: str | None, said: str) -> None:
    embed(tmp_path, **{name: angle for name, angle in ANGLES.items() if name != "six"})
    file = tmp_path / "examples.csv"
    if lines is not None:
        file.write_text(lines)
    with pytest.raises(InputError, match=said) as caught:
        run(tmp_path, budget=1, similarity=1, examples=file)
    assert "\n" not in str(caught.value)


def test_vectors_of_two_models_are_refused(tmp_path: Path) -> None:
    angles = {builders.image_id(name): 0.0 for name in ("one", "two")}
    vector_table.write(tmp_path, angles, models=("a", "b"))
    with pytest.raises(TableError, match="vectors of 2 models: run the stage embed again"):
        run(tmp_path, budget=1, diversity=1)
