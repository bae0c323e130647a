"""Check that the parts of a model file are consistent, before memory is allocated or anything is used.

A checksum detects damage, not malice: a forged file has a valid checksum.
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

from diabolo.data.columns import Number
from diabolo.data.entries import Entry
from diabolo.data.fields import Curve, Real, Symbol
from diabolo.data.schema import Schema
from diabolo.data.sources import SOURCES, Source
from diabolo.detection import EVIDENCE
from diabolo.detection.calibration import MAX_CALIBRATION_ROWS
from diabolo.detection.metrics import MAX_ROWS
from diabolo.generation import window_mixture
from diabolo.networks.bottlenecks import Identity
from diabolo.networks.member import Member
from diabolo.networks.network import Network
from diabolo.networks.stems import StemOptions, make_stem
from diabolo.utils.checks import is_finite_number, is_text_list, require
from diabolo.utils.files import select_prefix
from diabolo.utils.tensor_file import TensorSpec
from diabolo.utils.torch_state import forked_rng

MAX_EMBEDDING = 65_536  # width of an embedding
SIZE_TOLERANCE = 16 << 20  # bytes by which the estimated size of a network may differ from the stored size
MAX_SIZE_RATIO = 16  # factor by which it may differ besides; a choice
BYTES_PER_NUMBER = 4
MAX_NAME_LENGTH = 50  # characters of a name from a file that a message shows
# Ends of the names of the buffers that a fit changes; the schema determines all others.
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

ExpectedTensors = dict[str, tuple[str, tuple[int, ...]]]
"""Name of a tensor -> its data type and shape."""


@dataclass(frozen=True)
class Plan:
    """The parts of a model that a card describes, checked against the header of the file.

    Attributes:
        source: what reads the data.
        schema: the columns.
        members: name -> description of a network.
    """

    source: Source
    schema: Schema
    members: dict[str, Member]


def make_plan(card: Any, specs: Mapping[str, TensorSpec]) -> Plan:
    """Read a card, and check it against the types and shapes of tensors in the header.

    Args:
        card: parsed JSON, in the present format.
        specs: name of a tensor -> what the header says of it.

    Raises:
        Exception: they are inconsistent; a forged card can provoke any kind of exception.
    """
    _check_plain_values(card)
    source, schema = _source(card["source"]), Schema.from_json(card["schema"])
    for entry in schema.entries:
        _check_entry(entry, source)
    schema.check_sizes()
    names = [e.name for e in schema.entries]
    require(len(set(names)) == len(names) and bool(schema.scored), "columns")
    members = {name: Member.from_json(state) for name, state in card["members"].items()}
    require(0 < len(members) <= len(specs), "number of networks")
    with forked_rng(0):  # stems are built to know their width, with random weights
        widths = [_code_width(name, member, schema, specs) for name, member in members.items()]
    _check_shapes(schema, source, specs, widths[-1], card["evidence"])
    for entry in schema.used:
        _check_round_trip(entry)
    return Plan(source, schema, members)


def check_values(plan: Plan, tensors: Mapping[str, Tensor]) -> None:
    """Check the values of the tensors, except those that `fill_network` checks.

    Args:
        plan: what the card describes.
        tensors: name -> tensor, all of the file.

    Raises:
        ValueError: a value is invalid.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name!r} holds numbers that are not finite")
    if Symbol.kind in plan.schema.fields:
        symbols = tensors[f"memory/values/{Symbol.kind}"]
        sizes = torch.tensor([len(f.counts) for f in plan.schema.fields[Symbol.kind]])  # type: ignore[attr-defined]
        require(bool(((symbols >= 0) & (symbols < sizes)).all()), "symbols of remembered rows")
    if "window_mixture/mean" in tensors:
        window_mixture.check_arrays(select_prefix(tensors, "window_mixture/"))
    if Real.kind in plan.schema.fields:
        require(bool((tensors["memory/number_weights"] > 0).all()), "weights of number columns")
    scores = tensors["calibration/scores"]
    require(bool((scores[1:] >= scores[:-1]).all()), "order of 'calibration/scores'")


