"""P(wrong) of cells: how many cells of the data are wrong is estimated, and what evidence is worth."""

from __future__ import annotations

import numpy as np
import pytest

from diabolo import Autoencoder

ROWS = 1_500


def table(share: float) -> tuple[np.ndarray, np.ndarray]:
    """Four columns that follow from two, a share of the cells exchanged for those of other rows."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(ROWS, 2))
    clean = np.c_[hidden, hidden.sum(1), hidden[:, 0] - hidden[:, 1]] + 0.05 * rng.normal(size=(ROWS, 4))
    wrong = rng.random(clean.shape) < share
    return np.where(wrong, clean[rng.permutation(ROWS)], clean), wrong


def test_many_wrong_cells_are_estimated_too() -> None:
    data, _ = table(0.25)
    assert 0.1 < Autoencoder("masked").fit(data).error_rate_ < 0.4


@pytest.fixture(scope="module", params=[0.0, 0.06])
def dirty(request: pytest.FixtureRequest) -> tuple[float, np.ndarray, np.ndarray, Autoencoder]:
    data, wrong = table(request.param)
    return request.param, data, wrong, Autoencoder("masked").fit(data)


def test_the_share_of_wrong_cells_is_estimated(
    dirty: tuple[float, np.ndarray, np.ndarray, Autoencoder],
) -> None:
    share, _, _, model = dirty
    estimated = model.error_rate_
    assert estimated < 0.02 if share == 0 else 0.02 < estimated < 0.12


def test_probabilities_are_worth_their_name(
    dirty: tuple[float, np.ndarray, np.ndarray, Autoencoder],
) -> None:
    share, data, wrong, model = dirty
    p = np.clip(model.explain(data).p_wrong, 1e-6, 1 - 1e-6)
    if share == 0:
        assert (p > 0.5).mean() < 0.01
        return
    loss = -np.where(wrong, np.log(p), np.log(1 - p)).mean()
    base = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert loss < 0.95 * base
    assert wrong[p > 0.5].mean() > 0.5
    assert p[wrong].mean() > 2 * p[~wrong].mean()


def test_columns_that_say_nothing_of_each_other_are_not_taken_for_wrong() -> None:
    """A wrong cell looks like any other there: none can be called wrong, and not many are estimated."""
    data = np.random.default_rng(0).standard_t(4, size=(ROWS, 4))
    model = Autoencoder("masked").fit(data)
    assert model.error_rate_ < 0.05
    assert (model.explain(data, neighbours=0).p_wrong > 0.5).mean() < 0.01


def test_odds_survive_a_file(
    dirty: tuple[float, np.ndarray, np.ndarray, Autoencoder], tmp_path: object
) -> None:
    from diabolo import load

    _, data, _, model = dirty
    again = load(model.save(f"{tmp_path}/m.diabolo"))
    np.testing.assert_allclose(again.explain(data[:20]).p_wrong, model.explain(data[:20]).p_wrong, atol=1e-9)


@pytest.mark.parametrize("way", ["swapped", "moved"])
def test_the_way_in_which_numbers_are_wrong_is_learnt(way: str) -> None:
    clean, _ = table(0.0)
    # A column of few frequent values: what another row holds and what noise brings differ.
    clean[:, 3] = np.round(2 * clean[:, 3]) ** 3
    rng = np.random.default_rng(1)
    other = (
        clean[rng.permutation(ROWS)]
        if way == "swapped"
        else clean + 2 * clean.std(0) * rng.normal(size=clean.shape)
    )
    data = np.where(rng.random(clean.shape) < 0.06, other, clean)
    swapped, moved, _ = Autoencoder("masked").fit(data).engine_.cell_errors.error_types["real"]
    assert swapped > 2 * moved if way == "swapped" else moved > 2 * swapped
