"""What the page is made from: tables, metrics, plots, parameters and colours of a project."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate import params, project_tables, pseudonyms
from curate.errors import TableError
from curate.labeling import taxonomy
from curate.params import Params
from curate.project_tables import ProjectTables

_INVALID = ".invalid"  # the top-level domain that no person's address has (RFC 2606)


@dataclass(frozen=True, slots=True)
class Facts:
    """A project, read once.

    Attributes:
        tables: Tables of the stages that have run.
        params: params.yaml, or the defaults.
        colors: "#rrggbb" by category, in the order of the taxonomy.
        metrics: Content of metrics/<stage>.json by stage; an absent stage is absent.
        plots: Rows of plots/<name>.csv by name.
        names: What each labeler is called outside `data/`; the page shows nothing else of them.
    """

    tables: ProjectTables
    params: Params
    colors: dict[str, str]
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    plots: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether programs played the labelers."""
        people = {row.annotator_id or "" for row in self.tables.human or ()}
        return bool(people) and (
            self.params.qa.labelers == "simulated" or all(person.endswith(_INVALID) for person in people)
        )

    def count(self, stage: str, name: str) -> int | None:
        """A number of the stage's closing line; None where it is not known."""
        counts = self.metrics.get(stage, {}).get("counts")
        value = counts.get(name) if isinstance(counts, dict) else None
        return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure with its interval; None where it is undefined. `n` is what it rests on."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


def load(root: Path) -> Facts:
    """Read whatever there is.

    Raises:
        TableError: No stage has run, or a file is damaged.
        ParamsError: params.yaml or taxonomy.yaml is wrong.
    """
    tables = project_tables.load(root)
    settings = params.load(root / "params.yaml") if (root / "params.yaml").exists() else Params()
    path = root / settings.autolabel.taxonomy
    colors = {entry.name: entry.color for entry in taxonomy.load(path)} if path.exists() else {}
    return Facts(
        tables=tables,
        params=settings,
        colors=colors,
        metrics={path.stem: _json(path) for path in sorted((root / "metrics").glob("*.json"))},
        plots={path.stem: _rows(path) for path in sorted((root / "plots").glob("*.csv"))},
        names=pseudonyms.names(root / "data/people.csv", (row.annotator_id for row in tables.human or ())),
    )


def measure(metrics: Mapping[str, Any], name: str) -> Measure:
    """A figure of a metrics file: a number, or {value, low, high, n}."""
    found = metrics.get(name)
    if isinstance(found, Mapping):
        return Measure(
            _number(found.get("value")), _number(found.get("low")), _number(found.get("high")), found.get("n")
        )
    return Measure(_number(found))


def cell(row: Mapping[str, str], name: str) -> float | None:
    """A number of a CSV row; None where the cell is empty, absent, or no number."""
    try:
        return float(row.get(name) or "nan") if row.get(name) else None
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TableError(f"{path} is damaged ({error}): run dvc repro --force {path.stem}") from error
    return content if isinstance(content, dict) else {}


def _rows(path: Path) -> list[Mapping[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
