"""Tensors and a card (text) in one safetensors file, with a checksum. Never a pickle.

Files are read without the safetensors library: every size is checked before memory is allocated for it, and
the tensors are copies. If a file were mapped into memory, overwriting it would change a loaded model.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "I32": np.int32,
    "I16": np.int16,
    "I64": np.int64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
}
# The header begins with the card; in front of the header is its length in 8 bytes.
HEADER_START = b'{"__metadata__"'
MAX_BYTES = 2 << 30
MAX_HEADER_BYTES = 32 << 20
MAX_TENSORS = 2_000
# A parsed list or number takes twenty times the memory of its text, so both are counted before parsing.
MAX_JSON_CONTAINERS, MAX_JSON_ITEMS = 100_000, 2_000_000


class TensorSpec(NamedTuple):
    """A tensor as the header describes it; `begin` and `end` are byte offsets behind the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class TensorFile:
    """An open file: its header is read at once, its tensors on demand.

    Args:
        file: open for reading, at its start.

    Attributes:
        card: the text; `tensors` compares it with the checksum.
        specs: name -> the description of the tensor in the header.

    Raises:
        ValueError: the header is damaged, or it and the size of the file do not fit together.
    """

    def __init__(self, file: BufferedReader) -> None:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES >> 30} GiB")
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(size - 8, MAX_HEADER_BYTES):
            raise ValueError("it has no header")
        raw = file.read(length)
        _check_json_size(raw)
        header = parse_json(raw.decode())
        if not isinstance(header, dict) or len(header) > MAX_TENSORS:
            raise ValueError(f"it does not hold 1 to {MAX_TENSORS} tensors")
        meta = header.pop("__metadata__", None)
        if not isinstance(meta, dict) or not all(isinstance(meta.get(k), str) for k in ("card", "sha256")):
            raise ValueError("it has no card")
        self.card: str = meta["card"]
        self._file, self._start, self._sha256 = file, 8 + length, meta["sha256"]
        found = sorted(((k, _to_spec(k, v)) for k, v in header.items()), key=lambda item: item[1].begin)
        self.specs = dict(found)
        end = 0
        for name, spec in found:
            if spec.begin != end:
                raise ValueError(f"tensor {name!r} does not begin where the one before it ends")
            end = spec.end
        if end != size - self._start:
            raise ValueError(f"it holds {size - self._start} bytes of tensors, not {end}")

    def tensors(self) -> dict[str, Tensor]:
        """Read all tensors.

        Raises:
            ValueError: the tensors or the card do not match the checksum.
        """
        found = {}
        self._file.seek(self._start)
        for name, spec in self.specs.items():
            array: np.ndarray = np.empty(math.prod(spec.shape), DTYPES[spec.dtype])
            raw = array.view(np.uint8)
            if self._file.readinto(raw.data if len(raw) else bytearray()) != len(raw):
                raise ValueError("it became shorter while it was read")
            if spec.dtype == "BOOL" and len(raw) and raw.max() > 1:
                raise ValueError(f"tensor {name!r} holds flags that are neither true nor false")
            found[name] = torch.from_numpy(array.reshape(spec.shape))
        if digest(self.card, found) != self._sha256:
            raise ValueError("its checksum does not fit its content")
        return found


@contextmanager
def open_tensor_file(path: Path) -> Iterator[TensorFile]:
    """Open a file and check its header.

    Raises:
        OSError: the file cannot be opened or read.
        ValueError: the file is of another format or damaged.
    """
    with path.open("rb") as file:
        yield TensorFile(file)


def is_tensor_file(path: Path) -> bool:
    """Return whether a file begins like the output of `pack`.

    Raises:
        OSError: the file cannot be opened or read.
    """
    with path.open("rb") as file:
        return file.read(8 + len(HEADER_START)).endswith(HEADER_START)


def pack(tensors: Mapping[str, Tensor], card: str) -> bytes:
    """Return the bytes of a file.

    Args:
        tensors: name -> tensor, of a type in `DTYPES`.
        card: the text.

    Raises:
        ValueError: the file would exceed the limits of the reader, or a tensor has another type.
    """
    whole = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
    raw = to_bytes(whole)
    length = int.from_bytes(raw[:8], "little")
    # The library writes the metadata in any order; the same model should give the same bytes.
    meta = {"__metadata__": {"card": card, "sha256": digest(card, whole)}}
    header = json.dumps({**meta, **json.loads(raw[8 : 8 + length])}).encode()
    header += b" " * (-len(header) % 8)
    raw, length = len(header).to_bytes(8, "little") + header + raw[8 + length :], len(header)
    if length > MAX_HEADER_BYTES or len(raw) > MAX_BYTES or len(tensors) > MAX_TENSORS:
        raise ValueError(f"{length >> 20} MB of text and {len(raw) >> 20} MB of tensors are too much")
    _check_json_size(raw[8 : 8 + length])
    return raw


def digest(card: str, tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the card and of the name, type, shape and bytes of every tensor, by name.

    Args:
        card: the text.
        tensors: name -> tensor on the CPU.

    Raises:
        ValueError: a tensor has a type that is not in `DTYPES`.
    """
    made = hashlib.sha256(card.encode())
    names = {np.dtype(v): k for k, v in DTYPES.items()}
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name].numpy())
        if array.dtype not in names:
            raise ValueError(f"tensor {name!r} has type {array.dtype}")
        made.update(f"|{name}|{names[array.dtype]}|{tuple(tensors[name].shape)}|".encode())
        made.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return made.hexdigest()


def parse_json(text: str) -> Any:
    """Parse strict JSON: without infinity, NaN and repeated names in an object.

    Raises:
        ValueError: the text is not such JSON, or is nested too deeply.
    """
    try:
        return json.loads(
            text, parse_constant=_finite_number, parse_float=_finite_number, object_pairs_hook=_unique_names
        )
    except RecursionError as error:
        raise ValueError("lists within lists, too deep") from error


def _finite_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def _check_json_size(raw: bytes) -> None:
    if raw.count(b"[") + raw.count(b"{") > MAX_JSON_CONTAINERS or raw.count(b",") > MAX_JSON_ITEMS:
        raise ValueError(f"its text has more than {MAX_JSON_CONTAINERS} lists or {MAX_JSON_ITEMS} items")


def _to_spec(name: str, said: Any) -> TensorSpec:
    if not isinstance(said, dict) or set(said) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} is not described")
    dtype, shape, ends = said["dtype"], said["shape"], said["data_offsets"]
    if dtype not in list(DTYPES):
        raise ValueError(f"tensor {name!r} has type {str(dtype)[:20]!r}")
    if not _are_sizes(shape) or len(shape) > 8 or not _are_sizes(ends) or len(ends) != 2:
        raise ValueError(f"tensor {name!r} has no shape or no place")
    if ends[1] - ends[0] != math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize:
        raise ValueError(f"tensor {name!r} does not fill its place")
    return TensorSpec(dtype, tuple(shape), ends[0], ends[1])


def _are_sizes(value: Any) -> bool:
    # Sizes beyond the largest file would make products of thousands of digits.
    return isinstance(value, list) and all(type(v) is int and 0 <= v <= MAX_BYTES for v in value)
