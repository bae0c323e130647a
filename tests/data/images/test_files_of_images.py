"""Image files of every mode and format: read in grey or colour, and written back as they were."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from diabolo.data.images import decode, encode, image_size
from diabolo.errors import DataError

SIZE = (11, 13)


def waves() -> np.ndarray:
    """(11, 13, 3) bytes: three waves."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    parts = [128 + 90 * np.sin(x / (3 + k) + y / (4 + k)) for k in range(3)]
    return np.stack(parts, -1).astype(np.uint8)


def lab() -> Image.Image:
    profiles = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
    return ImageCms.profileToProfile(Image.fromarray(waves()), *profiles, outputMode="LAB")


def in_mode(mode: str) -> Image.Image:
    """An image of 11 x 13 pixels in a mode of Pillow; "+" adds a transparent colour."""
    colours = Image.fromarray(waves())
    grey, opacity = (Image.fromarray(waves()[:, :, k]) for k in (0, 2))
    if mode.endswith("+"):
        image = colours.quantize(16) if mode == "P+" else colours.convert(mode[:-1])
        image.info["transparency"] = (1, 2, 3) if mode == "RGB+" else 7
        return image
    deep = {"I;16": np.uint16, "I": np.int32}
    if mode in deep:
        return Image.fromarray((waves()[:, :, 0] * 257.0).astype(deep[mode]))
    if mode == "F":
        return Image.fromarray((waves()[:, :, 0] / 255).astype(np.float32))
    if mode == "LAB":
        return lab()
    made = {
        "LA": lambda: Image.merge("LA", (grey, opacity)),
        "RGBA": lambda: Image.merge("RGBA", (*colours.split(), opacity)),
        "P": lambda: colours.quantize(16),
        "PA": lambda: colours.quantize(16).convert("PA"),
    }
    return made.get(mode, lambda: colours.convert(mode))()


def raw(image: Image.Image, form: str, **more: Any) -> bytes:
    out = io.BytesIO()
    if "transparency" in image.info:
        more["transparency"] = image.info["transparency"]
    image.save(out, form, **more)
    return out.getvalue()


# What each format can hold. The losses are those of jpeg, and of LAB and YCbCr, whose steps are wider.
LOSSLESS = {
    "PNG": ("1", "L", "LA", "P", "P+", "RGB", "RGBA", "I;16", "L+", "RGB+"),
    "WEBP": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
    "BMP": ("1", "L", "P", "RGB"),
    "PPM": ("1", "L", "RGB", "I;16", "I", "F"),
    "GIF": ("L", "P", "P+"),
}
LOSSY = {"JPEG": ("L", "RGB", "CMYK"), "TIFF": ("LAB", "YCbCr")}
CASES = [(form, mode, 0.0) for form, modes in LOSSLESS.items() for mode in modes]
CASES += [(form, mode, 16 / 255) for form, modes in LOSSY.items() for mode in modes]
GREY = ("1", "L", "LA", "L+", "I;16", "I", "F")


@pytest.mark.parametrize(("form", "mode", "loss"), CASES)
def test_an_image_comes_back_in_its_mode_and_format(form: str, mode: str, loss: float) -> None:
    file = raw(in_mode(mode), form, **({"lossless": True} if form == "WEBP" else {}))
    image = decode(file)
    assert image.pixels.shape == (*SIZE, 1 if mode in GREY else 3) and image.pixels.dtype == np.float32
    assert image.pixels.min() >= 0 and image.pixels.max() <= 1
    assert (image.opacity is not None) == (mode in ("LA", "RGBA", "PA", "P+", "L+", "RGB+"))
    assert image_size(file) == image.pixels.shape
    again = encode(image.pixels, image)
    with Image.open(io.BytesIO(file)) as was, Image.open(io.BytesIO(again)) as now:
        grown = {"L+": "LA", "RGB+": "RGBA"}  # one transparent colour becomes opacity
        assert now.mode == grown.get(mode, was.mode) and (now.format, now.size) == (was.format, was.size)
    back = decode(again)
    # A gif keeps no colour where it is transparent.
    seen = np.ones(SIZE, bool) if (form, mode) != ("GIF", "P+") else image.opacity > 0
    assert np.abs(back.pixels - image.pixels)[seen].max() <= max(loss, 1e-6)
    if image.opacity is not None:
        assert back.opacity is not None and np.array_equal(back.opacity, image.opacity)


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "F", "1"])
def test_pixels_are_what_pillow_says(mode: str) -> None:
    image = in_mode(mode)
    white = {"I;16": 65_535, "F": 1, "1": 1}.get(mode, 255)
    wanted = np.asarray(image).astype(float).reshape(*SIZE, -1) / white
    assert np.allclose(decode(raw(image, "TIFF")).pixels, wanted, atol=1e-6)


