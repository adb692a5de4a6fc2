"""What the stage dedupe says of a run: its line of counts and its metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from curate.dedupe import quality_limits
from curate.dedupe.decisions import Resolved
from curate.dedupe.dedupe_columns import CRASHES, HUMAN, NEAR_DUPLICATE, Verdicts
from curate.dedupe.duplicate_pairs import Found
from curate.dedupe.groups import RELATIONS
from curate.records import StageReport


def decision_counts(decided: Resolved) -> Mapping[str, int]:
    """How many decisions of each kind were taken in, and how many are about images that are not there."""
    paired = {"same": len(decided.same), "different": len(decided.different)}
    return {
        "keep": len(decided.keep),
        "drop": len(decided.drop),
        **paired,
        "of_absent_images": decided.absent,
    }


def report(result: Verdicts, reasons: Counter[str], found: Found, further: Mapping[str, Any]) -> StageReport:
    """The line of counts, and the metrics.

    Args:
        result: What was written to the table.
        reasons: How often each reason to drop an image occurs in it.
        found: Pairs that were compared.
        further: Metrics that are known before; with `originals_unknown`, and with `by_meaning` where that was
            asked for.
    """
    gone = result.ties.gone
    sizes = np.bincount(result.grouping.group)
    relations = Counter(RELATIONS[kind] for kind in result.ties.relation[gone].tolist())
    counts = [
        ("images", len(result.ids)),
        ("kept", len(result.ids) - sum(reasons.values())),
        ("near-duplicates dropped", reasons[NEAR_DUPLICATE]),
        ("groups", int((sizes > 1).sum())),
    ]
    variants = int((result.ties.variant_of >= 0).sum())
    counts += [("variants kept", variants)] * bool(variants)
    poor = sum(reasons[reason] for reason in quality_limits.REASONS)
    counts += [("dropped for their quality", poor)] * bool(poor)
    people, crashed, unknown = reasons[HUMAN], reasons[CRASHES], further["originals_unknown"]
    counts += [("pairs whose original is unknown as a worker died", unknown)] * bool(unknown)
    counts += [("dropped by people", people)] * bool(people) + [("crashed a decoder", crashed)] * bool(
        crashed
    )
    blind = sum(further.get("by_meaning", {}).get("without_a_vector", {}).values())
    counts += [("without a vector, compared by pixels only", blind)] * bool(blind)
    metrics = {
        **further,
        "dropped_by_reason": dict(sorted(reasons.items())),
        "duplicates_by_relation": dict(sorted(relations.items())),
        "variants_kept": variants,
        "candidate_pairs": found.candidates,
        "verified_pairs": len(found.matches.first),
        "largest_group": int(sizes[sizes > 1].max(initial=0)),
    }
    return StageReport("dedupe", tuple(counts), metrics)
