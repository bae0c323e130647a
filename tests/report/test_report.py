import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from diabolo import Autoencoder, tasks
from diabolo.data.sources import read_user_table
from diabolo.errors import DataError, SchemaError
from diabolo.report.digest import digest
from diabolo.report.drawing import charts

LIMIT = 2 * 1024 * 1024
VOID = {"meta", "link", "input", "br", "hr", "img"}


class Page(HTMLParser):
    """Checks that every element is closed where it should be, and gathers what tests ask about."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.links, self.handlers, self.ids, self.words = [], {}, [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name in ("src", "href", "action", "data", "xlink:href", "poster", "srcset"):
                self.links.append(value)
            if name.startswith("on"):
                self.handlers.append((tag, name))
            if name == "id":
                self.ids.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join("".join(self.words).split())


def fitted(data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of small data
        return Autoencoder(epochs=2, **options).fit(data)


def write(model, data, folder, **options):
    path = model.report(data, folder / "report.html", **options)
    raw = path.read_bytes()
    assert len(raw) <= LIMIT
    text = raw.decode()
    page = Page(text)
    assert all(link.startswith("#") or link == "data:," for link in page.links), page.links
    assert not re.search(r"https?:|url\(|@import", text)
    assert page.handlers == []
    assert page.tags["script"] == 1
    assert len(page.ids) == len(set(page.ids))
    assert "nan" not in re.findall(r'="([^"]*)"', text)
    assert not re.search(r'[ "MLV](nan|inf)\b', "".join(re.findall(r"<svg.*?</svg>", text, re.S)))
    return page


def people(rows=240):
    draw = np.random.default_rng(0)
    size = draw.normal(size=rows)
    made = pd.DataFrame(
        {
            "id": [f"P{i:04d}" for i in range(rows)],
            "height": 170 + 10 * size,
            "weight": 70 + 8 * size + draw.normal(size=rows),
            "city": np.where(size > 0, "Oslo", "Bergen"),
            "member": size > 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(draw.integers(0, 900, rows), "D"),
        }
    )
    return made


def machine(points=400, pumps=1):
    draw = np.random.default_rng(1)
    parts = []
    for pump in range(pumps):
        value = np.sin(np.arange(points) / 8 + pump) + 0.05 * draw.normal(size=points)
        value[300:306] = 4
        time = pd.date_range("2026-01-01", periods=points, freq="10min")
        parts.append(pd.DataFrame({"time": time, "flow": value, "load": 3 - value, "pump": f"pump {pump}"}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def table():
    data = people()
    changed = data.copy()
    changed.loc[17, "weight"] = 400.0
    return fitted(data), changed


@pytest.fixture(scope="module")
def series():
    data = machine().drop(columns="pump")
    return fitted(data, time="time", window=16), data


def test_a_table_is_reported(table, tmp_path):
    page = write(*table, tmp_path, command="diabolo report people.csv -o report.html")
    assert "row 17: weight is 400" in page.text
    assert "P0017" in page.text
    assert "diabolo report people.csv -o report.html" in page.text
    assert digest(read_user_table(table[1])) in page.text
    for heading in (
        "All rows",
        "The most anomalous rows",
        "Number of alarms",
        "Columns",
        "Map of the latent",
        "Caveats",
    ):
        assert heading in page.text


def test_a_series_is_reported(series, tmp_path):
    page = write(*series, tmp_path)
    assert "2026-01-03" in page.text
    assert "The most anomalous episodes" in page.text
    assert "Autoencoder(epochs=2, time='time', window=16)" in page.text
    assert page.tags["svg"] >= 5


def test_several_series_with_channels_gaps_and_shuffled_rows(tmp_path):
    data = machine(pumps=2).drop(index=range(100, 130)).sample(frac=1, random_state=0)
    page = write(fitted(data, time="time", by="pump", window=16), data, tmp_path)
    assert "pump 0" in page.text and "pump 1" in page.text


def test_a_series_without_times(tmp_path):
    data = {"value": machine()["flow"].to_numpy()}
    assert "Rows in alarm" not in write(fitted(data, window=16), data, tmp_path).text


def test_a_table_of_few_rows(tmp_path):
    draw = np.random.default_rng(0)
    data = pd.DataFrame({"a": draw.normal(size=30), "b": draw.choice(list("xyz"), 30)})
    page = write(fitted(data), data, tmp_path)
    assert "No anomalies" in page.text
    assert write(fitted(data), data.head(1), tmp_path).tags["article"] == 1


def test_missing_values(tmp_path):
    data = people()
    missing = np.random.default_rng(0).random(data.shape) < 0.3
    data = data.mask(missing).astype({"height": float, "weight": float})
    data["height"] = data["height"].where(data.index < 100)
    page = write(fitted(data), data, tmp_path)
    assert "missing" in page.text
    assert "More than a fifth of the values is missing" in page.text


def test_new_data_without_alarms_or_with_infinities(table, tmp_path):
    model, data = table
    new = data.drop(index=17).head(60).assign(extra=1)
    assert "Not in the data of the fit, and not read: extra" in write(model, new, tmp_path).text
    new["weight"] = np.where(new.index == 3, np.inf, new["weight"])
    assert "row 3: weight is ∞" in write(model, new, tmp_path).text


def test_plain_arrays_and_other_kinds_of_model(tmp_path):
    data = np.random.default_rng(0).normal(size=(100, 3))
    for recipe in ("vanilla", "variational", "masked"):
        write(fitted(data, recipe=recipe), data, tmp_path)


def test_text_of_the_data_is_never_markup(tmp_path):
    evil = "</title></svg><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{7*7}}"
    data = people(80).drop(columns="since")
    data["city"] = np.where(data.index % 3 == 0, evil, "\u202eOslo\x00")
    data = data.rename(columns={"weight": evil, "id": f"id {evil}"})
    data.index = [f"{evil}{i}" for i in range(len(data))]
    page = write(fitted(data), data, tmp_path, command=evil)
    assert "img" not in page.tags and "{{7*7}}" in page.text
    assert "\u202e" not in page.text and "\x00" not in page.text
    chart = machine().rename(columns={"flow": evil}).assign(pump=evil)
    page = write(fitted(chart, time="time", by="pump", window=16), chart, tmp_path)
    assert "img" not in page.tags


def test_wide_and_wordy_data_stays_small(tmp_path):
    draw = np.random.default_rng(0)
    wide = {f"{'long ' * 60}{i}": draw.normal(size=60) for i in range(230)}
    wide["text"] = np.array(["x" * 20_000, "y" * 20_000] * 30)
    page = write(fitted(wide), wide, tmp_path)
    assert "31 more columns are not listed" in page.text


def test_long_series_are_thinned_but_keep_their_spikes(tmp_path):
    value = np.sin(np.arange(30_000) / 50)
    model = fitted({"value": value[:2000]}, window=16)
    value[12_345] = 50
    page = write(model, {"value": value}, tmp_path)
    assert "50" in page.text and "12,3" in page.text


def test_the_same_data_gives_the_same_report(table, tmp_path):
    model, data = table
    first = model.report(data, tmp_path / "a.html", command="x").read_bytes()
    assert model.report(data, tmp_path / "b.html", command="x").read_bytes() == first


def test_the_hash_does_not_depend_on_how_the_data_is_held():
    whole = pa.table({"a": [1.0, None, 3.0], "b": ["x", "y", None]})
    pieces = pa.concat_tables([whole.slice(0, 1), whole.slice(1)]).replace_schema_metadata({"note": "x"})
    assert digest(read_user_table(whole)) == digest(read_user_table(pieces))
    assert digest(read_user_table(whole)) != digest(read_user_table(whole.slice(1)))


def test_errors_leave_no_file(table, tmp_path):
    model, data = table
    with pytest.raises(SchemaError, match="height"):
        model.report(data.drop(columns="height"), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError):
        model.report(data, tmp_path / "nowhere" / "report.html")


def rings(model, data, folder):
    """The titles of the rings of the map."""
    write(model, data, folder)
    text = (folder / "report.html").read_text()
    return re.findall(r"<title>([^<]*)</title>", text[text.index('id="latent') :].partition("</svg>")[0])


def test_rings_mark_what_the_legend_says(series, table, tmp_path):
    for (model, data), some in ((series, None), (table, "row 17:")):
        episodes = tasks.score(model, data).episodes
        found = rings(model, data, tmp_path)
        assert 0 < len(found) == min(len(episodes), 20)
        assert some is None or any(title.startswith(some) for title in found)
        bits = sorted((f"{e.bits:.1f} bits" for e in episodes), key=lambda b: -float(b.split()[0]))
        assert sorted(t.rpartition(": ")[2] for t in found) == sorted(bits[:20])


def test_only_alarms_are_drawn_as_alarms():
    bits = np.array([1.0, 5.0, 6.0])
    drawn = charts.row_scores("rows", bits, 5.0, {0: "a", 1: "b", 2: "c"}, title="rows")
    # A row on the level is no alarm: those are beyond it.
    assert drawn.count('class="mark no-alarm"') == 2 and drawn.count('class="mark"') == 1


def test_without_a_script_the_timeline_is_shown_and_its_toolbar_is_not(series, tmp_path):
    write(*series, tmp_path)
    figure = re.search(r'<figure class="timeline".*?</figure>', (tmp_path / "report.html").read_text(), re.S)[
        0
    ]
    assert '<p class="toolbar" hidden>' in figure
    assert figure.count('class="observed"') == 2 and figure.count('class="range"') == 2
    assert 'class="episode"' in figure and "bits alarm" in figure and figure.count('class="tick"') >= 3


def find(chrome, selector):
    return chrome.find_element("css selector", selector)


def in_view(chrome):
    """The part of the first timeline that is seen, in shares of its width, and the labels of its ticks."""
    pane = "document.querySelector('.pane')"
    start, width = chrome.execute_script(f"let b = {pane}.viewBox.baseVal; return [b.x, b.width]")
    whole = chrome.execute_script("return window.whole = window.whole || arguments[0]", width)
    ticks = [t.text for t in chrome.find_elements("css selector", ".timeline .tick")]
    return start / whole, (start + width) / whole, ticks


@pytest.mark.browser
def test_the_timeline_zooms_in_a_browser(series, tmp_path, chrome):
    from selenium.webdriver import ActionChains, Keys

    model, data = series
    chrome.set_window_size(1400, 900)
    chrome.get(model.report(data, tmp_path / "report.html").as_uri())
    whole = in_view(chrome)
    assert whole[:2] == (0, 1) and not find(chrome, "[name=whole]").is_enabled()

    svg, size = find(chrome, ".timeline svg"), find(chrome, ".timeline svg").size["width"]
    actions = ActionChains(chrome).scroll_to_element(svg)
    actions.move_to_element_with_offset(svg, 0, 0).click_and_hold().move_by_offset(
        size // 4, 9
    ).release().perform()
    start, end, ticks = in_view(chrome)
    left, wide = 52 / 1040, 978 / 1040
    assert start == pytest.approx((0.5 - left) / wide, abs=0.01)
    assert end == pytest.approx((0.75 - left) / wide, abs=0.01)
    assert ticks and ticks != whole[2]
    shown = find(chrome, ".toolbar output").text
    times = pd.to_datetime(shown.split(" to "))
    span = data["time"].iloc[-1] - data["time"].iloc[0]
    assert abs(times[0] - data["time"].iloc[0] - start * span) < pd.Timedelta("10min")

    ActionChains(chrome).double_click(svg).perform()
    assert in_view(chrome) == whole

    link = find(chrome, ".card h3 a")
    link.send_keys(Keys.ENTER)
    start, end, _ = in_view(chrome)
    highest = max(tasks.score(model, data).episodes, key=lambda e: e.bits)
    assert 0 < start < highest.start / len(data) < highest.end / len(data) < end < 1
    shaded = max(e.rect["width"] for e in chrome.find_elements("css selector", ".timeline .episode"))
    share = (highest.end - highest.start) / (len(data) - 1)
    assert shaded == pytest.approx(share / (end - start) * wide * size, rel=0.05)

    for name, smaller in (("in", True), ("out", False)):
        before = in_view(chrome)
        find(chrome, f"[name={name}]").send_keys(Keys.ENTER)
        after = in_view(chrome)
        assert (after[1] - after[0] < before[1] - before[0]) == smaller
    before = in_view(chrome)[0]
    find(chrome, "[name=earlier]").send_keys(Keys.SPACE)
    assert in_view(chrome)[0] < before
    find(chrome, "[name=whole]").send_keys(Keys.ENTER)
    assert in_view(chrome) == whole

    wheel = "arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: -50, ctrlKey: arguments[1]}))"
    chrome.execute_script(wheel, svg, False)
    assert in_view(chrome) == whole
    chrome.execute_script(wheel, svg, True)
    assert in_view(chrome)[1] - in_view(chrome)[0] < 0.9
    assert chrome.get_log("browser") == []


@pytest.mark.browser
def test_the_slider_moves_in_a_browser(series, table, tmp_path, chrome):
    from selenium.webdriver import Keys

    for number, (model, data) in enumerate((series, table)):
        path = model.report(data, tmp_path / f"{number}.html")
        chrome.get(path.as_uri())
        slider, summary = (chrome.find_element("id", name) for name in ("slider", "alarm-summary"))
        lines = chrome.find_elements("css selector", ".threshold")
        before = summary.text, [line.get_attribute("y1") + line.get_attribute("x1") for line in lines]
        assert "bits" in before[0] and len(lines) == 2
        slider.send_keys(Keys.HOME)
        after = summary.text, [line.get_attribute("y1") + line.get_attribute("x1") for line in lines]
        assert after[0].startswith("At 1.0 bits:")
        assert all(old != new for old, new in zip(before[1], after[1], strict=True))
        assert chrome.execute_script("return performance.getEntriesByType('resource').length") == 0
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        chrome.set_window_size(520, 900)
        assert chrome.execute_script(wide) <= 0
        assert chrome.get_log("browser") == []
