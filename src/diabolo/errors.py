"""Every error that diabolo raises on purpose: what was got, where, and a hint that can be pasted.

DiaboloError
|- DataError            the data cannot be read or used          (also a ValueError)
|  |- ColumnError       ... because of one column or cell
|  `- SchemaError       ... because its columns are not those of the fit
|- OptionError          an option has a value that cannot work   (also a ValueError)
|  `- ArgumentError     ... or a name that is not known          (also a TypeError)
|- UnsupportedError     this kind of model cannot do this task   (also a NotImplementedError)
|- ModelFileError       a model file is broken, foreign or newer
`- MissingExtraError    an optional dependency is not installed  (also an ImportError)
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

__all__ = [
    "ArgumentError",
    "ColumnError",
    "DataError",
    "DiaboloError",
    "DiaboloWarning",
    "MissingExtraError",
    "ModelFileError",
    "OptionError",
    "SchemaError",
    "UnsupportedError",
    "need",
]


class DiaboloError(Exception):
    """The root of the tree: catch this to catch everything that diabolo raises on purpose.

    Args:
        message: what was got, and where.
        hint: what to do about it, if there is something.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message if hint is None else f"{message}\nHint: {hint}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross between processes (joblib, multiprocessing) with all they know.
        return _restored, (type(self), self.args, self.__dict__)


class DiaboloWarning(UserWarning):
    """What happened in a fit that is worth knowing."""


def _restored(kind: type[DiaboloError], args: tuple[Any, ...], state: dict[str, Any]) -> DiaboloError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class DataError(DiaboloError, ValueError):
    """The data cannot be read, or cannot be used for what was asked."""


class ColumnError(DataError):
    """One column, or one cell of it, cannot be used.

    Args:
        message: what was got.
        column: the column's name.
        row: the row, counted from 0, if it is one cell.
        hint: what to do about it.
    """

    def __init__(self, message: str, *, column: str, row: int | None = None, hint: str | None = None) -> None:
        self.column = column
        self.row = row
        where = f"column {column!r}" if row is None else f"column {column!r}, row {row}"
        super().__init__(f"{where}: {message}", hint=hint)


class SchemaError(DataError):
    """The columns of new data are not those that the model was fitted on."""


class OptionError(DiaboloError, ValueError):
    """An option has a value that cannot work."""


class ArgumentError(OptionError, TypeError):
    """There is no option of this name.

    A TypeError too, as Python has it for arguments that a function does not take.
    """


class UnsupportedError(DiaboloError, NotImplementedError, AttributeError):
    """This kind of model cannot do this task; the hint names one that can.

    An AttributeError too, so that `hasattr` tells what a model can do, as scikit-learn expects.
    """


class ModelFileError(DiaboloError):
    """A model file is broken, is no model file, or was written by a newer version."""


class MissingExtraError(DiaboloError, ImportError):
    """An optional dependency is not installed."""


def need(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say the line that installs it.

    Args:
        module: the module's name, for example `"jinja2"`.
        extra: diabolo's extra that brings it, for example `"report"`.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"this needs the package {error.name!r}, which is not installed",
            hint=f'pip install "diabolo[{extra}]"',
        ) from error
