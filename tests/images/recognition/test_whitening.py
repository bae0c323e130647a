"""Whitening by what varies within people."""

from __future__ import annotations

import numpy as np
import pytest

from diabolo.images.recognition.whitening import SHRINKAGE, TOTAL_SHARE, Whitening


def rows(people: int = 40, each: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers: the first varies within people, the second between them."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    within, between = rng.normal(0, 5, (len(who), 2)) * [1, 0.02], rng.normal(0, 1, (people, 2)) * [0.1, 1]
    return (within + between[who] + [3, 7])[:, None].astype(np.float32), who


def test_what_varies_within_people_counts_little() -> None:
    views, who = rows()
    whitening = Whitening.fit(views, who)
    assert np.allclose(whitening.mean, views.mean((0, 1)), atol=1e-4)
    weights = np.diag(whitening.factor)
    assert weights[1] > 2.5 * weights[0]
    vectors = whitening.apply(np.repeat(views, 2, axis=1))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_covariance_within_people_is_whitened_to_one() -> None:
    views, who = rows()
    flat = views[:, 0].astype(float)
    centred = flat - np.stack([flat[who == p].mean(0) for p in range(40)])[who]
    covariance = centred.T @ centred / len(flat)
    total = (flat - flat.mean(0)).T @ (flat - flat.mean(0)) / len(flat)
    covariance = (1 - TOTAL_SHARE) * covariance + TOTAL_SHARE * total
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / 2 * np.eye(2)
    factor = Whitening.fit(views, who).factor
    assert np.allclose(factor @ shrunk @ factor.T, np.eye(2), atol=1e-4)


def test_numbers_of_people_are_only_names() -> None:
    views, who = rows()
    one, other = Whitening.fit(views, who), Whitening.fit(views, 1_000 - 3 * who)
    assert np.allclose(one.factor, other.factor, atol=1e-6)


def test_the_mean_of_all_has_no_direction() -> None:
    views, who = rows()
    whitening = Whitening.fit(views, who)
    assert not whitening.apply(np.tile(whitening.mean, (1, 2, 1))).any()


def test_equal_descriptions_are_whitened_too() -> None:
    whitening = Whitening.fit(np.ones((3, 2, 4), np.float32), np.arange(3))
    assert np.isfinite(whitening.factor).all()


def test_forged_arrays_are_refused() -> None:
    views, who = rows()
    arrays = Whitening.fit(views, who).arrays()
    for name, wrong in (
        ("mean", np.zeros(3, np.float32)),
        ("mean", np.array([0, np.nan], np.float32)),
        ("factor", np.zeros((2, 2))),
        ("factor", np.zeros((2, 3), np.float32)),
    ):
        with pytest.raises(ValueError, match=f"invalid {name}"):
            Whitening.restore({**arrays, name: wrong}, 2)
