"""The stage release on 20,000 images: bytes per second against the disk and against other ways to write them.

What is measured imports its own libraries, in a process of its own: nobody's memory holds another's.

`python -m benchmarks.release`. Needs 12 GB of disk meanwhile, and removes what it made.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import diff, process_cost, release_project, result

NAME = "release"
COMMAND = "python -m benchmarks.release"
QUICK = result.quick()
IMAGES = 400 if QUICK else 20_000
FEWER = 200 if QUICK else 4_000  # for a peer that holds everything in memory
SPLIT = 10_000 if QUICK else 1_000_000
OBJECTS = 10_000 if QUICK else 1_000_000
PICTURES = 100 if QUICK else 500  # distinct ones; all others are links to them
_BLOCK = 1 << 20
HEADER = ("what", "time", "processor time", "peak memory", "rate", "disk", "share")
INTRO = """## Release

{images:,} JPEGs of {width} x {height} pixels ({megabytes:,} MB; {pictures} distinct pictures, the others
links to them) with {objects:,} objects and masks: the stage `release` without its search for leaks, from
tables to a finished folder with card, pictures, digests and everything flushed to the disk. *Disk* is a plain
write of as many bytes, flushed, just before and after; *share* is the stage's rate of that.
`Dataset.from_list` holds everything in memory and is given {fewer:,} of the images, as the stage is in the
row above it. ImageFolder is a copy of the files with `metadata.jsonl`, which loses class names and splits.

