"""Each compiled module, the plain version of what it does, and the step of a stage that calls it.

For `benchmarks.kernels`. Inputs are drawn from a seed.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from benchmarks import (
    agreement,
    photo_collages,
    plain_masks,
    plain_pictures,
    plain_registration,
    plain_search,
    result,
    synthetic_index,
    transforms,
    view_project,
)
from curate import project_tables
from curate.adapters import fiftyone_content
from curate.adapters.labelstudio import decode_regions, encode_regions
from curate.dedupe import candidates, features, thumbnails, verify
from curate.dedupe.difference_thumbnails import COLUMNS, detail_thumbnail
from curate.dedupe.features import Features, Recipe
from curate.images import upright_srgb
from curate.images.image_errors import Limits
from curate.params import DedupeParams
from curate.ports import TaskDraft
from curate.stages import diagnose
from tests import builders

_QUICK: Final = result.quick()
PICTURES: Final = 4 if _QUICK else 16
PIXELS: Final = 800_000
SCENES, THUMBNAIL_PIXELS = (40 if _QUICK else 300), 12_288
INDEXED: Final = 500 if _QUICK else 8192
IMAGES: Final = 20 if _QUICK else 300  # of the stage agreement
TASKS: Final = 10 if _QUICK else 100
VIEWED: Final = 200 if _QUICK else 3000
_LIMITS: Final = Limits(min_side=32, max_pixels=10**9, max_aspect=1000)
_RECIPE: Final = Recipe.of(DedupeParams())
_WIDTH, _HEIGHT = 640, 480


@dataclass(frozen=True, slots=True)
class Case:
    """One module.

    Attributes:
        plain: The plain version of each function, by the name that the step finds it under.
        step: Does the work of a step of the stage.
        items: Of how many images, pairs or tasks.
        tolerance: By which values of both may differ; 0 = equal.
        alike: Least share of values within the tolerance.
    """

    plain: Mapping[str, Callable[..., Any]]
    step: Callable[[], Any]
    items: int
    tolerance: float = 0.0
    alike: float = 1.0


def _files(folder: Path) -> list[Path]:
    """JPEGs of photographic scenes."""
    paths = []
    for number in range(PICTURES):
        scene = photo_collages.draw(
            np.random.default_rng((7, number)), photo_collages.HALVES["report"], PIXELS
        )
        paths.append(folder / f"{number}.jpg")
        Image.fromarray(scene.pixels).save(paths[-1], quality=90)
    return paths


def _ingest(folder: Path, **more: Any) -> Case:
    contents = [path.read_bytes() for path in _files(folder)]

    def step() -> None:
        for content in contents:
            upright_srgb.upright(content, _LIMITS, frames="first", jpeg_quality=95)

    return Case(step=step, items=len(contents), **more)


LUMA: Final = {"curate.images.luma_sums.luma_sums": plain_pictures.luma_sums}
QUALITY: Final = {"curate.images.quality_sums.quality_of_sums": plain_pictures.quality_of_sums}


def _hashed(folder: Path, recipe: Recipe) -> Case:
    paths = _files(folder)
    return Case(THUMBNAILS, lambda: features.extract(paths, recipe), len(paths), tolerance=1)


THUMBNAILS: Final = {
    "curate.dedupe.features.luma_thumbnail": plain_pictures.luma_thumbnail,
    "curate.dedupe.features.color_cells": plain_pictures.color_cells,
}


def _registration(_: Path) -> Case:
    """Scenes, each with a changed copy; verified are the pairs that a search brings."""
    names = sorted(transforms.SETS["report"])
    pictures = []
    for number in range(SCENES):
        rng = np.random.default_rng((8, number))
        scene = photo_collages.draw(rng, photo_collages.HALVES["report"], THUMBNAIL_PIXELS).pixels
        pictures += [scene, transforms.SETS["report"][names[number % len(names)]](rng, scene)]
    made = _features([np.ascontiguousarray(one) for one in pictures])
    pairs = candidates.candidates(made, _RECIPE, None)
    place = "curate.dedupe.placement_search.compare"
    near = "curate.dedupe.local_differences"
    return Case(
        plain={
            place: plain_registration.compare,
            f"{near}._place": plain_registration.place,
            f"{near}._place_colors": plain_registration.place_colors,
        },
        step=lambda: verify.verify(made, pairs, _RECIPE, min_correlation=0.5),
        items=len(pairs),
        tolerance=0.05,
        alike=0.95,
    )


def _features(pictures: list[np.ndarray[Any, Any]]) -> Features:
    details = [detail_thumbnail(one) for one in pictures]
    return features.from_thumbnails(
        _RECIPE,
        np.stack([thumbnails.luma_thumbnail(one, features.SIDE) for one in pictures]),
        np.stack([thumbnails.color_cells(one, features.CELLS) for one in pictures]),
        np.array([one.shape[1::-1] for one in pictures], dtype=np.uint32),
        {name: np.stack(column) for name, column in zip(COLUMNS, zip(*details, strict=True), strict=True)},
        None,
    )


def _hamming_kernel(_: Path) -> Case:
    columns = synthetic_index._features(_RECIPE, 512, 0)
    made = Features.from_columns({name: column[:INDEXED] for name, column in columns.items()})
    kernel = "curate.dedupe.hamming_kernel"
    return Case(
        plain={
            f"{kernel}.mixed": plain_search.mixed,
            f"{kernel}.bucketed": plain_search.bucketed,
            f"{kernel}.join": plain_search.join,
        },
        step=lambda: candidates.candidates(made, _RECIPE, None),
        items=INDEXED,
    )


def _banding(folder: Path) -> Case:
    images = [diagnose.KeptImage(path) for path in _files(folder)[: 1 if _QUICK else 3]]
    step = partial(diagnose._measure_all, images)
    plain = {"curate.restoration.banding._contrasts": plain_pictures.contrasts}
    return Case(plain=plain, step=step, items=len(images))


def _agreement(folder: Path, **more: Any) -> Case:
    result.CACHE.mkdir(parents=True, exist_ok=True)
    agreement.write_drawn(folder, IMAGES)
    step = partial(agreement.settle, str(folder), IMAGES, "local")
    return Case(step=step, items=IMAGES, **more)


RUNS: Final = {
    "curate.agreement.mask_runs.read": plain_masks.read,
    "curate.agreement.mask_runs.iou": plain_masks.iou,
}
FUSION: Final = {"curate.agreement.mask_fusion.fuse": plain_masks.fuse}


def _brush_rle_kernels(_: Path) -> Case:
    """Tasks of four suggestions with masks: encoded, as JSON there and back, and read as an answer."""
    names, rng = tuple(builders.CATEGORIES), np.random.default_rng(9)
    drafts = []
    for number in range(TASKS):
        rows = []
        for _suggestion in range(4):
            x, y, wide, high = rng.uniform((10, 10, 60, 60), (400, 250, 200, 200)).tolist()
            box = (x, y, x + wide, y + high)
            size = (_WIDTH, _HEIGHT)
            rows.append(builders.annotation(str(number), names[0], box, origin="model", size=size))
        key = f"{number:024x}"
        drafts.append(TaskDraft(key, "0" * 64, "a.jpg", _WIDTH, _HEIGHT, 1, tuple(rows)))

    def step() -> None:
        for draft in drafts:
            regions = json.loads(json.dumps(encode_regions.encode_task(draft, names)))
            work = decode_regions.Work(
                draft.task_id, draft.image_id, _WIDTH, _HEIGHT, "a", regions, False, None, None
            )
            if len(decode_regions.read(work, names).rows) != len(draft.pre_annotations):
                raise AssertionError("an answer lost objects")

    kernel = "curate.geometry.brush_rle_kernels"
    names_of_functions = ("opaque", "crossed", "coco_counts", "brush_bytes")
    plain = {f"{kernel}.{name}": getattr(plain_masks, name) for name in names_of_functions}
    return Case(plain, step, TASKS)


def _row_hashes(folder: Path) -> Case:
    """A project after agreement, as `curate view` looks at it before it writes anything."""
    root = folder / "project"
    view_project.make(root, VIEWED)
    found = project_tables.find(root, stage="release")
    return Case(
        plain={
            "curate.row_hashes._of_bytes": plain_search.of_bytes,
            "curate.row_hashes._of_runs": plain_search.of_runs,
        },
        step=lambda: fiftyone_content.of_tables(found),
        items=VIEWED,
    )


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the page says of a module, and how its case is made in a folder.

    Attributes:
        beside: Why the row is not held to the target; empty = it is.
    """

    replaces: str
    step: str
    make: Callable[[Path], Case]
    beside: str = ""


