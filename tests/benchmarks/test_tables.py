"""Tables are read, parted and damaged as the protocols say, and the same seed does the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import tables
from benchmarks.tables import Table


def test_pairs_are_one_table(csv_folder: Path) -> None:
    found = tables.find(csv_folder)
    assert {name: len(paths) for name, paths in found.items()} == {"pair": 2, "alone": 1}
    assert list(tables.find(csv_folder, ["alone"])) == ["alone"]
    with pytest.raises(SystemExit, match="no table named other"):
        tables.find(csv_folder, ["other"])


def test_kinds_are_inferred_and_ids_are_left_out(csv_folder: Path, table: Table) -> None:
    assert table.numbers == {"first", "second", "third"}
    assert list(table.train) == ["first", "second", "third", "label"]
    assert (len(table.train), len(table.test)) == (300, 100)
    alone = tables.load("alone", tables.find(csv_folder)["alone"], seed=0)
    assert (len(alone.train), len(alone.test)) == (160, 40)
    assert not set(alone.train["second"] * 1000 + alone.train["third"]) & set(
        alone.test["second"] * 1000 + alone.test["third"]
    )


@pytest.mark.parametrize("kind", ["noise", "swap"])
def test_chosen_cells_hold_another_value_that_the_column_could_hold(table: Table, kind: str) -> None:
    chosen = tables.spread(table.train.shape, 0.3, np.random.default_rng(0))
    spoilt, wrong = tables.corrupt_cells(table.train, table, chosen, kind, np.random.default_rng(1))
    same = (spoilt == table.train) | (spoilt.isna() & table.train.isna())
    assert (same.to_numpy() == ~wrong).all()
    assert wrong.sum() >= 0.99 * (chosen & table.train.notna().to_numpy()).sum()
    assert (spoilt.dtypes == table.train.dtypes).all()
    assert spoilt["first"].between(table.train["first"].min(), table.train["first"].max()).all()
    assert set(spoilt["label"]) <= set(table.train["label"])
    assert tables.decimals(spoilt["third"].dropna().to_numpy()) == 2
    known = spoilt["second"].isin(table.train["second"])
    assert known.all() if kind == "swap" else not known.all()
    again, _ = tables.corrupt_cells(table.train, table, chosen, kind, np.random.default_rng(1))
    pd.testing.assert_frame_equal(spoilt, again)


def test_few_takes_so_many_of_those_that_are_there() -> None:
    there = np.random.default_rng(0).random((200, 6)) < 0.7
    chosen = tables.few(there, 2, np.random.default_rng(1))
    assert not (chosen & ~there).any()
    assert (chosen.sum(1) == np.minimum(there.sum(1), 2)).all()
    assert chosen.sum(0).min() > 30


def test_some_rows_holds_a_fifth_of_the_columns() -> None:
    chosen = tables.some_rows((5000, 10), 0.05, 0.2, np.random.default_rng(0))
    assert set(chosen.sum(1)) == {0, 2}
    assert 0.04 < (chosen.sum(1) > 0).mean() < 0.06


def test_hanging_holes_depend_on_columns_that_stay_whole() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=8000), "b": random.choice(["x", "y", "z"], 8000)})
    for seed in range(4):
        chosen = tables.missing_at_random(frame, 0.3, np.random.default_rng(seed))
        (whole,), (incomplete,) = np.flatnonzero(~chosen.any(0)), np.flatnonzero(chosen.any(0))
        assert 0.28 < chosen[:, incomplete].mean() < 0.32
        decides = frame.iloc[:, whole]
        ranked = decides if whole == 0 else decides.map(decides.value_counts())
        upper, lower = (
            chosen[side, incomplete].mean() for side in (ranked == ranked.max(), ranked == ranked.min())
        )
        if whole == 1:
            assert upper > 3 * lower
        else:
            assert chosen[decides > decides.median(), incomplete].mean() == pytest.approx(0.48, abs=0.03)
