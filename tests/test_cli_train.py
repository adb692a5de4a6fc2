"""`curate train` as a command: a checkpoint comes back as detector, or one line says why not."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from curate import cli, decision_file
from curate.adapters import model_fetch
from curate.cli import models as models_command
from curate.cli import train as train_command
from curate.errors import InputError, ParamsError, ReleaseError
from curate.labeling import training_record
from curate.params import Params
from tests import builders
from tests.adapters.small_detr import save_rt_detr
from tests.formats import datasets
from tests.formats.release import write_release

TRAINER = "import os, shutil; shutil.copytree('base', os.environ['CURATE_OUT'], dirs_exist_ok=True)"
# The labels of the small RT-DETR are Stop_Sign and dog.
TAXONOMY = """\
categories:
  - {id: 0, name: stop_sign, prompts: [stop sign], threshold: 0.4, color: "#e6194b"}
  - {id: 1, name: animal, prompts: [dog], threshold: 0.3, color: "#4363d8"}
"""
PARAMS = """\
autolabel:
  detector:
    kind: groundingdino
    model: swin.pth
    config: SwinT_OGC
    sha256: {pin}
qa:
  gold: gold.parquet
""".format(pin="a" * 64)
GOLD_BOX = (2.0, 2.0, 10.0, 10.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_rt_detr(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture
def ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: Path) -> dict[str, str]:
    """A project whose release holds two images to train on and one that is gold, with a copy of it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(base, "base")
    Path("trainer.py").write_text(TRAINER)
    Path("taxonomy.yaml").write_text(TAXONOMY)
    Path("params.yaml").write_text(PARAMS)
    images = [
        datasets.replace(
            datasets.image(f"{name}.png", datasets.boxed("stop sign", GOLD_BOX), split=split),
            content=datasets.png(seed=seed),
        )
        for seed, (name, split) in enumerate(
            [("a", "train"), ("b", "validation"), ("gold", "train"), ("kept", "train")]
        )
    ]
    ids = write_release(Path("data/release"), images, datasets.CATEGORIES, raw=Path("raw"))
    size = {"width": datasets.SIZE[0], "height": datasets.SIZE[1]}
    rows = [builders.image(name, image_id=ids[name], **size) for name in ids]
    # A dropped copy has known answers too: its keeper shows the same.
    dropped = builders.image(
        "dropped", image_id="f" * 64, drop_reason="near_duplicate", duplicate_of=ids["kept.png"], **size
    )
    builders.write_images(Path("data/dedupe/images.parquet"), [*rows, dropped])
    gold = [
        builders.annotation("x", "stop_sign", GOLD_BOX, origin="gold", rle=None, image_id=image_id,
                            annotation_id=image_id[:24])
        for image_id in (ids["gold.png"], "f" * 64)
    ]  # fmt: skip
    builders.write_annotations(Path("gold.parquet"), gold)
    return ids


def run(*args: str) -> Result:
    result = CliRunner().invoke(cli.app, list(args))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def train(*args: str) -> Result:
    return run("train", "--with", f"{sys.executable} trainer.py", *args)


def test_the_checkpoint_comes_back_as_detector_by_the_lines_it_prints(ids: dict[str, str]) -> None:
    lines = train("--license", "apache-2.0").output.splitlines()
    assert lines[0] == (
        "train: 1 images of train, 1 images of validation, 1 held back of a scene with known answers, "
        "1 held back with known answers"
    )
    assert lines[1:3] == [
        "models/unit-v1.2.0 is a detector; in params.yaml, under autolabel.detector:",
        "    model: models/unit-v1.2.0",
    ]
    record = training_record.read(Path("models/unit-v1.2.0"))
    assert record is not None
    assert lines[3:5] == ["    kind: transformers", f"    sha256: {record.weights['model.safetensors']}"]
    assert record.before is not None
    assert record.before.detector.model == "swin.pth"
    assert record.before.thresholds == {"stop_sign": 0.4, "animal": 0.3}
    assert set(training_record.trained_on(Path("models/unit-v1.2.0"))) == {ids["a.png"], ids["b.png"]}
    again = train("--license", "apache-2.0").output
    assert "models/unit-v1.2.0 holds this training already" in again


