"""Answers about images: in the mode, size, format and name of the user's own, and never over them."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from diabolo import Autoencoder, DiaboloWarning
from diabolo.data.images import ImageSequence, PixelRange
from diabolo.data.images.answers import arrays_of, as_stored, write_images
from diabolo.data.images.encoding import file_names
from diabolo.data.images.memory import stack_images
from diabolo.data.user_table import read_user_table
from diabolo.errors import ColumnError, DataError
from tests.fits import fitted
from tests.inputs.kinds import QUICK, image_pixels, plain_model, png

MODES = st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "I"])
FORMATS = {
    "PNG": ".png",
    "TIFF": ".tif",
    "JPEG": ".jpg",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "PPM": ".ppm",
    "GIF": ".gif",
}


def drawn(data: st.DataObject) -> tuple[str, bytes]:
    """An image file of any mode and size, in a format that can hold it, and the suffix of its name."""
    mode, form = data.draw(MODES), data.draw(st.sampled_from(sorted(FORMATS)))
    height, width = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    values = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 256, (height, width, 3))
    image = Image.fromarray(values.astype(np.uint8))
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        image = Image.fromarray((values[:, :, 0] * (1 / 255 if mode == "F" else 257)).astype(kind))
    else:
        image = image.convert(mode)
    out = io.BytesIO()
    try:
        image.save(out, form)
    except (OSError, ValueError):
        out, form = io.BytesIO(), "TIFF"  # which can hold every mode
        image.save(out, form)
    return FORMATS[form], out.getvalue()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_unchanged_images_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    place = tmp_path_factory.mktemp("in")
    files = [drawn(data) for _ in range(3)]
    for number, (suffix, raw) in enumerate(files):
        (place / str(number)).mkdir()
        (place / str(number) / f"x{suffix}").write_bytes(raw)
    paths = [place / str(number) / f"x{suffix}" for number, (suffix, _) in enumerate(files)]
    values = read_user_table(place).columns()["image"]
    assert values.to_pylist() == [str(path) for path in paths]
    images = ImageSequence(values, PixelRange.of(values))
    own = [images.decoded(row).pixels for row in range(3)]
    written = write_images(place / "out", as_stored(own, images), values)
    assert [path.relative_to(place / "out") for path in written] == [p.relative_to(place) for p in paths]
    assert [path.read_bytes() for path in written] == [raw for _, raw in files]


ARRAY_TYPES = ("uint8", "uint16", "int32", "int64", "float32", "float64", "bool")


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(ARRAY_TYPES), st.sampled_from([(), (1,), (3,), (4,)]), st.booleans(), st.integers(0, 99)
)
def test_unchanged_arrays_come_back(kind: str, channels: tuple[int, ...], one_size: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [(7, 9, *channels), (7, 9, *channels) if one_size else (5, 9, *channels)]
    floats = kind.startswith("float")
    arrays = [
        rng.random(s).astype(kind)
        if floats
        else rng.integers(0, 2 if kind == "bool" else 256, s).astype(kind)
        for s in shapes
    ]
    values = stack_images(arrays, "image")
    images = ImageSequence(values, PixelRange.of(values))
    back = arrays_of(as_stored([images.decoded(row).pixels for row in range(2)], images))
    for was, now in zip(arrays, back, strict=True):
        assert now.dtype == (np.uint8 if kind == "bool" and one_size else was.dtype)
        assert np.allclose(now.reshape(-1), was.reshape(-1), atol=1e-6)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("kind", ["paths", "bytes", "arrays", "pillow"])
def test_images_beside_other_columns(kind: str, library: str, tmp_path: Path) -> None:
    shown = image_pixels(30)
    for number, pixels in enumerate(shown):
        (tmp_path / f"{number:02}.png").write_bytes(png(pixels))
    held: list[Any] = {
        "paths": [str(path) for path in sorted(tmp_path.glob("*.png"))],
        "bytes": [png(pixels) for pixels in shown],
        "arrays": list(shown),
        "pillow": [Image.fromarray(pixels) for pixels in shown],
    }[kind]
    table: Any = {"image": held, "n": [float(v) for v in range(30)]}
    if library == "pandas":
        table = pd.DataFrame(table, index=range(100, 130))
    elif kind in ("arrays", "pillow"):
        table = pa.table({"image": stack_images(held, "image"), "n": table["n"]})
        table = pl.from_arrow(table) if library == "polars" and kind == "none" else table
    else:
        table = pl.DataFrame(table) if library == "polars" else pa.table(table)
    model = fitted(table, "vanilla", **QUICK)
    assert [e.name for e in model.schema_.entries if e.role == "scored"] == ["image", "n"]
    assert np.isfinite(model.anomaly_score(table)).all()
    answer = model.reconstruct(table)
    assert type(answer.to_frame()) is type(table)
    assert len(answer.images) == 30 and all(image.shape == (24, 20, 3) for image in answer.images)
    assert all(image.dtype == np.uint8 for image in answer.images)
    names = {path.name for path in answer.save_images(tmp_path / "out")}
    assert names == {f"{number:02}.png" for number in range(30)}


def test_a_score_does_not_depend_on_the_batch() -> None:
    values = pa.table({"image": [png(pixels) for pixels in image_pixels(30)]})
    model = plain_model("images")
    together = model.anomaly_score(values)
    alone = [model.anomaly_score(values.slice(row, 1))[0] for row in (0, 7, 29)]
    assert np.allclose(alone, together[[0, 7, 29]], atol=1e-4)


def test_one_dark_image_of_floats_keeps_its_units() -> None:
    rng = np.random.default_rng(0)
    bright = [rng.uniform(0, 255, (9 + row % 2, 8)).astype(np.float32) for row in range(20)]
    dark = np.full((9, 8), 0.9, np.float32)  # of 255: black, though below 1
    values = stack_images([*bright, dark], "image")
    images = ImageSequence(values, PixelRange.of(values))
    assert images.pixel_range.limits == (0.0, 255.0) and images[20].max() < 0.01


def test_images_are_never_written_over(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(png(image_pixels(2)[0]))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    answer = plain_model("images").reconstruct(tmp_path)
    for folder in (tmp_path, tmp_path / ".." / tmp_path.name):
        with pytest.raises(DataError, match="would be written over"):
            answer.save_images(folder)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_names_stay_within_the_folder_and_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    paths = ["../a/x.png", "b/x.png", str(tmp_path / "here" / "b" / "y.gif"), "b/y.png"]
    names = file_names(paths, ["PNG", "PNG", "ICO", "PNG"])
    assert names == ["a/x.png", "here/b/x.png", "here/b/y.png", "here/b/y.png.png"]
    assert file_names([None, None], ["PNG", "NPY"]) == ["0.png", "1.npy"]
    assert file_names(["a/x.png"], ["PNG"]) == ["x.png"]


def test_a_file_that_goes_away_is_an_error_that_names_it(tmp_path: Path) -> None:
    paths = []
    for number, pixels in enumerate(image_pixels(4)):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(png(pixels))
    table, model = read_user_table(paths), plain_model("images")
    answer = model.reconstruct(table)
    paths[2].unlink()
    with pytest.warns(DiaboloWarning, match=r"2\.png: there is no such file"):
        assert len(model.anomaly_score(table)) == 4
    assert len(answer.save_images(tmp_path / "out")) == 4  # what was answered stays
    paths[1].write_bytes(b"changed")
    with pytest.raises(ColumnError, match=r"row 1: .*1\.png is no image"):
        ImageSequence(table.columns()["image"], PixelRange())[1]


def test_columns_that_are_ignored_are_not_read() -> None:
    table = {
        "image": [png(pixels) for pixels in image_pixels(30)],
        "mask": ["https://example.org/mask.png"] * 30,
        "text": ["data:image/png;base64,iVBORw0KGgo"] * 30,
    }
    with pytest.raises(ColumnError, match="is an address") as caught:
        fitted({**table, "text": list(range(30))}, "vanilla", **QUICK)
    assert caught.value.column == "mask" and caught.value.hint
    model = fitted(table, "vanilla", ignore=["mask", "text"], **QUICK)
    assert np.isfinite(model.anomaly_score(table)).all()


def test_labels_and_csv_files_are_used_when_they_are_named(tmp_path: Path) -> None:
    for number, pixels in enumerate(image_pixels(24)):
        path = tmp_path / ("left" if number % 2 else "right") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(pixels))
    lines = [f"{'left' if n % 2 else 'right'}\\{n}.png,{n}.5" for n in range(24)]
    (tmp_path / "about.csv").write_text("\n".join(["file,weight", *lines]))
    table = read_user_table(tmp_path).table
    assert table.column_names == ["image", "label", "weight"]
    for path, label, weight in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        assert Path(path).parent.name == label and float(Path(path).stem) + 0.5 == weight
    model = fitted(tmp_path, "vanilla", **QUICK)
    assert [e.name for e in model.schema_.entries if e.role == "scored"] == ["image"]
    both = fitted(tmp_path, "vanilla", scored=["image", "label"], **QUICK)
    assert both.schema_["label"].kind == "category"


def test_a_csv_names_images_by_name_only_where_that_is_enough(tmp_path: Path) -> None:
    for name in ("a/1", "b/1", "b/2"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(image_pixels(2)[0]))
    (tmp_path / "x.csv").write_text("file,image,n\na/1.png,u,5\n1.png,v,6\n2,w,7\n")
    table = read_user_table(tmp_path).table
    assert table["n"].to_pylist() == [5, None, 7]
    assert all(path.endswith(".png") for path in table["image"].to_pylist())  # the paths stay


def test_images_of_files_do_not_depend_on_how_they_are_given(tmp_path: Path) -> None:
    for number, pixels in enumerate(image_pixels(20)):
        (tmp_path / f"{number:02}.png").write_bytes(png(pixels))
    model = plain_model("images")
    given_as = [
        tmp_path,
        sorted(tmp_path.iterdir()),
        [path.read_bytes() for path in sorted(tmp_path.iterdir())],
    ]
    bits = [model.anomaly_score(data) for data in given_as]
    assert all(np.array_equal(one, bits[0]) for one in bits[1:])


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    table = pa.table({"image": [png(pixels) for pixels in image_pixels(24)]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiaboloWarning)
        one, other = (Autoencoder("vanilla", seed=3, **QUICK).fit(table) for _ in range(2))
    assert np.array_equal(one.anomaly_score(table), other.anomaly_score(table))
