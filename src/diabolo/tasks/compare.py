"""Could these rows be real?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from diabolo import evaluation as likeness
from diabolo.data.columns import Boolean, Datetime, Number, Values
from diabolo.data.columns.convert import to_float, to_moments, to_seconds, to_text
from diabolo.data.sources import Series, UserTable
from diabolo.engine import Engine
from diabolo.errors import DataError, OptionError, UnsupportedError
from diabolo.evaluation import PrivacyReport, Table, Verdict
from diabolo.tasks.base import Answer, Model, nothing_asked

FEWEST = 20  # rows of each table


@dataclass
class Comparison(Answer):
    """How well new rows stand for real ones, and what they give away.

    Attributes:
        real, synthetic: the tables that were compared: numbers, seconds since 1970, and labels as text.
        against: "unseen" or "fitted": the real rows that the judge was shown.
        columns_alike: column -> how alike its values are, 0 to 1.
        pairs_alike: two columns -> how alike they go together, 0 to 1.
        columns_real, pairs_real: the mean of the same, of unseen real rows; None without any.
        verdict: what a judge made of it, and what it looked at.
        leaks: what the new rows give away of the fitted ones.
    """

    user_table: UserTable
    real: Table
    synthetic: Table
    against: str
    columns_alike: dict[str, float]
    pairs_alike: dict[tuple[str, str], float]
    verdict: Verdict
    leaks: PrivacyReport
    columns_real: float | None = None
    pairs_real: float | None = None

    @property
    def figures(self) -> dict[str, float]:
        """The numbers to quote: columns, pairs, judge, and what is given away."""
        found = {
            "columns": _mean(self.columns_alike),
            "columns_real": self.columns_real,
            "pairs": _mean(self.pairs_alike),
            "pairs_real": self.pairs_real,
            "judge": self.verdict.auroc,
            **asdict(self.leaks),
        }
        return {name: value for name, value in found.items() if isinstance(value, float)}

    def columns(self) -> dict[str, Any]:
        """A line for each column: how alike it is, at worst with another, and its worth to the judge."""
        worst = {
            name: min((v for pair, v in self.pairs_alike.items() if name in pair), default=float("nan"))
            for name in self.real
        }
        return {
            "column": list(self.real),
            "alike": list(self.columns_alike.values()),
            "worst_pair": list(worst.values()),
            "judge": [self.verdict.looked_at[name] for name in self.real],
        }


def compare(
    model: Model, data: Any, *, synthetic: Any, unseen: Any = None, target: str | None = None, seed: int = 0
) -> Comparison:
    """Hold new rows against real ones, whoever made them.

    Columns one by one and in pairs are compared with the rows of the fit. Boosted trees try to tell new rows
    from unseen real ones (or, without such, from those of the fit): an AUROC of .5 means that they cannot.
    What is given away of the rows of the fit is measured beside what unseen rows would give away.

    Args:
        model: a fitted model; it says what the columns are.
        data: the rows of the fit.
        synthetic: the new rows.
        unseen: real rows that are not among those of the fit, if there are any.
        target: the column that an attacker wants to guess; None for the last label, or else the last column.
        seed: of the rows that the judge is shown.

    Raises:
        UnsupportedError: the model is one of a series or of pictures.
        DataError: a table has fewer than 20 rows, or lacks columns.
        OptionError: the target is no column that is read.

    Example:
        >>> from diabolo import Autoencoder
        >>> from diabolo.datasets import adults
        >>> people = adults()
        >>> model = Autoencoder(epochs=1).fit(people.slice(0, 1000))
        >>> rows = model.generate(500, seed=0).to_frame()
        >>> found = model.compare(people.slice(0, 1000), synthetic=rows, unseen=people.slice(1000))
        >>> found.against, sorted(found.figures)[:4]
        ('unseen', ['attribute', 'attribute_real', 'closer', 'closest'])
    """
    engine = model.engine_
    names = [e.name for e in engine.schema.used]
    for name in names:
        kind = engine.schema[name].kind
        if isinstance(engine.source, Series) or kind in ("window", "image"):
            raise UnsupportedError("rows are compared of tables of numbers, labels and dates")
    parts = {"data": data, "synthetic": synthetic} | ({} if unseen is None else {"unseen": unseen})
    frames = {name: engine.read(part) for name, part in parts.items()}
    for name, frame in frames.items():
        if frame.rows < FEWEST:
            raise DataError(f"{name}: {frame.rows} rows are too few to compare; {FEWEST} are needed")
    labels = [name for name in names if not _is_number(engine, name)]
    if target is None:
        target = (labels or names)[-1]
    if target not in names:
        raise OptionError(
            f"target={target!r} is no column that the model reads", hint=f"of {', '.join(names[:20])}"
        )
    raw = {name: frame.user_table.columns() for name, frame in frames.items()}
    tables = {
        name: {column: _values(engine, column, values[column]) for column in names}
        for name, values in raw.items()
    }
    fitted, new, others = tables["data"], tables["synthetic"], tables.get("unseen")
    judged = fitted if others is None else others
    random = np.random.default_rng(seed)
    shuffled = [
        None if t is None else likeness.take_rows(t, random.permutation(likeness.row_count(t)))
        for t in (fitted, new, others)
    ]
    assert shuffled[0] is not None and shuffled[1] is not None
    return Comparison(
        nothing_asked(model.library_),
        fitted,
        new,
        "fitted" if others is None else "unseen",
        likeness.column_similarity(fitted, new),
        likeness.pair_similarity(fitted, new),
        likeness.two_sample_test(judged, new, seed=seed, reasons=True),
        likeness.privacy_report(shuffled[0], shuffled[1], shuffled[2], target=target),
        None if others is None else _mean(likeness.column_similarity(fitted, others)),
        None if others is None else _mean(likeness.pair_similarity(fitted, others)),
    )


def _mean(found: Mapping[Any, float]) -> float:
    return float(np.mean(list(found.values()))) if found else 1.0


def _is_number(engine: Engine, name: str) -> bool:
    return isinstance(engine.schema[name], Number | Datetime)


def _values(engine: Engine, name: str, values: Values) -> np.ndarray:
    """A column as plain values: numbers, seconds since 1970, or text."""
    column = engine.schema[name]
    if isinstance(column, Datetime):
        return to_seconds(to_moments(values, name, column.form))
    if isinstance(column, Number):
        return np.where(np.isinf(x := to_float(values, name)), np.nan, x)
    if isinstance(column, Boolean):  # however a file writes them
        [(flags, there)] = column.encode(values, name)
        return np.where(there, np.where(flags == 2, "yes", "no"), likeness.MISSING).astype(object)
    text = to_text(values, name)
    return np.asarray(text.fill_null(likeness.MISSING).to_numpy(zero_copy_only=False), dtype=object)
