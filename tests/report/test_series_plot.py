"""Pictures of series that stand alone."""

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


def shapes(picture: Any, kind: str) -> list[ET.Element]:
    return [e for e in ET.fromstring(picture.text).iter() if e.get("class") == kind]


def labels(picture: Any) -> list[str | None]:
    return [e.text for e in shapes(picture, "label")]


def odd(wave: pa.Table) -> pa.Table:
    return made.with_cell(wave, "value", 700, 9.0)


def test_a_picture_has_all_that_was_measured_and_expected(
    wave_model: Autoencoder, wave: pa.Table, tmp_path: Path
) -> None:
    data = odd(wave)
    picture = wave_model.plot_series(data, tmp_path / "wave.svg")
    assert (tmp_path / "wave.svg").read_text() == picture.text == picture._repr_svg_()
    assert "var(" not in picture.text and "nan" not in picture.text and len(repr(picture)) < 20
    assert labels(picture)[1:] == ["value", "oddness, in bits"]
    for kind in ("got", "expected", "range", "bits", "bits alarm"):
        assert [e for e in shapes(picture, kind) if e.get("d")], kind
    # One more of each in the key.
    episodes = tasks.score(wave_model, data).episodes
    assert len(shapes(picture, "episode")) == len(shapes(picture, "peak")) == len(episodes) + 1 >= 2


def test_holes_and_gaps_show_what_is_expected_in_them(channels_model: Autoencoder) -> None:
    data = made.two_channels()  # 40 points are missing from row 300 on, three more later
    picture = channels_model.plot_series(
        data, column="up", start=data["time"][250].as_py(), stop=data["time"][350].as_py()
    )
    got, expected = (
        next(e.get("d") or "" for e in shapes(picture, kind) if e.get("d")) for kind in ("got", "expected")
    )
    assert got.count("M") == 2 and expected.count("M") == 1
    wide = [float(v) for v in re.findall(r"M([\d.]+)", got)]
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
    picture = fitted(data, window=16).plot_series(data)
    places = [float(e.get("y") or 0) for e in shapes(picture, "label")][1:]
    assert len(places) == 9  # eight channels and the strip
    assert (np.diff(places) > 80).all()


def test_a_time_may_be_text_or_a_number(wave_model: Autoencoder, wave: pa.Table) -> None:
    def points(picture: Any) -> int:
        return sum(len(re.findall(r"[ -]", e.get("d") or "")) for e in shapes(picture, "got"))

    some = wave_model.plot_series(wave, start="2024-03-01", stop="2024-03-01 06:00")
    assert 0 < points(some) < points(wave_model.plot_series(wave)) / 3
    data = {"value": wave["value"].to_numpy()}
    model = fitted(data, window=16)
    assert 0 < points(model.plot_series(data, start=0, stop=60)) < points(model.plot_series(data)) / 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"column": "velue"}, "one of value"),
        ({"series": "b"}, "series='b' is not known"),
        ({"start": "2030-01-01"}, "start='2024-03-01 00:00:00'"),
        ({"start": "soon"}, "no time of the series"),
        ({"stop": 7}, "no time of the series"),
        ({"path": "wave.png"}, "series.svg"),
    ],
)
def test_what_is_not_there_is_said(
    wave_model: Autoencoder, wave: pa.Table, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(OptionError, match=said):
        wave_model.plot_series(wave, **options)


def test_tables_and_places_that_cannot_be_written(
    wave_model: Autoencoder, wave: pa.Table, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match=r"model\.report"):
        fitted(wave.select(["value"]), epochs=1).plot_series(wave)
    with pytest.raises(DataError):
        wave_model.plot_series(wave, tmp_path / "nowhere" / "wave.svg")
