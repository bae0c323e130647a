"""Models that are fitted without a word."""

from __future__ import annotations

import warnings
from typing import Any

from diabolo import Autoencoder, DiaboloWarning


def fitted(data: Any, *arguments: Any, **options: Any) -> Autoencoder:
    """A model; what it notes of the fit is not what these tests are about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiaboloWarning)
        return Autoencoder(*arguments, **options).fit(data)
