"""Denoising of images against BM3D, non-local means, wavelets and total variation.

    python -m benchmarks.denoise --data DIR --json OUT [--test DIR|NPZ] [--peers a,b] [--budget S]

DIR holds images for training (`train400.npz`, grey; the folder `bsds-train`, colour) and for testing
(`set12.npz` and the folder `kodak`); `--test` names other images to clean, grey or colour, instead. Noise is
Gaussian, of standard deviation 15, 25 and 50 of 255, and is not clipped; answers are. The measure is the PSNR
in dB, the mean over images. Every method is told the level, except "estimated". Parts, of which
`--parts a,b` runs some:

- `single`: each image restored from itself alone, level 25, the first three.
- `grey`: a model of grey images trained for the level 25 alone; "best" also averages over quarter turns and
  with similar patches.
- `colour`: one colour model for all levels.
- `noisy`: a grey model trained on noisy images alone, without any clean one, level 25.
- `levels`: one grey model for all levels.

Peers run with `levels` and `colour`; BM3D, which is slow, at level 25 on 12 grey and 3 colour images.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks import common
from benchmarks.common import OURS
from diabolo.images.denoising import Denoiser, denoise_alone

LEVELS = (15, 25, 50)  # standard deviations of the noise, of 255
MAIN = 25  # the level of the figures in `mean`
PARTS = ("single", "grey", "colour", "noisy", "levels")
ALL_LEVELS = ("levels", "colour")  # parts whose model is for all levels, and in which peers run
GREY, COLOUR = ("train400.npz", "set12.npz"), ("bsds-train", "kodak")  # to train and to test
N_SINGLE = 3  # images restored from themselves alone: those of the published figures
N_BM3D = {1: 12, 3: 3}  # images by number of channels: BM3D takes a minute or more for one of kodak
FIRST_SEED = 10_000  # of noise in training, apart from that of the images to clean
BUDGET = 300.0  # CPU seconds of training of each model
FILES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
COLUMNS = ("part", "noise", "method", "images", "psnr", "megapixels_per_s", "training_s")  # printed
CLAIM = "one core, five minutes of training: as good as BM3D, and a hundred times faster in use"

Clean = Callable[[np.ndarray, float], np.ndarray]
"""Return an image without noise of a standard deviation, in units of the image."""


def bm3d(noisy: np.ndarray, noise: float) -> np.ndarray:
    from bm3d import bm3d as grey
    from bm3d import bm3d_rgb

    return bm3d_rgb(noisy, noise) if noisy.shape[2] == 3 else grey(noisy[:, :, 0], noise).reshape(noisy.shape)


def nonlocal_means(noisy: np.ndarray, noise: float) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    settings = {"h": 0.8 * noise, "sigma": noise, "fast_mode": True, "patch_size": 5, "patch_distance": 6}
    if noisy.shape[2] == 1:
        return denoise_nl_means(noisy[:, :, 0], **settings)[:, :, None]
    return denoise_nl_means(noisy, channel_axis=2, **settings)


def wavelets(noisy: np.ndarray, noise: float) -> np.ndarray:
    from skimage.restoration import denoise_wavelet

    settings = {"method": "BayesShrink", "mode": "soft", "rescale_sigma": True}
    return denoise_wavelet(noisy, sigma=noise, channel_axis=2, convert2ycbcr=noisy.shape[2] == 3, **settings)


def total_variation(noisy: np.ndarray, noise: float) -> np.ndarray:
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(noisy, weight=noise, channel_axis=2)


PEERS: dict[str, Clean] = {
    "bm3d": bm3d,
    "nonlocal_means": nonlocal_means,
    "wavelets": wavelets,
    "total_variation": total_variation,
}


def main(arguments: Sequence[str] | None = None) -> None:
    options, test, budget, parts = parse(arguments)
    torch.set_num_threads(1)
    peers = {name: PEERS[name] for name in options.peers if is_installed(name)}
    rows: list[dict[str, Any]] = []
    for part in parts:
        found = test_images(options.data, test, part)
        if found:
            for row in measure(part, found, options, peers, budget):
                rows.append(row)
                print(*(row[c] for c in COLUMNS), flush=True)
    if not rows:
        common.skip(f"no image to clean in {test or options.data}")
    common.print_table(COLUMNS, [[row[c] for c in COLUMNS] for row in rows])
    common.write_result(
        options.json,
        claim=CLAIM,
        protocol=__doc__ or "",
        seeds=options.seeds,
        rows=rows,
        mean=headline(rows, OURS),
        peers={name: headline(rows, name) for name in peers},
    )


def parse(arguments: Sequence[str] | None) -> tuple[common.Options, Path | None, float, tuple[str, ...]]:
    """Return the options of all benchmarks, the images to test, the seconds of training and the parts."""
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument("--test", type=Path)
    own.add_argument("--budget", type=float, default=BUDGET)
    own.add_argument("--parts", default=",".join(PARTS))
    found, rest = own.parse_known_args(arguments)
    options = common.parse(rest, description=__doc__ or "", known_peers=PEERS, default_peers=PEERS)
    parts = tuple(part for part in found.parts.split(",") if part)
    if unknown := set(parts) - set(PARTS):
        own.error(f"unknown parts {', '.join(sorted(unknown))}; known are {', '.join(PARTS)}")
    return options, found.test, found.budget, parts


def is_installed(peer: str) -> bool:
    """Whether the library of a peer is installed; if not, say that the peer is left out."""
    try:
        __import__("bm3d" if peer == "bm3d" else "skimage.restoration")
        if peer == "wavelets":
            __import__("pywt")
    except ImportError as error:
        print(f"{peer} is left out: {error}")
        return False
    return True


def read_images(path: Path) -> list[np.ndarray]:
    """Return the images of a folder or npz file by name, (height, width, channels) float32, 0 to 1."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in FILES)
        found = [np.asarray(_plain(Image.open(file))) for file in files]
    else:
        found = [image for _, image in sorted(common.read_npz(path).items())]
    return [(image if image.ndim == 3 else image[:, :, None]).astype(np.float32) / 255 for image in found]


