"""Findings that the images alone show, from the tables of ingest and dedupe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from curate.check.dataset import DataSet
from curate.check.finding import Row
from curate.check.ingested_image import SeenImage
from curate.params import IngestParams


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds from which on an image is an outlier.

    Attributes:
        min_brightness: Mean luma, 0..255; darker is `dark`.
        max_brightness: Brighter is `bright`.
        min_contrast: Standard deviation of luma; less is `flat`.
        blurred_below: Sharpness (variance of the Laplacian) under which an image is `blurred`, if it is also
            under `median_share` of the set's median: a set of smooth pictures is not blurred for that.
        median_share: In [0, 1].
        max_bandwidth: Share of the resolution that holds detail; with more, an image has sharp edges and is
            `blurred` in neither way.
        always_blurred: Sharpness under which an image is `blurred` whatever the others are.
        gray_below: Colorfulness, levels; an image with less is `gray`, if most of the set is not.
        min_side: Pixels, as ingest's default; less is `odd_size`.
        max_aspect: Longer over shorter side, likewise.
    """

    min_brightness: float = 25.0
    max_brightness: float = 235.0
    min_contrast: float = 8.0
    blurred_below: float = 20.0
    median_share: float = 0.125
    always_blurred: float = 5.0
    max_bandwidth: float = 0.25
    gray_below: float = 0.5
    min_side: int = IngestParams.model_fields["min_side"].default
    max_aspect: float = IngestParams.model_fields["max_aspect"].default


def find(
    seen: Sequence[SeenImage], dataset: DataSet, limits: Limits | None = None
) -> Iterator[tuple[str, Row]]:
    """Name of the kind and case of everything but leaks."""
    limits = limits or Limits()
    for one in seen:
        if not one.decoded:
            reason = f"{one.row['drop_reason']}: {one.row['drop_detail']}"
            for place in one.places:
                yield "not_decoded", _row(dataset, [place], reason)
            continue
        if one.orientation != 1:
            stored, shown = (f"{width} x {height}" for width, height in (one.stored, one.size))
            turned = f"EXIF orientation {one.orientation}: {stored} pixels are shown as {shown}"
            for place in one.places:
                yield "exif_turned", _row(dataset, [place], turned)
    yield from _duplicates(seen, dataset)
    yield from _outliers([one for one in seen if one.decoded], dataset, limits)
    yield from _licenses(seen, dataset)


def _duplicates(seen: Sequence[SeenImage], dataset: DataSet) -> Iterator[tuple[str, Row]]:
    """Copies that stand in one split; those in two are leaks."""
    by_id = {one.image_id: one for one in seen}
    for one in seen:
        firsts: dict[frozenset[str], str] = {}
        for place in one.places:
            own = frozenset(dataset.splits[place])
            other = next(
                (at for splits, at in firsts.items() if splits == own or not leaks(splits, own)), None
            )
            if other is not None:
                yield "exact_duplicate", _row(dataset, [place, other], "the same bytes")
            firsts.setdefault(own, place)
        keeper = by_id.get(one.row["duplicate_of"] or "")
        if keeper is not None and not any(_leaking(one, keeper, dataset)):
            correlation = one.row["dup_correlation"]
            figure = "" if correlation is None else f", correlation {correlation:.2f}"
            detail = f"{one.row['dup_relation']}{figure}"
            yield "near_duplicate", _row(dataset, [one.places[0], keeper.places[0]], detail)


def split_leaks(
    seen: Sequence[SeenImage], pairs: Iterable[tuple[str, str, str]], dataset: DataSet
) -> Iterator[tuple[str, Row]]:
    """Pictures that stand in more than one split.

    Args:
        seen: All images.
        pairs: image_ids that show the same picture, and how.
        dataset: Says which place is of which split.
    """
    by_id = {one.image_id: one for one in seen}
    for one in seen:
        for place in one.places:
            if len(dataset.splits[place]) > 1:
                yield "split_leak", _row(dataset, [place], "listed in both")
        for (mine, first), (theirs, other) in combinations(one.by_splits(dataset).items(), 2):
            if leaks(mine, theirs):
                for place in other:
                    yield "split_leak", _row(dataset, sorted((first[0], place)), "the same bytes")
                for place in first[1:]:
                    yield "split_leak", _row(dataset, sorted((place, other[0])), "the same bytes")
    for a, b, relation in pairs:
        for places in _leaking(by_id[a], by_id[b], dataset):
            yield "split_leak", _row(dataset, sorted(places), relation)


