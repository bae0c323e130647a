"""Files, standard input and standard output."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

from diabolo.errors import DataError
from diabolo.streaming.feeds.base import Feed, Message, ParsedPoint, parse_point

# A choice: a longer line is read in parts, so that a file without line ends cannot fill the memory.
MAX_LINE_BYTES = 1_000_000


class File(Feed):
    """Lines of csv or ndjson; the first line shows which. The address "-" is standard input or output."""

    schemes: ClassVar = {"": 0}
    file: BinaryIO | None = None

    def open_input(self, offset: Any, session: str | None) -> None:
        """Open the file at an offset.

        Args:
            offset: {"byte", "line", "header"} behind the last answered line; None for the start.
            session: not used; a file keeps what was written to it.
        """
        self.file = sys.stdin.buffer if self.name == "-" else self._open("rb")
        if self.name != "-":
            self.offset = offset or {"byte": 0, "line": 0, "header": None}
            self.file.seek(self.offset["byte"])

    def messages(self) -> Iterator[Message]:
        assert self.file is not None
        position, number, header = (self.offset or {"byte": 0, "line": 0, "header": None}).values()
        while raw := self.file.readline(MAX_LINE_BYTES):
            position, number, points = position + len(raw), number + 1, []
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()
            if text and header is None and not text.startswith("{"):
                header = next(csv.reader([text]))
            elif text:
                header = header or []
                points.append(_parse_csv_line(text, header) if header else parse_point(text))
            yield Message(points, f"line {number}", {"byte": position, "line": number, "header": header})

    def mark_answered(self, message: Message) -> None:
        if self.name != "-":
            self.offset = message.handle

    def acknowledge(self) -> None:
        pass

    def open_output(self, offset: Any) -> None:
        self.file = sys.stdout.buffer if self.name == "-" else self._open("ab")
        if self.name != "-":
            if offset is not None and offset <= self.file.tell():
                self.file.truncate(offset)
                self.file.seek(offset)
            self.offset = self.file.tell()

    def write(self, line: bytes) -> None:
        assert self.file is not None
        self.file.write(line)
        if self.name == "-":
            self.file.flush()

    def flush(self) -> None:
        assert self.file is not None
        self.file.flush()
        if self.name != "-":
            os.fsync(self.file.fileno())
            self.offset = self.file.tell()

    def close(self) -> None:
        if self.file is not None and self.name != "-":
            self.file.close()

    def _open(self, mode: str) -> BinaryIO:
        try:
            return open(self.name, mode)  # type: ignore[return-value]
        except OSError as error:
            action = "read" if mode == "rb" else "written"
            raise DataError(f"{self.name} cannot be {action}: {error.strerror}") from error


def _parse_csv_line(text: str, header: list[str]) -> ParsedPoint:
    values = next(csv.reader([text]))
    if len(values) != len(header):
        return DataError(f"this line has {len(values)} values, but the header names {len(header)} columns")
    return dict(zip(header, values, strict=True))
