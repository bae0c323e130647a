"""Rare labels and extreme values leave no trace in a model that was told to do without them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from diabolo import Autoencoder
from diabolo.errors import OptionError


def people(rows: int = 400) -> pd.DataFrame:
    random = np.random.default_rng(0)
    made = pd.DataFrame(
        {
            "city": random.choice(["Oslo", "Rome"], rows),
            "code": pd.array(random.integers(1, 3, rows), dtype="Int64"),
            "pay": random.normal(100, 10, rows).round(2),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, rows), "D"),
        }
    )
    made.loc[5, "city"] = "Atlantis"
    made.loc[[6, 7], "city"] = "Ys"
    made.loc[5, "code"] = 987654321
    made.loc[9, "pay"] = 123456.78
    made.loc[9, "since"] = pd.Timestamp("1900-02-03")
    return made


def fitted(data: pd.DataFrame, **options: object) -> Autoencoder:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Autoencoder(epochs=2, categorical=["code"], **options).fit(data)  # type: ignore[arg-type]


def test_labels_that_few_rows_have_are_merged() -> None:
    data = people()
    model = fitted(data, min_count=3)
    assert "'other'" in str(model.schema_["city"].levels)  # type: ignore[attr-defined]
    drawn = model.generate(500, seed=0).to_frame()
    assert set(drawn["city"]) <= {"Oslo", "Rome", "other"}
    assert set(drawn["code"].dropna()) <= {1, 2}  # a label that is no text becomes missing
    assert any("3 labels that fewer than 3 rows have were merged" in note for note in model.notes_)
    assert data["city"][5] == "Atlantis"  # the user's own table is as it was


def test_what_was_merged_or_clipped_is_not_in_the_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    raw = {
        name: fitted(people(), **options).save(tmp_path / name).read_bytes()
        for name, options in (("plain", {}), ("coarse", {"min_count": 3, "clip": 0.01}))
    }
    for word in (b"Atlantis", b"987654321"):
        assert word in raw["plain"] and word not in raw["coarse"]


def test_extreme_values_are_clipped_but_still_odd_when_they_come_again() -> None:
    data = people()
    model = fitted(data, clip=0.01)
    pay, since = model.schema_["pay"], model.schema_["since"]
    assert pay.high < 150  # type: ignore[attr-defined]
    assert "1900" not in since.describe()
    drawn = model.generate(500, seed=0).to_frame()
    assert drawn["pay"].max() <= pay.high and drawn["since"].min().year >= 2020  # type: ignore[attr-defined]
    assert int(np.argmax(model.anomaly_score(data))) == 9
    assert any("values beyond the outer 0.01 of their column were clipped" in n for n in model.notes_)


def test_dates_as_text_stay_as_they_are_written() -> None:
    data = people()
    data["since"] = data["since"].dt.strftime("%d.%m.%Y")
    drawn = fitted(data, clip=0.01).generate(50, seed=0).to_frame()
    assert drawn["since"].str.fullmatch(r"\d\d\.\d\d\.20\d\d").all()


def test_a_series_keeps_its_times_and_its_names() -> None:
    time = pd.date_range("2026-01-01", periods=300, freq="h")
    value = np.sin(np.arange(300) / 4)
    value[100] = 1e6
    data = pd.DataFrame({"time": time, "value": value, "pump": ["a"] * 299 + ["b"]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = Autoencoder(time="time", window=16, epochs=1, clip=0.02, min_count=5).fit(data)
    assert model.schema_["value"].high < 2  # type: ignore[attr-defined]
    assert int(np.argmax(model.anomaly_score(data))) == 100


def test_nothing_is_said_where_nothing_was_done() -> None:
    model = fitted(people().drop(index=[5, 6, 7, 9]), min_count=2)
    assert not any("merged" in note for note in model.notes_)
    assert "other" not in str(model.inspect(people().drop(index=[5, 6, 7])))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_count": 0}, "min_count"),
        ({"min_count": 1.5}, "min_count"),
        ({"clip": 0.5}, "half"),
        ({"clip": -1}, "clip"),
    ],
)
def test_options_that_cannot_work(options: dict[str, float], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Autoencoder(**options).fit(people())  # type: ignore[arg-type]
