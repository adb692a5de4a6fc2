"""The one tree of errors that `curate` raises on purpose.

An entry point turns any `CurateError` into one line on stderr and exit code 1; every other exception is
a defect and keeps its traceback. A message says what was wrong, where (file, row or parameter), and
what to do.
"""

from __future__ import annotations


class CurateError(Exception):
    """Root of every error that a user can act on."""


class ParamsError(CurateError):
    """params.yaml or taxonomy.yaml holds something unknown, missing or out of range."""


class InputError(CurateError):
    """The user's images or sidecar files cannot be used as they are."""


class RecordError(CurateError):
    """A record was built from values that contradict each other."""


class TableError(CurateError):
    """A Parquet table is missing, damaged, or of another schema version."""


class StorageError(CurateError):
    """The file system refused: no space left, no permission, a path that vanished."""


class MissingExtraError(CurateError):
    """An optional package is needed that is not installed."""


class ModelError(CurateError):
    """Model weights are missing, damaged, or of another architecture."""


class DeviceMemoryError(ModelError):
    """The device has no memory for so many images at once; fewer may fit."""


class NotFiniteError(ModelError):
    """A model answers with NaN or infinity: half precision overflowed, or its weights are damaged."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__(
            "the model answers with values that are no numbers: set autolabel.precision to float32, which "
            "overflows last; if that is set, its weights are damaged"
        )


class MetricError(CurateError):
    """A metric cannot be measured here, or not on these images."""


class AnnotationToolError(CurateError):
    """The annotation server could not be reached, refused, or answered with nonsense."""


class AuthenticationError(AnnotationToolError):
    """The annotation server does not accept the token."""


class WaitingForPeopleError(CurateError):
    """Labelers have not finished: no accident, the pipeline continues later.

    Attributes:
        so_far: The stage's `StageReport` of what is there by now; None = it wrote nothing.
    """

    def __init__(self, message: str, so_far: object = None) -> None:
        """Keep the message and what there is so far."""
        super().__init__(message)
        self.so_far = so_far


class ReleaseError(CurateError):
    """The content is not fit to be released."""


class HubError(CurateError):
    """The dataset hub could not be reached or refused."""


class ViewError(CurateError):
    """The FiftyOne app or its database could not be started."""
