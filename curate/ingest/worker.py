"""What a worker process does with a place: read it, decode it, write its upright files, describe it."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from curate import tables
from curate.errors import CurateError
from curate.images.upright_srgb import Frames, Header, Limits, UnfitImageError, Upright, upright
from curate.ingest import image_store, sidecar
from curate.ingest.image_store import SourceChangedError
from curate.ingest.place_names import is_url
from curate.ingest.reader import Content, Reader, Unchanged, VerdictError, Work

_DOWNLOADS = 8  # at a time, in one worker: they wait for others most of their time


class ImageRow(NamedTuple):
    """A row of the ledger's table `images`, but for what the other rows make of it.

    `upright_sha256` is that of an upright file which holds other bytes than the source: None where it is
    linked or copied as it is.
    """

    image_id: bytes
    digest: bytes | None
    frame: int
    upright_sha256: bytes | None
    extension: str | None
    format: str | None
    width: int | None
    height: int | None
    quality: bytes | None  # before the next name hides the type
    bytes: int
    exif_orientation: int | None
    captured_at: str | None
    brightness: float | None
    contrast: float | None
    sharpness: float | None
    drop_reason: str | None
    drop_detail: str | None
    failed: bool


class Examined(NamedTuple):
    """What was found at a place.

    Attributes:
        digest: sha256 of its bytes; derived from its name where there are none.
        images: One, or one per frame.
        sidecar: JSON as `sidecar.to_json` makes it.
        etag: Of a URL that no listing describes.
        failed: The next run tries again.
    """

    digest: bytes
    images: tuple[ImageRow, ...]
    sidecar: str | None
    etag: str | None
    failed: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker must know.

    Attributes:
        reader: Reads the places.
        limits: Of images.
        frames: Which ones of several.
        jpeg_quality: Of copies of JPEGs.
        lossless: Copies of JPEGs are PNGs.
        images: Folder of the upright files, absolute.
        link: Share the raw files' bytes where possible (reference), or never (copy).
    """

    reader: Reader
    limits: Limits
    frames: Frames
    jpeg_quality: int
    lossless: Literal["png"] | None
    images: Path
    link: bool


def worker(settings: Settings) -> Callable[[Sequence[Work]], list[Examined | None]]:
    """The function of a batch: one result a place, None for one whose server says that it is unchanged."""

    def examine_all(batch: Sequence[Work]) -> list[Examined | None]:
        return [_examine(work, read, settings) for work, read in _read_ahead(batch, settings.reader)]

    return examine_all


def failure(work: Work, verdict: VerdictError) -> Examined:
    """The row of a place without bytes: its id is derived from its name."""
    digest = hashlib.sha256(b"no bytes\0%s\0%s" % (work.label.partition("/")[0].encode(), work.name)).digest()
    return Examined(digest, (_dropped(digest, 0, verdict.reason, verdict.detail, failed=True),), None, None,
                    verdict.passing)  # fmt: skip


def killer(work: Work, how: str, reader: Reader) -> Examined:
    """The row of a place that kills the process that decodes it; its bytes are only hashed here."""
    try:
        content = reader.read(work)
    except VerdictError as verdict:
        return failure(work, verdict)
    except Unchanged:
        return failure(work, VerdictError("crashes_decoder", how))
    row = _dropped(content.sha256, content.size, "crashes_decoder", how)
    return Examined(content.sha256, (row,), None, content.etag, failed=False)


def _read_ahead(batch: Sequence[Work], reader: Reader) -> Iterator[tuple[Work, Callable[[], Content]]]:
    """Each place with the function that gives its content; a few remote ones are fetched meanwhile."""
    far = [work for work in batch if work.archive is None and _is_remote(work, reader)]
    if not far:
        yield from ((work, functools.partial(reader.read, work)) for work in batch)
        return
    with ThreadPoolExecutor(_DOWNLOADS) as threads:
        waiting = iter(far)
        started: dict[int, Future[Content]] = {}

        def start(count: int) -> None:
            for work in itertools.islice(waiting, count):
                started[id(work)] = threads.submit(reader.read, work)

        start(_DOWNLOADS)
        for work in batch:
            if id(work) in started:
                yield work, started.pop(id(work)).result
                start(1)
            else:
                yield work, functools.partial(reader.read, work)


