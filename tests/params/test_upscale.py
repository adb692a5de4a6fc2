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


def test_commercial_use_names_models() -> None:
    with pytest.raises(ValidationError, match="commercial_use names own, which is not among models"):
        UpscaleParams(commercial_use=("own",))
