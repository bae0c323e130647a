"""VUS is compared with fixture values of an independent implementation of TSB-AD's reference."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics import period, vus

POINTS = np.arange(300)
STRETCHES = {
    "one": [(120, 150)],
    "edges": [(0, 7), (290, 300)],
    "near": [(50, 55), (60, 61), (66, 80), (200, 202)],
    "ties": [(100, 110), (180, 200)],
}
EXPECTED = [
    ("one", 0, 0.27342738312911485, 0.6389506172839506),
    ("one", 1, 0.27342738312911485, 0.6389506172839506),
    ("one", 16, 0.29502310309249685, 0.6869242560704913),
    ("one", 41, 0.3331485333783776, 0.7393307403798741),
    ("edges", 0, 0.18784951648243875, 0.6004988567865309),
    ("edges", 1, 0.18784951648243875, 0.6004988567865309),
    ("edges", 16, 0.20997866157641154, 0.6796175547543151),
    ("edges", 41, 0.24634578862389586, 0.7614228251473596),
    ("near", 0, 0.19462796463833057, 0.6828196533682145),
    ("near", 1, 0.19462796463833057, 0.6828196533682145),
    ("near", 16, 0.2648872416760399, 0.7911401991526475),
    ("near", 41, 0.35322536665562604, 0.8517212873004545),
    ("ties", 0, 0.31733997084916443, 0.6779012345679012),
    ("ties", 1, 0.31733997084916443, 0.6779012345679012),
    ("ties", 16, 0.3401401285855693, 0.7555611630509173),
    ("ties", 41, 0.38383032664381045, 0.8160066253068123),
]


def labelled(name: str) -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros(len(POINTS), dtype=int)
    for start, end in STRETCHES[name]:
        labels[start:end] = 1
    scores = np.sin(POINTS * 1.7) + np.cos(POINTS * 0.31) ** 2
    return labels, (np.round(scores) if name == "ties" else scores) + 0.4 * labels


@pytest.mark.parametrize(("name", "window", "pr", "roc"), EXPECTED)
def test_vus_equals_the_reference(name: str, window: int, pr: float, roc: float) -> None:
    assert vus(*labelled(name), window) == pytest.approx((pr, roc), abs=1e-9)


def test_vus_depends_on_the_order_of_scores_only() -> None:
    labels, scores = labelled("near")
    assert vus(labels, np.exp(3 * scores), 20) == pytest.approx(vus(labels, scores, 20), abs=1e-12)


def test_better_scores_get_more() -> None:
    labels, _ = labelled("one")
    right, wrong = vus(labels, labels, 10), vus(labels, -labels, 10)
    assert right.pr > 0.9 > 0.2 > wrong.pr
    assert right.roc > 0.9 > 0.2 > wrong.roc


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([0, 0, 0], [1, 2, 3]), ([1, 1, 1], [1, 2, 3]), ([0, 1], [1, 2, 3]), ([0, 1, 0], [1, np.nan, 3])],
)
def test_what_cannot_be_judged_is_refused(labels: list[int], scores: list[float]) -> None:
    with pytest.raises(ValueError, match=r"expected|must be"):
        vus(labels, scores, 5)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (lambda t: np.sin(2 * np.pi * t / 25) + 0.001 * t, 25),
        (lambda t: np.sin(2 * np.pi * t / 48) + 0.5 * np.sin(2 * np.pi * t / 7), 49),
        (lambda t: np.sin(2 * np.pi * t / 4.2), 21),
        (lambda t: np.sin(2 * np.pi * t / 390), 125),
        (lambda t: 1.0 * t, 125),
        (np.ones_like, 125),
        (lambda t: t[:4] % 3, 125),
    ],
)
def test_period_equals_the_reference(series, expected: int) -> None:
    assert period(series(np.arange(1000))) == expected
