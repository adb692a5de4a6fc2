"""The demo's gold: true answers for images that will surely be kept, in a file that the plan can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate import schema
from curate.errors import InputError
from curate.qa import gold_pool
from demo import gold
from tests import builders

SIGN = {
    "category": "stop_sign",
    "bbox_xyxy": [20.0, 20.0, 80.0, 80.0],
    "rle": builders.rle(builders.ellipse((20.0, 20.0, 80.0, 80.0))),
}


def entry(kind: str = "clean", of: str | None = None, *objects: dict[str, Any]) -> dict[str, Any]:
    size = {"width": builders.WIDTH, "height": builders.HEIGHT}
    return {"kind": kind, "of": of, "objects": list(objects), **size}


def truth() -> dict[str, dict[str, Any]]:
    files = {f"camera/{number:02d}.jpg": entry("clean", None, SIGN) for number in range(40)}
    files |= {f"empty/{number}.jpg": entry() for number in range(5)}
    files |= {"copy/00.jpg": entry("exact_copy", "camera/00.jpg", SIGN), "bad.jpg": entry("truncated")}
    return files


def test_only_images_without_copies_are_chosen() -> None:
    # All candidates but one have a copy: it is the one that must be chosen.
    files = truth()
    files |= {f"more/{n}": entry("near_duplicate", f"camera/{n:02d}.jpg", SIGN) for n in range(1, 39)}
    names = [image["file_name"] for image in gold.document(files)["images"]]
    assert [name for name in names if name.startswith("camera")] == ["camera/39.jpg"]
    assert len(names) == 1 + gold.EMPTY


def test_the_plan_reads_the_same_answers(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(json.dumps({"files": truth()}))
    assert gold.write(tmp_path / "truth.json", tmp_path / "demo.json") == gold.IMAGES
    images = [builders.image(name, sources=(name,)) for name in truth()]
    table = pa.Table.from_pylist([image.row() for image in images], schema=schema.IMAGES.arrow)
    known = gold_pool.load(tmp_path / "demo.json", table, ["parking_sign", "stop_sign"])
    outcomes = known["outcome"].to_pylist()
    assert (outcomes.count("object"), outcomes.count("empty")) == (gold.IMAGES - gold.EMPTY, gold.EMPTY)
    drawn = [row for row in known.to_pylist() if row["outcome"] == "object"]
    assert {(row["category"], tuple(row["bbox_xyxy"]), row["rle"]) for row in drawn} == {
        (SIGN["category"], tuple(SIGN["bbox_xyxy"]), SIGN["rle"])
    }


def test_more_files_change_no_choice_by_chance() -> None:
    assert gold.document(truth()) == gold.document(dict(reversed(truth().items())))


@pytest.mark.parametrize("content", [None, "", "{}", "[]"])
def test_a_missing_or_damaged_truth_is_one_line(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "truth.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=r"run `python -m demo\.raw_folder`"):
        gold.write(path, tmp_path / "out.json")
