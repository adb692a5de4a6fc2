"""Augmented copies of the training images, as the stage release writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from curate.params import ReleaseParams
from curate.params.augment import AugmentParams
from curate.progress import track
from curate.release import augmentation, augmented_copies, card_front_matter, card_pictures
from curate.release.augmentation import Recipe
from curate.release.card_augmented import AugmentedFacts
from curate.release.release_content import Content


def recipe(params: AugmentParams) -> Recipe | None:
    """How copies are made; None = none are wanted.

    Raises:
        ReleaseError: The pipeline cannot be read, or names what is not allowed.
        MissingExtraError: albumentations is not installed.
    """
    if params.pipeline is None:
        return None
    return augmentation.read(params.pipeline, copies=params.copies, seed=params.seed)


def write(
    folder: Path,
    content: Content,
    split_of: Sequence[str],
    recipe: Recipe | None,
    *,
    digest: str,
    params: ReleaseParams,
    colors: Mapping[str, str],
) -> AugmentedFacts | None:
    """Write the copies, their pipeline and their contact sheet into a release folder.

    Args:
        folder: With data/ and card/ written.
        content: Images and objects.
        split_of: Split of each image.
        recipe: None = nothing is written.
        digest: Of the release.
        params: The section `release`.
        colors: "#rrggbb" by category.

    Returns:
        What the card states of them.

    Raises:
        InputError: An image file has disappeared, or does not decode.
        ReleaseError: A mask does not fit its image.
    """
    if recipe is None:
        return None
    written = augmented_copies.write(
        folder, content, split_of, recipe, digest=digest, row_group_size=params.row_group_size
    )
    total = list(split_of).count(augmented_copies.TRAIN) * recipe.copies
    for _ in track((copy for count in written for copy in range(count)), total=total, label="augment"):
        pass
    (folder / augmentation.NAME).write_text(recipe.text, encoding="utf-8")
    card_pictures.write_augmented(folder, colors)
    sizes = card_front_matter.split_sizes(folder, augmented_copies.CONFIG)
    return AugmentedFacts(
        recipe.copies, str(recipe.document["__version__"]), recipe.text, sizes[augmented_copies.TRAIN]
    )
