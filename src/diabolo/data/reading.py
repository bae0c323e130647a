"""The data of a fit, read as the options of the model request: its source, its rows and its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diabolo.data.coarsening import coarsen
from diabolo.data.entries import requested_kinds
from diabolo.data.inference import is_row_counter
from diabolo.data.schema import Schema
from diabolo.data.sources import SOURCES, Frame, Source, UserTable
from diabolo.errors import OptionError
from diabolo.utils.checks import check_fraction, check_int

# Options that are lists of names of columns, or one name.
NAME_OPTIONS = ("scored", "context", "ignore", "numeric", "categorical")
# Of these, the ones whose columns are no channels of a series.
EXTRA_COLUMN_OPTIONS = ("context", "ignore", "categorical")


@dataclass(frozen=True)
class FitData:
    """The data of a fit.

    Attributes:
        user_table: the user's table, coarsened if that was requested.
        source: how the table is read.
        frame: its rows or windows.
        schema: what its columns are.
        coarsened: what was merged and clipped, in a sentence; empty if nothing was.
    """

    user_table: UserTable
    source: Source
    frame: Frame
    schema: Schema
    coarsened: str = ""


def read_fit_data(options: Mapping[str, Any], user_table: UserTable) -> FitData:
    """Read the data of a fit.

    Args:
        options: name -> value of every option of `Autoencoder`.
        user_table: the user's data.

    Raises:
        OptionError: an option cannot be met, or names a column that the data does not have.
        DataError: the data cannot be read, or no column of it can be scored.
    """
    options = _without_optional(_with_name_lists(options), user_table)
    min_count = check_int("min_count", options["min_count"])
    clip = check_fraction("clip", options["clip"])
    if clip >= 0.5:
        raise OptionError(
            f"clip={clip}: less than half of the values can be clipped at each end", hint="clip=0.01"
        )
    counters = _find_row_counters(options, user_table)
    source = _make_source(options, user_table, counters)
    frame = source.read(user_table)
    schema = _make_schema(options, frame, source, counters)
    if min_count == 1 and clip == 0:
        return FitData(user_table, source, frame, schema)
    user_table, coarsened = coarsen(
        user_table, schema, min_count=min_count, clip=clip, keep=source.reserved_columns
    )
    frame = source.read(user_table)
    schema = _make_schema(options, frame, source, counters)
    return FitData(user_table, source, frame, schema, coarsened)


def _make_source(options: Mapping[str, Any], user_table: UserTable, counters: tuple[str, ...]) -> Source:
    """Return the fitted source that the options request."""
    kind = next(s for s in SOURCES if s.claims(options))
    extra = tuple(name for option in EXTRA_COLUMN_OPTIONS for name in options[option] or ())
    return kind.from_options(options, (*extra, *counters)).fit(user_table)


def _make_schema(
    options: Mapping[str, Any], frame: Frame, source: Source, counters: tuple[str, ...]
) -> Schema:
    """Return what the columns are: as the options request, and as their values suggest."""
    kinds = requested_kinds(frame.columns, options["numeric"] or (), options["categorical"] or ())
    keys = [name for name in source.reserved_columns if name != source.calendar]
    schema = Schema.infer(
        frame.columns,
        scored=options["scored"],
        context=[*(options["context"] or ()), *keys],
        rest="context" if options["context"] is None else "ignored",
        ignore=options["ignore"],
        kinds={**kinds, **(options["columns"] or {})},
        calendar=source.calendar,
        named=frame.user_table.named,
        counters=counters,
        texts=not source.overlaps,
    )
    sizes = options["embedding"]
    return schema.with_embedding_sizes(sizes) if isinstance(sizes, Mapping) else schema


def _find_row_counters(options: Mapping[str, Any], user_table: UserTable) -> tuple[str, ...]:
    """Return the columns that only number the rows: ids, unless an option names them.

    They are searched for in the rows of the user: in the windows of a series, a counter is not consecutive.
    """
    requested = {options["time"], options["by"], *(options["columns"] or ())}
    requested |= {name for option in NAME_OPTIONS for name in options[option] or ()}
    columns = user_table.columns() if user_table.named else {}
    return tuple(n for n, values in columns.items() if n not in requested and is_row_counter(values))


def _without_optional(options: Mapping[str, Any], user_table: UserTable) -> dict[str, Any]:
    """Return options that ignore the labels of images, and what else a folder says beside its images.

    They are used only if an option names them: new images may have none.
    """
    named = {name for option in NAME_OPTIONS for name in options[option] or ()} | {
        *(options["columns"] or ())
    }
    names = [*user_table.optional, *([options["labels"]] if options.get("labels") else [])]
    unused = [n for n in dict.fromkeys(names) if n not in named and n in user_table.table.column_names]
    return {**options, "ignore": [*(options["ignore"] or ()), *unused] or None}


def _with_name_lists(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with lists of names where a name was given by itself."""
    return {k: [v] if k in NAME_OPTIONS and isinstance(v, str) else v for k, v in options.items()}
