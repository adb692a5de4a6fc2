"""Stable Diffusion's upscaler: its own class and call, with small random weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
safetensors_torch = pytest.importorskip("safetensors.torch")
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


FILES = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}


def changed(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    state = safetensors_torch.load_file(file)
    change(state)
    safetensors_torch.save_file(state, file, metadata={"format": "pt"})


def some_weight(file: Path) -> str:
    """One that random values would hide in: of a layer in the middle."""
    return sorted(name for name in safetensors_torch.load_file(file) if "norm" in name)[0]


@pytest.mark.parametrize("sharded", [False, True], ids=["whole", "sharded"])
@pytest.mark.parametrize("part", FILES)
@pytest.mark.parametrize("fault", ["lacks", "renamed", "surplus", "shape"])
def test_weights_that_do_not_belong_are_named(
    folder: Path, tmp_path: Path, part: str, fault: str, sharded: bool
) -> None:
    """None of the libraries would say a word by itself but for the shape: what lacks is drawn at random."""
    place = shutil.copytree(folder, tmp_path / "copy")
    file = in_shards(place, part) if sharded else place / part / FILES[part]
    name = some_weight(file)
    change, told = {
        "lacks": (lambda state: state.pop(name), [f"lacks 1 weights that the model has, such as {name}"]),
        "renamed": (
            lambda state: state.update({f"odd.{name}": state.pop(name)}),
            [f"lacks 1 weights that the model has, such as {name}", "model has not, such as odd."],
        ),
        "surplus": (
            lambda state: state.update({"odd.weight": torch.zeros(2)}),
            ["holds 1 weights that the model has not, such as odd.weight"],
        ),
        "shape": (lambda state: state.update({name: torch.zeros(3)}), ["another shape", name]),
    }[fault]
    load(place)
    changed(file, change)
    with pytest.raises(ModelError) as caught:
        load(place)
    assert all(text in str(caught.value) for text in (f"{place / part} ", *told)), str(caught.value)


def in_shards(place: Path, part: str) -> Path:
    """Cut a part's weights in two files and an index, which goes on to say what it says; the first file."""
    whole = place / part / FILES[part]
    state = safetensors_torch.load_file(whole)
    whole.unlink()
    names, held = sorted(state), {}
    for number, some in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), start=1):
        shard = whole.with_name(f"{whole.stem}-{number:05}-of-00002.safetensors")
        safetensors_torch.save_file({one: state[one] for one in some}, shard, metadata={"format": "pt"})
        held |= dict.fromkeys(some, shard.name)
    index = {"metadata": {"total_size": 1}, "weight_map": held}
    whole.with_name(f"{whole.name}.index.json").write_text(json.dumps(index))
    return whole.with_name(f"{whole.stem}-00001-of-00002.safetensors")


def test_names_of_older_public_files_are_no_fault(folder: Path, tmp_path: Path) -> None:
    """The published folder is of 2022: attention of the VAE had other names, CLIP's positions were stored."""
    place = shutil.copytree(folder, tmp_path / "stable-diffusion-x4-upscaler")
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def rename(state: dict[str, Any]) -> None:
        for name in [name for name in state if ".attentions." in name]:
            for new, old in older.items():
                if f".{new}." in name:
                    state[name.replace(f".{new}.", f".{old}.")] = state.pop(name)

    changed(place / "vae" / FILES["vae"], rename)
    assert any(".query." in name for name in safetensors_torch.load_file(place / "vae" / FILES["vae"]))
    positions = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    changed(place / "text_encoder" / FILES["text_encoder"], lambda state: state.update(positions))
    image = picture(64, 64)
    np.testing.assert_array_equal(load(place).upscale(image), load(folder).upscale(image))


def test_a_part_in_a_linked_folder_is_in_the_version(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    whole = load(copy).model_version
    (copy / "unet").rename(tmp_path / "elsewhere")
    (copy / "unet").symlink_to(tmp_path / "elsewhere")
    assert load(copy).model_version == whole
    config = tmp_path / "elsewhere/config.json"
    config.write_text(f"{config.read_text()} ")
    assert load(copy).model_version != whole
