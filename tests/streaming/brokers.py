"""Brokers on this machine, and a command line that runs beside them."""

from __future__ import annotations

import asyncio
import importlib
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from diabolo.streaming.feeds import make_feed
from tests.faults.processes import kill, start


class Local(ABC):
    """A broker on the loopback, for one test module."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.start()

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    def close(self) -> None:
        self.stop()

    @abstractmethod
    def address(self, topic: str) -> str:
        """Of a topic, which is there from now on."""


class Server(Local):
    """A broker that is a program."""

    program: str

    def start(self) -> None:
        if shutil.which(self.program) is None:
            pytest.skip(f"needs {self.program}")
        with (self.folder / f"{self.program}.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        until(self.answers, f"{self.program} to answer")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def answers(self) -> bool:
        with socket.socket() as knock:
            return knock.connect_ex(("127.0.0.1", self.port)) == 0

    @abstractmethod
    def command(self) -> list[str]: ...


class Mosquitto(Server):
    program = "mosquitto"
    more = "allow_anonymous true\n"

    def command(self) -> list[str]:
        # Started by root, it would be a user who may not write here.
        kept = f"user root\npersistence true\npersistence_location {self.folder}/\n"
        path = self.folder / "mosquitto.conf"
        path.write_text(f"listener {self.port} 127.0.0.1\n{kept}{self.more}")
        return ["mosquitto", "-c", str(path)]

    def address(self, topic: str) -> str:
        return f"mqtt://127.0.0.1:{self.port}/{topic}"


class NatsServer(Server):
    program = "nats-server"

    def command(self) -> list[str]:
        return ["nats-server", "-a", "127.0.0.1", "-p", str(self.port)]

    def address(self, topic: str) -> str:
        return f"nats://127.0.0.1:{self.port}/{topic}"


class JetStream(NatsServer):
    """The same; every topic belongs to a stream."""

    def command(self) -> list[str]:
        return [*super().command(), "-js", "-sd", str(self.folder)]

    def address(self, topic: str) -> str:
        async def add() -> None:
            client = await importlib.import_module("nats").connect(f"nats://127.0.0.1:{self.port}")
            await client.jetstream().add_stream(name=topic, subjects=[topic])
            await client.close()

        asyncio.run(add())
        return super().address(topic)


class MockKafka(Local):
    """The mock cluster of librdkafka, the client's own library: a server of the real protocol.

    It is not Apache Kafka, which needs Java: no log on a disk, no groups that rebalance, no rights.
    """

    def start(self) -> None:
        kafka = pytest.importorskip("confluent_kafka")
        self.cluster = kafka.Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1})
        (broker,) = self.cluster.list_topics(timeout=10).brokers.values()
        self.port = broker.port

    def stop(self) -> None:
        del self.cluster

    def address(self, topic: str) -> str:
        self.cluster.list_topics(topic, timeout=10)  # makes it
        return f"kafka://127.0.0.1:{self.port}/{topic}"


LOCAL: dict[str, type[Local]] = {
    "mqtt": Mosquitto,
    "nats": NatsServer,
    "jetstream": JetStream,
    "kafka": MockKafka,
}


class Watch:
    """`diabolo watch` in a process of its own."""

    def __init__(self, log: Path, *arguments: object, **settings: float) -> None:
        self.log = log
        self.process = start(_main, ["diabolo", "watch", *map(str, arguments)], str(log), settings)

    def end(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.terminate()
        self.process.join(30)
        assert self.process.exitcode is not None, "it does not end"
        return int(self.process.exitcode)

    def kill(self) -> None:
        assert kill(self.process), self.log.read_text()


def _main(words: Sequence[str], log: str, settings: dict[str, float]) -> None:
    from diabolo.cli import app as cli

    for name, value in settings.items():
        module, _, constant = name.rpartition(".")
        setattr(importlib.import_module(module), constant, value)
    sys.argv = list(words)
    sys.stderr = open(log, "a", buffering=1)  # noqa: SIM115 - as long as the process
    cli.main()


def publish(address: str, payloads: Sequence[bytes]) -> None:
    with closing(make_feed(address)) as feed:
        feed.open_output(None)
        for payload in payloads:
            feed.write(payload)
        feed.flush()


def until(done: Callable[[], Any], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
