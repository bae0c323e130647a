"""New rows for the command line, a table at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from diabolo.cli.arguments import Wanted
from diabolo.tasks.generate import generate, in_batches
from diabolo.utils.progress import progress_bar

if TYPE_CHECKING:
    from diabolo.estimator.autoencoder import Autoencoder


def draw_tables(
    model: Autoencoder, n: int | None, wanted: Wanted, like: Any, *, quiet: bool
) -> Iterator[pa.Table]:
    """Tables of new rows; more than fit into memory come one after the other, with a bar."""
    options: dict[str, Any] = {
        "seed": wanted.seed,
        "given": {name: as_wish(text) for name, text in (wanted.given or {}).items()},
        "where": wanted.where or (),
        "observed": [names.split(",") for names in wanted.observed or ()],
    }
    if like is not None or n is None:
        options |= {"like": like, "keep": wanted.keep or ()}
        yield generate(model, n, **options).to_arrow()
        return
    began, done, show = time.perf_counter(), 0, progress_bar()
    for batch in in_batches(model, n, prior=wanted.prior, series=wanted.series, **options):
        table = pa.table(batch)
        done += table.num_rows
        if not quiet and (done < n or done > table.num_rows):
            spent = time.perf_counter() - began
            show("rows", done / n, spent * (n - done) / done)
        yield table


def as_wish(text: str) -> Any:
    """What is typed, as `generate` takes it: a range, a list or one value.

    Example:
        >>> as_wish("30..40"), as_wish("18.."), as_wish("Oslo|Rome"), as_wish("Oslo")
        (('30', '40'), ('18', None), ['Oslo', 'Rome'], 'Oslo')
    """
    low, dots, high = text.partition("..")
    if dots:
        return (low or None, high or None)
    return text.split("|") if "|" in text else text
