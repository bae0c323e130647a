"""Tables in files: csv, tsv, ndjson, parquet and arrow, text also compressed."""

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

# Text that stands for a missing value; "?" is the habit of the UCI repository.
MISSING_MARKS = ["", "None", "?"] + [
    word
    for upper in ("NA", "N/A", "N.A.", "NAN", "NULL", "#N/A", "#NA", "<NA>")
    for word in dict.fromkeys((upper, upper.lower(), upper.capitalize(), "NaN" if upper == "NAN" else upper))
]
# Text that stands for a missing value among numbers only: "-" may well be a label.
NUMERIC_MISSING_MARKS = ["-", "--", "–", "—"]
GROUPED_NUMBER_REGEX = r"[-+]?[1-9]\d{0,2}(\.\d{3})+"  # a whole number with dots between its thousands
N_HEAD_BYTES = 65_536  # of a text, in which the delimiter and the decimal point are searched for
FORMATS = (".csv", ".tsv", ".txt", ".parquet", ".arrow", ".feather", ".ipc", ".ndjson", ".jsonl")
COMPRESSIONS = (".gz", ".zst")
EMPTY_HINT = "at least a header and one row are needed"


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
                f"standard input cannot be read: {_first_line(error)}", hint="the file - is read as csv"
            ) from error
    path = _existing_file(path)
    kind, compression = file_format(path)
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
        stream = _decompress(path, compression)
        if kind in (".ndjson", ".jsonl"):
            return pa.json.read_json(stream)
        if kind in (".csv", ".tsv", ".txt", ""):
            return _read_text(stream, str(path), "\t" if kind == ".tsv" else None)
    except (pa.ArrowInvalid, pa.ArrowException, EOFError, gzip.BadGzipFile, zlib.error, OSError) as error:
        raise DataError(
            f"{path} cannot be read: {_first_line(error)}",
            hint="write it again, complete and in the format of its name",
        ) from error
    raise DataError(
        f"{path}: the format {kind!r} is not known", hint=f"one of {', '.join(FORMATS)}, also .gz and .zst"
    )


