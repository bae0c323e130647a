"""Denoising of one image by itself: groups of similar patches, each with a linear autoencoder of its own.

Non-local Bayes (Lebrun, Buades, Morel 2013): the patches of a group are taken as draws of one normal
distribution, and each is replaced by its expectation given what was seen. That is a linear autoencoder whose
code is the principal components of the group, each shrunk by the share of its variance that is noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 12  # pixels around a patch in which similar ones are sought (measured: 8 costs 0.1 dB)
STEP = 2  # pixels from one reference patch to the next (measured: 1 gains 0.05 dB at four times the cost)
BAND = 32  # rows of reference patches at a time: bounds memory, and changes nothing
GROUPS = 1024  # groups whose patches are held at a time: bounds memory, and changes nothing
SMALLEST = 1e-12  # variance of a group of equal patches


@dataclass(frozen=True)
class Pass:
    """Settings of one of the two passes over an image.

    Attributes:
        side: of a patch, in pixels.
        members: patches in a group.
    """

    side: int
    members: int


SETTINGS = ((0.08, (Pass(4, 48), Pass(4, 32))), (0.16, (Pass(5, 64), Pass(5, 48))))
"""Up to which deviation of the noise which two passes; beyond, the last of `LARGE_NOISE` (measured)."""
LARGE_NOISE = (Pass(7, 96), Pass(7, 64))


def restore_by_similar_patches(image: np.ndarray, deviation: float) -> np.ndarray:
    """Return an image without its white noise, (height, width, channels) float32.

    Colour is turned into brightness and two differences, between which noise is as independent as before.

    Args:
        image: (height, width, channels), not clipped.
        deviation: standard deviation of the noise, in units of the image, above 0.
    """
    planes = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))
    turn = opponent_colours(len(planes))
    planes = torch.einsum("ij,jhw->ihw", turn, planes)
    first, second = next((p for most, p in SETTINGS if deviation <= most), LARGE_NOISE)
    with torch.no_grad():
        basic = _restore(planes, planes, deviation, first)
        final = _restore(planes, basic, deviation, second)
    return np.ascontiguousarray(torch.einsum("ji,jhw->hwi", turn, final).numpy())


def opponent_colours(channels: int) -> Tensor:
    """Return (channels, channels) an orthogonal matrix whose first row is the mean of all channels.

    Args:
        channels: 1 or 3.
    """
    if channels == 1:
        return torch.ones(1, 1)
    rows = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    turn: Tensor = rows / rows.norm(dim=1, keepdim=True)
    return turn


def _restore(noisy: Tensor, guide: Tensor, deviation: float, settings: Pass) -> Tensor:
    """Return (channels, height, width) restored by one pass.

    Args:
        noisy: (channels, height, width).
        guide: of the same shape: groups, their means and covariances are taken from it. In the first pass
            it is the noisy image itself.
        deviation: of the noise.
        settings: of the pass.
    """
    height, width = noisy.shape[1:]
    high, wide = (_covered(length, settings.side) for length in (height, width))
    source, guides = (_padded(planes, high, wide) for planes in (noisy, guide))
    total, weight = torch.zeros_like(source), torch.zeros_like(source[0])
    is_first = guide is noisy
    for top in range(0, high - settings.side + 1, BAND):
        rows = min(BAND, high - top - settings.side + STEP) // STEP
        area = slice(top, top + (rows - 1) * STEP + settings.side + 2 * RADIUS)
        band, guide_band = source[:, area], guides[:, area]
        places = _similar(guide_band[0], settings)
        weight[area] += _covering(places, band.shape[1:], settings.side)
        for plane in range(len(source)):
            seen, guided = (_patches(x[plane], settings.side) for x in (band, guide_band))
            sums = torch.zeros_like(seen)
            for first in range(0, len(places), GROUPS):
                group = places[first : first + GROUPS]
                if is_first:
                    restored = _first_estimate(seen[group], deviation)
                else:
                    restored = _second_estimate(seen[group], guided[group], deviation)
                sums.index_add_(0, group.flatten(), restored.flatten(0, 1))
            total[plane, area] += _overlapped(sums, band.shape[1:], settings.side)
    mean: Tensor = total / weight.clamp_min(1)
    return mean[:, RADIUS : RADIUS + height, RADIUS : RADIUS + width]


def _covered(length: int, side: int) -> int:
    """Return the length, lengthened so that patches at every `STEP` pixels end at its end."""
    return max(length, side) + -(max(length, side) - side) % STEP


def _padded(planes: Tensor, high: int, wide: int) -> Tensor:
    """Return planes mirrored at their borders: `RADIUS` before; up to the sizes and `RADIUS` behind."""
    height, width = planes.shape[1:]
    margins = [(0, 0), (RADIUS, high - height + RADIUS), (RADIUS, wide - width + RADIUS)]
    return torch.from_numpy(np.pad(planes.numpy(), margins, mode="symmetric"))


def _similar(plane: Tensor, settings: Pass) -> Tensor:
    """Return (references, members) the numbers of the most similar patches around each reference patch.

    Args:
        plane: (rows, columns), with a margin of `RADIUS` around the reference patches.
        settings: of the pass.
    """
    rows, columns = (length - 2 * RADIUS for length in plane.shape)
    inner = plane[RADIUS : RADIUS + rows, RADIUS : RADIUS + columns]
    distances = []
    for down in range(2 * RADIUS + 1):
        moved = torch.stack(list(_shifts(plane[down : down + rows], columns)))
        distances.append(F.avg_pool2d((moved - inner).square_()[None], settings.side, STEP)[0])
    found = torch.cat(distances)
    near = found.flatten(1).topk(settings.members, dim=0, largest=False, sorted=False).indices.T
    across = plane.shape[1] - settings.side + 1  # patches in a row of the plane
    grid = torch.arange(found.shape[1])[:, None] * STEP * across + torch.arange(found.shape[2]) * STEP
    window = 2 * RADIUS + 1
    return grid.flatten()[:, None] + near // window * across + near % window


def _shifts(rows: Tensor, columns: int) -> Iterator[Tensor]:
    return (rows[:, right : right + columns] for right in range(2 * RADIUS + 1))


def _patches(plane: Tensor, side: int) -> Tensor:
    """Return (places, side * side) every patch of a plane, row by row."""
    return F.unfold(plane[None, None], side)[0].T.contiguous()


def _covering(places: Tensor, shape: tuple[int, ...], side: int) -> Tensor:
    """Return (rows, columns) how many patches of all groups cover each pixel."""
    across = (shape[0] - side + 1) * (shape[1] - side + 1)
    counts = torch.bincount(places.flatten(), minlength=across).float()
    return _overlapped(counts[:, None].expand(-1, side**2), shape, side)


def _overlapped(patches: Tensor, shape: tuple[int, ...], side: int) -> Tensor:
    """Return (rows, columns) the sum of patches that overlap: the transpose of `_patches`."""
    return F.fold(patches.T[None], tuple(shape), side)[0, 0]


def _first_estimate(seen: Tensor, deviation: float) -> Tensor:
    """Return patches restored by the covariance of their group, of which the noise is subtracted.

    Singular values shrink as is best for a low-rank matrix in white noise, for the Frobenius norm
    (Gavish, Donoho 2017): by `sqrt((y^2 - b - 1)^2 - 4 b) / y^2` for a singular value y of noise of variance
    1 and a ratio b of the sides, and to 0 below 1 + sqrt b.

    Args:
        seen: (groups, members, values).
        deviation: of the noise.
    """
    mean = seen.mean(1, keepdim=True)
    centred = seen - mean
    members, values = seen.shape[1:]
    ratio = values / members
    variances, axes = torch.linalg.eigh(centred.mT @ centred / (members * deviation**2))
    size = variances.clamp_min(SMALLEST)
    kept = ((size - ratio - 1).square() - 4 * ratio).clamp_min(0).sqrt() / size
    kept = torch.where(size > (1 + ratio**0.5) ** 2, kept, 0)
    restored: Tensor = mean + ((centred @ axes) * kept[:, None]) @ axes.mT
    return restored


def _second_estimate(seen: Tensor, guide: Tensor, deviation: float) -> Tensor:
    """Return patches restored by the covariance of their group in the first estimate, `C (C + s^2 I)^-1`.

    Args:
        seen: (groups, members, values).
        guide: the same of the first estimate.
        deviation: of the noise.
    """
    mean = guide.mean(1, keepdim=True)
    centred = guide - mean
    covariance = centred.mT @ centred / (guide.shape[1] - 1)
    noise = torch.eye(seen.shape[2]) * deviation**2
    # C (C + s^2 I)^-1 = I - s^2 (C + s^2 I)^-1: one inverse, and no product of large matrices.
    removed = torch.cholesky_inverse(torch.linalg.cholesky(covariance + noise)) * deviation**2
    restored: Tensor = seen - (seen - mean) @ removed
    return restored
