"""The optional `attributes` of taxonomy.yaml: questions about each object, such as whether it is occluded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from curate.errors import ParamsError
from curate.labeling import image_questions
from curate.labeling.image_questions import ChoiceEntry
from curate.ports import ObjectAttribute
from curate.yamlfile import Location


class AttributeEntry(ChoiceEntry):
    """One question; without categories it is asked of every object."""

    categories: tuple[str, ...] = ()


def checked(
    path: Path,
    entries: Sequence[AttributeEntry],
    lines: Mapping[Location, int],
    *,
    taken: Collection[str],
    categories: Collection[str],
) -> tuple[ObjectAttribute, ...]:
    """Check the questions about objects.

    Args:
        path: taxonomy.yaml.
        entries: As it has them.
        lines: Line of each place of the file.
        taken: Names of the questions about the image.
        categories: Names of the file's categories.

    Raises:
        ParamsError: With the line: a name that is taken, fewer than two options, one given twice, or a
            category that the file does not name.
    """
    image_questions.refuse_ambiguous(path, entries, lines, section="attributes", taken=taken)
    for index, entry in enumerate(entries):
        strange = [name for name in entry.categories if name not in categories]
        if strange:
            raise ParamsError(
                f"{path}:{lines.get(('attributes', index), 1)}: attribute {entry.name!r} is asked of "
                f"{strange[0]!r}, which is no category; known here: {', '.join(categories)}"
            )
    return tuple(
        ObjectAttribute(entry.name, image_questions.stripped(entry), entry.multiple, entry.categories)
        for entry in entries
    )
