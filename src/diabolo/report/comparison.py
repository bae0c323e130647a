"""The comparison page: how synthetic rows differ from real rows, and what they reveal about the fit."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diabolo import tasks
from diabolo.data.columns import Datetime
from diabolo.data.sources import UserTable, read_user_table
from diabolo.engine import Engine
from diabolo.evaluation import MISSING, is_number, row_count
from diabolo.report.digest import digest
from diabolo.report.drawing import comparison_charts
from diabolo.report.drawing.axes import format_time
from diabolo.report.formatting import count, count_of, format_value, percent
from diabolo.report.page import write_page
from diabolo.report.privacy import NEAR_CHANCE, concerns, privacy
from diabolo.tasks import Comparison
from diabolo.tasks.base import Model
from diabolo.utils.text import shorten
from diabolo.version import __version__

# What the page shows, and from where on: choices.
MAX_CHARTS = 60  # columns that are drawn
MAX_MATRIX_COLUMNS = 40  # columns of the matrix of pairs
MAX_PAIRS = 10  # pairs with the lowest similarity, and columns that the classifier relies on
MAX_RECOGNISED_ROWS = 5  # synthetic rows that the classifier is most certain of
MAX_RECOGNISED_COLUMNS = 6  # columns of these rows
MAX_COMMAND = 2_000  # characters of the command line that are shown
MIN_IMPORTANCE = 0.003  # loss of AUROC without a column, for the column to be listed
MIN_SEEN_UNSEEN_SHARE = 0.03  # of the unseen rows in the fit, above which a caveat says so
MIN_SEEN_SHARE = 0.9  # of the data in the fit, below which a caveat says so
CLASSIFIER_GRADES = (  # (AUROC of the classifier below this limit, what that means)
    (0.53, "no better than chance"),
    (0.6, "slightly better than chance"),
    (0.75, "clearly better than chance"),
    (0.9, "synthetic rows are recognised more often than not"),
    (1.0, "synthetic rows can be told apart from real rows"),
)
DATA, SYNTHETIC, UNSEEN = "the data", "the synthetic rows", "the unseen rows"  # names of the tables


def write_comparison(
    model: Model,
    data: Any,
    path: str | Path,
    *,
    synthetic: Any,
    unseen: Any = None,
    command: str | None = None,
) -> Path:
    """Write a page that compares synthetic rows with real rows: one HTML file that needs no network.

    Args:
        model: a fitted model.
        data: the rows of the fit.
        path: the file to write.
        synthetic: the synthetic rows, of any generator.
        unseen: real rows that are not among those of the fit; None if there are none.
        command: the command line that reproduces the page; None for the lines of Python.

    Returns:
        the path.

    Raises:
        MissingExtraError: jinja2 is not installed.
        UnsupportedError: the model is one of a series or of images.
        DataError: a table cannot be read, or is too small; or the file cannot be written.
    """
    tables = {DATA: read_user_table(data), SYNTHETIC: read_user_table(synthetic)}
    if unseen is not None:
        tables[UNSEEN] = read_user_table(unseen)
    comparison = tasks.compare(model, tables[DATA], synthetic=tables[SYNTHETIC], unseen=tables.get(UNSEEN))
    more = "" if unseen is None else ", unseen=unseen"
    lines = f"model = {model!r}.fit(data)\nmodel.report(data, {Path(path).name!r}, synthetic=rows{more})"
    return write_page(
        Path(path),
        "comparison",
        name=shorten(Path(synthetic).name) if isinstance(synthetic, str | Path) else "",
        command=(command or lines)[:MAX_COMMAND],
        facts=[
            *((f"SHA-256 of {name}", digest(user_table)) for name, user_table in tables.items()),
            ("diabolo", __version__),
            ("python", platform.python_version()),
        ],
        **content(model.engine_, comparison, tables),
    )


def content(engine: Engine, comparison: Comparison, tables: Mapping[str, UserTable]) -> dict[str, Any]:
    """Return the variables of the template that depend on the comparison; drawings are SVG.

    Args:
        engine: the fitted engine.
        comparison: the comparison of the tables.
        tables: name -> table that was compared.
    """
    test = comparison.discriminator
    names = list(comparison.real)[:MAX_MATRIX_COLUMNS]
    return {
        "verdict": verdict(test.auroc),
        "size": _size(comparison),
        "figures": key_figures(comparison),
        "against": comparison.against,
        "classified": [count(rows) for rows in test.n_rows],
        "near_chance": test.auroc <= NEAR_CHANCE,
        "importance": column_importance(comparison),
        "recognised": recognised_rows(engine, comparison),
        "columns": compared_columns(engine, comparison),
        "left_out": max(len(comparison.real) - MAX_CHARTS, 0),
        "matrix": comparison_charts.pair_matrix(
            "pairs", names, comparison.column_similarity, comparison.pair_similarity
        ),
        "similarity_grades": comparison_charts.SIMILARITY_GRADES,
        "pairs": worst_pairs(comparison),
        "privacy": privacy(comparison.privacy),
        "concerns": concerns(comparison.privacy),
        "caveats": caveats(engine, comparison, tables),
    }


def verdict(auroc: float) -> str:
    """Return the AUROC of the classifier as a sentence.

    Example:
        >>> verdict(0.514).partition(", ")[2]
        'a classifier picks the synthetic one in 51 % of cases: no better than chance.'
    """
    meaning = next((text for limit, text in CLASSIFIER_GRADES if auroc < limit), CLASSIFIER_GRADES[-1][1])
    return (
        f"Of a real and a synthetic row, a classifier picks the synthetic one in {percent(auroc)} of cases: "
        f"{meaning}."
    )


def _size(comparison: Comparison) -> str:
    """The size of the tables, as text."""
    rows = count_of(row_count(comparison.synthetic), "synthetic row")
    real = f"{count(row_count(comparison.real))} of the fit"
    return f"{rows}, {real}, {count_of(len(comparison.real), 'column')}"


def key_figures(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Return (label, value, remark) of the numbers to know first."""
    figures = comparison.figures

    def remark(name: str) -> str:
        same = "100 %: same distribution"
        return f"{percent(figures[name])} for unseen rows; {same}" if name in figures else same

    copies = "of the synthetic rows"
    if "copies_real" in figures:
        copies = f"of unseen rows {percent(figures['copies_real'])}"
    return [
        (
            "Classifier",
            f"{figures['discriminator_auroc']:.3f}",
            "AUROC; 0.5: cannot be told apart from real rows",
        ),
        ("Column similarity", percent(figures["column_similarity"]), remark("column_similarity_real")),
        ("Pair similarity", percent(figures["pair_similarity"]), remark("pair_similarity_real")),
        ("Copies", percent(figures["copies"]), copies),
    ]


