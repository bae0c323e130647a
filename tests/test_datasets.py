"""The bundled data sets are what `SOURCE.md` says."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from datetime import timedelta
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from diabolo import datasets

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = resources.files(datasets)
LOADERS = {"machine_temperature": datasets.machine_temperature, "adults": datasets.adults}


def as_csv(table: pa.Table) -> str:
    """Write a table the way its publishers did."""
    lines = [",".join(table.column_names)]
    lines += [
        ",".join("" if cell is None else str(cell) for cell in row.values()) for row in table.to_pylist()
    ]
    return "\n".join(lines) + "\n"


def stated_checksums() -> dict[str, str]:
    """Read name -> SHA-256 from SOURCE.md."""
    sections = re.split(r"^## ", (FILES / "SOURCE.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    checksums = {}
    for section in sections:
        found = re.search(r"`([0-9a-f]{64})`", section)
        assert found is not None
        checksums[section.split(".parquet")[0]] = found.group(1)
    return checksums


@pytest.mark.parametrize("name", sorted(LOADERS))
def test_content_is_the_publishers(name: str) -> None:
    load: Callable[[], pa.Table] = LOADERS[name]
    assert hashlib.sha256(as_csv(load()).encode()).hexdigest() == stated_checksums()[name]


def test_machine_temperature_is_typed_and_keeps_its_quirk() -> None:
    table = datasets.machine_temperature()
    assert table.schema == pa.schema([("timestamp", pa.timestamp("us")), ("value", pa.float64())])
    assert table.num_rows == 22_695
    assert table["timestamp"].null_count == table["value"].null_count == 0
    assert len(set(table["timestamp"].to_pylist())) == 22_695 - 12


def test_windows_lie_on_the_series_and_apart() -> None:
    timestamps = set(datasets.machine_temperature()["timestamp"].to_pylist())
    windows = datasets.machine_temperature_windows()
    assert len(windows) == 4
    assert windows == sorted(windows)
    for start, end in windows:
        assert {start, end} <= timestamps
        assert timedelta(days=1) < end - start < timedelta(days=3)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(windows))


def test_adults_is_a_typed_sample_with_holes() -> None:
    table = datasets.adults()
    assert table.shape == (2_000, 15)
    numbers = {name for name in table.column_names if pa.types.is_integer(table.schema.field(name).type)}
    assert numbers == {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}
    holes = {name: table[name].null_count for name in table.column_names if table[name].null_count}
    assert holes == {"workclass": 115, "occupation": 115, "native-country": 45}
    assert set(table["income"].to_pylist()) == {"<=50K", ">50K"}


def test_each_call_gives_a_table_of_its_own() -> None:
    windows = datasets.machine_temperature_windows()
    windows.clear()
    assert len(datasets.machine_temperature_windows()) == 4


def test_licence_and_source_are_shipped() -> None:
    licence = (FILES / "NAB_LICENSE.txt").read_text(encoding="utf-8")
    assert licence.startswith("Copyright 2014-2024 Numenta Inc.")
    assert "CC BY 4.0" in (FILES / "SOURCE.md").read_text(encoding="utf-8")


def test_importing_reads_nothing() -> None:
    program = "import sys, diabolo.datasets; print('pyarrow' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert answer.stdout.strip() == "False"
