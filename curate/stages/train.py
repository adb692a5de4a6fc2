"""A release is handed to a trainer of the user's, and its checkpoint comes back with a record of how.

Handed over are the splits train, for training, and validation, for choosing. The test split and images with
known answers are not: by them models are measured afterwards.
"""

from __future__ import annotations

import glob
import hashlib
import itertools
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from curate import system, tables
from curate.errors import InputError, ModelError
from curate.file_identity import sha256_of
from curate.folder_walk import paths_below
from curate.formats import huggingface
from curate.labeling import training_record
from curate.labeling.training_record import DetectorBefore, TrainingRecord
from curate.records import StageReport
from curate.release import manifest
from curate.stages import export, trainer_command, training_images
from curate.stages.training_images import Gold, TrainingImages

FORMATS: Final = {"coco": "coco", "yolo": "yolo", "yolo-seg": "yolo-seg", "datasets": "imagefolder"}
LOG: Final = "training.log"
CONFIG: Final = "config.json"  # of a checkpoint in the format of transformers
_OURS: Final = (training_record.NAME, training_record.IMAGES, LOG)


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asks for.

    Attributes:
        command: The trainer; see `trainer_command.words`.
        format: One of `FORMATS`.
        seed: Handed to it.
        license: Of the checkpoint; None = not stated.
    """

    command: str
    format: str = "coco"
    seed: int = 0
    license: str | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is handed over.

    Attributes:
        release: A release folder.
        whole: False = only its data came here; see `export.run`.
        gold: Images that are not handed over; None = outside a project, where nobody knows them.
        before: What the checkpoint may take the place of; None = not known.
    """

    release: Path
    whole: bool = True
    gold: Gold | None = None
    before: DetectorBefore | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """Outside systems that the stage needs.

    Attributes:
        load: Loads a checkpoint folder as detector and asks it for the categories; raises where it cannot.
        echo: Takes the trainer's output as it comes.
    """

    load: Callable[[Path], object]
    echo: Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it; `fresh` is False where the same had been trained before."""

    report: StageReport
    record: TrainingRecord
    fresh: bool


def run(order: Order, *, inputs: Inputs, folder: Path, ports: Ports) -> Trained:
    """Train, unless `folder` holds the result of the same training.

    Args:
        order: What is asked for.
        inputs: What is handed over.
        folder: The checkpoint's; appears whole or not at all, and is never changed.
        ports: The outside.

    Raises:
        ParamsError: The command or a label of the checkpoint makes no sense.
        InputError: An unknown format, a program that is not there, or `folder` holds something else.
        ReleaseError: The release is damaged, or leaves nothing to train on.
        ModelError: The trainer failed, or wrote nothing, or nothing that loads whole.
        StorageError: The disk is full or refuses.
    """
    if order.format not in FORMATS:
        raise InputError(f"--format {order.format} is no trainer's: choose {', '.join(FORMATS)}")
    words = trainer_command.words(order.command)
    facts = manifest.read(inputs.release)
    chosen = training_images.choose(inputs.release, inputs.gold or Gold())
    files = _named_files(words)
    if folder.exists():
        earlier = _earlier(folder, order, facts.digest, files, chosen)
        return Trained(_report(earlier), earlier, fresh=False)
    # A name of its own: the trainer of a run that was killed may still write.
    partial = folder.with_name(f".{folder.name}.partial-{uuid.uuid4().hex[:8]}")
    lock = folder.with_name(f".{folder.name}.lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with system.locked(lock):
            for left in folder.parent.glob(f"{glob.escape(f'.{folder.name}.partial')}*"):
                shutil.rmtree(left, ignore_errors=True)
            try:
                record = _into(partial, order, words, inputs, files, chosen, ports)
                (partial / "out").rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
                lock.unlink()
    except OSError as error:
        raise tables.storage_error(error, folder) from error
    return Trained(_report(record), record, fresh=True)


def _into(  # noqa: PLR0917 - one call
    partial: Path,
    order: Order,
    words: Sequence[str],
    inputs: Inputs,
    files: Mapping[str, str],
    chosen: TrainingImages,
    ports: Ports,
) -> TrainingRecord:
    """Train into the folder `out` of one that nobody reads; the record is written into it too."""
    facts, out = manifest.read(inputs.release), partial / "out"
    out.mkdir(parents=True)
    began = datetime.now(UTC)
    seconds = _train(order, words, inputs, chosen, partial, ports)
    detector = _loads(out, ports)
    commit, changed = _git()
    record = TrainingRecord(
        name=facts.name,
        version=facts.version,
        digest=facts.digest,
        format=order.format,
        command=order.command,
        files=files,
        seed=order.seed,
        images=chosen.counts(),
        held_back=chosen.held_back,
        image_licenses=chosen.licenses,
        data_license=facts.license,
        license=order.license,
        git_commit=commit,
        git_changed=changed,
        started_at=began.isoformat(timespec="seconds"),
        seconds=seconds,
        weights=_digests(out),
        detector=detector,
        before=inputs.before,
    )
    record.write(out, chosen.split, _seen_before(words))
    (partial / LOG).rename(out / LOG)
    return record


def _train(  # noqa: PLR0917 - one call
    order: Order, words: Sequence[str], inputs: Inputs, chosen: TrainingImages, partial: Path, ports: Ports
) -> float:
    """Hand the images over and run the command to its end; the seconds that it took."""
    data, categories = partial / "data", partial / "categories.txt"
    export.run(
        FORMATS[order.format], inputs.release, data,
        splits=chosen.splits, without=chosen.without, whole=inputs.whole,
    )  # fmt: skip
    names = huggingface.read(inputs.release, content=False, verified=True).categories
    categories.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    places = {"data": data, "out": partial / "out", "categories": categories}
    values = {**{name: path.resolve() for name, path in places.items()}, "seed": order.seed}
    clock = time.monotonic()
    trainer_command.run(words, values, partial / LOG, echo=ports.echo)
    return round(time.monotonic() - clock, 1)


def _earlier(
    folder: Path, order: Order, digest: str, files: Mapping[str, str], chosen: TrainingImages
) -> TrainingRecord:
    """The record of the same training, whose weights are still what it wrote."""
    record = training_record.read(folder) if folder.is_dir() else None
    if record is None:
        raise InputError(
            f"{folder} exists and `curate train` did not make it: choose another folder with --out"
        )
    asked: dict[str, tuple[object, object]] = {
        "release": (record.digest, digest),
        "format": (record.format, order.format),
        "command": (record.command, order.command),
        "seed": (record.seed, order.seed),
        "images": (training_record.trained_on(folder, here=True), dict(chosen.split)),
        "license": (record.license, order.license),
    }
    other = [f"was trained with another {name}" for name, (then, now) in asked.items() if then != now]
    other += [
        # A file that the record does not have is new, or was not noted by an earlier version.
        f"{'was' if name in record.files else 'may have been'} trained with another {name}"
        for name in sorted({*record.files, *files})
        if record.files.get(name) != files.get(name)
    ]
    if other:
        raise InputError(f"{folder} {other[0]}: choose another folder with --out, or remove it")
    changed = [name for name, known in record.weights.items() if _digest(folder / name) != known]
    if changed:
        raise ModelError(
            f"{folder / changed[0]} is not what the trainer wrote: restore it, or remove {folder}"
        )
    return record


def _loads(out: Path, ports: Ports) -> bool:
    """Whether it is a checkpoint that `autolabel.detector` reads; one that looks so and cannot is refused."""
    if not any(path.is_file() for path in out.rglob("*")):
        raise ModelError("the trainer ended well and wrote nothing into {out}: let the command name it")
    ours = [name for name in _OURS if (out / name).exists()]
    if ours:
        raise ModelError(
            f"the trainer wrote {ours[0]}, which is the name of a file of ours: let it choose another"
        )
    if not (out / CONFIG).is_file():
        return False
    ports.load(out)
    return True


def _report(record: TrainingRecord) -> StageReport:
    counts = (
        *((f"images of {split}", number) for split, number in record.images.items()),
        *((f"held back {reason}", number) for reason, number in record.held_back.items()),
    )
    return StageReport("train", counts)


def _seen_before(words: Sequence[str]) -> dict[str, str]:
    """Split by image_id of what the checkpoints saw that the command names; "train" goes before others.

    Raises:
        ModelError: The record of one is damaged.
    """
    found: dict[str, str] = {}
    for word in words[1:]:
        for image_id, split in training_record.trained_on(Path(word.rpartition("=")[2])).items():
            found[image_id] = split if found.get(image_id) != "train" else "train"
    return found


def _named_files(words: Sequence[str]) -> dict[str, str]:
    """sha256 of each file and checkpoint folder that the command names.

    These are scripts, modules and packages of this folder (`-m`), configurations, and weights to begin with.
    """
    found = {}
    for before, word in itertools.pairwise(("", *words)):
        named = [Path(word.rpartition("=")[2])]
        if before == "-m":  # a module, where it is Python's, or a file, where it is the trainer's
            module = word.replace(".", "/")
            named += [Path(f"{module}.py"), Path(module, "__main__.py")]
        elif not before and not _is_script(named[0]):
            continue  # an interpreter: where it stands differs from machine to machine
        for path in named:
            try:
                if path.is_file() or (path / CONFIG).is_file():
                    found[path.as_posix()] = _digest(path)
            except OSError:  # too long to be a name
                continue
    return found


def _is_script(program: Path) -> bool:
    try:
        with program.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:  # sought on PATH
        return False


def _digest(path: Path) -> str:
    """Digest of a file, or of names and contents of a folder's files; empty where there is none."""
    if path.is_dir():
        return hashlib.sha256(
            "".join(f"{name} {one}\n" for name, one in _digests(path).items()).encode()
        ).hexdigest()
    return sha256_of(path) if path.is_file() else ""


def _digests(folder: Path) -> dict[str, str]:
    files = [path for path in paths_below(folder, "*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): _digest(path) for path in files}


def _git() -> tuple[str | None, bool]:
    """The commit of the folder that we stand in, and whether anything differs from it."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
        if head.returncode:
            return None, False
        status = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=False)
    except OSError:
        return None, False
    return head.stdout.strip(), bool(status.stdout.strip())
