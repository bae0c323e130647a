"""The suspicious cells of a table in its report, and the list of accepted corrections that it writes."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.cli.output import to_bytes
from diabolo.data.files import read_texts
from diabolo.report import cleaning
from diabolo.report.report import make_view
from tests import made
from tests.report.test_report import find, fitted, write

ODD = 'Liver"pool</td><script>,\n\u00e9'  # a value whose characters csv and pages give a meaning to


@pytest.fixture(scope="module")
def data() -> pa.Table:
    table = made.with_cell(made.cities(), "city", 200, ODD)
    return made.with_cell(table, "size", 30, 9000)


@pytest.fixture(scope="module")
def model(data: pa.Table) -> Autoencoder:
    return fitted(data)


def test_suspicious_cells_are_listed(model: Autoencoder, data: pa.Table, tmp_path: Path) -> None:
    page = write(model, data, tmp_path, command="diabolo report my.csv -m my.diabolo -o r.html")
    assert "Suspicious cells" in page.text and "cells are probably wrong" in page.text
    assert "typo of another value: 5" in page.text and "typo of 'Birmingham'" in page.text
    command = "diabolo repair my.csv -m my.diabolo --accepted accepted.csv -o corrected.csv"
    assert command in page.text
    text = (tmp_path / "report.html").read_text("utf-8")
    lines = re.findall(r'<tr data-row="(\d+)".*?</tr>', text, re.S)
    assert {int(row) for row in lines} >= {*made.TYPOS, 200, 30}
    section = text[text.index('<section id="cleaning"') : text.index('<section id="level"')]
    assert section.count("checked data-sure") >= 5 and "<script" not in section
    assert 'value="Birmingham"' in section


def test_the_cards_say_what_is_wrong(model: Autoencoder, data: pa.Table) -> None:
    cards = {card.title: card for card in make_view(model, data).cards()}
    reasons = {cell.column: cell.why for cell in cards["Row 30"].cells}
    assert reasons["size"] and not reasons["region"]


def test_a_clean_table_has_one_sentence(tmp_path: Path) -> None:
    clean = made.cities(typos=False)
    page = write(fitted(clean), clean, tmp_path)
    assert "No suspicious cells: of the 720 cells, none is probably wrong." in page.text
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "data-row=" not in text and 'class="toolbar accepting"' not in text


def test_a_series_has_no_such_section(tmp_path: Path) -> None:
    wave = made.wave(300)
    assert "Suspicious cells" not in write(fitted(wave, time="time", window=16), wave, tmp_path).text


def test_many_rows_and_many_suspects_are_capped(
    model: Autoencoder, data: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "MAX_ROWS", 100)
    page = write(model, data, tmp_path)
    assert "100 of the 240 rows were checked, evenly spaced." in page.text
    found = cleaning.cleaning(make_view(model, data), "", None)
    assert found is not None
    checked = set(np.linspace(0, 239, 100).round().astype(int).tolist())
    assert {cell.row for column in found.columns for cell in column.cells} <= checked
    monkeypatch.setattr(cleaning, "MAX_ROWS", 20_000)
    monkeypatch.setattr(cleaning, "MOST_CELLS", 2)
    found = cleaning.cleaning(make_view(model, data), "", None)
    assert found is not None
    city = next(column for column in found.columns if column.name == "city")
    assert len(city.cells) == 2 and city.left_out == city.total - 2 >= 4
    assert f"{city.left_out} more are not in this page." in write(model, data, tmp_path).text
    monkeypatch.setattr(cleaning, "MAX_COLUMNS", 1)
    found = cleaning.cleaning(make_view(model, data), "", None)
    assert found is not None and len(found.columns) == 1 and "are not listed" in found.notes[0]


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        ("typo of 'a'", "typo of another value"),
        ("10 times what is expected", "a power of ten times what is expected"),
        ("1/1,000 of what is expected", "a power of ten times what is expected"),
        ("negative, though 3 is expected", "wrong sign"),
        ("written without a mark, unlike 98% of the column", "written unlike the rest of the column"),
        ("'North' comes with this city in 9 of 9 rows", "contradicts another column"),
        ("a + b2 = c is off by +3; 4 would be right", "a + b2 = c does not hold"),
        ("an HTML entity", "an HTML entity"),
        ("says 'x' 12 times of H2", "says … … times of H2"),
    ],
)
def test_kinds_of_reasons(why: str, kind: str) -> None:
    assert cleaning.reason_kind(why) == kind


@pytest.mark.parametrize(
    ("command", "name", "shown"),
    [
        ("diabolo report -q --model=m.diabolo 'a b.csv'", "", "diabolo repair 'a b.csv' -m m.diabolo "),
        ("diabolo report - -m m.diabolo -o r.html", "", "diabolo repair - -m m.diabolo "),
        ("diabolo report a.csv", "", "model.repair(data, accepted="),
        ("no 'closed quote", "a.csv", "model.repair('a.csv', accepted="),
        (None, "it's.csv", 'model.repair("it\'s.csv", accepted='),
    ],
)
def test_the_command_that_applies_the_list(command: str | None, name: str, shown: str) -> None:
    assert cleaning.repair_command(command, name).startswith(shown)


def click(chrome: Any, selector: str) -> None:
    """Click where the element is, also if the toolbar hides it."""
    chrome.execute_script("arguments[0].click()", find(chrome, selector))


def downloaded(chrome: Any, folder: Path) -> Path:
    """The file that the button downloads."""
    path = folder / "accepted.csv"
    path.unlink(missing_ok=True)
    chrome.execute_cdp_cmd(
        "Browser.setDownloadBehavior",
        {"behavior": "allow", "downloadPath": str(folder), "eventsEnabled": False},
    )
    find(chrome, "[name=download]").click()
    until = time.monotonic() + 10
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    return path


@pytest.mark.browser
def test_accepted_corrections_are_downloaded_and_made(
    model: Autoencoder,
    data: pa.Table,
    tmp_path: Path,
    chrome: Any,
) -> None:
    chrome.set_window_size(1400, 900)
    chrome.get(model.report(data, tmp_path / "report.html").as_uri())
    output = find(chrome, ".accepting output")
    sure = {int(e.get_attribute("data-row")) for e in chrome.find_elements("css selector", "tr.accepted")}
    assert output.text.startswith(f"{len(sure)} of ") and sure >= set(made.TYPOS)
    assert not find(chrome, 'tr[data-row="130"]').is_displayed() or len(sure) <= 8

    # What is accepted by default is what `repair` corrects.
    answer = model.repair(data, accepted=downloaded(chrome, tmp_path))
    assert answer.to_frame().equals(model.repair(data).to_frame())

    click(chrome, "[name=none]")
    assert output.text.startswith("0 of ") and not find(chrome, "[name=download]").is_enabled()
    for button in chrome.find_elements("css selector", ".show-all"):
        chrome.execute_script("arguments[0].click()", button)
    assert all(line.is_displayed() for line in chrome.find_elements("css selector", "tr[data-row]"))
    # A right value is typed in, and so the correction is accepted.
    typed = 'new "city", with <b> and \u00fc'
    field = find(chrome, 'tr[data-row="200"] .new > *')
    field.clear()
    field.send_keys(typed)
    click(chrome, 'tr[data-row="5"] [type=checkbox]')
    assert output.text.startswith("2 of ")
    table = read_texts(downloaded(chrome, tmp_path))
    lines = sorted(zip(*table.values(), strict=True))
    assert list(table) == ["row", "column", "old", "new"]
    assert lines == [("200", "city", ODD, typed), ("5", "city", "Birmingxam", "Birmingham")]
    made_so = model.repair(data, accepted=tmp_path / "accepted.csv").to_frame()
    wanted = made.with_cell(made.with_cell(data, "city", 200, typed), "city", 5, "Birmingham")
    assert made_so.equals(wanted)

    click(chrome, "[name=sure]")
    assert output.text.startswith(f"{len(sure)} of ")
    click(chrome, "[name=all]")
    assert int(output.text.split()[0]) >= len(sure)
    find(chrome, "[name=copy]").click()
    assert find(chrome, "[name=copy]").text == "Copied"
    assert chrome.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert chrome.get_log("browser") == []


@pytest.mark.browser
def test_the_section_fits_a_phone_and_works_with_the_command_line(
    model: Autoencoder,
    data: pa.Table,
    tmp_path: Path,
    chrome: Any,
    run: Any,
) -> None:
    (tmp_path / "cities.csv").write_bytes(to_bytes(data, ".csv"))
    model.save(tmp_path / "m.diabolo")
    page = tmp_path / "r.html"
    assert run("report", tmp_path / "cities.csv", "-m", tmp_path / "m.diabolo", "-o", page).status == 0
    chrome.set_window_size(520, 900)
    chrome.get(page.as_uri())
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert chrome.execute_script(wide) <= 0
    downloaded(chrome, tmp_path)
    command = find(chrome, ".accepting code").text.replace("accepted.csv", str(tmp_path / "accepted.csv"))
    words = command.replace("corrected.csv", str(tmp_path / "corrected.csv")).split()
    said = run(*words[1:])
    assert said.status == 0 and "accepted corrections made" in said.err
    run("repair", tmp_path / "cities.csv", "-m", tmp_path / "m.diabolo", "-o", tmp_path / "repaired.csv")
    assert (tmp_path / "corrected.csv").read_bytes() == (tmp_path / "repaired.csv").read_bytes()
