"""Made tables that several benchmarks read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import tables
from benchmarks.tables import Table


def made(rows: int, seed: int) -> pd.DataFrame:
    """Two dependent numbers, one with missing values and two decimals, and a label that the first decides."""
    random = np.random.default_rng(seed)
    first = (100 * random.random(rows) ** 2).astype(int)
    return pd.DataFrame(
        {
            "first": first,
            "second": 3 * first + random.integers(0, 5, rows),
            "third": np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows).round(2)),
            "label": np.array(["low", "middle", "high", "top"])[first // 25],
            "id": [f"{seed}-{i}" for i in range(rows)],
        }
    )


@pytest.fixture
def csv_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tables"
    folder.mkdir()
    made(300, 0).to_csv(folder / "pair_train.csv.gz", index=False)
    made(100, 1).to_csv(folder / "pair_test.csv", index=False)
    made(200, 2).to_csv(folder / "alone.csv", index=False)
    (folder / "SOURCE.txt").write_text("not a table", encoding="utf-8")
    return folder


@pytest.fixture
def table(csv_folder: Path) -> Table:
    return tables.load("pair", tables.find(csv_folder)["pair"], seed=0)
