"""Tables in files."""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.json
import pyarrow.parquet

from diabolo.errors import DataError
from diabolo.utils.tensor_file import is_tensor_file

# What people write where there is no value; "?" is the habit of the UCI repository.
HOLES = ["", "None", "?"] + [
    word
    for upper in ("NA", "N/A", "N.A.", "NAN", "NULL", "#N/A", "#NA", "<NA>")
    for word in dict.fromkeys((upper, upper.lower(), upper.capitalize(), "NaN" if upper == "NAN" else upper))
]
# Among numbers these stand for a hole too; among labels "-" may well be one.
DASHES = ["-", "--", "–", "—"]
GROUPED = r"[-+]?[1-9]\d{0,2}(\.\d{3})+"
FORMATS = (".csv", ".tsv", ".txt", ".parquet", ".arrow", ".feather", ".ipc", ".ndjson", ".jsonl")
PACKED = (".gz", ".zst")
EMPTY = "a header and one row at least are needed"


def read_file(path: str | Path) -> pa.Table:
    """Read a csv, tsv, parquet, arrow or ndjson file (text also as .gz or .zst); `-` is csv on stdin.

    Raises:
        DataError: there is no such file, its format is not known, or its content is not what its name says.
    """
    if str(path) == "-":
        try:
            return _read_text(io.BytesIO(sys.stdin.buffer.read()), "standard input", None)
        except pa.ArrowInvalid as error:
            raise DataError(
                f"standard input cannot be read: {_first_line(error)}", hint="- reads csv"
            ) from error
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such file", hint=f"the folder here is {Path.cwd()}")
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a file", hint="name one file in it")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty", hint=EMPTY)
    kind, packed = kind_of_file(path)
    try:
        if is_tensor_file(path):
            raise DataError(
                f"{path} is a diabolo model, not a table",
                hint=f'diabolo.load("{path}"), or on the command line -m {path}',
            )
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
        raise DataError(
            f"{path} cannot be read: {_first_line(error)}",
            hint="write it again from where it came, whole and in the format of its name",
        ) from error
    raise DataError(
        f"{path}: the format {kind!r} is not known", hint=f"one of {', '.join(FORMATS)}, also .gz and .zst"
    )


def kind_of_file(path: Path) -> tuple[str, str | None]:
    """The ending that says the format, and that of a compression behind it."""
    suffixes = [s.lower() for s in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in PACKED else None
    return suffixes[-1] if suffixes else "", packed


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
        raise DataError(f"{name} is empty", hint=EMPTY)
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
    head = raw[:65536].decode(encoding, errors="replace")
    if delimiter is None:
        delimiter = _delimiter(head)
    point = _decimal_point(head, delimiter)

    def parse(threads: bool) -> pa.Table:
        return pa.csv.read_csv(
            io.BytesIO(raw),
            read_options=pa.csv.ReadOptions(encoding=encoding, use_threads=threads),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                strings_can_be_null=True,
                null_values=HOLES,
                quoted_strings_can_be_null=True,
                decimal_point=point,
            ),
        )

    try:
        table = parse(True)
    except pa.ArrowInvalid:
        table = parse(False)  # slower, and it says which row
    if table.num_rows == 0:
        raise DataError(f"{name} has a header but no rows", hint=EMPTY)
    if raw.count(b'"') % 2:
        _check_quotes(raw.decode(encoding), name, delimiter)
    for place, kind in enumerate(table.schema.types):
        if pa.types.is_string(kind):
            column = _numbers(table.column(place), point)
            table = table.set_column(place, table.column_names[place], column)
    return table


def _check_quotes(text: str, name: str, delimiter: str) -> None:
    """Arrow drops what follows a quote that is never closed, without a word."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    row = -1
    try:
        for _ in reader:
            row += 1
    except csv.Error as error:
        if "field limit" not in str(error):
            raise DataError(
                f"{name} cannot be read: a quote in row {row} is never closed",
                hint="close it, or double the quotes that belong to a text",
            ) from error


def _delimiter(head: str) -> str:
    """The sign that splits the header best."""
    try:
        return csv.Sniffer().sniff(head.splitlines()[0], delimiters=",;\t|").delimiter
    except csv.Error:
        return ","


def _decimal_point(head: str, delimiter: str) -> str:
    """A comma, where commas do not part columns and numbers are written 3,5 or 1.234,56 and never 3.5."""
    if delimiter == ",":
        return "."
    cells = [c.strip() for row in csv.reader(head.splitlines()[1:], delimiter=delimiter) for c in row]
    comma = any(re.fullmatch(r"[-+]?\d[\d.'\s]*,\d+", c) for c in cells)
    # 1.234 may be a thousand.
    dot = any(re.fullmatch(r"[-+]?\d*\.\d+", c) and not re.fullmatch(GROUPED, c) for c in cells)
    return "," if comma and not dot else "."


def _numbers(column: pa.ChunkedArray, point: str) -> pa.ChunkedArray:
    """A column of text as numbers, if only signs between thousands and marks for holes keep it from that."""
    text = pc.utf8_trim_whitespace(column)
    text = pc.if_else(pc.is_in(text, pa.array(HOLES + DASHES)), None, text)
    sign = r"[.'\s]" if point == "," else "[,']"
    whole = rf"^[-+]?(\d+|[1-9]\d{{0,2}}({sign}\d{{3}})+)(\{point}\d*)?$"
    if text.null_count == len(text) or not pc.all(pc.match_substring_regex(text, whole)).as_py():
        return column
    plain = pc.replace_substring(pc.replace_substring_regex(text, sign, ""), point, ".")
    parted = pc.any(pc.match_substring(plain, ".")).as_py()
    try:
        return plain.cast(pa.float64() if parted else pa.int64())
    except pa.ArrowInvalid:
        return column  # whole numbers of more than 18 digits: labels


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
