"""Networks trained by Lightning are the same networks, and become ordinary models."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from diabolo import Autoencoder, load
from diabolo.data.sources import read_user_table
from diabolo.errors import MissingExtraError, OptionError
from diabolo.networks.recipes import RECIPES
from diabolo.training.settings import MIN_LEARNING_RATE, SCHEDULES
from diabolo.utils.torch_state import forked_rng
from tests import made

pl = pytest.importorskip("pytorch_lightning")

from diabolo.adapters import lightning_batches as batches  # noqa: E402
from diabolo.adapters.lightning import DataModule, Module  # noqa: E402

# Lightning's own: it warns of few logged steps, of a folder that is not empty, of what torch gives up.
pytestmark = pytest.mark.filterwarnings(
    "ignore::Warning:pytorch_lightning",
    "ignore:.*LeafSpec:FutureWarning",
    "ignore:.*self.log.*trainer:UserWarning",
)

QUIET: dict[str, Any] = {
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "accelerator": "cpu",
    "devices": 1,
}
SMALL: dict[str, Any] = {"layers": (32, 32), "batch_size": 32}


def trainer(folder: Path, **options: Any) -> Any:
    return pl.Trainer(**{**QUIET, "default_root_dir": folder, **options})


def weights(module: Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in module.network.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(v, other[k]) for k, v in one.items())


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_loss_is_that_of_our_loop(plain: pa.Table, recipe: str) -> None:
    data = DataModule(plain, Autoencoder(recipe, **SMALL))
    for module in data.modules().values():
        batch = next(iter(data.train_dataloader()))
        with forked_rng(5):
            ours = module.network.loss(batch)
        with forked_rng(5):
            theirs = module.training_step(batch, 0)
        assert torch.equal(ours.total, theirs)
        theirs.backward()
        # A parameter that is trained but not used would stop several processes.
        assert all(p.grad is not None for p in module.parameters() if p.requires_grad)


class Rates(pl.Callback):  # type: ignore[misc]
    """Learning rates that steps were made with."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])


def test_restarts_go_by_epochs(plain: pa.Table, tmp_path: Path) -> None:
    data, rates = DataModule(plain, Autoencoder("classic", layers=(8,), batch_size=200)), Rates()
    module = data.modules()["classic"]
    trainer(tmp_path, max_epochs=27, callbacks=[rates], enable_checkpointing=False).fit(module, data)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=1e-3)
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=25, eta_min=1e-9)
    expected = []
    for _ in range(27):
        expected += 2 * [optimizer.param_groups[0]["lr"]]
        optimizer.step()
        restarts.step()
    assert rates.seen == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("schedule", ["onecycle", "cosine", "constant"])
def test_other_schedules_go_by_steps(plain: pa.Table, tmp_path: Path, schedule: str) -> None:
    data = DataModule(plain, Autoencoder("vanilla", schedule=schedule, **SMALL))
    module, rates = data.modules()["vanilla"], Rates()
    trainer(tmp_path, max_epochs=2, callbacks=[rates], enable_checkpointing=False).fit(module, data)
    steps, lr = 2 * len(data.train_dataloader()), module.settings.lr
    assert rates.seen == pytest.approx(
        [
            MIN_LEARNING_RATE + (lr - MIN_LEARNING_RATE) * SCHEDULES[schedule](i / steps, 0)
            for i in range(steps)
        ],
        rel=1e-6,
    )


def test_a_schedule_needs_an_end(plain: pa.Table, tmp_path: Path) -> None:
    data = DataModule(plain, Autoencoder("vanilla", **SMALL))
    with pytest.raises(OptionError, match="when training ends"):
        trainer(tmp_path, max_epochs=-1).fit(data.modules()["vanilla"], data)


def test_fit_validate_test_predict(plain: pa.Table, tmp_path: Path) -> None:
    data = DataModule(plain, Autoencoder("classic", **SMALL))
    module = data.modules()["classic"]
    run = trainer(tmp_path, max_epochs=3)
    run.fit(module, data)
    names = {"total_loss", "recon_loss", "kld"}
    assert set(run.callback_metrics) == names | {f"val_{n}" for n in names}
    (validated,), (tested,) = run.validate(module, data, verbose=False), run.test(module, data, verbose=False)
    assert set(validated) == {f"val_{n}" for n in names} and set(tested) == {f"test_{n}" for n in names}
    with torch.no_grad(), forked_rng(0):
        judged = module.network.eval().loss(data.prepared.held_out)
    assert validated["val_total_loss"] == pytest.approx(float(judged.total))
    assert validated["val_total_loss"] == pytest.approx(
        validated["val_recon_loss"] + 0.05 * validated["val_kld"], rel=1e-5
    )
    predicted = run.predict(module, data)
    batch = data.prepared.schema.encode(data.prepared.frame.columns)
    assert torch.equal(torch.cat([p["loss"] for p in predicted]), module.network.row_losses(batch))
    assert torch.cat([p["latent"] for p in predicted]).shape == (len(plain), 16)
    assert [line["epoch"] for line in module.history] == [1, 2, 3]
    assert module.history[-1]["held_out"] == pytest.approx(validated["val_total_loss"])
    assert module.history[-1]["total"] < module.history[0]["total"]


