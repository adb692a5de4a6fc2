"""`curate report`: one self-contained HTML page on everything there is so far.

No network, no script, no clock: two runs on the same project write the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from curate import tables
from curate.report import charts, curation, labeling_quality, labels
from curate.report import inputs as project
from curate.report.drawing import Album, words
from curate.report.duplicates import DUPLICATES
from curate.report.inputs import Facts, Measure

_PICTURE_BYTES = 5_000_000  # of all data URIs: the page stays under 6 MB
_TEMPLATE = "report.html.j2"


def write(root: Path, out: Path) -> Path:
    """Write the page.

    Args:
        root: The project's folder.
        out: The page, replaced in one step.

    Returns:
        `out`.

    Raises:
        TableError: No stage has run, or a file of the project is damaged.
        ParamsError: params.yaml or taxonomy.yaml is wrong.
        StorageError: The page cannot be written.
    """
    duplicates = root / DUPLICATES
    link = os.path.relpath(duplicates, out.parent).replace(os.sep, "/") if duplicates.exists() else None
    page = render(project.load(root), duplicates_page=link)
    with tables.replacing(out) as partial:
        partial.write_text(page, encoding="utf-8")
    return out


def render(facts: Facts, *, duplicates_page: str | None = None) -> str:
    """The page as HTML.

    Args:
        facts: The project.
        duplicates_page: Address of the page of all groups of duplicates; None where there is none.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("curate.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=_count, share=_share, figure=_figure, words=words, basename=_basename, value=_value
    )
    environment.globals.update(
        bar=charts.bar,
        stack=charts.stack,
        interval=charts.interval,
        histogram=charts.histogram,
        running=charts.running,
    )
    return environment.get_template(_TEMPLATE).render(_content(facts), duplicates_page=duplicates_page)


def _content(facts: Facts) -> dict[str, Any]:
    album = Album(facts.tables.root, max_bytes=_PICTURE_BYTES)
    shown = facts.tables
    gallery = labels.gallery(facts, album)  # pictures of labels first, should the page run out of room
    doubts, people = labels.disagreements(facts, album)
    groups, group_counts = curation.groups(facts, album)
    proposed, scores = labels.proposed(facts)
    splits, split_categories = labels.splits(facts)
    consensus = [row for row in shown.consensus or () if row.outcome == "object"]
    return {
        "name": facts.params.release.name,
        "version": facts.metrics.get("release", {}).get("version"),
        "digest": facts.metrics.get("release", {}).get("digest"),
        "simulated": facts.simulated,
        "colors": facts.colors,
        "funnel": curation.funnel(facts),
        "released": len(shown.splits) or None,
        "objects": len(consensus) if shown.consensus is not None else None,
        "dropped": curation.dropped(facts, album),
        "groups": groups,
        "group_counts": group_counts,
        "model": shown.model is not None,
        "proposed": proposed,
        "scores": scores,
        "model_versions": sorted({row.model_version for row in shown.model or () if row.model_version}),
        "agreement": "agreement" in facts.metrics,
        "headline": labels.headline(facts),
        "by_category": labels.by_category(facts),
        "by_people": labels.by_people(facts),
        "iou_bins": labels.iou_histogram(facts),
        "queue": len(shown.queue) if shown.queue is not None else None,
        "doubts": doubts,
        "people": people,
        "labelled": shown.consensus is not None,
        "gallery": gallery,
        "splits": splits,
        "split_categories": split_categories,
        "quality": labeling_quality.section(facts),
        "demo": _sections(facts),
        "licenses": sorted({image.license for image in shown.images if image.license}),
    }


def _sections(facts: Facts) -> list[dict[str, Any]]:
    """metrics/demo.json, whatever its names: plain figures, and a table where entries look alike."""
    metrics = facts.metrics.get("demo", {})
    loose = {name: value for name, value in metrics.items() if not isinstance(value, Mapping)}
    groups = [(name, value) for name, value in metrics.items() if isinstance(value, Mapping)]
    return [_section(name, content, facts) for name, content in [("figures", loose), *groups] if content]


def _section(name: str, content: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    plain = {key: value for key, value in content.items() if not isinstance(value, Mapping)}
    nested = []
    for key, rows in content.items():
        if isinstance(rows, Mapping) and rows and all(isinstance(row, Mapping) for row in rows.values()):
            columns = list(dict.fromkeys(column for row in rows.values() for column in row))
            ordered = {row: rows[row] for row in labels.ordered(rows, facts)}
            if plain and set(plain) <= set(columns):
                ordered, plain = {**ordered, "all": plain}, {}
            nested.append({"name": key, "columns": columns, "rows": ordered})
        elif isinstance(rows, Mapping):
            plain |= {f"{key}: {inner}": value for inner, value in rows.items()}
    return {"name": name, "plain": plain, "nested": nested}


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _figure(value: float | Measure | None, digits: int = 2) -> str:
    number = value.value if isinstance(value, Measure) else value
    return "–" if number is None else f"{number:.{digits}f}"


def _value(value: object) -> str:
    """A figure of unknown kind: whole numbers as such, others with three decimals."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _basename(path: str) -> str:
    return path.rpartition("/")[2]
