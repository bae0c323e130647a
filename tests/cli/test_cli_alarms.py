"""The command line says when alarm levels follow, and when a series has moved for good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo import load, tasks
from diabolo.cli.output import to_bytes
from tests.commands import Run
from tests.fits import fitted

RATE = 0.01
START = np.datetime64("2024-03-01", "us")


def table(values: np.ndarray, start: int = 0) -> pa.Table:
    """A series with a point every five minutes, whose first point is so many steps after the start."""
    steps = np.arange(start, start + len(values))
    return pa.table({"time": START + steps * np.timedelta64(300, "s"), "value": values})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """p.csv, the points of a fit, m.diabolo, its model, and q.csv, later points that have moved for good."""
    folder = tmp_path_factory.mktemp("alarms")
    noise = np.random.default_rng(0).normal(size=1_000)
    series = np.sin(np.arange(1_000) * 2 * np.pi / 24) + 0.1 * noise
    later = series[800:].copy()
    later[50:] += 1.0
    for name, data in (("p.csv", table(series[:800])), ("q.csv", table(later, 800))):
        (folder / name).write_bytes(to_bytes(data, ".csv"))
    fitted(folder / "p.csv", time="time", window=24, alarm_rate=RATE).save(folder / "m.diabolo")
    return folder


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_scores_of_the_command_line_follow_or_hold(run: Run, files: Path) -> None:
    said = {
        flag: run("score", files / "q.csv", "-m", files / "m.diabolo", "--json", *flag.split())
        for flag in ("", "--follow", "--hold")
    }
    assert all(ran.status == 0 for ran in said.values())
    assert said[""].out == said["--follow"].out
    follow, hold = lines(said["--follow"].out), lines(said["--hold"].out)
    assert "level" in follow[0] and "level" not in hold[0]
    assert [line["bits"] for line in follow] == [line["bits"] for line in hold]
    assert sum(line["alarm"] for line in follow) <= sum(line["alarm"] for line in hold)
    for ran in said.values():
        assert "note: since 2024-03-" in ran.err and "a long fault, or a new normal" in ran.err
    clean = run("score", files / "p.csv", "-m", files / "m.diabolo", "--json")
    assert clean.status == 0 and "note:" not in clean.err
    quiet = run("score", files / "q.csv", "-m", files / "m.diabolo", "--json", "--quiet")
    assert quiet.err == ""


@pytest.mark.parametrize(("flags", "follow"), [((), None), (("--follow",), True), (("--hold",), False)])
def test_a_fit_of_the_command_line_keeps_the_choice(
    run: Run, files: Path, tmp_path: Path, flags: tuple[str, ...], follow: bool | None
) -> None:
    out = tmp_path / "m.diabolo"
    ran = run("fit", files / "p.csv", "--time", "time", "--window", 8, *flags, "-o", out)
    assert ran.status == 0
    model = load(out)
    assert model.follow is follow
    assert tasks.score(model, files / "p.csv").follows is (follow is not False)


def test_a_watch_follows_or_holds(run: Run, files: Path, tmp_path: Path) -> None:
    said, offsets = {}, {}
    for flag in ("", "--follow", "--hold"):
        state = tmp_path / f"state{flag}.json"
        ran = run("watch", files / "q.csv", "-m", files / "m.diabolo", "--state", state, *flag.split())
        assert ran.status == 0 and "since 2024-03-" in ran.err + ran.out
        said[flag], offsets[flag] = lines(ran.out), json.loads(state.read_bytes())["level_offsets"][""]
    assert said[""] == said["--follow"] and offsets[""] == offsets["--follow"] > 0 == offsets["--hold"]
    assert [x["bits"] for x in said["--hold"]] == [x["bits"] for x in said["--follow"]]
    assert all(x["alarm"] for x in said["--hold"][-100:])
