"""Answers as files, and as tables on a terminal."""

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
from diabolo.utils.json import to_json_value

if TYPE_CHECKING:
    import pyarrow as pa

    from diabolo.data.sources import UserTable
    from diabolo.tasks import Answer

FORMATS = (".csv", ".tsv", ".parquet", ".arrow", ".ndjson")
TEXT_FORMATS = (".csv", ".tsv", ".ndjson")


def check_format(path: str | Path | None) -> None:
    """Check before the work starts that a file's format can be written; None and "-" are standard output.

    Raises:
        DataError: the suffix is not one of `FORMATS`, or the file cannot be written there.
    """
    if path is None or str(path) == "-":
        return
    path = Path(path)
    if path.suffix not in FORMATS:
        raise DataError(
            f"{path}: the format {path.suffix!r} cannot be written", hint=f"one of {', '.join(FORMATS)}"
        )
    check_writable(path)


def check_answer(path: Path | None) -> None:
    """Check before the work starts that an answer can be written: to a file, or its images into a folder.

    Raises:
        DataError: see `check_format`; or the folder is a file.
    """
    from diabolo.data.images import is_image_path

    if path is not None and is_image_path(path):
        raise DataError(f"{path}: images are written into a folder, under their names", hint="-o NEW_FOLDER")
    if path is None or path.suffix or str(path) == "-":
        check_format(path)
    elif path.exists() and not path.is_dir():
        raise DataError(f"{path} is a file, not a folder", hint=f"-o {path}.parquet, or -o NEW_FOLDER")


def check_images(rows: UserTable, output: Path | None) -> None:
    """Check before the work starts that images can be written, and would not replace those that were read.

    Args:
        rows: the data.
        output: as for `check_answer`.

    Raises:
        DataError: an answer with images would be text, or would be written over the data.
    """
    from diabolo.data.images import find_encoded_images
    from diabolo.data.images.answers import check_not_input
    from diabolo.data.images.encoding import file_names

    columns = rows.columns()
    if not (encoded := find_encoded_images(columns)):
        return
    if output is None or output.suffix in TEXT_FORMATS or str(output) == "-":
        raise DataError("the answer holds images, which are no text", hint="-o NEW_FOLDER")
    if not output.suffix:
        paths = [v for v in columns[encoded[0]].to_pylist() if isinstance(v, str)]
        check_not_input(output, file_names(paths, ["PNG"] * len(paths)), paths)


def write_images_or_rows(answer: Answer, output: Path | None, as_json: bool, quiet: bool) -> None:
    """Write the images of an answer into a folder, or its rows as `write_answer` does.

    Args:
        answer: of a task.
        output: a folder, a file, or None for standard output.
        as_json: write ndjson to standard output.
        quiet: do not say how many images were written.

    Raises:
        UnsupportedError: a folder is named, but the answer holds no images.
        DataError: the file or folder cannot be written.
    """
    if output is None or output.suffix or str(output) == "-":
        table = answer.to_arrow()
        write_answer(table, output, as_json, "the first rows", table.slice(0, 10))
        return
    written = answer.save_images(output)
    if not quiet:
        print(f"{len(written):,} images written to {output}", file=sys.stderr)


def check_writable(path: Path) -> None:
    """Check before the work starts that a file can be written.

    Raises:
        DataError: its folder does not exist, or the path is a folder.
    """
    if not path.parent.is_dir():
        raise DataError(f"{path}: the folder {path.parent} does not exist", hint=f"mkdir -p {path.parent}")
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a file")


def to_bytes(table: pa.Table, suffix: str) -> bytes:
    """Return the bytes of a table as a file.

    Args:
        table: the table.
        suffix: one of `FORMATS`.
    """
    sink = BytesIO()
    write_batches(sink, suffix, [table])
    return sink.getvalue()


def write_batches(file: BinaryIO, suffix: str, tables: Iterable[pa.Table]) -> None:
    """Write tables one after the other into one file; only one of them is in memory at a time.

    Args:
        file: open for writing.
        suffix: one of `FORMATS`.
        tables: one table or more, with the same columns.
    """
    tables = iter(tables)
    first = next(tables)
    all_tables = chain([first], tables)
    if suffix == ".parquet":
        import pyarrow.parquet

        with pyarrow.parquet.ParquetWriter(file, first.schema) as writer:
            for table in all_tables:
                writer.write_table(table)
    elif suffix == ".arrow":
        import pyarrow as pa

        with pa.ipc.new_file(file, first.schema) as stream:
            for table in all_tables:
                stream.write_table(table)
    else:
        for number, table in enumerate(all_tables):
            file.write(_as_text(table, suffix, heading=number == 0).encode())
            file.flush()