def test_a_checkpoint_holds_plain_values(plain: pa.Table, tmp_path: Path) -> None:
    data = DataModule(plain, Autoencoder("classic", **SMALL))
    module = data.modules()["classic"]
    run = trainer(tmp_path, max_epochs=1)
    run.fit(module, data)
    path = run.checkpoint_callback.best_model_path
    state = torch.load(path, weights_only=True)
    json.dumps(state["hyper_parameters"])
    again = Module.load_from_checkpoint(path, weights_only=True)
    assert equal(weights(again), weights(module))
    assert (again.name, again.settings) == ("classic", module.settings)
    assert equal(weights(again), weights(DataModule(plain).modules()["noisy"])) is False
    batch = data.prepared.batch[:50]
    assert torch.equal(again.eval()(batch).latent, module.eval()(batch).latent)


@pytest.mark.parametrize("recipe", ["vanilla", "masked"])
def test_a_run_that_was_cut_off_goes_on(plain: pa.Table, tmp_path: Path, recipe: str) -> None:
    data = DataModule(plain, Autoencoder(recipe, **SMALL))
    whole, other = data.modules()[recipe], data.modules()[recipe]
    assert equal(weights(whole), weights(other))
    every = pl.callbacks.ModelCheckpoint(dirpath=tmp_path, filename="{epoch}", save_top_k=-1)
    seeded = Reseed()
    trainer(tmp_path, max_epochs=4, callbacks=[every, seeded]).fit(whole, data)
    trainer(tmp_path, max_epochs=4, callbacks=[seeded]).fit(
        other, data, ckpt_path=tmp_path / "epoch=1.ckpt", weights_only=True
    )
    assert equal(weights(whole), weights(other))
    assert [line["epoch"] for line in other.history] == [1, 2, 3, 4]


class Reseed(pl.Callback):  # type: ignore[misc]
    """Lightning's checkpoints keep no random state: draws begin anew in each epoch here."""

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        torch.manual_seed(trainer.current_epoch)


def test_a_moving_average_is_what_remains(plain: pa.Table, tmp_path: Path) -> None:
    data = DataModule(plain, Autoencoder("masked", **SMALL))
    module, last = data.modules()["masked"], Last()
    trainer(tmp_path, max_epochs=3, callbacks=[last], enable_checkpointing=False).fit(module, data)
    averaged, steps = last.seen[0], last.seen
    for count, now in enumerate(steps[1:], 1):
        share = 1 - min(0.998, count / (10 + count))
        averaged = {
            k: torch.lerp(v, now[k], share) if v.is_floating_point() else v for k, v in averaged.items()
        }
    assert all(torch.allclose(v, averaged[k], atol=1e-6) for k, v in weights(module).items())
    assert not equal(weights(module), steps[-1])


class Last(pl.Callback):  # type: ignore[misc]
    """The weights after each step."""

    def __init__(self) -> None:
        self.seen: list[dict[str, torch.Tensor]] = []

    def on_train_batch_end(self, trainer: Any, module: Module, *_: Any) -> None:
        self.seen.append(weights(module))


@pytest.mark.parametrize("recipe", ["default", "classic"])
def test_a_trained_module_is_an_ordinary_model(
    plain: pa.Table, fresh: pa.Table, tmp_path: Path, recipe: str
) -> None:
    data = DataModule(plain.to_pandas(), Autoencoder(recipe, alarm_rate=0.05, lr=4e-3, **SMALL))
    modules = data.modules()
    for module in modules.values():
        trainer(tmp_path, max_epochs=25, enable_checkpointing=False).fit(module, data)
    model = data.to_autoencoder(*modules.values())
    odd = made.with_cell(fresh, "double", 0, 40.0)
    bits = model.anomaly_score(odd)
    assert bits[0] == bits.max() and bits[0] > 5 + np.median(bits)
    cells = model.explain(odd.to_pandas(), rows=[0]).to_frame()
    assert set(cells["column"]) == set(plain.column_names)
    # A network that learnt to hide no cell may blame a neighbour.
    assert recipe == "classic" or cells["column"][cells["bits"].argmax()] == "double"
    assert {line["member"] for line in model.history_.to_dict("records")} == set(modules)
    model.save(tmp_path / "m.diabolo")
    assert np.array_equal(load(tmp_path / "m.diabolo").anomaly_score(odd), bits)
    assert model.feature_names_in_.tolist() == plain.column_names
    assert model.alarm_rate_ == 0.05
    # What is trained further does not change the model that was made.
    with torch.no_grad():
        next(iter(modules.values())).network.encoder.blocks[0][0].weight.zero_()
    assert np.array_equal(model.anomaly_score(odd), bits)


def test_networks_that_are_missing_are_named(plain: pa.Table) -> None:
    data = DataModule(plain, Autoencoder(**SMALL))
    noisy = data.modules()["noisy"]
    with pytest.raises(OptionError, match="expected modules for noisy, masked, got noisy"):
        data.to_autoencoder(noisy)


