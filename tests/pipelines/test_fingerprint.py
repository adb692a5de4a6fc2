"""What a stage depends on besides tables: code, parameters, and the files that these name."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate import params_doc
from curate.errors import InputError
from curate.params import Params
from curate_pipelines import fingerprint

ROOT = Path(__file__).parents[2]
# Paths of parameters that no stage reads as one of the user's small files.
FOLDERS = {"ingest.raw": "the images; ingest looks itself each time", "publish.folder": "a target"}
OWN: dict[str, dict[str, Any]] = {
    "dedupe": {"decisions": "decisions.csv", "semantic": {"model": "encoder"}},
    "autolabel": {
        "taxonomy": "taxonomy.yaml",
        "detector": {"model": "detector"},
        "segmenter": {"model": "sam.pth", "sha256": "0" * 64},
    },
    "qa": {"gold": "gold"},
    "labelstudio": {"instructions": "guideline.md"},
    "release": {"description": "description.md"},
}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Parameters that name a file of each kind; the files are there."""
    monkeypatch.chdir(tmp_path)
    Path("decisions.csv").write_text("image,decision\n")
    for name in ("taxonomy.yaml", "gold/a.json", "gold/b/c.json", "guideline.md"):
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        Path(name).write_text(name)
    for name in ("description.md", "detector/model.safetensors", "encoder/model.safetensors", "sam.pth"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    return Params.model_validate(OWN)


def changed(params: Params) -> list[str]:
    line = fingerprint.main(params)
    named = line.removeprefix("fingerprint: changed for ")
    return [] if line == "fingerprint: nothing changed" else named.split(", ")


def test_the_first_run_writes_all_and_the_second_none(params: Params) -> None:
    assert changed(params) == list(fingerprint.STAGES)
    before = {path: path.stat().st_mtime_ns for path in Path("data/fingerprint").iterdir()}
    assert len(before) == len(fingerprint.STAGES)
    assert changed(params) == []
    assert {path: path.stat().st_mtime_ns for path in Path("data/fingerprint").iterdir()} == before


TAXONOMY_STAGES = ["autolabel", "select", "push", "pull", "quality", "agreement", "release"]


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("taxonomy.yaml", TAXONOMY_STAGES),
        ("gold/a.json", ["select", "quality"]),
        ("gold/b/c.json", ["select", "quality"]),
        ("gold/new.json", ["select", "quality"]),
        ("guideline.md", ["push"]),
        ("description.md", ["release"]),
        ("detector/model.safetensors", ["autolabel"]),
        ("encoder/model.safetensors", ["dedupe"]),
        ("sam.pth", []),  # its sha256 stands in params.yaml, and autolabel refuses another file
    ],
)
def test_an_edited_file_reruns_the_stages_that_read_it(params: Params, file: str, stages: list[str]) -> None:
    changed(params)
    Path(file).write_text("edited")
    assert changed(params) == stages


@pytest.mark.parametrize(
    ("line", "stages"),
    [
        ("drop,,,,,dark,,", ["dedupe"]),
        ("different,other/b.jpg,,,,,,", ["dedupe", "release"]),
        ("gold,,,,,,,", ["select"]),
        ("needs-qa,,,,,,,", ["select", "agreement"]),
        ("relabel,,,,o1,sign,,", ["agreement"]),
    ],
)
def test_a_decision_reruns_the_stages_that_read_it(params: Params, line: str, stages: list[str]) -> None:
    changed(params)
    header = "image,decision,other,by,note,annotation,argument,box,when\n"
    Path("decisions.csv").write_text(header)
    assert changed(params) == []
    Path("decisions.csv").write_text(f"{header}cam/a.jpg,{line}\n")
    assert changed(params) == stages


@pytest.mark.parametrize(("what", "stage"), [("suggestions", "autolabel"), ("answers", "agreement")])
def test_imported_labels_rerun_the_stage_that_reads_them(params: Params, what: str, stage: str) -> None:
    changed(params)
    folder = Path("labels") / what
    folder.mkdir(parents=True)
    assert changed(params) == [stage]
    (folder / "anna.parquet").write_text("labels")
    assert changed(params) == [stage]


def test_a_renamed_file_of_gold_is_another_folder(params: Params) -> None:
    changed(params)
    Path("gold/a.json").rename("gold/z.json")
    assert changed(params) == ["select", "quality"]


