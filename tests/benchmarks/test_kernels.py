"""The comparison of compiled code with plain: it names every module, and a wrong plain version is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import kernel_cases, kernels
from benchmarks.kernel_cases import KERNELS, Case
from benchmarks.result import ROOT
from curate import row_hashes

SMALL = {"PICTURES": 2, "PIXELS": 60_000, "SCENES": 12, "INDEXED": 300, "IMAGES": 4, "TASKS": 2}


def test_every_compiled_module_is_measured() -> None:
    folder = ROOT / "curate"
    compiled = {
        str(path.relative_to(folder).with_suffix(""))
        for path in folder.rglob("*.py")
        if "from curate.compiled import" in path.read_text(encoding="utf-8")
    }
    held = [name for name, one in KERNELS.items() if not one.beside]
    assert compiled == {module for name in held for module in kernels.modules(name)}


@pytest.mark.parametrize(
    "name", ["images/quality_sums", "dedupe/hamming_kernel", "agreement/mask_fusion", "restoration/banding"]
)
def test_plain_versions_make_the_same_and_both_are_timed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for constant, value in SMALL.items():
        monkeypatch.setattr(kernel_cases, constant, value)
    monkeypatch.setattr(kernels, "ROUNDS", 1)
    monkeypatch.setattr(kernels, "_MIN_S", 0)
    found = kernels.figures(KERNELS[name].make(tmp_path))
    assert found["alike"] == 1
    assert found["own_plain_s"] > 0
    assert found["step_plain_s"] > found["own_plain_s"] > 0


def test_another_result_is_an_error_and_the_kernel_is_back_in_place() -> None:
    before = row_hashes._of_runs
    offsets, inner = np.array([0, 1, 3]), np.arange(3, dtype=np.uint64)

    def wrong(offsets: NDArray[np.int64], inner: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return np.asarray(before(offsets, inner) + np.uint64(1))

    case = Case({"curate.row_hashes._of_runs": wrong}, lambda: row_hashes._of_runs(offsets, inner), 2)
    with pytest.raises(AssertionError, match="0 of 2 numbers are the plain version's"):
        kernels.figures(case)
    assert row_hashes._of_runs is before


def test_a_step_that_calls_no_kernel_is_an_error() -> None:
    case = Case({"curate.row_hashes._of_runs": lambda *_: None}, lambda: None, 1)
    with pytest.raises(AssertionError, match=r"the step calls none of curate\.row_hashes\._of_runs"):
        kernels.figures(case)
