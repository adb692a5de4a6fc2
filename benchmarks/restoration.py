"""Speed of upscaling, of making pairs and of measuring, against the loops that people write; memory.

`python -m benchmarks.restoration`
"""

from __future__ import annotations

import functools
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image

from benchmarks import plain_restoration, process_cost, result
from benchmarks.result import Target
from benchmarks.timed_engine import TimedEngine
from curate.adapters import image_metrics, upscalers
from curate.engines import factory
from curate.engines.local import LocalEngine
from curate.images import pixel_limit
from curate.params import EngineParams, PairsParams, UpscaleParams
from curate.ports import Engine, ImageMetric, Upscaler
from curate.records import FloatArray
from curate.restoration import fidelity, pair_images
from curate.restoration.pair_images import SourceOfPairs
from curate.restoration.upscale_files import FileUpscaler, UpscaleTask
from curate.stages import upscale
from curate.stages.upscale import SourceImage
from tests.restoration import real_weights

NAME = "restoration"
COMMAND = "python -m benchmarks.restoration"
ROUNDS = 1 if result.quick() else 3
UPSCALED, SIDE = (4, 96) if result.quick() else (24, 160)
PAIRED, PAIR_SIDE = (8, 192) if result.quick() else (120, 480)
MEASURED, MEASURED_SIDE = (4, 192) if result.quick() else (40, 480)
LARGE = (600, 400) if result.quick() else (6000, 4000)
MODEL_TILES = 48  # of the large image that the model makes; then a kernel does, so that minutes are enough
SCALE = 4
PLAIN, TORCH, NCNN = (
    "plain loop, spandrel",
    "curate, the same .pth",
    "curate, the same model as .param (ncnn)",
)
LOOP_OF_PAIRS = "plain loop, OpenCV"
INTRO = """## Upscaling and restoration

Real-ESRGAN's compact model (animevideov3, x4) on {upscaled} crops of photographs of {side}x{side} pixels,
PNG to PNG. The plain loop reads, runs and writes an image at a time; torch has all cores. Pairs: {paired}
images of {pair_side}x{pair_side} through Real-ESRGAN's second-order degradation, against a loop of the same
steps in OpenCV and NumPy. Start-up and imports are left out for everybody, and so are the first call of the
model and the start of workers: the clock starts when all are set up. Medians of {rounds} runs in turn; the
machine's load when each part began: {load}.

"""
METRICS = """
One process, {measured} pairs of files of {measured_side}x{measured_side}: SSIM against scikit-image's, VMAF
against ffmpeg as a program per pair.

"""
MEMORY = """
An image of {width}x{height} pixels through the compact model, written as PNG ({tiles} tiles by the model, the
others by a bicubic kernel): {peak:.0f} MiB at most, interpreter and torch included.
"""


def measure() -> None:
    """Run everybody in turn, and save."""
    loads: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=_cache()) as scratch:
        folder = Path(scratch)
        weights = real_weights.as_torch(real_weights.compact(), folder / "realesr-animevideov3.pth")
        small = crops(folder / "small", UPSCALED, SIDE)
        loads["upscale"] = os.getloadavg()[0]
        upscaling = _in_turn(
            {
                PLAIN: functools.partial(_plain_upscale, small, weights),
                TORCH: functools.partial(_upscale, small, weights),
                NCNN: functools.partial(_upscale, small, real_weights.compact()),
            }
        )
        paired = crops(folder / "paired", PAIRED, PAIR_SIDE)
        loads["pairs"] = os.getloadavg()[0]
        pairs = _in_turn(
            {
                LOOP_OF_PAIRS: functools.partial(_plain_pairs, paired),
                "curate": functools.partial(_pairs, paired),
            }
        )
        clean, made = worse(crops(folder / "clean", MEASURED, MEASURED_SIDE), folder / "made")
        loads["metrics"] = os.getloadavg()[0]
        metrics = _in_turn(
            {
                "scikit-image, ssim": lambda: _answer(plain_restoration.ssim, clean=clean, made=made),
                "curate, ssim": lambda: _answer(run_metric, name="ssim", clean=clean, made=made),
                "ffmpeg, vmaf": lambda: _answer(plain_restoration.vmaf, clean=clean, made=made),
                "curate, vmaf": lambda: _answer(run_metric, name="vmaf", clean=clean, made=made),
            }
        )
        loads["memory"] = os.getloadavg()[0]
        peak = _answer(run_large, folder=folder, weights=weights)
    content = {
        "rounds": ROUNDS,
        "load": loads,
        "upscaled": UPSCALED,
        "side": SIDE,
        "paired": PAIRED,
        "pair_side": PAIR_SIDE,
        "measured": MEASURED,
        "measured_side": MEASURED_SIDE,
        "upscale": {name: UPSCALED / seconds for name, seconds in upscaling.items()},
        "pairs": {name: PAIRED / seconds for name, seconds in pairs.items()},
        "metrics": {name: MEASURED / seconds for name, seconds in metrics.items()},
        "memory": {"width": LARGE[0], "height": LARGE[1], "tiles": MODEL_TILES, "peak_bytes": peak},
        "versions": result.versions("torch", "spandrel", "ncnn", "opencv-python-headless", "numpy"),
    }
    result.save(NAME, content, command=COMMAND, targets=_targets(content))


