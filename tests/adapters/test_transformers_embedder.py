"""The embedder on small encoders with random weights: vectors, batches, versions, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from curate.adapters.transformers_embedder import TransformersEmbedder  # noqa: E402
from curate.errors import ModelError  # noqa: E402
from curate.params import SemanticParams  # noqa: E402
from curate.records import UInt8Image  # noqa: E402


def dinov2(folder: Path, *, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    config = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14
    )
    transformers.Dinov2Model(config).save_pretrained(folder)
    size = {"height": 56, "width": 56}
    transformers.BitImageProcessor(
        size={"shortest_edge": 56}, crop_size=size, do_convert_rgb=False
    ).save_pretrained(folder)
    return folder


def clip(folder: Path) -> Path:
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.CLIPConfig(
        text_config={**small, "vocab_size": 99},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(folder)
    return folder


def resnet(folder: Path) -> Path:
    torch.manual_seed(0)
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1])
    transformers.ResNetModel(config).save_pretrained(folder)
    transformers.ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=1.0).save_pretrained(folder)
    return folder


def vit_without_pooler(folder: Path) -> Path:
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        image_size=32, patch_size=8,
    )  # fmt: skip
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def picture(seed: int, width: int = 80, height: int = 60) -> UInt8Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def load(model: Path | str, **settings: object) -> TransformersEmbedder:
    return TransformersEmbedder(SemanticParams(model=str(model), **settings))  # type: ignore[arg-type]


def refused(model: Path | str, **settings: object) -> str:
    with pytest.raises(ModelError) as caught:
        load(model, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("make", "width"), [(dinov2, 32), (clip, 16), (resnet, 12), (vit_without_pooler, 24)]
)
def test_unit_vectors_of_many_kinds_of_encoders(
    make: Callable[[Path], Path], width: int, tmp_path: Path
) -> None:
    embedder = load(make(tmp_path / "model"), batch_size=2)
    pictures = [picture(0), picture(1, 40, 90), picture(2), picture(0), picture(3)]
    vectors = embedder.embed(pictures)
    assert vectors.shape == (5, width)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[3] == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[4] < 1 - 1e-5
    assert load(tmp_path / "model", batch_size=5).embed(pictures) == pytest.approx(vectors, abs=1e-5)
    assert np.array_equal(load(tmp_path / "model", batch_size=2).embed(pictures), vectors)  # repeats exactly
    assert embedder.embed([]).shape == (0, width)


def test_the_vector_of_dinov2_is_its_pooled_token(tmp_path: Path) -> None:
    folder = dinov2(tmp_path / "model")
    model = transformers.AutoModel.from_pretrained(folder).eval()
    pixels = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")(
        picture(0), return_tensors="pt"
    )
    with torch.inference_mode():
        expected = model(**pixels).last_hidden_state[0, 0].numpy()
    found = load(folder).embed([picture(0)])[0]
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_the_version_follows_the_files_that_matter(tmp_path: Path) -> None:
    folder = dinov2(tmp_path / "small")
    first = load(folder).model_version
    assert first.startswith("small@")
    assert len(first) == len("small@") + 12
    (folder / "README.md").write_text("a card")
    assert load(folder).model_version == first
    assert load(dinov2(tmp_path / "other/small", seed=1)).model_version != first


def test_refusals_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"set dedupe\.semantic\.model to a Hub id"):
        TransformersEmbedder(SemanticParams())
    assert "is no folder" in refused(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    assert "holds no config.json" in refused(tmp_path / "empty")
    assert "cannot be loaded" in refused("nobody/no-such-model")  # offline, and not in the cache
    damaged = dinov2(tmp_path / "damaged")
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "cannot be loaded" in refused(damaged)


def test_partial_weights_are_refused(tmp_path: Path) -> None:
    folder = dinov2(tmp_path / "partial")
    safetensors = pytest.importorskip("safetensors.torch")
    kept = {
        k: v for k, v in safetensors.load_file(folder / "model.safetensors").items() if "layer.1" not in k
    }
    safetensors.save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    assert "lacks" in refused(folder)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    message = refused(dinov2(tmp_path / "small"), device="cuda")
    assert message == "device cuda is not available here: set dedupe.semantic.device to auto or cpu"
