"""How much annotators agree, and what they agree on: from boxes and masks of several people to a consensus.

Usable alone: tables in, tables out; no project, no server.

Examples:
    Two people and two pictures: both see the car, the second calls the other thing something else.

    >>> import pyarrow as pa
    >>> from curate import agreement, schema
    >>> car, thing, tram = (10.0, 10.0, 50.0, 40.0), (5.0, 5.0, 30.0, 30.0), (60.0, 10.0, 90.0, 40.0)
    >>> work = [("ann", "a", "car", car), ("ben", "a", "car", (12.0, 10.0, 50.0, 40.0)),
    ...         ("ann", "b", "bus", thing), ("ben", "b", "tram", thing), ("ann", "b", "tram", tram)]
    >>> rows = [{"annotation_id": f"{number}", "image_id": image, "origin": "human", "outcome": "object",
    ...          "annotator_id": person, "category": name, "bbox_xyxy": box}
    ...         for number, (person, image, name, box) in enumerate(work)]
    >>> table = pa.Table.from_pylist(rows, schema=schema.ANNOTATIONS.arrow)
    >>> sizes = {"a": (100, 80), "b": (100, 80)}

    Who drew what, which objects are the same, and what people settle on:

    >>> answers = agreement.sort_out(table, planned=sizes.keys())
    >>> pairs = agreement.compare(answers, answers.overlapped(), sizes, iou_threshold=0.5)
    >>> joint = agreement.cluster(answers, pairs)
    >>> agreed = agreement.settle(
    ...     answers, pairs, joint, sizes=sizes, tasks=dict.fromkeys(sizes, "task"), rules=agreement.Rules()
    ... )
    >>> settled = agreed.annotations.select(["outcome", "reject_reason"]).to_pylist()
    >>> sorted((row["outcome"], row["reject_reason"]) for row in settled)
    [('disputed', 'category'), ('disputed', 'presence'), ('object', None)]

    Every figure by name and slice, with its interval, or why there is none:

    >>> figures = agreement.measure(answers, pairs, joint, sizes, agreement.Settings(), agreed.settled)
    >>> figures["f1", "all", ""].value
    0.4
    >>> figures["mean_mask_iou", "all", ""].reason
    'no two people drew masks of one object'

    The figures beyond chance take counts, too:

    >>> round(agreement.gwet_ac1([[2, 0], [2, 0], [2, 0], [1, 1]]), 2)
    0.68
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from curate.agreement.annotator_pairs import compare
    from curate.agreement.by_annotator import sort_out
    from curate.agreement.chance import (
        cohen_kappa,
        cohen_kappa_error,
        fleiss_kappa,
        fleiss_kappa_error,
        gwet_ac1,
        gwet_ac1_error,
        krippendorff_alpha,
        krippendorff_alpha_error,
        krippendorff_alpha_of,
        percent_agreement,
        standard_error,
    )
    from curate.agreement.clusters import cluster
    from curate.agreement.consensus import Rules
    from curate.agreement.consensus import consensus as settle
    from curate.agreement.figures import Settings, measure
    from curate.agreement.fused_geometry import staple
    from curate.agreement.mask_measures import boundary_iou, dice, hausdorff_95

_HOME: Final = {
    "annotator_pairs": ("compare",),
    "by_annotator": ("sort_out",),
    "chance": (
        "cohen_kappa", "cohen_kappa_error", "fleiss_kappa", "fleiss_kappa_error", "gwet_ac1",
        "gwet_ac1_error", "krippendorff_alpha", "krippendorff_alpha_error", "krippendorff_alpha_of",
        "percent_agreement", "standard_error",
    ),
    "clusters": ("cluster",),
    "consensus": ("Rules", "settle"),
    "figures": ("Settings", "measure"),
    "fused_geometry": ("staple",),
    "mask_measures": ("boundary_iou", "dice", "hausdorff_95"),
}  # fmt: skip
_MODULE: Final = {name: module for module, names in _HOME.items() for name in names}
_THERE: Final = {"settle": "consensus"}  # the package has a module of that name

__all__ = [
    "Rules",
    "Settings",
    "boundary_iou",
    "cluster",
    "cohen_kappa",
    "cohen_kappa_error",
    "compare",
    "dice",
    "fleiss_kappa",
    "fleiss_kappa_error",
    "gwet_ac1",
    "gwet_ac1_error",
    "hausdorff_95",
    "krippendorff_alpha",
    "krippendorff_alpha_error",
    "krippendorff_alpha_of",
    "measure",
    "percent_agreement",
    "settle",
    "sort_out",
    "standard_error",
    "staple",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'curate.agreement' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"curate.agreement.{_MODULE[name]}"), _THERE.get(name, name))
    globals()[name] = value
    return value
