"""Linear prediction and whitening of the windows of a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from diabolo.data.fields import Batch, Curve, Field
from diabolo.data.interpolation import interpolate_missing
from diabolo.networks.base import Base, NoBase, Prepared
from diabolo.networks.bottlenecks import Identity
from diabolo.networks.corruptions import Noise
from diabolo.networks.layers import Whitener, WienerFilter
from diabolo.networks.likelihoods import Normal
from diabolo.networks.member import Member
from diabolo.networks.prediction import Prediction
from diabolo.networks.stems import Guess

DEFAULT_NOISE_STDEV = 0.1  # of the filter, where the corruption neither masks nor adds noise; a choice


class WindowBase(Base):
    """The best linear prediction of windows, and optionally their whitening.

    Args:
        channels: fields of windows.
        masks: whether the network learns to predict hidden points: then the noise of the filter is chosen by
            how well it does so, it predicts scales too, and training does not change it.
        noise_stdev: standard deviation of the noise in training, where no points are hidden.
        whiten: whether the layers read whitened windows.

    Attributes:
        window_filter: the linear prediction.
        whitening: None if the layers read windows as they are.
    """

    kinds = (Curve.kind,)

    def __init__(self, channels: Sequence[Curve], *, masks: bool, noise_stdev: float, whiten: bool) -> None:
        super().__init__()
        points = sum(f.length for f in channels)
        self.masks, self.noise_stdev, self.completes = masks, noise_stdev, whiten
        self.window_filter = WienerFilter(points, trained=not masks)
        self.whitening = Whitener(points, len(channels)) if whiten else None

    @torch.no_grad()
    def initialise(self, batch: Batch) -> dict[str, Tensor]:
        if self.whitening is not None:
            self.whitening.fit(*_points(batch))
            batch = self.prepare(batch).batch
        values, seen = _points(batch)
        channels = batch.values[Curve.kind].shape[1]
        if self.masks:
            self.window_filter.fit(values, seen, channels=channels)
            return {}
        variance = self.noise_stdev**2
        self.window_filter.fit(values, seen, variance, channels)
        error = variance * torch.diagonal(self.window_filter.weight).clamp_min(1e-6)
        return {Curve.kind: 0.5 * error.log()}

    def prepare(self, batch: Batch) -> Prepared:
        if self.whitening is None:
            return Prepared(batch, batch)
        completed = self.whitening.complete(*_points(batch))
        white = self.whitening(completed[0]).view_as(batch.values[Curve.kind])
        return Prepared(_with_windows(batch, white), batch, completed)

    def guess(self, batch: Batch) -> dict[str, Guess]:
        windows = batch.values[Curve.kind]
        mean, log_scale = (part.view_as(windows) for part in self.window_filter(*_points(batch)))
        return {Curve.kind: (mean, log_scale if self.masks else None)}

    def restore(self, prediction: Prediction, prepared: Prepared) -> Prediction:
        """Return a prediction of windows that are not whitened; missing values keep their own prediction.

        Args:
            prediction: for prepared rows.
            prepared: these rows.
        """
        if self.whitening is None or prepared.completed is None:
            return prediction
        completed, log_scale = prepared.completed
        _, seen = _points(prepared.original)
        white = prediction.likelihoods[Curve.kind]
        mean, scale = self.whitening.invert(white.mean.flatten(1), white.stddev.flatten(1), completed)
        # Missing values are predicted, not freed of noise.
        parts = torch.where(seen, mean, completed), torch.where(seen, scale, log_scale.exp())
        restored = Normal(*(part.view_as(prepared.original.values[Curve.kind]) for part in parts))
        return prediction._replace(likelihoods={**prediction.likelihoods, Curve.kind: restored})

    def interpolated(self, batch: Batch) -> Batch:
        if self.whitening is None:
            return batch
        windows = batch.values[Curve.kind]
        values, seen = _points(batch)
        flat = interpolate_missing(values.cpu(), seen.cpu(), self.whitening.channels)
        return _with_windows(batch, flat.to(windows).view_as(windows))

    def denoise(self, batch: Batch) -> Tensor:
        """Return windows without noise, (rows, channels, length); no value may be missing."""
        windows = batch.values[Curve.kind]
        return self.window_filter.denoise(windows.flatten(1)).view_as(windows)


def make_base(fields: Mapping[str, Sequence[Field]], member: Member) -> Base:
    """Return the base of a network, not yet fitted.

    Args:
        fields: kind -> its fields.
        member: the description of the network.
    """
    windows = [f for f in fields.get(Curve.kind, ()) if isinstance(f, Curve)]
    if not windows or not has_window_filter(member):
        return NoBase()
    corruption = member.corruption
    noise = corruption.sigma if isinstance(corruption, Noise) else DEFAULT_NOISE_STDEV
    return WindowBase(windows, masks=corruption.masks, noise_stdev=noise, whiten=member.whiten)


def has_window_filter(member: Member) -> bool:
    """Return whether a network starts from the linear prediction of windows, if there are any."""
    bottleneck, objective = member.bottleneck, member.objective
    return member.window_filter and isinstance(bottleneck, Identity) and not objective.reconstructs


def _points(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the values of windows and which of them are visible, (rows, points) each."""
    return batch.values[Curve.kind].flatten(1), batch.visible[Curve.kind].flatten(1)


def _with_windows(batch: Batch, windows: Tensor) -> Batch:
    """Return rows with these windows, all points visible."""
    return batch.replace({Curve.kind: windows}, {Curve.kind: torch.ones_like(windows, dtype=torch.bool)})
