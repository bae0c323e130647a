"""Subjects of a NATS server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Any, ClassVar, TypeVar

from diabolo.errors import need
from diabolo.streaming.feeds.broker import PATIENCE
from diabolo.streaming.feeds.sender import Sender

BATCH = 100  # messages that are asked for at once
RESEND = 5.0  # seconds after which JetStream sends again what was not confirmed
AGAIN = 0.5  # seconds before something is tried again

T = TypeVar("T")


class Nats(Sender):
    """A subject. Where it belongs to a stream of JetStream, a memory is a durable consumer of that.

    The client is written for asyncio: it has a thread of its own.
    """

    schemes: ClassVar = {"nats": 4222}
    loop: Any = None
    client: Any = None
    connected = False
    stream: str | None = None

    def listen(self, place: Any, memory: str | None) -> None:
        self.known = dict.fromkeys(place or ())
        self._connect()
        if self.stream is None or memory is None:
            self._do(self.client.subscribe(self.topic, cb=self._heard))
            self._do(self.client.flush())
        else:
            self._start(self._pull(self._do(self._consumer(memory)), memory))

    def confirm(self) -> None:
        self._do(self._confirm())

    def speak(self, place: Any) -> None:
        self.sending: list[Future[None]] = []
        self._connect()

    def write(self, line: bytes) -> None:
        self.sending.append(self._start(self._send(line)))

    def flush(self) -> None:
        for sent in self.sending:
            self._result(sent)
        self.sending.clear()
        self._do(self._insist(self.client.flush))

    def close(self) -> None:
        if self.loop is None:
            return
        self._do(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _connect(self) -> None:
        self.errors, self.stream_errors = need("nats.errors", "stream"), need("nats.js.errors", "stream")
        self.knock()
        self.working: set[asyncio.Task[Any]] = set()
        self.loop = asyncio.new_event_loop()
        self.thread = Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self._do(self._open())

    async def _open(self) -> None:
        async def complain(error: Exception) -> None:
            if not self.connected:  # it would try for ever; later on it is to
                raise error

        self.client = need("nats.aio.client", "stream").Client()
        await self.client.connect(
            f"nats://{self.url.netloc}",
            error_cb=complain,
            connect_timeout=PATIENCE,
            max_reconnect_attempts=-1,
        )
        self.connected = True
        self.jetstream = self.client.jetstream()
        # No such stream, or no JetStream at all.
        with suppress(self.stream_errors.NotFoundError, self.stream_errors.ServiceUnavailableError):
            self.stream = await self.jetstream.find_stream_name_by_subject(self.topic)

    async def _consumer(self, memory: str) -> Any:
        api = need("nats.js.api", "stream")
        config = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.NEW, ack_wait=RESEND)
        return await self.jetstream.pull_subscribe(
            self.topic, durable=memory, stream=self.stream, config=config
        )

    async def _pull(self, consumer: Any, memory: str) -> None:
        while True:
            try:
                self._arrive(await self._unconfirmed(consumer))
                connections = self.client.stats["reconnects"]
                while self.client.stats["reconnects"] == connections:
                    # Asked for many, the client waits for all of them before it gives any.
                    for count, seconds in ((1, 1.0), (BATCH, 0.01)):
                        with suppress(TimeoutError):
                            self._arrive(await consumer.fetch(count, seconds))
            except self.errors.Error:
                await asyncio.sleep(AGAIN)
                with suppress(self.errors.Error):
                    consumer = await self._consumer(memory)

    async def _unconfirmed(self, consumer: Any) -> list[Any]:
        """What was on its way when a connection broke. It comes again before all else, in any order."""
        messages: list[Any] = []
        count = (await consumer.consumer_info()).num_ack_pending
        if count:
            await asyncio.sleep(RESEND)
        with suppress(TimeoutError):  # some may be too old for the stream by now
            while len(messages) < count:
                messages += await consumer.fetch(1, 1.0)
        return sorted(messages, key=_number)

    def _arrive(self, messages: list[Any]) -> None:
        for message in messages:
            self.arrived.put((str(_number(message)), True, message.data, message))

    async def _heard(self, message: Any) -> None:
        self.arrived.put(("", False, message.data, None))

    async def _confirm(self) -> None:
        async def confirm(mark: str, message: Any) -> None:
            with suppress(self.errors.Error):
                await message.ack_sync()
                del self.owed[mark]

        await asyncio.gather(*(confirm(*one) for one in list(self.owed.items())))

    async def _send(self, line: bytes) -> None:
        if self.stream is None:
            await self._insist(self.client.publish, self.topic, line)
        else:
            own = {"Nats-Msg-Id": uuid.uuid4().hex}  # by it the stream knows what it has already
            await self._insist(self.jetstream.publish, self.topic, line, headers=own)

    async def _insist(self, call: Callable[..., Awaitable[object]], *arguments: Any, **options: Any) -> None:
        """Do it, however long the server is away."""
        full, none = self.errors.OutboundBufferLimitError, self.stream_errors.NoStreamResponseError
        while True:
            try:
                await call(*arguments, **options)
                return
            except (TimeoutError, full, none):
                await asyncio.sleep(AGAIN)

    async def _end(self) -> None:
        # Before the client: when that is gone, what is cancelled reports an error instead, and goes on.
        left = [task for task in self.working if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if self.client is not None:
            await self.client.close()

    def _start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        async def kept() -> T:
            task = asyncio.current_task()
            assert task is not None
            self.working.add(task)
            try:
                return await work
            finally:
                self.working.discard(task)

        return asyncio.run_coroutine_threadsafe(kept(), self.loop)

    def _result(self, future: Future[T]) -> T:
        try:
            return future.result()
        except (self.errors.Error, OSError) as error:
            raise self.refused(error) from error

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._result(self._start(work))


def _number(message: Any) -> int:
    """Of a message in its stream."""
    return int(message.metadata.sequence.stream)
