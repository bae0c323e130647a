"""The nearest remembered row is the one that comparing all pairs finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from diabolo.data.fields import Batch
from diabolo.data.fingerprints import fingerprints
from diabolo.detection.memory import Memory
from diabolo.detection.metrics import MAX_ROWS
from diabolo.detection.metrics.pairs import MISMATCH
from diabolo.utils.torch_state import forked_rng

SCORED = {"real": torch.tensor([True, True, False]), "symbol": torch.tensor([True, False, True])}


def rows(count: int, seed: int, holes: float = 0.2) -> Batch:
    with forked_rng(seed):
        values = {"real": torch.randn(count, 3), "symbol": torch.randint(0, 4, (count, 3))}
        visible = {k: torch.rand(v.shape) >= holes for k, v in values.items()}
    return Batch({k: torch.where(visible[k], v, 0) for k, v in values.items()}, visible)


def brute_force(batch: Batch, memory: Batch) -> np.ndarray:
    """(rows, remembered) root of the mean squared difference over the scored cells that both have."""
    ranges, variances = [], []
    for field in range(3):
        real, visible = memory.values["real"], memory.visible["real"]
        seen = sorted(4 * math.asinh(float(v) / 4) for v in real[visible[:, field], field])
        ends = 1 if len(seen) > 2 else 0  # a thousandth of 60 rows, and at least one
        ranges.append(math.sqrt((seen[-1] - seen[0]) * (seen[-1 - ends] - seen[ends])))
        variances.append(np.var(seen) / ranges[-1] ** 2)
    usual = math.sqrt(np.mean([v for v, s in zip(variances, SCORED["real"].tolist(), strict=True) if s]))
    squares = np.full((len(batch), len(memory)), np.inf)
    for i in range(len(batch)):
        for j in range(len(memory)):
            total, count = 0.0, 0
            for kind, scored in SCORED.items():
                for field in range(3):
                    both = bool(batch.visible[kind][i, field] and memory.visible[kind][j, field])
                    if not (scored[field] and both):
                        continue
                    mine, theirs = float(batch.values[kind][i, field]), float(memory.values[kind][j, field])
                    # Symbol 0 is any label that was not seen: it is unlike everything.
                    unlike = mine != theirs or mine == 0
                    mine, theirs = (4 * math.asinh(v / 4) / ranges[field] / usual for v in (mine, theirs))
                    total += MISMATCH * unlike if kind == "symbol" else (mine - theirs) ** 2
                    count += 1
            if count:
                squares[i, j] = total / count
    return np.sqrt(squares)


@pytest.mark.parametrize("holes", [0.0, 0.2, 0.8])
def test_finds_what_comparing_all_pairs_finds(holes: float) -> None:
    remembered, asked = rows(60, 0, holes), rows(25, 1, holes)
    memory = Memory.fit(remembered, SCORED)
    found = memory.search(asked, k=3)
    distances = brute_force(asked, remembered)
    order = np.sort(distances, axis=1)
    assert found.rows.shape == (25, 3)
    assert np.allclose(found.distance, order[:, 0], atol=1e-6)
    for row in range(25):
        for place in range(3):
            if found.rows[row, place] < 0:
                assert np.isinf(order[row, place])
            else:
                assert distances[row, found.rows[row, place]] == pytest.approx(order[row, place], abs=1e-5)


@pytest.mark.parametrize("skip", [0, 3, 20, 58])
def test_nearer_rows_are_passed_over(skip: int) -> None:
    remembered, asked = rows(60, 0, 0.1), rows(25, 1, 0.1)
    found = Memory.fit(remembered, SCORED).search(asked, k=2, skip=skip)
    wanted = np.sort(brute_force(asked, remembered), axis=1)[:, skip : skip + 2]
    assert np.allclose(found.distances, wanted, atol=1e-6)


def test_a_row_is_not_its_own_neighbour_but_its_copies_are() -> None:
    remembered = rows(50, 2, 0.1)
    memory = Memory.fit(remembered, SCORED)
    found = memory.search(remembered)
    distances = brute_force(remembered, remembered)
    np.fill_diagonal(distances, np.inf)
    assert (found.rows[:, 0] != np.arange(50)).all()
    assert np.allclose(found.distance, distances.min(1), atol=1e-6)
    twice = Batch.concatenate([remembered, remembered[7:8]])
    copied = Memory.fit(twice, SCORED).search(remembered[7:8])
    unseen_symbol = bool((remembered.values["symbol"][7, [0, 2]] == 0).any())
    if not unseen_symbol:
        assert copied.distance[0] == 0
    assert copied.rows[0, 0] in (7, 50)


def test_a_row_that_shares_no_cell_has_no_neighbour() -> None:
    remembered = rows(10, 3, 0.0)
    blank = Batch(remembered[:1].values, {k: torch.zeros_like(v[:1]) for k, v in remembered.visible.items()})
    found = Memory.fit(remembered, SCORED).search(blank)
    assert np.isinf(found.distance[0]) and found.rows[0, 0] == -1


def test_a_memory_of_one_row() -> None:
    remembered = rows(1, 4, 0.0)
    memory = Memory.fit(remembered, SCORED)
    assert np.isinf(memory.search(remembered).distance[0])
    other = remembered.replace({"real": remembered.values["real"] + 1})
    assert memory.search(other, k=5).rows[0].tolist() == [0, -1, -1, -1, -1]


def test_answers_do_not_depend_on_the_batch() -> None:
    remembered, asked = rows(700, 5), rows(1_100, 6)
    memory = Memory.fit(remembered, SCORED)
    whole = memory.search(asked)
    order = torch.from_numpy(np.random.default_rng(0).permutation(1_100))
    turned = memory.search(asked[order])
    assert np.allclose(turned.distance, whole.distance[order.numpy()], atol=1e-6)
    alone = memory.search(asked[1_050:1_051])
    assert alone.distance[0] == pytest.approx(whole.distance[1_050], abs=1e-6)


def test_far_rows_are_measured_exactly() -> None:
    """|a - b|^2 = |a|^2 - 2ab + |b|^2 loses all digits here; the answer must not."""
    base = (torch.full((20, 3), 1000.0) + torch.arange(20.0)[:, None] * 1e-3).view(20, 1, 1, 1, 3)
    batch = Batch({"pixels": base}, {"pixels": torch.ones_like(base, dtype=torch.bool)})
    memory = Memory.fit(batch, {"pixels": torch.ones(1, dtype=torch.bool)})
    asked = Batch({"pixels": base[3:4] + 2e-4}, {"pixels": torch.ones_like(base[:1], dtype=torch.bool)})
    assert memory.search(asked).distance[0] == pytest.approx(2e-4, rel=0.3)


def test_tails_count_by_their_logarithm() -> None:
    """Ten deviations more mean much near the middle of a column, and little a thousand deviations out."""
    there = torch.ones(1, 1, dtype=torch.bool)
    found = []
    for middle in (0.0, 1000.0):
        memory = Memory.fit(Batch({"real": torch.tensor([[middle]])}, {"real": there}), {"real": there[0]})
        asked = Batch({"real": torch.tensor([[middle + 10.0]])}, {"real": there})
        found.append(float(memory.search(asked).distance[0]))
    assert found[0] > 5 and found[1] < 0.1


def test_huge_values_stay_finite() -> None:
    remembered, asked = rows(20, 7, 0.0), rows(2, 8, 0.0)
    asked.values["real"][:] = 1e6
    asked.values["real"][1] = -1e6
    assert np.isfinite(Memory.fit(remembered, SCORED).search(asked).distance).all()


def test_shares_add_up_to_the_distance() -> None:
    remembered, asked = rows(60, 9), rows(25, 10)
    memory = Memory.fit(remembered, SCORED)
    found = memory.search(asked)
    shares = memory.shares(asked, found.rows[:, 0])
    total = sum(part.sum(1) for part in shares.values())
    count = sum(
        (asked.visible[k] & remembered.visible[k][torch.from_numpy(found.rows[:, 0])] & s).sum(1).numpy()
        for k, s in SCORED.items()
    )
    known = np.isfinite(found.distance)
    assert known.all()
    assert np.allclose(np.sqrt(total / count), found.distance, atol=1e-5)
    assert not shares["real"][:, 2].any() and not shares["symbol"][:, 1].any()


def curves(count: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(count)[:, None] * 0.7 + np.arange(8) * 0.5) + 0.1 * rng.normal(size=(count, 8))
    value = torch.from_numpy(wave[:, None].astype(np.float32))
    return Batch({"curve": value}, {"curve": torch.ones_like(value, dtype=torch.bool)})


def test_windows_are_compared_after_whitening() -> None:
    remembered, asked = curves(200, 0), curves(20, 1)
    memory = Memory.fit(remembered, {"curve": torch.tensor([True])}, np.arange(200))
    found = memory.search(asked, np.arange(20) + 10_000, apart=8)
    flat, whole = (c.values["curve"].flatten(1).numpy() for c in (asked, remembered))
    flat, whole = (w - w.mean(1, keepdims=True) for w in (flat, whole))  # how high a window lies is left out
    covariance = np.cov(whole.T, bias=True)
    # 200 windows of 8 points, one from every start, cover as much as 26 that do not overlap.
    covariance += (0.5 / 25.875 * np.trace(covariance) / 8 + 1e-9) * np.eye(8)
    inverse = np.linalg.inv(covariance)
    gap = flat[:, None] - whole[None]
    mahalanobis = np.sqrt(np.einsum("ijk,kl,ijl->ij", gap, inverse, gap) / 8)
    assert np.allclose(found.distance, mahalanobis.min(1), rtol=1e-3)


def test_windows_that_overlap_are_no_neighbours() -> None:
    remembered = curves(200, 2)
    memory = Memory.fit(remembered, {"curve": torch.tensor([True])}, np.arange(200))
    found = memory.search(remembered, np.arange(200), apart=8, k=2)
    assert (np.abs(found.rows - np.arange(200)[:, None]) >= 8).all()
    # The same content at another time is a neighbour.
    elsewhere = memory.search(remembered[50:51], np.array([5_000]), apart=8)
    assert elsewhere.rows[0, 0] == 50 and elsewhere.distance[0] == pytest.approx(0, abs=1e-3)


def test_memory_is_bounded() -> None:
    with forked_rng(0):
        batch = Batch(
            {"real": torch.randn(MAX_ROWS + 500, 1)},
            {"real": torch.ones(MAX_ROWS + 500, 1, dtype=torch.bool)},
        )
    assert len(Memory.fit(batch, {"real": torch.tensor([True])})) == MAX_ROWS


def test_equal_rows_have_equal_fingerprints() -> None:
    batch = rows(200, 11)
    prints = fingerprints(batch)
    assert len(np.unique(prints)) == 200
    assert np.array_equal(fingerprints(batch[50:60]), prints[50:60])
    # What stands in a hole is no content; that there is a hole is.
    other = batch.replace({k: torch.where(batch.visible[k], v, 3) for k, v in batch.values.items()})
    assert np.array_equal(fingerprints(other), prints)
    filled = batch.replace(visible={"real": torch.ones_like(batch.visible["real"])})
    assert (fingerprints(filled) != prints).any()
