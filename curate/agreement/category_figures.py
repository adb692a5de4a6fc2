"""Agreement on what objects are called, and on objects as a whole: kappa, alpha and AC1, with intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from curate.agreement import chance, figure_slices, object_alpha
from curate.agreement.annotator_pairs import Pairs, Size
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters
from curate.agreement.image_sums import ImageSums, Resampled, Values, divided
from curate.intervals import Figure

MISSED = ""  # stands for the category of an object that one of two did not draw
_NO_MATCH = "no two people drew one object"
_ONE_NAME = "all matched objects have one category: chance alone would give full agreement"
_NO_FIXED = "no object was drawn by as many people as most are"


def add(
    sums: ImageSums, answers: Answers, pairs: Pairs, clusters: Clusters, sizes: Mapping[str, Size]
) -> float:
    """Add what `compute` needs; returns the distance of two boxes by chance (`object_alpha`)."""
    _add_pairs(sums, answers, pairs)
    _add_units(sums, answers, clusters)
    return object_alpha.add(sums, answers, clusters, sizes)


def _add_pairs(sums: ImageSums, answers: Answers, pairs: Pairs) -> None:
    """Names that each two people gave matched objects, by slice; and all objects, with `MISSED`."""
    names = [*answers.names, MISSED]
    code = np.append(answers.category, len(answers.names))  # the last one is what a missing object points at
    first, second = code[pairs.a], code[pairs.b]
    image = pairs.image[pairs.comparison]
    rows = np.arange(len(image))
    nobody = np.zeros(len(image), dtype=np.intp)
    couples, of_pair = figure_slices.coded_couples(answers, pairs.first, pairs.second)
    matched = np.flatnonzero(pairs.matched)
    people = [side[pairs.comparison[matched]] for side in (pairs.first, pairs.second)]
    parts = [
        ("with missed", [""], rows, nobody),
        ("all", [""], matched, nobody[matched]),
        ("pair", couples, matched, of_pair[pairs.comparison[matched]]),
        ("annotator", answers.people, np.concatenate([matched, matched]), np.concatenate(people)),
    ]
    for by, slices, these, which in parts:
        same = first[these] == second[these]
        sums.add_each([("names", "n", by, name) for name in slices], image[these], which, np.ones(len(these)))
        sums.add_each([("names", "same", by, name) for name in slices], image[these], which, same)
        every = [(by, name, category) for name in slices for category in names]
        for side, codes in (("first", first), ("second", second)):
            cells = which * len(names) + codes[these]
            sums.add_each([("names", side, *one) for one in every], image[these], cells, np.ones(len(these)))
    a, b, at = first[matched], second[matched], image[matched]
    same = a == b
    both = [("one", "both", name) for name in answers.names]
    sums.add_each(both, at[same], a[same], np.ones(int(same.sum())))
    either = np.concatenate([at[~same], at[~same]]), np.concatenate([a[~same], b[~same]])
    sums.add_each([("one", "either", name) for name in answers.names], *either, np.ones(len(either[0])))
    whole = np.concatenate([at[same], either[0]]), np.concatenate([a[same], either[1]])
    sums.add_each([("one", "any", name) for name in answers.names], *whole, np.ones(len(whole[0])))


def _add_units(sums: ImageSums, answers: Answers, clusters: Clusters) -> None:
    """Names that those who drew an object gave it, where several did."""
    raters = clusters.sizes
    several = raters > 1
    alike: Values = np.zeros(len(clusters))  # ordered pairs of members, each with itself too, of one name
    for size in np.unique(raters[several]).tolist():
        these, members = clusters.of_size(size)
        codes = answers.category[members]
        alike[these] = (codes[:, :, None] == codes[:, None, :]).sum(axis=(1, 2))
    m = raters[several].astype(np.float64)
    image, alike = clusters.image[several], alike[several]
    agreed = (alike - m) / (m * (m - 1))
    fixed = m == Counter(m.tolist()).most_common(1)[0][0] if len(m) else m > 0
    sums.add(("units", "unlike"), image, (m**2 - alike) / (m - 1))
    sums.add(("units", "n"), image, np.ones(len(m)))
    sums.add(("units", "agreed"), image, agreed)
    sums.add(("fixed", "n"), image, fixed)
    sums.add(("fixed", "agreed"), image, agreed * fixed)
    of_member = several[clusters.number]
    codes, number = answers.category[clusters.members[of_member]], clusters.number[of_member]
    at = clusters.image[number]
    in_fixed = np.zeros(len(clusters), dtype=np.bool_)
    in_fixed[np.flatnonzero(several)[fixed]] = True
    columns = {
        ("units", "values"): np.ones(len(codes)),
        ("units", "shares"): 1.0 / raters[number],
        ("fixed", "values"): in_fixed[number].astype(np.float64),
    }
    for name, values in columns.items():
        sums.add_each([(*name, category) for category in answers.names], at, codes, values)


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
    categories = list(answers.names)
    used = np.unique(pairs.comparison)
    first, second = pairs.first[used], pairs.second[used]
    couples, _ = figure_slices.coded_couples(answers, first, second)
    people = [answers.people[code] for code in np.unique(np.concatenate([first, second])).tolist()]
    slices = [("all", ""), *(("annotator", one) for one in people), *(("pair", one) for one in couples)]
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
            over=("one", "any", category),
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
    first, second = (found.of(("names", side, "all", "", category)) for side in ("first", "second"))
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
