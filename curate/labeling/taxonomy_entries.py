"""Entries of a first taxonomy.yaml for categories that label files name."""

from __future__ import annotations

import colorsys
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from curate.labeling.taxonomy import NAME

_GOLDEN: Final = 0.618034  # of the circle of hues: neighbors lie far apart, however many there are
_LONGEST: Final = 64  # of a name and of a title


@dataclass(frozen=True, slots=True)
class Entry:
    """A category as it stands in the new file; `title` is empty where the name says as much."""

    name: str
    title: str
    prompt: str
    color: str


def entries(names: Sequence[str]) -> tuple[Entry, ...]:
    """One entry per name, in order; what cannot be a key becomes one, with the name as its title.

    Args:
        names: Distinct, as people spell them.

    Example:
        >>> [(one.name, one.title, one.prompt) for one in entries(["stop_sign", "Fußgänger"])]
        [('stop_sign', '', 'stop sign'), ('Fussganger', 'Fußgänger', 'fußgänger')]
    """
    keys, prompts = set[str](), set[str]()
    made = []
    for index, name in enumerate(names):
        key = _free(name if re.fullmatch(NAME, name) else _key(name), keys)
        prompt = _free(" ".join(re.sub(r"[._?-]+", " ", name.lower()).split()) or key, prompts)
        title = "" if key == name else " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", name).split())[:_LONGEST]
        made.append(Entry(key, title, prompt, _color(index)))
    return tuple(made)


def _key(name: str) -> str:
    """The name in letters that every format knows."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9 _-]+", "_", plain).strip(" _-")[:_LONGEST].rstrip() or "category"


def _free(wanted: str, taken: set[str]) -> str:
    """The text, or with the smallest number behind it that makes it another; is taken from then on."""
    numbered = (f"{wanted[: _LONGEST - 5]} {number}" for number in itertools.count(2))
    free = next(text for text in itertools.chain([wanted], numbered) if text not in taken)
    taken.add(free)
    return free


def _color(index: int) -> str:
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN % 1, 0.85 if index % 2 else 0.6, 0.9)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
