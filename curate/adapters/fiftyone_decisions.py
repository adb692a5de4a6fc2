"""What people decided in the app, taken into decisions.csv.

The app's tags and the file are merged by what was in both at the last time: a tag that is gone from the app
takes its line away, a line that was deleted by hand takes its tag away, and lines about anything else stay.
An edit that is undone takes its line away likewise as long as the sample is the one that was pulled: after a
sync that wrote it again, its labels are what the tables say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curate import decision_file, image_references, project_tables
from curate.adapters import fiftyone_dataset, fiftyone_edits, fiftyone_pulled, fiftyone_view
from curate.adapters.fiftyone_documents import DIGEST, SYNCED
from curate.adapters.fiftyone_edits import Pairs
from curate.adapters.fiftyone_pulled import Key
from curate.decision_file import Decision
from curate.errors import ViewError


@dataclass(frozen=True, slots=True)
class Pulled:
    """What became of the file.

    Attributes:
        added: Lines; the next ones likewise.
        removed: Because their tag or edit is gone from the app.
        replaced: Because the label that they were made of was changed again.
        untagged: Tags and edits taken back in the app, because their line was deleted.
        lines: In the file now.
        conflicts: Lines that contradict an earlier one, each with it.
        problems: What in the app cannot be a decision, in words.
    """

    added: int
    removed: int
    replaced: int
    untagged: int
    lines: int
    conflicts: Sequence[tuple[Decision, Decision]]
    problems: Sequence[str]

    def line(self) -> str:
        """The counts in words."""
        line = f"decisions: {self.lines:,} lines, {self.added:,} new, {self.removed:,} taken back in the app"
        line += f", {self.replaced:,} replaced" if self.replaced else ""
        return line + (f", {self.untagged:,} of deleted lines forgotten" if self.untagged else "")


@dataclass(frozen=True, slots=True)
class _App:
    """What samples hold: decisions by key, what cannot be one, and keys of drawn labels by label id."""

    decisions: dict[Key, Decision]
    problems: list[str]
    drawn: dict[str, Key]


def pull(root: Path, path: Path, *, by: str) -> Pulled:
    """Bring the file up to date with the app.

    Args:
        root: The project's folder.
        path: decisions.csv; made where it is missing.
        by: Pseudonym of who decided what is new.

    Raises:
        ViewError: Nothing was ever shown, the dataset is another project's, or the database could not be
            started.
        InputError: A line of the file makes no sense.
        StorageError: The file cannot be written.
        TableError: A line names an image by a place or a beginning, and the table of images cannot be read.
        MissingExtraError: FiftyOne is not installed.
    """
    lines = decision_file.load(path) if path.exists() else []
    images = project_tables.images_path(root)
    before = image_references.resolve(lines, images)
    fo = fiftyone_view.connect(root, join=True)
    dataset = fiftyone_dataset.own(
        fo, fiftyone_view.dataset_name(root), project=fiftyone_view.identity(root), root=root.resolve()
    )
    if dataset is None:
        raise ViewError("nothing was shown in the app yet: run `curate view` first")
    base, tagged = fiftyone_pulled.keys(dataset), fiftyone_pulled.tagged_different(dataset)
    spoken = fiftyone_pulled.spoken_for(base, tagged)
    app = _of_app(dataset, _separated(before), spoken)
    digests = dict(zip(*dataset.values(["image_id", DIGEST]), strict=True))
    replaced = _replaced(dataset, app, [one for one in before if one.key in base])
    pulled = [one for one in before if one.key in base and one not in replaced]
    taken_back = _taken_back(dataset, app, pulled, digests, tagged)
    written = {one.key for one in before}
    deleted = [one for key, one in app.decisions.items() if key in base and key not in written]
    deleted += _parted_before(spoken, {*written, *app.decisions})
    fresh = [
        replace(one, by=by) for key, one in app.decisions.items() if key not in written and key not in base
    ]
    _forget(dataset, deleted)
    gone = {*taken_back, *replaced}
    if fresh or gone or not path.exists():
        kept = [line for line, one in zip(lines, before, strict=True) if one not in gone]
        decision_file.write(path, [*kept, *fresh])
    now = image_references.resolve(decision_file.load(path), images)
    seen = {one.key for one in now} & {*base, *app.decisions}
    # A deleted line's tag is gone now; an edited label stays until the next sync, and is no new decision.
    seen |= {one.key for one in deleted if not fiftyone_pulled.is_tag(one.decision)}
    _remember(dataset, app, seen, digests)
    counts = len(fresh), len(taken_back), len(replaced), len(deleted), len(now)
    return Pulled(*counts, decision_file.conflicts(now), app.problems)


def _separated(lines: Iterable[Decision]) -> dict[str, set[str]]:
    """Images that lines of decisions.csv part from each image, by image_id."""
    found = defaultdict[str, set[str]](set)
    for one in lines:
        if one.decision == "different":
            found[one.image].add(one.other)
            found[one.other].add(one.image)
    return found


def _parted_before(spoken: Mapping[str, Collection[str]], there: Collection[Key]) -> list[Decision]:
    """What tags said of pairs that dedupe has parted since then, where nothing of it is there any more."""
    tagged = {
        image: [Decision(0, image, "different", other=other) for other in sorted(others)]
        for image, others in spoken.items()
    }
    return [one for some in tagged.values() if not any(one.key in there for one in some) for one in some]


def _remember(dataset: Any, app: _App, seen: Collection[Key], digests: Mapping[str, str | None]) -> None:
    """What the file and the app say alike now."""
    before = dataset.info.get(fiftyone_pulled.DRAWN, {})
    dataset.info[fiftyone_pulled.PULLED] = sorted(map(list, seen))
    dataset.info[fiftyone_pulled.DRAWN] = {
        label: list(key if key in seen else before[label])
        for label, key in app.drawn.items()
        if key in seen or label in before
    }
    of_labels = (one for one in app.decisions.values() if not fiftyone_pulled.is_tag(one.decision))
    fiftyone_pulled.hold(dataset, (one for one in of_labels if one.key in seen), digests)
    dataset.save()


def _replaced(dataset: Any, app: _App, pulled: Sequence[Decision]) -> list[Decision]:
    """Lines whose label was changed again."""
    drawn = {label: tuple(key) for label, key in dataset.info.get(fiftyone_pulled.DRAWN, {}).items()}
    moved = {drawn[label] for label, key in app.drawn.items() if key in app.decisions and label in drawn}
    edited = {one.subject for one in app.decisions.values() if one.annotation}
    return [
        one
        for one in pulled
        if one.key not in app.decisions and (one.key in moved or (one.annotation and one.subject in edited))
    ]


def _taken_back(
    dataset: Any,
    app: _App,
    pulled: Sequence[Decision],
    digests: Mapping[str, str | None],
    tagged: Collection[str],
) -> list[Decision]:
    """Lines whose tag or edit is gone; one that parted two images has worked, and lives with its tag."""
    held = fiftyone_pulled.held(dataset)
    same = {key for image, (digest, some) in held.items() if digest == digests.get(image) for key in some}
    owners = {one.image for one in pulled if one.decision == "different"}  # of a tag, as the app writes lines
    others = set(tagged) - owners
    parted = {
        one.key
        for one in pulled
        if one.decision == "different" and (one.image in tagged or one.other in others)
    }
    return [
        one
        for one in pulled
        if one.key not in app.decisions
        and one.key not in parted
        and (one.image in digests if fiftyone_pulled.is_tag(one.decision) else one.key in same)
    ]


def _forget(dataset: Any, deleted: Sequence[Decision]) -> None:
    """Take back in the app what was deleted in the file: tags now, edited labels with the next sync."""
    for one in deleted:
        view = dataset.match({"image_id": one.image})
        if fiftyone_pulled.is_tag(one.decision):
            view.untag_samples(fiftyone_edits.tag_of(one))
            continue
        for sample in view.iter_samples(autosave=True):
            fiftyone_edits.untag(sample, one)
            sample[DIGEST] = None  # not what the tables say: written again


def _of_app(dataset: Any, separated: Pairs, spoken: Pairs) -> _App:
    """Every decision that samples hold, and what cannot be one."""
    app = _App({}, [], {})
    ids = list(_touched(dataset))
    for sample in dataset.select(ids).iter_samples() if ids else ():
        edits = fiftyone_edits.of_sample(sample, separated, spoken)
        app.problems.extend(edits.problems)
        app.drawn.update(edits.drawn)
        for one in edits.decisions:
            if wrong := _wrong_with(one):
                app.problems.append(f"image {one.image[:12]}: a label of {one.box or 'no box'}: {wrong}")
            else:
                app.decisions.setdefault(one.key, one)
    return app


def _wrong_with(one: Decision) -> str | None:
    """Why the file could not hold a line; a label without a category is not one that keeps its own."""
    if one.decision == "edit" and not one.argument:
        return "edit needs a category"
    return decision_file.wrong_with(one)


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
