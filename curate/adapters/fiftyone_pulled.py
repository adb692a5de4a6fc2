"""What decisions.csv and the app both said when they last met, as the dataset's info keeps it.

What only one of them says since then is new there, or was taken back in the other: `curate decisions pull`
merges by it, `show` brings nothing back that was taken back in the app, and a sync leaves alone what it would
lose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from curate.adapters import fiftyone_edits
from curate.adapters.fiftyone_documents import DIGEST
from curate.adapters.fiftyone_samples import SampleDraft
from curate.decision_file import ALONE, Decision

Key = tuple[str, ...]  # of a decision; the third from its end says which
PULLED: Final = "curate_pulled"  # of the dataset's info: keys of the decisions that both said
DRAWN: Final = "curate_drawn"  # likewise: the key of its line by the id of each label that people drew
# Likewise, by image_id: the digest of its sample, and keys of the decisions that its labels held.
HELD: Final = "curate_held_labels"
_NOT_DUPLICATE, _DIFFERENT = "not-duplicate", "different"


def is_tag(decision: str) -> bool:
    """Whether a sample holds the decision as a tag; labels come anew from the tables with a sync."""
    return decision in ALONE or decision == _DIFFERENT


def keys(dataset: Any) -> set[Key]:
    """Keys of the decisions that both said."""
    return {tuple(key) for key in dataset.info.get(PULLED, [])}


def held(dataset: Any) -> dict[str, tuple[str | None, frozenset[Key]]]:
    """Digest of each sample when it was pulled, and keys of the decisions of its labels, by image_id."""
    return {
        image: (one["digest"], frozenset(map(tuple, one["keys"])))
        for image, one in dataset.info.get(HELD, {}).items()
    }


def tagged_different(dataset: Any) -> set[str]:
    """image_ids of samples with the tag that says so."""
    return set(dataset.match_tags(_NOT_DUPLICATE).values("image_id"))


def spoken_for(known: Iterable[Key], tagged: Collection[str]) -> dict[str, set[str]]:
    """Images from which an image's own tag said that it differs when it was pulled, by image_id.

    Whose tag it was is not known where both have one: it is left out.
    """
    found = defaultdict[str, set[str]](set)
    for key in known:
        if key[-3] == _DIFFERENT:
            for image, other in (key[:2], key[1::-1]):
                if image in tagged and other not in tagged:
                    found[image].add(other)
    return found


def hold(dataset: Any, decisions: Iterable[Decision], digests: Mapping[str, str | None]) -> None:
    """Put what labels say into the info, which the caller saves."""
    by_image: dict[str, list[list[str]]] = defaultdict(list)
    for one in decisions:
        by_image[one.image].append(list(one.key))
    dataset.info[HELD] = {
        image: {"digest": digests[image], "keys": sorted(some)} for image, some in by_image.items()
    }


def show(dataset: Any, decisions: Sequence[Decision]) -> None:
    """Give samples the tags of lines of decisions.csv that they have not had yet.

    Args:
        dataset: Of the project, synced.
        decisions: Lines about images that have a sample, by their image_ids.
    """
    known = keys(dataset)
    fresh = [one for one in decisions if one.decision in ALONE and one.key not in known]
    by_tag: dict[str, list[str]] = {}
    for one in fresh:
        by_tag.setdefault(fiftyone_edits.tag_of(one), []).append(one.image)
    for tag, images in by_tag.items():
        lacking = dataset.match({"image_id": {"$in": images}}).match_tags(tag, bool=False)
        if len(lacking):
            lacking.tag_samples(tag)
    if fresh:
        _save(dataset, known | {one.key for one in fresh})


def forget_tags(dataset: Any, images: Collection[str]) -> None:
    """Say of images whose samples are about to be made that they had no tag: nobody took one back."""
    known, fresh = keys(dataset), set(images)
    gone = {key for key in known if is_tag(key[-3]) and not fresh.isdisjoint(key[:-3])}
    if gone:
        _save(dataset, known - gone)


def _save(dataset: Any, known: Iterable[Key]) -> None:
    dataset.info[PULLED] = sorted(map(list, known))
    dataset.save()


@dataclass(frozen=True, slots=True)
class Unpulled:
    """Tells of samples whether they hold a change that nobody pulled: a decision, or one taken back."""

    _keys: Collection[Key]
    _tags: Mapping[str, set[Key]]  # by image_id, of tags that its sample had
    _spoken: Mapping[str, set[str]]
    _held: Mapping[str, tuple[str | None, frozenset[Key]]]

    @classmethod
    def of(cls, dataset: Any) -> Unpulled:
        """Read what was pulled from a dataset as it is now."""
        known, tags = keys(dataset), defaultdict[str, set[Key]](set)
        for key in known:
            if key[-3] in ALONE:
                tags[key[0]].add(key)
        parted = [key for key in known if key[-3] == _DIFFERENT]
        tagged = tagged_different(dataset) if parted else set()
        for key in parted:
            if tagged.isdisjoint(key[:2]):  # one of them had the tag
                for image in key[:2]:
                    tags[image].add(key)
        return cls(known, tags, spoken_for(parted, tagged), held(dataset))

    def in_sample(self, sample: Any) -> bool:
        """Whether it would be lost with the sample."""
        decided = {one.key for one in fiftyone_edits.of_sample(sample, spoken=self._spoken).decisions}
        return (
            not decided.issubset(self._keys)
            or not self._tags.get(sample["image_id"], set()).issubset(decided)
            or self._is_undone(sample, decided)
        )

    def in_labels(self, sample: Any, draft: SampleDraft) -> bool:
        """Whether it would be lost if the sample became what the draft says: its tags stay, labels do not."""
        found = fiftyone_edits.of_sample(sample, spoken=self._spoken)
        fresh = [one for one in found.decisions if one.key not in self._keys]
        edits = {one.key for one in found.edits}
        return any(one.key in edits or not _stays(one, draft) for one in fresh) or self._is_undone(
            sample, {one.key for one in found.decisions}
        )

    def _is_undone(self, sample: Any, decided: Collection[Key]) -> bool:
        """Whether a decision of its labels was pulled and taken back since then."""
        digest, pulled = self._held.get(sample["image_id"], (None, frozenset()))
        return digest is not None and digest == sample[DIGEST] and not pulled.issubset(decided)


def _stays(one: Decision, draft: SampleDraft) -> bool:
    """Whether a tag says the same of what the draft shows."""
    if one.decision == _DIFFERENT:
        return one.other == (draft.values.get("duplicate_of") or draft.values.get("variant_of"))
    rows = (row for name in fiftyone_edits.EDITABLE for row in draft.labels.get(name, ()))
    return one.decision in ALONE or any(row.annotation_id == one.annotation for row in rows)
