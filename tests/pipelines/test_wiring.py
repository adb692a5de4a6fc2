"""What goes into which stage: its section of params.yaml, its paths, and adapters with the user's settings.

A stage's `run` and the adapters' classes are replaced by recorders, so that nothing starts; a value that the
wiring does not hand on, or hands on to the wrong place, is seen.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from curate.engines import factory
from curate.params import Params
from curate.records import StageReport
from curate_pipelines import encoders, engines, models, publish

ROOT = Path(__file__).parents[2]
TAXONOMY = "own/taxonomy.yaml"
IMAGES, PLAN = "data/dedupe/images.parquet", "data/select/plan.parquet"
SUGGESTIONS, SHOWN = "data/autolabel/annotations.parquet", "data/push/shown"
# Everything below differs from its default: a value that is not handed on cannot look as if it were.
PARAMS = Params.model_validate(
    {
        "engine": {"workers": 3, "batch_size": 17, "retries": 5},
        "ingest": {"raw": "own/raw", "min_side": 9},
        "dedupe": {"max_hamming": 3, "decisions": "own/decisions.csv"},
        "autolabel": {
            "taxonomy": TAXONOMY, "device": "cpu", "precision": "float32", "workers": 2,
            "detector": {"model": "own/detector"},
        },
        "embeddings": {"model": "own/encoder", "device": "cpu", "workers": 4},
        "qa": {"gold": "own/gold", "labelers": "simulated", "seed": 4},
        "labelstudio": {"project": "own", "batch_size": 11, "timeout_s": 7.0},
        "quality": {"bootstrap": 5},
        "agreement": {"bootstrap": 6},
        "release": {"name": "own-signs", "seed": 8, "group_by": ["site"]},
        "publish": {"folder": "own/published"},
    }
)  # fmt: skip
DECISIONS = {
    "annotations": "data/adjudication/annotations.parquet",
    "answers": "data/adjudication/answers.parquet",
}
INPUTS: dict[str, dict[str, Any]] = {
    "ingest": {"raw": "own/raw"},
    "dedupe": {"images": "data/ingest/images.parquet"},
    "autolabel": {"images": IMAGES, "taxonomy": TAXONOMY, "imported": "labels/suggestions"},
    "embed": {
        "images": IMAGES,
        "suggestions": SUGGESTIONS,
        "consensus": "data/agreement/consensus.parquet",
    },
    "select": {
        "images": IMAGES,
        "annotations": SUGGESTIONS,
        "taxonomy": TAXONOMY,
        "shown": SHOWN,
        "decisions": "own/decisions.csv",
        "embeddings": "data/embeddings/embeddings.parquet",
        "pairs": "data/agreement/pairs.parquet",
        "imported": "labels/answers",
    },
    "push": {
        "images": IMAGES,
        "annotations": SUGGESTIONS,
        "plan": PLAN,
        "taxonomy": TAXONOMY,
        "images_root": "data/ingest/images",
    },
    "pull": {
        "images": IMAGES,
        "plan": PLAN,
        "shown": SHOWN,
        "taxonomy": TAXONOMY,
        "adjudication": "data/adjudication/shown",
    },
    "quality": {
        "images": IMAGES,
        "shown": SHOWN,
        "plan": PLAN,
        "annotations": "data/pull/annotations.parquet",
        "answers": "data/pull/answers.parquet",
        "receipt": "data/push/receipt.json",
        "taxonomy": TAXONOMY,
        "gold": "own/gold",
    },
    "agreement": {
        "decision_file": "own/decisions.csv",
        "images": IMAGES,
        "suggestions": SUGGESTIONS,
        "plan": PLAN,
        "annotations": "data/pull/annotations.parquet",
        "answers": "data/pull/answers.parquet",
        "shown": SHOWN,
        "taxonomy": TAXONOMY,
        "decisions": DECISIONS["annotations"],
        "decision_answers": DECISIONS["answers"],
        "imported": "labels/answers",
        "detector": "own/detector",
        "group_by": ("site",),
    },
    "release": {
        "images": IMAGES,
        "consensus": "data/agreement/consensus.parquet",
        "consensus_objects": "data/agreement/objects.parquet",
        "consensus_images": "data/agreement/images.parquet",
        "figures": "data/agreement/figures.csv",
        "annotations": SUGGESTIONS,
        "taxonomy": TAXONOMY,
        "agreement_metrics": "metrics/agreement.json",
        "quality_metrics": "metrics/quality.json",
        "published": "data/publish/last",
    },
    "publish": {"release": "data/release"},
}
OUTPUTS: dict[str, dict[str, Any]] = {
    "ingest": {
        "table": "data/ingest/images.parquet",
        "images": "data/ingest/images",
        "ledger": "data/ingest/ledger.sqlite",
        "cache": ".cache/remote",
    },
    "dedupe": {
        "table": IMAGES,
        "plot": "plots/dedupe_distances.csv",
        "index": "data/dedupe/index",
    },
    "autolabel": {
        "table": SUGGESTIONS,
        "shards": ".cache/autolabel",
        "plot": "plots/autolabel_scores.csv",
        "failures": "data/autolabel/failures.csv",
    },
    "embed": {
        "table": "data/embeddings/embeddings.parquet",
        "objects": "data/embeddings/objects.parquet",
        "figures": "data/embeddings/figures.parquet",
        "look_alikes": "data/embeddings/look_alikes.csv",
        "failures": "data/embeddings/failures.csv",
        "vectors": ".cache/embeddings",
    },
    "select": {"plan": PLAN, "plots": "plots"},
    "push": {"receipt": "data/push/receipt.json", "shown": SHOWN},
    "pull": {
        "table": "data/pull/annotations.parquet",
        "answers": "data/pull/answers.parquet",
        "people": "data/people.csv",
        "decisions": DECISIONS,
    },
    "quality": {"folder": "data/quality", "plots": "plots", "people": "data/people.csv"},
    "agreement": {
        "consensus": "data/agreement/consensus.parquet",
        "objects": "data/agreement/objects.parquet",
        "images": "data/agreement/images.parquet",
        "pairs": "data/agreement/pairs.parquet",
        "figures": "data/agreement/figures.csv",
        "queue": "data/agreement/queue.csv",
        "label_errors": "data/agreement/label_errors.csv",
        "bad_rows": "data/agreement/bad_rows.csv",
        "plots": "plots",
        "people": "data/people.csv",
    },
    "release": {
        "folder": "data/release",
        "record": "data/splits.parquet",
        "gates": "metrics/gates.json",
        "secret": "data/release_secret",
    },
    "publish": {"receipt": "data/publish/receipt.json", "last": "data/publish/last"},
}
STAGES = list(INPUTS)
# Fields that the wiring leaves to their default on purpose, with the reason.
LEFT = {
    ("dedupe", "Ports", "say"): "a line for the user goes to stderr",
    ("publish", "Ports", "say"): "the plan is printed",
}


@dataclasses.dataclass(frozen=True)
class Made:
    """What a replaced class or function was called with."""

    name: str
    args: tuple[Any, ...]
    settings: dict[str, Any]


def record(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> None:
    monkeypatch.setattr(module, name, lambda *args, **settings: Made(name, args, settings))


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Calls a stage's entry point and gives what its `run` got: the section, then the keywords."""
    monkeypatch.chdir(tmp_path)
    record(monkeypatch, engines, "engine")
    record(monkeypatch, engines, "model_engine")
    labelstudio = importlib.import_module("curate_pipelines.labelstudio")
    record(monkeypatch, labelstudio, "from_settings")
    record(monkeypatch, labelstudio, "reader_from_settings")
    monkeypatch.setattr(labelstudio.connection, "resolve", lambda root: f"server of {root}")

    def call(name: str, params: Params = PARAMS, **more: Any) -> dict[str, Any]:
        program = importlib.import_module(f"curate_pipelines.{name}")
        got: dict[str, Any] = {}

        def run(section: Any, **keywords: Any) -> StageReport:
            got.update(keywords, section=section)
            return StageReport(name, (("images", 1),), {})

        with monkeypatch.context() as inner:
            inner.setattr(getattr(program, name), "run", run)
            assert program.main(params, **more).stage == name
        return got

    return call


