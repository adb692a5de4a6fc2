"""How much people agree on each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from curate.agreement.annotator_pairs import Pairs
from curate.agreement.by_annotator import Answers


@dataclass(slots=True)
class ImageScore:
    """Sums of the comparisons of each two annotators of an image.

    Attributes:
        objects: Objects of both.
        same: Matched pairs of one category.
        matched: Matched pairs.
        iou: Sum of the box IoU of matched pairs.
        counts: Objects of the first and of the second, where two are compared.
    """

    objects: int = 0
    same: int = 0
    matched: int = 0
    iou: float = 0.0
    counts: tuple[int, int] = (0, 0)

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


def of_pairs(answers: Answers, pairs: Pairs) -> Mapping[tuple[str, str, str], ImageScore]:
    """The scores of each two annotators of an image, by image and both; also where neither drew anything."""
    scores = {
        (image_id, *both): ImageScore()
        for image_id in answers.overlapped()
        for both in combinations(answers.by_image[image_id], 2)
    }
    rows = zip(
        pairs.images, pairs.annotators_a, pairs.annotators_b, pairs.a, pairs.b, pairs.box_iou, strict=True
    )
    for image_id, first, second, a, b, iou in rows:
        score = scores[image_id, first, second]
        score.counts = (score.counts[0] + (a >= 0), score.counts[1] + (b >= 0))
        score.objects += (a >= 0) + (b >= 0)
        if iou is not None:
            score.matched += 1
            score.iou += iou
            score.same += answers.categories[a] == answers.categories[b]
    return scores


def of_images(answers: Answers, pairs: Pairs) -> Mapping[str, ImageScore]:
    """The scores of all images that at least two annotators looked at."""
    images: dict[str, ImageScore] = {}
    for (image_id, _, _), score in of_pairs(answers, pairs).items():
        whole = images.setdefault(image_id, ImageScore())
        whole.objects += score.objects
        whole.same += score.same
        whole.matched += score.matched
        whole.iou += score.iou
    return images