def _as_text(table: pa.Table, suffix: str, *, heading: bool) -> str:
    if suffix not in (".csv", ".tsv"):
        lines = (json.dumps(to_json_value(row), default=str, allow_nan=False) for row in table.to_pylist())
        return "".join(f"{line}\n" for line in lines)
    # Not with pyarrow's writer: it quotes every text, so that a repaired file would differ everywhere.
    text = StringIO()
    writer = csv.writer(text, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")
    if heading:
        writer.writerow(table.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return text.getvalue()


def add_key_columns(answer: pa.Table, data: pa.Table, names: Sequence[str | None]) -> pa.Table:
    """Return an answer with the row number and key columns of the data in front of its columns.

    Args:
        answer: one row per row of the data.
        data: the data.
        names: columns of the data to add; None among them is skipped.
    """
    import pyarrow as pa

    keys: dict[str, Any] = {"row": pa.array(range(data.num_rows), pa.int64())}
    keys |= {name: data[name] for name in names if name is not None}
    return pa.table({**keys, **{n: answer[n] for n in answer.column_names}})


def add_paths(cells: pa.Table, data: UserTable) -> pa.Table:
    """Return an answer with the paths of its images behind the numbers of its rows.

    Args:
        cells: lines about rows, whose first column has their numbers.
        data: the data.
    """
    for place, name in enumerate(path_columns(data), start=1):
        cells = cells.add_column(place, name, data.table[name].take(cells["row"]))
    return cells


def path_columns(data: UserTable) -> list[str]:
    """Return the columns of the data that hold paths of images, which name the rows of an answer.

    Args:
        data: the data.
    """
    import pyarrow as pa

    from diabolo.data.images import find_encoded_images

    columns = data.columns()
    return [name for name in find_encoded_images(columns) if pa.types.is_string(columns[name].type)]


def print_table(table: pa.Table, title: str) -> None:
    """Print a table to standard output, with aligned columns.

    Args:
        table: the rows to print.
        title: a line above the table.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False)
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        # As text: rich would read [kg] as a style.
        side: Literal["left", "right"] = "right" if str(kind) in ("double", "float", "int64") else "left"
        shown.add_column(Text(name), justify=side, overflow="fold")
    for row in table.to_pylist():
        shown.add_row(*(Text(_format_cell(v)) for v in row.values()))
    console = Console()
    console.print(Text(title, style="italic"))
    console.print(shown)


def _format_cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_answer(
    table: pa.Table, output: Path | None, as_json: bool, title: str = "", shown: pa.Table | None = None
) -> None:
    """Write an answer to a file, to a pipe as csv or ndjson, or in part to a terminal.

    Args:
        table: the answer.
        output: the file; None or "-" for standard output.
        as_json: write ndjson to standard output.
        title: a line above what a terminal shows.
        shown: the rows that a terminal shows; None for all of them.

    Raises:
        DataError: the file cannot be written.
    """
    if output is not None and str(output) != "-":
        write_atomic(output, to_bytes(table, output.suffix))
    elif as_json or not sys.stdout.isatty():
        sys.stdout.buffer.write(to_bytes(table, ".ndjson" if as_json else ".csv"))
        sys.stdout.buffer.flush()
    else:
        print_table(table if shown is None else shown, title)


def write_answer_in_batches(tables: Iterator[pa.Table], output: Path | None, as_json: bool) -> None:
    """Write an answer that comes as several tables; a terminal shows the first rows.

    Args:
        tables: the answer, one batch of rows after the other.
        output: the file; None or "-" for standard output.
        as_json: write ndjson to standard output.

    Raises:
        DataError: the file cannot be written.
    """
    if output is not None and str(output) != "-":
        with open_atomic(output) as file:
            write_batches(file, output.suffix, tables)
    elif as_json or not sys.stdout.isatty():
        write_batches(sys.stdout.buffer, ".ndjson" if as_json else ".csv", tables)
    else:
        print_table(next(tables).slice(0, 10), "the first rows")
