"""Topics of a Kafka cluster."""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar

from diabolo.errors import need
from diabolo.streaming.feeds.base import Message
from diabolo.streaming.feeds.broker import CONNECT_TIMEOUT_SECONDS, POLL_SECONDS, Broker, parse_points


class Kafka(Broker):
    """A topic with all its partitions; their offsets are kept in the watcher's state, not in the cluster."""

    schemes: ClassVar = {"kafka": 9092}
    consumer: Any = None
    delivery_error: Any = None

    def open_input(self, offset: Any, session: str | None) -> None:
        """Start to read all partitions.

        Args:
            offset: partition -> offset of its next message; None for the messages that arrive from now on.
            session: used as the group's name, under which nothing is committed.
        """
        kafka = self._library()
        self.consumer = kafka.Consumer(
            {
                **self._options(),
                "group.id": session or "diabolo",  # the client demands one; nothing is committed under it
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",  # where the cluster no longer has the offset
            }
        )
        parts = [kafka.TopicPartition(self.topic, p) for p in self._partitions(self.consumer)]
        for part in parts:
            if offset is None:
                part.offset = self.consumer.get_watermark_offsets(part, CONNECT_TIMEOUT_SECONDS)[1]
            else:
                part.offset = offset.get(str(part.partition), 0)  # a new partition is read from its start
        self.offset = {str(part.partition): part.offset for part in parts}
        self.consumer.assign(parts)

    def receive(self, timeout: float) -> Message | None:
        message = self.consumer.poll(timeout)
        if message is None:
            return None
        if message.error() is not None:
            raise self.make_error(message.error().str())
        partition, offset = message.partition(), message.offset()
        name = f"message {offset} of partition {partition}"
        return Message(parse_points(message.value() or b""), name, (str(partition), offset + 1))

    def mark_answered(self, message: Message) -> None:
        partition, self.offset[partition] = message.handle

    def acknowledge(self) -> None:
        pass

    def open_output(self, offset: Any) -> None:
        # The client retries without a limit, and writes each answer once and in order.
        options = {"enable.idempotence": True, "message.timeout.ms": 0}
        self.producer = self._library().Producer({**self._options(), **options})
        self._partitions(self.producer)

    def write(self, line: bytes) -> None:
        # One key, hence one partition: order is kept only within a partition.
        self.producer.produce(self.topic, line, self.topic, on_delivery=self._delivered)

    def flush(self) -> None:
        while self.producer.flush(POLL_SECONDS):
            pass
        if self.delivery_error is not None:
            raise self.make_error(self.delivery_error.str())

    def close(self) -> None:
        if self.consumer is not None:
            self.consumer.close()

    def _library(self) -> ModuleType:
        library = need("confluent_kafka", "stream")
        self.check_reachable()
        return library

    def _options(self) -> dict[str, Any]:
        # Without these the client writes to standard error whenever a connection breaks, although it
        # reconnects by itself.
        return {"bootstrap.servers": f"{self.host}:{self.port}", "log_level": 0, "error_cb": lambda _: None}

    def _partitions(self, client: Any) -> list[int]:
        try:
            # The metadata of all topics: in some clusters, asking for one topic creates it.
            topics = client.list_topics(timeout=CONNECT_TIMEOUT_SECONDS).topics
        except need("confluent_kafka", "stream").KafkaException as error:
            raise self.make_error(error.args[0].str()) from error
        if self.topic not in topics:
            raise self.make_error("the cluster has no such topic")
        return sorted(topics[self.topic].partitions)

    def _delivered(self, error: Any, _: Any) -> None:
        self.delivery_error = self.delivery_error or error