def test_the_model_of_the_options_is_left_alone(plain: pa.Table) -> None:
    model = Autoencoder("vanilla", batch_size=64)
    assert DataModule(plain, model, batch_size=16).modules()["vanilla"].settings.batch_size == 16
    assert model.batch_size == 64


def test_few_rows_and_windows(plain: pa.Table, wave: pa.Table, tmp_path: Path) -> None:
    cases = (
        (plain[:60], Autoencoder("vanilla", **SMALL)),
        (wave, Autoencoder("vanilla", time="time", window=16)),
    )
    for table, options in cases:
        data = DataModule(table, options)
        module = data.modules()["vanilla"]
        trainer(tmp_path, max_epochs=1, enable_checkpointing=False).fit(module, data)
        assert len(data.to_autoencoder(module).anomaly_score(table)) == len(table)
    assert module.history[0]["held_out"] is not None


@pytest.fixture
def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of 3,000 rows in 6 row groups that are read one by one."""
    monkeypatch.setattr(batches, "MIN_ROWS_PER_READ", 500)
    path = tmp_path / "long.parquet"
    pa.parquet.write_table(made.mixed(3000).select(made.PREDICTED), path, row_group_size=500)
    return path


@pytest.mark.parametrize("workers", [0, 2])
def test_a_long_file_is_read_by_pieces(long: Path, workers: int) -> None:
    data = DataModule(long, Autoencoder("vanilla"), batch_size=50, head=700, workers=workers)
    data.setup()
    split, every = data.prepared.split, data.prepared.schema.encode(read_user_table(long).columns())
    loader = data.train_dataloader()
    seen = np.concatenate([batch.values["real"][:, 0].numpy() for batch in loader])
    assert len(loader) * 50 == len(seen)
    kept_out = set(np.concatenate([split.held_out, split.calibration]).tolist())
    trained = np.array([row for row in range(3000) if row not in kept_out])
    numbers = every.values["real"][:, 0].numpy()
    assert set(seen.tolist()) <= set(numbers[trained].tolist())
    assert len(trained) - 6 * 50 < len(seen) <= len(trained)
    predicted = torch.cat([batch.values["real"] for batch in data.predict_dataloader()])
    assert torch.equal(predicted, every.values["real"])


def test_a_long_file_becomes_a_model(long: Path, tmp_path: Path) -> None:
    data = DataModule(long, Autoencoder("vanilla", **SMALL), head=700)
    module = data.modules()["vanilla"]
    run = trainer(tmp_path, max_epochs=2, enable_checkpointing=False)
    run.fit(module, data)
    assert sum(len(p["loss"]) for p in run.predict(module, data)) == 3000
    model = data.to_autoencoder(module)
    facts = model.engine_.facts
    assert facts["rows"] == 3000 and facts["rows_trained_on"] == 3000 - 105 - 70
    assert len(model.anomaly_score(long)) == 3000


def test_a_series_is_not_read_by_pieces(wave: pa.Table, tmp_path: Path) -> None:
    pa.parquet.write_table(wave, tmp_path / "wave.parquet")
    with pytest.raises(OptionError, match="can only be read as a whole"):
        DataModule(tmp_path / "wave.parquet", Autoencoder(time="time"), head=500).setup()


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    monkeypatch.delitem(sys.modules, "diabolo.adapters.lightning_module")
    with pytest.raises(MissingExtraError, match=r"diabolo\[lightning\]"):
        importlib.import_module("diabolo.adapters.lightning_module")


TWO = """
import sys
from pathlib import Path
import pytorch_lightning as pl
import torch
from diabolo import Autoencoder
from diabolo.adapters.lightning import DataModule
from tests import made

folder = Path(sys.argv[1])
data = DataModule(made.mixed(601), Autoencoder("classic", layers=(16, 16)), batch_size=32)
module = data.modules()["classic"]
pl.seed_everything(0)
quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
run = pl.Trainer(max_epochs=2, accelerator="cpu", devices=2, strategy="ddp", default_root_dir=folder, **quiet)
run.fit(module, data)
validated = run.validate(module, data, verbose=False)[0]
rows = [len(batch) for batch in data.train_dataloader()]
lost = [float(x) for p in run.predict(module, data) for x in p["loss"]]
scores = data.to_autoencoder(module).anomaly_score(made.mixed(50, seed=1))
torch.save(
    {"weights": module.network.state_dict(), "validated": validated, "rows": rows, "lost": lost,
     "scores": torch.from_numpy(scores), "steps": run.global_step},
    folder / f"{run.global_rank}.pt",
)
"""


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(tmp_path)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert equal(first["weights"], second["weights"])
    assert first["validated"] == second["validated"]
    assert first["rows"] == second["rows"] == [32] * 7  # 451 rows to train on, 225 for each
    assert first["steps"] == second["steps"] == 14
    assert torch.equal(first["scores"], second["scores"])
    assert (len(first["lost"]), len(second["lost"])) == (301, 300)
    saved = Module.load_from_checkpoint(next(tmp_path.rglob("*.ckpt")), weights_only=True)
    assert equal(weights(saved), first["weights"])
