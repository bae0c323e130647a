"""Brokers that deliver a message again until it is acknowledged."""

from __future__ import annotations

import queue
from typing import Any

from diabolo.streaming.feeds.base import Message
from diabolo.streaming.feeds.broker import Broker, parse_points

# A choice: more than the number of messages that can arrive between two saved states.
MAX_ANSWERED_IDS = 1_000


class RedeliveringBroker(Broker):
    """A topic whose broker delivers a message again until it is acknowledged.

    Messages are acknowledged after the state with their answers has been saved. If the process is killed
    between the two, the broker delivers them again; so their identifiers are saved with the state, and a
    message whose identifier is known is acknowledged without a second answer.

    Args:
        address: SCHEME://[USER:PASSWORD@]HOST[:PORT]/TOPIC.

    Attributes:
        arrived: queue of (identifier, whether the message may be a redelivery, payload, receipt to
            acknowledge it with or None), filled by the client's thread.
        answered_ids: identifiers of the last messages that were answered, oldest first.
        unacknowledged: identifier -> receipt of a message that was answered but not acknowledged yet.
        count: messages received since the start.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.arrived: queue.SimpleQueue[tuple[str, bool, bytes, Any]] = queue.SimpleQueue()
        self.answered_ids: dict[str, None] = {}
        self.unacknowledged: dict[str, Any] = {}
        self.count = 0

    def receive(self, timeout: float) -> Message | None:
        try:
            identifier, redelivered, payload, receipt = self.arrived.get(timeout=timeout)
        except queue.Empty:
            return None
        if redelivered and identifier in self.answered_ids:
            self.unacknowledged[identifier] = receipt
            return None
        self.count += 1
        return Message(parse_points(payload), f"message {self.count}", (identifier, receipt))

    def mark_answered(self, message: Message) -> None:
        identifier, receipt = message.handle
        if receipt is None:
            return
        self.answered_ids[identifier], self.unacknowledged[identifier] = None, receipt
        if len(self.answered_ids) > MAX_ANSWERED_IDS:
            del self.answered_ids[next(iter(self.answered_ids))]
        self.offset = list(self.answered_ids)