"""


def measure() -> None:
    """Make the project, measure everything, remove it."""
    import datasets  # noqa: F401, PLC0415 - its absence must be noticed before an hour has passed

    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="benchmark-release-", dir=result.ROOT) as folder:
        root = Path(folder)
        size = release_project.make(root, IMAGES, PICTURES)
        rows = [_row("the stage release", size, root, _released, images=IMAGES)]
        sizes = release_project.make(root, FEWER, PICTURES)
        rows.append(_row(f"the stage release, {FEWER:,} images", sizes, root, _released, images=FEWER))
        rows.append(_row(f"Dataset.from_list().to_parquet(), {FEWER:,} images", sizes, root, _from_list))
        release_project.make(root, IMAGES, PICTURES)
        rows.append(_row("ImageFolder", size, root, _image_folder))
        published = _published(root)
    split_s, split_cpu_s = _split()
    compared = _compared()
    content = {
        "images": IMAGES, "bytes": size, "rows": rows, "published": published, "split_s": split_s,
        "split_cpu_s": split_cpu_s, "diff": compared, "load": [load, os.getloadavg()[0]],
        "versions": result.versions("datasets", "huggingface-hub", "pyarrow"),
    }  # fmt: skip
    result.save(NAME, content, command=COMMAND, targets=targets(content))


def targets(content: dict[str, Any]) -> list[result.Target]:
    """What the figures must be; the rates hold for quiet cores only, so the notes name the processor time."""
    (whole, *_), compared, load = content["rows"], content["diff"], content["load"]
    shared = f"load {load[0]:.0f} to {load[1]:.0f} on two cores"
    decoding = (
        f"{whole['cpu_s']:.0f} s of a processor, about half of it to decode each picture once; {shared}"
    )
    return [
        result.Target(
            f"release of {IMAGES:,} images, of the disk's write rate", 60, 100 * whole["share"], "%",
            note=decoding,
        ),
        result.Target(
            f"release of {IMAGES:,} images, memory", 500, whole["peak_bytes"] / 1e6, "MB", at_most=True
        ),
        result.Target(
            f"stratified split of {SPLIT:,} images", 30, content["split_s"], "s", at_most=True,
            note=f"{content['split_cpu_s']:.0f} s of a processor; {shared}",
        ),
        result.Target(
            f"diff of {OBJECTS:,} objects", 10, compared["wall_s"], "s", at_most=True,
            note=f"{compared['cpu_s']:.0f} s of a processor; {shared}",
        ),
    ]  # fmt: skip


def _row(what: str, size: int, root: Path, function: Callable[..., Any], **more: Any) -> dict[str, Any]:
    before = _disk_rate(root, size)
    cost, _ = process_cost.call(function, root=str(root), **more)
    disk = (before + _disk_rate(root, size)) / 2
    rate = size / cost.wall_s
    return {
        "what": what, "wall_s": cost.wall_s, "cpu_s": cost.cpu_s, "peak_bytes": cost.peak_bytes, "rate": rate,
        "disk": disk, "share": rate / disk,
    }  # fmt: skip


def _disk_rate(root: Path, size: int) -> float:
    """Bytes per second of a plain write, flushed."""
    block = os.urandom(_BLOCK)
    path = root / "plain"
    began = time.perf_counter()
    with path.open("wb") as file:
        for _ in range(max(1, size // _BLOCK)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    took = time.perf_counter() - began
    path.unlink()
    return max(1, size // _BLOCK) * _BLOCK / took


@contextmanager
def _within(root: str) -> Iterator[Path]:
    before = Path.cwd()
    os.chdir(root)
    try:
        yield Path(root)
    finally:
        os.chdir(before)


def _released(root: str, images: int) -> None:
    from curate.engines.local import LocalEngine  # noqa: PLC0415
    from curate.params import DedupeParams, GatesParams, ReleaseParams  # noqa: PLC0415
    from curate.stages import release  # noqa: PLC0415
    from curate.stages.split_leaks import Search  # noqa: PLC0415

    with _within(root):
        report = release.run(
            ReleaseParams(name="unit-signs", license="cc-by-4.0"),
            gates=GatesParams(no_leaks=False),
            inputs=release.Inputs(
                images=Path("data/dedupe/images.parquet"),
                consensus=Path("data/agreement/consensus.parquet"),
                consensus_objects=Path("data/agreement/objects.parquet"),
                consensus_images=Path("data/agreement/images.parquet"),
                figures=Path("data/agreement/figures.csv"),
                taxonomy=Path("taxonomy.yaml"), agreement_metrics=Path("metrics/agreement.json"),
                annotations=Path("data/autolabel/annotations.parquet"),
            ),
            outputs=release.Outputs(
                Path("data/release"), Path("data/splits.parquet"), Path("metrics/gates.json"),
                Path("data/release_secret"),
            ),
            ports=release.Ports(
                Search(DedupeParams(), Path("data/index"), LocalEngine(1, in_process=True))
            ),
            labelers="simulated",
        )  # fmt: skip
    if sum(report.metrics["images"].values()) != images:
        raise RuntimeError(f"{report.metrics['images']} of {images} images were released")


def _rows(root: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq  # noqa: PLC0415

    consensus = pq.read_table(root / "data/agreement/consensus.parquet").to_pylist()
    drawn: dict[str, list[dict[str, Any]]] = {}
    for row in consensus:
        drawn.setdefault(row["image_id"], []).append(row)
    for image in pq.read_table(root / "data/dedupe/images.parquet").to_pylist():
        found = drawn.get(image["image_id"], [])
        yield {
            "image": str(root / image["path"]), "image_id": image["image_id"],
            "objects": {"bbox": [row["bbox_xyxy"] for row in found],
                        "category": [row["category"] for row in found],
                        "counts": [row["rle"] for row in found]},
        }  # fmt: skip


def _from_list(root: str) -> None:
    import datasets  # noqa: PLC0415

    rows = [{**row, "image": {"bytes": Path(row["image"]).read_bytes()}} for row in _rows(Path(root))]
    target = Path(root) / "peer.parquet"
    made = datasets.Dataset.from_list(rows).cast_column("image", datasets.Image())
    made.to_parquet(target)
    _flush(target)
    target.unlink()


def _image_folder(root: str) -> None:
    import json  # noqa: PLC0415

    folder = Path(root) / "imagefolder"
    folder.mkdir()
    with (folder / "metadata.jsonl").open("w") as listed:
        for row in _rows(Path(root)):
            path = Path(row["image"])
            shutil.copyfile(path, folder / path.name)
            listed.write(
                json.dumps({"file_name": path.name, **{k: row[k] for k in ("image_id", "objects")}}) + "\n"
            )
    os.sync()
    shutil.rmtree(folder)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _published(root: Path) -> dict[str, float]:
    """Publish a release of all images to the Hub of the tests, on loopback, and once more."""
    _released(str(root), images=IMAGES)
    cost, answer = process_cost.call(_publish, root=str(root))
    return {**answer, "peak_bytes": cost.peak_bytes}


def _publish(root: str) -> dict[str, float]:
    """Both ends are in one process: the Hub holds all files in memory."""
    with _within(root):
        from tests.adapters.fake_hub import TOKEN, serving  # noqa: PLC0415

        with serving() as state:
            os.environ |= {
                "HF_ENDPOINT": state.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0",
                "HF_HOME": str(Path("home").absolute()),
            }  # fmt: skip
            from curate.adapters.huggingface_hub import HuggingFaceHub  # noqa: PLC0415

            times = []
            for _ in range(2):
                began = time.perf_counter()
                receipt = HuggingFaceHub("owner/name").publish(Path("data/release"))
                times.append(time.perf_counter() - began)
            if not receipt.unchanged:
                raise RuntimeError("the second publication found another content")
            size = sum(len(content) for content in state.blobs.values())
    return {"first_s": times[0], "again_s": times[1], "bytes": size}


def _split() -> tuple[float, float]:
    from curate.release import splits  # noqa: PLC0415

    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, 21)
    drawn = rng.choice(20, size=(SPLIT, 3), p=weights / weights.sum())
    counts = rng.integers(0, 4, SPLIT)
    names = [
        [f"category_{c}" for c in row[:n]] for row, n in zip(drawn.tolist(), counts.tolist(), strict=True)
    ]
    groups = [f"{number:064x}" for number in range(SPLIT)]
    began, cpu = time.perf_counter(), time.process_time()
    splits.assign(groups, names, validation_share=0.15, test_share=0.15, seed=0)
    return time.perf_counter() - began, time.process_time() - cpu


def _compared() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        for side in ("before", "after"):
            diff.write_release(
                Path(folder, side), images=OBJECTS // 10, changed=side == "after", new_ids=False
            )
        cost, _ = process_cost.call(_compare, folder=folder)
    return {"wall_s": cost.wall_s, "cpu_s": cost.cpu_s, "peak_bytes": cost.peak_bytes}


def _compare(folder: str) -> None:
    from curate.release import diff as releases  # noqa: PLC0415
    from curate.release import diff_columns  # noqa: PLC0415

    found = releases.compare(*(diff_columns.load(Path(folder, side)) for side in ("before", "after")))
    if not found.objects.num_rows:
        raise RuntimeError("nothing changed")


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    rows = [
        [row["what"], f"{row['wall_s']:.1f} s", f"{row['cpu_s']:.1f} s", f"{row['peak_bytes'] / 1e6:,.0f} MB",
         f"{row['rate'] / 1e6:,.0f} MB/s", f"{row['disk'] / 1e6:,.0f} MB/s", f"{row['share']:.0%}"]
        for row in content["rows"]
    ]  # fmt: skip
    published, compared = content["published"], content["diff"]
    return (
        INTRO.format(
            images=content["images"], width=release_project.WIDTH,
            height=release_project.HEIGHT, megabytes=round(content["bytes"] / 1e6),
            pictures=PICTURES, objects=release_project.PER_IMAGE * content["images"], fewer=FEWER,
        )
        + result.table(HEADER, rows, numbers=6)
        + f"\nPublished to the tests' Hub on loopback, by plain HTTP, both ends on these cores: "
        f"{published['bytes'] / 1e6:,.0f} MB in {published['first_s']:.1f} s, read back at the tag; once "
        f"more, where nothing is sent: {published['again_s']:.1f} s. Diff of two releases of {OBJECTS:,} "
        "objects: "
        f"{compared['wall_s']:.1f} s and {compared['peak_bytes'] / 1e6:,.0f} MB with the start of Python. "
        f"Stratified split of {SPLIT:,} images, 20 categories: {content['split_s']:.1f} s "
        f"({content['split_cpu_s']:.1f} s of a processor). Load at the start and the end: "
        f"{content['load'][0]:.1f} and {content['load'][1]:.1f}.\n\n"
        + result.target_table(result.targets(content))
        + result.footer(content)
    )  # fmt: skip


if __name__ == "__main__":
    measure()
