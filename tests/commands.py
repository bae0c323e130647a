"""A command line to call, and files and models to call it with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from diabolo.cli import app as cli
from diabolo.cli.output import to_bytes
from tests import made
from tests.fits import fitted

QUICK = ["--epochs", "1"]

Run = Callable[..., "Ran"]


class Ran(SimpleNamespace):
    """How a command ended: its status, and what it said on both channels."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["diabolo", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            status: Any = 0
        except SystemExit as ended:
            status = ended.code or 0
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Ran(status=status, out=said.out, err=said.err)

    return call


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """t.csv and the model t.diabolo; s.csv, three series in one, and s.diabolo. Tests only read them."""
    folder = tmp_path_factory.mktemp("cli")
    table, series = made.mixed(200), made.fleet(60)
    for name, data in (("t.csv", table), ("s.csv", series)):
        (folder / name).write_bytes(to_bytes(data, ".csv"))
    fitted(folder / "t.csv", epochs=1).save(folder / "t.diabolo")
    fitted(folder / "s.csv", time="time", by="machine", window=8, epochs=1).save(folder / "s.diabolo")
    return folder


@pytest.fixture
def data(folder: Path) -> Path:
    return folder / "t.csv"


@pytest.fixture
def model(folder: Path) -> Path:
    return folder / "t.diabolo"


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())
