"""The examples in README and docs run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.csv
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Blocks to run are marked, so that a page may also show what is only to be read.
BLOCK = re.compile(r"<!-- run -->\n```(python|bash)\n(.*?)```", re.DOTALL)


def blocks() -> list[object]:
    found: list[object] = []
    for page in PAGES:
        for number, (language, code) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
            found.append(pytest.param(language, code, id=f"{page.name}-{number}"))
    return found


def test_readme_has_examples_of_both_kinds() -> None:
    assert {language for language, _ in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))} == {
        "python",
        "bash",
    }


@pytest.mark.parametrize(("language", "code"), blocks())
def test_example_runs(language: str, code: str, tmp_path: Path) -> None:
    from diabolo.datasets import adults

    pyarrow.csv.write_csv(adults().slice(0, 500), tmp_path / "people.csv")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    slow = "ignore:this processor has no fast bfloat16"  # which the user should know, and no test can change
    python = [sys.executable, "-W", "error", "-W", slow, "-c", code]
    command = python if language == "python" else ["bash", "-euc", code]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert ran.returncode == 0, ran.stderr
