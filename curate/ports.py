"""Protocols of the outside world. Stages take these; `pipelines/` hands in adapters, tests hand in fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from curate.records import Annotation, BoolArray, Category, Detections, FloatArray, UInt8Image

Item = TypeVar("Item")
Result = TypeVar("Result")


class Detector(Protocol):
    """Finds boxes of prompted categories."""

    @property
    def model_version(self) -> str:
        """Names the weights: changes whenever the boxes could."""

    def detect(self, images: Sequence[UInt8Image], categories: Sequence[Category]) -> list[Detections]:
        """Boxes of every category above a floor score; one result an image, best score first."""


class Segmenter(Protocol):
    """Turns boxes into masks."""

    @property
    def model_version(self) -> str:
        """Names the weights: changes whenever the masks could."""

    def segment(self, image: UInt8Image, boxes: FloatArray) -> tuple[BoolArray, FloatArray]:
        """Masks (N, H, W) and their predicted quality (N,) in [0, 1] for boxes (N, 4) xyxy pixels."""


class Embedder(Protocol):
    """Maps images to vectors whose cosine says how alike they are."""

    @property
    def model_version(self) -> str:
        """Names the weights: changes whenever the vectors could."""

    def embed(self, images: Sequence[UInt8Image]) -> FloatArray:
        """Unit vectors (N, D)."""


@dataclass(frozen=True, slots=True)
class Casualty:
    """Stands in the place of an item's result: the item killed its worker process each time it was tried.

    Attributes:
        how: Such as "SIGKILL" or "exit code 3".
        tries: How often it was tried on its own.
    """

    how: str
    tries: int


class Engine(Protocol):
    """Runs one function over many items in batches, on cores or on a cluster."""

    def map_batches(
        self,
        setup: Callable[[], Callable[[Sequence[Item]], Sequence[Result]]],
        batches: Iterable[Sequence[Item]],
        *,
        label: str,
        total: int | None = None,
    ) -> Iterator[list[Result | Casualty]]:
        """One list a batch, in the order of the batches; one result an item, in the order of the items.

        Batches are taken from their iterator only as fast as results are consumed, so neither side piles up.
        Workers take whole batches; one that is done takes the next. A batch whose worker dies is tried again
        on another, then item by item, so that only the item that kills its worker is lost.

        Args:
            setup: Called once in each worker; returns the function of a batch. Picklable (importable by
                name, or a `functools.partial` of such).
            batches: Picklable items; the text of one names it in messages.
            label: Of the progress bar and of messages.
            total: Items, for the progress bar.

        Raises:
            CurateError: No worker can be started, or the cluster cannot be reached.
            Exception: What `setup` or its function raises is raised here.
        """


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    """What a labelling project must look like.

    Attributes:
        title: Shown to the labelers; the project is found again by it.
        categories: Labels, with their colours.
        instructions: Guideline text, Markdown.
        overlap: Most labelers that any task asks for, at least 1.
        images_root: Folder of the upright images, which the server serves.
    """

    title: str
    categories: tuple[Category, ...]
    instructions: str
    overlap: int
    images_root: Path


@dataclass(frozen=True, slots=True)
class ProjectRef:
    """An existing project on the server."""

    project_id: int
    url: str


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """A task to be created.

    Attributes:
        task_id: Our idempotency key.
        image_id: Image to look at.
        path: Upright RGB file, relative to the project root.
        width: Upright pixels.
        height: Upright pixels.
        overlap: Labelers wanted, at least 1.
        pre_annotations: Model's rows for that image; may be empty.
    """

    task_id: str
    image_id: str
    path: str
    width: int
    height: int
    overlap: int
    pre_annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True)
class PushCounts:
    """What a push changed on the server."""

    created: int
    unchanged: int
    predictions_replaced: int
    surplus: int  # tasks on the server that the plan does not name; left alone


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the labelers are.

    Attributes:
        slots_done: Task-labeler slots with submitted or skipped work, at most the wanted number a task.
        slots_needed: All wanted slots.
        tasks_done: Tasks whose every slot is done.
        tasks: All tasks.
        superseded: Older work of somebody who answered a task again; not among the rows.
    """

    slots_done: int
    slots_needed: int
    tasks_done: int
    tasks: int
    superseded: int = 0


class AnnotationTool(Protocol):
    """A server on which people annotate."""

    def ensure_project(self, spec: ProjectSpec) -> ProjectRef:
        """Create the project, or adopt the one of that title; never a second one.

        Raises:
            AnnotationToolError: Unreachable, refused, or an existing project that contradicts `spec`.
        """

    def find_project(self, title: str) -> ProjectRef:
        """The project of that title.

        Raises:
            AnnotationToolError: There is none: push first.
        """

    def push_tasks(self, project: ProjectRef, tasks: Sequence[TaskDraft]) -> PushCounts:
        """Make the server hold exactly one task a key with its current pre-annotations.

        Safe to repeat and to interrupt. Human work is never touched.
        """

    def pull_annotations(
        self, project: ProjectRef, wanted: Mapping[str, int]
    ) -> tuple[list[Annotation], Progress]:
        """Every annotator's submitted or skipped work on the wanted tasks.

        Args:
            project: The project to read.
            wanted: Labelers wanted by task_id.

        Returns:
            Rows of origin "human", and how far people are.
        """


@dataclass(frozen=True, slots=True)
class PublishReceipt:
    """Where a release went. `revision` identifies its content there."""

    target: str
    location: str
    revision: str
    files: int
    unchanged: bool


class DatasetHub(Protocol):
    """A place where releases live."""

    def publish(self, folder: Path, *, digest: str, version: str) -> PublishReceipt:
        """Put the release folder there in one step, verify what arrived; a no-op if `digest` is there.

        Raises:
            HubError: Unreachable, refused, or what arrived differs.
        """
