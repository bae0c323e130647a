"""The commands that clean, match and draw rows."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from diabolo import load
from diabolo.cli.output import to_bytes
from diabolo.data.columns.image import to_images, to_pixels
from diabolo.data.files import read_file
from tests import made
from tests.cleaning.made_rules import changed, orders
from tests.commands import QUICK, Run


def test_rows_are_cleaned(run: Run, data: Path, model: Path) -> None:
    said = run("denoise", data, "-m", model)
    assert said.status == 0
    table = pa.csv.read_csv(io.BytesIO(said.out.encode()))
    assert table.column_names == made.PREDICTED and table.num_rows == 200


def test_rows_are_matched(run: Run, data: Path, model: Path) -> None:
    said = run("match", data, data, "-m", model, "-k", 2, "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert said.status == 0 and len(lines) == 400
    assert np.mean([line["row"] == line["gallery"] for line in lines[::2]]) > 0.95


def test_holes_are_filled_as_asked(run: Run, data: Path, model: Path, tmp_path: Path) -> None:
    filled = {}
    for name, options in {
        "mean": (),
        "mode": ("--value", "mode"),
        "draw": ("--value", "draw", "--seed", 3),
        "again": ("--value", "draw", "--seed", 3),
        "other": ("--value", "draw", "--seed", 4),
    }.items():
        said = run("repair", data, "-m", model, *options, "-o", tmp_path / f"{name}.parquet")
        assert (said.status, said.out) == (0, "") and "missing values filled" in said.err
        filled[name] = read_file(tmp_path / f"{name}.parquet")
        assert all(filled[name][column].null_count == 0 for column in made.PREDICTED)
    assert filled["draw"].equals(filled["again"]) and not filled["draw"].equals(filled["other"])
    assert not filled["mean"].equals(filled["mode"])
    assert run("repair", data, "-m", model, "--value", "middle").status == 2


def test_rows_are_drawn(run: Run, model: Path, tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet"):
        said = run("generate", 12, "-m", model, "--seed", 3, "--given.city", "Rome", "-o", tmp_path / name)
        assert (said.status, said.out) == (0, "")
    one = read_file(tmp_path / "a.parquet")
    assert one.equals(read_file(tmp_path / "b.parquet")) and one.num_rows == 12
    assert set(one["city"].to_pylist()) == {"Rome"}
    wrong = run("generate", 12, "-m", model, "--given.city", "Paris")
    assert wrong.status == 2 and "'Paris'" in wrong.err and "Hint" in wrong.err


def test_rows_are_drawn_as_asked(run: Run, model: Path, data: Path, tmp_path: Path) -> None:
    def rows(*options: object) -> pa.Table:
        said = run("generate", *options, "-m", model, "--seed", 0, "-o", tmp_path / "new.parquet")
        assert said.status == 0, said.err
        return read_file(tmp_path / "new.parquet")

    new = rows(60, "--given.city", "Rome|Oslo", "--given.count", "3..5", "--given.when", "2025-01-01..")
    assert set(new["city"].to_pylist()) == {"Rome", "Oslo"} and set(new["count"].to_pylist()) <= {3, 4, 5}
    assert min(new["when"].to_pylist()).year == 2025
    ruled = rows(60, "--where", "double >= number", "city != Lima", "--observed", "city,count")
    there = ruled.select(["double", "number"]).drop_null()
    assert (there["double"].to_numpy() >= there["number"].to_numpy()).all()
    assert "Lima" not in ruled["city"].to_pylist()
    old = read_file(data)
    alike = rows("--like", data, "--keep", "city", "count")
    assert alike["city"].equals(old["city"]) and alike["count"].to_pylist() == old["count"].to_pylist()
    assert run("generate", "-m", model).status == 2
    wrong = run("generate", 9, "-m", model, "--where", "city > ")
    assert wrong.status == 2 and "cannot be read" in wrong.err


@pytest.mark.parametrize("ending", ["csv", "tsv", "ndjson", "parquet", "arrow"])
def test_rows_come_in_batches(
    run: Run, model: Path, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parted = tmp_path / f"whole.{ending}", tmp_path / f"parted.{ending}"
    assert run("generate", 130, "-m", model, "--seed", 0, "-o", whole).status == 0
    monkeypatch.setattr(sys.modules["diabolo.generation.tables"], "CHUNK_ROWS", 50)
    assert run("generate", 130, "-m", model, "--seed", 0, "-o", parted).status == 0
    one, other = read_file(whole), read_file(parted)
    assert one.schema == other.schema and one.num_rows == other.num_rows == 130
    assert one["id"].to_pylist() == other["id"].to_pylist() and len(set(one["id"].to_pylist())) == 130


def test_pictures_go_through_parquet(run: Run, tmp_path: Path) -> None:
    shown = made.pictures(60)
    pyarrow.parquet.write_table(pa.table({"image": to_images(shown, "image")}), tmp_path / "p.parquet")
    made_model = tmp_path / "m.diabolo"
    assert (
        run(
            "fit", tmp_path / "p.parquet", "-o", made_model, "--recipe", "vanilla", "--epochs", 2, "-q"
        ).status
        == 0
    )
    assert (
        run("denoise", tmp_path / "p.parquet", "-m", made_model, "-o", tmp_path / "clean.parquet").status == 0
    )
    clean = to_pixels(read_file(tmp_path / "clean.parquet")["image"].combine_chunks())
    assert clean.shape == shown.shape and clean.dtype == np.uint8


def test_rules_are_stated_listed_and_checked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_bytes(to_bytes(pa.table(changed(orders(), "city", {3: "nowhere"})), ".csv"))
    model = tmp_path / "o.diabolo"
    flags = ["--rule", "provider -> city", "--rule", "start < end", *QUICK]
    assert run("fit", tmp_path / "o.csv", "-o", model, *flags).status == 0
    assert load(model).rules == ["provider -> city", "start < end"]
    said = run("info", model)
    assert "rule: provider -> city (399 of 400 rows)" in said.out and "rule: net + tax = gross" in said.out
    said = run("violations", tmp_path / "o.csv", "-m", model, "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert {k: lines[0][k] for k in ("rule", "row")} == {"rule": "provider -> city", "row": 3}
    assert "city = nowhere" in lines[0]["values"] and "violations of 2 rules; " in said.err
    said = run("fit", tmp_path / "o.csv", "-o", model, "--rule", "provider -> town")
    assert said.status == 2 and "which the data does not have" in said.err
