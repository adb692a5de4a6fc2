"""What `curate view` makes of the tables, without the app; and the database it starts."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import project_tables, schema, tables
from curate.adapters import fiftyone_content, fiftyone_view, mongod
from curate.adapters.fiftyone_content import Content
from curate.adapters.fiftyone_rules import RuleMatches
from curate.adapters.fiftyone_samples import SampleDraft, annotator_fields, shape
from curate.errors import TableError, ViewError
from curate.project_tables import Support
from curate.records import Annotation
from tests import builders

PULLED = "data/pull/annotations.parquet"
FIRST, SECOND = "annotator_simulated_1", "annotator_simulated_2"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> builders.SmallProject:
    return builders.small_project(tmp_path_factory.mktemp("project"))


def shown(root: Path, stage: str = "release") -> tuple[Content, list[SampleDraft]]:
    content = fiftyone_content.read(root, stage=stage)
    return content, drafts(content)


def drafts(content: Content) -> list[SampleDraft]:
    return [draft for some in content.batches(list(content.digests)) for draft in some]


def by_name(project: builders.SmallProject) -> dict[str, SampleDraft]:
    return {
        draft.image.sources[0].removeprefix("unit/").removesuffix(".jpg"): draft
        for draft in shown(project.root)[1]
    }


def test_one_sample_an_image_that_has_a_file(project: builders.SmallProject) -> None:
    content, samples = shown(project.root)
    assert (len(samples), content.unreadable, content.missing) == (7, 1, frozenset())
    assert content.layout.label_fields == ("model", FIRST, SECOND, "consensus", "disputed")
    assert all(draft.path.is_file() and draft.path.is_absolute() for draft in samples)
    agreed = [
        draft.support[row.annotation_id].confidence
        for draft in samples
        for row in draft.labels.get("consensus", ())
    ]
    assert agreed == [pytest.approx(0.9)] * 6


@pytest.mark.parametrize(
    ("stage", "fields"),
    [
        ("ingest", ()),
        ("dedupe", ()),
        ("autolabel", ("model",)),
        ("pull", ("model", FIRST, SECOND)),
        ("agreement", ("model", FIRST, SECOND, "consensus", "disputed")),
    ],
)
def test_only_stages_up_to_the_one_asked_for(
    project: builders.SmallProject, stage: str, fields: tuple[str, ...]
) -> None:
    content, samples = shown(project.root, stage)
    assert content.layout.label_fields == fields
    assert any("dropped" in draft.tags for draft in samples) == (stage != "ingest")


def changed_images(root: Path, **changes: dict[str, Any]) -> None:
    """The table of a project, with other values of some images."""
    by_id = {builders.image_id(name): values for name, values in changes.items()}
    rows = [replace(row, **by_id.get(row.image_id, {})) for row in project_tables.load(root).images]
    builders.write_images(root / "data/dedupe/images.parquet", rows)


def test_a_kept_variant_names_the_image_that_it_is_a_variant_of(tmp_path: Path) -> None:
    project = builders.small_project(tmp_path)
    changed_images(tmp_path, six={"variant_of": builders.image_id("one"), "dup_relation": "variant"})
    values = {name: draft.values["variant_of"] for name, draft in by_name(project).items()}
    assert values.pop("six") == builders.image_id("one")
    assert set(values.values()) == {None}


def test_tags_and_fields_say_why(project: builders.SmallProject) -> None:
    samples = by_name(project)
    assert samples["one"].tags == ("kept",)
    assert samples["copy"].tags == ("dropped",)
    assert samples["copy"].values["drop_reason"] == "near_duplicate"
    assert samples["copy"].values["duplicate_of"] == builders.image_id("one")
    assert samples["copy"].values["dup_relation"] == "same"
    assert samples["copy"].values["dup_hamming"] == 2.0
    assert samples["copy"].values["dup_correlation"] == pytest.approx(0.97)
    assert samples["one"].values["dup_hamming"] is None
    assert samples["one"].values["phash"] == builders.image_id("one")[:16]
    assert samples["six"].tags == ("kept", "disagreement")
    assert (samples["six"].values["disagreement"], samples["six"].values["agreement_f1"]) == (
        "category",
        0.0,
    )


def test_attributes_are_numbers_and_flags_where_each_value_is_one(tmp_path: Path) -> None:
    project = builders.small_project(tmp_path)
    given = {"one": ("3", "true", "4"), "two": ("-0.5", "false", "b")}
    names = ("Height (m)", "night", "lane")
    changed_images(
        tmp_path,
        **{key: {"attributes": tuple(zip(names, values, strict=True))} for key, values in given.items()},
    )
    kinds = shown(tmp_path)[0].layout.value_fields
    assert {name: kind for name, kind in kinds.items() if name.startswith("attribute_")} == {
        "attribute_height_m": "number", "attribute_lane": "text", "attribute_night": "flag",
    }  # fmt: skip
    values = {name: draft.values for name, draft in by_name(project).items()}
    first = [values["one"][f"attribute_{name}"] for name in ("height_m", "night", "lane")]
    assert first == [3.0, True, "4"]
    assert values["two"]["attribute_height_m"] == -0.5
    assert values["three"].get("attribute_height_m") is None


def test_rejected_boxes_and_outlines_have_fields_of_their_own(tmp_path: Path) -> None:
    project = builders.small_project(tmp_path)
    rejected = builders.annotation(
        "one", "stop_sign", (20.0, 20.0, 60.0, 80.0), origin="model", outcome="rejected",
        reject_reason="nms", rle=None,
    )  # fmt: skip
    builders.write_annotations(
        tmp_path / "data/autolabel/annotations.parquet", [*project.annotations["autolabel"], rejected]
    )
    outline = json.dumps([[20, 20, 60, 20, 60, 80]])
    rows = [
        replace(row, polygon=outline) if row.image_id == builders.image_id("one") else row
        for row in project.annotations["consensus"]
    ]
    builders.write_annotations(tmp_path / "data/agreement/consensus.parquet", rows)
    layout = shown(tmp_path)[0].layout
    assert (layout.label_fields[-1], layout.outlined) == ("rejected", ("consensus",))
    one = by_name(project)["one"]
    assert [row.annotation_id for row in one.labels["rejected"]] == [rejected.annotation_id]
    assert rejected.annotation_id not in {row.annotation_id for row in one.labels["model"]}
    (ring,) = shape(one.labels["consensus"][0], width=160, height=120).rings
    assert ring == ((0.125, 20 / 120), (0.375, 20 / 120), (0.375, 80 / 120))


def _moved(root: Path, table: str, **changes: Any) -> None:
    path = root / table
    rows = [Annotation.from_row(row) for row in tables.read(path, schema.ANNOTATIONS).to_pylist()]
    one = builders.image_id("one")
    builders.write_annotations(
        path, [replace(row, **changes) if row.image_id == one else row for row in rows]
    )


def _queued(root: Path) -> None:
    with (root / "data/agreement/queue.csv").open("a", encoding="utf-8") as file:
        file.write(f"{builders.image_id('one')},x,low_f1,0.1,\n")


CHANGES: dict[str, Callable[[Path], None]] = {
    "sharpness": lambda root: changed_images(root, one={"sharpness": 7.0}),
    "attribute": lambda root: changed_images(root, one={"attributes": (("lane", "4"),)}),
    "quality": lambda root: changed_images(root, one={"quality": (("noise", 4.0),)}),
    "score of a model": lambda root: _moved(root, "data/autolabel/annotations.parquet", score=0.5),
    "prompt": lambda root: _moved(root, "data/autolabel/annotations.parquet", prompt="sign"),
    "box of a person": lambda root: _moved(root, PULLED, bbox_xyxy=(1.0, 2.0, 3.0, 4.0)),
    "mask of the consensus": lambda root: _moved(root, "data/agreement/consensus.parquet", rle=None),
    "disagreement": _queued,
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_digest_changes_with_what_is_shown(tmp_path: Path, change: Callable[[Path], None]) -> None:
    builders.small_project(tmp_path)
    before = shown(tmp_path)[0].digests
    assert shown(tmp_path)[0].digests == before
    change(tmp_path)
    after = shown(tmp_path)[0].digests
    assert {key for key in before if before[key] != after[key]} == {builders.image_id("one")}


def test_a_digest_does_not_change_with_what_is_not_shown(tmp_path: Path) -> None:
    builders.small_project(tmp_path)
    before = shown(tmp_path)[0].digests
    _moved(tmp_path, PULLED, updated_at="2026-02-01T00:00:00Z", guideline_digest="a")
    assert shown(tmp_path)[0].digests == before


def test_a_rule_stands_on_the_images_that_it_is_about(project: builders.SmallProject) -> None:
    one, two = builders.image_id("one"), builders.image_id("two")
    rules = [
        RuleMatches("dark", "brightness < 30", "drop:dark", [one, two]),
        RuleMatches("b", "x", "keep", [one]),
    ]
    content = fiftyone_content.read(project.root, stage="release", rules=rules)
    ruled = {draft.image.image_id: draft.values["rules"] for draft in drafts(content)}
    assert (ruled.pop(one), ruled.pop(two)) == (["dark", "b"], ["dark"])
    assert set(ruled.values()) == {None}
    plain = shown(project.root)[0].digests
    assert {key for key in plain if plain[key] != content.digests[key]} == {one, two}


def test_looked_and_found_nothing_differs_from_not_looked(project: builders.SmallProject) -> None:
    samples = by_name(project)
    assert samples["four"].labels[FIRST] == ()
    assert FIRST not in samples["copy"].labels


def test_a_skipped_image_has_a_tag_and_no_labels(tmp_path: Path) -> None:
    project = builders.small_project(tmp_path)
    rows = [replace(row, outcome="skipped") for row in project.annotations["pull"] if row.outcome == "empty"]
    builders.write_annotations(tmp_path / "data/pull/annotations.parquet", rows)
    sample = by_name(project)["four"]
    assert "skipped" in sample.tags
    assert FIRST not in sample.labels


def test_a_vanished_file_is_counted(tmp_path: Path) -> None:
    builders.small_project(tmp_path)
    (tmp_path / str(builders.image("one").path)).unlink()
    content = shown(tmp_path)[0]
    assert (len(content.digests), content.missing) == (6, {builders.image_id("one")})


def test_a_removed_file_is_no_unreadable_one(tmp_path: Path) -> None:
    gone = builders.image("gone", path=None, sources=(), drop_reason="removed")
    bad = builders.image("bad", path=None, drop_reason="corrupt")
    builders.write_images(tmp_path / "data/dedupe/images.parquet", [gone, bad])
    content = shown(tmp_path)[0]
    assert (len(content.digests), content.unreadable, content.removed) == (0, 1, 1)
    assert not content.missing


def test_a_shape_is_relative_and_its_mask_is_what_lies_in_the_box() -> None:
    box = (20.0, 30.0, 100.0, 90.0)
    one = shape(
        builders.annotation("x", "stop_sign", box, score=0.5, prompt="stop sign"), width=160, height=120
    )
    assert one.box == pytest.approx((0.125, 0.25, 0.5, 0.5))
    assert one.mask is not None
    assert one.mask.shape == (60, 80)
    assert np.array_equal(one.mask, builders.ellipse(box)[30:90, 20:100])
    assert (one.score, one.facts["prompt"]) == (0.5, "stop sign")


def test_a_shape_of_the_consensus_says_how_sure_it_is_and_what_was_said_of_it() -> None:
    row = builders.annotation(
        "x", "stop_sign", (20.0, 30.0, 100.0, 90.0), origin="consensus", attributes=(("worn", ("a", "b")),)
    )
    one = shape(row, Support(0.75, 2, 3), width=160, height=120)
    assert (one.score, one.facts["votes"], one.facts["annotators"]) == (0.75, 2, 3)
    assert one.facts["attribute_worn"] == "a, b"


@given(
    x=st.floats(-20, 150), y=st.floats(-20, 110), width=st.floats(2, 100), height=st.floats(2, 100),
)  # fmt: skip
def test_a_shape_never_leaves_the_image(x: float, y: float, width: float, height: float) -> None:
    box = (x, y, x + width, y + height)
    one = shape(builders.annotation("x", "stop_sign", box), width=160, height=120)
    left, top, share_x, share_y = one.box
    assert 0 <= left <= 1
    assert 0 <= top <= 1
    assert left + share_x <= 1 + 1e-9
    assert top + share_y <= 1 + 1e-9


@given(st.lists(st.text(min_size=1, max_size=12), max_size=8))
def test_annotators_get_different_sound_fields(people: list[str]) -> None:
    fields = annotator_fields(people)
    assert set(fields) == set(people)
    assert len(set(fields.values())) == len(set(people))
    assert all(name.isidentifier() and name.isascii() for name in fields.values())


def test_the_name_comes_from_the_release_or_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "My Signs!"
    root.mkdir()
    assert fiftyone_view.dataset_name(root) == "curate-my-signs"
    (root / "params.yaml").write_text("release: {name: Traffic Signs}")
    assert fiftyone_view.dataset_name(root) == "curate-traffic-signs"


def test_a_busy_port_is_refused_before_anything_starts(project: builders.SmallProject) -> None:
    with socket.socket() as taken:
        taken.bind((mongod.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ViewError, match=f"port {port} of 127.0.0.1 is busy: choose another with --port"):
            fiftyone_view.open_app(project.root, stage="release", port=port)


def test_no_table_names_the_stage_to_run(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="run the stage ingest"):
        fiftyone_view.open_app(tmp_path, stage="release", port=0)
