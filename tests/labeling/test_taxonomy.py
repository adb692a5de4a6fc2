from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import ParamsError
from curate.labeling import taxonomy

GOOD = """categories:
  - {id: 1, name: dog, prompts: [A  Dog, puppy], threshold: 0.3, color: "#00FF00", parent: cat}
  - {id: 0, name: cat, prompts: [cat], threshold: 0.4, color: "#ff0000", description: A cat.}
  - {id: 2, name: fox, prompts: [fox], threshold: 0.5, color: "#0000ff", parent: dog}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "taxonomy.yaml"
    path.write_text(text)
    return path


def test_categories_come_by_id_with_lowered_prompts(tmp_path: Path) -> None:
    cat, dog, fox = taxonomy.load(write(tmp_path, GOOD))
    assert (cat.name, cat.threshold, cat.description, cat.parent) == ("cat", 0.4, "A cat.", None)
    assert dog.prompts == ("a dog", "puppy")
    assert dog.color == "#00ff00"
    assert (dog.parent, fox.parent) == ("cat", "dog")


def test_the_file_of_the_demo_is_valid() -> None:
    assert len(taxonomy.load(Path(__file__).parents[2] / "taxonomy.yaml")) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("prompts: [cat]", "prompts: []"), ":3: category 'cat' has no prompt: add at least one phrase"),
        (("prompts: [cat]", "prompts: ['  ']"), ":3: category 'cat' has no prompt"),
        (("prompts: [cat]", "prompts: [cat. dog]"), ":3: category 'cat' has a prompt with '.'"),
        (("prompts: [cat]", "prompts: [PUPPY]"), ":3: prompt 'puppy' is used twice, first by 'dog'"),
        (("prompts: [cat]", "prompts: [a dog ]"), ":3: prompt 'a dog' is used twice"),
        (("prompts: [cat]", "prompts: [cat, Cat]"), ":3: prompt 'cat' is used twice, first by 'cat'"),
        (("id: 0", "id: 1"), ":3: id '1' is used twice"),
        (("name: cat", "name: dog"), ":3: name 'dog' is used twice"),
        (("threshold: 0.4", "threshold: 4"), ":3: categories.1.threshold = 4 is refused"),
        (("threshold: 0.4", "treshold: 0.4"), "did you mean 'threshold'"),
        (('color: "#ff0000"', "color: red"), ":3: categories.1.color = 'red' is refused"),
        (("parent: dog", "parent: dgo"), ":4: parent 'dgo' of 'fox' is no category; did you mean 'dog'?"),
        (("parent: dog", "parent: zzz"), ":4: parent 'zzz' of 'fox' is no category; known here: dog, "),
        (("parent: dog", "parent: fox"), ":4: parent 'fox' goes round in a circle: fox > fox"),
        (("description: A cat.", "parent: fox"), ":2: parent 'cat' goes round in a circle: dog > cat > "),
    ],
)  # fmt: skip
def test_bad_entries_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(ParamsError) as caught:
        taxonomy.load(write(tmp_path, GOOD.replace(*change)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_circle_further_up_is_told_where_it_is(tmp_path: Path) -> None:
    text = GOOD.replace("description: A cat.", "parent: cat")
    with pytest.raises(ParamsError, match=":3: parent 'cat' goes round in a circle: cat > cat"):
        taxonomy.load(write(tmp_path, text))


def test_no_category_at_all(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="categories is empty"):
        taxonomy.load(write(tmp_path, "categories: []\n"))


@pytest.mark.parametrize(
    "change",
    [
        ("0.4", "0.41"),
        ("name: fox", "name: wolf"),
        ("[cat]", "[cat, kitten]"),
        ("id: 0", "id: 9"),
        ("ff0000", "ff0001"),
        ("A cat.", "Two cats."),
        (", parent: dog", ""),
    ],
)
def test_the_digest_knows_every_change(tmp_path: Path, change: tuple[str, str]) -> None:
    before = taxonomy.digest(taxonomy.load(write(tmp_path, GOOD)))
    assert taxonomy.digest(taxonomy.load(write(tmp_path, GOOD.replace(*change)))) != before


def test_the_digest_knows_nothing_else(tmp_path: Path) -> None:
    before = taxonomy.digest(taxonomy.load(write(tmp_path, GOOD)))
    head, *rows = GOOD.splitlines()
    text = "\n".join(["# a comment", head, *reversed(rows)]).replace("A  Dog", "a dog")
    assert taxonomy.digest(taxonomy.load(write(tmp_path, text))) == before


def test_remarks_name_what_is_probably_a_mistake(tmp_path: Path) -> None:
    assert taxonomy.remarks(taxonomy.load(write(tmp_path, GOOD))) == []
    text = GOOD.replace("#0000ff", "#ff0000").replace("[fox]", "[fox, grey cat, catfish]")
    text += '  - {id: 3, name: Fox, prompts: [red one], threshold: 0.5, color: "#0000f0"}\n'
    assert taxonomy.remarks(taxonomy.load(write(tmp_path, text))) == [
        "cat and fox have the same color #ff0000: no view tells them apart",
        "fox and Fox differ only in case or in what stands between the words",
        "prompt 'cat' of cat stands within 'grey cat' of fox: both find the same things",
    ]


def test_a_name_outside_ascii_is_a_title_beside_a_key(tmp_path: Path) -> None:
    text = GOOD.replace("name: cat", "name: cat, title: 고양이", 1)
    assert text != GOOD
    (cat,) = [one for one in taxonomy.load(write(tmp_path, text)) if one.name == "cat"]
    assert cat.title == "고양이"
    assert cat.meaning.startswith("고양이")
    assert taxonomy.digest([cat]) != taxonomy.digest(
        [one for one in taxonomy.load(write(tmp_path, GOOD)) if one.name == "cat"]
    )
    with pytest.raises(
        ParamsError, match=r"'고양이' is no key of letters a-z.* and the word that people read"
    ):
        taxonomy.load(write(tmp_path, GOOD.replace("name: cat", "name: 고양이", 1)))
