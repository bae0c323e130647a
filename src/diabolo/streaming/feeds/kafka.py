"""Topics of a Kafka cluster."""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar

from diabolo.errors import need
from diabolo.streaming.feeds.base import Message
from diabolo.streaming.feeds.broker import PATIENCE, TURN, Broker, to_points


class Kafka(Broker):
    """A topic, with all its partitions. How far each was read, we note; the cluster keeps nothing of us."""

    schemes: ClassVar = {"kafka": 9092}
    consumer: Any = None
    failure: Any = None

    def listen(self, place: Any, memory: str | None) -> None:
        kafka = self._library()
        self.consumer = kafka.Consumer(
            {
                **self._options(),
                "group.id": memory or "diabolo",  # must be there; nothing is committed under it
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",  # where the cluster no longer has the place
            }
        )
        parts = [kafka.TopicPartition(self.topic, p) for p in self._partitions(self.consumer)]
        for part in parts:
            if place is None:
                part.offset = self.consumer.get_watermark_offsets(part, PATIENCE)[1]
            else:
                part.offset = place.get(str(part.partition), 0)  # a new one is read from its start
        self.place = {str(part.partition): part.offset for part in parts}
        self.consumer.assign(parts)

    def receive(self, seconds: float) -> Message | None:
        message = self.consumer.poll(seconds)
        if message is None:
            return None
        if message.error() is not None:
            raise self.refused(message.error().str())
        number, offset = message.partition(), message.offset()
        name = f"message {offset} of partition {number}"
        return Message(to_points(message.value() or b""), name, (str(number), offset + 1))

    def answered(self, message: Message) -> None:
        number, self.place[number] = message.mark

    def confirm(self) -> None:
        pass

    def speak(self, place: Any) -> None:
        # It tries for ever, and writes each answer once and in order.
        options = {"enable.idempotence": True, "message.timeout.ms": 0}
        self.producer = self._library().Producer({**self._options(), **options})
        self._partitions(self.producer)

    def write(self, line: bytes) -> None:
        # One key, so one partition: only there answers keep their order.
        self.producer.produce(self.topic, line, self.topic, on_delivery=self._delivered)

    def flush(self) -> None:
        while self.producer.flush(TURN):
            pass
        if self.failure is not None:
            raise self.refused(self.failure.str())

    def close(self) -> None:
        if self.consumer is not None:
            self.consumer.close()

    def _library(self) -> ModuleType:
        library = need("confluent_kafka", "stream")
        self.knock()
        return library

    def _options(self) -> dict[str, Any]:
        # It would say on standard error whenever a connection breaks; it mends them by itself.
        return {"bootstrap.servers": f"{self.host}:{self.port}", "log_level": 0, "error_cb": lambda _: None}

    def _partitions(self, client: Any) -> list[int]:
        try:
            # Of all topics: to ask for one would make it, in some clusters.
            topics = client.list_topics(timeout=PATIENCE).topics
        except need("confluent_kafka", "stream").KafkaException as error:
            raise self.refused(error.args[0].str()) from error
        if self.topic not in topics:
            raise self.refused("it has no such topic")
        return sorted(topics[self.topic].partitions)

    def _delivered(self, failure: Any, _: Any) -> None:
        self.failure = self.failure or failure
