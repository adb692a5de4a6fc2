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


def test_grounding_dino_in_both_adapters(folder: Path) -> None:
    """Boxes above the threshold agree within 1e-3 of the image, their scores within 1e-3.

    All 900 boxes of an image need not: which 900 of some 14,000 places are asked is decided by scores that
    differ by less than the two programs' rounding where they are low.
    """
    encoder = full_size.save_text_encoder(folder)
    state = full_size.grounding_dino(encoder, "SwinT_OGC")
    checkpoint = full_size.save_grounding_dino(folder / "groundingdino_swint_ogc.pth", state)
    converted = full_size.save_grounding_dino_tiny(folder / "grounding-dino-tiny", state, encoder)
    del state
    pictures = [np.ascontiguousarray(data.chelsea()[:, 60:360]), np.ascontiguousarray(data.astronaut()[:480])]
    settings = DetectorParams(kind="groundingdino", model=str(checkpoint))
    ours = boxes_of(GroundingDinoDetector(settings, device="cpu"), pictures, CATEGORIES)
    other = TransformersDetector(DetectorParams(model=str(converted)), device="cpu")
    theirs = boxes_of(other, pictures, CATEGORIES)
    for picture, found, of_other in zip(pictures, ours, theirs, strict=True):
        assert len(found.scores) == len(of_other.scores) == 900
        _assert_same(found, of_other, picture, keep=40)


def _assert_same(found: Detections, other: Detections, picture: UInt8Image, *, keep: int) -> None:
    """The `keep` boxes of the best scores."""
    size = np.array([picture.shape[1], picture.shape[0]] * 2)
    best, rest = found.boxes[:keep] / size, other.boxes / size
    apart = np.abs(best[:, None] - rest[None]).max(axis=2)
    partner = apart.argmin(axis=1)
    assert len(set(partner.tolist())) == keep
    assert apart.min(axis=1).max() < 1e-3
    assert np.abs(other.scores[partner] - found.scores[:keep]).max() < 1e-3
    assert [other.categories[i] for i in partner] == list(found.categories[:keep])
    assert np.abs(other.scores - found.scores).max() < 1e-2  # all 900, by rank
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
