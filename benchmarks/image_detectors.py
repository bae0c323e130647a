"""Detectors of anomalous images: diabolo's, and simple peers that everybody could write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from benchmarks import common

Image = NDArray[np.float32]
Answer = tuple[float, NDArray[np.floating[Any]] | None]
"""Anomaly score of an image, and (height, width) where, if the detector tells."""
Fitted = Callable[[Image], Answer]
Detector = Callable[[Sequence[Image], int], Fitted]

SIDE = 32  # pixels of the copies by which whole images are compared
PATCH, STRIDE = 7, 4
PATCHES, WHITENED = 3_000, 40  # in memory, and components that are whitened
GRID = 40  # of brightness by position
TOP = 0.001  # share of the pixels of a map whose mean is the score
CODE, STEPS, BATCH = 32, 600, 32  # of the plain convolutional autoencoder


def small(image: Image) -> NDArray[np.float32]:
    """Return an image as (SIDE * SIDE * channels,) means of areas."""
    planes = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    flat: NDArray[np.float32] = functional.interpolate(planes, (SIDE, SIDE), mode="area").flatten().numpy()
    return flat


def resize(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a map at another size, interpolated."""
    planes = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None, None]
    large = functional.interpolate(planes, shape[:2], mode="bilinear", align_corners=False)
    resized: NDArray[np.float32] = large[0, 0].numpy()
    return resized


def top(values: NDArray[Any]) -> float:
    """Return the mean of the largest values of a map."""
    count = max(1, int(TOP * values.size))
    return float(np.partition(values.ravel(), -count)[-count:].mean())


def ours(train: Sequence[Image], seed: int) -> Fitted:
    """Score with the detector of diabolo."""
    from diabolo.images.defects.detector import DefectDetector

    return DefectDetector.fit(train, seed=seed).judge


def nearest_images(train: Sequence[Image], seed: int) -> Fitted:
    """Score by the distance to the nearest image."""
    known = np.stack([small(image) for image in train])

    def detect(image: Image) -> Answer:
        difference = np.abs(known - small(image))
        nearest = np.square(difference).sum(1).argmin()
        shown = difference[nearest].reshape(-1, SIDE, SIDE).mean(0)
        return float(np.linalg.norm(difference[nearest])), resize(shown, image.shape)

    return detect


def pca_residual(train: Sequence[Image], seed: int) -> Fitted:
    """Score by what 50 principal components leave over."""
    from sklearn.decomposition import PCA

    known = np.stack([small(image) for image in train])
    model = PCA(min(50, *known.shape), random_state=seed).fit(known)

    def detect(image: Image) -> Answer:
        own = small(image)[None]
        left = np.abs(own - model.inverse_transform(model.transform(own)))[0]
        return float(np.linalg.norm(left)), resize(left.reshape(-1, SIDE, SIDE).mean(0), image.shape)

    return detect


def isolation_forest(train: Sequence[Image], seed: int) -> Fitted:
    """Score by an isolation forest on 50 principal components."""
    from sklearn.decomposition import PCA
    from sklearn.ensemble import IsolationForest

    known = np.stack([small(image) for image in train])
    model = PCA(min(50, *known.shape), random_state=seed).fit(known)
    forest = IsolationForest(random_state=seed).fit(model.transform(known))
    return lambda image: (float(-forest.score_samples(model.transform(small(image)[None]))[0]), None)


