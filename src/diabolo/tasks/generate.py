"""Generate new rows, images or series from a fitted model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from diabolo.data.sources import UserTable
from diabolo.engine import Engine
from diabolo.generation import SAMPLERS, Fitted, Request, Sampler
from diabolo.generation.base import Table
from diabolo.tasks.base import Answer, Model, placeholder_table
from diabolo.tasks.kept_rules import exact_rules, keep_rules


@dataclass
class Generated(Answer):
    """New rows.

    Attributes:
        table: column -> values: the scored columns, their context, and the columns of the fit that can be
            made without a model: ids, which count on or are new, and constants.
    """

    user_table: UserTable
    table: Table

    def columns(self) -> dict[str, Any]:
        """Return the columns of the fit, without those that cannot be made."""
        return self.table


def generate(
    model: Model,
    n: int | None = None,
    *,
    seed: int | None = None,
    given: Mapping[str, Any] | None = None,
    like: Any = None,
    keep: Sequence[str] = (),
    where: Sequence[str] = (),
    observed: Sequence[Sequence[str]] = (),
    prior: str = "mixture",
    series: int | None = None,
) -> Generated:
    """Generate new rows, images or series, in the dataframe library of the fit.

    A masked network, which the default recipe has, samples one column after the other, in random orders,
    each given those that are sampled already (Uria et al., "A deep and tractable density estimator", 2014),
    and whether there is a value at all; context columns are those of remembered rows. A network with a
    bottleneck decodes latent codes, and samples every cell from its likelihood, with the missing values of
    the remembered row with the nearest code; of an image it returns the mean, as noise on each pixel makes
    no image better.

    A series continues for `n` points after the fit, or new series of `n` points each begin. A model without
    a bottleneck samples an eighth of a window at a time, given the window before it and the context (the
    calendar, and what is `given`), from a mixture of normal distributions over windows; scored columns
    besides the channels are those of the most similar remembered window; values are missing as they were in
    the fit.

    Rules between columns that hold exactly ("city -> country", "net + tax = gross") hold in new rows too: a
    value that others determine follows from these, unless it was asked for.

    Args:
        model: a fitted model.
        n: rows, or points of each series; with `like`, one row for each of those by default.
        seed: the same seed gives the same rows; None for other rows at each call.
        given: column -> what all rows have there: a value, a list of values, or for a number or a date a
            tuple (lowest, highest) of which one may be None; masked models only. For a series: context
            column -> one value.
        like: rows, of which new ones keep the columns of `keep`; all other columns are sampled. Masked
            models of a table only.
        keep: columns that are kept of `like`.
        where: constraints on rows: "start <= end", "age >= 18". Rows that violate one are sampled again.
        observed: groups of columns whose combinations must occur among the remembered rows.
        prior: the distribution of latent codes: "mixture", normal distributions fitted to the codes of
            remembered rows (for quantized codes, latent classes), or "normal", the standard normal
            distribution that the codes of a variational network are held near.
        series: new series of `n` points each, numbered in the column "series"; None for one that continues
            after the fit.

    Returns:
        The new rows; `to_frame()` gives them as a dataframe.

    Raises:
        UnsupportedError: the model cannot generate rows, or not with these options.
        OptionError: a column or a value is not known, no row satisfies the constraints, or an option has a
            value that cannot work.
    """
    request = Request.of(
        n,
        seed=seed,
        given=given,
        like=like,
        keep=keep,
        where=where,
        observed=observed,
        prior=prior,
        series=series,
    )
    batches = list(_batches(model.engine_, request))
    table = batches[0]
    if len(batches) > 1:
        table = {name: pa.concat_arrays([batch[name] for batch in batches]) for name in table}
    return Generated(placeholder_table(model.library_), table)


def in_batches(
    model: Model,
    count: int,
    *,
    seed: int | None = None,
    given: Mapping[str, Any] | None = None,
    where: Sequence[str] = (),
    observed: Sequence[Sequence[str]] = (),
    prior: str = "mixture",
    series: int | None = None,
) -> Iterator[Table]:
    """Return the rows of `generate` in tables of at most 65,536: their number is not bounded by memory.

    Args:
        model: a fitted model.
        count: rows, or points of each series.
        seed: the same seed gives the same rows.
        given: column -> what all rows have there.
        where: constraints on rows.
        observed: groups of columns whose combinations must occur among the remembered rows.
        prior: the distribution of latent codes.
        series: new series of `count` points each; None for one that continues after the fit.

    Raises:
        UnsupportedError, OptionError: as by `generate`.
    """
    request = Request.of(
        count, seed=seed, given=given, where=where, observed=observed, prior=prior, series=series
    )
    return _batches(model.engine_, request)


def _batches(engine: Engine, request: Request) -> Iterator[Table]:
    """Return an iterator over the rows, which satisfy the rules of the table."""
    sampler, rules = make_sampler(engine, request), exact_rules(engine)
    return (keep_rules(rules, table, request) for table in sampler.batches())


def make_sampler(fitted: Fitted, request: Request) -> Sampler:
    """Return the first listed sampler that serves the model, once it has accepted the request.

    Args:
        fitted: the model.
        request: what is asked for.

    Raises:
        UnsupportedError, OptionError: the request cannot be served.
    """
    kind = next(kind for kind in SAMPLERS if kind.serves(fitted))
    kind.accepts(fitted, request)
    return kind(fitted, request)
