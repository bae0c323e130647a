"""Whether what a model file says of itself fits together: told before memory is taken or anything is used.

A checksum tells damage, not malice: whoever forges a file writes a checksum that fits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diabolo.data.columns import Number, Window
from diabolo.data.fields import FIELDS, Curve, Picture, Reading, Real, Symbol
from diabolo.data.fields.real import FINEST
from diabolo.data.schema import Entry, Schema
from diabolo.data.sources import SOURCES, Series, Source
from diabolo.detection.memory import LIMIT
from diabolo.detection.subsequences import LENGTH, REMEMBERED
from diabolo.generation.window_mixture import PATTERNS
from diabolo.networks.bottlenecks import Identity
from diabolo.networks.network import Member, Network
from diabolo.utils.tensor_file import TensorSpec
from diabolo.utils.torch_state import forked_rng

EVIDENCE = {"residual", "distance"}
KNOWN = {"residual", "crowd"}
LOOM = ("curves", "twins", "tail", "noise", "weights", "covariances")
LEVEL = ("level/low", "level/high", "level/fence")
MAX_SYMBOLS = 4096  # of one field; no kind of column makes more than a tenth of them
MAX_EMBEDDING = 65_536
MAX_CALIBRATION = 20_000_000
SPARE = 16 << 20  # bytes in which a network may differ from what is stored for it
# Buffers that a fit changes.
RUNNING = (
    "running_mean",
    "running_var",
    "num_batches_tracked",
    "linear.weight",
    "linear.mean",
    "linear.noise",
    "white.mean",
    "white.whitening",
    "white.colour",
)
WAYS = {Real.kind: 3, Symbol.kind: 2}  # in which values can be wrong, where their shares are learnt
MAX_KNOTS = 100


@dataclass(frozen=True)
class Plan:
    """What a card describes, checked against the header."""

    source: Source
    schema: Schema
    members: dict[str, Member]


def make_plan(card: Any, specs: Mapping[str, TensorSpec]) -> Plan:
    """Read a card, and check it and the shapes that a header claims, by what they say of each other.

    Raises:
        Exception: they do not fit together; a forged card can provoke any.
    """
    _check_plain(card)
    source, schema = _source(card["source"]), Schema.from_json(card["schema"])
    for entry in schema.entries:
        _check_entry(entry, source)
    schema.check_sizes()
    names = [e.name for e in schema.entries]
    _need(len(set(names)) == len(names) and bool(schema.scored), "its columns")
    members = {name: Member.from_json(state) for name, state in card["members"].items()}
    _need(0 < len(members) <= len(specs), "its networks")
    with forked_rng(0):  # stems are built for their width, and begin at random
        widths = [_width(name, member, schema, specs) for name, member in members.items()]
    _check_shapes(schema, source, specs, widths[-1], seen_rows=card["crowd"] is not None)
    for entry in schema.used:
        _try(entry)
    return Plan(source, schema, members)


def check_values(plan: Plan, tensors: Mapping[str, Tensor]) -> None:
    """Check what tensors hold, beside those of networks."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            _need(bool(torch.isfinite(tensor).all()), f"{name!r} holds numbers that are not finite, which")
    if Symbol.kind in plan.schema.fields:
        symbols = tensors[f"memory/values/{Symbol.kind}"]
        sizes = torch.tensor([len(f.counts) for f in plan.schema.fields[Symbol.kind]])  # type: ignore[attr-defined]
        _need(bool(((symbols >= 0) & (symbols < sizes)).all()), "a remembered symbol")
    if "loom/mean" in tensors:
        _check_loom({name: tensors[f"loom/{name}"] for name in LOOM})
        if "loom/turns" in tensors:
            turns = tensors["loom/turns"]
            _need(bool((turns >= 0).all()) and bool((turns.sum(1) > 0).all()), "how values are missing")
    if "level/fence" in tensors:
        _need(bool((tensors["level/fence"] > 0).all()), "the range of its levels")
    if "brief/mean" in tensors:
        for name in ("error", "distance", "calm"):
            _need(bool((tensors[f"brief/{name}"] > 0).all()), "its short stretches")
        solvable = torch.linalg.cholesky_ex(tensors["brief/covariance"].double()).info == 0
        _need(bool(solvable), "its short stretches")
    if Real.kind in plan.schema.fields:
        for name in (Real.kind, "worst"):
            _need(bool((tensors[f"residuals/{name}"] > 0).all()), "the size of an error")
        _need(bool((tensors["memory/reach"] > 0).all()), "what a column counts")
    for name in ("calibration/oddness", "crowd/oddness", "crowd/prints"):
        if name in tensors:
            values = tensors[name]
            _need(bool((values[1:] >= values[:-1]).all()), f"the order of {name!r}")


