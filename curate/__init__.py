"""Image-dataset curation and annotation: from raw images to a published, human-verified dataset.

The functions named here are what a notebook wants of it; each is imported when it is first used:

    import curate

    copies = curate.find_duplicates("photos")
    kappa = curate.kappa([[88, 14], [10, 40]])
    labels = curate.read_labels("instances.json")

`import curate` loads neither torch nor any server's SDK; those live behind `curate.adapters`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from curate.agreement.chance import cohen_kappa as kappa
    from curate.agreement.chance import fleiss_kappa
    from curate.agreement.chance import krippendorff_alpha as alpha
    from curate.api import (
        consensus,
        find_duplicates,
        hash_images,
        load_annotations_table,
        load_image,
        load_images_table,
    )
    from curate.geometry.boxes import box_iou
    from curate.geometry.masks import decode as decode_mask
    from curate.geometry.masks import encode as encode_mask
    from curate.geometry.masks import rle_iou as mask_iou
    from curate.geometry.matching import match as match_boxes
    from curate.images.pixel_statistics import measure as measure_quality
    from curate.images.strip_metadata import without_metadata
    from curate.intervals import wilson as wilson_interval
    from curate.label_files import read_labels, write_labels
    from curate.labeling.taxonomy import load as load_taxonomy
    from curate.params import load as load_params
    from curate.release.splits import assign as assign_splits

__version__ = "0.1.0"

_PUBLIC: Final = {  # name here -> module, name there
    "alpha": ("curate.agreement.chance", "krippendorff_alpha"),
    "assign_splits": ("curate.release.splits", "assign"),
    "box_iou": ("curate.geometry.boxes", "box_iou"),
    "consensus": ("curate.api", "consensus"),
    "decode_mask": ("curate.geometry.masks", "decode"),
    "encode_mask": ("curate.geometry.masks", "encode"),
    "find_duplicates": ("curate.api", "find_duplicates"),
    "fleiss_kappa": ("curate.agreement.chance", "fleiss_kappa"),
    "hash_images": ("curate.api", "hash_images"),
    "kappa": ("curate.agreement.chance", "cohen_kappa"),
    "load_annotations_table": ("curate.api", "load_annotations_table"),
    "load_image": ("curate.api", "load_image"),
    "load_images_table": ("curate.api", "load_images_table"),
    "load_params": ("curate.params", "load"),
    "load_taxonomy": ("curate.labeling.taxonomy", "load"),
    "mask_iou": ("curate.geometry.masks", "rle_iou"),
    "match_boxes": ("curate.geometry.matching", "match"),
    "measure_quality": ("curate.images.pixel_statistics", "measure"),
    "read_labels": ("curate.label_files", "read_labels"),
    "wilson_interval": ("curate.intervals", "wilson"),
    "without_metadata": ("curate.images.strip_metadata", "without_metadata"),
    "write_labels": ("curate.label_files", "write_labels"),
}

__all__ = [
    "__version__",
    "alpha",
    "assign_splits",
    "box_iou",
    "consensus",
    "decode_mask",
    "encode_mask",
    "find_duplicates",
    "fleiss_kappa",
    "hash_images",
    "kappa",
    "load_annotations_table",
    "load_image",
    "load_images_table",
    "load_params",
    "load_taxonomy",
    "mask_iou",
    "match_boxes",
    "measure_quality",
    "read_labels",
    "wilson_interval",
    "without_metadata",
    "write_labels",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'curate' has no attribute {name!r}")
    module, there = _PUBLIC[name]
    value = getattr(importlib.import_module(module), there)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
