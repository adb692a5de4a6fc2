"""Stage ingest: sources of raw files become one row per distinct image, and a folder of upright files.

What was seen is remembered in a ledger, so that a run reads only what is new or changed; see `curate.ingest`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate import fingerprint, tables
from curate.errors import InputError
from curate.images.upright_srgb import Limits
from curate.ingest import (
    archive_source,
    folder_source,
    image_store,
    images_table,
    ledger,
    ledger_writer,
    list_source,
    read_plan,
    sources,
    table_counts,
    url_source,
    worker,
)
from curate.ingest.listing import Context
from curate.ingest.place_names import is_url
from curate.ingest.read_plan import Plan, Rules
from curate.ingest.reader import Reader, Work
from curate.ingest.sources import Source, Sources
from curate.ingest.url_access import Access, DownloadError, Network
from curate.params import IngestParams
from curate.ports import Casualty, Engine
from curate.records import StageReport

_DECODERS = ("pillow", "pillow-heif", "pillow-jxl-plugin", "simplejpeg", "tifffile")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the stage reads. `raw` is a folder that holds the list of sources; None = the list names all."""

    raw: Path | None


@dataclass(frozen=True, slots=True)
class Outputs:
    """What the stage writes.

    Attributes:
        table: One row per distinct image.
        images: Folder of upright files, kept between runs and brought up to date.
        ledger: What was seen, kept between runs; without it everything is read again.
        cache: Bytes that came from elsewhere; what is lost is fetched again.
    """

    table: Path
    images: Path
    ledger: Path
    cache: Path = Path(".cache/remote")


@dataclass(frozen=True, slots=True)
class Ports:
    """Outside systems that the stage needs.

    Attributes:
        engine: Runs what looks at files.
        batch_size: Files that a worker takes at a time.
    """

    engine: Engine
    batch_size: int = 64


@dataclass(frozen=True, slots=True)
class _Run:
    """What the steps of a run share."""

    outputs: Outputs
    ports: Ports
    rules: Rules
    settings: worker.Settings
    db: sqlite3.Connection
    sources: dict[int, Source]


def run(params: IngestParams, *, inputs: Inputs, outputs: Outputs, ports: Ports) -> StageReport:
    """Ingest all files of all sources.

    Files with the same bytes become one row. A file that is no fit image is a row with its reason; so is a
    file that cannot be read, and the next run tries it again. A file that is gone leaves its row, with the
    reason "removed" once no other place has its bytes. `outputs.images` ends up with exactly the upright
    files of the kept rows. The table does not depend on the engine, nor on what earlier runs had done,
    but for the rows of removed files.

    Raises:
        InputError: No raw folder, no file, no usable image, or a list of sources that does not fit.
        ParamsError: The list of sources is malformed.
        StorageError: The disk is full or refuses, or another run uses the ledger.
    """
    known = _sources(params, inputs, outputs)
    try:
        return _with_ledger(params, known, inputs, outputs, ports)
    except ledger.LedgerDamagedError as error:  # met only now: begin again without it
        ledger.set_aside(outputs.ledger, error)
        return _with_ledger(params, known, inputs, outputs, ports)


def _with_ledger(
    params: IngestParams, known: Sources, inputs: Inputs, outputs: Outputs, ports: Ports
) -> StageReport:
    with ledger.opened(outputs.ledger) as db:
        ids = {source.name: ledger.source_id(db, source.name) for source in known.sources}
        own = {str(path).encode("utf-8", "surrogateescape") for path in known.own_files}
        by_id = {ids[source.name]: source for source in known.sources}
        settings = _settings(params, outputs, by_id)
        step = _Run(outputs, ports, _rules(params, settings), settings, db, by_id)
        context = Context(db, ids, own, outputs.cache, _network(params))
        _list(context, known)
        if not db.execute("SELECT 1 FROM scratch.listed LIMIT 1").fetchone():
            place = f"raw folder {inputs.raw}" if inputs.raw else f"what {params.sources} names"
            raise InputError(f"{place} holds no file: put images there")
        read_plan.compare(db, step.rules, by_id)
        read = _read(step, again=False)
        stale = _tidy(step)
        read_plan.settle(db, step.rules, context.archives)
        _refuse_nothing(db, f"{inputs.raw or params.sources}")
        tally = images_table.write(db, outputs.table, outputs.images, known.sources)
        made = table_counts.of(db, outputs.table, tally)
    this_run = [("read", read), *([("stale files removed", stale)] if stale else [])]
    return StageReport("ingest", tuple(made["counts"].items()), made["metrics"], tuple(this_run))