def _plain(image: Image.Image) -> Image.Image:
    return image.convert("L" if image.mode in ("L", "1", "I", "I;16") else "RGB")


def test_images(data: Path, test: Path | None, part: str) -> list[np.ndarray]:
    """Return the images to clean in one part: those of `test` if they fit, none if there are none."""
    path = data / _files(part)[1] if test is None else test
    channels = 3 if part == "colour" else 1
    found = read_images(path) if path.exists() else []
    found = [image for image in found if image.shape[2] == channels]
    return found[:N_SINGLE] if part == "single" else found


def _files(part: str) -> tuple[str, str]:
    return COLOUR if part == "colour" else GREY


def measure(
    part: str, clean: list[np.ndarray], options: common.Options, peers: Mapping[str, Clean], budget: float
) -> Iterator[dict[str, Any]]:
    """Yield a row for each seed, level and method of a part."""
    for seed in range(options.seeds):
        ours, seconds = common.timed(our_methods, part, options.data, budget, seed)
        others = peers if part in ALL_LEVELS and seed == 0 else {}
        for level in LEVELS if part in ALL_LEVELS else (MAIN,):
            for name, method in {**ours, **others}.items():
                if name == "bm3d" and level != MAIN:
                    continue
                first = clean[: N_BM3D[clean[0].shape[2]]] if name == "bm3d" else clean
                trained = {"training_s": seconds if name in ours else None}
                row = {"part": part, "noise": level, "seed": seed, "method": name, "images": len(first)}
                yield row | score(method, first, level) | trained


def our_methods(part: str, data: Path, budget: float, seed: int) -> dict[str, Clean]:
    """Return the ways of diabolo to answer in a part; trains its model."""
    if part == "single":
        return {OURS: lambda image, noise: denoise_alone(image, noise=noise)}
    model = fit(data / _files(part)[0], part, budget, seed)
    answers: dict[str, Clean] = {
        OURS: model.denoise,
        f"{OURS} estimated": lambda image, noise: model.denoise(image),
    }
    # Similar patches take a minute and a half for a megapixel of colour.
    return answers if part != "grey" else answers | {f"{OURS} best": partial(model.denoise, best=True)}


def fit(path: Path, part: str, budget: float, seed: int) -> Denoiser:
    """Return a model trained on the images of a file or folder."""
    images = read_images(path)
    if part == "noisy":
        noisy = [add_noise(image, MAIN, FIRST_SEED + i) for i, image in enumerate(images)]
        return Denoiser.fit(noisy, noisy=True, budget=budget, seed=seed)
    level = MAIN / 255 if part == "grey" else None
    return Denoiser.fit(images, noisy=False, noise=level, budget=budget, seed=seed)


def add_noise(image: np.ndarray, level: int, seed: int) -> np.ndarray:
    """Return the image with Gaussian noise, not clipped.

    Args:
        image: (height, width, channels), 0 to 1.
        level: standard deviation, of 255.
        seed: of the noise.
    """
    noise = np.random.default_rng(seed).standard_normal(image.shape)
    return (image + noise * level / 255).astype(np.float32)


def score(method: Clean, clean: Sequence[np.ndarray], level: int) -> dict[str, Any]:
    """Return the PSNR in dB of the answers, its mean and each, and the megapixels answered per CPU second."""
    values, seconds = [], 0.0
    for seed, image in enumerate(clean):
        answer, spent = common.timed(method, add_noise(image, level, seed), level / 255)
        seconds += spent
        values.append(-10 * np.log10(np.mean((np.clip(answer, 0, 1) - image) ** 2, dtype=np.float64)))
    pixels = sum(image.shape[0] * image.shape[1] for image in clean)
    speed = pixels / 1e6 / max(seconds, 1e-9)
    return {"psnr": float(np.mean(values)), "megapixels_per_s": speed, "psnr_each": list(map(float, values))}


def headline(rows: Sequence[Mapping[str, Any]], method: str) -> dict[str, float | None]:
    """Return the figures of a method at the main level, by the names that stand in `mean`."""

    def of(part: str, measure: str = "psnr") -> float | None:
        wanted = (part, MAIN, method)
        return common.mean(r[measure] for r in rows if (r["part"], r["noise"], r["method"]) == wanted)

    if method != OURS:
        return {"psnr_grey": of("levels"), "psnr_colour": of("colour")}
    return {
        "psnr_grey": of("grey"),
        "psnr_grey_all_levels": of("levels"),
        "psnr_colour": of("colour"),
        "psnr_noisy_only": of("noisy"),
        "psnr_single": of("single"),
        "megapixels_per_s": of("grey", "megapixels_per_s"),
    }


if __name__ == "__main__":
    main()
