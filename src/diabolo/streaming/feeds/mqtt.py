"""Topics of an MQTT broker."""

from __future__ import annotations

import queue
import zlib
from typing import Any, ClassVar
from urllib.parse import unquote

from diabolo.errors import need
from diabolo.streaming.feeds.broker import PATIENCE
from diabolo.streaming.feeds.sender import Sender


class Mqtt(Sender):
    """A topic, read and written with quality of service 1.

    With a memory the session lasts: the broker keeps messages while nobody is there. In such a session a
    message that comes again has the number it had, and says so; numbers are used anew, so what it holds
    belongs to its mark.
    """

    schemes: ClassVar = {"mqtt": 1883, "mqtts": 8883}
    client: Any = None

    def listen(self, place: Any, memory: str | None) -> None:
        self.known = dict.fromkeys(place or ())
        self._connect(memory, subscribe=True)

    def confirm(self) -> None:
        for number in self.owed.values():
            self.client.ack(number, 1)
        self.owed.clear()

    def speak(self, place: Any) -> None:
        self.sent: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.unsent = 0
        self._connect(None, subscribe=False)

    def write(self, line: bytes) -> None:
        try:
            self.client.publish(self.topic, line, qos=1)
        except ValueError as error:
            raise self.refused(error) from error
        self.unsent += 1

    def flush(self) -> None:
        while self.unsent:
            self.sent.get()
            self.unsent -= 1

    def close(self) -> None:
        if self.client is not None:
            self.client.disconnect()
            self.client.loop_stop()

    def _connect(self, memory: str | None, *, subscribe: bool) -> None:
        paho = need("paho.mqtt.client", "stream")
        self.knock()
        said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        lasting = False

        def connected(client: Any, _: Any, flags: Any, code: Any, __: Any) -> None:
            nonlocal lasting
            lasting = flags.session_present
            if subscribe and not code.is_failure:
                client.subscribe(self.topic, qos=1)
            else:
                said.put(code)

        def arrived(_: Any, __: Any, message: Any) -> None:
            mark = f"{message.mid}.{zlib.crc32(message.payload)}"
            if lasting and message.retain and not message.dup:
                client.ack(message.mid, 1)  # kept by the topic, and sent to everyone who subscribes anew
            else:
                self.arrived.put((mark, message.dup, message.payload, message.mid if memory else None))

        client = self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=memory or "",
            clean_session=memory is None,
            manual_ack=memory is not None,
        )
        client.on_connect, client.on_message = connected, arrived
        client.on_subscribe = lambda _, __, ___, codes, ____: said.put(codes[0])
        client.on_publish = lambda _, __, mid, ___, ____: self.sent.put(mid)
        if self.url.username is not None:
            client.username_pw_set(*(unquote(part or "") for part in (self.url.username, self.url.password)))
        if self.url.scheme == "mqtts":
            client.tls_set()
        try:
            client.connect(self.host, self.port)
            client.loop_start()
            code = said.get(timeout=PATIENCE)
        except (OSError, queue.Empty, ValueError) as error:
            raise self.refused(str(error) or "it does not answer as MQTT") from error
        if code.is_failure:
            raise self.refused(code)