def read_texts(path: str | Path) -> dict[str, list[str]]:
    """Read a csv or tsv file as it is written: every value is text, and none is missing.

    The delimiter is the one that separates most names of the header.

    Raises:
        DataError: there is no such file, a name is there twice, or a line has more or fewer values than the
            header.
    """
    path = _existing_file(path)
    try:
        raw = _decompress(path, file_format(path)[1]).getvalue()
    except (pa.ArrowException, EOFError, gzip.BadGzipFile, zlib.error, OSError) as error:
        raise DataError(f"{path} cannot be read: {_first_line(error)}", hint="write it again") from error
    utf_16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = raw.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    head = text.partition("\n")[0]
    delimiter = max(",;\t|", key=head.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        raise DataError(f"{path} cannot be read: {error}", hint="write it again as csv") from error
    names = [name.strip() for name in rows[0]] if rows else []
    if len(set(names)) < len(names):
        raise DataError(f"{path}: a column is named twice: {', '.join(names)}", hint="name each column once")
    for line, row in enumerate(rows[1:]):
        if len(row) != len(names):
            raise DataError(
                f"{path}: line {line} below the header has {len(row)} values, the header has {len(names)}",
                hint="put quotes around values that contain the delimiter",
            )
    return {name: [row[place] for row in rows[1:]] for place, name in enumerate(names)}


def _existing_file(path: str | Path) -> Path:
    """Return the path of a file.

    Raises:
        DataError: there is no such file, or it is a folder or empty.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such file", hint=f"the current folder is {Path.cwd()}")
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a file", hint="name one file in it")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty", hint=EMPTY_HINT)
    return path


def file_format(path: Path) -> tuple[str, str | None]:
    """Return the suffix that names the format, and the suffix of a compression, if there is one."""
    suffixes = [s.lower() for s in path.suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSIONS else None
    return suffixes[-1] if suffixes else "", compression


def _decompress(path: Path, compression: str | None) -> io.BytesIO:
    """Return the content of a file, decompressed."""
    if compression == ".gz":
        with gzip.open(path) as file:
            return io.BytesIO(file.read())
    if compression == ".zst":
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
            return io.BytesIO(stream.read())
    return io.BytesIO(path.read_bytes())


def _read_arrow(path: Path) -> pa.Table:
    """Read an arrow file, or an arrow stream in a file."""
    try:
        return pa.feather.read_table(path)
    except pa.ArrowInvalid:
        with pa.OSFile(str(path)) as file:
            return pa.ipc.open_stream(file).read_all()


def _read_text(stream: io.BytesIO, name: str, delimiter: str | None) -> pa.Table:
    """Read csv; without a delimiter, the likeliest one is used."""
    raw = stream.getvalue()
    if not raw.strip():
        raise DataError(f"{name} is empty", hint=EMPTY_HINT)
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
    head = raw[:N_HEAD_BYTES].decode(encoding, errors="replace")
    if delimiter is None:
        delimiter = _find_delimiter(head)
    point = _find_decimal_point(head, delimiter)

    def parse(threads: bool) -> pa.Table:
        return pa.csv.read_csv(
            io.BytesIO(raw),
            read_options=pa.csv.ReadOptions(encoding=encoding, use_threads=threads),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                strings_can_be_null=True,
                null_values=MISSING_MARKS,
                quoted_strings_can_be_null=True,
                decimal_point=point,
            ),
        )

    try:
        table = parse(True)
    except pa.ArrowInvalid:
        table = parse(False)  # slower, and it says which row
    if table.num_rows == 0:
        raise DataError(f"{name} has a header but no rows", hint=EMPTY_HINT)
    if raw.count(b'"') % 2:
        _check_quotes(raw.decode(encoding), name, delimiter)
    for position, kind in enumerate(table.schema.types):
        if pa.types.is_string(kind):
            column = _parse_numbers(table.column(position), point)
            table = table.set_column(position, table.column_names[position], column)
    return table


def _check_quotes(text: str, name: str, delimiter: str) -> None:
    """Raise `DataError` if a quote is never closed: arrow drops what follows it, without an error."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    row = -1
    try:
        for _ in reader:
            row += 1
    except csv.Error as error:
        if "field limit" not in str(error):
            raise DataError(
                f"{name} cannot be read: a quote in row {row} is never closed",
                hint="close it, or double the quotes that are part of a text",
            ) from error


def _find_delimiter(head: str) -> str:
    """Return the likeliest delimiter of a header."""
    try:
        return csv.Sniffer().sniff(head.splitlines()[0], delimiters=",;\t|").delimiter
    except csv.Error:
        return ","


def _find_decimal_point(head: str, delimiter: str) -> str:
    """Return a comma if it does not delimit columns and numbers are written 3,5 or 1.234,56 and never 3.5."""
    if delimiter == ",":
        return "."
    cells = [c.strip() for row in csv.reader(head.splitlines()[1:], delimiter=delimiter) for c in row]
    comma = any(re.fullmatch(r"[-+]?\d[\d.'\s]*,\d+", c) for c in cells)
    # 1.234 may be a thousand.
    dot = any(re.fullmatch(r"[-+]?\d*\.\d+", c) and not re.fullmatch(GROUPED_NUMBER_REGEX, c) for c in cells)
    return "," if comma and not dot else "."


def _parse_numbers(column: pa.ChunkedArray, point: str) -> pa.ChunkedArray:
    """Return text as numbers, if nothing but separators of thousands and marks of missing values differs."""
    text = pc.utf8_trim_whitespace(column)
    text = pc.if_else(pc.is_in(text, pa.array(MISSING_MARKS + NUMERIC_MISSING_MARKS)), None, text)
    separator = r"[.'\s]" if point == "," else "[,']"
    number = rf"^[-+]?(\d+|[1-9]\d{{0,2}}({separator}\d{{3}})+)(\{point}\d*)?$"
    if text.null_count == len(text) or not pc.all(pc.match_substring_regex(text, number)).as_py():
        return column
    plain = pc.replace_substring(pc.replace_substring_regex(text, separator, ""), point, ".")
    has_point = pc.any(pc.match_substring(plain, ".")).as_py()
    try:
        return plain.cast(pa.float64() if has_point else pa.int64())
    except pa.ArrowInvalid:
        return column  # whole numbers of more than 18 digits are labels


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
