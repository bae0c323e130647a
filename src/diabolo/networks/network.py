"""One autoencoder: stems -> encoder -> bottleneck -> decoder -> heads."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from diabolo.data.fields import FIELDS, Batch, Curve, Field, Reading
from diabolo.networks.bottlenecks import BOTTLENECKS, Bottleneck, Identity
from diabolo.networks.corruptions import CORRUPTIONS, Clean, Corrupted, Corruption, Noise
from diabolo.networks.layers import MLP, Whitener, WienerFilter
from diabolo.networks.layers.wiener import bridged
from diabolo.networks.likelihoods import Normal
from diabolo.networks.objectives import OBJECTIVES, Likelihood, Objective
from diabolo.networks.stems.rebuilt import FlatStem


@dataclass(frozen=True)
class Member:
    """What a network is like, before there is one.

    Attributes:
        corruption: how rows are damaged in training.
        bottleneck: what stands between encoder and decoder.
        objective: what it is trained for.
        layers: widths of the encoder's layers; the decoder mirrors them.
        embedding: numbers in the embedding of a symbol whose column does not say it.
        full: predict whole distributions of numbers, not only means with a scale for each column.
        linear: start from the best linear prediction of the windows of a series.
        white: whether such windows are whitened first: noise and errors are measured there.
        activation, batch_norm, residual: as in `diabolo.networks.layers.MLP`.
        training: settings that differ from those of `diabolo.training.trainer.Training`.
    """

    corruption: Corruption = field(default_factory=Noise)
    bottleneck: Bottleneck = field(default_factory=Identity)
    objective: Objective = field(default_factory=Likelihood)
    layers: tuple[int, ...] = (128, 128)
    embedding: int = 16
    full: bool = False
    linear: bool = True
    white: bool = False
    residual: bool = False
    activation: str = "silu"
    batch_norm: bool = False
    training: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a model file."""
        plain = {
            k: getattr(self, k)
            for k in ("embedding", "full", "linear", "white", "activation", "batch_norm", "residual")
        }
        return {
            **plain,
            "layers": list(self.layers),
            "training": dict(self.training),
            "corruption": [type(self.corruption).__name__, self.corruption.options()],
            "bottleneck": [type(self.bottleneck).__name__, self.bottleneck.options()],
            "objective": [type(self.objective).__name__, self.objective.options()],
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Member:
        """The inverse of `to_json`."""
        state = dict(state)
        kinds_of = {"corruption": CORRUPTIONS, "bottleneck": BOTTLENECKS, "objective": OBJECTIVES}
        for name, kinds in kinds_of.items():
            kind, options = state[name]
            state[name] = next(k for k in kinds if k.__name__ == kind)(**options)
        return cls(**{**state, "layers": tuple(state["layers"])})


class Prediction(NamedTuple):
    """What a network says of some rows.

    Attributes:
        latent: (rows, latent) the code.
        kl: (rows,) its divergence from the prior, in nats.
        likelihoods: kind -> a distribution of shape (rows, fields, *cell).
        presence: kind -> (rows, its fields in `Network.holes`) log-odds that there is a value.
    """

    latent: Tensor
    kl: Tensor
    likelihoods: dict[str, Distribution]
    presence: Mapping[str, Tensor] = MappingProxyType({})


class Loss(NamedTuple):
    """Means over the rows of a batch, in the objective's measure: total = reconstruction + beta * kl."""

    total: Tensor
    reconstruction: Tensor
    kl: Tensor


class Network(nn.Module):
    """An autoencoder over the fields of a schema.

    Args:
        fields: kind -> its fields.
        scored: kind -> (fields,) which are predicted and may be damaged.
        member: what it is like.
        holes: kind -> (fields,) which may have no value. A network that learns from hidden cells learns
            where values are missing too, and reads that of rows that say so (`Batch.absent`).
    """

    def __init__(
        self,
        fields: Mapping[str, Sequence[Field]],
        scored: Mapping[str, np.ndarray],
        member: Member,
        holes: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__()
        self.kinds = [f.kind for f in FIELDS if f.kind in fields]
        self.member = member
        self.objective = member.objective
        reading = Reading(
            embedding=member.embedding,
            full=member.full,
            rebuild=member.objective.rebuilds,
            unit=member.objective.unit,
        )
        kinds = {f.kind: f for f in FIELDS}
        stems = {k: kinds[k].stem(fields[k], reading) for k in self.kinds}
        self.stems = nn.ModuleDict(stems)
        options: dict[str, Any] = {k: getattr(member, k) for k in ("activation", "batch_norm", "residual")}
        reads_holes = member.corruption.masks and not reading.rebuild
        self.gaps = {k: int(h.sum()) for k, h in (holes or {}).items() if reads_holes and h.any()}
        for kind in self.gaps:
            self.register_buffer(f"holes_{kind}", torch.as_tensor((holes or {})[kind]), persistent=False)
        gaps = sum(self.gaps.values())
        self.encoder = MLP(sum(s.width for s in stems.values()) + gaps, member.layers, **options)
        self.bottleneck = copy.deepcopy(member.bottleneck)
        latent = self.bottleneck.build(self.encoder.width)
        mirrored = member.layers[::-1]
        self.decoder = MLP(latent, mirrored, **options)
        self.widths = [s.width for s in stems.values()]
        width = self.decoder.width
        if reading.rebuild:
            self.output = nn.Linear(width, sum(self.widths))
        else:
            self.heads = nn.ModuleDict({k: kinds[k].head(fields[k], width, stems[k], reading) for k in stems})
        self.presence = nn.Linear(width, gaps) if gaps else None
        self.corruption = copy.deepcopy(member.corruption)
        for kind in self.kinds:
            self.register_buffer(f"scored_{kind}", torch.as_tensor(scored[kind]))
        self.linear: WienerFilter | None = None
        self.white: Whitener | None = None
        if (
            member.linear
            and Curve.kind in fields
            and isinstance(member.bottleneck, Identity)
            and not reading.rebuild
        ):
            points = sum(f.length for f in fields[Curve.kind])  # type: ignore[attr-defined]
            self.linear = WienerFilter(points, trained=not member.corruption.masks)
            if member.white:
                self.white = Whitener(points, len(fields[Curve.kind]))
            spread = self.heads[Curve.kind].spread
            if isinstance(spread, nn.Linear):  # it starts from what the linear guess says of its own errors
                nn.init.zeros_(spread.weight)
                nn.init.zeros_(spread.bias)

    @property
    def scored(self) -> dict[str, Tensor]:
        """Kind -> (fields,) which are predicted."""
        return {k: self.get_buffer(f"scored_{k}") for k in self.kinds}

    @property
    def holes(self) -> dict[str, Tensor]:
        """Kind -> (fields,) which may have no value, where the network learns that."""
        return {k: self.get_buffer(f"holes_{k}") for k in self.gaps}

    def read(self, batch: Batch) -> Tensor:
        """Rows -> what the encoder gets to see of them, (rows, width)."""
        # A plain stem only looks at what is visible in order to leave the rest out.
        all_of_it = batch.whole and self.objective.rebuilds
        seen = {k: None if all_of_it else batch.visible[k] for k in self.kinds}
        parts = [self.stems[k](batch.values[k], seen[k]) for k in self.kinds]
        for kind, holes in self.holes.items():
            if batch.absent is None:
                parts.append(parts[0].new_zeros(len(batch), self.gaps[kind]))
            else:
                parts.append(batch.absent[kind][:, holes].to(parts[0].dtype))
        return torch.cat(parts, 1)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Rows -> the latent code (rows, latent) and its KL divergence (rows,)."""
        return self._code(self._whitened(batch))

    def _code(self, batch: Batch) -> tuple[Tensor, Tensor]:
        latent, kl = self.bottleneck(self.encoder(self.read(batch)))
        return latent, kl

    def rebuilt(self, latent: Tensor) -> Tensor:
        """A latent code -> the vector that was read, as far as the decoder can tell; (rows, width)."""
        vector: Tensor = self.output(self.decoder(latent))
        return vector

    def decode(self, latent: Tensor, batch: Batch | None = None) -> dict[str, Distribution]:
        """A latent code -> a distribution for every cell.

        `batch` is what was read: the linear path of a network over windows starts from it.
        """
        if self.objective.rebuilds:
            parts = torch.split(self.rebuilt(latent), self.widths, 1)
            return {k: self.plain(k).back(part) for k, part in zip(self.kinds, parts, strict=True)}
        return self._heads(self.decoder(latent), batch)

    def _heads(self, h: Tensor, batch: Batch | None) -> dict[str, Distribution]:
        base = {}
        if self.linear is not None and batch is not None:
            curve, seen = batch.values[Curve.kind], batch.visible[Curve.kind]
            mean, log = (p.view_as(curve) for p in self.linear(curve.flatten(1), seen.flatten(1)))
            base[Curve.kind] = (mean, log if self.corruption.masks else None)
        return {k: self.heads[k](h, base.get(k)) for k in self.kinds}

    def forward(self, batch: Batch) -> Prediction:
        """Read rows, and predict each of their cells."""
        if self.white is None:
            return self.predict(batch)
        curve, seen = (table[Curve.kind].flatten(1) for table in (batch.values, batch.visible))
        whole, log = self.white.whole(curve, seen)
        prediction = self.predict(self._white(batch, whole))
        said = prediction.likelihoods[Curve.kind]
        mean, scale = self.white.back(said.mean.flatten(1), said.stddev.flatten(1), whole)
        # What is not there is guessed, not freed of noise.
        parts = torch.where(seen, mean, whole), torch.where(seen, scale, log.exp())
        coloured = Normal(*(part.view_as(batch.values[Curve.kind]) for part in parts))
        return prediction._replace(likelihoods={**prediction.likelihoods, Curve.kind: coloured})

    def bridged(self, batch: Batch) -> Batch:
        """Rows to train on: lines cross the holes of windows that are whitened, as guesses cost more."""
        if self.white is None:
            return batch
        curve, seen = batch.values[Curve.kind], batch.visible[Curve.kind]
        flat = bridged(curve.flatten(1).cpu(), seen.flatten(1).cpu(), self.white.channels)
        return batch.replace({Curve.kind: flat.to(curve).view_as(curve)}, {Curve.kind: torch.ones_like(seen)})

    def _whitened(self, batch: Batch) -> Batch:
        """Rows as the layers read them."""
        if self.white is None:
            return batch
        curve, seen = (table[Curve.kind].flatten(1) for table in (batch.values, batch.visible))
        return self._white(batch, self.white.whole(curve, seen)[0])

    def _white(self, batch: Batch, whole: Tensor) -> Batch:
        """Rows with these windows, whitened."""
        assert self.white is not None
        white = self.white(whole).view_as(batch.values[Curve.kind])
        return batch.replace({Curve.kind: white}, {Curve.kind: torch.ones_like(white, dtype=torch.bool)})

    def predict(self, batch: Batch) -> Prediction:
        """The same, of rows as the layers read them, for a network's own loss: windows may be whitened."""
        latent, kl = self._code(batch)
        if self.presence is None:
            return Prediction(latent, kl, self.decode(latent, batch))
        h = self.decoder(latent)
        there = torch.split(self.presence(h), list(self.gaps.values()), 1)
        return Prediction(latent, kl, self._heads(h, batch), dict(zip(self.gaps, there, strict=True)))

    def plain(self, kind: str) -> FlatStem:
        """The stem of a kind, where it can be read backwards."""
        stem = self.stems[kind]
        assert isinstance(stem, FlatStem)
        return stem

    def loss(self, batch: Batch) -> Loss:
        """Damage some clean rows, and say how badly they are restored."""
        batch = self._whitened(batch)
        rows = self.objective.rows(self, batch, self._damage(batch))
        reconstruction, kl = (part.mean() for part in rows)
        return Loss(reconstruction + self.bottleneck.beta * kl, reconstruction, kl)

    def _damage(self, batch: Batch) -> Corrupted:
        if not self.gaps:
            plainly: Corrupted = self.corruption(batch, self.scored)
            return plainly
        # That there is no value can be seen or hidden, like a value.
        gone = {k: ~batch.visible[k] & holes for k, holes in self.holes.items()}
        whole = batch.replace(visible={k: batch.visible[k] | g for k, g in gone.items()})
        damaged: Corrupted = self.corruption(whole, self.scored)
        shown = damaged.batch.visible
        absent = {k: shown[k] & g for k, g in gone.items()}
        read = damaged.batch.replace(visible={k: shown[k] & ~g for k, g in gone.items()})
        return Corrupted(Batch(read.values, read.visible, absent=absent), damaged.weights)

    @torch.no_grad()
    def row_losses(self, batch: Batch) -> Tensor:
        """(rows,) the loss of each row as it is, undamaged."""
        batch = self._whitened(batch)
        reconstruction, kl = self.objective.rows(self, batch, Clean()(batch, self.scored))
        return reconstruction + self.bottleneck.beta * kl

    @torch.no_grad()
    def start(self, batch: Batch) -> None:
        """Set the linear path to the best linear guess of these windows, and the scales to its error."""
        if self.linear is None:
            return
        if self.white is not None:
            self.white.learn(*(table[Curve.kind].flatten(1) for table in (batch.values, batch.visible)))
            batch = self._whitened(batch)
        values, seen = (table[Curve.kind].flatten(1) for table in (batch.values, batch.visible))
        if self.corruption.masks:
            self.linear.learn(values, seen, channels=batch.values[Curve.kind].shape[1])
            return
        sigma = self.corruption.sigma if isinstance(self.corruption, Noise) else 0.1
        self.linear.learn(values, seen, sigma**2, batch.values[Curve.kind].shape[1])
        error = sigma**2 * torch.diagonal(self.linear.weight).clamp_min(1e-6)
        head = self.heads[Curve.kind]
        head.log_scale.copy_((0.5 * error.log()).view_as(head.log_scale))  # type: ignore[operator,arg-type]

    @torch.no_grad()
    def settle(self, batch: Batch) -> None:
        """After training: learn the size of the errors, where the objective did not."""
        if not self.objective.rebuilds:
            return
        parts = torch.split(self.rebuilt(self.encode(batch)[0]), self.widths, 1)
        for kind, part in zip(self.kinds, parts, strict=True):
            self.plain(kind).settle(part, batch.values[kind], batch.visible[kind])
