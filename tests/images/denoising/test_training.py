from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from diabolo.images.denoising import patches
from diabolo.images.denoising.budget import Budget
from diabolo.images.denoising.network import HALO, STRIDE, NoiseNetwork
from diabolo.images.denoising.optimiser import orthogonal
from diabolo.images.denoising.patches import PatchPool
from diabolo.images.denoising.training import CleanLesson, NoisyLesson, train
from diabolo.utils.torch_state import forked_rng
from tests.images.denoising.made import scene


class Oracle:
    """Answer with a share of the whole noise of patches whose truth is known to be 0.5."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, noisy: Tensor, deviation: Tensor) -> Tensor:
        return self.share * (noisy - 0.5)


def noisy_loss(share: float) -> float:
    with forked_rng(0):
        noisy = 0.5 + 0.1 * torch.randn(64, 1, 64, 64)
        return float(NoisyLesson(0.1).example(noisy).loss(Oracle(share)))  # type: ignore[arg-type]


def test_the_truth_is_the_best_answer_though_only_noisy_patches_are_seen() -> None:
    right = noisy_loss(1.0)
    assert noisy_loss(0.9) > right and noisy_loss(1.1) > right


def test_the_network_is_told_the_noise_that_was_added() -> None:
    with forked_rng(0):
        example = CleanLesson(0.05, 0.2).example(torch.full((64, 1, 64, 64), 0.5))
    assert example.deviation.shape == (64, 1, 64, 64)
    assert example.deviation.min() >= 0.05 and example.deviation.max() <= 0.2
    assert (example.noise / example.deviation).std() == pytest.approx(1, rel=0.01)
    assert torch.equal(example.noisy, 0.5 + example.noise)


def test_noise_may_follow_the_brightness() -> None:
    patches = torch.cat([torch.full((256, 1, 32, 16), value) for value in (0.2, 0.8)], 3)
    with forked_rng(0):
        example = CleanLesson(0.1, 0.2).example(patches)
    ratio = example.deviation[:, 0, 0, -1] / example.deviation[:, 0, 0, 0]
    assert ratio.max() <= 2.01 and 0.1 < float((ratio > 1.01).float().mean()) < 0.4


def test_an_answer_that_overshoots_is_scaled() -> None:
    pool = PatchPool([scene(64, 1)], seed=0)
    network = NoiseNetwork(1)
    with torch.no_grad():
        network.head.weight.mul_(100)
    with forked_rng(5):
        example = CleanLesson(0.1, 0.1).example(pool.sample(64, 32, np.random.default_rng(5)))
    left_alone = float((example.weight * example.noise.square()).mean())
    assert float(example.loss(network).detach()) > 1.2 * left_alone
    train(network, pool, CleanLesson(0.1, 0.1), Budget(1, 1.0, None, "test"), seed=0)
    assert float(example.loss(network).detach()) <= left_alone


def test_nothing_beyond_the_halo_reaches_an_answer() -> None:
    network = NoiseNetwork(1).eval()
    side = 4 * HALO
    image = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0))
    other = image.clone()
    other[:, :, : HALO - STRIDE] += 1.0
    with torch.no_grad():
        first, second = (network(x, torch.full_like(x, 0.1)) for x in (image, other))
    assert torch.allclose(first[:, :, 2 * HALO - STRIDE :], second[:, :, 2 * HALO - STRIDE :], atol=1e-6)
    assert not torch.allclose(
        first[:, :, HALO : HALO + STRIDE], second[:, :, HALO : HALO + STRIDE], atol=1e-6
    )


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (20, 20)])
def test_an_orthogonalised_matrix_keeps_its_directions(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonal(matrix)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.4 and values.max() < 1.4
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    rotated = u.T @ found @ v.T
    assert torch.allclose(rotated, torch.diag(torch.diagonal(rotated)), atol=1e-4)


def test_each_image_is_read_once_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    class Lazy(Sequence[np.ndarray]):
        def __len__(self) -> int:
            return 30

        def __getitem__(self, at: int) -> np.ndarray:  # type: ignore[override]
            read.append(at)
            return scene(64, at)

    monkeypatch.setattr(patches, "MAX_IMAGES", 10)
    monkeypatch.setattr(patches, "MAX_VALUES", 10 * 32 * 40)
    pool = PatchPool(Lazy(), seed=0)
    assert len(read) == len(set(read)) == 10
    assert sum(part.numel() for part in pool.parts) <= 10 * 32 * 40


@pytest.mark.parametrize("shape", [(1, 1), (3, 100), (33, 47)])
def test_patches_of_small_images(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*shape, 1)).astype(np.float32)
    found = PatchPool([image], seed=0).sample(5, 96, np.random.default_rng(0))
    assert found.shape == (5, 1, 32, 32)
    assert np.isin(found.numpy().astype(np.float16), image.astype(np.float16)).all()
