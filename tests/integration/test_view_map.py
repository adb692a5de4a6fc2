"""Vectors in the browser: the map drawn from them, images chosen on it, and the search by text.

CURATE_DOCS_IMAGES=docs/images makes the picture of docs/look.md anew; without it, it goes with the test.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import skimage.data
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image

from curate import tables
from curate.adapters.transformers_embedder import TransformersEmbedder
from curate.embeddings import EMBEDDING_FIGURES, Embeddings, load_embeddings
from curate.engines.local import LocalEngine
from curate.labeling.run.embedding_worker import Encoder
from curate.params import EmbeddingsParams
from curate.stages import embed
from tests import builders
from tests.adapters.test_transformers_embedder import clip
from tests.integration.chromium import window
from tests.integration.view_server import App, opened

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

OUT: Final = Path("data/embeddings")
WAIT_MS: Final = 300_000
CROPS: Final = 8  # of each photograph
SIDE: Final = 160
RADIUS: Final = 2.5  # of a point on the map, pixels
PICTURES: Final = os.environ.get("CURATE_DOCS_IMAGES")
Box = dict[str, float]  # x, y, width, height on the page, pixels


def photographs() -> dict[str, NDArray[np.uint8]]:
    """Those that come with scikit-image and scikit-learn."""
    names = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina")
    flower, china = (sklearn.datasets.load_sample_image(f"{name}.jpg") for name in ("flower", "china"))
    return {name: getattr(skimage.data, name)() for name in names} | {"flower": flower, "china": china}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app of a project of crops, after the stage embed with a small CLIP of random weights."""
    root = tmp_path_factory.mktemp("gallery")
    rng = np.random.default_rng(0)
    made = []
    for name, photograph in photographs().items():
        height, width = photograph.shape[:2]
        for number in range(CROPS):
            side = int(min(height, width) * rng.uniform(0.5, 0.9))
            top, left = rng.integers(0, height - side), rng.integers(0, width - side)
            crop = Image.fromarray(photograph[top : top + side, left : left + side])
            one = builders.image(f"{name} {number}", width=SIDE, height=SIDE)
            builders.write_jpeg(root / str(one.path), np.asarray(crop.resize((SIDE, SIDE))))
            made.append(one)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        builders.write_images(Path("data/ingest/images.parquet"), made)
        clip(Path("models/clip"))
        Path("params.yaml").write_text(
            "embeddings: {model: models/clip, device: cpu}\nrelease: {name: photographs}\n"
        )
        params = EmbeddingsParams(model="models/clip", device="cpu")
        embed.run(
            params,
            inputs=embed.Inputs(Path("data/ingest/images.parquet"), Path("none"), Path("none")),
            outputs=embed.Outputs(
                OUT / "embeddings.parquet", OUT / "objects.parquet", OUT / "figures.parquet",
                OUT / "look_alikes.csv", OUT / "failures.csv", Path(".cache/embeddings"),
            ),
            ports=embed.Ports(
                lambda: Encoder(TransformersEmbedder(params, setting="embeddings")),
                LocalEngine(in_process=True),
            ),
        )  # fmt: skip
    with opened(root) as app:
        yield app


def test_the_map_is_drawn_from_the_vectors_and_what_is_drawn_around_is_shown(
    gallery: App, tmp_path: Path
) -> None:
    points = drawn_at(gallery.root)
    chosen = beyond_the_widest_gap(points)
    number = len(points)
    with window(1500, 950) as shown:
        page = shown.page
        page.set_default_timeout(WAIT_MS)
        page.goto(gallery.url)
        page.get_by_text(f"{number} samples").wait_for()
        page.wait_for_timeout(3000)  # panels are registered some time after the grid
        page.locator("[data-cy='new-panel-btn']").first.click()
        page.locator("[data-cy='new-panel-option-Embeddings']").first.click()
        page.get_by_text("curate_map", exact=True).click()
        page.get_by_text(f"{number} points", exact=True).wait_for()
        page.get_by_text("Select", exact=True).click()
        area: Box = page.locator("canvas").last.bounding_box()
        at = until(page, gallery.root, lambda: places(page, area, points))
        lasso(page, area, at, chosen)
        page.get_by_text(f"{len(chosen)} selected · {number} points", exact=True).wait_for()
        page.get_by_text(f"{len(chosen)} samples", exact=True).first.wait_for()
        until(page, gallery.root, lambda: set(grid(page, gallery.root)) == chosen or None)
        take(page, tmp_path)
        assert (shown.refused, shown.errors) == ([], [])


def test_a_text_orders_the_grid_by_the_vectors(gallery: App) -> None:
    known = load_embeddings(gallery.root / OUT / "embeddings.parquet")
    encoder = TransformersEmbedder(EmbeddingsParams(model=str(gallery.root / "models/clip"), device="cpu"))
    order = {text: nearest(known, encoder, text) for text in ("stop sign", "photo of a cat")}
    assert order["stop sign"] != order["photo of a cat"]
    with window(1500, 950) as shown:
        page = shown.page
        page.set_default_timeout(WAIT_MS)
        page.goto(gallery.url)
        page.get_by_text(f"{len(known)} samples").wait_for()
        page.wait_for_function("window.__foo__")
        for text, wanted in order.items():
            page.keyboard.press("Alt+t")
            dialog = page.locator("[role=dialog]")
            dialog.locator("input").first.fill(text)
            page.wait_for_timeout(2000)  # the form is resolved by the server
            dialog.get_by_text("Execute", exact=True).click()
            dialog.wait_for(state="detached")
            seen = until(page, gallery.root, partial(orders, page, gallery.root, wanted))
            assert len(seen) >= 18
        assert (shown.refused, shown.errors) == ([], [])


