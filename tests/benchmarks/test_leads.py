"""What a lead is worth, and what networks start from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from benchmarks import anomaly_series, detection


def test_the_interval_of_a_lead_is_that_of_a_paired_bootstrap_over_sets() -> None:
    random = np.random.default_rng(0)
    leads = random.normal(0.1, 0.2, 60)
    rows = [
        {"detector": name, "set": f"s{i}", "seed": 0, "vus_pr": value}
        for i, lead in enumerate(leads)
        for name, value in (("a", lead + i), ("b", float(i)))
    ]
    found = detection.gain(rows, "a", "b", "vus_pr", "lead")
    assert found["lead"] == pytest.approx(leads.mean())
    error = leads.std() / np.sqrt(60)
    assert found["lead_low"] == pytest.approx(leads.mean() - 1.96 * error, abs=0.2 * error)
    assert found["lead_high"] == pytest.approx(leads.mean() + 1.96 * error, abs=0.2 * error)
    assert detection.gain(rows[:2], "a", "b", "vus_pr", "lead") == {}


def test_the_network_starts_from_the_linear_filter() -> None:
    short = anomaly_series.made_problem()
    train = np.tile(short.train, 4)
    scores = []
    for name in ("diabolo_linear", "diabolo_denoising"):
        scores.append(anomaly_series.DETECTORS[name](train, short.test, 0))
        found = anomaly_series.measure(short, scores[-1])
        assert found["vus_pr"] > 0.8 and found["affiliation_f1"] > 0.9
    assert not np.allclose(*scores) and spearmanr(*scores).statistic > 0.8
