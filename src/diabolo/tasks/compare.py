"""The task "compare": how well new rows stand for real ones, and what they disclose of those of the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from diabolo import evaluation
from diabolo.data.columns import Boolean, Datetime, Image, Number, Values, Window
from diabolo.data.columns.convert import to_float, to_moments, to_seconds, to_text
from diabolo.data.sources import Frame, UserTable
from diabolo.engine import Engine
from diabolo.errors import DataError, OptionError, UnsupportedError
from diabolo.evaluation import PrivacyReport, Table, TwoSampleResult
from diabolo.tasks.base import Answer, Model, placeholder_table

MIN_ROWS = 20  # of each table: a choice


@dataclass
class Comparison(Answer):
    """A comparison of new rows with real ones.

    Attributes:
        real, synthetic: the tables that were compared: numbers, seconds since 1970, and labels as text.
        against: "unseen" or "fitted": the real rows that the discriminator was trained on.
        column_similarity: column -> the similarity of its values in both tables, 0 to 1.
        pair_similarity: two columns -> the similarity of their joint values, 0 to 1.
        discriminator: the result of the classifier two-sample test, with the importance of each column.
        privacy: what the new rows disclose of those of the fit.
        column_similarity_real, pair_similarity_real: the means for unseen real rows; None without any.
    """

    user_table: UserTable
    real: Table
    synthetic: Table
    against: str
    column_similarity: dict[str, float]
    pair_similarity: dict[tuple[str, str], float]
    discriminator: TwoSampleResult
    privacy: PrivacyReport
    column_similarity_real: float | None = None
    pair_similarity_real: float | None = None

    @property
    def figures(self) -> dict[str, float]:
        """The figures to quote: mean similarities, the AUROC of the discriminator, measures of privacy."""
        found = {
            "column_similarity": _mean(self.column_similarity),
            "column_similarity_real": self.column_similarity_real,
            "pair_similarity": _mean(self.pair_similarity),
            "pair_similarity_real": self.pair_similarity_real,
            "discriminator_auroc": self.discriminator.auroc,
            **asdict(self.privacy),
        }
        return {name: value for name, value in found.items() if isinstance(value, float)}

    def columns(self) -> dict[str, Any]:
        """Return a row for each column: its similarity, the lowest of its pairs, and its importance."""
        lowest = {
            name: min((v for pair, v in self.pair_similarity.items() if name in pair), default=float("nan"))
            for name in self.real
        }
        return {
            "column": list(self.real),
            "similarity": list(self.column_similarity.values()),
            "lowest_pair_similarity": list(lowest.values()),
            "discriminator_importance": [self.discriminator.importances[name] for name in self.real],
        }


def compare(
    model: Model, data: Any, *, synthetic: Any, unseen: Any = None, target: str | None = None, seed: int = 0
) -> Comparison:
    """Compare new rows with real ones, whoever made them.

    Columns one by one and in pairs are compared with the rows of the fit. A discriminator, boosted trees, is
    trained to tell new rows from unseen real ones (or, without such, from those of the fit): an AUROC of .5
    means that it cannot. What new rows disclose of the rows of the fit is measured, and what unseen rows
    disclose of them.

    Args:
        model: a fitted model; its schema says what the columns are.
        data: the rows of the fit.
        synthetic: the new rows.
        unseen: real rows that are not among those of the fit, if there are any.
        target: the column that an attacker wants to infer; None for the last label, or else the last column.
        seed: the seed of the samples of rows.

    Raises:
        UnsupportedError: the model is one of a series or of images.
        DataError: a table has fewer than 20 rows.
        SchemaError: a table lacks a column that the model reads.
        OptionError: the target is no column that the model reads.

    Example:
        >>> from diabolo import Autoencoder
        >>> from diabolo.datasets import adults
        >>> people = adults()
        >>> model = Autoencoder(epochs=1).fit(people.slice(0, 1000))
        >>> rows = model.generate(500, seed=0).to_frame()
        >>> found = model.compare(people.slice(0, 1000), synthetic=rows, unseen=people.slice(1000))
        >>> found.against, sorted(found.figures)[:3]
        ('unseen', ['attribute_accuracy', 'attribute_accuracy_real', 'closer_to_fit'])
    """
    engine = model.engine_
    names = _compared(engine)
    if engine.source.overlaps or any(isinstance(engine.schema[n], Window | Image) for n in names):
        raise UnsupportedError(
            "rows of a series or of images cannot be compared",
            hint="fit a table of numbers, labels and dates",
        )
    real, new = _read_table(engine, "data", data), _read_table(engine, "synthetic", synthetic)
    others = None if unseen is None else _read_table(engine, "unseen", unseen)
    if target is None:
        labels = [name for name in names if not isinstance(engine.schema[name], Number | Datetime)]
        target = (labels or names)[-1]
    if target not in names:
        raise OptionError(
            f"target={target!r} is no column that the model reads",
            hint=f"the columns are: {', '.join(names[:20])}",
        )
    random = np.random.default_rng(seed)
    shuffled, new_shuffled = _shuffle(real, random), _shuffle(new, random)
    return Comparison(
        user_table=placeholder_table(model.library_),
        real=real,
        synthetic=new,
        against="fitted" if others is None else "unseen",
        column_similarity=evaluation.column_similarity(real, new),
        pair_similarity=evaluation.pair_similarity(real, new),
        discriminator=evaluation.two_sample_test(
            real if others is None else others, new, seed=seed, importances=True
        ),
        privacy=evaluation.privacy_report(
            shuffled,
            new_shuffled,
            None if others is None else _shuffle(others, random),
            target=target,
        ),
        column_similarity_real=None if others is None else _mean(evaluation.column_similarity(real, others)),
        pair_similarity_real=None if others is None else _mean(evaluation.pair_similarity(real, others)),
    )


def _read_table(engine: Engine, name: str, data: Any) -> Table:
    """Return the columns that the model reads as plain arrays."""
    frame: Frame = engine.read(data)
    if frame.rows < MIN_ROWS:
        raise DataError(
            f"{name}: {frame.rows} rows are too few to compare; {MIN_ROWS} are needed",
            hint="generate more rows, or give more real ones",
        )
    columns = frame.user_table.columns()
    return {name: _to_plain(engine, name, columns[name]) for name in _compared(engine)}


def _compared(engine: Engine) -> list[str]:
    """Return the columns that are compared: all that the model reads, but not text: every value differs."""
    return [e.name for e in engine.schema.entries if e.predicts_values]


def _shuffle(table: Table, random: np.random.Generator) -> Table:
    """Return the rows of a table in random order."""
    return evaluation.take_rows(table, random.permutation(evaluation.row_count(table)))


def _mean(values: Mapping[Any, float]) -> float:
    """Return the mean similarity; 1 if there is nothing to compare."""
    return float(np.mean(list(values.values()))) if values else 1.0


def _to_plain(engine: Engine, name: str, values: Values) -> np.ndarray:
    """Return a column as numbers, seconds since 1970, or text."""
    column = engine.schema[name]
    if isinstance(column, Datetime):
        return to_seconds(to_moments(values, name, column.form))
    if isinstance(column, Number):
        return np.where(np.isinf(x := to_float(values, name)), np.nan, x)
    if isinstance(column, Boolean):  # the same text, however a file writes flags
        [(flags, present)] = column.encode(values, name)
        return np.where(present, np.where(flags == 2, "yes", "no"), evaluation.MISSING).astype(object)
    text = to_text(values, name)
    return np.asarray(text.fill_null(evaluation.MISSING).to_numpy(zero_copy_only=False), dtype=object)
