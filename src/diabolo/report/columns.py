"""How well the columns are predicted, and how what is expected compares with what is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diabolo.data.fields import Symbol
from diabolo.data.inference import missing_share
from diabolo.report.drawing import charts
from diabolo.report.formatting import clipped, percent
from diabolo.report.view import View

LINES = 200  # columns in the table of columns
PLOTS = 12  # columns whose values are drawn
BARS = "Bars: the values of the data. Line: the values the model expects in the same cells."


@dataclass(frozen=True)
class Quality:
    """One line of the table of columns.

    Attributes:
        words: how well it is predicted; empty if it is not.
        share: the same as a share from 0 to 1, or None.
        base: what guessing without a model would get.
    """

    name: str
    kind: str
    role: str
    missing: str
    about: str
    words: str = ""
    share: float | None = None
    base: float | None = None


def qualities(view: View) -> list[Quality]:
    """The columns: what they are, and how well each cell is predicted from the others of its row."""
    batch, cells = view.sample
    schema, made = view.engine.schema, []
    for entry, line in list(zip(schema.entries, schema.describe(), strict=True))[:LINES]:
        words, share, base = "", None, None
        if entry.role == "scored":
            slot = schema.slots_of(entry.name)[0]
            value = batch.values[slot.kind][:, slot.index].numpy()
            there = batch.visible[slot.kind][:, slot.index].numpy()
            expected = cells.expected[slot.kind][:, slot.index]
            known = there & np.isfinite(expected)
            got, said = value[known].astype(float), expected[known]
            if len(got) < 2:
                words = "too few values to say"
            elif slot.kind == Symbol.kind:
                base = float(np.unique(got, return_counts=True)[1].max() / len(got))
                share = float((got == np.round(said)).mean())
                words = f"{percent(share)} right; the commonest value: {percent(base)}"
            else:
                spread = float(((got - got.mean()) ** 2).mean())
                share = max(0.0, 1 - float(((got - said) ** 2).mean()) / spread) if spread > 0 else None
                words = "does not vary" if share is None else f"{percent(share)} of its variance"
                if share == 0:
                    words = "no better than its mean"
        about = line["learnt"] if entry.role != "ignored" else line["why"]
        made.append(
            Quality(
                clipped(entry.name, 40),
                line["kind"],
                entry.role,
                percent(_missing(view, entry.name, entry.missing)),
                clipped(about, 80),
                words,
                share,
                base,
            )
        )
    return made


def _missing(view: View, name: str, fitted: float) -> float:
    """The share of rows without a value, in this data."""
    if name not in view.columns:
        return fitted
    return missing_share(view.columns[name])


def marginals(view: View) -> list[tuple[str, str]]:
    """(column, drawing) of the numeric columns: how their values are spread, and what is expected of them."""
    batch, cells = view.sample
    schema, made = view.engine.schema, []
    for number, name in enumerate(schema.scored):
        if schema[name].kind not in ("number", "window"):
            continue
        slot = schema.slots_of(name)[0]
        there = batch.visible[slot.kind][:, slot.index].numpy().ravel()
        real, expected = (
            np.asarray(schema.decode(name, table, exact=False), dtype=float).ravel()
            for table in ({k: v.numpy() for k, v in batch.values.items()}, cells.expected)
        )
        known = there & np.isfinite(real) & np.isfinite(expected)
        if known.sum() < 2:
            continue
        title = f"{clipped(name, 40)}: real and expected values"
        made.append(
            (
                clipped(name, 40),
                charts.histograms(f"spread{number}", real[known], expected[known], title=title, words=BARS),
            )
        )
        if len(made) == PLOTS:
            break
    return made


def trainings(view: View) -> list[tuple[str, str, str]]:
    """(member, drawing, words) of each network: its losses over the epochs."""
    made = []
    history = view.engine.history
    for number, member in enumerate(dict.fromkeys(h["member"] for h in history)):
        lines = [h for h in history if h["member"] == member]
        epochs, fitted, held = (
            np.array([np.nan if h[k] is None else float(h[k]) for h in lines])
            for k in ("epoch", "total", "held_out")
        )
        if not np.isfinite(fitted).any():
            continue
        words = f"{lines[-1]['epoch']:.3g} epochs, {lines[-1]['seconds']:.2g} s"
        if np.isfinite(held).any():
            best = int(np.nanargmin(held))
            words += f"; best held-out loss {held[best]:.4g} at epoch {epochs[best]:.3g}"
        drawing = charts.training(f"training{number}", epochs, fitted, held, title=f"Training of {member}")
        made.append((clipped(member, 40), drawing, words))
    return made
