"""Numbers: in standard units, their tails by the logarithm, and the less the wider their column."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Real
from diabolo.detection.metrics.base import FieldMetric
from diabolo.utils.numerics import soft_log

OUTLIERS_PER_END = 1000  # one in so many values is left out at each end of a column's inner range


class NumberMetric(FieldMetric):
    """`soft_log` of a number, over the range of its column; so that scored numbers have a mean variance of 1.

    A column that is nearly constant has a small deviation: in its units, one row that differs would be far
    from all others, whatever else it holds. The range is the geometric mean of that of all values and of that
    without the farthest thousandth at each end: a single extreme value does not hide itself.

    Args:
        learnt: (numbers,) the weight of each column; None for equal ones.
    """

    kind = Real.kind
    array = "number_weights"

    @classmethod
    def fit(cls, batch: Batch, scored: Tensor, positions: np.ndarray | None) -> Self:
        """Learn the weight of each column.

        Args:
            batch: rows, on the CPU.
            scored: (fields,) which numbers count.
            positions: not used.
        """
        logs, seen = soft_log(batch.values[cls.kind]).numpy(), batch.visible[cls.kind].numpy()
        ranges, variances = np.ones(logs.shape[1]), np.zeros(logs.shape[1])
        for field in range(len(ranges)):
            values = np.sort(logs[seen[:, field], field]).astype(float)
            if len(values) and values[-1] > values[0]:
                ends = min(math.ceil(len(values) / OUTLIERS_PER_END), (len(values) - 1) // 2)
                full, inner = values[-1] - values[0], values[-1 - ends] - values[ends]
                ranges[field] = math.sqrt(full * (inner if inner > 0 else full))
                variances[field] = values.var()
        usual = (variances / ranges**2)[scored.numpy()]
        scale = math.sqrt(usual.mean()) if usual.sum() > 0 else 1.0
        return cls((1 / (ranges * scale)).astype(np.float32))

    def features(self, values: Tensor, visible: Tensor, scored: Tensor) -> tuple[Tensor, Tensor]:
        """Return weighted logarithms, and which are present.

        Args:
            values: (rows, fields).
            visible: likewise, which are present.
            scored: (fields,) which fields count.
        """
        return self._weighted(values)[:, scored].flatten(1), visible[:, scored].flatten(1)

    def parts(self, values: Tensor, others: Tensor, both: Tensor) -> Tensor:
        """Return (rows, fields) squared differences.

        Args:
            values: (rows, fields).
            others: likewise.
            both: not used.
        """
        return (self._weighted(values) - self._weighted(others)).square()

    def _weighted(self, values: Tensor) -> Tensor:
        return values if self.learnt is None else soft_log(values) * torch.from_numpy(self.learnt)
