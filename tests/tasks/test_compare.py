"""New rows are compared with real ones, whoever made them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from diabolo import Autoencoder
from diabolo.errors import DataError, OptionError, SchemaError, UnsupportedError
from tests.fits import fitted

CITIES = np.array(["Oslo", "Rome", "Lima"], object)


def people(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    made = pd.DataFrame(
        {
            "id": [f"P{seed}{i:05d}" for i in range(rows)],
            "height": (170 + 10 * size).round(1),
            "weight": (70 + 8 * size + random.normal(size=rows)).round(1),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, rows), "D"),
            "member": size > 0.5,
            "city": CITIES[np.clip((size + 1.5).astype(int), 0, 2)],
        }
    )
    made.loc[::7, "weight"] = np.nan
    made.loc[::9, "city"] = None
    return made


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return people(600, 0)


@pytest.fixture(scope="module")
def model(real: pd.DataFrame) -> Autoencoder:
    return fitted(real, epochs=2)


def test_rows_of_one_source_are_similar(model: Autoencoder, real: pd.DataFrame) -> None:
    found = model.compare(real, synthetic=people(600, 1), unseen=people(400, 2))
    assert found.against == "unseen" and found.discriminator.n_rows == (400, 600)
    assert found.figures["column_similarity"] > 0.93 and found.figures["pair_similarity"] > 0.85
    assert abs(found.figures["discriminator_auroc"] - 0.5) < 0.1
    assert found.figures["copies"] == found.figures["copies_real"] == 0
    assert abs(found.figures["membership_auroc"] - 0.5) < 0.1
    assert list(found.real) == ["height", "weight", "since", "member", "city"]
    frame = found.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame["column"].tolist() == list(found.real) and (frame["similarity"] > 0.9).all()


def test_what_is_broken_is_named(model: Autoencoder, real: pd.DataFrame) -> None:
    rows = people(600, 1)
    rows["weight"] = rows["weight"] + 20
    rows["since"] = np.random.default_rng(0).permutation(rows["since"])
    found = model.compare(real, synthetic=rows)
    assert found.against == "fitted" and "copies_real" not in found.figures
    frame = found.to_frame().set_index("column")
    assert frame["similarity"].idxmin() == "weight"
    assert frame["discriminator_importance"].idxmax() in ("weight", "height")
    assert found.figures["discriminator_auroc"] > 0.9
    assert found.privacy.target == "city"


def test_copies_are_found_whatever_wrote_them(model: Autoencoder, real: pd.DataFrame, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "copies.csv"
    real.sample(frac=1, random_state=0).to_csv(path, index=False)
    found = model.compare(real, synthetic=path, unseen=people(600, 1), target="member")
    assert found.figures["copies"] == 1 and found.figures["distance_to_closest"] == 0
    assert found.figures["membership_auroc"] > 0.9
    assert found.privacy.target == "member"


def test_the_same_question_has_the_same_answer(model: Autoencoder, real: pd.DataFrame) -> None:
    one, two = (model.compare(real, synthetic=people(300, 1), unseen=people(300, 2)) for _ in range(2))
    assert one.figures == two.figures and one.discriminator.importances == two.discriminator.importances


def test_what_cannot_be_compared(model: Autoencoder, real: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="synthetic: 19 rows"):
        model.compare(real, synthetic=real.head(19))
    with pytest.raises(SchemaError, match="height"):
        model.compare(real, synthetic=real.drop(columns="height"))
    with pytest.raises(OptionError, match="target"):
        model.compare(real, synthetic=real, target="id")
    series = pd.DataFrame({"value": np.sin(np.arange(200.0) / 5)})
    with pytest.raises(UnsupportedError):
        fitted(series, window=16, epochs=1).compare(series, synthetic=series)


def test_numbers_alone() -> None:
    random = np.random.default_rng(0)
    data = random.normal(size=(200, 1))
    found = fitted(data, epochs=1).compare(data, synthetic=random.normal(size=(200, 1)))
    assert found.pair_similarity == {} and found.figures["pair_similarity"] == 1
    assert found.privacy.target == "x0"
