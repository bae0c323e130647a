"""Read points from a feed as they arrive, and write an answer to each of them."""

from __future__ import annotations

import json
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, Self, cast

from diabolo.data.columns import Values
from diabolo.errors import DiaboloError, OptionError
from diabolo.streaming.feeds import Feed, Message, make_feed
from diabolo.streaming.point import Point
from diabolo.streaming.stream import Stream
from diabolo.tasks import Model
from diabolo.training.updating import MIN_WINDOW_LENGTHS, check_updatable

# A choice: the state is saved at most this often, since each save waits for the disk.
SAVE_INTERVAL_SECONDS = 1.0


class UpdatableModel(Model, Protocol):
    """A model that can learn from newer points, and be written to a file."""

    def partial_fit(self, X: Mapping[str, Values]) -> Self:
        """Update the model with newer points."""

    def save(self, path: Path) -> Path:
        """Write the model to a file."""


class _Watcher:
    """The state of one run of `watch`: its feeds, and what was answered, saved and learnt so far."""

    def __init__(
        self,
        stream: Stream,
        source: Feed,
        sink: Feed,
        *,
        state: Path | None,
        model_path: Path | None,
        alarms: bool,
        refresh: int,
        skip_known: bool,
        report: Callable[[str], None],
    ) -> None:
        self.stream, self.source, self.sink = stream, source, sink
        self.state, self.model_path = state, model_path
        self.alarms, self.refresh, self.report = alarms, refresh, report
        # Whether points that the saved state knows are still skipped: standard input repeats itself.
        self.skip_known = skip_known
        self.updates = stream.seen // refresh if refresh else 0
        self.errors = 0

    def answer(self, message: Message) -> None:
        """Answer every point of a message; report the texts that are no points."""
        for point in message.points:
            try:
                if isinstance(point, DiaboloError):
                    raise point
                answer = self.stream.push(point)
            except DiaboloError as error:
                self.errors += 1
                self.report(f"{message.name}: {error}")
                continue
            if answer.note:
                self.report(answer.note)
            self.skip_known = self.skip_known and answer.status != "new"
            if not self.skip_known and (answer.alarm or not self.alarms):
                self.sink.write(_format_answer(self.stream, point, answer))
        self.source.mark_answered(message)

    def update_if_due(self) -> None:
        """Update the model if `refresh` points have arrived since the last update."""
        if not self.refresh or self.stream.seen // self.refresh <= self.updates:
            return
        self.updates, before = self.stream.seen // self.refresh, self.model_path
        self.model_path = _update_model(self.stream, self.state, self.report) or before
        # The older model is deleted only after the state that names the newer one has been saved.
        self.save()
        if before is not None and self.model_path != before:
            before.unlink(missing_ok=True)

    def save(self) -> None:
        """Flush the answers, save the state, and then acknowledge the points: in this order."""
        source, sink = self.source, self.sink
        sink.flush()
        if self.state is not None:
            offsets = {"input": [source.name, source.offset], "output": [sink.name, sink.offset]}
            model = None if self.model_path is None else self.model_path.name
            self.stream.save(self.state, **offsets, model=model)
        source.acknowledge()


