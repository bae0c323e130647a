"""The context of windows as numbers: what the window mixture is conditioned on besides points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from diabolo.data.fields import Batch, Field, Real, Symbol

_HARMONICS = 2  # sines and cosines for a circular label, such as the hour of the day; a choice
_MAX_LABELS = 64  # a label with more values is left out, unless it is circular; a choice


def context_features(
    batch: Batch, fields: Mapping[str, Sequence[Field]], scored: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Encode the context columns of windows as numbers.

    Args:
        batch: the windows.
        fields: kind -> the fields of the schema.
        scored: kind -> (fields,) which are scored; the others are context.

    Returns:
        (rows, numbers) the context, 0 where it is not known; and (rows, numbers) whether it is known. A
        number is itself, a label is one-hot, a circular label is the cosines and sines of its angle.
    """
    numbers, known = [np.zeros((len(batch), 0))], [np.zeros((len(batch), 0), bool)]
    for kind in (Real.kind, Symbol.kind):
        for index in np.flatnonzero(~scored.get(kind, np.ones(0, bool))).tolist():
            value, visible = (part[kind][:, index].numpy() for part in (batch.values, batch.visible))
            field = fields[kind][index]
            if isinstance(field, Symbol):
                if len(field.counts) - 1 > _MAX_LABELS and not field.circular:
                    continue
                visible, encoded = visible & (value > 0), _encode_label(field, value)
            else:
                encoded = value[:, None].astype(float)
            numbers.append(np.where(visible[:, None], encoded, 0.0))
            known.append(np.repeat(visible[:, None], encoded.shape[1], 1))
    return np.hstack(numbers), np.hstack(known)


def _encode_label(field: Symbol, value: np.ndarray) -> np.ndarray:
    """Return (rows, numbers) for the (rows,) symbols of one field."""
    size = len(field.counts) - 1
    if not field.circular:
        return np.asarray(value[:, None] == np.arange(1, size + 1))
    angle = 2 * np.pi * value[:, None] * np.arange(1, _HARMONICS + 1) / size
    return np.hstack([np.cos(angle), np.sin(angle)])
