"""What the stage agreement lists for people to look at again: images, and labels that a model contradicts."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curate.errors import TableError

_UNDEFINED = "undefined"  # as `curate.agreement.plots` writes what nobody knows


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A line of the list of images on which people disagree.

    Attributes:
        image_id: The image.
        f1: Agreement of its annotators in [0, 1]; None where it has none.
        reason: Why it is listed (`curate.agreement.disagreement_queue`).
        mean_iou: Mean IoU in [0, 1] of the boxes that its annotators share; None where there are none.
    """

    image_id: str
    f1: float | None
    reason: str
    mean_iou: float | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A label that a model contradicts (`curate.agreement.label_errors`).

    Attributes:
        kind: missed, spurious, category or location.
        probability: That the label is wrong, in [0, 1].
        label_id: annotation_id of the label in the consensus; empty where something is missed.
        suggestion_id: annotation_id of the model's box; empty where it sees nothing.
    """

    kind: str
    probability: float
    label_id: str
    suggestion_id: str


def read_queue(path: Path) -> tuple[Disagreement, ...] | None:
    """Images on which people disagree, worst first; None where there is no such file.

    Raises:
        TableError: The file is damaged.
    """
    if not path.exists():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return tuple(_disagreement(row) for row in csv.DictReader(file))
    except (KeyError, ValueError, csv.Error) as error:
        raise TableError(f"{path} is damaged ({error}): run the stage agreement again") from error


def _disagreement(row: Mapping[str, str]) -> Disagreement:
    f1, iou = (
        float(text) if (text := row.get(name)) and text != _UNDEFINED else None for name in ("f1", "mean_iou")
    )
    return Disagreement(row["image_id"], f1, row.get("reason") or "", iou)


def read_label_errors(path: Path) -> dict[str, tuple[Doubt, ...]]:
    """Read the labels that may be wrong, by image_id, where it is known how probable that is.

    Raises:
        TableError: The file is damaged.
    """
    found: dict[str, tuple[Doubt, ...]] = {}
    if path.exists():
        try:
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    if row["probability"] == _UNDEFINED:
                        continue  # too few cases of its kind to say
                    probability = float(row["probability"])
                    one = Doubt(row["kind"], probability, row["label_id"], row["suggestion_id"])
                    found[row["image_id"]] = (*found.get(row["image_id"], ()), one)
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise TableError(f"{path} is damaged ({error}): run the stage agreement again") from error
    return found
