"""Folders of images on the command line: fit, score, explain, denoise, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands import Run, left_in
from tests.inputs.everything import KINDS
from tests.inputs.image_files import filled
from tests.inputs.kinds import IMAGE_BASES, Kind, Refusal, plain_model

# One of each way in which a file or folder is refused or read with a note.
TRIED = (
    "a folder without images",
    "broken images only",
    "a file of 0 bytes",
    "a truncated file",
    "a pipe named .png",
    "a name that is no text",
    "a truncated image",
    "a huge image",
    "no such image",
    "the address of an image",
    "an npz file with Python objects",
    "one image",
)
ASKED = [kind for kind in KINDS if kind.base in IMAGE_BASES and kind.name in TRIED]


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.diabolo"
    plain_model("images").save(path)
    return path


def test_a_folder_is_fitted_scored_and_explained(run: Run, shots: Path, tmp_path: Path) -> None:
    made = tmp_path / "m.diabolo"
    ran = run("fit", shots, "-o", made, "--recipe", "vanilla", "--epochs", 1, "--layers", "16")
    assert ran.status == 0 and "fitted to 12 rows" in ran.err
    scored = run("score", shots, "-m", made)
    lines = scored.out.splitlines()
    assert scored.status == 0 and lines[0] == "row,image,bits,severity,alarm" and len(lines) == 13
    assert lines[1].startswith(f"0,{shots / '00.png'},")
    told = run("explain", shots, "-m", made, "--rows", 3)
    assert told.status == 0 and str(shots / "03.png") in told.out and "24 x 20 x 3, mean" in told.out


def test_images_are_denoised_into_a_folder(run: Run, shots: Path, model: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in shots.iterdir()}
    ran = run("denoise", shots, "-m", model, "-o", tmp_path / "new" / "clean")
    assert ran.status == 0 and "12 images written to" in ran.err
    written = tmp_path / "new" / "clean"
    assert left_in(written) == sorted(before)
    for path in written.iterdir():
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (20, 24))
    assert {path.name: path.read_bytes() for path in shots.iterdir()} == before
    again = run("denoise", shots, "-m", model, "-o", written, "-q")  # a folder that exists
    assert again.status == 0 and not again.err and left_in(written) == sorted(before)


def test_images_are_never_written_over(run: Run, shots: Path, model: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(shots)
    before = {path: path.read_bytes() for path in shots.iterdir()}
    for output in (shots, f"{shots}/", link, shots / ".." / shots.name):
        ran = run("denoise", shots, "-m", model, "-o", output)
        assert ran.status == 2 and "would be written over" in ran.err and "-o ANOTHER_FOLDER" in ran.err
    assert {path: path.read_bytes() for path in shots.iterdir()} == before


def test_images_are_not_written_as_text(run: Run, shots: Path, model: Path, tmp_path: Path) -> None:
    for output in ((), ("-o", tmp_path / "x.csv"), ("-o", tmp_path / "x.ndjson")):
        ran = run("denoise", shots, "-m", model, *output)
        assert ran.status == 2 and not ran.out and "Hint: -o NEW_FOLDER" in ran.err
    ran = run("denoise", shots / "00.png", "-m", model, "-o", tmp_path / "x.png")
    assert ran.status == 2 and "are written into a folder" in ran.err
    assert run("denoise", shots, "-m", model, "-o", tmp_path / "x.parquet").status == 0
    assert left_in(tmp_path) == ["x.parquet"]


def test_a_folder_that_cannot_be_written(run: Run, shots: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for output in (tmp_path / "file", tmp_path / "file" / "below"):
        ran = run("denoise", shots, "-m", model, "-o", output)
        assert ran.status == 2 and "Hint: -o" in ran.err
    assert (tmp_path / "file").read_text() == "x"


def test_a_broken_file_is_a_note_on_every_command(run: Run, shots: Path, model: Path, tmp_path: Path) -> None:
    place = tmp_path / "shots"
    shutil.copytree(shots, place)
    (place / "zz.png").write_bytes(b"none")
    for words in (("score",), ("embed",), ("denoise", "-o", tmp_path / "out")):
        ran = run(words[0], place, "-m", model, *words[1:])
        assert ran.status == 0 and ran.err.count("zz.png is no image") == 1 and "note: left out" in ran.err
    assert not run("score", place, "-m", model, "-q").err


def test_units_and_turns_come_back(run: Run, model: Path, tmp_path: Path) -> None:
    place = tmp_path / "deep"
    place.mkdir()
    values = np.linspace(0, 65_535, 480).reshape(24, 20).astype(np.uint16)
    Image.fromarray(values).save(place / "a.tif")
    assert run("denoise", place, "-m", model, "-o", tmp_path / "out").status == 0
    with Image.open(tmp_path / "out" / "a.tif") as image:
        assert (image.mode, image.format, image.size) == ("I;16", "TIFF", (20, 24))
        assert np.asarray(image).max() > 300  # of 16 bits, not of 8


@pytest.mark.parametrize("kind", ASKED, ids=str)
def test_odd_files_never_end_in_a_traceback(kind: Kind, run: Run, model: Path, tmp_path: Path) -> None:
    data, expected = kind.make(tmp_path), kind.expected["score"]
    for words in (("score",), ("explain", "--top", 2)):
        ran = run(*words, data, "-m", model)
        assert "internal error" not in ran.err
        assert ran.status == (2 if isinstance(expected, Refusal) else 0), ran.err
        said = expected.words if isinstance(expected, Refusal) else kind.warned
        assert all(word in ran.err for word in said) and (ran.status == 0 or "Hint: " in ran.err)


def test_all_that_is_to_be_tried_is() -> None:
    assert {kind.name for kind in ASKED} == set(TRIED)
