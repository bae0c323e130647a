"""Model files that someone broke or forged: checksums fit, so that only what they say can give them away.

The format is written down here a second time, without the code that reads it: 8 bytes of length, a JSON
header {name: {dtype, shape, data_offsets}}, and the bytes of the tensors. `__metadata__` holds the card and
a SHA-256 of the card and of "|name|dtype|shape|" and the bytes of each tensor, in the order of their names.
"""

from __future__ import annotations

import copy
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diabolo.persistence.storage import FORMAT

TYPES = {
    "BOOL": np.bool_,
    "I8": np.int8,
    "I32": np.int32,
    "I16": np.int16,
    "I64": np.int64,
    "F32": np.float32,
    "F64": np.float64,
    "F16": np.float16,
    "U8": np.uint8,
}
NAMES = {np.dtype(v): k for k, v in TYPES.items()}


@dataclass
class Parts:
    """A file taken apart."""

    card: Any
    tensors: dict[str, np.ndarray]

    @classmethod
    def of(cls, raw: bytes) -> Parts:
        length = struct.unpack("<Q", raw[:8])[0]
        header = json.loads(raw[8 : 8 + length])
        meta, data = header.pop("__metadata__"), raw[8 + length :]
        tensors = {
            k: np.frombuffer(data[slice(*v["data_offsets"])], TYPES[v["dtype"]]).reshape(v["shape"]).copy()
            for k, v in header.items()
        }
        return cls(json.loads(meta["card"]), tensors)

    def raw(self, card: str | None = None) -> bytes:
        """The file; with the text of another card if one is given."""
        text = json.dumps(self.card) if card is None else card
        made = hashlib.sha256(text.encode())
        for name in sorted(self.tensors):
            array = self.tensors[name]
            made.update(f"|{name}|{NAMES[array.dtype]}|{array.shape}|".encode() + array.tobytes())
        header: dict[str, Any] = {"__metadata__": {"card": text, "sha256": made.hexdigest()}}
        data = b""
        for name, array in self.tensors.items():
            ends = [len(data), len(data) + array.nbytes]
            header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": ends}
            data += array.tobytes()
        return headed(json.dumps(header).encode(), data)


def headed(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def carded(change: Callable[[Any], Any]) -> Callable[[Parts], bytes]:
    """A file with another card."""

    def make(parts: Parts) -> bytes:
        card = copy.deepcopy(parts.card)
        found = change(card)
        return Parts(card if found is None else found, parts.tensors).raw()

    return make


def text_in(old: str, new: str) -> Callable[[Parts], bytes]:
    """A file with other text in its card, which need not be JSON."""

    def make(parts: Parts) -> bytes:
        text = json.dumps(parts.card)
        assert old in text
        return parts.raw(text.replace(old, new, 1))

    return make


def tensor(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Parts], bytes]:
    """A file with another tensor."""

    def make(parts: Parts) -> bytes:
        return Parts(parts.card, {**parts.tensors, name: change(parts.tensors[name].copy())}).raw()

    return make


def setting(value: Any, *index: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[index or ...] = value
        return array

    return change


def header_of(change: Callable[[dict[str, Any]], Any]) -> Callable[[Parts], bytes]:
    """A file with another header and the same data."""

    def make(parts: Parts) -> bytes:
        raw = parts.raw()
        length = struct.unpack("<Q", raw[:8])[0]
        header = json.loads(raw[8 : 8 + length])
        change(header)
        return headed(json.dumps(header).encode(), raw[8 + length :])

    return make


def member(card: Any) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(card["members"].values()))
    return found


def column(card: Any, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        e["column"] for e in card["schema"] if e["column"] and e["column"]["kind"] == kind
    )
    return found


def put(place: Callable[[Any], dict[str, Any]], name: str, value: Any) -> Callable[[Parts], bytes]:
    return carded(lambda card: place(card).__setitem__(name, value))


