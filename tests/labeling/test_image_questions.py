"""Questions about the whole image in taxonomy.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import ParamsError
from curate.labeling import taxonomy
from curate.ports import ImageChoice

CATEGORIES = """categories:
  - {id: 0, name: sign, prompts: [sign], threshold: 0.4, color: "#e6194b"}
"""


def written(folder: Path, choices: str) -> Path:
    path = folder / "taxonomy.yaml"
    path.write_text(CATEGORIES + choices, encoding="utf-8")
    return path


def test_most_taxonomies_ask_nothing(tmp_path: Path) -> None:
    assert taxonomy.load_choices(written(tmp_path, "")) == ()


def test_questions_keep_their_order_and_do_not_change_the_categories(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "choices:\n  - {name: weather, options: [sun, rain]}\n"
        "  - {name: flaws, options: [dark, blurred], multiple: true}\n",
    )
    assert taxonomy.load_choices(path) == (
        ImageChoice("weather", ("sun", "rain")),
        ImageChoice("flaws", ("dark", "blurred"), multiple=True),
    )
    assert [category.name for category in taxonomy.load(path)] == ["sign"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: weather, options: [sun]}", r"taxonomy.yaml:4: .*'weather' has 1 options"),
        ("{name: box, options: [a, b]}", r"taxonomy.yaml:4: .*part of the labelling page"),
        ("{name: weather, options: [sun, ' sun']}", r"taxonomy.yaml:4: .*empty or there twice"),
        (
            "{name: weather, options: [a, b]}\n  - {name: weather, options: [a, b]}",
            r"taxonomy.yaml:5: .*twice",
        ),
        ("{name: weather, option: [a, b]}", r"taxonomy.yaml:4"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        taxonomy.load_choices(written(tmp_path, f"choices:\n  - {entry}\n"))
