"""What TensorBoard itself reads from a run."""

from __future__ import annotations

from typing import Any

import pytest

from diabolo import Autoencoder
from diabolo.tracking import RunName, TensorBoard, make_tracker
from tests import made
from tests.tracking.conftest import Place

pytest.importorskip("tensorboard")


def opened(folder: Any) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(folder))
    board.Reload()
    return board


def hparams(board: Any, tag: str) -> Any:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    return HParamsPluginData.FromString(board.PluginTagToContent("hparams")[f"_hparams_/{tag}"])


def test_curves_of_a_fit(place: Place) -> None:
    where = place("tensorboard")
    table = made.mixed(240).select(made.PREDICTED)
    model = Autoencoder("variational", epochs=4, lr=0.01, layers=(24,), run="r", track=where).fit(table)
    board = opened(f"{where.removeprefix('tensorboard:')}/diabolo/r/1")
    losses = ("total", "reconstruction", "kl", "held_out", "lr")
    assert sorted(board.Tags()["scalars"]) == sorted(f"variational/{name}" for name in losses)
    history = model.history_
    for name in losses:
        points = board.Scalars(f"variational/{name}")
        assert [p.step for p in points] == history["step"].to_pylist()
        assert [p.value for p in points] == pytest.approx(history[name].to_pylist(), rel=1e-6)
    given = hparams(board, "session_start_info").session_start_info.hparams
    assert given["lr"].number_value == 0.01 and given["recipe"].string_value == "variational"
    assert given["layers"].string_value == "[24]"


@pytest.mark.parametrize(("status", "code"), [("finished", 1), ("failed", 2), ("interrupted", 2)])
def test_how_a_run_ended(place: Place, status: str, code: int) -> None:
    tracker = make_tracker(place("tensorboard"))
    assert isinstance(tracker, TensorBoard)
    tracker.begin(RunName("p", "r"), {"lr": 0.1})
    tracker.log({"member": "m", "step": 1, "total": 2.0})
    # Nothing waits in memory: what was logged is there before the end.
    assert [p.value for p in opened(tracker.folder.run_folder).Scalars("m/total")] == [2.0]
    tracker.end(status, {})
    assert hparams(opened(tracker.folder.run_folder), "session_end_info").session_end_info.status == code