def nearest_patches(whitened: bool) -> Detector:
    """Return a detector by the distance of each patch to the nearest of a memory."""

    def patches(image: Image) -> tuple[NDArray[np.float32], tuple[int, int]]:
        planes = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
        halved = functional.avg_pool2d(planes, 2) if min(image.shape[:2]) > 64 else planes
        cut = functional.unfold(halved, PATCH, stride=STRIDE // 2)[0].T.numpy()
        rows, columns = (
            (halved.shape[2] - PATCH) // (STRIDE // 2) + 1,
            (halved.shape[3] - PATCH) // (STRIDE // 2) + 1,
        )
        return cut, (rows, columns)

    def fit(train: Sequence[Image], seed: int) -> Fitted:
        from sklearn.decomposition import PCA

        random = np.random.default_rng(seed)
        each = -(-PATCHES // len(train))
        memory = np.concatenate([random.permutation(patches(image)[0])[:each] for image in train])
        model = PCA(WHITENED, whiten=True, random_state=seed).fit(memory) if whitened else None
        known = memory if model is None else model.transform(memory)

        def detect(image: Image) -> Answer:
            cut, shape = patches(image)
            own = cut if model is None else model.transform(cut)
            squares = np.square(own).sum(1)[:, None] + np.square(known).sum(1) - 2 * own @ known.T
            distances = np.sqrt(np.maximum(squares.min(1), 0)).reshape(shape)
            return top(distances), resize(distances, image.shape)

        return detect

    return fit


def brightness_by_position(train: Sequence[Image], seed: int) -> Fitted:
    """Score by the local contrast, over its root mean square at that place; no model of what is there."""

    def contrast(image: Image) -> NDArray[np.float32]:
        bright = np.log(image.mean(2) + 0.05)
        planes = torch.from_numpy(bright)[None, None]
        halved = functional.avg_pool2d(planes, 2)[0, 0].numpy() if min(bright.shape) >= 200 else bright
        above = halved - gaussian_filter(halved, 9)
        shown: NDArray[np.float32] = gaussian_filter(np.abs(above / (above.std() + 1e-6)), 1.5)
        return shown

    grid = np.zeros((GRID, GRID))
    for image in train:
        grid += np.square(resize(contrast(image), (GRID, GRID)))
    usual = gaussian_filter(np.sqrt(grid / len(train)), 1)

    def detect(image: Image) -> Answer:
        shown = contrast(image)
        relative = shown / (resize(usual, shown.shape) + 1e-6)
        return top(relative), resize(relative, image.shape)

    return detect


def convolutional_autoencoder(train: Sequence[Image], seed: int) -> Fitted:
    """Score by the residual of a plain convolutional autoencoder with a bottleneck."""
    from torch import nn

    channels = train[0].shape[2]
    side = 28 if max(train[0].shape[:2]) <= 64 else 64
    inner = side // 4
    data = torch.stack([_square(image, side) for image in train])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(
            *(nn.Conv2d(channels, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(32 * inner**2, CODE), nn.Linear(CODE, 32 * inner**2), nn.ReLU()),
            *(nn.Unflatten(1, (32, inner, inner)), nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU()),
            nn.ConvTranspose2d(16, channels, 4, 2, 1),
        )
        optimiser = torch.optim.Adam(net.parameters(), 2e-3)
        for _ in range(STEPS):
            batch = data[torch.randint(0, len(data), (BATCH,))]
            optimiser.zero_grad()
            functional.mse_loss(net(batch), batch).backward()
            optimiser.step()

    def detect(image: Image) -> Answer:
        own = _square(image, side)[None]
        with torch.no_grad():
            left = (net(own) - own)[0]
        shown = resize(left.abs().mean(0).numpy(), image.shape)
        return float(left.square().mean()), shown

    return detect


def _square(image: Image, side: int) -> torch.Tensor:
    """Return (channels, side, side) an image at the size of the autoencoder."""
    planes = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    return functional.interpolate(planes, (side, side), mode="bilinear", antialias=True)[0]


DETECTORS: dict[str, Detector] = {
    common.OURS: ours,
    "nearest_images": nearest_images,
    "pca_residual": pca_residual,
    "isolation_forest": isolation_forest,
    "nearest_patches": nearest_patches(False),
    "nearest_whitened_patches": nearest_patches(True),
    "convolutional_autoencoder": convolutional_autoencoder,
    "brightness_by_position": brightness_by_position,
}
PATCH_PEERS = ("nearest_patches", "nearest_whitened_patches", "brightness_by_position")
"""Peers of surfaces, that say nothing about whole images."""
