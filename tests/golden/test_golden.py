"""Files of every format so far are loaded, and say what they said on the day they were written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import diabolo
from diabolo.errors import UnsupportedError
from diabolo.persistence.storage import FORMAT
from tests.golden.make import DATA, HERE, answers, data_of

FILES = sorted(HERE.glob("*.diabolo"))


def test_there_is_one_of_this_format_for_each_kind_of_data() -> None:
    assert {f"{kind}.{FORMAT}.diabolo" for kind in DATA} <= {f.name for f in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_it_says_what_it_said(file: Path) -> None:
    assert file.stat().st_size < 400_000
    kind = file.name.split(".")[0]
    model = diabolo.load(file)
    said = answers(model, data_of(kind))
    expected = json.loads(file.with_suffix(".json").read_text())
    assert said["columns"] == expected["columns"]
    for part in ("score", "bits", "share"):
        found, golden = np.array(said[part]), np.array(expected[part])
        assert found.shape == golden.shape
        np.testing.assert_allclose(found, golden, rtol=1e-5, atol=1e-5, err_msg=part)
    # The row that was made anomalous has the highest score, a point of a series up to a window away.
    anomalous = {"table": 3, "series": 11, "images": 7}[kind]
    assert abs(int(np.argmax(expected["score"])) - anomalous) <= (16 if kind == "series" else 0)
    assert model.predict(data_of(kind))[anomalous] == -1


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_it_can_be_saved_again(file: Path, tmp_path: Path) -> None:
    again = diabolo.load(diabolo.load(file).save(tmp_path / "m.diabolo"))
    data = data_of(file.name.split(".")[0])
    assert np.array_equal(again.anomaly_score(data), diabolo.load(file).anomaly_score(data))


def test_what_an_old_file_lacks_is_said() -> None:
    with pytest.raises(UnsupportedError, match="fit it again"):
        diabolo.load(HERE / "series.1.diabolo").generate(5)
