from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import ParamsError
from curate.labeling import taxonomy

GOOD = """categories:
  - {id: 1, name: dog, prompts: [A Dog, puppy], threshold: 0.3, color: "#00FF00"}
  - {id: 0, name: cat, prompts: [cat], threshold: 0.4, color: "#ff0000", description: A cat.}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "taxonomy.yaml"
    path.write_text(text)
    return path


def test_categories_come_by_id_with_lowered_prompts(tmp_path: Path) -> None:
    cat, dog = taxonomy.load(write(tmp_path, GOOD))
    assert (cat.name, cat.threshold, cat.description) == ("cat", 0.4, "A cat.")
    assert dog.prompts == ("a dog", "puppy")
    assert dog.color == "#00ff00"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("prompts: [cat]", "prompts: []"), ":3: category 'cat' has no prompt: add at least one phrase"),
        (("prompts: [cat]", "prompts: ['  ']"), ":3: category 'cat' has no prompt"),
        (("prompts: [cat]", "prompts: [cat. dog]"), ":3: category 'cat' has a prompt with '.'"),
        (("prompts: [cat]", "prompts: [PUPPY]"), "prompt 'puppy' is used twice"),
        (("id: 0", "id: 1"), "id '1' is used twice"),
        (("name: cat", "name: dog"), "name 'dog' is used twice"),
        (("threshold: 0.4", "threshold: 4"), ":3: categories.1.threshold = 4 is refused"),
        (("threshold: 0.4", "treshold: 0.4"), "did you mean 'threshold'"),
        (('color: "#ff0000"', "color: red"), ":3: categories.1.color = 'red' is refused"),
    ],
)
def test_bad_entries_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(ParamsError) as caught:
        taxonomy.load(write(tmp_path, GOOD.replace(*change)))
    assert message in str(caught.value)


def test_no_category_at_all(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="categories is empty"):
        taxonomy.load(write(tmp_path, "categories: []\n"))


@pytest.mark.parametrize(
    "change", [("0.4", "0.41"), ("name: cat", "name: kitten"), ("[cat]", "[cat, kitten]")]
)
def test_the_digest_knows_every_change(tmp_path: Path, change: tuple[str, str]) -> None:
    before = taxonomy.digest(taxonomy.load(write(tmp_path, GOOD)))
    assert taxonomy.digest(taxonomy.load(write(tmp_path, GOOD.replace(*change)))) != before