_JPEG: Final = "decode and measure a JPEG"
_FEATURES: Final = "dedupe: features of a JPEG"
_SETTLED: Final = "agreement: an image of 3 people"
KERNELS: Final[dict[str, Kernel]] = {
    "images/luma_sums": Kernel(
        "NumPy", f"ingest: {_JPEG}", partial(_ingest, plain=LUMA), "counts with the other of its step"
    ),
    "images/quality_sums": Kernel(
        "NumPy", f"ingest: {_JPEG}", partial(_ingest, plain=QUALITY, tolerance=1e-9)
    ),
    "images/luma_sums + images/quality_sums": Kernel(
        "NumPy", f"ingest: {_JPEG}", partial(_ingest, plain=LUMA | QUALITY, tolerance=1e-9)
    ),
    "dedupe/thumbnails": Kernel(
        "Pillow", f"{_FEATURES}, `decode: exact`", partial(_hashed, recipe=replace(_RECIPE, decode="exact"))
    ),
    "dedupe/thumbnails, small": Kernel(
        "Pillow", _FEATURES, partial(_hashed, recipe=_RECIPE), "counts where pictures are decoded in full"
    ),
    "dedupe/hamming_kernel": Kernel("NumPy", "dedupe: search of an image", _hamming_kernel),
    "dedupe/registration": Kernel("NumPy, in batches", "dedupe: verify a pair", _registration),
    "agreement/mask_runs": Kernel(
        "NumPy, pycocotools", _SETTLED, partial(_agreement, plain=RUNS, tolerance=1e-12)
    ),
    "agreement/mask_fusion": Kernel("NumPy, SciPy", _SETTLED, partial(_agreement, plain=FUSION)),
    "geometry/brush_rle_kernels": Kernel(
        "Python's loops, NumPy, pycocotools",
        "push and pull, without the server: a task of 4 masks",
        _brush_rle_kernels,
    ),
    "restoration/banding": Kernel("NumPy", f"diagnose: {_JPEG}", _banding),
    "row_hashes": Kernel("NumPy", "view: rows of an image", _row_hashes),
}


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for the inputs of one case."""
    result.CACHE.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=result.CACHE)
