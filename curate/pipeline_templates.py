"""The pipelines that a project can have, and whether its dvc.yaml is that of this version of curate."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from curate.yamlfile import load_yaml

_WRITTEN = ("outs", "metrics", "plots")


def names() -> tuple[str, ...]:
    """Names of the templates, sorted."""
    return tuple(sorted(one.name for one in _folder().iterdir() if one.is_dir()))


def folder(name: str) -> Traversable:
    """What `curate init` writes of one template."""
    return _folder() / name


def dvc_yaml(name: str) -> str:
    """The dvc.yaml of one template."""
    return (folder(name) / "dvc.yaml").read_text(encoding="utf-8")


def nearest(path: Path) -> tuple[str, tuple[str, ...]]:
    """Which template a project's dvc.yaml was made of, and what it lacks of that of this version.

    What a project added (stages, dependencies, outputs) is its own affair.

    Args:
        path: The project's dvc.yaml.

    Returns:
        The template with most of whose stages it has, and what it lacks: such as
        "stage release: data/pull/answers.parquet".

    Raises:
        ParamsError: The file is missing or not YAML.
    """
    content, _ = load_yaml(path)
    stages = content.get("stages") if isinstance(content, dict) else None
    found = stages if isinstance(stages, dict) else {}
    templates = {name: yaml.safe_load(dvc_yaml(name))["stages"] for name in names()}
    name = max(templates, key=lambda one: sum(isinstance(found.get(stage), dict) for stage in templates[one]))
    return name, _lacking(templates[name], found)


def own_stages(path: Path, name: str) -> tuple[str, ...]:
    """Stages of a project's dvc.yaml that a template does not have."""
    content, _ = load_yaml(path)
    known = yaml.safe_load(dvc_yaml(name))["stages"]
    return tuple(stage for stage in content["stages"] if stage not in known)


def _lacking(template: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    lacking = []
    for stage, entry in template.items():
        there = found.get(stage)
        if not isinstance(there, dict):
            lacking.append(f"stage {stage}")
            continue
        for kinds in (("deps",), _WRITTEN):
            lacking += [
                f"stage {stage}: {path}" for path in _paths(entry, kinds) if path not in _paths(there, kinds)
            ]
    return tuple(lacking)


def _paths(entry: Mapping[str, Any], kinds: tuple[str, ...]) -> list[str]:
    """Paths under some keys of a stage; DVC writes each as a text, or as a mapping with its settings."""
    listed = [one for kind in kinds for one in entry.get(kind) or ()]
    return [one if isinstance(one, str) else next(iter(one)) for one in listed]


def _folder() -> Traversable:
    return importlib.resources.files("curate") / "templates"
