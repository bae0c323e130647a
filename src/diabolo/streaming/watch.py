"""Points that arrive one by one, answered one by one."""

from __future__ import annotations

import json
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from diabolo.errors import DiaboloError, OptionError
from diabolo.estimator.autoencoder import Autoencoder, load
from diabolo.streaming.feeds import Feed, Message, make_feed
from diabolo.streaming.stream import Point, Stream
from diabolo.training.updating import FEWEST, check_updatable

EVERY = 1.0  # seconds between two savings, at most


def watch(
    stream: Stream,
    data: str,
    *,
    output: str = "-",
    state: Path | None = None,
    alarms: bool = False,
    refresh: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> int:
    """Answer every point of a feed, each on a line of its own, until it ends or we are asked to stop.

    With a state, what was cut off is gone on with: answers that had not been noted are taken back, and the
    points behind them read again, so that each is answered once. A file or a topic is read on from where it
    was; what standard input repeats is known by its times.

    Args:
        stream: fresh.
        data: where points come from, see `make_feed`.
        output: where answers are added.
        state: a file to go on from, and to keep.
        alarms: write alarms only.
        refresh: learn from the points that are kept whenever so many have come; 0 for never. The model is
            then written beside the state, and found there again.
        say: told what is wrong with a point.

    Returns:
        How many points were bad.
    """
    _check(stream, refresh)
    newest = None if state is None else _newest(state)
    if newest is not None:
        stream.refresh(load(newest))
    noted = stream.load(state) if state is not None and state.exists() else {}
    with ExitStack() as opened:
        feed, sink = (opened.enter_context(closing(make_feed(name))) for name in (data, output))
        memory = None if state is None else _memory(feed, state)
        sink.speak(_place(noted, "output", sink))
        feed.listen(_place(noted, "input", feed), memory)

        def note() -> None:
            sink.flush()
            if state is not None:
                places = {"input": [feed.name, feed.place], "output": [sink.name, sink.place]}
                stream.save(state, **places, model=None if newest is None else newest.name)
            feed.confirm()

        note()
        again, bad, saved, fresh = data == "-" and bool(noted), 0, time.monotonic(), False
        learnt = stream.seen // refresh if refresh else 0
        for message in opened.enter_context(closing(_until_stopped(feed.messages()))):
            if message is not None:
                for point in message.points:
                    try:
                        if isinstance(point, DiaboloError):
                            raise point
                        answer = stream.push(point)
                    except DiaboloError as error:
                        bad += 1
                        say(f"{message.name}: {error}")
                        continue
                    again = again and answer.status != "new"
                    if not again and (answer.alarm or not alarms):
                        sink.write(_written(stream, point, answer))
                feed.answered(message)
                fresh = True
            if refresh and stream.seen // refresh > learnt:
                learnt, before = stream.seen // refresh, newest
                newest = _learn(stream, state, say) or newest
                note()  # the state says which model is its own: until then, the one before
                if before is not None and newest != before:
                    before.unlink(missing_ok=True)
            if fresh and (message is None or time.monotonic() - saved > EVERY):
                note()
                saved, fresh = time.monotonic(), False
            elif message is None:
                feed.confirm()  # what came again: some brokers send no more before that
        note()
    return bad


def _check(stream: Stream, refresh: int) -> None:
    """Refuse what could not be learnt from before work starts."""
    if refresh == 0:
        return
    check_updatable(stream.engine)
    if refresh < (fewest := FEWEST * stream.source.length):
        raise OptionError(
            f"refresh={refresh}: ten windows of points are needed to learn from", hint=f"--refresh {fewest}"
        )


def _newest(state: Path) -> Path | None:
    """The model beside a state that it is of, if it is one that has learnt."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return state.with_name(json.loads(state.read_bytes())["more"]["model"])
    return None


def _learn(stream: Stream, state: Path | None, say: Callable[[str], None]) -> Path | None:
    """Learn from the points that are kept; returns the file of the new model, if there is a state."""
    model = stream.model
    assert isinstance(model, Autoencoder)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.partial_fit(stream.recent())
    except DiaboloError as error:
        say(f"nothing was learnt from the last points: {error}")
        return None
    stream.refresh(model)
    said = "; ".join(str(w.message) for w in caught) or model.engine_.facts["drift"]
    say(f"learnt from the last points, {stream.seen:,} so far; {said}")
    return None if state is None else model.save(state.with_name(f"{state.name}.{stream.seen}.diabolo"))


def _memory(feed: Feed, state: Path) -> str:
    """A name for what a broker keeps for this state: letters and digits, 23, as every broker takes them."""
    return "diabolo" + sha256(f"{feed.name} {state.resolve()}".encode()).hexdigest()[:16]


def _place(noted: Mapping[str, Any], name: str, feed: Feed) -> Any:
    """How far it was read or written, if what was noted is of this one."""
    of, place = noted.get(name, (None, None))
    return place if of == feed.name else None


def _until_stopped(messages: Iterator[Message | None]) -> Generator[Message | None]:
    """The messages; Ctrl-C and SIGTERM end them at once while we wait, else behind the one in work."""
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
