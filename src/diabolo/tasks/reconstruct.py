"""Reconstruct rows: encode and decode them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diabolo.data.sources import UserTable
from diabolo.tasks.base import Answer, Model, decode_rows, mean_of


@dataclass
class Reconstruction(Answer):
    """Reconstructed rows.

    Attributes:
        table: scored column -> reconstructed values.
    """

    user_table: UserTable
    table: dict[str, Any]

    def columns(self) -> dict[str, Any]:
        """Return the scored columns."""
        return self.table


def reconstruct(model: Model, data: Any) -> Reconstruction:
    """Encode and decode each row; the result is the mean of each number and the most likely label.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.

    Returns:
        The scored columns, reconstructed.

    Raises:
        DataError: the data cannot be read, or columns are missing.
    """
    engine = model.engine_
    frame = engine.read(data)
    return Reconstruction(frame.user_table, decode_rows(engine, frame, mean_of(engine.row_network)))
