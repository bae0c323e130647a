"""Denoise rows: return the values that the decoder predicts behind the noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from diabolo.data.columns.convert import at_rows
from diabolo.data.fields import Batch, Curve
from diabolo.data.images.answers import as_stored
from diabolo.data.images.sequence import with_channels
from diabolo.data.sources import Frame, UserTable
from diabolo.engine import Engine
from diabolo.errors import OptionError, UnsupportedError
from diabolo.networks.bottlenecks import Identity
from diabolo.networks.corruptions import Noise
from diabolo.networks.network import Network
from diabolo.networks.window_base import WindowBase
from diabolo.tasks.base import Answer, Model, decode_rows, mean_of


@dataclass
class Denoised(Answer):
    """Denoised rows.

    Attributes:
        table: scored column -> denoised values.
    """

    user_table: UserTable
    table: dict[str, Any]

    def columns(self) -> dict[str, Any]:
        """Return the scored columns."""
        return self.table


def denoise(model: Model, data: Any, *, noise: float | None = None, best: bool = False) -> Denoised:
    """Remove the noise from rows, windows or images.

    Images of at least 48 pixels are denoised by a model of their patches, which `Autoencoder("denoising")`
    fits to clean images, or to noisy ones where there are no others. It removes the noise that it finds in an
    image, and leaves an image without noise as it is.

    A network that was trained with noise is used; if there is none, a network with a bottleneck, which is too
    narrow to encode noise. The amount of noise that is removed is the one of the training: `noise=0.5`.
    For windows of a series whose distribution was fitted in closed form, the noise variance is the median of
    the variances of the fit's windows along their principal directions.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        noise: the standard deviation of the noise of images, in the units of their pixels, for example 25 of
            255; None to estimate it from each image.
        best: whether to take the mean over four turns of each image: slower, and a little better.

    Returns:
        The scored columns without noise.

    Raises:
        OptionError: `noise` or `best` is given, but the model has no model of patches of images.
        UnsupportedError: no network of the model removes noise; one that only predicts hidden cells does not.
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    if engine.images is not None and engine.images.denoiser is not None:
        return _denoise_images(engine, engine.read(data), check_noise(noise), best)
    if noise is not None or best:
        raise OptionError(
            "noise and best are about models that were fitted to denoise images of at least 48 pixels",
            hint='Autoencoder("denoising").fit(images)',
        )
    predict = _denoiser(engine)
    frame = engine.read(data)
    return Denoised(frame.user_table, decode_rows(engine, frame, predict))


def check_noise(noise: float | None) -> float | None:
    """Return a level of noise.

    Raises:
        OptionError: it is no number, or is below 0.
    """
    if noise is None:
        return None
    value: Any = noise
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise OptionError(f"noise={noise!r}: expected a number of at least 0", hint="noise=25")
    return float(value)


def _denoise_images(engine: Engine, frame: Frame, noise: float | None, best: bool) -> Denoised:
    """Return images without noise, as they are stored; other columns as the network decodes them."""
    models = engine.images
    assert models is not None
    assert models.denoiser is not None
    images, rows = models.images(frame)
    denoiser = models.denoiser

    def clean(row: int) -> np.ndarray:
        found = images.decoded(row)
        level = None if noise is None else noise / (found.white - found.black)
        return denoiser.denoise(with_channels(found.pixels, models.pixel_range.channels), level, best=best)

    stored = as_stored(map(clean, range(len(images))), images)
    table = {models.column: at_rows(stored, rows, frame.rows)}
    if engine.schema.scored != [models.column]:
        table = {**decode_rows(engine, frame, mean_of(engine.row_network)), **table}
    return Denoised(frame.user_table, table)


def _denoiser(engine: Engine) -> Callable[[Batch], Mapping[str, Tensor]]:
    """Return a function of a batch: kind -> denoised values, by the most suitable network of the model."""
    networks = engine.networks.values()
    with_noise = [n for n in networks if isinstance(n.corruption, Noise)]
    with_bottleneck = [n for n in networks if not isinstance(n.bottleneck, Identity)]
    if with_noise or with_bottleneck:
        return mean_of((with_noise or with_bottleneck)[0])
    with_windows = [n for n in networks if isinstance(n.base, WindowBase)]
    if not with_windows:
        raise UnsupportedError(
            "no network of this model was trained to remove noise",
            hint='Autoencoder("denoising"), or one with a bottleneck: Autoencoder("vanilla", latent=8)',
        )
    return lambda batch: _denoise_windows(with_windows[0], batch)


def _denoise_windows(network: Network, batch: Batch) -> dict[str, Tensor]:
    """Return the denoised windows, and the predicted values of all other fields."""
    found = dict(mean_of(network)(batch))
    assert isinstance(network.base, WindowBase)
    found[Curve.kind] = network.base.denoise(batch)
    return found
