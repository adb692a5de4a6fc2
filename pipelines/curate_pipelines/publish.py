"""DVC stage publish: the release to its target, verified."""

from __future__ import annotations

from pathlib import Path

from curate.adapters.archive_hub import ArchiveHub
from curate.adapters.bucket_hub import BucketHub
from curate.adapters.folder_hub import FolderHub
from curate.adapters.huggingface_hub import HuggingFaceHub
from curate.adapters.kaggle_hub import KaggleHub
from curate.params import Params, PublishParams
from curate.ports import DatasetHub
from curate.records import StageReport
from curate.stages import publish


def main(params: Params, *, confirmed: bool = False) -> StageReport:
    """Wire and run the stage; `confirmed`: a person said the word."""
    return publish.run(
        params.publish,
        inputs=publish.Inputs(release=Path("data/release")),
        outputs=publish.Outputs(receipt=Path("data/publish/receipt.json"), last=Path("data/publish/last")),
        ports=publish.Ports(hub=hub(params.publish)),
        confirmed=confirmed,
    )


def hub(settings: PublishParams) -> DatasetHub:
    """The target that params.yaml names.

    Raises:
        MissingExtraError: What it needs is not installed.
    """
    match settings.target:
        case "folder":
            return FolderHub(settings.folder)
        case "archive":
            return ArchiveHub(settings.folder)
        case "s3":
            return BucketHub(settings.url or "")
        case "kaggle":
            return KaggleHub(settings.repo or "", private=settings.private)
        case "hub":
            return HuggingFaceHub(
                settings.repo or "",
                private=settings.private,
                gated=settings.gated,
                edited_readme=settings.edited_readme,
            )
