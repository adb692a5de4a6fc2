"""What Kaggle wants to know of a data set: dataset-metadata.json beside the files of a release.

Source:
    https://github.com/Kaggle/kaggle-api/blob/main/docs/datasets_metadata.md
"""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from curate.errors import InputError
from curate.release import manifest
from curate.release.folder import files_in, replacing_folder
from curate.release.manifest import Manifest

NAME: Final = "dataset-metadata.json"
OTHER: Final = "other"
# Kaggle's own spelling of licenses that it knows, by the Hub's, which `release.license` is of.
LICENSES: Final = MappingProxyType(
    {
        "agpl-3.0": "AGPL-3.0",
        "apache-2.0": "apache-2.0",
        "cc-by-3.0": "CC-BY-3.0",
        "cc-by-4.0": "CC-BY-4.0",
        "cc-by-nc-4.0": "CC-BY-NC-4.0",
        "cc-by-nc-nd-4.0": "CC-BY-NC-ND-4.0",
        "cc-by-nc-sa-4.0": "CC-BY-NC-SA-4.0",
        "cc-by-nd-4.0": "CC-BY-ND-4.0",
        "cc-by-sa-3.0": "CC-BY-SA-3.0",
        "cc-by-sa-4.0": "CC-BY-SA-4.0",
        "cc0-1.0": "CC0-1.0",
        "cdla-permissive-1.0": "CDLA-Permissive-1.0",
        "cdla-sharing-1.0": "CDLA-Sharing-1.0",
        "gfdl": "FDL-1.3",
        "gpl-2.0": "GPL-2.0",
        "gpl-3.0": "GPL-3.0",
        "lgpl-3.0": "LGPL-3.0",
        "odbl": "ODbL-1.0",
        "odc-by": "ODC-BY-1.0",
        "pddl": "PDDL",
    }
)
# Files of a release that mean something on the Hugging Face Hub only.
_OF_THE_HUB: Final = frozenset({".gitattributes"})
_REPO = re.compile(r"[\w-]+/[a-z0-9](?:[a-z0-9-]{4,48})[a-z0-9]", re.ASCII)
_MIN_TITLE, _MAX_TITLE = 6, 50  # characters of a title


def checked(repo: str) -> str:
    """A name of a data set on Kaggle.

    Raises:
        InputError: Not owner/slug as Kaggle has it.
    """
    if not _REPO.fullmatch(repo):
        raise InputError(
            f"{repo!r} is no data set of Kaggle: expected owner/name, the name of 6 to 50 small letters, "
            "digits and '-'"
        )
    return repo


def names(release: Manifest) -> list[str]:
    """Files of a release that go there, release.json last."""
    return [*sorted(set(release.files) - _OF_THE_HUB), manifest.NAME]


def metadata(folder: Path, release: Manifest, repo: str) -> dict[str, Any]:
    """The content of dataset-metadata.json.

    Args:
        folder: The release folder, whose card becomes the description.
        release: Its release.json.
        repo: owner/name.

    Raises:
        InputError: `repo` is no name that Kaggle takes.
    """
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.exists() else ""
    title = release.name if len(release.name) >= _MIN_TITLE else f"{release.name} data set"
    return {
        "title": title[:_MAX_TITLE],
        "id": checked(repo),
        "licenses": [{"name": LICENSES.get(release.license, OTHER)}],
        "description": re.sub(r"\A---\n.*?\n---\n+", "", text, flags=re.DOTALL),  # the Hub's front matter
    }


def same_license(ours: str, shown: str) -> bool:
    """Whether the words that Kaggle shows of a license name ours, as far as its spelling tells.

    Args:
        ours: One of the values of `LICENSES`, or `OTHER`.
        shown: Such as "CC-BY-4.0", or "Attribution 4.0 International (CC BY 4.0)".

    Example:
        >>> same_license("CC-BY-4.0", "Attribution 4.0 International (CC BY 4.0)")
        True
        >>> same_license("CC-BY-4.0", "Attribution-NonCommercial 4.0 International (CC BY-NC 4.0)")
        False
    """
    words = [f" {' '.join(re.findall(r'[a-z0-9]+', text.lower()))} " for text in (ours, shown)]
    return words[0] in words[1]


def write_folder(folder: Path, out: Path, repo: str) -> int:
    """A folder that `kaggle datasets create --path OUT --dir-mode zip` takes; the number of its files.

    Args:
        folder: A release folder that is what its release.json says.
        out: Does not exist, or is empty; files of the release are linked where that can be.
        repo: owner/name.

    Raises:
        InputError: `repo` is no name that Kaggle takes.
        StorageError: The disk is full or refuses.
    """
    release = manifest.read(folder)
    about = metadata(folder, release, repo)
    with replacing_folder(out) as partial:
        for name in names(release):
            target = partial / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # another file system, or one without links
                os.link(folder / name, target)
                continue
            shutil.copyfile(folder / name, target)
        (partial / NAME).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(files_in(out))
