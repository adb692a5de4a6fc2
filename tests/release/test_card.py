from __future__ import annotations

from dataclasses import replace
from typing import Any

import markdown_it
import pytest
import yaml

from curate.agreement.gates import Gate
from curate.records import Category
from curate.release.card import CardFacts, render
from curate.release.card_front_matter import Licensed, SplitSize

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
    unlabeled=9,
    sources={("cc0-1.0", "A. Author"): 1499, (None, None): 1},
    sizes={"train": SplitSize(9000, 5000, 1200), "validation": SplitSize(900, 500, 300)},
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
        "task_ids": ["instance-segmentation"],
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
        "dataset_info": {
            "config_name": "default",
            "splits": [
                {"name": "train", "num_bytes": 9000, "num_examples": 1200},
                {"name": "validation", "num_bytes": 900, "num_examples": 300},
            ],
            "download_size": 5500,
            "dataset_size": 9900,
        },
    }


@pytest.mark.parametrize(
    ("count", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (10_000, "10K<n<100K"), (10**7, "10M<n<100M")]
)
def test_the_size_category(count: int, size: str) -> None:
    assert front_matter(render(replace(FACTS, sizes={"train": SplitSize(1, 1, count)})))[
        "size_categories"
    ] == [size]


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
    assert rows_of(text, "Licenses and sources") == [
        "| [cc0-1.0](https://creativecommons.org/publicdomain/zero/1.0/) | A. Author | 1,499 |",
        "| not stated | not stated | 1 |",
    ]
    assert rows_of(text, "Agreement") == [
        "| Detection F1 between two labelers | 0.891 | 0.800 to 0.950 | 1,234 objects |",
        "| Cohen's kappa on the categories of matched pairs | undefined |  | 7 pairs |",
    ]
    assert "On the 420 images that several labelers looked at" in text
    assert "Not every split has objects of: `parking_sign`." in text
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
    assert len(rows_of(text, "Licenses and sources")) == 50
    assert "And 30 more: see the columns" in text


def test_images_that_no_human_saw_are_stated_wherever_it_matters() -> None:
    text = render(replace(FACTS, accepted=40))
    assert "**40 of the 1,500 released images were accepted without a human.**" in text
    assert "every other released image was looked at by at least one person" in " ".join(text.split())
    assert "- 40 images were accepted without a human: what models miss is missing." in text
    assert front_matter(text)["annotations_creators"] == ["machine-generated"]
    assert "accepted without a human" not in render(FACTS)


def test_text_of_users_and_sources_is_no_markdown_and_no_html() -> None:
    evil = "<script>alert(1)</script> [click](http://evil) | `x` **bold** # &amp; \n## Not a heading"
    facts = replace(
        FACTS,
        sources={(evil, evil): 3},
        contact=evil,
        citation=f"```\n{evil}",
        models=(evil,),
        gates=[Gate(evil, evil, False, evil, "", allowed=evil)],
        taxonomy=(replace(TAXONOMY[0], description=evil), TAXONOMY[1]),
    )
    text = render(facts)
    html = (
        markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table").render(text.split("---\n", 2)[2])
    )
    assert "<script" not in html
    assert 'href="http://evil"' not in html
    assert "<h2>Not a heading" not in html
    assert "<strong>bold" not in html
    assert html.count("alert(1)") >= 8  # it is there, as text


def test_the_card_says_how_many_people_looked_and_claims_nothing_that_was_not_counted() -> None:
    text = render(replace(FACTS, looked={1: 900, 2: 500, 0: 40, None: 60}))
    assert "Released images by the number of people who looked at them: 900 by 1, 500 by 2." in text
    assert "did not see each other's work" in text
    assert "each other's work" not in render(replace(FACTS, looked={1: 1500}))
    assert "number of people who looked" not in render(FACTS)
    three = {**FACTS.agreement, "labelers": {"labeler-1": {}, "labeler-2": {}, "labeler-3": {}}}
    assert "at least one person. 3 people labelled. Released" in render(
        replace(FACTS, looked={1: 1500}, agreement=three)
    )
    assert "labeler-1" not in render(replace(FACTS, agreement=three))
    assert "people labelled" not in render(FACTS)


def test_the_card_says_what_was_decided_by_whom_in_numbers_and_what_was_said_of_objects() -> None:
    facts = replace(
        FACTS, decided=(3, 7), agreement={**FACTS.agreement, "adjudication": {"images": 5, "people": 2}},
        object_attributes={"occluded": {"partly": 12, "no": 1030}}, labelers="people",
    )  # fmt: skip
    text = " ".join(render(facts).split())
    assert "On 3 released images with 7 objects people did not agree, and 2 senior labelers decided" in text
    assert "| `occluded` | no 1,030, partly 12 |" in text
    assert "simulated senior labeler" in render(replace(facts, labelers="simulated"))
    assert "adjudication" not in render(FACTS)


def test_agreement_by_category_the_funnel_citation_and_contact() -> None:
    facts = replace(
        FACTS, f1_by_category={"stop_sign": (0.9, 0.8, 0.95), "parking_sign": (None, None, None)}, found=2000,
        citation="@misc{unit}", contact="unit@example.org",
    )  # fmt: skip
    text = render(facts)
    assert "| `stop_sign` | 0.900 | 0.800 to 0.950 |\n| `parking_sign` | undefined | none |" in text
    assert "Of 2,000 files of different content 1,500 are released." in text
    assert "## Citation\n\n```\n@misc{unit}\n```" in text
    assert "## Contact\n\nunit@example.org" in text
    assert "The project does not say whom to write to" in render(FACTS)
    assert "The project does not say how to cite" in render(FACTS)


def test_a_license_of_ones_own_people_and_languages_reach_the_front_matter() -> None:
    licensed = Licensed("other", "unit-license", "https://example.org/license")
    data = front_matter(
        render(
            replace(
                FACTS, licensed=licensed, people="crowdsourced", language=("en",), accepted=3,
                source_datasets=("original", "extended|coco"),
            )
        )
    )  # fmt: skip
    assert (data["license"], data["license_name"], data["license_link"]) == (
        "other", "unit-license", "https://example.org/license",
    )  # fmt: skip
    assert data["annotations_creators"] == ["crowdsourced", "machine-generated"]
    assert data["language"] == ["en"]
    assert data["source_datasets"] == ["original", "extended|coco"]
    assert "source_datasets" not in front_matter(render(FACTS))
    boxes = front_matter(render(replace(FACTS, masks=False)))
    assert boxes["task_categories"] == ["object-detection"]
    assert "task_ids" not in boxes
    simulated = front_matter(render(replace(FACTS, people="crowdsourced", labelers="simulated")))
    assert simulated["annotations_creators"] == ["machine-generated"]


def test_the_hubs_own_classes_read_the_card() -> None:
    hub = pytest.importorskip("huggingface_hub")
    card = hub.DatasetCard(render(replace(FACTS, people="expert-generated", language=("en",))))
    assert card.data.pretty_name == "unit-signs"
    assert card.data.annotations_creators == ["expert-generated"]
    assert yaml.safe_load(card.data.to_yaml()) == front_matter(str(card))
