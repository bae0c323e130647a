"""Processes to be killed: forked from one that has imported everything and started nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="needs processes that fork and can be killed")


def start(work: Callable[..., None], *arguments: Any) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "diabolo",
            "diabolo.estimator.autoencoder",
            "diabolo.persistence.storage",
            "sklearn.base",
            "torch._dynamo",
        ]
    )
    process = context.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def run(work: Callable[..., None], *arguments: Any, seconds: float = 120) -> int:
    """To the end; its exit code."""
    process = start(work, *arguments)
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError(f"{work.__name__} took more than {seconds:g} s")
    return int(process.exitcode)


def kill(process: Any) -> bool:
    """kill -9; whether the process was still there."""
    alive = bool(process.is_alive())
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return alive and process.exitcode == -signal.SIGKILL


def wait_for(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not appear"
        time.sleep(0.005)
