"""Points that come from brokers: answered as those of a file are, none lost or doubled whoever is killed."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo import errors
from diabolo.estimator.autoencoder import Autoencoder
from diabolo.streaming.feeds import FEEDS, Feed, kafka, make_feed, mqtt, nats
from diabolo.streaming.watch import _session_name
from tests.commands import Run
from tests.faults.processes import posix
from tests.fits import fitted
from tests.streaming.brokers import LOCAL, Local, Mosquitto, Watch, free_port, publish, until

pytestmark = posix
pytest.importorskip("paho.mqtt.client")
pytest.importorskip("nats")
pytest.importorskip("confluent_kafka")

POINTS = 400
LASTING = [name for name in LOCAL if name != "nats"]  # core NATS keeps nothing


def pump(points: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    value = np.sin(np.arange(points) / 4) + 0.05 * random.normal(size=points)
    return pd.DataFrame({"time": pd.date_range("2026-01-01", periods=points, freq="h"), "flow": value})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Autoencoder, Path]:
    made = fitted(pump(300), time="time", window=16)
    return made, made.save(tmp_path_factory.mktemp("model") / "m.diabolo")


@pytest.fixture(scope="module")
def payloads() -> list[bytes]:
    data = pump(POINTS).assign(time=lambda d: d["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return [json.dumps(point).encode() for point in data.to_dict("records")]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Local]]:
    """Name -> a broker, started when it is first asked for."""

    class Started(dict[str, Local]):
        def __missing__(self, name: str) -> Local:
            self[name] = LOCAL[name](tmp_path_factory.mktemp(name))
            return self[name]

    started = Started()
    yield started
    for one in started.values():
        one.stop()


def answers(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def written(path: Path, count: int) -> None:
    # Lines that are whole: the last one may be in the middle of being written.
    until(lambda: path.exists() and path.read_bytes().count(b"\n") >= count, f"{count} answers")


def test_every_listed_scheme_is_tested() -> None:
    tested = {kind.__name__.lower() for kind in FEEDS} & set(LOCAL)
    assert tested == {kind.__name__.lower() for kind in FEEDS} - {"file"}


@pytest.mark.parametrize("name", LOCAL)
def test_points_are_answered_as_in_a_batch(
    local: dict[str, Local], model: Any, payloads: list[bytes], tmp_path: Path, name: str
) -> None:
    address, out, state = local[name].address("batch"), tmp_path / "out.ndjson", tmp_path / "state"
    publish(address, [b'{"time": 0}'])  # before anybody listens
    watching = Watch(tmp_path / "log", address, "-m", model[1], "-o", out, "--state", state)
    until(state.exists, "the state")
    # Single objects, one over several lines, several lines in one message, and none.
    several = b"\n".join(payloads[20:30])
    publish(address, [*payloads[:19], payloads[19].replace(b",", b",\n"), b"", several, *payloads[30:60]])
    written(out, 60)
    assert watching.end() == 0
    data = pump(60)
    found = answers(out)
    assert [a["time"] for a in found] == [json.loads(p)["time"] for p in payloads[:60]]
    for count in (1, 17, 30, 60):
        assert found[count - 1]["bits"] == pytest.approx(model[0].anomaly_score(data[:count])[-1], abs=1e-4)


@pytest.mark.parametrize("name", LASTING)
def test_killed_at_any_moment_no_point_is_lost_or_doubled(
    local: dict[str, Local], model: Any, payloads: list[bytes], tmp_path: Path, name: str
) -> None:
    address, out, state = local[name].address("killed"), tmp_path / "out.ndjson", tmp_path / "state"
    command = address, "-m", model[1], "-o", out, "--state", state
    settings = {
        "diabolo.streaming.watch.SAVE_INTERVAL_SECONDS": 0.02,
        "diabolo.streaming.feeds.nats.ACK_WAIT_SECONDS": 1.0,
    }
    watching = Watch(tmp_path / "log", *command, **settings)
    until(state.exists, "the state")
    for part in range(4):
        first = part * POINTS // 4
        publish(address, payloads[first : first + POINTS // 4])
        written(out, first + 20)
        watching.kill()
        watching = Watch(tmp_path / "log", *command, **settings)
    written(out, POINTS)
    assert watching.end() == 0
    found = answers(out)
    assert [a["time"] for a in found] == [json.loads(p)["time"] for p in payloads]
    assert {a["status"] for a in found} == {"new"}


def take(feed: Feed, count: int, *, acknowledge: bool = True) -> list[Mapping[str, Any]]:
    """Take `count` points, one per message, each marked as answered at once."""
    got: list[Mapping[str, Any]] = []
    began = time.monotonic()
    for message in feed.messages():
        if message is not None:
            got += message.points  # type: ignore[arg-type]
            feed.mark_answered(message)
        elif acknowledge:
            feed.acknowledge()
        if len(got) == count:
            break
        assert time.monotonic() < began + 30, f"{len(got)} of {count} messages"
    return got


@pytest.mark.parametrize("name", LASTING)
def test_points_that_were_saved_but_not_acknowledged_are_not_answered_again(
    local: dict[str, Local],
    model: Any,
    payloads: list[bytes],
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As if killed between the two. Mosquitto sends 20 messages, and no more before one is acknowledged.
    address, out, state = local[name].address("again"), tmp_path / "out.ndjson", tmp_path / "state"
    monkeypatch.setattr(nats, "ACK_WAIT_SECONDS", 1.0)
    stream = model[0].stream()
    with closing(make_feed(address)) as feed:
        feed.open_input(None, _session_name(feed, state))
        publish(address, payloads[:20])
        for point in take(feed, 20, acknowledge=False):
            stream.push(point)
        stream.save(state, input=[feed.name, feed.offset])
    publish(address, payloads[20:50])
    watching = Watch(tmp_path / "log", address, "-m", model[1], "-o", out, "--state", state)
    written(out, 30)
    assert watching.end() == 0
    assert [a["time"] for a in answers(out)] == [json.loads(p)["time"] for p in payloads[20:50]]


@pytest.mark.parametrize("name", ["mqtt", "jetstream"])
def test_a_broker_may_go_and_come_back(
    model: Any, payloads: list[bytes], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    settings = {"diabolo.streaming.feeds.nats.ACK_WAIT_SECONDS": 1.0}
    with ExitStack() as opened:
        there = opened.enter_context(closing(LOCAL[name](tmp_path_factory.mktemp(name))))
        address, output, state = there.address("away"), there.address("answers"), tmp_path / "state"
        feed = opened.enter_context(closing(make_feed(output)))
        feed.open_input(None, "diabolo0away")
        command = address, "-m", model[1], "-o", output, "--state", state
        watching = Watch(tmp_path / "log", *command, **settings)
        until(state.exists, "the state")
        publish(address, payloads[:10])
        heard = take(feed, 10)
        there.stop()
        there.start()
        publish(address, payloads[10:20])
        heard += take(feed, 10)
        assert watching.end() == 0
    assert [point["time"] for point in heard] == [json.loads(p)["time"] for p in payloads[:20]]


@pytest.mark.parametrize("name", LOCAL)
def test_answers_go_to_a_topic(
    local: dict[str, Local], model: Any, payloads: list[bytes], tmp_path: Path, name: str, run: Run
) -> None:
    data, address = tmp_path / "p.ndjson", local[name].address("answers")
    data.write_bytes(b"\n".join(payloads[:30]))
    with closing(make_feed(address)) as feed:
        feed.open_input(None, None)
        ran = run("watch", data, "-m", model[1], "-o", address)
        assert ran.status == 0 and ran.out == ""
        got = take(feed, 30)
    assert got == [json.loads(line) for line in run("watch", data, "-m", model[1]).out.splitlines()]


@pytest.mark.parametrize("name", LOCAL)
def test_bad_messages_are_reported_and_skipped(
    local: dict[str, Local], model: Any, payloads: list[bytes], tmp_path: Path, name: str
) -> None:
    address, out, state = local[name].address("bad"), tmp_path / "out.ndjson", tmp_path / "state"
    watching = Watch(tmp_path / "log", address, "-m", model[1], "-o", out, "--state", state)
    until(state.exists, "the state")
    bad = [b'{"time": ', b"[1]", b"\xff\xfe", b'{"flow": 1}', b'{"time": "2026-01-01", "flow": {}}', b"null"]
    publish(address, [*bad, *payloads[:3]])
    written(out, 3)
    assert watching.end() == 2
    assert len(answers(out)) == 3 and (tmp_path / "log").read_text().count("message ") == len(bad)


def test_what_cannot_be_reached(run: Run, model: Any, local: dict[str, Local], tmp_path: Path) -> None:
    def said(address: str, *more: object) -> str:
        ran = run("watch", address, "-m", model[1], *more)
        assert ran.status == 2 and ran.out == "" and "Hint: " in ran.err
        return ran.err

    port = free_port()
    for scheme in ("mqtt", "mqtts", "nats", "kafka"):
        address = f"{scheme}://me:secret@127.0.0.1:{port}/plant"
        assert f"nc -vz 127.0.0.1 {port}" in said(address)
        data = tmp_path / "p.csv"
        data.write_text("time,flow\n2026-01-01,1\n")
        assert "refused" in said(str(data), "-o", address)
        for wrong in (f"{scheme}://127.0.0.1", f"{scheme}:///plant", f"{scheme}://me:secret@h:x/plant"):
            assert (
                "expected the address of a broker's topic" in (text := said(wrong)) and "secret" not in text
            )
    assert "amqp" in said("amqp://127.0.0.1/plant")
    kafka = local["kafka"].address("there").replace("there", "not there")
    assert "cannot be used" in said(kafka) and "cannot be used" in said(str(data), "-o", kafka)
    assert "wildcard" in said(str(data), "-o", local["mqtt"].address("plant/+"))


def test_somebody_else_answers(
    run: Run, model: Any, local: dict[str, Local], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (mqtt, nats, kafka):
        monkeypatch.setattr(module, "CONNECT_TIMEOUT_SECONDS", 1.0)
    mosquitto, server = local["mqtt"].address("x"), local["nats"].address("x")
    for address in (
        server.replace("nats:", "mqtt:"),
        mosquitto.replace("mqtt:", "nats:"),
        server.replace("nats:", "kafka:"),
    ):
        ran = run("watch", address, "-m", model[1])
        assert ran.status == 2 and "cannot be used" in ran.err


def test_names_and_passwords(run: Run, model: Any, tmp_path: Path) -> None:
    class Closed(Mosquitto):
        more = f"password_file {tmp_path}/passwords\n"

    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("needs mosquitto_passwd")
    subprocess.run(["mosquitto_passwd", "-b", "-c", tmp_path / "passwords", "me", "p:@/"], check=True)
    with closing(Closed(tmp_path)) as closed:
        address = closed.address("plant")
        ran = run("watch", address, "-m", model[1])
        assert ran.status == 2 and "Not authorized" in ran.err
        publish(address.replace("//", "//me:p%3A%40%2F@"), [b"{}"])


# paho leaves the socket open whose certificate it does not trust.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_transport_may_be_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "ca.pem"
    making = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=me -addext subjectAltName=IP:127.0.0.1"
    paths = ["-keyout", key, "-out", certificate]
    subprocess.run(["openssl", *making.split(), *paths], check=True, capture_output=True)

    class Encrypted(Mosquitto):
        more = f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}\n"

    with closing(Encrypted(tmp_path)) as encrypted:
        address = encrypted.address("plant").replace("mqtt", "mqtts")
        with pytest.raises(errors.DataError, match="certificate"):
            publish(address, [b"{}"])
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        publish(address, [b"{}"])


@pytest.mark.parametrize(
    ("scheme", "package"), [("mqtt", "paho"), ("nats", "nats"), ("kafka", "confluent_kafka")]
)
def test_a_missing_library(
    run: Run, model: Any, monkeypatch: pytest.MonkeyPatch, scheme: str, package: str
) -> None:
    def without(name: str) -> ModuleType:
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(name=package)
        return importlib.import_module(name)

    monkeypatch.setattr(errors, "importlib", SimpleNamespace(import_module=without))
    ran = run("watch", f"{scheme}://127.0.0.1:1/plant", "-m", model[1])
    assert ran.status == 2 and 'pip install "diabolo[stream]"' in ran.err
