"""docs/examples/train_detector.py: transformers' Trainer on a release, its checkpoint back as detector."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from typer.testing import CliRunner

from curate import cli
from curate.adapters.transformers_detector import TransformersDetector
from curate.labeling import training_record
from curate.params import DetectorParams
from tests.adapters.small_detr import save_rf_detr, save_rt_detr
from tests.adapters.small_models import category, noise
from tests.formats import datasets
from tests.formats.release import write_release

EXAMPLE = Path(__file__).parents[2] / "docs/examples/train_detector.py"
BASES = {"rt_detr": save_rt_detr, "rf_detr": save_rf_detr}


@pytest.mark.parametrize(("kind", "validation"), [("rt_detr", True), ("rt_detr", False), ("rf_detr", True)])
def test_trained_for_a_few_steps_it_loads_back_with_the_categories_of_the_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, validation: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    names = datasets.CATEGORIES  # three, and the base has heads for two
    images = [
        datasets.replace(
            datasets.image(
                f"{number}.png",
                datasets.boxed(names[number % 3], (4, 4, 20, 16)),
                split="validation" if validation and number > 5 else "train",
            ),
            content=datasets.png(seed=number),
        )
        for number in range(8)
    ]
    write_release(Path("data/release"), images, names, raw=Path("raw"))
    base = BASES[kind](tmp_path / "base")
    command = (
        f"{sys.executable} {EXAMPLE} --data {{data}} --out {{out}} --seed {{seed}} --base {base} --steps 4 "
        "--batch-size 2 --rate 0.001"
    )
    done = CliRunner().invoke(cli.app, ["train", "--with", command, "--out", "own"], catch_exceptions=False)
    assert "own is a detector" in done.output
    record = training_record.read(Path("own"))
    assert record is not None
    assert record.images == ({"train": 6, "validation": 2} if validation else {"train": 8})
    assert "missing keys" not in Path("own/training.log").read_text()  # the best weights are read whole
    asked = [category(name, name, threshold=0.0) for name in names]
    detector = TransformersDetector(DetectorParams(model="own"), device="cpu")
    (found,) = detector.detect([noise(0)], asked)
    assert set(found.categories) == set(names)
    assert np.isfinite(found.scores).all()
    before, after = (
        safetensors.torch.load_file(folder / "model.safetensors") for folder in (base, Path("own"))
    )
    shared = [name for name in before if name in after and before[name].shape == after[name].shape]
    moved = [name for name in shared if not (before[name] == after[name]).all()]
    assert len(moved) > len(shared) / 4
