"""Places to write runs down at: one of each kind."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

EXTRAS = {"folder": None, "tensorboard": "tensorboard", "mlflow": "mlflow"}
Place = Callable[[str], str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Kind -> an empty place of that kind; skips where its extra is not installed."""

    def make(kind: str) -> str:
        module = EXTRAS[kind]
        if module is not None and importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}")
        if kind == "folder":
            return str(tmp_path / "runs")
        if kind == "mlflow":
            # MLflow's own store in a folder answers as a server does. It reports its use to its makers
            # unless it is told not to.
            monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
            monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
            (tmp_path / "store").mkdir()
            return f"mlflow:{(tmp_path / 'store').as_uri()}"
        return f"tensorboard:{tmp_path / 'board'}"

    return make
