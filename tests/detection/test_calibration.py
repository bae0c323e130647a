"""Bits are what they say: the share of normal rows that are at least as odd."""

from __future__ import annotations

import json

import numpy as np
import pytest

from diabolo.detection.calibration import Calibration, severity
from diabolo.errors import OptionError


def evidence(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    return {"residual": rng.gamma(3.0, 1.0, rows), "distance": rng.lognormal(0, 0.5, rows)}


def test_bits_are_honest_for_new_rows() -> None:
    """P(bits >= b) is at most 2^-b, averaged over the draws of calibration rows; and not much less."""
    rng = np.random.default_rng(0)
    for n in (40, 200):
        bits = []
        for _ in range(200):
            calibration = Calibration.fit(evidence(rng, n))
            bits.append(calibration.bits(calibration.join(evidence(rng, 200))))
        found = np.concatenate(bits)
        for share in (0.5, 0.2, 0.1, 0.05):
            alarms = float((found >= -np.log2(share)).mean())
            assert alarms <= share * 1.06 + 2e-3
            assert alarms >= share * 0.7 - 1 / n


def test_alarms_are_as_rare_as_asked_for() -> None:
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(100):
        calibration = Calibration.fit(evidence(rng, 300))
        bits = calibration.bits(calibration.join(evidence(rng, 500)))
        rates.append(float((bits >= calibration.threshold(0.02)).mean()))
    assert 0.012 < np.mean(rates) < 0.023


def test_odder_rows_have_more_bits() -> None:
    calibration = Calibration.fit(evidence(np.random.default_rng(2), 100))
    low, high = calibration.scores[0] - 5, calibration.scores[-1] + 20
    bits = calibration.bits(np.linspace(low, high, 5_000))
    assert (np.diff(bits) >= 0).all() and (bits >= 0).all() and np.isfinite(bits).all()
    above = calibration.bits(np.linspace(calibration.scores[0] + 1e-3, high, 5_000))
    assert (np.diff(above) > 0).all()


def test_ranks_are_kept_below_every_calibration_row() -> None:
    calibration = Calibration.fit(evidence(np.random.default_rng(2), 100))
    bits = calibration.bits(calibration.scores[0] - np.array([5.0, 3.0, 1.0, 0.1]))
    assert (np.diff(bits) > 0).all() and bits[-1] < 0.1


def test_each_part_of_the_evidence_counts() -> None:
    rng = np.random.default_rng(3)
    calibration = Calibration.fit(evidence(rng, 200))
    usual = {k: np.array([v]) for k, v in calibration.medians.items()}
    base = calibration.join(usual)[0]
    for name in usual:
        more = {**usual, name: usual[name] * 10}
        assert calibration.join(more)[0] == pytest.approx(base + np.log(10), abs=0.01)


def test_units_of_the_evidence_do_not_matter() -> None:
    one = evidence(np.random.default_rng(4), 200)
    other = {"residual": one["residual"] * 1e4, "distance": one["distance"] / 1e4}
    first, second = Calibration.fit(one), Calibration.fit(other)
    assert np.allclose(first.bits(first.join(one)), second.bits(second.join(other)))


def test_a_row_of_the_calibration_has_its_own_rank() -> None:
    calibration = Calibration({}, np.zeros(0), 1.0).ranked(np.array([4.0, 1.0, 3.0, 2.0]))
    bits = calibration.bits(np.array([1.0, 2, 3, 4]))
    assert np.allclose(bits, -np.log2([4 / 5, 3 / 5, 2 / 5, 1 / 5]))
    # Equal rows are each as odd as the whole group.
    calibration = calibration.ranked(np.array([1.0, 2.0, 2.0, 2.0]))
    assert calibration.bits(np.array([2.0]))[0] == pytest.approx(-np.log2(3 / 5))


def test_beyond_the_oddest_row_bits_grow_as_fast_as_the_tail_falls() -> None:
    rng = np.random.default_rng(5)
    calibration = Calibration({}, np.zeros(0), 1.0).ranked(rng.exponential(1.0, 20_000))
    # An exponential tail loses 1 / ln 2 bits per unit, anywhere.
    top = calibration.scores[-1]
    grown = np.diff(calibration.bits(np.array([top + 1, top + 2])))[0]
    assert grown == pytest.approx(1 / np.log(2), rel=0.15)


@pytest.mark.parametrize("rows", [np.zeros(50), np.array([1.0]), np.r_[np.zeros(99), 1.0]])
def test_rows_that_are_all_alike(rows: np.ndarray) -> None:
    calibration = Calibration.fit({"residual": rows, "distance": rows})
    bits = calibration.bits(
        calibration.join({"residual": np.array([0.0, 1e-3, 10.0]), "distance": np.array([0.0, 0, 10])})
    )
    assert np.isfinite(bits).all() and (np.diff(bits) >= 0).all() and bits[-1] > bits[0]


def test_evidence_that_is_not_known_is_usual() -> None:
    calibration = Calibration.fit(evidence(np.random.default_rng(6), 100))
    unknown = {"residual": np.array([np.nan, 2.0]), "distance": np.array([1.0, np.inf])}
    assert np.isfinite(calibration.join(unknown)).all()
    known = {"residual": np.array([calibration.medians["residual"]]), "distance": np.array([1.0])}
    assert calibration.join(unknown)[0] == calibration.join(known)[0]


def test_rates_that_the_rows_cannot_support_are_refused() -> None:
    calibration = Calibration.fit(evidence(np.random.default_rng(7), 99))
    assert calibration.default_rate() == pytest.approx(0.01)
    assert calibration.threshold(0.01) == pytest.approx(-np.log2(0.01))
    with pytest.raises(OptionError, match=r"with 99 calibration rows; 0.01 can") as caught:
        calibration.threshold(0.005)
    assert caught.value.hint
    assert calibration.threshold(0.005, asked=False) > calibration.threshold(0.01)
    for rate in (0, 1, -0.1, 1.5, float("nan")):
        with pytest.raises(OptionError, match="between 0 and 1"):
            calibration.threshold(rate)
    many = Calibration.fit(evidence(np.random.default_rng(7), 5_000))
    assert many.default_rate() == 0.001


def test_severity_is_a_scale_from_0_to_100() -> None:
    assert np.allclose(severity(np.array([0.0, 10.0, 20.0])), [0, 50, 75])
    grid = severity(np.linspace(0, 500, 200))
    assert (np.diff(grid) >= 0).all() and grid[-1] <= 100


def test_survives_json() -> None:
    calibration = Calibration.fit(evidence(np.random.default_rng(8), 60))
    state = json.loads(json.dumps(calibration.to_json(), allow_nan=False))
    again = Calibration(state["medians"], calibration.scores, state["slope"])
    new = evidence(np.random.default_rng(9), 20)
    assert np.array_equal(again.bits(again.join(new)), calibration.bits(calibration.join(new)))
