"""Supervision's reader of COCO, its converters' first step: `run_supervision_coco.py COCO ANSWER_FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import supervision

if __name__ == "__main__":
    found = supervision.DetectionDataset.from_coco(
        images_directory_path="images", annotations_path=sys.argv[1]
    )
    objects = sum(len(one) for one in found.annotations.values())
    answer = f"supervision {supervision.__version__}: {len(found):,} images, {objects:,} objects"
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")
