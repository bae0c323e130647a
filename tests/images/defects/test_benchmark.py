"""The benchmark of anomalous images reads its two kinds of sets, and its figures are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmarks import anomaly_images, common


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Surfaces with dark spots as defects, and an npz of three classes: bars across, along, and a cross."""
    data = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for kind, count in (("good", 24), ("spot", 6)):
        (data / "plate" / kind).mkdir(parents=True)
        for i in range(count):
            pixels = 120 + 150 * gaussian_filter(rng.normal(size=(48, 60)), 1.5)
            mask = np.zeros((48, 60), bool)
            mask[20:28, 30:36] = kind == "spot"
            pixels[mask] *= 0.3
            name = data / "plate" / kind / f"{i:03d}"
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(name.with_suffix(".jpg"), quality=95)
            if kind == "spot":
                Image.fromarray(mask.astype(np.uint8) * 255).save(name.with_suffix(".png"))
    y = np.arange(90) % 3
    x = rng.uniform(0, 30, (90, 12, 12)).astype(np.uint8)
    x[y != 1, 5:7] = 200
    x[y != 0, :, 5:7] = 200
    np.savez(data / "bars.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    np.savez(data / "others.npz", x_train=x)
    return data


def test_figures(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    arguments = ["--data", str(folder), "--json", str(out), "--seeds", "1", "--scores", str(tmp_path / "s")]
    peers = "nearest_images,nearest_whitened_patches,isolation_forest,brightness_by_position"
    assert anomaly_images.main([*arguments, "--peers", peers]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert list(result["peers"]) == peers.split(",")
    assert {row["set"] for row in result["rows"]} == {"plate", *(f"bars.without_{c}" for c in range(3))}
    mean = result["mean"]
    assert mean["picture_auroc"] == 1 and mean["pixel_auroc"] > 0.98 and mean["region_overlap"] > 0.9
    assert mean["object_auroc"] > 0.95 and mean["failures"] == 0
    assert result["peers"]["isolation_forest"]["pixel_auroc"] is None
    with np.load(tmp_path / "s" / "plate.0.npz") as kept:
        assert kept["labels"].sum() == 6 and len(kept["scores"]) == 8 + 6
    assert "nearest_images" in capsys.readouterr().out


def test_objects_are_not_divided_between_fit_and_test() -> None:
    names = [f"exp{e}_num_{1000 * tile + 20 * e}" for tile in range(30) for e in range(6)]
    of = anomaly_images.groups(names)
    assert of.max() == 29 and all(len(set(of[6 * t : 6 * t + 6])) == 1 for t in range(30))
    chosen = anomaly_images.split(names, 0)
    assert 120 <= chosen.sum() < 126 and not set(of[chosen]) & set(of[~chosen])
    # Consecutive numbers tell nothing.
    assert len(set(anomaly_images.groups([f"{i:03d}" for i in range(40)]))) == 40


def test_measures_of_pixels() -> None:
    mask = np.zeros((40, 40), bool)
    mask[8:16, 8:16] = mask[24:32, 24:32] = True
    perfect = anomaly_images.pixel_measures([mask * 1.0], [mask])
    assert perfect["pixel_auroc"] == 1 and perfect["region_overlap"] == 1
    half = mask * 1.0
    half[24:32, 24:32] = -1
    found = anomaly_images.pixel_measures([half], [mask])
    assert found["pixel_auroc"] == pytest.approx(0.5) and found["region_overlap"] == pytest.approx(0.5)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        anomaly_images.find(tmp_path, ())
    assert ended.value.code == common.NO_DATA
