"""What commands are given: data, models, and the words of who typed them."""

from __future__ import annotations

import shlex
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diabolo.cli.arguments import exchanged
from diabolo.errors import ModelFileError

if TYPE_CHECKING:
    from diabolo.estimator.autoencoder import Autoencoder


def say(text: str, quiet: bool) -> None:
    """A line for who watches, not for what reads the answers."""
    if not quiet:
        print(text, file=sys.stderr)


def fitted(data: Any, options: dict[str, Any], quiet: bool) -> Autoencoder:
    """A model of the data; what there is to say of the fit is said."""
    from diabolo.estimator.autoencoder import Autoencoder

    model = Autoencoder(**{**options, "verbose": not quiet})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(read_data(data))
    for warning in caught:
        say(f"note: {warning.message}", quiet)
    return model


def read_data(data: Any) -> Any:
    """The data behind a name."""
    from diabolo.data.sources import read_user_table

    return read_user_table(data)


def load_model(path: Path) -> Autoencoder:
    """The model in a file; a table in its place is told, with the right command."""
    from diabolo.estimator.autoencoder import load

    try:
        return load(path)
    except ModelFileError as error:
        if (right := exchanged(sys.argv[1:], path)) is None:
            raise
        raise ModelFileError(error.message, hint=right) from error


def command_line() -> str:
    """What was typed, to be pasted again."""
    return shlex.join(["diabolo", *sys.argv[1:]])
