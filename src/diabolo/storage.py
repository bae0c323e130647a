"""One .diabolo file: tensors (safetensors) and a card (JSON, in its metadata). Never a pickle."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from diabolo.calibration import Calibration
from diabolo.engine import Engine
from diabolo.errors import DiaboloError, ModelFileError
from diabolo.evidence import Residuals
from diabolo.fields import Codes
from diabolo.memory import Memory
from diabolo.network import Member, Network
from diabolo.schema import Schema
from diabolo.sources import SOURCES, Source

FORMAT = 1
MAX_BYTES = 2 << 30
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
        ModelFileError: the folder does not exist or cannot be written to.
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


def write_whole(path: Path, raw: bytes) -> None:
    """Write a file so that a crash leaves either the old one or the new one."""
    try:
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be written: {error.strerror}", hint="choose a folder that exists"
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be written: {error.strerror}; what was there is as it was"
        ) from error
    finally:
        Path(beside).unlink(missing_ok=True)


def read(path: str | Path, *, device: str = "cpu", threads: int | None = 1) -> Stored:
    """Read a model.

    Raises:
        ModelFileError: there is no such file, it is no model, it is damaged, or a newer version wrote it.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"{path}: there is no such file")
    if path.stat().st_size > MAX_BYTES:
        raise ModelFileError(f"{path} is larger than a model can be ({MAX_BYTES >> 30} GiB)")
    try:
        with safe_open(str(path), framework="pt") as file:
            meta = file.metadata() or {}
            names = list(file.keys())
            if len(names) > MAX_TENSORS:
                raise ModelFileError(f"{path} holds {len(names)} tensors; a model has at most {MAX_TENSORS}")
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path} is no diabolo model, or is damaged: {error}") from error
    if "card" not in meta:
        raise ModelFileError(f"{path} is no diabolo model: it has no card")
    if meta.get("sha256") != _digest(meta["card"], tensors):
        raise ModelFileError(
            f"{path} is damaged: its checksum does not fit its content", hint="save the model again"
        )
    card = json.loads(meta["card"])
    if card["format"] > FORMAT:
        raise ModelFileError(
            f"{path} has format {card['format']}, this version reads up to {FORMAT}",
            hint=f'pip install "diabolo>={card["diabolo"]}"',
        )
    try:
        return _restored(card, tensors, device, threads)
    except (KeyError, TypeError, ValueError, RuntimeError, DiaboloError) as error:
        raise ModelFileError(f"{path} does not fit together: {error}") from error


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
    schema = Schema.from_json(card["schema"])
    networks = {}
    for name, state in card["members"].items():
        network = Network(schema.fields, schema.scored_fields, Member.from_json(state))
        network.load_state_dict(_under(tensors, f"network/{name}/"))
        networks[name] = network.to(device).eval()
    scored = {k: torch.as_tensor(v) for k, v in schema.scored_fields.items()}
    codes = Codes(_under(tensors, "memory/values/"), _under(tensors, "memory/visible/"))
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
        residuals=Residuals({k: v.numpy() for k, v in _under(tensors, "residuals/").items()}),
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


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


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
