"""Answers as files, and as text on a terminal."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO, StringIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from diabolo.errors import DataError
from diabolo.utils.files import open_atomic, write_atomic

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".csv", ".tsv", ".parquet", ".arrow", ".ndjson")


def check_format(path: str | Path | None) -> None:
    """Refuse a format that cannot be written before the work starts.

    Raises:
        DataError: the ending of the file is not known, or its folder does not exist.
    """
    if path is None or str(path) == "-":
        return
    path = Path(path)
    if path.suffix not in FORMATS:
        raise DataError(
            f"{path}: the format {path.suffix!r} cannot be written", hint=f"one of {', '.join(FORMATS)}"
        )
    check_place(path)


def check_place(path: Path) -> None:
    """Refuse a file that cannot be written before the work starts.

    Raises:
        DataError: its folder does not exist, or it is a folder itself.
    """
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}")
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a file")


def to_bytes(table: pa.Table, suffix: str) -> bytes:
    """A table in one of `FORMATS`."""
    sink = BytesIO()
    write_batches(sink, suffix, [table])
    return sink.getvalue()


def write_batches(file: BinaryIO, suffix: str, tables: Iterable[pa.Table]) -> None:
    """Tables of the same columns, one after the other, in one of `FORMATS`; one is in memory at a time."""
    tables = iter(tables)
    first = next(tables)
    every = chain([first], tables)
    if suffix == ".parquet":
        import pyarrow.parquet

        with pyarrow.parquet.ParquetWriter(file, first.schema) as writer:
            for table in every:
                writer.write_table(table)
    elif suffix == ".arrow":
        import pyarrow as pa

        with pa.ipc.new_file(file, first.schema) as stream:
            for table in every:
                stream.write_table(table)
    else:
        for number, table in enumerate(every):
            file.write(_as_text(table, suffix, heading=number == 0).encode())
            file.flush()


def _as_text(table: pa.Table, suffix: str, *, heading: bool) -> str:
    if suffix not in (".csv", ".tsv"):
        lines = (json.dumps(row, default=str, allow_nan=False) for row in _finite(table.to_pylist()))
        return "".join(f"{line}\n" for line in lines)
    # Not pyarrow's writer: it quotes every text, and a repaired file should differ where it was repaired.
    text = StringIO()
    writer = csv.writer(text, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")
    if heading:
        writer.writerow(table.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return text.getvalue()


def _finite(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bad = (float("inf"), float("-inf"))
    return [
        {k: None if isinstance(v, float) and (v != v or v in bad) else v for k, v in r.items()} for r in rows
    ]


def with_keys(answer: pa.Table, data: pa.Table, names: Sequence[str | None]) -> pa.Table:
    """Put the row's number, and columns of the data that say which row it is, before an answer."""
    import pyarrow as pa

    keys: dict[str, Any] = {"row": pa.array(range(data.num_rows), pa.int64())}
    keys |= {name: data[name] for name in names if name is not None}
    return pa.table({**keys, **{n: answer[n] for n in answer.column_names}})


def show(table: pa.Table, title: str) -> None:
    """Print a few rows on standard output, aligned."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False)
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        # As text: rich would read [kg] as a style.
        side: Literal["left", "right"] = "right" if str(kind) in ("double", "float", "int64") else "left"
        shown.add_column(Text(name), justify=side, overflow="fold")
    for row in table.to_pylist():
        shown.add_row(*(Text(_short(v)) for v in row.values()))
    console = Console()
    console.print(Text(title, style="italic"))
    console.print(shown)


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def give(
    table: pa.Table, output: Path | None, as_json: bool, title: str = "", shown: pa.Table | None = None
) -> None:
    """To a file, to a pipe as csv or ndjson, or a few rows to a terminal."""
    if output is not None and str(output) != "-":
        write_atomic(output, to_bytes(table, output.suffix))
    elif as_json or not sys.stdout.isatty():
        sys.stdout.buffer.write(to_bytes(table, ".ndjson" if as_json else ".csv"))
        sys.stdout.buffer.flush()
    else:
        show(table if shown is None else shown, title)


def stream(tables: Iterator[pa.Table], output: Path | None, as_json: bool) -> None:
    """To a file or a pipe, one table after the other; the first rows to a terminal."""
    if output is not None and str(output) != "-":
        with open_atomic(output) as file:
            write_batches(file, output.suffix, tables)
    elif as_json or not sys.stdout.isatty():
        write_batches(sys.stdout.buffer, ".ndjson" if as_json else ".csv", tables)
    else:
        show(next(tables).slice(0, 10), "the first rows")
