"""Stage ingest: a folder of raw files becomes one row a distinct image, and a folder of upright files."""

from __future__ import annotations

import functools
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curate import schema, tables
from curate.errors import InputError
from curate.images import decode, quality, sources, store, walk
from curate.images.decode import Decoded, Header, Limits, UnfitImageError
from curate.params import IngestParams
from curate.ports import Engine
from curate.records import ImageRecord, StageReport

_MAX_BYTES = 1 << 30  # of a file: larger ones are hashed in pieces and never decoded
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads. `raw` is a folder; the list of sources stands in it."""

    raw: Path


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes. `images` is kept between runs and brought up to date."""

    table: Path
    images: Path


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside."""

    engine: Engine


@dataclass(frozen=True, slots=True)
class _Settings:
    """What a worker must know."""

    raw: Path  # absolute
    limits: Limits
    images: Path
    jpeg_quality: int


def run(params: IngestParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Ingest all files below `inputs.raw`.

    Files with the same bytes become one row. A file that is no fit image is a row with its reason. Licence
    and attribution come from the first source, in the order of the list, that gives a licence; each attribute
    from the first that gives it.
    `outputs.images` ends up with exactly the upright files of the kept rows.

    Raises:
        InputError: No raw folder, no file in it, no usable image, or a list of sources that does not fit.
        ParamsError: The list of sources is malformed.
        StorageError: The disk is full or refuses.
    """
    paths, known = _find(params, inputs, outputs)
    limits = Limits(params.min_side, params.max_pixels, params.max_aspect)
    settings = _Settings(sources.absolute(inputs.raw), limits, outputs.images, params.jpeg_quality)
    examined = ports.engine.map(functools.partial(_examine, settings=settings), paths, label="ingest")
    records = _merge(zip(paths, examined, strict=True), known)
    if not any(record.drop_reason is None for record in records):
        reasons = Counter(record.drop_reason for record in records)
        listed = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items(), key=str))
        raise InputError(
            f"{inputs.raw} holds {len(paths)} files but no usable image ({listed}): put images there"
        )
    expected = {Path(r.path).relative_to(outputs.images).as_posix() for r in records if r.path is not None}
    try:
        removed = store.remove_strangers(outputs.images, expected)
    except OSError as error:
        raise tables.storage_error(error, outputs.images) from error
    tables.write_rows([record.row() for record in records], outputs.table, schema.IMAGES)
    return _report(records, files=len(paths), removed=removed)


def _find(params: IngestParams, inputs: Inputs, outputs: Outputs) -> tuple[list[Path], sources.Sources]:
    raw = inputs.raw
    if not raw.is_dir():
        raise InputError(f"raw folder {raw} does not exist: create it, or set ingest.raw in params.yaml")
    ours, theirs = sources.absolute(outputs.images), sources.absolute(raw)
    if ours.is_relative_to(theirs) or theirs.is_relative_to(ours):
        raise InputError(
            f"raw folder {raw} and image folder {outputs.images} overlap: set ingest.raw elsewhere"
        )
    known = sources.load(raw, params.sources)
    try:
        paths = [path for path in walk.files_below(theirs) if sources.absolute(path) not in known.own_files]
    except OSError as error:
        raise InputError(f"raw folder {raw} cannot be listed: {error}") from error
    if not paths:
        raise InputError(f"raw folder {raw} holds no file: put images there")
    return paths, known


def _examine(path: Path, settings: _Settings) -> ImageRecord:
    """One file's row, its upright file written; runs in a worker process. `sources` is filled in later."""
    try:
        image_id, size, data = _read(path)
    except OSError as error:
        return _unreadable(path.relative_to(settings.raw), error)
    base = ImageRecord(image_id=image_id, sources=("?",), bytes=size, drop_reason="unreadable")
    if data is None:
        return replace(base, drop_reason="too_large", drop_detail=f"{size} bytes are over {_MAX_BYTES}")
    try:
        decoded = decode.decode(data, settings.limits)
    except UnfitImageError as unfit:
        described = replace(base, drop_reason=unfit.reason, drop_detail=unfit.detail)
        return described if unfit.header is None else replace(described, **_header_columns(unfit.header))
    target = settings.images / store.relative_path(image_id, decoded.extension)
    try:
        if decoded.untouched:
            store.keep_source(path, target, image_id)
        else:
            store.encode(decoded.picture, target, jpeg_quality=settings.jpeg_quality)
    except OSError as error:
        raise tables.storage_error(error, target) from error
    return _kept(base, decoded, target)


