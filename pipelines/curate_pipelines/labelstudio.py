"""The annotation server of the stages push and pull."""

from __future__ import annotations

from pathlib import Path

from curate.adapters.imported_answers import ImportedAnswers
from curate.adapters.labelstudio import comparisons, connection
from curate.adapters.labelstudio.tool import ADJUDICATION_CACHE, from_settings, reader_from_settings
from curate.errors import ParamsError
from curate.params import LabelStudioParams
from curate.ports import AnnotationTool
from curate.ports.comparison import ComparisonTool
from curate.ports.pulled import AnnotationReader

_IMPORTED = Path("labels/answers")


def annotation_tool(settings: LabelStudioParams) -> AnnotationTool | None:
    """The user's server, or the embedded one that runs here; None where there shall be none."""
    if not settings.enabled:
        return None
    return from_settings(settings, connection.resolve(Path()))


def annotation_reader(settings: LabelStudioParams) -> AnnotationReader:
    """Reader of what people did on the server, and of the answers that were imported."""
    server = reader_from_settings(settings, connection.resolve(Path())) if settings.enabled else None
    return ImportedAnswers(_IMPORTED, server)


def adjudication_reader(settings: LabelStudioParams) -> AnnotationReader | None:
    """Reader of the decisions on the server; None where no server is wanted."""
    if not settings.enabled:
        return None
    return reader_from_settings(settings, connection.resolve(Path()), cache=ADJUDICATION_CACHE)


def comparison_tool(settings: LabelStudioParams, pictures: Path) -> ComparisonTool:
    """Tool with which people compare pictures of that folder on the server.

    Raises:
        ParamsError: There shall be no server.
    """
    if not settings.enabled:
        raise ParamsError("vote.raters is labelstudio, and labelstudio.enabled is false: change one of them")
    return comparisons.from_settings(settings, connection.resolve(Path()), pictures)
