"""The speed of training is measured without start-up, workers included."""

from __future__ import annotations

import json
import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import common, training_speed
from diabolo.networks.network import Network
from diabolo.training.trainer import train


def test_ratios_are_free_of_start_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start_up = {common.OURS: 9.0, "lightning": 50.0, "plain_torch": 0.1}
    names = {contender: name for name, contender in training_speed.CONTENDERS.items()}
    seconds = {common.OURS: 0.5, "lightning": 1.5, "plain_torch": 1.0}
    monkeypatch.setattr(
        training_speed, "cost", lambda c, table, epochs: start_up[names[c]] + epochs * seconds[names[c]]
    )
    monkeypatch.setattr(training_speed, "ROWS", 300)
    assert training_speed.main(["--json", str(tmp_path / "out.json"), "--seeds", "1"]) == 0
    result = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert list(result) == ["claim", "protocol", "seeds", "machine", "rows", "mean", "peers"]
    assert result["mean"] == pytest.approx({"rows_per_cpu_second": 600, "ratio": 3, "ratio_plain": 2})
    assert result["peers"]["lightning"] == pytest.approx({"rows_per_cpu_second": 200})
    assert len(result["rows"]) == 3 * 5  # five rounds at least
    assert "plain_torch" in capsys.readouterr().out


def test_a_run_that_is_too_short_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_speed, "cost", lambda *_: 1.0)
    with pytest.raises(SystemExit, match="too few rows"):
        training_speed.rate(training_speed.ours, training_speed.made(10, 0))


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_workers_count() -> None:
    def contender(table: training_speed.Table, epochs: int) -> None:
        multiprocessing.get_context("fork").Process(target=burn, args=(0.3,)).start()

    assert 0.3 <= training_speed.cost(contender, training_speed.made(10, 0), 1) < 1.5


@pytest.mark.parametrize("name", ["lightning", "plain_torch"])
def test_every_peer_trains(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "lightning":
        pytest.importorskip("pytorch_lightning")
    steps = []
    adamw = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self, *a, **k: (steps.append(1), adamw(self, *a, **k))[1]
    )
    assert training_speed.cost(training_speed.CONTENDERS[name], training_speed.made(256, 0), 2) > 0
    assert len(steps) == 4


def test_our_loop_makes_as_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = []
    monkeypatch.setattr(training_speed, "train", lambda *a: outcomes.append(train(*a)))
    training_speed.ours(training_speed.made(256, 0), 2)
    assert outcomes[0].history[-1]["step"] == 4


def test_the_networks_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Network] = []
    monkeypatch.setattr(training_speed, "train", lambda network, *_: seen.append(network))
    training_speed.ours(training_speed.made(500, 0), 1)

    def shapes(network: nn.Module) -> list[tuple[int, ...]]:
        return sorted(
            tuple(m.weight.shape) for m in network.modules() if isinstance(m, nn.Linear | nn.BatchNorm1d)
        )

    assert shapes(seen[0]) == shapes(training_speed.ReferenceNetwork())


def test_made_labels_go_with_the_numbers() -> None:
    numbers, labels = training_speed.made(2000, 1)
    assert numbers.shape == (2000, 20) and labels.shape == (2000, 8)
    assert all(np.bincount(column).tolist() == [100] * 20 for column in labels.T)
    guess = np.linalg.lstsq(numbers, labels - labels.mean(0), rcond=None)[0]
    assert 1 - np.var(numbers @ guess - labels + labels.mean(0)) / labels.var() > 0.5
