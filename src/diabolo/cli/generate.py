"""Generated rows for the command line, one batch at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from diabolo.cli.arguments import GenerationOptions
from diabolo.tasks.generate import generate, in_batches
from diabolo.utils.progress import progress_bar

if TYPE_CHECKING:
    from diabolo.estimator.autoencoder import Autoencoder


def generate_tables(
    model: Autoencoder, n: int | None, requested: GenerationOptions, like: Any, *, quiet: bool
) -> Iterator[pa.Table]:
    """Yield tables of generated rows, with a progress bar if there is more than one.

    One table is in memory at a time, so that there may be more rows than fit into it.

    Args:
        model: a fitted model.
        n: number of rows; None for one per row of `like`.
        requested: the options of the command.
        like: rows that new rows keep some columns of, or None.
        quiet: show no progress bar.
    """
    options: dict[str, Any] = {
        "seed": requested.seed,
        "given": {name: parse_condition(text) for name, text in (requested.given or {}).items()},
        "where": requested.where or (),
        "observed": [names.split(",") for names in requested.observed or ()],
    }
    if like is not None or n is None:
        options |= {"like": like, "keep": requested.keep or ()}
        yield generate(model, n, **options).to_arrow()
        return
    start, done, show = time.perf_counter(), 0, progress_bar()
    for batch in in_batches(model, n, prior=requested.prior, series=requested.series, **options):
        table = pa.table(batch)
        done += table.num_rows
        if not quiet and (done < n or done > table.num_rows):
            elapsed = time.perf_counter() - start
            show("rows", done / n, elapsed * (n - done) / done)
        yield table


def parse_condition(text: str) -> Any:
    """Parse a condition as it is typed: a range, a list of values or one value.

    Example:
        >>> [parse_condition(text) for text in ("30..40", "18..", "Oslo|Rome", "Oslo")]
        [('30', '40'), ('18', None), ['Oslo', 'Rome'], 'Oslo']
    """
    low, dots, high = text.partition("..")
    if dots:
        return (low or None, high or None)
    return text.split("|") if "|" in text else text