def fill_network(network: Network, name: str, tensors: Mapping[str, Tensor]) -> None:
    """Put stored weights into a fresh network; what follows from the schema must be as the schema has it."""
    state = network.state_dict()
    stored = {key: tensors[f"network/{name}/{key}"] for key in state}
    learnt = {key for key, _ in network.named_parameters(remove_duplicate=False)}
    for key, tensor in state.items():
        fits = stored[key].dtype == tensor.dtype and stored[key].shape == tensor.shape
        if key not in learnt and not key.endswith(RUNNING):
            fits = fits and torch.equal(stored[key], tensor)
        if key.endswith("running_var"):
            fits = fits and bool((stored[key] >= 0).all())
        if key.endswith("linear.noise"):
            fits = fits and bool(stored[key] > 0)
        if key.endswith("linear.weight") and key not in learnt:
            fits = fits and _solvable(stored[key])
        _need(fits, f"network {name!r}, {key}")
    network.load_state_dict(stored)


def _solvable(weight: torch.Tensor) -> bool:
    """Whether a filter leaves something of every direction: then what is hidden from it can be guessed."""
    left = torch.eye(len(weight), dtype=torch.double) - (weight + weight.T).double() / 2
    return bool(torch.linalg.cholesky_ex(left).info == 0)


def _need(fits: bool, what: str) -> None:
    if not fits:
        raise ValueError(f"{what} cannot be")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)


def _check_plain(card: Any) -> None:
    options, history = card["options"], card["history"]
    _need(isinstance(options["arguments"], dict) and isinstance(options["library"], str), "its options")
    _need(_texts(options["columns"]), "the names of its columns")
    rate = options["arguments"].get("alarm_rate")
    _need(rate is None or (_is_number(rate) and 0 < rate < 1), "its rate of alarms")
    _need(isinstance(history, list) and all(isinstance(h, dict) for h in history), "its history")
    _need(all(h.keys() == history[0].keys() for h in history), "its history")
    _need(_texts(card["notes"]) and isinstance(card["facts"], dict), "its notes")
    _check_faults(card["faults"])
    levelled = {"distance", "level"}
    _check_calibration(card["calibration"], EVIDENCE, EVIDENCE | levelled, levelled)
    if card["crowd"] is not None:
        _check_calibration(card["crowd"], KNOWN)


def _check_calibration(state: Any, *evidence: set[str]) -> None:
    sizes = [*state["medians"].values(), state["slope"]]
    _need(all(_is_number(v) and v > 0 for v in sizes), "its calibration")
    _need(set(state["medians"]) in evidence, "its evidence")


def _source(state: Mapping[str, Any]) -> Source:
    options = dict(state)
    source = {s.kind: s for s in SOURCES}[options.pop("kind")](**options)
    if isinstance(source, Series):
        _need(all(v is None or isinstance(v, str) for v in (source.time, source.by)), "its time")
        _need(_is_number(source.step) and source.step >= 0, "its step")
        _need(type(source.end) is int, "its end")
        _need(type(source.length) is int and source.length >= 2, "the length of its windows")
        names = (source.extra_columns, source.channels, source.types, source.series_names)
        _need(all(_texts(v) for v in names), "its channels")
    return source


def _check_entry(entry: Entry, source: Source) -> None:
    name, column = f"column {str(entry.name)[:50]!r}", entry.column
    _need(_texts([entry.name, entry.reason]) and _is_number(entry.missing), name)
    _need(entry.role in (("ignored",) if column is None else ("scored", "context")), name)
    if entry.surrogate is not None:
        _need(column is None, name)
        entry.surrogate.check()
    if isinstance(column, Window):
        channels = source.channels if isinstance(source, Series) else ()
        _need(entry.name in channels and column.length == source.length, name)
    if column is not None:
        column.check()
    for part in column.fields if column is not None else ():
        if isinstance(part, Symbol):
            _need(
                _fine(part.counts) and 2 <= len(part.counts) <= MAX_SYMBOLS and part.counts.min() >= 0, name
            )
        elif isinstance(part, Real):
            bins = len(part.centres)
            tables = (part.centres, part.low, part.high, part.counts)
            _need(all(_fine(t) and len(t) == bins for t in tables) and 1 <= bins <= MAX_SYMBOLS, name)
            _need(_fine(part.edges) and len(part.edges) == bins + 1 and part.counts.min() >= 0, name)
            _need(bool((np.diff(part.edges) >= 0).all()) and len(part.shares) in (0, bins), name)
            _need(bool(((part.shares >= 0) & (part.shares <= FINEST)).all()), name)
        elif isinstance(part, Curve | Picture):
            _need(_is_number(part.low) and _is_number(part.high), name)


