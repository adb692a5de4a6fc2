"""CHANGELOG.md of a data set: what each version changed, counted, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from curate.release.diff import Diff
from curate.release.diff_columns import Snapshot
from curate.release.manifest import Manifest

NAME: Final = "CHANGELOG.md"
_HEAD: Final = "# Changelog\n"
_OBJECTS: Final = {
    "added": "added",
    "removed": "removed",
    "relabelled": "given another category",
    "moved": "drawn differently",
    "described": "described differently",
}


def add(text: str, version: str, section: str) -> str:
    """The page with a section on top; one of the same version is replaced.

    Args:
        text: The page so far; may be empty.
        version: That the section is about.
        section: Its lines, without heading.
    """
    blocks = text.removeprefix(_HEAD).strip().split("\n## ")
    kept = [block.removeprefix("## ").strip() for block in blocks if block.strip()]
    kept = [block for block in kept if block.splitlines()[0] != version]
    sections = [f"{version}\n\n{section.strip()}", *kept]
    return _HEAD + "".join(f"\n## {block}\n" for block in sections)


def first(release: Snapshot) -> str:
    """The section of the first version."""
    images, objects = release.images.num_rows, release.objects.num_rows
    return f"- First release: {_n(images, 'image')} with {_n(objects, 'object')}.\n"


def section(diff: Diff) -> str:
    """The section of a version that changed something."""
    return "".join(f"- {line}\n" for line in _lines(diff)) or "- No data changed.\n"


def _lines(diff: Diff) -> Iterator[str]:
    counts = diff.counts()
    images, objects = counts["images"], counts["objects"]
    for what, changed in (("Categories", diff.categories), ("Columns", diff.columns)):
        told = {kind: ", ".join(f"`{name}`" for name in names) for kind, names in changed.items() if names}
        yield from (f"{what} {kind}: {names}." for kind, names in told.items())
    if diff.license[0] != diff.license[1]:
        yield f"License of the annotations: `{diff.license[1]}`, before `{diff.license[0] or 'not stated'}`."
    yield from _of_images(images, objects, diff)
    yield from _of_copies(diff.before.manifest, diff.after.manifest)
    for kind, words in _OBJECTS.items():
        if objects[kind]:
            yield f"{_n(objects[kind], 'object')} {words}, on images of both versions."


def _of_images(images: Mapping[str, int], objects: Mapping[str, int], diff: Diff) -> Iterator[str]:
    for kind in ("added", "removed"):
        if images[kind]:
            with_objects = _n(objects[f"with {kind} images"], "object")
            yield f"{_n(images[kind], 'image')} {kind}, with {with_objects}."
    if images["moved"]:
        ways = sorted(
            {(row["before"], row["after"]) for row in diff.images.to_pylist() if row["change"] == "moved"}
        )
        listed = ", ".join(f"{before} to {after}" for before, after in ways)
        yield f"**{_n(images['moved'], 'image')} moved to another split** ({listed})."
    if images["described"]:
        what = "license, attribution, attributes, answers"
        yield f"{_n(images['described'], 'image')} described differently ({what})."


def _of_copies(before: Manifest, after: Manifest) -> Iterator[str]:
    if before.augmentation != after.augmentation and not after.augmentation:
        yield f"The {_n(before.augmented, 'augmented copy')} left."
    elif before.augmentation != after.augmentation:
        how = "made another way" if before.augmentation else "new"
        yield f"{_n(after.augmented, 'augmented copy')} of training images, {how}."
    elif before.augmented != after.augmented:
        yield f"{_n(after.augmented, 'augmented copy')} of training images, before {before.augmented:,}."


def _n(count: int, what: str) -> str:
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count:,} {what if count == 1 else many}"
