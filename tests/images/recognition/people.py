"""Images of made-up people: smooth random patterns, seen from different places and in other light."""

from __future__ import annotations

import numpy as np

HEIGHT, WIDTH = 70, 60


def pattern(rng: np.random.Generator, margin: int = 8) -> np.ndarray:
    """A smooth random field with values from 0 to 1, larger than an image by a margin on each side."""
    coarse = rng.random((9, 8))
    rows = np.linspace(0, 8, HEIGHT + 2 * margin)
    columns = np.linspace(0, 7, WIDTH + 2 * margin)
    along = np.stack([np.interp(rows, range(9), column) for column in coarse.T], axis=1)
    return np.stack([np.interp(columns, range(8), row) for row in along])


def images_of(people: int, each: int, seed: int = 0, channels: int = 1) -> tuple[list[np.ndarray], list[str]]:
    """Return images of made-up people, person after person, and who is on each."""
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for person in range(people):
        whole = pattern(rng)
        for _ in range(each):
            top, left = rng.integers(5, 12, 2)
            seen = whole[top : top + HEIGHT, left : left + WIDTH]
            lit = seen * rng.uniform(0.6, 1.0) + rng.uniform(0, 0.2) + rng.normal(0, 0.03, seen.shape)
            image = lit.clip(0, 1).astype(np.float32)[..., None]
            images.append(np.repeat(image, channels, axis=2))
            labels.append(f"person {person}")
    return images, labels
