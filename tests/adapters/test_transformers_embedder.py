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
from curate.params import EmbeddingsParams, SemanticParams  # noqa: E402
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
        text_config={**small, "vocab_size": 99, "max_position_embeddings": 16, "eos_token_id": 3},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(folder)
    words(folder)
    return folder


def words(folder: Path, *, end: str = "<e>") -> None:
    """A tokenizer of a few words."""
    tokenizers = pytest.importorskip("tokenizers")
    known = ["<pad>", "<unk>", "<b>", end, "a", "photo", "of", "stop", "sign", "cat"]
    model = tokenizers.models.WordLevel(
        {word: number for number, word in enumerate(known)}, unk_token="<unk>"
    )
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"<b> $A {end}", special_tokens=[("<b>", 2), (end, 3)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token=end, unk_token="<unk>"
    ).save_pretrained(folder)


def siglip2(folder: Path) -> Path:
    """SigLIP 2 of any aspect (NaFlex): patches, their mask and their shapes go in."""
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.Siglip2Config(
        text_config={**small, "vocab_size": 99, "projection_size": 32, "max_position_embeddings": 16},
        vision_config={**small, "num_patches": 16, "patch_size": 8},
    )
    transformers.Siglip2Model(config).save_pretrained(folder)
    transformers.Siglip2ImageProcessor(patch_size=8, max_num_patches=16).save_pretrained(folder)
    words(folder)
    return folder


def siglip(folder: Path) -> Path:
    """SigLIP, and SigLIP 2 of one size, which has the same class."""
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.SiglipConfig(
        text_config={**small, "vocab_size": 99, "projection_size": 32, "max_position_embeddings": 16},
        vision_config={**small, "image_size": 32, "patch_size": 8},
    )
    transformers.SiglipModel(config).save_pretrained(folder)
    transformers.SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    words(folder)
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
    ("make", "width"),
    [(dinov2, 32), (clip, 16), (siglip, 32), (siglip2, 32), (resnet, 12), (vit_without_pooler, 24)],
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


@pytest.mark.parametrize("make", [clip, siglip, siglip2])
def test_texts_are_vectors_of_the_same_space(make: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = make(tmp_path / "model")
    embedder = load(folder)
    texts = ["cat", "a"]
    found = embedder.embed_text(texts)
    assert found.shape == (2, embedder.embed([picture(0)]).shape[1])
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert found[0] @ found[1] < 1 - 1e-5
    assert embedder.embed_text(texts[1:])[0] == pytest.approx(found[1], abs=1e-5)  # padding changes nothing
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(
        texts, padding="max_length", max_length=16, return_tensors="pt"
    )
    names = ("input_ids", "attention_mask")
    with torch.inference_mode():
        raw = model.get_text_features(**{name: tokens[name] for name in names}).pooler_output.numpy()
    assert found == pytest.approx(raw / np.linalg.norm(raw, axis=1, keepdims=True), abs=1e-5)
    with pytest.raises(ModelError, match=r"text of \d+ tokens, .* reads 16: make it shorter"):
        embedder.embed_text(["a cat " * 10])
    with torch.no_grad():
        for weights in embedder._model.text_model.parameters():
            weights.fill_(float("nan"))
    with pytest.raises(ModelError, match="gives a text no direction"):
        embedder.embed_text(texts)


def test_an_encoder_of_images_alone_reads_no_text(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"reads no text: set dedupe\.semantic\.model to a CLIP"):
        load(dinov2(tmp_path / "model")).embed_text(["a cat"])


def test_settings_of_embed_name_their_own_section(tmp_path: Path) -> None:
    folder = dinov2(tmp_path / "small")
    settings = EmbeddingsParams(model=str(folder), batch_size=0)
    found = TransformersEmbedder(settings, setting="embeddings").embed([picture(0), picture(1)])
    assert found == pytest.approx(load(folder).embed([picture(0), picture(1)]), abs=1e-5)
    with pytest.raises(ModelError, match=r"is not the one that embeddings\.sha256 names"):
        TransformersEmbedder(settings, setting="embeddings", sha256="0" * 64)


def test_an_image_without_a_direction_is_no_vector(tmp_path: Path) -> None:
    embedder = load(dinov2(tmp_path / "model"))
    embedder._features = lambda _: torch.tensor([[0.0, 0.0], [3.0, 4.0], [float("inf"), 1.0]])  # type: ignore[method-assign]
    found = embedder._forward([picture(0)] * 3)
    assert np.isnan(found[[0, 2]]).all()
    assert found[1] == pytest.approx([0.6, 0.8])


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


def test_half_a_pooler_is_none(tmp_path: Path) -> None:
    """Without one the mean over the tokens is the vector, which must not happen by damage."""
    safetensors_torch = pytest.importorskip("safetensors.torch")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        image_size=32, patch_size=8,
    )  # fmt: skip
    vit_without_pooler(tmp_path)
    transformers.ViTModel(config).save_pretrained(tmp_path)
    load(tmp_path)
    file = tmp_path / "model.safetensors"
    state = safetensors_torch.load_file(file)
    del state["pooler.dense.bias"]
    safetensors_torch.save_file(state, file, metadata={"format": "pt"})
    assert "lacks 1 weights that the model has, such as pooler.dense.bias" in refused(tmp_path)
    del state["pooler.dense.weight"]
    safetensors_torch.save_file(state, file, metadata={"format": "pt"})
    load(tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("fault", ["lacks", "renamed", "surplus"])
@pytest.mark.parametrize("tower", ["vision_model", "text_model"])
def test_weights_that_do_not_belong_are_named(tmp_path: Path, tower: str, fault: str) -> None:
    safetensors_torch = pytest.importorskip("safetensors.torch")
    file = clip(tmp_path) / "model.safetensors"
    state = safetensors_torch.load_file(file)
    name = f"{tower}.encoder.layers.0.layer_norm1.weight"
    weight = state[name].clone() if fault == "surplus" else state.pop(name)
    state |= {} if fault == "lacks" else {f"odd.{name}": weight}
    safetensors_torch.save_file(state, file, metadata={"format": "pt"})
    told = f"holds 1 weights that the model has not, such as odd.{name}"
    if fault != "surplus":
        told = f"lacks 1 weights that the model has, such as {name}"
    assert told in refused(tmp_path)


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    message = refused(dinov2(tmp_path / "small"), device="cuda")
    assert message == "device cuda is not available here: set dedupe.semantic.device to auto or cpu"
