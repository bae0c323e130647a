"""The command line is tested with a small table and a model fitted to it."""

from tests.commands import data, model  # noqa: F401
