"""Files as people have them, and as they break."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from diabolo.errors import DataError, SchemaError
from tests.inputs.checks import ANSWERED, SAME, SAME_FIT, odd
from tests.inputs.kinds import ROWS, Answer, Kind, Refusal, column, kind, plain, refused, whole

FILES, BROKEN = "Files", "Broken files"
FITS = Answer("fitted")


def text() -> str:
    out = io.BytesIO()
    pa.csv.write_csv(plain("table"), out)
    return out.getvalue().decode()


def put(name: str, content: Callable[[], bytes]) -> Callable[[Path], Any]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content())
        return folder / name

    return make


def good(what: str, content: Callable[[], bytes], name: str = "t.csv", **more: Any) -> Kind:
    return kind(FILES, what, put(name, content), SAME_FIT, SAME, **more)


def bad(what: str, content: Callable[[], bytes], *words: str, name: str = "t.csv") -> Kind:
    words = (name, *words)
    return kind(BROKEN, what, put(name, content), Refusal(DataError, words), refused(DataError, *words))


def packed() -> bytes:
    return gzip.compress(text().encode())


def parquet() -> bytes:
    out = io.BytesIO()
    pa.parquet.write_table(plain("table"), out)
    return out.getvalue()


def lines() -> list[str]:
    return text().splitlines()


def with_line(number: int, line: str) -> bytes:
    found = lines()
    found[number] = line
    return "\n".join(found).encode()


def accented() -> pa.Table:
    return column("c", pa.array([v and v.replace("o", "ø") for v in whole("c")]))


def accented_text(encoding: str) -> bytes:
    out = io.BytesIO()
    pa.csv.write_csv(accented(), out)
    return out.getvalue().decode().encode(encoding)


READ = [
    good("csv", lambda: text().encode()),
    good("csv with a byte order mark", lambda: text().encode("utf-8-sig")),
    good("csv in UTF-16", lambda: text().encode("utf-16")),
    kind(FILES, "csv in latin-1", put("t.csv", lambda: accented_text("latin-1")), FITS, ANSWERED),
    good(
        "csv with every value in quotes",
        lambda: "\n".join(
            ",".join(f'"{c.strip(chr(34))}"' for c in line.split(",")) for line in lines()
        ).encode(),
    ),
    kind(
        FILES,
        "quotes around separators and line ends",
        put("t.csv", lambda: with_line(21, '1.5,3,"up, or\nso",false,2024-01-09 00:00:00')),
        FITS,
        odd("c", [20]),
    ),
    good("semicolons", lambda: text().replace(",", ";").encode()),
    good("line ends of Windows", lambda: text().replace("\n", "\r\n").encode()),
    good("blank lines at the end", lambda: (text() + "\n\n").encode()),
    good("a suffix in capitals", lambda: text().encode(), name="T.CSV"),
    good("gzip", packed, name="t.csv.gz"),
    good("parquet", parquet, name="t.parquet"),
    kind(
        FILES,
        "no header",
        put("t.csv", lambda: "\n".join(lines()[1:]).encode()),
        FITS,
        refused(SchemaError, "- a"),
        rows=ROWS - 1,
    ),
    good(
        "decimal commas",
        lambda: plain("table").to_pandas().to_csv(index=False, sep=";", decimal=",").encode(),
    ),
    kind(
        FILES,
        "a text of 1 MB in a cell",
        put("t.csv", lambda: with_line(21, "1.5,3," + "x" * 1_000_000 + ",false,2024-01-09 00:00:00")),
        FITS,
        odd("c", [20]),
    ),
    kind(
        FILES,
        "a remark above the header",
        put("t.csv", lambda: b"# made by hand\n" + text().encode()),
        Refusal(DataError, ("t.csv", "Row #2: Expected 1 columns, got 5")),
        refused(DataError, "t.csv", "Row #2: Expected 1 columns, got 5"),
    ),
    bad(
        "a row with a value too many",
        lambda: with_line(21, "1.5,3,up,false,2024-01-09 00:00:00,7"),
        "Row #22: Expected 5 columns, got 6",
    ),
    bad(
        "a row with a value too few", lambda: with_line(21, "1.5,3,up"), "Row #22: Expected 5 columns, got 3"
    ),
    bad(
        "a quote that is never closed",
        lambda: with_line(21, '1.5,3,"up,false,2024-01-09 00:00:00'),
        "a quote in row 20 is never closed",
    ),
    kind(
        BROKEN,
        "a column that occurs twice in a file",
        put("t.csv", lambda: text().replace('"n"', '"a"', 1).encode()),
        Refusal(DataError, ("'a'", "2 times")),
        refused(DataError, "'a'", "2 times"),
    ),
    bad("an empty file", lambda: b"", "empty"),
    bad("nothing but blank lines", lambda: b"\n\n \n", "empty"),
    bad("a header without rows", lambda: lines()[0].encode() + b"\n", "no rows"),
    bad("a truncated gzip", lambda: packed()[:-40], "cannot be read", name="t.csv.gz"),
    bad("a gzip that is none", lambda: text().encode(), "cannot be read", name="t.csv.gz"),
    bad("a truncated parquet", lambda: parquet()[:-40], "cannot be read", name="t.parquet"),
    bad("a parquet that is a csv", lambda: text().encode(), "cannot be read", name="t.parquet"),
    bad("an arrow file that is none", lambda: text().encode(), "cannot be read", name="t.arrow"),
    bad(
        "ndjson with a broken line",
        lambda: b'{"a": 1}\n{"a": 2\n{"a": 3}\n',
        "cannot be read",
        name="t.ndjson",
    ),
    bad("a spreadsheet", lambda: b"PK\x03\x04" + bytes(200), "'.xlsx' is not known", name="t.xlsx"),
    bad("a csv that is a spreadsheet", lambda: b"PK\x03\x04" + bytes(range(256)) * 9, "t.csv"),
    kind(
        BROKEN,
        "no such file",
        lambda folder: folder / "none.csv",
        Refusal(DataError, ("none.csv", "no such file")),
        refused(DataError, "none.csv", "no such file"),
    ),
    kind(
        BROKEN,
        "a folder without images",
        lambda folder: folder,
        Refusal(DataError, ("has no images in it",)),
        refused(DataError, "has no images in it"),
    ),
]
