"""The command `info`: a description of a fitted model, or of the columns of a data file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from diabolo.cli.arguments import Options
from diabolo.cli.inputs import load_model, read_data

if TYPE_CHECKING:
    from diabolo.estimator.autoencoder import Autoencoder


def info(path: str, *, options: Options | None = None) -> None:
    """Describe a model file (columns, networks, alarms), or how the columns of a data file would be read.

    Args:
        path: A model file (.diabolo) or a data file; the options below apply to a data file.
    """
    from diabolo.estimator.autoencoder import Autoencoder

    if path.endswith(".diabolo"):
        print("\n".join(describe_model(load_model(Path(path)))))
        return
    print(Autoencoder(**(options or Options()).resolve().options).inspect(read_data(path)))


def describe_model(model: Autoencoder) -> Iterator[str]:
    """Yield lines about the columns, the networks, the facts of the fit, the alarms, rules and notes."""
    yield str(model.schema_)
    yield ""
    for name, network in model.engine_.networks.items():
        weights = sum(p.numel() for p in network.parameters())
        yield f"{name}: {network.member.corruption!r}, {network.bottleneck!r}, {weights:,} parameters"
    for name, value in model.engine_.facts.items():
        yield f"{name.replace('_', ' ')}: {value}"
    yield f"alarms: above {model.threshold_:.2f} bits, about {model.alarm_rate_:.2g} of normal rows"
    yield f"wrong cells: about {model.error_rate_:.2g} of the cells with a value"
    yield from (f"rule: {rule}" for rule in model.rules_)
    yield from (f"note: {note}" for note in model.notes_)