def _cache() -> Path:
    result.CACHE.mkdir(parents=True, exist_ok=True)
    return result.CACHE


def _in_turn(contenders: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Median seconds of each."""
    runs: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, contender in contenders.items():
            runs[name].append(contender())
    return {name: result.median(seconds) for name, seconds in runs.items()}


def _answer(function: Callable[..., float], **arguments: object) -> float:
    """What a function says in a fresh process."""
    return float(process_cost.call(function, memory=False, **arguments)[1])


def crops(folder: Path, number: int, side: int) -> Path:
    """So many crops of scikit-image's photographs, mirrored where they are too small, as PNG."""
    folder.mkdir()
    photos = [getattr(skimage.data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")]
    rng = np.random.default_rng(1)
    for place in range(number):
        photo = photos[place % len(photos)]
        missing = [(0, max(0, side - size)) for size in photo.shape[:2]]
        photo = np.pad(photo, (*missing, (0, 0)), mode="symmetric")
        top, left = (int(rng.integers(0, size - side + 1)) for size in photo.shape[:2])
        Image.fromarray(photo[top : top + side, left : left + side]).save(folder / f"{place:03}.png")
    return folder


def worse(clean: Path, made: Path) -> tuple[Path, Path]:
    """Spoil the clean crops by making them smaller and larger again."""
    made.mkdir()
    for path in clean.iterdir():
        with Image.open(path) as image:
            small = image.resize((image.width // SCALE, image.height // SCALE))
            small.resize(image.size, Image.Resampling.BICUBIC).save(made / path.name)
    return clean, made


def _plain_upscale(images: Path, weights: Path) -> float:
    with tempfile.TemporaryDirectory(dir=images.parent) as out:
        return _answer(plain_restoration.upscale, folder=images, weights=weights, out=out)


def _plain_pairs(images: Path) -> float:
    with tempfile.TemporaryDirectory(dir=images.parent) as out:
        for kind in ("HR", "LR"):
            Path(out, kind).mkdir()
        return _answer(plain_restoration.degrade, folder=images, out=out, scale=SCALE)


def _upscale(images: Path, weights: Path) -> float:
    with tempfile.TemporaryDirectory(dir=images.parent) as out:
        return _answer(run_upscale, images=images, weights=weights, out=out)


def run_upscale(images: str, weights: str, out: str) -> float:
    """Seconds of the command's own work on all images, from when all workers have their model."""
    params = UpscaleParams(models={"compact": weights}, png_level=1)  # as OpenCV writes
    load = functools.partial(upscalers.load, scale=SCALE, device="cpu")
    engine = _timed(factory.model_engine(EngineParams(), "cpu"), out)
    rows = upscale.upscale_all(
        params,
        [SourceImage(path.stem, path, path.stem) for path in sorted(Path(images).iterdir())],
        folder=lambda _: Path(out),
        ports=upscale.Ports(load, engine),
        release_license=None,
    )
    if any(row["outcome"] != "upscaled" for row in rows):
        raise RuntimeError("an image failed")
    return engine.seconds


def _timed(engine: Engine, out: str) -> TimedEngine:
    if not isinstance(engine, LocalEngine):
        raise TypeError("processes of this machine are measured")
    return TimedEngine(engine, engine.workers, Path(tempfile.mkdtemp(dir=Path(out).parent)))


def _pairs(images: Path) -> float:
    with tempfile.TemporaryDirectory(dir=images.parent) as out:
        return _answer(run_pairs, images=images, out=out)


def run_pairs(images: str, out: str) -> float:
    """Seconds of the stage's own work on all images, from when all workers are set up."""
    params = PairsParams(crop=PAIR_SIDE, step=PAIR_SIDE, scale=SCALE)
    for kind in (pair_images.HR, pair_images.LR):
        Path(out, kind).mkdir()
    batches = [
        [SourceOfPairs(path.stem, path, None, None, "train")] for path in sorted(Path(images).iterdir())
    ]
    engine = _timed(LocalEngine(), out)
    setup = functools.partial(pair_images.pairing, params, Path(out))
    made = [one for results in engine.map_batches(setup, batches, label="pairs") for one in results]
    if len(made) != len(batches) or not all(isinstance(one, list) for one in made):
        raise RuntimeError("an image has no pair")
    return engine.seconds


def run_metric(name: str, clean: str, made: str) -> float:
    """Seconds of one metric as the stage measures it, in one process."""
    metric: ImageMetric
    if name == "ssim":
        metric = fidelity.Fidelity("ssim", color="y", border=0)
    else:
        ((metric,), _) = image_metrics.load([name])
    began = time.perf_counter()
    for path in sorted(Path(clean).iterdir()):
        pixels = [np.asarray(Image.open(one).convert("RGB")) for one in (path, Path(made, path.name))]
        metric.measure(pixels[0], pixels[1])
    return time.perf_counter() - began


class FirstTiles:
    """A model for the first tiles, a bicubic kernel for the others."""

    def __init__(self, model: Upscaler, tiles: int) -> None:
        self._model, self._left = model, tiles
        self._kernel = upscalers.BicubicUpscaler(model.scale)
        self.scale, self.model_version, self.ran_on = model.scale, "the first tiles", model.ran_on

    def upscale(self, tile: FloatArray) -> FloatArray:
        """See `curate.ports.Upscaler`."""
        self._left -= 1
        return self._model.upscale(tile) if self._left >= 0 else self._kernel.upscale(tile)


def run_large(folder: str, weights: str) -> float:
    """The most bytes in memory while a large image is upscaled, as the system counts them."""
    large = Path(folder, "large.png")
    Image.effect_noise(LARGE, 20).convert("RGB").save(large, compress_level=1)
    model = FirstTiles(upscalers.load(weights, scale=SCALE, device="cpu"), MODEL_TILES)
    task = UpscaleTask("large", large, Path(folder, "large-x4.png"))
    (done,) = FileUpscaler(model, UpscaleParams(png_level=1)).upscale([task])
    with pixel_limit.any_size(), Image.open(task.target) as made:
        if made.size != (LARGE[0] * SCALE, LARGE[1] * SCALE):
            raise RuntimeError(f"the result is not whole: {done}")
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def _targets(content: dict[str, Any]) -> list[Target]:
    rates, pairs, metrics = content["upscale"], content["pairs"], content["metrics"]
    peak = content["memory"]["peak_bytes"] / 2**20
    of_pairs = pairs["curate"] / pairs[LOOP_OF_PAIRS]
    of_ssim = metrics["curate, ssim"] / metrics["scikit-image, ssim"]
    of_vmaf = metrics["curate, vmaf"] / metrics["ffmpeg, vmaf"]
    return [
        Target("upscaling by the compact model, against a plain loop", 1.5, rates[TORCH] / rates[PLAIN], "x"),
        Target("the same as ncnn", 1.5, rates[NCNN] / rates[PLAIN], "x"),
        Target("memory for an image of 24 megapixels", 2048, peak, "MiB", at_most=True),
        Target("pairs, against a plain loop in OpenCV", 2, of_pairs, "x"),
        Target("SSIM, against scikit-image", 0.9, of_ssim, "x"),
        Target("VMAF, against ffmpeg alone", 0.9, of_vmaf, "x"),
    ]


def section() -> str:
    """The Markdown of the last results."""
    content = result.load(NAME)
    load = ", ".join(f"{part} {value:.1f}" for part, value in content["load"].items())
    text = INTRO.format(**{**content, "load": load})
    rows = [
        [name, result.figure(rate), f"{rate / content['upscale'][PLAIN]:.2f}x"]
        for name, rate in content["upscale"].items()
    ]
    text += result.table(["upscaling", "images/s", "against the loop"], rows, numbers=2) + "\n"
    first = content["pairs"][LOOP_OF_PAIRS]
    rows = [[name, result.figure(rate), f"{rate / first:.2f}x"] for name, rate in content["pairs"].items()]
    text += result.table(["pairs", "pairs/s", "against the loop"], rows, numbers=2)
    text += METRICS.format(**content)
    rows = [[name, result.figure(rate)] for name, rate in content["metrics"].items()]
    text += result.table(["metric", "pairs/s"], rows, numbers=1)
    memory = content["memory"]
    text += MEMORY.format(**memory, peak=memory["peak_bytes"] / 2**20)
    return f"{text}\n{result.target_table(result.targets(content))}\n{result.footer(content)}"


if __name__ == "__main__":
    measure()
    print(section())
