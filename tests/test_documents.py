"""The examples in README and docs run as they stand."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import pyarrow.csv
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TIMEOUT = 600  # seconds of one example
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
    status, said = (run_python if language == "python" else run_bash)(code, tmp_path)
    assert status == 0, said


def run_bash(code: str, folder: Path) -> tuple[int, str]:
    """Run the lines of a shell in a folder; return the exit status and what was printed to stderr."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-euc", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    return ran.returncode, ran.stderr


def run_python(code: str, folder: Path) -> tuple[int, str]:
    """Run Python in a process of its own, in a folder; return the exit status and the error.

    The process is a copy of one that has imported torch and pandas, which takes longer than most examples.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["diabolo.estimator.autoencoder", "pandas", "polars"])
    log = folder / "stderr.txt"
    process = context.Process(target=_run, args=(code, folder, log))
    process.start()
    process.join(TIMEOUT)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode or 0, log.read_text(encoding="utf-8") if log.exists() else ""


def _run(code: str, folder: Path, log: Path) -> None:
    """Run code as a script; a warning is an error, as with `python -W error`."""
    os.chdir(folder)
    warnings.simplefilter("error")
    # Which the user should know, and no test can change.
    warnings.filterwarnings("ignore", message="this processor has no fast bfloat16")
    try:
        exec(compile(code, "example", "exec"), {"__name__": "__main__"})
    except BaseException:
        log.write_text(traceback.format_exc(), encoding="utf-8")
        raise


def test_an_example_that_fails_or_warns_is_seen(tmp_path: Path) -> None:
    for code in ("1 / 0", "import warnings; warnings.warn('unfinished')", "raise SystemExit(3)"):
        assert run_python(code, tmp_path)[0] != 0
    assert run_python("assert not __import__('os').listdir()", tmp_path)[0] != 0  # the log of the runs before
    assert run_python("pass", tmp_path)[0] == 0
