"""A model file is whole, or it is refused; and writing one never harms the one that was there."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.exceptions import NotFittedError

import diabolo
from diabolo import Autoencoder, load
from diabolo.errors import DiaboloError, ModelFileError
from diabolo.persistence.storage import FORMAT
from diabolo.utils.tensor_file import digest
from tests import made
from tests.fits import fitted


@pytest.fixture(scope="module")
def small(table: pa.Table) -> Autoencoder:
    return fitted(table, "vanilla", epochs=1, layers=(8,), latent=3)


@pytest.fixture
def path(small: Autoencoder, tmp_path: Path) -> Path:
    return small.save(tmp_path / "model.diabolo")


def opened(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with safe_open(str(path), framework="pt") as file:
        return {k: file.get_tensor(k) for k in file.keys()}, dict(file.metadata())  # noqa: SIM118


def forged(path: Path, tensors: dict[str, torch.Tensor], card: str) -> None:
    """A file whose checksum fits, whatever it holds."""
    save_file(tensors, str(path), metadata={"card": card, "sha256": digest(card, tensors)})


def test_scores_are_the_same_bit_for_bit(small: Autoencoder, path: Path, fresh: pa.Table) -> None:
    assert np.array_equal(diabolo.load(path).anomaly_score(fresh), small.anomaly_score(fresh))
    assert np.array_equal(Autoencoder.load(str(path)).anomaly_score(fresh), small.anomaly_score(fresh))


def test_saving_again_writes_the_same_bytes(path: Path, tmp_path: Path) -> None:
    again = diabolo.load(path).save(tmp_path / "again.diabolo")
    one, other = opened(path), opened(again)
    assert one[0].keys() == other[0].keys() and all(torch.equal(one[0][k], other[0][k]) for k in one[0])
    cards = [json.loads(meta["card"]) for _, meta in (one, other)]
    assert {**cards[0], "options": 0} == {**cards[1], "options": 0}
    assert diabolo.load(path).save(tmp_path / "third.diabolo").read_bytes() == again.read_bytes()


def test_options_are_kept(table: pa.Table, tmp_path: Path) -> None:
    model = fitted(
        table,
        "vanilla",
        epochs=1,
        layers=(16, 8),
        context=("city",),
        ignore=["flag"],
        alarm_rate=0.05,
        seed=7,
        latent=np.int64(2).item(),
    )
    again = diabolo.load(model.save(tmp_path / "m.diabolo"))
    assert list(again.layers) == [16, 8] and list(again.context) == ["city"] and again.ignore == ["flag"]
    assert again.alarm_rate == again.alarm_rate_ == 0.05 and again.seed == 7 and again.latent == 2
    refitted = fitted(table, **{**again.get_params(deep=False), "device": "cpu"})
    assert np.array_equal(refitted.anomaly_score(table), model.anomaly_score(table))


def test_series_are_kept(fleet_model: Autoencoder, tmp_path: Path) -> None:
    again = diabolo.load(fleet_model.save(tmp_path / "m.diabolo"))
    data = made.fleet(100, seed=4)
    assert np.array_equal(again.anomaly_score(data), fleet_model.anomaly_score(data))
    assert again.time == "time" and again.by == "machine"


def test_own_members_and_columns_are_kept(table: pa.Table, fresh: pa.Table, tmp_path: Path) -> None:
    own = {
        "mine": diabolo.Member(
            corruption=diabolo.Swap(0.2), bottleneck=diabolo.Variational(3, beta=0.1), layers=(16,)
        )
    }
    model = fitted(table, members=own, columns={"count": diabolo.Category()}, epochs=1)
    again = diabolo.load(model.save(tmp_path / "m.diabolo"))
    assert np.array_equal(again.anomaly_score(fresh), model.anomaly_score(fresh))
    assert repr(again.engine_.row_network.bottleneck) == "Variational(latent=3, beta=0.1, stdev=1.0)"
    assert again.schema_["count"].kind == "category"


def test_a_loaded_model_knows_its_columns(small: Autoencoder, path: Path) -> None:
    again = diabolo.load(path)
    assert again.n_features_in_ == small.n_features_in_
    assert list(again.feature_names_in_) == list(small.feature_names_in_)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no such file"):
        diabolo.load(tmp_path / "none.diabolo")
    with pytest.raises(ModelFileError):
        diabolo.load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2\n", b"\x80\x04pickle", b"PK\x03\x04", b"\xff" * 100, b"\x08\0\0\0\0\0\0\0{}      "],
)
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.diabolo"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="no diabolo model"):
        diabolo.load(path)


def test_other_tensors_are_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(2)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(ModelFileError, match="it has no card"):
        diabolo.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.4, 0.7, 0.9, 0.999])
def test_one_damaged_byte_is_noticed(path: Path, share: float) -> None:
    raw = bytearray(path.read_bytes())
    raw[int(share * len(raw))] ^= 0x10
    path.write_bytes(raw)
    with pytest.raises(ModelFileError):
        diabolo.load(path)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.9999])
def test_half_a_file_is_noticed(path: Path, share: float) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(ModelFileError):
        diabolo.load(path)


def test_a_newer_format_is_named(path: Path) -> None:
    tensors, meta = opened(path)
    card = {**json.loads(meta["card"]), "format": FORMAT + 1, "diabolo": "99.0"}
    forged(path, tensors, json.dumps(card))
    with pytest.raises(ModelFileError, match=f"format {FORMAT + 1}") as caught:
        diabolo.load(path)
    assert caught.value.hint and "99.0" in caught.value.hint


def lacking(*keys: str) -> Any:
    def change(card: dict[str, Any]) -> Any:
        inner = card
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        return card

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda card: [],
        lambda card: "card",
        lambda card: {**card, "format": "new"},
        lambda card: {**card, "members": {"x": {}}},
        lambda card: {**card, "members": {"x": None}},
        lambda card: {**card, "source": {"kind": "cloud"}},
        lambda card: {**card, "schema": [{"name": "x"}]},
        lambda card: {**card, "schema": None},
        lambda card: {**card, "options": None},
        lambda card: {**card, "options": {**card["options"], "arguments": {"unheard_of": 1}}},
        lacking("format"),
        lacking("schema"),
        lacking("members"),
        lacking("calibration"),
        lacking("options"),
        lacking("options", "library"),
        lacking("source", "kind"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(path: Path, change: Any) -> None:
    tensors, meta = opened(path)
    forged(path, tensors, json.dumps(change(json.loads(meta["card"]))))
    with pytest.raises(ModelFileError):
        diabolo.load(path)


def test_a_card_that_is_no_json_is_refused(path: Path) -> None:
    tensors, _ = opened(path)
    forged(path, tensors, "{never closed")
    with pytest.raises(ModelFileError):
        diabolo.load(path)


@pytest.mark.parametrize(
    "name",
    [
        "memory/values/real",
        "calibration/scores",
        "evidence/residual/real",
        "network/vanilla/encoder.blocks.0.0.weight",
    ],
)
def test_a_missing_tensor_is_refused(path: Path, name: str) -> None:
    tensors, meta = opened(path)
    del tensors[name]
    forged(path, tensors, meta["card"])
    with pytest.raises(ModelFileError):
        diabolo.load(path)


def test_a_misshapen_weight_is_refused(path: Path) -> None:
    tensors, meta = opened(path)
    forged(path, {**tensors, "network/vanilla/encoder.blocks.0.0.weight": torch.zeros(3, 3)}, meta["card"])
    with pytest.raises(ModelFileError):
        diabolo.load(path)


def test_a_write_that_is_cut_short_leaves_the_old_file(
    small: Autoencoder, table: pa.Table, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    for broken in ("replace", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, broken, fail)
            with pytest.raises(DiaboloError, match="No space left on device"):
                fitted(table, "vanilla", epochs=1).save(path)
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]


def test_a_killed_write_leaves_the_old_file(
    small: Autoencoder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        small.save(path)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_folder_that_does_not_exist_is_named(small: Autoencoder, tmp_path: Path) -> None:
    with pytest.raises(
        DiaboloError, match=r"nowhere.m\.diabolo cannot be written: No such file or directory"
    ):
        small.save(tmp_path / "nowhere" / "m.diabolo")


def test_saving_in_the_current_folder(
    small: Autoencoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert small.save("m.diabolo") == Path("m.diabolo")
    assert stat.S_IMODE(os.stat("m.diabolo").st_mode) & 0o444
    assert os.listdir(tmp_path) == ["m.diabolo"]


def test_the_file_holds_no_code(path: Path) -> None:
    raw = path.read_bytes()
    assert b"pickle" not in raw and b"__reduce__" not in raw


def test_models_without_a_fit_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        Autoencoder().save(tmp_path / "m.diabolo")


def test_a_table_is_no_model(model: Autoencoder, tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(ModelFileError, match=r"it looks like a table\n.*diabolo fit .*t\.csv\.gz -o"):
        load(tmp_path / "t.csv.gz")
    # A model may have any name.
    assert load(model.save(tmp_path / "m.csv")).schema_.scored == model.schema_.scored
