"""Consensus of simulated people on known truth: against the best of them, and against the plain majority.

`python -m benchmarks.consensus`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import result
from benchmarks.simulated_annotators import Drawn, World
from curate.agreement import by_annotator, clusters
from curate.agreement.consensus import disputed
from curate.geometry.matching import match

NAME = "consensus"
COMMAND = "python -m benchmarks.consensus"
QUICK = result.quick()
FIRST_SEED = 1000  # the library's own numbers were chosen on worlds of smaller ones
SEEDS, IMAGES = (1, 40) if QUICK else (8, 150)
BINS = 10
INTRO = """## Consensus

Simulated people on known truth: {seeds} worlds of {images} images with three objects each on average, four
categories. Everybody has a skill of their own: they miss 2 to 25% of the objects, make up 0.05 to 0.5 an
image, take 1 to 20% for another category, and their edges lie 2 to 10% of a side off, some of them always
outward. The *best person* is the best by the figure in question, whom nobody knows without the truth; the
*majority* keeps what half of them drew, the median box and the most frequent name. The consensus releases
fewer images, because disputed ones wait for somebody to decide; all are scored on the images that it
releases, and the first two on all images too. F1 is that of objects of the right name at IoU 0.5, IoU that of
the objects found.
"""


@dataclass(slots=True)
class Score:
    """Objects right, drawn and there, and the IoU of those found."""

    right: int = 0
    drawn: int = 0
    there: int = 0
    iou: float = 0.0

    def add(self, drawn: Drawn, truth: Drawn) -> list[bool]:
        """Add one image: whether each drawn object is right."""
        found = match(drawn[0], truth[0], drawn[1], truth[1], iou_threshold=0.5)
        good = [False] * len(drawn[1])
        for a, b, iou in zip(found.a.tolist(), found.b.tolist(), found.iou.tolist(), strict=True):
            if drawn[1][a] == truth[1][b]:
                good[a] = True
                self.right += 1
                self.iou += iou
        self.drawn += len(drawn[1])
        self.there += len(truth[1])
        return good

    @property
    def f1(self) -> float:
        """F1 over the images that were added."""
        return 2 * self.right / max(1, self.drawn + self.there)

    @property
    def mean_iou(self) -> float:
        """Mean IoU of right objects."""
        return self.iou / max(1, self.right)


def _majority(answers: by_annotator.Answers, groups: Sequence[clusters.Cluster]) -> dict[str, Drawn]:
    """What half of those who looked drew: median box, most frequent name."""
    kept: dict[str, list[tuple[NDArray[np.float64], str]]] = {image: [] for image in answers.by_image}
    for group in groups:
        members = list(group.members)
        if 2 * len(members) >= len(answers.by_image[group.image_id]):
            name = Counter(answers.categories[i] for i in members).most_common(1)[0][0]
            kept[group.image_id].append((np.median(answers.boxes[members], axis=0), name))
    return {
        image: (np.array([box for box, _ in rows]).reshape(-1, 4), [name for _, name in rows])
        for image, rows in kept.items()
    }


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error over ten bins of equal width.

    Source:
        Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks (ICML 2017), equation 3.
    """
    sure, good = np.array(confidence), np.array(right, dtype=np.float64)
    bins = np.minimum((sure * BINS).astype(np.intp), BINS - 1)
    gaps = [
        abs(sure[bins == one].mean() - good[bins == one].mean()) * (bins == one).sum() for one in set(bins)
    ]
    return float(sum(gaps) / max(1, len(sure)))


def _score(people: int, seed: int, **how: Any) -> dict[str, Any]:
    """One world: scores of each way, ranks and confidence."""
    world = World.simulated(seed, people, images=IMAGES, **how)
    answers, groups, settled = world.settled()
    rows = [row for row in settled.objects.to_pylist() if row["outcome"] in {"object", "disputed"}]
    held = disputed(settled.annotations)
    released = [image for image in world.truth if image not in held]
    ours, confidence, right = Score(), [], []
    by_image: dict[str, list[dict[str, Any]]] = {image: [] for image in world.truth}
    for row in rows:
        by_image[row["image_id"]].append(row)
    for image in released:
        mine = by_image[image]
        drawn = np.array([row["bbox_xyxy"] for row in mine]).reshape(-1, 4), [row["category"] for row in mine]
        right += ours.add(drawn, world.truth[image])
        confidence += [row["confidence"] for row in mine]
    whole, same = _others(world, _majority(answers, groups), released)
    image_sure = [settled.image_confidence[image] for image in released]
    names = settled.reliability.annotators
    return {
        "released": len(released) / len(world.truth),
        "ours": (ours.f1, ours.mean_iou),
        "all": whole,
        "same": same,
        "confidence": confidence,
        "right": right,
        "image_confidence": image_sure,
        "image_right": [_exact(by_image[image], world.truth[image]) for image in released],
        "ranked": _ranked(dict(zip(names, settled.reliability.score.tolist(), strict=True)), world),
    }


def _exact(rows: Sequence[dict[str, Any]], truth: Drawn) -> bool:
    score = Score()
    drawn = np.array([row["bbox_xyxy"] for row in rows]).reshape(-1, 4), [row["category"] for row in rows]
    return all(score.add(drawn, truth)) and score.right == score.there


