"""The project's own files: what params.yaml names, git and DVC."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from curate import dvc_files
from curate.doctor.finding import Finding, tried
from curate.errors import CurateError
from curate.ingest import sources
from curate.ingest.place_names import is_url
from curate.labeling import taxonomy
from curate.params import Params
from curate_pipelines import fingerprint


def needed_extras(settings: Params) -> frozenset[str]:
    """Extras without which a stage would stop."""
    needed = {"pipeline", "autolabel", "labelstudio"}
    needed |= {"semantic"} if settings.dedupe.semantic.model or settings.embeddings.model else set()
    needed |= {"ray"} if settings.engine.kind == "ray" else set()
    needed |= {"hub"} if settings.publish.target == "hub" else set()
    try:
        known = _sources(settings).sources
    except CurateError:  # said in its own line
        known = ()
    needed |= {"remote"} if any(is_url(one.where) for one in known) else set()
    needed |= {"hub"} if any(one.kind == "hf" for one in known) else set()
    return frozenset(needed)


def named_files(settings: Params) -> Iterator[Finding]:
    """Sources, categories, and every file that a parameter names."""

    def categories() -> str:
        return f"{len(taxonomy.load(settings.autolabel.taxonomy))} categories"

    def files() -> str:
        for stage in fingerprint.stages():
            fingerprint.describe(stage, settings)
        return "each is there"

    yield tried("dvc.yaml", fingerprint.pipeline_is_current)
    yield tried("sources", lambda: f"{len(_sources(settings).sources)} sources")
    if "autolabel" in fingerprint.stages():
        yield tried("taxonomy", categories)
    yield tried("files that params.yaml names", files)


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