def card(c: Any) -> dict[str, Any]:
    found: dict[str, Any] = c
    return found


def first_width(name: str, width: int) -> Callable[[Parts], bytes]:
    """A network that says it is `width` wide, and a header that agrees but holds nothing."""

    def make(parts: Parts) -> bytes:
        changed = Parts(copy.deepcopy(parts.card), dict(parts.tensors))
        member(changed.card)["layers"] = [width, width]
        changed.tensors[name] = np.zeros((width, 0), np.float32)
        return changed.raw()

    return make


NOTHING = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
REAL, SYMBOL = "memory/values/real", "memory/values/symbol"
WEIGHT = "network/noisy/encoder.blocks.0.0.weight"

# What a file could do to whoever loads it -> how it is made from a good one.
HOSTILE: dict[str, Callable[[Parts], bytes]] = {
    "empty": lambda p: b"",
    "a pickle": lambda p: b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
    "a zip": lambda p: b"PK\x03\x04" + bytes(200),
    "a header longer than the file": lambda p: headed(b"{}", b"", 1 << 62),
    "a header of no JSON": lambda p: headed(b"{" * 64),
    "a deep header": lambda p: headed(b"[" * 30_000_000),
    "a header of many lists": lambda p: headed(b'{"a":[' + b"[]," * 8_000_000 + b"0]}"),
    "a header of many numbers": lambda p: headed(b"[" + b"0," * 14_000_000 + b"0]"),
    "a header in another alphabet": lambda p: headed('{"a": 1}'.encode("utf-16")),
    "many tensors": header_of(lambda h: h.update(dict.fromkeys(map(str, range(50_000)), NOTHING))),
    "a tensor of exabytes": header_of(lambda h: h[WEIGHT].update(shape=[1 << 30, 1 << 30])),
    "a tensor of a negative size": header_of(lambda h: h[WEIGHT].update(shape=[-1, -24])),
    "a shape of many ones": header_of(lambda h: h[WEIGHT].update(shape=[1] * 100_000)),
    "tensors that overlap": header_of(lambda h: h[WEIGHT].update(data_offsets=h[REAL]["data_offsets"])),
    "a tensor beyond the end": header_of(lambda h: h[WEIGHT].update(data_offsets=[1 << 40, (1 << 40) + 4])),
    "a type of no meaning": header_of(lambda h: h[WEIGHT].update(dtype="C128")),
    "a header without a card": header_of(lambda h: h.pop("__metadata__")),
    "a card that is a number": header_of(lambda h: h["__metadata__"].update(card=7)),
    "a deep card": lambda p: p.raw("[" * 100_000),
    "a card with NaN": text_in('"rate": 0.', '"rate": NaN, "x": 0.'),
    "a card with an infinite number": text_in('"rate": 0.', '"rate": 1e999, "x": 0.'),
    "a card with a huge number": text_in('"rate": 0.', f'"rate": {"9" * 100_000}, "x": 0.'),
    "a card that says a thing twice": text_in(
        f'"format": {FORMAT}', f'"format": {FORMAT}, "format": {FORMAT}'
    ),
    "a network wider than the machine": first_width(WEIGHT, 1 << 20),
    "a network of a million layers": carded(lambda c: member(c).update(layers=[1] * 1_000_000)),
    "an embedding wider than the machine": carded(lambda c: member(c).update(embedding=1 << 40)),
    "a bottleneck wider than the machine": carded(
        lambda c: member(c).update(bottleneck=["Vanilla", {"latent": 1 << 40}])
    ),
    "a corruption that is a module": carded(lambda c: member(c).update(corruption=["os.system", ["id"]])),
    "a column of an unknown kind": carded(lambda c: column(c, "number").update(kind="__class__")),
    "a column with a scale of 0": carded(lambda c: column(c, "number").update(scale=0.0)),
    "a column with a scale of text": carded(lambda c: column(c, "number").update(scale="1")),
    "a label without a symbol": carded(lambda c: column(c, "category")["symbols"].__setitem__(0, 9_999)),
    "bins that go down": carded(lambda c: column(c, "number")["edges"].reverse()),
    "a source of an unknown kind": put(card, "source", {"kind": "table", "length": 1 << 40}),
    "a calibration of text": carded(lambda c: c["calibration"]["medians"].update(distance="far")),
    "a newer version with a command in it": carded(lambda c: c.update(format=9, diabolo='1"; echo "stolen')),
    "a weight that is not finite": tensor(WEIGHT, setting(np.nan, 0, 0)),
    "weights of half precision": tensor(WEIGHT, lambda a: a.astype(np.float16)),
    "a remembered symbol out of range": tensor(SYMBOL, setting(1 << 14, 0, 0)),
    "a negative remembered symbol": tensor(SYMBOL, setting(-1, 0, 0)),
    "fewer remembered rows than flags": tensor(REAL, lambda a: a[:-1]),
    "remembered rows with a field more": tensor(REAL, lambda a: np.concatenate([a, a[:, :1]], 1)),
    "flags that are neither true nor false": tensor(
        "memory/visible/real", lambda a: np.full(a.shape, 7, np.uint8).view(np.bool_)
    ),
    "an index that points nowhere": tensor("network/masked/stems.real.last", setting(1 << 40, 0)),
    "a column that counts less than nothing": tensor("memory/number_weights", setting(-1, 0)),
    "the size of an error that is 0": tensor("evidence/residual/real", setting(0, 0)),
    "a calibration out of order": tensor("calibration/scores", lambda a: a[::-1].copy()),
    "an empty calibration": tensor("calibration/scores", lambda a: a[:0]),
    "scores of seen rows out of order": tensor("evidence/knn_distance/scores", lambda a: a[::-1].copy()),
    "rows of the fit out of order": tensor("evidence/knn_distance/fingerprints", lambda a: a[::-1].copy()),
    "no rows of the fit": tensor("evidence/knn_distance/fingerprints", lambda a: a[:0]),
    "evidence that the card knows nothing of": carded(lambda c: c["evidence"].pop("knn_distance") and None),
    "evidence that is calibrated by something else": carded(
        lambda c: c["evidence"]["knn_distance"]["medians"].update(level=1.0)
    ),
    "axes of another width": tensor("axes/directions", lambda a: a[:, :-1].copy()),
}
LARGE = {
    "a deep header",
    "a header of many lists",
    "a header of many numbers",
    "a network of a million layers",
}
SERIES: dict[str, Callable[[Parts], bytes]] = {
    "windows longer than the machine": carded(lambda c: c["source"].update(length=1 << 40)),
    "windows of another length": carded(lambda c: column(c, "window").update(length=7)),
    "a step that is text": carded(lambda c: c["source"].update(step="1")),
    "fewer places than windows": tensor("memory/positions", lambda a: a[:-1]),
    "a whitening of another size": tensor("memory/whitening", lambda a: a[:-1, :-1].copy()),
    "a window mixture of other channels": tensor(
        "window_mixture/curves", lambda a: a[:, :, :-1].copy()[[0, 0]]
    ),
    "a window mixture with a negative weight": tensor("window_mixture/weights", lambda a: -a),
    "a channel that is like a later one": tensor("window_mixture/duplicate_of", lambda a: a + 7),
    "subsequences of another size": tensor("evidence/subsequences/whitening", lambda a: a[:, :-1].copy()),
}


def sparse(path: Path, size: int) -> None:
    """A file that says it holds one tensor that fills it, and takes no room on the disk."""
    about = {"__metadata__": {"card": '{"format": 1}', "sha256": ""}}
    header = json.dumps({**about, REAL: {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with path.open("wb") as file:
        file.write(headed(header))
        file.truncate(8 + len(header) + size)
