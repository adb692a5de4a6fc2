"""Makes the demo's folder of raw images, with the faults that real folders have, and its ground truth.

`python -m demo.raw_folder --out data/raw --meta data/raw --truth data/demo/truth.json --seed 7`

The folder tree holds clean pictures, exact copies, near-duplicates, broken files and odd encodings. Beside it
stand what the ingest stage reads (sources.yaml, attributes.csv) and what no stage may read (truth.json).
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from demo import corruptions
from demo.distinct_scenes import TRIES, Frame, SceneSpec, draw_distinct
from demo.raw_sources import SOURCES, RawFile
from demo.scenes import DEMO_SEEDS

SIZES = ((640, 480), (640, 480), (640, 480), (640, 426), (560, 420), (480, 360), (480, 640))
CAMERAS = {"camera_a": "Canon EOS 80D", "camera_b": "Sony A6400", "dashcam": "Garmin 67W"}
WEATHERS = ("sunny", "cloudy", "rain", "fog")
SCENES = 205  # the last four become the truncated files
MIN_SCENES = 64
MAX_COMMAND_SEED = DEMO_SEEDS.stop // (SCENES * TRIES)
NOT_IMAGES = {
    "camera_a/notes.jpg": "Shot list: corner of the square, the bridge, the station.\n",
    "dashcam/trip_02/frame_000999.jpeg": "<html><body>404 Not Found</body></html>\n",
    "camera_b/README.txt": "Raw pictures as they came from the cameras. Do not edit.\n",
}


def _path(source: str, number: int, suffix: str | None = None) -> str:
    if source == "camera_a":
        return f"camera_a/day_{1 + number % 2}/IMG_{number:04d}{suffix or '.jpg'}"
    if source == "camera_b":
        return f"camera_b/DSC{number:05d}{suffix or '.JPG'}"
    return f"dashcam/trip_{1 + number % 3:02d}/frame_{number:06d}{suffix or '.jpeg'}"


def _encode_clean(frames: Sequence[Frame], sources: Sequence[str], rng: np.random.Generator) -> list[RawFile]:
    """The clean files; a fixed few of them are turned or stored in an odd format."""
    orientations = {5: 3, 12: 6, 19: 6, 26: 8, 33: 2, 40: 5, 47: 8}
    odd = {
        8: "cmyk",
        44: "cmyk",
        15: "gray16",
        46: "gray16",
        22: "alpha",
        50: "alpha",
        29: "palette",
        54: "palette",
    }
    clean: list[RawFile] = []
    for index, (drawn, source) in enumerate(zip(frames, sources, strict=True)):
        frame = drawn
        number = 100 + 7 * index
        attributes = {"camera": CAMERAS[source], "weather": WEATHERS[int(rng.integers(len(WEATHERS)))]}
        captured_at = (
            f"2026:{1 + index % 9:02d}:{1 + index % 28:02d} {8 + index % 11:02d}:{index % 60:02d}:00"
        )
        quality, orientation, transform = (
            int(rng.integers(82, 94)),
            orientations.get(index, 1),
            odd.get(index),
        )
        suffix = None
        if transform == "cmyk":
            content = corruptions.cmyk_jpeg_bytes(frame.image)
        elif transform == "gray16":
            content, suffix = corruptions.gray16_png_bytes(frame.image), ".png"
        elif transform == "alpha":
            (frame, content), suffix = corruptions.rounded_corners(frame), ".png"
        elif transform == "palette":
            content, suffix = corruptions.palette_png_bytes(frame.image), ".png"
        else:
            transform = "exif_orientation" if orientation != 1 else None
            content = corruptions.jpeg_bytes(
                frame.image,
                quality=quality,
                orientation=orientation,
                captured_at=captured_at,
                gps=source == "dashcam",
            )
        path = _path(source, number, suffix)
        clean.append(RawFile(path, content, "clean", frame, None, transform, orientation, attributes))
    return clean


def _stem(path: str) -> tuple[str, str]:
    stem, _, suffix = path.rpartition(".")
    return stem, "." + suffix


def _near_duplicate(original: RawFile, transform: str, rng: np.random.Generator) -> RawFile:
    frame, quality = original.frame, 88
    assert frame is not None
    if transform == "reencode":
        quality = int(rng.integers(38, 60))
    elif transform == "resize":
        frame = corruptions.resized(frame, float(rng.uniform(0.55, 0.85)))
    elif transform == "crop":
        width, height = frame.size
        share = rng.uniform(0.004, 0.014, size=4)  # an edge; 1 to 3% of a side in all
        left, top, right, bottom = (
            round(s * side) for s, side in zip(share, (width, height) * 2, strict=True)
        )
        frame = corruptions.cropped(frame, (left, top, right, bottom))
    else:
        frame = corruptions.brightened(frame, float(rng.choice([0.82, 0.9, 1.1, 1.16])))
    stem, suffix = _stem(original.path)
    content = corruptions.jpeg_bytes(frame.image, quality=quality)
    path = f"{stem}_{transform}{suffix}"
    return RawFile(
        path, content, "near_duplicate", frame, original.path, transform, 1, dict(original.attributes)
    )


def _planted(clean: Sequence[RawFile], broken: Sequence[Frame], rng: np.random.Generator) -> list[RawFile]:
    """Copies, near-duplicates and files that are no pictures."""
    plain = [
        file for file in clean if file.transform is None and file.frame is not None and file.frame.objects
    ]
    chosen = [plain[int(index)] for index in rng.permutation(len(plain))]
    planted = [
        _near_duplicate(chosen.pop(), ("reencode", "resize", "crop", "brightness")[i % 4], rng)
        for i in range(20)
    ]
    # camera_b stands under the same terms as camera_a: the same shot may lie in both.
    shared = [file for file in chosen if file.path.startswith("camera_a/")][:2]
    for number, original in enumerate(shared + [file for file in chosen if file not in shared][:6]):
        stem, suffix = _stem(original.path)
        path = f"camera_b/DSC{9000 + number:05d}.JPG" if original in shared else f"{stem} (copy){suffix}"
        planted.append(
            RawFile(
                path,
                original.content,
                "exact_copy",
                original.frame,
                original.path,
                "copy",
                1,
                dict(original.attributes),
            )
        )
    for number, frame in enumerate(broken):
        content = corruptions.jpeg_bytes(frame.image, quality=90)
        path = _path(SOURCES[number % len(SOURCES)].name, 9100 + number)
        planted.append(RawFile(path, content[: int(len(content) * rng.uniform(0.35, 0.7))], "truncated"))
    for number in range(2):
        planted.append(RawFile(_path(SOURCES[number].name, 9200 + number), b"", "empty"))
    planted += [RawFile(path, text.encode(), "not_image") for path, text in NOT_IMAGES.items()]
    return planted


def make_files(seed: int, *, scenes: int = SCENES, jobs: int = 1) -> tuple[list[RawFile], int]:
    """Make all raw files in memory, ordered by path.

    Args:
        seed: 0 to `MAX_COMMAND_SEED` - 1; other seeds give other pictures.
        scenes: how many scenes to draw (at least MIN_SCENES, so that every fault has its file).
        jobs: processes.

    Returns:
        The files, and how many scenes were drawn again because they resembled another.
    """
    if not 0 <= seed < MAX_COMMAND_SEED:
        raise ValueError(f"expected a seed in [0, {MAX_COMMAND_SEED}), got {seed}")
    if not MIN_SCENES <= scenes <= SCENES:
        raise ValueError(f"expected {MIN_SCENES} to {SCENES} scenes, got {scenes}")
    rng = np.random.default_rng(seed)
    first = DEMO_SEEDS.start + seed * SCENES * TRIES
    sources = [SOURCES[int(rng.integers(len(SOURCES)))] for _ in range(scenes)]
    specs = [
        SceneSpec(first + index * TRIES, SIZES[int(rng.integers(len(SIZES)))], source.photographs)
        for index, source in enumerate(sources)
    ]
    frames, redrawn = draw_distinct(specs, jobs=jobs)
    clean = _encode_clean(frames[:-4], [source.name for source in sources[:-4]], rng)
    files = sorted(clean + _planted(clean, frames[-4:], rng), key=lambda file: file.path)
    repeated = [path for path, times in Counter(file.path for file in files).items() if times > 1]
    if repeated:
        raise RuntimeError(f"two raw files share a path: {repeated}")
    return files, redrawn


def write_files(files: Sequence[RawFile], *, seed: int, out: Path, meta: Path, truth: Path) -> None:
    """Write the tree, the inputs of ingest and the truth; what the source folders held is removed."""
    for source in SOURCES:
        shutil.rmtree(out / source.name, ignore_errors=True)
    for file in files:
        target = out / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
    meta.mkdir(parents=True, exist_ok=True)
    listed = [
        {
            "name": s.name,
            "path": _relative(out / s.name, meta),
            "license": s.license,
            "attribution": s.attribution,
        }
        for s in SOURCES
    ]
    _write_text(
        meta / "sources.yaml",
        yaml.safe_dump(
            {"sources": listed, "attributes": "attributes.csv"},
            sort_keys=False,
            allow_unicode=True,
            width=200,
        ),
    )
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["path", "camera", "weather"])
    for file in files:
        if file.attributes:
            writer.writerow(
                [_relative(out / file.path, meta), file.attributes["camera"], file.attributes["weather"]]
            )
    _write_text(meta / "attributes.csv", table.getvalue())
    truth.parent.mkdir(parents=True, exist_ok=True)
    document = {"seed": seed, "files": {file.path: file.truth() for file in files}}
    _write_text(truth, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and make the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("data/raw"), help="folder of the raw files")
    parser.add_argument(
        "--meta", type=Path, default=Path("data/raw"), help="folder of sources.yaml, attributes.csv"
    )
    parser.add_argument("--truth", type=Path, default=Path("data/demo/truth.json"), help="for measuring only")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--scenes", type=int, default=SCENES, help=f"scenes to draw, {MIN_SCENES} to {SCENES}"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    files, redrawn = make_files(options.seed, scenes=options.scenes, jobs=options.jobs)
    write_files(files, seed=options.seed, out=options.out, meta=options.meta, truth=options.truth)
    kinds = ", ".join(
        f"{count} {kind}" for kind, count in sorted(Counter(file.kind for file in files).items())
    )
    seconds = time.perf_counter() - started
    print(f"{len(files)} files in {options.out} ({kinds}; {redrawn} scenes drawn twice) in {seconds:.0f} s")


if __name__ == "__main__":
    main()
