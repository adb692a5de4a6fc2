"""Agreement on what objects are called, and on objects as a whole: kappa, alpha and AC1, with intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from curate.agreement import chance, object_alpha
from curate.agreement.annotator_pairs import Pairs, Size
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Cluster, category_votes
from curate.agreement.image_sums import ImageSums, Resampled, Values, divided
from curate.intervals import Figure

MISSED = ""  # stands for the category of an object that one of two did not draw
_NO_MATCH = "no two people drew one object"
_ONE_NAME = "all matched objects have one category: chance alone would give full agreement"
_NO_FIXED = "no object was drawn by as many people as most are"


def add(
    sums: ImageSums, answers: Answers, pairs: Pairs, clusters: Sequence[Cluster], sizes: Mapping[str, Size]
) -> float:
    """Add what `compute` needs; returns the distance of two boxes by chance (`object_alpha`)."""
    _add_pairs(sums, answers, pairs)
    several = [group for group in clusters if len(group.members) > 1]
    categories = sorted(set(answers.categories))
    votes = category_votes(answers, several, categories)
    images = [group.image_id for group in several]
    raters = votes.sum(axis=1)
    if several:
        most = Counter(raters.tolist()).most_common(1)[0][0]
        agreed = ((votes**2).sum(axis=1) - raters) / (raters * (raters - 1))
        fixed = (raters == most).astype(float)
        sums.add(("units", "unlike"), images, chance.unit_disagreement(votes))
        sums.add(("units", "n"), images, np.ones(len(images)))
        sums.add(("units", "agreed"), images, agreed)
        sums.add(("fixed", "n"), images, fixed)
        sums.add(("fixed", "agreed"), images, agreed * fixed)
        for column, name in enumerate(categories):
            sums.add(("units", "values", name), images, votes[:, column])
            sums.add(("units", "shares", name), images, votes[:, column] / raters)
            sums.add(("fixed", "values", name), images, votes[:, column] * fixed)
    return object_alpha.add(sums, answers, clusters, sizes)


def _add_pairs(sums: ImageSums, answers: Answers, pairs: Pairs) -> None:
    """Names that each two people gave matched objects, by slice; and all objects, with `MISSED`."""
    for row, image in enumerate(pairs.images):
        a, b = pairs.a[row], pairs.b[row]
        people = (pairs.annotators_a[row], pairs.annotators_b[row])
        names = tuple(answers.categories[i] if i >= 0 else MISSED for i in (a, b))
        slices = [("with missed", "")]
        if MISSED not in names:
            slices += [("all", ""), ("pair", " / ".join(people)), *(("annotator", one) for one in people)]
        for by, name in slices:
            sums.add_one(("names", "n", by, name), image, 1.0)
            sums.add_one(("names", "same", by, name), image, float(names[0] == names[1]))
            for side, category in zip(("first", "second"), names, strict=True):
                sums.add_one(("names", side, by, name, category), image, 1.0)
        if MISSED not in names:
            for category in set(names):
                both = names[0] == names[1]
                sums.add_one(("one", "both" if both else "either", category), image, 1.0)
                sums.add_one(("one", "first", category), image, float(names[0] == category))
                sums.add_one(("one", "second", category), image, float(names[1] == category))


def compute(
    found: Resampled, answers: Answers, pairs: Pairs, chance_distance: float
) -> dict[tuple[str, str, str], Figure]:
    """The figures, by name and slice.

    - `kappa`: Cohen's, of matched objects; of a category, whether an object is called so.
      `kappa_with_missed`: "missed" as a category; it has no cell for what both missed, and is low even
      between careful people.
    - `percent_agreement`: matched objects with one name; beside each kappa.
    - `fleiss_kappa`: of the objects that as many people drew as most objects were drawn by.
    - `alpha` (Krippendorff, nominal) and `ac1` (Gwet), of objects that two or more drew;
      `percent_agreement_units` beside them. `alpha_objects`: see `object_alpha`.
    """
    categories = sorted(set(answers.categories))
    people = sorted({*pairs.annotators_a, *pairs.annotators_b})
    couples = sorted(set(zip(pairs.annotators_a, pairs.annotators_b, strict=True)))
    slices = [("all", ""), *(("annotator", one) for one in people)]
    slices += [("pair", " / ".join(couple)) for couple in couples]
    figures: dict[tuple[str, str, str], Figure] = {}
    for part in slices:
        n = ("names", "n", *part)
        figures["kappa", *part] = _kappa(found, part, categories)
        figures["percent_agreement", *part] = found.ratio(("names", "same", *part), n, nothing=_NO_MATCH)
    figures["kappa_with_missed", "all", ""] = _kappa(found, ("with missed", ""), [*categories, MISSED])
    for category in categories:
        figures["kappa", "category", category] = _kappa_of_one(found, category)
        either, both = (found.of(("one", name, category)) for name in ("either", "both"))
        figures["percent_agreement", "category", category] = found.figure(
            divided(both, either + both),
            n=round(float((either + both)[0])),
            over=("one", "first", category),
            nothing=f"no matched object was called {category}",
        )
    figures |= {(name, "all", ""): figure for name, figure in _units(found, categories).items()}
    figures["alpha_objects", "all", ""] = object_alpha.figure(found, chance_distance)
    return figures


def _kappa(found: Resampled, part: tuple[str, str], categories: Sequence[str]) -> Figure:
    first, second = (
        found.many([("names", side, *part, name) for name in categories]) for side in ("first", "second")
    )
    over = ("names", "n", *part)
    values = chance.kappa_from_sums(found.of(("names", "same", *part)), first, second)
    n = found.count(over)
    nothing = _ONE_NAME if n else _NO_MATCH
    return found.figure(values, n=n, over=over, nothing=nothing, scale="signed")


def _kappa_of_one(found: Resampled, category: str) -> Figure:
    """Whether an object is of that category: itself against all others."""
    total = found.of(("names", "n", "all", ""))
    first, second = (found.of(("one", side, category)) for side in ("first", "second"))
    both = found.of(("one", "both", category))
    neither = total - first - second + both
    marginals = (np.stack([side, total - side], axis=1) for side in (first, second))
    values = chance.kappa_from_sums(both + neither, *marginals)
    over = ("names", "n", "all", "")
    n = found.count(over)
    nothing = _NO_MATCH if not n else f"no matched object was called {category}, or all were"
    return found.figure(values, n=n, over=over, nothing=nothing, scale="signed")


def _units(found: Resampled, categories: Sequence[str]) -> dict[str, Figure]:
    """Figures of objects that several drew, whoever they are."""
    n = found.of(("units", "n"))
    agreed = divided(found.of(("units", "agreed")), n)
    values = found.many([("units", "values", name) for name in categories])
    shares = found.many([("units", "shares", name) for name in categories]) / np.maximum(n, 1)[:, None]
    alpha = chance.alpha_from_sums(found.of(("units", "unlike")), values)
    ac1 = chance.ac1_from_shares(agreed, shares)
    over, count = ("units", "n"), found.count(("units", "n"))
    nothing = _ONE_NAME if count else _NO_MATCH
    if len(categories) <= 1:
        ac1 = np.full_like(ac1, np.nan)
    return {
        "alpha": found.figure(
            alpha, n=round(float(values[0].sum())), over=over, nothing=nothing, scale="signed"
        ),
        "ac1": found.figure(ac1, n=count, over=over, nothing=nothing, scale="signed"),
        "percent_agreement_units": found.ratio(("units", "agreed"), over, nothing=_NO_MATCH),
        "fleiss_kappa": _fleiss(found, categories),
    }


def _fleiss(found: Resampled, categories: Sequence[str]) -> Figure:
    n = found.of(("fixed", "n"))
    values = found.many([("fixed", "values", name) for name in categories])
    shares: Values = divided(values, values.sum(axis=1, keepdims=True))
    expected = (shares**2).sum(axis=1)
    values = divided(divided(found.of(("fixed", "agreed")), n) - expected, np.round(1 - expected, 12))
    over, count = ("fixed", "n"), found.count(("fixed", "n"))
    nothing = _ONE_NAME if count else _NO_FIXED
    return found.figure(values, n=count, over=over, nothing=nothing, scale="signed")
