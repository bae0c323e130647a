"""Anomalous images and where: fit on surfaces without defects, find those with a scratch.

    python examples/anomalous_images.py [FOLDER]

Draw surfaces into FOLDER (default: the current folder), and write a report, surfaces.html, beside them.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from diabolo import Autoencoder

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
rng = np.random.default_rng(0)


def draw(place: Path, count: int, scratch: bool) -> None:
    """Write images of a brushed surface, each of which may have a dark scratch."""
    place.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        surface = 140 + rng.normal(0, 12, (64, 8)).repeat(10, axis=1) + rng.normal(0, 6, (64, 80))
        if scratch:
            row, column = rng.integers(15, 40), rng.integers(15, 50)
            surface[np.arange(row, row + 14), np.arange(column, column + 14)] -= 90
        Image.fromarray(surface.clip(0, 255).astype(np.uint8)).save(place / f"{number:03}.png")


draw(folder / "good", 120, scratch=False)
draw(folder / "new", 12, scratch=True)
model = Autoencoder(epochs=5).fit(folder / "good")
bits = model.anomaly_score(folder / "new")
usual = model.anomaly_score(folder / "good")
print(f"with a scratch: {np.median(bits):.1f} bits; without: {np.median(usual):.1f} (medians)")
heat = model.explain(folder / "new", rows=[0]).maps["image"][0]
print("most anomalous in 000.png:", np.unravel_index(heat.argmax(), heat.shape))
print("written:", model.report(folder / "new", folder / "surfaces.html").name)
