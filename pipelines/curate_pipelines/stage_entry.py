"""What every entry point shares: the parameters, the metrics file, the closing line, the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from curate import params as params_file
from curate import tables
from curate.errors import CurateError, WaitingForPeopleError
from curate.params import Params
from curate.records import StageReport
from curate_pipelines import headline_metrics, watch_parent

_INTERRUPTED = (
    "interrupted: run `dvc repro` again (should DVC say that a file is corrupted, "
    "`curate params check` names the remedy)"
)


def run(
    name: str, stage: Callable[[Params], StageReport | str], *, params_path: Path = Path("params.yaml")
) -> None:
    """Run a stage as a program.

    Prints the stage's line of counts, writes metrics/<stage>.json, and its headline for `dvc metrics show`.
    A `CurateError` becomes one line on stderr and exit code 1; an interrupt one line and exit code 130;
    anything else keeps its traceback. Where a stage waits for people, the metrics are of what is there.
    Under DVC the stage ends when DVC does.

    Args:
        name: The stage's name in dvc.yaml; stands before an error's line.
        stage: Wires the adapters and calls the stage; a text that it returns is printed, and is all.
        params_path: The user's parameters.
    """
    watch_parent.end_with_dvc(name)
    try:
        report = stage(params_file.load(params_path))
        if isinstance(report, StageReport):
            _write_metrics(name, report)
    except CurateError as error:
        if isinstance(error, WaitingForPeopleError) and isinstance(error.so_far, StageReport):
            _write_metrics(name, error.so_far)
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"{name}: {_INTERRUPTED}", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    print(report.line() if isinstance(report, StageReport) else report)  # noqa: T201


def _write_metrics(name: str, report: StageReport) -> None:
    metrics = _metrics(report)
    _write(Path("metrics") / f"{name}.json", metrics)
    _write(Path("metrics/headline") / f"{name}.json", headline_metrics.of(name, metrics))


def _write(path: Path, content: Mapping[str, object]) -> None:
    with tables.replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _metrics(report: StageReport) -> dict[str, object]:
    return {"counts": {name.replace(" ", "_"): number for name, number in report.counts}, **report.metrics}
