"""Generate images: fit on handwritten digits, and write a sheet of synthetic ones.

    python examples/generate_images.py [FOLDER]

Write generated.png into FOLDER (default: the current folder): four rows of synthetic digits,
and two ways from one digit to another.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from diabolo import Autoencoder
from diabolo.report.drawing.png import enlarge, side_by_side, to_grey, to_png

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
digits = load_digits()
images, labels = digits.images.astype(np.uint8), digits.target  # (1797, 8, 8), from 0 to 16

model = Autoencoder("variational", latent=16, beta=0.1, epochs=60).fit(images)
made = model.generate(40, seed=0).to_array()  # (40, 8, 8)
ends = np.stack([images[labels == digit][0] for digit in (0, 6, 4)])
ways = model.interpolate(ends, steps=10).to_array()  # (2, 10, 8, 8)

nearest = model.match(made, gallery=images)  # a copy of a training image would be at distance 0
sheet = np.concatenate([made, ways.reshape(-1, 8, 8)]).reshape(6, 10, 8, 8)
(folder / "generated.png").write_bytes(to_png(enlarge(side_by_side(to_grey(sheet, 0, 16)), 6)))
copies = int((nearest.to_arrow()["distance"].to_numpy() == 0).sum())
print(f"generated.png: 40 synthetic images, {copies} of them copies")