def _fine(table: np.ndarray) -> bool:
    return table.ndim == 1 and bool(np.isfinite(table).all())


def _try(entry: Entry) -> None:
    """Decode a cell and encode it again: what a column learnt must do for that."""
    column, parts = entry.column, []
    assert column is not None
    for part in column.fields:
        cell = (1, *part.cell)
        parts.append(np.ones(cell, np.int64) if isinstance(part, Symbol) else np.zeros(cell, np.float32))
    values = column.decode(parts, exact=isinstance(column, Number))
    _need(all(bool(np.isfinite(value).all()) for value, _ in column.encode(values, entry.name)), entry.name)
    column.describe()


def _width(name: str, member: Member, schema: Schema, specs: Mapping[str, TensorSpec]) -> int:
    """The width of a network's codes, once the network has been found to be no larger than what is stored."""
    what, layers, size = f"network {str(name)[:50]!r}", member.layers, member.embedding
    _need(all(type(v) is int and v > 0 for v in (*layers, size)) and len(layers) <= len(specs), what)
    stored = sum(s.end - s.begin for k, s in specs.items() if k.startswith(f"network/{name}/"))
    numbers, inputs, kinds = 0, 0, {f.kind: f for f in FIELDS}
    sizes = [f.size or size for f in schema.fields.get(Symbol.kind, ())]  # type: ignore[attr-defined]
    _need(all(type(v) is int and 0 < v <= MAX_EMBEDDING for v in sizes), what)
    size = max([size, *sizes])
    for kind, fields in schema.fields.items():
        if fields[0].cell == ():
            widest = max(len(f.counts) for f in fields)  # type: ignore[attr-defined]
            numbers += 4 * len(fields) * widest * (size + 2 if kind == Symbol.kind or member.full else 2)
            _need(4 * numbers <= 16 * stored + SPARE, what)
        inputs += kinds[kind].stem(fields, Reading(member.embedding, full=member.full)).width
    there = [inputs, *layers]
    latent = getattr(member.bottleneck, "latent", there[-1])
    back = [latent, *layers[::-1]]
    numbers += sum(a * b for way in (there, back) for a, b in pairwise(way))
    numbers += 2 * there[-1] * latent + 2 * back[-1] * inputs
    if member.linear and Curve.kind in schema.fields and isinstance(member.bottleneck, Identity):
        tables = 4 if member.white else 1
        numbers += tables * sum(f.length for f in schema.fields[Curve.kind]) ** 2  # type: ignore[attr-defined]
    _need(4 * numbers <= 16 * stored + SPARE and stored <= 16 * numbers + SPARE, what)
    return int(latent)


def _check_shapes(
    schema: Schema, source: Source, specs: Mapping[str, TensorSpec], latent: int, *, seen_rows: bool
) -> None:
    """Every tensor that is no network's must be there, as the schema and the source have it."""
    kinds = schema.fields
    rows = specs[f"memory/values/{next(iter(kinds))}"].shape[0]
    ranked = math.prod(specs["calibration/oddness"].shape)
    _need(1 <= rows <= LIMIT and 1 <= ranked <= MAX_CALIBRATION, "the number of its rows")
    points = len(kinds.get(Curve.kind, ())) * source.length
    expected: dict[str, tuple[str, tuple[int, ...]]] = {"calibration/oddness": ("F64", (ranked,))}
    if seen_rows:
        seen, ranked = (math.prod(specs[f"crowd/{name}"].shape) for name in ("prints", "oddness"))
        _need(1 <= seen <= MAX_CALIBRATION and 1 <= ranked <= MAX_CALIBRATION, "the number of its rows")
        _need({Real.kind, Symbol.kind} >= set(kinds) and not isinstance(source, Series), "its crowd")
        expected |= {"crowd/prints": ("I32", (seen,)), "crowd/oddness": ("F64", (ranked,))}
    for kind, fields in kinds.items():
        shape = (rows, len(fields), *fields[0].cell)
        expected[f"memory/values/{kind}"] = ("I16" if kind == Symbol.kind else "F32", shape)
        expected[f"memory/visible/{kind}"] = ("BOOL", shape)
        expected[f"residuals/{kind}"] = ("F32", (points, points) if kind == Curve.kind else shape[1:])
    if Real.kind in kinds:
        expected["residuals/worst"] = ("F32", (1,))
        expected["memory/reach"] = ("F32", (len(kinds[Real.kind]),))
    if isinstance(source, Series):
        expected["memory/positions"] = ("I64", (rows,))
    if points:
        expected["memory/whitening"] = ("F32", (points, points))
        expected |= {name: ("F64", (len(kinds[Curve.kind]),)) for name in LEVEL}
    if "loom/mean" in specs:
        expected |= _loom_shapes(specs, len(kinds[Curve.kind]), points)
    if "brief/mean" in specs:
        expected |= _brief_shapes(specs, len(kinds[Curve.kind]), source.length)
    if "axes/centre" in specs:
        axes = specs["axes/directions"].shape[0]
        _need(1 <= axes <= latent, "the number of its axes")
        expected |= {"axes/centre": ("F32", (latent,)), "axes/directions": ("F32", (axes, latent))}
    for name, (dtype, shape) in expected.items():
        if name not in specs:
            raise ValueError(f"{name!r} is missing")
        got = specs[name]
        if (got.dtype, got.shape) != (dtype, shape):
            raise ValueError(f"{name!r} is {got.dtype} {got.shape}, expected {dtype} {shape}")
    for name in specs:
        _need(name in expected or name.startswith("network/"), f"tensor {name[:50]!r}")