def _sources(params: IngestParams, inputs: Inputs, outputs: Outputs) -> Sources:
    raw = inputs.raw
    if raw is not None and not raw.is_dir():
        raise InputError(f"raw folder {raw} does not exist: create it, or set ingest.raw in params.yaml")
    known = sources.load(raw, params.sources)
    for source in known.sources:
        if is_url(source.where):
            try:
                Access.of(source, _network(params)).refuse(source.where)
            except DownloadError as error:
                raise InputError(f"{source.origin}: {error}") from error
    ours = sources.absolute(outputs.images)
    for source in known.sources:
        theirs = Path(source.where)
        if source.kind == "path" and (ours.is_relative_to(theirs) or theirs.is_relative_to(ours)):
            raise InputError(
                f"raw folder {raw if source.name == sources.UNLISTED or not params.sources else theirs} and "
                f"image folder {outputs.images} overlap: set ingest.raw elsewhere"
            )
    return known


def _list(context: Context, known: Sources) -> None:
    """Everything that is there now, into `scratch.listed`."""
    for source in known.sources:
        if source.kind in ("list", "table", "archive"):
            context.own.update(_files_of(source))
    others = {
        "list": list_source.put,
        "table": list_source.put,
        "archive": archive_source.put_archives,
        "hf": archive_source.put_rows,
        "url": url_source.put,
    }
    for source in known.sources:
        if source.kind in others:
            others[source.kind](context, source)
    folder_sources = [source for source in known.sources if source.kind == "path"]
    folder_source.put(context, folder_sources, known.attributes)
    folder_source.drop_named_elsewhere(context, known.sources)


def _files_of(source: Source) -> Iterator[bytes]:
    """A list, table or archive is no image, even where it lies among them."""
    paths = archive_source.local_paths(source) if source.kind == "archive" else [source.where]
    return (str(sources.absolute(Path(path))).encode("utf-8", "surrogateescape") for path in paths)


def _settings(params: IngestParams, outputs: Outputs, by_id: dict[int, Source]) -> worker.Settings:
    return worker.Settings(
        Reader(by_id, outputs.cache.absolute(), params.max_bytes, _network(params)),
        Limits(params.min_side, params.max_pixels, params.max_aspect),
        params.frames,
        params.jpeg_quality,
        params.lossless,
        outputs.images.absolute(),
        params.mode == "reference",
    )


def _network(params: IngestParams) -> Network:
    return Network(params.retries, params.timeout_s, params.schemes, params.private_addresses)


def _rules(params: IngestParams, settings: worker.Settings) -> Rules:
    limits = settings.limits
    return Rules(
        _number(_code(), params.frames, params.jpeg_quality, params.lossless, params.mode),
        _number(limits.min_side, limits.max_pixels, limits.max_aspect, params.max_bytes),
        limits,
        params.max_bytes,
        params.verify,
    )


def _code() -> str:
    """Changes with the code and the libraries that decide what becomes of a file."""
    return fingerprint.digest("curate.images.upright_srgb", packages=_DECODERS)


def _number(*parts: object) -> int:
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _read(step: _Run, *, again: bool) -> int:
    """Read what has to be read; how many places that were."""
    todo = Plan(step.db, step.rules, step.sources, again)
    total = todo.count()
    handed_out: deque[Sequence[Work]] = deque()

    def batches() -> Iterator[Sequence[Work]]:
        for batch in todo.batches(step.ports.batch_size):
            ready = [(work, worker.failure(work, verdict)) for work, verdict in batch if verdict is not None]
            ledger_writer.write(
                step.db, step.rules, [work for work, _ in ready], [result for _, result in ready]
            )
            if left := [work for work, verdict in batch if verdict is None]:
                handed_out.append(left)
                yield left

    if not total:
        return 0
    setup = functools.partial(worker.worker, step.settings)
    with ledger.gathering(step.db) as between:
        for results in step.ports.engine.map_batches(setup, batches(), label="ingest", total=total):
            batch = handed_out.popleft()
            found = [
                worker.killer(work, f"killed its worker: {result.how}", step.settings.reader)
                if isinstance(result, Casualty)
                else result
                for work, result in zip(batch, results, strict=True)
            ]
            ledger_writer.write(step.db, step.rules, batch, found)
            between()
    return total


def _tidy(step: _Run) -> int:
    """Make the image folder hold exactly the live images; how many files had to be removed."""
    db, folder = step.db, step.outputs.images
    read_plan.settle_images(db)
    read_plan.find_doubtful(db)
    try:
        removed = image_store.sweep(
            folder, functools.partial(read_plan.expected, db), functools.partial(read_plan.lost, db)
        )
        if _read(step, again=True):
            read_plan.settle_images(db)
            removed += image_store.sweep(folder, functools.partial(read_plan.expected, db), lambda _: None)
    except OSError as error:
        raise tables.storage_error(error, folder) from error
    return removed


def _refuse_nothing(db: sqlite3.Connection, place: str) -> None:
    if db.execute("SELECT 1 FROM images WHERE live = 1 AND drop_reason IS NULL LIMIT 1").fetchone():
        return
    files = db.execute("SELECT COUNT(*) FROM places WHERE gone = 0").fetchone()[0]
    listed = ", ".join(f"{count} {reason}" for reason, count in table_counts.reasons(db).items())
    raise InputError(f"{place} holds {files} files but no usable image ({listed}): put images there")
