"""What stands in `upscale` and cannot mean what it says is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from curate.params import UpscaleParams


def test_the_name_bicubic_is_no_model_s() -> None:
    """Every model is compared with what is called so."""
    with pytest.raises(ValidationError, match=r"name bicubic stands for no weights: call weights\.pth other"):
        UpscaleParams(models={"bicubic": "weights.pth"})
    assert UpscaleParams(models={"bicubic": "bicubic", "own": "w.pth"}).models["bicubic"] == "bicubic"