@pytest.mark.parametrize(
    ("section", "value", "stages"),
    [
        ("dedupe", {"max_hamming": 3, "decisions": "decisions.csv"}, ["dedupe", "release"]),
        ("quality", {"bootstrap": 3}, ["quality"]),
        ("release", {"version": "9.9.9", "description": "description.md"}, ["release", "publish"]),
        ("engine", {"workers": 3}, []),
    ],
)
def test_a_parameter_reruns_the_stages_that_take_it(
    params: Params, section: str, value: dict[str, Any], stages: list[str]
) -> None:
    changed(params)
    assert changed(Params.model_validate({**OWN, section: value})) == stages


def test_a_default_written_out_changes_nothing(params: Params) -> None:
    changed(params)
    assert changed(Params.model_validate({**OWN, "quality": {"bootstrap": 1000}})) == []


def test_null_or_a_line_left_out_needs_no_file(params: Params) -> None:
    changed(params)
    bare = Params.model_validate({"autolabel": OWN["autolabel"], "qa": {"gold": None}})
    assert changed(bare) == ["dedupe", "select", "push", "pull", "quality", "agreement", "release"]


def test_every_line_of_params_yaml_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    written = yaml.safe_load((ROOT / "params.yaml").read_text())
    (tmp_path / "gold").mkdir()
    for section, values in written.items():
        fingerprint.describe("release", Params.model_validate({**written, section: {}}))
        for name in values:
            some = {key: value for key, value in values.items() if key != name}
            params = Params.model_validate({**written, section: some})
            for stage in fingerprint.STAGES:
                assert fingerprint.describe(stage, params).startswith("code ")


def test_a_missing_file_is_named_and_nothing_is_written(params: Params) -> None:
    Path("description.md").unlink()
    with pytest.raises(InputError, match=r"release\.description = description\.md does not exist"):
        changed(params)
    assert not Path("data").exists()


def test_every_file_that_a_parameter_names_is_known() -> None:
    paths = {".".join(knob.location) for knob in params_doc.knobs() if "path" in knob.kind}
    known = {name for names in fingerprint.FILES.values() for name in names}
    assert paths == known | set(FOLDERS) | {"dedupe.decisions"}  # of which each stage reads its own lines


@pytest.mark.parametrize("stage", fingerprint.STAGES)
def test_every_parameter_that_the_wiring_takes_counts(stage: str) -> None:
    tree = ast.parse((ROOT / f"pipelines/curate_pipelines/{stage}.py").read_text())
    taken = {
        ast.unparse(node).removeprefix("params.")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("params.")
    }
    taken = {name for name in taken if not any(other.startswith(f"{name}.") for other in taken)}
    declared = fingerprint.PARAMETERS[stage]
    for name in taken:
        whole = name.partition(".")[0]
        assert whole == "engine" or name in declared or whole in declared or stage == "pull", name


def test_vectors_follow_the_consensus_of_the_last_run_where_they_are_asked_of_it(params: Params) -> None:
    consensus = Path("data/agreement/consensus.parquet")
    consensus.parent.mkdir(parents=True)
    own = {"embeddings": {"model": "encoder", "objects": "consensus"}}
    asked = Params.model_validate({**OWN, **own})
    assert changed(params)
    assert changed(asked) == ["embed"]
    consensus.write_text("what people agreed on")
    assert changed(asked) == ["embed"]
    assert changed(asked) == []
    Path("encoder/model.safetensors").write_text("other weights")
    assert "embed" in changed(asked)
    assert changed(params)
    consensus.write_text("another")
    assert changed(params) == []


MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "detector": ("autolabel", {"autolabel": {"detector": {"kind": "groundingdino", "model": "{}"}}}),
    "segmenter": ("autolabel", {"autolabel": {"segmenter": {"model": "{}"}}}),
    "encoder of dedupe": ("dedupe", {"dedupe": {"semantic": {"model": "{}"}}}),
    "encoder of embed": ("embed", {"embeddings": {"kind": "torchvision", "model": "{}"}}),
    "upscaler": ("upscale", {"upscale": {"models": {"a": "{}"}}}),
}


@pytest.mark.parametrize(
    ("named", "place"), [("~/own.pth", "home/own.pth"), ("own.pth", "cache/own.pth")], ids=["home", "cache"]
)
@pytest.mark.parametrize("model", MODELS)
def test_weights_count_where_their_loader_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, named: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CURATE_MODELS", str(tmp_path / "cache"))
    file = tmp_path / place
    file.parent.mkdir()
    file.write_text("weights")
    Path("taxonomy.yaml").write_text("categories: []")
    stage, own = MODELS[model]
    params = Params.model_validate_json(json.dumps(own).replace("{}", named))
    before = fingerprint.describe(stage, params)
    assert fingerprint.describe(stage, params) == before
    file.write_text("others in their place")
    assert fingerprint.describe(stage, params) != before


