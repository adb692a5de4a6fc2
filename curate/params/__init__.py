"""params.yaml as pydantic models: every knob, its unit and its range; unknown names are refused.

One file per section. Tests hold the comments in params.yaml and docs/parameters.md against these models.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from curate.params.agreement import AgreementParams
from curate.params.autolabel import AutolabelParams, DetectorParams, MaskParams, SegmenterParams
from curate.params.dedupe import DedupeParams, QualityLimits, SemanticParams
from curate.params.diagnose import DiagnoseParams
from curate.params.embeddings import EmbeddingsParams
from curate.params.engine import EngineParams
from curate.params.gates import GatesParams
from curate.params.ingest import IngestParams
from curate.params.labelstudio import LabelStudioParams
from curate.params.measure import MeasureParams
from curate.params.pairs import PairsParams
from curate.params.qa import QaParams
from curate.params.quality import QualityParams
from curate.params.release import PublishParams, ReleaseParams
from curate.params.renamed import read_old_names
from curate.params.section import Section
from curate.params.upscale import UpscaleParams
from curate.params.vote import VoteParams
from curate.yamlfile import load_model

__all__ = [
    "AgreementParams",
    "AutolabelParams",
    "DedupeParams",
    "DetectorParams",
    "DiagnoseParams",
    "EmbeddingsParams",
    "EngineParams",
    "GatesParams",
    "IngestParams",
    "LabelStudioParams",
    "MaskParams",
    "MeasureParams",
    "PairsParams",
    "Params",
    "PublishParams",
    "QaParams",
    "QualityLimits",
    "QualityParams",
    "ReleaseParams",
    "SegmenterParams",
    "SemanticParams",
    "UpscaleParams",
    "VoteParams",
    "load",
]


class Params(Section):
    """All of params.yaml."""

    engine: EngineParams = Field(default_factory=EngineParams)
    ingest: IngestParams = Field(default_factory=IngestParams)
    dedupe: DedupeParams = Field(default_factory=DedupeParams)
    autolabel: AutolabelParams = Field(default_factory=AutolabelParams)
    embeddings: EmbeddingsParams = Field(default_factory=EmbeddingsParams)
    qa: QaParams = Field(default_factory=QaParams)
    labelstudio: LabelStudioParams = Field(default_factory=LabelStudioParams)
    quality: QualityParams = Field(default_factory=QualityParams)
    agreement: AgreementParams = Field(default_factory=AgreementParams)
    diagnose: DiagnoseParams = Field(default_factory=DiagnoseParams)
    pairs: PairsParams = Field(default_factory=PairsParams)
    upscale: UpscaleParams = Field(default_factory=UpscaleParams)
    measure: MeasureParams = Field(default_factory=MeasureParams)
    vote: VoteParams = Field(default_factory=VoteParams)
    gates: GatesParams = Field(default_factory=GatesParams)
    release: ReleaseParams = Field(default_factory=ReleaseParams)
    publish: PublishParams = Field(default_factory=PublishParams)


def load(path: Path = Path("params.yaml")) -> Params:
    """Read params.yaml.

    Raises:
        ParamsError: Missing or not YAML; an unknown name (with the nearest known one), a wrong type or a
            value out of range, each with its line and value.

    Warns:
        RenamedParameterWarning: A parameter stands under its old name.

    Examples:
        >>> _ = Path('params.yaml').write_text('dedupe: {max_hamming: 6}')
        >>> load(Path('params.yaml')).dedupe.max_hamming
        6
    """
    return load_model(path, Params, before=read_old_names)
