"""Traversals along a latent axis, and interpolations between rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.errors import DataError, OptionError, UnsupportedError
from tests import made


@pytest.mark.parametrize("recipe", ["vanilla", "variational", "classic"])
def test_one_axis_varies_and_the_others_are_kept(
    models: dict[str, Autoencoder], fresh: pa.Table, recipe: str
) -> None:
    model, few = models[recipe], fresh.slice(0, 4)
    z = model.transform(model.reconstruct(fresh).to_frame())
    axis = int(model.transform(fresh).std(0).argmax())
    walk = model.traverse(few, axis=axis, steps=5, reach=2)
    frame = walk.to_frame()
    assert frame.column_names == ["row", "step", "z", *made.PREDICTED] and frame.num_rows == 20
    assert frame["step"].to_pylist() == [0, 1, 2, 3, 4] * 4
    line = np.array(frame["z"].to_pylist()).reshape(4, 5)
    assert np.allclose(line, line[0]) and (np.diff(line[0]) > 0).all()
    deviation = model.transform(made.mixed()).std(0)[axis]
    assert line[0, 4] - line[0, 0] == pytest.approx(4 * deviation, rel=0.1)
    # The rows are the decoded codes.
    codes = np.repeat(model.transform(few), 5, axis=0)
    codes[:, axis] = line.ravel()
    assert model.inverse_transform(codes)["double"].to_pylist() == pytest.approx(
        frame["double"].to_pylist(), abs=1e-4
    )
    assert len(set(frame["double"].to_pylist())) > 10 and z.shape[0] == 120


def test_an_interpolation_starts_and_ends_at_the_reconstructions(
    models: dict[str, Autoencoder], fresh: pa.Table
) -> None:
    model, few = models["vanilla"], fresh.slice(0, 3)
    way = model.interpolate(few, steps=4).to_frame()
    assert way.num_rows == 8 and way["row"].to_pylist() == [0] * 4 + [1] * 4
    assert way["share"].to_pylist()[:4] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    ends = model.reconstruct(few).to_frame()["double"].to_pylist()
    double = way["double"].to_pylist()
    assert [double[0], double[3], double[4], double[7]] == pytest.approx(
        [ends[0], ends[1], ends[1], ends[2]], abs=1e-3
    )


def test_images_are_returned_by_row_and_step(picture_models: dict[str, Autoencoder]) -> None:
    model, shown = picture_models["variational"], made.pictures(3, seed=8)
    strip = model.traverse(shown, axis=1, steps=5).to_array()
    assert strip.shape == (3, 5, 8, 6) and strip.dtype == np.uint8
    way = model.interpolate(shown, steps=7).to_array()
    assert way.shape == (2, 7, 8, 6)
    rebuilt = model.reconstruct(shown).to_array()
    assert (
        np.abs(way[:, 0].astype(int) - rebuilt[:2]).max() <= 1
        and np.abs(way[:, -1].astype(int) - rebuilt[1:]).max() <= 1
    )
    back = model.inverse_transform(model.transform(shown))
    assert back.dtype == np.uint8 and np.abs(back.astype(int) - rebuilt).max() <= 1


def test_invalid_requests_are_refused(
    models: dict[str, Autoencoder],
    model: Autoencoder,
    wave_model: Autoencoder,
    fresh: pa.Table,
    wave: pa.Table,
) -> None:
    for axis in (16, -1):
        with pytest.raises(OptionError, match="16 latent axes, from 0 to 15"):
            models["vanilla"].traverse(fresh, axis=axis)
    with pytest.raises(OptionError, match="steps"):
        models["vanilla"].traverse(fresh, axis=0, steps=0)
    with pytest.raises(OptionError, match="reach"):
        models["vanilla"].traverse(fresh, axis=0, reach=-1)
    with pytest.raises(DataError, match="one row"):
        models["vanilla"].interpolate(fresh.slice(0, 1))
    for unable, data in ((model, fresh), (wave_model, wave)):
        for ask in (lambda m, d: m.traverse(d, axis=0), lambda m, d: m.interpolate(d)):
            with pytest.raises(UnsupportedError) as caught:
                ask(unable, data)
            assert caught.value.hint and "vanilla" in caught.value.hint
