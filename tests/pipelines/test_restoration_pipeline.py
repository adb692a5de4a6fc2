"""The template restoration: its dvc.yaml, the wiring of its stages, a project from images to a release."""

from __future__ import annotations

import ast
import functools
import importlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate import new_project, params_doc
from curate.adapters import upscalers
from curate.errors import InputError, ParamsError
from curate.params import Params
from curate_pipelines import PIPELINES, fingerprint, headline_metrics, upscale, vote
from tests.adapters import onnx_graphs

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "curate/templates/restoration"
EVERY: dict[str, dict[str, Any]] = yaml.safe_load((TEMPLATE / "dvc.yaml").read_text())["stages"]
ORDER = PIPELINES["restoration"]
OWN = [stage for stage in ORDER if stage not in PIPELINES["detection"]]


def paths(entries: list[Any]) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_the_stages_are_those_of_the_pipeline_in_order() -> None:
    assert list(EVERY) == ["fingerprint", *ORDER]
    kept = {"cache": False, "persist": True}
    assert EVERY["fingerprint"]["outs"] == [{f"data/fingerprint/{stage}.txt": kept} for stage in ORDER]
    assert all(EVERY[stage]["cmd"] == f"curate run {stage}" for stage in ORDER)
    assert set(headline_metrics.COLUMNS) >= set(ORDER)


@pytest.mark.parametrize("stage", ORDER)
def test_dependencies_are_written_earlier_and_outputs_persist(stage: str) -> None:
    written = set(paths(EVERY["fingerprint"]["outs"]))
    for earlier in ORDER[: ORDER.index(stage)]:
        written |= set(paths(EVERY[earlier]["outs"]))
    assert set(paths(EVERY[stage]["deps"])) <= written
    for output in EVERY[stage]["outs"] + EVERY[stage]["metrics"] + EVERY[stage].get("plots", []):
        assert next(iter(output.values()))["persist"] is True, output


@pytest.mark.parametrize("stage", OWN)
def test_paths_in_the_entry_point_are_those_of_dvc_yaml(stage: str) -> None:
    tree = ast.parse((ROOT / f"pipelines/curate_pipelines/{stage}.py").read_text())
    named = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("data/")
    }
    declared = set(paths(EVERY[stage]["deps"] + EVERY[stage]["outs"]))
    declared -= {f"data/fingerprint/{stage}.txt", f"metrics/{stage}.json"}
    known = {"data/dedupe/index", "data/publish/last", "data/pairs/leaks.csv"}  # kept, or optional
    known |= {"data/ingest/vote", "data/people.csv"}  # where people are asked
    if stage == "pairs":
        known |= {"data/splits.parquet", "data/release"}  # of the last release
    assert named - known <= declared
    assert declared - named <= {"data/pairs/images", "data/upscale/images"}  # which the tables name


