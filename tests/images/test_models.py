"""Models of images beside the networks: fitted, asked through the estimator, stored and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from diabolo import Autoencoder, load
from diabolo.data.sources import read_user_table
from diabolo.errors import DataError, OptionError, UnsupportedError
from tests.fits import fitted

SIDE = 48


def textures(count: int, seed: int = 0, spot: bool = False, noise: float = 4) -> list[np.ndarray]:
    """Return images of soft stripes of 8 bits and a little noise, with a dark spot or without."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    images = []
    for _ in range(count):
        wave = np.sin((x + y * random.uniform(0.5, 1.5)) / 4 + random.uniform(0, 6))
        image = 128 + 40 * wave + random.normal(0, noise, (SIDE, SIDE))
        if spot:
            image[20:28, 14:22] -= 90
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return images


def write(folder: Path, images: list[np.ndarray]) -> Path:
    """Write images as png files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("good"), textures(40))


@pytest.fixture(scope="module")
def spotted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("spotted"), textures(6, seed=1, spot=True))


@pytest.fixture(scope="module")
def model(good: Path) -> Autoencoder:
    return fitted(good, epochs=1)


def test_images_with_a_defect_stand_out_and_the_map_says_where(
    model: Autoencoder, good: Path, spotted: Path, tmp_path: Path
) -> None:
    bits = model.anomaly_score(spotted)
    assert bits.min() > np.median(model.anomaly_score(good)) + 1
    explained = model.explain(spotted, rows=[0, 3])
    for heat in explained.maps["image"]:
        assert heat.shape == (SIDE, SIDE)
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert 16 <= row <= 31 and 10 <= column <= 25
    stored = load(model.save(tmp_path / "m.diabolo"))
    assert np.array_equal(stored.anomaly_score(spotted), bits)


def test_scores_do_not_depend_on_the_batch_nor_on_how_images_are_given(
    model: Autoencoder, spotted: Path
) -> None:
    files = sorted(str(p) for p in spotted.iterdir())
    bits = model.anomaly_score(spotted)
    assert np.array_equal(model.anomaly_score(files[2:3]), bits[2:3])
    raw = [Path(f).read_bytes() for f in files]
    assert np.array_equal(model.anomaly_score({"image": raw}), bits)
    assert np.array_equal(model.anomaly_score({"image": np.stack(textures(6, seed=1, spot=True))}), bits)


def test_a_missing_or_damaged_image_does_not_stop_the_others(
    model: Autoencoder, spotted: Path, tmp_path: Path
) -> None:
    whole = sorted(spotted.iterdir())
    broken = tmp_path / "broken.png"
    broken.write_bytes(whole[0].read_bytes()[:400])
    table = pa.table({"image": [str(whole[1]), None, str(broken), str(whole[2])]})
    with pytest.warns(UserWarning, match="broken"):
        bits = model.anomaly_score(table)
    assert np.array_equal(bits[[0, 3]], model.anomaly_score([whole[1], whole[2]]))


def test_an_image_counts_beside_other_columns(good: Path, spotted: Path) -> None:
    random = np.random.default_rng(0)
    size = random.normal(size=40)
    table = read_user_table(good).table.append_column("size", pa.array(size))
    table = table.append_column("double", pa.array(2 * size))
    model = fitted(table, epochs=2)
    new = read_user_table(spotted).table.append_column("size", pa.array(size[:6]))
    new = new.append_column("double", pa.array(2 * size[:6]))
    assert (model.anomaly_score(new) > np.median(model.anomaly_score(table))).all()


@pytest.fixture(scope="module")
def cleaner() -> Autoencoder:
    return fitted(textures(40, noise=0), "denoising", epochs=1, budget=4)


def test_noise_is_removed_and_images_without_noise_are_left_alone(
    cleaner: Autoencoder, tmp_path: Path
) -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    clean = [np.round(128 + 50 * np.sin((x + k * y) / 6)).astype(np.uint8) for k in (1, 2)]
    random = np.random.default_rng(3)
    noisy = [np.clip(c + random.normal(0, 25, c.shape), 0, 255).astype(np.uint8) for c in clean]
    answer = cleaner.denoise(noisy, noise=25)
    for before, after, right in zip(noisy, answer.images, clean, strict=True):
        assert after.dtype == np.uint8 and after.shape == right.shape
        errors = [np.abs(image.astype(float) - right).mean() for image in (after, before)]
        assert errors[0] < 0.8 * errors[1]
    folder = write(tmp_path / "clean", clean)
    written = cleaner.denoise(folder).save_images(tmp_path / "out")
    assert [p.name for p in written] == ["00.png", "01.png"]
    for path, right in zip(written, clean, strict=True):
        assert np.abs(np.asarray(Image.open(path)).astype(float) - right).mean() < 1
    with pytest.raises(DataError, match="written over"):
        cleaner.denoise(folder).save_images(folder)


@pytest.mark.parametrize("noise", [-1, float("nan"), "25", True])
def test_impossible_levels_of_noise_are_refused(cleaner: Autoencoder, good: Path, noise: object) -> None:
    with pytest.raises(OptionError, match="noise"):
        cleaner.denoise(good, noise=noise)


def test_levels_of_noise_are_about_models_of_patches(model: Autoencoder, good: Path) -> None:
    with pytest.raises(OptionError, match="noise"):
        model.denoise(good, noise=25)


def test_labels_are_checked_before_work_starts(good: Path) -> None:
    with pytest.raises(OptionError, match="no such column"):
        Autoencoder(labels="who").fit(good)
    with pytest.raises(OptionError, match="no column that is scored holds images"):
        fitted({"a": np.arange(60.0) % 7, "who": ["x", "y"] * 30}, labels="who", epochs=1)


def test_people_are_recognised_by_the_names_of_their_folders(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for person in range(8):
        face = textures(1, seed=person)[0].astype(float) * random.uniform(0.6, 1.4, (SIDE, SIDE))
        taken = [np.clip(face + random.normal(0, 6, face.shape), 0, 255).astype(np.uint8) for _ in range(6)]
        write(tmp_path / "known" / f"p{person}", taken[:4])
        write(tmp_path / "new" / f"p{person}", taken[4:])
    model = fitted(tmp_path / "known", "vanilla", epochs=1, labels="label")
    assert model.schema_.scored == ["image"]
    named = model.identify(tmp_path / "new", gallery=tmp_path / "known", false_accept_rate=0.05)
    right = read_user_table(tmp_path / "new").table["label"].to_pylist()
    assert sum(a == b for a, b in zip(named.label, right, strict=True)) >= 12
    assert all(a in (b, None) for a, b in zip(named.label, right, strict=True))
    same = model.verify(tmp_path / "new" / "p1", tmp_path / "new" / "p1").to_frame()
    assert all(same["same"].to_pylist())
    found = model.match(tmp_path / "new", gallery=tmp_path / "known").nearest[:, 0] // 4
    assert np.array_equal(found, np.arange(16) // 2)
    stored = load(model.save(tmp_path / "m.diabolo"))
    again = stored.identify(tmp_path / "new", gallery=tmp_path / "known", false_accept_rate=0.05)
    assert again.label == named.label and np.array_equal(again.similarity, named.similarity)


def test_without_labels_nobody_is_verified(model: Autoencoder, good: Path) -> None:
    with pytest.raises(UnsupportedError, match="labels"):
        model.verify(good, good)