def fill_network(network: Network, name: str, tensors: Mapping[str, Tensor]) -> None:
    """Load stored weights into a fresh network, after a check of those that the schema determines.

    Args:
        network: built from the plan.
        name: its name in the file.
        tensors: name -> tensor, all of the file.

    Raises:
        KeyError: a tensor is missing.
        ValueError: a tensor is not as the schema determines it, or its values are invalid.
    """
    state = network.state_dict()
    stored = {key: tensors[f"network/{name}/{key}"] for key in state}
    parameters = {key for key, _ in network.named_parameters(remove_duplicate=False)}
    for key, tensor in state.items():
        fits = stored[key].dtype == tensor.dtype and stored[key].shape == tensor.shape
        if key not in parameters and not key.endswith(FITTED_BUFFERS):
            fits = fits and torch.equal(stored[key], tensor)
        if key.endswith("running_var"):
            fits = fits and bool((stored[key] >= 0).all())
        if key.endswith("window_filter.noise"):
            fits = fits and bool(stored[key] > 0)
        if key.endswith("window_filter.weight") and key not in parameters:
            fits = fits and _is_solvable(stored[key])
        require(fits, f"tensor {key!r} of network {name!r}")
    network.load_state_dict(stored)


def _is_solvable(weight: torch.Tensor) -> bool:
    """Return whether hidden points can be estimated with a filter W.

    The symmetric part of I - W must be positive definite.
    """
    remainder = torch.eye(len(weight), dtype=torch.double) - (weight + weight.T).double() / 2
    return bool(torch.linalg.cholesky_ex(remainder).info == 0)


def _check_plain_values(card: Any) -> None:
    """Check the options, the history, the notes and the names of the evidence."""
    options, history = card["options"], card["history"]
    require(isinstance(options["arguments"], dict) and isinstance(options["library"], str), "options")
    require(is_text_list(options["columns"]), "names of columns")
    rate = options["arguments"].get("alarm_rate")
    require(rate is None or (is_finite_number(rate) and 0 < rate < 1), "alarm rate")
    require(options["arguments"].get("follow") in (None, True, False), "follow")
    require(isinstance(history, list) and all(isinstance(h, dict) for h in history), "history")
    require(all(h.keys() == history[0].keys() for h in history), "history")
    require(is_text_list(card["notes"]) and isinstance(card["facts"], dict), "notes or facts")
    known = {kind.name for kind in EVIDENCE}
    require(isinstance(card["evidence"], dict) and card["evidence"].keys() <= known, "evidence")


def _source(state: Mapping[str, Any]) -> Source:
    """Return the source that a card describes, checked."""
    options = dict(state)
    source = {s.kind: s for s in SOURCES}[options.pop("kind")](**options)
    source.check()
    return source


def _check_entry(entry: Entry, source: Source) -> None:
    """Check what the schema says of one column."""
    name, column = f"column {str(entry.name)[:MAX_NAME_LENGTH]!r}", entry.column
    require(is_text_list([entry.name, entry.reason]) and is_finite_number(entry.missing), name)
    require(entry.role in (("ignored",) if column is None else ("scored", "context")), name)
    if entry.surrogate is not None:
        require(column is None or not column.predicts_values, name)
        entry.surrogate.check()
    if column is not None:
        column.check()
        require(source.fits(entry.name, column), name)
        for field in column.fields:
            field.check()


def _check_round_trip(entry: Entry) -> None:
    """Check that a used column can decode a cell, encode it again and describe itself."""
    column, codes = entry.column, []
    assert column is not None
    for field in column.fields:
        cell = (1, *field.cell)
        codes.append(np.ones(cell, np.int64) if isinstance(field, Symbol) else np.zeros(cell, np.float32))
    values = column.decode(codes, exact=isinstance(column, Number))
    finite = all(bool(np.isfinite(value).all()) for value, _ in column.encode(values, entry.name))
    require(finite, f"column {entry.name!r}")
    column.describe()


