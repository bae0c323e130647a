"""Fits that are written down while they go on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from diabolo import Autoencoder, DiaboloWarning, load
from diabolo.errors import MissingExtraError, OptionError
from diabolo.tracking import Folder, runs, tensorboard
from tests import made

QUICK: dict[str, Any] = {"epochs": 4, "layers": (24,)}


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return made.mixed(240).select(made.PREDICTED)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_is_written_unasked(rows: pa.Table, tmp_path: Path) -> None:
    model = Autoencoder(**QUICK).fit(rows)
    assert list(tmp_path.iterdir()) == [] and "run" not in model.engine_.facts


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"run": "first"}, "diabolo/first/1"),
        ({"version": 3}, "diabolo/denoising/3"),
        ({"project": "p"}, "p/denoising/1"),
        ({"track": Path("runs")}, "diabolo/denoising/1"),
        ({"run": 7, "project": 8}, "8/7/1"),
    ],
)
def test_what_a_run_is_called(rows: pa.Table, options: dict[str, Any], name: str) -> None:
    model = Autoencoder("denoising", **QUICK, **options).fit(rows)
    (record,) = runs("runs")
    assert record.name == name == model.engine_.facts["run"]


def test_a_fit_is_written_down(rows: pa.Table, tmp_path: Path) -> None:
    model = Autoencoder(**QUICK, run="r", track=tmp_path / "t").fit(rows)
    (record,) = runs(tmp_path / "t")
    assert record.status == "finished" and record.history == model.engine_.history
    assert list(record.lines()) == ["noisy", "masked"]
    assert record.parameters["layers"] == [24] and record.parameters["recipe"] == "default"
    assert not {"run", "track", "latent", "verbose"} & set(record.parameters)
    assert record.summary["rows"] == 240 and record.summary["notes"] == model.notes_


def test_tracking_changes_nothing_else(rows: pa.Table, tmp_path: Path) -> None:
    followed = Autoencoder(**QUICK, run="r").fit(rows)
    alone = Autoencoder(**QUICK).fit(rows)
    assert (followed.anomaly_score(rows) == alone.anomaly_score(rows)).all()
    followed.save(tmp_path / "m.diabolo")
    # Whoever fits a loaded model again does not write into the old run.
    loaded = load(tmp_path / "m.diabolo")
    assert (loaded.run, loaded.track, loaded.engine_.facts["run"]) == (None, None, "diabolo/r/1")


def test_a_version_that_exists_is_refused_before_the_work(rows: pa.Table) -> None:
    model = Autoencoder(**QUICK, run="r", version=1).fit(rows)
    calls: list[str] = []
    with pytest.raises(OptionError, match="exists already"):
        model.fit(rows, progress=lambda what, done, left: calls.append(what))
    assert calls == [] and len(runs("runs")) == 1


def test_wrong_options_leave_no_run(rows: pa.Table, tmp_path: Path) -> None:
    for wrong in ({"optimizer": "magic"}, {"device": "abacus"}, {"recipe": "nice"}, {"scored": ["nowhere"]}):
        with pytest.raises(ValueError, match=next(iter(wrong.values()))[0]):
            Autoencoder(**wrong, run="r").fit(rows)
    assert not (tmp_path / "runs").exists()


def test_a_fit_that_fails(rows: pa.Table) -> None:
    def fail(what: str, done: float, left: float | None) -> None:
        if what == "masked":
            raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        Autoencoder(**QUICK, run="r").fit(rows, progress=fail)
    (record,) = runs("runs")
    assert record.status == "failed" and record.summary == {"error": "RuntimeError: my own"}
    assert {"noisy", "masked"} == set(record.lines())


@pytest.mark.parametrize("swallowed", [True, False])
def test_a_fit_that_is_interrupted(rows: pa.Table, monkeypatch: pytest.MonkeyPatch, swallowed: bool) -> None:
    pressed = []

    def press(*said: Any, **more: Any) -> None:
        if not pressed:
            pressed.append(said)
            raise KeyboardInterrupt

    if swallowed:
        with pytest.warns(DiaboloWarning, match="interrupted"):
            Autoencoder("denoising", epochs=40, run="r").fit(rows, progress=press)
    else:  # after the training, nothing is kept
        monkeypatch.setattr("diabolo.training.fitting.build_engine", press)
        with pytest.raises(KeyboardInterrupt):
            Autoencoder("denoising", **QUICK, run="r").fit(rows)
    (record,) = runs("runs")
    assert record.status == "interrupted" and record.history


def test_a_crash_keeps_the_curves(tmp_path: Path) -> None:
    program = (
        "import os\n"
        "from diabolo import Autoencoder\n"
        "from tests import made\n"
        "stop = lambda what, done, left: os._exit(9) if done > 0.5 else None\n"
        f"Autoencoder('denoising', epochs=40, run='r', track={str(tmp_path)!r})"
        ".fit(made.mixed(240).select(made.PREDICTED), progress=stop)\n"
    )
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", program], cwd=root, check=False, timeout=120)
    assert ended.returncode == 9
    (record,) = runs(tmp_path)
    assert record.status == "running" and len(record.history) >= 10
    assert all(line["held_out"] > 0 for line in record.history)


def test_a_place_that_fails_midway_costs_the_curves_only(
    rows: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def full(self: Folder, line: Any) -> None:
        asked.append(line)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Folder, "log", full)
    with pytest.warns(DiaboloWarning, match=r"run diabolo/r/1 is no longer recorded: .*No space"):
        model = Autoencoder("denoising", **QUICK, run="r").fit(rows)
    assert len(asked) == 1 and "No space" in model.notes_[-1]


def test_a_missing_extra_is_said_before_the_work(
    rows: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(module: str, extra: str) -> Any:
        raise MissingExtraError(module, hint=f'pip install "diabolo[{extra}]"')

    monkeypatch.setattr(tensorboard, "need", missing)
    with pytest.raises(MissingExtraError, match=r"diabolo\[tensorboard\]"):
        Autoencoder(**QUICK, track="tensorboard:runs").fit(rows)
    assert not (tmp_path / "runs").exists()


def test_a_fit_that_goes_on_has_all_its_curves(rows: pa.Table, tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def cut(what: str, done: float, left: float | None) -> None:
        if done > 0.5:
            raise Cut

    options = {**QUICK, "epochs": 20, "run": "r", "checkpoint": tmp_path / "c", "checkpoint_every": 0.0}
    with pytest.raises(Cut):
        Autoencoder("denoising", **options).fit(rows, progress=cut)
    model = Autoencoder("denoising", **options).fit(rows)
    first, second = runs("runs")
    assert (first.status, second.status) == ("failed", "finished")
    assert second.history == model.engine_.history
    assert second.history[: len(first.history)] == first.history
