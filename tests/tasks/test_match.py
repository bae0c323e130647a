"""The nearest rows of a gallery."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.errors import OptionError
from tests import made


def test_a_row_is_nearest_to_itself(any_model: Autoencoder, fresh: pa.Table) -> None:
    found = any_model.match(fresh, gallery=fresh, k=3)
    # Up to rounding: rows that are nearly equal may be swapped.
    assert (found.nearest[:, 0] == np.arange(120)).mean() > 0.95
    assert np.allclose(found.distance[:, 0], 0, atol=1e-3) and np.allclose(
        found.similarity[:, 0], 1, atol=1e-3
    )
    assert (np.diff(found.distance, axis=1) >= -1e-9).all()


def test_a_similarity_is_a_cosine(any_model: Autoencoder, fresh: pa.Table) -> None:
    found = any_model.match(fresh, gallery=fresh, k=120)
    assert found.similarity.max() <= 1 and found.similarity.min() >= -1
    # By rounding, the cosine of some rows with themselves would be above 1.
    assert found.similarity.max() == 1


def test_the_answer_has_k_lines_for_each_row(models: dict[str, Autoencoder], fresh: pa.Table) -> None:
    frame = models["vanilla"].match(fresh.slice(0, 4), gallery=fresh.slice(20, 50), k=3).to_frame()
    assert frame.column_names == ["row", "rank", "gallery", "distance", "similarity"]
    assert frame["row"].to_pylist() == np.repeat(np.arange(4), 3).tolist()
    assert frame["rank"].to_pylist() == [1, 2, 3] * 4
    assert set(frame["gallery"].to_pylist()) <= set(range(50))


def test_matches_are_nearest_in_latent_coordinates(models: dict[str, Autoencoder], fresh: pa.Table) -> None:
    model, queries, gallery = models["vanilla"], fresh.slice(0, 20), fresh.slice(20)
    apart = np.linalg.norm(model.transform(queries)[:, None] - model.transform(gallery)[None], axis=2)
    found = model.match(queries, gallery=gallery, k=100)
    assert np.array_equal(found.nearest[:, 0], apart.argmin(1))
    assert sorted(found.nearest[0].tolist()) == list(range(100))
    # All distances are in the same unit, that of two unrelated rows.
    ratio = found.distance[:, 0] / apart.min(1)
    assert np.allclose(ratio, ratio[0]) and 0.5 < found.distance.mean() < 2


def test_pictures_match_pictures(picture_models: dict[str, Autoencoder]) -> None:
    shown = made.pictures(80, seed=6)
    noisy = np.clip(shown + np.random.default_rng(0).normal(0, 8, shown.shape), 0, 255).astype(np.uint8)
    found = picture_models["vanilla"].match(noisy, gallery=shown)
    assert (found.nearest[:, 0] == np.arange(80)).mean() > 0.8
    assert found.to_array().shape == (80, 5)


def test_a_gallery_with_too_few_rows_is_refused(models: dict[str, Autoencoder], fresh: pa.Table) -> None:
    with pytest.raises(OptionError, match="the gallery has 2 rows"):
        models["vanilla"].match(fresh, gallery=fresh.slice(0, 2), k=3)
    with pytest.raises(OptionError, match="k=0"):
        models["vanilla"].match(fresh, gallery=fresh, k=0)
