"""The models of a worker."""

from __future__ import annotations

from dataclasses import dataclass

from curate.ports import Detector, Segmenter


@dataclass(frozen=True, slots=True)
class Models:
    """What proposes. Without a segmenter there are boxes only.

    Attributes:
        detector: Proposes boxes.
        segmenter: Turns them into masks.
        on_gpu: Whether they run beside the processor: then batches may grow, and other work overlaps theirs.
    """

    detector: Detector
    segmenter: Segmenter | None = None
    on_gpu: bool = False

    @property
    def version(self) -> str:
        """Detector's and segmenter's, joined by "+"."""
        segmenter = "" if self.segmenter is None else f"+{self.segmenter.model_version}"
        return self.detector.model_version + segmenter
