"""Errors say what was got, where, and what to do about it."""

from __future__ import annotations

import pickle

import pytest

from diabolo import errors
from diabolo.errors import (
    ArgumentError,
    ColumnError,
    DataError,
    DiaboloError,
    MissingExtraError,
    ModelFileError,
    OptionError,
    SchemaError,
    UnsupportedError,
    need,
)


def test_every_error_is_a_diabolo_error() -> None:
    for name in errors.__all__:
        thing = getattr(errors, name)
        if isinstance(thing, type):
            assert issubclass(thing, (DiaboloError, UserWarning))
            assert issubclass(thing, DiaboloError) == name.endswith("Error")


@pytest.mark.parametrize(
    ("error", "standard"),
    [
        (DataError, ValueError),
        (ColumnError, DataError),
        (SchemaError, DataError),
        (OptionError, ValueError),
        (ArgumentError, TypeError),
        (ArgumentError, OptionError),
        (UnsupportedError, NotImplementedError),
        (MissingExtraError, ImportError),
    ],
)
def test_errors_are_what_python_calls_them(error: type, standard: type) -> None:
    assert issubclass(error, standard)


def test_the_hint_is_shown_below_the_message() -> None:
    error = OptionError("latent=0", hint="latent=8")
    assert str(error) == "latent=0\nHint: latent=8"
    assert (error.message, error.hint) == ("latent=0", "latent=8")
    assert str(ModelFileError("broken")) == "broken" and ModelFileError("broken").hint is None


def test_a_cell_is_named() -> None:
    assert str(ColumnError("bad", column="age", row=7)) == "column 'age', row 7: bad"
    error = ColumnError("bad", column="age", hint="good")
    assert str(error) == "column 'age': bad\nHint: good" and error.row is None and error.column == "age"


def test_what_is_missing_is_answered_with_the_line_that_installs_it() -> None:
    with pytest.raises(MissingExtraError, match="'no_such_package'") as caught:
        need("no_such_package", "report")
    assert caught.value.hint == 'pip install "diabolo[report]"'
    with pytest.raises(MissingExtraError, match="'no_such_package'"):
        need("no_such_package.inner", "report")
    assert need("json", "report") is __import__("json")


def test_a_broken_module_is_not_taken_for_a_missing_one(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "half_there.py").write_text("import no_such_package_either\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package_either") as caught:
        need("half_there", "report")
    assert not isinstance(caught.value, MissingExtraError)


@pytest.mark.parametrize(
    "error", [DataError("got", hint="do"), ColumnError("got", column="age", row=3, hint="do")]
)
def test_errors_pass_between_processes(error: DiaboloError) -> None:
    """A worker that raises one must not take its pool down with it."""
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and again.hint == error.hint


def test_errors_that_the_caller_can_fix() -> None:
    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type) and issubclass(kind, DiaboloError):
            error = kind("bad", column="age") if kind is ColumnError else kind("bad")
            assert error.is_user_error is (kind is not DiaboloError)
            assert pickle.loads(pickle.dumps(error)).is_user_error is error.is_user_error
