"""What people decided in the app, taken into decisions.csv.

The app's tags and the file are merged by what was in both at the last time: a tag that is gone from the app
takes its line away, a line that was deleted by hand takes its tag away, and lines about anything else stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curate import decision_file
from curate.adapters import fiftyone_edits, fiftyone_view
from curate.adapters.fiftyone_dataset import SYNCED
from curate.decision_file import ALONE, Decision
from curate.errors import ViewError

_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What became of the file.

    Attributes:
        added: Lines; the next ones likewise.
        removed: Because their tag is gone from the app.
        untagged: Tags taken from samples, because their line was deleted.
        lines: In the file now.
        conflicts: Lines that contradict an earlier one, each with it.
        problems: What in the app cannot be a decision, in words.
    """

    added: int
    removed: int
    untagged: int
    lines: int
    conflicts: Sequence[tuple[Decision, Decision]]
    problems: Sequence[str]

    def line(self) -> str:
        """The counts in words."""
        said = f"decisions: {self.lines:,} lines, {self.added:,} new, {self.removed:,} taken back in the app"
        return said + (f", {self.untagged:,} tags of deleted lines removed" if self.untagged else "")


def pull(root: Path, path: Path, *, by: str) -> Pulled:
    """Bring the file up to date with the app.

    Args:
        root: The project's folder.
        path: decisions.csv; made where it is missing.
        by: Pseudonym of who decided what is new.

    Raises:
        ViewError: Nothing was ever shown, or the database could not be started.
        InputError: A line of the file makes no sense.
        StorageError: The file cannot be written.
        MissingExtraError: FiftyOne is not installed.
    """
    before = decision_file.load(path) if path.exists() else []
    fo = fiftyone_view.connect(root, join=True)
    name = fiftyone_view.dataset_name(root)
    if not fo.dataset_exists(name):
        raise ViewError("nothing was shown in the app yet: run `curate view` first")
    dataset = fo.load_dataset(name)
    found, problems = _of_app(dataset)
    base = {tuple(key) for key in dataset.info.get(fiftyone_edits.PULLED, [])}
    shown = set(dataset.values("image_id"))
    written = {one.key for one in before}
    taken_back = [
        one
        for one in before
        if one.key in base and one.key not in found and one.image in shown and _is_tag(one)
    ]
    deleted = [one for key, one in found.items() if key in base and key not in written and _is_tag(one)]
    fresh = [replace(one, by=by) for key, one in found.items() if key not in written and one not in deleted]
    kept = [one for one in before if one not in taken_back]
    _untag(dataset, deleted)
    if fresh or taken_back or not path.exists():
        decision_file.write(path, [*kept, *fresh])
    now = decision_file.load(path)
    seen = {one.key for one in now} & {*base, *found}
    dataset.info[fiftyone_edits.PULLED] = sorted(map(list, seen))
    dataset.save()
    counts = len(fresh), len(taken_back), len(deleted), len(now)
    return Pulled(*counts, decision_file.conflicts(now), problems)


def _is_tag(one: Decision) -> bool:
    """Whether the app holds it as a tag of a sample; labels come anew from the tables with each sync."""
    return one.decision in ALONE or one.decision == "different"


def _untag(dataset: Any, deleted: Sequence[Decision]) -> None:
    for one in deleted:
        dataset.match({"image_id": one.image}).untag_samples(fiftyone_edits.tag_of(one))


def _of_app(dataset: Any) -> tuple[Mapping[_Key, Decision], list[str]]:
    """Every decision that samples hold, by key, and what cannot be one."""
    found: dict[_Key, Decision] = {}
    problems: list[str] = []
    ids = list(_touched(dataset))
    for sample in dataset.select(ids).iter_samples() if ids else ():
        said = fiftyone_edits.of_sample(sample)
        problems += said.problems
        found |= {one.key: one for one in said.decisions if one.key not in found}
    return found, problems


def _touched(dataset: Any) -> Iterator[str]:
    """Samples that may hold a decision: columns of all are read, not the samples."""
    schema = dataset.get_field_schema()
    fields = [name for name in fiftyone_edits.EDITABLE if name in schema]
    parts = ("label", "bounding_box", "annotation_id", "synced", "tags")
    paths = [f"{name}.detections.{part}" for name in fields for part in parts]
    columns = dataset.values(["id", "tags", SYNCED, *paths])
    for row in zip(*columns, strict=True):
        sample, tags, synced, *cells = row
        labels = [cells[start : start + len(parts)] for start in range(0, len(cells), len(parts))]
        if any(fiftyone_edits.is_decision(tag) for tag in tags or ()) or _differ(
            fields, labels, synced or ()
        ):
            yield sample


def _differ(fields: Sequence[str], labels: Sequence[Sequence[Any]], synced: Sequence[str]) -> bool:
    """Whether labels are not as they were written, or have tags."""
    seen = []
    for name, columns in zip(fields, labels, strict=True):
        for label, box, key, digest, tags in zip(*(column or () for column in columns), strict=True):
            if tags or digest != fiftyone_edits.fingerprint(label, box):
                return True
            seen.append(f"{name} {key}")
    return sorted(seen) != sorted(synced)
