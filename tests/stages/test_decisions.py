"""Decisions of the adjudication: handed over, taken back, and in the place of the consensus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curate import schema, tables
from curate.errors import AnnotationToolError, InputError, TableError
from curate.params import AgreementParams, LabelStudioParams
from curate.qa import gold_pool
from curate.records import Annotation, StageReport, derived_id
from curate.shown import record
from curate.stages import adjudicate, agreement, decisions
from tests import builders
from tests.builders import annotation, image_id
from tests.fakes import FakeAnnotationTool
from tests.pulled import FakeAnnotationReader, answer_row
from tests.stages.test_agreement import INPUTS, OUTPUTS, read_csv

OUT = decisions.Outputs(adjudicate.ANNOTATIONS, adjudicate.ANSWERS)
DECIDED = replace(INPUTS, decisions=OUT.annotations, decision_answers=OUT.answers)
ADJUDICATE = adjudicate.Inputs(taxonomy=Path("taxonomy.yaml"))
SENIOR, TITLE = "senior@demo.invalid", "unit adjudication"
BOX = (15.0, 15.0, 75.0, 85.0)
