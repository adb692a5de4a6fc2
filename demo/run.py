"""The whole demo: `make demo` calls it after the installation.

Raw images are made, the pipeline runs until people are needed, SIMULATED labelers do their part on the real
Label Studio server, a SIMULATED senior labeler decides what they disagree on, and the pipeline runs to the
end. Safe to interrupt and to run again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from curate.adapters import fiftyone_view
from curate.adapters.labelstudio import server
from curate.adapters.labelstudio.task_links import task_links
from curate.errors import CurateError, InputError
from curate.report import page
from curate.report.inputs import Links
from demo import score_against_truth
from demo.raw_folder import SCENES

RAW = Path("data/raw")
TRUTH = Path("data/demo/truth.json")
GOLD = Path("gold/demo.json")
RELEASE = Path("data/release")


def main() -> None:
    """Run everything; one line on stderr and exit code 1 if a step fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=SCENES, help="scenes to draw; fewer for a quick look")
    scenes = parser.parse_args().scenes
    began = time.monotonic()
    try:
        _raw_images(scenes)
        _program(sys.executable, "-m", "demo.gold", "--truth", str(TRUTH), "--out", str(GOLD))
        _step("the embedded Label Studio server")
        url = server.up(Path()).url
        _step("the pipeline, until people are needed: dvc repro push")
        _program("dvc", "repro", "push")
        _step("the labelers, SIMULATED: they correct the suggestions on the server")
        _program(sys.executable, "-m", "demo.labelers")
        _step("the pipeline, until people must decide: dvc repro agreement")
        _program("dvc", "repro", "agreement")
        _step("the images on which they disagree, to a senior labeler, SIMULATED: curate qa adjudicate")
        _program(sys.executable, "-m", "curate", "qa", "adjudicate")
        _program(sys.executable, "-m", "demo.senior_labeler")
        _step("the pipeline, to the end: dvc repro")
        _program("dvc", "repro")
        _step("the figures against the truth, and the report")
        print(score_against_truth.write(Path()))
        links = Links(task_links(Path()), fiftyone_view.address(Path()))
        report = page.write(Path(), Path("data/report/index.html"), links=links)
    except CurateError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(1)
    print(
        f"\nDone in {time.monotonic() - began:.0f} s.\n"
        f"  release       {RELEASE}/   load_dataset('{RELEASE}')\n"
        f"  report page   {report}\n"
        f"  Label Studio  {url}   (login: {server.credentials_path(Path())}, stop: curate labelstudio down)\n"
        f"  FiftyOne      . .venv/bin/activate && curate view"
    )


def _raw_images(scenes: int) -> None:
    if RAW.exists() and any(RAW.iterdir()):
        if not TRUTH.exists():
            raise InputError(
                f"{RAW} holds images that the demo did not make: `curate init` makes a project of them"
            )
        return
    _step("raw images, drawn from a seed")
    aside = RAW.with_name("raw.partial")  # renamed when whole: an interrupted start leaves no half folder
    paths = ("--out", str(aside), "--meta", str(aside), "--truth", str(TRUTH))
    _program(sys.executable, "-m", "demo.raw_folder", *paths, "--seed", "7", "--scenes", str(scenes))
    aside.rename(RAW)


def _step(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _program(*command: str) -> None:
    done = subprocess.run(command, check=False, env={**os.environ, "DVC_NO_ANALYTICS": "1"})
    if done.returncode:
        raise CurateError(f"{' '.join(command)} ended with {done.returncode}; make demo continues from here")


if __name__ == "__main__":
    main()
