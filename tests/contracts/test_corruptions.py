"""The contract of every corruption."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from diabolo.data.fields import Batch
from diabolo.errors import OptionError
from diabolo.networks.corruptions import CORRUPTIONS, Clean, Corruption, Mask, Noise, Swap
from diabolo.utils.torch_state import forked_rng

ROWS = 400
OPTIONS: dict[type[Corruption], dict[str, Any]] = {
    Clean: {},
    Noise: {"sigma": 0.4, "swap": 0.2},
    Swap: {"probability": 0.3},
    Mask: {},
}
# The second number, the first symbol and the first curve are context.
SCORED = {
    "real": torch.tensor([True, False, True]),
    "symbol": torch.tensor([False, True, True]),
    "curve": torch.tensor([False, True]),
    "pixels": torch.tensor([False, True]),
}
CONTEXT = {"real": 1, "symbol": 0, "curve": 0, "pixels": 0}


@pytest.fixture(params=["table", "series", "pictures"])
def batch(request: pytest.FixtureRequest) -> Batch:
    with forked_rng(0):
        values = {"real": torch.randn(ROWS, 3), "symbol": torch.randint(1, 9, (ROWS, 3))}
        if request.param == "series":
            values["curve"] = torch.randn(ROWS, 2, 32)
        if request.param == "pictures":
            values["pixels"] = torch.randn(ROWS, 2, 3, 8, 8)
        visible = {k: torch.rand(v.shape) > 0.1 for k, v in values.items()}
    # Missing values are symbol 0 or the value 0, as the encoders of columns leave them.
    return Batch({k: torch.where(visible[k], v, 0) for k, v in values.items()}, visible)


@pytest.fixture(params=CORRUPTIONS, ids=lambda kind: kind.__name__)
def corruption(request: pytest.FixtureRequest) -> Corruption:
    assert request.param in OPTIONS, f"add the options of a {request.param.__name__} to OPTIONS"
    return request.param(**OPTIONS[request.param])


def damage(corruption: Corruption, batch: Batch, seed: int = 1) -> tuple[Batch, dict[str, torch.Tensor]]:
    with forked_rng(seed):
        damaged, weights = corruption(batch, {k: SCORED[k] for k in batch.values})
    return damaged, dict(weights)


def test_shapes_and_types_stay(corruption: Corruption, batch: Batch) -> None:
    damaged, weights = damage(corruption, batch)
    assert set(damaged.values) == set(damaged.visible) == set(weights) == set(batch.values)
    for kind, value in batch.values.items():
        assert damaged.values[kind].shape == damaged.visible[kind].shape == weights[kind].shape == value.shape
        assert damaged.values[kind].dtype == value.dtype
        assert damaged.visible[kind].dtype == torch.bool


def test_clean_rows_are_left_alone(corruption: Corruption, batch: Batch) -> None:
    before = {k: v.clone() for k, v in batch.values.items()}
    seen = {k: v.clone() for k, v in batch.visible.items()}
    damage(corruption, batch)
    assert all(torch.equal(batch.values[k], before[k]) for k in before)
    assert all(torch.equal(batch.visible[k], seen[k]) for k in seen)


def test_context_is_never_damaged_and_never_counts(corruption: Corruption, batch: Batch) -> None:
    damaged, weights = damage(corruption, batch)
    for kind, value in batch.values.items():
        place = CONTEXT[kind]
        assert torch.equal(damaged.values[kind][:, place], value[:, place])
        assert torch.equal(damaged.visible[kind][:, place], batch.visible[kind][:, place])
        assert not weights[kind][:, place].any()


def test_missing_values_never_count_and_never_appear(corruption: Corruption, batch: Batch) -> None:
    damaged, weights = damage(corruption, batch)
    for kind, visible in batch.visible.items():
        assert not weights[kind][~visible].any()
        assert not damaged.visible[kind][~visible].any()


def test_something_counts(corruption: Corruption, batch: Batch) -> None:
    _, weights = damage(corruption, batch)
    for kind, weight in weights.items():
        assert bool((weight >= 0).all())
        counted = weight.flatten(2).sum(2) if weight.dim() > 2 else weight
        assert bool((counted[:, SCORED[kind]].sum(0) > 0).all())


def test_random_numbers_come_from_the_generator_of_torch(corruption: Corruption, batch: Batch) -> None:
    one, again, other = (
        damage(corruption, batch, 1),
        damage(corruption, batch, 1),
        damage(corruption, batch, 2),
    )
    assert all(torch.equal(one[0].values[k], again[0].values[k]) for k in batch.values)
    assert all(torch.equal(one[0].visible[k], again[0].visible[k]) for k in batch.values)
    if not isinstance(corruption, Clean):
        same = [torch.equal(one[0].values[k], other[0].values[k]) for k in batch.values]
        seen = [torch.equal(one[0].visible[k], other[0].visible[k]) for k in batch.values]
        assert not (all(same) and all(seen))


def test_options_make_another_one_like_it(corruption: Corruption) -> None:
    assert (
        type(corruption)(**corruption.options()).options()
        == corruption.options()
        == OPTIONS[type(corruption)]
    )
    assert repr(corruption).startswith(type(corruption).__name__)


def test_clean_is_clean(batch: Batch) -> None:
    damaged, weights = damage(Clean(), batch)
    assert all(torch.equal(damaged.values[k], v) for k, v in batch.values.items())
    assert set(weights["real"].unique().tolist()) == {0.0, 1.0}


def test_noise_has_the_size_asked_for(batch: Batch) -> None:
    damaged, _ = damage(Noise(0.4, swap=0.0), batch)
    added = damaged.values["real"] - batch.values["real"]
    assert float(added[:, [0, 2]].std()) == pytest.approx(0.4, rel=0.1)
    assert torch.equal(damaged.values["symbol"], batch.values["symbol"])


def test_noise_exchanges_symbols_but_no_numbers(batch: Batch) -> None:
    damaged, _ = damage(Noise(0.0, swap=0.5), batch)
    assert torch.equal(damaged.values["real"], batch.values["real"])
    assert bool((damaged.values["symbol"] != batch.values["symbol"]).any())


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_swap_exchanges_the_share_asked_for(batch: Batch, probability: float) -> None:
    damaged, _ = damage(Swap(probability), batch)
    changed = (damaged.values["real"] != batch.values["real"])[:, [0, 2]]
    there = batch.visible["real"][:, [0, 2]]
    # A donor whose cell is a hole gives nothing: about one in ten.
    assert float(changed[there].float().mean()) == pytest.approx(0.9 * probability, abs=0.06)


def test_swapped_values_are_values_of_other_rows(batch: Batch) -> None:
    damaged, _ = damage(Swap(0.5), batch)
    for kind in ("real", "symbol"):
        for place in range(3):
            seen = batch.visible[kind][:, place]
            known = set(batch.values[kind][seen, place].tolist())
            # A hole has no value that another row could take over.
            assert set(damaged.values[kind][seen, place].tolist()) <= known


def test_mask_shows_from_none_to_all_but_one_cell() -> None:
    with forked_rng(0):
        batch = Batch({"real": torch.randn(2_000, 5)}, {"real": torch.ones(2_000, 5, dtype=torch.bool)})
        damaged, weights = Mask()(batch, {"real": torch.ones(5, dtype=torch.bool)})
    shown = damaged.visible["real"].sum(1)
    share = torch.bincount(shown, minlength=6) / 2_000
    assert torch.allclose(share, torch.tensor([0.2] * 5 + [0.0]), atol=0.04)
    # Only hidden cells count, and every row counts the same.
    assert not weights["real"][damaged.visible["real"]].any()
    assert torch.allclose(weights["real"].sum(1), torch.full((2_000,), 5.0))


def test_mask_hides_one_segment_of_a_window(batch: Batch) -> None:
    if "curve" not in batch.values:
        batch = batch.replace(
            {"curve": torch.randn(ROWS, 2, 32)}, {"curve": torch.ones(ROWS, 2, 32, dtype=torch.bool)}
        )
    whole = batch.replace(visible={"curve": torch.ones(ROWS, 2, 32, dtype=torch.bool)})
    damaged, _ = damage(Mask(), whole)
    hidden = ~damaged.visible["curve"][:, 1]
    sizes = hidden.sum(1)
    assert int(sizes.min()) >= 2 and int(sizes.max()) <= 32 and len(sizes.unique()) > 5
    assert bool((hidden.int().diff(dim=1).abs().sum(1) <= 2).all())


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), True, "0.1"])
def test_shares_are_checked(value: Any) -> None:
    with pytest.raises(OptionError):
        Swap(value)
    if value != 1.5:
        with pytest.raises(OptionError):
            Noise(value)