def _code_width(name: str, member: Member, schema: Schema, specs: Mapping[str, TensorSpec]) -> int:
    """Return the width of a network's codes, after a check that its size agrees with the stored size.

    The size is estimated before the network is built, so that a forged card cannot claim all memory.
    """
    what, layers, size = f"network {str(name)[:MAX_NAME_LENGTH]!r}", member.layers, member.embedding
    require(all(type(v) is int and v > 0 for v in (*layers, size)) and len(layers) <= len(specs), what)
    stored = sum(s.end - s.begin for k, s in specs.items() if k.startswith(f"network/{name}/"))
    sizes = [f.size or size for f in schema.fields.get(Symbol.kind, ())]  # type: ignore[attr-defined]
    require(all(type(v) is int and 0 < v <= MAX_EMBEDDING for v in sizes), what)
    widest = max([size, *sizes])
    options = StemOptions(member.embedding, full_distribution=member.full_distribution)
    numbers, inputs = 0, 0
    for kind, fields in schema.fields.items():
        if fields[0].cell == ():
            symbols = max(len(f.counts) for f in fields)  # type: ignore[attr-defined]
            embedded = kind == Symbol.kind or member.full_distribution
            numbers += 4 * len(fields) * symbols * (widest + 2 if embedded else 2)
            # Checked before the stem is built.
            require(_is_stored(numbers, stored), what)
        inputs += make_stem(fields, options).width
    encoder = [inputs, *layers]
    latent = getattr(member.bottleneck, "latent", encoder[-1])
    decoder = [latent, *layers[::-1]]
    numbers += sum(a * b for widths in (encoder, decoder) for a, b in pairwise(widths))
    numbers += 2 * encoder[-1] * latent + 2 * decoder[-1] * inputs
    if member.window_filter and Curve.kind in schema.fields and isinstance(member.bottleneck, Identity):
        tables = 4 if member.whiten else 1
        numbers += tables * sum(f.length for f in schema.fields[Curve.kind]) ** 2  # type: ignore[attr-defined]
    require(_is_stored(numbers, stored) and stored <= MAX_SIZE_RATIO * numbers + SIZE_TOLERANCE, what)
    return int(latent)


def _is_stored(numbers: int, stored: int) -> bool:
    """Return whether a file with this number of bytes can hold the weights of a network."""
    return BYTES_PER_NUMBER * numbers <= MAX_SIZE_RATIO * stored + SIZE_TOLERANCE


def _check_shapes(
    schema: Schema, source: Source, specs: Mapping[str, TensorSpec], latent: int, evidence: Collection[str]
) -> None:
    """Check that exactly the expected tensors are in the file, with their types and shapes."""
    expected = _expected_memory(schema, source, specs)
    ranked = math.prod(specs["calibration/scores"].shape)
    require(1 <= ranked <= MAX_CALIBRATION_ROWS, "number of calibration rows")
    expected["calibration/scores"] = ("F64", (ranked,))
    for kind in EVIDENCE:
        if kind.name in evidence:
            shapes = {k: spec.shape for k, spec in select_prefix(specs, f"evidence/{kind.name}/").items()}
            arrays = kind.check(shapes, schema, source)
            expected |= {f"evidence/{kind.name}/{k}": spec for k, spec in arrays.items()}
    if "window_mixture/mean" in specs:
        stored, channels = select_prefix(specs, "window_mixture/"), len(schema.fields[Curve.kind])
        arrays = window_mixture.expected_arrays(stored, channels, channels * source.length)
        expected |= {f"window_mixture/{name}": array for name, array in arrays.items()}
    if "axes/centre" in specs:
        axes = specs["axes/directions"].shape[0]
        require(1 <= axes <= latent, "number of axes")
        expected |= {"axes/centre": ("F32", (latent,)), "axes/directions": ("F32", (axes, latent))}
    for name, (dtype, shape) in expected.items():
        if name not in specs:
            raise ValueError(f"{name!r} is missing")
        found = specs[name]
        if (found.dtype, found.shape) != (dtype, shape):
            raise ValueError(f"{name!r} is {found.dtype} {found.shape}, expected {dtype} {shape}")
    for name in specs:
        checked_later = name.startswith(("network/", "table_errors/", "images/"))
        require(name in expected or checked_later, f"tensor {name[:MAX_NAME_LENGTH]!r}")


def _expected_memory(schema: Schema, source: Source, specs: Mapping[str, TensorSpec]) -> ExpectedTensors:
    """Return the tensors of the memory that the schema and the source determine."""
    kinds = schema.fields
    rows = specs[f"memory/values/{next(iter(kinds))}"].shape[0]
    require(1 <= rows <= MAX_ROWS, "number of remembered rows")
    expected: ExpectedTensors = {}
    for kind, fields in kinds.items():
        shape = (rows, len(fields), *fields[0].cell)
        expected[f"memory/values/{kind}"] = ("I16" if kind == Symbol.kind else "F32", shape)
        expected[f"memory/visible/{kind}"] = ("BOOL", shape)
    if Real.kind in kinds:
        expected["memory/number_weights"] = ("F32", (len(kinds[Real.kind]),))
    if source.overlaps:
        expected["memory/positions"] = ("I64", (rows,))
    points = len(kinds.get(Curve.kind, ())) * source.length
    if points:
        expected["memory/whitening"] = ("F32", (points, points))
    return expected
