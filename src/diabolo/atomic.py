"""Files that are written whole or not at all, and the tensors in them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from diabolo.errors import DataError

T = TypeVar("T")


def write_whole(path: Path, raw: bytes) -> None:
    """Write a file beside its place, flush it, then rename it: a crash leaves the old one or the new.

    Raises:
        DataError: the folder does not exist, cannot be written to, or is full; what was there is as it was.
    """
    beside = None
    try:
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}; what was there is as it was") from error
    finally:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)


def under(tensors: Mapping[str, T], prefix: str) -> dict[str, T]:
    """The tensors whose names start with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
