"""Measure comparisons and renew docs/benchmarks.md: `make bench`, `make bench ARGS="hashing --quick"`."""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import time

from benchmarks import result

# In the order of the page. One that fails keeps its last figures and does not stop the others.
COMPARISONS = (
    "accuracy",
    "peers",
    "hashing",
    "ingest",
    "check",
    "ingest_overhead",
    "neighbors",
    "growth",
    "engine_overhead",
    "autolabel",
    "thresholds",
    "postprocessing",
    "plan",
    "selection",
    "quality",
    "consensus",
    "agreement",
    "label_errors",
    "labelstudio_push",
    "labelstudio_pull",
    "models",
    "formats",
    "release",
    "view_sync",
    "first_project",
    "restoration",
    "kernels",
)
HEAD = """# Benchmarks

Made by `make bench`; do not edit by hand. Figures are medians of runs in turn with the peers', on the same
files and cores; the file cache is warm for everybody. The raw figures stand in `benchmarks/results/`. The
accuracy of the demo's models stands in `demo/models/README.md`.
"""


def main() -> int:
    """Measure what is asked for, then write the page; 1 if a comparison failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(COMPARISONS)}; all if none")
    parser.add_argument("--quick", action="store_true", help="small sizes, into .cache/benchmarks/quick")
    parser.add_argument("--page", action="store_true", help="measure nothing, only write the page")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(COMPARISONS))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(COMPARISONS)}")
    if arguments.quick:
        folder = result.CACHE / "quick"
        os.environ |= {
            "BENCHMARKS_QUICK": "1",
            "BENCHMARKS_RESULTS": str(folder / "results"),
            "BENCHMARKS_IMAGES": str(folder / "images"),
            "BENCHMARKS_PAGE": str(folder / "benchmarks.md"),
        }
        importlib.reload(result)  # for the places above
    result.IMAGES.mkdir(parents=True, exist_ok=True)
    names = [] if arguments.page else [name for name in COMPARISONS if name in arguments.names] or COMPARISONS
    failed = [name for name in names if not _measure(name)]
    write_page()
    if failed:
        print(f"failed, and kept as they were: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _measure(name: str) -> bool:
    """Run one comparison in a process of its own."""
    began = time.perf_counter()
    print(f"{name} ...", flush=True)
    code = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}"], cwd=result.ROOT, check=False
    ).returncode
    print(
        f"{name}: {'done' if code == 0 else f'exit code {code}'}, {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    return code == 0


def write_page() -> None:
    """Make the page from the results that exist."""
    sections, promises = [], []
    for name in COMPARISONS:
        if (result.RESULTS / f"{name}.json").exists():
            sections.append(_section(name))
        else:
            sections.append(f"## {name}\n\nNot measured yet: `python -m benchmarks {name}`.\n")
        parts = [*result.RESULTS.glob(f"{name}*.json")]
        parts += [*result.RESULTS.glob("dedupe_outcomes.json")] if name == "accuracy" else []
        for file in sorted(parts):
            promises += result.targets(result.load(file.stem))
    text = HEAD
    if promises:
        missed = sum(promise.met is False for promise in promises)
        text += f"\n{len(promises)} targets, {missed} missed:\n\n{result.target_table(promises)}"
    result.PAGE.write_text(text + "".join(f"\n{section.strip()}\n" for section in sections), encoding="utf-8")
    print(f"{result.PAGE} written")


def _section(name: str) -> str:
    """The Markdown of one comparison, made in a process of its own: its imports may be missing."""
    code = f"import sys; from benchmarks import {name}; sys.stdout.write({name}.section())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=result.ROOT,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no word"])[-1])
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
