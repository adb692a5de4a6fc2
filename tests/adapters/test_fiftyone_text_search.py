"""Search by text without the app: the order of images, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from curate import embeddings, tables
from curate.adapters import fiftyone_text_search as search
from curate.adapters.transformers_embedder import TransformersEmbedder
from curate.embeddings import EMBEDDINGS
from curate.errors import ModelError
from curate.params import EmbeddingsParams
from tests.adapters.test_transformers_embedder import clip, dinov2


class Dataset:
    """As much of FiftyOne's as is asked."""

    def values(self, _: list[str]) -> list[list[str]]:
        return [["a", "b", "c"], ["id of a", "id of b", "id of c"]]

    def select(self, ids: list[str], *, ordered: bool) -> Any:
        assert ordered
        return ids


def write(root: Path, version: str, text: Any) -> None:
    """The vector of b is the text's, that of c half so, that of a its opposite; d is not in the dataset."""
    vectors = embeddings.directions(np.array([-text, text, text + np.roll(text, 1), text]))
    columns = [["a", "b", "c", "d"], [version] * 4, embeddings.column(vectors)]
    tables.write(pa.table(columns, schema=EMBEDDINGS.arrow), root / embeddings.PATH, EMBEDDINGS)


def project(root: Path, kind: str, model: str) -> Path:
    (root / "params.yaml").write_text(f"embeddings: {{kind: {kind}, model: {model}, device: cpu}}\n")
    return root


def test_nearest_first_and_only_what_the_app_has(tmp_path: Path) -> None:
    folder = clip(tmp_path / "models/clip")
    encoder = TransformersEmbedder(EmbeddingsParams(model=str(folder), device="cpu"))
    write(tmp_path, encoder.model_version, encoder.embed_text(["cat"])[0])
    root = project(tmp_path, "transformers", "models/clip")
    assert search.search(Dataset(), root, "cat") == ["id of b", "id of c", "id of a"]
    assert search.search(Dataset(), root, "cat", found=1) == ["id of b"]


def test_what_cannot_be_searched_is_said(tmp_path: Path) -> None:
    root = project(tmp_path, "torchvision", "mobilenet_v2-b0353104.pth")
    with pytest.raises(ModelError, match=r"does not exist; set embeddings\.model"):
        search.search(Dataset(), root, "cat")
    write(root, "other@1", np.eye(16)[0])
    with pytest.raises(ModelError, match="encoders of torchvision read no text"):
        search.search(Dataset(), root, "cat")
    clip(tmp_path / "clip")
    with pytest.raises(
        ModelError, match=r"vectors are of other@1, params.yaml names clip@\w+: run dvc repro"
    ):
        search.search(Dataset(), project(root, "transformers", "clip"), "cat")
    images_only = TransformersEmbedder(EmbeddingsParams(model=str(dinov2(tmp_path / "dino")), device="cpu"))
    write(root, images_only.model_version, np.eye(32)[0])
    with pytest.raises(ModelError, match=r"reads no text: set embeddings\.model to a CLIP"):
        search.search(Dataset(), project(root, "transformers", "dino"), "cat")
