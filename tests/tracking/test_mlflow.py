"""What MLflow knows of a run, and how its absence is said."""

from __future__ import annotations

import socket
import time

import pytest

from diabolo.errors import OptionError
from diabolo.tracking import RunName, make_tracker, runs
from tests.tracking.conftest import Place

pytest.importorskip("mlflow")


def test_what_mlflow_knows(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    where = place("mlflow")
    tracker = make_tracker(where)
    tracker.begin(RunName("p", "it's", 3), {"lr": 0.1, "layers": "64,32", "columns": ["x" * 9_000]})
    tracker.log({"member": "m", "step": 4, "total": 2.0, "kl": 0.5, "seconds": 1.5})
    tracker.end("interrupted", {"rows": 7})
    assert capsys.readouterr().out == ""

    from mlflow import MlflowClient

    client = MlflowClient(where.removeprefix("mlflow:"))
    experiment = client.get_experiment_by_name("p")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "it's/3" and run.info.status == "KILLED"
    tags = run.data.tags
    assert (tags["project"], tags["run"], tags["version"], tags["summary.rows"]) == ("p", "it's", "3", "7")
    assert run.data.params["lr"] == "0.1" and run.data.params["layers"] == "64,32"
    assert run.data.metrics == {"m/total": 2.0, "m/kl": 0.5}
    (point,) = client.get_metric_history(run.info.run_id, "m/total")
    assert (point.step, point.value) == (4, 2.0)


def test_runs_of_others_are_left_alone(place: Place) -> None:
    where = place("mlflow")

    from mlflow import MlflowClient

    client = MlflowClient(where.removeprefix("mlflow:"))
    client.create_run(client.create_experiment("p"), tags={"run": "r", "version": "one"})
    assert runs(where) == []
    assert make_tracker(where).begin(RunName("p", "r"), {}) == 1
    assert [r.name for r in runs(where)] == ["p/r/1"]


def test_nobody_answers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"mlflow:http://127.0.0.1:{free.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(OptionError, match="cannot be used"):
            make_tracker(where).begin(RunName("p", "r"), {})
        with pytest.raises(OptionError, match="cannot be used"):
            runs(where)
    # MLflow by itself goes on trying for minutes.
    assert time.monotonic() - began < 60
