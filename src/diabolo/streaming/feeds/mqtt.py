"""Topics of an MQTT broker."""

from __future__ import annotations

import queue
import zlib
from typing import Any, ClassVar
from urllib.parse import unquote

from diabolo.errors import need
from diabolo.streaming.feeds.broker import CONNECT_TIMEOUT_SECONDS
from diabolo.streaming.feeds.redelivering import RedeliveringBroker


class Mqtt(RedeliveringBroker):
    """A topic, read and written with quality of service 1 (at least once).

    With a session the broker keeps messages while nobody reads. Within a session a redelivered message has
    its old number and is flagged as a duplicate. Numbers are reused for other messages later, so an
    identifier is made of the number and a checksum of the payload.
    """

    schemes: ClassVar = {"mqtt": 1883, "mqtts": 8883}
    client: Any = None

    def open_input(self, offset: Any, session: str | None) -> None:
        """Subscribe to the topic.

        Args:
            offset: identifiers of messages that were answered already; None at the first start.
            session: the client identifier of a persistent session; None for a session that ends with us.
        """
        self.answered_ids = dict.fromkeys(offset or ())
        self._connect(session, subscribe=True)

    def acknowledge(self) -> None:
        for number in self.unacknowledged.values():
            self.client.ack(number, 1)
        self.unacknowledged.clear()

    def open_output(self, offset: Any) -> None:
        self.published: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.unpublished = 0
        self._connect(None, subscribe=False)

    def write(self, line: bytes) -> None:
        try:
            self.client.publish(self.topic, line, qos=1)
        except ValueError as error:
            raise self.make_error(error) from error
        self.unpublished += 1

    def flush(self) -> None:
        while self.unpublished:
            self.published.get()
            self.unpublished -= 1

    def close(self) -> None:
        if self.client is not None:
            self.client.disconnect()
            self.client.loop_stop()

    def _connect(self, session: str | None, *, subscribe: bool) -> None:
        """Connect, subscribe if asked to, and wait for the broker's reply code."""
        paho = need("paho.mqtt.client", "stream")
        self.check_reachable()
        replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        session_present = False

        def on_connect(client: Any, _: Any, flags: Any, code: Any, __: Any) -> None:
            nonlocal session_present
            session_present = flags.session_present
            if subscribe and not code.is_failure:
                client.subscribe(self.topic, qos=1)
            else:
                replies.put(code)

        def on_message(_: Any, __: Any, message: Any) -> None:
            identifier = f"{message.mid}.{zlib.crc32(message.payload)}"
            if session_present and message.retain and not message.dup:
                client.ack(message.mid, 1)  # a retained message, sent to everyone who subscribes again
            else:
                receipt = message.mid if session else None
                self.arrived.put((identifier, message.dup, message.payload, receipt))

        client = self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=session or "",
            clean_session=session is None,
            manual_ack=session is not None,
        )
        client.on_connect, client.on_message = on_connect, on_message
        client.on_subscribe = lambda _, __, ___, codes, ____: replies.put(codes[0])
        client.on_publish = lambda _, __, mid, ___, ____: self.published.put(mid)
        if self.url.username is not None:
            client.username_pw_set(*(unquote(part or "") for part in (self.url.username, self.url.password)))
        if self.url.scheme == "mqtts":
            client.tls_set()
        try:
            client.connect(self.host, self.port)
            client.loop_start()
            code = replies.get(timeout=CONNECT_TIMEOUT_SECONDS)
        except (OSError, queue.Empty, ValueError) as error:
            raise self.make_error(str(error) or "the server does not answer as an MQTT broker") from error
        if code.is_failure:
            raise self.make_error(code)
