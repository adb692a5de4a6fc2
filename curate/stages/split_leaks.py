"""Leaks between the splits of a release: images that show the same picture, found by what they look like.

Groups are not asked: the features of every released image are compared with each other, as the stage dedupe
compares them, and a pair that stands in two splits is a leak whatever the tables say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate import decision_file
from curate.dedupe import candidates, decisions, duplicate_pairs, feature_index, image_columns
from curate.dedupe.decisions import Resolved
from curate.dedupe.features import Recipe
from curate.dedupe.groups import RELATIONS
from curate.dedupe.image_columns import ImageColumns
from curate.errors import ReleaseError
from curate.params import DedupeParams
from curate.ports import Casualty, Engine
from curate.stages import update_index, vector_leaks
from curate.stages.vector_leaks import Vectors


@dataclass(frozen=True, slots=True)
class Search:
    """How leaks are searched for.

    Attributes:
        params: The section `dedupe`; a pair that its decisions call different is none.
        index: Folder of the project's features; what it lacks is added.
        engine: Where images are decoded that the index lacks.
        batch_size: Images that a worker takes at a time.
        vectors: Vectors that are compared too; None = only what images look like in pixels.
    """

    params: DedupeParams
    index: Path
    engine: Engine
    batch_size: int = 64
    vectors: Vectors | None = None

    def refuse_leaks(self, images: Path, split_of: dict[str, str]) -> int:
        """Compare all released images.

        Args:
            images: The images table.
            split_of: Split by image_id of the released images.

        Returns:
            Pairs of released images that show the same picture and stand in one split.

        Raises:
            ReleaseError: Two images in different splits show the same picture, or are as alike by their
                vectors, or nobody knows because one could not be hashed or has no vector.
            InputError: An image of the table has disappeared or is damaged, or a decision makes no sense.
            TableError: The table is missing or damaged.
        """
        looks = self.pairs(images, split_of)
        leaks = [pair for pair in looks if split_of[pair[0]] != split_of[pair[1]]]
        if self.vectors is not None:
            known = {frozenset(pair[:2]) for pair in leaks}
            different = self._different(images)
            leaks += [
                pair
                for pair in vector_leaks.pairs(self.vectors, split_of)
                if frozenset(pair[:2]) not in known | different
            ]
        _refuse(leaks, split_of)
        return len(looks)

    def pairs(self, images: Path, chosen: Collection[str]) -> list[tuple[str, str, str]]:
        """All pairs that show the same picture, but for those that a person called different.

        Args:
            images: The images table.
            chosen: image_ids to compare.

        Returns:
            Two image_ids and their relation, such as "cropped".

        Raises:
            ReleaseError: An image killed the worker that hashed it, so that nobody knows what it looks like.
            InputError: An image of the table has disappeared or is damaged, or a decision makes no sense.
            TableError: The table is missing or damaged.
        """
        recipe = Recipe.of(self.params)
        table, decided = self._decided(images)
        texts = list(image_columns.id_texts(table.ids))
        wanted = np.array([text in chosen for text in texts], np.bool_)
        filling = update_index.hashing(recipe, self.engine, self.batch_size)
        with feature_index.writing(self.index, update_index.contents(recipe)) as (features, _):
            _refuse_unknown(filling.update(features, images, wanted, table.content_ids), texts)
            rows = np.flatnonzero(wanted)
            at = features.find(table.content_ids[rows])
            side = duplicate_pairs.Side(update_index.features(features), at)
        bits = self.params.max_hamming
        if bits is None:
            bits = candidates.radius(len(rows), recipe)
        found = duplicate_pairs.compare(
            side, recipe, max_hamming=bits, min_correlation=self.params.min_correlation
        ).matches
        different = {frozenset(pair) for pair in decided.different.tolist()}
        pairs = zip(rows[found.first].tolist(), rows[found.second].tolist(), found.relation, strict=True)
        return [
            (texts[a], texts[b], RELATIONS[int(kind)])
            for a, b, kind in pairs
            if frozenset((a, b)) not in different
        ]

    def _decided(self, images: Path) -> tuple[ImageColumns, Resolved]:
        made = decisions.load(self.params.decisions) if self.params.decisions else []
        named = {name for one in made for name in (one.image, one.other) if name}
        table = image_columns.read(images, places={name for name in named if not decision_file.is_id(name)})
        return table, decisions.resolve(made, self.params.decisions or Path(), table.ids, table.places)

    def _different(self, images: Path) -> set[frozenset[str]]:
        """Pairs of image_ids that a person called different."""
        table, decided = self._decided(images)
        texts = list(image_columns.id_texts(table.ids))
        return {frozenset((texts[a], texts[b])) for a, b in decided.different.tolist()}


def _refuse_unknown(casualties: Mapping[int, Casualty], texts: Sequence[str]) -> None:
    """An image that was not compared may be in two splits: that is not known, so it is not released."""
    if casualties:
        names = ", ".join(texts[row][:12] for row in sorted(casualties)[:5])
        raise ReleaseError(
            f"{len(casualties)} images could not be compared with the others, each killed the process that "
            f"hashed it: {names}: run again where memory was short, or drop them in dedupe.decisions"
        )


def _refuse(leaks: Sequence[tuple[str, str, str]], split_of: dict[str, str]) -> None:
    if not leaks:
        return
    first, second, relation = leaks[0]
    raise ReleaseError(
        f"{len(leaks)} pairs of images in different splits show the same picture, such as {first[:12]} "
        f"({split_of[first]}) and {second[:12]} ({split_of[second]}, {relation}): decide `same` or "
        "`different` in dedupe.decisions, and run dvc repro"
    )
