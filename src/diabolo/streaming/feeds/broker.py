"""What brokers have in common."""

from __future__ import annotations

import socket
from abc import abstractmethod
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from diabolo.errors import DataError, OptionError
from diabolo.streaming.feeds.base import Feed, Message, Read, to_point

PATIENCE = 10.0  # seconds for a broker to answer
TURN = 0.5  # seconds to wait for a message before something else may be done


class Broker(Feed):
    """A topic: each of its messages is a JSON object, or lines of them."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        url = self.url = urlsplit(address, allow_fragments=False)
        usual = self.schemes[url.scheme]
        try:
            port = url.port or usual
        except ValueError:
            port = 0
        self.host, self.port, self.topic = url.hostname or "", port, unquote(url.path[1:])
        if not (self.host and self.port and self.topic) or url.query:
            raise OptionError(
                f"expected the topic of a broker, got {url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}",
                hint=f"{url.scheme}://127.0.0.1:{usual}/plant",
            )
        self.name = f"{url.scheme}://{self.host}:{self.port}/{self.topic}"

    def messages(self) -> Iterator[Message | None]:
        while True:
            message = self.receive(0)
            if message is None:
                yield None
                message = self.receive(TURN)
            if message is not None:
                yield message

    @abstractmethod
    def receive(self, seconds: float) -> Message | None:
        """The next message; None if none comes in this time."""

    def knock(self) -> None:
        """See that somebody is there: clients would try for long, or for ever."""
        try:
            socket.create_connection((self.host, self.port), PATIENCE).close()
        except OSError as error:
            raise self.refused(error.strerror or str(error)) from error

    def refused(self, why: object) -> DataError:
        """What is said when the broker does not do what it should."""
        return DataError(f"{self.name} cannot be used: {why}", hint=f"nc -vz {self.host} {self.port}")


def to_points(payload: bytes) -> list[Read]:
    """The points of a message: one object, over as many lines as it likes, or one on each line."""
    whole = to_point(payload)
    lines = [line for line in payload.splitlines() if line.strip()]
    return [to_point(line) for line in lines] if isinstance(whole, DataError) else [whole]
