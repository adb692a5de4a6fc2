"""The split that a name stands for: train2017/1.jpg, instances_val2017.json, valid/_annotations.coco.json."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from curate.formats import split_names
from curate.formats.split_names import SPELLINGS

_WORD = re.compile(rf"(?:^|[_\-. ])({'|'.join(SPELLINGS)})(?:\d{{4}})?(?=$|[_\-. ])", re.IGNORECASE)


def of_folders(place: str) -> str | None:
    """The split that a folder of a place is named after; the outermost counts.

    Examples:
        >>> of_folders("train2017/000001.jpg"), of_folders("trains/1.jpg"), of_folders("a/valid/1.jpg")
        ('train', None, 'validation')
    """
    for part in PurePosixPath(place).parts[:-1]:
        if found := split_names.of_folder(part):
            return found
    return None


def of_label_file(place: str) -> str | None:
    """The split that a file of labels is named after, else that of its folders.

    Examples:
        >>> of_label_file("annotations/instances_val2017.json"), of_label_file("test/_annotations.coco.json")
        ('validation', 'test')
    """
    found = _WORD.search(PurePosixPath(place).stem)
    return SPELLINGS[found.group(1).lower()] if found else of_folders(place)
