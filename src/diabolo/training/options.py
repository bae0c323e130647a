"""Options as people write them, turned into what the code needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from diabolo.data.coarsening import coarsen
from diabolo.data.inference import counts_rows
from diabolo.data.schema import Schema, as_kind
from diabolo.data.sources import SOURCES, Frame, Series, Source, Table, UserTable
from diabolo.errors import DataError, OptionError
from diabolo.networks.member import Member
from diabolo.training.settings import Training
from diabolo.utils.checks import check_fraction, check_int

TRAINING = (
    "optimizer",
    "schedule",
    "lr",
    "weight_decay",
    "eps",
    "batch_size",
    "epochs",
    "patience",
    "budget",
)

NAMES = ("scored", "context", "ignore", "numeric", "categorical")

# Columns that are hidden in turn cost the square of their number: 600 take 10 seconds, 2,000 two minutes.
WIDEST = 2_000


@dataclass(frozen=True)
class FitData:
    """Data as a fit reads it.

    Attributes:
        native: the data, coarser if that was asked for.
        source, frame, schema: how it is read, its rows or windows, and what its columns are.
        coarsened: what was merged and clipped, in a sentence; empty if nothing was.
    """

    user_table: UserTable
    source: Source
    frame: Frame
    schema: Schema
    coarsened: str = ""


def read_fit_data(options: Mapping[str, Any], user_table: UserTable) -> FitData:
    """Read the data as the options ask for: its source, its columns, and what is to be made coarser in it."""
    least = check_int("min_count", options["min_count"])
    clip = check_fraction("clip", options["clip"])
    if clip >= 0.5:
        raise OptionError(
            f"clip={clip}: less than half of the values can be clipped at each end", hint="clip=0.01"
        )
    source = make_source(options, user_table)
    frame = source.read(user_table)
    found = FitData(user_table, source, frame, make_schema(options, frame, source))
    if least == 1 and clip == 0:
        return found
    leave = (source.time, source.by) if isinstance(source, Series) else ()
    coarse, said = coarsen(user_table, found.schema, min_count=least, clip=clip, leave=leave)
    frame = source.read(coarse)
    return FitData(coarse, source, frame, make_schema(options, frame, source), said)


def make_source(options: Mapping[str, Any], user_table: UserTable) -> Source:
    """The source that the options ask for, fitted: a series with `time`, `by` or `window`, else a table."""
    options = _listed(options)
    if next(s for s in SOURCES if s.claims(options)) is Table:
        return Table().fit(user_table)
    window = options["window"]
    if isinstance(window, str) and window != "auto":
        raise OptionError(
            f"window={window!r}: expected a number of points", hint='window=64, or window="auto"'
        )
    beside = tuple(name for option in ("context", "ignore", "categorical") for name in options[option] or ())
    beside += _counters(options, user_table)
    points = None if isinstance(window, str) else window
    return Series(time=options["time"], by=options["by"], window=points, extra_columns=beside).fit(user_table)


def make_schema(options: Mapping[str, Any], frame: Frame, source: Source) -> Schema:
    """What the columns are, overruled by the options."""
    options = _listed(options)
    kinds = as_kind(frame.columns, options["numeric"] or (), options["categorical"] or ())
    context, calendar = list(options["context"] or ()), None
    counters: tuple[str, ...] = ()
    if isinstance(source, Series):
        calendar, counters = source.time, _counters(options, frame.user_table)
        context += [source.by] if source.by is not None else []
    schema = Schema.infer(
        frame.columns,
        scored=options["scored"],
        context=context,
        rest="context" if options["context"] is None else "ignored",
        ignore=options["ignore"],
        kinds={**kinds, **(options["columns"] or {})},
        calendar=calendar,
        named=frame.user_table.named,
        counters=counters,
    )
    sizes = options["embedding"]
    return schema.embed(sizes) if isinstance(sizes, Mapping) else schema


def _counters(options: Mapping[str, Any], user_table: UserTable) -> tuple[str, ...]:
    """The columns of a series that only number its rows: ids, unless they are named for something else.

    They are looked for in the rows as they came: cut into windows, an id is not whole.
    """
    asked = {options["time"], options["by"], *(options["columns"] or ())}
    asked |= {name for option in NAMES for name in options[option] or ()}
    found = user_table.columns() if user_table.named else {}
    return tuple(name for name, values in found.items() if name not in asked and counts_rows(values))


def _listed(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with lists of names where one name was given by itself."""
    return {k: [v] if k in NAMES and isinstance(v, str) else v for k, v in options.items()}


def check_width(schema: Schema, members: Mapping[str, Member]) -> None:
    """Refuse more columns than a network that hides them one by one can answer for.

    Raises:
        DataError: there are more.
    """
    columns = len(schema.scored)
    if columns > WIDEST and list(members.values())[-1].corruption.masks:
        raise DataError(
            f"{columns:,} columns are scored; a masked network hides them one by one, at most {WIDEST:,}",
            hint='Autoencoder("vanilla") and Autoencoder("denoising") read them all at once; or scored=[...]',
        )


def training_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of training that were asked for; they are checked here, before work starts."""
    given = {name: options[name] for name in TRAINING if options[name] is not None}
    if "budget" in given:
        given["budget"] = seconds(given["budget"])
    if "epochs" in given:
        if given["epochs"] == 0:
            raise OptionError("epochs=0: expected a number above 0")
        # Epochs that are asked for are kept to exactly.
        given |= {"min_steps": 1, "max_steps": 0}
    Training().change(given)
    return given


def choose_device(wanted: str) -> str:
    """The device to use: "auto" is CUDA where there is one, then MPS, then the CPU."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    if wanted.split(":")[0] not in ("cpu", "cuda", "mps"):
        raise OptionError(f"device={wanted!r} is not known", hint='device="auto", "cpu", "cuda" or "mps"')
    if (wanted.startswith("cuda") and not cuda) or (wanted == "mps" and not mps):
        raise OptionError(f"device={wanted!r}: torch finds none on this machine", hint='device="auto"')
    return wanted


def seconds(value: float | str) -> float:
    """Seconds from a number or from text: 90, "90", "30s", "2min", "1h".

    Example:
        >>> seconds("2min")
        120.0
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip().lower()
    for unit, factor in (("min", 60.0), ("m", 60.0), ("h", 3600.0), ("s", 1.0), ("", 1.0)):
        if text.endswith(unit):
            try:
                return float(text.removesuffix(unit) if unit else text) * factor
            except ValueError:
                continue
    raise OptionError(f"budget={value!r}: expected seconds", hint='budget="30s" or budget="2min"')
