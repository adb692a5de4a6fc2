"""Faults by their limits: each on its own side, under the names that dedupe has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from curate.dedupe import quality_limits
from curate.params import DiagnoseParams, QualityLimits
from curate.restoration import image_faults


def test_names_are_those_of_dedupe_s_reasons_and_every_limit_is_used() -> None:
    assert quality_limits.REASONS - set(image_faults.NAMES) == {"low_contrast"}
    assert set(image_faults.NAMES) - quality_limits.REASONS == {"banding", "ringing"}
    limits = [name for name in DiagnoseParams.model_fields if name.startswith(("max_", "min_"))]
    assert sorted(limits) == sorted(fault.limit for fault in image_faults.FAULTS)
    assert set(limits) - set(QualityLimits.model_fields) == {"max_banding", "max_ringing"}


def figures(**changes: float | None) -> Mapping[str, float | None]:
    clean: dict[str, float | None] = dict.fromkeys(image_faults.FIGURES, 0.0)
    return clean | {"bandwidth": 1.0, "jpeg_quality": 95.0, "entropy": 7.0} | changes


@pytest.mark.parametrize("fault", image_faults.FAULTS, ids=image_faults.NAMES)
def test_each_limit_is_crossed_on_its_own_side(fault: image_faults.Fault) -> None:
    limit = fault.bound(DiagnoseParams())
    assert limit is not None
    beyond = limit + 0.01 if fault.limit.startswith("max_") else limit - 0.01

    def faults(value: float) -> Sequence[str]:
        return image_faults.diagnose(figures(**{fault.figure: value}), DiagnoseParams(), {}).faults

    assert faults(limit) == ()
    assert faults(beyond) == (fault.name,)
    assert fault.badness(beyond) > fault.badness(limit)