def nearest(known: Embeddings, encoder: TransformersEmbedder, text: str) -> list[str]:
    """image_ids by cosine, as NumPy finds them."""
    cosine = known.vectors @ encoder.embed_text([text])[0]
    return [known.image_ids[row] for row in np.argsort(-cosine, kind="stable")]


def orders(page: Any, root: Path, wanted: list[str]) -> list[str] | None:
    """What is seen, if it begins as wanted."""
    seen = grid(page, root)
    return seen if seen and seen == wanted[: len(seen)] else None


def drawn_at(root: Path) -> dict[str, tuple[float, float]]:
    """Place of each image on the map, in its table: x to the right, y upwards."""
    rows = tables.read(root / OUT / "figures.parquet", EMBEDDING_FIGURES).to_pylist()
    return {row["image_id"]: (row["map_x"], row["map_y"]) for row in rows}


def beyond_the_widest_gap(points: dict[str, tuple[float, float]]) -> set[str]:
    """Images to the right of the widest stretch of x in which there is none; at least two on each side."""
    order = sorted(points, key=lambda key: points[key][0])
    gaps = np.diff([points[key][0] for key in order])[1:-1]
    return set(order[int(np.argmax(gaps)) + 2 :])


def places(page: Any, area: Box, points: dict[str, tuple[float, float]]) -> dict[str, NDArray[Any]] | None:
    """Where each point should be on the page, if something is drawn at each and nowhere else.

    The first and last of them in x and in y say how large the map is drawn.
    """
    pixels = picture(page)[
        int(area["y"]) : int(area["y"] + area["height"]), int(area["x"]) : int(area["x"] + area["width"])
    ]
    amber = (pixels[..., 0] - pixels[..., 2]) > 60
    rows, columns = np.nonzero(amber)
    if not len(rows):
        return None
    values = np.array(list(points.values()))
    low, high = values.min(axis=0), values.max(axis=0)
    first = np.array([columns.min() + RADIUS, rows.max() - RADIUS])
    last = np.array([columns.max() - RADIUS, rows.min() + RADIUS])
    at = first + (values - low) / (high - low) * (last - first)
    marks = np.stack([columns, rows], axis=1)
    to_mark = np.linalg.norm(at[:, None] - marks[None], axis=2)
    if to_mark.min(axis=1).max() > 3 or to_mark.min(axis=0).max() > 3 + RADIUS:
        return None
    return dict(zip(points, at + np.array([area["x"], area["y"]]), strict=True))


def lasso(page: Any, area: Box, at: dict[str, NDArray[Any]], chosen: set[str]) -> None:
    """Draw around some images, along the edges of the map."""
    left = max(place[0] for key, place in at.items() if key not in chosen)
    left = (left + min(at[key][0] for key in chosen)) / 2
    top, bottom = area["y"] + 60, area["y"] + area["height"] - 60
    right = area["x"] + area["width"] - 8
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 5)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()


def grid(page: Any, root: Path) -> list[str]:
    """image_ids of the images that are wholly seen, in the order of the grid, told by their pixels."""
    known = {path.stem: small(Image.open(path)) for path in (root / "data/ingest/images").rglob("*.jpg")}
    whole = Image.fromarray(picture(page).astype(np.uint8))
    boxes = [one for one in (tile.bounding_box() for tile in page.locator("[data-cy='looker']").all()) if one]
    seen = [one for one in boxes if one["y"] > 140 and one["y"] + one["height"] <= whole.height]
    found = []
    for box in sorted(seen, key=lambda one: (round(one["y"]), one["x"])):
        x, y = box["x"], box["y"]
        tile = small(whole.crop((round(x), round(y), round(x + box["width"]), round(y + box["height"]))))
        away = {key: float(np.abs(tile - other).mean()) for key, other in known.items()}
        found.append(min(away, key=away.__getitem__))
    return found


def small(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image.convert("RGB").resize((24, 24), Image.Resampling.BOX), dtype=np.float64)


def picture(page: Any) -> NDArray[np.int_]:
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)


def until(page: Any, root: Path, found: Callable[[], Any]) -> Any:
    """What a look at the page finds, once it finds something: the app paints when it has time."""
    for _ in range(60):
        if (seen := found()) is not None:
            return seen
        page.wait_for_timeout(1000)
    page.screenshot(path=root / "seen.png")
    raise AssertionError(f"not what was expected: {root / 'seen.png'}")


def take(page: Any, folder: Path) -> None:
    target = (Path(PICTURES) if PICTURES else folder) / "look-map.png"
    Image.fromarray(picture(page).astype(np.uint8)).quantize(256).save(target, optimize=True)
    assert target.stat().st_size < 300_000
