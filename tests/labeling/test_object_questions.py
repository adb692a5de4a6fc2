"""Questions about each object in taxonomy.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import ParamsError
from curate.labeling import taxonomy
from curate.ports import ObjectAttribute

CATEGORIES = """categories:
  - {id: 0, name: sign, prompts: [sign], threshold: 0.4, color: "#e6194b"}
choices:
  - {name: weather, options: [sun, rain]}
"""


def written(folder: Path, *attributes: str) -> Path:
    path = folder / "taxonomy.yaml"
    entries = "".join(f"  - {one}\n" for one in attributes)
    path.write_text(f"{CATEGORIES}attributes:{' []' if not entries else ''}\n{entries}", encoding="utf-8")
    return path


def test_attributes_keep_their_order_and_say_of_what_they_are_asked(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "{name: occluded, options: [no, partly], categories: [sign]}".replace("no,", "'no',"),
        "{name: flaws, options: [dirty, ' bent'], multiple: true}",
    )
    assert taxonomy.load_attributes(path) == (
        ObjectAttribute("occluded", ("no", "partly"), categories=("sign",)),
        ObjectAttribute("flaws", ("dirty", "bent"), multiple=True),
    )
    assert taxonomy.load_attributes(written(tmp_path)) == ()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: occluded, options: [a]}", r"taxonomy.yaml:6: attribute 'occluded' has 1 options"),
        ("{name: caption, options: [a, b]}", r"taxonomy.yaml:6: .*part of the labelling page"),
        ("{name: weather, options: [a, b]}", r"taxonomy.yaml:6: .*twice"),
        (
            "{name: worn, options: [a, b], categories: [car]}",
            r"taxonomy.yaml:6: .*'car', which is no category",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        taxonomy.load_attributes(written(tmp_path, entry))
