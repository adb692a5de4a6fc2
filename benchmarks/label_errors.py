"""Planted label errors found by what a detector says, beside cleanlab's ObjectLab.

`python -m benchmarks.label_errors`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from benchmarks import charts, demo_detections, result
from benchmarks.planted_label_errors import Labeled, plant
from benchmarks.simulated_annotators import CATEGORIES, SIZE, Drawn, truth_of_image
from benchmarks.simulated_detector import DETECTORS, look
from curate.agreement import label_errors, objectlab
from curate.agreement.label_errors import KINDS, ImageView, LabelError
from curate.agreement.objectlab import Boxes
from curate.geometry.boxes import box_iou
from curate.geometry.matching import match
from curate.labeling import taxonomy
from demo.evaluate_models import evaluation_scene
from demo.scenes import HELD_OUT_SEEDS

NAME = "label_errors"
COMMAND = "python -m benchmarks.label_errors"
QUICK = result.quick()
IMAGES = 60 if QUICK else 2000
SEED = 1001  # the library's own numbers were chosen on seed 1, and on scenes of demo.scenes.VALIDATION_SEEDS
FIRST_SCENE = 1000  # of the held-out ones: the first hundreds measured the detector itself
PRECISION, RECALL = 0.9, 0.7
LISTED = 0.5  # default of agreement.label_error_probability
THRESHOLD = 0.2  # of the simulated detectors
DRAWN = "the demo's detector, drawn scenes"


@dataclass(slots=True)
class World:
    """Images whose labels hold planted errors, with what a detector finds there."""

    views: list[ImageView]
    labeled: list[Labeled]
    truth: list[Drawn]

    @property
    def planted(self) -> int:
        """Number of planted errors."""
        return sum(len(one.lost) + sum(kind is not None for kind in one.wrong) for one in self.labeled)


def simulated(name: str, seed: int = SEED) -> World:
    """A made-up detector on made-up boxes."""
    rng = np.random.default_rng([seed, list(DETECTORS).index(name)])
    world = World([], [], [])
    for _ in range(IMAGES):
        there = truth_of_image(rng)
        found = look(DETECTORS[name], there, rng)
        sure = found.scores >= THRESHOLD
        _add(
            world,
            there,
            plant(there, rng, size=SIZE, categories=CATEGORIES),
            _take(found, sure),
            found.corners[~sure],
        )
    return world


def drawn(seeds: range = HELD_OUT_SEEDS, *, seed: int = SEED) -> World:
    """The demo's detector on scenes that nothing was trained or chosen on."""
    detector, categories = demo_detections.detector(), demo_detections.categories()
    min_scores = {entry.name: entry.threshold for entry in taxonomy.load(result.ROOT / "taxonomy.yaml")}
    rng = np.random.default_rng(seed)
    world = World([], [], [])
    for index in range(FIRST_SCENE, FIRST_SCENE + IMAGES):
        scene = evaluation_scene(seeds, index)
        corners = np.array([entry.bbox_xyxy for entry in scene.objects], dtype=np.float64).reshape(-1, 4)
        there = corners, [entry.category for entry in scene.objects]
        (raw,) = detector.detect([scene.image], categories)
        kept = demo_detections.suggested(raw)
        sure = np.array(
            [score >= min_scores[name] for name, score in zip(kept.categories, kept.scores, strict=True)]
        )
        names = np.array(kept.categories, dtype=object)
        found = Boxes(kept.boxes.astype(np.float64), names, kept.scores.astype(np.float64))
        size = (scene.image.shape[1], scene.image.shape[0])
        sure = sure.astype(bool).reshape(-1)
        _add(
            world,
            there,
            plant(there, rng, size=size, categories=sorted(min_scores)),
            _take(found, sure),
            raw.boxes.astype(np.float64),
        )
    return world


def _take(found: Boxes, rows: NDArray[np.bool_]) -> Boxes:
    return Boxes(found.corners[rows], found.names[rows], found.scores[rows])


def _add(world: World, there: Drawn, labeled: Labeled, found: Boxes, doubtful: NDArray[np.float64]) -> None:
    number = len(world.views)
    corners, names = labeled.labels
    labels = Boxes(corners, np.array(names, dtype=object), np.zeros(len(names)))
    label_ids, found_ids = ([f"{number} {at}" for at in range(len(one.names))] for one in (labels, found))
    world.views.append(ImageView(str(number), labels, label_ids, found, found_ids, doubtful))
    world.labeled.append(labeled)
    world.truth.append(there)


