"""Values that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def to_json_value(value: Any, convert: Callable[[Any], Any] | None = None) -> Any:
    """Return a value as JSON holds it: infinity and NaN become None, arrays lists, keys text.

    Args:
        value: plain values, numpy's, and containers of them.
        convert: turns objects of any other kind into plain values; None to leave them as they are.

    Example:
        >>> to_json_value({"loss": float("inf"), "sizes": np.array([1, 2])})
        {'loss': None, 'sizes': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(k): to_json_value(v, convert) for k, v in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple | set):
        return [to_json_value(v, convert) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str) or convert is None:
        return value
    return convert(value)
