"""The hash of the data that a page was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from diabolo.data.sources import UserTable

BATCH_ROWS = 65_536  # a choice that must stay: the hash depends on it


def digest(user_table: UserTable, files: Iterable[str | Path] = ()) -> str:
    """Return the SHA-256 of the data as an Arrow stream of batches of 65,536 rows, or of files.

    It does not depend on the dataframe library that held the data. Where there are files, their contents
    count in place of the data, which only says where they lie.

    Args:
        user_table: the data.
        files: of images.
    """
    sha256 = hashlib.sha256()
    files = list(files)
    for path in files:
        with open(path, "rb") as file:
            sha256.update(hashlib.file_digest(file, "sha256").digest())
    if files:
        return sha256.hexdigest()

    class Sink:
        """A file that only hashes what is written to it."""

        closed = False

        def write(self, raw: bytes) -> int:
            sha256.update(raw)
            return len(raw)

        def flush(self) -> None:
            return None

        def close(self) -> None:
            return None

    table = user_table.table.replace_schema_metadata(None)
    with pa.ipc.new_stream(pa.PythonFile(Sink(), "w"), table.schema) as stream:
        for start in range(0, table.num_rows, BATCH_ROWS):
            stream.write_table(table.slice(start, BATCH_ROWS).combine_chunks())
    return sha256.hexdigest()
