"""What is the clean version?"""

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
    """Rows without their noise.

    Attributes:
        table: scored column -> values.
    """

    user_table: UserTable
    table: dict[str, Any]

    def columns(self) -> dict[str, Any]:
        """The scored columns."""
        return self.table


def denoise(model: Model, data: Any) -> Denoised:
    """Take the noise out of rows, windows or pictures: what the decoder expects behind them.

    A network that was trained with noise answers; without one, a network with a bottleneck, which has no
    room for noise. How much noise is taken out is what the network was trained with: `noise=0.5`. Windows of
    a series whose distribution was solved lose as much as the median direction of the fit's windows holds.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.

    Raises:
        UnsupportedError: the model only guesses hidden cells, and would copy noise.
    """
    engine = model.engine_
    read = _reader(engine)
    frame = engine.read(data)
    return Denoised(frame.user_table, decode_rows(engine, frame, read))


def _reader(engine: Engine) -> Callable[[Batch], Mapping[str, Tensor]]:
    networks = engine.networks.values()
    noisy = [n for n in networks if isinstance(n.corruption, Noise)]
    narrow = [n for n in networks if not isinstance(n.bottleneck, Identity)]
    if noisy or narrow:
        return mean_of((noisy or narrow)[0])
    solved = [n for n in networks if isinstance(n.base, WindowBase)]
    if not solved:
        raise UnsupportedError(
            "no network of this model has learnt what noise is",
            hint='Autoencoder("denoising"), or one with a bottleneck: Autoencoder("vanilla", latent=8)',
        )
    return lambda batch: _smoothed(solved[0], batch)


def _smoothed(network: Network, batch: Batch) -> dict[str, Tensor]:
    """Windows without what their usual noise is taken for; what is read beside them as it is expected."""
    found = dict(mean_of(network)(batch))
    assert isinstance(network.base, WindowBase)
    found[Curve.kind] = network.base.denoise(batch)
    return found
