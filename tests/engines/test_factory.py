"""params.yaml chooses the engine."""

from __future__ import annotations

import pytest

from curate import system
from curate.engines.factory import engine, model_engine
from curate.engines.local import LocalEngine
from curate.engines.ray import RayEngine
from curate.errors import CurateError
from curate.params import EngineParams


def test_local_is_processes_and_those_with_models_share_the_cores() -> None:
    chosen = engine(EngineParams(workers=3, retries=5))
    assert isinstance(chosen, LocalEngine)
    assert (chosen.workers, chosen.retries, chosen.in_process) == (3, 5, False)
    models = model_engine(EngineParams(workers=3, retries=5), "cpu", workers=2)
    assert isinstance(models, LocalEngine)
    assert (models.workers, models.retries, models.in_process) == (2, 5, False)
    assert {values["OMP_NUM_THREADS"] for values in models.environments} == {str(max(1, system.cores() // 2))}


@pytest.mark.parametrize(("device", "gpus"), [("cpu", False), ("mps", False), ("cuda", True), ("auto", None)])
def test_ray_takes_the_address_and_the_gpus(device: str, gpus: bool | None) -> None:
    settings = EngineParams(kind="ray", workers=7, address="10.0.0.1:6379", retries=1)
    for chosen in (engine(settings), model_engine(settings, device)):
        assert isinstance(chosen, RayEngine)
        assert (chosen.workers, chosen.address, chosen.retries) == (7, "10.0.0.1:6379", 1)
    assert engine(settings).gpus is False  # type: ignore[attr-defined]
    assert model_engine(settings, device).gpus is gpus  # type: ignore[attr-defined]


def test_a_ray_client_is_refused() -> None:
    with pytest.raises(
        CurateError, match=r"^engine\.address ray://host:10001: run on a machine of the cluster"
    ):
        engine(EngineParams(kind="ray", address="ray://host:10001"))
