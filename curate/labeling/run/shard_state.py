"""One shard on its way from files to rows: what is known already, what is new, what is still to be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from curate.geometry import masks
from curate.labeling import nms
from curate.labeling.run import suggestion_rows
from curate.labeling.run.cache_keys import Keys, Text
from curate.labeling.run.decoding import ImageFile
from curate.labeling.run.shard_files import Masks, ShardFiles, box_key
from curate.params import AutolabelParams
from curate.records import Annotation, BoolArray, Detections, FloatArray


class ShardWork:
    """Raw boxes and masks of some images of one shard, read at the beginning, added to, saved at the end."""

    def __init__(
        self,
        files: ShardFiles,
        keys: Keys,
        params: AutolabelParams,
        *,
        names: Mapping[str, str],
        rules: nms.Rules,
    ) -> None:
        """Read what is known.

        Args:
            files: Of the shard.
            keys: Of the run.
            params: Which boxes and masks stay.
            names: The category of each prompt.
            rules: What a box must be to stay.
        """
        self._files, self._keys, self._params, self._names, self._rules = files, keys, params, names, rules
        self._boxes = {text.key: files.boxes(text.key) for text in keys.texts}
        self._masks = files.masks(keys.masks) if keys.masks else {}
        self._new_boxes: dict[str, dict[str, Detections]] = {text.key: {} for text in keys.texts}
        self._new_masks: dict[str, Masks] = {}
        self._kept_masks: dict[tuple[str, bytes], str | None] = {}  # cleaned, of this run
        self._sifted: dict[str, suggestion_rows.Sifted] = {}

    def missing_texts(self, image: ImageFile) -> tuple[Text, ...]:
        """What the detector has not been asked for about this image."""
        return tuple(text for text in self._keys.texts if image.content_id not in self._boxes[text.key])

    def add_boxes(self, text: Text, image: ImageFile, found: Detections) -> None:
        """What the detector found, of which this text's share is taken."""
        min_score = np.float32(text.categories[0].threshold)
        own = {category.name for category in text.categories}
        of_text = np.array([name in own for name in found.categories], dtype=np.bool_)
        found = found.take(np.flatnonzero(of_text & (found.scores >= min_score)))
        raw = replace(found, categories=found.prompts)
        self._boxes[text.key][image.content_id] = self._new_boxes[text.key][image.content_id] = raw

    def missing_masks(self, image: ImageFile) -> FloatArray:
        """Boxes (N, 4) xyxy of suggestions that the segmenter has not seen; all texts must be known."""
        suggested = self._of(image).suggested.boxes
        if self._keys.masks is None:
            return suggested[:0]
        known = self._masks.get(image.content_id, {})
        return suggested[[box_key(box) not in known for box in suggested]]

    def add_masks(self, image: ImageFile, boxes: FloatArray, planes: BoolArray) -> None:
        """What the segmenter drew: planes (N, H, W) for boxes (N, 4)."""
        known = self._masks.setdefault(image.content_id, {})
        new = self._new_masks.setdefault(image.content_id, {})
        for box, plane in zip(boxes, planes, strict=True):
            key, raw = box_key(box), masks.encode(plane)
            known[key] = new[key] = raw
            kept = suggestion_rows.kept_mask(plane, raw, box, self._params.masks)
            self._kept_masks[image.content_id, key] = kept

    def save(self) -> None:
        """Write what is new.

        Raises:
            StorageError: The disk is full or refuses.
        """
        for key, found in self._new_boxes.items():
            self._files.write_boxes(key, found)
        if self._keys.masks:
            self._files.write_masks(self._keys.masks, self._new_masks)

    def annotations(self, images: Sequence[ImageFile], taxonomy_digest: str) -> list[Annotation]:
        """The rows of images about which all is known."""
        made: list[Annotation] = []
        for image in images:
            sifted = self._of(image)
            rles = [self._mask(image, box) for box in sifted.suggested.boxes]
            made += suggestion_rows.of_image(
                image.image_id, sifted, rles, version=self._keys.version, taxonomy_digest=taxonomy_digest
            )
        return made

    def _of(self, image: ImageFile) -> suggestion_rows.Sifted:
        sifted = self._sifted.get(image.content_id)
        if sifted is None:
            raw = [self._boxes[text.key][image.content_id] for text in self._keys.texts]
            keep_rejects = self._params.keep_rejects
            sifted = suggestion_rows.sift(raw, self._names, self._rules, keep_rejects=keep_rejects)
            self._sifted[image.content_id] = sifted
        return sifted

    def _mask(self, image: ImageFile, box: FloatArray) -> str | None:
        if self._keys.masks is None:
            return None
        key = box_key(box)
        if (image.content_id, key) in self._kept_masks:
            return self._kept_masks[image.content_id, key]
        raw = self._masks[image.content_id][key]
        plane = masks.decode(raw, width=image.width, height=image.height)
        return suggestion_rows.kept_mask(plane, raw, box, self._params.masks)
