"""Every command, as people type it: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.csv
import pytest

from diabolo import Autoencoder, datasets, load
from diabolo.cli.output import FORMATS
from diabolo.data.files import read_file
from diabolo.version import __version__
from tests import made
from tests.commands import QUICK, Run, left_in

COMMANDS = [
    *("fit", "score", "explain", "repair", "embed", "denoise", "match", "generate", "drift"),
    *("violations", "report", "info", "runs", "demo"),
]


def test_help_lists_every_command(run: Run) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        said = run(*arguments)
        assert said.status == 0 and all(f" {command} " in said.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(run: Run, command: str) -> None:
    said = run(command, "--help")
    assert said.status == 0 and f"diabolo {command}" in said.out


def test_every_option_of_the_model_is_a_flag(run: Run) -> None:
    text = run("fit", "--help").out
    # What cannot be typed: instances, and what the command line does itself.
    own = {"members", "columns", "checkpoint", "checkpoint_every", "verbose"}
    # `diabolo --version` is the program's.
    own |= {"version"}
    assert "--run-version" in text
    for name in set(Autoencoder().get_params(deep=False)) - own:
        assert f"--{name.replace('_', '-')}" in text


def test_version(run: Run) -> None:
    said = run("--version")
    assert (said.status, said.out.strip()) == (0, __version__)


def test_fit_writes_a_model(run: Run, data: Path, tmp_path: Path) -> None:
    said = run("fit", data, "-o", tmp_path / "m.diabolo", *QUICK, "--seed", 3)
    assert (said.status, said.out) == (0, "")
    assert "fitted to 200 rows" in said.err and "note: ignored: id" in said.err
    assert load(tmp_path / "m.diabolo").seed == 3


def test_bars_are_silent_where_stderr_is_no_terminal(run: Run, data: Path, tmp_path: Path) -> None:
    said = run("fit", data, "-o", tmp_path / "m.diabolo", *QUICK)
    assert "%" not in said.err and "\x1b" not in said.err and "\r" not in said.err


def test_quiet(run: Run, data: Path, model: Path, tmp_path: Path) -> None:
    for arguments in (
        ["fit", data, "-o", tmp_path / "m.diabolo", *QUICK],
        ["score", data, "-m", model, "-o", tmp_path / "s.csv"],
        ["repair", data, "-m", model, "-o", tmp_path / "r.csv"],
        ["report", data, "-m", model, "-o", tmp_path / "r.html"],
    ):
        said = run(*arguments, "--quiet")
        assert (said.status, said.out, said.err) == (0, "", "")
    assert left_in(tmp_path) == ["m.diabolo", "r.csv", "r.html", "s.csv"]


FLAGS = {
    "--context city": ("city", "context"),
    "--ignore count --ignore flag": ("flag", "ignored"),
    "--ignore count flag": ("count", "ignored"),
    "--categorical count": ("count", "category"),
    "--numeric id": ("id", "number"),
    "--scored number double": ("city", "context"),
}


@pytest.mark.parametrize("flags", FLAGS)
def test_flags_of_columns(run: Run, data: Path, flags: str) -> None:
    name, wanted = FLAGS[flags]
    said = run("info", data, *flags.split())
    assert said.status == 0, said.err
    line = next(line for line in said.out.splitlines() if line.split()[0] == name)
    assert wanted in line.split()[:3]


def test_flags_of_series(run: Run, folder: Path, tmp_path: Path) -> None:
    flags = ["--time", "time", "--by", "machine", "--window", "8"]
    said = run("fit", folder / "s.csv", "-o", tmp_path / "m.diabolo", *flags, *QUICK)
    assert said.status == 0, said.err
    made_of = load(tmp_path / "m.diabolo")
    assert (made_of.time, made_of.by, made_of.window) == ("time", "machine", 8)
    said = run("info", folder / "s.csv", "--time", "time", "--by", "machine", "--window", "auto")
    assert said.status == 0 and "windows of a series" in said.out and "20 points" in said.out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.toml", 'epochs = 1\nlayers = [24]\nignore = ["when"]\nalarm-rate = 0.2\n'),
        ("c.yaml", "epochs: 1\nlayer_sizes: [24]\nignore: [when]\nalarm_rate: 0.2\n"),
        ("c.json", '{"epochs": 1, "layers": "24", "ignore": ["when"], "alarm_rate": 0.2}'),
    ],
)
def test_options_from_a_file(run: Run, data: Path, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    arguments = ["fit", data, "-o", tmp_path / "m.diabolo", "--config", tmp_path / name]
    assert run(*arguments, "--alarm-rate", "0.3").status == 0
    found = load(tmp_path / "m.diabolo")
    # The command line overrules the file.
    assert (found.epochs, found.alarm_rate) == (1, 0.3)
    assert found.engine_.cell_network.member.layers == (24,)
    assert {e.name: e.role for e in found.schema_.entries}["when"] == "ignored"


def test_misspelt_names(run: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("epoch = 1\n")
    said = run("info", data, "--config", tmp_path / "c.toml")
    assert said.status == 2 and "'epoch' is not an option" in said.err and "did you mean epochs?" in said.err
    said = run("info", data, "--epoch", "1")
    assert said.status == 2 and "--epochs" in said.err
    said = run("info", data, "--categorical", "cuont")
    assert said.status == 2 and "did you mean 'count'?" in said.err
    said = run("scor", data)
    assert said.status == 2 and "score" in said.err


@pytest.mark.parametrize("command", ["score", "explain", "repair", "embed"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_answers_in_every_format(
    run: Run, data: Path, model: Path, tmp_path: Path, command: str, suffix: str
) -> None:
    said = run(command, data, "-m", model, "-o", tmp_path / f"a{suffix}")
    assert (said.status, said.out) == (0, ""), said.err
    table = read_file(tmp_path / f"a{suffix}")
    assert left_in(tmp_path) == [f"a{suffix}"]
    assert table.num_rows == 200 or command == "explain"


def test_score(run: Run, data: Path, model: Path) -> None:
    said = run("score", data, "-m", model)
    table = pa.csv.read_csv(io.BytesIO(said.out.encode()))
    assert table.column_names == ["row", "bits", "severity", "alarm"] and table.num_rows == 200
    assert table["row"].to_pylist() == list(range(200))
    assert table["bits"].to_pylist() == pytest.approx(load(model).anomaly_score(data).tolist())
    assert f"{sum(table['alarm'].to_pylist())} of 200 rows are alarms (about" in said.err


def test_score_of_series_says_when_and_which(run: Run, folder: Path) -> None:
    said = run("score", folder / "s.csv", "-m", folder / "s.diabolo", "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert list(lines[0]) == ["row", "time", "machine", "bits", "severity", "alarm", "level"]
    assert [line["machine"] for line in lines[:3]] == ["a", "b", "c"]
    # Only rows that follow each other make episodes.
    assert re.search(r"180 rows are alarms \(\d+ episodes?; about", said.err)


def test_json_is_one_line_for_each_row(run: Run, data: Path, model: Path) -> None:
    for command in ("score", "explain", "repair", "embed"):
        said = run(command, data, "-m", model, "--json")
        assert said.status == 0 and all(json.loads(line) for line in said.out.splitlines())


def test_fail_on(run: Run, data: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.csv"
    severity = load(model).score_rows(data)["severity"].to_pylist()
    assert run("score", data, "-m", model, "-o", out, "--fail-on", max(severity) + 0.1).status == 0
    out.unlink()
    assert run("score", data, "-m", model, "-o", out, "--fail-on", max(severity) - 0.1).status == 1
    assert read_file(out).num_rows == 200  # the answer is there all the same


def test_explain_rows(run: Run, data: Path, model: Path) -> None:
    said = run("explain", data, "-m", model, "--rows", 7, 9)
    table = pa.csv.read_csv(io.BytesIO(said.out.encode()))
    assert set(table["row"].to_pylist()) == {7, 9}
    said = run("explain", data, "-m", model, "--top", 3)
    assert len(set(pa.csv.read_csv(io.BytesIO(said.out.encode()))["row"].to_pylist())) <= 3
    assert run("explain", data, "-m", model, "--rows", 200).status == 2
    assert run("explain", data, "-m", model, "--top", -3).status == 2


def test_repair_fills_holes_and_leaves_the_rest(run: Run, data: Path, model: Path) -> None:
    said = run("repair", data, "-m", model)
    before, after = read_file(data), pa.csv.read_csv(io.BytesIO(said.out.encode()))
    holes = sum(before[n].null_count for n in made.PREDICTED)
    assert f"{holes} missing values filled" in said.err and holes > 0
    for name in made.PREDICTED:
        assert after[name].null_count == 0
        pairs = zip(before[name].to_pylist(), after[name].to_pylist(), strict=True)
        assert all(old == new for old, new in pairs if old is not None)


def test_embed(run: Run, data: Path, model: Path) -> None:
    said = run("embed", data, "-m", model)
    table = pa.csv.read_csv(io.BytesIO(said.out.encode()))
    assert (table.num_rows, table.num_columns) == load(model).transform(data).shape


def test_report_shows_the_command(run: Run, data: Path, model: Path, tmp_path: Path) -> None:
    said = run("report", data, "-m", model, "-o", tmp_path / "r.html")
    assert said.status == 0 and "r.html (" in said.err
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"diabolo report {data}" in page and page.rstrip().endswith("</html>")


def test_info_on_data_and_on_a_model(run: Run, data: Path, model: Path) -> None:
    said = run("info", data)
    assert (said.status, said.err) == (0, "")
    assert said.out.split()[:6] == ["column", "kind", "role", "missing", "why", "learnt"]
    said = run("info", model)
    assert said.status == 0
    known = (
        "3 levels",
        "parameters",
        "alarms: above",
        "wrong cells: about 0.",
        "rows: 200",
        "note: ignored: id",
    )
    for part in known:
        assert part in said.out


def test_demo(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = datasets.machine_temperature().slice(3_400, 700)
    monkeypatch.setattr(datasets, "machine_temperature", lambda: series)
    monkeypatch.chdir(tmp_path)
    said = run("demo")
    assert said.status == 0, said.err
    assert left_in(tmp_path) == ["report.html"] and "report.html shows them" in said.err
    assert "700 points" in said.err
    assert all("severity" in line and "expected" in line for line in said.out.splitlines())
    assert run("demo", "-o", tmp_path / "none" / "r.html").status == 2


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_standard_input(
    run: Run, data: Path, model: Path, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    raw = data.read_bytes().replace(b",", sign.encode())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(raw)))
    said = run("score", "-", "-m", model)
    assert said.status == 0 and said.out == run("score", data, "-m", model).out


def test_nothing_on_standard_input(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    said = run("score", "-", "-m", model)
    assert said.status == 2 and "standard input is empty" in said.err
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a,b\n1,2\n1,2,3\n")))
    said = run("score", "-", "-m", model)
    assert said.status == 2 and "standard input cannot be read" in said.err


def test_a_terminal_gets_a_few_rows(
    run: Run, data: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: self is sys.stdout)
    said = run("score", data, "-m", model)
    assert said.status == 0 and "the most anomalous rows" in said.out and len(said.out.splitlines()) < 15
    # An answer that was asked for as a stream comes as one.
    assert len(run("score", data, "-m", model, "--json").out.splitlines()) == 200


def called(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "diabolo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=120)


def test_as_a_program(data: Path, tmp_path: Path) -> None:
    ran = called("fit", data, "-o", "m.diabolo", *QUICK, cwd=tmp_path)
    assert ran.returncode == 0 and ran.stdout == "" and "\x1b" not in ran.stderr, ran.stderr
    ran = called("score", data, "-m", "m.diabolo", "--fail-on", "0", cwd=tmp_path)
    assert ran.returncode == 1 and len(ran.stdout.splitlines()) == 201


def test_help_is_quick_and_loads_little() -> None:
    code = (
        "import sys; from diabolo.cli import app as cli; sys.argv = ['diabolo', '--help']\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'pandas', 'sklearn', 'polars') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_goes_away(data: Path, model: Path) -> None:
    command = [sys.executable, "-m", "diabolo", "score", str(data), "-m", str(model), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ran:
        assert ran.stdout is not None and ran.stderr is not None
        ran.stdout.close()
        said = ran.stderr.read()
        assert ran.wait(120) == 0
    assert "Traceback" not in said and "Broken" not in said


def test_a_missing_extra_is_said(tmp_path: Path) -> None:
    code = "import sys; sys.modules['cyclopts'] = None\nimport diabolo.__main__ as start\nstart.main()"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (
        ran.returncode == 2 and 'pip install "diabolo[cli]"' in ran.stderr and "Traceback" not in ran.stderr
    )
