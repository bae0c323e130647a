"""What a model has learnt, in lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diabolo.estimator.autoencoder import Autoencoder


def card(model: Autoencoder) -> Iterator[str]:
    """Its columns, networks, what is known of the fit, and its alarms."""
    yield str(model.schema_)
    yield ""
    for name, network in model.engine_.networks.items():
        weights = sum(p.numel() for p in network.parameters())
        yield f"{name}: {network.member.corruption!r}, {network.bottleneck!r}, {weights:,} weights"
    for name, value in model.engine_.facts.items():
        yield f"{name.replace('_', ' ')}: {value}"
    yield f"alarms: from {model.threshold_:.2f} bits, about {model.alarm_rate_:.2g} of normal rows"
    yield f"wrong cells: about {model.error_rate_:.2g} of those with a value"
    yield from (f"note: {note}" for note in model.notes_)
