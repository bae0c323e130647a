"""Files, standard input and standard output."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

from diabolo.errors import DataError
from diabolo.streaming.feeds.base import Feed, Message, Read, to_point

LONGEST = 1_000_000  # bytes of a line


class File(Feed):
    """Lines of csv or ndjson, whichever the first line shows; "-" for standard input or output."""

    schemes: ClassVar = {"": 0}
    file: BinaryIO | None = None

    def listen(self, place: Any, memory: str | None) -> None:
        self.file = sys.stdin.buffer if self.name == "-" else self._open("rb")
        if self.name != "-":
            self.place = place or {"byte": 0, "line": 0, "header": None}
            self.file.seek(self.place["byte"])

    def messages(self) -> Iterator[Message]:
        assert self.file is not None
        at, number, header = (self.place or {"byte": 0, "line": 0, "header": None}).values()
        while raw := self.file.readline(LONGEST):
            at, number, points = at + len(raw), number + 1, []
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()
            if text and header is None and not text.startswith("{"):
                header = next(csv.reader([text]))
            elif text:
                header = header or []
                points.append(_of_csv(text, header) if header else to_point(text))
            yield Message(points, f"line {number}", {"byte": at, "line": number, "header": header})

    def answered(self, message: Message) -> None:
        if self.name != "-":
            self.place = message.mark

    def confirm(self) -> None:
        pass

    def speak(self, place: Any) -> None:
        self.file = sys.stdout.buffer if self.name == "-" else self._open("ab")
        if self.name != "-":
            if place is not None and place <= self.file.tell():
                self.file.truncate(place)
                self.file.seek(place)
            self.place = self.file.tell()

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
            self.place = self.file.tell()

    def close(self) -> None:
        if self.file is not None and self.name != "-":
            self.file.close()

    def _open(self, mode: str) -> BinaryIO:
        try:
            return open(self.name, mode)  # type: ignore[return-value]
        except OSError as error:
            done = "read" if mode == "rb" else "written"
            raise DataError(f"{self.name} cannot be {done}: {error.strerror}") from error


def _of_csv(text: str, header: list[str]) -> Read:
    values = next(csv.reader([text]))
    if len(values) != len(header):
        return DataError(f"{len(values)} values, the first line names {len(header)}")
    return dict(zip(header, values, strict=True))