def _leaking(one: SeenImage, other: SeenImage, dataset: DataSet) -> Iterator[tuple[str, str]]:
    """First places of two images in splits of which one may not show what the other does."""
    for (mine, places), (theirs, others) in product(
        one.by_splits(dataset).items(), other.by_splits(dataset).items()
    ):
        if leaks(mine, theirs):
            yield places[0], others[0]


def leaks(splits: Iterable[str], others: Iterable[str]) -> bool:
    """Whether one picture in both would stand in two splits; an image of no split leaks nowhere."""
    mine, theirs = set(splits), set(others)
    return bool(mine and theirs) and len(mine | theirs) > 1


def _outliers(seen: Sequence[SeenImage], dataset: DataSet, limits: Limits) -> Iterator[tuple[str, Row]]:
    usual = float(np.median([one.row["sharpness"] for one in seen])) if seen else 0.0
    gray = {one.image_id for one in seen if _figure(one, "colorfulness") < limits.gray_below}
    tells_gray = 2 * len(gray) < len(seen)
    for one in seen:
        name, detail = _outlier(one, usual, limits)
        if name:
            yield name, _row(dataset, one.places, detail)
        if tells_gray and one.image_id in gray and name in {"", "blurred"}:
            yield "gray", _row(dataset, one.places, f"colorfulness {_figure(one, 'colorfulness'):.1f} levels")
        width, height = one.size
        if min(width, height) < limits.min_side:
            detail = f"{width} x {height}: a side under {limits.min_side} pixels"
            yield "odd_size", _row(dataset, one.places, detail)
        elif max(width, height) > limits.max_aspect * min(width, height):
            detail = f"{width} x {height}: one side over {limits.max_aspect:g} times the other"
            yield "odd_size", _row(dataset, one.places, detail)


def _outlier(one: SeenImage, usual: float, limits: Limits) -> tuple[str, str]:
    """The first that holds: what is dark is neither flat nor blurred beside that."""
    brightness, contrast = one.row["brightness"], one.row["contrast"]
    if brightness < limits.min_brightness:
        return "dark", f"mean brightness {brightness:.0f} of 255"
    if brightness > limits.max_brightness:
        return "bright", f"mean brightness {brightness:.0f} of 255"
    if contrast < limits.min_contrast:
        return "flat", f"standard deviation of brightness {contrast:.1f}"
    sharpness = one.row["sharpness"]
    soft = sharpness < max(limits.always_blurred, min(limits.blurred_below, limits.median_share * usual))
    if soft and (detail := _figure(one, "bandwidth")) <= limits.max_bandwidth:
        shown = f"sharpness {sharpness:.1f}, where the median is {usual:.0f}"
        return "blurred", f"{shown}; detail up to {detail:.0%} of the resolution"
    return "", ""


def _figure(one: SeenImage, name: str) -> float:
    """A figure of technical quality; infinite where the image has none."""
    value = (one.row["quality"] or {}).get(name)
    return np.inf if value is None else float(value)


def _licenses(seen: Sequence[SeenImage], dataset: DataSet) -> Iterator[tuple[str, Row]]:
    """Find images without a license, as labels and the columns of sidecars state it."""
    known = {place: one.row["license"] or dataset.licenses.get(place) for one in seen for place in one.places}
    lacking = [place for place, license in known.items() if not license]
    if not lacking or (len(lacking) == len(known) and dataset.says_license):
        return
    if len(lacking) == len(known):
        yield "license_unknown", Row(detail=f"{len(known)} images, and no file or card that names a license")
        return
    for place in lacking:
        yield "license_gap", _row(dataset, [place], "no license")


def _row(dataset: DataSet, places: Sequence[str], detail: str) -> Row:
    splits = tuple(dict.fromkeys(split for place in places for split in sorted(dataset.splits[place])))
    return Row(images=tuple(places), splits=splits, detail=detail)
