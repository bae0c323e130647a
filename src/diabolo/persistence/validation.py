"""Whether what a model file says of itself fits together: told before memory is taken or anything is used.

A checksum tells damage, not malice: whoever forges a file writes a checksum that fits.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diabolo.data.columns import Number, Window
from diabolo.data.entries import Entry
from diabolo.data.fields import Curve, Picture, Real, Symbol
from diabolo.data.fields.real import MAX_SHARE
from diabolo.data.schema import Schema
from diabolo.data.sources import SOURCES, Series, Source
from diabolo.detection import EVIDENCE
from diabolo.detection.calibration import MAX_CALIBRATION_ROWS
from diabolo.detection.memory import MAX_ROWS
from diabolo.generation import window_mixture
from diabolo.networks.bottlenecks import Identity
from diabolo.networks.member import Member
from diabolo.networks.network import Network
from diabolo.networks.stems import StemOptions, make_stem
from diabolo.utils.checks import is_finite_number, is_text_list, require
from diabolo.utils.files import select_prefix
from diabolo.utils.tensor_file import TensorSpec
from diabolo.utils.torch_state import forked_rng

MAX_SYMBOLS = 4096  # of one field; no kind of column makes more than a tenth of them
MAX_EMBEDDING = 65_536
SIZE_TOLERANCE = 16 << 20  # bytes in which a network may differ from what is stored for it
# Buffers that a fit changes.
FITTED_BUFFERS = (
    "running_mean",
    "running_var",
    "num_batches_tracked",
    "window_filter.weight",
    "window_filter.mean",
    "window_filter.noise",
    "whitening.mean",
    "whitening.whitening",
    "whitening.unwhitening",
)
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
    require(len(set(names)) == len(names) and bool(schema.scored), "its columns")
    members = {name: Member.from_json(state) for name, state in card["members"].items()}
    require(0 < len(members) <= len(specs), "its networks")
    with forked_rng(0):  # stems are built for their width, and begin at random
        widths = [_width(name, member, schema, specs) for name, member in members.items()]
    _check_shapes(schema, source, specs, widths[-1], card["evidence"])
    for entry in schema.used:
        _check_round_trip(entry)
    return Plan(source, schema, members)


def check_values(plan: Plan, tensors: Mapping[str, Tensor]) -> None:
    """Check what tensors hold, beside those of networks."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            require(bool(torch.isfinite(tensor).all()), f"{name!r} holds numbers that are not finite, which")
    if Symbol.kind in plan.schema.fields:
        symbols = tensors[f"memory/values/{Symbol.kind}"]
        sizes = torch.tensor([len(f.counts) for f in plan.schema.fields[Symbol.kind]])  # type: ignore[attr-defined]
        require(bool(((symbols >= 0) & (symbols < sizes)).all()), "a remembered symbol")
    if "window_mixture/mean" in tensors:
        window_mixture.check_arrays(select_prefix(tensors, "window_mixture/"))
    if Real.kind in plan.schema.fields:
        require(bool((tensors["memory/number_weights"] > 0).all()), "what a column counts")
    scores = tensors["calibration/scores"]
    require(bool((scores[1:] >= scores[:-1]).all()), "the order of 'calibration/scores'")


def fill_network(network: Network, name: str, tensors: Mapping[str, Tensor]) -> None:
    """Put stored weights into a fresh network; what follows from the schema must be as the schema has it."""
    state = network.state_dict()
    stored = {key: tensors[f"network/{name}/{key}"] for key in state}
    learnt = {key for key, _ in network.named_parameters(remove_duplicate=False)}
    for key, tensor in state.items():
        fits = stored[key].dtype == tensor.dtype and stored[key].shape == tensor.shape
        if key not in learnt and not key.endswith(FITTED_BUFFERS):
            fits = fits and torch.equal(stored[key], tensor)
        if key.endswith("running_var"):
            fits = fits and bool((stored[key] >= 0).all())
        if key.endswith("window_filter.noise"):
            fits = fits and bool(stored[key] > 0)
        if key.endswith("window_filter.weight") and key not in learnt:
            fits = fits and _is_solvable(stored[key])
        require(fits, f"network {name!r}, {key}")
    network.load_state_dict(stored)


