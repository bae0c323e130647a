"""Every kind of place keeps every kind of run, and gives back what it was given."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from diabolo.errors import OptionError
from diabolo.tracking import TRACKERS, RunName, make_tracker, runs
from tests.tracking.conftest import EXTRAS, Place

KINDS = pytest.mark.parametrize("kind", EXTRAS)
PARAMETERS = {"lr": 0.001, "batch_norm": True, "layers": "64,32", "scored": ["a", "b"], "embedding": {"a": 4}}


def line(member: str, step: int, total: float, **more: Any) -> dict[str, Any]:
    return {"member": member, "step": step, "total": total, "reconstruction": total / 2, "lr": 0.5, **more}


HISTORY = [
    line("z", 4, 2.0, held_out=3.0, kl=0.25),
    line("z", 8, 1.0, held_out=3.5, kl=0.5),
    line("a", 6, 9.0),
]


def test_every_tracker_is_tested() -> None:
    assert {kind.scheme or "folder" for kind in TRACKERS} == set(EXTRAS)


@KINDS
def test_what_is_written_can_be_read(place: Place, kind: str) -> None:
    where, before = place(kind), datetime.now(UTC)
    tracker = make_tracker(where)
    assert tracker.begin(RunName("p", "first try"), PARAMETERS) == 1
    for said in HISTORY:
        tracker.log(said)
    tracker.end("finished", {"rows": 3, "notes": ["so so"]})
    (record,) = runs(where)
    assert (record.project, record.run, record.version) == ("p", "first try", 1)
    assert record.name == "p/first try/1" and record.status == "finished"
    assert record.parameters == PARAMETERS
    assert record.summary == {"rows": 3, "notes": ["so so"]}
    assert record.history == HISTORY
    assert list(record.lines()) == ["z", "a"]
    assert before - timedelta(seconds=1) <= record.began <= datetime.now(UTC)
    assert record.seconds is not None and 0 <= record.seconds < 60


@KINDS
def test_a_run_can_be_read_while_it_goes_on(place: Place, kind: str) -> None:
    where = place(kind)
    tracker = make_tracker(where)
    tracker.begin(RunName("p", "r"), {})
    (record,) = runs(where)
    assert (record.status, record.history, record.lines()) == ("running", [], {})
    tracker.log(HISTORY[0])
    (record,) = runs(where)
    assert (record.status, record.history) == ("running", HISTORY[:1])
    tracker.end("interrupted", {})


@KINDS
@pytest.mark.parametrize("status", ["finished", "failed", "interrupted"])
def test_how_a_run_ended(place: Place, kind: str, status: str) -> None:
    where = place(kind)
    tracker = make_tracker(where)
    tracker.begin(RunName("p", "r"), {})
    tracker.end(status, {})
    assert [r.status for r in runs(where)] == [status]


@KINDS
def test_versions_are_counted_and_never_taken_twice(place: Place, kind: str) -> None:
    where = place(kind)

    def begin(run: str, version: int | None = None, project: str = "p") -> int:
        tracker = make_tracker(where)
        given = tracker.begin(RunName(project, run, version), {"asked": version})
        tracker.end("finished", {})
        return given

    assert [begin("r"), begin("r"), begin("r", 7), begin("r"), begin("r", 4)] == [1, 2, 7, 8, 4]
    assert [begin("other"), begin("r", project="q")] == [1, 1]
    with pytest.raises(OptionError, match="version=2 of run 'r' in project 'p' exists already") as caught:
        begin("r", 2)
    assert "version=9 is free" in str(caught.value.hint)
    assert len(runs(where)) == 7


@KINDS
def test_losses_that_are_not_finite(place: Place, kind: str) -> None:
    where = place(kind)
    tracker = make_tracker(where)
    tracker.begin(RunName("p", "r"), {"beta": math.inf})
    tracker.log(line("m", 1, 2.0))
    tracker.log({**line("m", 2, math.nan), "kl": math.inf, "held_out": None})
    tracker.end("finished", {"worst": -math.inf})
    (record,) = runs(where)
    last = record.history[-1]
    assert last["step"] == 2 and [last.get(n) for n in ("total", "kl", "held_out")] == [None] * 3
    assert record.summary == {"worst": None}


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a\\b", "a\nb", "x" * 201, "a:b"])
def test_names_that_no_folder_can_have(name: str) -> None:
    for project, run in (("p", name), (name, "r")):
        with pytest.raises(OptionError, match="can name a folder"):
            RunName(project, run)


@pytest.mark.parametrize("version", [0, -1, 1.5, True, "1"])
def test_versions_are_whole_numbers(version: Any) -> None:
    with pytest.raises(OptionError, match="version="):
        RunName("p", "r", version)


def test_places() -> None:
    assert repr(make_tracker("runs")) == "Folder('runs')"
    assert repr(make_tracker("C:\\runs")) == "Folder('C:\\\\runs')"
    assert repr(make_tracker("mlflow:http://127.0.0.1:5000")) == "MLflow('http://127.0.0.1:5000')"
    for where in ("", "wandb:x", "http://127.0.0.1:5000", "tensorboard:", "mlflow:"):
        with pytest.raises(OptionError, match="expected a location for runs"):
            make_tracker(where)


@pytest.mark.parametrize("kind", ["folder", "tensorboard"])
def test_a_folder_that_is_not_there(place: Place, kind: str) -> None:
    with pytest.raises(OptionError, match="no such folder of runs"):
        runs(place(kind))
