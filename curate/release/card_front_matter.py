"""The YAML that opens the card: what the Hub reads, counted from the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from curate.release import augmented_copies, parquet
from curate.release.augmented_copies import CONFIG, TRAIN

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


@dataclass(frozen=True, slots=True)
class SplitSize:
    """A split as it lies on disk: bytes of its values, bytes of its files, rows."""

    values: int
    files: int
    rows: int


@dataclass(frozen=True, slots=True)
class Licensed:
    """What may be done with the annotations.

    Attributes:
        license: An identifier that the Hub knows.
        name: Of a license that it does not know: license is `other` then.
        link: Where its text stands.
    """

    license: str
    name: str | None = None
    link: str | None = None


def split_sizes(folder: Path, part: str = "data") -> dict[str, SplitSize]:
    """Measure the Parquet files of a part of a release folder by split, in the order of their names."""
    sizes: dict[str, SplitSize] = {}
    for path in sorted((folder / part).glob("*.parquet")):
        known = pq.read_metadata(path)
        values = sum(known.row_group(group).total_byte_size for group in range(known.num_row_groups))
        before = sizes.get(path.name.partition("-")[0], SplitSize(0, 0, 0))
        sizes[path.name.partition("-")[0]] = SplitSize(
            before.values + values, before.files + path.stat().st_size, before.rows + known.num_rows
        )
    return sizes


def render(
    name: str,
    digest: str,
    licensed: Licensed,
    sizes: Mapping[str, SplitSize],
    *,
    masks: bool,
    annotators: Sequence[str],
    language: Sequence[str],
    source_datasets: Sequence[str] = (),
    augmented: SplitSize | None = None,
) -> str:
    """The YAML, with its lines of dashes.

    Args:
        name: Of the data set.
        digest: Of the content; part of the files' names.
        licensed: What may be done with the annotations.
        sizes: Of `split_sizes`.
        masks: Whether an object has a mask.
        annotators: Who made the annotations, in the Hub's words.
        language: Codes of the languages of texts in the data; may be empty.
        source_datasets: Data sets that the pictures come from, in the Hub's words; may be empty.
        augmented: Size of the augmented copies; None = there are none.
    """
    configs = [_config("default", {split: parquet.pattern(split, digest) for split in sizes}, sizes)]
    if augmented is not None:
        configs.append(_config(CONFIG, {TRAIN: augmented_copies.pattern(digest)}, {TRAIN: augmented}))
    total = sum(size.rows for size in sizes.values())
    data: dict[str, Any] = {
        "pretty_name": name,
        "license": licensed.license,
        **{
            f"license_{key}": value
            for key, value in (("name", licensed.name), ("link", licensed.link))
            if value
        },
        "task_categories": ["object-detection", *(["image-segmentation"] if masks else [])],
        **({"task_ids": ["instance-segmentation"]} if masks else {}),
        **({"annotations_creators": list(annotators)} if annotators else {}),
        **({"language": list(language)} if language else {}),
        **({"source_datasets": list(source_datasets)} if source_datasets else {}),
        "size_categories": [next((name for below, name in _SIZES if total < below), "10M<n<100M")],
        "tags": ["curate"],
        "configs": [files for files, _ in configs],
        "dataset_info": [info for _, info in configs] if len(configs) > 1 else configs[0][1],
    }
    return f"---\n{yaml.safe_dump(data, sort_keys=False, allow_unicode=True)}---\n"


def _config(
    name: str, patterns: Mapping[str, str], sizes: Mapping[str, SplitSize]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of a configuration in `configs` and in `dataset_info`."""
    files = [{"split": split, "path": pattern} for split, pattern in patterns.items()]
    info = {
        "config_name": name,
        "splits": [
            {"name": split, "num_bytes": size.values, "num_examples": size.rows}
            for split, size in sizes.items()
        ],
        "download_size": sum(size.files for size in sizes.values()),
        "dataset_size": sum(size.values for size in sizes.values()),
    }
    return {"config_name": name, "data_files": files}, info
