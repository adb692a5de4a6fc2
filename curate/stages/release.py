"""Stage release: splits, Parquet with embedded images, the card: a complete Hub folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from curate import schema, tables
from curate.agreement.gates import Gate
from curate.errors import ReleaseError
from curate.labeling import taxonomy
from curate.params import GatesParams, ReleaseParams
from curate.progress import track
from curate.records import Category, StageReport
from curate.release import (
    answer_keys,
    card,
    card_front_matter,
    card_labeling,
    card_pictures,
    changelog,
    columns,
    croissant,
    manifest,
    object_support,
    parquet,
    split_groups,
    split_record,
    splits,
    versions,
)
from curate.release.augmentation import Recipe
from curate.release.card_front_matter import Licensed
from curate.release.digest import content_digest
from curate.release.folder import replacing_folder
from curate.release.manifest import Manifest
from curate.release.object_support import Support
from curate.release.release_content import IMAGE_COLUMNS, OBJECT_COLUMNS, Content, collect
from curate.stages import release_augmented, release_card, release_gates, release_history, release_splits
from curate.stages.release_history import Version
from curate.stages.split_leaks import Search

_IMAGE_COLUMNS = dict.fromkeys((*IMAGE_COLUMNS, *split_groups.COLUMNS))
_GIT_ATTRIBUTES = "*.parquet filter=lfs diff=lfs merge=lfs -text\n"


@dataclass(frozen=True, slots=True)
class Inputs:
    """`images` from dedupe, `annotations` from autolabel, metrics of two stages, tables of agreement.

    `consensus_objects` and `consensus_images` are what the `consensus` rests on, `figures` are of agreement.
    Without the metrics of quality (None) the card says nothing of how people worked. `published` is what
    the stage publish keeps of the last version that was published; the next version follows from it.
    """

    images: Path
    consensus: Path
    consensus_objects: Path
    consensus_images: Path
    figures: Path
    taxonomy: Path
    agreement_metrics: Path
    annotations: Path
    quality_metrics: Path | None = None
    published: Path | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        folder: README.md, release.json, .gitattributes, data/*.parquet, and augmented/*.parquet if wanted.
        record: The split of every image that was ever released; read too.
        gates: What had to hold and whether it did, JSON; written also where nothing is released.
        secret: Of the keys that a release has for people's answers; made once, and never published.
    """

    folder: Path
    record: Path
    gates: Path
    secret: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """`leaks`: the search for pictures that stand in two splits."""

    leaks: Search


def run(
    params: ReleaseParams,
    *,
    gates: GatesParams,
    inputs: Inputs,
    outputs: Outputs,
    ports: Ports,
    labelers: Literal["people", "simulated"],
) -> StageReport:
    """Write the release folder; it appears whole, and images of the former one keep their split.

    Args:
        params: The section `release`.
        gates: The section `gates`.
        inputs: Tables and files of earlier stages.
        outputs: The folder, and the record of splits.
        ports: The outside.
        labelers: Who annotated, for the card.

    Raises:
        ReleaseError: Nothing to release, a category or image that does not fit, shares that leave no train,
            one group in two splits, a gate that fails, an augmentation pipeline that is not allowed.
        InputError: An image file or the description has disappeared.
        TableError: A table is missing or damaged.
        StorageError: The folder cannot be written.
    """
    categories = taxonomy.load(inputs.taxonomy)
    recipe = release_augmented.recipe(params.augment)
    images = tables.read(inputs.images, schema.IMAGES, columns=list(_IMAGE_COLUMNS))
    content = collect(
        images,
        tables.read(inputs.consensus, schema.ANNOTATIONS, columns=list(OBJECT_COLUMNS)),
        [category.name for category in categories],
        _support(inputs, outputs.secret),
        captured_at=params.captured_at,
    )
    former = split_record.load(outputs.record, outputs.folder)
    split = release_splits.assign(params, content, images, former if params.keep_splits else {})
    of_image = dict(zip(content.ids, split.of_image, strict=True))
    held = release_gates.decide(
        [
            *release_gates.of_content(
                gates, content, lambda: ports.leaks.refuse_leaks(inputs.images, of_image)
            ),
            *release_gates.of_figures(gates, inputs.figures, release_card.metrics(inputs.agreement_metrics)),
        ],
        params.allow_failed_gates,
        outputs.gates,
    )
    digest = content_digest(
        content, split.of_image, license=params.license, augmentation=recipe.digest if recipe else None
    )
    release = _Release(params, content, split, digest, held, recipe)
    with replacing_folder(outputs.folder) as folder:
        _write_data(folder, release, params.row_group_size)
        colors = {category.name: category.color for category in categories}
        card_pictures.write(folder, content, release.objects, release.images, colors)
        copies = release_augmented.write(
            folder, content, split.of_image, recipe, digest=digest, params=params, colors=colors
        )
        version = release_history.next_version(params.version, folder, release.manifest(), inputs.published)
        facts = _facts(release, inputs, categories, labelers)
        sizes = card_front_matter.split_sizes(folder)
        facts = replace(
            facts,
            sizes={split: sizes[split] for split in splits.SPLITS if split in sizes},
            augmented=copies,
            found=images.num_rows,
        )
        made = _finish(folder, release, facts, version)
        if (right := version.of(made)) is not version:
            made = _finish(folder, release, facts, right)
    split_record.save(outputs.record, former | of_image)
    return _report(release, made.version)


def _support(inputs: Inputs, secret: Path) -> Support:
    objects = tables.read(
        inputs.consensus_objects,
        schema.CONSENSUS_OBJECTS,
        columns=["annotation_id", *object_support.OBJECT_COLUMNS],
    )
    keys = answer_keys.published(objects["made_from"].combine_chunks(), answer_keys.secret(secret))
    return Support(
        objects.set_column(objects.schema.get_field_index("made_from"), "made_from", keys),
        tables.read(
            inputs.consensus_images,
            schema.CONSENSUS_IMAGES,
            columns=["image_id", *object_support.IMAGE_COLUMNS],
        ),
    )


