"""decisions.csv in the stage agreement: what people decided about objects and images of the consensus."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from curate import decision_file
from curate.agreement import decided_objects
from curate.agreement.annotator_pairs import Size
from curate.agreement.consensus import Consensus
from curate.decision_file import Decision
from curate.stages import decided_images

_ASKED = "needs-qa"
Lines = Mapping[str, Sequence[Decision]]  # of decisions.csv, by image_id


@dataclass(frozen=True, slots=True)
class Curated:
    """What the decisions make of a consensus.

    Attributes:
        agreed: The consensus with them.
        asked: Images that somebody wants looked at before they are released.
        applied: What became of the decisions about objects.
    """

    agreed: Consensus
    asked: list[str] = field(default_factory=list)
    applied: decided_objects.Applied = field(default_factory=decided_objects.Applied)

    def counts(self) -> list[tuple[str, int]]:
        """Counts for the closing line, where there are any."""
        done = self.applied.counts.total()
        left_out = sorted(self.applied.left_out.items())
        return [
            *([("decisions about objects", done)] if done else []),
            *((f"decisions that do not count, {why}", len(lines)) for why, lines in left_out),
        ]


def load(decisions: Path | None, images: Path) -> Lines:
    """What the stage reads of the file, by image.

    Args:
        decisions: decisions.csv; None = there is none.
        images: Table of dedupe.

    Raises:
        InputError: The file is missing, or a line makes no sense.
        TableError: The table is missing or damaged.
    """
    return {} if decisions is None else decided_images.load(decisions, images, "agreement")


def asked_at(made: Lines) -> dict[str, datetime]:
    """Time when somebody last asked for a look at an image, by image; lines without a time give none."""
    moments = {
        key: [at for one in lines if one.decision == _ASKED and (at := one.moment) is not None]
        for key, lines in made.items()
    }
    return {key: max(found) for key, found in moments.items() if found}


def curate(
    agreed: Consensus,
    made: Lines,
    *,
    sizes: Mapping[str, Size],
    tasks: Mapping[str, str],
    categories: Collection[str],
) -> Curated:
    """Apply the decisions about objects to the consensus.

    Args:
        agreed: What people settled on.
        made: Of `load`.
        sizes: Width and height of every planned image, upright pixels.
        tasks: Task of every planned image.
        categories: Of the taxonomy.
    """
    asked = [key for key, lines in made.items() if any(one.decision == _ASKED for one in lines)]
    of_objects = {
        key: [one for one in lines if one.decision in decision_file.OF_OBJECTS] for key, lines in made.items()
    }
    changed, applied = decided_objects.apply(
        agreed, of_objects, sizes=sizes, tasks=tasks, categories=categories
    )
    return Curated(changed, asked, applied)
