"""Files in the forms in which people have them."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
import torch

from diabolo import Autoencoder
from diabolo.data.files import FORMATS, read_file
from diabolo.errors import DataError
from diabolo.utils.tensor_file import pack
from tests import made
from tests.fits import fitted

WANTED = {"name": ["Åse", "Bo", None], "size": [1.5, None, 3.0], "count": [1, 2, 3]}
TEXT = "name{0}size{0}count\nÅse{0}1.5{0}1\nBo{0}NA{0}2\n?{0}3.0{0}3\n"
LINES = (
    '{"name": "Åse", "size": 1.5, "count": 1}\n'
    '{"name": "Bo", "count": 2}\n'
    '{"name": null, "size": 3.0, "count": 3}\n'
)


@pytest.fixture
def table() -> pa.Table:
    return pa.table(WANTED)


@pytest.mark.parametrize(
    ("name", "separator"),
    [
        ("t.csv", ","),
        ("t.csv", ";"),
        ("t.csv", "|"),
        ("t.csv", "\t"),
        ("t.tsv", "\t"),
        ("t.txt", "\t"),
        ("t.txt", ","),
        ("T.CSV", ","),
        ("t", ","),
    ],
)
def test_text(tmp_path: Path, name: str, separator: str) -> None:
    path = tmp_path / name
    path.write_text(TEXT.format(separator), encoding="utf-8")
    assert read_file(path).to_pydict() == WANTED
    assert read_file(str(path)).to_pydict() == WANTED


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(TEXT.format(","), encoding=encoding)
    assert read_file(path).to_pydict() == WANTED


def test_line_ends_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(TEXT.format(";").replace("\n", "\r\n").encode())
    assert read_file(path).to_pydict() == WANTED


@pytest.mark.parametrize(
    "name", ["t.csv.gz", "t.tsv.gz", "t.ndjson.gz", "t.csv.zst", "t.ndjson.zst", "t.jsonl.gz"]
)
def test_packed_text(tmp_path: Path, name: str) -> None:
    text = LINES if "json" in name else TEXT.format("\t" if "tsv" in name else ",")
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        with pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd") as stream:
            stream.write(text.encode())
    assert read_file(path).to_pydict() == WANTED


@pytest.mark.parametrize("name", ["t.ndjson", "t.jsonl"])
def test_lines_of_json(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(LINES, encoding="utf-8")
    assert read_file(path).to_pydict() == WANTED


def test_parquet(tmp_path: Path, table: pa.Table) -> None:
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    assert read_file(tmp_path / "t.parquet").equals(table)


@pytest.mark.parametrize("name", ["t.arrow", "t.feather", "t.ipc"])
@pytest.mark.parametrize("form", ["feather", "stream", "file"])
def test_arrow(tmp_path: Path, table: pa.Table, name: str, form: str) -> None:
    path = tmp_path / name
    if form == "feather":
        pa.feather.write_feather(table, str(path))
    else:
        writer = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as file, writer(file, table.schema) as out:
            out.write_table(table)
    assert read_file(path).equals(table)


def test_quotes_keep_separators_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n"x, y\nz",1\n"say ""no""",2\n')
    assert read_file(path).to_pydict() == {"a": ["x, y\nz", 'say "no"'], "b": [1, 2]}


def test_one_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("value\n1\n2\n")
    assert read_file(path).to_pydict() == {"value": [1, 2]}


def test_names_with_other_separators_in_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('time,"speed; m/s",note\n1,2,x\n3,4,y\n')
    assert read_file(path).column_names == ["time", "speed; m/s", "note"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TEXT.format(",").encode())))
    assert read_file("-").to_pydict() == WANTED
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    with pytest.raises(DataError, match="standard input is empty"):
        read_file("-")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: there is no such file"):
        read_file(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_file(tmp_path)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.ndjson", "t.csv.gz", "t.csv.zst", "t.arrow"])
def test_empty_files_are_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        read_file(tmp_path / name)


@pytest.mark.parametrize("text", ["\n\n", "  \n", "a,b\n", "a,b"])
def test_files_without_rows_are_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=r"(?i)empty|no rows"):
        read_file(tmp_path / "t.csv")


def test_a_packed_file_of_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(DataError, match="empty"):
        read_file(tmp_path / "t.csv.gz")


@pytest.mark.parametrize("name", ["t.xyz", "t.xyz.gz", "t.docx"])
def test_formats_that_are_not_known_are_listed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(b"x") if name.endswith("gz") else b"x")
    with pytest.raises(DataError, match="is not known") as caught:
        read_file(tmp_path / name)
    assert caught.value.hint and all(kind in caught.value.hint for kind in FORMATS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", b"not a parquet file at all"),
        ("t.arrow", b"not an arrow file at all"),
        ("t.ndjson", b"not json\n"),
        ("t.ndjson", b'{"a": 1}\n{"a": "x"}\n'),
        ("t.csv.gz", b"not packed"),
        ("t.csv.zst", b"not packed"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n"),
        ("t.csv", b"\x00\x01\x02,\x00\n" * 5),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    if content.startswith(b"\x00"):
        read_file(tmp_path / name)  # strange, but a table
        return
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        read_file(tmp_path / name)


@pytest.mark.parametrize("packed", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_packed_files_are_named(tmp_path: Path, packed: str, damage: str) -> None:
    text = ("a,b\n" + "".join(f"{i},{i * i % 997}\n" for i in range(5_000))).encode()
    path = tmp_path / f"t.csv.{packed}"
    if packed == "gz":
        path.write_bytes(gzip.compress(text))
    else:
        with pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd") as stream:
            stream.write(text)
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        del raw[len(raw) // 2 :]
    else:
        for place in range(len(raw) // 3, len(raw) // 3 + 40):
            raw[place] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"t\.csv\.(gz|zst)"):
        read_file(path)


def test_a_column_that_occurs_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,a\n" + "1,2,3\n" * 50)
    with pytest.raises(DataError, match="'a' occurs 2 times"):
        Autoencoder(epochs=1).fit(tmp_path / "t.csv")


def test_models_read_files(tmp_path: Path) -> None:
    table = made.mixed(200)
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    pa.csv.write_csv(table, tmp_path / "t.csv")
    model = fitted(tmp_path / "t.parquet", "denoising", epochs=2)
    same = model.anomaly_score(str(tmp_path / "t.parquet"))
    assert (same == model.anomaly_score(table)).all()
    written = model.anomaly_score(tmp_path / "t.csv")
    assert written == pytest.approx(same, abs=1e-3)


@pytest.mark.parametrize("name", ["m.diabolo", "m.csv", "m"])
def test_a_model_is_no_table(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pack({"x": torch.zeros(2)}, "{}"))
    with pytest.raises(DataError, match="is a diabolo model, not a table"):
        read_file(tmp_path / name)
