"""Files that are written whole or not at all, and the tensors in them."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from diabolo.errors import DataError

T = TypeVar("T")

STALE_SECONDS = 3600.0  # seconds after which a file that was never renamed belongs to a writer that is dead


def write_atomic(path: Path, raw: bytes) -> None:
    """Write a file, whole or not at all; raises what `open_atomic` does."""
    with open_atomic(path) as file:
        file.write(raw)


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """A file to write to beside its place, which is flushed and renamed in the end.

    A crash leaves the old one or the new. What writers that were killed left beside it is swept, once it is
    an hour old.

    Raises:
        DataError: the folder does not exist, cannot be written to, or is full; what was there is as it was.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        _remove_stale(path)
        with open(beside, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}; what was there is as it was") from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    _flush_folder(path.parent)


def select_prefix(tensors: Mapping[str, T], prefix: str) -> dict[str, T]:
    """The tensors whose names start with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _remove_stale(path: Path) -> None:
    left = re.compile(re.escape(f".{path.name}.") + r"[0-9a-f]{16}\.part")
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if left.fullmatch(entry.name) and time.time() - entry.stat().st_mtime > STALE_SECONDS:
                os.unlink(entry.path)


def _flush_folder(folder: Path) -> None:
    """Make the new name outlast a power cut, where folders can be flushed; the file itself already is."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
