"""Rows of a table, or images, decoded from sampled latent codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from diabolo.data.fields import Batch, Pixels
from diabolo.errors import UnsupportedError
from diabolo.generation.base import Fitted, Request, Table
from diabolo.generation.matching import matching_rows
from diabolo.generation.priors import LatentPrior, fit_prior
from diabolo.generation.sampling import decode_batch, sample_field, samples_columnwise
from diabolo.generation.tables import TableSampler
from diabolo.networks.completion import ROWS_PER_READ
from diabolo.utils.torch_state import forked_rng

MAX_CODES = 4_096  # remembered rows on whose codes a prior is fitted
_COLUMNWISE_HINT = 'Autoencoder("masked") or the default recipe, on a table'


class LatentSampler(TableSampler):
    """Samples codes, decodes them, and samples every cell from its likelihood.

    With `given`, the codes are like those of the remembered rows that have the given values. A row has the
    missing values of the remembered row with the nearest code. Of an image the mean is taken:
    noise on each pixel would make no image better.

    Attributes:
        prior: the distribution of codes.
        latents: (rows, latent) codes of remembered rows.
        remembered: those rows. With `given`, all of them have the given values.
    """

    name = "latent"

    def __init__(self, fitted: Fitted, request: Request) -> None:
        super().__init__(fitted, request)
        among = matching_rows(fitted, self.conditions) if request.given else None
        self.prior, self.latents = fit_latent_prior(fitted, request, among)
        self.remembered = fitted.memory.rows[_remembered_rows(fitted, among)]
        visible = self.remembered.visible.values()
        self.needs_nearest = bool(self.conditions.choices) or not all(bool(v.all()) for v in visible)

    @classmethod
    def serves(cls, fitted: Fitted) -> bool:
        return not fitted.source.overlaps and not samples_columnwise(fitted)

    @classmethod
    def accepts(cls, fitted: Fitted, request: Request) -> None:
        """Refuse what a model cannot do that decodes latent codes.

        Args:
            fitted: a model that the sampler serves.
            request: what is asked for.

        Raises:
            UnsupportedError: there are no codes, columns are to be kept, or given with the normal prior.
            OptionError: `series` is asked of a table.
        """
        super().accepts(fitted, request)
        if not fitted.samples_latents:
            images = Pixels.kind in fitted.schema.fields
            raise UnsupportedError(
                "this model has no latent codes from which new rows are decoded",
                hint='Autoencoder("variational")' + ("" if images else ', or Autoencoder("masked")'),
            )
        if request.like is not None:
            raise UnsupportedError(
                "like: rows are kept only by a model that samples a table column by column",
                hint=_COLUMNWISE_HINT,
            )
        if request.given and request.prior == "normal":
            raise UnsupportedError(
                'given: the prior "normal" knows no rows whose codes have these values',
                hint='prior="mixture", which is fitted to the codes of remembered rows that have them',
            )
        check_prior(fitted, request)

    def sample(self, n: int) -> Table:
        parts = [self._decode(codes) for codes in torch.split(self.prior.sample(n), ROWS_PER_READ)]
        schema, batch = self.fitted.schema, Batch.concatenate(parts)
        if Pixels.kind in schema.fields:
            values = {k: v.numpy() for k, v in batch.values.items()}
            table = {name: schema.decode(name, values) for name in schema.scored}
        else:
            table = dict(decode_batch(self.fitted, batch, schema.scored))
        return table | {name: value.take([0] * n) for name, value in self.conditions.fixed.items()}

    def _decode(self, codes: Tensor) -> Batch:
        """Return encoded rows, sampled given their (rows, latent) codes."""
        nearest = torch.cdist(codes, self.latents).argmin(1) if self.needs_nearest else None
        values, visible = {}, {}
        likelihoods: Any = self.fitted.cell_network.decode(codes.to(self.fitted.device))
        for kind, likelihood in likelihoods.items():
            is_image = kind == Pixels.kind
            values[kind] = (
                likelihood.mean.cpu()
                if is_image
                else sample_field(likelihood, self.fitted.schema.fields[kind])
            )
            if nearest is None or is_image:
                visible[kind] = torch.ones(values[kind].shape, dtype=torch.bool)
            else:
                visible[kind] = self.remembered.visible[kind][nearest]
        for allowed in self.conditions.choices.values():
            # One of the allowed values: that of the remembered row with the nearest code.
            kind, field = allowed.slot.kind, allowed.slot.index
            values[kind][:, field] = self.remembered.values[kind][nearest, field]
            visible[kind][:, field] = True
        return Batch(values, visible)


def fit_latent_prior(
    fitted: Fitted, request: Request, among: Tensor | None = None
) -> tuple[LatentPrior, Tensor]:
    """Fit the prior that is asked for.

    Args:
        fitted: a model with a bottleneck.
        request: of which `prior` and `seed` are read.
        among: indices of the remembered rows to use; None for all.

    Returns:
        The prior, and the (rows, latent) codes of remembered rows that it was fitted on.
    """
    latents = _remembered_latents(fitted, among)
    return fit_prior(request.prior, fitted.cell_network.bottleneck, latents, request.seed), latents


def check_prior(fitted: Fitted, request: Request) -> None:
    """Check that the bottleneck has the prior that is asked for.

    Args:
        fitted: a model with a bottleneck.
        request: of which `prior` is read.

    Raises:
        UnsupportedError: codes of such a bottleneck are not held near a normal distribution.
    """
    if request.prior == "normal":
        with forked_rng(0):
            fitted.cell_network.bottleneck.sample(1)


def _remembered_rows(fitted: Fitted, among: Tensor | None) -> Tensor:
    """Return the indices of the remembered rows whose codes are used, evenly spaced."""
    among = torch.arange(len(fitted.memory.rows)) if among is None else among
    return among[torch.linspace(0, len(among) - 1, min(len(among), MAX_CODES)).round().long()]


def _remembered_latents(fitted: Fitted, among: Tensor | None) -> Tensor:
    """Return the (rows, latent) codes of remembered rows."""
    # Sampled as in training, not only their means: new codes also lie between those of two rows.
    network = fitted.cell_network
    batch = fitted.fill_missing(fitted.memory.rows)[_remembered_rows(fitted, among)]
    network.bottleneck.train()
    try:
        with forked_rng(0), torch.no_grad():
            latents = [network.encode(chunk.to(fitted.device))[0] for chunk in batch.chunks(ROWS_PER_READ)]
    finally:
        network.bottleneck.eval()
    return torch.cat(latents).cpu()