def _others(
    world: World, majority: Mapping[str, Drawn], released: Sequence[str]
) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    """Scores of the best person and of the majority, on all images and on the released ones."""
    found = []
    for images in (set(world.truth), set(released)):
        single: dict[str, Score] = {}
        for (image, person), drawn in world.work.items():
            if image in images:
                single.setdefault(person, Score()).add(drawn, world.truth[image])
        majority_score = Score()
        for image in images:
            majority_score.add(majority[image], world.truth[image])
        best = max(score.f1 for score in single.values()), max(score.mean_iou for score in single.values())
        found.append({"best": best, "majority": (majority_score.f1, majority_score.mean_iou)})
    return found[0], found[1]


def _ranked(reliability: Mapping[str, float], world: World) -> tuple[int, int]:
    """Pairs of people whose F1 differs by 0.03 or more: how many are ranked rightly, of how many."""
    true = {}
    for person in reliability:
        score = Score()
        for (image, who), drawn in world.work.items():
            if who == person:
                score.add(drawn, world.truth[image])
        true[person] = score.f1
    apart = [(a, b) for a in true for b in true if true[a] - true[b] >= 0.03]
    return sum(reliability[a] > reliability[b] for a, b in apart), len(apart)


SPARSE = "5 people, 3 of them on 30% of the images, one on each other"
CASES: Mapping[str, dict[str, Any]] = {
    "2 people": {"people": 2},
    "3 people": {"people": 3},
    "5 people": {"people": 5},
    SPARSE: {"people": 5, "overlap": 0.3, "lookers": 3},
}


def measure() -> None:
    """Simulate every case."""
    cases = {name: _case(**how) for name, how in CASES.items()}
    result.save(
        NAME, {"cases": cases, "seeds": SEEDS, "images": IMAGES}, command=COMMAND, targets=_targets(cases)
    )


def _case(people: int, **how: Any) -> dict[str, Any]:
    worlds = [_score(people, seed, **how) for seed in range(FIRST_SEED, FIRST_SEED + SEEDS)]
    right, apart = (sum(world["ranked"][i] for world in worlds) for i in (0, 1))
    joined = {name: [value for world in worlds for value in world[name]]
              for name in ("confidence", "right", "image_confidence", "image_right")}  # fmt: skip

    def mean(values: Sequence[tuple[float, float]]) -> list[float]:
        return [float(np.mean([value[i] for value in values])) for i in (0, 1)]

    return {
        "released": float(np.mean([world["released"] for world in worlds])),
        "ours": mean([world["ours"] for world in worlds]),
        **{
            f"{who}_{where}": mean([world[where][who] for world in worlds])
            for who in ("best", "majority")
            for where in ("all", "same")
        },
        "ece": calibration_error(joined["confidence"], joined["right"]),
        "image_ece": calibration_error(joined["image_confidence"], joined["image_right"]),
        "ranked": right / apart if apart else None,
    }


def _targets(cases: Mapping[str, dict[str, Any]]) -> list[result.Target]:
    found = []
    for name, case in cases.items():
        for who, rival in (("best", "the best person"), ("majority", "the majority")):
            if name == SPARSE and who == "best":
                continue  # most of its images are other people's alone
            f1 = case["ours"][0] - case[f"{who}_all"][0]
            iou = case["ours"][1] - case[f"{who}_same"][1]
            what = f"consensus of {name} over {rival}"
            found.append(result.Target(f"{what}: F1", 0.0, f1, "more", note="released images against all"))
            found.append(result.Target(f"{what}: IoU", 0.0, iou, "more", note="same images"))
        found.append(
            result.Target(f"confidence of {name}: calibration error", 0.05, case["ece"], "", at_most=True)
        )
        if case["ranked"] is not None and name != "2 people":
            what = f"reliability of {name}: people ranked rightly"
            found.append(result.Target(what, 90.0, 100 * case["ranked"], "% of pairs"))
    return found


def section() -> str:
    """The Markdown of this comparison."""
    content = result.load(NAME)
    rows = []
    for name, case in content["cases"].items():
        for label, key in (
            ("consensus", "ours"),
            ("majority, same images", "majority_same"),
            ("best person, same images", "best_same"),
            ("majority, all images", "majority_all"),
            ("best person, all images", "best_all"),
        ):
            share = f"{case['released']:.0%}" if "all" not in key else "100%"
            rows.append([name, label, share, f"{case[key][0]:.3f}", f"{case[key][1]:.3f}"])
    header = ["people", "settled by", "images", "F1", "IoU"]
    sure = [
        [
            name,
            f"{case['ece']:.3f}",
            f"{case['image_ece']:.3f}",
            "not known" if case["ranked"] is None or name == "2 people" else f"{case['ranked']:.0%}",
        ]
        for name, case in content["cases"].items()
    ]
    return (
        INTRO.format(seeds=content["seeds"], images=content["images"])
        + "\n"
        + result.table(header, rows, numbers=3)
        + "\nCalibration error (ECE, ten bins) of the confidence of released objects and images, and pairs\n"
        "of people whose F1 differs by 0.03 or more that `reliability` ranks rightly. Of two people nothing\n"
        "tells who is better; their consensus is the mean of both, and what they do not agree on waits.\n\n"
        + result.table(["people", "objects' ECE", "images' ECE", "ranked rightly"], sure, numbers=3)
        + "\n"
        + result.footer(content)
    )


if __name__ == "__main__":
    measure()
