"""What is the clean version?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diabolo.bottlenecks import Identity
from diabolo.corruptions import Noise
from diabolo.engine import Engine
from diabolo.errors import UnsupportedError
from diabolo.network import Network
from diabolo.sources import Native
from diabolo.tasks.base import Answer, Model, restored


@dataclass
class Denoised(Answer):
    """Rows without their noise.

    Attributes:
        table: scored column -> values.
    """

    native: Native
    table: dict[str, Any]

    def columns(self) -> dict[str, Any]:
        """The scored columns."""
        return self.table


def denoise(model: Model, data: Any) -> Denoised:
    """Take the noise out of rows, windows or pictures: what the decoder expects behind them.

    A network that was trained with noise answers; without one, a network with a bottleneck, which has no
    room for noise. How much noise is taken out is what the network was trained with: `noise=0.5`.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.

    Raises:
        UnsupportedError: the model only guesses hidden cells, and would copy noise.
    """
    engine = model.engine_
    network = _reader(engine)
    frame = engine.read(data)
    return Denoised(frame.native, restored(engine, frame, network))


def _reader(engine: Engine) -> Network:
    networks = engine.networks.values()
    noisy = [n for n in networks if isinstance(n.corruption, Noise)]
    narrow = [n for n in networks if not isinstance(n.bottleneck, Identity)]
    if not noisy and not narrow:
        raise UnsupportedError(
            "no network of this model has learnt what noise is",
            hint='Autoencoder("denoising"), or one with a bottleneck: Autoencoder("vanilla", latent=8)',
        )
    return (noisy or narrow)[0]
