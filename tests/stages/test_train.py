"""A release to a trainer and back: what it sees, what it never sees, and what is left of one that fails."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curate import formats, system
from curate.errors import InputError, ModelError, ParamsError, ReleaseError, StorageError
from curate.formats.record import LabeledImage
from curate.labeling import training_record
from curate.stages import train, trainer_command
from curate.stages.train import Inputs, Order, Ports, Trained
from curate.stages.training_images import Gold
from tests.formats import datasets
from tests.formats.release import DIGEST, write_release

# Copies what it was given, so that a test can look at it, and says what it was told.
TRAINER = """
import os, pathlib, shutil, sys
data, out, categories, seed = sys.argv[1:5]
assert os.environ["CURATE_DATA"] == data and os.environ["CURATE_SEED"] == seed
shutil.copytree(data, pathlib.Path(out, "seen"))
shutil.copy(categories, pathlib.Path(out, "categories.txt"))
pathlib.Path(out, "config.json").write_text("{}")
pathlib.Path(out, "model.safetensors").write_bytes(b"weights " + seed.encode())
print("epoch 1", flush=True)
"""
COMMAND = f"{sys.executable} trainer.py {{data}} {{out}} {{categories}} {{seed}}"
GOLD, VARIANT = "gold.png", "variant.png"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("trainer.py").write_text(TRAINER)
    return tmp_path


def sign(name: str, split: str, seed: int) -> LabeledImage:
    made = datasets.image(name, datasets.boxed("stop sign", (2, 2, 10, 10)), split=split, license="cc-by-4.0")
    return datasets.replace(made, content=datasets.png(seed=seed))


@pytest.fixture
def ids() -> dict[str, str]:
    """A release of two images to train on, one to choose by, two to test by, gold, and a variant of it."""
    images = [
        sign("a.png", "train", 1), sign("b.png", "train", 2), sign("c.png", "validation", 3),
        sign("d.png", "test", 4), sign("e.png", "test", 5), sign(GOLD, "train", 6), sign(VARIANT, "train", 7),
    ]  # fmt: skip
    return write_release(Path("release"), images, datasets.CATEGORIES, raw=Path("raw"))


def run(
    ids: dict[str, str],
    command: str = COMMAND,
    *,
    load: Callable[[Path], object] = lambda _: None,
    echo: Callable[[bytes], None] = lambda _: None,
    gold: Gold | None = None,
    folder: str = "models/first",
    **order: object,
) -> Trained:
    known = gold or Gold(frozenset({ids[GOLD]}), frozenset({ids[VARIANT]}))
    return train.run(
        Order(command, **order),  # type: ignore[arg-type]
        inputs=Inputs(Path("release"), gold=known),
        folder=Path(folder),
        ports=Ports(load, echo),
    )


def seen() -> set[str]:
    """sha256 of every image file that the trainer was given, whatever the layout."""
    files = (path for path in Path("models/first/seen").rglob("*") if path.suffix == ".png")
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("format", train.FORMATS)
def test_the_test_split_and_gold_are_never_handed_over(ids: dict[str, str], format: str) -> None:
    done = run(ids, format=format)
    given = {hashlib.sha256(datasets.png(seed=seed)).hexdigest() for seed in (1, 2, 3)}
    assert seen() == given
    text = "".join(
        path.read_text(errors="ignore") for path in Path("models/first/seen").rglob("*") if path.is_file()
    )
    for name in ("d.png", "e.png", GOLD, VARIANT):
        assert ids[name] not in text
        assert Path(name).stem + ".txt" not in text
    assert dict(done.report.counts) == {
        "images of train": 2,
        "images of validation": 1,
        "held back of the test split": 2,
        "held back with known answers": 1,
        "held back of a scene with known answers": 1,
    }
    assert training_record.trained_on(Path("models/first")) == {
        ids["a.png"]: "train", ids["b.png"]: "train", ids["c.png"]: "validation"
    }  # fmt: skip


def test_without_gold_only_the_test_split_is_held_back(ids: dict[str, str]) -> None:
    done = run(ids, gold=Gold())
    assert done.record.images == {"train": 4, "validation": 1}
    assert done.record.held_back == {"of the test split": 2}


def test_the_record_says_how(ids: dict[str, str]) -> None:
    said: list[bytes] = []
    done = run(ids, seed=7, license="apache-2.0", echo=said.append)
    folder = Path("models/first")
    assert b"".join(said) == (folder / "training.log").read_bytes() == b"epoch 1\n"
    record = training_record.read(folder)
    assert record == done.record
    assert (record.name, record.version, record.digest) == ("unit", "1.2.0", DIGEST)
    assert (record.seed, record.license, record.format) == (7, "apache-2.0", "coco")
    assert record.command == COMMAND
    assert record.files == {"trainer.py": hashlib.sha256(TRAINER.encode()).hexdigest()}
    assert record.weights["model.safetensors"] == hashlib.sha256(b"weights 7").hexdigest()
    assert record.image_licenses == {"cc-by-4.0": 3}
    assert record.git_commit is None
    assert record.detector
    assert (folder / "categories.txt").read_text().splitlines() == list(datasets.CATEGORIES)
    with (folder / "trained_on.csv").open() as file:
        assert {row["split"] for row in csv.DictReader(file)} == {"train", "validation"}
    assert sorted(path.name for path in Path("models").iterdir()) == ["first"]


def test_what_the_checkpoint_saw_that_it_builds_on_counts_as_seen(ids: dict[str, str]) -> None:
    run(ids)
    listed = Path("models/first/trained_on.csv")
    listed.write_text(listed.read_text() + f"{'e' * 64},validation,yes\n")
    on_top = f"{COMMAND} --base models/first"
    run(ids, command=on_top, folder="models/second")
    seen = training_record.trained_on(Path("models/second"))
    assert seen["e" * 64] == "validation"
    assert "e" * 64 not in training_record.trained_on(Path("models/second"), here=True)
    assert not run(ids, command=on_top, folder="models/second").fresh


def test_a_file_in_the_folder_of_a_checkpoint_has_its_record(ids: dict[str, str]) -> None:
    run(ids)
    on_top = f"{COMMAND} --base=models/first/model.safetensors"
    Path("models/first/trained_on.csv").write_text(f"image_id,split,handed_over\n{'e' * 64},train,yes\n")
    run(ids, command=on_top, folder="models/second")
    assert "e" * 64 in training_record.trained_on(Path("models/second"))
    within = Path("models/second/checkpoint-500")
    within.mkdir()
    assert "e" * 64 in training_record.trained_on(within)
    assert training_record.folder_of(within.resolve()) == Path("models/second").resolve()
    Path("models/third-link").symlink_to("second/checkpoint-500")
    assert "e" * 64 in training_record.trained_on(Path("models/third-link"))
    assert training_record.folder_of(Path("models/third-link")) == Path("models/second").resolve()
    Path("models/first/linked").symlink_to("../second/checkpoint-500")  # it is the second's all the same
    assert training_record.folder_of(Path("models/first/linked")) == Path("models/second").resolve()
    Path("cache").mkdir()
    Path("cache/blob").touch()
    Path("models/second/best.pt").symlink_to("../../cache/blob")
    assert training_record.folder_of(Path("models/second/best.pt")) == Path("models/second").resolve()
    Path("models/loop").symlink_to("loop")
    assert training_record.folder_of(Path("models/loop")) is None
    assert training_record.folder_of(Path("~nobody-of-that-name/model")) is None
    Path("training.json").write_text("of something else")
    assert training_record.folder_of(Path("models/third")) is None
    assert training_record.trained_on(Path("a" * 5000)) == {}


@pytest.mark.parametrize("what", ["script", "module"])
def test_the_program_that_trains_is_a_file_that_the_command_names(ids: dict[str, str], what: str) -> None:
    script = Path("train.py" if what == "module" else "train.sh")
    script.write_text(f"#!{sys.executable}\n{TRAINER}")
    script.chmod(0o755)
    command = {"script": "./train.sh", "module": f"{sys.executable} -m train"}[what]
    command += " {data} {out} {categories} {seed}"
    assert list(run(ids, command).record.files) == [script.name]
    script.write_text(script.read_text() + "print('more epochs')\n")
    with pytest.raises(InputError, match=f"models/first was trained with another {script.name}"):
        run(ids, command)


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("best.pt", "best.pt"),
        ("nets.base", "nets/base.py"),
        ("nets", "nets/__main__.py"),
        ("b{0}.pt", "b{0}.pt"),
    ],
)
def test_what_follows_m_is_a_file_a_module_or_a_package(ids: dict[str, str], option: str, named: str) -> None:
    path = Path(named)
    path.parent.mkdir(exist_ok=True)
    path.write_text("first")
    command = f"{COMMAND} -m {option}"
    assert set(run(ids, command).record.files) == {"trainer.py", named}
    assert not run(ids, command).fresh
    path.write_text("swapped")
    with pytest.raises(
        InputError, match=f"was trained with another {re.escape(named)}: .*--out, or remove it"
    ):
        run(ids, command)


@pytest.mark.parametrize("option", [".", "..", "''", "a" * 5000])
def test_what_follows_m_may_be_no_file_at_all(ids: dict[str, str], option: str) -> None:
    assert list(run(ids, f"{COMMAND} -m {option}").record.files) == ["trainer.py"]


def test_a_record_that_does_not_have_a_file_says_what_to_do(ids: dict[str, str]) -> None:
    command = f"{COMMAND} -m best.pt"
    run(ids, command)
    Path("best.pt").write_text("not noted by an earlier version")
    with pytest.raises(
        InputError, match=r"models/first may have been trained with another best\.pt: .*--out, or remove it"
    ):
        run(ids, command)


def test_the_log_grows_while_the_trainer_is_at_work(ids: dict[str, str]) -> None:
    logged: list[bytes] = []
    run(ids, echo=lambda _: logged.extend(path.read_bytes() for path in Path("models").rglob("training.log")))
    assert logged[0].startswith(b"epoch 1")


def test_braces_that_name_nothing_are_the_trainers(ids: dict[str, str]) -> None:
    script = Path("trainer.py")
    script.write_text(f"{TRAINER}\npathlib.Path(out, 'options.json').write_text(sys.argv[5])\n")
    run(ids, f"""{COMMAND} '{{"rate": 0.1, "place": "{{out}}"}}'""")
    options = json.loads(Path("models/first/options.json").read_text())
    assert options["rate"] == 0.1
    assert Path(options["place"]).name == "out"


def test_placeholders_of_the_trainer_stay_and_ours_are_filled() -> None:
    words = trainer_command.words("train --name {epoch}-{val_loss:.2f} {{out}} {data}/{fold} '{ }' {}")
    values = {"data": "/d", "out": "/o", "categories": "/c", "seed": 3}
    assert trainer_command.filled(words, values) == [
        "train", "--name", "{epoch}-{val_loss:.2f}", "{/o}", "/d/{fold}", "{ }", "{}"
    ]  # fmt: skip


def test_the_same_again_is_not_trained_again(ids: dict[str, str]) -> None:
    first = run(ids)
    Path("trainer.py").touch()
    again = run(ids)
    assert (first.fresh, again.fresh) == (True, False)
    assert again.record == first.record


@pytest.mark.parametrize("what", ["seed", "command", "trainer.py", "images", "release", "format"])
def test_another_training_never_takes_the_place_of_one(ids: dict[str, str], what: str) -> None:
    run(ids)
    weights = Path("models/first/model.safetensors").read_bytes()
    command, gold, order = COMMAND, None, {}
    if what == "seed":
        order = {"seed": 1}
    elif what == "format":
        order = {"format": "yolo"}
    elif what == "command":
        command += " more"
    elif what == "trainer.py":
        Path("trainer.py").write_text(TRAINER + "# changed\n")
    elif what == "images":
        gold = Gold()
    else:
        document = json.loads(Path("release/release.json").read_text())
        Path("release/release.json").write_text(json.dumps({**document, "digest": "d" * 64}))
    with pytest.raises(InputError, match=rf"models/first was trained with another {what}.*--out"):
        run(ids, command, gold=gold, **order)
    assert Path("models/first/model.safetensors").read_bytes() == weights


def test_two_trainings_into_one_folder_do_not_mix(ids: dict[str, str]) -> None:
    Path("models").mkdir()
    with (
        system.locked(Path("models/.first.lock")),
        pytest.raises(StorageError, match="another process writes to models"),
    ):
        run(ids)
    run(ids)


def test_a_training_that_is_ended_takes_its_trainer_with_it(ids: dict[str, str]) -> None:
    del ids
    Path("trainer.py").write_text(
        "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(300)"
    )
    command = [sys.executable, "-m", "curate", "train", "--with", f"{sys.executable} trainer.py"]
    with subprocess.Popen([*command, "release"]) as process:
        while not (Path("pid").exists() and Path("pid").read_text()):
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert system.has_ended(int(Path("pid").read_text()))
    assert list(Path("models").iterdir()) == []


def test_what_a_killed_training_left_is_cleared_away(ids: dict[str, str]) -> None:
    Path("models/.first.partial-1/out").mkdir(parents=True)
    Path("models/.first.partial-1/out/half.bin").write_bytes(b"half")
    # Its trainer may still be at work: it writes into a folder that is not the new one's.
    orphan = "import pathlib; p = pathlib.Path('models/.first.partial-1/out'); p.mkdir(parents=True)\n"
    Path("trainer.py").write_text(f"{TRAINER}\n{orphan}(p / 'half.bin').write_bytes(b'half')\n")
    assert "half.bin" not in run(ids).record.weights
    shutil.rmtree("models/.first.partial-1")
    assert sorted(path.name for path in Path("models").iterdir()) == ["first"]


def test_weights_that_were_changed_since_are_named(ids: dict[str, str]) -> None:
    run(ids)
    Path("models/first/model.safetensors").write_bytes(b"others")
    with pytest.raises(ModelError, match=r"models/first/model\.safetensors is not what the trainer wrote"):
        run(ids)


def test_a_folder_of_somebody_else_is_left_alone(ids: dict[str, str]) -> None:
    Path("models/first").mkdir(parents=True)
    Path("models/first/mine.txt").touch()
    with pytest.raises(InputError, match="models/first exists and `curate train` did not make it"):
        run(ids)
    assert [path.name for path in Path("models/first").iterdir()] == ["mine.txt"]


FAILURES = {
    "import sys; sys.stderr.write('\\nKeyError: 7\\n\\r 50%|##  | 2/4 [00:01<00:01]\\r'); sys.exit(3)": (
        ModelError,
        "ended with 3: KeyError: 7;",
    ),
    "import sys; print('half'); sys.exit('out of memory')": (ModelError, "ended with 1: out of memory;"),
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": (ModelError, "signal 9: it said nothing"),
    "print('fine')": (ModelError, "ended well and wrote nothing into {out}"),
    "import os; open(os.environ['CURATE_OUT'] + '/training.json', 'w')": (ModelError, "wrote training.json"),
}


@pytest.mark.parametrize("script", FAILURES)
def test_a_trainer_that_fails_leaves_nothing(ids: dict[str, str], script: str) -> None:
    kind, message = FAILURES[script]
    Path("trainer.py").write_text(script)
    with pytest.raises(kind) as error:
        run(ids)
    assert message in str(error.value)
    assert list(Path("models").iterdir()) == []


def test_a_checkpoint_that_does_not_load_leaves_nothing(ids: dict[str, str]) -> None:
    def load(folder: Path) -> None:
        assert (folder / "config.json").exists()
        raise ParamsError("the detector's label 'dog' is no category")

    with pytest.raises(ParamsError, match="label 'dog'"):
        run(ids, load=load)
    assert list(Path("models").iterdir()) == []


def test_what_is_no_checkpoint_of_transformers_is_no_detector(ids: dict[str, str]) -> None:
    Path("trainer.py").write_text("import os; open(os.environ['CURATE_OUT'] + '/best.pt', 'w').write('x')")
    done = run(ids, load=lambda _: pytest.fail("it is not loaded"))
    assert not done.record.detector
    assert list(done.record.weights) == ["best.pt"]


def test_mistakes_are_one_line(ids: dict[str, str]) -> None:
    with pytest.raises(ParamsError, match=r"unknown placeholder \{dta\}, did you mean \{data\}\?"):
        run(ids, "train {dta}")
    with pytest.raises(ParamsError, match=r"unknown placeholder \{out \}, did you mean \{out\}\?"):
        run(ids, "train '{out }'")
    with pytest.raises(ParamsError, match=r"unknown placeholder \{ OUT\}, did you mean \{out\}\?"):
        run(ids, "train '{ OUT}'")
    with pytest.raises(ParamsError, match="--with is empty"):
        run(ids, " ")
    with pytest.raises(ParamsError, match="No closing quotation"):
        run(ids, "train 'x")
    with pytest.raises(InputError, match="the trainer no-such-program cannot be started"):
        run(ids, "no-such-program {data}")
    with pytest.raises(ModelError, match="SyntaxError"):
        run(ids, f"{sys.executable} -c 'not python {'x' * 5000}'")
    with pytest.raises(
        InputError, match="--format voc is no trainer's: choose coco, yolo, yolo-seg, datasets"
    ):
        run(ids, format="voc")
    everything = Gold(frozenset(ids[name] for name in ("a.png", "b.png", GOLD, VARIANT)))
    with pytest.raises(
        ReleaseError, match=r"no image to train on \(2 of the test split, 4 with known answers\)"
    ):
        run(ids, gold=everything)


def test_the_folder_for_ultralytics_keeps_its_rules(ids: dict[str, str]) -> None:
    """train and val with labels beside the images, and nothing of test: data.yaml names no such split."""
    run(ids, format="yolo")
    text = Path("models/first/seen/data.yaml").read_text()
    assert "test" not in text
    labels = formats.read(Path("models/first/seen"))
    assert sorted(image.split or "" for image in labels.images) == ["train", "train", "validation"]
