"""Known answers for a few images of the demo: gold/demo.json, in COCO's format.

`python -m demo.gold --truth data/demo/truth.json --out gold/demo.json`

Which images: those that have no copy and no near-duplicate (a copy might be kept in their place), some with
objects and some without, chosen by a hash of their path. No stage learns more of the truth than this file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curate import tables
from curate.errors import CurateError, InputError
from curate.geometry import boxes
from curate.records import derived_id

IMAGES, EMPTY = 14, 2  # so many in all, so many of them without objects


def document(truth: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The COCO document of the chosen images.

    Args:
        truth: Entries of truth.json by path of the raw file.
    """
    copied = {entry["of"] for entry in truth.values()}
    alone = [path for path, entry in truth.items() if entry["kind"] == "clean" and path not in copied]
    drawn = sorted(alone, key=lambda path: derived_id("gold", path))
    empty = [path for path in drawn if not truth[path]["objects"]][:EMPTY]
    full = [path for path in drawn if truth[path]["objects"]][: IMAGES - len(empty)]
    chosen = sorted([*empty, *full])
    names = sorted({item["category"] for path in chosen for item in truth[path]["objects"]})
    return {
        "images": [
            {"id": number, "file_name": path, "width": truth[path]["width"], "height": truth[path]["height"]}
            for number, path in enumerate(chosen)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": [
            _annotation(number, at, names.index(item["category"]), item, truth[path])
            for number, (at, path, item) in enumerate(
                (at, path, item) for at, path in enumerate(chosen) for item in truth[path]["objects"]
            )
        ],
    }


def _annotation(
    number: int, image: int, category: int, item: Mapping[str, Any], entry: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": boxes.xyxy_to_xywh([item["bbox_xyxy"]])[0].tolist(),
        "segmentation": {"size": [entry["height"], entry["width"]], "counts": item["rle"]},
        "iscrowd": 0,
    }


def write(truth: Path, out: Path) -> int:
    """Write the file; returns the number of images.

    Raises:
        InputError: The truth file is missing or damaged.
    """
    try:
        files = json.loads(truth.read_text(encoding="utf-8"))["files"]
        content = document(files)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{truth} is missing or damaged: run `python -m demo.raw_folder`") from error
    with tables.replacing(out) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return len(content["images"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--truth", type=Path, default=Path("data/demo/truth.json"))
    parser.add_argument("--out", type=Path, default=Path("gold/demo.json"))
    options = parser.parse_args(arguments)
    try:
        number = write(options.truth, options.out)
    except CurateError as error:
        raise SystemExit(f"gold: {error}") from error
    print(f"{number} images with known answers in {options.out}")


if __name__ == "__main__":
    main()
