"""Record every bit that models answer, to prove that a change of structure changes no answer.

The golden files hold answers to five digits on any machine; this holds them to the last bit on one machine:

    python -m tests.golden.record before.json                # before the change
    python -m tests.golden.record before.json --compare      # after it
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# MKL chooses its code by how memory is aligned, which differs from run to run: ask for one path, before
# torch is loaded. See "Conditional numerical reproducibility" in its reference.
os.environ["MKL_CBWR"] = "AVX2,STRICT"

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_digits

import diabolo
from diabolo import Autoencoder, DiaboloWarning
from diabolo.datasets import adults, machine_temperature
from tests import made
from tests.golden.make import HERE, data_of

RECIPES = ("default", "vanilla", "variational", "beta", "quantized", "denoising", "masked", "classic")
FIT_ROWS, NEW_ROWS = 600, 300


def digest(value: Any) -> str:
    """SHA-256 of the bits of an answer's columns in their order, whatever they are called, or of an array."""
    found = hashlib.sha256()
    for column in value.columns().values() if hasattr(value, "columns") else [value]:
        if isinstance(column, pa.Array | pa.ChunkedArray):
            column = column.to_pylist()
        array = np.asarray(column)
        raw = (
            repr(array.tolist()).encode() if array.dtype == object else np.ascontiguousarray(array).tobytes()
        )
        found.update(b"|" + raw)
    return found.hexdigest()[:20]


def ask(model: Autoencoder, fitted: Any, data: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every question that a model can be asked, by name."""
    count = len(model.anomaly_score(data))
    rows = list(range(0, count, max(count // 40, 1)))
    yield "anomaly_score", lambda: model.anomaly_score(data)
    yield "anomaly_score of the fit", lambda: model.anomaly_score(fitted)
    yield "explain", lambda: model.explain(data, rows=rows, neighbours=2)
    yield "explain of the fit", lambda: model.explain(fitted, rows=rows)
    for value in ("mean", "median", "mode", "draw"):
        yield f"repair {value}", lambda value=value: model.repair(data, value=value, seed=3)
    yield "repair suspicious cells", lambda: model.repair(data, threshold=0.5)
    yield "embed", lambda: model.embed(data)
    yield "reconstruct", lambda: model.reconstruct(data)
    yield "denoise", lambda: model.denoise(data)
    yield "match", lambda: model.match(data, gallery=fitted, k=2)
    yield "generate", lambda: model.generate(150, seed=5)
    yield "generate series", lambda: model.generate(50, series=2, seed=5)
    yield "generate like", lambda: model.generate(like=data, keep=list(model.schema_.scored)[:1], seed=5)
    yield "drift", lambda: model.drift(data)
    yield "traverse", lambda: model.traverse(data, axis=0, steps=3)
    yield "interpolate", lambda: model.interpolate(data, steps=3)


def stream(model: Autoencoder, data: pa.Table) -> np.ndarray:
    """The bits of every point, pushed one by one."""
    pushed = model.stream()
    return np.array([-1.0 if (p := pushed.push(point)) is None else p.bits for point in data.to_pylist()])


def cases() -> Iterator[tuple[str, Callable[[], Any], Any, Any]]:
    """Name, how to get a model, the data of its fit, and other data."""
    table, wave = adults(), machine_temperature()
    series = wave.slice(0, 3000)
    digits = load_digits().images
    for file in sorted(HERE.glob("*.[12].diabolo")):
        data = data_of(file.name.split(".")[0])
        yield f"file {file.stem}", lambda file=file: diabolo.load(file), data, data
    for recipe in RECIPES:
        fitted, new = table.slice(0, FIT_ROWS), table.slice(FIT_ROWS, NEW_ROWS)
        yield f"table {recipe}", lambda r=recipe, t=fitted: Autoencoder(r, epochs=2).fit(t), fitted, new
        part, next_part = series.slice(0, 1500), series.slice(1500, 900)
        options = {"time": "timestamp", "window": 32} | ({} if recipe == "default" else {"epochs": 1})
        yield (
            f"series {recipe}",
            lambda r=recipe, o=options, p=part: Autoencoder(r, **o).fit(p),
            part,
            next_part,
        )
        yield (
            f"pictures {recipe}",
            lambda r=recipe: Autoencoder(r, epochs=1).fit(digits[:200]),
            digits[:200],
            digits[200:260],
        )
    mixed = made.mixed(500, seed=1)
    yield "mixed table", lambda: Autoencoder(epochs=2).fit(mixed), mixed, made.mixed(120, seed=2)
    channels = _channels(900, seed=0)
    yield (
        "series of two channels with missing values and a label",
        lambda: Autoencoder(time="time", window=24, categorical=["state"]).fit(channels),
        channels,
        _channels(300, seed=1),
    )
    several = channels.append_column("unit", pa.array(["a", "b"] * 450))
    yield (
        "several series",
        lambda: Autoencoder(time="time", by="unit", window=16).fit(several),
        several,
        several.slice(0, 400),
    )
    yield "series that is updated", lambda: _updated(series), series.slice(0, 1500), series.slice(2400, 600)


def _channels(rows: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    time = np.arange(rows, dtype=float)
    one = np.sin(time / 5) + 0.1 * random.normal(size=rows)
    two = np.roll(one, 3) * 2 + 0.1 * random.normal(size=rows)
    two[random.random(rows) < 0.05] = np.nan
    one[rows // 2 : rows // 2 + 12] = np.nan
    state = np.where(one > 0, "up", "down")
    return pa.table({"time": time, "one": one, "two": pa.array(two, from_pandas=True), "state": state})


def _updated(series: pa.Table) -> Autoencoder:
    model = Autoencoder(time="timestamp", window=32).fit(series.slice(0, 1500))
    return model.partial_fit(series.slice(1500, 900))


def record(only: str = "") -> dict[str, str]:
    """Case: question -> a digest of the answer, or the name of the error it ends in."""
    found = {}
    for name, make, fitted, data in cases():
        if only not in name:
            continue
        model = make()
        questions = dict(ask(model, fitted, data))
        if "series" in name and isinstance(data, pa.Table):
            questions["stream"] = lambda model=model, data=data: stream(model, data)
        for question, answer in questions.items():
            try:
                found[f"{name}: {question}"] = digest(answer())
            except diabolo.DiaboloError as error:
                found[f"{name}: {question}"] = type(error).__name__
        print(name, file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="where the record is written to, or read from")
    parser.add_argument(
        "--compare", action="store_true", help="compare with the record; exit with 1 where they differ"
    )
    parser.add_argument("--only", default="", help="only cases whose name contains this text")
    given = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiaboloWarning)
        found = record(given.only)
    if not given.compare:
        given.file.write_text(json.dumps(found, indent=1) + "\n")
        return
    before = {k: v for k, v in json.loads(given.file.read_text()).items() if given.only in k.split(":")[0]}
    differing = [k for k in before | found if before.get(k) != found.get(k)]
    print("\n".join(differing) if differing else f"{len(found)} answers, equal to the last bit")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
