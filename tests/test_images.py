"""Pictures: read in any layout and type, and answered in the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import diabolo
from diabolo import Autoencoder
from diabolo.data.columns import Image
from diabolo.data.columns.image import to_images, to_pixels
from diabolo.data.sources import read_user_table
from diabolo.detection.memory import Memory
from diabolo.errors import ColumnError, DataError, ModelFileError, UnsupportedError
from diabolo.report.drawing.png import enlarge, side_by_side, to_grey, to_png
from tests import made
from tests.faults.forge import Parts
from tests.fits import fitted

LAYOUTS = {"HW": (4, 5), "HWC": (4, 5, 3), "CHW": (3, 4, 5)}
TYPES = ["uint8", "int8", "uint16", "int32", "int64", "uint64", "float16", "float32", "float64"]


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4), (1, 4, 5), (3, 4, 5), (4, 4, 4)])
def test_shapes_are_told_apart(shape: tuple[int, ...]) -> None:
    column = Image().fit(
        read_user_table(np.random.default_rng(0).random((3, *shape))).columns()["image"], "image"
    )
    channels = 1 if len(shape) == 2 else shape[2] if shape[2] in (1, 3, 4) else shape[0]
    assert column.shape == [channels, *([4, 4] if shape == (4, 4, 4) else [4, 5])]
    assert column.layout == ("HW" if len(shape) == 2 else "HWC" if shape[2] in (1, 3, 4) else "CHW")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_pixels_come_back_in_their_type_and_layout(data: st.DataObject) -> None:
    layout, kind = data.draw(st.sampled_from(list(LAYOUTS))), np.dtype(data.draw(st.sampled_from(TYPES)))
    if kind.kind == "f":
        elements = st.floats(-1000, 1000, width=8 * kind.itemsize)  # type: ignore[call-overload]
    else:
        info = np.iinfo(kind)
        elements = st.integers(max(info.min, -60_000), min(info.max, 60_000))
    pixels = data.draw(arrays(kind, (3, *LAYOUTS[layout]), elements=elements))
    values = to_images(pixels, "x", layout)
    assert np.array_equal(to_pixels(values), pixels) and to_pixels(values).dtype == kind
    assert np.array_equal(to_pixels(values.slice(1, 2)), pixels[1:])
    column = Image().fit(values, "x")
    back = to_pixels(column.decode([part for part, _ in column.encode(values, "x")]))
    assert back.dtype == kind and back.shape == pixels.shape
    if kind.kind == "f":
        assert np.allclose(
            back.astype(float), pixels.astype(float), rtol=1e-2 if kind.itemsize == 2 else 1e-4, atol=1e-2
        )
    else:
        assert np.array_equal(back, pixels)


@pytest.mark.parametrize("kind", ["uint8", "int64", "uint64"])
def test_whole_pixels_never_leave_their_type(kind: str) -> None:
    info = np.iinfo(kind)
    pixels = np.array([[[info.min, info.max]], [[info.max, info.min]]], kind)
    column = Image().fit(to_images(pixels, "x"), "x")
    far = to_pixels(column.decode([np.array([[[[-50.0, 50.0]]]])]))
    assert far.dtype == kind and far[0, 0, 0] == info.min and far[0, 0, 1] >= info.max - 2048


def test_flags_masks_and_foreign_bytes() -> None:
    flags = np.random.default_rng(0).random((3, 4, 5)) > 0.5
    assert to_pixels(to_images(flags, "x")).dtype == np.uint8
    assert np.array_equal(
        to_pixels(to_images(np.arange(60.0).astype(">f4").reshape(3, 4, 5), "x")).ravel(), np.arange(60)
    )
    masked = np.ma.masked_equal(np.arange(60).reshape(3, 4, 5), 7)
    assert np.isnan(to_pixels(to_images(masked, "x"))).sum() == 1
    assert to_pixels(to_images(np.zeros((1, 2, 2), np.longdouble), "x")).dtype == float


def test_pictures_come_from_tensors_lists_mappings_and_files(tmp_path: Path) -> None:
    shown = made.pictures(5)
    for data in (torch.from_numpy(shown), list(shown), {"image": shown}, {"image": list(shown)}):
        assert np.array_equal(to_pixels(read_user_table(data).columns()["image"]), shown)
    table = pa.table({"image": to_images(shown, "image"), "n": np.arange(5)})
    pyarrow.parquet.write_table(table, tmp_path / "p.parquet")
    assert np.array_equal(to_pixels(read_user_table(tmp_path / "p.parquet").columns()["image"]), shown)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (np.zeros((2, 5, 6, 7)), "expected images"),
        (np.zeros((2, 3, 4, 5, 6)), "got 5"),
        (np.zeros((2, 0, 4)), "expected images"),
        (np.full((2, 3, 4), "a"), "numbers"),
        (np.zeros((2, 3, 4), complex), "omplex"),
        ({"image": [np.zeros((3, 4)), np.zeros((4, 0))]}, "row 1"),
        (np.full((30, 3, 4), np.nan), "no column is left"),
        (
            {
                "a": np.random.default_rng(0).random((9, 3, 4)),
                "b": np.random.default_rng(0).random((9, 4, 4)),
            },
            "one size",
        ),
    ],
)
def test_what_are_no_pictures_is_said(data: Any, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        Autoencoder().inspect(data)
    assert said == "numbers" or said == "omplex" or caught.value.hint


def test_pictures_of_another_size_are_refused(picture_models: dict[str, Autoencoder]) -> None:
    with pytest.raises(ColumnError, match="expected images of 8 x 6, got 6 x 8"):
        picture_models["vanilla"].anomaly_score(np.zeros((2, 6, 8)))
    with pytest.raises(ColumnError, match="expected images"):
        picture_models["vanilla"].anomaly_score({"image": [1.0, 2.0]})


@pytest.mark.parametrize("recipe", ["default", "vanilla", "variational", "denoising", "masked", "classic"])
def test_every_task_answers(picture_models: dict[str, Autoencoder], recipe: str) -> None:
    model, new = picture_models[recipe], made.pictures(30, seed=1)
    assert model.schema_["image"].describe().startswith("8 x 6, ")
    assert model.transform(new).shape[0] == 30
    odd = new.copy()
    odd[3, 2:5, 1:4] = 255
    assert int(model.anomaly_score(odd).argmax()) == 3
    rebuilt = model.reconstruct(new).to_array()
    assert rebuilt.shape == new.shape and rebuilt.dtype == np.uint8
    assert ((rebuilt.astype(float) - new) ** 2).mean() < 0.7 * new.astype(float).var()
    found = model.explain(odd, rows=[3, 4], neighbours=2)
    frame = found.to_frame()
    assert frame.num_rows == 2 and frame["share"].to_pylist() == [100, 100]
    assert frame["observed"][0].as_py().startswith("8 x 6, mean ")
    assert found.maps["image"].shape == (2, 8, 6) and found.bits[0, 0] > found.bits[1, 0]
    assert np.array_equal(found.value("observed", "image", 0), odd[3])
    assert found.nearest.num_rows == 4 and to_pixels(
        found.neighbours["image"].combine_chunks()
        if isinstance(found.neighbours["image"], pa.ChunkedArray)
        else found.neighbours["image"]
    ).shape == (4, 8, 6)
    heat = found.maps["image"][0]
    row, column = np.unravel_index(heat.argmax(), (8, 6))
    # The nearest images have their bright spot elsewhere: they differ there too.
    assert (1 <= row <= 6 and 0 <= column <= 5) or heat[2:5, 1:4].max() > np.median(heat)
    assert recipe == "default" or 1 <= row <= 6


@pytest.mark.parametrize("recipe", ["default", "vanilla", "masked"])
def test_missing_pixels_are_filled_and_no_others(picture_models: dict[str, Autoencoder], recipe: str) -> None:
    new = made.pictures(30, seed=2)
    holes = new.astype(np.float32)
    holes[::2, 3:5, 2:4] = np.nan
    repaired = picture_models[recipe].repair(holes)
    filled = repaired.to_array()
    assert filled.dtype == np.float32 and not np.isnan(filled).any()
    assert np.array_equal(filled[~np.isnan(holes)], new[~np.isnan(holes)])
    error = ((filled - new)[np.isnan(holes)] ** 2).mean()
    assert error < 0.6 * new[:, 3:5, 2:4].astype(float).var()
    changes = repaired.changes
    assert changes["row"].to_pylist() == list(range(0, 30, 2)) and set(changes["why"].to_pylist()) == {
        "missing"
    }
    assert changes["old"][0].as_py().startswith("8 x 6, mean ")
    again = picture_models[recipe].repair(new)
    assert np.array_equal(again.to_array(), new) and again.changes.num_rows == 0


def test_a_missing_picture_is_a_hole() -> None:
    shown = made.pictures(120)
    table = pa.table(
        {
            "image": to_images(shown, "image").take(pa.array([0, None, *range(2, 120)])),
            "n": np.arange(120.0) % 7,
        }
    )
    model = fitted(table, epochs=3, layers=(16,))
    assert model.schema_.entries[0].missing == pytest.approx(1 / 120)
    assert np.isfinite(model.anomaly_score(table)).all()
    filled = model.repair(table).to_frame()["image"].combine_chunks()
    assert filled.null_count == 0 and np.array_equal(to_pixels(filled)[2:], shown[2:])
    assert model.explain(table, rows=[1]).to_frame()["observed"][0].as_py() is None


def test_pictures_beside_other_columns_tell_each_other() -> None:
    shown, new = made.pictures(600), made.pictures(100, seed=1)

    def table(pictures: np.ndarray) -> dict[str, Any]:
        left = pictures[:, :, :3].mean((1, 2)) > pictures[:, :, 3:].mean((1, 2))
        return {"side": ["left" if flag else "right" for flag in left], "image": pictures}

    model = fitted(table(shown), epochs=60, layers=(48,))
    data = table(new)
    wrong = {**data, "side": ["left" if side == "right" else "right" for side in data["side"]]}
    gone = {**data, "side": [None] * 100}
    assert np.mean(np.array(model.repair(gone).to_frame()["side"].to_pylist()) == data["side"]) > 0.85
    bits = [model.explain(d).bits[:, 0] for d in (data, wrong)]
    assert np.median(bits[1]) > np.median(bits[0]) + 1
    assert np.array_equal(model.repair(gone).to_array(), new)  # the only pictures of the answer


@pytest.mark.parametrize("recipe", ["default", "variational", "classic"])
def test_files_keep_pictures(picture_models: dict[str, Autoencoder], recipe: str, tmp_path: Path) -> None:
    model, new = picture_models[recipe], made.pictures(20, seed=3)
    again = diabolo.load(model.save(tmp_path / "m.diabolo"))
    assert np.array_equal(again.anomaly_score(new), model.anomaly_score(new))
    assert np.array_equal(again.reconstruct(new).to_array(), model.reconstruct(new).to_array())
    assert (
        again.save(tmp_path / "n.diabolo").read_bytes()
        == diabolo.load(tmp_path / "n.diabolo").save(tmp_path / "o.diabolo").read_bytes()
    )


FORGED: dict[str, Any] = {
    "shape": [1, 8, 7],
    "layout": "WH",
    "type": "object",
    "scale": 0.0,
    "mean": "0",
    "low": None,
}


@pytest.mark.parametrize("name", [*FORGED, "huge", "flat", "channels"])
def test_forged_pictures_are_refused(
    picture_models: dict[str, Autoencoder], name: str, tmp_path: Path
) -> None:
    parts = Parts.of(picture_models["vanilla"].save(tmp_path / "m.diabolo").read_bytes())
    column = parts.card["schema"][0]["column"]
    if name == "huge":
        column["shape"] = [1, 1 << 30, 1 << 30]
    elif name == "flat":
        column["shape"] = [8, 6]
    elif name == "channels":
        column["shape"] = [2, 4, 6]  # as many pixels, but two of them in one place
    else:
        column[name] = FORGED[name]
    (tmp_path / "m.diabolo").write_bytes(parts.raw(json.dumps(parts.card)))
    with pytest.raises(ModelFileError):
        diabolo.load(tmp_path / "m.diabolo")


def test_memory_of_large_pictures_is_bounded() -> None:
    images = np.random.default_rng(0).random((1_200, 64, 60), np.float32)
    codes = Autoencoder().inspect(images).encode({"image": to_images(images, "image")})
    memory = Memory.fit(codes, {"pixels": torch.tensor([True])})
    assert len(memory) == 4_000_000 // (64 * 60)
    found = memory.search(codes[:5], k=2)
    assert (found.rows >= 0).all() and np.isfinite(found.distance).all()


def test_a_report_shows_pictures(picture_models: dict[str, Autoencoder], tmp_path: Path) -> None:
    odd = made.pictures(60, seed=4)
    odd[3, 2:5, 1:4] = 255
    for recipe in ("default", "vanilla"):
        page = picture_models[recipe].report(odd, tmp_path / "r.html").read_text()
        assert page.count("data:image/png;base64,") > 10 and "anomalous pixels" in page
        assert ("Traversals of the widest axes" in page) == (recipe == "vanilla")


def test_a_png_is_one() -> None:
    pil = pytest.importorskip("PIL.Image")
    import io

    rng = np.random.default_rng(0)
    for shape in ((4, 7), (4, 7, 3), (4, 7, 4)):
        picture = rng.integers(0, 256, shape).astype(np.uint8)
        assert np.array_equal(np.asarray(pil.open(io.BytesIO(to_png(picture)))), picture)
    assert to_grey(np.array([[-1.0, 0, 8, 16, 20, np.nan]]), 0, 16).tolist() == [[0, 0, 128, 255, 255, 0]]
    sheet = side_by_side(np.zeros((2, 3, 4, 5), np.uint8))
    assert (
        sheet.shape == (9, 17)
        and (sheet[4] == 255).all()
        and (sheet[:, 5] == 255).all()
        and not sheet[:4, :5].any()
    )
    assert enlarge(sheet, 3).shape == (27, 51)


def test_arrays_of_answers(
    model: Autoencoder, fresh: pa.Table, picture_models: dict[str, Autoencoder]
) -> None:
    from diabolo import tasks

    assert tasks.score(model, fresh).to_array().shape == (120, 3)
    assert np.allclose(tasks.embed(model, fresh).to_array(), model.transform(fresh))
    with pytest.raises(UnsupportedError, match="'city'"):
        model.reconstruct(fresh).to_array()
    numbers = fitted(np.random.default_rng(0).normal(size=(60, 3)), "vanilla", latent=2, epochs=1)
    assert numbers.reconstruct(np.zeros((4, 3))).to_array().shape == (4, 3)
    assert isinstance(
        picture_models["vanilla"].reconstruct(pd.DataFrame({"image": list(made.pictures(4))})).to_frame(),
        pd.DataFrame,
    )
