"""Metrics of other packages: what goes in is what they ask for, and what is missing is said to be."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import skimage.data
from PIL import Image

from curate.adapters import image_metrics
from curate.errors import MetricError
from curate.restoration import ffmpeg

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)
CLEAN = skimage.data.astronaut()[:160, 180:300]
NOISY = np.clip(CLEAN + RNG.normal(0, 15, CLEAN.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("name", "equal"), [("ssimulacra2", 100), ("flip", 0), ("vmaf", 97)])
def test_equal_images_have_the_known_best_and_noise_is_worse(name: str, equal: float) -> None:
    (metric,), missing = image_metrics.load([name])
    assert missing == {}
    best, worse = metric.measure(CLEAN, CLEAN), metric.measure(CLEAN, NOISY)
    assert best == pytest.approx(equal, abs=0.01) if name != "vmaf" else best > equal
    assert (worse < best) is metric.higher_is_better
    with pytest.raises(MetricError, match="119x160 pixels, what it is compared with 120x160"):
        metric.measure(CLEAN, NOISY[:, 1:])


def test_ssimulacra2_and_flip_read_files_the_same(tmp_path: Path) -> None:
    import flip_evaluator
    import ssimulacra2

    paths = [str(tmp_path / name) for name in ("clean.png", "noisy.png")]
    for pixels, path in zip((CLEAN, NOISY), paths, strict=True):
        Image.fromarray(pixels).save(path)
    found, _ = image_metrics.load(["ssimulacra2", "flip"])
    assert found[0].measure(CLEAN, NOISY) == pytest.approx(ssimulacra2.compute_ssimulacra2(*paths))
    _, mean, _ = flip_evaluator.evaluate(*paths, "LDR")
    assert found[1].measure(CLEAN, NOISY) == pytest.approx(mean, rel=1e-5)


def test_vmaf_is_what_ffmpeg_says_of_the_files(tmp_path: Path) -> None:
    for pixels, name in ((CLEAN, "clean.png"), (NOISY, "noisy.png")):
        Image.fromarray(pixels).save(tmp_path / name)
    command = [ffmpeg.program(), "-loglevel", "error", "-i", "noisy.png", "-i", "clean.png", "-lavfi"]
    graph = "[0:v]format=yuv444p[a];[1:v]format=yuv444p[b];[a][b]libvmaf=log_fmt=json:log_path=l.json"
    subprocess.run([*command, graph, "-f", "null", "-"], cwd=tmp_path, check=True, timeout=120)
    expected = json.loads((tmp_path / "l.json").read_text())["pooled_metrics"]["vmaf"]["mean"]
    ((metric,), _) = image_metrics.load(["vmaf"])
    assert metric.measure(CLEAN, NOISY) == pytest.approx(expected, abs=0.5)


def test_without_weights_a_learned_metric_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    found, missing = image_metrics.load(["lpips", "dists"])
    assert found == []
    assert "alexnet-owt-7be5be79.pth are not in" in missing["lpips"]
    assert "vgg16-397923af.pth are not in" in missing["dists"]


def test_what_lacks_is_said_without_loading_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    asked = ["psnr", "vmaf", "lpips", "dists"]
    assert list(image_metrics.lacking(asked)) == ["lpips", "dists"]
    assert image_metrics.lacking(asked) == image_metrics.load(asked[1:])[1]
    file = tmp_path / "hub/checkpoints/vgg16-397923af.pth"
    file.parent.mkdir(parents=True)
    file.touch()
    assert list(image_metrics.lacking(asked)) == ["lpips"]
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torchvision" else find(name)
    )
    found = image_metrics.lacking(asked)
    assert "torchvision is not installed: run pip install 'curate-vision[restoration]'" in found["dists"]
    assert "imageio_ffmpeg is not installed" in found["vmaf"]
    assert found == image_metrics.load(asked[1:])[1]


@pytest.mark.parametrize(
    ("torch_home", "cache"), [("{}/own", None), (None, "{}/cache"), (None, None), ("~/torch", None)]
)
def test_weights_are_sought_where_torchvision_puts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch_home: str | None, cache: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in (("TORCH_HOME", torch_home), ("XDG_CACHE_HOME", cache)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value.format(tmp_path))
    expected = Path(torch.hub.get_dir(), "checkpoints", "alexnet-owt-7be5be79.pth")
    assert image_metrics.backbone("lpips") == expected
    assert image_metrics.backbone("vmaf") is None


def unit(features: torch.Tensor) -> torch.Tensor:
    return features / (features.pow(2).sum(1, keepdim=True).sqrt() + 1e-8)


@pytest.mark.filterwarnings("ignore")
def test_lpips_is_its_formula_and_its_authors_package_on_a_random_backbone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zhang et al. 2018: unit features of five layers, squared differences, weighted and averaged."""
    import torchmetrics.functional.image.lpips as package
    import torchvision

    torch.manual_seed(0)
    torch.set_num_threads(1)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = tmp_path / "hub/checkpoints/alexnet-owt-7be5be79.pth"
    weights.parent.mkdir(parents=True)
    backbone = torchvision.models.alexnet(weights=None)
    torch.save(backbone.state_dict(), weights)
    ((metric,), missing) = image_metrics.load(["lpips"])
    assert missing == {}
    weights.unlink()
    heads = torch.load(Path(package.__file__).parent / "lpips_models/alex.pth", "cpu", weights_only=True)
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    layers = []
    for pixels in (CLEAN, NOISY):
        values = torch.from_numpy(pixels.copy()).float() / 127.5 - 1
        planes, found = ((values - shift) / scale).permute(2, 0, 1)[None], []
        for place, layer in enumerate(backbone.features):
            planes = layer(planes)
            if place in (1, 4, 7, 9, 11):
                found.append(unit(planes))
        layers.append(found)
    expected = sum(
        (heads[f"lin{k}.model.1.weight"] * (a - b) ** 2).sum(1).mean().item()
        for k, (a, b) in enumerate(zip(*layers, strict=True))
    )
    assert metric.measure(CLEAN, NOISY) == pytest.approx(expected, rel=1e-4)
    assert metric.measure(CLEAN, CLEAN) == 0
    theirs = pytest.importorskip("lpips").LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    for own, given in zip(theirs.net.parameters(), backbone.features.parameters(), strict=True):
        own.data.copy_(given.data)
    scaled = [
        torch.from_numpy(one.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1 for one in (NOISY, CLEAN)
    ]
    with torch.inference_mode():
        assert metric.measure(CLEAN, NOISY) == pytest.approx(float(theirs(*scaled)), rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_dists_is_that_of_its_authors_package_on_a_random_backbone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchmetrics.functional.image.dists as package
    from torchvision.models import vgg

    torch.manual_seed(0)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    (tmp_path / "hub/checkpoints/vgg16-397923af.pth").touch()
    features = vgg.make_layers(vgg.cfgs["D"])  # random: the real file has 528 MB
    monkeypatch.setattr(package, "vgg16", lambda **_: SimpleNamespace(features=features))
    ((metric,), _) = image_metrics.load(["dists"])
    there, back = metric.measure(CLEAN, NOISY), metric.measure(NOISY, CLEAN)
    assert metric.measure(CLEAN, CLEAN) == pytest.approx(0, abs=1e-5)
    assert there == pytest.approx(back, abs=1e-6)
    theirs = pytest.importorskip("DISTS_pytorch.DISTS_pt")
    monkeypatch.setattr(theirs.models, "vgg16", lambda **_: SimpleNamespace(features=features))
    network = theirs.DISTS(load_weights=False).eval()
    heads = torch.load(Path(package.__file__).parent / "dists_models/weights.pt", "cpu", weights_only=True)
    network.alpha.data, network.beta.data = heads["alpha"], heads["beta"]
    planes = [torch.from_numpy(one.copy()).permute(2, 0, 1)[None].float() / 255 for one in (NOISY, CLEAN)]
    with torch.inference_mode():
        assert there == pytest.approx(float(network(*planes)), rel=1e-5)
