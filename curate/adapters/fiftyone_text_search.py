"""Search by text in the app: the images nearest to what is typed, by the encoder's text tower."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from curate import embeddings, params
from curate.adapters.transformers_embedder import TransformersEmbedder
from curate.embeddings import load_embeddings
from curate.errors import ModelError
from curate.params import EmbeddingsParams

FOUND: Final = 200  # images, the nearest first


def project() -> Path:
    """The folder of the project whose app this is."""
    return Path(os.environ["CURATE_FIFTYONE_FOLDER"]).parent


def search(dataset: Any, root: Path, text: str, *, found: int = FOUND) -> Any:
    """A view of the images nearest to a text, nearest first.

    Args:
        dataset: Of the project.
        root: The project's folder: its params.yaml names the encoder, its tables hold the vectors.
        text: Such as "a stop sign at night".
        found: Images at most.

    Raises:
        ModelError: There are no vectors, they are another encoder's, or it reads no text.
        TableError: The table of vectors is damaged.
        MissingExtraError: torch or transformers is not installed.
    """
    known = load_embeddings(root / embeddings.PATH)
    if known.absent is not None:
        raise ModelError(known.absent)
    settings = params.load(root / "params.yaml").embeddings
    if settings.kind != "transformers":
        raise ModelError(f"encoders of {settings.kind} read no text: set embeddings.model to a CLIP")
    encoder = _encoder(settings, root)
    if encoder.model_version != known.model_version:
        raise ModelError(
            f"vectors are of {known.model_version}, params.yaml names {encoder.model_version}: run dvc repro"
        )
    cosine = known.vectors @ encoder.embed_text([text])[0]
    order = np.argsort(-cosine, kind="stable")
    sample_of = dict(zip(*dataset.values(["image_id", "id"]), strict=True))
    best = [known.image_ids[row] for row in order]
    return dataset.select([sample_of[key] for key in best if key in sample_of][:found], ordered=True)


@functools.lru_cache(maxsize=1)
def _encoder(settings: EmbeddingsParams, root: Path) -> TransformersEmbedder:
    """The encoder, loaded once; a relative path in params.yaml starts from the project."""
    own = root / str(settings.model)
    named = settings.model_copy(update={"model": str(own)}) if own.exists() else settings
    return TransformersEmbedder(named, setting="embeddings", sha256=settings.sha256)
