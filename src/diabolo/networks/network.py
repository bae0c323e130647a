"""An autoencoder: stems -> encoder -> bottleneck -> decoder -> heads."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from diabolo.data.fields import FIELDS, Batch, Field
from diabolo.networks.corruptions import Clean, Corrupted
from diabolo.networks.layers import MLP
from diabolo.networks.member import Member
from diabolo.networks.prediction import Loss, Prediction
from diabolo.networks.stems import FlatStem, Head, InputStem, make_stem
from diabolo.networks.window_base import make_base


class Network(nn.Module):
    """An autoencoder over the fields of a schema.

    Args:
        fields: kind -> its fields.
        scored: kind -> (fields,) which are predicted and may be damaged.
        member: the description of the network.
        can_be_missing: kind -> (fields,) which may have no value. A network that learns from hidden cells
            also learns where values are missing, and reads which values of a row are absent (`Batch.absent`).

    Attributes:
        kinds: of fields, in the order in which they are read.
        widths: numbers that are read of each kind.
        base: what heads start from, and the coordinates that the layers work in.
        presence_fields: kind -> the number of fields whose presence is predicted.
    """

    def __init__(
        self,
        fields: Mapping[str, Sequence[Field]],
        scored: Mapping[str, np.ndarray],
        member: Member,
        can_be_missing: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__()
        self.kinds = [f.kind for f in FIELDS if f.kind in fields]
        self.member = member
        self.objective = member.objective
        stems = {k: make_stem(fields[k], member.stem_options) for k in self.kinds}
        self.stems = nn.ModuleDict(stems)
        self.widths = [s.width for s in stems.values()]
        self.presence_fields: dict[str, int] = {}
        if member.corruption.masks and not member.objective.reconstructs:
            self._register_presence(can_be_missing or {})
        n_presence = sum(self.presence_fields.values())
        options: dict[str, Any] = {k: getattr(member, k) for k in ("activation", "batch_norm", "residual")}
        self.encoder = MLP(sum(self.widths) + n_presence, member.layers, **options)
        self.bottleneck = copy.deepcopy(member.bottleneck)
        latent = self.bottleneck.build(self.encoder.width)
        self.decoder = MLP(latent, member.layers[::-1], **options)
        width = self.decoder.width
        if member.objective.reconstructs:
            self.output = nn.Linear(width, sum(self.widths))
        else:
            heads = {k: stem.make_head(width) for k, stem in stems.items() if isinstance(stem, InputStem)}
            self.heads = nn.ModuleDict(heads)
        self.presence = nn.Linear(width, n_presence) if n_presence else None
        self.corruption = copy.deepcopy(member.corruption)
        for kind in self.kinds:
            self.register_buffer(f"scored_{kind}", torch.as_tensor(scored[kind]))
        self.base = make_base(fields, member)
        for kind in self.base.kinds:
            self._head(kind).begin_with_guess()

    def _register_presence(self, can_be_missing: Mapping[str, np.ndarray]) -> None:
        """Keep which fields can be missing, and how many there are of each kind."""
        for kind, flags in can_be_missing.items():
            if flags.any():
                self.presence_fields[kind] = int(flags.sum())
                self.register_buffer(f"can_be_missing_{kind}", torch.as_tensor(flags), persistent=False)

    @property
    def scored(self) -> dict[str, Tensor]:
        """Kind -> (fields,) which are predicted."""
        return {k: self.get_buffer(f"scored_{k}") for k in self.kinds}

    @property
    def can_be_missing(self) -> dict[str, Tensor]:
        """Kind -> (fields,) which may have no value, where the network learns that."""
        return {k: self.get_buffer(f"can_be_missing_{k}") for k in self.presence_fields}

    @property
    def completes(self) -> bool:
        """Whether the network predicts missing values from the others; else it reads them as averages."""
        return self.corruption.masks or self.base.completes

    def flat_stem(self, kind: str) -> FlatStem:
        """Return the stem of a kind, in a network that reconstructs what it reads."""
        stem = self.stems[kind]
        assert isinstance(stem, FlatStem)
        return stem

    def _head(self, kind: str) -> Head:
        head = self.heads[kind]
        assert isinstance(head, Head)
        return head

    def embed_inputs(self, batch: Batch) -> Tensor:
        """Return what the encoder reads of rows, (rows, width)."""
        # Flat stems only need to know what is visible in order to leave the rest out.
        all_visible = batch.whole and self.objective.reconstructs
        visible = {k: None if all_visible else batch.visible[k] for k in self.kinds}
        parts = [self.stems[k](batch.values[k], visible[k]) for k in self.kinds]
        for kind, fields in self.can_be_missing.items():
            if batch.absent is None:
                parts.append(parts[0].new_zeros(len(batch), self.presence_fields[kind]))
            else:
                parts.append(batch.absent[kind][:, fields].to(parts[0].dtype))
        return torch.cat(parts, 1)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the latent code of rows, (rows, latent), and its KL divergence in nats, (rows,)."""
        return self.encode_inputs(self.embed_inputs(self.base.prepare(batch).batch))

    def encode_inputs(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latent code and its KL divergence, for the result of `embed_inputs`."""
        latent, kl = self.bottleneck(self.encoder(inputs))
        return latent, kl

    def reconstruct(self, latent: Tensor) -> Tensor:
        """Return the decoder's reconstruction of what `embed_inputs` returned, (rows, width)."""
        vector: Tensor = self.output(self.decoder(latent))
        return vector

    def decode(self, latent: Tensor, batch: Batch | None = None) -> dict[str, Distribution]:
        """Return a distribution for every cell, kind -> (rows, fields, *cell).

        Args:
            latent: (rows, latent).
            batch: the rows that were encoded, as the layers read them: heads start from a prediction of the
                base, if there is one. None if the code is not that of rows.
        """
        if self.objective.reconstructs:
            parts = torch.split(self.reconstruct(latent), self.widths, 1)
            return {k: self.flat_stem(k).decode(part) for k, part in zip(self.kinds, parts, strict=True)}
        return self._predict_cells(self.decoder(latent), batch)

    def _predict_cells(self, h: Tensor, batch: Batch | None) -> dict[str, Distribution]:
        guesses = {} if batch is None else self.base.guess(batch)
        return {k: self.heads[k](h, guesses.get(k)) for k in self.kinds}

    def forward(self, batch: Batch) -> Prediction:
        """Return the latent code of rows and a prediction of each of their cells."""
        prepared = self.base.prepare(batch)
        return self.base.restore(self.predict(prepared.batch), prepared)

    def predict(self, batch: Batch) -> Prediction:
        """Return the prediction in the coordinates of the layers, for rows prepared by the base."""
        latent, kl = self.encode_inputs(self.embed_inputs(batch))
        if self.presence is None:
            return Prediction(latent, kl, self.decode(latent, batch))
        h = self.decoder(latent)
        log_odds = torch.split(self.presence(h), list(self.presence_fields.values()), 1)
        presence = dict(zip(self.presence_fields, log_odds, strict=True))
        return Prediction(latent, kl, self._predict_cells(h, batch), presence)

    def loss(self, batch: Batch) -> Loss:
        """Damage clean rows, and return the loss of restoring them."""
        batch = self.base.prepare(batch).batch
        rows = self.objective.row_losses(self, batch, self._damage(batch))
        reconstruction, kl = (part.mean() for part in rows)
        return Loss(reconstruction + self.bottleneck.beta * kl, reconstruction, kl)

    def _damage(self, batch: Batch) -> Corrupted:
        """Return damaged rows; the absence of a value is visible or hidden, like a value."""
        if not self.presence_fields:
            damaged: Corrupted = self.corruption(batch, self.scored)
            return damaged
        missing = {k: ~batch.visible[k] & fields for k, fields in self.can_be_missing.items()}
        complete = batch.replace(visible={k: batch.visible[k] | m for k, m in missing.items()})
        damaged = self.corruption(complete, self.scored)
        shown = damaged.batch.visible
        absent = {k: shown[k] & m for k, m in missing.items()}
        read = damaged.batch.replace(visible={k: shown[k] & ~m for k, m in missing.items()})
        return Corrupted(Batch(read.values, read.visible, absent=absent), damaged.weights)

    @torch.no_grad()
    def row_losses(self, batch: Batch) -> Tensor:
        """Return the loss of each row as it is, undamaged, (rows,)."""
        batch = self.base.prepare(batch).batch
        reconstruction, kl = self.objective.row_losses(self, batch, Clean()(batch, self.scored))
        return reconstruction + self.bottleneck.beta * kl

    def initialise(self, batch: Batch) -> None:
        """Before training: fit the base to rows in their order, and the scales of heads to its errors."""
        for kind, log_scale in self.base.initialise(batch).items():
            self._head(kind).set_log_scale(log_scale)

    @torch.no_grad()
    def fit_scales(self, batch: Batch) -> None:
        """After training: fit the scales of predictions to their errors, where the objective has none."""
        if not self.objective.reconstructs:
            return
        parts = torch.split(self.reconstruct(self.encode(batch)[0]), self.widths, 1)
        for kind, part in zip(self.kinds, parts, strict=True):
            self.flat_stem(kind).fit_scales(part, batch.values[kind], batch.visible[kind])