@dataclass(frozen=True, slots=True)
class _Release:
    """What is released, in numbers."""

    params: ReleaseParams
    content: Content
    split: release_splits.Split
    digest: str
    gates: list[Gate]
    recipe: Recipe | None = None

    @property
    def split_of(self) -> list[str]:
        """The split of each image."""
        return self.split.of_image

    def manifest(self, version: str = versions.FIRST) -> Manifest:
        """release.json, without the files."""
        return Manifest(
            name=self.params.name,
            version=version,
            digest=self.digest,
            images=self.images,
            objects={name: sum(by_split.values()) for name, by_split in self.objects.items()},
            license=self.params.license,
            columns=columns.VERSION,
            augmented=self.copies,
            augmentation=self.recipe.digest if self.recipe else "",
        )

    @property
    def copies(self) -> int:
        """Number of augmented copies."""
        return self.images["train"] * self.recipe.copies if self.recipe else 0

    @property
    def images(self) -> dict[str, int]:
        """Number of images by split."""
        return {split: self.split_of.count(split) for split in splits.SPLITS}

    @property
    def objects(self) -> dict[str, dict[str, int]]:
        """Number of objects by category, then by split."""
        counts: Counter[tuple[str, str]] = Counter()
        for split, names in zip(self.split_of, self.content.names(), strict=True):
            counts.update((name, split) for name in names)
        return {
            name: {split: counts[name, split] for split in splits.SPLITS} for name in self.content.categories
        }


def _finish(folder: Path, release: _Release, facts: card.CardFacts, version: Version) -> Manifest:
    """Write what stands beside the data."""
    (folder / changelog.NAME).write_text(version.changelog, encoding="utf-8")
    facts = replace(facts, version=version.number)
    text = card.render(facts)
    croissant.write(
        folder,
        facts.columns,
        name=facts.name,
        version=facts.version,
        license=facts.license,
        description=release_card.summary(facts),
        rai=card_labeling.rai(facts.looked, simulated=facts.labelers == "simulated", accepted=facts.accepted),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    (folder / ".gitattributes").write_text(_GIT_ATTRIBUTES, encoding="utf-8")
    return manifest.write(folder, release.manifest(version.number))


def _write_data(folder: Path, release: _Release, row_group_size: int) -> None:
    content, split_of = release.content, release.split_of
    shards = parquet.plan_shards(content, split_of, digest=release.digest)
    written = (
        image
        for shard in shards
        for count in parquet.write_shard(folder / shard.name, shard, content, row_group_size=row_group_size)
        for image in range(count)
    )
    done = sum(1 for _ in track(written, total=len(split_of), label="release"))
    if done != len(split_of):
        raise ReleaseError(f"{done} of {len(split_of)} images were written: an image vanished on the way")


def _report(release: _Release, version: str) -> StageReport:
    return StageReport(
        stage="release",
        counts=(
            ("images", len(release.split_of)),
            *((split, count) for split, count in release.images.items()),
            ("objects", release.content.objects.num_rows - release.content.ignored()),
            ("kept but without answer", release.content.unlabeled),
            *((name, count) for name, count in _only_where_any(release) if count),
        ),
        metrics={
            "digest": release.digest,
            "version": version,
            "images": release.images,
            "objects": release.objects,
        },
    )


def _only_where_any(release: _Release) -> Iterator[tuple[str, int]]:
    settled = release.split.settled
    yield "accepted without a human", release.content.accepted
    yield "disputed, to ignore", release.content.ignored()
    yield "marked to look at again", release.content.to_review().total()
    yield "failed gates, allowed", sum(not gate.passed for gate in release.gates)
    yield "in their former split", settled.kept
    yield "in their source's split", settled.own
    yield "moved to another split", settled.moved
    yield "groups of several images", release.split.several
    yield "augmented copies", release.copies
    for name, count in release.split.ties.missing.items():
        yield f"without {name}", count


def _facts(
    release: _Release,
    inputs: Inputs,
    categories: tuple[Category, ...],
    labelers: Literal["people", "simulated"],
) -> card.CardFacts:
    params, content = release.params, release.content
    return card.CardFacts(
        name=params.name,
        version=versions.FIRST,  # replaced where it is known
        digest=release.digest,
        license=params.license,
        licensed=Licensed(params.license, params.license_name, params.license_link),
        description=release_card.text("release.description", params.description),
        citation=release_card.text("release.citation", params.citation),
        contact=params.contact,
        people=params.annotators,
        language=params.language,
        source_datasets=params.source_datasets,
        columns=content.columns(),
        example=release_card.example(content, release.split_of),
        masks=content.objects.column("rle").null_count < content.objects.num_rows,
        decided=content.decided(),
        object_attributes=content.object_attributes(),
        looked=content.looked(),
        f1_by_category=release_card.f1_by_category(inputs.figures),
        taxonomy=categories,
        images=release.images,
        objects=release.objects,
        empty_images=content.empty_images(),
        gates=release.gates,
        ignored=content.ignored(),
        to_review=content.to_review(),
        confidence=content.confidence(),
        models=release_card.models(inputs.annotations),
        labelers=labelers,
        agreement=release_card.metrics(inputs.agreement_metrics),
        quality={} if inputs.quality_metrics is None else release_card.metrics(inputs.quality_metrics),
        dropped=content.dropped,
        unlabeled=content.unlabeled,
        accepted=content.accepted,
        sources=content.sources(),
    )
