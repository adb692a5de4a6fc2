"""DVC stage publish: the release to its target, verified."""

from __future__ import annotations

from pathlib import Path

from curate.adapters.folder_hub import FolderHub
from curate.adapters.huggingface_hub import HuggingFaceHub
from curate.errors import ParamsError
from curate.params import Params, PublishParams
from curate.ports import DatasetHub
from curate.records import StageReport
from curate.stages import publish


def main(params: Params) -> StageReport:
    """Wire and run the stage."""
    return publish.run(
        params.publish,
        inputs=publish.Inputs(release=Path("data/release")),
        outputs=publish.Outputs(receipt=Path("data/publish/receipt.json")),
        ports=publish.Ports(hub=_hub(params.publish)),
    )


def _hub(settings: PublishParams) -> DatasetHub:
    if settings.target == "folder":
        return FolderHub(settings.folder)
    if settings.repo is None:  # PublishParams has refused that; this is for the type checker
        raise ParamsError("params.yaml: publish.repo is null: name the repository, owner/name")
    return HuggingFaceHub(settings.repo, private=settings.private)
