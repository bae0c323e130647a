"""Checks of a table as part of a model: explained, repaired, saved, and of every library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder, load
from tests import made
from tests.cleaning.made_tables import as_arrays, change, places
from tests.fits import fitted


@pytest.fixture(scope="module")
def dirty() -> pa.Table:
    table = change(places(200), "city", {5: "Birmingxam", 6: "n/a"})
    table = change(table, "name", {7: "Smith &amp; Sons"})
    return pa.table({**as_arrays(table), "x": np.random.default_rng(0).normal(size=200)})


@pytest.fixture(scope="module")
def model(dirty: pa.Table) -> Autoencoder:
    return fitted(dirty, epochs=1, layers=(16,))


@pytest.mark.parametrize("library", made.LIBRARIES)
def test_wrong_cells_are_explained_and_corrected(model: Autoencoder, dirty: pa.Table, library: str) -> None:
    right = str(change(places(200), "city", {})["city"][5])
    data = made.as_library(dirty, library)
    explained, repaired = model.explain(data), model.repair(data)
    city, name = explained.names.index("city"), explained.names.index("name")
    assert (explained.p_wrong[[5, 6], city] > 0.8).all() and explained.p_wrong[7, name] > 0.9
    assert explained.why["city"][5] == f"typo of {right!r}"
    assert explained.why["city"][6] == "stands for a missing value"
    changes = dict(zip(*(made.values_of(repaired.changes, n) for n in ("row", "new")), strict=True))
    assert changes[5] == right and changes[7] == "Smith & Sons"
    assert 6 in made.values_of(repaired.suspects, "row") or 6 in changes


def test_a_model_file_keeps_the_checks(model: Autoencoder, dirty: pa.Table, tmp_path: Path) -> None:
    again = load(model.save(tmp_path / "m.diabolo")).explain(dirty)
    expected = model.explain(dirty)
    assert np.allclose(again.p_wrong, expected.p_wrong) and again.why == expected.why


def test_text_need_not_be_there(model: Autoencoder, dirty: pa.Table) -> None:
    some = dirty.drop_columns(["name"])
    assert model.explain(some).p_wrong.shape[0] == 200
    assert model.repair(some).to_arrow().num_rows == 200
    assert (
        model.score_rows(some).shape[0] == 200
        and "name" not in model.drift(some).to_frame()["column"].to_pylist()
    )
