"""The parts of a plan: which images each asks for. One image may be in several.

What is drawn at random is decided by a hash of seed and image, so that a growing data set changes nothing.
What is ranked (uncertain, chosen, rare) or has a fixed number (audit) would be pushed out by new images:
those that an earlier plan gave to people for that reason stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from curate.params import QaParams
from curate.qa import sampling
from curate.qa.choice import criteria
from curate.qa.choice.evidence import Evidence
from curate.qa.choice.greedy import Pick
from curate.qa.sampling import Flags, Floats
from curate.qa.suggestions import Suggestions
from curate.qa.uncertainty import Doubt

Ints = NDArray[np.int64]
GOLD, CONTROL, AUDIT, ASKED, UNCERTAIN, CHOSEN, RARE, ACCEPTED, REVIEW = range(9)
REASONS = (
    "gold",
    "control",
    "audit",
    "asked",
    "uncertain",
    "chosen",
    "rare",
    "accepted",
    "review",
)  # the first one is the main one
NONE = -1


@dataclass(frozen=True)
class Pool:
    """The kept images, and what is known of them.

    Attributes:
        ids: N image_ids, sorted.
        names: C categories of the taxonomy.
        thresholds: (C,) their thresholds.
        found: What models said.
        doubt: About every image.
        gold: (N,) whether the answer is known.
        planted: (N,) whether people were shown a planted error: such an image never becomes gold.
        asked: (N,) whether a person asked for a look at it, in decisions.csv.
        given: (N,) whether any task of the image was ever put before people, or an answer to it was imported.
        earlier: (N,) main reason by the earlier plan, a place in `REASONS`; NONE = it did not name the image.
        min_scores: (C,) score by category from which a box is confident; infinite where its threshold was not
            fitted. None = nothing is accepted without a human.
        evidence: What the weighted choice rests on besides; None = nothing was chosen and nothing will be.
        failed: Number of images that no model could look at: what stands on them nobody knows.
        params: Of the section `qa`.
    """

    ids: list[str]
    names: tuple[str, ...]
    thresholds: Floats
    found: Suggestions
    doubt: Doubt
    gold: Flags
    planted: Flags
    asked: Flags
    given: Flags
    earlier: Ints
    min_scores: Floats | None
    evidence: Evidence | None = None
    failed: int = 0
    params: QaParams = field(default_factory=QaParams)

    def places(self, purpose: str) -> Floats:
        """(N,) a random place of each image for a purpose."""
        return sampling.places(self.ids, purpose, self.params.seed)

    @cached_property
    def suggested(self) -> Flags:
        """(N,) whether a model suggests anything."""
        result = np.zeros(len(self.ids), dtype=np.bool_)
        result[self.found.images[self.found.shown]] = True
        return result


@dataclass(frozen=True)
class Membership:
    """Members of each part of the plan.

    Attributes:
        member: (parts, N) flags, in the order of `REASONS` without the last.
        drawn: (N,) whether the image is in the random sample that is drawn today, see `audit`.
        waiting: (N,) gold images of a later round.
        picks: Images that are chosen today, in the order in which they were.
    """

    member: NDArray[np.bool_]
    drawn: Flags
    waiting: Flags
    picks: Sequence[Pick] = ()

    def main(self, rest: str) -> Ints:
        """(N,) the main reason of each image, a place in `REASONS`; NONE = it is not in the plan."""
        other = np.where(self.waiting, NONE, REVIEW if rest == "review" else NONE)
        return np.where(self.member.any(axis=0), self.member.argmax(axis=0), other)


def membership(pool: Pool) -> Membership:
    """Fill every part of the plan with images."""
    params = pool.params
    member = np.zeros((len(REASONS) - 1, len(pool.ids)), dtype=np.bool_)
    turn = pool.places("gold") < params.gold_share * (params.gold_round + 1)
    # Who had it from nothing keeps it so, and who had a planted error is not scored by it.
    known = pool.gold & (pool.earlier != CONTROL) & ~pool.planted
    member[GOLD] = known & (turn | (pool.earlier == GOLD))
    waiting = known & ~member[GOLD] & np.isin(pool.earlier, (NONE, ACCEPTED))
    member[CONTROL] = ~known & (pool.places("control") < params.control_share)
    where = np.where(waiting, 1.0, pool.places("audit"))
    drawn = sampling.drawn(where, params.audit, name="qa.audit") & ~waiting
    member[AUDIT] = (drawn | _stays(pool, AUDIT, params.audit)) & ~waiting
    member[ASKED] = pool.asked & ~known
    member[UNCERTAIN] = _uncertain(pool, waiting)
    picks = _chosen(pool, member, known, waiting)
    member[CHOSEN, [pick.image for pick in picks]] = True
    member[RARE] = _rare(pool, member, waiting)
    member[ACCEPTED] = _confident(pool) & ~member.any(axis=0) & ~waiting
    return Membership(member, drawn, waiting, picks)


def _stays(pool: Pool, part: int, stated: float) -> Flags:
    """Images that people have for this reason; none once the part is switched off."""
    return np.asarray((pool.earlier == part) & (stated > 0))


def _uncertain(pool: Pool, waiting: Flags) -> Flags:
    """The most uncertain images of today, in whatever other part they are, and those that people have."""
    doubt = np.where(waiting, 0.0, pool.doubt.value)
    line = np.lexsort((pool.places("rank"), -doubt))
    chosen = _stays(pool, UNCERTAIN, pool.params.uncertain) & ~waiting
    chosen[line[: sampling.size(pool.params.uncertain, len(line), name="qa.uncertain")]] = True
    return np.asarray(
        chosen & ((doubt > 0) | (pool.earlier == UNCERTAIN)) & ~np.isin(pool.earlier, (CHOSEN, RARE))
    )


def _chosen(pool: Pool, member: NDArray[np.bool_], known: Flags, waiting: Flags) -> list[Pick]:
    """Images that the weights choose today; those chosen earlier are marked in `member` and stay.

    Only what no part of the plan asks for and nobody ever had can be chosen: what is drawn at random stays
    as it is.
    """
    params, evidence = pool.params.choose, pool.evidence
    if evidence is None or not params.budget:
        return []
    stays = (pool.earlier == CHOSEN) | (evidence.shown & np.isin(pool.earlier, (NONE, CHOSEN)))
    member[CHOSEN] = stays & ~waiting
    spent = int((stays | evidence.shown).sum()) + evidence.gone
    others = member.any(axis=0)
    planned = ~np.isin(pool.earlier, (NONE, ACCEPTED))
    told = criteria.Told(pool.found, pool.doubt, pool.names, pool.thresholds, evidence)
    return criteria.pick(
        told,
        criteria.weights(params),
        candidates=(pool.earlier == NONE) & ~pool.given & ~others & ~known,
        looked=others | planned | pool.given,
        number=sampling.size(params.budget, len(pool.ids), name="qa.choose.budget") - spent,
        ties=pool.places("choose"),
        seed=pool.params.seed,
    )


def _rare(pool: Pool, member: NDArray[np.bool_], waiting: Flags) -> Flags:
    """Images of each category until people look at the floor's number; the rarest category first.

    Those that another part gives to people count. The others are drawn at random, so that easy and hard ones
    are shown as they are.
    """
    floor = pool.params.rare_floor
    chosen = _stays(pool, RARE, floor) & ~waiting
    looked = member[:RARE].any(axis=0) | chosen
    rank = pool.places("rank")
    named = pool.found.shown & (pool.found.categories >= 0) & ~waiting[pool.found.images]
    categories, images = pool.found.categories[named], pool.found.images[named]
    numbers, counts = np.unique(categories, return_counts=True)
    for category in numbers[np.argsort(counts, kind="stable")]:
        showing = np.unique(images[categories == category])
        missing = floor - int(looked[showing].sum())
        if missing > 0:
            free = showing[~looked[showing]]
            more = free[np.argsort(rank[free], kind="stable")][:missing]
            chosen[more] = looked[more] = True
    return chosen


def _confident(pool: Pool) -> Flags:
    """Images whose every suggestion is confident, and that nobody ever had, here or elsewhere."""
    if pool.min_scores is None:
        return np.zeros(len(pool.ids), dtype=np.bool_)
    shown = pool.found.shown
    min_scores = np.append(pool.min_scores, np.inf)[
        pool.found.categories
    ]  # -1, an unknown category, is the last
    unsure = np.zeros(len(pool.ids), dtype=np.bool_)
    unsure[pool.found.images[shown & ~(pool.found.scores >= min_scores)]] = True
    free = ((pool.earlier == NONE) | (pool.earlier == ACCEPTED)) & ~pool.given
    return np.asarray(pool.suggested & ~unsure & (pool.doubt.value == 0) & free)
