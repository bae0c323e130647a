"""Folds in which an image and the one most similar to it are together."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.images.defects.folds import separated_folds


def test_exposures_of_the_same_thing_are_in_the_same_fold() -> None:
    random = np.random.default_rng(0)
    things = random.normal(size=(30, 50))
    exposures = np.repeat(things, 4, axis=0) * random.uniform(0.5, 2, (120, 1)) + 0.1 * random.normal(
        size=(120, 50)
    )
    shuffled = random.permutation(120)
    folds = separated_folds(exposures[shuffled], 3)
    thing = np.repeat(np.arange(30), 4)[shuffled]
    pairs = np.corrcoef(exposures[shuffled])
    np.fill_diagonal(pairs, -1)
    nearest = pairs.argmax(1)
    assert (thing[nearest] == thing).all() and (folds[nearest] == folds).mean() > 0.95
    assert np.bincount(folds).max() - np.bincount(folds).min() <= 8


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 40), st.integers(1, 3), st.integers(0, 5))
def test_every_image_has_a_fold_and_no_fold_is_empty(number: int, count: int, seed: int) -> None:
    count = min(count, number)
    features = np.random.default_rng(seed).normal(size=(number, 6))
    if seed == 5:
        features[:] = 1.0  # all alike: one group, which is divided
    folds = separated_folds(features, count)
    assert folds.shape == (number,) and set(folds.tolist()) == set(range(count))
