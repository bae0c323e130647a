"""What does the model make of it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from diabolo.sources import Native
from diabolo.tasks.base import Answer, Model, decoded
from diabolo.training import threads


@dataclass
class Reconstruction(Answer):
    """What the decoder makes of each row.

    Attributes:
        table: scored column -> values.
    """

    native: Native
    table: dict[str, Any]

    def columns(self) -> dict[str, Any]:
        """The scored columns."""
        return self.table


def reconstruct(model: Model, data: Any) -> Reconstruction:
    """Encode and decode each row: the mean of each number, the most likely label.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
    """
    engine = model.engine_
    frame = engine.read(data)
    means: dict[str, list[np.ndarray]] = {}
    for _, codes in engine.chunks(frame):
        with torch.no_grad(), threads(engine.threads):
            said = engine.row_reader(engine.filled(codes).padded().to(engine.device)).likelihoods
        for kind, likelihood in said.items():
            means.setdefault(kind, []).append(likelihood.mean.cpu().numpy()[: len(codes)])
    whole = {k: np.concatenate(v) for k, v in means.items()}
    everything = np.arange(frame.native.rows)

    return Reconstruction(
        frame.native, {n: decoded(engine, frame, n, whole, everything) for n in engine.schema.scored}
    )