def _brief_shapes(
    specs: Mapping[str, TensorSpec], channels: int, window: int
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The arrays of short stretches."""
    kept, length = specs["brief/positions"].shape[0], min(LENGTH, window // 2)
    _need(1 <= kept <= REMEMBERED and length >= 2, "its short stretches")
    points = channels * length
    shapes = {
        "mean": (points,),
        "covariance": (points, points),
        "error": (points,),
        "whitening": (channels, length, length),
        "stretches": (channels, kept, length),
        "positions": (kept,),
        "distance": (channels,),
        "calm": (channels,),
    }
    types = {"positions": "I64"}
    return {f"brief/{name}": (types.get(name, "F32"), shape) for name, shape in shapes.items()}


def _loom_shapes(
    specs: Mapping[str, TensorSpec], channels: int, points: int
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The arrays of a loom, as one of them has it for the others."""
    knots, directions = specs["loom/curves"].shape[-1], specs["loom/directions"].shape[-1]
    (tail,), (parts, code) = specs["loom/tail"].shape, specs["loom/means"].shape
    _need(1 <= knots <= MAX_SYMBOLS and 1 <= parts <= MAX_KNOTS and tail < directions <= points, "its loom")
    _need(directions - tail <= code <= MAX_SYMBOLS, "its loom")
    shapes = {
        "curves": (channels, 3, knots),
        "steps": (channels,),
        "twins": (channels,),
        "mean": (points,),
        "directions": (points, directions),
        "tail": (tail,),
        "noise": (points,),
        "weights": (parts,),
        "means": (parts, code),
        "covariances": (parts, code, code),
    }
    if "loom/gaps" in specs:
        patterns = specs["loom/gaps"].shape[0]
        _need(1 <= patterns <= PATTERNS, "its loom")
        shapes |= {"gaps": (patterns, channels), "turns": (patterns, patterns)}
    types = {"steps": "BOOL", "gaps": "BOOL", "twins": "I64"}
    return {f"loom/{name}": (types.get(name, "F64"), shape) for name, shape in shapes.items()}


def _check_loom(loom: Mapping[str, Tensor]) -> None:
    """Whether windows can be drawn from it."""
    curves, twins = loom["curves"], loom["twins"]
    _need(bool((curves[..., 1:] >= curves[..., :-1]).all()), "the order of its loom")
    _need(bool(((twins >= 0) & (twins <= torch.arange(len(twins)))).all()), "its loom")
    for name in ("tail", "noise", "weights"):
        _need(bool((loom[name] > 0).all()), "its loom")
    _need(bool((torch.linalg.cholesky_ex(loom["covariances"]).info == 0).all()), "its loom")


def _check_faults(faults: Any) -> None:
    _need(_is_number(faults["rate"]) and 0 < faults["rate"] < 1, "its rate of errors")
    knots, odds, ways = faults["knots"], faults["odds"], faults["ways"]
    for part in (knots, odds):
        _need(isinstance(part, list) and all(_is_number(v) for v in part), "its odds")
    _need(len(knots) == len(odds) <= MAX_KNOTS and all(a < b for a, b in pairwise(knots)), "its odds")
    _need(isinstance(ways, dict) and ways.keys() <= WAYS.keys(), "its ways of errors")
    for kind, shares in ways.items():
        known = isinstance(shares, list) and len(shares) == WAYS[kind] and all(map(_is_number, shares))
        _need(known and min(shares) > 0, "its ways of errors")
