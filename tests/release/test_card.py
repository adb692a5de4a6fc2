from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from curate.records import Category
from curate.release.card import CardFacts, render

TAXONOMY = (
    Category("stop_sign", 0, ("stop sign",), 0.4, "#e6194b", "Red | octagon"),
    Category("parking_sign", 3, ("parking sign", "blue square"), 0.35, "#4363d8"),
)
FIGURE = {"value": 0.8912, "low": 0.8, "high": 0.95, "n": 1234}
UNDEFINED = {"value": None, "low": None, "high": None, "n": 7}
FACTS = CardFacts(
    name="unit-signs",
    version="1.2.3",
    digest="d" * 64,
    license="cc-by-4.0",
    description="Drawn for a test.\n",
    taxonomy=TAXONOMY,
    images={"train": 1200, "validation": 300, "test": 0},
    objects={
        "stop_sign": {"train": 1500, "validation": 10, "test": 0},
        "parking_sign": {"train": 2, "validation": 0, "test": 0},
    },
    empty_images=17,
    models=("dino@1", "sam@2"),
    labelers="people",
    agreement={"counts": {"seen_by_several": 420}, "f1": FIGURE, "kappa": UNDEFINED},
    dropped={"near_duplicate": 55, "truncated": 2},
    unlabelled=9,
    sources={("cc0-1.0", "A. Author"): 1499, (None, None): 1},
)


def front_matter(text: str) -> dict[str, Any]:
    assert text.startswith("---\n")
    return dict(yaml.safe_load(text.split("---\n")[1]))


def rows_of(text: str, start: str) -> list[str]:
    """The first cells of the table below a heading."""
    lines = text.split(f"## {start}\n")[1].split("\n## ", maxsplit=1)[0].splitlines()
    return [line for line in lines if line.startswith("| ")][2:]


def test_the_front_matter_is_what_the_hub_reads() -> None:
    data = front_matter(render(FACTS))
    assert data == {
        "pretty_name": "unit-signs",
        "license": "cc-by-4.0",
        "task_categories": ["object-detection", "image-segmentation"],
        "size_categories": ["1K<n<10K"],
        "tags": ["curate"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": "train", "path": "data/train-dddddddddddd-*.parquet"},
                    {"split": "validation", "path": "data/validation-dddddddddddd-*.parquet"},
                ],  # an empty split has no files
            }
        ],
    }


@pytest.mark.parametrize(
    ("count", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (10_000, "10K<n<100K"), (10**7, "10M<n<100M")]
)
def test_the_size_category(count: int, size: str) -> None:
    assert front_matter(render(replace(FACTS, images={"train": count})))["size_categories"] == [size]


def test_the_numbers_stand_in_tables() -> None:
    text = render(FACTS)
    assert "1,500 images (1,200 train, 300 validation), of which 17 show none" in text
    assert rows_of(text, "What is in it") == [
        "| `stop_sign` | 1,500 | 10 | 1,510 | Red \\| octagon |",
        "| `parking_sign` | 2 | 0 | 2 |  |",
    ]
    gone = render(replace(FACTS, dropped={"removed": 3}))
    assert rows_of(gone, "What was left out")[0] == "| `removed`: raw files that are no longer there | 3 |"
    assert rows_of(text, "What was left out") == [
        "| `near_duplicate` | 55 |",
        "| `truncated` | 2 |",
        "| not looked at, skipped by everyone, or to be looked at again | 9 |",
    ]
    assert rows_of(text, "Licences and sources") == [
        "| cc0-1.0 | A. Author | 1,499 |",
        "| not stated | not stated | 1 |",
    ]
    assert rows_of(text, "Agreement") == [
        "| Detection F1 between two labelers | 0.891 | 0.800 to 0.950 | 1,234 objects |",
        "| Cohen's kappa on the categories of matched pairs | undefined |  | 7 pairs |",
    ]
    assert "On the 420 images that several labelers looked at" in text
    assert "Not every split has objects of: parking_sign." in text
    assert "Drawn for a test." in text
    assert "`dino@1`" in text
    assert "| `parking_sign` | parking sign, blue square | 0.35 |" in text
    assert "d" * 64 in text


def test_people_are_called_people() -> None:
    text = render(FACTS)
    assert "looked at by at least one person" in text
    assert "imulated" not in text


def test_simulated_labelers_are_called_so_plainly() -> None:
    text = render(replace(FACTS, labelers="simulated"))
    assert "SIMULATED: programs, not people" in text
    assert "No person has verified anything" in text
    assert "at least one person" not in text
    assert front_matter(text)["annotations_creators"] == ["machine-generated"]


@pytest.mark.parametrize("agreement", [{}, {"counts": {"seen_by_several": 0}, "f1": FIGURE}])
def test_unknown_agreement_is_said_to_be_unknown(agreement: dict[str, Any]) -> None:
    text = render(replace(FACTS, agreement=agreement))
    assert "agreement is unknown" in text
    assert "95% interval" not in text


def test_many_sources_are_cut_and_the_rest_is_said() -> None:
    sources = {("cc-by-4.0", f"author {i}"): 1 for i in range(80)}
    text = render(replace(FACTS, sources=sources))
    assert len(rows_of(text, "Licences and sources")) == 50
    assert "And 30 more: see the columns" in text


def test_images_that_no_human_saw_are_stated_wherever_it_matters() -> None:
    text = render(replace(FACTS, accepted=40))
    assert "**40 of the 1,500 released images were accepted without a human.**" in text
    assert "every other released image was looked at by at least one person" in " ".join(text.split())
    assert "- 40 images were accepted without a human: what models miss is missing." in text
    assert front_matter(text)["annotations_creators"] == ["machine-generated"]
    assert "accepted without a human" not in render(FACTS)
