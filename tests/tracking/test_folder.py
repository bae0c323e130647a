"""A plain folder of runs: what lies in it, and what a crash or a hand can do to it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from diabolo.errors import DataError
from diabolo.tracking import Folder, RunName, runs


def begun(root: Path) -> Folder:
    folder = Folder(str(root))
    folder.begin(RunName("p", "r"), {"lr": 0.1, "path": root})
    folder.log({"member": "m", "step": 1, "total": 1.0})
    return folder


def test_the_files(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    assert folder.run_folder == tmp_path / "p" / "r" / "1"
    assert sorted(p.name for p in folder.run_folder.iterdir()) == ["history.ndjson", "run.json"]
    card = json.loads((folder.run_folder / "run.json").read_text())
    assert card["status"] == "running" and card["parameters"] == {"lr": 0.1, "path": str(tmp_path)}


def test_a_line_that_a_crash_cut_short(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    with open(folder.run_folder / "history.ndjson", "a") as file:
        file.write('{"member": "m", "st')
    (record,) = runs(tmp_path)
    assert record.history == [{"member": "m", "step": 1, "total": 1.0}]
    assert record.status == "running" and record.seconds is not None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"status": "fine", "began": "2024-01-01T00:00:00+00:00"}']
)
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    folder = begun(tmp_path)
    (folder.run_folder / "run.json").write_text(text)
    with pytest.raises(DataError, match=r"run\.json is not a valid record of a run") as caught:
        runs(tmp_path)
    assert str(folder.run_folder) in str(caught.value.hint)


def test_runs_that_begin_at_once_get_versions_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda _: Folder(str(tmp_path)).begin(RunName("p", "r"), {}), range(24)))
    assert sorted(versions) == list(range(1, 25))


def test_a_place_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(DataError, match="cannot be recorded there"):
        begun(tmp_path / "runs")


def test_other_files_do_no_harm(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "README.md").write_text("")
    (tmp_path / "p" / "r" / "notes").mkdir()
    (tmp_path / "p" / "r" / "2").mkdir()
    assert [r.version for r in runs(tmp_path)] == [1]
    assert Folder(str(tmp_path)).begin(RunName("p", "r"), {}) == 3
