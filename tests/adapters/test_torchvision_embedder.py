"""The torchvision embedder with real ImageNet features: the same scene is nearer than any other."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from curate.adapters.torchvision_embedder import TorchvisionEmbedder  # noqa: E402
from curate.errors import ModelError  # noqa: E402
from curate.params import EmbeddingsParams  # noqa: E402
from tests.adapters.imagenet_weights import mobilenet, photographs, variants  # noqa: E402


def load(path: Path | str, **settings: object) -> TorchvisionEmbedder:
    values = {"model": str(path), "kind": "torchvision", "device": "cpu", **settings}
    return TorchvisionEmbedder(EmbeddingsParams.model_validate(values))


@pytest.fixture(scope="module")
def embedder() -> TorchvisionEmbedder:
    return load(mobilenet())


def test_a_scene_is_nearer_to_itself_than_to_any_other(embedder: TorchvisionEmbedder) -> None:
    scenes = photographs()
    originals = embedder.embed(list(scenes.values()))
    assert originals.shape == (len(scenes), 1280)
    assert np.linalg.norm(originals, axis=1) == pytest.approx(1, abs=1e-5)
    for place, (name, image) in enumerate(scenes.items()):
        again = variants(image)
        cosine = embedder.embed(list(again.values())) @ originals.T
        others = np.delete(cosine, place, axis=1).max(axis=1)
        nearer = dict(zip(again, (cosine[:, place] > others).tolist(), strict=True))
        assert all(nearer.values()), (name, nearer)


def test_the_vector_is_what_the_last_layer_sees(embedder: TorchvisionEmbedder) -> None:
    image = photographs()["chelsea"]
    model = torchvision.models.mobilenet_v2()
    model.load_state_dict(torch.load(mobilenet(), weights_only=True))
    recipe = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1
    pixels = recipe.transforms()(torch.from_numpy(image.copy()).permute(2, 0, 1))[None]
    with torch.inference_mode():
        expected = model.eval().features(pixels).mean(dim=(2, 3)).numpy()[0]
        best = recipe.meta["categories"][int(model(pixels).argmax())]
    assert best in {"Egyptian cat", "tabby", "tiger cat"}  # it is the trained file, not random weights
    found = embedder.embed([image])[0]
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_batches_change_nothing_and_none_is_none(embedder: TorchvisionEmbedder) -> None:
    images = list(photographs().values())[:3]
    together = embedder.embed(images)
    assert np.stack([embedder.embed([image])[0] for image in images]) == pytest.approx(together, abs=1e-5)
    assert embedder.embed([]).shape == (0, 1280)


def test_other_networks_lose_their_last_layer_too(tmp_path: Path) -> None:
    for build, width in (("resnet18", 512), ("mobilenet_v3_small", 1024), ("vit_b_32", 768)):
        torch.manual_seed(0)
        torch.save(torchvision.models.get_model(build).state_dict(), tmp_path / f"{build}-0123.pth")
        found = load(tmp_path / f"{build}-0123.pth")
        assert found.embed([photographs()["coffee"]]).shape == (1, width)
        assert found.model_version.startswith(f"{build}-IMAGENET1K_V1@")


def test_the_version_is_the_content_and_a_digest_is_held(tmp_path: Path) -> None:
    copy = tmp_path / "mobilenet_v2-other.pth"
    shutil.copy(mobilenet(), copy)
    assert (
        load(copy).model_version
        == load(mobilenet()).model_version
        == "mobilenet_v2-IMAGENET1K_V1@b03531047ffa"
    )
    with pytest.raises(ModelError, match=r"is not the one that embeddings\.sha256 names"):
        load(copy, sha256="0" * 64)


def test_refusals_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURATE_MODELS", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match="run curate models fetch"):
        load("mobilenet_v2-b0353104.pth")
    with pytest.raises(ModelError, match=r"does not exist: set embeddings\.model"):
        load(tmp_path / "missing.pth")
    with pytest.raises(ModelError, match=r"no architecture 'nonsense': set embeddings\.build"):
        load(mobilenet(), build="nonsense")
    with pytest.raises(ModelError, match=r"lacks .* weights that the model has"):
        load(mobilenet(), build="resnet18")
    (tmp_path / "resnet18-0.pth").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is damaged or no checkpoint"):
        load(tmp_path / "resnet18-0.pth")


@pytest.mark.parametrize("fault", ["lacks", "renamed", "surplus"])
def test_weights_that_do_not_belong_are_named(tmp_path: Path, fault: str) -> None:
    state = torch.load(mobilenet(), weights_only=True)
    name = "features.3.conv.0.0.weight"
    weight = state[name] if fault == "surplus" else state.pop(name)
    state |= {} if fault == "lacks" else {f"odd.{name}": weight}
    torch.save(state, tmp_path / "mobilenet_v2-0.pth")
    told = f"holds 1 weights that the model has not, such as odd.{name}"
    if fault != "surplus":
        told = f"lacks 1 weights that the model has, such as {name}"
    with pytest.raises(ModelError, match=told):
        load(tmp_path / "mobilenet_v2-0.pth")
