"""Fits by a file alone, and `diabolo runs`: through the command line."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from diabolo import load
from diabolo.cli.runs import differing_parameters
from diabolo.tracking import Folder, RunName, runs
from tests.commands import Run, left_in

NOTES = """\
run: notes
version: 1
project_name: p
cont_vars: [number, double]
cat_vars: [city]
embedding_sizes: [[4, 8]]
latent_dim: 4
layer_sizes: 24,16
kld_beta: 0.05
batch_size: 64
epochs: 2
data_folder_path: data
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: Path) -> Path:
    """A folder with notes.yaml, and data/train.csv that it names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    shutil.copy(data, tmp_path / "data" / "train.csv")
    (tmp_path / "notes.yaml").write_text(NOTES)
    return tmp_path


@pytest.fixture
def three(run: Run, there: Path) -> Path:
    """Three runs: of the notes, and two of another project that differ in two parameters."""
    said = run("fit", "--config", "notes.yaml")
    assert said.status == 0, said.err
    for lr, epochs in ((0.01, 2), (0.002, 3)):
        options = ["--recipe", "variational", "--lr", lr, "--epochs", epochs, "--run", "mine"]
        said = run("fit", "data/train.csv", "-o", "m.diabolo", *options, "--project", "q")
        assert said.status == 0, said.err
    return there


def test_a_file_is_enough(run: Run, there: Path) -> None:
    said = run("fit", "--config", "notes.yaml")
    assert (said.status, said.out) == (0, "")
    assert "notes.diabolo: fitted to 200 rows" in said.err and "run p/notes/1" in said.err
    model = load("notes.diabolo")
    assert model.recipe == "classic" and model.schema_.scored == ["number", "double", "city"]
    said = run("fit", "--config", "notes.yaml")
    assert said.status == 2 and "exists already" in said.err and "version=2 is free" in said.err
    said = run("fit", "--config", "notes.yaml", "--run-version", 5, "-o", "five.diabolo", "--quiet")
    assert (said.status, said.err) == (0, "")
    assert [r.version for r in runs("runs")] == [1, 5]


def test_a_file_is_read_from_where_it_lies(run: Run, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (there / "elsewhere").mkdir()
    monkeypatch.chdir(there / "elsewhere")
    assert run("fit", "--config", "../notes.yaml").status == 0
    assert left_in(there / "elsewhere") == ["notes.diabolo", "runs"]


def test_the_command_line_goes_before_the_file(run: Run, there: Path) -> None:
    shutil.rmtree(there / "data")
    said = run("fit", "--config", "notes.yaml", "-o", "m.diabolo")
    assert said.status == 2 and "there is no such file" in said.err
    (there / "own.csv").write_text(
        "number,double,city\n" + "".join(f"{i},{2 * i},a{i % 2}\n" for i in range(90))
    )
    said = run("fit", "own.csv", "--config", "notes.yaml", "--project", "mine", "--track", "tracks")
    assert said.status == 0 and "fitted to 90 rows" in said.err
    assert [r.name for r in runs("tracks")] == ["mine/notes/1"]


def test_nothing_to_learn_from_and_nowhere_to_write(run: Run, there: Path) -> None:
    said = run("fit", "-o", "m.diabolo")
    assert said.status == 2 and "no DATA was given" in said.err and "Hint: diabolo fit" in said.err
    said = run("fit", "data/train.csv", "--epochs", 1)
    assert said.status == 2 and "Hint: diabolo fit data/train.csv -o model.diabolo" in said.err


def test_every_run_with_its_losses(run: Run, three: Path) -> None:
    said = run("runs")
    assert said.status == 0, said.err
    table = pa.csv.read_csv(io.BytesIO(said.out.encode()))
    assert table.select(["project", "run", "version", "status", "member"]).to_pylist() == [
        {"project": "p", "run": "notes", "version": 1, "status": "finished", "member": "classic"},
        {"project": "q", "run": "mine", "version": 1, "status": "finished", "member": "variational"},
        {"project": "q", "run": "mine", "version": 2, "status": "finished", "member": "variational"},
    ]
    for row, record in zip(table.to_pylist(), runs("runs"), strict=True):
        last, best = record.history[-1], min(record.history, key=lambda line: line["held_out"])
        assert row["steps"] == last["step"] and row["seconds"] == record.seconds
        for name in ("total", "reconstruction", "kl", "held_out"):
            assert (row[name], row[f"last_{name}"]) == pytest.approx((best[name], last[name]))


def test_only_what_differs_becomes_a_column(run: Run, three: Path) -> None:
    said = run("runs", "runs", "mine", "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [(line["lr"], line["epochs"]) for line in lines] == [("0.01", "2"), ("0.002", "3")]
    assert "recipe" not in lines[0] and "seed" not in lines[0]
    # The notes say 2 epochs, the command line 2.0: they do not differ.
    assert "epochs" not in differing_parameters(runs("runs")[:2])
    assert {"recipe", "beta", "scored"} <= set(differing_parameters(runs("runs")[:2]))


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], ["p/notes/1", "q/mine/1", "q/mine/2"]),
        (["mine"], ["q/mine/1", "q/mine/2"]),
        (["mine/2"], ["q/mine/2"]),
        (["p/notes/1", "mine/1"], ["p/notes/1", "q/mine/1"]),
        (["--project", "p"], ["p/notes/1"]),
    ],
)
def test_which_runs(run: Run, three: Path, arguments: list[str], found: list[str]) -> None:
    said = run("runs", "runs", *arguments, "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [f"{line['project']}/{line['run']}/{line['version']}" for line in lines] == found


def test_on_a_terminal(run: Run, three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "100")

    def printed(*arguments: str) -> list[str]:
        shown = Terminal()
        monkeypatch.setattr(sys, "stdout", shown)
        run("runs", "runs", *arguments)
        return re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue()).splitlines()

    lines = [line.split() for line in printed("mine")]
    assert lines[1] == ["#", "project", "run", "version", "status", "when", "seconds"]
    assert lines[3][:5] == ["2", "q", "mine", "2", "finished"]
    assert lines[6] == ["#", "member", "steps", "total", "reconstruction", "kl", "held_out"]
    assert ["#", "epochs", "lr"] in [[line[0], *sorted(line[1:])] for line in lines if line]
    text = printed("notes", "mine/1")  # more parameters than runs
    lines = [line.split() for line in text]
    assert ["parameter", "#1", "#2"] in lines and ["recipe", "classic", "variational"] in lines
    assert max(map(len, text)) <= 100


def test_runs_that_have_no_lines_yet(run: Run, tmp_path: Path) -> None:
    Folder(str(tmp_path)).begin(RunName("p", "r"), {})
    (line,) = run("runs", tmp_path, "--json").out.splitlines()
    found = json.loads(line)
    assert (found["status"], found["member"], found["total"], found["seconds"]) == (
        "running",
        None,
        None,
        None,
    )


def test_runs_into_a_file(run: Run, three: Path) -> None:
    said = run("runs", "runs", "-o", "r.csv")
    assert (said.status, said.out) == (0, "")
    assert pa.csv.read_csv("r.csv").num_rows == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none"], "no such folder of runs"),
        (["runs", "nobody"], "there is no run 'nobody'"),
        (["runs", "--project", "z"], "there is no run of project 'z'"),
        (["wandb:runs"], "expected a location for runs"),
        (["runs", "-o", "r.xls"], "cannot be written"),
    ],
)
def test_mistakes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Folder("runs").begin(RunName("p", "r"), {})
    said = run("runs", *arguments)
    assert said.status == 2 and says in said.err and "Hint: " in said.err and said.out == ""


def test_an_empty_folder(run: Run, tmp_path: Path) -> None:
    said = run("runs", tmp_path)
    assert said.status == 0 and said.out.splitlines()[0].startswith("project,run,version,status")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["mine"], ["q/mine/1", "q/mine/2"]),
        (["mine/2", "notes"], ["p/notes/1", "q/mine/2"]),
        (["p/notes/1"], ["p/notes/1"]),
        # A folder of this name that holds no runs.
        (["notes"], ["p/notes/1"]),
    ],
)
def test_a_run_is_found_where_runs_are(run: Run, there: Path, arguments: list[str], found: list[str]) -> None:
    for name in (RunName("p", "notes"), RunName("q", "mine"), RunName("q", "mine")):
        Folder("runs").begin(name, {})
    Path("notes").mkdir()
    said = run("runs", *arguments, "--json")
    assert said.status == 0, said.err
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [f"{line['project']}/{line['run']}/{line['version']}" for line in lines] == found
    said = run("runs", "nobody")
    assert said.status == 2 and "no such folder of runs, and no run of this name in runs" in said.err
    assert "Hint: one of mine, notes" in said.err
