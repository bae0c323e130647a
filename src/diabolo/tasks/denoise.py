"""Denoise rows: return the values that the decoder predicts behind the noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from diabolo.data.fields import Batch, Curve
from diabolo.data.sources import UserTable
from diabolo.engine import Engine
from diabolo.errors import UnsupportedError
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


def denoise(model: Model, data: Any) -> Denoised:
    """Remove the noise from rows, windows or images.

    A network that was trained with noise is used; if there is none, a network with a bottleneck, which is too
    narrow to encode noise. The amount of noise that is removed is the one of the training: `noise=0.5`.
    For windows of a series whose distribution was fitted in closed form, the noise variance is the median of
    the variances of the fit's windows along their principal directions.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.

    Returns:
        The scored columns without noise.

    Raises:
        UnsupportedError: no network of the model removes noise; one that only predicts hidden cells does not.
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    predict = _denoiser(engine)
    frame = engine.read(data)
    return Denoised(frame.user_table, decode_rows(engine, frame, predict))


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
