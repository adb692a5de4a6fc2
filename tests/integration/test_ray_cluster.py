"""Two machines of a Ray cluster: whatever happens to them, the results are those of a quiet local run."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from curate.engines.local import LocalEngine
from curate.engines.ray import RayEngine
from curate.errors import CurateError, InputError
from curate.params import AgreementParams, AutolabelParams, DedupeParams, EmbeddingsParams, IngestParams
from curate.ports import Casualty, Engine
from curate.stages import agreement, autolabel, dedupe, embed, ingest
from curate_pipelines import encoders, models
from tests import builders
from tests.adapters import imagenet_weights
from tests.engines import functions as f
from tests.integration.ray_cluster import Striking, TwoMachines, wait_until
from tests.stages import crowd, test_agreement

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoMachines]:
    machines = TwoMachines()
    try:
        yield machines
    finally:
        machines.stop()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shared folder that a project is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def results(engine: Engine, function: Any, items: list[Any], *, size: int = 5) -> list[Any]:
    batches = (items[start : start + size] for start in range(0, len(items), size))
    found = engine.map_batches(functools.partial(f.each, function), batches, label="x", total=len(items))
    return [result for batch in found for result in batch]


def test_without_an_address_there_is_an_own_cluster() -> None:
    found = results(RayEngine(2), f.where, list(range(40)), size=2)
    assert [item for item, *_ in found] == list(range(40))
    pids = {pid for _, pid, _, _ in found}
    assert len(pids) == 2
    assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_opencv_has_one_thread_in_a_worker() -> None:
    assert set(results(RayEngine(2), f.opencv_threads, list(range(4)), size=2)) == {1}


def test_a_cluster_that_is_not_there_is_one_line() -> None:
    with pytest.raises(CurateError, match=r"^engine\.address: cannot reach the Ray cluster 127\.0\.0\.1:9:"):
        results(RayEngine(address="127.0.0.1:9"), f.square, [1])


def test_workers_sit_on_both_machines_in_the_folder_of_the_project(
    cluster: TwoMachines, folder: Path
) -> None:
    found = results(cluster.engine(), f.where, list(range(60)), size=2)
    assert [item for item, *_ in found] == list(range(60))
    assert len({pid for _, pid, _, _ in found} - {os.getpid()}) == 2
    assert {(threads, place) for *_, threads, place in found} == {("1", str(folder))}
    assert list(folder.iterdir()) == []  # the file that shows whether the folder is shared is gone
    assert wait_until(lambda: not cluster.workers())


@pytest.fixture(scope="module")
def connected(cluster: TwoMachines) -> TwoMachines:
    cluster.connect()
    return cluster


def test_killed_processes_and_a_lost_machine_cost_nothing(connected: TwoMachines, folder: Path) -> None:
    function = functools.partial(f.note_pid, folder=folder, seconds=0.05)

    def lose_and_add() -> None:
        connected.lose_second()
        connected.add_second()

    strikes = {2: connected.kill_worker, 6: connected.kill_keeper, 12: lose_and_add}
    engine = Striking(connected.engine(), strikes)
    assert results(engine, function, list(range(150))) == [item * item for item in range(150)]
    assert engine.struck
    assert len(list(folder.iterdir())) >= 3  # fresh ones took over; who is struck is left to chance
    assert wait_until(lambda: not connected.workers())


def test_poison_is_the_same_on_both_engines(connected: TwoMachines, folder: Path) -> None:
    function = functools.partial(f.poison, folder=folder)
    on_ray = results(connected.engine(), function, list(range(25)))
    tries = {int(file.name): len(file.read_text().splitlines()) for file in folder.iterdir()}
    assert on_ray[13] == Casualty("SIGKILL", tries=3)
    assert on_ray[17] == Casualty("SIGABRT", tries=3)
    assert on_ray == results(LocalEngine(2), f.poison, list(range(25)))
    assert tries[13] == 2 + 3  # whole, again, and three times alone
    assert tries[0] == 1


def test_the_first_error_in_order_comes_home_as_it_is(connected: TwoMachines) -> None:
    with pytest.raises(InputError, match=r"^image 5 is bad$"):  # though 9 fails sooner
        results(connected.engine(), f.refuse, list(range(12)), size=1)


def test_other_code_on_a_machine_is_told(connected: TwoMachines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.engines.ray._code", lambda: "another")
    with pytest.raises(CurateError, match="has another version of curate: install the same one on all"):
        results(connected.engine(), f.square, [1])


def test_a_folder_that_is_not_shared_is_told(connected: TwoMachines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.NamedTemporaryFile", _Elsewhere)
    with pytest.raises(CurateError, match=r"^machine \S+ has another \S+ than here: all machines must share"):
        results(connected.engine(), f.square, [1])


class _Elsewhere:
    """A file that no other machine sees."""

    name = "/nowhere/seen by nobody else"

    def __init__(self, **_: Any) -> None: ...

    def __enter__(self) -> _Elsewhere:
        return self

    def __exit__(self, *_: object) -> None: ...


def pictures(folder: Path, count: int) -> None:
    """Pictures, every fourth also in a second size; broken files between them."""
    for number in range(count):
        pixels = builders.scene([], seed=number)
        builders.write_jpeg(folder / f"{number}.jpg", pixels)
        if number % 4 == 0:
            builders.write_jpeg(folder / f"{number} small.jpg", pixels[::2, ::2].copy())
        if number % 10 == 0:
            (folder / f"{number} broken.jpg").write_bytes((folder / f"{number}.jpg").read_bytes()[:300])


def run_ingest(engine: Engine, out: Path) -> dict[str, bytes]:
    outputs = ingest.Outputs(out / "images.parquet", Path("images"), out / "ledger.sqlite", out / "cache")
    ingest.run(
        IngestParams(sources=None, min_side=16),
        inputs=ingest.Inputs(raw=Path("raw")),
        outputs=outputs,
        ports=ingest.Ports(engine, 4),
    )
    files = {path.as_posix(): path.read_bytes() for path in outputs.images.rglob("*") if path.is_file()}
    return {"table": outputs.table.read_bytes(), **files}


def run_dedupe(engine: Engine, out: Path) -> dict[str, bytes]:
    """The candidates too are searched by the workers, if the engine is a cluster."""
    outputs = dedupe.Outputs(out / "dedupe.parquet", out / "plot.csv", out / "index")
    dedupe.run(
        DedupeParams(),
        inputs=dedupe.Inputs(images=out / "images.parquet"),
        outputs=outputs,
        ports=dedupe.Ports(engine, batch_size=4),
    )
    assert not list(outputs.index.glob("*/search"))
    return {"table": outputs.table.read_bytes(), "plot": outputs.plot.read_bytes()}


def run_autolabel(engine: Engine, out: Path) -> dict[str, bytes]:
    params = AutolabelParams.model_validate(
        {
            "taxonomy": ROOT / "taxonomy.yaml",
            "shard_size": 2,
            "device": "cpu",
            "detector": {"model": str(ROOT / "demo/models/detector"), "batch_size": 2},
            "segmenter": {"build": "tiny", "model": str(ROOT / "demo/models/segmenter.pth")},
        }
    )
    outputs = autolabel.Outputs(
        out / "annotations.parquet", out / "shards", out / "scores.csv", out / "failures.csv"
    )
    autolabel.run(
        params,
        inputs=autolabel.Inputs(images=out / "images.parquet", taxonomy=params.taxonomy),
        outputs=outputs,
        ports=autolabel.Ports(functools.partial(models.models, params), engine),
    )
    return {"table": outputs.table.read_bytes(), "plot": outputs.plot.read_bytes()}


def run_embed(engine: Engine, out: Path) -> dict[str, bytes]:
    params = EmbeddingsParams(
        model=str(imagenet_weights.mobilenet()), kind="torchvision", device="cpu", shard_size=2
    )
    outputs = embed.Outputs(
        out / "embeddings.parquet", out / "objects.parquet", out / "figures.parquet",
        out / "look_alikes.csv", out / "no_vector.csv", out / "vectors",
    )  # fmt: skip
    embed.run(
        params,
        inputs=embed.Inputs(out / "images.parquet", out / "none.parquet", out / "none.parquet"),
        outputs=outputs,
        ports=embed.Ports(functools.partial(encoders.encoder, params), engine),
    )
    return {"table": outputs.table.read_bytes(), "figures": outputs.figures.read_bytes()}


def run_agreement(engine: Engine, out: Path) -> dict[str, bytes]:
    params = AgreementParams(bootstrap=100, shard_size=5)
    outputs = agreement.Outputs(
        *(out / f"{name}.parquet" for name in ("consensus", "objects", "images", "pairs")),
        *(out / f"{name}.csv" for name in ("figures", "queue", "label_errors", "bad_rows")),
        plots=out / "plots",
    )
    ports = agreement.Ports(engine)
    report = agreement.run(params, inputs=test_agreement.INPUTS, outputs=outputs, ports=ports)
    files = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    return {**files, "report": repr(report).encode()}


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """As on the cluster: from three threads on, the last bits of a mask's logits may differ."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


STAGES = {
    "ingest": run_ingest,
    "dedupe": run_dedupe,
    "autolabel": run_autolabel,
    "embed": run_embed,
    "agreement": run_agreement,
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_writes_the_bytes_of_a_quiet_local_run(
    connected: TwoMachines, folder: Path, stage: str
) -> None:
    """A worker is killed and a machine lost while it runs."""
    quiet, struck = folder / "quiet", folder / "struck"
    if stage == "agreement":
        crowd.project(folder)
    else:
        pictures(folder / "raw", 8 if stage in {"autolabel", "embed"} else 48)
    if stage in {"dedupe", "autolabel", "embed"}:
        for out in (quiet, struck):
            run_ingest(LocalEngine(in_process=True), out)
    with one_thread():
        expected = STAGES[stage](LocalEngine(in_process=True), quiet)
    if stage == "ingest":
        (folder / "images").rename(folder / "images of the quiet run")
    engine = Striking(connected.engine(), {1: connected.kill_worker, 2: connected.lose_second})
    try:
        assert STAGES[stage](engine, struck) == expected
        assert engine.struck
    finally:
        connected.add_second()
