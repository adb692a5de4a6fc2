"""Does the weighted choice beat random? F1 of a refitted small model against the number of labeled images.

`python -m benchmarks selection`

Fixed before anything was measured: tasks, seeds, budgets, strategies and the rule for the default. Each
strategy is `qa.choose` with the weights below and all other parameters at their defaults; what it leaves open
(before the first model there is nothing to be unsure of) is filled at random. The figure of a strategy is its
mean F1 over the budgets, less that of random on the same split; intervals are Student's over the seeds, at a
level that holds for all strategies together (Bonferroni). The default of `qa.choose` is the strategy whose
interval lies above 0 in every task, of several the one of the largest mean difference; if there is none it
stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from benchmarks import charts, result
from benchmarks.selection_tasks import Digits, Signs, Task, sign_scenes, suggestions
from curate.params import QaParams
from curate.qa import sampling, uncertainty
from curate.qa.choice import category_scores, criteria
from curate.qa.choice.evidence import Evidence
from curate.qa.suggestions import Suggestions

NAME: Final = "selection"
COMMAND: Final = "python -m benchmarks selection"
SEEDS: Final = range(2 if result.quick() else 10)
RANDOM: Final = "random"
DRAWS: Final = 3  # of random, whose mean stands for it
STRATEGIES: Final[Mapping[str, Mapping[str, float]]] = {
    "uncertainty": {"uncertainty": 1},
    "diversity": {"diversity": 1},
    "typicality": {"typicality": 1},
    "rarity": {"rarity": 1},
    "disagreement": {"disagreement": 1},
    "similarity": {"similarity": 1},
    "diversity + typicality": {"diversity": 1, "typicality": 1},
    "uncertainty + diversity": {"uncertainty": 1, "diversity": 1},
    "all four": {"uncertainty": 1, "diversity": 1, "typicality": 1, "rarity": 1},
}
BUDGETS: Final = {
    "digits": (10, 20, 40, 80, 160),
    "digits, skewed": (10, 20, 40, 80, 160),
    "demo": (5, 10, 20, 40, 80),
}
_LEVEL: Final = 1 - 0.05 / len(STRATEGIES)
_THRESHOLD: Final = 0.5  # of every category
_CONFUSED, _SLIPS = 0.3, 0.02  # probability that one of two people names an object otherwise
INTRO: Final = """## Choosing what to label

Mean F1 over budgets of {budgets} images ({demo} for the demo), and how much more than a random
choice of as many images (the mean of {draws} draws), on {seeds} splits. The small model is fitted anew
in each round to all that is labeled:
logistic regression on pixels (scikit-learn's digits, as they are, and with digit d kept in the pool with
probability 0.75^d) and on the object queries of the demo's frozen detector. Vectors are the normalized
pixels, and the mean and spread of the detector's encoder. *All four* are uncertainty, diversity, typicality
and rarity; examples for similarity are the labeled images of the rarest category (positive) and of the
commonest (negative); people who disagree are simulated. Intervals hold for all {strategies} strategies
together with 95% (Bonferroni).

