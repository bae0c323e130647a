"""What cannot work with Lightning is said before torch stumbles over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from diabolo import Autoencoder
from diabolo.errors import DataError, OptionError, SchemaError
from tests import made

pl = pytest.importorskip("pytorch_lightning")

from diabolo.adapters.lightning import DataModule, Module  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore::Warning:pytorch_lightning", "ignore:.*LeafSpec:FutureWarning"
)

QUIET: dict[str, Any] = {
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
    "accelerator": "cpu",
    "devices": 1,
    "max_epochs": 1,
}


def small(table: Any) -> DataModule:
    return DataModule(table, Autoencoder("vanilla", layers=(8,), batch_size=32))


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return made.mixed(200).select(made.PREDICTED)


@pytest.fixture(scope="module")
def module(table: pa.Table) -> Module:
    return small(table).modules()["vanilla"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "classic"}, r"model='classic': expected an Autoencoder\nHint: DataModule"),
        ({"model": Autoencoder}, "expected an Autoencoder"),
        ({"head": 0}, "head=0: expected a whole number of at least 1"),
        ({"head": "all"}, "head='all'"),
        ({"head": 10, "workers": -1}, "workers=-1: expected a whole number of at least 0"),
        ({"data": {"a": [1, 2]}, "head": 10}, r"got a dict\nHint: .*without head"),
    ],
)
def test_options(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        DataModule(**{"data": "table.parquet", **options})


def test_data(table: pa.Table, tmp_path: Path) -> None:
    for data in (table.slice(0, 0), table.select([]), None, 5, tmp_path / "none.parquet"):
        with pytest.raises(DataError, match="Hint: "):
            small(data).setup()
    with pytest.raises(DataError, match="there is no such file"):
        DataModule(tmp_path / "none.parquet", head=10).setup()


OTHERS: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "a column is missing": (lambda t: t.drop_columns("double"), "only one of the two has 'double'"),
    "a column has another name": (
        lambda t: t.rename_columns([n.replace("double", "twice") for n in t.column_names]),
        "'double', 'twice'",
    ),
    "another range": (lambda t: made.with_cell(t, "number", 3, 1e6), "other ranges or labels"),
    "another label": (lambda t: made.with_cell(t, "city", 3, "Atlantis"), "other ranges or labels"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_network_of_other_data(table: pa.Table, module: Module, name: str) -> None:
    change, says = OTHERS[name]
    data = small(change(table))
    with pytest.raises(SchemaError, match=f"{says}\nHint: "):
        data.to_autoencoder(module)
    for run in (pl.Trainer(**QUIET).fit, pl.Trainer(**QUIET).validate, pl.Trainer(**QUIET).predict):
        with pytest.raises(SchemaError, match=says):
            run(module, data)
    # Data of its own is read again, and is the same.
    pl.Trainer(**QUIET).predict(module, small(table))


def test_what_is_no_network_and_no_batch(table: pa.Table, module: Module) -> None:
    data = small(table)
    for wrong in ("vanilla", {"vanilla": module}):
        with pytest.raises(OptionError, match=r"expected modules, got a .*\nHint: data.to_autoencoder\("):
            data.to_autoencoder(wrong)
    with pytest.raises(DataError, match=r"expected an encoded batch, got a Table\nHint: Trainer"):
        module(table)
    with pytest.raises(DataError, match="expected an encoded batch"):
        pl.Trainer(**QUIET).fit(module, [1, 2])


@pytest.mark.parametrize("stage", ["train", "val", "test", "predict"])
def test_batches_need_no_setup(table: pa.Table, stage: str) -> None:
    assert len(next(iter(getattr(small(table), f"{stage}_dataloader")()))) > 0
