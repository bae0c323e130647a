"""Files that are written completely or not at all, and the tensors in them."""

from __future__ import annotations

import hashlib
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

# A choice: a temporary file of this age belongs to a writer that was killed.
STALE_SECONDS = 3600.0
MAX_NAME = 230  # bytes of a name; file systems allow 255, of which a temporary file adds 23


def write_atomic(path: Path, raw: bytes) -> None:
    """Write a file completely or not at all.

    Args:
        path: the file.
        raw: its new content.

    Raises:
        DataError: the file cannot be written; an older file is left as it was.
    """
    with open_atomic(path) as file:
        file.write(raw)


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file in the same folder, which is flushed and renamed to `path` at the end.

    A crash leaves the old file or the new one. Temporary files of writers that were killed are removed once
    they are `STALE_SECONDS` old.

    Raises:
        DataError: the folder does not exist, cannot be written to, or is full; an older file is left as it
            was.
    """
    temporary = path.with_name(f".{_short(path.name)}.{secrets.token_hex(8)}.part")
    try:
        _remove_stale(path)
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror}; an older file is left as it was"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def select_prefix(tensors: Mapping[str, T], prefix: str) -> dict[str, T]:
    """Return the tensors whose names start with a prefix, under their names without it.

    Args:
        tensors: name -> tensor.
        prefix: the prefix, for example "memory/".
    """
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _short(name: str) -> str:
    """Return a name of at most `MAX_NAME` bytes: a longer one leaves no room for what is added to it."""
    return name if len(os.fsencode(name)) <= MAX_NAME else hashlib.sha256(os.fsencode(name)).hexdigest()


def _remove_stale(path: Path) -> None:
    leftover = re.compile(re.escape(f".{_short(path.name)}.") + r"[0-9a-f]{16}\.part")
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if leftover.fullmatch(entry.name) and time.time() - entry.stat().st_mtime > STALE_SECONDS:
                os.unlink(entry.path)


def _flush_folder(folder: Path) -> None:
    """Flush a folder where that is possible, so that the new name survives a power cut too."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