def judged(world: World, found: Iterable[LabelError]) -> list[tuple[bool, bool]]:
    """Judge each report: does it point at a planted error, and at one that none before it named?"""
    seen: set[tuple[int, str, int]] = set()
    rows = []
    for one in found:
        number = int(one.image_id)
        labeled = world.labeled[number]
        error: tuple[int, str, int] | None = None
        if one.label_id is not None:
            at = int(one.label_id.partition(" ")[2])
            error = (number, "label", at) if labeled.wrong[at] is not None else None
        elif len(labeled.lost):
            over = box_iou([one.box], labeled.lost)[0]
            error = (number, "lost", int(over.argmax())) if over.max() >= 0.5 else None
        rows.append((error is not None, error is not None and error not in seen))
        if error is not None:
            seen.add(error)
    return rows


def curve(rows: Sequence[tuple[bool, bool]], planted: int) -> list[tuple[float, float]]:
    """Recall and precision after each report, in the order of the list."""
    right = np.cumsum([row[0] for row in rows])
    new = np.cumsum([row[1] for row in rows])
    precision = right / np.arange(1, len(rows) + 1)
    return list(zip((new / max(1, planted)).tolist(), precision.tolist(), strict=True))


def recall_at(points: Sequence[tuple[float, float]], precision: float) -> float:
    """The greatest recall at which the precision still is so high."""
    return max((one for one, sharp in points if sharp >= precision), default=0.0)


def _case(world: World) -> dict[str, Any]:
    found = label_errors.find(world.views)
    points = curve(judged(world, found), world.planted)
    listed = [one for one in found if one.probability is not None and one.probability > LISTED]
    at = points[len(listed) - 1] if listed else (0.0, 0.0)
    return {
        "detector": _quality(world),
        "planted": world.planted,
        "recall": recall_at(points, PRECISION),
        "by_kind": {kind: _of_kind(world, found, kind) for kind in KINDS},
        "listed": {"recall": at[0], "precision": at[1], "number": len(listed)},
        "curve": _thinned(points),
        "images": _by_image(world, found),
    }


def _of_kind(world: World, found: Sequence[LabelError], kind: str) -> float:
    mine = [one for one in found if one.kind == kind]
    planted = sum(one.wrong.count(kind) + (len(one.lost) if kind == "missed" else 0) for one in world.labeled)
    return recall_at(curve(judged(world, mine), planted), PRECISION)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The best precision at each step of recall."""
    steps = np.arange(0.05, 1.0, 0.05)
    best = [(float(step), max((p for r, p in points if r >= step), default=None)) for step in steps]
    return [(step, sharp) for step, sharp in best if sharp is not None]


def _by_image(world: World, found: Sequence[LabelError]) -> dict[str, float]:
    """Recall of images with a planted error, at the precision, for each way of ranking images."""
    wrong = np.array(
        [bool(len(one.lost)) or any(kind is not None for kind in one.wrong) for one in world.labeled]
    )
    right = np.ones(len(wrong))
    for one in found:
        right[int(one.image_id)] *= 1 - (one.probability or 0.0)
    labels, seen = [view.labels for view in world.views], [view.found for view in world.views]
    ranked = {
        "curate": right,
        "objectlab": objectlab.image_scores(labels, seen),
        "objectlab_calibrated": objectlab.image_scores(labels, _calibrated(labels, seen)),
    }
    return {name: _image_recall(score, wrong) for name, score in ranked.items()}


def _image_recall(score: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    hits = wrong[np.argsort(score, kind="stable")]
    return recall_at(curve([(bool(hit), bool(hit)) for hit in hits], int(wrong.sum())), PRECISION)


def _calibrated(labels: Sequence[Boxes], found: Sequence[Boxes]) -> list[Boxes]:
    """The detector's boxes with the share of boxes of their score that have a label, for a score."""
    hits = [np.zeros(len(one.names)) for one in found]
    for at, (theirs, mine) in enumerate(zip(labels, found, strict=True)):
        names = mine.names.tolist(), theirs.names.tolist()
        hits[at][match(mine.corners, theirs.corners, *names, iou_threshold=0.5).a] = 1.0
    scores, right = np.concatenate([one.scores for one in found]), np.concatenate(hits)
    order = np.argsort(scores)
    shares = np.empty(len(scores))
    shares[order] = isotonic_regression(right[order]).x
    ends = np.cumsum([len(one.names) for one in found])[:-1]
    return [replace(one, scores=part) for one, part in zip(found, np.split(shares, ends), strict=True)]


