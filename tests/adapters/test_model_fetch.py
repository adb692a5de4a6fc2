"""What params.yaml and names on the command line mean, and the list of public weights."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from curate.adapters import model_fetch, model_list, public_models
from curate.adapters.model_fetch import Wanted
from curate.adapters.public_models import PUBLIC
from curate.errors import ModelError
from curate.params import Params
from curate_pipelines import PIPELINES


def test_the_table_holds_well_formed_rows() -> None:
    assert len(public_models.BY_NAME) == len(PUBLIC)
    for model in PUBLIC:
        assert model.sha256 is None or re.fullmatch("[0-9a-f]{64}", model.sha256), model.name
        assert model.revision is None or re.fullmatch("[0-9a-f]{40}", model.revision), model.name
        if model.url is not None:  # what is no repository can be checked by its digest alone
            assert model.url.endswith(f"/{model.name}")
            assert model.sha256 is not None
            assert model.size is not None
        else:
            assert model.name.count("/") == 1
    digests = [model.sha256 for model in PUBLIC if model.sha256 is not None]
    assert len(digests) == len(set(digests)) >= 11


def params(**autolabel: object) -> Params:
    return Params.model_validate({"autolabel": autolabel})


def test_the_defaults_are_the_public_tiny_detector_and_the_smallest_sam() -> None:
    assert [one.name for one in model_fetch.of_params(Params(), PIPELINES["detection"])] == [
        "IDEA-Research/grounding-dino-tiny",
        "sam_vit_b_01ec64.pth",
    ]


def test_params_name_what_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_MODELS", str(tmp_path))
    detector = {"kind": "groundingdino", "model": "groundingdino_swint_ogc.pth", "sha256": "1" * 64}
    named = params(detector=detector, segmenter={"kind": "none"})
    own, text = model_fetch.of_params(named, PIPELINES["detection"])
    assert own == Wanted("groundingdino_swint_ogc.pth", "main", "1" * 64, "autolabel.detector")
    assert text.name == "google-bert/bert-base-uncased"
    assert text.revision == public_models.TEXT_ENCODER.revision
    (tmp_path / "bert-base-uncased").mkdir()  # the user's own, beside the checkpoint
    assert [one.name for one in model_fetch.of_params(named, PIPELINES["detection"])] == [
        "groundingdino_swint_ogc.pth"
    ]


def test_the_encoder_of_embed_is_fetched_too() -> None:
    named = Params.model_validate(
        {"embeddings": {"model": "mobilenet_v2-b0353104.pth", "kind": "torchvision"}}
    )
    one = model_fetch.of_params(named, PIPELINES["detection"])[-1]
    assert (one.name, one.setting) == ("mobilenet_v2-b0353104.pth", "embeddings")
    assert str(one.expected(None)).startswith("b0353104")


def test_only_stages_of_the_project_have_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restoration suggests no boxes, and a detector of kind none loads neither itself nor a segmenter."""
    monkeypatch.setenv("CURATE_MODELS", str(tmp_path))
    (tmp_path / "fast.param").write_text("layers")
    models = {"bicubic": "bicubic", "fast": "fast.param", "own": "models/own.onnx"}
    named = Params.model_validate(
        {
            "upscale": {"models": models},
            "embeddings": {"model": "encoder"},
            "dedupe": {"semantic": {"model": "a/b"}},
        }
    )
    found = model_fetch.of_params(named, PIPELINES["restoration"])
    assert [(one.name, one.setting) for one in found] == [
        ("a/b", "dedupe.semantic"),
        ("fast.param", "upscale.models.fast"),
        (str(tmp_path / "fast.bin"), "upscale.models.fast"),
        ("models/own.onnx", "upscale.models.own"),
    ]
    assert model_fetch.verify(found[1]).startswith("no digest is known; its sha256 is ")
    for lost in found[2:]:
        for refuse in (model_fetch.fetch, model_fetch.verify):  # a path that looks like a Hub id is none here
            with pytest.raises(ModelError, match=rf"is not on this machine.*: set {lost.setting}$"):
                refuse(lost)
    none = Params.model_validate({"autolabel": {"detector": {"kind": "none"}}})
    assert model_fetch.of_params(none, PIPELINES["detection"]) == []


def test_own_weights_in_the_cache_are_found_as_their_loader_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATE_MODELS", str(tmp_path))
    (tmp_path / "own.pth").write_text("weights")
    wanted = Wanted("own.pth", setting="autolabel.detector")
    assert model_fetch.fetch(wanted) == tmp_path / "own.pth"
    assert model_fetch.verify(wanted).startswith("no digest is known; its sha256 is ")


def test_a_path_of_many_folders_is_no_hub_id() -> None:
    with pytest.raises(ModelError, match=r"a/b/c is not on this machine: set x\.model"):
        model_fetch.verify(Wanted("a/b/c", setting="x"))


def test_the_published_digest_is_of_one_revision() -> None:
    wanted = Wanted("IDEA-Research/grounding-dino-tiny")
    known = public_models.BY_NAME["IDEA-Research/grounding-dino-tiny"]
    assert wanted.expected(known.revision) == known.sha256
    assert wanted.expected("f" * 40) is None
    assert Wanted("IDEA-Research/grounding-dino-tiny", sha256="1" * 64).expected("f" * 40) == "1" * 64
    assert model_fetch.of_name("sam_vit_b_01ec64.pth").expected(None) is not None


def test_names_that_mean_nothing_are_refused() -> None:
    for name in ("sam.pth", "a/b/c", "./models", "owner/"):
        with pytest.raises(ModelError, match="is no Hub id and no public file: known are IDEA-Research/"):
            model_fetch.of_name(name)
    assert model_fetch.of_name("owner/own") == Wanted("owner/own")
    with pytest.raises(ModelError, match=r"not on this machine and no public file: set a\.b\.model"):
        model_fetch.fetch(Wanted("missing.pth", setting="a.b"))


def test_local_weights_are_held_against_their_digest(tmp_path: Path) -> None:
    own = tmp_path / "own.pth"
    own.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    right, wrong = Wanted(str(own), sha256=digest), Wanted(str(own), sha256="0" * 64, setting="x")
    assert model_fetch.fetch(right) == own
    assert model_fetch.verify(right) == f"sha256 {digest}, as it should be"
    assert model_fetch.verify(Wanted(str(own))) == f"no digest is known; its sha256 is {digest}"
    for refuse in (model_fetch.fetch, model_fetch.verify):
        with pytest.raises(ModelError, match=f"not the one that x.sha256 names: expected 0+, found {digest}"):
            refuse(wrong)


def test_the_list_says_what_is_known_and_what_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATE_MODELS", str(tmp_path))
    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"x" * 2_000_000)
    own = tmp_path / "own.pth"
    own.write_bytes(b"x" * 1_000_000)
    lines = model_list.lines([Wanted(str(own), setting="autolabel.segmenter")])
    assert len(lines) == 2 + len(PUBLIC)
    assert re.fullmatch(rf"\*  {own} +own +1 MB +\? +not known +{own}", lines[1])
    (row,) = [line for line in lines if "sam_vit_b" in line]
    assert row.split()[:2] == ["sam_vit_b_01ec64.pth", "segment_anything"]
    assert row.endswith(f"{tmp_path}/sam_vit_b_01ec64.pth")
    (unknown,) = [line for line in lines if "mm_grounding" in line]
    assert "not known" in unknown
