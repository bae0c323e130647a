"""Promises about the package as a whole: its public names, its start-up and the size of its files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import diabolo

ROOT = Path(__file__).resolve().parents[1]

# The public surface, written down: a name enters or leaves `diabolo` only together with this list.
PUBLIC = [
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

# What an answer to `--help` must never wait for: each costs tenths of a second to seconds.
HEAVY = {"torch", "pandas", "polars", "sklearn", "scipy", "lightning", "pytorch_lightning"}

LONGEST_FILE = 400


def modules_after(program: str, *arguments: str) -> set[str]:
    """Run a program in a fresh interpreter and tell the top-level modules that it has imported."""
    report = (
        "import sys\n"
        "try:\n"
        f"    {program}\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print('\\n@', *{name.partition('.')[0] for name in sys.modules})\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", report, *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    return set(answer.stdout.rpartition("\n@")[2].split())


def test_public_names() -> None:
    assert sorted(diabolo.__all__) == sorted(PUBLIC)
    assert len(set(PUBLIC)) == len(PUBLIC) <= 25


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_there_and_listed(name: str) -> None:
    assert getattr(diabolo, name) is not None
    assert name in dir(diabolo)


def test_unknown_name_is_an_attribute_error() -> None:
    # A lazy __getattr__ must not turn a misspelling into anything else: hasattr and copy rely on it.
    assert not hasattr(diabolo, "autoencodr")


def test_import_is_light() -> None:
    assert not modules_after("import diabolo") & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["fit", "--help"]], ids=" ".join)
def test_help_is_light(arguments: list[str]) -> None:
    program = "from diabolo.cli.app import main; main()"
    assert not modules_after(program, *arguments) & HEAVY


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks", "examples"])
def test_no_file_is_too_long(folder: str) -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")
    }
    too_long = {
        str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > LONGEST_FILE
    }
    assert not too_long