def _quality(world: World) -> dict[str, float]:
    """Precision and recall of the detector against the truth."""
    right = found = there = 0
    for view, (corners, names) in zip(world.views, world.truth, strict=True):
        pairs = match(view.found.corners, corners, view.found.names.tolist(), names, iou_threshold=0.5)
        right += sum(view.found.names[a] == names[b] for a, b in zip(pairs.a, pairs.b, strict=True))
        found += len(view.found.names)
        there += len(names)
    return {"precision": right / max(1, found), "recall": right / max(1, there)}


def measure() -> None:
    """Plant errors into labels, find them, and judge what was found."""
    cases = {DRAWN: _case(drawn())} | {name: _case(simulated(name)) for name in DETECTORS}
    targets = [
        result.Target(f"label errors, {name}: recall at a precision of 0.9", RECALL, case["recall"], "")
        for name, case in cases.items()
        if name != "middling"  # it shows where the end is
    ]
    content = {"cases": cases, "images": IMAGES, "versions": result.versions("cleanlab", "numpy", "scipy")}
    result.save(NAME, content, command=COMMAND, targets=targets)


INTRO = """## Label errors

{images:,} images of each kind, with labels of which some were made wrong on purpose, 3% of the objects
in each of four ways: left out, named otherwise, misplaced (an IoU of 0.3 to 0.6 with what they should
show), and invented. All others are drawn with small errors of their edges.
`curate.agreement.label_errors` ranks all disagreements; a report is right if it points at a planted
error. Its numbers were chosen on other seeds. The demo's detector sees drawn scenes that nothing was
trained or chosen on; the made-up ones show how good a detector must be: what it misses or misnames as
often as people err cannot be told from their errors. The demo's detector draws so roughly that no
misplaced label stands out.

"""


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    cases: Mapping[str, Mapping[str, Any]] = content["cases"]
    rows, by_kind, images = [], [], []
    for name, case in cases.items():
        quality, listed = case["detector"], case["listed"]
        rows.append(
            [name, f"{quality['precision']:.2f}", f"{quality['recall']:.2f}", f"{case['planted']:,}",
             f"{case['recall']:.2f}",
             f"{listed['precision']:.2f}", f"{listed['recall']:.2f}"]
        )  # fmt: skip
        by_kind.append([name, *(f"{case['by_kind'][kind]:.2f}" for kind in KINDS)])
        scores = case["images"]
        images.append(
            [name, *(f"{scores[one]:.2f}" for one in ("curate", "objectlab", "objectlab_calibrated"))]
        )
    series = {
        name: ([recall for recall, _ in case["curve"]], [precision for _, precision in case["curve"]])
        for name, case in cases.items()
    }
    chart = charts.lines(
        "label-errors", "Planted label errors", x="recall", y="precision", series=series, log=False
    )
    header = ["detector", "its precision", "its recall", "planted", f"recall at precision {PRECISION:g}",
              f"precision of those above {LISTED:g}", "recall of those"]  # fmt: skip
    text = INTRO.format(**content) + result.table(header, rows, numbers=6) + "\n" + chart
    text += f"\nRecall at precision {PRECISION:g} within each kind:\n\n"
    text += result.table(["detector", *KINDS], by_kind, numbers=4)
    text += (
        "\nThe same of whole images, ranked by our probabilities, by ObjectLab's score, and by ObjectLab's\n"
        "with scores that mean what they say (the share of boxes of a score that have a label); its bounds\n"
        "of 0.5 and 0.95 are made for such scores:\n\n"
    )
    text += result.table(["detector", "curate", "ObjectLab", "ObjectLab, calibrated"], images, numbers=3)
    return text + "\n" + result.footer(content)


if __name__ == "__main__":
    measure()
