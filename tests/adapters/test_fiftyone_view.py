"""What `curate view` makes of the tables, without the app; and the database it starts."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import project_tables
from curate.adapters import fiftyone_view, mongod
from curate.adapters.fiftyone_samples import SampleDraft, annotator_fields, drafts, shape
from curate.errors import MissingExtraError, TableError, ViewError
from curate.project_tables import Support
from tests import builders

FIRST, SECOND = "annotator_simulated_1", "annotator_simulated_2"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> builders.SmallProject:
    return builders.small_project(tmp_path_factory.mktemp("project"))


def by_name(project: builders.SmallProject, stage: str = "release") -> dict[str, SampleDraft]:
    content = drafts(project_tables.load(project.root, stage=stage))
    return {
        draft.image.sources[0].removeprefix("unit/").removesuffix(".jpg"): draft for draft in content.samples
    }


def test_one_sample_an_image_that_has_a_file(project: builders.SmallProject) -> None:
    content = drafts(project_tables.load(project.root))
    assert (len(content.samples), content.unreadable, content.missing) == (7, 1, 0)
    assert content.label_fields == ("model", FIRST, SECOND, "consensus", "disputed")
    assert all(draft.path.is_file() and draft.path.is_absolute() for draft in content.samples)
    agreed = [row.annotation_id for draft in content.samples for row in draft.labels.get("consensus", ())]
    assert [content.support[key].confidence for key in agreed] == [pytest.approx(0.9)] * len(agreed)


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
    content = drafts(project_tables.load(project.root, stage=stage))
    assert content.label_fields == fields
    assert any("dropped" in draft.tags for draft in content.samples) == (stage != "ingest")


def test_a_kept_variant_names_the_image_that_it_is_a_variant_of(project: builders.SmallProject) -> None:
    whole = project_tables.load(project.root)
    images = [
        replace(image, variant_of=builders.image_id("one"), dup_relation="variant")
        if image.image_id == builders.image_id("six")
        else image
        for image in whole.images
    ]
    found = {draft.path.stem: draft for draft in drafts(replace(whole, images=tuple(images))).samples}
    values = [draft.values["variant_of"] for draft in found.values()]
    assert values.count(builders.image_id("one")) == 1
    assert values.count(None) == len(values) - 1


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
    assert (samples["six"].values["disagreement"], samples["six"].values["disagreement_f1"]) == (
        "category",
        0.0,
    )


def test_attributes_are_numbers_and_flags_where_each_value_is_one(project: builders.SmallProject) -> None:
    whole = project_tables.load(project.root)
    given = {"one": ("3", "true", "4"), "two": ("-0.5", "false", "b")}
    names = {builders.image_id(name): name for name in given}
    images = [
        replace(
            image,
            attributes=tuple(zip(("Height (m)", "night", "lane"), given[names[image.image_id]], strict=True)),
        )
        if image.image_id in names
        else image
        for image in whole.images
    ]
    content = drafts(replace(whole, images=tuple(images)))
    kinds = {name: kind for name, kind in content.value_fields.items() if name.startswith("attribute_")}
    assert kinds == {"attribute_height_m": "number", "attribute_lane": "text", "attribute_night": "flag"}
    values = {draft.image.image_id: draft.values for draft in content.samples}
    first = values[builders.image_id("one")]
    assert (first["attribute_height_m"], first["attribute_night"], first["attribute_lane"]) == (
        3.0,
        True,
        "4",
    )
    assert values[builders.image_id("two")]["attribute_height_m"] == -0.5
    assert values[builders.image_id("three")].get("attribute_height_m") is None


def test_rejected_boxes_and_outlines_have_fields_of_their_own(project: builders.SmallProject) -> None:
    whole = project_tables.load(project.root)
    box = (20.0, 20.0, 60.0, 80.0)
    rejected = builders.annotation(
        "one", "stop_sign", box, origin="model", outcome="rejected", reject_reason="nms", rle=None
    )
    outline = json.dumps([[20, 20, 60, 20, 60, 80]])
    drawn = [
        replace(row, polygon=outline) if row.image_id == builders.image_id("one") else row
        for row in whole.consensus or ()
    ]
    content = drafts(replace(whole, model=(*(whole.model or ()), rejected), consensus=tuple(drawn)))
    assert content.label_fields[-1] == "rejected"
    assert content.outlined == ("consensus",)
    (one,) = [draft for draft in content.samples if draft.image.image_id == builders.image_id("one")]
    assert [row.annotation_id for row in one.labels["rejected"]] == [rejected.annotation_id]
    assert rejected not in one.labels["model"]
    (ring,) = shape(one.labels["consensus"][0], width=160, height=120).rings
    assert ring == ((0.125, 20 / 120), (0.375, 20 / 120), (0.375, 80 / 120))


def test_a_digest_changes_with_what_is_shown_and_with_nothing_else(project: builders.SmallProject) -> None:
    whole = project_tables.load(project.root)
    before = {draft.image.image_id: draft.digest() for draft in drafts(whole).samples}
    assert before == {draft.image.image_id: draft.digest() for draft in drafts(whole).samples}
    one = builders.image_id("one")
    moved = [
        replace(row, bbox_xyxy=(1.0, 2.0, 30.0, 40.0)) if row.image_id == one and row.bbox_xyxy else row
        for row in whole.consensus or ()
    ]
    after = {
        draft.image.image_id: draft.digest()
        for draft in drafts(replace(whole, consensus=tuple(moved))).samples
    }
    assert {key for key in before if before[key] != after[key]} == {one}


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
    project = builders.small_project(tmp_path)
    (tmp_path / str(builders.image("one").path)).unlink()
    content = drafts(project_tables.load(project.root))
    assert (len(content.samples), content.missing) == (6, 1)


def test_a_removed_file_is_no_unreadable_one(tmp_path: Path) -> None:
    gone = builders.image("gone", path=None, sources=(), drop_reason="removed")
    bad = builders.image("bad", path=None, drop_reason="corrupt")
    builders.write_images(tmp_path / "data/dedupe/images.parquet", [gone, bad])
    content = drafts(project_tables.load(tmp_path))
    assert (len(content.samples), content.unreadable, content.removed, content.missing) == (0, 1, 1, 0)


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


def test_mongod_serves_one_folder_once_and_ends(tmp_path: Path) -> None:
    # Longer than a unix socket's path may be: the server must not want one.
    folder = tmp_path / ("long" * 30) / "db"
    first, second = (mongod.Mongod(folder, log=tmp_path / f"{n}.log") for n in (1, 2))
    address = first.start()
    try:
        host, port = address.removeprefix("mongodb://").split(":")
        assert host == mongod.HOST
        socket.create_connection((host, int(port)), timeout=5).close()
        with pytest.raises(
            ViewError, match=f"is in use by process {first.pid}: close the other `curate view`"
        ):
            second.start()
    finally:
        first.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
    assert first.pid is None
    second.start()
    second.stop()


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("")
    with pytest.raises(ViewError, match="cannot write"):
        mongod.Mongod(tmp_path / "db", log=tmp_path / "log").start()


def test_without_mongod_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongod.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"curate-vision\[fiftyone\]"):
        mongod.Mongod(tmp_path / "db", log=tmp_path / "log").start()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux's")
def test_mongod_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from curate.adapters.mongod import Mongod\n"
        f"m = Mongod(Path({str(tmp_path / 'db')!r}), log=Path({str(tmp_path / 'log')!r}))\n"
        "m.start(); print(m.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    pid = int(output.stdout)
    again = mongod.Mongod(tmp_path / "db", log=tmp_path / "again.log")
    deadline = 200
    while Path(f"/proc/{pid}/exe").exists() and deadline:
        deadline -= 1
        time.sleep(0.1)
    again.start()  # the folder is free again
    again.stop()
