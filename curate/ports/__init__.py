"""Protocols of the outside world. Stages take these; `pipelines/` hands in adapters, tests hand in fakes."""

from __future__ import annotations

from curate.ports.annotation import (
    AnnotationTool,
    ImageChoice,
    ObjectAttribute,
    Progress,
    ProjectRef,
    ProjectSpec,
    PushCounts,
    PushPlan,
    RemovedTasks,
    TaskDraft,
)
from curate.ports.engine import Casualty, Engine
from curate.ports.hub import DatasetHub, PublishPlan, PublishReceipt
from curate.ports.models import Detector, Embedder, ImageMetric, Segmenter, TextEmbedder, Upscaler

__all__ = [
    "AnnotationTool",
    "Casualty",
    "DatasetHub",
    "Detector",
    "Embedder",
    "Engine",
    "ImageChoice",
    "ImageMetric",
    "ObjectAttribute",
    "Progress",
    "ProjectRef",
    "ProjectSpec",
    "PublishPlan",
    "PublishReceipt",
    "PushCounts",
    "PushPlan",
    "RemovedTasks",
    "Segmenter",
    "TaskDraft",
    "TextEmbedder",
    "Upscaler",
]
