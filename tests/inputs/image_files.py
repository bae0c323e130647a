"""Folders and files of images, as people have them and as they break."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from diabolo.errors import ColumnError, DataError
from tests.inputs.checks import ANSWERED, SAME, SAME_FIT
from tests.inputs.kinds import Answer, Kind, Refusal, image_pixels, kind, refused

FOLDERS, FILES = "Folders of images", "Files of images"
FITS = Answer("fitted")
ROWS = 12
NO_PIXELS = Answer("answered; it is missing")


def saved(pixels: np.ndarray, form: str = "PNG", **more: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **more)
    return out.getvalue()


def shots(rows: int = ROWS) -> Iterator[tuple[str, bytes]]:
    for number, pixels in enumerate(image_pixels(rows)):
        yield f"{number:02}.png", saved(pixels)


def filled(folder: Path, rows: int = ROWS) -> Path:
    """A folder of good images."""
    place = folder / "shots"
    place.mkdir(exist_ok=True)
    for name, raw in shots(rows):
        (place / name).write_bytes(raw)
    return place


def with_file(name: str, content: Callable[[], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        place = filled(folder)
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content())
        return place

    return make


def only(name: str, content: Callable[[], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        place = folder / "shots"
        place.mkdir(exist_ok=True)
        (place / name).write_bytes(content())
        return place

    return make


def changed(change: Callable[[Path], Any]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        place = filled(folder)
        with suppress(FileExistsError):
            change(place)
        return place

    return make


def good(name: str, make: Callable[[Path], Any], rows: int = ROWS, **more: Any) -> Kind:
    more.setdefault("base", "images")
    return kind(FOLDERS, name, make, FITS, ANSWERED, rows=rows, **more)


def both(group: str, name: str, make: Callable[[Path], Any], *words: str, error: Any = DataError) -> Kind:
    return kind(group, name, make, Refusal(error, words), refused(error, *words), base="images")


def claimed(width: int, height: int) -> bytes:
    """A png of a few bytes that says that it is huge."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def one() -> np.ndarray:
    return image_pixels(1)[0]


def broken_checksum() -> bytes:
    raw = bytearray(saved(one()))
    place = raw.index(b"IDAT")
    raw[place + 40] ^= 255
    return bytes(raw)


def animated(form: str) -> bytes:
    frames = [Image.fromarray(pixels) for pixels in image_pixels(3)]
    out = io.BytesIO()
    frames[0].save(out, form, save_all=True, append_images=frames[1:])
    return out.getvalue()


def nested(place: Path) -> None:
    (place / "a" / "b" / "c").mkdir(parents=True)


def linked(place: Path) -> None:
    os.symlink(place / "00.png", place / "zz.png")


def circle(place: Path) -> None:
    os.symlink(place / "loop.png", place / "loop.png")


def upwards(place: Path) -> None:
    os.symlink(place, place / "again")


def link_to(place: Path) -> Path:
    link = place.parent / "link"
    with suppress(FileExistsError):
        os.symlink(place, link)
    return link


def dangling(place: Path) -> None:
    os.symlink(place / "gone.png", place / "zz.png")


def pipe(place: Path) -> None:
    os.mkfifo(place / "pipe.png")


def no_text(place: Path) -> None:
    (place / os.fsdecode(b"\xff\xfe.png")).write_bytes(saved(one()))


def folder_named(place: Path) -> None:
    (place / "x.png").mkdir()


