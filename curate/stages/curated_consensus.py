"""decisions.csv in the stage agreement: what people decided about objects and images of the consensus."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from curate import decision_file
from curate.agreement import decided_objects
from curate.agreement.annotator_pairs import Size
from curate.agreement.consensus import Consensus
from curate.stages import decided_images


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
        """For the closing line, where there are any."""
        done = self.applied.counts.total()
        left_out = sorted(self.applied.left_out.items())
        return [
            *([("decisions about objects", done)] if done else []),
            *((f"decisions that do not count, {why}", len(lines)) for why, lines in left_out),
        ]


def curate(
    agreed: Consensus,
    decisions: Path | None,
    images: Path,
    *,
    sizes: Mapping[str, Size],
    tasks: Mapping[str, str],
    categories: Collection[str],
) -> Curated:
    """Apply the decisions.

    Args:
        agreed: What people settled on.
        decisions: decisions.csv; None = there is none.
        images: Table of dedupe.
        sizes: Width and height of every planned image, upright pixels.
        tasks: Task of every planned image.
        categories: Of the taxonomy.

    Raises:
        InputError: The file is missing, or a line makes no sense.
        TableError: The table is missing or damaged.
    """
    if decisions is None:
        return Curated(agreed)
    made = decided_images.load(decisions, images, "agreement")
    asked = [key for key, lines in made.items() if any(one.decision == "needs-qa" for one in lines)]
    of_objects = {
        key: [one for one in lines if one.decision in decision_file.OF_OBJECTS] for key, lines in made.items()
    }
    changed, applied = decided_objects.apply(
        agreed, of_objects, sizes=sizes, tasks=tasks, categories=categories
    )
    return Curated(changed, asked, applied)