def _read(path: Path) -> tuple[str, int, bytes | None]:
    """sha256, size and content of a file; no content over `_MAX_BYTES`."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size <= _MAX_BYTES:
            data = file.read()
            return hashlib.sha256(data).hexdigest(), len(data), data
        digest, size = hashlib.sha256(), 0
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
        return digest.hexdigest(), size, None


def _unreadable(path: Path, error: OSError) -> ImageRecord:
    """A row for a file without readable bytes: its id is derived from its path below the raw folder."""
    return ImageRecord(
        image_id=hashlib.sha256(b"unreadable\0" + os.fsencode(path)).hexdigest(),
        sources=("?",),
        bytes=0,
        drop_reason="unreadable",
        drop_detail=error.strerror or type(error).__name__,
    )


def _header_columns(header: Header) -> dict[str, Any]:
    names = ("format", "width", "height", "exif_orientation", "captured_at")
    return {name: getattr(header, name) for name in names}


def _kept(base: ImageRecord, decoded: Decoded, target: Path) -> ImageRecord:
    measured = quality.measure(decoded.picture)
    return replace(
        base,
        **_header_columns(decoded.header),
        path=target.as_posix(),
        brightness=measured.brightness,
        contrast=measured.contrast,
        sharpness=measured.sharpness,
        drop_reason=None,
    )


def _merge(examined: Iterable[tuple[Path, ImageRecord]], known: sources.Sources) -> list[ImageRecord]:
    """One record a distinct image, with every place where it was found."""
    places: dict[str, list[tuple[int, Path]]] = {}
    records: dict[str, ImageRecord] = {}
    for path, record in examined:
        places.setdefault(record.image_id, []).append((known.of(path), path))
        records[record.image_id] = record
    return [_with_places(records[image_id], sorted(places[image_id]), known) for image_id in sorted(records)]


def _with_places(
    record: ImageRecord, places: Sequence[tuple[int, Path]], known: sources.Sources
) -> ImageRecord:
    origins = [known.sources[index] for index, _ in places]
    attributes: dict[str, str] = {}
    for _, path in places:
        attributes = {**known.attributes.get(path, {}), **attributes}
    licensed = next((origin for origin in origins if origin.license is not None), origins[0])
    return replace(
        record,
        sources=tuple(
            sorted(
                sources.entry_name(origin, path) for origin, (_, path) in zip(origins, places, strict=True)
            )
        ),
        license=licensed.license,
        attribution=licensed.attribution,
        attributes=tuple(sorted(attributes.items())),
    )


def _report(records: Sequence[ImageRecord], *, files: int, removed: int) -> StageReport:
    kept = [record for record in records if record.drop_reason is None]
    unlisted = sum(place.startswith(f"{sources.UNLISTED}/") for record in records for place in record.sources)
    counts = [
        ("files", files),
        ("distinct", len(records)),
        ("images", len(kept)),
        ("dropped", len(records) - len(kept)),
    ]
    if unlisted:
        counts.append(("files of no listed source", unlisted))
    if removed:
        counts.append(("stale files removed", removed))
    return StageReport("ingest", tuple(counts), _metrics(records, kept))


def _metrics(records: Sequence[ImageRecord], kept: Sequence[ImageRecord]) -> Mapping[str, Any]:
    return {
        "dropped_by_reason": _tally(
            record.drop_reason for record in records if record.drop_reason is not None
        ),
        "formats": _tally(record.format for record in kept if record.format is not None),
        "sources": _tally(place.partition("/")[0] for record in kept for place in record.sources),
        "turned_by_exif": sum((record.exif_orientation or 1) != 1 for record in kept),
        "megapixels": round(sum((record.width or 0) * (record.height or 0) for record in kept) / 1e6, 3),
    }


def _tally(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