def sized(*shapes: tuple[int, int]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        place = folder / "shots"
        place.mkdir(exist_ok=True)
        rng = np.random.default_rng(0)
        for number in range(ROWS):
            pixels = rng.integers(0, 256, (*shapes[number % len(shapes)], 3)).astype(np.uint8)
            (place / f"{number}.png").write_bytes(saved(pixels))
        return place

    return make


def modes(folder: Path) -> Path:
    place = folder / "shots"
    place.mkdir(exist_ok=True)
    kinds = ("RGB", "L", "RGBA", "P", "1", "LA", "CMYK", "I;16")
    for number, pixels in enumerate(image_pixels(16)):
        mode = kinds[number % len(kinds)]
        image = Image.fromarray(pixels)
        if mode == "I;16":
            image = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
        image = image if image.mode == mode else image.convert(mode)
        image.save(place / f"{number:02}.{'tif' if mode == 'CMYK' else 'png'}")
    return place


def of_bits(kind_: type, factor: float) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        place = folder / "shots"
        place.mkdir(exist_ok=True)
        for number, pixels in enumerate(image_pixels(ROWS)):
            grey = (pixels[:, :, 0] * float(factor)).astype(kind_)
            Image.fromarray(grey).save(place / f"{number:02}.tif")
        return place

    return make


def with_labels(text: str) -> Callable[[Path], Path]:
    return with_file("labels.csv", lambda: text.encode())


def rows_of(*lines: str) -> str:
    return "\n".join(("file,made", *lines)) + "\n"


LABELS = rows_of(*(f"{number:02}.png,{number % 2}" for number in range(ROWS)))


def classes(folder: Path) -> Path:
    place = filled(folder)
    for number in range(ROWS):
        target = place / ("even" if number % 2 == 0 else "odd")
        target.mkdir(exist_ok=True)
        if (place / f"{number:02}.png").exists():
            (place / f"{number:02}.png").replace(target / f"{number:02}.png")
    return place


def paths(folder: Path) -> list[str]:
    return [str(path) for path in sorted(filled(folder).iterdir())]


def all_but_one(folder: Path) -> list[str]:
    return [*paths(folder)[:-1], str(folder / "gone.png")]


LEFT_OUT = ("left out, since they cannot be read",)
READ_AS_MISSING = ("read as missing",)


def left_out(name: str, make: Callable[[Path], Any], *words: str) -> Kind:
    return good(name, make, warned=(*LEFT_OUT, *words))


def damaged(name: str, content: Callable[[], bytes]) -> Kind:
    return good(
        name, with_file("zz.png", content), ROWS + 1, warned=(*READ_AS_MISSING, "zz.png cannot be decoded")
    )


def refused_alone(name: str, content: Callable[[], bytes], *words: str) -> Kind:
    return both(
        FILES, name, lambda folder: only("x.png", content)(folder) / "x.png", *words, error=ColumnError
    )


IMAGE_FILES: list[Kind] = [
    kind(FOLDERS, "a folder of png files", lambda f: filled(f, 60), SAME_FIT, SAME, base="images", rows=60),
    good("a folder with a slash at the end", lambda f: f"{filled(f)}/"),
    good("a link to a folder", lambda f: link_to(filled(f))),
    good("suffixes in capitals", with_file("ZZ.PNG", lambda: saved(one())), ROWS + 1),
    good(
        "names with spaces, accents, emoji and a quote",
        with_file("à b 'ü' 🐟.png", lambda: saved(one())),
        ROWS + 1,
    ),
    good("a name of 255 bytes", with_file("n" * 251 + ".png", lambda: saved(one())), ROWS + 1),
    good("hidden files", with_file(".x.png", lambda: b"none")),
    good("files beside images that are none", with_file("notes.txt", lambda: b"notes")),
    good("nested folders that are empty", changed(nested)),
    good("a folder named x.png", changed(folder_named)),
    good("a link to an image", changed(linked), ROWS + 1),
    good("sub-folders as labels", classes),
    good("a csv with more about each image", with_labels(LABELS)),
    good(
        "a csv that names other files",
        with_labels(rows_of("a.png,1", "b.png,2")),
        warned=("names other files than those of the folder",),
    ),
    good(
        "a csv with two lines for an image",
        with_labels(LABELS + "00.png,7\n"),
        warned=("two lines for 00.png",),
    ),
    good("a csv that is broken", with_labels('a,b\n"'), warned=("not read beside the images",)),
    good("a jpeg named .png", with_file("zz.png", lambda: saved(one(), "JPEG")), ROWS + 1),
    good("modes that differ", modes, 16),
    good("sizes that differ", sized((24, 20), (40, 31), (7, 90))),
    good("images of 1 x 1", sized((1, 1))),
    good("images of 20,000 x 2", sized((20_000, 2))),
    good("one image", lambda f: filled(f, 1), 1),
    good("two images", lambda f: filled(f, 2), 2),
    good("16 bits", of_bits(np.uint16, 257)),
    good("12 bits in 16", of_bits(np.uint16, 16)),
    good("floats from 0 to 1", of_bits(np.float32, 1 / 255)),
    good("32 bits", of_bits(np.int32, 257)),
    good("a list of paths", paths),
    good("a tuple of paths", lambda f: tuple(Path(path) for path in paths(f))),
    good("a list of paths, one of them missing (None)", lambda f: [*paths(f)[:-1], None]),
    good("a list of paths of which a file is gone", all_but_one, warned=(*READ_AS_MISSING, "gone.png")),
    good("a list with the same path twice", lambda f: [*paths(f), paths(f)[0]], ROWS + 1),
    good(
        "a column of paths in pandas",
        lambda f: pa.table({"image": paths(f)}).to_pandas(),
    ),
    good(
        "an animation in the folder",
        with_file("zz.gif", lambda: animated("GIF")),
        ROWS + 1,
        warned=("the first is read",),
    ),
    good(
        "a scan of several pages",
        with_file("zz.tif", lambda: animated("TIFF")),
        ROWS + 1,
        warned=("the first is read",),
    ),
    damaged("a truncated file", lambda: saved(one())[:-60]),
    damaged("a png with a broken checksum", broken_checksum),
    left_out("a file of 0 bytes", with_file("zz.png", bytes), "zz.png is no image"),
    left_out("a text named .png", with_file("zz.png", lambda: b"no image\n" * 9), "zz.png is no image"),
    left_out(
        "a file that claims a huge size",
        with_file("zz.png", lambda: claimed(30_000, 30_000)),
        "more than 100,000,000",
    ),
    left_out(
        "a file that claims 4e18 pixels", with_file("zz.png", lambda: claimed(2**31 - 1, 2**31 - 1)), "zz.png"
    ),
    left_out("a link in a circle", changed(circle), "loop.png cannot be read"),
    left_out("a link to a folder above", changed(upwards), "again is a link to a folder"),
    left_out("a link to nothing", changed(dangling), "there is no such file"),
    left_out("a pipe named .png", changed(pipe), "pipe.png is no file"),
    left_out("a name that is no text", changed(no_text), "is no text"),
    both(FOLDERS, "a folder without images", only("notes.txt", lambda: b"x"), "no images in it", "1 .txt"),
    both(FOLDERS, "an empty folder", lambda f: f, "no images in it"),
    both(
        FOLDERS, "a folder with hidden images only", only(".x.png", lambda: saved(one())), "no images in it"
    ),
    both(FOLDERS, "broken images only", only("x.png", lambda: b"none"), "no image of", "x.png is no image"),
    kind(FILES, "one image", lambda f: filled(f) / "00.png", FITS, ANSWERED, base="images", rows=1),
    refused_alone("a truncated image", lambda: saved(one())[:-60], "x.png cannot be decoded"),
    refused_alone("an image of 0 bytes", bytes, "x.png is no image"),
    refused_alone("a text that is called .png", lambda: b"text", "x.png is no image"),
    refused_alone("a huge image", lambda: claimed(30_000, 30_000), "more than 100,000,000 pixels"),
    both(FILES, "no such image", lambda f: f / "x.png", "no such file", error=ColumnError),
    both(
        FILES,
        "the address of an image",
        lambda _: "https://example.org/x.png",
        "is an address",
        error=ColumnError,
    ),
    both(
        FILES,
        "a list of addresses",
        lambda _: ["https://example.org/x.png"] * 3,
        "is an address",
        error=ColumnError,
    ),
]
