"""Vectors in the app for real: a small CLIP, mongod, FiftyOne's own search, and ours by text."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from curate import schema, tables
from curate.adapters.transformers_embedder import TransformersEmbedder
from curate.embeddings import load_embeddings
from curate.engines.local import LocalEngine
from curate.labeling.run.embedding_worker import Encoder
from curate.params import EmbeddingsParams
from curate.stages import embed
from tests import builders
from tests.adapters.test_transformers_embedder import clip

pytestmark = pytest.mark.integration
START_S = 420.0  # two imports of FiftyOne, on a busy machine
OUT = Path("data/embeddings")

LOOK = """
    import json, sys
    from pathlib import Path
    import numpy as np
    from curate.adapters import fiftyone_embeddings, fiftyone_text_search, fiftyone_view
    root = Path(sys.argv[1])
    name = fiftyone_view.sync_dataset(root, stage="release")
    import fiftyone as fo
    import fiftyone.operators as foo
    dataset = fo.load_dataset(name)
    results = dataset.load_brain_results(fiftyone_embeddings.MAP)
    keys = dict(zip(*dataset.values(["id", "image_id"])))
    out = {"runs": sorted(dataset.list_brain_runs())}
    out["points"] = {keys[one]: point.tolist() for one, point in zip(results.sample_ids, results.points)}
    one = dataset.match({"image_id": sys.argv[2]}).first()
    near = dataset.sort_by_similarity(one.id, k=3, brain_key=fiftyone_embeddings.SIMILARITY)
    out["near"] = near.values("image_id")
    names = ["uniqueness", "representativeness", "outlier", "look_alike", "look_alikes"]
    out["fields"] = {key: values for key, *values in zip(*dataset.values(["image_id", *names]))}
    out["views"] = {
        view: dataset.load_saved_view(view).values("image_id")
        for view in (fiftyone_embeddings.UNUSUAL, fiftyone_embeddings.DIFFERENTLY)
    }
    groups = {group.name: group.paths for group in dataset.app_config.sidebar_groups}
    out["group"] = groups["vectors"]
    said = foo.execute_operator(
        "@curate/decisions/search_text", {"dataset": dataset, "params": {"text": "stop sign"}}
    )
    out["said"] = said.result["said"]
    out["text"] = fiftyone_text_search.search(dataset, root, "stop sign").values("image_id")
    out["again"] = fiftyone_embeddings.show(dataset, root).line
    (root / "data/embeddings/embeddings.parquet").unlink()
    fiftyone_view.sync_dataset(root, stage="release")
    dataset.reload()
    out["gone"] = [
        dataset.list_brain_runs(), [one for one in names if dataset.has_sample_field(one)],
        dataset.has_saved_view(fiftyone_embeddings.UNUSUAL),
    ]
    out["without"] = foo.execute_operator(
        "@curate/decisions/search_text", {"dataset": dataset, "params": {"text": "stop sign"}}
    ).result["said"]
    print(json.dumps(out))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project after agreement whose stage embed ran with a small CLIP of random weights."""
    monkeypatch.chdir(tmp_path)
    builders.small_project(tmp_path)
    consensus = Path("data/agreement/consensus.parquet")
    rows = tables.read(consensus, schema.ANNOTATIONS).to_pylist()
    labeled = [row for row in rows if row["outcome"] == "object"]
    labeled[0]["category"] = "mislabelled"  # whatever is nearest to it has another category
    tables.write_rows(rows, consensus, schema.ANNOTATIONS)
    clip(Path("models/clip"))
    settings = "{model: models/clip, device: cpu, objects: consensus, neighbors: 3}"
    Path("params.yaml").write_text(f"embeddings: {settings}\n")
    params = EmbeddingsParams(model="models/clip", device="cpu", objects="consensus", neighbors=3)
    report = embed.run(
        params,
        inputs=embed.Inputs(
            Path("data/dedupe/images.parquet"),
            Path("data/autolabel/annotations.parquet"),
            consensus,
        ),
        outputs=embed.Outputs(
            OUT / "embeddings.parquet", OUT / "objects.parquet", OUT / "figures.parquet",
            OUT / "look_alikes.csv", OUT / "failures.csv", Path(".cache/embeddings"),
        ),
        ports=embed.Ports(
            lambda: Encoder(TransformersEmbedder(params, setting="embeddings")), LocalEngine(in_process=True)
        ),
    )  # fmt: skip
    assert dict(report.counts)["vectors"] == 6
    return tmp_path


def test_map_similarity_figures_and_search_by_text(project: Path) -> None:
    key = builders.image_id("one")
    known = load_embeddings(OUT / "embeddings.parquet")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LOOK), str(project), key],
        capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "FiftyOne: map and similarity of 6 images, 1 have no vector" in done.stderr  # the dropped copy
    assert "FiftyOne: no vectors: " in done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["runs"] == ["curate_map", "curate_similarity"]
    assert set(found["points"]) == set(known.image_ids)
    cosine = known.vectors @ known.vectors[known.rows([key])[0]]
    assert found["near"][0] == key
    assert cosine[known.rows(found["near"])] == pytest.approx(sorted(cosine)[:-4:-1], abs=1e-5)
    of_one = found["fields"][key]
    assert of_one[0] == pytest.approx(1 - sorted(cosine)[-2], abs=1e-5)
    assert found["fields"][builders.image_id("copy")] == [None] * 5
    outliers = {image: values[2] for image, values in found["fields"].items() if values[2] is not None}
    assert found["views"]["most unusual"] == sorted(outliers, key=lambda image: -outliers[image])
    listed = {image for image, values in found["fields"].items() if values[3] is not None}
    assert set(found["views"]["look-alikes labelled differently"]) == listed != set()
    assert all("looks like" in text for image in listed for text in found["fields"][image][4])
    assert found["group"] == ["uniqueness", "representativeness", "outlier", "look_alike", "look_alikes"]
    assert found["said"] == "6 images, nearest first"
    encoder = TransformersEmbedder(EmbeddingsParams(model="models/clip", device="cpu"))
    scores = known.vectors @ encoder.embed_text(["stop sign"])[0]
    assert scores[known.rows(found["text"])] == pytest.approx(sorted(scores)[::-1], abs=1e-5)
    assert found["again"] == "map and similarity of 6 images, as before"
    assert found["gone"] == [[], [], False]
    assert "does not exist; set embeddings.model" in found["without"]