@dataclass(frozen=True)
class Importance:
    """A column that the classifier relies on.

    Attributes:
        column: its name.
        points: the AUROC that is lost without it, in hundredths.
        share: the same as a share of the highest one.
    """

    column: str
    points: float
    share: float


def column_importance(comparison: Comparison) -> list[Importance]:
    """Return the columns that the classifier relies on most."""
    lost = sorted(comparison.discriminator.importances.items(), key=lambda item: -item[1])[:MAX_PAIRS]
    highest = max((v for _, v in lost), default=0)
    return [Importance(shorten(name, 40), 100 * v, v / highest) for name, v in lost if v >= MIN_IMPORTANCE]


@dataclass(frozen=True)
class RecognisedRows:
    """The synthetic rows that the classifier is most certain of.

    Attributes:
        columns: the names of the columns that are shown.
        rows: (title, probability of being synthetic, values) of each row.
    """

    columns: list[str]
    rows: list[tuple[str, str, list[str | None]]]


def recognised_rows(engine: Engine, comparison: Comparison) -> RecognisedRows:
    """Return the recognised rows, in the columns that the classifier relies on most.

    Args:
        engine: the fitted engine.
        comparison: the comparison of the tables.
    """
    test = comparison.discriminator
    names = sorted(comparison.real, key=lambda name: -test.importances[name])[:MAX_RECOGNISED_COLUMNS]
    rows = []
    for place in np.argsort(-test.probabilities, kind="stable")[:MAX_RECOGNISED_ROWS].tolist():
        row = int(test.rows[place])
        values = [_format_cell(engine, name, comparison.synthetic[name][row]) for name in names]
        rows.append((f"row {row:,}", percent(float(test.probabilities[place])), values))
    return RecognisedRows([shorten(name, 30) for name in names], rows)


def _format_cell(engine: Engine, name: str, value: Any) -> str | None:
    """One value of a compared table as text; None if it is missing."""
    if isinstance(value, float):
        if np.isnan(value):
            return None
        return format_time(value) if isinstance(engine.schema[name], Datetime) else format_value(value)
    return None if value == MISSING else shorten(str(value), 30)


