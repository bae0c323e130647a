"""Brokers that send a message again until it is confirmed."""

from __future__ import annotations

import queue
from typing import Any

from diabolo.streaming.feeds.base import Message
from diabolo.streaming.feeds.broker import Broker, to_points

KEPT = 1_000  # marks: more than there are messages between two notes


class Sender(Broker):
    """A topic whose broker sends again what was not confirmed.

    Messages are confirmed when their answers are noted. If we are killed between the two, they come again;
    so their marks are noted with the answers, and tell that they have been answered.

    Attributes:
        arrived: (mark, whether it may have come before, payload, what confirms it or None), put in by the
            client's thread.
        known: the marks of the last messages that were answered.
        owed: mark -> what confirms a message that was answered.
        count: messages since the start.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.arrived: queue.SimpleQueue[tuple[str, bool, bytes, Any]] = queue.SimpleQueue()
        self.known: dict[str, None] = {}
        self.owed: dict[str, Any] = {}
        self.count = 0

    def receive(self, seconds: float) -> Message | None:
        try:
            mark, again, payload, receipt = self.arrived.get(timeout=seconds)
        except queue.Empty:
            return None
        if again and mark in self.known:
            self.owed[mark] = receipt
            return None
        self.count += 1
        return Message(to_points(payload), f"message {self.count}", (mark, receipt))

    def answered(self, message: Message) -> None:
        mark, receipt = message.mark
        if receipt is None:
            return
        self.known[mark], self.owed[mark] = None, receipt
        if len(self.known) > KEPT:
            del self.known[next(iter(self.known))]
        self.place = list(self.known)
