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
from diabolo.streaming.feeds.broker import CONNECT_TIMEOUT_SECONDS
from diabolo.streaming.feeds.redelivering import RedeliveringBroker

# Choices: messages to request at once; the time after which JetStream delivers an unacknowledged message
# again; the pause before a failed call is repeated.
MAX_FETCH = 100
ACK_WAIT_SECONDS = 5.0
RETRY_SECONDS = 0.5

T = TypeVar("T")


class Nats(RedeliveringBroker):
    """A subject. If it belongs to a JetStream stream, a session is a durable consumer of that stream.

    The client library is written for asyncio, so its event loop runs in a thread of its own.
    """

    schemes: ClassVar = {"nats": 4222}
    loop: Any = None
    client: Any = None
    connected = False
    stream: str | None = None

    def open_input(self, offset: Any, session: str | None) -> None:
        """Subscribe to the subject, or start to pull from its stream.

        Args:
            offset: identifiers of messages that were answered already; None at the first start.
            session: the name of the durable consumer; None for the messages that arrive from now on.
        """
        self.answered_ids = dict.fromkeys(offset or ())
        self._connect()
        if self.stream is None or session is None:
            self._run(self.client.subscribe(self.topic, cb=self._on_message))
            self._run(self.client.flush())
        else:
            self._start(self._pull(self._run(self._consumer(session)), session))

    def acknowledge(self) -> None:
        self._run(self._acknowledge())

    def open_output(self, offset: Any) -> None:
        self.sending: list[Future[None]] = []
        self._connect()

    def write(self, line: bytes) -> None:
        self.sending.append(self._start(self._send(line)))

    def flush(self) -> None:
        for sent in self.sending:
            self._result(sent)
        self.sending.clear()
        self._run(self._retry(self.client.flush))

    def close(self) -> None:
        if self.loop is None:
            return
        self._run(self._disconnect())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _connect(self) -> None:
        self.errors, self.stream_errors = need("nats.errors", "stream"), need("nats.js.errors", "stream")
        self.check_reachable()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.loop = asyncio.new_event_loop()
        self.thread = Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self._run(self._open())

    async def _open(self) -> None:
        async def on_error(error: Exception) -> None:
            if not self.connected:  # the client would retry for ever, which is wanted only later
                raise error

        self.client = need("nats.aio.client", "stream").Client()
        await self.client.connect(
            f"nats://{self.url.netloc}",
            error_cb=on_error,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            max_reconnect_attempts=-1,
        )
        self.connected = True
        self.jetstream = self.client.jetstream()
        # Either the subject belongs to no stream, or the server runs without JetStream.
        with suppress(self.stream_errors.NotFoundError, self.stream_errors.ServiceUnavailableError):
            self.stream = await self.jetstream.find_stream_name_by_subject(self.topic)

    async def _consumer(self, session: str) -> Any:
        api = need("nats.js.api", "stream")
        config = api.ConsumerConfig(deliver_policy=api.DeliverPolicy.NEW, ack_wait=ACK_WAIT_SECONDS)
        return await self.jetstream.pull_subscribe(
            self.topic, durable=session, stream=self.stream, config=config
        )

    async def _pull(self, consumer: Any, session: str) -> None:
        while True:
            try:
                self._enqueue(await self._fetch_redeliveries(consumer))
                connections = self.client.stats["reconnects"]
                while self.client.stats["reconnects"] == connections:
                    # A request for many messages returns none of them before all have arrived.
                    for count, seconds in ((1, 1.0), (MAX_FETCH, 0.01)):
                        with suppress(TimeoutError):
                            self._enqueue(await consumer.fetch(count, seconds))
            except self.errors.Error:
                await asyncio.sleep(RETRY_SECONDS)
                with suppress(self.errors.Error):
                    consumer = await self._consumer(session)

    async def _fetch_redeliveries(self, consumer: Any) -> list[Any]:
        """Return the messages that were unacknowledged when a connection broke, in the stream's order.

        They are delivered again before all others, but in any order.
        """
        messages: list[Any] = []
        count = (await consumer.consumer_info()).num_ack_pending
        if count:
            await asyncio.sleep(ACK_WAIT_SECONDS)
        with suppress(TimeoutError):  # the stream may have dropped some by now
            while len(messages) < count:
                messages += await consumer.fetch(1, 1.0)
        return sorted(messages, key=_sequence_number)

    def _enqueue(self, messages: list[Any]) -> None:
        for message in messages:
            self.arrived.put((str(_sequence_number(message)), True, message.data, message))

    async def _on_message(self, message: Any) -> None:
        self.arrived.put(("", False, message.data, None))

    async def _acknowledge(self) -> None:
        async def acknowledge(identifier: str, message: Any) -> None:
            with suppress(self.errors.Error):
                await message.ack_sync()
                del self.unacknowledged[identifier]

        await asyncio.gather(*(acknowledge(*one) for one in list(self.unacknowledged.items())))

    async def _send(self, line: bytes) -> None:
        if self.stream is None:
            await self._retry(self.client.publish, self.topic, line)
        else:
            headers = {"Nats-Msg-Id": uuid.uuid4().hex}  # by it the stream recognises a repeated publication
            await self._retry(self.jetstream.publish, self.topic, line, headers=headers)

    async def _retry(self, call: Callable[..., Awaitable[object]], *arguments: Any, **options: Any) -> None:
        """Await a call, and repeat it for as long as the server is unreachable."""
        buffer_full = self.errors.OutboundBufferLimitError
        no_stream = self.stream_errors.NoStreamResponseError
        while True:
            try:
                await call(*arguments, **options)
                return
            except (TimeoutError, buffer_full, no_stream):
                await asyncio.sleep(RETRY_SECONDS)

    async def _disconnect(self) -> None:
        # Tasks end before the client does: a task that is cancelled without a client reports an error and
        # continues.
        unfinished = [task for task in self.tasks if task is not asyncio.current_task()]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        if self.client is not None:
            await self.client.close()

    def _start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        async def tracked() -> T:
            task = asyncio.current_task()
            assert task is not None
            self.tasks.add(task)
            try:
                return await work
            finally:
                self.tasks.discard(task)

        return asyncio.run_coroutine_threadsafe(tracked(), self.loop)

    def _result(self, future: Future[T]) -> T:
        try:
            return future.result()
        except (self.errors.Error, OSError) as error:
            raise self.make_error(error) from error

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._result(self._start(work))


def _sequence_number(message: Any) -> int:
    """Return the number of a message in its stream."""
    return int(message.metadata.sequence.stream)
