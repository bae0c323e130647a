"""Tables in files."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.json
import pyarrow.parquet

from diabolo.errors import DataError

# What people write where there is no value; "?" is the habit of the UCI repository.
HOLES = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A", "?"]
FORMATS = (".csv", ".tsv", ".txt", ".parquet", ".arrow", ".feather", ".ipc", ".ndjson", ".jsonl")


def read_file(path: str | Path) -> pa.Table:
    """Read a csv, tsv, parquet, arrow or ndjson file (text also as .gz or .zst); `-` is csv on stdin.

    Raises:
        DataError: there is no such file, its format is not known, or its content is not what its name says.
    """
    if str(path) == "-":
        return _read_text(io.BytesIO(sys.stdin.buffer.read()), "standard input", ",")
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such file")
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a file")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    suffixes = [s.lower() for s in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in (".gz", ".zst") else None
    kind = suffixes[-1] if suffixes else ""
    try:
        if kind == ".parquet":
            return pa.parquet.read_table(path)
        if kind in (".arrow", ".feather", ".ipc"):
            return _read_arrow(path)
        stream = _unpacked(path, packed)
        if kind in (".ndjson", ".jsonl"):
            return pa.json.read_json(stream)
        if kind in (".csv", ".tsv", ".txt", ""):
            return _read_text(stream, str(path), "\t" if kind == ".tsv" else None)
    except (pa.ArrowInvalid, pa.ArrowException, EOFError, gzip.BadGzipFile, zlib.error, OSError) as error:
        raise DataError(f"{path} cannot be read: {_first_line(error)}") from error
    raise DataError(
        f"{path}: the format {kind!r} is not known", hint=f"one of {', '.join(FORMATS)}, also .gz and .zst"
    )


def _unpacked(path: Path, packed: str | None) -> io.BytesIO:
    if packed == ".gz":
        with gzip.open(path) as file:
            return io.BytesIO(file.read())
    if packed == ".zst":
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
            return io.BytesIO(stream.read())
    return io.BytesIO(path.read_bytes())


def _read_arrow(path: Path) -> pa.Table:
    try:
        return pa.feather.read_table(path)
    except pa.ArrowInvalid:
        with pa.OSFile(str(path)) as file:
            return pa.ipc.open_stream(file).read_all()


def _read_text(stream: io.BytesIO, name: str, delimiter: str | None) -> pa.Table:
    raw = stream.getvalue()
    if not raw.strip():
        raise DataError(f"{name} is empty")
    try:
        raw.decode("utf-8")
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = "latin-1"
    head = raw[:65536].decode(encoding, errors="replace")
    if delimiter is None:
        delimiter = _delimiter(head)
    table = pa.csv.read_csv(
        io.BytesIO(raw),
        read_options=pa.csv.ReadOptions(encoding=encoding),
        parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            strings_can_be_null=True, null_values=HOLES, quoted_strings_can_be_null=True
        ),
    )
    if table.num_rows == 0:
        raise DataError(f"{name} has a header but no rows")
    return table


def _delimiter(head: str) -> str:
    """The sign that splits the header best."""
    try:
        return csv.Sniffer().sniff(head.splitlines()[0], delimiters=",;\t|").delimiter
    except csv.Error:
        return ","


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
