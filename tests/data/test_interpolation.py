"""Linear interpolation across missing values."""

from __future__ import annotations

import numpy as np
import torch

from diabolo.data.interpolation import interpolate_missing


def test_missing_values_lie_on_lines_and_ends_repeat_the_nearest_value() -> None:
    values = torch.tensor([[np.nan, 1.0, np.nan, 3.0, np.nan]], dtype=torch.double)
    seen = ~values.isnan()
    filled = interpolate_missing(values, seen, 1)
    assert filled.tolist() == [[1.0, 1.0, 2.0, 3.0, 3.0]]
    assert bool(values.isnan().any())  # the input is left as it is


def test_an_empty_channel_gets_the_mean_of_other_windows() -> None:
    values = torch.tensor([[1.0, 2.0, 9.0, 9.0], [3.0, 4.0, 5.0, 7.0]], dtype=torch.double)
    seen = torch.tensor([[True, True, False, False], [True, True, True, True]])
    assert interpolate_missing(values, seen, 2).tolist() == [[1.0, 2.0, 5.0, 7.0], [3.0, 4.0, 5.0, 7.0]]


def test_complete_windows_are_returned_as_they_are() -> None:
    values = torch.randn(3, 4)
    assert interpolate_missing(values, torch.ones_like(values, dtype=torch.bool), 2) is values
