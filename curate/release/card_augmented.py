"""The part of the card on augmented copies: how they were made, and how to make one again."""

from __future__ import annotations

from dataclasses import dataclass

from curate.release import augmentation, card_pictures
from curate.release.augmented_copies import CONFIG
from curate.release.card_front_matter import SplitSize
from curate.release.columns import AUGMENTED
from curate.release.markdown import code, table

_SNIPPET = """\
```python
import albumentations
import numpy as np
import yaml
from datasets import load_dataset

folder = "path/to/this/folder"  # or the name of the repository, with revision="v{version}"
copy = next(row for row in load_dataset(folder, "{config}")["train"] if row["objects"]["id"])
parents = load_dataset(folder)["train"]
parent = parents[parents["image_id"].index(copy["parent_id"])]  # one training image
pipeline = albumentations.from_dict(yaml.safe_load(open("{name}")))
pipeline.set_random_seed(copy["replay_seed"])
boxes = np.array(parent["objects"]["bbox"]).reshape(-1, 4)
again = pipeline(image=np.array(parent["image"].convert("RGB")), bboxes=boxes, index=np.arange(len(boxes)))
print(again["image"].shape, again["bboxes"])
```
"""


@dataclass(frozen=True, slots=True)
class AugmentedFacts:
    """What the card states of augmented copies.

    Attributes:
        copies: Of each training image.
        library: Version of albumentations.
        pipeline: YAML.
        size: Of the files.
    """

    copies: int
    library: str
    pipeline: str
    size: SplitSize


def section(facts: AugmentedFacts, *, version: str) -> str:
    """Write the card's section on augmented copies, in Markdown.

    Args:
        facts: What is known of them.
        version: Of the release.
    """
    rows = [[code(column.name), code(str(column.kind)), column.meaning] for column in AUGMENTED]
    of_each = "one" if facts.copies == 1 else f"{facts.copies:,}"
    return (
        f"## Augmented copies\n\nThe configuration `{CONFIG}` holds {facts.size.rows:,} copies, {of_each} of "
        "each training image and of no other. Nobody looked at them. They have the same columns, and:\n\n"
        f"{table(['column', 'type', 'meaning'], rows)}\n"
        "`objects.id` is that of the parent's object. Masks and boxes moved with the picture: the box of an "
        "object with a mask is that of the mask, outlines became masks, and what left the picture is left "
        "out. Answers, confidence and `review` are the parent's.\n\n"
        f"![Copies with their objects]({card_pictures.AUGMENTED})\n\n"
        f"Made by albumentations {facts.library} from `{augmentation.NAME}`:\n\n"
        f"```yaml\n{facts.pipeline.replace('```', chr(39) * 3)}```\n\nOne of them again:\n\n"
        f"{_SNIPPET.format(version=version, config=CONFIG, name=augmentation.NAME)}"
    )
