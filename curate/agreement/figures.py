"""The figures of agreement: of everything and by slice, with intervals.

Slices are categories, annotators, pairs of them, sizes of objects, and attributes.

A figure is computed from sums over images (`image_sums`), so that the same code gives its value and what it
would have been on other images. It is undefined with a reason in words, never 0 and never NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from curate.agreement import (
    category_figures,
    count_figures,
    figure_slices,
    image_scores,
    object_alpha,
    object_outcomes,
    total_counts,
)
from curate.agreement.annotator_pairs import Pairs, Size
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters
from curate.agreement.consensus import Settled
from curate.agreement.figure_slices import FigureSlices
from curate.agreement.image_scores import PairScores
from curate.agreement.image_sums import ImageSums, Resampled, Values, divided
from curate.agreement.object_alpha import ChanceBoxes
from curate.agreement.object_outcomes import Outcomes
from curate.agreement.total_counts import TotalCounts
from curate.intervals import Figure, Scale

Slice = tuple[str, str]  # by what: all, category, annotator, pair, size or attribute; and which
Key = tuple[str, str, str]  # name of the figure, and the slice
ALL: Slice = ("all", "")
THRESHOLDS = (0.5, 0.75, 0.9)  # IoU of boxes
MEASURES: Mapping[str, Scale] = {
    "box_iou": "share",
    "mask_iou": "share",
    "dice": "share",
    "boundary_iou": "share",
    "hausdorff_95": "positive",
}
# Sums of what a person drew, and of what there is to be drawn, by what it is held against.
AGAINST = {"others": ("drawn", "known"), "consensus": ("own", "settled")}
_NOBODY = "no image was seen by two people who drew something"
_DREW_NOTHING = "nothing was drawn where there is something"
_NO_MATCH = "no two people drew one object"
_NO_MASKS = "no two people drew masks of one object"
_NO_CONTOURS = "outlines were not compared: agreement.contours is false, or no two people drew masks"
_NO_OTHERS = "no image was seen by three people of whom two agree"


@dataclass(frozen=True, slots=True)
class Settings:
    """How figures are computed.

    Attributes:
        iou_threshold: Of matches; figures at lower thresholds do not exist.
        min_votes_share: When others agree (`votes.presence`).
        contours: Whether outlines of masks are compared.
        resamples: Of images, for the intervals.
        seed: Of the resamples.
        parents: Of each category the wider one, for the weighted kappa; None = it has none.
    """

    iou_threshold: float = 0.5
    min_votes_share: float = 0.5
    contours: bool = False
    resamples: int = 1000
    seed: int = 0
    parents: Mapping[str, str | None] = field(default_factory=dict)

    def thresholds(self) -> list[float]:
        """The IoU at which detection is scored: that of matches, and higher ones."""
        return sorted({self.iou_threshold, *(one for one in THRESHOLDS if one > self.iou_threshold)})


def measure(  # noqa: PLR0917 - what each stage before gave
    answers: Answers,
    pairs: Pairs,
    clusters: Clusters,
    sizes: Mapping[str, Size],
    settings: Settings,
    settled: Settled,
    image_slices: Mapping[str, Sequence[str]] | None = None,
) -> dict[Key, Figure]:
    """Every figure of every slice, by name and slice.

    - `f1`: detection F1 of two people: the objects that the other has too, by the same name, of all objects
      of both. `f1@0.75` and so on: those whose boxes overlap by that much, among the matches at
      `iou_threshold`.
    - `precision` and `recall`, of a pair: those of its first person's objects that the second has, and the
      second's that the first has. `precision`, `recall` and `f1` `_to_others`: a person against what all
      others of the image agree on; `_to_consensus`: against what all settled on, the person's own vote
      included.
    - `mean_box_iou`, `mean_mask_iou`, `mean_dice`, `mean_boundary_iou`, `mean_hausdorff_95` (pixels): of
      matched objects, whatever their names.
    - `count_agreement`: images of which two people drew the same number of objects. `image_score`: mean F1 of
      two people on an image, where nothing drawn by both is agreement.
    - those of `count_figures` and `category_figures`.

    Args:
        answers: What people drew.
        pairs: Their comparison.
        clusters: Of all objects.
        sizes: Width and height of every image, upright pixels.
        settings: How.
        settled: What people settled on of each cluster.
        image_slices: Slices "attribute" that an image belongs to as a whole, by image, such as "light=night".
            Those of objects come from `Answers.attributes`.

    Source:
        F1: van Rijsbergen, Information Retrieval (1979), 2 TP / (2 TP + FP + FN).
    """
    whole = total_counts.count(answers, clusters)
    added = add(answers, pairs, clusters, sizes, settings, settled, whole, image_slices)
    return compute(added, settings)


@dataclass(slots=True)
class Added:
    """What figures are computed from.

    Attributes:
        names: Categories, sorted.
        sums: Of the images.
        slices: Of detection and localisation.
        matched_slices: Of matched objects.
        by_chance: Boxes.
    """

    names: Sequence[str]
    sums: ImageSums
    slices: set[Slice]
    matched_slices: set[Slice]
    by_chance: list[ChanceBoxes]

    def join(self, other: Added) -> None:
        """Add what the next images have."""
        self.sums.join(other.sums)
        self.slices |= other.slices
        self.matched_slices |= other.matched_slices
        self.by_chance += other.by_chance


def add(  # noqa: PLR0917 - what each stage before gave
    answers: Answers,
    pairs: Pairs,
    clusters: Clusters,
    sizes: Mapping[str, Size],
    settings: Settings,
    settled: Settled,
    whole: TotalCounts,
    image_slices: Mapping[str, Sequence[str]] | None = None,
) -> Added:
    """What figures are computed from, of some images; see `measure`.

    Parts of the images that are joined in order give the same figures as all at once, bit for bit.

    Args:
        answers: What people drew on these images; its people and categories are those of all images.
        pairs: Their comparison.
        clusters: Of all objects of these images.
        sizes: Width and height of every image, upright pixels.
        settings: How.
        settled: What people settled on of each cluster.
        whole: Counts of all images.
        image_slices: Slices "attribute" that an image belongs to as a whole.
    """
    sums = ImageSums(len(answers.images), first=whole.first_image, of=whole.images)
    part_of = figure_slices.of(answers, image_slices or {})
    slices: set[Slice] = {ALL}
    for piece in pairs.parts():
        between = object_outcomes.between_people(answers, piece, sizes, contours=settings.contours)
        slices |= _add_outcomes(sums, "between", between, part_of, settings)
        _add_sides(sums, answers, between)
    share = settings.min_votes_share
    for kinds, sides in (
        (("drawn", "known"), object_outcomes.against_others(answers, clusters, min_votes_share=share)),
        (("own", "settled"), object_outcomes.against_consensus(answers, clusters, settled)),
    ):
        for kind, outcomes in zip(kinds, sides, strict=True):
            slices |= _add_outcomes(sums, kind, outcomes, part_of, settings)
    scores = image_scores.of_pairs(answers, pairs)
    _add_scores(sums, answers, pairs, scores)
    count_figures.add(sums, answers, pairs, scores)
    usual = category_figures.usual_raters(whole.raters)
    matched = category_figures.add(sums, answers, pairs, clusters, part_of, settings.parents, usual)
    by_chance = object_alpha.add(sums, answers, clusters, sizes, whole.first_box, whole.boxes)
    return Added(answers.names, sums, slices, set(matched), [by_chance])


def compute(added: Added, settings: Settings) -> dict[Key, Figure]:
    """The figures of all images; see `measure`.

    Args:
        added: What `add` returned, of all images.
        settings: The same.
    """
    found = added.sums.resampled(settings.resamples, seed=settings.seed)
    figures: dict[Key, Figure] = {}
    for part in sorted(added.slices):
        for name, figure in _detection(found, part, settings).items():
            figures[(name, *part)] = figure
    for name, figure in count_figures.compute(found).items():
        figures[(name, *ALL)] = figure
    badly = category_figures.badness(added.names, settings.parents)
    distance = object_alpha.together(added.by_chance).distance()
    matched = sorted(added.matched_slices)
    return figures | category_figures.compute(found, added.names, matched, badly, distance)


def _add_outcomes(
    sums: ImageSums, kind: str, outcomes: Outcomes, part_of: FigureSlices, settings: Settings
) -> set[Slice]:
    """The sums of objects of each slice; returns the slices."""
    slices: set[Slice] = set()
    for part in part_of.parts(outcomes):
        image = outcomes.image[part.rows]
        for column, values in _columns(outcomes, settings):
            names = [(kind, column, part.by, name) for name in part.names]
            sums.add_each(names, image, part.which, values[part.rows])
        slices |= {(part.by, part.names[place]) for place in np.unique(part.which).tolist()}
    return slices


def _columns(outcomes: Outcomes, settings: Settings) -> Iterator[tuple[str, Values]]:
    """What is summed, one at a time: each is as long as there are objects."""
    yield "objects", np.ones(len(outcomes.image))
    for threshold in settings.thresholds():
        near = outcomes.same & (outcomes.measures["box_iou"] >= threshold)
        yield f"same@{threshold:g}", near.astype(np.float64)
    for name, values in outcomes.measures.items():
        yield name, values / 2  # a pair has two objects
        yield f"with {name}", (~np.isnan(values)).astype(np.float64) / 2


def _add_sides(sums: ImageSums, answers: Answers, between: Outcomes) -> None:
    """Objects of the first and of the second person of each pair, and those that the other has too."""
    couples, which = figure_slices.couples(answers, between)
    for side, rows in (("first", between.first), ("second", ~between.first)):
        image, of = between.image[rows], which[rows]
        sums.add_each([(side, "objects", name) for name in couples], image, of, np.ones(len(of)))
        sums.add_each([(side, "same", name) for name in couples], image, of, between.same[rows])


def _add_scores(sums: ImageSums, answers: Answers, pairs: Pairs, scores: PairScores) -> None:
    columns = {
        "comparisons": np.ones(len(scores.score)),
        "score": scores.score,
        "equal counts": (scores.n_first == scores.n_second).astype(float),
    }
    couples, which = figure_slices.coded_couples(answers, pairs.first, pairs.second)
    nobody = np.zeros(len(pairs.image), dtype=np.intp)
    for column, values in columns.items():
        for by, names, of in (("all", [""], nobody), ("pair", couples, which)):
            sums.add_each([(column, by, name) for name in names], pairs.image, of, values)
        both = (np.concatenate([one, one]) for one in (pairs.image, values))
        image, twice = both
        people = np.concatenate([pairs.first, pairs.second])
        sums.add_each([(column, "annotator", name) for name in answers.people], image, people, twice)


def _detection(found: Resampled, part: Slice, settings: Settings) -> dict[str, Figure]:
    """Figures of one slice that come from objects and images."""
    base = settings.iou_threshold
    figures: dict[str, Figure] = {}
    for threshold in settings.thresholds():
        at = "" if threshold == base else f"@{threshold:g}"
        same = ("between", f"same@{threshold:g}", *part)
        figures[f"f1{at}"] = found.ratio(same, ("between", "objects", *part), nothing=_NOBODY)
        if part[0] != "pair":
            for against, kinds in AGAINST.items() if part[0] != "attribute" else ():
                figures |= _rates(found, part, threshold, at, against, kinds)
    for name, scale in MEASURES.items():
        why = _NO_MATCH if name == "box_iou" else _NO_MASKS if name == "mask_iou" else _NO_CONTOURS
        over = ("between", f"with {name}", *part)
        figures[f"mean_{name}"] = found.ratio(("between", name, *part), over, nothing=why, scale=scale)
    if part[0] in {"all", "annotator", "pair"}:
        images = ("comparisons", *part)
        nothing = "no image was seen by two people"
        figures["image_score"] = found.ratio(("score", *part), images, nothing=nothing)
        figures["count_agreement"] = found.ratio(("equal counts", *part), images, nothing=nothing)
    if part[0] == "pair":
        for name, side in (("precision", "first"), ("recall", "second")):
            hits, whole = (side, "same", part[1]), (side, "objects", part[1])
            figures[name] = found.ratio(hits, whole, nothing=f"the {side} drew nothing")
    return figures


def _rates(  # noqa: PLR0917 - one call
    found: Resampled, part: Slice, threshold: float, at: str, against: str, kinds: Sequence[str]
) -> dict[str, Figure]:
    """A person's precision, recall and F1 against what others agree on, or all settled on.

    Who drew nothing where there is something has no precision, a recall of 0, and so an F1 of 0.
    """
    rates = {}
    figures = {}
    nothing = _NO_OTHERS if against == "others" else _NOBODY
    over = (kinds[1], "objects", *part)
    there = found.of(over) > 0
    for name, kind in zip(("precision", "recall"), kinds, strict=True):
        hits, whole = (kind, f"same@{threshold:g}", *part), (kind, "objects", *part)
        why = _DREW_NOTHING if there[0] else nothing
        figures[f"{name}_to_{against}{at}"] = found.ratio(hits, whole, nothing=why)
        rates[name] = divided(found.of(hits), found.of(whole))
    both = rates["precision"] + rates["recall"]
    f1 = np.where(both == 0, 0.0, divided(2 * rates["precision"] * rates["recall"], both))
    f1 = np.where(np.isnan(rates["precision"]) & (rates["recall"] == 0), 0.0, f1)
    figures[f"f1_to_{against}{at}"] = found.figure(f1, n=found.count(over), over=over, nothing=nothing)
    return figures
