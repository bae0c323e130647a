"""Points that arrive line by line, answered line by line."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from diabolo.errors import DataError, DiaboloError
from diabolo.streaming import Point, Stream

EVERY = 1.0  # seconds between two savings
LONGEST = 1_000_000  # bytes of a line


def watch(
    stream: Stream,
    data: str,
    *,
    output: Path | None = None,
    state: Path | None = None,
    alarms: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> int:
    """Answer every point of a file, or of standard input, on a line of its own; returns how many were bad.

    With a state, what was cut off is gone on with: answers that had not been noted are taken back, and the
    points behind them read again, so that each is answered once. A file is read on from where it was; what
    standard input repeats is known by its times.

    Args:
        stream: fresh.
        data: the path of a csv or ndjson file; - for standard input.
        output: a file to append answers to; None for standard output.
        state: a file to go on from, and to keep.
        alarms: write alarms only.
        say: told what is wrong with a line.
    """
    noted: dict[str, Any] = {}
    if state is not None and state.exists():
        noted = stream.load(state)
    with ExitStack() as opened:
        source = _open_input(data, opened)
        sink = _open_output(output, noted, opened)
        lines = _Lines(source, noted if data != "-" else {})
        again, bad, saved = data == "-" and bool(noted), 0, time.monotonic()

        def note() -> None:
            sink.flush()
            if state is not None:
                place = None
                if output is not None:
                    os.fsync(sink.fileno())
                    place = sink.tell()
                stream.save(state, input=lines.offset, line=lines.number, header=lines.header, output=place)

        try:
            for point in lines:
                try:
                    if isinstance(point, DiaboloError):
                        raise point
                    answer = stream.push(point)
                except DiaboloError as error:
                    bad += 1
                    say(f"line {lines.number}: {error}")
                    continue
                again = again and answer.status != "new"
                if not again and (answer.alarm or not alarms):
                    sink.write(_written(stream, point, answer))
                    if output is None:
                        sink.flush()
                if time.monotonic() - saved > EVERY:
                    note()
                    saved = time.monotonic()
        finally:
            note()
    return bad


def _open_input(data: str, opened: ExitStack) -> BinaryIO:
    if data == "-":
        return sys.stdin.buffer
    try:
        return opened.enter_context(Path(data).open("rb"))
    except OSError as error:
        raise DataError(f"{data} cannot be read: {error.strerror}") from error


def _open_output(output: Path | None, noted: Mapping[str, Any], opened: ExitStack) -> BinaryIO:
    if output is None:
        return sys.stdout.buffer
    try:
        sink: BinaryIO = opened.enter_context(output.open("ab"))
    except OSError as error:
        raise DataError(f"{output} cannot be written: {error.strerror}") from error
    place = noted.get("output")
    if isinstance(place, int) and place <= sink.tell():
        sink.truncate(place)  # answers behind it were not noted: their points are read again
        sink.seek(place)
    return sink


class _Lines:
    """Points of csv or ndjson text, whichever the first line shows.

    Attributes:
        offset: bytes that were read.
        number: lines that were read.
        header: the names of csv columns; empty for ndjson.
    """

    def __init__(self, source: BinaryIO, noted: Mapping[str, Any]) -> None:
        self.source = source
        self.offset, self.number = int(noted.get("input") or 0), int(noted.get("line") or 0)
        self.header: list[str] | None = noted.get("header")
        if self.offset:
            source.seek(self.offset)

    def __iter__(self) -> Iterator[Mapping[str, Any] | DiaboloError]:
        while raw := self.source.readline(LONGEST):
            self.offset, self.number = self.offset + len(raw), self.number + 1
            text = raw.decode("utf-8-sig" if self.number == 1 else "utf-8", "replace").strip()
            if not text:
                continue
            if self.header is None:
                self.header = [] if text.startswith("{") else next(csv.reader([text]))
                if self.header:
                    continue
            yield self._read(text, self.header)

    def _read(self, text: str, header: list[str]) -> Mapping[str, Any] | DiaboloError:
        if header:
            values = next(csv.reader([text]))
            if len(values) != len(header):
                return DataError(f"{len(values)} values, the first line names {len(header)}")
            return dict(zip(header, values, strict=True))
        try:
            point = json.loads(text)
        except ValueError as error:
            return DataError(f"no JSON: {error}")
        return point if isinstance(point, dict) else DataError(f"expected an object, got {text[:60]}")


def _written(stream: Stream, point: Mapping[str, Any], answer: Point) -> bytes:
    said: dict[str, Any] = {}
    for name in (stream.source.by, stream.source.time):
        if name is not None:
            said[name] = point.get(name)
    rounded = {
        n: None if v is None else round(v, 4)
        for n, v in (("bits", answer.bits), ("severity", answer.severity))
    }
    return (
        json.dumps({**said, **rounded, "alarm": answer.alarm, "status": answer.status}, default=str).encode()
        + b"\n"
    )
