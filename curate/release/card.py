"""README.md of a release: the YAML that the Hub reads, and a page that says plainly what the data is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from curate.records import Category
from curate.release import card_labeling, parquet
from curate.release.card_labeling import GateFacts

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
_MOST_SOURCES = 50  # rows of the table of sources; each image carries its own licence anyway
_FIGURES = {
    "f1": ("Detection F1 between two labelers", "objects"),
    "mean_box_iou": ("Mean IoU of matched boxes", "pairs"),
    "mean_mask_iou": ("Mean IoU of matched masks", "pairs"),
    "kappa": ("Cohen's kappa on the categories of matched pairs", "pairs"),
    "kappa_with_missed": ('Cohen\'s kappa with "missed" as a category (pessimistic: see below)', "pairs"),
    "alpha": ("Krippendorff's alpha on the categories of matched objects", "values"),
}


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Everything that the card states.

    Attributes:
        name: Of the dataset.
        version: Semantic version.
        digest: sha256 of the content.
        license: Of the annotations; an identifier that the Hub knows.
        description: Markdown of the user's, or an empty string.
        taxonomy: Categories in the order of their ids.
        images: Number of images by split, in the order of splits.
        objects: Number of objects by category, then by split.
        empty_images: Released images without any object.
        models: Versions of the models that proposed annotations.
        labelers: Who annotated.
        agreement: The metrics file of the stage agreement.
        dropped: Number of dropped images by reason.
        unlabelled: Kept images without an answer.
        sources: Number of images by licence and attribution; None = not stated.
        accepted: Released images that no human looked at.
        gates: What had to hold before the release, and whether it did.
        ignored: Disputed objects, released as areas to ignore.
        to_review: Released images that somebody must look at again, by reason.
        confidence: Mean confidence of objects, None where it is of none known; and of how many it is known.
        quality: The metrics file of the stage quality; empty where it is not known.
    """

    name: str
    version: str
    digest: str
    license: str
    description: str
    taxonomy: tuple[Category, ...]
    images: Mapping[str, int]
    objects: Mapping[str, Mapping[str, int]]
    empty_images: int
    models: tuple[str, ...]
    labelers: Literal["people", "simulated"]
    agreement: Mapping[str, Any]
    dropped: Mapping[str, int]
    unlabelled: int
    sources: Mapping[tuple[str | None, str | None], int]
    accepted: int = 0
    gates: Sequence[GateFacts] = ()
    ignored: int = 0
    to_review: Mapping[str, int] = field(default_factory=dict)
    confidence: tuple[float | None, int] = (None, 0)
    quality: Mapping[str, Any] = field(default_factory=dict)


def render(facts: CardFacts) -> str:
    """The whole README.md."""
    parts = [
        f"---\n{_front_matter(facts)}---\n\n# {facts.name}\n",
        f"{facts.description.strip()}\n" if facts.description.strip() else "",
        _contents(facts),
        _loading(facts),
        _making(facts),
        _agreement(facts),
        card_labeling.section(facts.quality, simulated=facts.labelers == "simulated"),
        card_labeling.gates(facts.gates),
        _left_out(facts),
        _sources(facts),
        _limits(facts),
        f"## Identity\n\nVersion {facts.version}. The digest of the content (category names; id, split, "
        "size, licence, attribution and objects of every image; not the form of the files) is\n"
        f"`{facts.digest}`. `release.json` holds it with the sha256 of every file.\n",
    ]
    return "\n".join(part for part in parts if part)


def _front_matter(facts: CardFacts) -> str:
    total = sum(facts.images.values())
    data: dict[str, Any] = {
        "pretty_name": facts.name,
        "license": facts.license,
        "task_categories": ["object-detection", "image-segmentation"],
        "size_categories": [next((name for least, name in _SIZES if total < least), "10M<n<100M")],
        "tags": ["curate"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": parquet.pattern(split, facts.digest)}
                    for split, count in facts.images.items()
                    if count
                ],
            }
        ],
    }
    if facts.labelers == "simulated" or facts.accepted:
        data["annotations_creators"] = ["machine-generated"]
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def _contents(facts: CardFacts) -> str:
    splits = [split for split, count in facts.images.items() if count]
    rows = [
        [
            f"`{category.name}`",
            *(facts.objects[category.name].get(split, 0) for split in splits),
            sum(facts.objects[category.name].values()),
            category.meaning,
        ]
        for category in facts.taxonomy
    ]
    table = _table(["category", *splits, "all", "meaning"], rows)
    counts = ", ".join(f"{facts.images[split]:,} {split}" for split in splits)
    return (
        f"## What is in it\n\n{sum(facts.images.values()):,} images ({counts}), of which "
        f"{facts.empty_images:,} show none of the categories. Objects:\n\n{table}\n"
        "Boxes are COCO `[x, y, width, height]` in pixels of the upright image; masks are COCO compressed "
        "RLE (`size` = height, width) and null where an object has a box only; `area` is that of the mask, "
        "or of the box. Near-duplicates, and variants of one scene, never stand in different splits.\n"
    )