def watch(
    stream: Stream,
    data: str,
    *,
    load: Callable[[Path], Model],
    output: str = "-",
    state: Path | None = None,
    alarms: bool = False,
    refresh: int = 0,
    report: Callable[[str], None] = lambda text: None,
) -> int:
    """Answer every point of a feed, each on a line of its own, until the feed ends or a signal stops us.

    With a state file, a stopped watch resumes: answers behind the saved state are removed and their points
    are read again, so that every point is answered exactly once. A file or a topic is read from the saved
    offset; on standard input, points that were answered already are recognised by their times.

    Args:
        stream: a stream without points.
        data: address of the points, see `make_feed`.
        load: reads a model from a file; called for the updated model that a state file names.
        output: address that answers are appended to.
        state: file to resume from and to save the state in; None to start anew each time.
        alarms: write only the answers that are alarms.
        refresh: update the model with the points kept by the stream after every `refresh` points; 0 for
            never. The updated model is written beside the state file.
        report: called with a message about each point that cannot be read, and about each update.

    Returns:
        The number of points that could not be read.

    Raises:
        OptionError: `refresh` is too small, or an address is not one of a feed.
        UnsupportedError: `refresh` is given, and the model cannot be updated.
        DataError: a feed cannot be read or written.
        ModelFileError: the state file cannot be used.
    """
    _check_refresh(stream, refresh)
    model_path = None if state is None else _updated_model_path(state)
    if model_path is not None:
        stream.refresh(load(model_path))
    saved = stream.load(state) if state is not None and state.exists() else {}
    with ExitStack() as opened:
        source, sink = (opened.enter_context(closing(make_feed(address))) for address in (data, output))
        session = None if state is None else _session_name(source, state)
        sink.open_output(_stored_offset(saved, "output", sink))
        source.open_input(_stored_offset(saved, "input", source), session)
        watcher = _Watcher(
            stream,
            source,
            sink,
            state=state,
            model_path=model_path,
            alarms=alarms,
            refresh=refresh,
            skip_known=data == "-" and bool(saved),
            report=report,
        )
        watcher.save()
        saved_at, unsaved = time.monotonic(), False
        for message in opened.enter_context(closing(_until_stopped(source.messages()))):
            if message is not None:
                watcher.answer(message)
                unsaved = True
            watcher.update_if_due()
            if unsaved and (message is None or time.monotonic() - saved_at > SAVE_INTERVAL_SECONDS):
                watcher.save()
                saved_at, unsaved = time.monotonic(), False
            elif message is None:
                # Redelivered messages, which got no second answer: some brokers send nothing more before.
                source.acknowledge()
        watcher.save()
    return watcher.errors


def _check_refresh(stream: Stream, refresh: int) -> None:
    """Raise if the model cannot be updated, or not with so few points."""
    if refresh == 0:
        return
    check_updatable(stream.engine)
    if refresh < (fewest := MIN_WINDOW_LENGTHS * stream.source.length):
        raise OptionError(
            f"refresh={refresh}: an update needs at least {MIN_WINDOW_LENGTHS} windows of points",
            hint=f"--refresh {fewest}",
        )


def _updated_model_path(state: Path) -> Path | None:
    """Return the file of the updated model that a state file names, or None if it names none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return state.with_name(json.loads(state.read_bytes())["more"]["model"])
    return None


def _update_model(stream: Stream, state: Path | None, report: Callable[[str], None]) -> Path | None:
    """Update the model with the points kept; return the file of the new model, if there is a state file."""
    model = cast(UpdatableModel, stream.model)  # `_check_refresh` has made sure
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.partial_fit(stream.recent())
    except DiaboloError as error:
        report(f"the model was not updated with the last points: {error}")
        return None
    stream.refresh(model)
    notes = "; ".join(str(w.message) for w in caught) or model.engine_.facts["drift"]
    report(f"updated the model with the last points, {stream.seen:,} so far; {notes}")
    return None if state is None else model.save(state.with_name(f"{state.name}.{stream.seen}.diabolo"))


def _session_name(feed: Feed, state: Path) -> str:
    """Return the session name of this state at a broker: 23 letters and digits, which all brokers allow."""
    return "diabolo" + sha256(f"{feed.name} {state.resolve()}".encode()).hexdigest()[:16]


def _stored_offset(saved: Mapping[str, Any], name: str, feed: Feed) -> Any:
    """Return the saved offset of a feed, or None if the state was saved with another feed."""
    address, offset = saved.get(name, (None, None))
    return offset if address == feed.name else None


def _until_stopped(messages: Iterator[Message | None]) -> Generator[Message | None]:
    """Yield messages until Ctrl-C or SIGTERM: at once while waiting, else behind the message in work."""
    stopped = waiting = False

    def stop(*_: object) -> None:
        nonlocal stopped
        if waiting or stopped:
            raise KeyboardInterrupt
        stopped = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not stopped:
            waiting = True
            try:
                message = next(messages)
            except (StopIteration, KeyboardInterrupt):
                return
            finally:
                waiting = False
            yield message
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _format_answer(stream: Stream, point: Mapping[str, Any], answer: Point) -> bytes:
    """Return an answer as a line of JSON: series, time, bits, severity, alarm, status."""
    keys = {name: point.get(name) for name in (stream.source.by, stream.source.time) if name is not None}
    numbers = {
        name: None if value is None else round(value, 4)
        for name, value in (("bits", answer.bits), ("severity", answer.severity))
    }
    line = {**keys, **numbers, "alarm": answer.alarm, "status": answer.status}
    return json.dumps(line, default=str).encode() + b"\n"
