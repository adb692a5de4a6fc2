"""release.json: what a release folder is and which files belong to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from curate.errors import ReleaseError
from curate.file_identity import sha256_of
from curate.release.folder import files_in

NAME = "release.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of release.json.

    Attributes:
        name: Of the dataset.
        version: Semantic version.
        digest: sha256 of the content, hex.
        images: Number of images by split.
        objects: Number of objects by category.
        files: For each file but release.json itself: bytes and sha256.
        license: Of the annotations; empty in releases that did not say so here.
        columns: Version of the columns (`curate.release.columns`).
        augmented: Number of augmented copies.
        augmentation: Digest of how they are made; empty = there are none.
    """

    name: str
    version: str
    digest: str
    images: Mapping[str, int]
    objects: Mapping[str, int]
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    license: str = ""
    columns: int = 1
    augmented: int = 0
    augmentation: str = ""


def write(folder: Path, facts: Manifest) -> Manifest:
    """List the files of a finished folder and write release.json into it.

    Args:
        folder: The release folder; everything else is in it already.
        facts: What it is; its `files` are not looked at.
    """
    names = [name for name in files_in(folder) if name != NAME]
    files = {name: ((folder / name).stat().st_size, sha256_of(folder / name)) for name in names}
    manifest = replace(facts, files=files)
    document = {
        "name": manifest.name,
        "version": manifest.version,
        "digest": manifest.digest,
        "columns": manifest.columns,
        "license": manifest.license,
        "images": dict(manifest.images),
        "objects": dict(manifest.objects),
        **(
            {"augmented": {"images": manifest.augmented, "recipe": manifest.augmentation}}
            if manifest.augmentation
            else {}
        ),
        "files": {name: {"bytes": size, "sha256": digest} for name, (size, digest) in files.items()},
    }
    (folder / NAME).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return manifest


def read(folder: Path) -> Manifest:
    """Read release.json of a folder.

    Raises:
        ReleaseError: It is missing or damaged.
    """
    path = folder / NAME
    try:
        return parse(path.read_bytes())
    except FileNotFoundError as error:
        raise ReleaseError(f"{path} does not exist: run the stage release first") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(f"{path} is damaged ({error}): run dvc repro --force release") from error


def parse(text: bytes) -> Manifest:
    """The content of a release.json.

    Raises:
        ValueError: It is no JSON; KeyError, TypeError, AttributeError: it holds something else.
    """
    document = json.loads(text)
    augmented = document.get("augmented", {})
    return Manifest(
        name=str(document["name"]),
        version=str(document["version"]),
        digest=str(document["digest"]),
        images=dict(document["images"]),
        objects=dict(document["objects"]),
        files={
            name: (int(entry["bytes"]), str(entry["sha256"])) for name, entry in document["files"].items()
        },
        license=str(document.get("license", "")),
        columns=int(document.get("columns", 1)),
        augmented=int(augmented.get("images", 0)),
        augmentation=str(augmented.get("recipe", "")),
    )


def trusted(folder: Path) -> Manifest:
    """Read release.json and hold the folder against it.

    Raises:
        ReleaseError: Missing, damaged, or a file that was changed since.
    """
    manifest = read(folder)
    wrong = damaged_files(folder, manifest)
    if wrong:
        raise ReleaseError(
            f"{folder / wrong[0]} is not what release.json says: run dvc repro --force release"
        )
    return manifest


def damaged_files(folder: Path, manifest: Manifest) -> list[str]:
    """Files that are missing, strange, or not what the manifest says; sorted."""
    found = set(files_in(folder)) - {NAME}
    wrong = found ^ set(manifest.files)
    for name in found & set(manifest.files):
        size, digest = manifest.files[name]
        if (folder / name).stat().st_size != size or sha256_of(folder / name) != digest:
            wrong.add(name)
    return sorted(wrong)
