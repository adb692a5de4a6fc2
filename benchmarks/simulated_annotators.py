"""People of known skill who draw on made-up truth, and what the library makes of their work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate import schema
from curate.agreement import annotator_pairs, by_annotator, clusters
from curate.agreement.consensus import Consensus, Rules, consensus
from curate.geometry import boxes

SIZE = (640, 480)
CATEGORIES = ("car", "bus", "truck", "bike")
Boxes = NDArray[np.float64]
Drawn = tuple[Boxes, list[str]]  # (N, 4) xyxy, N names


@dataclass(frozen=True, slots=True)
class Person:
    """How somebody works: rates, and edges as a share of a box's side."""

    missed: float
    spurious: float
    confused: float
    jitter: float
    bias: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Person:
        """Somebody of any skill; who misses much also confuses much."""
        skill = rng.uniform(0, 1)
        mixed = np.clip(skill + rng.normal(0, 0.15, 4), 0, 1)
        return cls(
            missed=0.02 + 0.23 * mixed[0],
            spurious=0.05 + 0.45 * mixed[1],
            confused=0.01 + 0.19 * mixed[2],
            jitter=0.02 + 0.08 * mixed[3],
            bias=float(rng.choice([0.0, 0.03])),
        )

    def work(self, truth: Drawn, rng: np.random.Generator) -> Drawn:
        """What the person draws of one image."""
        there, names = truth
        kept = np.flatnonzero(rng.random(len(there)) >= self.missed)
        made_up = [any_box(rng) for _ in range(rng.poisson(self.spurious))]
        drawn: Boxes = np.array([*there[kept], *made_up]).reshape(-1, 4)
        sides = np.tile(drawn[:, 2:] - drawn[:, :2], 2)
        drawn = drawn + sides * rng.normal(0, self.jitter, drawn.shape) + sides * self.bias * [-1, -1, 1, 1]
        called = [names[i] for i in kept] + [str(rng.choice(CATEGORIES)) for _ in made_up]
        called = [
            str(rng.choice([c for c in CATEGORIES if c != name])) if rng.random() < self.confused else name
            for name in called
        ]
        return boxes.clip(drawn, width=SIZE[0], height=SIZE[1]), called


def any_box(rng: np.random.Generator) -> NDArray[np.float64]:
    """A box of 40 to 160 pixels per side, anywhere."""
    side = rng.uniform(40, 160, 2)
    corner = rng.uniform(0, np.array(SIZE) - side)
    return np.concatenate([corner, corner + side])


def truth_of_image(rng: np.random.Generator) -> Drawn:
    """Objects that overlap little."""
    found: list[NDArray[np.float64]] = []
    for _ in range(rng.poisson(3)):
        box = any_box(rng)
        if not found or boxes.box_iou([box], found).max() < 0.2:
            found.append(box)
    return np.array(found).reshape(-1, 4), [str(rng.choice(CATEGORIES)) for _ in found]


@dataclass(frozen=True, slots=True)
class World:
    """Truth by image, and who drew what of it."""

    truth: Mapping[str, Drawn]
    work: Mapping[tuple[str, str], Drawn]

    @classmethod
    def simulated(
        cls, seed: int, people: int, *, images: int, overlap: float = 1.0, lookers: int | None = None
    ) -> World:
        """Simulate a world.

        Args:
            seed: Of everything.
            people: How many there are.
            images: How many.
            overlap: Share of the images that `lookers` of them see; one sees each of the others.
            lookers: None = all people.
        """
        rng = np.random.default_rng([seed, people, round(100 * overlap)])
        team = [Person.drawn(rng) for _ in range(people)]
        truth, work = {}, {}
        for number in range(images):
            image = f"{number:064x}"
            truth[image] = truth_of_image(rng)
            several = number < overlap * images
            count = (lookers or people) if several else 1
            for index in rng.permutation(people)[:count]:
                work[image, f"p{index}"] = team[index].work(truth[image], rng)
        return cls(truth, work)

    def settled(self) -> tuple[by_annotator.Answers, clusters.Clusters, Consensus]:
        """What the library makes of it."""
        rows = []
        for (image, person), (drawn, names) in self.work.items():
            key = {"image_id": image, "origin": "human", "annotator_id": person}
            if not names:
                rows.append({**key, "annotation_id": f"{image}{person}", "outcome": "empty"})
            for number, (box, name) in enumerate(zip(drawn.tolist(), names, strict=True)):
                identity = {"annotation_id": f"{image}{person}{number}", "outcome": "object"}
                rows.append({**key, **identity, "bbox_xyxy": box, "category": name})
        table = pa.Table.from_pylist(rows, schema=schema.ANNOTATIONS.arrow)
        sizes = dict.fromkeys(self.truth, SIZE)
        answers = by_annotator.sort_out(table, planned=set(sizes))
        compared = annotator_pairs.compare(answers, answers.overlapped(), sizes, iou_threshold=0.5)
        groups = clusters.cluster(answers, compared)
        tasks = dict.fromkeys(sizes, "")
        return answers, groups, consensus(answers, compared, groups, sizes=sizes, tasks=tasks, rules=Rules())