def _loading(facts: CardFacts) -> str:
    split = next(split for split, count in facts.images.items() if count)
    return (
        "## How to load it\n\n```python\nfrom datasets import load_dataset\n\n"
        f'dataset = load_dataset("path/to/this/folder")  # or the name of the repository\n'
        f'example = dataset["{split}"][0]\n'
        f'names = dataset["{split}"].features["objects"]["category"].feature.names\n'
        'print([names[i] for i in example["objects"]["category"]], example["objects"]["bbox"])\n```\n'
    )


def _making(facts: CardFacts) -> str:
    prompts = _table(
        ["category", "prompts", "least score"],
        [
            [f"`{category.name}`", ", ".join(category.prompts), f"{category.threshold:g}"]
            for category in facts.taxonomy
        ],
    )
    models = "\n".join(f"- `{model}`" for model in facts.models) or "- none: no model proposed anything"
    if facts.labelers == "simulated":
        who = (
            "**The labelers are SIMULATED: programs, not people.** They corrected the proposals by a fixed "
            "rule through the same server that people would use. Nothing here was verified by a person, and "
            "the figures of agreement describe the simulation."
        )
    else:
        who = (
            f"People then corrected the proposals: every{' other' if facts.accepted else ''} released image "
            "was looked at by at least one person, a share of them by several who could not see each other's "
            "work."
        )
    if facts.accepted:
        who = (
            f"**{facts.accepted:,} of the {sum(facts.images.values()):,} released images were accepted "
            "without a human.** Every proposal on them scored well above a threshold that was fitted, on "
            "judged images, to a promised precision; that nothing was missed on them was not checked.\n\n"
            f"{who}"
        )
    return (
        "## How it was made\n\nModels proposed boxes and masks from text prompts:\n\n"
        f"{models}\n\n{prompts}\n{who}\n\n"
        f"{card_labeling.consensus(facts.ignored, facts.to_review, *facts.confidence)}\n"
    )


def _agreement(facts: CardFacts) -> str:
    several = facts.agreement.get("counts", {}).get("seen_by_several")
    rows = []
    for key, (label, unit) in _FIGURES.items():
        figure = facts.agreement.get(key)
        if not isinstance(figure, Mapping):
            continue
        n = f"{figure.get('n', 0):,} {unit}"
        if figure.get("value") is None:
            rows.append([label, "undefined", "", n])
        else:
            low, high = figure.get("low"), figure.get("high")
            ends = f"{low:.3f} to {high:.3f}" if low is not None and high is not None else "none"
            rows.append([label, f"{figure['value']:.3f}", ends, n])
    if not several or not rows:
        return "## Agreement\n\nNo image was looked at by more than one labeler: agreement is unknown.\n"
    return (
        f"## Agreement\n\nOn the {several:,} images that several labelers looked at:\n\n"
        f"{_table(['figure', 'value', '95% interval', 'from'], rows)}\n"
        'Intervals come from resampling images. Kappa with "missed" has no cell for what both missed, so it '
        "is low even between careful labelers. Labelers started from the same proposals, which makes them "
        "more alike than if they had drawn from nothing.\n"
    )


def _left_out(facts: CardFacts) -> str:
    gone = ": raw files that are no longer there"
    rows: list[list[object]] = [
        [f"`{reason}`{gone if reason == 'removed' else ''}", count] for reason, count in facts.dropped.items()
    ]
    if facts.unlabelled:
        rows.append(["not looked at, skipped by everyone, or to be looked at again", facts.unlabelled])
    if not rows:
        return "## What was left out\n\nNo image was left out.\n"
    return f"## What was left out\n\n{_table(['reason', 'images'], rows)}"


def _sources(facts: CardFacts) -> str:
    ordered = sorted(facts.sources.items(), key=lambda item: (-item[1], str(item[0])))
    rows = [
        [license_ or "not stated", attribution or "not stated", count]
        for (license_, attribution), count in ordered[:_MOST_SOURCES]
    ]
    more = len(ordered) - len(rows)
    rest = (
        f"\nAnd {more:,} more: see the columns `license` and `attribution` of each image.\n"
        if more > 0
        else ""
    )
    return (
        f"## Licences and sources\n\nThe annotations: `{facts.license}`. The images keep their own licences, "
        "which stand in the columns `license` and `attribution` of every row:\n\n"
        f"{_table(['licence', 'attribution', 'images'], rows)}{rest}"
    )


def _limits(facts: CardFacts) -> str:
    limits = [
        "Proposals came first: an object that the models never propose is easily missed by labelers too.",
        "Images that one labeler looked at carry that labeler's errors; agreement is measured on the others.",
        "Near-duplicates are found by perceptual hash: a crop or a new view of a scene can stay unnoticed.",
    ]
    thin = [
        c.name
        for c in facts.taxonomy
        if any(not facts.objects[c.name].get(s) for s, n in facts.images.items() if n)
    ]
    if thin:
        limits.append(f"Not every split has objects of: {', '.join(thin)}.")
    if facts.accepted:
        limits.insert(
            0, f"{facts.accepted:,} images were accepted without a human: what models miss is missing."
        )
    if facts.labelers == "simulated":
        limits.insert(0, "No person has verified anything: the labelers were simulated.")
    return "## Known limits\n\n" + "".join(f"- {limit}\n" for limit in limits)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return " ".join(str(value).split()).replace("|", "\\|")
