"""Denoise images: fit on images without noise, and write noisy ones without it.

    python examples/denoise_images.py [FOLDER]

Cut a photograph of scikit-learn into noisy images in FOLDER/noisy, and write FOLDER/clean. A longer fit,
on more photographs, removes more noise.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from diabolo import Autoencoder

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
rng = np.random.default_rng(0)
known, photograph = (load_sample_image(f"{name}.jpg") for name in ("flower", "china"))  # (427, 640, 3) uint8
(folder / "noisy").mkdir(parents=True, exist_ok=True)
corners = [(y, x) for y in range(0, 384, 64) for x in range(0, 640, 64)]
tiles = [photograph[y : y + 64, x : x + 64] for y, x in corners]
for number, tile in enumerate(tiles):
    noisy = tile + rng.normal(0, 25, tile.shape)
    Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8)).save(folder / "noisy" / f"{number:02}.png")


def psnr(place: Path) -> float:
    """Return the mean peak signal-to-noise ratio of images against the photograph, in dB."""
    images = [np.asarray(Image.open(path), dtype=float) for path in sorted(place.glob("*.png"))]
    errors = [((image - tile) ** 2).mean() for image, tile in zip(images, tiles, strict=True)]
    return float(np.mean(10 * np.log10(255**2 / np.array(errors))))


clean = np.stack([known[y : y + 64, x : x + 64] for y, x in corners])
model = Autoencoder("denoising", budget="20s", epochs=5).fit(clean)
model.denoise(folder / "noisy").save_images(folder / "clean")
print(f"with noise: {psnr(folder / 'noisy'):.1f} dB; denoised: {psnr(folder / 'clean'):.1f} dB")
