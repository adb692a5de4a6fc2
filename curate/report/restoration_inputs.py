"""What the page of a restoration project is made from: its tables, CSV files and metrics, read once."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from curate import params, pipeline_templates, schema, tables
from curate.errors import TableError
from curate.params import Params
from curate.restoration import table_schemas

TEMPLATE: Final = "restoration"
PAIRS: Final = Path("data/pairs/pairs.parquet")
Row = Mapping[str, Any]
Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RestorationFacts:
    """A restoration project. What a stage has not written yet is empty.

    Attributes:
        root: Its folder, which the paths in tables are relative to.
        params: params.yaml, or the defaults.
        metrics: Content of metrics/<stage>.json by stage.
        diagnosed: Rows of the table of diagnose.
        pairs: Rows of the table of pairs by pair_id.
        results: Rows of the table of upscale that have a file, by model and pair_id.
        values: What was measured, by metric, model and pair_id.
        measured: Rows of the table of measure, one for each metric: what it looked at.
        summary: Rows of data/measure/summary.csv.
        ranking: Rows of data/vote/ranking.csv.
    """

    root: Path
    params: Params
    metrics: Mapping[str, Mapping[str, Any]]
    diagnosed: Sequence[Row]
    pairs: Mapping[str, Row]
    results: Mapping[tuple[str, str], Row]
    values: Mapping[tuple[str, str, str], float]
    measured: Mapping[str, Row]
    summary: Sequence[Texts]
    ranking: Sequence[Texts]

    @property
    def models(self) -> list[str]:
        """Names of the models that have results, in alphabetic order."""
        return sorted({model for model, _ in self.results})

    def count(self, stage: str, name: str) -> int | None:
        """A number of the stage's closing line; None where it is not known."""
        value = self.metrics.get(stage, {}).get("counts", {}).get(name)
        return value if isinstance(value, int) else None


def is_restoration(root: Path) -> bool:
    """Whether the project's dvc.yaml was made of that template; run by hand, whether it has pairs."""
    path = root / "dvc.yaml"
    return pipeline_templates.nearest(path)[0] == TEMPLATE if path.exists() else (root / PAIRS).exists()


def load(root: Path) -> RestorationFacts:
    """Read whatever there is.

    Args:
        root: The project's folder.

    Raises:
        TableError: No stage has run, or a file is damaged.
        ParamsError: params.yaml is wrong.
    """
    metrics = {path.stem: _json(path) for path in sorted((root / "metrics").glob("*.json"))}
    if not metrics:
        raise TableError(f"{root / 'metrics'} holds nothing: run `dvc repro` first")
    settings = params.load(root / "params.yaml") if (root / "params.yaml").exists() else Params()
    measured = _rows(root / "data/measure/figures.parquet", table_schemas.MEASURED)
    results = _rows(root / "data/upscale/upscaled.parquet", table_schemas.UPSCALED)
    return RestorationFacts(
        root=root,
        params=settings,
        metrics=metrics,
        diagnosed=_rows(root / "data/diagnose/images.parquet", table_schemas.DIAGNOSED),
        pairs={row["pair_id"]: row for row in _rows(root / PAIRS, table_schemas.IMAGE_PAIRS)},
        results={(row["model"], row["image_id"]): row for row in results if row["path"] is not None},
        values={
            (row["metric"], row["model"], row["pair_id"]): row["value"]
            for row in measured
            if row["value"] is not None
        },
        measured={row["metric"]: row for row in measured},
        summary=_csv(root / "data/measure/summary.csv"),
        ranking=_csv(root / "data/vote/ranking.csv"),
    )


def _rows(path: Path, table: schema.TableSchema) -> list[Row]:
    return tables.read(path, table).to_pylist() if path.exists() else []


def _csv(path: Path) -> list[Texts]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TableError(f"{path} is damaged ({error}): run dvc repro --force {path.stem}") from error
    return content if isinstance(content, dict) else {}
