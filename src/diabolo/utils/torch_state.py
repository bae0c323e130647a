"""Process-wide settings of torch, changed inside a block only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def forked_rng(seed: int) -> Iterator[None]:
    """Seed torch's random numbers inside the block, and restore the state of the generators after it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Set torch's CPU threads inside the block (None: no change); 1 is fastest for small networks."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
