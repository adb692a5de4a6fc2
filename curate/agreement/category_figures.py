"""Agreement on what objects are called, and on objects as a whole: kappa, alpha and AC1, with intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from curate.agreement import chance_sums, figure_slices, object_alpha
from curate.agreement.annotator_pairs import Pairs
from curate.agreement.by_annotator import Answers
from curate.agreement.clusters import Clusters
from curate.agreement.figure_slices import FigureSlices, Part
from curate.agreement.image_sums import ImageSums, Resampled, Values, divided
from curate.agreement.object_outcomes import SIZES, size_classes
from curate.geometry.matching import Indices
from curate.intervals import Figure

Slice = tuple[str, str]
MISSED = ""  # stands for the category of an object that one of two did not draw
_NO_MATCH = "no two people drew one object"
_ONE_NAME = "all matched objects have one category: chance alone would give full agreement"
_NO_PARENTS = (
    "no two categories have one parent (taxonomy.yaml): every disagreement counts alike, as in kappa"
)
_NO_FIXED = "no object was drawn by as many people as most are"


def add(  # noqa: PLR0917 - one call
    sums: ImageSums,
    answers: Answers,
    pairs: Pairs,
    clusters: Clusters,
    part_of: FigureSlices,
    parents: Mapping[str, str | None],
    usual_raters: int | None,
) -> list[Slice]:
    """Add what `compute` needs.

    Args:
        sums: Where to.
        answers: What people drew.
        pairs: Their comparison.
        clusters: Of all objects.
        part_of: Slices of objects.
        parents: Of each category the wider one.
        usual_raters: How many people drew an object, most often (`usual_raters`).

    Returns:
        The slices of figures of matched objects.
    """
    slices = _add_pairs(sums, answers, pairs, part_of, badness(answers.names, parents))
    _add_units(sums, answers, clusters, usual_raters)
    return [("all", ""), *_compared(answers, pairs), *slices]


def raters(clusters: Clusters) -> Counter[int]:
    """How many objects were drawn by how many people, where several did."""
    return Counter(clusters.sizes[clusters.sizes > 1].tolist())


def usual_raters(counted: Counter[int]) -> int | None:
    """How many people drew an object, most often, or else the most; None where no two did."""
    return max(counted, key=lambda people: (counted[people], people), default=None)


def badness(names: Sequence[str], parents: Mapping[str, str | None]) -> Values:
    """(K, K) how bad each disagreement is: half, where one category is wider or both have one parent."""
    bad = 1.0 - np.eye(len(names))
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            mine, theirs = parents.get(one), parents.get(other)
            if i != j and ((mine is not None and mine == theirs) or mine == other or theirs == one):
                bad[i, j] = 0.5
    return bad


def _add_pairs(
    sums: ImageSums, answers: Answers, pairs: Pairs, part_of: FigureSlices, badly: Values
) -> list[tuple[str, str]]:
    """Names that each two people gave matched objects, by slice; and all objects, with `MISSED`.

    Returns:
        The slices.
    """
    names = [*answers.names, MISSED]
    code = np.append(answers.category, len(answers.names))  # the last one is what a missing object points at
    first, second = code[pairs.a], code[pairs.b]
    image = pairs.image[pairs.comparison]
    bad = np.pad(badly, (0, 1), constant_values=1.0)[first, second]
    found = [("with missed", "")]
    for part in _parts(answers, pairs, part_of, image):
        rows, which = part.rows, part.which
        at = image[rows]
        of_slices = {"n": np.ones(len(rows)), "same": first[rows] == second[rows], "bad": bad[rows]}
        for name, values in of_slices.items():
            sums.add_each([("names", name, part.by, one) for one in part.names], at, which, values)
        every = [(part.by, one, category) for one in part.names for category in names]
        for side, codes in (("first", first), ("second", second)):
            cells = which * len(names) + codes[rows]
            sums.add_each([("names", side, *one) for one in every], at, cells, np.ones(len(rows)))
        used = np.unique(which).tolist() if part.by != "all" else [0]
        found += [(part.by, part.names[place]) for place in used]
    matched = np.flatnonzero(pairs.matched)
    a, b, at = first[matched], second[matched], image[matched]
    same = a == b
    both = [("one", "both", name) for name in answers.names]
    sums.add_each(both, at[same], a[same], np.ones(int(same.sum())))
    either = np.concatenate([at[~same], at[~same]]), np.concatenate([a[~same], b[~same]])
    sums.add_each([("one", "either", name) for name in answers.names], *either, np.ones(len(either[0])))
    whole = np.concatenate([at[same], either[0]]), np.concatenate([a[same], either[1]])
    sums.add_each([("one", "any", name) for name in answers.names], *whole, np.ones(len(whole[0])))
    return list(dict.fromkeys(found))


def _parts(answers: Answers, pairs: Pairs, part_of: FigureSlices, image: Indices) -> Iterator[Part]:
    """Slices of the rows of pairs; an object's size and attributes are those of the first person's."""
    rows = np.arange(len(image))
    nobody = np.zeros(len(image), dtype=np.intp)
    yield Part("with missed", [""], rows, nobody)
    matched = np.flatnonzero(pairs.matched)
    yield Part("all", [""], matched, nobody[matched])
    couples, of_pair = figure_slices.coded_couples(answers, pairs.first, pairs.second)
    yield Part("pair", couples, matched, of_pair[pairs.comparison[matched]])
    people = [side[pairs.comparison[matched]] for side in (pairs.first, pairs.second)]
    yield Part("annotator", answers.people, np.concatenate([matched, matched]), np.concatenate(people))
    if len(matched):
        yield Part("size", SIZES, matched, size_classes(answers.boxes[pairs.a[matched]]))
    if part_of.attributes:
        part = part_of.by_attribute(pairs.a[matched], image[matched])
        yield Part("attribute", part.names, matched[part.rows], part.which)


def _add_units(sums: ImageSums, answers: Answers, clusters: Clusters, usual: int | None) -> None:
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
    fixed = m == (usual or 0)
    sums.add(("units", "unlike"), image, (m**2 - alike) / (m - 1))
    sums.add(("units", "n"), image, np.ones(len(m)))
    sums.add(("units", "agreed"), image, agreed)
    sums.add(("fixed", "n"), image, fixed)
    sums.add(("fixed", "agreed"), image, agreed * fixed)
    of_member = several[clusters.number]
    codes, number = answers.category[clusters.members[of_member]], clusters.number[of_member]
    at = clusters.image[number]
    sums.add(("units", "raters"), image, m)
    units, counts = np.unique(number * max(1, len(answers.names)) + codes, return_counts=True)
    unit, name = np.divmod(units, max(1, len(answers.names)))
    of_unit, others = raters[unit], raters[unit] - counts  # who called it so, and who did not
    twice = 2.0 * counts * others
    for column, values in (("unlike", twice / (of_unit - 1)), ("apart", twice / (of_unit * (of_unit - 1)))):
        names = [("units", column, category) for category in answers.names]
        sums.add_each(names, clusters.image[unit], name, values)
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
    found: Resampled, categories: Sequence[str], slices: Iterable[Slice], badly: Values, by_chance: float
) -> dict[tuple[str, str, str], Figure]:
    """The figures, by name and slice.

    - `kappa`: Cohen's, of matched objects; of a category, whether an object is called so.
      `kappa_with_missed`: "missed" as a category; it has no cell for what both missed, and is low even
      between careful people.
      `weighted_kappa`: the same, where a disagreement between two categories of one parent counts half.
    - `percent_agreement`: matched objects with one name; beside each kappa (`_with_missed`, `_fleiss`).
    - `fleiss_kappa`: of the objects that as many people drew as most objects were drawn by.
    - `alpha` (Krippendorff, nominal) and `ac1` (Gwet), of objects that two or more drew;
      `percent_agreement_units` beside them; of a category, whether an object is called so. `alpha_objects`:
      see `object_alpha`, with `object_agreement` beside it.

    Args:
        found: Sums of `add` and of `object_alpha.add`.
        categories: All of them.
        slices: What `add` returned, of all images.
        badly: What `badness` returned.
        by_chance: Distance of two boxes (`object_alpha`).
    """
    figures: dict[tuple[str, str, str], Figure] = {}
    for part in slices:
        if part[0] == "with missed":
            continue
        n = ("names", "n", *part)
        figures["kappa", *part] = _kappa(found, part, categories)
        figures["weighted_kappa", *part] = _weighted_kappa(found, part, categories, badly)
        figures["percent_agreement", *part] = found.ratio(("names", "same", *part), n, nothing=_NO_MATCH)
    of_all = [("names", name, "with missed", "") for name in ("same", "n")]
    figures["percent_agreement_with_missed", "all", ""] = found.ratio(*of_all, nothing=_NO_MATCH)
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
        figures |= _units_of_one(found, category)
    figures |= {(name, "all", ""): figure for name, figure in _units(found, categories).items()}
    figures["alpha_objects", "all", ""] = object_alpha.figure(found, by_chance)
    figures["object_agreement", "all", ""] = object_alpha.observed(found)
    return figures


def _compared(answers: Answers, pairs: Pairs) -> list[tuple[str, str]]:
    """The people and the pairs who drew anything where another looked, matched or not."""
    used = np.unique(pairs.comparison)
    first, second = pairs.first[used], pairs.second[used]
    couples, _ = figure_slices.coded_couples(answers, first, second)
    people = [answers.people[code] for code in np.unique(np.concatenate([first, second])).tolist()]
    return [*(("annotator", one) for one in people), *(("pair", one) for one in couples)]


def _kappa(found: Resampled, part: tuple[str, str], categories: Sequence[str]) -> Figure:
    first, second = (
        found.many([("names", side, *part, name) for name in categories]) for side in ("first", "second")
    )
    over = ("names", "n", *part)
    values = chance_sums.kappa_from_sums(found.of(("names", "same", *part)), first, second)
    n = found.count(over)
    nothing = _ONE_NAME if n else _NO_MATCH
    return found.figure(values, n=n, over=over, nothing=nothing, scale="signed")


def _weighted_kappa(
    found: Resampled, part: tuple[str, str], categories: Sequence[str], badly: Values
) -> Figure:
    over = ("names", "n", *part)
    n = found.count(over)
    if (badly[~np.eye(len(badly), dtype=np.bool_)] == 1).all():
        return Figure(None, None, None, n, _NO_PARENTS)
    first, second = (
        found.many([("names", side, *part, name) for name in categories]) for side in ("first", "second")
    )
    values = chance_sums.weighted_kappa_from_sums(found.of(("names", "bad", *part)), first, second, badly)
    return found.figure(values, n=n, over=over, nothing=_ONE_NAME if n else _NO_MATCH, scale="signed")


def _units_of_one(found: Resampled, category: str) -> dict[tuple[str, str, str], Figure]:
    """Alpha and AC1 of whether an object is of one category, by those of all who drew it."""
    n, values = found.of(("units", "n")), found.of(("units", "raters"))
    part, over = ("category", category), ("units", "values", category)
    mine, share = found.of(over), divided(found.of(("units", "shares", category)), n)
    unlike = found.of(("units", "unlike", category))
    alpha = chance_sums.alpha_from_sums(unlike, np.stack([mine, values - mine], axis=1))
    agreed = 1.0 - divided(found.of(("units", "apart", category)), n)
    ac1 = chance_sums.ac1_from_shares(agreed, np.stack([share, 1 - share], axis=1))
    nothing = f"no object that several drew was called {category}, or all were"
    count = found.count(over)
    some = np.where(mine > 0, 1.0, np.nan)
    return {
        ("alpha", *part): found.figure(alpha * some, n=count, over=over, nothing=nothing, scale="signed"),
        ("ac1", *part): found.figure(ac1 * some, n=count, over=over, nothing=nothing, scale="signed"),
        ("percent_agreement_units", *part): found.figure(agreed * some, n=count, over=over, nothing=nothing),
    }


def _kappa_of_one(found: Resampled, category: str) -> Figure:
    """Whether an object is of that category: itself against all others."""
    total = found.of(("names", "n", "all", ""))
    first, second = (found.of(("names", side, "all", "", category)) for side in ("first", "second"))
    both = found.of(("one", "both", category))
    neither = total - first - second + both
    marginals = (np.stack([side, total - side], axis=1) for side in (first, second))
    values = chance_sums.kappa_from_sums(both + neither, *marginals)
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
    alpha = chance_sums.alpha_from_sums(found.of(("units", "unlike")), values)
    ac1 = chance_sums.ac1_from_shares(agreed, shares)
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
        "percent_agreement_fleiss": found.ratio(("fixed", "agreed"), ("fixed", "n"), nothing=_NO_FIXED),
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
