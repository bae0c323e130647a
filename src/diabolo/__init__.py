"""diabolo: learns what a data set looks like, and answers questions about it.

Every cell gets a predicted distribution; every task is a question put to it.

    from diabolo import Autoencoder
    model = Autoencoder().fit("table.csv")
    model.score_rows("table.csv")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from diabolo.version import __version__

if TYPE_CHECKING:
    from diabolo.data.columns import Boolean, Category, Column, Datetime, Number
    from diabolo.data.schema import Schema
    from diabolo.errors import DiaboloError
    from diabolo.estimator.autoencoder import Autoencoder, load
    from diabolo.networks.bottlenecks import Bottleneck, Identity, Quantized, Vanilla, Variational
    from diabolo.networks.corruptions import Clean, Corruption, Mask, Noise, Swap
    from diabolo.networks.member import Member
    from diabolo.networks.objectives import Likelihood, Objective, Rebuild

# Where each public name lives. Nothing is imported before it is asked for: `diabolo --help` needs no torch.
_HOMES = {
    "Autoencoder": "estimator.autoencoder",
    "DiaboloWarning": "errors",
    "load": "estimator.autoencoder",
    "Schema": "data.schema",
    "Member": "networks.member",
    "DiaboloError": "errors",
    **dict.fromkeys(
        ("Bottleneck", "Identity", "Quantized", "Vanilla", "Variational"), "networks.bottlenecks"
    ),
    **dict.fromkeys(("Clean", "Corruption", "Mask", "Noise", "Swap"), "networks.corruptions"),
    **dict.fromkeys(("Likelihood", "Objective", "Rebuild"), "networks.objectives"),
    **dict.fromkeys(("Boolean", "Category", "Column", "Datetime", "Number"), "data.columns"),
}

__all__ = [
    "Autoencoder",
    "Boolean",
    "Bottleneck",
    "Category",
    "Clean",
    "Column",
    "Corruption",
    "Datetime",
    "DiaboloError",
    "DiaboloWarning",
    "Identity",
    "Likelihood",
    "Mask",
    "Member",
    "Noise",
    "Number",
    "Objective",
    "Quantized",
    "Rebuild",
    "Schema",
    "Swap",
    "Vanilla",
    "Variational",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'diabolo' has no attribute {name!r}")
    return getattr(importlib.import_module(f"diabolo.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
