"""A release or another data set that stands on the Hugging Face Hub, fetched to be read here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from curate.errors import HubError
from curate.extras import require

_PLACE = re.compile(r"hf://(?:datasets/)?([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def fetch(place: str) -> Path:
    """Bring release.json, the pages and the Parquet files of a revision into the Hub's cache.

    The Hub is asked each time what the revision names: the library alone would pass off what its cache holds.

    Args:
        place: hf://owner/name@revision; without a revision the branch main.

    Returns:
        The folder.

    Raises:
        HubError: No such place, or it cannot be read.
        MissingExtraError: `huggingface_hub` is not installed.
    """
    return _snapshot(place, ["*.json", "*.md", "data/*.parquet"])


def fetch_all(place: str) -> Path:
    """Bring every file of a revision into the Hub's cache; as `fetch`."""
    return _snapshot(place, None)


def _snapshot(place: str, patterns: Sequence[str] | None) -> Path:
    match = _PLACE.fullmatch(place)
    if match is None:
        raise HubError(f"{place} is no place on the Hub: expected hf://owner/name@v1.0.0")
    hub = require("huggingface_hub", extra="hub")
    errors = require("huggingface_hub.errors", extra="hub")
    try:
        named = hub.HfApi().dataset_info(match[1], revision=match[2])
        return Path(
            hub.snapshot_download(
                match[1],
                repo_type="dataset",
                revision=named.sha,
                allow_patterns=patterns,
            )
        )
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError, ValueError) as error:
        raise HubError(f"{place} cannot be read: {' '.join(str(error).split())}") from error
