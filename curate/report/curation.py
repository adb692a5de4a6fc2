"""The first half of the page: from raw files to kept images."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from curate.records import ImageRecord
from curate.report.drawing import Album, Picture
from curate.report.inputs import Facts

_DUPLICATE, _PEOPLE, _REMOVED = "near_duplicate", "human_decision", "removed"
_EXAMPLES, _FILES, _GROUPS, _MEMBERS = (
    4,
    6,
    6,
    6,
)  # of a reason; of a reason without a picture; of each kind; of a group
_SIDE, _GROUP_SIDE = 160, 220  # pixels
_MEANING = {
    _DUPLICATE: "shows the same picture as an image that is kept",
    _PEOPLE: "a person decided to drop it (dedupe.decisions)",
    _REMOVED: "its raw file is no longer there: nothing is wrong with it",
    "crashes_decoder": "killed the process that decoded it, each time it was tried",
    "truncated": "the file ends too early",
    "corrupt": "the file's data are damaged",
    "empty_file": "the file holds no bytes",
    "not_an_image": "not a picture at all, whatever its name says",
    "unsupported_format": "a format that is not read",
    "unreadable": "its bytes could not be had: no permission, a dangling link, a damaged archive member",
    "download_failed": "its address may not be asked, or gave nothing after all tries",
    "changed_while_read": "the file was written to while it was read, twice",
    "name_not_representable": "no file can have this name",
    "bad_sidecar": "what stands beside it cannot be read, so its license is not known",
    "animated": "several frames or pages, which ingest.frames drops",
    "too_small": "shorter side below ingest.min_side",
    "too_large": "more pixels or bytes than allowed",
    "extreme_aspect": "longer side over shorter side above ingest.max_aspect",
}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the funnel: `note` says what was lost on the way; `number` is None if it has not run."""

    name: str
    number: int | None
    share: float
    note: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """One reason for dropping: pictures where there are any, else names of files with their details."""

    reason: str
    meaning: str
    number: int
    share: float
    pictures: tuple[tuple[Picture, str], ...]
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One image of a group of duplicates. `finding` is how it shows the keeper, `detail` why that is kept."""

    picture: Picture | None
    name: str
    size: str
    keeper: bool
    finding: str
    detail: str


@dataclass(frozen=True, slots=True)
class Group:
    """Duplicates, the keeper first."""

    members: tuple[Member, ...]
    size: int
    more: int


def funnel(facts: Facts) -> list[Step]:
    """Raw files, distinct, readable, kept, labelled, released: numbers of images that are there now."""
    images = [image for image in facts.tables.images if image.drop_reason != _REMOVED]
    files = facts.count("ingest", "files") or sum(len(image.sources) for image in images)
    fit = sum(image.drop_reason in (None, _DUPLICATE, _PEOPLE) for image in images)
    decided = any(image.drop_reason == _PEOPLE for image in images)
    kept = sum(image.drop_reason is None for image in images)
    deduped = "dedupe" in facts.metrics or any(image.phash is not None for image in images)
    consensus = facts.tables.consensus
    labeled = len({row.image_id for row in consensus}) if consensus is not None else None
    numbers = [
        ("raw files", files, ""),
        ("distinct", len(images), "exact copies"),
        ("readable", fit, "unreadable or unfit"),
        ("kept", kept if deduped else None, "near-duplicates" + " and decisions" * decided),
        ("labelled", labeled, "not labelled"),
        ("released", len(facts.tables.splits) or None, "not released"),
    ]
    steps, before = [], files
    for name, number, lost in numbers:
        note = f"−{before - number:,} {lost}" if number is not None and number < before and lost else ""
        steps.append(Step(name, number, (number or 0) / max(files, 1), note))
        before = number if number is not None else before
    return steps


def dropped(facts: Facts, album: Album) -> list[Dropped]:
    """Every reason, the most frequent first."""
    by_reason: dict[str, list[ImageRecord]] = defaultdict(list)
    for image in facts.tables.images:
        if image.drop_reason is not None:
            by_reason[image.drop_reason].append(image)
    total = sum(map(len, by_reason.values()))
    return [
        _reason(reason, images, total, album)
        for reason, images in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _reason(reason: str, images: list[ImageRecord], total: int, album: Album) -> Dropped:
    shown: list[tuple[Picture, str]] = []
    for image in images:
        if reason != _DUPLICATE and len(shown) < _EXAMPLES:  # duplicates have a section of their own
            picture = album.thumbnail(image.path, side=_SIDE)
            if picture is not None:
                shown.append((picture, name_of(image)))
    files = tuple((name_of(image), image.drop_detail or "") for image in images[:_FILES])
    return Dropped(
        reason=reason,
        meaning=_MEANING.get(reason, ""),
        number=len(images),
        share=len(images) / total,
        pictures=tuple(shown),
        files=files if not shown and reason != _DUPLICATE else (),
    )


def groups(facts: Facts, album: Album) -> tuple[list[Group], dict[str, Any]]:
    """The largest groups of duplicates, then the most doubtful of the others; and counts of all."""
    by_keeper: dict[str, list[ImageRecord]] = defaultdict(list)
    for image in facts.tables.images:
        if image.dup_group is not None:
            by_keeper[image.dup_group].append(image)
    ordered = [
        sorted(members, key=lambda image: (image.drop_reason is not None, image.image_id))
        for _, members in sorted(by_keeper.items())
    ]
    largest = sorted(ordered, key=lambda members: (-len(members), _lowest(members), members[0].image_id))
    chosen = largest[:_GROUPS]
    rest = sorted(largest[_GROUPS:], key=lambda members: (_lowest(members), members[0].image_id))
    counts = {
        "groups": len(ordered),
        "dropped": sum(image.drop_reason == _DUPLICATE for members in ordered for image in members),
        "variants": sum(image.variant_of is not None for members in ordered for image in members),
        "largest": max(map(len, ordered), default=0),
    }
    return [_group(members, album) for members in [*chosen, *rest[:_GROUPS]]], counts


def _group(members: list[ImageRecord], album: Album) -> Group:
    shown = tuple(
        Member(
            picture=album.thumbnail(image.path, side=_GROUP_SIDE),
            name=name_of(image),
            size=f"{image.width}×{image.height}",
            keeper=image.drop_reason is None,
            finding=_finding(image),
            detail=(image.drop_detail or "").partition("; ")[2],
        )
        for image in members[:_MEMBERS]
    )
    return Group(shown, len(members), max(0, len(members) - _MEMBERS))


def name_of(image: ImageRecord) -> str:
    """The first place where the image was found; its id where every file of it is gone."""
    return image.sources[0] if image.sources else image.image_id[:12]


def _lowest(members: list[ImageRecord]) -> float:
    """The least correlation of a member with the keeper: the lower, the more doubtful the group."""
    return min((image.dup_correlation for image in members if image.dup_correlation is not None), default=1.0)


def _finding(image: ImageRecord) -> str:
    figures = [image.dup_relation] if image.dup_relation else []
    if image.dup_correlation is not None:
        figures.append(f"{image.dup_correlation:.2f}")
    if image.dup_hamming is not None:
        figures.append(f"{image.dup_hamming} bit{'' if image.dup_hamming == 1 else 's'}")
    return ", ".join(figures)
