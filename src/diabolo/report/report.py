"""The report: one HTML file that shows what is anomalous in the data, and how far that can be trusted."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import poisson

from diabolo.cleaning.rules.kinds import describe_rules
from diabolo.detection.calibration import severity
from diabolo.report import columns, latent
from diabolo.report.alarm_levels import alarm_levels
from diabolo.report.cards import Card
from diabolo.report.caveats import caveats
from diabolo.report.cleaning import cleaning
from diabolo.report.digest import digest
from diabolo.report.drawing import charts
from diabolo.report.drawing.axes import CLOCK_STEPS
from diabolo.report.formatting import approximate, count, format_bits, one_in, percent
from diabolo.report.image_view import ImageView
from diabolo.report.page import write_page
from diabolo.report.series_view import SeriesView
from diabolo.report.table_view import TableView
from diabolo.report.view import View
from diabolo.tasks.base import Model
from diabolo.utils.text import shorten
from diabolo.version import __version__

# The first that claims a model reads the data.
VIEWS: tuple[type[View], ...] = (ImageView, TableView, SeriesView)
MAX_RULE = 120  # characters of a dependency between columns: a choice
MAX_COMMAND = 2_000  # characters of the command line that are shown: a choice


def make_view(model: Model, data: Any) -> View:
    """Read data for a report, as the kind of data that the model was fitted on.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.

    Raises:
        DataError: the data cannot be read, or columns are missing.
    """
    view = next(view for view in VIEWS if view.claims(model.engine_))
    return view(model, data)


def write_report(model: Model, data: Any, path: str | Path, *, command: str | None = None) -> Path:
    """Write a report on the data: one HTML file that needs no network.

    Args:
        model: a fitted model.
        data: rows with the columns of the fit.
        path: the file to write.
        command: the command line that reproduces the report; None for the lines of Python.

    Returns:
        the path.

    Raises:
        MissingExtraError: jinja2 is not installed.
        DataError: the data cannot be read, columns are missing, or the file cannot be written.
    """
    path = Path(path)
    view = make_view(model, data)
    name = Path(data).name if isinstance(data, str | Path) else ""
    page = content(view, shorten(name), command or python_lines(model, name, path))
    page["cleaning"] = found = cleaning(view, name, command)
    if found is not None and found.total:
        page["verdict"] += f" {found.headline}"
    return write_page(path, f"{view.kind}_report", script="report.js", **page)


def content(view: View, name: str, command: str) -> dict[str, Any]:
    """Return the variables of the template; texts are plain, drawings are SVG.

    Args:
        view: the data.
        name: the name of its file; empty if it is not a file.
        command: how to reproduce the report.
    """
    cards = view.cards()
    return {
        "name": name,
        "verdict": verdict(view, cards),
        "notes": [f"{note[0].upper()}{note[1:]}." for note in view.scores.notes],
        "size": view.size,
        "unit": view.unit,
        "figures": key_figures(view),
        "clock": CLOCK_STEPS,
        "overview": view.overview(len(cards)),
        "cards": cards,
        "alarm_levels": alarm_levels(view),
        "columns": columns.column_table(view) if view.describes_columns else [],
        "hidden_columns": max(len(view.engine.schema.entries) - columns.MAX_COLUMNS, 0),
        "cells_are_hidden": view.engine.cell_network.corruption.masks,
        "dependencies": dependencies(view),
        "histograms": columns.value_histograms(view) if view.describes_columns else [],
        "map": latent.latent_map(view),
        "traversals": latent.traversals(view),
        "max_rings": latent.MAX_RINGS,
        "severity_grades": charts.SEVERITY_GRADES,
        "trainings": columns.training_curves(view),
        "caveats": caveats(view),
        "command": command[:MAX_COMMAND],
        "facts": facts(view),
        **view.further_content(),
    }


def dependencies(view: View) -> list[str]:
    """Return a line for each dependency between columns that was found or stated."""
    checks = view.engine.table_errors
    return [] if checks is None else [shorten(line, MAX_RULE) for line in describe_rules(checks.rules)]


SIGNIFICANCE_LEVEL = 0.05  # above it, as many alarms as there are come by chance; a choice


def verdict(view: View, cards: list[Card]) -> str:
    """Return the finding of the report in one sentence.

    Args:
        view: the data.
        cards: the most anomalous rows or episodes, the most anomalous first.
    """
    number = len(view.scores.episodes)
    if number == 0:
        return (
            f"No anomalies: none of the {count(view.user_table.rows)} {view.unit}s exceeds the alarm level."
        )
    chance = view.expected_by_chance
    # The probability of as many or more by chance.
    if chance is not None and poisson.sf(number - 1, max(chance, 1e-9)) > SIGNIFICANCE_LEVEL:
        usual = f"about {approximate(chance)} would be expected by chance"
        return f"{view.headline(number, cards[0])} That is no more than chance: {usual}."
    return view.headline(number, cards[0])


def key_figures(view: View) -> list[tuple[str, str, str]]:
    """Return (label, value, remark) of the numbers to know first."""
    scores, points, total = view.scores, f"{view.unit}s", view.user_table.rows
    alarms = int(scores.alarm.sum())
    by_chance = approximate(scores.alarm_rate * total)
    of_the_fit = any("calibrated on the rows of the fit" in note for note in view.engine.notes)
    return [
        *view.key_figures(),
        (
            f"{points.capitalize()} in alarm",
            count(alarms),
            f"{percent(alarms / total)} of {count(total)}; about {by_chance} by chance",
        ),
        ("Alarm level", f"{scores.threshold:.1f} bits", f"{one_in(scores.threshold)} normal {points}"),
        (
            "Highest score",
            format_bits(float(view.bits.max()), view.engine.calibration.max_bits),
            f"severity {severity(view.bits).max():.0f} of 100",
        ),
        (
            "Calibrated on",
            count(len(view.engine.calibration.scores)),
            f"{points} of the fit itself" if of_the_fit else f"{points} that the model had not learnt",
        ),
    ]


def facts(view: View) -> list[tuple[str, str]]:
    """Return (name, value) of what is needed to reproduce the report."""
    engine = view.engine
    networks = ", ".join(
        f"{name} ({sum(p.numel() for p in network.parameters()):,} weights)"
        for name, network in engine.networks.items()
    )
    lines = [
        ("SHA-256 of the data", digest(view.user_table, view.files)),
        *((f"fit: {key.replace('_', ' ')}", shorten(str(v))) for key, v in engine.facts.items()),
        ("networks", networks),
        ("diabolo", __version__),
        ("numpy", np.__version__),
        ("pyarrow", pa.__version__),
    ]
    if engine.facts.get("python") != platform.python_version():
        lines.append(("python of this report", platform.python_version()))
    return lines


def python_lines(model: Model, name: str, path: Path) -> str:
    """Return the lines of Python that make the report, as far as they are known.

    Args:
        model: a fitted model.
        name: the name of the data's file; empty if it is not a file.
        path: the file of the report.
    """
    data = repr(name) if name else "data"
    return f"model = {model!r}.fit({data})\nmodel.report({data}, {path.name!r})"
