"""Every point is answered on a line; a stopped watch resumes, and no point is lost or answered twice."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo.streaming import watch as watching
from tests.commands import Run
from tests.fits import fitted

# The command line as a program that saves its state twenty times a second.
SAVES_OFTEN = (
    "from diabolo.cli import app; from diabolo.streaming import watch; "
    "watch.SAVE_INTERVAL_SECONDS = 0.05; app.main()"
)


def pump(points: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    value = np.sin(np.arange(points) / 4) + 0.05 * random.normal(size=points)
    return pd.DataFrame({"time": pd.date_range("2026-01-01", periods=points, freq="h"), "flow": value})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and a series in a csv and in an ndjson file."""
    folder = tmp_path_factory.mktemp("watch")
    fitted(pump(300, 0), time="time", window=16).save(folder / "m.diabolo")
    data = pump(60, 1)
    data.loc[30, "flow"] = 9.0
    data.to_csv(folder / "p.csv", index=False)
    lines = data.assign(time=data["time"].astype(str)).to_dict("records")
    (folder / "p.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def answers(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_lines_of_csv_and_ndjson_are_answered_alike(run: Run, place: Path) -> None:
    said = []
    for name in ("p.csv", "p.ndjson"):
        ran = run("watch", place / name, "-m", place / "m.diabolo")
        assert ran.status == 0 and "60 points" in ran.err
        said.append(answers(ran.out))
    for one, two in zip(*said, strict=True):
        assert one["bits"] == two["bits"] and one["time"] == two["time"]
    assert len(said[0]) == 60 and said[0][30]["alarm"] and said[0][30]["status"] == "new"


def test_alarms_only(run: Run, place: Path) -> None:
    ran = run("watch", place / "p.csv", "-m", place / "m.diabolo", "--alarms", "--quiet")
    found = answers(ran.out)
    assert 0 < len(found) < 60 and all(line["alarm"] for line in found) and ran.err == ""


def test_bad_lines_are_reported_and_skipped(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good = (place / "p.csv").read_text().splitlines()
    lines = [*good[:5], "2026-01-01 09:00:00", "2026-01-01 09:00:00,much", ",1.0", "", *good[5:8], '"']
    (tmp_path / "bad.csv").write_text("\n".join(lines))
    ran = run("watch", tmp_path / "bad.csv", "-m", place / "m.diabolo")
    assert ran.status == 2 and len(answers(ran.out)) == 7
    for number in (6, 7, 8, 13):
        assert f"line {number}:" in ran.err
    (tmp_path / "bad.ndjson").write_text('{"time": 1\n[1]\n{"flow": 1}\n{"time": "2026-01-01", "flow": 1}\n')
    ran = run("watch", tmp_path / "bad.ndjson", "-m", place / "m.diabolo")
    # Its first line looks like an object, so that all are read as such.
    assert ran.status == 2 and len(answers(ran.out)) == 1


def test_a_stopped_watch_resumes(run: Run, place: Path, tmp_path: Path) -> None:
    whole = run("watch", place / "p.csv", "-m", place / "m.diabolo").out
    part, out, state = tmp_path / "p.csv", tmp_path / "out.ndjson", tmp_path / "state"
    lines = (place / "p.csv").read_text().splitlines(keepends=True)
    for end in (20, 21, 45, len(lines)):
        part.write_text("".join(lines[:end]))
        ran = run("watch", part, "-m", place / "m.diabolo", "-o", out, "--state", state)
        assert ran.status == 0
    assert out.read_text() == whole
    # Answers behind the saved state are removed.
    saved = state.read_bytes()
    part.write_text("".join(lines[:10]))
    state.unlink()
    out.unlink()
    run("watch", part, "-m", place / "m.diabolo", "-o", out, "--state", state)
    out.write_text(out.read_text() + '{"half": ')
    part.write_text("".join(lines))
    run("watch", part, "-m", place / "m.diabolo", "-o", out, "--state", state)
    assert out.read_text() == whole and json.loads(state.read_bytes())["seen"] == json.loads(saved)["seen"]


def test_standard_input_may_repeat_itself(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text, state = (place / "p.csv").read_bytes(), tmp_path / "state"
    lines = text.splitlines(keepends=True)
    said = ""
    for part in (b"".join(lines[:40]), text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(part)))
        said += run("watch", "-m", place / "m.diabolo", "--state", state).out
    assert [line["time"] for line in answers(said)] == pump(60, 1)["time"].astype(str).tolist()


def killed(command: list[str], out: Path, state: Path) -> None:
    """Run a command three times, each killed a while after it began to answer."""
    for _ in range(3):
        before = out.stat().st_size if out.exists() else 0
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if out.exists() and out.stat().st_size > before + 20_000 and state.exists():
                process.kill()
            time.sleep(0.01)
        process.wait()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
def test_killed_at_any_moment_no_point_is_lost_or_doubled(
    run: Run, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pump(3000, 2)
    path, out, state = tmp_path / "long.csv", tmp_path / "out.ndjson", tmp_path / "state"
    data.to_csv(path, index=False)
    code = SAVES_OFTEN
    command = [sys.executable, "-c", code, "watch", str(path), "-m", str(place / "m.diabolo")]
    command += ["-o", str(out), "--state", str(state), "--quiet"]
    killed(command, out, state)
    monkeypatch.setattr(watching, "SAVE_INTERVAL_SECONDS", 1.0)
    run("watch", path, "-m", place / "m.diabolo", "-o", out, "--state", state)
    found = answers(out.read_text())
    assert [line["time"] for line in found] == data["time"].astype(str).tolist()
    assert {line["status"] for line in found} == {"new"}


def test_what_cannot_be_watched(run: Run, place: Path, folder: Path, tmp_path: Path) -> None:
    assert run("watch", place / "none.csv", "-m", place / "m.diabolo").status == 2
    assert run("watch", place / "p.csv", "-m", folder / "t.diabolo").status == 2
    assert run("watch", place / "p.csv", "-m", place / "m.diabolo", "-o", tmp_path / "no" / "x").status == 2
    (tmp_path / "state").write_text("{}")
    ran = run("watch", place / "p.csv", "-m", place / "m.diabolo", "--state", tmp_path / "state")
    assert ran.status == 3 and "state" in ran.err


@pytest.fixture(scope="module")
def learnt(place: Path) -> tuple[list[str], Path]:
    """A command that learns from a drift four times, and its answers if it is left alone."""
    data, path, whole = pump(1500, 2), place / "drift.csv", place / "whole.ndjson"
    data["flow"] += np.linspace(0, 2, len(data))
    data.to_csv(path, index=False)
    command = ["watch", str(path), "-m", str(place / "m.diabolo"), "--refresh", "320"]
    ran = subprocess.run(
        [sys.executable, "-m", "diabolo", *command, "-o", str(whole)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr.count("updated the model with the last points") == 4
    assert "more alarms than expected" in ran.stderr
    return command, whole


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
def test_what_is_learnt_meanwhile_outlasts_a_kill(
    run: Run, learnt: tuple[list[str], Path], tmp_path: Path
) -> None:
    (command, whole), out, state = learnt, tmp_path / "out.ndjson", tmp_path / "state"
    code = SAVES_OFTEN
    parts = ["-o", str(out), "--state", str(state)]
    killed([sys.executable, "-c", code, *command, *parts], out, state)
    run(*command, *parts)
    assert answers(out.read_text()) == answers(whole.read_text())
    assert len(answers(out.read_text())) == 1500
    assert [path.name for path in tmp_path.glob("state.*")] == ["state.1280.diabolo"]


def test_cut_off_before_the_state_knows_the_new_model(
    run: Run, learnt: tuple[list[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command, whole), out, state = learnt, tmp_path / "out.ndjson", tmp_path / "state"
    learn = watching._update_model
    for _ in range(2):
        with monkeypatch.context() as cut:
            cut.setattr(watching, "_update_model", lambda *a: (learn(*a), 1 / 0))
            cut.setattr(watching, "SAVE_INTERVAL_SECONDS", 0.1)
            assert run(*command, "-o", out, "--state", state).status == 70
    assert run(*command, "-o", out, "--state", state).status == 0
    assert answers(out.read_text()) == answers(whole.read_text())


def test_too_little_to_learn_from_is_refused(run: Run, place: Path, folder: Path) -> None:
    ran = run("watch", place / "p.csv", "-m", place / "m.diabolo", "--refresh", 100)
    assert ran.status == 2 and "Hint: --refresh 160" in ran.err
    ran = run("watch", place / "p.csv", "-m", folder / "s.diabolo", "--refresh", 100)
    assert ran.status == 2 and "fit again" in ran.err
