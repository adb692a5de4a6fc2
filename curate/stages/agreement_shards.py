"""The work of the stage agreement on what people drew, by shards of whole images on the engine.

One shard is worked on here and now, without a file. Of several each worker takes one, and what it makes goes
through files in a folder beside the outputs: memory goes with the shard, and with the sums of all.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate import tables
from curate.agreement import bad_rows, figures, image_shards
from curate.agreement.bad_rows import BadRow, Known
from curate.agreement.consensus import Consensus, Rules, Settled
from curate.agreement.figures import Settings
from curate.agreement.image_shards import Compared, Estimated, Found, Seen, ShardTables
from curate.errors import CurateError
from curate.intervals import Figure
from curate.params import AgreementParams
from curate.ports import Casualty, Engine
from curate.stages.drawn_rows import DrawnRows

_ROWS, _COMPARED = "rows", "compared"  # files of a shard, beside those of its tables


@dataclass(frozen=True, slots=True)
class Ports:
    """Outside systems that the stage needs.

    Attributes:
        engine: Where shards are worked on, if there are several.
    """

    engine: Engine


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done.

    Attributes:
        params: The section `agreement`.
        drawn: What people drew.
        known: What rows are held against; `tasks` are all planned ones.
        settings: How figures are computed.
        image_slices: Slices by attribute that an image belongs to as a whole, by image.
        scratch: A folder for the files of shards, on a disk that all workers see; it is removed in the end.
    """

    params: AgreementParams
    drawn: DrawnRows
    known: Known
    settings: Settings
    image_slices: Mapping[str, Sequence[str]]
    scratch: Path


@dataclass(frozen=True, slots=True)
class Everything:
    """What people drew on all images, settled.

    Attributes:
        agreed: What they agree on; its `settled` is empty, since joint objects stay with their shards.
        pairs: The table `pairs` in pieces, in its order.
        measured: Every figure.
        found: The rest that was found.
        bad: Rows that cannot be.
        people: Everybody with a row.
        taxonomies: Digests of the taxonomies that people labelled by; None of a row without.
    """

    agreed: Consensus
    pairs: Sequence[pa.Table]
    measured: Mapping[figures.Key, Figure]
    found: Found
    bad: Sequence[BadRow]
    people: set[str]
    taxonomies: set[str | None]


@dataclass(frozen=True, slots=True)
class _Shard:
    """What is worked on at a time; `folder` is where its files go, None = there are none."""

    number: int
    known: Known
    folder: Path | None

    def __str__(self) -> str:
        return f"shard {self.number}"

    def file(self, what: str) -> Path:
        return (self.folder or Path()) / f"{self.number:05d}-{what}"


@dataclass(frozen=True, slots=True)
class _Comparing:
    shard: _Shard
    rows: pa.Table | None  # None = in its file

    def __str__(self) -> str:
        return str(self.shard)


@dataclass(frozen=True, slots=True)
class _Settling:
    shard: _Shard
    compared: Compared | None  # None = in its file
    estimated: Estimated
    image_slices: Mapping[str, Sequence[str]]

    def __str__(self) -> str:
        return str(self.shard)


def run(job: Job, ports: Ports) -> Everything:
    """Compare, settle and measure.

    However the images are cut into shards and wherever these are worked on, the result is the same.

    Raises:
        TableError: The table of pull is missing or damaged, or has bad rows and the policy is to refuse them.
        RecordError: A mask is damaged or of another size than its image.
        StorageError: A file cannot be written.
        CurateError: A shard killed its worker each time.
    """
    params = job.params
    with _cut(job) as shards:
        compared = list(_mapped(ports, functools.partial(_comparing, params), _to_compare(job, shards)))
        seen = [one for _, one in compared]
        bad = sorted((row for one in seen for row in one.bad), key=lambda row: row.annotation_id)
        bad_rows.refuse(bad, policy=params.bad_rows)
        estimated = image_shards.whole(seen, min_votes_share=params.min_votes_share)
        to_settle = [
            _Settling(shard, work, known, _of_shard(job.image_slices, shard))
            for shard, (work, _), known in zip(shards, compared, estimated, strict=True)
        ]
        del compared
        settled = _mapped(ports, functools.partial(_settling, params, job.settings), to_settle)
        parts: list[ShardTables] = []
        found = _joined(_kept(shards, settled, parts))
    agreed = Consensus(
        pa.concat_tables([part.annotations for part in parts]),
        pa.concat_tables([part.objects for part in parts]),
        found.image_confidence,
        found.unseen,
        estimated[0].reliability,
        Settled.nothing(),
    )
    return Everything(
        agreed=agreed,
        pairs=[part.pairs for part in parts],
        measured=figures.compute(found.added, job.settings),
        found=found,
        bad=bad,
        people=set().union(*(one.people for one in seen)),
        taxonomies=set().union(*(one.taxonomies for one in seen)),
    )


