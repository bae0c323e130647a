"""The comparison page: synthetic rows and real rows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diabolo import Autoencoder
from diabolo.errors import DataError, OptionError
from diabolo.evaluation import PrivacyReport
from diabolo.report.comparison import verdict
from diabolo.report.privacy import concerns
from tests.commands import Run
from tests.fits import fitted
from tests.report.test_report import LIMIT, Page, people


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    made = people(400)
    made.loc[::8, "city"] = None
    return made


@pytest.fixture(scope="module")
def model(data: pd.DataFrame) -> Autoencoder:
    return fitted(data, epochs=2)


def read(path: Path) -> Page:
    raw = path.read_bytes()
    assert len(raw) <= LIMIT
    text = raw.decode()
    page = Page(text)
    assert "script" not in page.tags and page.handlers == [] and not re.search(r"https?:|url\(|@import", text)
    assert all(link.startswith("#") or link == "data:," for link in page.links)
    assert len(page.ids) == len(set(page.ids))
    return page


def test_synthetic_rows_are_compared_with_real_ones(
    model: Autoencoder, data: pd.DataFrame, tmp_path: Path
) -> None:
    rows = people(300).assign(weight=lambda t: t["weight"] + 30)
    page = read(model.report(data, tmp_path / "page.html", synthetic=rows, unseen=people(200)))
    assert "synthetic rows can be told apart from real rows" in page.text
    for heading in (
        "What the classifier relies on",
        "Synthetic rows that were recognised",
        "Columns in pairs",
        "Privacy",
        "Caveats",
    ):
        assert heading in page.text
    assert page.tags["figure"] == len(model.schema_.predicted) + 1
    assert "missing: 12 % real" in page.text and "differential privacy" in page.text
    assert "model.report(data, 'page.html', synthetic=rows, unseen=unseen)" in page.text


def test_without_unseen_rows_a_caveat_names_what_is_not_known(
    model: Autoencoder, data: pd.DataFrame, tmp_path: Path
) -> None:
    page = read(model.report(data, tmp_path / "page.html", synthetic=data))
    assert "--unseen FILE" in page.text
    assert "100 % of the synthetic rows are copies" in page.text
    with pytest.raises(OptionError, match="unseen"):
        model.report(data, tmp_path / "page.html", unseen=data)


def test_text_of_the_data_is_never_markup(tmp_path: Path) -> None:
    evil = "</title></svg><script>alert(1)</script>\"'&{{7*7}}"
    real = people(120).rename(columns={"weight": evil})
    real["city"] = np.where(real.index % 3 == 0, evil, "\u202eOslo")
    rows = real.assign(city="Rome")
    page = read(fitted(real, epochs=1).report(real, tmp_path / "page.html", synthetic=rows, command=evil))
    assert "{{7*7}}" in page.text and "\u202e" not in page.text


def test_a_wide_table_stays_small(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    wide = pd.DataFrame({f"a column with a long name {i}": random.normal(size=60) for i in range(70)})
    wide["same"] = 1.5
    page = read(fitted(wide, "denoising", epochs=1).report(wide, tmp_path / "page.html", synthetic=wide))
    assert "10 more columns are not drawn" in page.text
    assert "Not compared, as their values are not predicted: same" in page.text


def test_columns_without_values(tmp_path: Path) -> None:
    real = people(100)
    rows = real.assign(height=np.nan)
    page = read(fitted(real, epochs=1).report(real, tmp_path / "page.html", synthetic=rows))
    assert "missing: 0 % real, 100 % synthetic" in page.text


def test_errors_leave_no_file(model: Autoencoder, data: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        model.report(data, tmp_path / "page.html", synthetic=data.drop(columns="height"))
    with pytest.raises(DataError):
        model.report(data, tmp_path / "nowhere" / "page.html", synthetic=data)
    assert list(tmp_path.iterdir()) == []


def test_scores_in_words() -> None:
    meanings = [verdict(auroc).rpartition(": ")[2] for auroc in (0.5, 0.55, 0.7, 0.8, 0.95)]
    assert len(set(meanings)) == 5 and "chance" in meanings[0]


def test_concerns_in_words() -> None:
    honest = PrivacyReport(0.001, 1.0, 0.7, "x", 0.001, 1.0, 0.5, 0.5, 0.7)
    assert concerns(honest) == []
    stolen = PrivacyReport(0.5, 0.0, 0.9, "x", 0.001, 1.0, 0.9, 0.9, 0.7)
    assert len(concerns(stolen)) == 4


def test_on_the_command_line(run: Run, folder: Path, tmp_path: Path) -> None:
    page, data_file, model_file = tmp_path / "page.html", folder / "t.csv", folder / "t.diabolo"
    ran = run("report", data_file, "-m", model_file, "--synthetic", data_file, "-o", page)
    assert ran.status == 0 and "page.html" in ran.err
    assert f"--synthetic {data_file}" in read(page).text
    assert run("report", data_file, "-m", model_file, "--unseen", data_file).status == 2
    missing = run("report", data_file, "-m", model_file, "--synthetic", tmp_path / "none.csv", "-o", page)
    assert missing.status == 2 and "none.csv" in missing.err
