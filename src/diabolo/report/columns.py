"""How well the columns are predicted, and how predictions compare with the observed values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diabolo.data.fields import Symbol
from diabolo.data.inference import missing_share
from diabolo.report.drawing import charts
from diabolo.report.formatting import percent
from diabolo.report.view import View
from diabolo.utils.text import shorten

MAX_COLUMNS = 200  # in the table of columns: a choice
MAX_HISTOGRAMS = 12  # a choice
HISTOGRAM_TEXT = "Bars: observed values. Line: the values that the model predicts for the same cells."


@dataclass(frozen=True)
class ColumnQuality:
    """One line of the table of columns.

    Attributes:
        name: of the column.
        kind: of the column.
        role: scored, context or ignored.
        missing: the share of missing values in the data, as text.
        about: what was learnt of it; of an ignored column, why it is ignored.
        text: how well it is predicted; empty if it is not scored.
        share: the same from 0 to 1 (accuracy, or explained variance); None if it has no number.
        base: of labels, the accuracy of always predicting the most frequent one.
    """

    name: str
    kind: str
    role: str
    missing: str
    about: str
    text: str = ""
    share: float | None = None
    base: float | None = None


def column_table(view: View) -> list[ColumnQuality]:
    """Return the columns: what they are, and how well their cells are predicted."""
    schema = view.engine.schema
    lines = []
    for entry, described in list(zip(schema.entries, schema.describe(), strict=True))[:MAX_COLUMNS]:
        about = described["learnt"] if entry.column is not None else described["why"]
        text, share, base = _quality(view, entry.name) if entry.role == "scored" else ("", None, None)
        present = entry.name in view.columns
        missing = missing_share(view.columns[entry.name]) if present else entry.missing
        lines.append(
            ColumnQuality(
                shorten(entry.name, 40),
                described["kind"],
                entry.role,
                percent(missing),
                shorten(about, 80),
                text,
                share,
                base,
            )
        )
    return lines


def _quality(view: View, name: str) -> tuple[str, float | None, float | None]:
    """How well the cells of a scored column are predicted: text, share and base of its line."""
    batch, cells = view.sample
    slot = view.engine.schema.slots_of(name)[0]
    value = batch.values[slot.kind][:, slot.index].numpy()
    visible = batch.visible[slot.kind][:, slot.index].numpy()
    expected = cells.expected[slot.kind][:, slot.index]
    known = visible & np.isfinite(expected)
    observed, predicted = value[known].astype(float), expected[known]
    if len(observed) < 2:
        return "too few values", None, None
    if slot.kind == Symbol.kind:
        base = float(np.unique(observed, return_counts=True)[1].max() / len(observed))
        share = float((observed == np.round(predicted)).mean())
        return f"{percent(share)} accuracy; most frequent value: {percent(base)}", share, base
    variance = float(((observed - observed.mean()) ** 2).mean())
    if not variance > 0:
        return "constant", None, None
    share = max(0.0, 1 - float(((observed - predicted) ** 2).mean()) / variance)
    return f"{percent(share)} of its variance" if share else "no better than its mean", share, None


def value_histograms(view: View) -> list[tuple[str, str]]:
    """Return (column, SVG) of the numeric columns: histograms of their observed and predicted values."""
    batch, cells = view.sample
    schema = view.engine.schema
    observed_values = {kind: values.numpy() for kind, values in batch.values.items()}
    drawings = []
    for number, name in enumerate(schema.scored):
        if schema[name].kind not in ("number", "window"):
            continue
        slot = schema.slots_of(name)[0]
        visible = batch.visible[slot.kind][:, slot.index].numpy().ravel()
        observed, expected = (
            np.asarray(schema.decode(name, values, exact=False), dtype=float).ravel()
            for values in (observed_values, cells.expected)
        )
        known = visible & np.isfinite(observed) & np.isfinite(expected)
        if known.sum() < 2:
            continue
        title = f"{shorten(name, 40)}: observed and expected values"
        drawing = charts.histogram(
            f"histogram{number}", observed[known], expected[known], title=title, description=HISTOGRAM_TEXT
        )
        drawings.append((shorten(name, 40), drawing))
        if len(drawings) == MAX_HISTOGRAMS:
            break
    return drawings


def training_curves(view: View) -> list[tuple[str, str, str]]:
    """Return (member, SVG, text) of each network: its losses over the epochs."""
    curves = []
    history = view.engine.history
    for number, member in enumerate(dict.fromkeys(h["member"] for h in history)):
        lines = [h for h in history if h["member"] == member]
        epochs, training, held_out = (
            np.array([np.nan if h[k] is None else float(h[k]) for h in lines])
            for k in ("epoch", "total", "held_out")
        )
        if not np.isfinite(training).any():
            continue
        text = f"{lines[-1]['epoch']:.3g} epochs, {lines[-1]['seconds']:.2g} s"
        if np.isfinite(held_out).any():
            best = int(np.nanargmin(held_out))
            text += f"; best held-out loss {held_out[best]:.4g} at epoch {epochs[best]:.3g}"
        title = f"Training of {member}"
        drawing = charts.training_curve(f"training{number}", epochs, training, held_out, title=title)
        curves.append((shorten(member, 40), drawing, text))
    return curves
