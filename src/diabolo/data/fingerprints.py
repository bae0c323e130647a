"""Fingerprints of rows, by which equal ones are recognised."""

from __future__ import annotations

import numpy as np
import torch

from diabolo.data.fields import Batch

FNV_OFFSET, FNV_PRIME = 1469598103934665603, 1099511628211  # of the 64-bit FNV-1a hash


def fingerprints(batch: Batch) -> np.ndarray:
    """Return (rows,) 64-bit hashes (FNV-1a) of the content of rows; equal rows have equal ones."""
    parts = []
    for kind in sorted(batch.values):
        value = torch.where(batch.visible[kind], batch.values[kind], torch.zeros_like(batch.values[kind]))
        flat = value.flatten(1).contiguous().numpy()
        parts.append(flat.view(np.uint32) if flat.dtype == np.float32 else flat.astype(np.uint32))
        parts.append(batch.visible[kind].flatten(1).numpy().astype(np.uint32))
    words = np.concatenate(parts, 1).astype(np.uint64)
    mixed = np.full(len(words), FNV_OFFSET, np.uint64)
    with np.errstate(over="ignore"):
        for column in words.T:
            mixed = (mixed ^ column) * np.uint64(FNV_PRIME)
            mixed ^= mixed >> np.uint64(29)
    return mixed


def short_fingerprints(batch: Batch) -> np.ndarray:
    """Return (rows,) fingerprints of 32 bits.

    Of a million new rows, two are taken for one of 10,000 seen ones.
    """
    prints = fingerprints(batch)
    return np.asarray((prints ^ (prints >> np.uint64(32))).astype(np.uint32).view(np.int32))
