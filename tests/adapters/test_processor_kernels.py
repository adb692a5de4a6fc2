"""What a processor computes in another way is what the packages compute."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from groundingdino.models.GroundingDINO import ms_deform_attn
from segment_anything.modeling.image_encoder import Attention

from curate.adapters import deformable, sam_attention


@pytest.mark.parametrize("batch", [1, 2])
def test_deformable_attention_is_that_of_the_package(batch: int) -> None:
    generator = torch.Generator().manual_seed(batch)
    shapes = [(7, 5), (3, 4), (1, 1)]
    cells, queries, heads, width = sum(h * w for h, w in shapes), 11, 3, 8
    value = torch.randn(batch, cells, heads, width, generator=generator)
    # Also outside, where there are zeros.
    locations = torch.rand(batch, queries, heads, len(shapes), 4, 2, generator=generator) * 1.6 - 0.3
    weights = torch.rand(batch, queries, heads, len(shapes), 4, generator=generator)
    package = ms_deform_attn.multi_scale_deformable_attn_pytorch
    plain = getattr(package, "args", (package,))[0]  # an adapter may stand around it
    expected = plain(value, torch.tensor(shapes), locations, weights)
    found = deformable.attend(value.numpy(), shapes, locations.numpy(), weights.numpy())
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_samples_at_the_centre_of_a_cell_are_the_cell() -> None:
    value = np.arange(6, dtype=np.float32).reshape(1, 6, 1, 1)
    centre = np.array([2.5 / 3, 0.75], dtype=np.float32).reshape(1, 1, 1, 1, 1, 2)
    half = np.full((1, 1, 1, 1, 1), 0.5, dtype=np.float32)
    assert deformable.attend(value, [(2, 3)], centre, half).item() == 2.5  # half of cell 5


@pytest.mark.parametrize("grid", [(6, 6), (5, 9)])
@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("block", [400, 3000, 1 << 20])
def test_attention_in_blocks_is_that_of_the_package(
    grid: tuple[int, int], positions: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sam_attention, "_BLOCK", block)
    torch.manual_seed(0)
    attention = Attention(dim=32, num_heads=4, use_rel_pos=positions, input_size=grid).eval()
    if positions:
        torch.nn.init.normal_(attention.rel_pos_h)
        torch.nn.init.normal_(attention.rel_pos_w)
    cells = torch.randn(2, *grid, 32)
    with torch.inference_mode():
        expected = attention(cells)
        found = sam_attention._forward(attention, cells)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
