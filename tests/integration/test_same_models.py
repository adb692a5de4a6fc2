"""Two adapters, one model: the same weights give the same boxes and masks on the same photographs.

Weights are random, architectures of full size (see full_size.py for what makes the answers differ at all).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from skimage import data

from curate.adapters.groundingdino_detector import GroundingDinoDetector
from curate.adapters.segment_anything_segmenter import SegmentAnythingSegmenter
from curate.adapters.transformers_detector import TransformersDetector
from curate.adapters.transformers_segmenter import TransformersSegmenter
from curate.params import DetectorParams, SegmenterParams
from curate.records import Detections, UInt8Image
from tests.adapters import full_size
from tests.adapters.small_models import boxes_of, category

pytestmark = pytest.mark.integration
CATEGORIES = (
    category("stop", "stop sign", "red sign"),
    category("parking", "parking sign"),
    category("dog", "dog"),
)
BOXES = np.array(
    [[10, 20, 200, 180], [150, 60, 440, 290], [0, 0, 451, 300], [300, 100, 360, 150], [33.5, 7.25, 80, 299]],
    dtype=np.float32,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Gigabytes, removed at once."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_grounding_dino_in_both_adapters(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All 900 boxes of an image agree within 1e-4 of its size, their scores within 1e-4.

    The two programs differ in two things, which are made equal here:

    - Which 900 of some 14,000 places are asked, and in which order, is decided by scores that differ by less
      than the rounding of another processor or number of threads. So the scores of all places are compared,
      and then the second program asks the places of the first.
    - The logit of a box's edge is taken 1e-3 from 0 and 1 in groundingdino-py, 1e-5 in transformers, which
      moves boxes of nearly the image's size by some thousandths.
    """
    encoder = full_size.save_text_encoder(folder)
    state = full_size.grounding_dino(encoder, "SwinT_OGC")
    checkpoint = full_size.save_grounding_dino(folder / "groundingdino_swint_ogc.pth", state)
    converted = full_size.save_grounding_dino_tiny(folder / "grounding-dino-tiny", state, encoder)
    del state
    pictures = [np.ascontiguousarray(data.chelsea()[:, 60:360]), np.ascontiguousarray(data.astronaut()[:480])]
    settings = DetectorParams(kind="groundingdino", model=str(checkpoint))
    places = _AskedPlaces()
    monkeypatch.setattr(torch, "topk", places.first)
    ours = boxes_of(GroundingDinoDetector(settings, device="cpu"), pictures, CATEGORIES)
    other = TransformersDetector(DetectorParams(model=str(converted)), device="cpu")
    monkeypatch.setattr(torch, "topk", places.second)
    logit = torch.special.logit
    monkeypatch.setattr(torch.special, "logit", lambda x, eps: logit(x, eps=100 * eps))
    theirs = boxes_of(other, pictures, CATEGORIES)
    assert places.asked
    assert places.asked_again == len(places.asked)
    for picture, found, of_other in zip(pictures, ours, theirs, strict=True):
        assert len(found.scores) == len(of_other.scores) == 900
        _assert_same(found, of_other, picture)


class _AskedPlaces:
    """Stands for torch.topk, by which both programs choose the places of the image that they ask."""

    def __init__(self) -> None:
        self.asked: list[tuple[torch.Tensor, torch.return_types.topk]] = []
        self.asked_again = 0
        self._topk = torch.topk

    def first(self, scores: torch.Tensor, k: int, dim: int) -> torch.return_types.topk:
        """Note the scores of all places and the places of the best."""
        self.asked.append((scores, self._topk(scores, k, dim=dim)))
        return self.asked[-1][1]

    def second(self, scores: torch.Tensor, k: int, dim: int) -> torch.return_types.topk:
        """The places of the first program, where the scores of all places are the same."""
        of_first, best = self.asked[self.asked_again]
        self.asked_again += 1
        torch.testing.assert_close(scores, of_first, atol=1e-4, rtol=1e-4)
        assert best.indices.shape[dim] == k
        return best


def _assert_same(found: Detections, other: Detections, picture: UInt8Image) -> None:
    """Each box has a partner of its own in the other program."""
    size = np.array([picture.shape[1], picture.shape[0]] * 2)
    places = np.abs((found.boxes / size)[:, None] - (other.boxes / size)[None]).max(axis=2)
    scores = np.abs(found.scores[:, None] - other.scores[None])
    apart = np.maximum(places, scores)
    rows, partners = linear_sum_assignment(apart)
    assert apart[rows, partners].max() < 1e-4
    assert [other.categories[i] for i in partners] == list(found.categories)
    # And the comparison says something: scores and places differ from box to box.
    assert np.ptp(found.scores) > 0.1
    assert (found.boxes / size).std(axis=0).min() > 0.05


def test_sam_in_both_adapters(folder: Path) -> None:
    """Masks agree with an IoU of at least 0.99, the quality within 1e-3."""
    state = full_size.sam("vit_b")
    checkpoint = folder / "sam_vit_b_01ec64.pth"
    torch.save(state, checkpoint)
    converted = full_size.save_sam_base(folder / "sam-vit-base", state)
    del state
    picture = data.chelsea()
    own = SegmentAnythingSegmenter(SegmenterParams(model=str(checkpoint)), device="cpu")
    masks, quality = own.segment(picture, BOXES)
    settings = SegmenterParams(kind="transformers", model=str(converted))
    others, other_quality = TransformersSegmenter(settings, device="cpu").segment(picture, BOXES)
    both = (masks & others).sum(axis=(1, 2))
    either = (masks | others).sum(axis=(1, 2))
    assert (both / either >= 0.99).all()
    assert np.abs(quality - other_quality).max() < 1e-3
    # And the comparison says something: masks are neither empty nor full, and differ from box to box.
    share = masks.mean(axis=(1, 2))
    assert (share > 0.01).all()
    assert (share < 0.99).all()
    assert all((masks[i] != masks[j]).mean() > 0.005 for i in range(5) for j in range(i))