@pytest.mark.parametrize("stage", OWN)
def test_every_field_of_a_stage_is_filled_by_the_wiring(stage: str) -> None:
    import dataclasses

    module = importlib.import_module(f"curate.stages.{stage}")
    tree = ast.parse((ROOT / f"pipelines/curate_pipelines/{stage}.py").read_text())
    given = {
        node.func.attr: {keyword.arg for keyword in node.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    for kind in ("Inputs", "Outputs", "Ports"):
        if hasattr(module, kind):
            assert {field.name for field in dataclasses.fields(getattr(module, kind))} == given[kind]


def test_models_are_loaded_with_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    got: dict[str, Any] = {}
    monkeypatch.setattr(upscale.upscale, "run", lambda settings, **more: got.update(more, settings=settings))
    diffusion = {"steps": 3}
    upscaling = {"scale": 2, "device": "cpu", "workers": 1, "diffusion": diffusion}
    params = Params.model_validate({"upscale": upscaling})
    upscale.main(params)
    load = got["ports"].load
    assert isinstance(load, functools.partial)
    assert (load.func, load.keywords) == (
        upscalers.load,
        {"scale": 2, "device": "cpu", "precision": "float32", "diffusion": params.upscale.diffusion},
    )
    assert (got["settings"], got["release_license"]) == (params.upscale, params.release.license)


def test_pairs_and_models_of_other_scales_are_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(TEMPLATE / "dvc.yaml", "dvc.yaml")
    params = Params.model_validate({"upscale": {"scale": 2}})
    with pytest.raises(ParamsError, match=r"upscale\.scale = 2, pairs\.scale = 4: .* the same"):
        fingerprint.main(params)
    assert not Path("data").exists()
    both = {"upscale": {"scale": 2}, "pairs": {"scale": 2}}
    assert "changed for" in fingerprint.main(Params.model_validate(both))


def test_the_lines_of_params_say_what_the_models_say() -> None:
    text = (TEMPLATE / "params.yaml.j2").read_text().replace("{{ name | yaml }}", "mine")
    text = text.replace("{{ name[:50] | yaml }}", "mine")
    meaning = {knob.location: knob.description for knob in params_doc.knobs()}
    comments = [line.partition(" # ")[2] for line in text.splitlines() if line.startswith("  ")]
    given = [(name, key) for name, section in yaml.safe_load(text).items() for key in section]
    assert len(comments) == len(given)
    for comment, location in zip(comments, given, strict=True):
        assert meaning[location].startswith(comment), location
    Params.model_validate(yaml.safe_load(text))


def test_labels_make_no_sense_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    with pytest.raises(InputError, match="restoration has no categories"):
        new_project.create(Path("sr"), images="photos", template="restoration", labels=[Path("x.json")])


def test_weights_in_files_are_dependencies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.param").write_text("one")
    Path("w.bin").write_text("two")
    params = Params.model_validate({"upscale": {"models": {"mine": "w.param"}, "licenses": {"mine": "mit"}}})
    before = fingerprint.describe("upscale", params)
    Path("w.bin").write_text("other")
    assert fingerprint.describe("upscale", params) != before


def test_people_are_asked_on_the_users_server_and_nobody_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    got: dict[str, Any] = {}
    monkeypatch.setattr(vote.vote, "run", lambda settings, **more: got.update(more, settings=settings))
    monkeypatch.setattr(vote, "comparison_tool", lambda settings, folder: (settings.project, folder))
    given = {"vote": {"raters": "labelstudio"}, "labelstudio": {"project": "my-sr"}}
    vote.main(Params.model_validate(given))
    assert got["ports"] == vote.vote.Ports(("my-sr", Path("data/ingest/vote")), "my-sr votes")
    vote.main(Params.model_validate({"vote": {"raters": "simulated"}}))
    assert got["ports"].tool is None


def test_people_cannot_be_asked_without_a_server() -> None:
    given = {"vote": {"raters": "labelstudio"}, "labelstudio": {"enabled": False}}
    with pytest.raises(ParamsError, match=r"vote\.raters is labelstudio, and labelstudio\.enabled is false"):
        vote.main(Params.model_validate(given))


@pytest.mark.parametrize("setting", [{"group_by": ["camera"]}, {"split_attribute": None}, {"seed": 3}])
def test_pairs_run_again_where_what_decides_splits_changed(setting: dict[str, Any]) -> None:
    before = fingerprint.describe("pairs", Params())
    assert fingerprint.describe("pairs", Params.model_validate({"release": setting})) != before


@pytest.mark.parametrize("ending", ["onnx", "param"])
def test_every_file_of_an_upscaler_reruns_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """After a new export it may be only the file of weights that changed."""
    monkeypatch.chdir(tmp_path)
    if ending == "onnx":
        onnx_graphs.enlarging(tmp_path / "sr.onnx", external="sr.onnx.data")
        other = Path("sr.onnx.data")
    else:
        Path("sr.param").write_text("layers")
        other = Path("sr.bin")
        other.write_bytes(b"weights")
    params = Params.model_validate({"upscale": {"models": {"sr": f"sr.{ending}"}}})
    before = fingerprint.describe("upscale", params)
    assert fingerprint.describe("upscale", params) == before
    other.write_bytes(other.read_bytes()[::-1] + b"new")
    assert fingerprint.describe("upscale", params) != before
    other.unlink()
    with pytest.raises(InputError, match=rf"upscale\.models\.sr, {other.name} = {other.name} does not exist"):
        fingerprint.describe("upscale", params)
