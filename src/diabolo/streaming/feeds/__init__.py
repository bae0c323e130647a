"""Where points are read from and answers are written to: one kind of feed per file."""

from diabolo.errors import OptionError
from diabolo.streaming.feeds.base import Feed, Message
from diabolo.streaming.feeds.file import File
from diabolo.streaming.feeds.kafka import Kafka
from diabolo.streaming.feeds.mqtt import Mqtt
from diabolo.streaming.feeds.nats import Nats

FEEDS: tuple[type[Feed], ...] = (File, Mqtt, Nats, Kafka)

__all__ = ["FEEDS", "Feed", "File", "Kafka", "Message", "Mqtt", "Nats", "make_feed"]


def make_feed(address: str) -> Feed:
    """Return the feed of an address: the path of a file, - for standard input or output, or a broker's topic.

    Args:
        address: a path, "-" or SCHEME://HOST/TOPIC.

    Raises:
        OptionError: no feed has addresses of this scheme.

    Example:
        >>> make_feed("mqtt://127.0.0.1/plant/pump").name
        'mqtt://127.0.0.1:1883/plant/pump'
    """
    scheme, separator, _ = address.partition("://")
    for kind in FEEDS:
        if (scheme if separator else "") in kind.schemes:
            return kind(address)
    examples = [f"{s}://127.0.0.1/plant" for kind in FEEDS for s in kind.schemes if s]
    raise OptionError(f"{scheme}:// is not the scheme of a supported broker", hint=", ".join(examples))
