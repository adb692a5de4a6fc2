"""What a file says about one image: attributes, and its own license; as the JSON that the ledger keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from curate.ingest.place_names import holds_positions
from curate.ingest.table_rows import as_text


class SidecarError(ValueError):
    """The text is no JSON object."""


def parse(text: bytes) -> str | None:
    """The JSON of a sidecar file, whose keys are attributes, but for `license` and `attribution`.

    Positions are left out, at any depth.

    Raises:
        SidecarError: In one line.
    """
    try:
        plain = text.decode("utf-8-sig")
    except ValueError as error:
        raise SidecarError(f"not UTF-8: {error}") from error
    return as_json(loads(plain))


def loads(text: str) -> dict[str, Any]:
    """The object that a JSON text holds.

    Raises:
        SidecarError: It holds none, in one line.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SidecarError(f"not JSON: {error}") from error
    if not isinstance(values, dict):
        raise SidecarError("not a JSON object")
    return values


def as_json(values: Mapping[str, Any]) -> str | None:
    """Write the values of an object that was read already as JSON; None where nothing is left of it."""
    own = {name: as_text(values.get(name)) for name in ("license", "attribution")}
    attributes = {
        key: text
        for key, value in values.items()
        if key not in own and not holds_positions(key) and (text := as_text(value)) is not None
    }
    return to_json(attributes, license=own["license"], attribution=own["attribution"])


def to_json(
    attributes: Mapping[str, str], *, license: str | None = None, attribution: str | None = None
) -> str | None:
    """The text of the ledger's columns `given` and `sidecar`; None where there is nothing to say."""
    content = {
        **({"license": license} if license else {}),
        **({"attribution": attribution} if attribution else {}),
        **({"attributes": dict(attributes)} if attributes else {}),
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True) if content else None


def merged(given: Sequence[str | None]) -> str | None:
    """The JSON of `to_json` for a place that several rows name.

    Attributes that all rows give alike stay; of others the values of all rows become a JSON list, in order,
    with null where a row gives none.
    """
    rows = [json.loads(text)["attributes"] if text else {} for text in given]
    values = {name: [row.get(name) for row in rows] for row in rows for name in row}
    return to_json(
        {
            name: found[0] if len(set(found)) == 1 else json.dumps(found, ensure_ascii=False)
            for name, found in values.items()
        }
    )
