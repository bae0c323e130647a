"""Images: reconstruct, denoise, match, generate and interpolate handwritten digits.

    python examples/images.py [FOLDER]

Write one sheet with all results, digits.png, into FOLDER (default: the current folder).
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from diabolo import Autoencoder
from diabolo.report.drawing.png import enlarge, side_by_side, to_grey, to_png

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
rng = np.random.default_rng(0)
digits = load_digits()
order = rng.permutation(len(digits.images))
images, labels = digits.images[order].astype(np.uint8), digits.target[order]  # (1797, 8, 8), from 0 to 16
known, new, known_label, new_label = images[:1000], images[1000:], labels[:1000], labels[1000:]


def psnr(picture: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio against the new images, in dB."""
    return float(10 * np.log10(16**2 / ((picture.astype(float) - new) ** 2).mean()))


vanilla = Autoencoder("vanilla", layers=(256, 128), epochs=200).fit(known)
variational = Autoencoder("variational", layers=(256, 128), beta=0.1, epochs=300).fit(known)
denoising = Autoencoder("denoising", layers=(256, 128), noise=0.7, epochs=150).fit(known)

plain, vae = vanilla.reconstruct(new).to_array(), variational.reconstruct(new).to_array()
print(f"reconstructed from 16 numbers: vanilla {psnr(plain):.1f} dB, variational {psnr(vae):.1f} dB")

noisy = np.clip(new + rng.normal(0, 4, new.shape), 0, 16)
clean = denoising.denoise(noisy).to_array()
print(f"with noise: {psnr(noisy):.1f} dB; denoised: {psnr(clean):.1f} dB")

nearest = vanilla.match(new, gallery=known).nearest[:, 0]
print(f"the nearest known image shows the same digit: {(known_label[nearest] == new_label).mean():.1%}")

codes = variational.transform(new)  # (797, 16)
back = variational.inverse_transform(codes)  # (797, 8, 8)
made = variational.generate(30, seed=0).to_array()
pairs = new[[np.flatnonzero(new_label == digit)[0] for digit in (0, 6, 4)]]
ways = variational.interpolate(pairs, steps=10).to_array()
widest = int(codes.std(0).argmax())
walk = variational.traverse(pairs[:1], axis=widest, steps=10, reach=2).to_array()

ten = slice(0, 10)
rows = [new[ten], plain[ten], vae[ten], noisy[ten], clean[ten], known[nearest[ten]]]
sheet = np.concatenate([np.stack(rows), made.reshape(3, 10, 8, 8), ways, walk])
(folder / "digits.png").write_bytes(to_png(enlarge(side_by_side(to_grey(sheet, 0, 16)), 6)))
print("digits.png: new, 2 reconstructions, noisy, denoised, matched, 3 generated, 2 interpolations, 1 axis")