@contextmanager
def _cut(job: Job) -> Iterator[list[_Shard]]:
    """The images in shards; of several, the rows of each in a file."""
    firsts = sorted(job.known.tasks)[:: job.params.shard_size]
    folder = job.scratch
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    if len(firsts) <= 1:
        yield [_Shard(0, job.known, None)]
        return
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise tables.storage_error(error, folder) from error
    try:
        shards = [
            _Shard(number, known, folder.absolute()) for number, known in enumerate(_known(job.known, firsts))
        ]
        job.drawn.cut(firsts, [shard.file(_ROWS) for shard in shards])
        yield shards
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _known(known: Known, firsts: Sequence[str]) -> Iterator[Known]:
    """What the rows of each shard are held against: the images from its first to the next shard's."""
    images = sorted(known.sizes)
    starts = [0, *(bisect.bisect_left(images, first) for first in firsts[1:]), len(images)]
    for start, stop in itertools.pairwise(starts):
        mine = images[start:stop]
        yield Known(
            {image_id: known.sizes[image_id] for image_id in mine},
            known.categories,
            {image_id: known.tasks[image_id] for image_id in mine if image_id in known.tasks},
        )


def _of_shard(image_slices: Mapping[str, Sequence[str]], shard: _Shard) -> Mapping[str, Sequence[str]]:
    return {image_id: image_slices[image_id] for image_id in shard.known.tasks if image_id in image_slices}


def _to_compare(job: Job, shards: Sequence[_Shard]) -> Iterator[_Comparing]:
    for shard in shards:
        yield _Comparing(shard, job.drawn.all() if shard.folder is None else None)


def _mapped(
    ports: Ports, setup: Callable[[], Callable[[Sequence[Any]], list[Any]]], items: Iterable[Any]
) -> Iterator[Any]:
    """Results of shards, in order; of one alone, from this process.

    Raises:
        CurateError: A shard killed its worker each time.
    """
    waiting = list(items)
    if len(waiting) == 1:
        yield from setup()(waiting)
        return
    results = ports.engine.map_batches(
        setup, ([item] for item in waiting), label="agreement", total=len(waiting)
    )
    for item, (result,) in zip(waiting, results, strict=True):
        if isinstance(result, Casualty):
            raise CurateError(
                f"agreement: {item} ended its worker each time ({result.how}): use a smaller "
                "agreement.shard_size or fewer engine.workers"
            )
        yield result


def _comparing(
    params: AgreementParams,
) -> Callable[[Sequence[_Comparing]], list[tuple[Compared | None, Seen]]]:
    """What workers do first."""

    def compare(items: Sequence[_Comparing]) -> list[tuple[Compared | None, Seen]]:
        return [_compared(params, item.shard, item.rows) for item in items]

    return compare


def _compared(params: AgreementParams, shard: _Shard, rows: pa.Table | None) -> tuple[Compared | None, Seen]:
    drawn = _mapped_table(shard.file(_ROWS)) if rows is None else rows
    compared, seen = image_shards.compare(
        drawn, shard.known, iou_threshold=params.iou_threshold, policy=params.bad_rows
    )
    if shard.folder is None:
        return compared, seen
    with tables.replacing(shard.file(_COMPARED)) as partial, partial.open("wb") as file:
        pickle.dump(compared, file, protocol=pickle.HIGHEST_PROTOCOL)
    return None, seen


def _settling(
    params: AgreementParams, settings: Settings
) -> Callable[[Sequence[_Settling]], list[tuple[ShardTables | None, Found]]]:
    """What workers do then."""
    rules = Rules(params.min_votes_share, params.mask_iou_threshold)

    def settle(items: Sequence[_Settling]) -> list[tuple[ShardTables | None, Found]]:
        return [_settled(item, rules, settings) for item in items]

    return settle


def _settled(item: _Settling, rules: Rules, settings: Settings) -> tuple[ShardTables | None, Found]:
    compared = item.compared
    if compared is None:
        with item.shard.file(_COMPARED).open("rb") as file:
            compared = pickle.load(file)  # noqa: S301 - our own, of this run
    made, found = image_shards.settle(
        compared, item.estimated, rules=rules, settings=settings, image_slices=item.image_slices
    )
    if item.shard.folder is None:
        return made, found
    for field in fields(made):
        table: pa.Table = getattr(made, field.name)
        with (
            tables.replacing(item.shard.file(field.name)) as partial,
            pa.OSFile(str(partial), "wb") as file,
            pa.ipc.new_file(file, table.schema) as writer,
        ):
            writer.write_table(table)
    return None, found


def _kept(
    shards: Sequence[_Shard],
    settled: Iterable[tuple[ShardTables | None, Found]],
    parts: list[ShardTables],
) -> Iterator[Found]:
    """What was found, shard by shard; tables go to `parts`, mapped from their files."""
    for shard, (made, found) in zip(shards, settled, strict=True):
        parts.append(
            made or ShardTables(*(_mapped_table(shard.file(field.name)) for field in fields(ShardTables)))
        )
        for name in (_ROWS, _COMPARED) if shard.folder is not None else ():
            shard.file(name).unlink(missing_ok=True)
        yield found


def _joined(parts: Iterator[Found]) -> Found:
    found = next(parts)
    for part in parts:
        found.join(part)
    return found


def _mapped_table(path: Path) -> pa.Table:
    """A table as it lies on the disk: it takes memory only where it is read."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
