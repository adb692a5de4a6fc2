"""What the page is made from: tables, metrics, plots, parameters and colors of a project."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate import params, project_tables, pseudonyms, schema, tables
from curate.errors import TableError
from curate.labeling import taxonomy
from curate.params import Params
from curate.project_tables import ProjectTables

_INVALID = ".invalid"  # the top-level domain that no person's address has (RFC 2606)


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses at which people look at an image.

    Attributes:
        tasks: Address of the image's task in Label Studio, by image_id.
        app: Address that `curate view` serves; empty = none.
    """

    tasks: Mapping[str, str] = field(default_factory=dict)
    app: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A project, read once.

    Attributes:
        tables: Tables of the stages that have run.
        params: params.yaml, or the defaults.
        colors: "#rrggbb" by category, in the order of the taxonomy.
        thresholds: Of the taxonomy, by category.
        metrics: Content of metrics/<stage>.json by stage; an absent stage is absent.
        plots: Rows of plots/<name>.csv by name.
        names: What each labeler is called outside `data/`; the page shows nothing else of them.
        figures: Of the stage agreement, by figure, by what, and which.
        gates: Of the last release or try.
        label_errors: Rows of data/agreement/label_errors.csv, the surest first.
        seeded: Rows of data/quality/seeded_errors.csv.
        links: Where an image can be opened.
        settled: Category that people settled on, by the id of each annotation that it was made from, of
            objects of images that three or more looked at.
    """

    tables: ProjectTables
    params: Params
    colors: dict[str, str]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    plots: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[tuple[str, str, str], Measure] = field(default_factory=dict)
    gates: Sequence[Mapping[str, Any]] = ()
    label_errors: Sequence[Mapping[str, str]] = ()
    seeded: Sequence[Mapping[str, str]] = ()
    links: Links = field(default_factory=Links)
    settled: Mapping[str, str] = field(default_factory=dict)

    def figure(self, name: str, by: str, which: str) -> Measure:
        """A figure of the stage agreement; undefined where it was not measured."""
        return self.figures.get((name, by, which), Measure(None))

    @property
    def simulated(self) -> bool:
        """Whether programs played the labelers."""
        people = {row.annotator_id or "" for row in self.tables.human or ()}
        return bool(people) and (
            self.params.qa.labelers == "simulated" or all(person.endswith(_INVALID) for person in people)
        )

    def limit(self, stage: str, name: str) -> float | None:
        """A parameter as it was when the stage ran, whatever params.yaml says now; None = not known."""
        limits = self.metrics.get(stage, {}).get("limits")
        return _number(limits.get(name)) if isinstance(limits, Mapping) else None

    def count(self, stage: str, name: str) -> int | None:
        """A number of the stage's closing line; None where it is not known."""
        counts = self.metrics.get(stage, {}).get("counts")
        value = counts.get(name) if isinstance(counts, dict) else None
        return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure with its interval; None where it is undefined, for the reason.

    `n` is what it rests on, `se` its standard error, from resamples of the images.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    reason: str | None = None
    se: float | None = None


def load(root: Path, links: Links | None = None) -> Facts:
    """Read whatever there is.

    Args:
        root: The project's folder.
        links: Where an image can be opened; None = nowhere.

    Raises:
        TableError: No stage has run, or a file is damaged.
        ParamsError: params.yaml or taxonomy.yaml is wrong.
    """
    loaded = project_tables.load(root)
    settings = params.load(root / "params.yaml") if (root / "params.yaml").exists() else Params()
    path = root / settings.autolabel.taxonomy
    categories = taxonomy.load(path) if path.exists() else ()
    return Facts(
        tables=loaded,
        params=settings,
        colors={entry.name: entry.color for entry in categories},
        thresholds={entry.name: entry.threshold for entry in categories},
        metrics={path.stem: _json(path) for path in sorted((root / "metrics").glob("*.json"))},
        plots={path.stem: _rows(path) for path in sorted((root / "plots").glob("*.csv"))},
        names=pseudonyms.names(root / "data/people.csv", (row.annotator_id for row in loaded.human or ())),
        figures=_figures(_table(root / "data/agreement/figures.csv")),
        gates=_gates(root / "metrics/gates.json"),
        label_errors=_table(root / "data/agreement/label_errors.csv"),
        seeded=_table(root / "data/quality/seeded_errors.csv"),
        links=links or Links(),
        settled=_settled(root / "data/agreement/objects.parquet"),
    )


def _settled(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    columns = ["outcome", "category", "annotators", "made_from"]
    rows = tables.read(path, schema.CONSENSUS_OBJECTS, columns=columns).to_pylist()
    clear = (row for row in rows if row["outcome"] == "object" and row["annotators"] > 2)
    return {key: row["category"] for row in clear for key in row["made_from"]}


def _table(path: Path) -> list[Mapping[str, str]]:
    return _rows(path) if path.exists() else []


def _gates(path: Path) -> list[Mapping[str, Any]]:
    content = _content(path) if path.exists() else []
    return [row for row in content if isinstance(row, Mapping)] if isinstance(content, list) else []


def _figures(rows: Sequence[Mapping[str, str]]) -> dict[tuple[str, str, str], Measure]:
    return {
        (row["figure"], row["by"], row["name"]): Measure(
            cell(row, "value"),
            cell(row, "low"),
            cell(row, "high"),
            int(cell(row, "n") or 0),
            row["reason"],
            cell(row, "se"),
        )
        for row in rows
    }


def measure(metrics: Mapping[str, Any], name: str) -> Measure:
    """A figure of a metrics file: a number, or {value, low, high, n}."""
    found = metrics.get(name)
    if isinstance(found, Mapping):
        return Measure(
            _number(found.get("value")),
            _number(found.get("low")),
            _number(found.get("high")),
            found.get("n"),
            found.get("reason"),
            _number(found.get("se")),
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
    content = _content(path)
    return content if isinstance(content, dict) else {}


def _content(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TableError(f"{path} is damaged ({error}): run dvc repro --force {path.stem}") from error


def _rows(path: Path) -> list[Mapping[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
