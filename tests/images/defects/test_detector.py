"""Anomalous images and where: surfaces with local defects, aligned objects, tiny images, model files."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from diabolo.errors import DataError
from diabolo.images.defects.detector import DefectDetector
from diabolo.images.defects.filling import filled
from diabolo.images.defects.objects import Objects
from diabolo.images.defects.surfaces import Surfaces

Images = list[np.ndarray]


def surface(rng: np.random.Generator, height: int = 72, width: int = 90, channels: int = 1) -> np.ndarray:
    """A grained surface with a dark frame, which is normal."""
    grain = gaussian_filter(rng.normal(size=(height, width, channels)), (1.5, 0.7, 0))
    image = 0.5 + 0.15 * grain
    image[:4], image[:, -3:] = 0.1, 0.9
    return np.clip(image, 0, 1).astype(np.float32)


def scratched(image: np.ndarray, top: int, left: int) -> np.ndarray:
    damaged = image.copy()
    damaged[top : top + 9, left : left + 5] *= 0.35
    return damaged


def shape(rng: np.random.Generator, kind: str) -> np.ndarray:
    """A bright square, disc or (as an anomaly) triangle of varying size, on black."""
    y, x = np.mgrid[:24, :24] - 11.5
    size = rng.uniform(6, 9)
    inside = {
        "square": np.maximum(abs(x), abs(y)) < size,
        "disc": np.hypot(x, y) < size,
        "triangle": (y < size) & (y > 2 * abs(x) - size),
    }[kind]
    noise = rng.normal(size=(24, 24)) * 0.02
    return np.clip(inside * rng.uniform(0.6, 0.9) + noise, 0, 1).astype(np.float32)[:, :, None]


@pytest.fixture(scope="module")
def surfaces() -> tuple[DefectDetector, Images]:
    rng = np.random.default_rng(0)
    images = [surface(rng, 72 + index % 5, 90 - index % 7) for index in range(45)]
    return DefectDetector.fit(images[:30]), images[30:]


@pytest.fixture(scope="module")
def objects() -> DefectDetector:
    rng = np.random.default_rng(1)
    return DefectDetector.fit([shape(rng, kind) for kind in ("square", "disc") for _ in range(60)])


def test_defects_score_higher_than_every_normal_image(surfaces: tuple[DefectDetector, Images]) -> None:
    detector, normal = surfaces
    assert isinstance(detector.model, Surfaces)
    whole = [detector.score(image) for image in normal]
    damaged = [detector.score(scratched(image, 30, 40)) for image in normal]
    assert min(damaged) > max(whole)


def test_the_map_shows_where(surfaces: tuple[DefectDetector, Images]) -> None:
    detector, normal = surfaces
    image = scratched(normal[0], 40, 20)
    shown = detector.anomaly_map(image)
    assert shown.shape == image.shape[:2] and shown.dtype == np.float32 and shown.min() >= 0
    top, left = np.unravel_index(shown.argmax(), shown.shape)
    assert 36 <= top <= 52 and 16 <= left <= 28
    # The frame, bright and dark in every image, is nothing unusual.
    assert shown[:4].max() < shown.max() / 2


def test_normal_pixels_exceed_the_typical_value_rarely(surfaces: tuple[DefectDetector, Images]) -> None:
    detector, normal = surfaces
    exceeding = np.mean([(detector.anomaly_map(image) > detector.typical).mean() for image in normal])
    assert exceeding < 0.005
    assert (detector.anomaly_map(scratched(normal[1], 30, 40)) > detector.typical).mean() > 0.002


def test_calibration_is_of_images_that_were_left_out(surfaces: tuple[DefectDetector, Images]) -> None:
    detector, normal = surfaces
    assert detector.calibration.shape == (30,)
    ranks = [(detector.calibration >= detector.score(image)).mean() for image in normal]
    # Uniform if calibrated: the mean of 15 has a deviation of .075.
    assert 0.2 < np.mean(ranks) < 0.8


def test_the_expected_image_has_no_defect(surfaces: tuple[DefectDetector, Images]) -> None:
    detector, normal = surfaces
    image = scratched(normal[2], 30, 40)
    expected = detector.expected(image)
    assert expected.shape == image.shape
    inside = np.s_[32:37, 41:44]
    assert abs(expected[inside].mean() - normal[2].mean()) < abs(image[inside].mean() - normal[2].mean()) / 3
    untouched = np.s_[60:68, 5:30]
    assert np.allclose(expected[untouched], image[untouched], atol=0.02)


def test_aligned_objects_are_judged_as_wholes(objects: DefectDetector) -> None:
    assert isinstance(objects.model, Objects)
    rng = np.random.default_rng(2)
    normal = [objects.score(shape(rng, "disc")) for _ in range(10)]
    strange = [objects.score(shape(rng, "triangle")) for _ in range(10)]
    assert min(strange) > max(normal)
    # Above the triangle's slopes the expected square or disc is bright.
    shown = np.mean([objects.anomaly_map(shape(rng, "triangle")) for _ in range(10)], axis=0)
    assert shown[6:10, 4:7].mean() > 1.3 * shown[11:15, 10:14].mean()


def test_what_was_expected_of_an_object_is_its_neighbours(objects: DefectDetector) -> None:
    rng = np.random.default_rng(3)
    damaged = shape(rng, "square")
    damaged[10:14, 10:14] = 0
    expected = objects.expected(damaged)
    assert expected.shape == damaged.shape and expected[10:14, 10:14].min() > 0.4


@pytest.mark.parametrize("channels", [1, 3])
def test_few_and_tiny_images(channels: int) -> None:
    rng = np.random.default_rng(4)
    images = [rng.uniform(size=(8, 8, channels)).astype(np.float32) for _ in range(10)]
    detector = DefectDetector.fit(images)
    assert np.isfinite(detector.calibration).all()
    for size in ((1, 1), (2, 300), (40, 8)):
        image = rng.uniform(size=(*size, channels)).astype(np.float32)
        assert detector.anomaly_map(image).shape == size and np.isfinite(detector.score(image))
        assert detector.expected(image).shape == image.shape


def test_blank_images_can_be_learnt() -> None:
    detector = DefectDetector.fit([np.zeros((20, 20, 1), np.float32)] * 5)
    marked = np.zeros((20, 20, 1), np.float32)
    marked[8:12, 8:12] = 1
    assert detector.score(marked) > detector.score(np.zeros((20, 20, 1), np.float32))


def test_colour_defects_are_found() -> None:
    rng = np.random.default_rng(5)
    images = [surface(rng, channels=3) for _ in range(30)]
    detector = DefectDetector.fit(images[:20])
    stained = [image.copy() for image in images[20:]]
    for image in stained:
        image[30:40, 40:50, 0] *= 0.5
    assert min(map(detector.score, stained)) > max(map(detector.score, images[20:]))


def test_the_same_seed_gives_the_same_bits() -> None:
    rng = np.random.default_rng(6)
    images = [surface(rng, 30, 40) for _ in range(8)]
    first, second = DefectDetector.fit(images, seed=3), DefectDetector.fit(images, seed=3)
    assert first.score(images[0]) == second.score(images[0])
    for name, values in first.arrays().items():
        assert np.array_equal(values, second.arrays()[name]), name


def test_a_restored_detector_answers_alike(
    surfaces: tuple[DefectDetector, Images], objects: DefectDetector
) -> None:
    for detector, image in ((surfaces[0], surfaces[1][0]), (objects, np.full((24, 24, 1), 0.3, np.float32))):
        restored = DefectDetector.restore(detector.arrays(), detector.state())
        assert restored.score(image) == detector.score(image)
        assert np.array_equal(restored.anomaly_map(image), detector.anomaly_map(image))
        assert np.array_equal(restored.expected(image), detector.expected(image))
        assert restored.typical == detector.typical


@pytest.mark.parametrize("kind", ["surfaces", "objects"])
def test_every_forged_array_is_refused(kind: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(kind)
    detector: DefectDetector = found[0] if kind == "surfaces" else found
    arrays, state = detector.arrays(), detector.state()
    for name, values in arrays.items():
        for forged in (values[..., :0], values.astype(object), values[None]):
            with pytest.raises(ValueError, match="invalid"):
                DefectDetector.restore({**arrays, name: forged}, state)
        if values.dtype != np.uint8:
            with pytest.raises(ValueError, match="invalid"):
                DefectDetector.restore({**arrays, name: values * np.nan}, state)
        with pytest.raises(ValueError, match="invalid"):
            DefectDetector.restore({k: v for k, v in arrays.items() if k != name}, state)
    with pytest.raises(ValueError, match="names of arrays"):
        DefectDetector.restore({**arrays, "more": np.zeros(1)}, state)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "x"),
        ("kind", []),
        ("typical", 0),
        ("typical", "x"),
        ("factor", 0),
        ("factor", 10**9),
        ("channels", 2),
        ("channels", True),
        ("thumbnail", 10**6),
        ("thumbnail", None),
    ],
)
def test_forged_states_are_refused(name: str, value: object, surfaces: tuple[DefectDetector, Images]) -> None:
    detector, _ = surfaces
    with pytest.raises(ValueError, match="invalid"):
        DefectDetector.restore(detector.arrays(), {**detector.state(), name: value})
    without = {k: v for k, v in detector.state().items() if k != name}
    with pytest.raises(ValueError, match="invalid"):
        DefectDetector.restore(detector.arrays(), without)


def test_too_few_images_and_mixed_channels_are_refused(surfaces: tuple[DefectDetector, Images]) -> None:
    grey, colour = np.zeros((9, 9, 1), np.float32), np.zeros((9, 9, 3), np.float32)
    with pytest.raises(DataError, match="at least 2"):
        DefectDetector.fit([grey])
    with pytest.raises(DataError, match="channels"):
        DefectDetector.fit([grey, colour, grey])
    with pytest.raises(DataError, match="channels"):
        surfaces[0].score(colour)


def test_many_images_are_read_once_each_and_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    class Files(list[np.ndarray]):
        def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
            read.append(index)
            return np.full((8, 8, 1), index / 200, np.float32)

        def __len__(self) -> int:
            return 200

    monkeypatch.setattr("diabolo.images.defects.detector.MAX_IMAGES", 50)
    seen: list[float] = []
    detector = DefectDetector.fit(Files(), progress=lambda name, done, left: seen.append(done))
    # A few are looked at beforehand for their size.
    assert len(read) == 50 + 20 and len(detector.calibration) == 50 and seen[-1] == 1


def test_holes_are_filled_from_around() -> None:
    ramp = np.tile(np.linspace(0.2, 0.8, 60, dtype=np.float32), (40, 1))[:, :, None]
    holes = np.zeros((40, 60), bool)
    holes[10:20, 20:35] = True
    damaged = np.where(holes[:, :, None], 1, ramp).astype(np.float32)
    assert np.abs(filled(damaged, holes) - ramp)[holes].mean() < 0.05
    assert np.array_equal(filled(damaged, np.zeros_like(holes)), damaged)
    assert filled(damaged, np.ones_like(holes)).shape == damaged.shape
