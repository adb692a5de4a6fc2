"""`curate models`: the weights that params.yaml or the user names: fetched, listed, held against digests."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.adapters import public_models, torch_device, weights
from curate.adapters.public_models import BY_NAME, PUBLIC, TEXT_ENCODER, PublicModel
from curate.errors import ModelError
from curate.extras import require
from curate.params import AutolabelParams, Params
from curate.params.upscale import BICUBIC, UpscaleParams

_TRIES = 3
_TIMEOUT_S = 60.0  # a connection may stand still so long


@dataclass(frozen=True, slots=True)
class Wanted:
    """Weights that somebody names.

    Attributes:
        name: A Hub id, a public file's name, or a local path.
        revision: Of the Hub; ignored for others.
        sha256: Of the (main) weights file; None = the published one, if it is known.
        setting: Where params.yaml names it; None = on the command line.
        on_hub: Its loader takes Hub ids too.
    """

    name: str
    revision: str = "main"
    sha256: str | None = None
    setting: str | None = None
    on_hub: bool = True

    @property
    def public(self) -> PublicModel | None:
        """What is known of it."""
        return BY_NAME.get(self.name)

    @property
    def local(self) -> Path | None:
        """The path, if it is one on this machine."""
        return weights.located(self.name)

    @property
    def may_be_fetched(self) -> bool:
        """Whether it is a public file, or looks like a Hub id."""
        return self.public is not None or (self.on_hub and _is_hub_id(self.name))

    @property
    def parameter(self) -> str:
        """Name of the parameter in params.yaml that asks for it."""
        own = self.setting or "a"
        return own if own.startswith("upscale.models.") else f"{own}.model"

    def expected(self, commit: str | None) -> str | None:
        """The digest that its main weights file must have; the published one is of one revision only."""
        if self.sha256 is not None or self.public is None:
            return self.sha256
        known = self.public
        return known.sha256 if known.url is not None or commit == known.revision else None


def of_params(params: Params, stages: Collection[str]) -> list[Wanted]:
    """What params.yaml names for some stages: detector with its text encoder, segmenter, encoders, upscalers.

    Args:
        params: Of the project.
        stages: Those that the project has.
    """
    semantic, vectors = params.dedupe.semantic, params.embeddings
    wanted = list(_suggesting(params.autolabel)) if "autolabel" in stages else []
    if "dedupe" in stages and semantic.model is not None:
        wanted.append(Wanted(semantic.model, semantic.revision, None, "dedupe.semantic"))
    if "embed" in stages and vectors.model is not None:
        wanted.append(Wanted(vectors.model, vectors.revision, vectors.sha256, "embeddings"))
    return [*wanted, *(_upscaling(params.upscale) if "upscale" in stages else ())]


def _suggesting(settings: AutolabelParams) -> Iterator[Wanted]:
    detector, segmenter = settings.detector, settings.segmenter
    if detector.kind == "none":  # then nothing is segmented either
        return
    yield Wanted(detector.model, detector.revision, detector.sha256, "autolabel.detector")
    if detector.kind == "groundingdino" and not _has_text_encoder(detector.model):
        yield _published(TEXT_ENCODER, "autolabel.detector")
    if segmenter.kind != "none":
        yield Wanted(segmenter.model, segmenter.revision, segmenter.sha256, "autolabel.segmenter")


def _upscaling(settings: UpscaleParams) -> Iterator[Wanted]:
    for name, model in settings.models.items():
        if model == BICUBIC:
            continue
        yield Wanted(model, setting=f"upscale.models.{name}", on_hub=False)
        path = weights.located(model)
        if path is not None and path.suffix == ".param":  # of ncnn, which needs both
            binary = str(path.with_suffix(".bin"))
            yield Wanted(binary, setting=f"upscale.models.{name}", on_hub=False)


def of_name(name: str) -> Wanted:
    """What a name on the command line means: a public file, or a Hub id, at its known revision if any.

    Raises:
        ModelError: None of them.
    """
    if name in BY_NAME:
        return _published(BY_NAME[name], None)
    if not _is_hub_id(name):
        known = ", ".join(model.name for model in PUBLIC)
        raise ModelError(f"{name} is no Hub id and no public file: known are {known}")
    return Wanted(name)


def fetch(wanted: Wanted) -> Path:
    """Bring it to this machine, or find it there, and hold it against its digest.

    Returns:
        The file, or the folder of the snapshot.

    Raises:
        ModelError: It cannot be had, or is another one than is named.
    """
    if wanted.local is not None:
        _check(wanted, wanted.local)
        return wanted.local
    public = wanted.public
    if public is not None and public.url is not None:
        target = weights.cache_folder() / wanted.name
        if _offline():
            raise ModelError(f"{wanted.name} is not in {target.parent}, and HF_HUB_OFFLINE is set: unset it")
        _download(public.url, target, wanted.expected(None))
        _check(wanted, target)
        return target
    if not wanted.may_be_fetched:
        raise ModelError(f"{wanted.name} is not on this machine and no public file: set {wanted.parameter}")
    folder = _snapshot(wanted)
    _check(wanted, folder)
    return folder


def there(wanted: Wanted) -> Path | None:
    """Path on this machine, found without asking anybody; None if it is not here."""
    if wanted.local is not None:
        return wanted.local
    public = wanted.public
    if (public is not None and public.url is not None) or not wanted.may_be_fetched:
        return None
    hub = require("huggingface_hub", extra="autolabel")
    for name in weights.MAIN_FILES:
        found = hub.try_to_load_from_cache(wanted.name, name, revision=wanted.revision)
        if isinstance(found, str):
            return Path(found).parent
    return None


def verify(wanted: Wanted) -> str:
    """Hold what is on this machine against its digest; what came out, in a few words.

    Raises:
        ModelError: It is not there, or another one.
    """
    path = there(wanted)
    if path is None:
        remedy = "run curate models fetch" if wanted.may_be_fetched else f"set {wanted.parameter}"
        raise ModelError(f"{wanted.name} is not on this machine: {remedy}")
    file, expected = _main(path), wanted.expected(_commit(path))
    if expected is None:
        return f"no digest is known; its sha256 is {weights.sha256(file)}" if file else "no digest is known"
    _check(wanted, path)
    return f"sha256 {expected}, as it should be"


def _check(wanted: Wanted, path: Path) -> None:
    weights.check(
        _main(path),
        wanted.expected(_commit(path)),
        what=wanted.name,
        setting=f"{wanted.setting}.sha256" if wanted.sha256 is not None else "the published digest",
    )


def _main(path: Path) -> Path | None:
    return weights.main_file(path) if path.is_dir() else path


def _commit(path: Path) -> str | None:
    """The commit of a snapshot in the Hub's cache, which names its folder."""
    return path.name if path.is_dir() and path.parent.name == "snapshots" else None


