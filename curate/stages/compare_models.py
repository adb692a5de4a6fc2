"""Two detectors on the project's images with known answers: metrics/model_comparison.json.

Each detector makes the suggestions that the stage autolabel would make of these images, with the thresholds
that go with it, without masks.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables
from curate.intervals import Figure
from curate.labeling import taxonomy, training_record, write_thresholds
from curate.labeling.run.models import Models
from curate.params import AutolabelParams, DetectorParams, QualityParams, SegmenterParams
from curate.ports import Engine
from curate.qa import gold_pool, model_comparison
from curate.qa.bootstrap_figures import Resampling
from curate.qa.model_comparison import ALL, Compared
from curate.stages import autolabel, seen_scenes

OUT: Final = Path("metrics/model_comparison.json")
NO_GOLD: Final = "no image has known answers (qa.gold)"
_SHORT: Final = 12  # digits


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two detectors that are compared.

    Attributes:
        detector: Its settings.
        thresholds: By category, from which score on it suggests.
    """

    detector: DetectorParams
    thresholds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files that the comparison reads.

    Attributes:
        images: Table of dedupe, with the files it names.
        taxonomy: taxonomy.yaml.
        gold: The parameter `qa.gold`.
        group_by: The parameter `release.group_by`.
    """

    images: Path
    taxonomy: Path
    gold: Path | None
    group_by: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside: loads the models that some parameters name (picklable), and where they run."""

    models: Callable[[AutolabelParams], Models]
    engine: Engine


def run(
    params: AutolabelParams,
    quality: QualityParams,
    *,
    before: Side,
    after: Side,
    inputs: Inputs,
    out: Path,
    ports: Ports,
) -> dict[str, Any]:
    """Compare, write the figures, and return them.

    Images that one of the two was trained on, or that show a scene of those, are left out and counted. Where
    no image is left every figure is undefined, with the reason.

    Raises:
        InputError: Gold cannot be read, or too many images fail.
        ReleaseError: `group_by` names an attribute that no image has.
        TableError: A table is missing or damaged.
        ParamsError: taxonomy.yaml, or a label of a detector that it does not name.
        ModelError: A detector cannot be loaded, or the record of its training is damaged.
        StorageError: The disk is full or refuses.
    """
    categories = taxonomy.load(inputs.taxonomy)
    names = [category.name for category in categories]
    images = tables.read(inputs.images, schema.IMAGES)
    known = gold_pool.load(inputs.gold, images.select(list(gold_pool.IMAGE_COLUMNS)), names)
    asked = known["image_id"].unique().to_pylist()
    chosen, left_out = _chosen(asked, (before, after), images, inputs.group_by)
    ours = images.filter(pc.is_in(images["image_id"], value_set=pa.array(chosen, pa.string())))
    sides = [_suggestions(params, side, ours, file=inputs.taxonomy, ports=ports) for side in (before, after)]
    looked = [key for key in chosen if all(key not in side.failed for side in sides)]
    compared = model_comparison.compare(
        known, sides[0].rows, sides[1].rows, looked, names,
        iou_threshold=quality.iou_threshold, how=Resampling(quality.bootstrap),
    )  # fmt: skip
    left_out["that a detector could not look at"] = len(chosen) - len(looked)
    reason = None if asked else NO_GOLD
    document = {
        "images": len(looked),
        "objects": sum(one.objects for one in compared if (one.category, one.figure) == (ALL, "f1")),
        "gold": hashlib.sha256("".join(map(str, known.to_pylist())).encode()).hexdigest()[:_SHORT],
        "left_out": {why: number for why, number in left_out.items() if number},
        "reason": reason,
        "iou_threshold": quality.iou_threshold,
        "resamples": quality.bootstrap,
        "before": _described(before, sides[0], inputs.taxonomy),
        "after": _described(after, sides[1], inputs.taxonomy),
        "figures": [_row(one, reason) for one in compared],
    }
    with tables.replacing(out) as partial:
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def _chosen(
    asked: Sequence[str], sides: Sequence[Side], images: pa.Table, group_by: Sequence[str]
) -> tuple[list[str], dict[str, int]]:
    """Images with known answers that no detector was trained on, and how many are left out, by reason."""
    learned = {key for one in sides for key in training_record.trained_on(Path(one.detector.model))}
    seen = seen_scenes.find(learned, images, group_by)
    left_out = {
        "that a detector was trained on": len(seen.images & set(asked)),
        "of a scene that a detector was trained on": len(seen.related & set(asked)),
    }
    return sorted(set(asked) - seen.all), left_out


