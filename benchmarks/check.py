"""`curate check` against cleanvision and fastdup on one folder: time, and what each finds of planted faults.

`python -m benchmarks.check`
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from benchmarks import environments, photo_collages, process_cost, result
from benchmarks.process_cost import FailedRunError
from benchmarks.result import Target
from curate import system

NAME = "check"
COMMAND = "python -m benchmarks.check"
IMAGES, FEW, EACH, ROUNDS = (150, 32, 3, 1) if result.quick() else (800, 32, 10, 1)
PIXELS = 300_000
TUNED, SEED = 5, 31  # scenes that limits were set on; scenes that nobody looked at before
OURS = "curate check"
# What each calls it; an empty tuple = it does not look for this.
NAMES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "exact copy": {OURS: ("exact_duplicate",), "cleanvision": ("exact_duplicates",)},
    "recompressed copy": {OURS: ("near_duplicate",), "cleanvision": ("near_duplicates",)},
    "half size copy": {OURS: ("near_duplicate",), "cleanvision": ("near_duplicates",)},
    "cropped copy": {OURS: ("near_duplicate",), "cleanvision": ("near_duplicates",)},
    "mirrored copy": {OURS: ("near_duplicate",), "cleanvision": ("near_duplicates",)},
    "copy in the other split": {OURS: ("split_leak",), "cleanvision": ()},
    "truncated file": {OURS: ("not_decoded",), "cleanvision": ()},
    "EXIF turns it": {OURS: ("exif_turned",), "cleanvision": ()},
    "nearly black": {OURS: ("dark",), "cleanvision": ("dark",)},
    "nearly white": {OURS: ("bright",), "cleanvision": ("light",)},
    "no contrast": {OURS: ("flat",), "cleanvision": ("low_information",)},
    "blurred": {OURS: ("blurred",), "cleanvision": ("blurry",)},
    "gray": {OURS: ("gray",), "cleanvision": ("grayscale",)},
    "long strip": {OURS: ("odd_size",), "cleanvision": ("odd_aspect_ratio",)},
    "tiny image": {OURS: ("odd_size",), "cleanvision": ("odd_size",)},
}
# cleanvision's nine issues: the planted faults that are such, and what each tool calls them.
ISSUES: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "dark": (("nearly black",), "dark"),
    "light": (("nearly white",), "bright"),
    "low_information": (("no contrast",), "flat"),
    "blurry": (("blurred",), "blurred"),
    "grayscale": (("gray",), "gray"),
    "odd_aspect_ratio": (("long strip",), "odd_size"),
    "odd_size": (("tiny image",), "odd_size"),
    "exact_duplicates": (("exact copy",), "exact_duplicate"),
    "near_duplicates": (
        ("recompressed copy", "half size copy", "cropped copy", "mirrored copy"), "near_duplicate",
    ),
}  # fmt: skip
COPIES: Final = tuple(name for name in NAMES if "copy" in name)
INTRO = """## Checking a data set

{images:,} JPEGs of {pixels:,} pixels, distinct collages of photographs in train/ and test/, and {each} files
with each of the faults below. The program starts, reads the folder and says everything that it finds; images
a second are the files beyond {few} over the time beyond that of {few}. cleanvision runs all of its issues,
on the files that decode, for one that does not ends it without an answer;
fastdup, whose license forbids commercial use, only its search for copies. What is flagged besides the planted
files is counted as a false alarm, though some collages of enlarged parts are dark or blurred in truth. The
limit of blur was set on scenes of seed {tuned}; these are of seed {seed}.