def test_new_pixels_are_written() -> None:
    for form, mode, _ in CASES:
        image = decode(raw(in_mode(mode), form))
        back = decode(encode(1 - image.pixels, image))
        change = np.abs((1 - image.pixels) - back.pixels).mean()
        assert change < (0.25 if mode == "CMYK" else 0.1), (form, mode, change)


def test_black_and_white_has_no_dots() -> None:
    image = decode(raw(in_mode("1"), "PNG"))
    assert not decode(encode(np.full((*SIZE, 1), 0.4), image)).pixels.any()


def test_a_palette_of_few_colours_is_exact_and_of_many_is_near() -> None:
    image = decode(raw(in_mode("P"), "PNG"))
    rng = np.random.default_rng(1)
    few = rng.integers(0, 256, (9, 3))[rng.integers(0, 9, SIZE)] / 255
    assert np.allclose(decode(encode(few, image)).pixels, few, atol=1e-6)
    many = np.linspace(0, 1, SIZE[0] * SIZE[1] * 3).reshape(*SIZE, 3)
    assert np.abs(decode(encode(many, image)).pixels - many).mean() < 0.05


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_images_are_turned_as_the_camera_was_held(turn: int, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    upright = Image.fromarray(waves())
    file = raw(upright, form, exif=exif, **({"quality": 100} if form == "JPEG" else {}))
    with Image.open(io.BytesIO(file)) as stored:
        wanted = np.asarray(ImageOps.exif_transpose(stored).convert("RGB")) / 255
    image = decode(file)
    assert np.allclose(image.pixels, wanted, atol=1e-6) and image_size(file) == wanted.shape
    back = decode(encode(image.pixels, image))  # upright, without the tag
    assert np.abs(back.pixels - wanted).mean() < 0.01


@pytest.mark.parametrize("turn", [2, 3, 4, 5, 6, 7, 8])
def test_every_turn_is_another(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    one, other = (decode(raw(Image.fromarray(waves()), "PNG", **more)) for more in ({}, {"exif": exif}))
    assert one.pixels.shape != other.pixels.shape or not np.allclose(one.pixels, other.pixels)


@pytest.mark.parametrize(
    ("high", "white"),
    [(1, 1), (200, 255), (1_000, 1_023), (4_000, 4_095), (16_000, 16_383), (60_000, 65_535)],
)
def test_limits_tell_the_units_of_deep_images(high: int, white: int) -> None:
    values = np.array([[0, high], [high // 2, high]], np.uint16)
    image = decode(raw(Image.fromarray(values), "TIFF"), (0.0, float(white)))
    assert np.allclose(image.pixels[:, :, 0], values / white, atol=1e-6)
    with Image.open(io.BytesIO(encode(image.pixels, image))) as back:
        assert np.array_equal(np.asarray(back), values)


def test_pixels_far_beyond_the_limits_are_refused() -> None:
    deep = raw(Image.fromarray(np.full((4, 4), 65_000, np.uint16)), "TIFF")
    with pytest.raises(DataError, match="the units differ"):
        decode(deep, (0.0, 4_095.0))
    assert decode(deep).pixels.min() > 0.99


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
def test_damaged_bytes_raise_data_errors_only(noise: bytes, place: int, at_start: bool) -> None:
    whole = raw(in_mode("RGB"), "PNG")
    damaged = noise + whole if at_start else whole[:place] + noise + whole[place + len(noise) :]
    try:
        assert np.isfinite(decode(damaged).pixels).all()
    except DataError as error:
        assert error.hint


def test_files_of_several_images_give_the_first(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((5, 6, 3), value, np.uint8)) for value in (10, 200)]
    for form, options in (("GIF", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("MPO", {})):
        out = io.BytesIO()
        frames[0].save(out, form, save_all=True, append_images=frames[1:], **options)
        image = decode(out.getvalue())
        assert np.allclose(image.pixels, 10 / 255, atol=0.02), form
        assert image.format == ("JPEG" if form == "MPO" else form)
