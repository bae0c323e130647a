"""The inputs of commands: data, models, and the command line itself; and messages to the user."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diabolo.cli.arguments import swap_model_and_data
from diabolo.errors import DiaboloWarning, ModelFileError

if TYPE_CHECKING:
    from diabolo.estimator.autoencoder import Autoencoder


def print_message(text: str, quiet: bool) -> None:
    """Print a message to standard error, where it does not mix with the answer.

    Args:
        text: the message.
        quiet: print nothing.
    """
    if not quiet:
        print(text, file=sys.stderr)


@contextmanager
def notes_on_stderr(words: Sequence[str]) -> Iterator[None]:
    """Print what diabolo warns of as notes, each once; of other packages, as Python does.

    Args:
        words: of the command line: with --quiet nothing is printed.
    """
    quiet, shown = bool({"-q", "--quiet"} & {*words}), set[str]()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if not issubclass(category, DiaboloWarning):
            print_message(f"{category.__name__}: {message}", quiet)
        elif str(message) not in shown:
            shown.add(str(message))
            print_message(f"note: {message}", quiet)

    with warnings.catch_warnings():
        warnings.simplefilter("always", DiaboloWarning)
        warnings.showwarning = show
        yield


def fit_model(data: Any, options: dict[str, Any], quiet: bool) -> Autoencoder:
    """Fit a model, and print the warnings of the fit as notes.

    Args:
        data: the rows, or the path of a file.
        options: arguments of `Autoencoder`.
        quiet: show no progress bar and print no notes.
    """
    from diabolo.estimator.autoencoder import Autoencoder

    model = Autoencoder(**{**options, "verbose": not quiet})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(read_data(data))
    for warning in caught:
        print_message(f"note: {warning.message}", quiet)
    return model


def read_data(data: Any) -> Any:
    """Return the rows of a file, of standard input ("-") or of a table as a `UserTable`."""
    from diabolo.data.sources import read_user_table

    return read_user_table(data)


def load_model(path: Path) -> Autoencoder:
    """Read a model file.

    Raises:
        ModelFileError: it is no model file; if model and data were swapped, the hint is the right command.
    """
    from diabolo.estimator.autoencoder import load

    try:
        return load(path)
    except ModelFileError as error:
        if (corrected := swap_model_and_data(sys.argv[1:], path)) is None:
            raise
        raise ModelFileError(error.message, hint=corrected) from error


def command_line() -> str:
    """Return the command line as it was typed, quoted so that it can be pasted."""
    return shlex.join(["diabolo", *sys.argv[1:]])
