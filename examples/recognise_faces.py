"""Faces: who is who, whether two images show the same person, and groups of unknown people.

    python examples/recognise_faces.py

Faces are drawn here; with photographs, name a folder with one sub-folder for each person.
"""

import numpy as np
from PIL import Image, ImageDraw

from diabolo import Autoencoder

rng = np.random.default_rng(0)


def draw_face(person: int) -> np.ndarray:
    """Return an image of a person: the proportions are the person's, place and light vary."""
    wide, eye, mouth, nose, brow = np.random.default_rng(person).uniform(
        [30, 10, 8, 4, 2], [42, 20, 24, 16, 9]
    )
    x, y = rng.normal(50, 1, 2)
    pen = ImageDraw.Draw(image := Image.new("L", (100, 112), int(rng.uniform(20, 60))))
    pen.ellipse((x - wide, y - 42, x + wide, y + 52), fill=int(rng.uniform(150, 210)))
    for side in (-eye, eye):
        pen.ellipse((x + side - 5, y - 8, x + side + 5, y + 1), fill=40)
        pen.line((x + side - 7, y - 8 - brow, x + side + 7, y - 8 - brow), fill=50, width=int(brow))
    pen.line((x, y, x, y + nose), fill=90, width=3)
    pen.ellipse((x - mouth, y + 24, x + mouth, y + 30), fill=80)
    return np.asarray(image)


faces = np.stack([draw_face(person) for _ in range(8) for person in range(20)])
gallery = {"image": faces, "name": 8 * [f"person {person}" for person in range(20)]}
model = Autoencoder("vanilla", labels="name", epochs=5).fit(gallery)
new = {"image": np.stack([draw_face(person) for person in range(30)])}  # 20 to 29 are not in the gallery
found = model.identify(new, gallery=gallery, labels="name", false_accept_rate=0.1).to_arrow()
print(found["label"].to_pylist())
others = {"image": np.stack([draw_face(person % 25) for person in range(30)])}  # the last five differ
print(model.verify(new, others, false_accept_rate=0.1).to_arrow()["same"].to_pylist())