def _is_solvable(weight: torch.Tensor) -> bool:
    """Whether a filter leaves something of every direction: then what is hidden from it can be guessed."""
    left = torch.eye(len(weight), dtype=torch.double) - (weight + weight.T).double() / 2
    return bool(torch.linalg.cholesky_ex(left).info == 0)


def _check_plain(card: Any) -> None:
    options, history = card["options"], card["history"]
    require(isinstance(options["arguments"], dict) and isinstance(options["library"], str), "its options")
    require(is_text_list(options["columns"]), "the names of its columns")
    rate = options["arguments"].get("alarm_rate")
    require(rate is None or (is_finite_number(rate) and 0 < rate < 1), "its rate of alarms")
    require(isinstance(history, list) and all(isinstance(h, dict) for h in history), "its history")
    require(all(h.keys() == history[0].keys() for h in history), "its history")
    require(is_text_list(card["notes"]) and isinstance(card["facts"], dict), "its notes")
    known = {kind.name for kind in EVIDENCE}
    require(isinstance(card["evidence"], dict) and card["evidence"].keys() <= known, "its evidence")


def _source(state: Mapping[str, Any]) -> Source:
    options = dict(state)
    source = {s.kind: s for s in SOURCES}[options.pop("kind")](**options)
    source.check()
    return source


def _check_entry(entry: Entry, source: Source) -> None:
    name, column = f"column {str(entry.name)[:50]!r}", entry.column
    require(is_text_list([entry.name, entry.reason]) and is_finite_number(entry.missing), name)
    require(entry.role in (("ignored",) if column is None else ("scored", "context")), name)
    if entry.surrogate is not None:
        require(column is None, name)
        entry.surrogate.check()
    if isinstance(column, Window):
        channels = source.channels if isinstance(source, Series) else ()
        require(entry.name in channels and column.length == source.length, name)
    if column is not None:
        column.check()
    for part in column.fields if column is not None else ():
        if isinstance(part, Symbol):
            require(
                _is_finite_table(part.counts)
                and 2 <= len(part.counts) <= MAX_SYMBOLS
                and part.counts.min() >= 0,
                name,
            )
        elif isinstance(part, Real):
            bins = len(part.centres)
            tables = (part.centres, part.low, part.high, part.counts)
            require(
                all(_is_finite_table(t) and len(t) == bins for t in tables) and 1 <= bins <= MAX_SYMBOLS, name
            )
            require(
                _is_finite_table(part.edges) and len(part.edges) == bins + 1 and part.counts.min() >= 0, name
            )
            require(bool((np.diff(part.edges) >= 0).all()) and len(part.shares) in (0, bins), name)
            require(bool(((part.shares >= 0) & (part.shares <= MAX_SHARE)).all()), name)
        elif isinstance(part, Curve | Picture):
            require(is_finite_number(part.low) and is_finite_number(part.high), name)


def _is_finite_table(table: np.ndarray) -> bool:
    return table.ndim == 1 and bool(np.isfinite(table).all())


def _check_round_trip(entry: Entry) -> None:
    """Decode a cell and encode it again: what a column learnt must do for that."""
    column, parts = entry.column, []
    assert column is not None
    for part in column.fields:
        cell = (1, *part.cell)
        parts.append(np.ones(cell, np.int64) if isinstance(part, Symbol) else np.zeros(cell, np.float32))
    values = column.decode(parts, exact=isinstance(column, Number))
    require(all(bool(np.isfinite(value).all()) for value, _ in column.encode(values, entry.name)), entry.name)
    column.describe()


