"""The options of training and of the device, checked and brought into the form that the code uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from diabolo.cleaning.rules.base import Rule
from diabolo.cleaning.rules.parsing import read_rules
from diabolo.cleaning.rules.stated import check_stated
from diabolo.data.reading import FitData
from diabolo.data.schema import Schema
from diabolo.errors import DataError, OptionError
from diabolo.networks.member import Member
from diabolo.training.settings import Training

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

# Masked networks hide columns one by one; the time grows with the square of their number (measured: 600
# columns take 10 seconds, 2,000 two minutes).
MAX_MASKED_COLUMNS = 2_000


def check_width(schema: Schema, members: Mapping[str, Member]) -> None:
    """Check that a network that hides columns one by one can read as many as there are.

    Args:
        schema: what the columns are.
        members: name -> network of the recipe; the last one predicts cells.

    Raises:
        DataError: there are too many columns.
    """
    columns = len(schema.scored)
    if columns > MAX_MASKED_COLUMNS and list(members.values())[-1].corruption.masks:
        raise DataError(
            f"{columns:,} columns are scored; a masked network hides them one by one, "
            f"at most {MAX_MASKED_COLUMNS:,}",
            hint='Autoencoder("vanilla") and Autoencoder("denoising") read them all at once; or scored=[...]',
        )


def table_rules(rules: Sequence[str] | str | None, data: FitData) -> tuple[Rule, ...]:
    """Return the rules that the user states between columns of a table, checked before work starts.

    Args:
        rules: the option.
        data: of the fit.

    Raises:
        OptionError: a rule cannot be read, names a column that the data does not have, can say nothing
            of its columns, or is about a series.
    """
    if rules and data.source.overlaps:
        raise OptionError("rules are about the columns of a table; this is a series", hint="leave out rules")
    found = read_rules(rules, data.user_table.table.column_names)
    check_stated(found, data.user_table.columns())
    return found


def training_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the requested settings of training, checked before work starts.

    Raises:
        OptionError: a setting cannot be used.
    """
    given = {name: options[name] for name in TRAINING if options[name] is not None}
    if "budget" in given:
        given["budget"] = seconds(given["budget"])
    if "epochs" in given:
        if given["epochs"] == 0:
            raise OptionError("epochs=0: expected a number above 0")
        # A requested number of epochs is used exactly.
        given |= {"min_steps": 1, "max_steps": 0}
    Training().change(given)
    return given


def choose_device(wanted: str) -> str:
    """Return the device to use: "auto" is CUDA if there is such a device, else MPS, else the CPU.

    Raises:
        OptionError: torch does not find the device, or does not know it.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    if wanted.split(":")[0] not in ("cpu", "cuda", "mps"):
        raise OptionError(f"device={wanted!r} is not known", hint='device="auto", "cpu", "cuda" or "mps"')
    if (wanted.startswith("cuda") and not cuda) or (wanted == "mps" and not mps):
        raise OptionError(f"device={wanted!r}: torch finds none on this machine", hint='device="auto"')
    return wanted


def seconds(value: float | str) -> float:
    """Return seconds from a number or from text: 90, "90", "30s", "2min", "1h".

    Raises:
        OptionError: it is neither.

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
