"""Training is reproducible, can be interrupted and bounded, and notes what went wrong."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from diabolo import Autoencoder, DiaboloWarning
from diabolo.errors import OptionError
from diabolo.training.settings import SCHEDULES, Training
from diabolo.utils.torch_state import forked_rng, torch_threads
from tests.fits import fitted


def weights(model: Autoencoder) -> dict[str, torch.Tensor]:
    return {f"{n}/{k}": v for n, net in model.engine_.networks.items() for k, v in net.state_dict().items()}


@pytest.mark.parametrize("recipe", ["default", "variational"])
def test_the_same_seed_gives_the_same_model(table: pa.Table, fresh: pa.Table, recipe: str) -> None:
    one, other = (fitted(table, recipe, epochs=2, seed=3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(weights(one).values(), weights(other).values(), strict=True))
    assert np.array_equal(one.anomaly_score(fresh), other.anomaly_score(fresh))
    third = fitted(table, recipe, epochs=2, seed=4)
    assert not np.array_equal(one.anomaly_score(fresh), third.anomaly_score(fresh))


def test_fitting_again_starts_anew(plain: pa.Table, fresh: pa.Table) -> None:
    model = fitted(plain, epochs=2)
    first = model.anomaly_score(fresh)
    model.fit(plain.slice(0, 300))
    assert not np.array_equal(model.anomaly_score(fresh), first)
    model.fit(plain)
    assert np.array_equal(model.anomaly_score(fresh), first)


def test_global_random_states_are_not_changed(table: pa.Table, fresh: pa.Table) -> None:
    torch.manual_seed(5)
    np.random.seed(5)
    before, legacy, count = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()
    model = fitted(table, epochs=1, threads=1)
    model.anomaly_score(fresh)
    model.explain(fresh, rows=[0])
    model.repair(fresh)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], legacy)
    assert torch.get_num_threads() == count
    # ... and the model does not depend on them.
    torch.manual_seed(6)
    assert np.array_equal(fitted(table, epochs=1).anomaly_score(fresh), model.anomaly_score(fresh))


def test_threads_are_given_back_after_an_error() -> None:
    count = torch.get_num_threads()
    with pytest.raises(RuntimeError), torch_threads(count + 1):
        assert torch.get_num_threads() == count + 1
        raise RuntimeError
    assert torch.get_num_threads() == count


class Interruption:
    """Press Ctrl-C once, when this share of the training of a member is done."""

    def __init__(self, share: float) -> None:
        self.share, self.pressed, self.calls = share, False, []

    def __call__(self, what: str, done: float, left: float | None) -> None:
        self.calls.append((what, done))
        if done >= self.share and not self.pressed:
            self.pressed = True
            raise KeyboardInterrupt


@pytest.mark.parametrize("share", [0.04, 0.5])
def test_an_interruption_keeps_the_best_so_far(plain: pa.Table, fresh: pa.Table, share: float) -> None:
    stop = Interruption(share)
    with pytest.warns(DiaboloWarning, match="interrupted at step"):
        model = Autoencoder("denoising", epochs=40).fit(plain, progress=stop)
    assert stop.pressed
    assert any("best" in note for note in model.notes_)
    steps = model.history_["step"].to_pylist()
    whole = fitted(plain, "denoising", epochs=40).history_["step"].to_pylist()
    assert 1 <= len(steps) < len(whole) and steps == whole[: len(steps)]
    assert np.isfinite(model.anomaly_score(fresh)).all()
    assert torch.get_num_threads() >= 1


def test_an_interruption_ends_the_whole_fit(plain: pa.Table) -> None:
    """Who presses Ctrl-C in the first of two networks does not want to wait for the second one."""
    stop = Interruption(0.3)
    with pytest.warns(DiaboloWarning, match="interrupted"):
        Autoencoder(epochs=100).fit(plain, progress=stop)
    first = stop.calls[0][0]
    assert len([what for what, _ in stop.calls if what != first]) <= 3


def test_other_errors_of_a_callback_are_not_swallowed(plain: pa.Table) -> None:
    def fail(what: str, done: float, left: float | None) -> None:
        raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        fitted_with(plain, fail)


def fitted_with(table: pa.Table, progress: Any) -> Autoencoder:
    return Autoencoder("denoising", epochs=20).fit(table, progress=progress)


def test_progress_runs_from_start_to_end(plain: pa.Table) -> None:
    said: list[tuple[str, float, float | None]] = []
    fitted_with(plain, lambda *what: said.append(what))
    shares = [done for _, done, _ in said]
    assert shares == sorted(shares) and shares[-1] == 1.0 and shares[0] <= 0.1 and len(shares) > 10
    assert all(left is None or left >= 0 for *_, left in said)


@pytest.mark.parametrize("recipe", ["vanilla", "variational", "denoising", "masked"])
def test_divergence_is_noted(plain: pa.Table, fresh: pa.Table, recipe: str) -> None:
    model = Autoencoder(recipe, lr=1e6, epochs=5, schedule="constant")
    with pytest.warns(DiaboloWarning, match=r"(?i)diverge|infinite|did not learn|learning rate|lr"):
        model.fit(plain)
    assert model.notes_
    assert np.isfinite(model.anomaly_score(fresh)).all()
    assert np.isfinite(model.transform(fresh)).all()


def test_a_good_fit_has_no_notes(plain: pa.Table) -> None:
    assert Autoencoder(epochs=20).fit(plain).notes_ == []  # a warning would be an error


@pytest.mark.parametrize("options", [{"budget": 0.5}, {"budget": "0.5s"}])
def test_a_budget_is_kept(table: pa.Table, fresh: pa.Table, options: dict[str, Any]) -> None:
    began = time.perf_counter()
    model = fitted(table, epochs=100_000, **options)
    assert time.perf_counter() - began < 5
    # The schedule is complete: the learning rate has come down in each of the networks.
    for name in model.engine_.networks:
        rates = [h["lr"] for h in model.engine_.history if h["member"] == name]
        assert not rates or rates[-1] <= max(rates)
    assert np.isfinite(model.anomaly_score(fresh)).all()


def test_a_tiny_budget_still_gives_a_model(table: pa.Table, fresh: pa.Table) -> None:
    assert np.isfinite(fitted(table, budget=1e-3).anomaly_score(fresh)).all()


def test_collapse_is_recognised(plain: pa.Table) -> None:
    with pytest.warns(DiaboloWarning, match="collapsed.*smaller beta than 1000"):
        model = Autoencoder("beta", beta=1000.0, epochs=30).fit(plain)
    z = model.transform(plain)
    assert float(np.abs(z).max()) < 0.5
    fine = fitted(plain, "variational", beta=0.01, epochs=30)
    assert not [note for note in fine.notes_ if "collapsed" in note]
    assert float(fine.transform(plain).std(0).max()) > 0.5


def test_history_has_one_line_for_each_validation(table: pa.Table) -> None:
    model = fitted(table, epochs=20)
    frame = model.history_
    assert set(frame.column_names) >= {
        "member",
        "step",
        "epoch",
        "total",
        "reconstruction",
        "kl",
        "held_out",
        "lr",
        "seconds",
    }
    for name in ("noisy", "masked"):
        lines = [h for h in model.engine_.history if h["member"] == name]
        steps = [line["step"] for line in lines]
        assert steps == sorted(set(steps)) and 5 <= len(steps) <= 41
        assert all(np.isfinite(line["total"]) for line in lines)
        assert all(line["total"] == pytest.approx(line["reconstruction"], abs=1e-4) for line in lines)
    made = fitted(table.to_pandas(), epochs=1).history_
    assert made.__class__.__module__.startswith("pandas")


def test_the_loss_is_reconstruction_plus_beta_times_divergence(table: pa.Table) -> None:
    model = fitted(table, "beta", beta=0.5, epochs=3)
    for line in model.engine_.history:
        assert line["total"] == pytest.approx(line["reconstruction"] + 0.5 * line["kl"], rel=1e-4)
        assert line["kl"] > 0


def test_the_weights_with_the_lowest_held_out_loss_are_used(table: pa.Table) -> None:
    """With a rate that climbs out of the best place again, the end is worse than the best."""
    model = fitted(table, "denoising", epochs=60, patience=0)
    losses = [h["held_out"] for h in model.engine_.history]
    assert min(losses) < losses[0]
    early = fitted(table, "denoising", epochs=400, lr=2e-2, schedule="constant", patience=3)
    steps = [h["step"] for h in early.engine_.history]
    held = [h["held_out"] for h in early.engine_.history]
    assert len(held) - 1 - int(np.argmin(held)) <= 3
    assert steps[-1] < Training(epochs=400).change({"max_steps": 0}).steps(
        model.engine_.facts["rows_trained_on"]
    )


def test_requested_epochs_are_used_exactly(table: pa.Table) -> None:
    model = fitted(table, "denoising", epochs=4, batch_size=50, patience=0)
    rows = model.engine_.facts["rows_trained_on"]
    assert model.engine_.history[-1]["step"] == pytest.approx(4 * rows / 50, abs=4 * rows / 50 / 10)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_stay_between_nothing_and_the_highest_rate(name: str) -> None:
    rates = [SCHEDULES[name](p, 100 * p) for p in np.linspace(0, 1, 501)]
    assert min(rates) >= 0 and max(rates) == pytest.approx(1, abs=1e-3)
    assert name == "constant" or min(rates[250:]) < 0.05


def test_settings_are_checked() -> None:
    with pytest.raises(OptionError, match="unknown training settings: epoch"):
        Training().change({"epoch": 3})
    assert Training().change({"epochs": 3}).epochs == 3
    assert Training(epochs=10, batch_size=100, min_steps=1).steps(1_000) == 100
    assert Training(epochs=10, batch_size=100, min_steps=500).steps(1_000) == 500
    assert Training(epochs=10, max_steps=50, min_steps=1).steps(1_000_000) == 50


def test_forked_samples_are_seeded_and_the_global_state_is_kept() -> None:
    before = torch.get_rng_state()
    with forked_rng(1):
        one = torch.randn(3)
    with forked_rng(1):
        assert torch.equal(torch.randn(3), one)
    assert torch.equal(torch.get_rng_state(), before)