def shown(paths: Any) -> dict[str, Any]:
    """The dataclass with its paths as text; what was left to its default is not shown."""
    fields = {field.name: getattr(paths, field.name) for field in dataclasses.fields(paths)}
    return {
        name: value.as_posix()
        if isinstance(value, Path)
        else value
        if isinstance(value, tuple)
        else shown(value)
        for name, value in fields.items()
        if value is not None
    }


@pytest.mark.parametrize("stage", STAGES)
def test_paths_stand_in_the_right_fields(wired: Any, stage: str) -> None:
    got = wired(stage)
    assert shown(got["inputs"]) == INPUTS[stage]
    assert shown(got["outputs"]) == OUTPUTS[stage]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_gets_its_section(wired: Any, stage: str) -> None:
    section = wired(stage)["section"]
    if stage == "pull":
        assert (section.labelstudio, section.qa) == (PARAMS.labelstudio, PARAMS.qa)
    else:
        own = {"select": "qa", "push": "labelstudio", "embed": "embeddings"}.get(stage, stage)
        assert section == getattr(PARAMS, own)


def test_ingest_and_dedupe_run_on_the_engine_of_the_parameters(wired: Any) -> None:
    for stage in ("ingest", "dedupe"):
        ports = wired(stage)["ports"]
        assert ports.engine == Made("engine", (PARAMS.engine,), {})
        assert ports.batch_size == 17


