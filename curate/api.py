"""What a notebook asks of the library in one call, where a stage would read and write tables.

`import curate` names these functions and those of the rooms below; see the API page of the documentation.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from curate import schema, tables
from curate.agreement import annotator_pairs, by_annotator, clusters
from curate.agreement import consensus as settling
from curate.dedupe import hashes
from curate.engines.local import LocalEngine
from curate.errors import InputError
from curate.images.image_errors import Limits, UnfitImageError
from curate.images.upright_srgb import upright
from curate.params import DedupeParams, IngestParams
from curate.records import UInt8Image
from curate.stages import dedupe, ingest

_ANY_SIZE = Limits(min_side=1, max_pixels=100_000_000, max_aspect=1e9)


def load_image(path: str | PathLike[str]) -> UInt8Image:
    """The pixels of an image file as a browser shows them: upright, 8-bit sRGB, without alpha.

    Args:
        path: A file of any format that the stage ingest takes. The bytes decide the format, not the name; of
            an animation the first frame is taken.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: The file cannot be read, is no image, is damaged, or has more than 100 million pixels.

    Examples:
        >>> from PIL import Image
        >>> Image.new("CMYK", (4, 3), (0, 255, 255, 0)).save("red.tif")
        >>> load_image("red.tif").shape
        (3, 4, 3)
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        shown = upright(data, _ANY_SIZE, frames="first", jpeg_quality=100, lossless=True)[0]
    except (OSError, UnfitImageError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    with Image.open(io.BytesIO(data if shown.content is None else shown.content)) as picture:
        return np.asarray(picture.convert("RGB"))


def hash_images(paths: Iterable[str | PathLike[str]]) -> NDArray[np.uint64]:
    """The perceptual hash (pHash) of each image, as `imagehash.phash` defines it, of the upright picture.

    Two images of which a few bits differ are near-duplicates; `find_duplicates` also verifies the pixels.

    Args:
        paths: Image files.

    Returns:
        (N,) uint64, in the order of the paths.

    Raises:
        InputError: A file cannot be read; with its name.

    Examples:
        >>> import numpy as np
        >>> from PIL import Image
        >>> ramp = np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)
        >>> Image.fromarray(ramp).save("a.png")
        >>> Image.fromarray(ramp).resize((64, 48)).save("b.png")
        >>> a, b = hash_images(["a.png", "b.png"])
        >>> int(a ^ b).bit_count() <= 4
        True
    """
    thumbnails = [hashes.luma_thumbnail(Image.fromarray(load_image(path))) for path in paths]
    if not thumbnails:
        return np.zeros(0, np.uint64)
    return hashes.phash(np.stack(thumbnails)).reshape(-1)


def find_duplicates(folder: str | PathLike[str], **settings: Any) -> dict[str, list[str]]:
    """Find copies among the images of a folder: by hash, verified by pixels, one keeper per group.

    It runs the stages ingest and dedupe in this process and keeps nothing.

    Args:
        folder: Searched with all folders in it. Files that are no fit images are left out.
        settings: Parameters of the section `dedupe`, such as `turned="all"`; docs/parameters.md lists them.

    Returns:
        The copies of each image that has some, by the file that is kept; relative to the folder, sorted.

    Raises:
        InputError: No such folder, or no image in it.
        pydantic.ValidationError: A setting is unknown or out of range.

    Examples:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> Path("photos").mkdir()
        >>> blurred = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        >>> picture = Image.fromarray(blurred).resize((320, 240))
        >>> picture.save("photos/a.png")
        >>> picture.save("photos/again.jpg", quality=30)
        >>> Image.fromarray(blurred[::-1]).resize((320, 240)).rotate(5).save("photos/other.png")
        >>> find_duplicates("photos")
        {'a.png': ['again.jpg']}
    """
    folder = Path(folder).absolute()
    engine = LocalEngine(in_process=True)
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        found = here / "images.parquet"
        ingest.run(
            IngestParams(raw=folder),
            inputs=ingest.Inputs(raw=folder),
            outputs=ingest.Outputs(found, here / "images", here / "ledger.sqlite", here / "cache"),
            ports=ingest.Ports(engine=engine),
        )
        dedupe.run(
            DedupeParams(**settings),
            inputs=dedupe.Inputs(images=found),
            outputs=dedupe.Outputs(here / "kept.parquet", here / "plot.csv", here / "index"),
            ports=dedupe.Ports(engine=engine, say=lambda _: None),
        )
        columns = ["image_id", "sources", "duplicate_of"]
        rows = tables.read(here / "kept.parquet", schema.IMAGES, columns=columns).to_pylist()
    files = {row["image_id"]: sorted(_within(folder, name) for name in row["sources"]) for row in rows}
    copies = {files[row["image_id"]][0]: files[row["image_id"]][1:] for row in rows if row["sources"]}
    for row in rows:
        if row["duplicate_of"] is not None:
            copies[files[row["duplicate_of"]][0]] += files[row["image_id"]]
    return {name: sorted(others) for name, others in sorted(copies.items()) if others}


def _within(folder: Path, source: str) -> str:
    """A source's name is `<name of the source>/<path>`; of one source without a list, the folder's name."""
    return source.removeprefix(f"{folder.name}/")


def consensus(
    annotations: pa.Table,
    sizes: Mapping[str, tuple[int, int]],
    *,
    iou_threshold: float = 0.5,
    min_votes_share: float = 0.5,
    mask_iou_threshold: float = 0.5,
) -> pa.Table:
    """One set of objects for each image that people looked at, from what each of them drew.

    Args:
        annotations: The `annotations` table, rows of origin "human": one per object, and one of outcome
            "empty" for an annotator who found nothing.
        sizes: Width and height of each image, upright pixels, by image_id.
        iou_threshold: IoU from which boxes of two annotators can be one object.
        min_votes_share: Share of an image's annotators, in [0.5, 1], who must say the same of an object.
        mask_iou_threshold: IoU below which masks of one object are disputed.

    Returns:
        The `annotations` table with origin "consensus": boxes are weighed medians, categories the most
        probable, masks the shape between two or STAPLE's of more. On what people do not agree has the outcome
        "disputed"; docs/agreement.md says when.

    Raises:
        TableError: A row without annotator, or an object without category or box.

    Examples:
        >>> import pyarrow as pa
        >>> from curate import schema
        >>> def drawn(annotator, x):
        ...     return {"annotation_id": annotator, "image_id": "i" * 64, "origin": "human",
        ...             "category": "car", "bbox_xyxy": [x, 10.0, 50.0, 40.0],
        ...             "annotator_id": annotator, "outcome": "object"}
        >>> rows = [drawn("ann", 10.0), drawn("bob", 12.0)]
        >>> answers = pa.Table.from_pylist(rows, schema=schema.ANNOTATIONS.arrow)
        >>> consensus(answers, {"i" * 64: (64, 48)})["bbox_xyxy"].to_pylist()
        [[11.0, 10.0, 50.0, 40.0]]
    """
    answers = by_annotator.sort_out(annotations, planned=set(sizes))
    compared = annotator_pairs.compare(answers, answers.overlapped(), sizes, iou_threshold=iou_threshold)
    rules = settling.Rules(min_votes_share, mask_iou_threshold)
    groups = clusters.cluster(answers, compared)
    tasks = dict.fromkeys(sizes, "")
    return settling.consensus(answers, compared, groups, sizes=sizes, tasks=tasks, rules=rules).annotations


def load_images_table(path: str | PathLike[str]) -> pa.Table:
    """The `images` table that ingest or dedupe wrote: one row per distinct image.

    Raises:
        TableError: Missing, damaged, or of another schema version; with the stage to run again.

    Examples:
        >>> from curate import schema, tables
        >>> tables.write_rows([], Path("images.parquet"), schema.IMAGES)
        >>> load_images_table("images.parquet").num_rows
        0
    """
    return tables.read(Path(path), schema.IMAGES)


def load_annotations_table(path: str | PathLike[str]) -> pa.Table:
    """The `annotations` table of a stage: suggestions, what people drew, the consensus, or gold.

    Raises:
        TableError: Missing, damaged, or of another schema version; with the stage to run again.

    Examples:
        >>> from curate import schema, tables
        >>> tables.write_rows([], Path("annotations.parquet"), schema.ANNOTATIONS)
        >>> "bbox_xyxy" in load_annotations_table("annotations.parquet").column_names
        True
    """
    return tables.read(Path(path), schema.ANNOTATIONS)
