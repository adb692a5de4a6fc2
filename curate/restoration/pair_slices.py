"""By what figures of pairs are split: columns of their table, and what diagnose says of their image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curate import tables
from curate.errors import ParamsError
from curate.restoration import image_faults, table_schemas


def columns(
    slices: Sequence[str], pairs: Mapping[str, Mapping[str, Any]], diagnosed: Path
) -> dict[str, dict[str, str]]:
    """Give each pair's image, and its value of each slice, by pair_id.

    Args:
        slices: Columns of the pairs; faults of diagnose; figures, by their bands in diagnose.bands.
        pairs: Rows of the table of pairs by pair_id.
        diagnosed: The table of diagnose; an image that it lacks is not known.

    Raises:
        ParamsError: A slice is none of these, or a figure without bands.
        TableError: The table of diagnose is missing.
    """
    own = set(table_schemas.IMAGE_PAIRS.arrow.names)
    told = {*image_faults.NAMES, *image_faults.FIGURES}
    for name in slices:
        if name not in own | told:
            raise ParamsError(
                f"measure.slices: {name} is no column of the pairs, no fault and no figure of diagnose: "
                f"known are {', '.join(sorted(own | told))}"
            )
    bands = _bands(diagnosed) if told & set(slices) else {}
    for name in sorted(set(slices) - own - set(image_faults.NAMES)):
        if bands and not any(name in one for one in bands.values()):
            raise ParamsError(
                f"measure.slices: {name} has no bands: set its edges in diagnose.bands, or leave it out"
            )
    return {
        pair_id: {
            "image_id": row["image_id"],
            **{
                name: _own(row[name]) if name in own else _band(bands, row["image_id"], name)
                for name in slices
            },
        }
        for pair_id, row in pairs.items()
    }


def _own(value: Any) -> str:
    return image_faults.NOT_KNOWN if value is None else str(value)


def _band(bands: Mapping[str, Mapping[str, str]], image_id: str, name: str) -> str:
    return bands[image_id].get(name, "not looked at") if image_id in bands else image_faults.NOT_KNOWN


def _bands(diagnosed: Path) -> dict[str, dict[str, str]]:
    rows = tables.read(diagnosed, table_schemas.DIAGNOSED, columns=["image_id", "bands"]).to_pylist()
    return {row["image_id"]: dict(row["bands"]) for row in rows}
