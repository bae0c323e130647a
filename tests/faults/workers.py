"""What other processes do while the tests watch, count and kill them."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import diabolo
from diabolo import Autoencoder, DiaboloWarning
from diabolo.errors import ModelFileError
from diabolo.utils.files import write_atomic

# What Python tells an audit hook when a program, a socket, a pickle or code from text is about to be used.
FORBIDDEN = {
    *("exec", "compile", "marshal.loads", "pickle.find_class", "ctypes.dlopen", "socket.connect"),
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "shutil.rmtree", "os.remove"),
}


def state_of(model: Autoencoder) -> list[tuple[str, bytes]]:
    """Everything that decides what a model answers."""
    engine = model.engine_
    found = [
        (f"{n}/{k}", v.numpy().tobytes())
        for n, net in engine.networks.items()
        for k, v in net.state_dict().items()
    ]
    batch = engine.memory.rows
    found += [(f"memory/{k}", v.numpy().tobytes()) for k, v in {**batch.values}.items()]
    found += [(f"visible/{k}", v.numpy().tobytes()) for k, v in {**batch.visible}.items()]
    for evidence in engine.rows.evidence:
        found += [(f"{evidence.name}/{k}", v.tobytes()) for k, v in evidence.arrays().items()]
        found += [(evidence.name, repr(evidence.state()).encode())]
    found += [
        ("scores", engine.calibration.scores.tobytes()),
        ("card", repr(engine.schema.to_json()).encode()),
    ]
    found += [(f"memory/{name}", array.tobytes()) for name, array in engine.memory.arrays().items()]
    found += [
        ("rest", repr((engine.calibration.to_json(), engine.cell_errors, engine.source.to_json())).encode())
    ]
    return sorted(found)


def judge(folder: str) -> None:
    """Load every file of a folder; write down what happened, the seconds, the memory, any code that ran."""
    paths = sorted(Path(folder).glob("*.diabolo"))
    with contextlib.suppress(ModelFileError):
        diabolo.load(Path(folder) / "good")  # what is imported on first use is no part of it
    run: list[str] = []
    watching = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event in FORBIDDEN:
            run.append(event)

    sys.addaudithook(hook)
    lines = []
    for path in paths:
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        watching = True
        try:
            diabolo.load(path)
            said = "loaded"
        except ModelFileError as error:
            said = "refused: " + str(error).replace("\n", " ")[:300]
        except BaseException as error:
            said = f"crashed: {error!r}"
        watching = False
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        lines.append(f"{path.stem}\t{time.process_time() - began:.3f}\t{more:.1f}\t{','.join(run)}\t{said}")
        run.clear()
    write_atomic(Path(folder) / "verdict.tsv", "\n".join(lines).encode())


def save_forever(source: str, target: str, started: str) -> None:
    """Save a model over and over, until killed."""
    model = diabolo.load(source)
    model.save(target)
    Path(started).touch()
    while True:
        model.save(target)


def load_for(path: str, seconds: float, out: str) -> None:
    """Load a model over and over; write down which models were seen, and what went wrong."""
    seen: dict[str, int] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            said = f"seed {diabolo.load(path).seed}"
        except Exception as error:
            said = repr(error)
        seen[said] = seen.get(said, 0) + 1
    write_atomic(Path(out), "\n".join(f"{n}\t{said}" for said, n in seen.items()).encode())


def save_for(source: str, target: str, seconds: float, out: str) -> None:
    """Save a model over and over, for some time."""
    model, count, wrong = diabolo.load(source), 0, ""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            model.save(target)
            count += 1
        except Exception as error:
            wrong = repr(error)
    write_atomic(Path(out), f"{count}\t{wrong}".encode())


def data() -> pa.Table:
    """Numbers, labels and holes. (`tests.made` would make every process import all dataframe libraries.)"""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 2))
    y = pa.array(x.sum(1), mask=rng.random(300) < 0.05)
    label = np.where(x[:, 0] > 0.3, "up", np.where(x[:, 1] > 0, "side", "down"))
    return pa.table({"a": x[:, 0], "b": x[:, 1], "sum": y, "label": label.tolist()})


def fit(
    out: str, recipe: str, checkpoint: str | None, started: str | None = None, every: float = 0.05
) -> None:
    """Fit and save; from the checkpoint, if there is one."""
    if started is not None:
        Path(started).touch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiaboloWarning)
        model = Autoencoder(
            recipe, layers=(16,), epochs=60, batch_size=64, checkpoint=checkpoint, checkpoint_every=every
        )
        model.fit(data())
    model.save(out)


def mutations(raw: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Random damage, in the data or anywhere: bits, bytes, stretches lost, doubled, zeroed or exchanged."""
    rng = np.random.default_rng(seed)
    start = 8 + int.from_bytes(raw[:8], "little")
    for number in range(count):
        made_, payload = bytearray(raw), number % 2 == 0
        low = start if payload else 0
        place = int(rng.integers(low, len(raw)))
        way = int(rng.integers(7)) if not payload or number % 4 == 0 else 0
        size = int(rng.integers(1, 64))
        if way == 0:
            made_[place] ^= 1 << int(rng.integers(8))
        elif way == 1:
            made_[place] = int(rng.integers(256))
        elif way == 2:
            made_[place : place + size] = rng.bytes(len(made_[place : place + size]))
        elif way == 3:
            del made_[place : place + size]
        elif way == 4:
            made_[place:place] = made_[place : place + size]
        elif way == 5:
            made_ = made_[: max(place, 1)]
        else:
            made_[place : place + size] = bytes(len(made_[place : place + size]))
        if bytes(made_) != raw:
            yield ("payload" if payload else "anywhere"), bytes(made_)
