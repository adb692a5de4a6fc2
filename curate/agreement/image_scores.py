"""How much people agree on each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from curate.agreement.by_annotator import Answers
from curate.agreement.pairs import Pairs


@dataclass(slots=True)
class ImageScore:
    """Sums of the comparisons of each two annotators of an image.

    Attributes:
        objects: Objects of both.
        same: Matched pairs of one category.
        matched: Matched pairs.
        iou: Sum of the box IoU of matched pairs.
    """

    objects: int = 0
    same: int = 0
    matched: int = 0
    iou: float = 0.0

    @property
    def f1(self) -> float | None:
        """F1 of the annotators; None where nobody drew anything."""
        return 2 * self.same / self.objects if self.objects else None

    @property
    def score(self) -> float:
        """F1, where nothing drawn by all is full agreement: 1."""
        return 1.0 if self.f1 is None else self.f1

    @property
    def mean_iou(self) -> float | None:
        """Mean box IoU of matched pairs; None without any."""
        return self.iou / self.matched if self.matched else None


def of_images(answers: Answers, pairs: Pairs) -> Mapping[str, ImageScore]:
    """The scores of all images that at least two annotators looked at."""
    scores = {image_id: ImageScore() for image_id in answers.overlapped()}
    for image_id, a, b, iou in zip(pairs.images, pairs.a, pairs.b, pairs.box_iou, strict=True):
        score = scores[image_id]
        score.objects += (a >= 0) + (b >= 0)
        if iou is not None:
            score.matched += 1
            score.iou += iou
            score.same += answers.categories[a] == answers.categories[b]
    return scores
