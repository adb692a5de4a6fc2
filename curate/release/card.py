"""README.md of a release: the YAML that the Hub reads, and a page that says plainly what the data is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from curate.records import Category
from curate.release import (
    card_agreement,
    card_augmented,
    card_columns,
    card_front_matter,
    card_labeling,
    card_pictures,
    changelog,
    citation,
)
from curate.release.card_augmented import AugmentedFacts
from curate.release.card_front_matter import Licensed, SplitSize
from curate.release.card_labeling import GateFacts
from curate.release.columns import Column
from curate.release.license_links import link_of
from curate.release.markdown import code, escaped, table

_MAX_SOURCES = 50  # rows of the table of sources; each image carries its own license anyway


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
        unlabeled: Kept images without an answer.
        sources: Number of images by license and attribution; None = not stated.
        accepted: Released images that no human looked at.
        gates: What had to hold before the release, and whether it did.
        ignored: Disputed objects, released as areas to ignore.
        to_review: Released images that somebody must look at again, by reason.
        confidence: Mean confidence of objects, None where it is of none known; and of how many it is known.
        quality: The metrics file of the stage quality; empty where it is not known.
        found: Files of different content that there ever were, dropped and unreadable ones included.
        looked: Number of released images by the number of people who looked at them; None = not known.
        f1_by_category: Agreement by category: value and ends of its interval; None = undefined.
        columns: Of the release.
        example: A row of it, without the picture.
        sizes: Of the files, by split.
        licensed: What may be done with the annotations; `license` alone where it is None.
        masks: Whether an object has a mask.
        people: Who annotated, in the Hub's words; None = it is not said.
        language: Codes of the languages of texts in the data.
        source_datasets: Data sets that the pictures come from, in the Hub's words; empty = it is not said.
        citation: How to cite the data set, as it stands; empty = not said.
        contact: Whom to write to; empty = not said.
        decided: Released images that were decided by adjudication, and the objects on them.
        object_attributes: What people say of objects: by question, how many objects have each answer.
        augmented: Of augmented copies; None = there are none.
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
    unlabeled: int
    sources: Mapping[tuple[str | None, str | None], int]
    accepted: int = 0
    gates: Sequence[GateFacts] = ()
    ignored: int = 0
    to_review: Mapping[str, int] = field(default_factory=dict)
    confidence: tuple[float | None, int] = (None, 0)
    quality: Mapping[str, Any] = field(default_factory=dict)
    found: int | None = None
    looked: Mapping[int | None, int] = field(default_factory=dict)
    f1_by_category: Mapping[str, tuple[float | None, float | None, float | None]] = field(
        default_factory=dict
    )
    columns: tuple[Column, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, SplitSize] = field(default_factory=dict)
    licensed: Licensed | None = None
    masks: bool = True
    people: str | None = None
    language: tuple[str, ...] = ()
    source_datasets: tuple[str, ...] = ()
    citation: str = ""
    contact: str = ""
    decided: tuple[int, int] = (0, 0)
    object_attributes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    augmented: AugmentedFacts | None = None


def render(facts: CardFacts) -> str:
    """Write the whole README.md."""
    parts = [
        f"{_front_matter(facts)}\n# {escaped(facts.name)}\n",
        f"{facts.description.strip()}\n" if facts.description.strip() else "",
        _pictures(facts),
        _contents(facts),
        _columns(facts),
        "" if facts.augmented is None else card_augmented.section(facts.augmented, version=facts.version),
        _making(facts),
        card_agreement.section(facts.agreement, facts.f1_by_category),
        card_labeling.section(facts.quality, simulated=facts.labelers == "simulated"),
        card_labeling.gates(facts.gates),
        _left_out(facts),
        _sources(facts),
        _limits(facts),
        _identity(facts),
    ]
    return "\n".join(part for part in parts if part)


def _front_matter(facts: CardFacts) -> str:
    people = [] if facts.labelers == "simulated" or facts.people is None else [facts.people]
    machines = ["machine-generated"] if facts.labelers == "simulated" or facts.accepted else []
    return card_front_matter.render(
        facts.name,
        facts.digest,
        facts.licensed or Licensed(facts.license),
        facts.sizes,
        masks=facts.masks,
        annotators=[*people, *machines],
        language=facts.language,
        source_datasets=facts.source_datasets,
        augmented=None if facts.augmented is None else facts.augmented.size,
    )


def _pictures(facts: CardFacts) -> str:
    if not facts.columns:
        return ""
    return (
        f"![Pictures with their objects]({card_pictures.EXAMPLES})\n\n"
        f"![Objects by category; parts: train, validation, test]({card_pictures.CATEGORIES})\n\n"
        f"![Objects by size: the root of the area of their box]({card_pictures.SIZES})\n\n"
        f"![Percent of images and objects in train / validation / test]({card_pictures.SPLITS})\n"
    )


def _columns(facts: CardFacts) -> str:
    if not facts.columns:
        return ""
    split = facts.example.get("split") or next(split for split, count in facts.images.items() if count)
    return card_columns.section(facts.columns, dict(facts.example), split=split, version=facts.version)


def _identity(facts: CardFacts) -> str:
    return (
        f"{citation.section(citation=facts.citation, contact=facts.contact)}\n"
        f"## Identity\n\nVersion {facts.version}; `{changelog.NAME}` says what each version "
        "changed. The digest of the content (columns, category names, license; id, split, size, license, "
        "attribution, attributes and objects of every image; not the form of the files) is\n"
        f"`{facts.digest}`. `release.json` holds it with the sha256 of every file.\n"
    )


def _contents(facts: CardFacts) -> str:
    splits = [split for split, count in facts.images.items() if count]
    rows = [
        [
            code(category.name),
            *(facts.objects[category.name].get(split, 0) for split in splits),
            sum(facts.objects[category.name].values()),
            escaped(category.meaning),
        ]
        for category in facts.taxonomy
    ]
    objects = table(["category", *splits, "all", "meaning"], rows)
    counts = ", ".join(f"{facts.images[split]:,} {split}" for split in splits)
    return (
        f"## What is in it\n\n{sum(facts.images.values()):,} images ({counts}), of which "
        f"{facts.empty_images:,} show none of the categories. Objects:\n\n{objects}\n"
        "Boxes are COCO `[x, y, width, height]` in pixels of the upright image; masks are COCO compressed "
        "RLE (`size` = height, width) and null where an object has a box only; `area` is that of the mask, "
        "or of the box. Near-duplicates, and variants of one scene, never stand in different splits.\n"
    )


def _making(facts: CardFacts) -> str:
    prompts = table(
        ["category", "prompts", "least score"],
        [
            [code(category.name), escaped(", ".join(category.prompts)), f"{category.threshold:g}"]
            for category in facts.taxonomy
        ],
    )
    models = "\n".join(f"- {code(model)}" for model in facts.models) or "- none: no model proposed anything"
    if facts.labelers == "simulated":
        who = (
            "**The labelers are SIMULATED: programs, not people.** They corrected the proposals by a fixed "
            "rule through the same server that people would use. Nothing here was verified by a person, and "
            "the figures of agreement describe the simulation."
        )
    else:
        who = (
            f"People then corrected the proposals: every{' other' if facts.accepted else ''} released image "
            f"was looked at by at least one person.{_people(facts)}{_looked(facts)}"
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
        f"{card_labeling.adjudication(*facts.decided, facts.agreement, facts.labelers)}"
        f"{card_labeling.attributes(facts.object_attributes)}"
    )


def _people(facts: CardFacts) -> str:
    number = len(facts.agreement.get("labelers", ()))
    return f" {number:,} {'person' if number == 1 else 'people'} labelled." if number else ""


def _looked(facts: CardFacts) -> str:
    known = sorted((people, count) for people, count in facts.looked.items() if people)
    if not known:
        return ""
    told = ", ".join(f"{count:,} by {people}" for people, count in known)
    blind = " Labelers of the same image did not see each other's work" if known[-1][0] > 1 else ""
    if blind:
        blind += "; who decided where they disagreed saw all of it." if facts.decided[0] else "."
    return f" Released images by the number of people who looked at them: {told}.{blind}"


def _left_out(facts: CardFacts) -> str:
    gone = ": raw files that are no longer there"
    rows: list[list[object]] = [
        [f"{code(reason)}{gone if reason == 'removed' else ''}", count]
        for reason, count in facts.dropped.items()
    ]
    if facts.unlabeled:
        rows.append(["not looked at, skipped by everyone, or to be looked at again", facts.unlabeled])
    if not rows:
        return "## What was left out\n\nNo image was left out.\n"
    of = (
        f"Of {facts.found:,} files of different content {sum(facts.images.values()):,} are released.\n\n"
        if facts.found is not None
        else ""
    )
    return f"## What was left out\n\n{of}{table(['reason', 'images'], rows)}"


def _sources(facts: CardFacts) -> str:
    ordered = sorted(facts.sources.items(), key=lambda item: (-item[1], str(item[0])))
    rows = [
        [_license(license_), escaped(attribution or "not stated"), count]
        for (license_, attribution), count in ordered[:_MAX_SOURCES]
    ]
    more = len(ordered) - len(rows)
    rest = (
        f"\nAnd {more:,} more: see the columns `license` and `attribution` of each image.\n"
        if more > 0
        else ""
    )
    return (
        f"## Licenses and sources\n\nThe annotations: `{facts.license}`. The images keep their own licenses, "
        "which stand in the columns `license` and `attribution` of every row:\n\n"
        f"{table(['license', 'attribution', 'images'], rows)}{rest}"
    )


def _license(license_: str | None) -> str:
    if license_ is None:
        return "not stated"
    link = link_of(license_)
    return escaped(license_) if link is None else f"[{escaped(license_)}]({link})"


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
        limits.append(f"Not every split has objects of: {', '.join(map(code, thin))}.")
    if facts.accepted:
        limits.insert(
            0, f"{facts.accepted:,} images were accepted without a human: what models miss is missing."
        )
    if facts.labelers == "simulated":
        limits.insert(0, "No person has verified anything: the labelers were simulated.")
    return "## Known limits\n\n" + "".join(f"- {limit}\n" for limit in limits)
