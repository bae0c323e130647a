"""Whether this processor multiplies faster in bfloat16 than in float32, found by a short timing."""

from __future__ import annotations

import time
from functools import cache

import torch
from torch import nn

WORTHWHILE = (
    1.2  # times as fast; measured 1.7 with AVX512-BF16 and 0.1 where it is emulated, so no load tips it
)
REPEATS = 3  # timings of each, of which the fastest counts
SLOW_NOTE = (
    "this processor has no fast bfloat16: in equal time training takes fewer steps; expect about 0.4 dB less"
)


@cache
def has_fast_bfloat16() -> bool:
    """Return whether convolutions in bfloat16 pay; takes a tenth of a second, once in a process."""
    with torch.random.fork_rng(), torch.no_grad():
        layer = nn.Conv2d(32, 32, 3, padding=1)
        layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
        image = torch.zeros(4, 32, 48, 48).contiguous(memory_format=torch.channels_last)
        return _seconds(layer, image, False) > WORTHWHILE * _seconds(layer, image, True)


def mixed_precision() -> torch.autocast:
    """Return a context in which convolutions are computed in bfloat16 if that is faster here."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_fast_bfloat16())


def _seconds(layer: nn.Module, image: torch.Tensor, low: bool) -> float:
    """Return the CPU seconds of the fastest of some runs; the first, which compiles, is left out."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.process_time()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
            layer(image)
        times.append(time.process_time() - start)
    return min(times[1:])
