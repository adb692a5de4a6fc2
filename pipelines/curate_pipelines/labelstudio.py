"""The annotation server of the stages push and pull."""

from __future__ import annotations

from pathlib import Path

from curate.adapters.labelstudio import connection
from curate.adapters.labelstudio.tool import from_settings, reader_from_settings
from curate.params import LabelStudioParams
from curate.ports import AnnotationTool
from curate.ports.pulled import AnnotationReader


def annotation_tool(settings: LabelStudioParams) -> AnnotationTool:
    """The user's server, or the embedded one that runs here."""
    return from_settings(settings, connection.resolve(Path()))


def annotation_reader(settings: LabelStudioParams) -> AnnotationReader:
    """The same server, for reading what people did."""
    return reader_from_settings(settings, connection.resolve(Path()))
