"""How much memory images take: one at a time at their own size, all together at the size of networks."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from diabolo.data.images import PixelRange, read_at_size, working_shape
from diabolo.data.images.reduction import MAX_BYTES


def test_images_are_held_one_at_a_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(40):
        small = Image.fromarray(rng.integers(0, 256, (8, 8, 3)).astype(np.uint8))
        small.resize((512, 512)).save(tmp_path / f"{number:02}.jpg")
    values = pa.array([str(path) for path in sorted(tmp_path.iterdir())])
    shape = working_shape(values)
    assert shape == [64, 64, 3]
    tracemalloc.start()
    read = read_at_size(values, shape, "image", PixelRange())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(read) == 40
    # All at once would be 126 MB as float32; one is 3 MB, and a few copies of it while it is decoded.
    assert peak < 30_000_000


def test_many_images_are_read_smaller(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(np.zeros((640, 480, 3), np.uint8)).save(path)
    few, many = (working_shape(pa.array([str(path)] * rows)) for rows in (100, 100_000))
    assert few == [64, 48, 3] and many is not None
    assert 100_000 * np.prod(many) <= 1.1 * MAX_BYTES
