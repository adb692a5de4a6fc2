"""Upscalers with real weights: ncnn, torch and ONNX make the same pixels; tiles make what the whole makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from curate.adapters import spandrel_upscaler, upscalers
from curate.adapters.onnx_upscaler import OnnxUpscaler
from curate.errors import DeviceMemoryError, ModelError
from curate.ports import Upscaler
from curate.records import FloatArray
from curate.restoration import tiles
from tests.restoration import real_weights

torch = pytest.importorskip("torch")
torch_onnx = pytest.importorskip("torch.onnx")
LEVEL = 1 / 255


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    real_weights.as_torch(real_weights.compact(), folder / "realesr-animevideov3.pth")
    return folder


@pytest.fixture(scope="module")
def compact(files: Path) -> Upscaler:
    return upscalers.load(str(files / "realesr-animevideov3.pth"), scale=4, device="cpu")


def photo(height: int, width: int) -> FloatArray:
    cut: FloatArray = skimage.data.astronaut()[:height, 180 : 180 + width].astype(np.float32) / 255
    return cut


def test_torch_and_ncnn_make_the_same_pixels(compact: Upscaler) -> None:
    ncnn = upscalers.load(str(real_weights.compact()), scale=None)
    assert (ncnn.scale, compact.scale) == (4, 4)
    assert upscalers.load(str(real_weights.compact(2)), scale=2).scale == 2
    image = photo(61, 83)
    difference = np.clip(ncnn.upscale(image), 0, 1) - compact.upscale(image)
    assert np.abs(difference).max() < LEVEL
    assert compact.model_version.startswith("realesr-animevideov3@")
    assert (compact.ran_on, ncnn.ran_on) == ("cpu float32", "cpu")


def test_it_is_the_published_model_and_not_a_kernel(compact: Upscaler) -> None:
    """Lines that a bicubic kernel leaves blurred become sharp again: what the model is for."""
    row = (np.arange(64) // 8 % 2).astype(np.float32)
    sharp = np.repeat(np.tile(row, (64, 1))[..., None], 3, axis=2)
    made = compact.upscale(sharp)
    plain = upscalers.BicubicUpscaler(4).upscale(sharp)
    middle = slice(64, 192)
    steep = [float(np.abs(np.diff(one[128, middle, 1])).max()) for one in (made, plain)]
    assert steep[0] > 1.5 * steep[1]


@pytest.mark.parametrize("tile", [64, 96])
def test_tiled_equals_whole_within_a_level(compact: Upscaler, tile: int) -> None:
    image = photo(130, 170)
    whole = compact.upscale(image)
    tiled = np.concatenate(list(tiles.upscaled_bands(image, compact, tiles.TileSize(tile, 32))))
    assert tiled.shape == whole.shape
    assert np.abs(tiled - whole).max() <= LEVEL
    cut = np.concatenate(list(tiles.upscaled_bands(image, compact, tiles.TileSize(tile, 0))))
    assert np.abs(cut - whole).max() > 3 * LEVEL  # without an overlap seams are seen


def exported(model: torch.nn.Module, path: Path, *, free: bool) -> Path:
    axes = {"given": {2: "h", 3: "w"}, "made": {2: "H", 3: "W"}} if free else None
    torch_onnx.export(
        model,
        (torch.zeros(1, 3, 64, 64),),
        str(path),
        input_names=["given"],
        output_names=["made"],
        dynamic_axes=axes,
        dynamo=False,
    )
    return path


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning", "ignore::UserWarning"
)
def test_onnx_of_free_and_of_fixed_size(files: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 12, 3, padding=1), torch.nn.PixelShuffle(2)).eval()
    image = photo(40, 52)
    expected = model(torch.from_numpy(image.transpose(2, 0, 1))[None])[0].detach().numpy().transpose(1, 2, 0)
    free = upscalers.load(str(exported(model, files / "free.onnx", free=True)), scale=2)
    np.testing.assert_allclose(free.upscale(image), expected, atol=1e-5)
    assert free.ran_on == "cpu float32"
    fixed = OnnxUpscaler(exported(model, files / "fixed.onnx", free=False))
    made = fixed.upscale(image)
    assert made.shape == (80, 104, 3)
    np.testing.assert_allclose(made[:-4, :-4], expected[:-4, :-4], atol=1e-5)
    with pytest.raises(ModelError, match=r"tiles of 64x64 only: set upscale\.tile to 64"):
        fixed.upscale(photo(65, 20))


@pytest.mark.filterwarnings("ignore:torch.meshgrid")
def test_a_transformer_is_recognized_and_its_layout_changes_nothing(tmp_path: Path) -> None:
    swin = pytest.importorskip("spandrel.architectures.SwinIR")
    torch.manual_seed(0)
    small = {"img_size": 16, "depths": [1], "embed_dim": 12, "num_heads": [2], "window_size": 4}
    model = swin.SwinIR(**small, mlp_ratio=2, upsampler="pixelshuffledirect", upscale=2)
    torch.save({"params": model.state_dict()}, tmp_path / "swin.pth")
    image = photo(37, 50)
    made = upscalers.load(str(tmp_path / "swin.pth"), scale=2, device="cpu").upscale(image)
    plain = spandrel_upscaler.descriptor(tmp_path / "swin.pth")
    with torch.inference_mode():
        planes = plain(torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None])
    np.testing.assert_allclose(made, planes[0].numpy().transpose(1, 2, 0), atol=1e-5)


def test_an_architecture_that_takes_axes_apart_keeps_its_layout(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Apart(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.model = 1, torch.nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            made = self.model(image)
            return made.view(1, -1).view(made.shape)

    whole = Apart().eval()
    monkeypatch.setattr(spandrel_upscaler, "descriptor", lambda _: whole)
    made = upscalers.load(str(files / "realesr-animevideov3.pth"), scale=1, device="cpu").upscale(photo(9, 7))
    assert made.shape == (9, 7, 3)
    assert whole.model.weight.is_contiguous()


def test_memory_that_is_short_is_told_as_such(compact: Upscaler, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(compact, "_model", full)
    with pytest.raises(DeviceMemoryError, match=r"set upscale\.tile lower"):
        compact.upscale(photo(8, 8))


def test_a_fault_of_the_runtime_names_the_model_and_the_tile(
    compact: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("The size of tensor a must match\nmore")

    monkeypatch.setattr(compact, "_model", broken)
    says = r"animevideov3\.pth cannot be run on a tile of 9x8 pixels: The size of tensor a must match$"
    with pytest.raises(ModelError, match=says):
        compact.upscale(photo(8, 9))


def test_ncnn_without_memory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ncnn = upscalers.load(str(real_weights.compact()), scale=None)

    class Full:
        def input(self, *_: object) -> None:
            pass

        def extract(self, _: str) -> tuple[int, None]:
            return -100, None  # as ncnn's layers do

    class Net:
        input_names = output_names = staticmethod(lambda: ["name"])
        create_extractor = Full

    monkeypatch.setattr(ncnn, "_net", Net())
    with pytest.raises(DeviceMemoryError, match=r"set upscale\.tile lower"):
        ncnn.upscale(photo(8, 8))


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there_is_told_by_what_the_user_gave(files: Path) -> None:
    path = str(files / "realesr-animevideov3.pth")
    with pytest.raises(ModelError, match=r"cuda is not available here: set upscale\.device to auto or cpu"):
        upscalers.load(path, scale=4, device="cuda")
    with pytest.raises(ModelError, match=r"cuda is not available here: set --device to auto or cpu"):
        upscalers.load(path, scale=4, device="cuda", device_setting="--device")


def _nothing(path: Path) -> None:
    path.write_bytes(b"nothing of the kind")


def _foreign(path: Path) -> None:
    torch.save({"params": {"a.weight": torch.zeros(3)}}, path)


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("a.pth", _nothing, "damaged or no checkpoint"),
        ("b.pth", _foreign, "spandrel knows no such architecture"),
        ("c.safetensors", _nothing, "are damaged"),
        ("d.param", _nothing, r"d\.bin is missing"),
        ("e.onnx", _nothing, "cannot be loaded"),
        ("f.xyz", _nothing, r"expected \.pth"),
    ],
)
def test_bad_weights_are_one_line(
    tmp_path: Path, name: str, write: Callable[[Path], None], says: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(ModelError, match=says):
        upscalers.load(str(tmp_path / name), scale=None)


def test_a_missing_file_and_another_scale_are_refused() -> None:
    with pytest.raises(ModelError, match=r"upscaler none\.pth does not exist: set upscale\.models"):
        upscalers.load("none.pth", scale=None)
    with pytest.raises(ModelError, match=r"enlarges 4 times, upscale\.scale is 2"):
        upscalers.load(str(real_weights.compact()), scale=2)


def test_a_checkpoint_that_would_run_a_program_is_refused(tmp_path: Path) -> None:
    import pickle

    class Program:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (print, ("run",))

    (tmp_path / "p.pth").write_bytes(pickle.dumps({"params": Program()}, protocol=2))
    with pytest.raises(ModelError):
        upscalers.load(str(tmp_path / "p.pth"), scale=None)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("lacks", "body.2.weight"),
        ("lacks", "body.34.bias"),  # its shape tells spandrel the scale
        ("renamed", "body.2.weight"),
        ("renamed", "body.34.bias"),
        ("surplus", "odd.weight"),
        ("shape", "body.2.weight"),
    ],
)
def test_weights_that_do_not_belong_are_named(files: Path, tmp_path: Path, fault: str, name: str) -> None:
    state = torch.load(files / "realesr-animevideov3.pth", weights_only=True)["params"]
    if fault == "renamed":
        state[f"odd.{name}"] = state[name]
    if fault in ("surplus", "shape"):
        state[name] = torch.zeros(2)
    else:
        del state[name]
    torch.save({"params": state}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"other\.pth are not those of one architecture") as caught:
        upscalers.load(str(tmp_path / "other.pth"), scale=4, device="cpu")
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data[:-4], r"other\.bin is damaged"),
        (
            lambda data: data + bytes(4),
            r"other\.bin holds 4 bytes of weights more than the layers of other\.param",
        ),
    ],
)
def test_weights_of_ncnn_that_do_not_belong_are_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], says: str
) -> None:
    """They have no names: layers take theirs in turn."""
    published = real_weights.compact()
    (tmp_path / "other.param").write_bytes(published.read_bytes())
    (tmp_path / "other.bin").write_bytes(change(published.with_suffix(".bin").read_bytes()))
    with pytest.raises(ModelError, match=says):
        upscalers.load(str(tmp_path / "other.param"), scale=None)