def _is_remote(work: Work, reader: Reader) -> bool:
    return is_url(work.locator) if work.locator is not None else is_url(reader.sources[work.source].base)


def _examine(work: Work, read: Callable[[], Content], settings: Settings) -> Examined | None:
    try:
        beside = _sidecar(work, settings.reader)
        try:
            return _described(read(), settings)._replace(sidecar=beside)
        except SourceChangedError:
            return _described(settings.reader.read(work), settings)._replace(sidecar=beside)
    except SourceChangedError:
        return failure(
            work, VerdictError("changed_while_read", "the file was replaced while it was linked, twice")
        )
    except VerdictError as verdict:
        return failure(work, verdict)
    except Unchanged:
        return None


def _sidecar(work: Work, reader: Reader) -> str | None:
    if work.side is None:
        return None
    try:
        return sidecar.parse(reader.sidecar(work))
    except sidecar.SidecarError as error:
        name = work.side.rpartition(b"/")[2].decode("utf-8", "backslashreplace")
        raise VerdictError("bad_sidecar", f"{name}: {error}") from error


def _described(content: Content, settings: Settings) -> Examined:
    digest, size = content.sha256, content.size

    def dropped(reason: str, detail: str, header: Header | None = None) -> Examined:
        row = _dropped(digest, size, reason, detail)
        return Examined(digest, (_with_header(row, header),), None, content.etag, failed=False)

    if content.data is None:
        return dropped("too_large", f"{size} bytes are over {settings.reader.max_bytes}")
    try:
        pictures = upright(
            content.data,
            settings.limits,
            frames=settings.frames,
            jpeg_quality=settings.jpeg_quality,
            lossless=settings.lossless == "png",
        )
    except UnfitImageError as unfit:
        return dropped(unfit.reason, unfit.detail, unfit.header)
    except CurateError:
        raise
    except Exception as error:  # noqa: BLE001 - a decoder's defect must cost one image, not the run
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return dropped("crashes_decoder", line[:200])
    rows = tuple(_kept(content, picture, len(pictures)) for picture in pictures)
    for row, picture in zip(rows, pictures, strict=True):
        _write(row, picture, content, settings)
    return Examined(digest, rows, None, content.etag, failed=False)


def _write(row: ImageRow, picture: Upright, content: Content, settings: Settings) -> None:
    target = image_store.path_in(settings.images, row.image_id.hex(), picture.extension)
    data = content.data or b""
    try:
        path, stamp = content.path, content.stamp
        if content.remote and settings.link:
            cached = settings.reader.cached(content.sha256)
            image_store.keep(data, cached)
            path = bytes(cached)
        if picture.content is not None:
            image_store.keep(picture.content, target, link=settings.link)
        else:
            image_store.keep(data, target, source=path, stamp=stamp, link=settings.link)
    except OSError as error:
        raise tables.storage_error(error, Path(target)) from error


def _kept(content: Content, picture: Upright, count: int) -> ImageRow:
    digest, one, header, measured = content.sha256, count == 1, picture.header, picture.statistics
    number = str(picture.frame).encode()
    return ImageRow(
        image_id=digest if one else hashlib.sha256(b"frame" + number + digest).digest(),
        digest=None if one else digest,
        frame=picture.frame,
        upright_sha256=None if picture.content is None else hashlib.sha256(picture.content).digest(),
        extension=picture.extension,
        format=header.format,
        width=header.width,
        height=header.height,
        bytes=content.size,
        exif_orientation=header.exif_orientation,
        captured_at=header.captured_at,
        brightness=measured.brightness,
        contrast=measured.contrast,
        sharpness=measured.sharpness,
        quality=picture.quality.packed(),
        drop_reason=None,
        drop_detail=None,
        failed=False,
    )


def _with_header(row: ImageRow, header: Header | None) -> ImageRow:
    if header is None:
        return row
    return row._replace(
        format=header.format,
        width=header.width,
        height=header.height,
        exif_orientation=header.exif_orientation,
        captured_at=header.captured_at,
    )


def _dropped(digest: bytes, size: int, reason: str, detail: str, *, failed: bool = False) -> ImageRow:
    fields: dict[str, None] = dict.fromkeys(ImageRow._fields)
    known = {"image_id": digest, "frame": 0, "bytes": size, "drop_reason": reason, "drop_detail": detail}
    return ImageRow(**{**fields, **known, "failed": failed})  # type: ignore[arg-type]
