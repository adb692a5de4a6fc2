"""`curate report`: one self-contained HTML page on everything there is so far, and its figures as JSON.

No network and no clock: two runs on the same project write the same bytes. The page's script sorts tables,
enlarges pictures and compares duplicates; without it everything can still be read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from curate import tables
from curate.report import (
    annotators,
    charts,
    curation,
    headline,
    label_error_examples,
    labeling_quality,
    labels,
    model_comparison,
    page_charts,
    page_data,
    restoration_inputs,
    restoration_page,
    slices,
    worst_images,
)
from curate.report import inputs as project
from curate.report.drawing import Album, words
from curate.report.duplicates import DUPLICATES
from curate.report.inputs import Facts, Links, Measure

# Of all data URIs, and of those of images to look at again: the page stays under 5 MB.
_PICTURE_BYTES, _WORST_BYTES = 2_200_000, 2_200_000
_TEMPLATE = "report.html.j2"
_SECTIONS = (
    ("headline", "Headline"), ("progress", "Progress"), ("people", "Annotators"),
    ("disagreements", "To look at again"), ("label-errors", "Label errors"), ("agreement", "Agreement"),
    ("contents", "Objects"), ("quality", "Time and quality"), ("funnel", "Funnel"),
    ("labelled", "Labelled images"), ("model", "Pre-annotations"), ("dropped", "Dropped files"),
    ("duplicates", "Duplicates"), ("splits", "Release"),
)  # fmt: skip
_PLANTED = {"moved": "box moved", "category": "wrong name", "missing": "left out", "spurious": "made up"}


def write(root: Path, out: Path, *, links: Links | None = None) -> Path:
    """Write the page, and beside it a JSON file of its name with the same figures.

    A restoration project has a page of its own: `curate.report.restoration_page`.

    Args:
        root: The project's folder.
        out: The page, replaced in one step.
        links: Where an image can be opened; None = the page has no such links.

    Returns:
        `out`.

    Raises:
        TableError: No stage has run, or a file of the project is damaged.
        ParamsError: params.yaml or taxonomy.yaml is wrong.
        StorageError: The page cannot be written.
    """
    if restoration_inputs.is_restoration(root):
        return restoration_page.write(root, out)
    duplicates = root / DUPLICATES
    link = os.path.relpath(duplicates, out.parent).replace(os.sep, "/") if duplicates.exists() else None
    content = _content(project.load(root, links))
    data = out.with_suffix(".json")
    page = _render(content, duplicates_page=link, json_name=data.name)
    with tables.replacing(out) as partial:
        partial.write_text(page, encoding="utf-8")
    with tables.replacing(data) as partial:
        text = json.dumps(page_data.plain(content), indent=1, ensure_ascii=False, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")
    return out


def _render(content: Mapping[str, Any], *, duplicates_page: str | None, json_name: str) -> str:
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
    environment.filters["breakable"] = _breakable
    environment.globals.update(
        bar=charts.bar,
        stack=charts.stack,
        interval=charts.interval,
        histogram=charts.histogram,
        running=charts.running,
    )
    return environment.get_template(_TEMPLATE).render(
        content,
        duplicates_page=duplicates_page,
        json_name=json_name,
        planted=_PLANTED,
        states=annotators.STATES,
    )


def _content(facts: Facts) -> dict[str, Any]:
    album = Album(facts.tables.root, max_bytes=_PICTURE_BYTES)
    shown = facts.tables
    worst, looks = worst_images.worst_images(facts, Album(facts.tables.root, max_bytes=_WORST_BYTES))
    errors = label_error_examples.examples(facts, album)
    gallery = labels.gallery(facts, album)  # pictures of labels first, should the page run out of room
    measured = slices.slices(facts)
    demo = _sections(facts)
    pulled = facts.metrics.get("pull", {})
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
        "sections": [*_SECTIONS, *((("truth", "Truth"),) if demo else ())],
        "agreement": "agreement" in facts.metrics,
        "detectors": model_comparison.comparison(facts),
        "tiles": headline.tiles(facts),
        "overlap": headline.overlap(facts),
        "gates": headline.gates(facts),
        "looks_done": pulled.get("slots_done", 0),
        "looks_needed": pulled.get("slots_needed", 0),
        "periods": page_charts.periods(facts),
        "annotators": annotators.annotators(facts),
        "level": facts.limit("quality", "gold_alert_f1"),
        "slices": measured,
        "by_chance": slices.by_chance(facts),
        "confusion": slices.confusion(facts),
        "by_people": labels.by_people(facts),
        "charts": page_charts.charts(facts, measured),
        "error_kinds": label_error_examples.kinds(facts),
        "errors_left_out": facts.metrics.get("agreement", {}).get("label_errors_left_out") or {},
        "errors": errors,
        "min_probability": facts.limit("agreement", "label_error_probability"),
        "label_color": label_error_examples.LABEL,
        "model_color": label_error_examples.MODEL,
        "app": facts.links.app,
        "queue": len(shown.queue) if shown.queue is not None else None,
        "worst": worst,
        "looks": looks,
        "people_index": {person: at for at, person in enumerate(looks)},
        "labelled": shown.consensus is not None,
        "gallery": gallery,
        "splits": splits,
        "split_categories": split_categories,
        "quality": labeling_quality.section(facts),
        "demo": demo,
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


def _breakable(name: str) -> Markup:
    """A name that breaks after its parts and never within a word."""
    return Markup("<wbr>").join(re.split(r"(?<=[/_.\\-])(?=[^/_.\\-])", name))


def _count(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return "undefined" if value is None else f"{100 * value:.0f} %"


def _figure(value: float | Measure | None, digits: int = 2) -> str:
    number = value.value if isinstance(value, Measure) else value
    return "undefined" if number is None else f"{number:.{digits}f}"


def _value(value: object) -> str:
    """A figure of unknown kind: whole numbers as such, others with three decimals."""
    if value is None:
        return "undefined"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _basename(path: str) -> str:
    return path.rpartition("/")[2]