"""


def measure() -> None:
    """Run every strategy on every task and split."""
    pool, test = sign_scenes()
    tasks: dict[str, Callable[[int], Task]] = {
        "digits": partial(Digits, skewed=False),
        "digits, skewed": partial(Digits, skewed=True),
        "demo": partial(Signs, pool=pool, test=test),
    }
    curves: dict[str, dict[str, list[list[float]]]] = {}
    for name, make in tasks.items():
        curves[name] = {strategy: [] for strategy in (RANDOM, *STRATEGIES)}
        for seed in SEEDS:
            task = make(seed)
            drawn = [curve(task, BUDGETS[name], {}, seed, draw) for draw in range(DRAWS)]
            curves[name][RANDOM].append(np.mean(drawn, axis=0).tolist())
            for strategy, weights in STRATEGIES.items():
                curves[name][strategy].append(curve(task, BUDGETS[name], weights, seed, 0))
    rows = list(_differences(curves))
    content = {
        "curves": curves, "rows": rows, "default": default(rows), "seeds": len(SEEDS),
        "budgets": {name: list(sizes) for name, sizes in BUDGETS.items()},
    }  # fmt: skip
    result.save(NAME, content, command=COMMAND)


def curve(
    task: Task, budgets: tuple[int, ...], weights: Mapping[str, float], seed: int, draw: int
) -> list[float]:
    """F1 after each round."""
    number = len(task.vectors)
    ids = [f"{draw} {image}" for image in range(number)]
    people = np.random.default_rng([seed, draw])
    labeled: list[int] = []
    pairs: list[tuple[str | None, str | None]] = []
    scores, found = [], suggestions([])
    for step, budget in enumerate(budgets):
        ties = sampling.places(ids, f"round {step}", seed)
        told = _told(task, found, np.array(labeled, dtype=np.int64), pairs)
        new = _chosen(told, weights, labeled, budget - len(labeled), ties=ties, seed=seed)
        labeled += new
        pairs += [_two_people(task, category, people) for image in new for category in task.objects(image)]
        score, found = task.fit(np.array(labeled))
        scores.append(score)
    return scores


def _chosen(
    told: criteria.Told,
    weights: Mapping[str, float],
    labeled: list[int],
    number: int,
    *,
    ties: NDArray[np.float64],
    seed: int,
) -> list[int]:
    looked = np.zeros(len(ties), dtype=np.bool_)
    looked[labeled] = True
    usable = {
        name: weight
        for name, weight in weights.items()
        if name != "similarity" or len(told.evidence.positive) or len(told.evidence.negative)
    }
    picks = (
        criteria.pick(told, usable, candidates=~looked, looked=looked, number=number, ties=ties, seed=seed)
        if usable
        else []
    )
    new = [pick.image for pick in picks]
    looked[new] = True
    left = [int(image) for image in np.argsort(ties) if not looked[image]]
    return new + left[: number - len(new)]


def _told(
    task: Task, found: Suggestions, labeled: NDArray[np.int64], pairs: list[tuple[str | None, str | None]]
) -> criteria.Told:
    """What the stage select would know; examples are labeled images of the rarest and commonest category."""
    params, number = QaParams(), len(task.vectors)
    thresholds = np.full(len(task.names), _THRESHOLD)
    doubt = uncertainty.judge(found, number, thresholds, near=params.near_score, mask_iou=params.mask_iou)
    on = [
        [image for image in labeled if category in task.objects(image)] for category in range(len(task.names))
    ]
    by_number = sorted((images for images in on if images), key=len)
    rarest, commonest = (by_number[0], by_number[-1]) if by_number else ([], [])
    evidence = Evidence(
        shown=np.zeros(number, dtype=np.bool_),
        vectors=task.vectors,
        disagreement=category_scores.disagreement(pairs),
        positive=task.vectors[rarest],
        negative=task.vectors[commonest],
    )
    return criteria.Told(found, doubt, task.names, thresholds, evidence)


def _two_people(task: Task, category: int, people: np.random.Generator) -> tuple[str, str]:
    """What they call an object."""
    other = int(people.integers(len(task.names)))
    wrong = people.random() < (_CONFUSED if category in task.confused else _SLIPS)
    return task.names[category], task.names[other if wrong else category]


def _differences(curves: Mapping[str, Mapping[str, list[list[float]]]]) -> Iterator[dict[str, Any]]:
    """Mean over budgets of each strategy, and how much more than random it is, with its interval."""
    for name, of_task in curves.items():
        random = np.mean(of_task[RANDOM], axis=1)
        yield {"task": name, "strategy": RANDOM, "mean": float(random.mean())}
        for strategy in STRATEGIES:
            own = np.mean(of_task[strategy], axis=1)
            low, high = interval(own - random)
            more = float((own - random).mean())
            yield {
                "task": name, "strategy": strategy, "mean": float(own.mean()), "more": more, "low": low,
                "high": high,
            }  # fmt: skip


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Student's, of the mean."""
    half = stdtrit(len(values) - 1, (1 + _LEVEL) / 2) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def default(rows: list[dict[str, Any]]) -> str | None:
    """The strategy that the rule of this module makes the default; None = there is none."""
    of = {name: [row for row in rows if row["strategy"] == name] for name in STRATEGIES}
    clear = {
        name: float(np.mean([row["more"] for row in found]))
        for name, found in of.items()
        if all(row["low"] > 0 for row in found)
    }
    return max(clear, key=lambda name: clear[name]) if clear else None


def section() -> str:
    """The Markdown of the last measurement."""
    content = result.load(NAME)
    by_strategy: dict[str, dict[str, dict[str, Any]]] = {}
    for row in content["rows"]:
        by_strategy.setdefault(row["strategy"], {})[row["task"]] = row
    cells = [[name, *(_cell(of[task]) for task in BUDGETS)] for name, of in by_strategy.items()]
    text = INTRO.format(
        budgets=", ".join(map(str, content["budgets"]["digits"])),
        demo=", ".join(map(str, content["budgets"]["demo"])),
        seeds=content["seeds"],
        strategies=len(STRATEGIES),
        draws=DRAWS,
    )
    text += result.table(["chosen by", *BUDGETS], cells, numbers=len(BUDGETS)) + "\n" + _verdict(content)
    for task, sizes in content["budgets"].items():
        series = {
            name: (sizes, np.mean(content["curves"][task][name], axis=0).tolist())
            for name in (RANDOM, "uncertainty", "diversity", "typicality", "all four")
        }
        name = f"selection-{task.replace(', ', '-')}"
        title = f"F1 of the refitted model against labeled images: {task}"
        text += "\n" + charts.lines(name, title, x="labeled images", y="F1", series=series, log=False)
    return text + "\n" + result.footer(content)


def _cell(row: Mapping[str, Any]) -> str:
    if "more" not in row:
        return f"{row['mean']:.3f}"
    text = f"{row['mean']:.3f} ({row['more']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}])"
    return f"**{text}**" if row["low"] > 0 else text


def _verdict(content: Mapping[str, Any]) -> str:
    """What follows for the default, in words."""
    rows = [row for row in content["rows"] if "more" in row]
    worse = sorted({row["strategy"] for row in rows if row["high"] < 0})
    text = "In bold: the interval of the difference lies above 0. "
    text += (
        f"By the rule that was fixed before, `{content['default']}` is the default of `qa.choose`: better "
        "than random in every task.\n"
        if content["default"]
        else "**No strategy is better than random in every task, so that the default of `qa.choose` stays "
        "as it was** (no budget; uncertainty where somebody sets one).\n"
    )
    return text + (f"Worse than random in at least one task: {', '.join(worse)}.\n" if worse else "")


if __name__ == "__main__":
    measure()