def test_a_label_that_the_taxonomy_does_not_know_is_named_and_nothing_stays(ids: dict[str, str]) -> None:
    del ids
    Path("taxonomy.yaml").write_text(TAXONOMY.replace("[dog]", "[cat]"))
    with pytest.raises(ParamsError, match="label 'dog' is no category of taxonomy"):
        train()
    assert not list(Path("models").iterdir())


def test_gold_by_a_line_of_decisions_is_held_back_too(ids: dict[str, str]) -> None:
    line = f"{ids['a.png']},gold,,,,,,,"
    Path("decisions.csv").write_text(f"{','.join(decision_file.COLUMNS)}\n{line}\n")
    Path("params.yaml").write_text(PARAMS + "dedupe:\n  decisions: decisions.csv\n")
    with pytest.raises(ReleaseError, match="no image to train on"):
        train()


def test_comparing_what_nobody_trained_asks_with_what(ids: dict[str, str]) -> None:
    del ids
    with pytest.raises(InputError, match=r"base was not trained by `curate train`: say .* with --before"):
        run("models", "compare", "base")


@pytest.mark.parametrize("named", ["swin.pth", "./swin.pth"])
def test_the_detector_of_params_is_compared_with_its_own_settings(ids: dict[str, str], named: str) -> None:
    """Else an unpinned one of another configuration would be measured under its name."""
    del ids
    settings = Params.model_validate(yaml.safe_load(PARAMS))
    before, after = models_command._sides(settings, "base", named)
    assert before.detector == settings.autolabel.detector
    assert (after.detector.model, after.detector.sha256, after.detector.config) == ("base", None, None)
    before, after = models_command._sides(settings, named, "base")
    assert after.detector == settings.autolabel.detector
    assert before.detector.model == "base"


def test_a_public_one_is_compared_at_the_revision_that_models_fetch_brings(ids: dict[str, str]) -> None:
    """Its snapshot stands in the Hub's cache under that commit only, which no `main` points to."""
    del ids
    name = "google/owlv2-base-patch16-ensemble"
    settings = Params.model_validate(yaml.safe_load(PARAMS))
    before, after = models_command._sides(settings, "facebook/sam3", name)
    assert before.detector.revision == model_fetch.of_name(name).revision
    assert before.detector.revision != "main"
    assert after.detector.revision == model_fetch.of_name("facebook/sam3").revision == "main"


def test_where_no_detector_looks_the_command_must_name_one(ids: dict[str, str]) -> None:
    """Else nothing would be measured as a detector that finds nothing."""
    del ids
    own = {"kind": "none", "model": "swin.pth", "sha256": "a" * 64}
    settings = Params.model_validate({"autolabel": {"detector": own}})
    with pytest.raises(InputError, match=r"detector\.kind is none: say which MODEL"):
        models_command._sides(settings, None, "base")
    before, _ = models_command._sides(settings, "base", "swin.pth")
    assert (before.detector.kind, before.detector.sha256) == ("groundingdino", None)


def test_answers_are_known_and_nobody_knows_of_which_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert train_command._gold(None, ()) is None, "outside a project"
    decisions = Path("decisions.csv")
    decisions.write_text("image,decision,other,by,note,annotation,argument,box,when\n")
    without = Params.model_validate({"dedupe": {"decisions": "decisions.csv"}})
    assert train_command._gold(without, ()) is None
    known = Params.model_validate({"qa": {"gold": "gold.json"}})
    with pytest.raises(InputError, match=r"images\.parquet is missing: .*gold\.json: run `dvc repro dedupe`"):
        train_command._gold(known, ())
    decisions.write_text(decisions.read_text() + "a.jpg,gold,,,,,,,\n")
    with pytest.raises(InputError, match=r"images\.parquet is missing: .*decisions\.csv"):
        train_command._gold(without, ())