"""


def measure() -> None:
    """Draw, plant, run all in turn and save."""
    with tempfile.TemporaryDirectory(dir=_cache()) as scratch:
        root = Path(scratch)
        truth = make(root / "many", IMAGES)
        every = sorted(one.relative_to(root / "many").as_posix() for one in (root / "many").rglob("*.jpg"))
        _link(root / "many", root / "few", map(_clean_name, range(FEW)))
        # One file that does not decode ends cleanvision without any answer.
        decoding = [name for name in every if name not in truth["truncated file"]]
        _link(root / "many", root / "decoding", decoding)
        runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
        failed: dict[str, str] = {}
        for _ in range(ROUNDS):
            for name, run in (("cleanvision", _cleanvision), (OURS, _ours), ("fastdup", _fastdup)):
                try:
                    run(root / "few", root)  # compiled kernels and bytecode are made before anything counts
                    folder = root / ("decoding" if name == "cleanvision" else "many")
                    few, many = run(root / "few", root), run(folder, root)
                except FailedRunError as error:
                    failed[name] = str(error).splitlines()[-1][:300]
                    continue
                files = len(decoding if name == "cleanvision" else every)
                rate = (files - FEW) / (many["seconds"] - few["seconds"])
                runs[name].append({**many, "start_s": few["seconds"], "images_per_s": rate})
    tools = {name: _summary(name, every, truth) for name, every in runs.items()}
    content = {"images": IMAGES, "few": FEW, "pixels": PIXELS, "each": EACH, "tools": tools, "failed": failed}
    result.save(NAME, content, command=COMMAND, targets=_targets(tools))


def make(folder: Path, count: int) -> dict[str, list[str]]:
    """Write the clean images and the planted ones; the planted files by fault."""
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
    planted = [(fault, at) for fault in NAMES for at in range(EACH)]
    with ProcessPoolExecutor(system.cores()) as pool:
        list(pool.map(_write_clean, [folder] * count, range(count), chunksize=20))
        names = list(pool.map(_plant, [folder] * len(planted), planted))
    truth: dict[str, list[str]] = defaultdict(list)
    for (fault, _), name in zip(planted, names, strict=True):
        truth[fault].append(name)
    return dict(truth)


def _scene(seed: int) -> Image.Image:
    drawn = photo_collages.draw(np.random.default_rng((SEED, seed)), photo_collages.HALVES["all"], PIXELS)
    return Image.fromarray(drawn.pixels)


def _clean_name(at: int) -> str:
    return f"{'test' if at % 5 == 4 else 'train'}/{at:05d}.jpg"


def _write_clean(folder: Path, at: int) -> None:
    _scene(at).save(folder / _clean_name(at), quality=90)


def _plant(folder: Path, what: tuple[str, int]) -> str:
    """Write one faulty file; copies are of clean images of the same split, each of another one."""
    fault, at = what
    number = list(NAMES).index(fault) * EACH + at
    of = 5 * (number // 4) + number % 4  # a clean image of train
    seed = of if fault in COPIES else 1_000_000 + number
    picture, name = _scene(seed), f"{'test' if 'other split' in fault else 'train'}/planted{number:04d}.jpg"
    if fault == "exact copy":
        (folder / name).write_bytes((folder / _clean_name(of)).read_bytes())
        return name
    changed = _CHANGES.get(fault, _same)(picture)
    quality = 40 if fault in {"recompressed copy", "copy in the other split"} else 90
    exif = Image.Exif()
    if fault == "EXIF turns it":
        exif[0x0112] = 6
    out = io.BytesIO()
    changed.save(out, "JPEG", quality=quality, exif=exif)
    data = out.getvalue()
    (folder / name).write_bytes(data[: len(data) // 2] if fault == "truncated file" else data)
    return name


def _same(image: Image.Image) -> Image.Image:
    return image


def _cropped(image: Image.Image) -> Image.Image:
    width, height = image.size
    return image.crop((width // 12, height // 12, width, height))


_CHANGES: Final[dict[str, Callable[[Image.Image], Image.Image]]] = {
    "half size copy": lambda image: image.resize((image.width // 2, image.height // 2)),
    "cropped copy": _cropped,
    "mirrored copy": ImageOps.mirror,
    "nearly black": lambda image: image.point(lambda value: value // 14),
    "nearly white": lambda image: image.point(lambda value: 245 + value // 26),
    "no contrast": lambda image: image.point(lambda value: 125 + value // 60),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(10)),
    "gray": lambda image: image.convert("L").convert("RGB"),
    "long strip": lambda image: image.resize((1500, 100)),
    "tiny image": lambda image: image.resize((40, 30)),
}


def _link(source: Path, target: Path, names: Iterable[str]) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(source / name, target / name)


def _ours(folder: Path, scratch: Path) -> dict[str, Any]:
    answer = scratch / "ours.json"
    program = f'exec "{sys.executable}" -m curate check "$0" --json --no-page --fail-on never > "$1"'
    cost = process_cost.run(["bash", "-c", program, str(folder), str(answer)], memory=False)
    answers = json.loads(answer.read_text(encoding="utf-8"))
    found = {
        one["kind"]: sorted({place for row in one["rows"] for place in row.get("images", ())})
        for one in answers["findings"]
    }
    return {"seconds": cost.wall_s, "found": found, "version": "curate"}


def _cleanvision(folder: Path, scratch: Path) -> dict[str, Any]:
    answer = scratch / "cleanvision.json"
    python = environments.interpreter("cleanvision")
    script = environments.RUNNERS / "run_cleanvision_issues.py"
    cost = process_cost.run([str(python), str(script), str(folder), str(answer)], memory=False)
    answers = json.loads(answer.read_text(encoding="utf-8"))
    return {**answers, "seconds": cost.wall_s, "version": f"cleanvision {answers['version']}"}


def _fastdup(folder: Path, scratch: Path) -> dict[str, Any]:  # noqa: ARG001 - all are called alike
    answer = environments.ask("fastdup", folder, 0.1, timeout_s=300)
    names = {one.name: one.relative_to(folder).as_posix() for one in folder.rglob("*.jpg")}
    found = sorted({names[name] for first, second, _ in answer.pairs for name in (first, second)})
    return {"seconds": answer.cost.wall_s, "found": {"copies": found}, "version": answer.peer}


def _summary(name: str, runs: list[dict[str, Any]], truth: dict[str, list[str]]) -> dict[str, Any]:
    found: dict[str, list[str]] = runs[-1]["found"]
    shares: dict[str, float | None] = {}
    for fault, planted in truth.items():
        kinds = _kinds(name, fault)
        shares[fault] = None if not kinds else len(_flagged(found, kinds) & set(planted)) / len(planted)
    faulty = {file for planted in truth.values() for file in planted}
    outliers = {kind for fault in NAMES if fault not in COPIES for kind in _kinds(name, fault)}
    return {
        "version": runs[0]["version"],
        "images_per_s": result.median(run["images_per_s"] for run in runs),
        "seconds": result.median(run["seconds"] for run in runs),
        "start_s": result.median(run["start_s"] for run in runs),
        "found": shares,
        "issues": {issue: _precision_recall(name, issue, found, truth) for issue in ISSUES}
        if name != "fastdup"
        else {},
        "false_alarms": len(_flagged(found, outliers) - faulty),
    }


def _precision_recall(
    tool: str, issue: str, found: dict[str, list[str]], truth: dict[str, list[str]]
) -> tuple[float | None, float]:
    """Precision and recall of one issue: what is flagged against what was planted so.

    A copy's original is flagged beside it, and a strip by the same name as a stamp: neither is a mistake.
    """
    faults, ours = ISSUES[issue]
    planted = {file for fault in faults for file in truth[fault]}
    same = {
        file for other, kind in ISSUES.values() if kind == ours for fault in other for file in truth[fault]
    }
    flagged = _flagged(found, (issue if tool == "cleanvision" else ours,))
    if "duplicates" in issue:
        flagged = {file for file in flagged if "planted" in file}
        same |= {file for fault in COPIES for file in truth[fault]}
    precision = len(flagged & same) / len(flagged) if flagged else None
    return precision, len(flagged & planted) / len(planted)


def _kinds(tool: str, fault: str) -> tuple[str, ...]:
    if tool == "fastdup":
        return ("copies",) if fault in COPIES and "other split" not in fault else ()
    return NAMES[fault][tool]


def _flagged(found: dict[str, list[str]], kinds: Iterable[str]) -> set[str]:
    return {file for kind in kinds for file in found.get(kind, ())}


def _targets(tools: dict[str, dict[str, Any]]) -> list[Target]:
    ours, theirs = tools.get(OURS), tools.get("cleanvision")
    if ours is None:
        return []
    faster = None if theirs is None else ours["images_per_s"] / theirs["images_per_s"]
    kinds = sum(bool(share) for share in ours["found"].values())
    behind = [
        issue
        for issue in ISSUES
        if theirs is not None
        and any(
            (mine or 0.0) < (other or 0.0)
            for mine, other in zip(ours["issues"][issue], theirs["issues"][issue], strict=True)
        )
    ]
    return [
        Target("check: images per second against cleanvision", 3.0, faster, "x"),
        Target(
            "check: cleanvision's issues in which neither precision nor recall is behind it",
            float(len(ISSUES)),
            None if theirs is None else float(len(ISSUES) - len(behind)),
            "issues",
        ),
        Target("check: planted kinds that are found", float(len(NAMES)), float(kinds), "kinds"),
    ]


def section() -> str:
    """The Markdown of the last results."""
    content = result.load(NAME)
    tools = content["tools"]
    speed = [
        [tool["version"], *(result.figure(tool[key]) for key in ("images_per_s", "start_s", "seconds"))]
        for tool in tools.values()
    ]
    text = str(INTRO.format(**content, seed=SEED, tuned=TUNED))
    text += result.table(["", "images/s", "start, s", "all files, s"], speed, numbers=3)
    rows = [[fault, *(_share(tool["found"][fault]) for tool in tools.values())] for fault in NAMES]
    rows.append(["false alarms, besides copies", *(str(tool["false_alarms"]) for tool in tools.values())])
    names = [tool["version"] for tool in tools.values()]
    text += "\nShare of the planted files that is found; - = not looked for:\n\n"
    text += result.table(["planted", *names], rows, numbers=len(names))
    text += _issues_table(tools)
    for name, reason in content["failed"].items():
        text += f"\n{name} is missing: {reason}\n"
    return f"{text}\n{result.target_table(result.targets(content))}\n{result.footer(content)}"


def _issues_table(tools: dict[str, dict[str, Any]]) -> str:
    both = [(tool["version"], tool["issues"]) for tool in tools.values() if tool["issues"]]
    heads = [f"{name}, {what}" for name, _ in both for what in ("precision", "recall")]
    rows = [[issue, *(_share(one) for _, found in both for one in found[issue])] for issue in ISSUES]
    title = "\nThe nine issues that cleanvision looks for; - = nothing was flagged:\n\n"
    return title + str(result.table(["issue", *heads], rows, numbers=len(heads)))


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"


def _cache() -> Path:
    result.CACHE.mkdir(parents=True, exist_ok=True)
    return result.CACHE


if __name__ == "__main__":
    measure()
    print(section())
