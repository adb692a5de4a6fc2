"""The stage agreement by shards: the same bytes as from one process, however the images are cut."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.agreement.image_sums import ImageSums
from curate.engines.local import LocalEngine
from curate.errors import CurateError, TableError
from curate.params import AgreementParams
from curate.records import StageReport
from curate.stages import agreement, agreement_shards
from tests.stages import crowd
from tests.stages.test_agreement import INPUTS, OUTPUTS

# What curate.agreement.chance computes, and the agreement before chance of each.
CHANCE = {"kappa", "fleiss_kappa", "alpha", "ac1", "alpha_objects", "kappa_with_missed"}
CHANCE |= {f"alpha_counts_{level}" for level in ("ordinal", "interval", "ratio")}
CHANCE |= {f"percent_agreement{of}" for of in ("", "_units", "_fleiss", "_with_missed")}
CHANCE |= {"object_agreement", "count_agreement", "weighted_kappa"}
SHARD = 7  # images: six shards of forty


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    crowd.project(tmp_path)


def run(engine: LocalEngine, **params: Any) -> StageReport:
    return agreement.run(
        AgreementParams(bootstrap=200, **params),
        inputs=INPUTS,
        outputs=OUTPUTS,
        ports=agreement.Ports(engine),
    )


def _known(figures: bytes) -> set[str]:
    """Figures of everything that have a value and a standard error."""
    rows = csv.DictReader(figures.decode().splitlines())
    return {
        row["figure"] for row in rows if row["by"] == "all" and "undefined" not in (row["value"], row["se"])
    }


def written(report: StageReport) -> dict[str, bytes]:
    """Every output, and the report."""
    files = [
        path for folder in ("data/agreement", "plots") for path in Path(folder).rglob("*") if path.is_file()
    ]
    found = {str(path): path.read_bytes() for path in files}
    return found | {"report": json.dumps([report.counts, dict(report.metrics)], sort_keys=True).encode()}


def test_shards_in_workers_give_the_bytes_of_one_process() -> None:
    """People, categories, attributes and bad rows that only some shards have are in it."""
    whole = written(run(LocalEngine(in_process=True)))
    assert len(whole) > 15
    counts = dict(json.loads(whole["report"])[0])
    assert counts["images"] > 4 * SHARD
    assert counts["bad rows"] == 5
    assert _known(whole["data/agreement/figures.csv"]) >= CHANCE
    assert b"attribute,lit=yes" in whole["data/agreement/figures.csv"]
    assert b"attribute,light=night" in whole["data/agreement/figures.csv"]
    assert written(run(LocalEngine(2), shard_size=SHARD)) == whole
    assert not Path("data/agreement/.shards").exists()


@pytest.mark.parametrize("size", [1, 3, 20, 39])
def test_any_cut_gives_the_same(size: int) -> None:
    whole = written(run(LocalEngine(in_process=True)))
    assert written(run(LocalEngine(in_process=True), shard_size=size)) == whole


def test_refused_rows_of_all_shards_are_one_line() -> None:
    with pytest.raises(TableError, match=r"1 no_area .*1 unknown_category .*1 unknown_image") as alone:
        run(LocalEngine(in_process=True), bad_rows="refuse")
    with pytest.raises(TableError) as cut:
        run(LocalEngine(in_process=True), bad_rows="refuse", shard_size=SHARD)
    assert str(cut.value) == str(alone.value)
    assert not list(Path("data").glob("agreement/*"))


def _kill(_: AgreementParams) -> Callable[[Sequence[Any]], list[Any]]:
    return lambda _items: os.kill(os.getpid(), signal.SIGKILL) or []


def test_a_shard_that_ends_its_worker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement_shards, "_comparing", _kill)
    told = r"agreement: shard 0 ended its worker each time \(SIGKILL\): use a smaller agreement\.shard_size"
    with pytest.raises(CurateError, match=told):
        run(LocalEngine(1, retries=0), shard_size=SHARD)
    assert not Path("data/agreement/.shards").exists()


def test_sums_of_thirds_are_the_same_in_any_order() -> None:
    """In floating point (a + b) + c is not a + (b + c)."""
    rng = np.random.default_rng(0)
    images, values = np.arange(5000) % 50, rng.uniform(0, 1, 5000) / 3
    whole = ImageSums(50)
    whole.add("x", images, values)
    parts = []
    for place in (3, 0, 4, 1, 2):
        part = ImageSums(10, first=10 * place, of=50)
        mine = images // 10 == place
        part.add("x", images[mine] - 10 * place, values[mine])
        parts.append(part)
    joined = ImageSums(0, of=50)
    for part in parts:
        joined.join(part)
    expected, got = (sums.resampled(100, seed=0).of("x") for sums in (whole, joined))
    assert got.tolist() == expected.tolist()
    np.testing.assert_allclose(got[0], values.sum(), rtol=1e-15)
