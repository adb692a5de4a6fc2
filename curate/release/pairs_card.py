"""The card of a paired set: what the Hub reads, what the pairs are made of, what measured on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from curate.release import markdown, parquet
from curate.release.card_front_matter import Licensed
from curate.release.citation import section as citation_section

_NOTE = (
    "The low-resolution images were made by a program, from the clean ones: what was drawn for each pair "
    "stands in its `recipe`. Figures on such pairs say little about images that a camera or a codec made bad."
)


def card(
    *,
    name: str,
    licensed: Licensed,
    description: str,
    citation: str,
    contact: str,
    version: str,
    digest: str,
    rows: Sequence[Mapping[str, Any]],
    splits: Mapping[str, int],
    figures: Sequence[Mapping[str, str]],
) -> str:
    """README.md of the release.

    Args:
        name: Of the data set.
        licensed: What may be done with the release.
        description: Markdown of the user's; may be empty.
        citation: How to cite the data set, as it stands; empty = not said.
        contact: Whom to write to; empty = not said.
        version: Of the release.
        digest: Of its content.
        rows: Of the table of pairs.
        splits: Pairs by split.
        figures: Rows of the summary of measure over all pairs.
    """
    files = [{"split": split, "path": parquet.pattern(split, digest)} for split in splits]
    front = {
        "license": licensed.license,
        **({"license_name": licensed.name} if licensed.name else {}),
        **({"license_link": licensed.link} if licensed.link else {}),
        "pretty_name": name,
        "task_categories": ["image-to-image"],
        "tags": ["super-resolution", "image-restoration"],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    parts = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n",
        f"# {markdown.escaped(name)} {version}\n",
    ]
    parts += [f"{description}\n"] if description else []
    images = len({row["image_id"] for row in rows})
    parts.append(f"{len(rows):,} pairs of {images:,} images; `hr` is clean, `lr` small and made worse.\n")
    parts.append(markdown.table(("split", "pairs"), splits.items()))
    made = sorted({(row["preset"], row["scale"]) for row in rows})
    parts.append(f"## How they were made\n\n{_NOTE}\n")
    parts.append(
        markdown.table(("preset", "scale"), ((markdown.code(preset), scale) for preset, scale in made))
    )
    if figures:
        parts.append("## Upscaled and measured\n")
        header = ("model", "metric", "mean", "95% interval", "pairs")
        parts.append(markdown.table(header, (_figure(row) for row in figures)))
        parts.append("Sharper is not truer: a model adds what such pictures usually have.\n")
    licenses = sorted({row["license"] or "not known" for row in rows})
    parts.append("## Licenses\n")
    release = " ".join(
        markdown.escaped(text) for text in (licensed.name or licensed.license, licensed.link) if text
    )
    parts.append(
        f"Of the images: {', '.join(map(markdown.escaped, licenses))}. Of this release: {release}.\n"
    )
    people = sorted({row["attribution"] for row in rows if row["attribution"]})
    parts += [f"- {markdown.escaped(text)}" for text in people]
    parts.append("\n" + citation_section(citation=citation, contact=contact))
    return "\n".join(parts).rstrip() + "\n"


def _figure(row: Mapping[str, str]) -> tuple[object, ...]:
    interval = f"{float(row['low']):.3f} to {float(row['high']):.3f}" if row["low"] else "–"
    return markdown.code(row["model"]), row["metric"], f"{float(row['mean']):.3f}", interval, int(row["n"])
