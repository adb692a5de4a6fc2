"""Stage publish: the release to where it is read, verified there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from curate import tables
from curate.params import PublishParams
from curate.ports import DatasetHub
from curate.records import StageReport
from curate.release import manifest


@dataclass(frozen=True, slots=True)
class Inputs:
    """`release`: the folder of the stage release."""

    release: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """`receipt`: JSON, the same for the same release and target."""

    receipt: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """`hub`: where releases live."""

    hub: DatasetHub


def run(params: PublishParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Publish the release folder.

    The version comes from its release.json, which the folder's own files are held against.

    Raises:
        ReleaseError: The folder is no release.
        HubError: The hub refused, or what arrived differs.
        StorageError: A file cannot be written.
    """
    release = manifest.read(inputs.release)
    receipt = ports.hub.publish(inputs.release, digest=release.digest, version=release.version)
    document = {
        "target": receipt.target,
        "location": receipt.location,
        "revision": receipt.revision,
        "files": receipt.files,
        "name": release.name,
        "version": release.version,
        "digest": release.digest,
    }
    with tables.replacing(outputs.receipt) as partial:
        partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return StageReport(
        stage="publish",
        counts=(("files", receipt.files), ("already there", receipt.files if receipt.unchanged else 0)),
        metrics={"target": params.target, "version": release.version, "digest": release.digest},
    )
