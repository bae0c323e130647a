"""Thresholds: the share of pairs of different people that exceed them is the one that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from diabolo.errors import OptionError, UnsupportedError
from diabolo.images.recognition.calibration import MIN_PAIRS, N_BINS, PairCalibration
from diabolo.images.recognition.whitening import Whitening


def calibration_of(different: np.ndarray, same: np.ndarray | None = None) -> PairCalibration:
    """A calibration of given similarities."""
    counts = [
        np.histogram(v, bins=N_BINS, range=(-1, 1))[0].astype(np.int64)
        for v in (different, different[:0] if same is None else same)
    ]
    return PairCalibration(*counts, people=20, labelled=True)


def views_of(people: int, each: int, seed: int = 0, size: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Descriptions of people, in which some numbers vary within them more than between them."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    noise = rng.normal(size=(len(who), 2, size)) * np.linspace(0.2, 2, size)
    return (rng.normal(size=(people, 1, size))[who] + noise).astype(np.float32), who


@pytest.mark.parametrize("rate", [0.3, 0.05, 0.01, 0.002])
def test_a_threshold_is_a_quantile(rate: float) -> None:
    found = np.random.default_rng(0).normal(0, 0.15, 20_000)
    threshold = calibration_of(found).threshold(rate)
    assert 0.85 * rate <= (found > threshold).mean() <= rate


def test_a_threshold_beyond_the_pairs_is_extrapolated_on_the_safe_side() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.normal(0, 0.15, 2_000), rng.normal(0, 0.15, 1_000_000)
    calibration = calibration_of(few)
    thresholds = [calibration.threshold(rate) for rate in (0.01, 0.003, 0.001, 1e-4, 1e-9)]
    assert thresholds == sorted(thresholds) and thresholds[-1] <= 1
    assert (many > calibration.threshold(1e-4)).mean() < 2e-4
    assert calibration.threshold(1e-4) < 0.8


def test_true_accepts_are_counted() -> None:
    calibration = calibration_of(np.zeros(200), np.array([0.1, 0.5, 0.7, 0.9]))
    assert calibration.true_accept_rate(0.6) == 0.5
    assert calibration_of(np.zeros(200)).true_accept_rate(0.6) is None


@pytest.mark.parametrize("rate", [0, 1, -0.1, float("nan"), "much", True, None])
def test_an_impossible_rate_is_refused(rate: object) -> None:
    with pytest.raises(OptionError, match="false_accept_rate"):
        calibration_of(np.zeros(200)).threshold(rate)  # type: ignore[arg-type]


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=f"{MIN_PAIRS} pairs"):
        calibration_of(np.zeros(MIN_PAIRS - 1)).threshold(0.01)


@pytest.mark.parametrize(("people", "each"), [(4, 5), (9, 3), (20, 2)])
def test_every_pair_counts_once(people: int, each: int) -> None:
    views, who = views_of(people, each)
    found = PairCalibration.fit(views, who, np.ones(len(who), bool))
    images = people * each
    assert found.same.sum() == people * each * (each - 1) // 2
    assert found.pairs == images * (images - 1) // 2 - found.same.sum()
    assert found.people == people and found.labelled


def test_the_rate_holds_for_people_never_seen() -> None:
    views, who = views_of(60, 4)
    calibration = PairCalibration.fit(views[:120], who[:120], np.ones(120, bool))
    vectors = Whitening.fit(views[:120], who[:120]).apply(views[120:])
    one, other = np.triu_indices(120, 1)
    similar, same = (vectors @ vectors.T)[one, other], who[120:][one] == who[120:][other]
    for rate in (0.1, 0.01):
        threshold = calibration.threshold(rate)
        assert 0.5 * rate < (similar[~same] > threshold).mean() < 2 * rate
        accepted = calibration.true_accept_rate(threshold)
        assert accepted is not None and abs(accepted - (similar[same] > threshold).mean()) < 0.1


def test_without_labels_thresholds_are_on_the_safe_side() -> None:
    views, who = views_of(30, 5, size=200)
    order = np.random.default_rng(1).permutation(150)
    known = PairCalibration.fit(views, who, np.ones(150, bool))
    unknown = PairCalibration.fit(views[order], np.arange(150), np.zeros(150, bool))
    assert not unknown.labelled and unknown.same.sum() == 0 and unknown.true_accept_rate(0.5) is None
    assert 30 <= unknown.people < 90
    assert unknown.threshold(0.01) > known.threshold(0.01) - 0.05


def test_few_labels_are_not_enough_to_compare_people() -> None:
    views, who = views_of(30, 5, size=200)
    labelled = who < 3
    found = PairCalibration.fit(views, np.where(labelled, who, 30 + np.arange(150)), labelled)
    assert not found.labelled and 30 <= found.people < 90


def test_unknown_images_of_the_people_left_out_are_left_out_too() -> None:
    """They would whiten what tells these people apart, and make the threshold too low."""
    views, who = views_of(20, 6, size=200)
    order = np.arange(120) % 6 < 3
    labelled = PairCalibration.fit(views[order], who[order], np.ones(60, bool))
    groups = np.where(order, who, 20 + np.arange(120))
    both = PairCalibration.fit(views, groups, order)
    assert both.labelled and both.pairs == labelled.pairs
    assert both.threshold(0.01) > labelled.threshold(0.01) - 0.08


@pytest.mark.parametrize("count", [1, 3])
def test_few_images_leave_no_threshold(count: int) -> None:
    views, _ = views_of(count, 1)
    found = PairCalibration.fit(views, np.arange(count), np.zeros(count, bool))
    with pytest.raises(UnsupportedError, match="the fit had 0"):
        found.threshold(0.01)


def test_forged_counts_are_refused() -> None:
    good = calibration_of(np.zeros(200))
    for wrong in (np.zeros(3, np.int64), np.zeros(N_BINS), np.full(N_BINS, -1, np.int64)):
        with pytest.raises(ValueError, match="invalid pairs"):
            PairCalibration.restore({**good.arrays(), "same": wrong}, good.state())
    with pytest.raises(ValueError, match="invalid people"):
        PairCalibration.restore(good.arrays(), {"people": -1, "labelled": True})