def _width(name: str, member: Member, schema: Schema, specs: Mapping[str, TensorSpec]) -> int:
    """The width of a network's codes, once the network has been found to be no larger than what is stored."""
    what, layers, size = f"network {str(name)[:50]!r}", member.layers, member.embedding
    require(all(type(v) is int and v > 0 for v in (*layers, size)) and len(layers) <= len(specs), what)
    stored = sum(s.end - s.begin for k, s in specs.items() if k.startswith(f"network/{name}/"))
    numbers, inputs = 0, 0
    sizes = [f.size or size for f in schema.fields.get(Symbol.kind, ())]  # type: ignore[attr-defined]
    require(all(type(v) is int and 0 < v <= MAX_EMBEDDING for v in sizes), what)
    size = max([size, *sizes])
    options = StemOptions(member.embedding, full_distribution=member.full_distribution)
    for kind, fields in schema.fields.items():
        if fields[0].cell == ():
            widest = max(len(f.counts) for f in fields)  # type: ignore[attr-defined]
            embedded = kind == Symbol.kind or member.full_distribution
            numbers += 4 * len(fields) * widest * (size + 2 if embedded else 2)
            require(4 * numbers <= 16 * stored + SIZE_TOLERANCE, what)
        inputs += make_stem(fields, options).width
    there = [inputs, *layers]
    latent = getattr(member.bottleneck, "latent", there[-1])
    back = [latent, *layers[::-1]]
    numbers += sum(a * b for way in (there, back) for a, b in pairwise(way))
    numbers += 2 * there[-1] * latent + 2 * back[-1] * inputs
    if member.window_filter and Curve.kind in schema.fields and isinstance(member.bottleneck, Identity):
        tables = 4 if member.whiten else 1
        numbers += tables * sum(f.length for f in schema.fields[Curve.kind]) ** 2  # type: ignore[attr-defined]
    require(4 * numbers <= 16 * stored + SIZE_TOLERANCE and stored <= 16 * numbers + SIZE_TOLERANCE, what)
    return int(latent)


def _check_shapes(
    schema: Schema, source: Source, specs: Mapping[str, TensorSpec], latent: int, evidence: Collection[str]
) -> None:
    """Check that every tensor that is no network's is there, as the schema and the source have it."""
    kinds = schema.fields
    rows = specs[f"memory/values/{next(iter(kinds))}"].shape[0]
    ranked = math.prod(specs["calibration/scores"].shape)
    require(1 <= rows <= MAX_ROWS and 1 <= ranked <= MAX_CALIBRATION_ROWS, "the number of its rows")
    points = len(kinds.get(Curve.kind, ())) * source.length
    expected: dict[str, tuple[str, tuple[int, ...]]] = {"calibration/scores": ("F64", (ranked,))}
    for listed in EVIDENCE:
        if listed.name in evidence:
            shapes = {k: spec.shape for k, spec in select_prefix(specs, f"evidence/{listed.name}/").items()}
            found = listed.check(shapes, schema, source)
            expected |= {f"evidence/{listed.name}/{k}": spec for k, spec in found.items()}
    for kind, fields in kinds.items():
        shape = (rows, len(fields), *fields[0].cell)
        expected[f"memory/values/{kind}"] = ("I16" if kind == Symbol.kind else "F32", shape)
        expected[f"memory/visible/{kind}"] = ("BOOL", shape)
    if Real.kind in kinds:
        expected["memory/number_weights"] = ("F32", (len(kinds[Real.kind]),))
    if isinstance(source, Series):
        expected["memory/positions"] = ("I64", (rows,))
    if points:
        expected["memory/whitening"] = ("F32", (points, points))
    if "window_mixture/mean" in specs:
        stored = select_prefix(specs, "window_mixture/")
        arrays = window_mixture.expected_arrays(stored, len(kinds[Curve.kind]), points)
        expected |= {f"window_mixture/{name}": array for name, array in arrays.items()}
    if "axes/centre" in specs:
        axes = specs["axes/directions"].shape[0]
        require(1 <= axes <= latent, "the number of its axes")
        expected |= {"axes/centre": ("F32", (latent,)), "axes/directions": ("F32", (axes, latent))}
    for name, (dtype, shape) in expected.items():
        if name not in specs:
            raise ValueError(f"{name!r} is missing")
        got = specs[name]
        if (got.dtype, got.shape) != (dtype, shape):
            raise ValueError(f"{name!r} is {got.dtype} {got.shape}, expected {dtype} {shape}")
    for name in specs:
        require(name in expected or name.startswith("network/"), f"tensor {name[:50]!r}")
