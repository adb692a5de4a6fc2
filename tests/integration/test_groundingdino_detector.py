"""The groundingdino-py package at the public architecture (Swin-T): random weights, a small text encoder."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from curate.adapters.groundingdino_detector import GroundingDinoDetector, _build
from curate.adapters.torch_device import Precision
from curate.errors import ModelError
from curate.params import DetectorParams
from tests.adapters.small_models import boxes_of, category, noise, text_config, write_vocabulary

pytestmark = pytest.mark.integration
CATEGORIES = (category("stop", "stop sign"), category("parking", "parking sign"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public format: a dictionary with the state under "model", its names as from a parallel training."""
    folder = tmp_path_factory.mktemp("models")
    encoder = folder / "bert-base-uncased"
    encoder.mkdir()
    config = transformers.BertConfig(**text_config(max_position_embeddings=256))
    transformers.BertModel(config).save_pretrained(encoder)
    transformers.BertTokenizer(vocab=str(write_vocabulary(encoder / "vocab.txt"))).save_pretrained(encoder)
    torch.manual_seed(0)
    model = _build("SwinT_OGC", encoder, torch.device("cpu"))
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"model": state}, folder / "groundingdino_swint_ogc.pth")
    return folder / "groundingdino_swint_ogc.pth"


def load(
    checkpoint: Path, config: str | None = "SwinT_OGC", precision: Precision = "auto"
) -> GroundingDinoDetector:
    settings = DetectorParams.model_validate(
        {"kind": "groundingdino", "model": str(checkpoint), "config": config}
    )
    return GroundingDinoDetector(settings, device="cpu", precision=precision)


def refused(checkpoint: Path, config: str | None = "SwinT_OGC") -> str:
    with pytest.raises(ModelError) as caught:
        load(checkpoint, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_checkpoint_of_the_public_format_detects(checkpoint: Path) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        detector = load(checkpoint)
        (found,) = boxes_of(detector, [noise(0, 20, 200)], CATEGORIES)  # a strip: a tenth of a square's cost
    assert printed.getvalue() == ""
    assert detector.model_version.startswith("groundingdino-SwinT_OGC@")
    assert 0 < len(found.categories) <= 900
    assert set(found.categories) <= {"stop", "parking"}
    assert ((found.boxes >= 0) & (found.boxes <= [200, 20, 200, 20])).all()
    assert (np.diff(found.scores) <= 0).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_the_image_is_encoded_once_for_two_texts(checkpoint: Path) -> None:
    detector = load(checkpoint)
    strip = [noise(0, 20, 200)]
    apart = [boxes_of(detector, strip, [one])[0] for one in CATEGORIES]
    detector._model.max_text_len = 6  # one category a text
    seen = []
    detector._backbone.inner.register_forward_hook(lambda *_: seen.append(1))
    (found,) = boxes_of(detector, strip, CATEGORIES)
    assert len(seen) == 1
    assert found.scores == pytest.approx(-np.sort(-np.concatenate([one.scores for one in apart])), abs=1e-5)


def test_half_precision_detects_with_whole_coordinates(checkpoint: Path) -> None:
    strip = [noise(0, 20, 200)]
    (found,) = boxes_of(load(checkpoint, precision="bfloat16"), strip, CATEGORIES)
    (exact,) = boxes_of(load(checkpoint), strip, CATEGORIES)
    assert len(found.scores) > 100
    assert not np.array_equal(found.scores, exact.scores)  # it is in use
    places = np.unique(found.boxes[:, 0].round(4))
    assert len(places) > 100  # of 8 bits there would be fewer


def test_another_vocabulary_beside_the_checkpoint_is_another_model(checkpoint: Path) -> None:
    """Its weights are the checkpoint's, so only the rest of its folder changes the boxes."""
    vocabulary = checkpoint.parent / "bert-base-uncased" / "vocab.txt"
    kept, before = vocabulary.read_text(encoding="utf-8"), load(checkpoint).model_version
    vocabulary.write_text(kept + "lorry\n", encoding="utf-8")
    assert load(checkpoint).model_version != before
    vocabulary.write_text(kept, encoding="utf-8")
    assert load(checkpoint).model_version == before


def test_refusals_are_one_line(checkpoint: Path, tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none.pth")
    alone = tmp_path / "alone.pth"
    torch.save({"model": {}}, alone)
    assert "config is not set, and alone.pth is no public name" in refused(alone, None)
    assert "text encoder google-bert/bert-base-uncased cannot be loaded" in refused(alone)  # offline
    for name, content in (("empty.pth", {"model": {}}), ("foreign.pth", {"weights": 1})):
        torch.save(content, checkpoint.parent / name)
    assert "(SwinT_OGC) lacks " in refused(checkpoint.parent / "empty.pth")
    assert "the checkpoint holds no weights by name" in refused(checkpoint.parent / "foreign.pth")
