"""Stable Diffusion's upscaler: its own class and call, with small random weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from curate.adapters import upscalers
from curate.errors import ModelError
from curate.params.upscale import DiffusionParams
from curate.ports import Upscaler
from curate.restoration import tiles, weights_license

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")
FEW = DiffusionParams(steps=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the published one, with a thousandth of its width."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("diffusion") / "stable-diffusion-x4-upscaler"
    letters = [chr(code) for code in range(97, 123)]
    words = [*letters, *(f"{one}</w>" for one in letters), "<|startoftext|>", "<|endoftext|>"]
    pipeline = diffusers.StableDiffusionUpscalePipeline(
        vae=diffusers.AutoencoderKL(
            block_out_channels=(8, 16, 16),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            latent_channels=4,
            norm_num_groups=4,
            scaling_factor=0.08333,
        ),
        text_encoder=transformers.CLIPTextModel(
            transformers.CLIPTextConfig(
                vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                num_attention_heads=2, max_position_embeddings=77, bos_token_id=52, eos_token_id=53,
            )
        ),
        tokenizer=transformers.CLIPTokenizer(
            vocab={word: place for place, word in enumerate(words)}, merges=[], model_max_length=77
        ),
        unet=diffusers.UNet2DConditionModel(
            block_out_channels=(16, 16, 32),
            layers_per_block=1,
            in_channels=7,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            norm_num_groups=4,
            num_class_embeds=1000,
        ),
        low_res_scheduler=diffusers.DDPMScheduler(),
        scheduler=diffusers.DDIMScheduler(prediction_type="v_prediction"),
    )  # fmt: skip
    pipeline.save_pretrained(place)
    return place


def load(folder: Path, settings: DiffusionParams = FEW) -> Upscaler:
    return upscalers.load(str(folder), scale=4, device="cpu", diffusion=settings)


@pytest.fixture(scope="module")
def upscaler(folder: Path) -> Upscaler:
    return load(folder)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(2).random((height, width, 3), dtype=np.float32)


def test_a_tile_of_any_size_becomes_four_times_as_large_and_repeats(upscaler: Upscaler) -> None:
    image = picture(50, 37)
    made = upscaler.upscale(image)
    assert (made.shape, made.dtype, upscaler.scale) == ((200, 148, 3), np.float32, 4)
    assert 0 <= made.min() < made.max() <= 1
    np.testing.assert_array_equal(made, upscaler.upscale(image))
    assert np.abs(made - upscaler.upscale(1 - image)).max() > 1e-3  # it looks at the image


def test_bright_tiles_are_read_as_others_are(upscaler: Upscaler) -> None:
    """The pipeline takes a tensor without negative values to be in [0, 1], and another to be in [-1, 1]."""
    low_res = []
    unet = upscaler._pipeline.unet  # type: ignore[attr-defined]
    handle = unet.register_forward_pre_hook(lambda _, given: low_res.append(given[0][0, 4:].numpy().copy()))
    for value in (0.75, 0.25):
        upscaler.upscale(np.full((64, 64, 3), value, dtype=np.float32))
    handle.remove()
    bright, dark = (float(np.median(one)) for one in low_res[:: len(low_res) // 2])
    assert bright == pytest.approx(-dark, abs=0.05)
    assert bright == pytest.approx(0.5, abs=0.05)


def test_settings_make_other_pixels_and_another_version(folder: Path, upscaler: Upscaler) -> None:
    image = picture(64, 64)
    other = load(folder, DiffusionParams(steps=2, seed=1))
    prompted = load(folder, DiffusionParams(steps=2, prompt="a cat"))
    made = [one.upscale(image) for one in (upscaler, other, prompted)]
    assert np.abs(made[0] - made[1]).max() > 1e-3
    assert np.abs(made[0] - made[2]).max() > 1e-5
    versions = {one.model_version for one in (upscaler, other, prompted, load(folder))}
    assert len(versions) == 3
    assert all(one.startswith("stable-diffusion-x4-upscaler@") for one in versions)


def test_tiles_cover_the_image(upscaler: Upscaler) -> None:
    made = np.concatenate(list(tiles.upscaled_bands(picture(70, 100), upscaler, tiles.TileSize(64, 16))))
    assert made.shape == (280, 400, 3)


def test_its_license_is_known_by_its_name(folder: Path) -> None:
    assert weights_license.license_of("sd", str(folder), None) == "openrail++"


@pytest.mark.parametrize("fault", ["another", "damaged", "pickle", "scale"])
def test_other_folders_are_one_line(folder: Path, tmp_path: Path, fault: str) -> None:
    place = shutil.copytree(folder, tmp_path / "copy")
    index = place / "model_index.json"
    if fault == "another":
        index.write_text(json.dumps({**json.loads(index.read_text()), "_class_name": "FluxPipeline"}))
        says = "holds a FluxPipeline: expected a StableDiffusionUpscalePipeline"
    elif fault == "damaged":
        (place / "unet/diffusion_pytorch_model.safetensors").write_bytes(b"nothing")
        says = "cannot be loaded"
    elif fault == "pickle":
        weights = place / "unet/diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_name("diffusion_pytorch_model.bin"))
        says = "cannot be loaded"
    else:
        says = r"enlarges 4 times, upscale\.scale is 2"
    with pytest.raises(ModelError, match=says):
        upscalers.load(str(place), scale=2 if fault == "scale" else 4, device="cpu", diffusion=FEW)