def _published(model: PublicModel, setting: str | None) -> Wanted:
    return Wanted(model.name, model.revision or "main", model.sha256, setting)


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/", "~")) and not name.endswith(("/", ".pth"))


def _has_text_encoder(checkpoint: str) -> bool:
    folder = Path(checkpoint).expanduser().parent if Path(checkpoint).name != checkpoint else None
    return ((folder or weights.cache_folder()) / "bert-base-uncased").is_dir()


def _offline() -> bool:
    return bool(require("huggingface_hub.constants", extra="autolabel").HF_HUB_OFFLINE)


def _download(url: str, target: Path, sha256: str | None) -> None:
    """Bring a public file; it has its name only when it is whole and right.

    Raises:
        ModelError: It cannot be had, or is another one than was published.
    """
    pooch = require("pooch", extra="autolabel")
    pooch.get_logger().setLevel("ERROR")
    source = pooch.create(
        target.parent,
        base_url="",
        registry={target.name: None if sha256 is None else f"sha256:{sha256}"},
        urls={target.name: url},
        retry_if_failed=_TRIES - 1,
    )
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=_TIMEOUT_S)
    try:
        source.fetch(target.name, downloader=downloader)
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong digest is a ValueError
        raise ModelError(
            f"{target.name} cannot be fetched from {url}: {torch_device.first_line(error)}"
        ) from error


def _snapshot(wanted: Wanted) -> Path:
    hub: Any = require("huggingface_hub", extra="autolabel")
    try:
        folder = Path(
            hub.snapshot_download(
                wanted.name, revision=wanted.revision, allow_patterns=_patterns(hub, wanted)
            )
        )
    except Exception as error:  # the client has errors of several libraries
        raise ModelError(
            f"{wanted.name} at {wanted.revision} cannot be fetched: {torch_device.first_line(error)}"
        ) from error
    if not any(folder.glob("*.safetensors")) and not any(folder.glob("*.bin")):
        raise ModelError(f"{wanted.name} at {wanted.revision} has no weights here: fetch it with a network")
    return folder


def _patterns(hub: Any, wanted: Wanted) -> list[str]:
    """One format of the weights, not all that the repository has."""
    patterns = [*public_models.SNAPSHOT_FILES, "model-*.safetensors"]
    if _offline():
        return patterns
    files = [one.rfilename for one in hub.model_info(wanted.name, revision=wanted.revision).siblings]
    if any(name.startswith("model") and name.endswith(".safetensors") for name in files):
        return patterns
    return [*patterns, "pytorch_model*.bin"]
