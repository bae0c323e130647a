from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from diabolo.errors import DataError, OptionError
from diabolo.images.denoising import Denoiser, tiles
from diabolo.images.denoising.network import WIDTHS, NoiseNetwork
from tests.images.denoising.made import psnr, scene, with_noise

SIGMA = 25 / 255
SCENES = [scene(40, seed) for seed in range(12)]


@pytest.fixture(scope="module")
def trained() -> Denoiser:
    return Denoiser.fit(SCENES, noise=SIGMA, steps=50)


@pytest.fixture(scope="module")
def started() -> Denoiser:
    return Denoiser.fit([scene(48, 3, channels=3)], steps=2)


def test_noise_is_removed_from_images_that_were_not_seen(trained: Denoiser) -> None:
    truth = scene(64, 99)
    noisy = with_noise(truth, SIGMA)
    plain, best = trained.denoise(noisy, SIGMA), trained.denoise(noisy, SIGMA, best=True)
    assert psnr(plain, truth) > psnr(noisy, truth) + 3
    assert psnr(best, truth) > psnr(plain, truth)


def test_noise_is_removed_by_a_model_of_noisy_images_alone() -> None:
    noisy = [with_noise(image, SIGMA, seed) for seed, image in enumerate(SCENES)]
    model = Denoiser.fit(noisy, steps=50)
    assert "noisy" in model.notes[0] and model.low == pytest.approx(SIGMA, rel=0.15)
    truth = scene(64, 99)
    assert psnr(model.denoise(with_noise(truth, SIGMA)), truth) > psnr(with_noise(truth, SIGMA), truth) + 2.5


def test_clean_images_are_taken_for_clean() -> None:
    model = Denoiser.fit(SCENES, steps=1)
    assert (model.low, model.high) == (0.0, 55 / 255) and not any("noisy" in note for note in model.notes)


@pytest.mark.parametrize(
    "image", [scene(64, 5), np.full((40, 40, 1), 0.3, np.float32)], ids=["scene", "flat"]
)
def test_an_image_without_noise_is_left_alone(trained: Denoiser, image: np.ndarray) -> None:
    np.testing.assert_array_equal(trained.denoise(image), image)
    np.testing.assert_array_equal(trained.denoise(image, 0.0), image)


@pytest.mark.parametrize(("level", "gain"), [(5, 0.0), (15, 1.0), (50, 2.5)])
def test_other_noise_than_was_learnt(trained: Denoiser, level: int, gain: float) -> None:
    truth = scene(64, 7)
    noisy = with_noise(truth, level / 255)
    assert psnr(trained.denoise(noisy, level / 255), truth) > psnr(noisy, truth) + gain


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 2), (33, 50)])
@pytest.mark.parametrize("noise", [None, 0.1])
def test_images_of_any_size(started: Denoiser, shape: tuple[int, int], noise: float | None) -> None:
    image = np.random.default_rng(0).random((*shape, 3)).astype(np.float32)
    answer = started.denoise(image, noise)
    assert answer.shape == image.shape and answer.dtype == np.float32
    assert answer.min() >= 0 and answer.max() <= 1


def test_tiles_do_not_show(trained: Denoiser, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = with_noise(scene(203, 1), SIGMA)
    whole = trained.denoise(noisy, SIGMA)
    monkeypatch.setattr(tiles, "TILE", 64)
    np.testing.assert_allclose(trained.denoise(noisy, SIGMA), whole, atol=2e-6)


def test_the_same_steps_and_seed_give_the_same_bits() -> None:
    first, second, other = (Denoiser.fit(SCENES, steps=3, seed=seed).arrays() for seed in (1, 1, 2))
    assert all((first[name] == second[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


def test_a_budget_ends_training_and_progress_is_told() -> None:
    shares: list[float] = []
    Denoiser.fit(SCENES[:2], budget=0.2, progress=lambda name, share, left: shares.append(share))
    assert shares[0] == 0 and shares[-1] == 1 and shares == sorted(shares)


def test_a_model_is_restored(trained: Denoiser) -> None:
    again = Denoiser.restore(trained.arrays(), trained.state())
    noisy = with_noise(scene(40, 2), SIGMA)
    np.testing.assert_array_equal(again.denoise(noisy, SIGMA), trained.denoise(noisy, SIGMA))
    assert again.notes == trained.notes


Forge = Callable[[dict[str, np.ndarray], dict[str, object]], object]


@pytest.mark.parametrize(
    "forge",
    [
        lambda arrays, state: state.update(channels=2),
        lambda arrays, state: state.update(channels=True),
        lambda arrays, state: state.update(low=-1.0),
        lambda arrays, state: state.update(low=0.5, high=0.1),
        lambda arrays, state: state.update(high=float("nan")),
        lambda arrays, state: state.update(high="1"),
        lambda arrays, state: state.update(notes="a"),
        lambda arrays, state: state.update(notes=[1]),
        lambda arrays, state: arrays.pop("head.bias"),
        lambda arrays, state: arrays.update(more=np.zeros(1, np.float32)),
        lambda arrays, state: arrays.update({"head.bias": np.zeros(10**6, np.float32)}),
        lambda arrays, state: arrays.update({"head.bias": np.full(4, np.nan, np.float32)}),
        lambda arrays, state: arrays.update({"head.bias": np.zeros(4)}),
    ],
)
def test_a_forged_model_is_refused(forge: Forge) -> None:
    model = Denoiser(NoiseNetwork(1, WIDTHS), 0.0, 0.2)
    arrays, state = model.arrays(), model.state()
    Denoiser.restore(arrays, state)
    forge(arrays, state)
    with pytest.raises(ValueError, match=r"."):
        Denoiser.restore(arrays, state)


@pytest.mark.parametrize(
    "options",
    [
        {"noise": -0.1},
        {"noise": 25},
        {"noise": 0.0},
        {"noise": "25"},
        {"noise": float("nan")},
        {"steps": 0},
        {"steps": 2.5},
        {"budget": 0},
        {"budget": float("inf")},
        {"budget": True},
        {"steps": 1, "budget": 1.0},
    ],
)
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        Denoiser.fit(SCENES, **options)  # type: ignore[arg-type]


def test_images_that_do_not_fit_are_refused(trained: Denoiser) -> None:
    with pytest.raises(DataError, match="expected"):
        trained.denoise(scene(20, 1, channels=3))
    with pytest.raises(DataError, match="no image"):
        Denoiser.fit([], steps=1)
    with pytest.raises(DataError, match="mixed"):
        Denoiser.fit([scene(20, 1), scene(20, 1, channels=3)], steps=1)
    with pytest.raises(DataError, match="2 channels"):
        Denoiser.fit([scene(20, 1, channels=2)], steps=1)
    with pytest.raises(DataError, match="no noise was found"):
        Denoiser.fit([np.full((40, 40, 1), 0.5, np.float32)], noisy=True, steps=1)
