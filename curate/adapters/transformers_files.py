"""Models in the format of transformers, from a folder or the Hub: loaded whole, or refused in one line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.adapters import torch_device, weights
from curate.errors import ModelError
from curate.extras import require

# What decides a local model's answers; reports and cards beside them do not.
_MODEL_FILES = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer*.json",
    "*.model",  # of SentencePiece
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "*.safetensors",
    "*.bin",
    "*.index.json",  # which weights lie in which of several files
)


@dataclass(frozen=True, slots=True)
class Source:
    """Origin of a model.

    Attributes:
        model: A local folder, which is read without any network, or a Hub id.
        revision: Of the Hub; ignored for a folder.
        sha256: The main weights file must have it; None = any.
        noun: "detector model", for messages.
        setting: The section of params.yaml that holds `model` and `sha256`, for messages.
        extra: The pip extra that brings what is needed.
    """

    model: str
    revision: str
    noun: str
    setting: str
    sha256: str | None = None
    extra: str = "autolabel"

    def folder(self) -> Path | None:
        """The local folder; None for a Hub id.

        Raises:
            ModelError: It looks like a path, and is no folder of a model.
        """
        path = Path(self.model).expanduser()
        if path.is_dir():
            if not (path / "config.json").is_file():  # transformers would guess a model from the name
                raise ModelError(f"{self.noun} {self.model} holds no config.json: set {self.setting}.model")
            return path
        if path.exists() or self.model.count("/") > 1 or self.model.startswith((".", "/", "~")):
            raise ModelError(
                f"{self.noun} {self.model} is no folder: set {self.setting}.model to one, or a Hub id"
            )
        return None


@dataclass(frozen=True, slots=True)
class Classes:
    """Names of the classes of transformers that read a model.

    Attributes:
        processor: Prepares its input.
        model: The network.
    """

    processor: str
    model: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model on the CPU, in evaluation mode.

    Attributes:
        config: Its configuration.
        processor: What prepares its input.
        model: The network.
        version: Hub id @ commit, or folder name @ 12 hex digits of its files' sha256.
        missing: Names of optional weights that the checkpoint does not hold.
    """

    config: Any
    processor: Any
    model: Any
    version: str
    missing: tuple[str, ...]


def load(
    source: Source,
    classes: Mapping[str, Classes] | Classes,
    *,
    optional: Callable[[str], bool] | None = None,
    unneeded: Callable[[str], bool] | None = None,
) -> Loaded:
    """Read a model whole.

    Args:
        source: Where from.
        classes: By accepted `model_type`; or the classes for any.
        optional: Says of a weight's name whether a checkpoint may lack it, with all others of which that is
            said; None = of none.
        unneeded: Says of a weight's name whether a checkpoint may hold it that the model has not; None = of
            none but those that transformers itself leaves out for this model.

    Raises:
        ModelError: Missing, damaged, of another kind, or not the one that the digest names.
        MissingExtraError: torch or transformers is not installed.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    local = source.folder()
    transformers = require("transformers", extra=source.extra)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    where = str(local) if local is not None else source.model
    options = {"local_files_only": True} if local is not None else {"revision": source.revision}
    try:
        config = transformers.AutoConfig.from_pretrained(where, **options)
        names = _classes(config.model_type, classes, f"{source.noun} {where}")
        _check(source, local)
        # Pillow's resizing, where there is a choice: what the public models were trained with.
        prepares = getattr(transformers, names.processor).from_pretrained(where, backend="pil", **options)
        network, report = getattr(transformers, names.model).from_pretrained(
            where,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are in the report, and refused below, by name
            **options,
        )
    except _damaged(source.extra) as error:
        line = torch_device.first_line(error)
        raise ModelError(f"{source.noun} {where} cannot be loaded: {line}") from error
    missing = sorted(report["missing_keys"])
    may_lack = {name for name in network.state_dict() if optional is not None and optional(name)}
    weights.refuse(
        f"{source.noun} {where}",
        missing=sorted({*missing} - may_lack if may_lack <= {*missing} else missing),
        surplus=sorted(name for name in report["unexpected_keys"] if unneeded is None or not unneeded(name)),
        shape=sorted(name for name, *_ in report["mismatched_keys"]),
    )
    network.float().eval()  # small checkpoints may be stored in half precision
    return Loaded(config, prepares, network, _version(source, local), tuple(missing))


def tokenizer(source: Source) -> Any:
    """What turns texts into a model's tokens.

    Raises:
        ModelError: It has none, or it is damaged.
        MissingExtraError: transformers is not installed.
    """
    local = source.folder()
    transformers = require("transformers", extra=source.extra)
    where = str(local) if local is not None else source.model
    options = {"local_files_only": True} if local is not None else {"revision": source.revision}
    try:
        return transformers.AutoTokenizer.from_pretrained(where, **options)
    except _damaged(source.extra) as error:
        line = torch_device.first_line(error)
        raise ModelError(f"the tokenizer of {where} cannot be loaded: {line}") from error


def _classes(kind: str, classes: Mapping[str, Classes] | Classes, what: str) -> Classes:
    if isinstance(classes, Classes):
        return classes
    if kind not in classes:
        raise ModelError(f"{what} is a {kind}, expected one of {', '.join(classes)}")
    return classes[kind]


def _check(source: Source, local: Path | None) -> None:
    """Hold the main weights file against the digest; one of the Hub is fetched for that, if it must."""
    if source.sha256 is None:
        return
    path = weights.main_file(local) if local is not None else _of_hub(source)
    weights.check(
        path, source.sha256, what=f"{source.noun} {source.model}", setting=f"{source.setting}.sha256"
    )


def _of_hub(source: Source) -> Path | None:
    cached_file = require("transformers.utils", extra=source.extra).cached_file
    for name in weights.MAIN_FILES:
        found = cached_file(
            source.model, name, revision=source.revision, _raise_exceptions_for_missing_entries=False
        )
        if found is not None:
            return Path(found)
    return None


def _damaged(extra: str) -> tuple[type[BaseException], ...]:
    return (*torch_device.DAMAGED, ValueError, require("safetensors", extra=extra).SafetensorError)


def _version(source: Source, local: Path | None) -> str:
    if local is not None:
        files = sorted({file for pattern in _MODEL_FILES for file in local.glob(pattern)})
        return f"{local.resolve().name}@{weights.digest(files)}"
    hub = require("huggingface_hub", extra=source.extra)
    cached = hub.try_to_load_from_cache(source.model, "config.json", revision=source.revision)
    if not isinstance(cached, str):  # it was just read from there
        raise ModelError(f"{source.noun} {source.model} has no commit in the Hub's cache: fetch it again")
    return f"{source.model}@{Path(cached).parent.name[:12]}"
