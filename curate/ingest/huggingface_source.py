"""Images of a Hugging Face dataset, by row, through `datasets`: from the Hub or a local folder."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from curate.errors import InputError
from curate.extras import require
from curate.ingest.download import DownloadError
from curate.ingest.place_names import holds_positions
from curate.ingest.sources import Source
from curate.ingest.table_rows import as_text

_BATCH = 1000


def identity(source: Source) -> tuple[str, int]:
    """What changes whenever a row could, and the number of rows.

    Raises:
        InputError: No such dataset, split or column.
        DownloadError: It cannot be fetched now.
        MissingExtraError: `datasets` is not installed.
    """
    data = _of(source)
    return str(data._fingerprint), len(data)


def attributes(source: Source) -> Iterator[dict[str, str]]:
    """Yield the other columns of every row, in order, as text; images and their kin are left out."""
    data = _of(source)
    kinds = {name: type(kind).__name__ for name, kind in data.features.items()}
    wanted = [
        name
        for name, kind in kinds.items()
        if name != source.column
        and kind not in ("Image", "Audio", "Video", "Pdf")
        and (source.columns is None or name in source.columns)
    ]
    for name in wanted:
        if holds_positions(name):
            raise InputError(
                f"{source.origin}: column {name!r} holds positions, which are never taken in: "
                "list the other columns as attributes: [...]"
            )
    rest = data.select_columns(wanted) if wanted else None
    names = {name: data.features[name].names for name in wanted if kinds[name] == "ClassLabel"}
    if rest is None:
        yield from ({} for _ in range(len(data)))
        return
    for batch in rest.iter(batch_size=_BATCH):
        columns = {name: [_named(value, names.get(name)) for value in batch[name]] for name in wanted}
        for index in range(len(batch[wanted[0]])):
            cells = ((name, as_text(columns[name][index])) for name in wanted)
            yield {name: text for name, text in cells if text is not None}


def read(source: Source, row: int) -> bytes:
    """The bytes of a row's image.

    Raises:
        OSError: The row has no image, or its file cannot be read.
    """
    data = _of(source)
    cell = data[row][source.column]
    if cell is not None and cell.get("bytes") is not None:
        return bytes(cell["bytes"])
    if cell is not None and cell.get("path"):
        with open(cell["path"], "rb") as file:  # noqa: PTH123 - as datasets wrote it
            return file.read()
    raise FileNotFoundError(2, "the row holds no image")


def _of(source: Source) -> Any:
    return _open((source.where, source.config, source.split, source.revision), source.column, source.origin)


def _named(value: Any, names: list[str] | None) -> Any:
    return names[value] if names is not None and isinstance(value, int) and value >= 0 else value


@functools.lru_cache(maxsize=4)
def _open(wanted: tuple[str, str | None, str, str], column: str, origin: str) -> Any:
    """The dataset; its images stay bytes."""
    where, config, split, revision = wanted
    datasets = require("datasets", extra="hub")
    try:
        data = datasets.load_dataset(where, config, split=split, revision=revision)
    except Exception as error:
        # The Hub's client has errors of several libraries: what is not the user's mistake is the network's.
        line = f"hf {where!r} cannot be loaded: {' '.join(str(error).split())}"
        if isinstance(error, FileNotFoundError | PermissionError | ValueError):
            raise InputError(f"{origin}: {line}") from error
        raise DownloadError(line) from error
    if column not in data.features:
        listed = ", ".join(map(repr, data.features))
        raise InputError(f"{origin}: hf {where!r} has no column {column!r}; columns are {listed}")
    if type(data.features[column]).__name__ != "Image":
        raise InputError(f"{origin}: column {column!r} of hf {where!r} holds no images")
    return data.cast_column(column, datasets.Image(decode=False))
