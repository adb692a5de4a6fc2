"""What the benchmark of the weighted choice learns: digits, digits of skewed frequency, and the demo's signs.

Each has a pool of images that could be labeled, vectors of them, and a small model that is fitted anew to
what is labeled: logistic regression, on pixels for digits, and on the object queries of the demo's frozen
detector for signs.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from benchmarks import result
from curate.extras import require
from curate.geometry.boxes import box_iou
from curate.qa.suggestions import Suggestions
from curate.records import FloatArray
from demo.evaluate_models import PROMPT, evaluation_scene, load_detector
from demo.scenes import DEMO_SEEDS, HELD_OUT_SEEDS
from demo.signs import CATEGORIES

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
POOL, TEST = (80, 40) if result.quick() else (300, 150)  # scenes
_OF_POOL = 2 / 3  # of the scenes of the pool, drawn by the seed
_DIGITS = 1200  # of 1,797 in the pool
_SKEW = 0.75  # digit d stays in the pool with this probability, d times
_ITERATIONS = 300
_RIGHT, _SURE, _SAME = 0.5, 0.5, 0.6  # IoU with a sign; probability that is suggested; IoU of two suggestions


class Task(Protocol):
    """A pool and a model that is fitted to what is labeled.

    Attributes:
        names: C categories.
        vectors: (N, D) of the images of the pool, of unit length.
        confused: Categories that the simulated labelers often confuse.
    """

    names: tuple[str, ...]
    vectors: FloatArray
    confused: tuple[int, ...]

    def objects(self, image: int) -> Sequence[int]:
        """Categories of the objects on an image of the pool, as people name them."""

    def fit(self, labeled: Ints) -> tuple[float, Suggestions]:
        """F1 on the test images, and what the fitted model suggests on each image of the pool."""


def fitted(features: FloatArray, labels: Ints) -> Any:
    """A logistic regression; None where there is one category only."""
    if len(np.unique(labels)) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(max_iter=_ITERATIONS).fit(features, labels)


def suggestions(rows: Sequence[tuple[int, int, Sequence[float], float, bool]]) -> Suggestions:
    """Build suggestions from (image, category, box, score, suggested) of each box, ordered by image."""
    return Suggestions(
        images=np.array([row[0] for row in rows], dtype=np.int64),
        categories=np.array([row[1] for row in rows], dtype=np.int64),
        boxes=np.array([row[2] for row in rows], dtype=np.float64).reshape(-1, 4),
        scores=np.array([row[3] for row in rows], dtype=np.float64),
        mask_iou=np.full(len(rows), np.nan),
        shown=np.array([row[4] for row in rows], dtype=np.bool_),
        ids=pa.array([str(number) for number in range(len(rows))], pa.string()),
    )


class Digits:
    """scikit-learn's 1,797 digits of 8 x 8 pixels; macro F1 on 597 that are never in the pool."""

    names: tuple[str, ...] = tuple(str(digit) for digit in range(10))
    confused: tuple[int, ...] = (8, 9)

    def __init__(self, seed: int, *, skewed: bool) -> None:
        rng = np.random.default_rng(seed)
        pixels, labels = load_digits(return_X_y=True)
        order = rng.permutation(len(labels))
        pool, test = order[:_DIGITS], order[_DIGITS:]
        if skewed:
            pool = pool[rng.random(len(pool)) < _SKEW ** labels[pool]]
        features = (pixels / 16).astype(np.float32)
        self._pool, self._test = (features[pool], labels[pool]), (features[test], labels[test])
        self.vectors: FloatArray = features[pool] / np.linalg.norm(features[pool], axis=1, keepdims=True)

    def objects(self, image: int) -> Sequence[int]:
        """The digit as the only object."""
        return (int(self._pool[1][image]),)

    def fit(self, labeled: Ints) -> tuple[float, Suggestions]:
        """The model's first two digits of each image, of which the second is a rejected box."""
        features, labels = self._pool
        model = fitted(features[labeled], labels[labeled])
        if model is None:
            return 0.0, suggestions([])
        score = float(f1_score(self._test[1], model.predict(self._test[0]), average="macro", zero_division=0))
        probability = model.predict_proba(features)
        rows = []
        for image, likely in enumerate(np.argsort(-probability, axis=1)[:, :2]):
            rows += [
                (image, int(model.classes_[at]), (0, 0, 8, 8), float(probability[image, at]), first == 0)
                for first, at in enumerate(likely)
            ]
        return score, suggestions(rows)


@dataclass(frozen=True)
class Scenes:
    """Queries of the detector and true signs of S scenes.

    Attributes:
        features: (S, Q, F) of each query.
        boxes: (S, Q, 4) xyxy pixels.
        vectors: (S, D) of the whole picture, of unit length.
        signs: Of each scene, categories (K,) and boxes (K, 4).
    """

    features: FloatArray
    boxes: FloatArray
    vectors: FloatArray
    signs: Sequence[tuple[Ints, Floats]]


