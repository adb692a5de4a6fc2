"""What people drew, a part at a time: rows of the annotations of pull on some images or tasks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate import schema, tables

_ROWS = 65_536  # held at once
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True, slots=True)
class DrawnRows:
    """The rows of all answers but some.

    Attributes:
        path: The table of pull.
        replaced: Answers that take no part, by task and labeler.
    """

    path: Path
    replaced: frozenset[tuple[str, str]] = frozenset()

    def all(self) -> pa.Table:
        """Every row that people drew.

        Raises:
            TableError: The table is missing or damaged.
        """
        return self._without_replaced(tables.read(self.path, schema.ANNOTATIONS))

    def of(self, column: str, values: Collection[str]) -> pa.Table:
        """Rows whose `column` has one of some values, such as some images; see `all`."""
        wanted = pa.array(sorted(values), pa.string())
        parts = [schema.ANNOTATIONS.arrow.empty_table()]
        for piece in tables.pieces(self.path, schema.ANNOTATIONS, rows=_ROWS) if values else ():
            parts.append(self._without_replaced(piece.filter(pc.is_in(piece[column], value_set=wanted))))
        return pa.concat_tables(parts)

    def cut(self, firsts: Sequence[str], paths: Sequence[Path]) -> None:
        """Write the rows of ranges of image ids into Arrow files, in the order of the table.

        Args:
            firsts: The first image id of each range, rising; ids before the first belong to the first.
            paths: One a range.

        Raises:
            TableError: See `all`.
            StorageError: A file cannot be written.
        """
        borders = np.array(firsts[1:], dtype=np.str_)
        arrow = schema.ANNOTATIONS.arrow
        files = [pa.OSFile(str(path), "wb") for path in paths]
        writers = [pa.ipc.new_file(file, arrow, options=_OPTIONS) for file in files]
        try:
            for piece in tables.pieces(self.path, schema.ANNOTATIONS, rows=_ROWS):
                rows = self._without_replaced(piece)
                ids = rows["image_id"].to_numpy().astype(np.str_)
                part = np.searchsorted(borders, ids, side="right")
                order = np.argsort(part, kind="stable")
                starts = np.searchsorted(part[order], np.arange(len(paths) + 1))
                ordered = rows.take(pa.array(order)).cast(arrow)
                for writer, start, stop in zip(writers, starts[:-1], starts[1:], strict=True):
                    if start < stop:
                        writer.write_table(ordered.slice(start, stop - start))
        except OSError as error:
            raise tables.storage_error(error, paths[0]) from error
        finally:
            for writer, file in zip(writers, files, strict=True):
                writer.close()
                file.close()

    def _without_replaced(self, rows: pa.Table) -> pa.Table:
        if not self.replaced:
            return rows
        keys = zip(rows["task_id"].to_pylist(), rows["annotator_id"].to_pylist(), strict=True)
        return rows.filter(pa.array([key not in self.replaced for key in keys], pa.bool_()))
