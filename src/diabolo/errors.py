"""Every error that diabolo raises on purpose: what was received, where, and a hint that can be pasted.

DiaboloError
|- DataError            the data cannot be read or used          (also a ValueError)
|  |- ColumnError       ... because of one column or cell
|  `- SchemaError       ... because its columns differ from those of the fit
|- OptionError          an option has an impossible value        (also a ValueError)
|  `- ArgumentError     ... or an unknown name                   (also a TypeError)
|- UnsupportedError     the model does not support the task      (also a NotImplementedError)
|- ModelFileError       a model file is damaged, foreign or newer
`- MissingExtraError    an optional dependency is not installed  (also an ImportError)

Every kind below `DiaboloError` has a cause that the caller can fix (`is_user_error`): status 400 over HTTP.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any, ClassVar

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
    """The base class: catch it to catch every error that diabolo raises on purpose.

    Args:
        message: what was received, and where.
        hint: what to do about it, in a form that can be pasted; None if nothing is known.
    """

    _is_user_error: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(message if hint is None else f"{message}\nHint: {hint}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors pass between processes (joblib, multiprocessing) with all their attributes.
        return _restored, (type(self), self.args, self.__dict__)

    @property
    def is_user_error(self) -> bool:
        """Whether the caller can fix the cause: other data, another option, another file, a missing extra.

        False for an error whose cause is not known, such as a bare `DiaboloError`. An HTTP service maps True
        to status 400 and False to status 500.
        """
        return self._is_user_error


class DiaboloWarning(UserWarning):
    """A message of a fit that the user should know, for example that training has not converged."""


def _restored(kind: type[DiaboloError], args: tuple[Any, ...], state: dict[str, Any]) -> DiaboloError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class DataError(DiaboloError, ValueError):
    """The data cannot be read, or cannot be used for the task."""

    _is_user_error = True


class ColumnError(DataError):
    """One column, or one cell of it, cannot be used.

    Args:
        message: what was received.
        column: the column's name.
        row: number of the row, counted from 0, if one cell is the cause; None for the whole column.
        hint: what to do about it.
    """

    def __init__(self, message: str, *, column: str, row: int | None = None, hint: str | None = None) -> None:
        self.column = column
        self.row = row
        where = f"column {column!r}" if row is None else f"column {column!r}, row {row}"
        super().__init__(f"{where}: {message}", hint=hint)


class SchemaError(DataError):
    """The columns of new data differ from those that the model was fitted to."""


class OptionError(DiaboloError, ValueError):
    """An option has an impossible value."""

    _is_user_error = True


class ArgumentError(OptionError, TypeError):
    """An argument has an unknown name.

    Also a TypeError, which Python raises for arguments that a function does not take.
    """


class UnsupportedError(DiaboloError, NotImplementedError, AttributeError):
    """This kind of model does not support the task; the hint names one that does.

    Also an AttributeError, so that `hasattr` is False for a method that a model does not support, as
    scikit-learn expects.
    """

    _is_user_error = True


class ModelFileError(DiaboloError):
    """A model file is damaged, is no model file, or was written by a newer version."""

    _is_user_error = True


class MissingExtraError(DiaboloError, ImportError):
    """An optional dependency is not installed."""

    _is_user_error = True


def need(module: str, extra: str) -> ModuleType:
    """Import and return an optional dependency.

    Args:
        module: the module's name, for example `"jinja2"`.
        extra: the extra of diabolo that installs it, for example `"report"`.

    Raises:
        MissingExtraError: it is not installed; the hint is the command that installs it.
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