@dataclass(frozen=True, slots=True)
class _Suggested:
    """Rows of one detector, images that it could not look at, and its version; None = it was not asked."""

    rows: pa.Table
    failed: frozenset[str]
    version: str | None


def _suggestions(
    params: AutolabelParams, side: Side, images: pa.Table, *, file: Path, ports: Ports
) -> _Suggested:
    """What the stage autolabel makes of some images, in a folder that is gone afterwards."""
    if not images.num_rows:
        return _Suggested(schema.ANNOTATIONS.arrow.empty_table(), frozenset(), None)
    own = params.model_copy(
        update={"detector": side.detector, "segmenter": SegmenterParams(kind="none"), "keep_rejects": False}
    )
    text = write_thresholds.with_thresholds(file.read_text(encoding="utf-8"), side.thresholds, file)
    with tempfile.TemporaryDirectory(prefix="curate-compare-") as scratch:
        folder = Path(scratch)
        (folder / "taxonomy.yaml").write_text(text, encoding="utf-8")
        tables.write(images, folder / "images.parquet", schema.IMAGES)
        report = autolabel.run(
            own,
            inputs=autolabel.Inputs(
                folder / "images.parquet", folder / "taxonomy.yaml", folder / "no imported ones"
            ),
            outputs=autolabel.Outputs(
                folder / "table.parquet", folder / "shards", folder / "plot.csv", folder / "failures.csv"
            ),
            ports=autolabel.Ports(models=functools.partial(ports.models, own), engine=ports.engine),
        )
        rows = tables.read(folder / "table.parquet", schema.ANNOTATIONS)
    failed = rows.filter(pc.equal(rows["outcome"], "failed"))["image_id"].to_pylist()
    return _Suggested(rows, frozenset(failed), report.metrics["model_version"])


def _described(side: Side, made: _Suggested, file: Path) -> dict[str, Any]:
    today = {one.name: one.threshold for one in taxonomy.load(file)}
    return {
        "model": side.detector.model,
        "model_version": made.version,
        "thresholds": dict(side.thresholds),
        "fitted": _fitted(made, file) if dict(side.thresholds) == today else None,
    }


def _fitted(made: _Suggested, file: Path) -> bool | None:
    """Whether the thresholds of taxonomy.yaml were fitted for this detector; None = they were set by hand.

    Not asked of a side that brings thresholds of another day.
    """
    promised = taxonomy.promise(file)
    return None if promised is None or made.version is None else promised.made_for(made.version)


def _row(one: Compared, reason: str | None) -> dict[str, Any]:
    def figure(made: Figure) -> dict[str, Any]:
        told = dataclasses.asdict(made)
        del told["se"]
        return {**told, "reason": reason or made.reason}

    return {
        "category": one.category,
        "figure": one.figure,
        "objects": one.objects,
        **{name: figure(getattr(one, name)) for name in ("before", "after", "difference")},
    }


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """The table as text: a line per category and figure, and where the numbers come from."""
    sides = [document[name] for name in ("before", "after")]
    for name, side in zip(("before", "after"), sides, strict=True):
        another = "; its thresholds were fitted for another model" if side.get("fitted") is False else ""
        yield f"{name}: {side['model_version'] or side['model']}{another}"
    for row in document["figures"]:
        told = "  ".join(f"{name} {_told(row[name])}" for name in ("before", "after", "difference"))
        yield f"{row['category']}, {row['figure']}: {told}"
    yield headline(document)


def headline(document: Mapping[str, Any]) -> str:
    """What it comes to, in one line: F1 of both, the difference, and whether it is more than chance."""
    row = next(one for one in document["figures"] if (one["category"], one["figure"]) == (ALL, "f1"))
    of = (
        f"on {document['images']:,} images with known answers, {document['objects']:,} objects, "
        f"at IoU {document['iou_threshold']:g}"
    )
    left = "".join(f"; left out: {number} {why}" for why, number in document["left_out"].items())
    left += "".join(
        f"; the thresholds of {document[side]['model']} were fitted for another model"
        for side in ("before", "after")
        if document[side].get("fitted") is False
    )
    difference = row["difference"]
    if difference["value"] is None:
        return f"which detector is better is not known: {difference['reason']} ({of}{left})"
    f1 = f"F1 {row['before']['value']:.3f} -> {row['after']['value']:.3f}"
    if difference["low"] is None:
        return f"{f1}, {difference['reason']} ({of}{left})"
    verdict = "the difference may be chance"
    if difference["low"] > 0 or difference["high"] < 0:
        verdict = "better" if difference["low"] > 0 else "worse"
    return f"{f1}, {verdict}: {_told(difference)} ({of}{left})"


def _told(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return f"undefined ({figure['reason']})"
    if figure["low"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
