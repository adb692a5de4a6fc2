"""DVC stage fingerprint: what each stage depends on besides tables, one small file a stage.

That is its code, its parameters with their defaults, the user's files that these name (taxonomy, decisions,
gold, guideline, description, weights), and where a stage goes on without a package, whether that is there.
It runs first and each time, and writes a file only where
something changed: exactly those stages run again. DVC itself can name neither a file that a parameter may
leave out nor a parameter that stands in no file. A wrong parameter, or a file that is not there, is refused
here, before anything ran.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from curate import decision_file, fingerprint, folder_walk, pipeline_templates, tables
from curate.adapters import image_metrics, weights
from curate.errors import InputError, ParamsError
from curate.file_identity import sha256_of
from curate.labeling import training_record
from curate.params import Params
from curate_pipelines import PIPELINES, STAGES

_TAXONOMY: Final = "autolabel.taxonomy"
# Folders of `curate import`, by the stages that read them and are not asked each time.
_IMPORTED: Final = {"autolabel": Path("labels/suggestions"), "agreement": Path("labels/answers")}
_CONSENSUS: Final = Path("data/agreement/consensus.parquet")
_SPLITS: Final = (
    "release.validation_share", "release.test_share", "release.seed", "release.group_by",
    "release.split_attribute", "release.split_conflicts", "release.keep_splits",
)  # fmt: skip
# What of params.yaml decides about a stage's outputs. `engine` does not: results are the same on each.
PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "ingest": ("ingest",),
    "dedupe": ("dedupe",),
    "autolabel": ("autolabel",),
    "embed": ("embeddings",),
    "select": ("qa", "dedupe.decisions", _TAXONOMY),
    "push": ("labelstudio", _TAXONOMY),
    "pull": ("qa.allow_partial", "labelstudio", _TAXONOMY),
    "quality": ("quality", "qa.gold", _TAXONOMY),
    "agreement": (
        "agreement", "dedupe.decisions", _TAXONOMY, "autolabel.detector.kind", "autolabel.detector.model",
        "release.group_by",
    ),
    "release": ("release", "gates", "dedupe", "embeddings.max_split_cosine", "qa.labelers", _TAXONOMY),
    "publish": ("publish", "release.version"),
    "diagnose": ("diagnose",),
    "pairs": ("pairs", "dedupe", *_SPLITS),
    "upscale": ("upscale", "release.license"),
    "measure": ("measure",),
    "vote": ("vote", "labelstudio"),
    "release_pairs": ("release", "gates.licenses"),
}  # fmt: skip
# Parameters that name a file or a folder of the user's, by the stages that read it.
FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "autolabel": (_TAXONOMY,),
    "select": (_TAXONOMY, "qa.gold", "qa.choose.examples"),
    "push": (_TAXONOMY, "labelstudio.instructions"),
    "pull": (_TAXONOMY,),
    "quality": (_TAXONOMY, "qa.gold"),
    "agreement": (_TAXONOMY,),
    "pairs": ("pairs.presets", "pairs.against"),
    "release_pairs": ("release.description", "release.citation"),
    "release": (_TAXONOMY, "release.description", "release.citation", "release.augment.pipeline"),
}
# It knows the sections of all stages. Those of a stage are reached from that stage itself.
_WITHOUT: Final = ("curate.params.__init__",)


def main(params: Params, folder: Path = Path("data/fingerprint")) -> str:
    """Write what each stage depends on; a line that says for which of them it changed.

    Raises:
        InputError: A parameter names a file that cannot be read, or dvc.yaml is of another version of curate.
        ParamsError: Pairs and models are of different scales.
        StorageError: The folder cannot be written.
    """
    pipeline_is_current()
    if "upscale" in stages() and params.upscale.scale != params.pairs.scale:
        raise ParamsError(
            f"upscale.scale = {params.upscale.scale}, pairs.scale = {params.pairs.scale}: results are "
            "compared with the clean images of the pairs, so both must be the same"
        )
    texts = {stage: describe(stage, params) for stage in stages()}  # all of them before the first is written
    changed = [stage for stage, text in texts.items() if _update(folder / f"{stage}.txt", text)]
    return f"fingerprint: {'changed for ' + ', '.join(changed) if changed else 'nothing changed'}"


def pipeline_is_current(path: Path = Path("dvc.yaml")) -> str:
    """What the template of this version is called; without its dependencies a stage would keep old results.

    Raises:
        InputError: The project's dvc.yaml lacks something that this version's has.
    """
    if not path.exists():  # the stages are run by hand
        return "none: the stages are run by hand"
    name, lacking = pipeline_templates.nearest(path)
    if lacking:
        what = f"{lacking[0]} and {len(lacking) - 1} more" if len(lacking) > 1 else lacking[0]
        raise InputError(f"{path} is of another version of curate, it lacks {what}: run `curate update`")
    return f"that of this version ({name})"


def stages(path: Path = Path("dvc.yaml")) -> tuple[str, ...]:
    """Stages of the template that dvc.yaml was made of; those of detection where there is no dvc.yaml."""
    return PIPELINES[pipeline_templates.nearest(path)[0]] if path.exists() else STAGES


def digest(stage: str) -> str:
    """Hex SHA-256 over the code of a stage, with its wiring and all that both import."""
    return fingerprint.digest(f"curate_pipelines.{stage}", "curate_pipelines.stage_entry", without=_WITHOUT)


def describe(stage: str, params: Params) -> str:
    """The content of a stage's file: lines for code, parameters, each file of the user's, what is missing.

    Raises:
        InputError: A parameter names a file that cannot be read.
    """
    values = {name: _value(params, name) for name in PARAMETERS[stage]}
    text = json.dumps(values, sort_keys=True)
    lines = [f"code {digest(stage)}", f"parameters {hashlib.sha256(text.encode()).hexdigest()}"]
    named = [(name, _value(params, name)) for name in FILES.get(stage, ())]
    found = [(name, Path(value)) for name, value in named if value is not None]
    if stage in decision_file.READ_BY and params.dedupe.decisions is not None:
        lines.append(f"decisions {decision_file.digest(params.dedupe.decisions, stage)}")
    lines += _here(stage, params)
    found += _weights(stage, params)
    if stage == "embed" and params.embeddings.objects == "consensus" and _CONSENSUS.exists():
        found.append(("consensus of the last run", _CONSENSUS))  # of a later stage: no dependency of DVC
    found += _training(params) if stage == "agreement" else ()
    if stage in _IMPORTED and _IMPORTED[stage].is_dir():
        found.append((f"imported {_IMPORTED[stage].name}", _IMPORTED[stage]))
    return "".join(
        f"{line}\n" for line in [*lines, *(f"{name} {_content(name, path)}" for name, path in found)]
    )


def _value(params: Params, name: str) -> Any:
    current: Any = params.model_dump(mode="json")
    for step in name.split("."):
        current = current[step]
    return current


def _here(stage: str, params: Params) -> Iterator[str]:
    """What a stage does another way, or leaves out, as a package or weights are not on this machine.

    Ingest asks for its decoders itself. Whatever else a stage needs, it stops without.
    """
    if stage == "measure":
        yield f"not measured here: {', '.join(image_metrics.lacking(params.measure.metrics)) or 'none'}"
    if stage == "embed" and params.embeddings.model is not None:
        yield f"umap-learn {'absent' if importlib.util.find_spec('umap') is None else 'present'}"


def _weights(stage: str, params: Params) -> Iterator[tuple[str, Path]]:
    """Weights in files of the user's that no sha256 in params.yaml stands for.

    Of a folder it stands for the main file only: what else is in it decides about the outputs too.
    """
    for metric in params.measure.metrics if stage == "measure" else ():
        backbone = image_metrics.backbone(metric)
        if backbone is not None and backbone.is_file():
            yield f"weights of {metric}", backbone
    for name, model, sha256 in _models(stage, params):
        path = weights.located(model)  # as their loaders find them
        if path is None:
            continue
        if sha256 is None or path.is_dir():
            yield name, path
            for part in weights.parts(path)[1:] if stage == "upscale" and path.is_file() else ():
                yield f"{name}, {part.name}", part
        if name == "autolabel.detector.model" and params.autolabel.detector.kind == "groundingdino":
            for part in weights.text_encoder_files(path):
                yield f"{name}, {part.parent.name}/{part.name}", part


def _training(params: Params) -> list[tuple[str, Path]]:
    """What the detector was trained on: its labels there are not held against it."""
    detector = params.autolabel.detector
    folder = training_record.folder_of(Path(detector.model))
    if folder is None or detector.kind == "none":
        return []
    files = [folder / name for name in (training_record.NAME, training_record.IMAGES)]
    return [("training of autolabel.detector", one) for one in files if one.exists()]


def _models(stage: str, params: Params) -> Iterator[tuple[str, str, str | None]]:
    """Name of the parameter, model and sha256."""
    if stage == "dedupe" and params.dedupe.semantic.model is not None:
        yield "dedupe.semantic.model", params.dedupe.semantic.model, None
    if stage == "embed" and params.embeddings.model is not None:
        yield "embeddings.model", params.embeddings.model, params.embeddings.sha256
    for name, model in params.upscale.models.items() if stage == "upscale" else ():
        yield f"upscale.models.{name}", model, None
    for name in ("detector", "segmenter") if stage == "autolabel" else ():
        settings = getattr(params.autolabel, name)
        if settings.kind != "none":
            yield f"autolabel.{name}.model", settings.model, settings.sha256


def _content(name: str, path: Path) -> str:
    """Hex SHA-256 of a file, or of all files below a folder with their names."""
    total = hashlib.sha256()
    try:
        if not path.is_dir():
            return sha256_of(path)
        for one in folder_walk.opened(folder_walk.find(path, lambda _: True)):
            total.update(f"{one.relative_to(path).as_posix()}\0{sha256_of(one)}\n".encode())
    except FileNotFoundError as error:
        raise InputError(
            f"{name} = {path} does not exist: create it, or set null where it is not needed"
        ) from error
    except OSError as error:
        raise InputError(f"{name} = {path} cannot be read: {error.strerror}") from error
    return total.hexdigest()


def _update(path: Path, text: str) -> bool:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    with tables.replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return True
