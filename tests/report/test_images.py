"""The report of images: cards with heat maps, contact sheets, reconstructions, before and after."""

from __future__ import annotations

import base64
import io
import re
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from diabolo import Autoencoder
from diabolo.report import report
from diabolo.report.drawing import charts, heat_map, thumbnails
from diabolo.report.drawing.heat_map import HeatScale
from diabolo.report.image_view import ImageView
from diabolo.report.images import before_after, sheets
from diabolo.report.images.shown import image_names
from diabolo.report.latent import spread_out
from diabolo.report.table_view import TableView

LIMIT = 5_000_000  # bytes of a page


def photographs(count: int = 40, *, size: tuple[int, int] = (72, 96), seed: int = 0) -> list[np.ndarray]:
    """Striped surfaces in colour, all alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    made = []
    for _ in range(count):
        base = 0.5 + 0.2 * np.sin(x / 5 + rng.uniform(0, 6)) + 0.1 * y / size[0]
        colour = base[..., None] * [1.0, 0.9, 0.7] + 0.02 * rng.normal(size=(*size, 3))
        made.append((255 * np.clip(colour, 0, 1)).astype(np.uint8))
    return made


class Page(HTMLParser):
    """The images, headings and identifiers of a page; every element is closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.images: list[dict[str, str | None]] = []
        self.headings: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("img", "image"):
            self.images.append(given)
        self.ids += [given["id"]] if given.get("id") else []  # type: ignore[list-item]
        if tag not in {"meta", "link", "input", "br", "hr", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h2", "h3"):
            self.headings.append(data.strip())


def write(model: Autoencoder, data: Any, folder: Path) -> tuple[Page, str]:
    """Return the page of a report, checked for what holds for every page, and its text."""
    raw = model.report(data, folder / "report.html").read_bytes()
    assert len(raw) <= LIMIT
    text = raw.decode()
    assert not re.search(r"https?:|url\(|@import", text)
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    for image in page.images:
        source = image.get("src") or image.get("href") or ""
        assert source.startswith(("data:image/jpeg;base64,", "data:image/png;base64,"))
    assert all(image.get("alt") for image in page.images if "src" in image)
    return page, text


def fitted(data: Any, recipe: str = "vanilla", **options: Any) -> Autoencoder:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of small data
        return Autoencoder(recipe, epochs=2, **options).fit(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Surfaces as jpeg, one of them with a bright spot."""
    place = tmp_path_factory.mktemp("photographs")
    for number, image in enumerate(photographs()):
        if number == 7:
            image[20:40, 30:60] = 255
        Pillow.fromarray(image).save(place / f"part {number:02d}.jpg", quality=95)
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> Autoencoder:
    return fitted(folder)


def test_a_folder_is_reported(model: Autoencoder, folder: Path, tmp_path: Path) -> None:
    page, text = write(model, folder, tmp_path)
    assert "part 07.jpg" in page.headings[2:]
    for heading in ("The most anomalous images", "Contact sheets", "Reconstructions", "Number of alarms"):
        assert heading in page.headings
    assert "Columns" not in page.headings and "Before and after the noise is removed" not in page.headings
    assert "40 images" in text and "in place of part 07.jpg" in text
    assert sum("as observed" in (i.get("alt") or "") for i in page.images) == 6
    assert "The networks read images at" in text


def test_observed_images_are_those_of_the_files(model: Autoencoder, folder: Path, tmp_path: Path) -> None:
    page, _ = write(model, folder, tmp_path)
    found = next(i for i in page.images if i.get("alt") == "part 07.jpg, as observed")
    shown = np.asarray(
        Pillow.open(io.BytesIO(base64.b64decode((found["src"] or "").partition(",")[2]))), dtype=float
    )
    stored = np.asarray(Pillow.open(folder / "part 07.jpg"), dtype=float)
    assert shown.shape == stored.shape  # below 128 pixels they are not reduced
    assert np.abs(shown - stored).mean() < 4


def test_small_arrays_are_shown_pixel_by_pixel(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 17, (40, 8, 8)).astype(np.uint8)
    digits[:, 0, 0], digits[:, 0, 1] = 0, 16
    page, text = write(fitted(digits), digits, tmp_path)
    assert "data:image/jpeg" not in text
    first = next(i for i in page.images if "as observed" in (i.get("alt") or ""))
    row = int((first["alt"] or "").split()[1].rstrip(","))
    shown = np.asarray(Pillow.open(io.BytesIO(base64.b64decode((first["src"] or "").partition(",")[2]))))
    assert np.array_equal(shown, np.round(digits[row] / 16 * 255).astype(np.uint8))


def test_a_view_is_chosen_by_what_is_scored(model: Autoencoder, folder: Path) -> None:
    assert isinstance(report.make_view(model, folder), ImageView)
    images = photographs(30, size=(8, 8))
    mixed = pd.DataFrame({"image": images, "size": np.random.default_rng(0).normal(size=30)})
    assert isinstance(report.make_view(fitted(mixed), mixed), TableView)


def test_missing_images_have_no_card(tmp_path: Path) -> None:
    images: list[Any] = photographs(30, size=(10, 10))
    model = fitted({"image": images})
    images[3] = None
    data = pd.DataFrame({"image": images, "operator": ["Ann", "Bo"] * 15})
    page, text = write(model, data, tmp_path)
    assert not any("image 3," in (i.get("alt") or "") for i in page.images)
    assert "operator Ann" in text or "operator Bo" in text


def test_the_most_anomalous_and_typical_images_are_on_one_sheet_each(
    model: Autoencoder, folder: Path
) -> None:
    view = report.make_view(model, folder)
    assert isinstance(view, ImageView)
    (first, most), (second, typical) = sheets.contact_sheets(view)
    assert "most anomalous" in first and "Typical" in second
    assert len(most) == 20 and len(typical) == 20
    assert not {t.name for t in most} & {t.name for t in typical}
    order = [view.images.names[row] for row in np.argsort(-view.bits, kind="stable")]
    assert [t.name for t in most] == order[:20]


def test_the_heat_map_marks_what_stands_out() -> None:
    grey = np.full((6, 6, 1), 0.5, np.float32)
    bits = np.zeros((6, 6))
    bits[2, 3] = 30
    scale = HeatScale.of([bits], calibrated=True)
    drawn = scale.draw_over(grey, bits)
    coloured = np.abs(drawn - 0.5).max(2) > 1e-6
    assert np.argwhere(coloured).tolist() == [[2, 3]]
    high = heat_map.COLOURS[-1] / 255
    opacity = heat_map.MAX_OPACITY
    assert np.allclose(drawn[2, 3], (1 - opacity) * 0.5 + opacity * high, atol=1e-6)


def test_one_scale_serves_all_maps() -> None:
    weak, strong = np.full((9, 9), 12.0), np.full((9, 9), 45.0)
    scale = HeatScale.of([weak, strong], calibrated=True)
    assert (scale.low, scale.high) == (10, 45)
    grey = np.zeros((9, 9, 3), np.float32)
    assert scale.draw_over(grey, strong).sum() > scale.draw_over(grey, weak).sum() > 0
    assert HeatScale.of([np.full((9, 9), 900.0)], calibrated=True).high == heat_map.MAX_HIGH
    assert HeatScale.of([], calibrated=False).high > 0


def test_a_reduced_map_keeps_its_peak() -> None:
    bits = np.zeros((100, 90))
    bits[57, 33] = 40
    assert thumbnails.fit_map(bits, 10, 9).max() == 40
    assert thumbnails.fit_map(bits[:5, :5], 10, 9).shape == (10, 9)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2000, 3), (500, 300, 3), (64, 64, 1), (65, 10, 1)])
def test_thumbnails_have_the_size_that_is_asked_for(shape: tuple[int, int, int]) -> None:
    made = thumbnails.make_thumbnail(np.random.default_rng(0).random(shape).astype(np.float32), "x", most=96)
    image = Pillow.open(io.BytesIO(base64.b64decode(made.uri.partition(",")[2])))
    assert max(image.size) == min(max(shape[:2]), 96)
    assert made.smooth == (max(shape[:2]) > 64) == (image.format == "JPEG")


def test_without_pillow_thumbnails_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    from diabolo.errors import MissingExtraError

    def absent(*_: Any, **__: Any) -> None:
        raise MissingExtraError("no Pillow")

    monkeypatch.setattr(thumbnails, "need", absent)
    made = thumbnails.make_thumbnail(np.zeros((200, 100, 3), np.float32), "x", most=96)
    assert Pillow.open(io.BytesIO(base64.b64decode(made.uri.partition(",")[2]))).size == (32, 64)
    assert made.smooth


def test_thumbnails_on_the_map_do_not_overlap() -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 400, (500, 2))
    chosen = spread_out(places, 40, 30)
    away = np.abs(places[chosen][:, None] - places[chosen][None]).max(2) + 1e9 * np.eye(len(chosen))
    assert len(chosen) == 30 and away.min() >= 40
    assert spread_out(places[:1], 40, 30) == [0]


def test_the_map_draws_images_and_their_severity() -> None:
    places = charts.map_places(np.random.default_rng(0).normal(size=(5, 2)))
    small = thumbnails.make_thumbnail(np.zeros((4, 4, 1), np.float32), "one <image>", most=8)
    drawn = charts.latent_map("m", places, np.array([0.0, 10, 30, 60, 90]), {4: "ring"}, names=["a", "b"],
                              thumbnails={4: small})  # fmt: skip
    assert drawn.count("<image ") == 1 and "one &lt;image&gt;" in drawn
    assert drawn.index("<image ") < drawn.index("severity3") < drawn.index('class="ring"')


def test_names_of_images() -> None:
    import pyarrow as pa

    assert image_names(pa.array(["a/b/x.png", "a/c/y.png"])) == ["b/x.png", "c/y.png"]
    assert image_names(pa.array(["/a/x.png", "b/y.png"]))[1] == "b/y.png"
    assert image_names(pa.array([b"\x89PNG", None])) == ["image 0", "image 1"]


@pytest.fixture(scope="module")
def denoiser(folder: Path) -> Autoencoder:
    return fitted(folder, "denoising", budget="1s")


def test_before_and_after_are_compared_at_full_size(
    denoiser: Autoencoder, folder: Path, tmp_path: Path
) -> None:
    page, text = write(denoiser, folder, tmp_path)
    assert "Before and after the noise is removed" in page.headings
    assert text.count('class="compare"') == before_after.N_DENOISED
    assert sum((i.get("alt") or "").endswith(" without noise") for i in page.images) == 4
    assert before_after._middle(np.zeros((2000, 3000, 3))).shape == (320, 480, 3)


@pytest.mark.browser
def test_the_slider_between_before_and_after_moves(
    denoiser: Autoencoder, folder: Path, tmp_path: Path, chrome: Any
) -> None:
    from selenium.webdriver import ActionChains, Keys

    chrome.set_window_size(1200, 900)
    chrome.get(denoiser.report(folder, tmp_path / "report.html").as_uri())
    figure = chrome.find_element("css selector", ".compare")
    slider = figure.find_element("css selector", "input")
    shown = "return getComputedStyle(arguments[0].querySelector('.after')).clipPath"
    assert slider.is_displayed() and "50%" in chrome.execute_script(shown, figure)
    slider.send_keys(Keys.HOME)
    assert "50%" not in chrome.execute_script(shown, figure)
    assert slider.get_attribute("aria-valuetext").startswith("0 %")
    stack = figure.find_element("css selector", ".stack")
    ActionChains(chrome).move_to_element_with_offset(stack, stack.size["width"] // 4, 0).click().perform()
    assert slider.get_attribute("value") in ("74", "75", "76")
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    chrome.set_window_size(520, 900)
    assert chrome.execute_script(wide) <= 0
    assert chrome.execute_script("return performance.getEntriesByType('resource').filter(r => "
                                 "!r.name.startsWith('data:')).length") == 0  # fmt: skip
    assert chrome.get_log("browser") == []


def test_what_a_detector_expects_is_shown_in_the_units_of_the_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bright = np.full((40, 12, 12), 14) + rng.integers(-1, 2, (40, 12, 12))
    bright[:, 0, 0] = 0
    images = bright.astype(np.uint8)  # from 0 to 15, and shown from black to white
    model = fitted(images, "default")
    view = report.make_view(model, images)
    assert isinstance(view, ImageView) and view.has_detector
    expected = dict(view.cards()[0].shown)["Expected"]  # type: ignore[attr-defined]
    shown = np.asarray(Pillow.open(io.BytesIO(base64.b64decode(expected.uri.partition(",")[2]))))
    assert np.median(shown) > 200
    text = write(model, images, tmp_path)[1]
    assert "one normal pixel in a thousand" in text


def test_the_hash_is_that_of_the_images_not_of_their_place(
    model: Autoencoder, folder: Path, tmp_path: Path
) -> None:
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")

    def digest_of(place: Path) -> str:
        return dict(report.facts(report.make_view(model, place)))["SHA-256 of the data"]

    assert digest_of(copy) == digest_of(folder)
    Pillow.fromarray(photographs(1, seed=9)[0]).save(copy / "part 03.jpg")
    assert digest_of(copy) != digest_of(folder)
