from __future__ import annotations

import pytest
from pydantic import ValidationError

from curate.params import GatesParams, ReleaseParams
from curate.params.requirement import parse


def test_a_requirement_names_figure_slice_end_and_bound() -> None:
    found = parse("agreement.f1@0.75[pair=labeler-1 / labeler-2].lower >= 0.85")
    assert found.key == ("f1@0.75", "pair", "labeler-1 / labeler-2")
    assert (found.at_least, found.bound) == (True, 0.85)
    assert parse("agreement.mean_hausdorff_95.upper<=4").at_least is False


@pytest.mark.parametrize(
    "text",
    ["f1 >= 0.8", "agreement.f1 >= 0.8", "agreement.f1.value >= 0.8", "agreement.f1[color=red].lower >= 0.8",
     "agreement.f1.lower > 0.8", "agreement.f1.lower >= high"],
)  # fmt: skip
def test_another_form_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match=r"expected such as agreement\.f1\.lower >= 0\.85"):
        GatesParams(require={"mine": text})


@pytest.mark.parametrize("text", ["agreement.f1.upper >= 0.8", "agreement.f1.lower <= 0.8"])
def test_the_far_end_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="far end of the interval"):
        GatesParams(require={"mine": text})


def test_a_built_in_name_is_taken_and_a_failed_gate_needs_a_reason() -> None:
    with pytest.raises(ValidationError, match="licenses is a gate of its own"):
        GatesParams(require={"licenses": "agreement.f1.lower >= 0.8"})
    with pytest.raises(ValidationError, match="mine may fail for no reason"):
        ReleaseParams(allow_failed_gates={"mine": " "})
