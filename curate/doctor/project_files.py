"""The project's own files: what params.yaml names, git and DVC."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from curate import dvc_files
from curate.adapters import diffusion_upscaler, image_metrics
from curate.doctor.finding import Finding, tried
from curate.errors import CurateError, ParamsError
from curate.ingest import sources
from curate.ingest.place_names import is_url
from curate.labeling import taxonomy
from curate.params import Params, requirement
from curate.restoration import degradation_presets
from curate_pipelines import fingerprint


def stages() -> Collection[str]:
    """Names of the stages of the project's dvc.yaml; none where it cannot be read."""
    try:
        return fingerprint.stages()
    except CurateError:  # said in its own line
        return ()


def needed_extras(settings: Params, stages: Collection[str]) -> frozenset[str]:
    """Extras without which one of the stages would stop."""
    autolabel, publish = settings.autolabel, settings.publish.target
    people = "push" in stages or ("vote" in stages and settings.vote.raters == "labelstudio")
    models = settings.upscale.models.values() if "upscale" in stages else ()
    try:
        known = _sources(settings).sources
    except CurateError:  # said in its own line
        known = ()
    needed = {
        "pipeline": True,
        "autolabel": "autolabel" in stages and autolabel.detector.kind != "none",
        "labelstudio": people and settings.labelstudio.enabled,
        "semantic": bool(settings.dedupe.semantic.model or ("embed" in stages and settings.embeddings.model)),
        "augment": "release" in stages and settings.release.augment.pipeline is not None,
        "restoration": "pairs" in stages,
        "diffusion": any(diffusion_upscaler.is_pipeline(model) for model in models),
        "ffmpeg": "pairs" in stages and _encodes_video(settings),
        "ray": settings.engine.kind == "ray",
        "hub": publish == "hub" or any(one.kind == "hf" for one in known),
        "kaggle": publish == "kaggle",
        "remote": publish == "s3"
        or any(is_url(one.where) for one in known)
        or (people and settings.labelstudio.enabled and settings.labelstudio.storage != "local"),
    }
    return frozenset(extra for extra, wanted in needed.items() if wanted)


def _encodes_video(settings: Params) -> bool:
    try:
        steps = degradation_presets.find(settings.pairs.preset, settings.pairs.presets).steps
    except CurateError:  # said in its own line
        return False
    return any(isinstance(step, degradation_presets.Codec) for step in steps)


def named_files(settings: Params, stages: Collection[str]) -> Iterator[Finding]:
    """Sources, categories, and every file that a parameter names."""

    def preset() -> str:
        named = settings.pairs.preset
        return f"{named}, {len(degradation_presets.find(named, settings.pairs.presets).steps)} steps"

    def files() -> str:
        for stage in stages:
            fingerprint.describe(stage, settings)
        return "each is there"

    yield tried("sources", lambda: f"{len(_sources(settings).sources)} sources")
    yield from _unlicensed(settings)
    if "autolabel" in stages:
        yield from _categories(settings)
    if "pairs" in stages:
        yield tried("preset of pairs", preset)
    yield tried("files that params.yaml names", files)
    lacking = image_metrics.lacking(settings.measure.metrics) if "measure" in stages else {}
    for name, why in lacking.items():
        yield Finding("metrics", "note", f"{name} is not measured: {why}")


def _categories(settings: Params) -> Iterator[Finding]:
    def categories() -> str:
        return f"{len(taxonomy.load(settings.autolabel.taxonomy))} categories"

    def gates() -> str:
        known = {category.name for category in taxonomy.load(settings.autolabel.taxonomy)}
        for name, text in settings.gates.require.items():
            _, by, value = requirement.parse(text).key
            if by == "category" and value not in known:
                raise ParamsError(
                    f"gates.require.{name} names the category {value}, which is not in "
                    f"{settings.autolabel.taxonomy}: correct it, or the release is refused"
                )
        return f"{len(settings.gates.require)} of your own"

    yield tried("taxonomy", categories)
    if settings.gates.require:
        yield tried("gates", gates)


def _unlicensed(settings: Params) -> Iterator[Finding]:
    with suppress(CurateError):  # said in its own line
        bare = [one.name for one in _sources(settings).sources if one.license is None]
        if bare and settings.gates.licenses and "licenses" not in settings.release.allow_failed_gates:
            detail = "no license of its own; a release is refused where an image's sidecar has none either"
            yield Finding("licenses", "note", f"{', '.join(bare)}: {detail}")


def repository() -> Iterator[Finding]:
    """Whether git and DVC will take a command."""
    if not shutil.which("git"):
        yield Finding("git", "broken", "not installed", "apt-get install git")
        return
    asked = ["git", "rev-parse", "--absolute-git-dir"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    lock = Path(done.stdout.strip()) / "index.lock"
    if done.returncode:
        yield Finding("git", "broken", "this folder is in no repository", "git init")
    elif lock.exists():
        remedy = f"make sure that no git runs here, then rm {lock}"
        yield Finding("git", "broken", f"{lock} is there, as a git leaves it that was killed", remedy)
    else:
        yield Finding("git", "ok", f"repository {lock.parent}")
    if not Path(".dvc").is_dir():
        remedy = "dvc init (dvc init --subdir below the root of a repository)"
        yield Finding("dvc state", "broken", "no folder .dvc", remedy)
        return
    yield tried("dvc state", _dvc)


def _dvc() -> str:
    dvc_files.check(Path())
    return "its lock files are whole"


def _sources(settings: Params) -> sources.Sources:
    return sources.load(settings.ingest.raw, settings.ingest.sources)
