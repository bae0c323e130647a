"""One .diabolo file: tensors (safetensors) and a card (JSON, in its metadata). Never a pickle."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from diabolo.atomic import under, write_whole
from diabolo.calibration import Calibration
from diabolo.engine import Engine
from diabolo.errors import DiaboloError, ModelFileError
from diabolo.evidence import Residuals
from diabolo.fields import Codes, Symbol
from diabolo.memory import Memory
from diabolo.network import Member, Network
from diabolo.schema import Schema
from diabolo.sources import SOURCES, Source

FORMAT = 1
MAX_BYTES = 2 << 30
MAX_HEADER = 64 << 20
MAX_TENSORS = 2_000


@dataclass(frozen=True)
class Stored:
    """What a file holds beside the engine.

    Attributes:
        engine: the fitted model.
        options: the arguments of the estimator.
    """

    engine: Engine
    options: dict[str, Any]


def write(path: str | Path, engine: Engine, options: Mapping[str, Any], version: str) -> Path:
    """Write a model, whole or not at all: beside its place, flushed to the disk, then renamed.

    Raises:
        DataError: the folder does not exist or cannot be written to.
    """
    path = Path(path)
    tensors = _tensors(engine)
    card = {
        "format": FORMAT,
        "diabolo": version,
        "options": dict(options),
        "source": engine.source.to_json(),
        "schema": engine.schema.to_json(),
        "members": {name: net.member.to_json() for name, net in engine.networks.items()},
        "calibration": engine.calibration.to_json(),
        "error_rate": engine.error_rate,
        "history": engine.history,
        "notes": engine.notes,
        "facts": engine.facts,
    }
    text = json.dumps(_finite(card), allow_nan=False)
    raw = to_bytes(tensors, metadata={"card": text, "sha256": _digest(text, tensors)})
    write_whole(path, raw)
    return path


def read(path: str | Path, *, device: str = "cpu", threads: int | None = 1) -> Stored:
    """Read a model.

    Raises:
        ModelFileError: there is no such file, it is no model, it is damaged, or a newer version wrote it.
    """
    path = Path(path)
    _check_header(path)
    try:
        with safe_open(str(path), framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path} is no diabolo model, or is damaged: {error}") from error
    if "card" not in meta:
        raise ModelFileError(f"{path} is no diabolo model: it has no card")
    if meta.get("sha256") != _digest(meta["card"], tensors):
        raise ModelFileError(
            f"{path} is damaged: its checksum does not fit its content", hint="save the model again"
        )
    try:
        card = json.loads(meta["card"], parse_constant=_refuse)
        if card["format"] > FORMAT:
            raise ModelFileError(
                f"{path} has format {card['format']}, this version reads up to {FORMAT}",
                hint=f'pip install "diabolo>={card["diabolo"]}"',
            )
        return _restored(card, tensors, device, threads)
    except ModelFileError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
        DiaboloError,
    ) as error:
        raise ModelFileError(f"{path} does not fit together: {error}") from error


def _check_header(path: Path) -> None:
    """Refuse what is no model by its first bytes, before memory is taken for it."""
    if not path.is_file():
        raise ModelFileError(f"{path}: there is no such file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ModelFileError(f"{path} is larger than a model can be ({MAX_BYTES >> 30} GiB)")
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, MAX_HEADER):
                raise ModelFileError(f"{path} is no diabolo model")
            header = json.loads(file.read(length), parse_constant=_refuse)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is no diabolo model, or is damaged: {error}") from error
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise ModelFileError(f"{path} is no diabolo model: it holds more tensors than a model can")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _tensors(engine: Engine) -> dict[str, Tensor]:
    arrays: dict[str, Any] = {}
    for name, network in engine.networks.items():
        # Weights that two modules share are stored once: under the name that comes first.
        arrays |= {f"network/{name}/{k}": v.cpu() for k, v in network.state_dict().items()}
    memory = engine.memory
    arrays |= {f"memory/values/{k}": v for k, v in memory.codes.values.items()}
    arrays |= {f"memory/visible/{k}": v for k, v in memory.codes.visible.items()}
    if memory.positions is not None:
        arrays["memory/positions"] = memory.positions
    if memory.whitening is not None:
        arrays["memory/whitening"] = memory.whitening
    arrays |= {f"residuals/{k}": v for k, v in engine.residuals.arrays.items()}
    arrays["calibration/oddness"] = engine.calibration.oddness
    if engine.axes is not None:
        arrays["axes/centre"], arrays["axes/directions"] = engine.axes
    return {k: torch.as_tensor(v).clone().contiguous() for k, v in arrays.items()}


def _restored(
    card: Mapping[str, Any], tensors: Mapping[str, Tensor], device: str, threads: int | None
) -> Stored:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} holds numbers that are not finite")
    schema = Schema.from_json(card["schema"])
    networks = {}
    for name, state in card["members"].items():
        network = Network(schema.fields, schema.scored_fields, Member.from_json(state))
        stored = under(tensors, f"network/{name}/")
        for key, tensor in network.state_dict().items():
            if key in stored and stored[key].dtype != tensor.dtype:
                raise ValueError(f"{name}: {key} is {stored[key].dtype}, expected {tensor.dtype}")
        network.load_state_dict(stored)
        networks[name] = network.to(device).eval()
    needed = {f"memory/{part}/{kind}" for part in ("values", "visible") for kind in schema.fields}
    needed |= {f"residuals/{kind}" for kind in schema.fields if kind != Symbol.kind}
    if needed - set(tensors):
        raise ValueError(f"{sorted(needed - set(tensors))[0]} is missing")
    scored = {k: torch.as_tensor(v) for k, v in schema.scored_fields.items()}
    codes = Codes(under(tensors, "memory/values/"), under(tensors, "memory/visible/"))
    positions, whitening = tensors.get("memory/positions"), tensors.get("memory/whitening")
    memory = Memory(
        codes,
        scored,
        None if positions is None else positions.numpy(),
        None if whitening is None else whitening.numpy(),
    )
    calibration = Calibration(
        card["calibration"]["medians"], tensors["calibration/oddness"].numpy(), card["calibration"]["slope"]
    )
    axes = None
    if "axes/centre" in tensors:
        axes = (tensors["axes/centre"].numpy(), tensors["axes/directions"].numpy())
    engine = Engine(
        source=_source(card["source"]),
        schema=schema,
        networks=networks,
        residuals=Residuals({k: v.numpy() for k, v in under(tensors, "residuals/").items()}),
        memory=memory,
        calibration=calibration,
        error_rate=card["error_rate"],
        axes=axes,
        history=card["history"],
        notes=card["notes"],
        facts=card["facts"],
        device=device,
        threads=threads,
    )
    return Stored(engine, card["options"])


def _source(state: Mapping[str, Any]) -> Source:
    options = dict(state)
    kind = options.pop("kind")
    return {s.kind: s for s in SOURCES}[kind](**options)


def _digest(card: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(card.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    return digest.hexdigest()


def _finite(value: Any) -> Any:
    """Plain values that JSON can hold: it has no infinity."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
