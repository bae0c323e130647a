"""An option has one name: as an argument, as a flag of the command line, and in the documentation."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from diabolo import Autoencoder
from diabolo.cli.arguments import Options

PAGE = Path(__file__).resolve().parents[2] / "docs" / "options.md"

# Arguments without a flag, and why.
PYTHON_ONLY = {
    "members": "instances of Member, which a command line cannot express",
    "columns": "instances of Column, likewise",
    "checkpoint": "checkpoints are for long fits in Python; `diabolo fit` writes a finished model",
    "checkpoint_every": "belongs to checkpoint",
    "verbose": "commands show a bar unless --quiet is given",
}
# Flags without an argument, and why.
COMMAND_LINE_ONLY = {"config": "names the file that the other options are read from"}

ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def arguments() -> list[str]:
    return list(Autoencoder().get_params(deep=False))


def test_every_argument_is_a_flag() -> None:
    flags = {field.name for field in fields(Options)}
    assert flags - set(COMMAND_LINE_ONLY) == set(arguments()) - set(PYTHON_ONLY)
    assert set(COMMAND_LINE_ONLY) <= flags and set(PYTHON_ONLY) <= set(arguments())


def test_every_option_is_in_the_table_of_the_documentation() -> None:
    documented = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert sorted(documented) == sorted({*arguments(), *COMMAND_LINE_ONLY})


def test_defaults_in_the_documentation() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, default in Autoencoder().get_params(deep=False).items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        written = row.split("|")[2].strip()
        assert written.startswith("none" if default is None else f"`{default}`"), row


def test_every_argument_is_in_the_docstring() -> None:
    described = re.findall(r"^ {8}(\w+): ", Autoencoder.__doc__ or "", re.MULTILINE)
    assert set(arguments()) <= set(described)