def test_the_vocabulary_beside_a_grounding_dino_counts(tmp_path: Path) -> None:
    """Whether or not a sha256 stands for the checkpoint; the weights beside it are not used."""
    beside = tmp_path / "bert-base-uncased"
    beside.mkdir()
    checkpoint = tmp_path / "groundingdino_swint_ogc.pth"
    for file in (checkpoint, beside / "vocab.txt", beside / "model.safetensors"):
        file.write_text("first")
    (tmp_path / "taxonomy.yaml").write_text("categories: []")
    for sha256 in (None, "0" * 64):
        detector = {
            "kind": "groundingdino",
            "model": str(checkpoint),
            "sha256": sha256,
        }
        taxonomy = str(tmp_path / "taxonomy.yaml")
        params = Params.model_validate({"autolabel": {"detector": detector, "taxonomy": taxonomy}})
        before = fingerprint.describe("autolabel", params)
        (beside / "model.safetensors").write_text(f"others {sha256}")
        assert fingerprint.describe("autolabel", params) == before
        (beside / "vocab.txt").write_text(f"others {sha256}")
        assert fingerprint.describe("autolabel", params) != before


@pytest.mark.usefixtures("params")
def test_what_lies_in_a_linked_folder_of_a_model_counts(tmp_path: Path) -> None:
    before = fingerprint.describe("autolabel", Params.model_validate(OWN))
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "tokenizer.json").write_text("first")
    Path("detector/linked").symlink_to(outside)
    linked = fingerprint.describe("autolabel", Params.model_validate(OWN))
    assert linked != before
    (outside / "tokenizer.json").write_text("second")
    assert fingerprint.describe("autolabel", Params.model_validate(OWN)) != linked


@pytest.mark.usefixtures("params")
def test_a_digest_stands_for_a_file_and_not_for_the_rest_of_a_folder() -> None:
    """It is that of the main file of weights; the configuration decides about boxes as well."""
    named = {"model": "detector", "sha256": "0" * 64}
    own = Params.model_validate({**OWN, "autolabel": {**OWN["autolabel"], "detector": named}})
    Path("detector/config.json").write_text("{}")
    changed(own)
    Path("detector/config.json").write_text('{"other": 1}')
    assert changed(own) == ["autolabel"]
    Path("sam.pth").write_text("edited")  # a file: autolabel refuses another than the one of the digest
    assert changed(own) == []


def test_what_the_detector_was_trained_on_reruns_agreement(params: Params) -> None:
    changed(params)
    Path("detector/training.json").write_text("a training")
    Path("detector/trained_on.csv").write_text("its images")
    assert "agreement" in changed(params)
    Path("detector/trained_on.csv").write_text("others")
    assert "agreement" in changed(params)
    assert changed(params) == []
    bare = Params.model_validate({**OWN, "autolabel": {**OWN["autolabel"], "detector": {"kind": "none"}}})
    assert "agreement" in changed(bare)


def test_a_metric_that_can_be_measured_from_now_on_reruns_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who installs what `measure` asked for gets the figures by `dvc repro`."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    pytest.importorskip("imageio_ffmpeg")
    params = Params()
    there = fingerprint.describe("measure", params)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "imageio_ffmpeg", None)
        assert fingerprint.describe("measure", params) != there
        some = Params.model_validate({"measure": {"metrics": ["psnr"]}})
        alone = fingerprint.describe("measure", some)
    assert fingerprint.describe("measure", some) == alone, "not asked for"
    assert fingerprint.describe("measure", params) == there
    weights = tmp_path / "hub/checkpoints/alexnet-owt-7be5be79.pth"
    weights.parent.mkdir(parents=True)
    weights.write_text("half of it")
    half = fingerprint.describe("measure", params)
    weights.write_text("the whole")
    assert len({there, half, fingerprint.describe("measure", params)}) == 3
    assert str(tmp_path) not in half, "the same on another machine"


def test_a_map_that_umap_would_draw_from_now_on_reruns_embed(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Params.model_validate({**OWN, "embeddings": {"model": "encoder"}})
    find = importlib.util.find_spec
    texts = []
    for spec in (None, find("json")):
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, spec=spec: spec if name == "umap" else find(name)
        )
        texts.append((fingerprint.describe("embed", params), fingerprint.describe("embed", asked)))
    assert texts[0][0] == texts[1][0], "no map is made"
    assert texts[0][1] != texts[1][1]
