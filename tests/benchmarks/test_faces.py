"""The benchmark of faces reads its two kinds of folders, and its figures are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import common, faces
from tests.images.recognition.people import images_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images, labels = images_of(10, 4)
    data = tmp_path / "data"
    data.mkdir()
    x = np.stack([(image[..., 0] * 255).astype(np.uint8) for image in images])
    np.savez(data / "people.npz", x=x, y=np.array([int(label.split()[1]) for label in labels]))
    np.savez(data / "others.npz", x_train=x)
    return data


def test_figures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, kept = folder.parent / "out.json", folder.parent / "kept"
    more = ["--seeds", "2", "--peers", "pixels,fisherfaces", "--scores", str(kept)]
    assert faces.main(["--data", str(folder), "--json", str(out), *more]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert len(result["rows"]) == 2 * 3 and list(result["peers"]) == ["pixels", "fisherfaces"]
    mean = result["mean"]
    assert mean["rank1"] == 1 and mean["auc"] > 0.98 and mean["tar_1"] > 0.8
    assert mean["tar_1"] > result["peers"]["pixels"]["tar_1"] and mean["false_accepts"] < 0.1
    with np.load(kept / "people.1.npz") as pairs:
        assert len(pairs["scores"]) == 20 * 19 // 2 and pairs["labels"].sum() == 5 * 6
    assert (kept / "pixels" / "people.0.npz").exists() and "fisherfaces" in capsys.readouterr().out


def test_a_folder_of_people(tmp_path: Path) -> None:
    from PIL import Image

    images, labels = images_of(10, 4)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        (tmp_path / label).mkdir(exist_ok=True)
        Image.fromarray((image[..., 0] * 255).astype(np.uint8)).save(tmp_path / label / f"{i:02d}.png")
    ((name, (read, people)),) = faces.read_sets(tmp_path, ()).items()
    assert name == tmp_path.name and sorted(people.tolist()) == sorted(labels)
    assert np.allclose(read[0], images[0], atol=1 / 255) and people[0] == labels[0]


def test_nothing_to_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", x=np.zeros((6, 9, 9)), y=np.arange(6))
    with pytest.raises(SystemExit) as ended:
        faces.read_sets(tmp_path, ())
    assert ended.value.code == common.NO_DATA


def test_true_accepts_are_counted_at_one_percent() -> None:
    similar = np.concatenate([np.linspace(0, 1, 101), [0.995, 0.5, 1.0, 0.98]])
    same = np.r_[np.zeros(101), np.ones(4)].astype(np.int64)
    assert faces.true_accepts(similar, same) == 0.5
