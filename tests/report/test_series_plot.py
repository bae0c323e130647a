"""Drawings of series on their own."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder, tasks
from diabolo.errors import DataError, OptionError, UnsupportedError
from tests import made
from tests.fits import fitted

SVG = "{http://www.w3.org/2000/svg}"


def shapes(drawing: Any, kind: str) -> list[ET.Element]:
    return [e for e in ET.fromstring(drawing.text).iter() if e.get("class") == kind]


def labels(drawing: Any) -> list[str | None]:
    return [e.text for e in shapes(drawing, "label")]


def with_anomaly(wave: pa.Table) -> pa.Table:
    return made.with_cell(wave, "value", 700, 9.0)


def test_a_drawing_has_observed_and_expected_values(
    wave_model: Autoencoder, wave: pa.Table, tmp_path: Path
) -> None:
    data = with_anomaly(wave)
    drawing = wave_model.plot_series(data, tmp_path / "wave.svg")
    assert (tmp_path / "wave.svg").read_text() == drawing.text == drawing._repr_svg_()
    assert "var(" not in drawing.text and "nan" not in drawing.text and len(repr(drawing)) < 20
    assert labels(drawing)[1:] == ["value", "anomaly score, in bits"]
    for kind in ("observed", "expected", "range", "bits", "bits alarm"):
        assert [e for e in shapes(drawing, kind) if e.get("d")], kind
    # One more of each in the legend.
    episodes = tasks.score(wave_model, data).episodes
    assert len(shapes(drawing, "episode")) == len(shapes(drawing, "peak")) == len(episodes) + 1 >= 2


def test_missing_values_and_gaps_have_expected_values(channels_model: Autoencoder) -> None:
    data = made.two_channels()  # 40 points are missing from row 300 on, three more later
    drawing = channels_model.plot_series(
        data, column="up", start=data["time"][250].as_py(), stop=data["time"][350].as_py()
    )
    observed, expected = (
        next(e.get("d") or "" for e in shapes(drawing, kind) if e.get("d"))
        for kind in ("observed", "expected")
    )
    assert observed.count("M") == 2 and expected.count("M") == 1
    wide = [float(v) for v in re.findall(r"M([\d.]+)", observed)]
    assert wide[0] == 0 and wide[1] == pytest.approx(978 * 90 / 140, abs=15)


def test_channels_and_series_can_be_chosen(fleet_model: Autoencoder, channels_model: Autoencoder) -> None:
    data = made.fleet()
    assert {"a", "b", "c"} <= set(labels(fleet_model.plot_series(data)))
    chosen = labels(fleet_model.plot_series(data, series="b"))
    assert "b" in chosen and not {"a", "c"} & set(chosen)
    assert "side" not in labels(channels_model.plot_series(made.two_channels(), column=["up"]))


def test_eight_channels_do_not_overlap() -> None:
    rng = np.random.default_rng(0)
    data = {f"c{i}": np.sin(np.arange(400) / (5 + i)) + 0.1 * rng.normal(size=400) for i in range(9)}
    drawing = fitted(data, window=16).plot_series(data)
    places = [float(e.get("y") or 0) for e in shapes(drawing, "label")][1:]
    assert len(places) == 9  # eight channels and the anomaly scores
    assert (np.diff(places) > 80).all()


def test_a_time_may_be_text_or_a_number(wave_model: Autoencoder, wave: pa.Table) -> None:
    def points(drawing: Any) -> int:
        return sum(len(re.findall(r"[ -]", e.get("d") or "")) for e in shapes(drawing, "observed"))

    some = wave_model.plot_series(wave, start="2024-03-01", stop="2024-03-01 06:00")
    assert 0 < points(some) < points(wave_model.plot_series(wave)) / 3
    data = {"value": wave["value"].to_numpy()}
    model = fitted(data, window=16)
    assert 0 < points(model.plot_series(data, start=0, stop=60)) < points(model.plot_series(data)) / 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "velue"}, "one of value"),
        ({"series": "b"}, "series='b' is not known"),
        ({"start": "2030-01-01"}, "start='2024-03-01 00:00:00'"),
        ({"start": "soon"}, "no time of the series"),
        ({"stop": 7}, "no time of the series"),
        ({"path": "wave.png"}, "series.svg"),
    ],
)
def test_unknown_names_and_times_raise(
    wave_model: Autoencoder, wave: pa.Table, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        wave_model.plot_series(wave, **options)


def test_tables_and_places_that_cannot_be_written(
    wave_model: Autoencoder, wave: pa.Table, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match=r"model\.report"):
        fitted(wave.select(["value"]), epochs=1).plot_series(wave)
    with pytest.raises(DataError):
        wave_model.plot_series(wave, tmp_path / "nowhere" / "wave.svg")