class Signs:
    """The demo's scenes; F1 of boxes with the right category at IoU 0.5 on held-out scenes."""

    names: tuple[str, ...] = CATEGORIES
    confused: tuple[int, ...] = (1, 3)

    def __init__(self, seed: int, pool: Scenes, test: Scenes) -> None:
        rng = np.random.default_rng(seed)
        some = np.sort(rng.choice(len(pool.signs), round(_OF_POOL * len(pool.signs)), replace=False))
        signs = [pool.signs[scene] for scene in some]
        self._pool = Scenes(pool.features[some], pool.boxes[some], pool.vectors[some], signs)
        self._test, self.vectors = test, self._pool.vectors
        self._labels = np.stack([_labels(self._pool, scene) for scene in range(len(some))])

    def objects(self, image: int) -> Sequence[int]:
        """The signs of the scenes."""
        return tuple(self._pool.signs[image][0].tolist())

    def fit(self, labeled: Ints) -> tuple[float, Suggestions]:
        """Boxes that the refitted head is sure of, and as rejected ones the next in line of each query."""
        queries = self._pool.features[labeled]
        model = fitted(queries.reshape(-1, queries.shape[2]), self._labels[labeled].ravel())
        if model is None:
            return 0.0, suggestions([])
        return _f1(model, self._test), suggestions(_suggested(model, self._pool, rejected=True))


def _labels(scenes: Scenes, scene: int) -> Ints:
    """(Q,) category of the sign that each query's box is on, C where it is on none."""
    categories, boxes = scenes.signs[scene]
    if not len(categories):
        return np.full(len(scenes.boxes[scene]), len(CATEGORIES))
    overlap = box_iou(scenes.boxes[scene].astype(np.float64), boxes)
    return np.where(overlap.max(axis=1) >= _RIGHT, categories[overlap.argmax(axis=1)], len(CATEGORIES))


def _suggested(
    model: Any, scenes: Scenes, *, rejected: bool
) -> list[tuple[int, int, Sequence[float], float, bool]]:
    """Boxes by image, best score first; of overlapping ones of a category the best."""
    number, queries, width = scenes.features.shape
    probability = model.predict_proba(scenes.features.reshape(-1, width)).reshape(number, queries, -1)
    signs = model.classes_ < len(CATEGORIES)
    probability, classes = probability[:, :, signs], model.classes_[signs]
    if not len(classes):
        return []
    rows: list[tuple[int, int, Sequence[float], float, bool]] = []
    for scene in range(number):
        kept: list[tuple[int, int, Sequence[float], float, bool]] = []
        score = probability[scene].max(axis=1)
        for query in np.argsort(-score, kind="stable"):
            sure = bool(score[query] >= _SURE)
            if not sure and (not rejected or score[query] < _SURE / 2):
                break
            category = int(classes[probability[scene, query].argmax()])
            box = scenes.boxes[scene, query].astype(np.float64)
            same = [np.asarray(row[2]) for row in kept if row[1] == category]
            if not same or box_iou(box[None], np.array(same)).max() < _SAME:
                kept.append((scene, category, box.tolist(), float(score[query]), sure))
        rows += kept
    return rows


def _f1(model: Any, scenes: Scenes) -> float:
    """Each sign is found once, by the box of the best score that is on it."""
    right, suggested = 0, _suggested(model, scenes, rejected=False)
    free = [set(range(len(categories))) for categories, _ in scenes.signs]
    for scene, category, box, _, _ in suggested:
        categories, boxes = scenes.signs[scene]
        there = [sign for sign in free[scene] if categories[sign] == category]
        if not there:
            continue
        overlap = box_iou(np.array([box]), boxes[there])[0]
        if overlap.max() >= _RIGHT:
            right += 1
            free[scene].remove(there[int(overlap.argmax())])
    return 2 * right / max(1, len(suggested) + sum(len(categories) for categories, _ in scenes.signs))


def scenes(seeds: range, number: int) -> Scenes:
    """What the demo's detector makes of the first scenes of a seed range; kept between runs."""
    path = result.CACHE / f"selection-{seeds.start}-{number}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        processor, model = load_detector(result.ROOT / "demo/models/detector")
        drawn = [evaluation_scene(seeds, index) for index in range(number)]
        made = [_queries(processor, model, scene.image) for scene in drawn]
        signs = [
            (at, CATEGORIES.index(s.category), *s.bbox_xyxy) for at, d in enumerate(drawn) for s in d.objects
        ]
        features, boxes, vectors = (np.stack(part) for part in zip(*made, strict=True))
        np.savez(
            path, features=features, boxes=boxes, vectors=vectors, signs=np.array(signs, dtype=np.float64)
        )
    kept = np.load(path)
    of, signs_there = kept["signs"][:, 0], kept["signs"]
    return Scenes(
        kept["features"],
        kept["boxes"],
        kept["vectors"],
        [(signs_there[of == at, 1].astype(np.int64), signs_there[of == at, 2:]) for at in range(number)],
    )


def _queries(
    processor: Any, model: Any, image: NDArray[np.uint8]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(Q, F) of the object queries, (Q, 4) their boxes in pixels, and (D,) of the whole picture."""
    torch = require("torch", extra="autolabel")
    inputs = processor(images=image, text=PROMPT, return_tensors="pt")
    with torch.inference_mode():
        out = model(**inputs)
    center, size = out.pred_boxes[0, :, :2].numpy(), out.pred_boxes[0, :, 2:].numpy()
    corners = np.concatenate([center - size / 2, center + size / 2], axis=1)
    height, width = image.shape[:2]
    places = out.encoder_last_hidden_state_vision[0].numpy()
    whole = np.concatenate([places.mean(axis=0), places.std(axis=0)])
    return (
        out.last_hidden_state[0].numpy(),
        corners * np.array([width, height, width, height], dtype=np.float32),
        whole / np.linalg.norm(whole),
    )


def sign_scenes() -> tuple[Scenes, Scenes]:
    """The pool and the test scenes."""
    return scenes(DEMO_SEEDS, POOL), scenes(HELD_OUT_SEEDS, TEST)
