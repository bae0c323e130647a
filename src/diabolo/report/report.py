"""The report: one HTML file that says what is odd in the data, and how far that can be trusted."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.data.sources import UserTable
from diabolo.detection.calibration import severity
from diabolo.report import columns as quality
from diabolo.report import latent
from diabolo.report.caveats import caveats
from diabolo.report.drawing import charts, timeline
from diabolo.report.drawing.svg import CLOCK_STEPS
from diabolo.report.episodes import episodes
from diabolo.report.expected import with_expected
from diabolo.report.formatting import clipped, count, duration, one_in, percent, rough, several
from diabolo.report.page import write_page
from diabolo.report.rows import Card, odd_rows
from diabolo.report.view import View
from diabolo.version import __version__

STRANDS = 6  # series of one table that are drawn
CHANNELS = 8  # channels of a series that are drawn
ROOM = 40_000  # points of all lines of measured values together: what a page of 2 MB can hold
BATCH = 65_536


def write_report(model: Any, data: Any, path: str | Path, *, command: str | None = None) -> Path:
    """Write a report on the data: one HTML file that needs no network.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        path: where to.
        command: the command line to show for doing it again; without it, the lines of Python.

    Returns:
        the path.

    Raises:
        MissingExtraError: jinja2 is not installed.
        DataError: the data cannot be read, columns are missing, or the file cannot be written.
    """
    path = Path(path)
    view = View(model, data)
    name = Path(data).name if isinstance(data, str | Path) else ""
    shown = content(view, clipped(name), command or python_lines(model, name, path))
    return write_page(path, "report", **shown)


def content(view: View, name: str, command: str) -> dict[str, Any]:
    """Everything that the template shows; texts are plain, drawings are SVG."""
    source = view.series
    cards = odd_rows(view) if source is None else episodes(view, source)
    return {
        "name": name,
        "verdict": verdict(view, cards),
        "size": size(view),
        "figures": figures(view),
        "series": view.series is not None,
        "clock": CLOCK_STEPS,
        "overview": overview(view, len(cards)),
        "cards": cards,
        "slider": slider(view),
        "columns": quality.qualities(view),
        "hidden_columns": max(len(view.engine.schema.entries) - quality.LINES, 0),
        "hides": view.engine.cell_network.corruption.masks,
        "marginals": quality.marginals(view),
        "map": latent.latent_map(view),
        "traversals": latent.traversals(view),
        "rings": latent.RINGS,
        "levels": charts.LEVELS,
        "trainings": quality.trainings(view),
        "caveats": caveats(view),
        "command": command[:2000],
        "facts": facts(view),
    }


def verdict(view: View, cards: list[Card]) -> str:
    """What the report says, in one sentence."""
    number, rows, series = len(view.scores.episodes), view.user_table.rows, view.series is not None
    if number == 0:
        points = "points" if series else "rows"
        return f"Nothing stands out: none of the {count(rows)} {points} reaches the alarm level."
    first = cards[0]
    odd = next((c for c in first.cells if c.odd), None)
    why = ""
    if odd is not None and isinstance(odd.expected, str) and odd.expected != odd.got:
        if series:
            why = f", with {odd.column} at {odd.got} instead of {odd.expected}"
        else:
            why = f": {odd.column} is {odd.got} where {odd.expected} was expected"
    if not series:
        title = first.title.lower() + why
        if number == 1:
            return f"One row of {count(rows)} stands out, {title}."
        return f"{several(number, 'row')} of {count(rows)} stand out; the oddest is {title}."
    within = f"in {about(view.days)}" if view.days else f"in {several(rows, 'point')}"
    title = first.title.replace(": ", ", ", 1) + why
    if number == 1:
        return f"One episode {within} stands out, {title}."
    return f"{several(number, 'episode')} {within} stand out; the oddest is {title}."


def about(days: float) -> str:
    """A number of days, roughly."""
    return several(round(days), "day") if days >= 3 else duration(days * 86_400)


def size(view: View) -> str:
    """How large the data is, in words."""
    rows = several(view.user_table.rows, "row")
    text = f"{rows}, {several(len(view.columns), 'column')}"
    if view.series is None:
        return text
    strands = f", {len(view.strands)} series" if len(view.strands) > 1 else ""
    span = f", {about(view.days)}" if view.days else ""
    return text + strands + span


def figures(view: View) -> list[tuple[str, str, str]]:
    """(label, value, remark): the numbers to know first."""
    scores = view.scores
    alarms = int(scores.alarm.sum())
    calibrated = len(view.engine.calibration.scores)
    points = "points" if view.series is not None else "rows"
    made = []
    if view.series is not None:
        a_day = f"{rough(len(scores.episodes) / view.days)} a day" if view.days else ""
        made.append(("Episodes", count(len(scores.episodes)), a_day))
    share = f"{percent(alarms / view.user_table.rows)} of {count(view.user_table.rows)}"
    by_chance = rough(scores.alarm_rate * view.user_table.rows)
    made += [
        (f"{points.title()} in alarm", count(alarms), f"{share}; about {by_chance} by chance"),
        ("Alarm level", f"{scores.threshold:.1f} bits", f"{one_in(scores.threshold)} normal {points}"),
        ("Oddest", f"{view.bits.max():.1f} bits", f"severity {severity(view.bits).max():.0f} of 100"),
        ("Calibrated on", count(calibrated), f"{points} that were set aside"),
    ]
    if any("calibrated on the rows of the fit" in note for note in view.engine.notes):
        made[-1] = ("Calibrated on", count(calibrated), f"{points} of the fit itself")
    return made


@dataclass(frozen=True)
class Overview:
    """The drawings of all of the data, and what was left out of them."""

    pictures: list[tuple[str, str]]
    left_out: str


def overview(view: View, shown: int) -> Overview:
    """The series with its episodes, or how odd every row of the table is."""
    threshold = view.scores.threshold
    if view.series is None:
        top = np.argsort(-view.bits, kind="stable")[:shown].tolist()
        labels = {row: f"row {row:,}: {view.bits[row]:.1f} bits" for row in top}
        return Overview(
            [("", charts.rows("rows", view.bits, threshold, labels, title="How odd every row is"))], ""
        )
    strands, channels = view.strands[:STRANDS], view.channels[:CHANNELS]
    room = ROOM // (len(strands) * len(channels))
    pictures = []
    for number, strand in enumerate(strands):
        seen = with_expected(view, number, channels)
        drawing = timeline.draw(f"series{number}", seen, threshold, room=room)
        words = f"{len(seen.x)} points; {len(seen.spans)} shaded episodes; below, the oddness in bits."
        picture = drawing.svg(f"The series {strand.label}".strip(), words, "wide")
        pictures.append((strand.label, picture))
    left_out = []
    if len(view.strands) > STRANDS:
        left_out.append(f"the {STRANDS} oddest of {count(len(view.strands))} series are drawn")
    if len(view.channels) > CHANNELS:
        left_out.append(f"the first {CHANNELS} of {count(len(view.channels))} channels are drawn")
    return Overview(pictures, "; ".join(left_out))


@dataclass(frozen=True)
class Slider:
    """How many alarms there are at each level.

    Attributes:
        level: (levels,) bits.
        rows: (levels,) rows in alarm.
        episodes: (levels,) episodes; empty for a table.
        now: the place of the level in use.
        days: that the series covers; None without dates.
    """

    picture: str
    level: list[float]
    rows: list[int]
    episodes: list[int]
    now: int
    total: int
    days: float | None


def slider(view: View) -> Slider:
    """Alarms at levels half a bit apart, and at the level in use."""
    now = round(view.scores.threshold, 3)
    highest = min(max(float(view.bits.max()), now) + 1, now + 30)
    level = np.unique(np.append(np.arange(1, highest, 0.5), now))
    # Rounding must not move rows that lie on the level in use to its other side.
    exact = np.where(level == now, view.scores.threshold, level)
    ordered = np.sort(view.bits)
    rows = len(ordered) - np.searchsorted(ordered, exact, side="right")
    episodes: list[int] = []
    if view.series is not None:
        stretches = view.engine.source.group_alarms
        episodes = [len(stretches(view.frame, view.bits > v)) for v in exact]
    shown = np.array(episodes or rows, dtype=float) / (view.days or 1)
    unit = "Rows in alarm" if view.series is None else "Episodes a day" if view.days else "Episodes"
    chance = len(ordered) * np.exp2(-level) if view.series is None else None
    picture = charts.levels("levels", level, shown, chance, now, unit=unit)
    at = int(np.flatnonzero(level == now)[0])
    return Slider(
        picture, [round(float(v), 3) for v in level], rows.tolist(), episodes, at, len(ordered), view.days
    )


def facts(view: View) -> list[tuple[str, str]]:
    """What is needed to get the same report again."""
    engine = view.engine
    made = [("SHA-256 of the data", digest(view.user_table))]
    made += [(f"fit: {k.replace('_', ' ')}", clipped(str(v))) for k, v in engine.facts.items()]
    made += [
        (
            "networks",
            ", ".join(
                f"{n} ({sum(p.numel() for p in w.parameters()):,} weights)"
                for n, w in engine.networks.items()
            ),
        ),
        ("diabolo", __version__),
        ("numpy", np.__version__),
        ("pyarrow", pa.__version__),
    ]
    if engine.facts.get("python") != platform.python_version():
        made.append(("python of this report", platform.python_version()))
    return made


def digest(user_table: UserTable) -> str:
    """SHA-256 of the data as an Arrow stream of batches of 65,536 rows, whatever library it came from."""
    found = hashlib.sha256()

    class Sink:
        """A file that only remembers the hash of what is written to it."""

        closed = False

        def write(self, raw: bytes) -> int:
            found.update(raw)
            return len(raw)

        def flush(self) -> None:
            return None

        def close(self) -> None:
            return None

    table = user_table.table.replace_schema_metadata(None)
    with pa.ipc.new_stream(pa.PythonFile(Sink(), "w"), table.schema) as stream:
        for start in range(0, table.num_rows, BATCH):
            stream.write_table(table.slice(start, BATCH).combine_chunks())
    return found.hexdigest()


def python_lines(model: Any, name: str, path: Path) -> str:
    """The lines of Python that make the report, as far as they are known."""
    data = repr(name) if name else "data"
    return f"model = {model!r}.fit({data})\nmodel.report({data}, {path.name!r})"