@dataclass(frozen=True)
class ComparedColumn:
    """A column of both tables.

    Attributes:
        name: of the column.
        similarity: of its distributions, as text.
        missing: the shares of missing values; empty if there are none.
        drawing: its distributions as SVG.
    """

    name: str
    similarity: str
    missing: str
    drawing: str


def compared_columns(engine: Engine, comparison: Comparison) -> list[ComparedColumn]:
    """Return the columns, those with the lowest similarity first.

    Args:
        engine: the fitted engine.
        comparison: the comparison of the tables.
    """
    columns = []
    names = sorted(comparison.real, key=lambda name: comparison.column_similarity[name])[:MAX_CHARTS]
    for number, name in enumerate(names):
        real, new = comparison.real[name], comparison.synthetic[name]
        gone_real, gone_new = (np.isnan(v) if is_number(v) else v == MISSING for v in (real, new))
        missing = ""
        if gone_real.any() or gone_new.any():
            missing = f"missing: {percent(gone_real.mean())} real, {percent(gone_new.mean())} synthetic"
        chart, title = f"column{number}", f"{shorten(name, 40)}: real and synthetic values"
        if is_number(real):
            dates = isinstance(engine.schema[name], Datetime)
            drawing = comparison_charts.number_chart(
                chart, real[~gone_real], new[~gone_new], dates=dates, title=title
            )
        else:
            drawing = comparison_charts.label_chart(chart, real, new, title=title)
        similarity = percent(comparison.column_similarity[name])
        columns.append(ComparedColumn(shorten(name, 40), similarity, missing, drawing))
    return columns


def worst_pairs(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Return (column, column, similarity) of the pairs with the lowest similarity, the lowest first."""
    worst = sorted(comparison.pair_similarity.items(), key=lambda item: item[1])[:MAX_PAIRS]
    return [(shorten(one, 40), shorten(two, 40), percent(value)) for (one, two), value in worst]


def caveats(engine: Engine, comparison: Comparison, tables: Mapping[str, UserTable]) -> list[str]:
    """Return what a reader should know before relying on the page, as sentences.

    Args:
        engine: the fitted engine.
        comparison: the comparison of the tables.
        tables: name -> table that was compared.
    """
    rows = comparison.discriminator.n_rows
    sentences = [
        "All privacy figures are averages. They do not rule out that a single, unusual row leaves a trace, "
        "and nothing here is a guarantee of differential privacy. Rare labels and extreme numbers of the "
        "data occur in synthetic rows; min_count and clip keep them out of the model.",
        f"The classifier, boosted trees, learnt from half of {' and '.join(map(count, rows))} rows: "
        "with more rows, it may recognise more.",
    ]
    if comparison.against == "fitted":
        sentences.append(
            "There were no unseen rows: the classifier was given rows of the fit, and the usual difference "
            "between real rows is not known. Give --unseen FILE, or unseen=, for a fair comparison."
        )
    elif comparison.figures["column_similarity_real"] < comparison.figures["column_similarity"] and (
        rows[0] < row_count(comparison.synthetic)
    ):
        sentences.append(
            "There are fewer unseen rows than synthetic ones, so their columns and pairs are less similar "
            "by chance alone."
        )
    seen = _share_of_seen_rows(engine, tables[DATA])
    if seen is not None and seen < MIN_SEEN_SHARE:
        sentences.append(
            f"Only {percent(seen)} of the data are rows that the model was fitted on; the privacy figures "
            "are about all of them."
        )
    seen = _share_of_seen_rows(engine, tables[UNSEEN]) if UNSEEN in tables else None
    if seen is not None and seen > MIN_SEEN_UNSEEN_SHARE:
        sentences.append(f"{percent(seen)} of the unseen rows are identical to rows of the fit.")
    unread = [shorten(e.name, 40) for e in engine.schema.entries if not e.predicts_values]
    if unread:
        sentences.append(f"Not compared, as their values are not predicted: {', '.join(unread[:10])}.")
    return sentences


def _share_of_seen_rows(engine: Engine, user_table: UserTable) -> float | None:
    """The share of rows that the fit has seen; None if the model does not remember them."""
    seen_rows = engine.rows.of_seen_rows
    if seen_rows is None:
        return None
    frame = engine.read(user_table)
    seen = [seen_rows.contains(batch) for _, batch in engine.chunks(frame)]
    return float(np.concatenate(seen).mean())