def test_agreement_runs_on_the_engine_of_the_parameters(wired: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record(monkeypatch, factory, "engine")
    assert wired("agreement")["ports"].engine == Made("engine", (PARAMS.engine,), {})


def test_the_step_by_meaning_runs_where_a_model_is_named_and_only_there(
    wired: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(monkeypatch, encoders, "TransformersEmbedder")
    record(monkeypatch, engines, "model_engine")
    assert wired("dedupe")["ports"].vectors is None
    semantic = {"model": "own/encoder", "min_cosine": 0.9, "batch_size": 5, "device": "cpu"}
    params = Params.model_validate({"engine": {"workers": 3}, "dedupe": {"semantic": semantic}})
    got = wired("dedupe", params)
    store = got["ports"].vectors
    made = store.encoder()
    assert made.embedder == Made("TransformersEmbedder", (params.dedupe.semantic,), {})
    assert (made.on_gpu, made.batch_size) == (False, 5)
    assert store.engine == Made("model_engine", (params.engine, "cpu"), {})
    assert store.folder == wired("embed")["outputs"].vectors
    assert got["section"].semantic.min_cosine == 0.9


def test_verify_on_the_command_line_is_the_parameter(wired: Any) -> None:
    assert wired("ingest")["section"].verify is False
    assert wired("ingest", verify=True)["section"] == PARAMS.ingest.model_copy(update={"verify": True})


def test_autolabel_loads_its_models_in_the_workers(wired: Any) -> None:
    ports = wired("autolabel")["ports"]
    assert ports.engine == Made("model_engine", (PARAMS.engine, "cpu"), {"workers": 2})
    assert isinstance(ports.models, functools.partial)
    assert (ports.models.func, ports.models.args) == (models.models, (PARAMS.autolabel,))


def test_embed_loads_its_encoder_in_the_workers(wired: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = wired("embed")["ports"]
    assert ports.engine == Made("model_engine", (PARAMS.engine, "cpu"), {"workers": 4})
    assert (ports.encoder.func, ports.encoder.args) == (encoders.encoder, (PARAMS.embeddings,))
    record(monkeypatch, encoders, "TransformersEmbedder")
    record(monkeypatch, encoders, "TorchvisionEmbedder")
    digest = "0" * 64
    for kind, expected in (
        ("transformers", ("TransformersEmbedder", {"setting": "embeddings", "sha256": digest})),
        ("torchvision", ("TorchvisionEmbedder", {})),
    ):
        asked = {"kind": kind, "model": "m", "sha256": digest, "device": "cpu", "batch_size": 3}
        settings = Params.model_validate({"embeddings": asked}).embeddings
        loaded: Any = encoders.encoder(settings)
        assert loaded.embedder == Made(expected[0], (settings,), expected[1])
        assert (loaded.on_gpu, loaded.batch_size) == (False, 3)


def test_push_and_pull_talk_to_the_users_server(wired: Any) -> None:
    assert wired("push")["ports"].tool == Made("from_settings", (PARAMS.labelstudio, "server of ."), {})
    reader = wired("pull")["ports"].reader._server
    assert (reader.name, reader.args) == ("reader_from_settings", (PARAMS.labelstudio, "server of ."))
    deciding = wired("pull")["ports"].adjudication  # with a cache of its own: two share none
    assert (deciding.args, deciding.settings) == (
        (PARAMS.labelstudio, "server of ."),
        {"cache": Path("data/adjudication/cache.sqlite")},
    )
    nowhere = Params.model_validate({"labelstudio": {"enabled": False}})
    assert wired("pull", nowhere)["ports"].adjudication is None


def test_leaks_by_vectors_are_looked_for_where_a_bound_is_set(wired: Any) -> None:
    assert wired("release")["ports"].leaks.vectors is None
    params = Params.model_validate({"embeddings": {"max_split_cosine": 0.9}})
    found = wired("release", params)["ports"].leaks.vectors
    assert (found.path.as_posix(), found.max_cosine) == ("data/embeddings/embeddings.parquet", 0.9)


def test_the_card_says_who_labelled(wired: Any) -> None:
    assert wired("release")["labelers"] == "simulated"


def test_a_folder_is_published_to_where_it_was_asked_for(wired: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    record(monkeypatch, publish, "FolderHub")
    assert wired("publish")["ports"].hub == Made("FolderHub", (Path("own/published"),), {})


@pytest.mark.parametrize("private", [True, False])
def test_a_repository_is_as_private_as_it_was_asked_for(
    wired: Any, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    record(monkeypatch, publish, "HuggingFaceHub")
    target = {"target": "hub", "repo": "owner/name", "private": private}
    params = Params.model_validate({"publish": target})
    assert wired("publish", params)["ports"].hub == Made(
        "HuggingFaceHub", ("owner/name",), {"private": private, "gated": None, "edited_readme": "refuse"}
    )


def test_a_repository_is_private_unless_somebody_asked_otherwise(
    wired: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(monkeypatch, publish, "HuggingFaceHub")
    params = Params.model_validate({"publish": {"target": "hub", "repo": "owner/name"}})
    assert wired("publish", params)["ports"].hub.settings == {
        "private": True,
        "gated": None,
        "edited_readme": "refuse",
    }


@pytest.mark.parametrize(
    ("target", "adapter", "args"),
    [
        ({"target": "archive", "folder": "own/published"}, "ArchiveHub", (Path("own/published"),)),
        ({"target": "s3", "url": "s3://own/sets"}, "BucketHub", ("s3://own/sets",)),
        ({"target": "kaggle", "repo": "owner/signs-2"}, "KaggleHub", ("owner/signs-2",)),
    ],
)
def test_each_target_gets_its_place(
    wired: Any, monkeypatch: pytest.MonkeyPatch, target: dict[str, Any], adapter: str, args: tuple[Any, ...]
) -> None:
    record(monkeypatch, publish, adapter)
    more = {"private": True} if adapter == "KaggleHub" else {}
    found = wired("publish", Params.model_validate({"publish": target}))["ports"].hub
    assert found == Made(adapter, args, more)
    assert wired("publish", confirmed=True)["confirmed"] is True


@pytest.mark.parametrize(
    ("detector", "segmenter", "kind", "adapters"),
    [
        ("transformers", "segment_anything", "cpu", ("TransformersDetector", "SegmentAnythingSegmenter")),
        ("groundingdino", "transformers", "cuda", ("GroundingDinoDetector", "TransformersSegmenter")),
        ("transformers", "none", "cpu", ("TransformersDetector", None)),
    ],
)
def test_each_kind_of_model_is_loaded_by_its_adapter(
    monkeypatch: pytest.MonkeyPatch,
    detector: str,
    segmenter: str,
    kind: str,
    adapters: tuple[str, str | None],
) -> None:
    for name in (
        "TransformersDetector",
        "GroundingDinoDetector",
        "SegmentAnythingSegmenter",
        "TransformersSegmenter",
    ):
        record(monkeypatch, models, name)
    asked = {"detector": {"kind": detector}, "segmenter": {"kind": segmenter}}
    settings = Params.model_validate(
        {"autolabel": {**asked, "device": "cpu", "precision": "float32"}}
    ).autolabel
    asked_device: list[str] = []
    monkeypatch.setattr(
        models.torch_device,
        "choose",
        lambda device: asked_device.append(device) or SimpleNamespace(type=kind),
    )
    loaded: Any = models.models(settings)
    where = {"device": "cpu", "precision": "float32"}
    assert loaded.detector == Made(adapters[0], (settings.detector,), where)
    expected = None if adapters[1] is None else Made(adapters[1], (settings.segmenter,), where)
    assert loaded.segmenter == expected
    assert (asked_device, loaded.on_gpu) == (["cpu"], kind == "cuda")


@pytest.mark.parametrize("stage", STAGES)
def test_every_field_of_a_stage_is_filled_by_the_wiring(stage: str) -> None:
    """A field with a default that nobody fills is a feature that nobody can reach."""
    module = importlib.import_module(f"curate.stages.{stage}")
    tree = ast.parse((ROOT / f"pipelines/curate_pipelines/{stage}.py").read_text(encoding="utf-8"))
    given = {
        node.func.attr: {keyword.arg for keyword in node.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    for kind in ("Inputs", "Outputs", "Ports"):
        if hasattr(module, kind):
            fields = {field.name for field in dataclasses.fields(getattr(module, kind))}
            left = {field for place, of, field in LEFT if (place, of) == (stage, kind)}
            assert fields - left == given[kind], kind
