"""Stage publish: the release to where it is read, verified there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from curate import tables
from curate.params import PublishParams
from curate.ports import DatasetHub
from curate.records import StageReport
from curate.release import diff_columns, manifest, versions
from curate.release.folder import replacing_folder
from curate.release.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Inputs:
    """`release`: the folder of the stage release."""

    release: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        receipt: JSON, the same for the same release and target.
        last: Folder with all but the pictures of the last version that was published.
    """

    receipt: Path
    last: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """`hub`: where releases live; `say` takes a line for the user."""

    hub: DatasetHub
    say: Callable[[str], None] = print


def run(
    params: PublishParams, *, inputs: Inputs, outputs: Outputs, ports: Ports, confirmed: bool = False
) -> StageReport:
    """Publish the release folder, or prepare it where a person must say the word.

    The target is asked each time, whatever the receipt says. The version comes from the folder's
    release.json, which its own files are held against.

    Args:
        params: The section `publish`.
        inputs: The release.
        outputs: What is written.
        ports: The outside.
        confirmed: A person said the word.

    Raises:
        ReleaseError: The folder is no release.
        HubError: The hub refused, or what arrived differs.
        StorageError: A file cannot be written.
    """
    release = manifest.read(inputs.release)
    if params.waits and not confirmed:
        plan = ports.hub.plan(inputs.release)
        if not plan.there:
            for line in plan.lines():
                ports.say(line)
            ports.say("nothing is published before you say so: curate publish")
            outputs.last.mkdir(parents=True, exist_ok=True)  # an output that DVC expects
            _write(outputs.receipt, params, release, {"state": "waits for curate publish"})
            return _report(params, release, files=0, there=0, waiting=1)
    receipt = ports.hub.publish(inputs.release)
    _keep(inputs.release, release, outputs.last)
    found = {"location": receipt.location, "revision": receipt.revision, "files": receipt.files}
    _write(outputs.receipt, params, release, {"state": "published", **found})
    there = receipt.files if receipt.unchanged else 0
    return _report(params, release, files=receipt.files, there=there, waiting=0)


def _keep(folder: Path, release: Manifest, last: Path) -> None:
    """Remember what was published, unless it is known already or a higher version was."""
    kept = manifest.read(last) if (last / manifest.NAME).exists() else None
    if kept is not None and kept == release:
        return
    if kept is None or versions.parts(kept.version) <= versions.parts(release.version):
        with replacing_folder(last) as partial:
            diff_columns.keep(folder, partial)


def _write(path: Path, params: PublishParams, release: Manifest, state: Mapping[str, object]) -> None:
    about = {"name": release.name, "version": release.version, "digest": release.digest}
    text = json.dumps({"target": params.target, **state, **about}, indent=2) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with tables.replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _report(params: PublishParams, release: Manifest, *, files: int, there: int, waiting: int) -> StageReport:
    counts = [("files", files), ("already there", there)]
    return StageReport(
        stage="publish",
        counts=(*counts, *([("waiting for curate publish", waiting)] if waiting else [])),
        metrics={"target": params.target, "version": release.version, "digest": release.digest},
    )
